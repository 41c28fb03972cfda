//! `keepalived.stats`.

use crate::driver::World;
use std::fmt::Write;
use vrrp::RouterId;

pub(super) fn render(world: &World) -> String {
    let mut out = String::new();
    for (number, instance) in (0_u32..).zip(&world.plan.model.instances) {
        let Some(counters) = world.router.counters(RouterId(number)) else { continue };
        let c = counters;
        // Writing to a string does not fail.
        let _ = write!(
            out,
            "VRRP Instance: {}\n  Advertisements:\n    Received: {}\n    Sent: {}\n  Became master: {}\n  \
             Released master: {}\n  Packet Errors:\n    Length: {}\n    TTL: {}\n    Invalid Type: {}\n    \
             Advertisement Interval: {}\n    Address List: {}\n  Authentication Errors:\n    Invalid Type: {}\n    \
             Type Mismatch: {}\n    Failure: {}\n  Priority Zero:\n    Received: {}\n    Sent: {}\n",
            instance.name.text,
            c.adverts_received,
            c.adverts_sent,
            c.became_master,
            c.released_master,
            c.length_errors,
            c.ttl_errors,
            c.type_errors,
            c.interval_errors,
            c.address_list_errors,
            c.auth_type_errors,
            c.auth_type_mismatches,
            c.auth_failures,
            c.priority_zero_received,
            c.priority_zero_sent,
        );
    }
    out
}
