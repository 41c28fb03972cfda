//! Answers to who asks how things stand, on a Unix socket that only its owner may open.
//!
//! Both sides write lines of JSON. A request is `{"version":1,"command":"status"}`; the answer has the same version and
//! what [`status`] gives, or an `error`. Fields may be added; what a field means changes only with the version.

use crate::driver::World;
use crate::dump::wall_of;
use reactor::{ListenOptions, Listener, SockAddr, Stream};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::rc::Weak;
use std::time::Duration;
use vrrp::{Counters, GroupId, RouterId};

/// The version of requests and answers.
pub const VERSION: u64 = 1;

/// The longest request, bytes.
const LONGEST: usize = 4_096;
/// How long a client may take for a request or to read an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes the socket, in the place of an earlier one; its directory too, when that is the program's own.
///
/// # Errors
/// Those of the file system.
pub fn listen(path: &Path) -> io::Result<Listener> {
    if let Some(directory) = path.parent()
        && directory == Path::new("/run/evenkeel")
    {
        DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
    }
    Listener::bind(
        &SockAddr::Path(path.to_owned()),
        &ListenOptions { mode: Some(0o600), ..ListenOptions::default() },
    )
}

/// Serves the socket as long as the role runs.
pub async fn serve(listener: Listener, world: Weak<RefCell<World>>) {
    loop {
        // An error has been waited out by the listener itself.
        let Ok((stream, _)) = listener.accept().await else { continue };
        if world.strong_count() == 0 {
            return;
        }
        let world = world.clone();
        reactor::spawn(async move {
            // A client that goes away or is too slow is its own loss.
            let _ = converse(&stream, &world).await;
        });
    }
}

async fn converse(stream: &Stream, world: &Weak<RefCell<World>>) -> io::Result<()> {
    let mut waiting = Vec::new();
    loop {
        let until = reactor::now() + PATIENCE;
        let request = reactor::timeout_at(until, read_line(stream, &mut waiting)).await;
        let Some(request) = request.map_err(|_| io::ErrorKind::TimedOut)?? else { return Ok(()) };
        let Some(world) = world.upgrade() else { return Ok(()) };
        let mut answer = answer(&request, &world.borrow()).to_string();
        drop(world);
        answer.push('\n');
        let until = reactor::now() + PATIENCE;
        reactor::timeout_at(until, write_all(stream, answer.as_bytes()))
            .await
            .map_err(|_| io::ErrorKind::TimedOut)??;
    }
}

async fn read_line(stream: &Stream, waiting: &mut Vec<u8>) -> io::Result<Option<Vec<u8>>> {
    loop {
        if let Some(end) = waiting.iter().position(|byte| *byte == b'\n') {
            return Ok(Some(waiting.drain(..=end).collect()));
        }
        if waiting.len() > LONGEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut piece = [0; 512];
        match stream.try_read(&mut piece) {
            Ok(0) => return Ok(None),
            Ok(count) => waiting.extend_from_slice(piece.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.readable().await,
            Err(error) => return Err(error),
        }
    }
}

async fn write_all(stream: &Stream, mut rest: &[u8]) -> io::Result<()> {
    while !rest.is_empty() {
        match stream.try_write(rest) {
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.writable().await,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn answer(request: &[u8], world: &World) -> Value {
    match understood(request) {
        Ok(()) => status(world),
        Err(why) => json!({"version": VERSION, "error": why}),
    }
}

/// Whether a request is one that is served.
fn understood(request: &[u8]) -> Result<(), String> {
    let request: Value = serde_json::from_slice(request).map_err(|error| format!("not JSON: {error}"))?;
    match request.get("version").and_then(Value::as_u64) {
        Some(VERSION) => {}
        _ => return Err(format!("the version served is {VERSION}")),
    }
    match request.get("command").and_then(Value::as_str) {
        Some("status") => Ok(()),
        Some(other) => Err(format!("the command '{other}' is not known")),
        None => Err("the command is missing".to_owned()),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_another_kind_are_told_what_is_served() {
        assert_eq!(understood(br#"{"version":1,"command":"status","more":2}"#), Ok(()));
        let why = |request: &str| understood(request.as_bytes()).unwrap_err();
        assert_eq!(why(r#"{"version":2,"command":"status"}"#), "the version served is 1");
        assert_eq!(why(r#"{"command":"status"}"#), "the version served is 1");
        assert_eq!(why(r#"{"version":1,"command":"dance"}"#), "the command 'dance' is not known");
        assert_eq!(why(r#"{"version":1}"#), "the command is missing");
        assert!(why("status").starts_with("not JSON"));
    }
}
