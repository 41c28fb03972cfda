//! `keepalived_check.data`: the configuration and how its servers stand.

use super::checker;
use crate::driver::World;
use crate::lower::{server_name, service_name};
use director::{Hook, RealServerId, VirtualServerId};
use keepalived_conf::model;
use std::fmt::Write as _;
use std::time::Duration;

/// Writes a line; to a string that does not fail.
macro_rules! line {
    ($out:expr, $($text:tt)*) => {
        let _ = writeln!($out, $($text)*);
    };
}
pub(super) use line;

pub(super) fn render(world: &World) -> String {
    let model = &world.plan.model;
    let mut out = notice::dump::global_definitions(&model.global);
    let mut checkers = world.plan.checkers.iter().map(|plan| &plan.checker.kind);
    if model.ssl.is_some() || checkers.any(|kind| matches!(kind, model::CheckerKind::Http(http) if http.tls))
    {
        put_ssl(&mut out, model.ssl.as_ref());
    }
    if !model.virtual_servers.is_empty() {
        line!(out, "------< LVS Topology >------");
        line!(out, " System is compiled with LVS v1.2.1");
        for group in &model.server_groups {
            put_group(&mut out, world, group);
        }
        for number in 0..model.virtual_servers.len() {
            put_virtual_server(&mut out, world, VirtualServerId::at(number));
        }
    }
    if !world.plan.checkers.is_empty() {
        line!(out, "------< Health checkers >------");
        for plan in &world.plan.checkers {
            checker::put(&mut out, world, plan);
        }
    }
    out
}

fn put_ssl(out: &mut String, ssl: Option<&model::Ssl>) {
    line!(out, "------< SSL definitions >------");
    let Some(ssl) = ssl.filter(|ssl| **ssl != model::Ssl::default()) else {
        line!(out, " Using autogen SSL context");
        return;
    };
    if ssl.password.is_some() {
        // Not the password itself, unlike keepalived.
        line!(out, " Password : (set)");
    }
    for (what, path) in [("CA-file", &ssl.ca), ("Certificate file", &ssl.certificate), ("Key file", &ssl.key)]
    {
        if let Some(path) = path {
            line!(out, " {what} : {}", path.display());
        }
    }
}

fn put_group(out: &mut String, world: &World, group: &model::VirtualServerGroup) {
    let has = |wanted| {
        let yes = group.entries.iter().any(|entry| match entry {
            model::GroupEntry::Addresses { first, .. } => model::Family::of(*first) == wanted,
            model::GroupEntry::Mark { family, .. } => *family == Some(wanted),
        });
        if yes { "yes" } else { "no" }
    };
    line!(out, " ------< Virtual server group >------");
    line!(
        out,
        " Virtual Server Group = {}, IPv4 = {}, IPv6 = {}",
        group.name.text,
        has(model::Family::V4),
        has(model::Family::V6)
    );
    let of_group = |server: &&model::VirtualServer| matches!(&server.service, model::Service::Group { name, .. } if name.text == group.name.text);
    let count = |wanted: Option<model::Protocol>, family: Option<model::Family>| {
        let servers = world.plan.model.virtual_servers.iter().filter(of_group);
        servers
            .filter(|server| wanted.is_none() || server.protocol == wanted)
            .filter(|server| family.is_none_or(|family| server.family == family))
            .count()
    };
    // keepalived keeps marks in a list of their own.
    let marks = |entry: &&model::GroupEntry| matches!(entry, model::GroupEntry::Mark { .. });
    for entry in group.entries.iter().filter(|entry| !marks(entry)).chain(group.entries.iter().filter(marks))
    {
        match entry {
            model::GroupEntry::Addresses { first, last, port, .. } => {
                if first == last {
                    line!(out, "   VIP = {first}, VPORT = {port}");
                } else {
                    line!(out, "   VIP Range = {first}-{last}, VPORT = {port}");
                }
                let of = |protocol| count(Some(protocol), None);
                let (tcp, udp, sctp) =
                    (of(model::Protocol::Tcp), of(model::Protocol::Udp), of(model::Protocol::Sctp));
                line!(out, "     Alive: {tcp} tcp, {udp} udp, {sctp} sctp");
            }
            model::GroupEntry::Mark { mark, .. } => {
                line!(out, "   FWMARK = {mark}");
                let of = |family| count(None, Some(family));
                line!(out, "     Alive: {} IPv4, {} IPv6", of(model::Family::V4), of(model::Family::V6));
            }
        }
        line!(out, "     reloaded = False");
    }
}

