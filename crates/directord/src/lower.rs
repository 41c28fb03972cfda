//! The configuration turned into what the core and the checkers take.

use crate::plan::{CheckerPlan, Plan, RealServerPlace};
use director::plane::{Family, Flags, Forwarding, Granularity, Protocol, Scheduler, Tunnel, TunnelChecksum};
use director::{
    Checker, CheckerId, Config, FlushOnStop, GroupEntry, RealServer, Settings, SorryServer, Target,
    VirtualServer, VirtualServerId,
};
use keepalived_conf::model;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

impl Plan {
    /// Of a configuration.
    pub fn new(mut model: model::Config) -> Self {
        let mut real_servers = Vec::new();
        let mut checkers = Vec::new();
        for (number, virtual_server) in model.virtual_servers.iter_mut().enumerate() {
            let service: Rc<str> = service_name(virtual_server).into();
            for (position, server) in virtual_server.real_servers.iter_mut().enumerate() {
                let real: Rc<str> = server_name(server.address, server.port, virtual_server.protocol).into();
                real_servers.push(RealServerPlace {
                    virtual_server: VirtualServerId::at(number),
                    position,
                    first_checker: CheckerId::at(checkers.len()),
                });
                // Moved, for there may be ten thousand, and each is long.
                for mut checker in std::mem::take(&mut server.checkers) {
                    forget_places(&mut checker);
                    let starts_up = !checker.alpha || matches!(checker.kind, model::CheckerKind::File { .. });
                    checkers.push(CheckerPlan {
                        id: CheckerId::at(checkers.len()),
                        log_all_failures: checker.log_all_failures,
                        up: starts_up,
                        checker: Rc::new(checker),
                        real: real.clone(),
                        service: service.clone(),
                    });
                }
            }
        }
        Self { model, real_servers, checkers }
    }

    /// The checkers of a real server, by its number.
    fn checkers_of(&self, position: usize) -> &[CheckerPlan] {
        let first =
            |position: usize| self.real_servers.get(position).map(|place| place.first_checker.index());
        let end = first(position + 1).unwrap_or(self.checkers.len());
        first(position).and_then(|first| self.checkers.get(first..end)).unwrap_or_default()
    }

    /// The core's part of it.
    pub fn core(&self) -> Config {
        let global = &self.model.global;
        let alert = global.mail.alert_checker.or(global.mail.alert);
        let mut checkers = (0..self.real_servers.len()).map(|position| self.checkers_of(position));
        Config {
            settings: Settings {
                flush: global.lvs_flush,
                flush_on_stop: match global.lvs_flush_on_stop {
                    model::FlushOnStop::No => FlushOnStop::No,
                    model::FlushOnStop::VirtualServers => FlushOnStop::Services,
                    model::FlushOnStop::All => FlushOnStop::Everything,
                },
                init_notifies: global.rs_init_notifies,
                no_checker_mail: global.mail.no_checker_emails,
            },
            virtual_servers: self
                .model
                .virtual_servers
                .iter()
                .map(|server| virtual_server(server, &self.model, alert, &mut checkers))
                .collect(),
        }
    }
}

/// Takes the checkers of its servers from `checkers`.
fn virtual_server<'a>(
    server: &model::VirtualServer,
    config: &model::Config,
    alert: Option<bool>,
    checkers: &mut impl Iterator<Item = &'a [CheckerPlan]>,
) -> VirtualServer {
    let persistence = server.persistence.as_ref();
    VirtualServer {
        target: target(&server.service, config),
        family: family(server.family),
        protocol: server.protocol.map(protocol),
        scheduler: Scheduler::from_name(server.scheduler.name()),
        flags: Flags {
            one_packet: server.flags.one_packet,
            flag_1: server.flags.flag_1,
            flag_2: server.flags.flag_2,
            flag_3: server.flags.flag_3,
        },
        persistence: persistence.map(|one| u32::try_from(one.timeout.as_secs()).unwrap_or(u32::MAX)),
        granularity: persistence.and_then(|one| match server.family {
            model::Family::V4 => one.netmask.map(Granularity::Netmask),
            model::Family::V6 => one.prefix_length.map(Granularity::Prefix),
        }),
        engine: persistence.and_then(|one| one.engine.clone()),
        quorum: server.quorum,
        hysteresis: server.hysteresis,
        omega: server.omega,
        ha_suspend: server.ha_suspend,
        smtp_alert: server.smtp_alert.or(alert).unwrap_or(false),
        sorry_server: server.sorry_server.as_ref().map(|sorry| SorryServer {
            address: sorry.address,
            port: sorry.port,
            forwarding: forwarding(sorry.forwarding),
            inhibit: sorry.inhibit,
        }),
        real_servers: server
            .real_servers
            .iter()
            .map(|real| real_server(real, alert, checkers.next().unwrap_or_default()))
            .collect(),
    }
}

fn real_server(server: &model::RealServer, alert: Option<bool>, checkers: &[CheckerPlan]) -> RealServer {
    RealServer {
        address: server.address,
        port: server.port,
        weight: u32::from(server.weight),
        forwarding: forwarding(server.forwarding),
        upper_threshold: server.upper_threshold,
        lower_threshold: server.lower_threshold,
        inhibit: server.inhibit_on_failure,
        // Other alerts are off when nothing is said; keepalived keeps these on.
        smtp_alert: server.smtp_alert.or(alert).unwrap_or(true),
        slow_start: server.slow_start,
        drain: server.drain,
        checkers: checkers.iter().map(|plan| checker(&plan.checker)).collect(),
    }
}

