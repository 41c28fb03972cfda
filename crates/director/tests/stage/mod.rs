//! A director on a stage: its actions are carried out on a recording table, and what it says is kept.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test may stop")]

use director::plane::{
    Change, DataPlane, Flags, Forwarding, Protocol, Recording, Scheduler, ServiceKey, Table, Tunnel,
};
use director::{
    Action, Checker, CheckerId, Config, Director, Event, GroupEntry, Hook, RealServer, SorryServer, Target,
    Verdict, VirtualServer,
};
use ek_time::Instant;
use std::net::IpAddr;
use std::time::Duration;

pub(crate) struct Stage {
    pub(crate) director: Director,
    pub(crate) plane: Recording,
    pub(crate) now: Instant,
    pub(crate) events: Vec<Event>,
    pub(crate) fifo: Vec<String>,
    pub(crate) mails: Vec<(String, String)>,
    pub(crate) scripts: Vec<(Hook, bool)>,
    pub(crate) changes: Vec<Change>,
    pub(crate) activity: Vec<(CheckerId, bool)>,
    /// A change that the table refused.
    pub(crate) refused: Option<String>,
}

impl Stage {
    pub(crate) fn new(config: Config, table: Table) -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        Self {
            director: Director::new(now, config),
            plane: Recording::with(table),
            now,
            events: Vec::new(),
            fifo: Vec::new(),
            mails: Vec::new(),
            scripts: Vec::new(),
            changes: Vec::new(),
            activity: Vec::new(),
            refused: None,
        }
    }

    /// Starts it on an empty table.
    pub(crate) fn start(config: Config) -> Self {
        let mut stage = Self::new(config, Table::new());
        stage.adopt();
        stage
    }

    pub(crate) fn adopt(&mut self) {
        let table = self.plane.current().clone();
        self.director.adopt(self.now, &table);
        self.act();
    }

    pub(crate) fn act(&mut self) {
        while let Some(action) = self.director.poll_action() {
            match action {
                Action::Change(change, _) => {
                    if let Err(error) = self.plane.apply(&change) {
                        self.refused.get_or_insert(format!("{change:?}: {error}"));
                    }
                    self.changes.push(change);
                }
                Action::Flush(_) => self.plane.flush().unwrap(),
                Action::Event(event) => self.events.push(event),
                Action::Script { hook, stopping, .. } => self.scripts.push((hook, stopping)),
                Action::Fifo(line) => self.fifo.push(line.trim_end_matches('\n').to_owned()),
                Action::Mail { subject, body } => self.mails.push((subject, body)),
                Action::Resume(id) => self.activity.push((id, true)),
                Action::Suspend(id) => self.activity.push((id, false)),
                Action::Reloaded => {}
            }
        }
    }

    /// A checker has found something.
    pub(crate) fn check(&mut self, id: usize, up: bool) {
        let mail = if up { "=> CHECK succeed on service <=" } else { "=> CHECK failed on service <=" };
        self.verdict(id, Verdict::new(up, if up { "ok" } else { "refused" }, mail));
    }

    pub(crate) fn verdict(&mut self, id: usize, verdict: Verdict) {
        self.director.handle_check(self.now, CheckerId::at(id), &verdict);
        self.act();
    }

    pub(crate) fn reload(&mut self, config: Config) {
        self.director.handle_reload(self.now, config);
        self.act();
    }

    pub(crate) fn stop(&mut self) {
        self.director.handle_shutdown(self.now);
        self.act();
    }

    /// Lets time go by, with every timer at its time.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.director.poll_timeout().filter(|due| *due <= end) {
            assert!(due > self.now || self.director.poll_timeout() == Some(due));
            self.now = self.now.max(due);
            self.director.handle_timeout(self.now);
            self.act();
        }
        self.now = end;
    }

    /// The lines of the log since the last call, without those about checkers' activity.
    pub(crate) fn lines(&mut self) -> Vec<String> {
        let lines = self.events.drain(..).map(|event| event.to_string());
        lines.filter(|line| !line.contains("healthchecker for")).collect()
    }

    pub(crate) fn take_fifo(&mut self) -> Vec<String> {
        std::mem::take(&mut self.fifo)
    }

    /// The table as `ipvsadm -Sn` shows it, sorted as it sorts.
    pub(crate) fn table(&self) -> Vec<String> {
        show(self.plane.current())
    }
}

