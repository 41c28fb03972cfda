//! A router on its own, and the time it lives in: tests feed it and read what it does, line by line.
#![allow(dead_code, clippy::indexing_slicing, clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use ek_time::Instant;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use vrrp::{
    Action, Address, Config, Datagram, Link, LinkId, Notification, Received, Router, RouterId, State,
    Subject, Version, VirtualRouter,
};

pub(crate) const E0: LinkId = LinkId(0);
pub(crate) const E1: LinkId = LinkId(1);
pub(crate) const R0: RouterId = RouterId(0);
pub(crate) const R1: RouterId = RouterId(1);

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn v4(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 20, 0, last))
}

/// Two interfaces, 10.20.0.`host` on each.
pub(crate) fn links(host: u8) -> Vec<Link> {
    let link = |name: &str| {
        let mut link = Link::new(name);
        link.source_v4 = Some(Ipv4Addr::new(10, 20, 0, host));
        link.source_v6 = Some(format!("fe80::{host}").parse().expect("address"));
        link
    };
    vec![link("e0"), link("e1")]
}

/// Version 3, 1 s, one address.
pub(crate) fn instance(name: &str, link: LinkId, vrid: u8, priority: u8) -> VirtualRouter {
    let mut router = VirtualRouter::new(name, link, vrid);
    router.version = Version::V3;
    router.priority = priority;
    router.addresses.push(Address { address: v4(100 + vrid), link, advertised: true });
    router.announce.repeat = 1;
    router.announce.delay = Duration::ZERO;
    router.announce.lower_prio_repeat = 1;
    router.announce.lower_prio_delay = Duration::ZERO;
    router
}

pub(crate) fn config(host: u8, routers: Vec<VirtualRouter>) -> Config {
    Config { links: links(host), routers, ..Config::default() }
}

/// A router and its time.
pub(crate) struct Lab {
    pub(crate) now: Instant,
    pub(crate) router: Router,
    /// Datagrams sent and not yet taken.
    pub(crate) sent: Vec<vrrp::Advert>,
    /// What it did, one line each, since the last look.
    lines: Vec<String>,
}

impl Lab {
    pub(crate) fn new(config: Config) -> Self {
        let now = Instant::from_nanos(1_000_000_000_000);
        let mut lab = Self { now, router: Router::new(now, 7, config), sent: Vec::new(), lines: Vec::new() };
        lab.drain();
        lab
    }

    /// A virtual router that has become Master.
    pub(crate) fn master(config: Config) -> Self {
        let mut lab = Self::new(config);
        lab.pass(ms(30_000));
        assert_eq!(lab.router.state(R0), Some(State::Master));
        lab.did();
        lab.sent.clear();
        lab
    }

    fn drain(&mut self) {
        while let Some(action) = self.router.poll_action() {
            let line = match &action {
                Action::Send(advert) => format!("send {} to {}", advert.priority, advert.destination),
                Action::Install(id) => format!("install {}", id.0),
                Action::Withdraw(id) => format!("withdraw {}", id.0),
                Action::Clear(id) => format!("clear {}", id.0),
                Action::Adjust(id) => format!("adjust {}", id.0),
                Action::Restore { router, address } => format!("restore {} {address}", router.0),
                Action::Announce(what) => format!("announce {}", what.address),
                Action::Reloaded => "reloaded".to_owned(),
                Action::Log(event) if event.detail() => format!("detail: {event}"),
                Action::Log(event) => format!("log: {event}"),
                Action::Notify(Notification::State { subject, to, priority, .. }) => match subject {
                    Subject::Router(id) => format!("notify INSTANCE {} {to} {priority}", id.0),
                    Subject::Group(id) => format!("notify GROUP {} {to} {priority}", id.0),
                },
                Action::Notify(other) => format!("notify {other:?}"),
            };
            self.lines.push(line);
            if let Action::Send(advert) = action {
                self.sent.push(advert);
            }
        }
    }

    /// Lets time pass, timer by timer.
    pub(crate) fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        for _ in 0..10_000 {
            match self.router.poll_timeout() {
                Some(at) if at <= end => {
                    self.now = self.now.max(at);
                    self.router.handle_timeout(self.now);
                    self.drain();
                }
                _ => {
                    self.now = end;
                    return;
                }
            }
        }
        panic!("timers without end");
    }

    /// Lets time pass without running, as a stopped process.
    pub(crate) fn stand_still(&mut self, span: Duration) {
        self.now = self.now + span;
    }

    pub(crate) fn timeout(&mut self) {
        self.router.handle_timeout(self.now);
        self.drain();
    }

    pub(crate) fn with(&mut self, act: impl FnOnce(&mut Router, Instant)) {
        act(&mut self.router, self.now);
        self.drain();
    }

    /// An IPv4 datagram comes in on e0.
    pub(crate) fn hear(&mut self, bytes: &[u8]) {
        self.hear_on(E0, bytes);
    }

    pub(crate) fn hear_on(&mut self, link: LinkId, bytes: &[u8]) {
        let received = Received { link: Some(link), datagram: Datagram::V4(bytes) };
        self.router.handle_packet(self.now, &received);
        self.drain();
    }

    /// All lines since the last look.
    pub(crate) fn did(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    /// Log lines (keepalived's at its ordinary level) since the last look.
    pub(crate) fn log(&mut self) -> Vec<String> {
        let lines = self.did();
        lines.iter().filter_map(|line| line.strip_prefix("log: ")).map(str::to_owned).collect()
    }

    pub(crate) fn state(&self, id: RouterId) -> State {
        self.router.state(id).expect("a router")
    }

    /// When its main timer runs out, from now.
    pub(crate) fn left(&self, id: RouterId) -> Duration {
        self.router.status(id).expect("a router").deadline.expect("a timer").since(self.now)
    }
}

/// What a Master with this configuration sends, with another priority.
pub(crate) fn advert_of(host: u8, mut router: VirtualRouter, priority: u8) -> Vec<u8> {
    router.priority = priority.max(1);
    let mut lab = Lab::new(config(host, vec![router]));
    lab.pass(ms(30_000));
    if priority == 0 {
        lab.sent.clear();
        lab.with(|router, now| router.handle_shutdown(now));
    }
    lab.sent.pop().expect("an advert").bytes
}
