//! The same virtual router twice on one interface: fatal.

use super::Check;
use crate::code;
use crate::lower::Draft;
use crate::model::{Family, Instance};

pub(super) fn run(draft: &mut Draft, check: &mut Check<'_>) {
    for (number, one) in draft.instances.iter().enumerate() {
        let later = draft.instances.iter().skip(number + 1);
        for other in later {
            let (a, b) = (&one.instance, &other.instance);
            if !conflict(a, b) {
                continue;
            }
            let family = if a.family == Family::V4 { 4 } else { 6 };
            let interface = a.interface.as_ref().map_or("", |name| name.text.as_str());
            let message = format!(
                "{} and {} both use VRID {} with IPv{family} on interface {interface}",
                a.name.text, b.name.text, a.virtual_router_id
            );
            check.fail(code::DUPLICATE_VIRTUAL_ROUTER, b.name.place, message);
        }
    }
}

/// Whether two instances would take each other's advertisements for their own.
fn conflict(a: &Instance, b: &Instance) -> bool {
    let same = a.virtual_router_id == b.virtual_router_id
        && a.family == b.family
        && a.interface.as_ref().map(|name| &name.text) == b.interface.as_ref().map(|name| &name.text);
    if !same {
        return false;
    }
    match (a.unicast_peers.is_empty(), b.unicast_peers.is_empty()) {
        (true, true) => a.multicast_group == b.multicast_group,
        (false, false) => a
            .unicast_peers
            .iter()
            .any(|peer| b.unicast_peers.iter().any(|other| other.address == peer.address)),
        _ => false,
    }
}
