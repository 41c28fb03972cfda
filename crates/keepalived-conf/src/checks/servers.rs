//! Virtual servers: their defaults, and servers that do not fit them.

use super::Check;
use crate::code;
use crate::lower::{Draft, ServerDraft, show_service};
use crate::model::{
    Family, Forwarding, GroupEntry, Persistence, Protocol, RealServer, Service, VirtualServer,
    VirtualServerGroup,
};
use std::time::Duration;

pub(super) fn run(draft: &mut Draft, check: &mut Check<'_>) {
    let groups = std::mem::take(&mut draft.config.server_groups);
    draft.servers.retain_mut(|one| settle(one, &groups, check));
    draft.config.server_groups = groups;
}

/// Settles a virtual server; false when keepalived drops it.
fn settle(one: &mut ServerDraft, groups: &[VirtualServerGroup], check: &mut Check<'_>) -> bool {
    let place = Some(one.span);
    let name = |one: &ServerDraft| show_service(&one.server.service, one.protocol);
    sorry_family(one, check);
    if let Service::Group(group) = &one.server.service
        && !groups.iter().any(|known| known.name.text == group.text)
    {
        let message = format!(
            "Virtual server group {} specified but not configured - ignoring virtual server {}",
            group.text,
            name(one)
        );
        check.say(code::VIRTUAL_SERVER, group.place, message);
        return false;
    }
    if one.server.real_servers.is_empty() {
        let message = format!("Virtual server {} has no real servers - ignoring", name(one));
        check.say(code::VIRTUAL_SERVER, place, message);
        return false;
    }
    let mark = matches!(one.server.service, Service::Mark(_));
    if mark && one.server.ha_suspend {
        let message =
            format!("Virtual server {}: cannot use ha_suspend with fwmarks - clearing ha_suspend", name(one));
        check.say(code::VIRTUAL_SERVER, place, message);
        one.server.ha_suspend = false;
    }
    if mark {
        if one.protocol.take().is_some() {
            let message = format!(
                "Warning: Virtual server {}: protocol specified for fwmark - protocol will be ignored",
                name(one)
            );
            check.say(code::VIRTUAL_SERVER, place, message);
        }
    } else if one.protocol.is_none() {
        let message = format!("Virtual server {}: no protocol set - defaulting to UDP", name(one));
        check.say(code::VIRTUAL_SERVER_DEFAULT, place, message);
        one.protocol = Some(Protocol::Udp);
    }
    let shown = name(one);
    if one.server.flags.one_packet && one.protocol.is_some_and(|protocol| protocol != Protocol::Udp) {
        let message = format!("Virtual server {shown}: one packet scheduling requires UDP - resetting");
        check.say(code::VIRTUAL_SERVER, place, message);
        one.server.flags.one_packet = false;
    }
    if matches!(one.server.service, Service::Address { port: 0, .. }) && one.server.persistence.is_none() {
        let message =
            format!("Virtual server {shown}: zero port only valid for persistent services - setting");
        check.say(code::VIRTUAL_SERVER, place, message);
        let timeout = Duration::from_secs(360);
        one.server.persistence = Some(Persistence { timeout, ..Persistence::default() });
    }
    if one.scheduler.is_none() {
        let message = format!("Virtual server {shown}: no scheduler set, setting default 'wlc'");
        check.say(code::VIRTUAL_SERVER_DEFAULT, place, message);
    }
    if one.forwarding.is_none() {
        let message = format!("Virtual server {shown}: no forwarding method set, setting default NAT");
        check.say(code::VIRTUAL_SERVER_DEFAULT, place, message);
    }
    one.server.protocol = one.protocol;
    one.server.scheduler = one.scheduler.unwrap_or_default();
    one.server.forwarding = one.forwarding.unwrap_or_default();
    one.server.alpha = one.timing.alpha.unwrap_or(false);
    one.server.delay_loop = one.timing.delay_loop.unwrap_or(Duration::from_secs(60));
    one.server.family = family(one, groups);
    duplicates(&mut one.server, &shown, one.protocol, check);
    quorum(&mut one.server, &shown, check);
    ports(&mut one.server, &shown, one.protocol, check);
    true
}

fn sorry_family(one: &mut ServerDraft, check: &mut Check<'_>) {
    let Some(sorry) = &one.server.sorry_server else { return };
    let tunnelled = matches!(sorry.forwarding, Forwarding::Tunnel(_));
    if !tunnelled && one.family.is_some_and(|family| family != Family::of(sorry.address)) {
        let address = sorry.address;
        let message = format!(
            "Address family of virtual server and sorry server {address} don't match - skipping sorry server."
        );
        check.say(code::REAL_SERVER, sorry.place, message);
        one.server.sorry_server = None;
    }
}

