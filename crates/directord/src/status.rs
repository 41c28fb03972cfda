//! Answers to who asks how things stand, on a Unix socket that only its owner may open: see [`notice::answer`].
//!
//! Requests are `{"version":1,"command":"status"}` and
//! `{"version":1,"command":"explain","client":"192.0.2.1:40000","service":"10.0.0.1:80"}`. Fields may be added; what a field
//! means changes only with the version.

mod explain;
mod render;

pub use render::{render_explain, render_status};

use crate::driver::World;
use director::plane::{Counters, DestinationStatistics, Forwarding, Rates, ServiceKey, Statistics};
use director::{CheckerId, RealServerId, VirtualServerId};
use ek_time::{Instant, WallTime};
pub use notice::answer::{VERSION, listen};
use reactor::Listener;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Weak;

/// Where the role's socket is when nothing else is said.
pub const SOCKET: &str = "/run/evenkeel/director.sock";

/// The request for all there is, with its line end.
pub fn status_request() -> String {
    "{\"version\":1,\"command\":\"status\"}\n".to_owned()
}

/// The request for what becomes of a client (an address, or `address:port`) of a service (`address:port`, or `fwmark N`).
pub fn explain_request(client: &str, service: &str) -> String {
    let mut line =
        json!({"version": VERSION, "command": "explain", "client": client, "service": service}).to_string();
    line.push('\n');
    line
}

/// Serves the socket as long as the role runs.
pub async fn serve(listener: Listener, world: Weak<RefCell<World>>) {
    let answer = move |command: &str, request: &Value| {
        let world = world.upgrade()?;
        let mut world = world.borrow_mut();
        Some(match command {
            "status" => Ok(status(&mut world)),
            "explain" => explain(&mut world, request),
            other => Err(notice::answer::unknown(other)),
        })
    };
    notice::answer::serve(listener, answer).await;
}

/// What becomes of a client of a service; see [`explain_request`].
///
/// # Errors
/// When the request cannot be understood, or the kernel's table not read.
pub fn explain(world: &mut World, request: &Value) -> Result<Value, String> {
    explain::answer(world, request)
}

/// How everything stands. Times are seconds since 1970.
pub fn status(world: &mut World) -> Value {
    let counted = world.keeper.plane().statistics();
    let info = world.keeper.plane().info().ok();
    let (statistics, unread) = match counted {
        Ok(statistics) => (statistics, None),
        Err(error) => (Statistics::new(), Some(error.to_string())),
    };
    let world = &*world;
    let counts = world.keeper.counts();
    let services: Vec<Value> = (0..world.plan.model.virtual_servers.len())
        .filter_map(|number| service(world, VirtualServerId::at(number), &statistics))
        .collect();
    let draining: Vec<Value> = world
        .director
        .draining()
        .map(|(server, service, until)| json!({"server": server, "service": service, "until": seconds(wall_of(world, until))}))
        .collect();
    json!({
        "version": VERSION,
        "pid": std::process::id(),
        "now": seconds(reactor::wall()),
        "started": seconds(world.started.1),
        "table": {
            "failing": world.keeper.failing().map(str::to_owned).or(unread),
            "changes": counts.changes,
            "failures": counts.failures,
            "repairs": counts.repairs,
            "ipvs": info.map(|info| {
                let (major, minor, patch) = info.version;
                json!({
                    "version": format!("{major}.{minor}.{patch}"),
                    "connection_table_size": info.connection_table_size,
                })
            }),
        },
        "services": services,
        "draining": draining,
    })
}

fn service(world: &World, id: VirtualServerId, statistics: &Statistics) -> Option<Value> {
    let status = world.director.virtual_server(id)?;
    let config = world.director.config().virtual_servers.get(id.index())?;
    let (mut counters, mut rates) = (Counters::default(), Rates::default());
    for counted in status.keys.iter().filter_map(|key| statistics.get(key)) {
        add_counters(&mut counters, &counted.counters);
        add_rates(&mut rates, &counted.rates);
    }
    let servers: Vec<Value> = world
        .director
        .real_servers(id)
        .zip(&config.real_servers)
        .filter_map(|(server, configured)| {
            let counted = sum(status.keys, statistics, |key| configured.destination(key, 0).key);
            real_server(world, server, configured.forwarding, &counted)
        })
        .collect();
    let sorry = status.sorry_server.zip(config.sorry_server).map(|((name, active), configured)| {
        let counted = sum(status.keys, statistics, |key| configured.destination(key, 0).key);
        let mut value =
            json!({"name": name, "standing_in": active, "forwarding": method(configured.forwarding)});
        put_counted(&mut value, &counted);
        value
    });
    Some(json!({
        "name": status.name,
        "in_kernel": status.keys.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "scheduler": config.scheduler.name(),
        "quorum": {
            "up": status.quorum_up,
            "weight": status.weight,
            "needed": config.quorum,
            "hysteresis": config.hysteresis,
        },
        "weight_scale": status.scale,
        "suspended": status.suspended,
        "since": seconds(wall_of(world, status.since)),
        "cause": status.cause.to_string(),
        "sorry_server": sorry,
        "counters": counter_fields(&counters),
        "rates": rate_fields(&rates),
        "servers": servers,
    }))
}

