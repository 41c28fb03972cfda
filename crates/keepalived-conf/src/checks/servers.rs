//! Virtual servers: their defaults, and servers that do not fit them.

use super::Check;
use crate::code;
use crate::lower::{Draft, ServerDraft, show_service};
use crate::model::{
    CheckerKind, Family, Forwarding, GroupEntry, Persistence, Protocol, RealServer, Scheduler, Service,
    VirtualServer, VirtualServerGroup,
};
use std::collections::HashMap;
use std::time::Duration;

pub(super) fn run(draft: &mut Draft, check: &mut Check<'_>) {
    let groups = std::mem::take(&mut draft.config.server_groups);
    let mut members: HashMap<String, u16> = HashMap::new();
    draft.servers.retain_mut(|one| settle(one, &groups, &mut members, check));
    draft.config.server_groups = groups;
}

/// Settles a virtual server; false when keepalived drops it.
fn settle(
    one: &mut ServerDraft,
    groups: &[VirtualServerGroup],
    members: &mut HashMap<String, u16>,
    check: &mut Check<'_>,
) -> bool {
    let place = Some(one.span);
    let name = |one: &ServerDraft| show_service(&one.server.service, one.protocol);
    sorry_family(one, check);
    if let Service::Group { name: group, .. } = &one.server.service
        && !groups.iter().any(|known| known.name.text == group.text)
    {
        let message = format!(
            "Virtual server group {} specified but not configured - ignoring virtual server {}",
            group.text,
            name(one)
        );
        check.mention(code::VIRTUAL_SERVER, group.place, message);
        return false;
    }
    if !group_family(one, groups, check) {
        return false;
    }
    if let Service::Group { name, member } = &mut one.server.service {
        let next = members.entry(name.text.clone()).or_default();
        *member = *next;
        *next = next.saturating_add(1);
    }
    if one.server.real_servers.is_empty() {
        let message = format!("Virtual server {} has no real servers - ignoring", name(one));
        check.say(code::VIRTUAL_SERVER, place, message);
        return false;
    }
    let group = match &one.server.service {
        Service::Group { name, .. } => groups.iter().find(|group| group.name.text == name.text),
        _ => None,
    };
    let named = Named::of(&one.server.service, group);
    if named.marks && one.server.ha_suspend {
        let message =
            format!("Virtual server {}: cannot use ha_suspend with fwmarks - clearing ha_suspend", name(one));
        check.say(code::VIRTUAL_SERVER, place, message);
        one.server.ha_suspend = false;
    }
    if named.addresses {
        addressed(one, &named, &name(one), check);
    } else if one.protocol.take().is_some() {
        let message = format!(
            "Warning: Virtual server {}: protocol specified for fwmark - protocol will be ignored",
            name(one)
        );
        check.say(code::VIRTUAL_SERVER, place, message);
    }
    let shown = name(one);
    if one.scheduler.is_none() {
        let message = format!("Virtual server {shown}: no scheduler set, setting default 'wlc'");
        check.say(code::VIRTUAL_SERVER_DEFAULT, place, message);
    }
    let sorry_inherits = one.server.sorry_server.is_some() && !one.sorry_forwarding;
    if one.forwarding.is_none() && (one.inherits_forwarding || sorry_inherits) {
        let message = format!("Virtual server {shown}: no forwarding method set, setting default NAT");
        check.say(code::VIRTUAL_SERVER_DEFAULT, place, message);
    }
    if let Some(sorry) = one.server.sorry_server.as_mut().filter(|_| sorry_inherits) {
        sorry.forwarding = one.forwarding.unwrap_or_default();
    }
    one.server.protocol = one.protocol;
    one.server.scheduler = one.scheduler.unwrap_or_default();
    one.server.forwarding = one.forwarding.unwrap_or_default();
    one.server.timing = one.timing;
    one.server.inhibit_on_failure = one.inhibit;
    one.server.family = family(one, groups);
    duplicates(&mut one.server, &shown, one.protocol, check);
    quorum(&mut one.server, &shown, check);
    match group {
        Some(group) => group_ports(&one.server, group, &shown, one.protocol, check),
        None => ports(&mut one.server, &shown, one.protocol, check),
    }
    for real in &mut one.server.real_servers {
        // keepalived would connect to port 0.
        let connections = real.checkers.iter_mut().filter_map(|checker| checker.connection.as_mut());
        connections.filter(|one| one.port == 0).for_each(|one| one.port = real.port);
    }
    slow_start(&one.server, &shown, check);
    true
}