/// `5.000000`
pub(super) fn seconds(span: Duration) -> String {
    format!("{}.{:06}", span.as_secs(), span.subsec_micros())
}

pub(super) fn on(value: bool) -> &'static str {
    if value { "ON" } else { "OFF" }
}

pub(super) fn yes(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

fn abled(value: bool) -> &'static str {
    if value { "enabled" } else { "disabled" }
}

fn put_timing(out: &mut String, timing: &model::Timing) {
    if let Some(retry) = timing.retry {
        line!(out, "   Retry count = {retry}");
    }
    if let Some(delay) = timing.delay_before_retry {
        line!(out, "   Retry delay = {}", seconds(delay));
    }
    if let Some(warmup) = timing.warmup {
        line!(out, "   Warmup = {}", seconds(warmup));
    }
}

fn put_forwarding(out: &mut String, prefix: &str, forwarding: model::Forwarding) {
    let checksum = |checksum| match checksum {
        model::TunnelChecksum::None => "no checksum",
        model::TunnelChecksum::Checksum => "checksum",
        model::TunnelChecksum::Remote => "remote checksum",
    };
    // keepalived leaves the prefix out where the tunnel has options.
    let _ = match forwarding {
        model::Forwarding::Nat => writeln!(out, "   {prefix}forwarding method = NAT"),
        model::Forwarding::DirectRouting => writeln!(out, "   {prefix}forwarding method = DR"),
        model::Forwarding::Tunnel(model::Tunnel::IpIp) => {
            writeln!(out, "   {prefix}forwarding method = TUN, type = IPIP")
        }
        model::Forwarding::Tunnel(model::Tunnel::Gue { port, checksum: sum }) => {
            writeln!(out, "   forwarding method = TUN, type = GUE, port = {port}, {}", checksum(sum))
        }
        model::Forwarding::Tunnel(model::Tunnel::Gre { checksum: sum }) => {
            writeln!(out, "   forwarding method = TUN, type = GRE, {}", checksum(sum))
        }
    };
}

fn put_script(out: &mut String, world: &World, indent: &str, what: &str, hook: Hook) {
    if let Some((command, uid, gid)) = world.notifier.shown(hook) {
        line!(out, "{indent}{what} notify script = {command}, uid:gid {uid}:{gid}");
    }
}

fn put_virtual_server(out: &mut String, world: &World, id: VirtualServerId) {
    let Some(server) = world.plan.virtual_server(id) else { return };
    line!(out, " ------< Virtual server >------");
    match &server.service {
        model::Service::Address { address, port } => {
            line!(out, " VS VIP = {address}, VPORT = {port}");
        }
        model::Service::Mark(mark) => {
            line!(out, " VS FWMARK = {mark}");
        }
        model::Service::Group { .. } => {
            line!(out, " VS GROUP = {}", service_name(server));
        }
    }
    if let Some(host) = &server.virtual_host {
        line!(out, "   VirtualHost = {host}");
    }
    let family = if server.family == model::Family::V4 { "inet" } else { "inet6" };
    line!(out, "   Address family = {family}");
    let timeout = server.timing.connect_timeout.unwrap_or(Duration::from_secs(5));
    line!(out, "   connection timeout = {}", seconds(timeout));
    let delay = server.timing.delay_loop.unwrap_or(Duration::from_secs(60));
    line!(out, "   delay_loop = {}", seconds(delay));
    put_scheduling(out, server);
    let protocol = match server.protocol {
        Some(model::Protocol::Tcp) => "TCP",
        Some(model::Protocol::Udp) => "UDP",
        Some(model::Protocol::Sctp) => "SCTP",
        None => "none",
    };
    line!(out, "   protocol = {protocol}");
    line!(out, "   alpha is {}", on(server.timing.alpha.unwrap_or(false)));
    line!(out, "   omega is {}", on(server.omega));
    put_timing(out, &server.timing);
    line!(out, "   Inhibit on failure is {}", on(server.inhibit_on_failure));
    line!(out, "   quorum = {}, hysteresis = {}", server.quorum, server.hysteresis);
    put_script(out, world, "   ", "Quorum up", Hook::QuorumUp(id));
    put_script(out, world, "   ", "Quorum down", Hook::QuorumDown(id));
    if server.ha_suspend {
        line!(out, "   Using HA suspend");
    }
    let mail = &world.plan.model.global.mail;
    let alert = server.smtp_alert.or(mail.alert_checker).or(mail.alert).unwrap_or(false);
    line!(out, "   Using smtp notification = {}", yes(alert));
    put_forwarding(out, "default ", server.forwarding);
    if let Some(sorry) = &server.sorry_server {
        let twice =
            server.real_servers.iter().any(|real| (real.address, real.port) == (sorry.address, sorry.port));
        let twice = if twice { "(duplicates rs) " } else { "" };
        line!(out, "   sorry server {twice}= {}", server_name(sorry.address, sorry.port, server.protocol));
        put_forwarding(out, "  ", sorry.forwarding);
        line!(out, "     Inhibit on failure is {}", on(sorry.inhibit));
    }
    let status = world.director.virtual_server(id);
    line!(out, "   alive = 1");
    line!(out, "   quorum_state_up = {}", u8::from(status.is_some_and(|status| status.quorum_up)));
    line!(out, "   reloaded = 0");
    for real in world.director.real_servers(id) {
        put_real_server(out, world, real);
    }
}

