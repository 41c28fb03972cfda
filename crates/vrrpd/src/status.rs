//! Answers to who asks how things stand, on a Unix socket that only its owner may open: see [`notice::answer`].
//!
//! A request is `{"version":1,"command":"status"}`; the answer is what [`status`] gives. Fields may be added; what a field
//! means changes only with the version.

use crate::driver::World;
use crate::dump::wall_of;
pub use notice::answer::{VERSION, listen};
use reactor::Listener;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Weak;
use vrrp::{Counters, GroupId, RouterId};

/// Serves the socket as long as the role runs.
pub async fn serve(listener: Listener, world: Weak<RefCell<World>>) {
    let answer = move |command: &str, _: &Value| {
        let world = world.upgrade()?;
        Some(match command {
            "status" => Ok(status(&world.borrow())),
            other => Err(notice::answer::unknown(other)),
        })
    };
    notice::answer::serve(listener, answer).await;
}

/// How all virtual routers and groups stand. Times are seconds since 1970, priorities and counters numbers.
pub fn status(world: &World) -> Value {
    let instances = (0_u32..).map(RouterId).zip(&world.plan.model.instances);
    let instances: Vec<Value> = instances.filter_map(|(router, _)| instance(world, router)).collect();
    let groups = (0_u32..).map(GroupId).zip(&world.plan.model.sync_groups);
    let groups: Vec<Value> = groups
        .filter_map(|(id, group)| {
            let status = world.router.group_status(id)?;
            Some(json!({
                "name": group.name.text,
                "state": status.state.word(),
                "since": seconds(wall_of(world, status.since)),
                "cause": status.cause.to_string(),
            }))
        })
        .collect();
    json!({
        "version": VERSION,
        "pid": std::process::id(),
        "started": seconds(world.started.1),
        "instances": instances,
        "groups": groups,
        "strays": strays(world),
        "scripts_not_run": world.not_run.get(),
    })
}

/// Packets that are in no virtual router's counters.
fn strays(world: &World) -> Value {
    let strays = world.router.strays();
    json!({"truncated": strays.truncated, "unknown_vrid": strays.unknown_vrid, "idle": strays.idle})
}

fn instance(world: &World, router: RouterId) -> Option<Value> {
    let model = world.plan.instance(router)?;
    let status = world.router.status(router)?;
    let planned = world.plan.routers.get(router.index());
    let interface = planned.and_then(|planned| planned.link).and_then(|link| world.interfaces.get(link));
    let master = status.master.map(|(address, priority)| json!({"address": address, "priority": priority}));
    let history = world.history.get(router.index()).map(Vec::as_slice).unwrap_or_default();
    let transitions: Vec<Value> = history
        .iter()
        .map(|transition| {
            json!({
                "time": seconds(transition.at),
                "from": transition.from.word(),
                "to": transition.to.word(),
                "cause": transition.cause.to_string(),
            })
        })
        .collect();
    let addresses: Vec<String> =
        model.addresses.iter().map(|a| format!("{}/{}", a.prefix.address, a.prefix.length)).collect();
    Some(json!({
        "name": model.name.text,
        "virtual_router_id": model.virtual_router_id,
        "interface": interface.map(|interface| interface.name.as_str()),
        "state": status.state.word(),
        "since": seconds(wall_of(world, status.since)),
        "cause": status.cause.to_string(),
        "priority": status.effective_priority,
        "base_priority": status.base_priority,
        "master": master,
        "addresses": addresses,
        "addresses_set": status.addresses_set,
        "transitions": transitions,
        "counters": world.router.counters(router).map(counters),
    }))
}

fn counters(c: &Counters) -> Value {
    json!({
        "adverts_received": c.adverts_received,
        "adverts_sent": c.adverts_sent,
        "became_master": c.became_master,
        "released_master": c.released_master,
        "priority_zero_received": c.priority_zero_received,
        "priority_zero_sent": c.priority_zero_sent,
        "length_errors": c.length_errors,
        "ttl_errors": c.ttl_errors,
        "type_errors": c.type_errors,
        "version_errors": c.version_errors,
        "checksum_errors": c.checksum_errors,
        "interval_errors": c.interval_errors,
        "address_list_errors": c.address_list_errors,
        "auth_type_errors": c.auth_type_errors,
        "auth_type_mismatches": c.auth_type_mismatches,
        "auth_failures": c.auth_failures,
        "sender_errors": c.sender_errors,
        "split_brains": c.split_brains,
        "addresses_restored": c.addresses_restored,
    })
}

fn seconds(wall: ek_time::WallTime) -> f64 {
    wall.unix_micros as f64 / 1e6
}
