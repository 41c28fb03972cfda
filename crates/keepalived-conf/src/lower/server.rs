//! `SSL`, `virtual_server`.

use super::number::Times;
use super::{Draft, Lower, name_of};
use crate::code;
use crate::model::{
    Family, Forwarding, Persistence, Protocol, Scheduler, SchedulerFlags, Service, SorryServer, Ssl, Timing,
    VirtualServer,
};
use crate::tree::Node;
use crate::word::{Line, Word};
use diag::Span;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

/// IPVS remembers clients for 31 days at most.
const MAX_PERSISTENCE: u32 = 31 * 86_400;
/// When `persistence_timeout` has no value.
const PERSISTENCE: Duration = Duration::from_secs(360);
/// Characters of the name of a persistence engine.
const ENGINE_MAX: usize = 15;

/// A virtual server whose defaults are not settled yet.
#[derive(Clone, Debug)]
pub(crate) struct ServerDraft {
    pub(crate) server: VirtualServer,
    pub(crate) family: Option<Family>,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) scheduler: Option<Scheduler>,
    pub(crate) forwarding: Option<Forwarding>,
    pub(crate) timing: Timing,
    pub(crate) inhibit: bool,
    pub(crate) weight: u16,
    pub(crate) upper_threshold: u32,
    pub(crate) lower_threshold: u32,
    pub(crate) slow_start: Duration,
    pub(crate) drain: Duration,
    /// `lb_algo` named what does not exist, and where.
    pub(crate) unknown_scheduler: Option<Span>,
    /// `sorry_server_lvs_method` was said.
    pub(crate) sorry_forwarding: bool,
    /// A server leaves the forwarding method to the virtual server.
    pub(crate) inherits_forwarding: bool,
    pub(crate) span: Span,
}

/// How keepalived's messages name a service: `[10.0.0.1]:tcp:80`, `FWM 3`, or the group's name.
pub(crate) fn show_service(service: &Service, protocol: Option<Protocol>) -> String {
    let protocol = match protocol {
        Some(Protocol::Tcp) => "tcp",
        Some(Protocol::Udp) => "udp",
        Some(Protocol::Sctp) => "sctp",
        None => "none",
    };
    match service {
        Service::Address { address, port } => format!("[{address}]:{protocol}:{port}"),
        Service::Mark(mark) => format!("FWM {mark}"),
        Service::Group { name, member } => format!("[{}]:{member}", name.text),
    }
}