/// What a virtual server is named by.
struct Named {
    addresses: bool,
    marks: bool,
    /// Some address has no port.
    all_ports: bool,
    /// The ports, where they say something.
    ports: Vec<u16>,
}

impl Named {
    fn of(service: &Service, group: Option<&VirtualServerGroup>) -> Self {
        let mut named = Self { addresses: false, marks: false, all_ports: false, ports: Vec::new() };
        let mut address = |port: u16| {
            named.addresses = true;
            named.all_ports |= port == 0;
            named.ports.push(port);
        };
        match service {
            Service::Address { port, .. } => address(*port),
            Service::Mark(_) => named.marks = true,
            Service::Group { .. } => {
                for entry in group.map(|group| group.entries.as_slice()).unwrap_or_default() {
                    match entry {
                        GroupEntry::Addresses { port, .. } => address(*port),
                        GroupEntry::Mark { .. } => named.marks = true,
                    }
                }
            }
        }
        named
    }
}

/// Ports of services that speak TCP and not UDP.
const TCP_PORTS: [u16; 19] =
    [20, 21, 22, 23, 25, 80, 110, 143, 389, 443, 465, 587, 636, 993, 995, 3306, 5432, 8080, 8443];

/// Protocol, one-packet scheduling and ports of a virtual server with addresses.
fn addressed(one: &mut ServerDraft, named: &Named, before: &str, check: &mut Check<'_>) {
    let place = Some(one.span);
    if one.protocol.is_none() {
        let message = format!("Virtual server {before}: no protocol set - defaulting to UDP");
        let port = named.ports.iter().find(|port| TCP_PORTS.contains(port));
        let checkers = one.server.real_servers.iter().flat_map(|server| &server.checkers);
        let speaks_tcp = checkers.map(|checker| &checker.kind).find_map(|kind| match kind {
            CheckerKind::Tcp => Some("TCP_CHECK"),
            CheckerKind::Http(http) if http.tls => Some("SSL_GET"),
            CheckerKind::Http(_) => Some("HTTP_GET"),
            CheckerKind::Smtp { .. } => Some("SMTP_CHECK"),
            _ => None,
        });
        let why = match (port, speaks_tcp) {
            (Some(port), Some(checker)) => Some(format!("port {port} and {checker}")),
            (Some(port), None) => Some(format!("port {port}")),
            (None, Some(checker)) => Some(checker.to_owned()),
            (None, None) => None,
        };
        let notes = why.map(|why| {
            format!("no TCP connection will be taken; {why} suggest that `protocol TCP` was meant")
        });
        check.explain(code::VIRTUAL_SERVER_DEFAULT, place, message, notes);
        one.protocol = Some(Protocol::Udp);
    }
    let shown = show_service(&one.server.service, one.protocol);
    if one.server.flags.one_packet && one.protocol.is_some_and(|protocol| protocol != Protocol::Udp) {
        let message = format!("Virtual server {shown}: one packet scheduling requires UDP - resetting");
        check.say(code::VIRTUAL_SERVER, place, message);
        one.server.flags.one_packet = false;
    }
    if named.all_ports && one.server.persistence.is_none() {
        let message =
            format!("Virtual server {shown}: zero port only valid for persistent services - setting");
        check.say(code::VIRTUAL_SERVER, place, message);
        let timeout = Duration::from_secs(360);
        one.server.persistence = Some(Persistence { timeout, ..Persistence::default() });
    }
}

/// Schedulers with which a smaller weight does not mean fewer connections.
fn slow_start(server: &VirtualServer, shown: &str, check: &mut Check<'_>) {
    let why = match server.scheduler {
        Scheduler::RoundRobin | Scheduler::LeastConnection | Scheduler::DestinationHash => {
            "it lets a weight grow, and this scheduler knows none; wrr and wlc do"
        }
        Scheduler::SourceHash | Scheduler::MaglevHash => {
            "it lets a weight grow, and with this scheduler each step would move clients to other servers"
        }
        Scheduler::Failover | Scheduler::Overflow => {
            "it lets a weight grow, and to this scheduler a weight is rank or room, not a share"
        }
        _ => return,
    };
    if let Some(real) = server.real_servers.iter().find(|real| !real.slow_start.is_zero()) {
        let name = server.scheduler.name();
        let message = format!("Virtual server {shown}: slow_start changes nothing with {name}");
        check.explain(code::SLOW_START, real.place, message, [why.to_owned()]);
    }
}