/// Of its address, its group, or its servers when they agree; IPv4 when nothing says.
fn family(one: &ServerDraft, groups: &[VirtualServerGroup]) -> Family {
    let of_group = || {
        let Service::Group(name) = &one.server.service else { return None };
        let group = groups.iter().find(|group| group.name.text == name.text)?;
        group.entries.iter().find_map(|entry| match entry {
            GroupEntry::Addresses { first, .. } => Some(Family::of(*first)),
            GroupEntry::Mark { family, .. } => *family,
        })
    };
    let of_servers = || {
        let mut families = one.server.real_servers.iter().map(|server| Family::of(server.address));
        let first = families.next()?;
        families.all(|family| family == first).then_some(first)
    };
    one.family.or_else(of_group).or_else(of_servers).unwrap_or(Family::V4)
}

fn show_server(server: &RealServer, protocol: Option<Protocol>) -> String {
    show_service(&Service::Address { address: server.address, port: server.port }, protocol)
}

fn duplicates(server: &mut VirtualServer, shown: &str, protocol: Option<Protocol>, check: &mut Check<'_>) {
    let mut seen = Vec::new();
    server.real_servers.retain(|real| {
        let key = (real.address, real.port);
        let fresh = !seen.contains(&key);
        if fresh {
            seen.push(key);
        } else {
            let real_shown = show_server(real, protocol);
            let message = format!("VS {shown}: real server {real_shown} is duplicated - removing second rs");
            check.say(code::REAL_SERVER, real.place, message);
        }
        fresh
    });
    let Some(sorry) = &mut server.sorry_server else { return };
    let same =
        server.real_servers.iter().find(|real| (real.address, real.port) == (sorry.address, sorry.port));
    if let Some(real) = same
        && real.inhibit_on_failure != sorry.inhibit
    {
        let what = if real.inhibit_on_failure { "setting" } else { "clearing" };
        let real_shown = show_server(real, protocol);
        let message = format!(
            "Virtual server {shown}: real server {real_shown} matches sorry server, but inhibit setting differs, {what} on sorry server"
        );
        check.say(code::REAL_SERVER, sorry.place, message);
        sorry.inhibit = real.inhibit_on_failure;
    }
}

fn quorum(server: &mut VirtualServer, shown: &str, check: &mut Check<'_>) {
    let total: u32 = server.real_servers.iter().map(|real| u32::from(real.weight)).sum();
    if server.quorum > total {
        let quorum = server.quorum;
        let message = format!(
            "Warning - quorum {quorum} for {shown} exceeds total weight of real servers {total}, reducing quorum to {total}"
        );
        check.say(code::VIRTUAL_SERVER, server.place, message);
        server.quorum = total.max(1);
    }
    if server.hysteresis >= server.quorum {
        let (hysteresis, quorum) = (server.hysteresis, server.quorum);
        let set = quorum.saturating_sub(1);
        let message = format!(
            "Virtual server {shown}: hysteresis {hysteresis} >= quorum {quorum}; setting hysteresis to {set}"
        );
        check.say(code::VIRTUAL_SERVER, server.place, message);
        server.hysteresis = set;
    }
}

/// Only NAT can change ports, and marks have none of their own.
fn ports(server: &mut VirtualServer, shown: &str, protocol: Option<Protocol>, check: &mut Check<'_>) {
    let port = match server.service {
        Service::Address { port, .. } => Some(port),
        Service::Mark(_) => None,
        Service::Group(_) => return,
    };
    for real in &mut server.real_servers {
        if real.forwarding == Forwarding::Nat || real.port == port.unwrap_or(0) {
            continue;
        }
        let real_shown = show_server(real, protocol);
        let message = match port {
            None => {
                format!(
                    "WARNING - fwmark virtual server {shown}, real server {real_shown} has port specified - clearing"
                )
            }
            Some(_) => {
                format!(
                    "WARNING - virtual server {shown} and real server {real_shown} ports don't match - resetting"
                )
            }
        };
        check.say(code::REAL_SERVER, real.place, message);
        real.port = port.unwrap_or(0);
    }
    let Some(sorry) = &mut server.sorry_server else { return };
    if sorry.forwarding == Forwarding::Nat || sorry.port == port.unwrap_or(0) {
        return;
    }
    let message = match port {
        None => format!("WARNING - virtual server {shown}, sorry server has port specified - clearing"),
        Some(_) => format!("WARNING - virtual server {shown} and sorry server ports don't match - resetting"),
    };
    check.say(code::REAL_SERVER, sorry.place, message);
    sorry.port = port.unwrap_or(0);
}