fn put_scheduling(out: &mut String, server: &model::VirtualServer) {
    let flags = server.flags;
    line!(out, "   lvs_sched = {}", server.scheduler.name());
    line!(out, "   Hashed = {}", abled(flags.hashed));
    let name = server.scheduler.name();
    if matches!(server.scheduler, model::Scheduler::SourceHash | model::Scheduler::MaglevHash) {
        line!(out, "   {name}-port = {}", abled(flags.flag_2));
        line!(out, "   {name}-fallback = {}", abled(flags.flag_1));
    } else {
        for (number, flag) in (1..).zip([flags.flag_1, flags.flag_2, flags.flag_3]) {
            line!(out, "   flag-{number} = {}", abled(flag));
        }
    }
    let idle = flags.one_packet && server.protocol != Some(model::Protocol::Udp);
    let idle = if idle { " (inactive due to not UDP)" } else { "" };
    line!(out, "   One packet scheduling = {}{idle}", abled(flags.one_packet));
    let Some(persistence) = &server.persistence else { return };
    line!(out, "   persistence timeout = {}", persistence.timeout.as_secs());
    match (server.family, persistence.netmask, persistence.prefix_length) {
        (model::Family::V4, Some(mask), _) => {
            line!(out, "   persistence granularity = {mask}");
        }
        (model::Family::V6, _, Some(length)) => {
            line!(out, "   persistence granularity = {length}");
        }
        _ => {}
    }
}

fn put_real_server(out: &mut String, world: &World, id: RealServerId) {
    let (Some((_, server)), Some(status)) = (world.plan.real_server(id), world.director.real_server(id))
    else {
        return;
    };
    line!(out, "   ------< Real server >------");
    line!(
        out,
        "   RIP = {}, RPORT = {}, WEIGHT = {} EFF WEIGHT = {}",
        server.address,
        server.port,
        status.weight,
        status.weight
    );
    put_forwarding(out, "", server.forwarding);
    line!(out, "   Alpha is {}", on(server.timing.alpha.unwrap_or(false)));
    let timeout = server.timing.connect_timeout.unwrap_or(Duration::from_secs(5));
    line!(out, "   connection timeout = {}", seconds(timeout));
    line!(out, "   connection limit range = {} -> {}", server.lower_threshold, server.upper_threshold);
    let delay = server.timing.delay_loop.unwrap_or(Duration::from_secs(60));
    line!(out, "   Delay loop = {}", seconds(delay));
    put_timing(out, &server.timing);
    line!(out, "   Inhibit on failure is {}", on(server.inhibit_on_failure));
    put_script(out, world, "     ", "RS up", Hook::Up(id));
    put_script(out, world, "     ", "RS down", Hook::Down(id));
    if let Some(host) = &server.virtual_host {
        line!(out, "    VirtualHost = '{host}'");
    }
    let mail = &world.plan.model.global.mail;
    let alert = server.smtp_alert.or(mail.alert_checker).or(mail.alert).unwrap_or(true);
    line!(out, "   Using smtp notification = {}", yes(alert));
    line!(out, "   initial weight = {}", server.weight);
    line!(out, "   effective weight = {}", status.weight);
    line!(out, "   previous effective_weight = 0");
    line!(out, "   alive = {}", u8::from(status.up));
    line!(out, "   num failed checkers = {}", status.failed);
    line!(out, "   RS set = {}", u8::from(status.table_weight.is_some()));
    line!(out, "   reloaded = 0");
}