/// Whether a group's addresses are of the virtual server's family; says so when not.
fn group_family(one: &ServerDraft, groups: &[VirtualServerGroup], check: &mut Check<'_>) -> bool {
    let Service::Group { name, .. } = &one.server.service else { return true };
    let Some(group) = groups.iter().find(|group| group.name.text == name.text) else { return true };
    let has = |wanted| {
        group.entries.iter().any(|entry| match entry {
            GroupEntry::Addresses { first, .. } => Family::of(*first) == wanted,
            GroupEntry::Mark { family, .. } => *family == Some(wanted),
        })
    };
    let both = has(Family::V4) && has(Family::V6);
    let what = match one.family {
        Some(_) if both => "virtual server group with IPv4 & IPv6",
        Some(Family::V4) if has(Family::V6) => "address family",
        Some(Family::V6) if has(Family::V4) => "address family",
        _ => return true,
    };
    let shown = show_service(&one.server.service, one.protocol);
    let message = format!("{}: {what} doesn't match virtual server {shown} - ignoring", name.text);
    check.mention(code::VIRTUAL_SERVER, Some(one.span), message);
    false
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
        let Service::Group { name, .. } = &one.server.service else { return None };
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

/// Only NAT can change ports, and marks have none of their own. A server without one has that of its virtual server.
fn ports(server: &mut VirtualServer, shown: &str, protocol: Option<Protocol>, check: &mut Check<'_>) {
    let port = match server.service {
        Service::Address { port, .. } => Some(port),
        _ => None,
    };
    for real in &mut server.real_servers {
        if real.port == 0 {
            real.port = port.unwrap_or(0);
        }
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
    if sorry.forwarding == Forwarding::Nat {
        return;
    }
    if sorry.port == 0 {
        sorry.port = port.unwrap_or(0);
    }
    if sorry.port == port.unwrap_or(0) {
        return;
    }
    let message = match port {
        None => format!("WARNING - virtual server {shown}, sorry server has port specified - clearing"),
        Some(_) => format!("WARNING - virtual server {shown} and sorry server ports don't match - resetting"),
    };
    check.say(code::REAL_SERVER, sorry.place, message);
    sorry.port = port.unwrap_or(0);
}

/// The same in a group, where nothing can be corrected: each entry has a port of its own.
fn group_ports(
    server: &VirtualServer,
    group: &VirtualServerGroup,
    shown: &str,
    protocol: Option<Protocol>,
    check: &mut Check<'_>,
) {
    let others =
        || server.real_servers.iter().filter(|real| real.forwarding != Forwarding::Nat && real.port != 0);
    let sorry =
        server.sorry_server.as_ref().filter(|sorry| sorry.forwarding != Forwarding::Nat && sorry.port != 0);
    if group.entries.iter().any(|entry| matches!(entry, GroupEntry::Mark { .. })) {
        for real in others() {
            let message = format!(
                "WARNING - fwmark virtual server {shown}, real server {} has port specified - port will be ignored",
                show_server(real, protocol)
            );
            check.say(code::REAL_SERVER, real.place, message);
        }
        if let Some(sorry) = sorry {
            let message = format!(
                "WARNING - fwmark virtual server {shown}, sorry server has port specified - port will be ignored"
            );
            check.say(code::REAL_SERVER, sorry.place, message);
        }
    }
    for entry in &group.entries {
        let GroupEntry::Addresses { first, last, port, .. } = entry else { continue };
        let entry_shown =
            if first == last { format!("{first},{port}") } else { format!("{first}-{last},{port}") };
        for real in others().filter(|real| real.port != *port) {
            let message = format!(
                "virtual server {shown}:[{entry_shown}] and real server {} ports don't match",
                show_server(real, protocol)
            );
            check.say(code::REAL_SERVER, real.place, message);
        }
        if let Some(sorry) = sorry.filter(|sorry| sorry.port != *port) {
            let message = format!(
                "WARNING - virtual server {shown}, sorry server has port specified - port will be ignored"
            );
            check.say(code::REAL_SERVER, sorry.place, message);
        }
    }
}