fn checker(checker: &model::Checker) -> Checker {
    Checker {
        kind: kind_name(&checker.kind),
        identity: identity(checker),
        alpha: checker.alpha && !matches!(checker.kind, model::CheckerKind::File { .. }),
        known: None,
    }
}

/// The keyword of a checker's block.
pub fn kind_name(kind: &model::CheckerKind) -> &'static str {
    match kind {
        model::CheckerKind::Tcp => "TCP_CHECK",
        model::CheckerKind::Http(http) if http.tls => "SSL_GET",
        model::CheckerKind::Http(_) => "HTTP_GET",
        model::CheckerKind::Smtp { .. } => "SMTP_CHECK",
        model::CheckerKind::Dns { .. } => "DNS_CHECK",
        model::CheckerKind::Misc { .. } => "MISC_CHECK",
        model::CheckerKind::Udp(_) => "UDP_CHECK",
        model::CheckerKind::Ping => "PING_CHECK",
        model::CheckerKind::File { .. } => "FILE_CHECK",
    }
}

/// What makes a checker the same one after a reload: what it does and whom it asks, not how often. In few bytes, for there
/// may be many.
fn identity(checker: &model::Checker) -> String {
    let mut hasher = DefaultHasher::new();
    format!("{:?}{:?}", checker.kind, checker.connection).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// A checker is the same wherever it stands in the file.
fn forget_places(checker: &mut model::Checker) {
    checker.place = None;
    if let Some(interface) =
        checker.connection.as_mut().and_then(|connection| connection.bind_interface.as_mut())
    {
        interface.place = None;
    }
    match &mut checker.kind {
        model::CheckerKind::Http(http) => http.urls.iter_mut().for_each(|url| url.place = None),
        model::CheckerKind::Misc { script, .. } => {
            script.place = None;
            if let Some(account) = &mut script.account {
                account.user.place = None;
                if let Some(group) = &mut account.group {
                    group.place = None;
                }
            }
        }
        model::CheckerKind::File { file, .. } => file.place = None,
        _ => {}
    }
}

fn target(service: &model::Service, config: &model::Config) -> Target {
    match service {
        model::Service::Address { address, port } => Target::Address { address: *address, port: *port },
        model::Service::Mark(mark) => Target::Mark(*mark),
        model::Service::Group { name, .. } => {
            let group = config.server_groups.iter().find(|group| group.name.text == name.text);
            let entries = group.map(|group| group.entries.as_slice()).unwrap_or_default();
            Target::Group { name: name.text.clone(), entries: entries.iter().map(entry).collect() }
        }
    }
}

fn entry(entry: &model::GroupEntry) -> GroupEntry {
    match entry {
        model::GroupEntry::Addresses { first, last, port, .. } => {
            GroupEntry::Addresses { first: *first, last: *last, port: *port }
        }
        model::GroupEntry::Mark { mark, family: of, .. } => {
            GroupEntry::Mark { mark: *mark, family: of.map(family) }
        }
    }
}

fn family(family: model::Family) -> Family {
    match family {
        model::Family::V4 => Family::V4,
        model::Family::V6 => Family::V6,
    }
}

fn protocol(protocol: model::Protocol) -> Protocol {
    match protocol {
        model::Protocol::Tcp => Protocol::Tcp,
        model::Protocol::Udp => Protocol::Udp,
        model::Protocol::Sctp => Protocol::Sctp,
    }
}

fn forwarding(forwarding: model::Forwarding) -> Forwarding {
    let checksum = |checksum| match checksum {
        model::TunnelChecksum::None => TunnelChecksum::None,
        model::TunnelChecksum::Checksum => TunnelChecksum::Full,
        model::TunnelChecksum::Remote => TunnelChecksum::Remote,
    };
    match forwarding {
        model::Forwarding::Nat => Forwarding::Nat,
        model::Forwarding::DirectRouting => Forwarding::DirectRouting,
        model::Forwarding::Tunnel(model::Tunnel::IpIp) => Forwarding::Tunnel(Tunnel::IpIp),
        model::Forwarding::Tunnel(model::Tunnel::Gue { port, checksum: sum }) => {
            Forwarding::Tunnel(Tunnel::Gue { port, checksum: checksum(sum) })
        }
        model::Forwarding::Tunnel(model::Tunnel::Gre { checksum: sum }) => {
            Forwarding::Tunnel(Tunnel::Gre { checksum: checksum(sum) })
        }
    }
}

/// A virtual server as keepalived's lines show it: `[10.0.0.1]:tcp:80`, `FWM 3`, `[group]:0`.
pub fn service_name(server: &model::VirtualServer) -> String {
    match &server.service {
        model::Service::Address { address, port } => server_name(*address, *port, server.protocol),
        model::Service::Mark(mark) => format!("FWM {mark}"),
        model::Service::Group { name, member } => format!("[{}]:{member}", name.text),
    }
}

/// A real server as keepalived's lines show it.
pub fn server_name(address: std::net::IpAddr, port: u16, of: Option<model::Protocol>) -> String {
    let protocol = of.map_or("none", |one| protocol(one).name());
    format!("[{address}]:{protocol}:{port}")
}

#[cfg(test)]
mod tests;