impl Lower<'_> {
    pub(crate) fn ssl(&mut self, node: &Node, draft: &mut Draft) {
        let mut ssl = Ssl::default();
        for child in &node.body {
            let (name, slot) = match child.keyword.name {
                "password" => ("password", None),
                "ca" => ("cafile", Some(&mut ssl.ca)),
                "certificate" => ("certfile", Some(&mut ssl.certificate)),
                _ => ("keyfile", Some(&mut ssl.key)),
            };
            let line = &child.line;
            let taken = slot.as_ref().map_or(ssl.password.is_some(), |slot| slot.is_some());
            let Some(word) = line.words.get(1) else {
                self.say(code::MISSING_PARAMETER, line.span, format!("SSL {name} missing"));
                continue;
            };
            match slot {
                Some(slot) => *slot = Some(PathBuf::from(&word.text)),
                None => ssl.password = Some(word.text.clone()),
            }
            if taken {
                self.say(code::REPEATED, line.span, format!("SSL {name} already specified - replacing"));
            }
        }
        draft.config.ssl = Some(ssl);
    }

    pub(crate) fn virtual_server(&mut self, node: &Node, draft: &mut Draft) {
        let Some(mut one) = self.server_head(node) else { return };
        let is_server = |child: &&Node| child.keyword.name == "real_server";
        for child in node.body.iter().filter(|child| !is_server(child)) {
            self.server_line(child, &mut one, draft);
        }
        // What servers inherit may stand after them.
        for child in node.body.iter().filter(is_server) {
            let server = self.real_server(child, &mut one, draft);
            one.server.real_servers.extend(server);
        }
        draft.servers.push(one);
    }

    fn server_head(&mut self, node: &Node) -> Option<ServerDraft> {
        let line = &node.line;
        let first = self.word(line, 1)?;
        let service = match first.text.as_str() {
            "group" => Service::Group { name: name_of(self.word(line, 2)?), member: 0 },
            "fwmark" => {
                let word = self.word(line, 2)?;
                let Some(mark) = self.unsigned(word, 0, u32::MAX) else {
                    let message = format!(
                        "virtual server fwmark '{}' must be in [0, 4294967295] - ignoring",
                        word.text
                    );
                    self.say(code::NUMBER, word.span, message);
                    return None;
                };
                Service::Mark(mark)
            }
            text => {
                let port_word = line.words.get(2);
                let port = match port_word {
                    None => Some(0),
                    Some(word) => self.port_or_all(word),
                };
                match (text.parse::<IpAddr>(), port) {
                    (Ok(address), Some(port)) => Service::Address { address, port },
                    _ => {
                        let (kind, port) = port_word
                            .map_or(("", String::new()), |port| ("/port", format!("/{}", port.text)));
                        let message =
                            format!("Invalid virtual server IP address{kind} {text}{port} - skipping");
                        self.say(code::ADDRESS, first.span, message);
                        return None;
                    }
                }
            }
        };
        let family = match &service {
            Service::Address { address, .. } => Some(Family::of(*address)),
            _ => None,
        };
        let server = VirtualServer {
            service,
            family: Family::V4,
            protocol: None,
            scheduler: Scheduler::default(),
            flags: SchedulerFlags::default(),
            forwarding: Forwarding::Nat,
            persistence: None,
            timing: Timing::default(),
            inhibit_on_failure: false,
            quorum: 1,
            hysteresis: 0,
            quorum_up: None,
            quorum_down: None,
            omega: false,
            ha_suspend: false,
            virtual_host: None,
            smtp_alert: None,
            snmp_name: None,
            sorry_server: None,
            real_servers: Vec::new(),
            place: Some(line.span),
        };
        Some(ServerDraft {
            server,
            family,
            protocol: None,
            scheduler: None,
            forwarding: None,
            timing: Timing::default(),
            inhibit: false,
            weight: 1,
            upper_threshold: 0,
            lower_threshold: 0,
            slow_start: Duration::ZERO,
            drain: Duration::ZERO,
            unknown_scheduler: None,
            sorry_forwarding: false,
            inherits_forwarding: false,
            span: line.span,
        })
    }

    fn server_line(&mut self, node: &Node, one: &mut ServerDraft, draft: &mut Draft) {
        let line = &node.line;
        let name = node.keyword.name;
        if self.timing(line, name, "virtual server ", &mut one.timing) {
            return;
        }
        let server = &mut one.server;
        match name {
            "ip_family" => {
                let Some(word) = self.word(line, 1) else { return };
                let family = match word.text.as_str() {
                    "inet" => Family::V4,
                    "inet6" => Family::V6,
                    other => {
                        return self.say(code::CHOICE, word.span, format!("unknown address family {other}"));
                    }
                };
                if one.family.is_some_and(|known| known != family) {
                    let message =
                        format!("Virtual server specified family {} conflicts with server family", word.text);
                    return self.say(code::VIRTUAL_SERVER, word.span, message);
                }
                one.family = Some(family);
            }
            "inhibit_on_failure" => {
                let message = |value: &str| format!("Invalid inhibit_on_failure parameter {value}");
                one.inhibit = self.switch(line, message).unwrap_or(one.inhibit);
            }
            "lb_algo" | "lvs_sched" => {
                let Some(word) = self.word(line, 1) else { return };
                let known = Scheduler::ALL.iter().find(|(name, _)| *name == word.text);
                match known {
                    Some((_, scheduler)) => one.scheduler = Some(*scheduler),
                    None => {
                        self.unknown_scheduler(word);
                        one.unknown_scheduler = Some(word.span);
                    }
                }
            }
            "hashed" if !matches!(one.scheduler, Some(Scheduler::SourceHash | Scheduler::MaglevHash)) => {
                self.say(code::VIRTUAL_SERVER, line.span, "hashed only applies to sh scheduler - ignoring");
            }
            "hashed" => server.flags.hashed = true,
            "ops" => server.flags.one_packet = true,
            "flag-1" => server.flags.flag_1 = true,
            "flag-2" => server.flags.flag_2 = true,
            "flag-3" => server.flags.flag_3 = true,
            "sh-port" | "sh-fallback" | "mh-port" | "mh-fallback" => {
                let wanted =
                    if name.starts_with("sh") { Scheduler::SourceHash } else { Scheduler::MaglevHash };
                if one.scheduler != Some(wanted) {
                    let scheduler = wanted.name();
                    let message = format!("{name} only applies to {scheduler} scheduler - ignoring");
                    return self.say(code::VIRTUAL_SERVER, line.span, message);
                }
                if name.ends_with("port") { server.flags.flag_2 = true } else { server.flags.flag_1 = true }
            }
            "lb_kind" | "lvs_method" => {
                if let Some(forwarding) = self.forwarding(line, "virtual") {
                    one.forwarding = Some(forwarding);
                }
            }
            "persistence_engine" | "persistence_timeout" | "persistence_granularity" => {
                self.persistence(line, name, one)
            }
            "protocol" => {
                let Some(word) = self.word(line, 1) else { return };
                match word.text.to_ascii_uppercase().as_str() {
                    "TCP" => one.protocol = Some(Protocol::Tcp),
                    "UDP" => one.protocol = Some(Protocol::Udp),
                    "SCTP" => one.protocol = Some(Protocol::Sctp),
                    _ => self.say(
                        code::CHOICE,
                        word.span,
                        format!("Unknown protocol {} - ignoring", word.text),
                    ),
                }
            }
            "ha_suspend" => server.ha_suspend = true,
            "smtp_alert" => {
                let message = |value: &str| format!("Invalid virtual_server smtp_alert parameter {value}");
                server.smtp_alert = self.switch(line, message).or(server.smtp_alert);
            }
            "virtualhost" => {
                server.virtual_host = self.value_or(line, "virtual server virtualhost missing");
            }
            "snmp_name" => server.snmp_name = self.value_or(line, "snmp_name missing"),
            "omega" => server.omega = true,
            "quorum" => {
                let Some(word) = self.word(line, 1) else { return };
                server.quorum = self.unsigned(word, 1, u32::MAX).unwrap_or_else(|| {
                    let message = format!("Quorum {} must be in [1, 4294967295]. Setting to 1.", word.text);
                    self.say(code::NUMBER, word.span, message);
                    1
                });
            }
            "hysteresis" => {
                let Some(word) = self.word(line, 1) else { return };
                match self.unsigned(word, 0, u32::MAX) {
                    Some(weight) => server.hysteresis = weight,
                    None => {
                        let message =
                            format!("Hysteresis {} must be in [0, 4294967295] - ignoring", word.text);
                        self.say(code::NUMBER, word.span, message);
                    }
                }
            }
            "quorum_up" | "quorum_down" => {
                let slot = if name == "quorum_up" { &mut server.quorum_up } else { &mut server.quorum_down };
                if slot.is_some() {
                    let given = line.words.get(1).map_or("", |word| word.text.as_str());
                    let group = match &server.service {
                        Service::Group { name, .. } => name.text.clone(),
                        _ => "(null)".to_owned(),
                    };
                    let message = format!("({group}) {name} script already specified - ignoring {given}");
                    return self.say(code::REPEATED, line.span, message);
                }
                *slot = self.script(line, "quorum");
                draft.runs_scripts[1] |= slot.is_some();
            }
            "sorry_server" => self.sorry_server(line, one),
            "sorry_server_inhibit" => match &mut server.sorry_server {
                Some(sorry) => sorry.inhibit = true,
                None => {
                    let message = "Ignoring sorry_server inhibit used before or without sorry_server";
                    self.say(code::VIRTUAL_SERVER, line.span, message);
                }
            },
            "sorry_server_lvs_method" => {
                let Some(sorry) = &mut server.sorry_server else {
                    let message = "sorry_server forwarding used without sorry_server";
                    return self.say(code::VIRTUAL_SERVER, line.span, message);
                };
                if let Some(forwarding) = self.forwarding(line, "sorry") {
                    sorry.forwarding = forwarding;
                    one.sorry_forwarding = true;
                }
            }
            "weight" => {
                let Some(word) = self.word(line, 1) else { return };
                match self.unsigned(word, 1, 2_147_483_647) {
                    Some(weight) => one.weight = u16::try_from(weight).unwrap_or(u16::MAX),
                    None => {
                        let message =
                            format!("Virtual server weight {} is outside range 1-2147483647", word.text);
                        self.say(code::NUMBER, word.span, message);
                    }
                }
            }
            "uthreshold" | "lthreshold" => {
                let slot =
                    if name == "uthreshold" { &mut one.upper_threshold } else { &mut one.lower_threshold };
                self.threshold(line, name, "virtual_server", slot);
            }
            "slow_start" => self.span_of_time(line, name, &mut one.slow_start),
            "drain" => self.span_of_time(line, name, &mut one.drain),
            _ => {}
        }
    }

    /// `uthreshold` or `lthreshold`.
    pub(crate) fn threshold(&mut self, line: &Line, name: &str, who: &str, slot: &mut u32) {
        let Some(word) = self.word(line, 1) else { return };
        match self.unsigned(word, 0, u32::MAX) {
            Some(count) => *slot = count,
            None => {
                let message = format!("Invalid {who} {name} '{}' - ignoring", word.text);
                self.say(code::NUMBER, word.span, message);
            }
        }
    }

    /// `slow_start` or `drain`: 0 to one day.
    pub(crate) fn span_of_time(&mut self, line: &Line, name: &str, slot: &mut Duration) {
        let Some(word) = self.word(line, 1) else { return };
        match self.time(word, Times { least: 0, most: 86_400_000_000, lenient: false }) {
            Some(time) => *slot = time,
            None => {
                let message = format!("{name} '{}' must be in [0, 86400] seconds - ignoring", word.text);
                self.say(code::TIME, word.span, message);
            }
        }
    }

    fn sorry_server(&mut self, line: &Line, one: &mut ServerDraft) {
        let Some(word) = self.word(line, 1) else { return };
        let port = match line.words.get(2) {
            None => Some(0),
            Some(word) => self.port_or_all(word),
        };
        let (Ok(address), Some(port)) = (word.text.parse::<IpAddr>(), port) else {
            let message = format!("Invalid sorry server IP address {} - skipping", word.text);
            return self.say(code::ADDRESS, word.span, message);
        };
        let forwarding = one.forwarding.unwrap_or_default();
        let place = Some(word.span);
        one.server.sorry_server = Some(SorryServer { address, port, inhibit: false, forwarding, place });
    }

    fn persistence(&mut self, line: &Line, name: &str, one: &mut ServerDraft) {
        let get = |server: &mut VirtualServer| {
            server
                .persistence
                .get_or_insert_with(|| Persistence { timeout: PERSISTENCE, ..Persistence::default() })
                .clone()
        };
        if name == "persistence_timeout" {
            let timeout = match line.words.get(1) {
                None => PERSISTENCE,
                Some(word) => match self.unsigned(word, 1, MAX_PERSISTENCE) {
                    Some(seconds) => Duration::from_secs(u64::from(seconds)),
                    None => return self.say(code::TIME, word.span, "persistence_timeout invalid"),
                },
            };
            one.server.persistence = Some(Persistence { timeout, ..get(&mut one.server) });
            return;
        }
        let Some(word) = self.word(line, 1) else { return };
        if name == "persistence_engine" {
            let mut engine = word.text.clone();
            if engine.len() > ENGINE_MAX {
                self.say(
                    code::NAME_LENGTH,
                    word.span,
                    format!("persistence_name too long, truncating - {engine}"),
                );
                engine = engine.chars().take(ENGINE_MAX).collect();
            }
            one.server.persistence = Some(Persistence { engine: Some(engine), ..get(&mut one.server) });
            return;
        }
        self.granularity(word, one);
    }

    fn granularity(&mut self, word: &Word, one: &mut ServerDraft) {
        let text = &word.text;
        let family = one.family.unwrap_or(if text.contains('.') { Family::V4 } else { Family::V6 });
        let mut persistence = one
            .server
            .persistence
            .clone()
            .unwrap_or(Persistence { timeout: PERSISTENCE, ..Persistence::default() });
        match family {
            Family::V6 => match self.unsigned(word, 1, 128).and_then(|length| u8::try_from(length).ok()) {
                Some(length) => persistence.prefix_length = Some(length),
                None => {
                    let message = format!("Invalid IPv6 persistence_granularity specified - {text}");
                    return self.say(code::NUMBER, word.span, message);
                }
            },
            Family::V4 => match text.parse::<Ipv4Addr>() {
                Ok(mask) if u32::from(mask).leading_ones() + u32::from(mask).trailing_zeros() == 32 => {
                    persistence.netmask = Some(mask);
                }
                Ok(_) => {
                    let message = format!("IPv4 persistence_granularity netmask is not solid - {text}");
                    return self.say(code::ADDRESS, word.span, message);
                }
                Err(_) => {
                    let message = format!("Invalid IPv4 persistence_granularity specified - {text}");
                    return self.say(code::ADDRESS, word.span, message);
                }
            },
        }
        one.family = Some(family);
        one.server.persistence = Some(persistence);
    }
}
