//! A host: a process with virtual routers, its clock, its interfaces and their addresses.

use ek_time::Instant;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;
use vrrp::{Advert, Config, LinkId, Router, RouterId, State};

/// A host's monotonic clock beside the true time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// What it shows at the true time 0.
    pub offset: Duration,
    /// How much too fast it is, in millionths.
    pub drift: i64,
}

impl Clock {
    /// What it shows at a true time.
    pub fn local(&self, truth: Duration) -> Instant {
        let nanos = truth.as_nanos() as i128 * (1_000_000 + i128::from(self.drift)) / 1_000_000;
        Instant::ZERO + self.offset + Duration::from_nanos(nanos as u64)
    }

    /// The first true time at which it shows `local` or more.
    pub fn truth(&self, local: Instant) -> Duration {
        let nanos = i128::from(local.as_nanos()) - self.offset.as_nanos() as i128;
        let rate = 1_000_000 + i128::from(self.drift);
        Duration::from_nanos(((nanos * 1_000_000 + rate - 1) / rate).max(0) as u64)
    }
}

/// A packet on its way.
#[derive(Clone, Debug)]
pub struct Packet {
    /// From.
    pub source: IpAddr,
    /// To.
    pub destination: IpAddr,
    /// Time to live or hop limit.
    pub ttl: u8,
    /// IPv4: the datagram; IPv6: its payload.
    pub bytes: Vec<u8>,
}

impl From<&Advert> for Packet {
    fn from(advert: &Advert) -> Self {
        Self {
            source: advert.source,
            destination: advert.destination,
            ttl: advert.ttl,
            bytes: advert.bytes.clone(),
        }
    }
}

/// A host.
#[derive(Debug)]
pub struct Host {
    /// What its virtual routers are told to be.
    pub config: Config,
    /// A configuration that waits for [`vrrp::Action::Reloaded`].
    pub next_config: Option<Config>,
    /// The process, when it runs.
    pub process: Option<Router>,
    /// Its clock.
    pub clock: Clock,
    /// The segment of each interface.
    pub links: Vec<usize>,
    /// Whether each interface is plugged in.
    pub plugged: Vec<bool>,
    /// The host does not run at the moment; packets wait.
    pub paused: bool,
    /// Packets that wait.
    pub inbox: Vec<(LinkId, Packet)>,
    /// Addresses on its interfaces.
    pub addresses: BTreeSet<(LinkId, IpAddr)>,
    /// Virtual routers whose addresses are to be there.
    pub installed: BTreeSet<RouterId>,
    /// Tells wake-ups that are out of date.
    pub generation: u64,
    /// Someone else has taken an address away, and the process has not been told yet.
    pub robbed: BTreeSet<(LinkId, IpAddr)>,
}

/// How many packets a paused host keeps, as a socket's buffer would.
const INBOX: usize = 200;

impl Host {
    /// A host whose process does not run yet.
    pub fn new(config: Config, clock: Clock, links: Vec<usize>) -> Self {
        Self {
            config,
            next_config: None,
            process: None,
            clock,
            plugged: vec![true; links.len()],
            links,
            paused: false,
            inbox: Vec::new(),
            addresses: BTreeSet::new(),
            installed: BTreeSet::new(),
            generation: 0,
            robbed: BTreeSet::new(),
        }
    }

    /// A virtual router's state; `None` when the process does not run.
    pub fn state(&self, router: usize) -> Option<State> {
        let process = self.process.as_ref()?;
        Some(process.status(RouterId(router as u32))?.state)
    }

    /// Keeps a packet until the host runs again.
    pub fn keep(&mut self, link: LinkId, packet: Packet) {
        if self.inbox.len() < INBOX {
            self.inbox.push((link, packet));
        }
    }

    /// Where the addresses of a virtual router belong.
    pub fn addresses_of(&self, router: RouterId) -> Vec<(LinkId, IpAddr)> {
        let of =
            |router: &vrrp::VirtualRouter| router.addresses.iter().map(|a| (a.link, a.address)).collect();
        self.config.routers.get(router.index()).map_or_else(Vec::new, of)
    }
}