fn real_server(
    world: &World,
    id: RealServerId,
    forwarding: Forwarding,
    counted: &DestinationStatistics,
) -> Option<Value> {
    let status = world.director.real_server(id)?;
    let checkers: Vec<Value> =
        world.director.checkers(id).filter_map(|checker| checker_fields(world, checker)).collect();
    let mut value = json!({
        "name": status.name,
        "up": status.up,
        "weight": status.weight,
        "weight_in_kernel": status.table_weight,
        "forwarding": method(forwarding),
        "slow_start": status.slow_start,
        "failed_checkers": status.failed,
        "since": seconds(wall_of(world, status.since)),
        "cause": status.cause.to_string(),
        "checkers": checkers,
    });
    put_counted(&mut value, counted);
    Some(value)
}

fn checker_fields(world: &World, id: CheckerId) -> Option<Value> {
    let status = world.director.checker(id)?;
    Some(json!({
        "kind": status.kind,
        "up": status.up,
        "has_run": status.has_run,
        "enabled": status.enabled,
        "reason": status.reason,
        "since": seconds(wall_of(world, status.since)),
    }))
}

/// What is counted of a server in all kernel services of its virtual server.
fn sum(
    keys: &[ServiceKey],
    statistics: &Statistics,
    destination: impl Fn(&ServiceKey) -> director::plane::DestinationKey,
) -> DestinationStatistics {
    let mut sum = DestinationStatistics::default();
    for key in keys {
        let Some(service) = statistics.get(key) else { continue };
        let Some(one) = service.destinations.get(&destination(key)) else { continue };
        add_counters(&mut sum.counters, &one.counters);
        add_rates(&mut sum.rates, &one.rates);
        sum.active += one.active;
        sum.inactive += one.inactive;
        sum.persistent += one.persistent;
    }
    sum
}

fn add_counters(sum: &mut Counters, one: &Counters) {
    sum.connections += one.connections;
    sum.packets_in += one.packets_in;
    sum.packets_out += one.packets_out;
    sum.bytes_in += one.bytes_in;
    sum.bytes_out += one.bytes_out;
}

fn add_rates(sum: &mut Rates, one: &Rates) {
    sum.connections += one.connections;
    sum.packets_in += one.packets_in;
    sum.packets_out += one.packets_out;
    sum.bytes_in += one.bytes_in;
    sum.bytes_out += one.bytes_out;
}

fn put_counted(value: &mut Value, counted: &DestinationStatistics) {
    if let Value::Object(fields) = value {
        fields.insert("active".to_owned(), counted.active.into());
        fields.insert("inactive".to_owned(), counted.inactive.into());
        fields.insert("persistent".to_owned(), counted.persistent.into());
        fields.insert("counters".to_owned(), counter_fields(&counted.counters));
        fields.insert("rates".to_owned(), rate_fields(&counted.rates));
    }
}

fn counter_fields(one: &Counters) -> Value {
    json!({
        "connections": one.connections,
        "packets_in": one.packets_in,
        "packets_out": one.packets_out,
        "bytes_in": one.bytes_in,
        "bytes_out": one.bytes_out,
    })
}

fn rate_fields(one: &Rates) -> Value {
    json!({
        "connections": one.connections,
        "packets_in": one.packets_in,
        "packets_out": one.packets_out,
        "bytes_in": one.bytes_in,
        "bytes_out": one.bytes_out,
    })
}

/// A forwarding method in the words of the file.
fn method(forwarding: Forwarding) -> &'static str {
    match forwarding {
        Forwarding::Nat => "NAT",
        Forwarding::DirectRouting => "DR",
        Forwarding::Tunnel(_) => "TUN",
        Forwarding::Local => "local",
        Forwarding::Bypass => "bypass",
    }
}

/// An instant of the core as a date.
fn wall_of(world: &World, at: Instant) -> WallTime {
    let (start, wall) = world.started;
    let micros = |span: std::time::Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    let unix_micros = if at >= start {
        wall.unix_micros.saturating_add(micros(at.since(start)))
    } else {
        wall.unix_micros.saturating_sub(micros(start.since(at)))
    };
    WallTime { unix_micros, ..wall }
}

fn seconds(wall: WallTime) -> f64 {
    wall.unix_micros as f64 / 1e6
}
