//! What the role shows of itself in files, in keepalived's formats: `keepalived.data`, `keepalived.stats`,
//! `keepalived.json`.

mod data;
mod json;
mod stats;

use crate::driver::World;
use crate::interfaces::Interfaces;
use ek_time::{Instant, WallTime};
use keepalived_conf::model;
use notice::dump::{place, write};
use notice::log::Stamp;
use std::fmt::Write as _;
use std::io;
use vrrp::{Cause, LinkId, State};

/// A change of state, for dumps.
#[derive(Clone, Debug)]
pub struct Transition {
    /// When.
    pub at: WallTime,
    /// From.
    pub from: State,
    /// To.
    pub to: State,
    /// Why.
    pub cause: Cause,
}

/// Writes `keepalived.data`.
///
/// # Errors
/// Those of writing it.
pub fn write_data(world: &World) -> io::Result<()> {
    let global = &world.plan.model.global;
    let path = place(global, global.state_dump_file.as_deref(), "", "data");
    write(&path, data::render(world).as_bytes())
}

/// Writes `keepalived.stats`.
///
/// # Errors
/// Those of writing it.
pub fn write_stats(world: &World) -> io::Result<()> {
    let global = &world.plan.model.global;
    let path = place(global, global.stats_dump_file.as_deref(), "", "stats");
    write(&path, stats::render(world).as_bytes())
}

/// Writes `keepalived.json`.
///
/// # Errors
/// Those of writing it.
pub fn write_json(world: &World) -> io::Result<()> {
    let global = &world.plan.model.global;
    let path = place(global, global.json_dump_file.as_deref(), "", "json");
    write(&path, json::render(world).as_bytes())
}

/// Writes what `keepalived.data` would say to the log.
pub fn log_data(world: &World) {
    data::render(world).lines().for_each(|line| world.log.info(line));
}

/// An instant of the core as a date.
pub(crate) fn wall_of(world: &World, at: Instant) -> WallTime {
    let (start, wall) = world.started;
    let micros = |span: std::time::Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    let unix_micros = if at >= start {
        wall.unix_micros.saturating_add(micros(at.since(start)))
    } else {
        wall.unix_micros.saturating_sub(micros(start.since(at)))
    };
    WallTime { unix_micros, ..wall }
}

/// `1795201056.975572`
fn seconds(wall: WallTime) -> String {
    format!("{}.{:06}", wall.unix_seconds(), wall.unix_micros % 1_000_000)
}

/// `1795201056.975572 (Fri Nov 20 18:57:36.975572 2026)`
fn dated(wall: WallTime) -> String {
    let stamp = Stamp(wall).to_string();
    let (start, year) = stamp.rsplit_once(' ').unwrap_or((&stamp, ""));
    format!("{} ({start}.{:06} {year})", seconds(wall), wall.unix_micros % 1_000_000)
}

/// An address as keepalived's dumps show it.
pub(crate) fn shown_address(
    address: &model::Address,
    link: LinkId,
    interfaces: &Interfaces,
    set: bool,
) -> String {
    let mut text = address.prefix.address.to_string();
    let v6 = address.prefix.address.is_ipv6();
    if address.prefix.length != if v6 { 128 } else { 32 } {
        let _ = write!(text, "/{}", address.prefix.length);
    }
    if let Some(peer) = address.peer {
        let _ = write!(text, " peer {}/{}", peer.address, peer.length);
    }
    if let Some(model::Broadcast::Address(broadcast)) = address.broadcast {
        let _ = write!(text, " brd {broadcast}");
    }
    if let Some(interface) = interfaces.get(link) {
        let _ = write!(text, " dev {}", interface.name);
        if let Some(base) = interface.base.and_then(|base| interfaces.get(base)) {
            let _ = write!(text, "@{}", base.name);
        }
    }
    let scope = match address.scope.map_or(0, |scope| scope.0) {
        0 => "global".to_owned(),
        200 => "site".to_owned(),
        253 => "link".to_owned(),
        254 => "host".to_owned(),
        255 => "nowhere".to_owned(),
        other => other.to_string(),
    };
    let _ = write!(text, " scope {scope}");
    if let Some(label) = &address.label {
        let _ = write!(text, " label {label}");
    }
    if v6 {
        match address.preferred_lifetime {
            Some(model::PreferredLifetime::Seconds(0)) => text.push_str(" deprecated"),
            Some(model::PreferredLifetime::Seconds(span)) => {
                let _ = write!(text, " preferred_lft {span}");
            }
            None if address.prefix.length == 128 => text.push_str(" deprecated"),
            _ => text.push_str(" preferred_lft forever"),
        }
    }
    for (on, word) in [
        (address.flags.home, " home"),
        (address.flags.mngtmpaddr, " mngtmpaddr"),
        (address.flags.noprefixroute, " noprefixroute"),
        (address.flags.autojoin, " autojoin"),
        (address.no_track, " no_track"),
        (set, " set"),
    ] {
        if on {
            text.push_str(word);
        }
    }
    text
}

