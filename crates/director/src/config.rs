//! What a director is told to do. No syntax: whoever reads a file lowers it to this.

use crate::input::Verdict;
use crate::plane::{Flags, Forwarding, Granularity, Protocol, Scheduler};
use core::net::IpAddr;
use core::time::Duration;
use wire::Family;

/// Everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// What is of no single virtual server.
    pub settings: Settings,
    /// The virtual servers, in the order of the file. Two may stand for the same kernel services.
    pub virtual_servers: Vec<VirtualServer>,
}

/// What is of no single virtual server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `lvs_flush`: nothing that the kernel has at the start is kept.
    pub flush: bool,
    /// `lvs_flush_on_stop`.
    pub flush_on_stop: FlushOnStop,
    /// `rs_init_notifies`: notifiers of real servers that are up at the start are run, too.
    pub init_notifies: bool,
    /// `no_checker_emails`: a checker's result is mailed only when it changed the state of its server.
    pub no_checker_mail: bool,
}

/// `lvs_flush_on_stop`: how services are removed at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlushOnStop {
    /// Destination by destination, then the service.
    #[default]
    No,
    /// `VS`: service by service.
    Services,
    /// All at once, those of others too.
    Everything,
}

/// `virtual_server`: one set of real servers and one quorum, for one or more services of the kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct VirtualServer {
    /// What it stands for.
    pub target: Target,
    /// The family of marks that name none; of addresses, theirs.
    pub family: Family,
    /// The protocol of addresses; `None` when there are only marks.
    pub protocol: Option<Protocol>,
    /// `lb_algo`.
    pub scheduler: Scheduler,
    /// Its flags.
    pub flags: Flags,
    /// `persistence_timeout`, seconds.
    pub persistence: Option<u32>,
    /// `persistence_granularity`. keepalived has it for single addresses and marks, not for groups.
    pub granularity: Option<Granularity>,
    /// `persistence_engine`.
    pub engine: Option<String>,
    /// `quorum`: the sum of weights from which on the service counts as available, at least 1.
    pub quorum: u32,
    /// `hysteresis`: so much above is needed to gain the quorum, so much below to lose it; less than the quorum.
    pub hysteresis: u32,
    /// `omega`: notifiers are run when the process stops.
    pub omega: bool,
    /// `ha_suspend`: no checks while none of its addresses is on this host.
    pub ha_suspend: bool,
    /// `smtp_alert`, the global one applied.
    pub smtp_alert: bool,
    /// `sorry_server`.
    pub sorry_server: Option<SorryServer>,
    /// `real_server`.
    pub real_servers: Vec<RealServer>,
}

/// What a virtual server stands for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// An address and port; port 0: all.
    Address {
        /// The address.
        address: IpAddr,
        /// The port.
        port: u16,
    },
    /// A firewall mark.
    Mark(u32),
    /// A `virtual_server_group`.
    Group {
        /// Its name.
        name: String,
        /// What is in it.
        entries: Vec<GroupEntry>,
    },
}

/// A line of a `virtual_server_group`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupEntry {
    /// Addresses from the first to the last, at most 65536 of them.
    Addresses {
        /// The first.
        first: IpAddr,
        /// The last, of the same family and not before the first.
        last: IpAddr,
        /// The port; 0: all.
        port: u16,
    },
    /// A firewall mark.
    Mark {
        /// The mark.
        mark: u32,
        /// Its family; `None`: that of the virtual server.
        family: Option<Family>,
    },
}

/// `sorry_server`: in the table while the quorum is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SorryServer {
    /// Its address.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// How packets reach it.
    pub forwarding: Forwarding,
    /// `sorry_server_inhibit`: it stays in the table with weight 0 while it is not needed.
    pub inhibit: bool,
}

/// `real_server`, what it inherits applied.
#[derive(Clone, Debug, PartialEq)]
pub struct RealServer {
    /// Its address.
    pub address: IpAddr,
    /// Its port. With any forwarding but NAT the kernel gets the service's in place of it.
    pub port: u16,
    /// `weight`.
    pub weight: u32,
    /// How packets reach it.
    pub forwarding: Forwarding,
    /// `uthreshold`; 0: none.
    pub upper_threshold: u32,
    /// `lthreshold`.
    pub lower_threshold: u32,
    /// `inhibit_on_failure`: a server that is down stays in the table with weight 0.
    pub inhibit: bool,
    /// `smtp_alert`, the global one applied.
    pub smtp_alert: bool,
    /// `slow_start`: for so long after it came back its weight grows; zero: it has its weight at once. Nothing comes of it
    /// with a scheduler that [has no use for it](Scheduler::grades).
    pub slow_start: Duration,
    /// `drain`: a server that is no longer configured stays for at most so long, with weight 0, until its connections have
    /// ended; zero: it leaves at once.
    pub drain: Duration,
    /// Its checkers. It is up while none of them says otherwise.
    pub checkers: Vec<Checker>,
}

/// A checker of a real server.
#[derive(Clone, Debug, PartialEq)]
pub struct Checker {
    /// Its kind, as in the file (`TCP_CHECK`); for status only.
    pub kind: &'static str,
    /// What it does, in any form: a checker with the same text is the same after a reload and keeps its state.
    pub identity: String,
    /// `alpha`: it counts as failed until it has succeeded.
    pub alpha: bool,
    /// What is known before it starts (`FILE_CHECK`). Such a checker has no alpha mode, and after a reload this counts and
    /// not what was.
    pub known: Option<Verdict>,
}

impl Scheduler {
    /// Whether a smaller weight means fewer connections, so that a server can be let in slowly. Not so with those that
    /// ignore weights (rr, lc, dh), those to which weight is rank or capacity (fo, ovf), and those that would move clients
    /// from server to server with each change (sh, mh).
    pub fn grades(&self) -> bool {
        matches!(
            self,
            Self::WeightedRoundRobin
                | Self::WeightedLeastConnection
                | Self::LocalityLeastConnection
                | Self::LocalityLeastConnectionReplicated
                | Self::ShortestExpectedDelay
                | Self::NeverQueue
                | Self::TwoChoices
        )
    }
}