fn show(table: &Table) -> Vec<String> {
    let mut lines = Vec::new();
    for (key, entry) in table {
        let service = match key {
            ServiceKey::Address { protocol: Protocol::Tcp, address, port } => format!("-t {address}:{port}"),
            ServiceKey::Address { protocol: Protocol::Udp, address, port } => format!("-u {address}:{port}"),
            ServiceKey::Address { address, port, .. } => format!("--sctp-service {address}:{port}"),
            ServiceKey::Mark { mark, .. } => format!("-f {mark}"),
        };
        let persistence = entry.service.persistence.map_or(String::new(), |time| format!(" -p {time}"));
        let ops = if entry.service.flags.one_packet { " -o" } else { "" };
        lines.push(format!("-A {service} -s {}{persistence}{ops}", entry.service.scheduler.name()));
        let mut destinations = entry.destinations.clone();
        destinations.sort_by_key(|one| one.key);
        for one in destinations {
            let forwarding = match one.forwarding {
                Forwarding::Nat => "-m",
                Forwarding::DirectRouting => "-g",
                Forwarding::Tunnel(_) => "-i",
                Forwarding::Local | Forwarding::Bypass => "?",
            };
            let mut line = format!("-a {service} -r {} {forwarding} -w {}", one.key, one.weight);
            if one.upper_threshold > 0 || one.lower_threshold > 0 {
                line += &format!(" -x {} -y {}", one.upper_threshold, one.lower_threshold);
            }
            lines.push(line);
        }
    }
    lines
}

pub(crate) fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A virtual server of TCP with NAT, and nothing special.
pub(crate) fn service(address_of: &str, port: u16) -> VirtualServer {
    let address = address(address_of);
    VirtualServer {
        target: Target::Address { address, port },
        family: director::plane::Family::of(&address),
        protocol: Some(Protocol::Tcp),
        scheduler: Scheduler::WeightedLeastConnection,
        flags: Flags::default(),
        persistence: None,
        granularity: None,
        engine: None,
        quorum: 1,
        hysteresis: 0,
        omega: false,
        ha_suspend: false,
        smtp_alert: false,
        sorry_server: None,
        real_servers: Vec::new(),
    }
}

pub(crate) fn group(name: &str, entries: Vec<GroupEntry>) -> VirtualServer {
    let target = Target::Group { name: name.to_owned(), entries };
    VirtualServer { target, ..service("10.0.0.1", 80) }
}

/// A real server with one checker for each identity.
pub(crate) fn server(address_of: &str, port: u16, weight: u32, checkers: &[&str]) -> RealServer {
    RealServer {
        address: address(address_of),
        port,
        weight,
        forwarding: Forwarding::Nat,
        upper_threshold: 0,
        lower_threshold: 0,
        inhibit: false,
        smtp_alert: false,
        slow_start: Duration::ZERO,
        drain: Duration::ZERO,
        checkers: checkers.iter().map(|one| checker(one)).collect(),
    }
}

/// A checker; in alpha mode if its identity begins with `alpha`.
pub(crate) fn checker(identity: &str) -> Checker {
    Checker {
        kind: "MISC_CHECK",
        identity: identity.to_owned(),
        alpha: identity.starts_with("alpha"),
        known: None,
    }
}

pub(crate) fn sorry(address_of: &str, port: u16, inhibit: bool) -> SorryServer {
    SorryServer { address: address(address_of), port, forwarding: Forwarding::Nat, inhibit }
}

pub(crate) const IPIP: Forwarding = Forwarding::Tunnel(Tunnel::IpIp);