/// A route as keepalived's dumps show it, as far as is common.
pub(crate) fn shown_route(route: &model::Route) -> String {
    let mut text = if route.append { "append" } else { "prepend" }.to_owned();
    if route.kind != model::RouteType::Unicast {
        let _ = write!(text, " {}", route.kind.name());
    }
    if route.destination.length == 0 {
        text.push_str(" default");
    } else {
        let _ = write!(text, " {}/{}", route.destination.address, route.destination.length);
    }
    if let Some(source) = route.source {
        let _ = write!(text, " from {}/{}", source.address, source.length);
    }
    let hop = |text: &mut String, hop: &model::NextHop| {
        if let Some(via) = hop.gateway {
            let _ = write!(text, " via {} {via}", if via.is_ipv4() { "inet" } else { "inet6" });
        }
        if let Some(interface) = &hop.interface {
            let _ = write!(text, " dev {}", interface.text);
        }
    };
    hop(&mut text, &route.hop);
    if let Some(table) = route.table {
        let _ = write!(text, " table {table}");
    }
    if let Some(source) = route.preferred_source {
        let _ = write!(text, " src {source}");
    }
    let _ = write!(text, " proto {}", route.protocol.unwrap_or(18));
    if let Some(metric) = route.metric {
        let _ = write!(text, " metric {metric}");
    }
    for way in &route.hops {
        text.push_str(" nexthop");
        hop(&mut text, way);
        let _ = write!(text, " weight {}", way.weight);
    }
    if route.no_track {
        text.push_str(" no_track");
    }
    text
}

/// A rule as keepalived's dumps show it, as far as is common.
pub(crate) fn shown_rule(rule: &model::Rule) -> String {
    let mut text = String::new();
    if rule.invert {
        text.push_str("not ");
    }
    match rule.from {
        Some(from) => drop(write!(text, "from {}/{}", from.address, from.length)),
        None => text.push_str("from all"),
    }
    if let Some(to) = rule.to {
        let _ = write!(text, " to {}/{}", to.address, to.length);
    }
    if let Some(preference) = rule.preference {
        let _ = write!(text, " priority {preference}");
    }
    let _ = write!(text, " tos {:#x}", rule.tos);
    if let Some((mark, mask)) = rule.fwmark {
        let _ = write!(text, " fwmark {mark:#x}/{mask:#x}");
    }
    if let Some(interface) = &rule.input_interface {
        let _ = write!(text, " iif {}", interface.text);
    }
    if let Some(interface) = &rule.output_interface {
        let _ = write!(text, " oif {}", interface.text);
    }
    if let Some(length) = rule.suppress_prefix_length {
        let _ = write!(text, " suppress_prefixlen {length}");
    }
    match &rule.uid_range {
        Some(users) => drop(write!(text, " uidrange {}-{}", users.start(), users.end())),
        None => drop(write!(text, " protocol {}", rule.protocol.unwrap_or(18))),
    }
    match rule.action {
        model::RuleAction::Table(table) => drop(write!(text, " lookup {table}")),
        model::RuleAction::Goto(preference) => drop(write!(text, " goto {preference}")),
        model::RuleAction::Nop => text.push_str(" nop"),
        model::RuleAction::Blackhole => text.push_str(" blackhole"),
        model::RuleAction::Unreachable => text.push_str(" unreachable"),
        model::RuleAction::Prohibit => text.push_str(" prohibit"),
        model::RuleAction::L3mdev => text.push_str(" l3mdev"),
    }
    if rule.no_track {
        text.push_str(" no_track");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_keepaliveds() {
        let wall = WallTime { unix_micros: 1_795_201_056_975_572, local_offset: 0 };
        assert_eq!(dated(wall), "1795201056.975572 (Fri Nov 20 18:57:36.975572 2026)");
    }
}
