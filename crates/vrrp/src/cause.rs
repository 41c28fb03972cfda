//! Why a virtual router or sync group changed its state.

use crate::event::Name;
use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

/// Why a state changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The process started.
    Start,
    /// The address owner does not wait for others.
    Owner,
    /// No good advert for the master-down interval.
    MasterDown {
        /// The last Master heard.
        master: Option<IpAddr>,
        /// How long nothing was heard of it.
        silence: Duration,
    },
    /// The Master said that it stops.
    Resigned {
        /// The Master.
        master: IpAddr,
    },
    /// The Master has a lower priority than ours.
    Preempted {
        /// The Master.
        master: IpAddr,
        /// Its priority.
        priority: u8,
    },
    /// Another router has a higher priority.
    HigherPriority {
        /// That router.
        from: IpAddr,
        /// Its priority.
        priority: u8,
    },
    /// Another router has the same priority and a higher address.
    HigherAddress {
        /// That router.
        from: IpAddr,
        /// Its priority, and ours.
        priority: u8,
    },
    /// This host did not run for so long that another router took over.
    Paused {
        /// For how long.
        pause: Duration,
        /// The router that was heard, if one was.
        from: Option<IpAddr>,
    },
    /// Something does not let it take part.
    Fault(FaultReason),
    /// All that did not let it take part is well again.
    Recovered(FaultReason),
    /// A member of the sync group changed.
    Group {
        /// The sync group.
        group: Name,
        /// The member.
        member: Name,
    },
    /// The configuration was read again.
    Reload,
    /// The process stops.
    Shutdown,
}

/// What puts a virtual router in Fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultReason {
    /// An interface is down.
    Link(Name),
    /// The interface has no address to send from.
    NoSource(Name),
    /// Something tracked has failed (with `reverse`: is well).
    Track(Name),
    /// The values of tracked files and weights add up to less than −253.
    Weight(Name),
    /// Unicast without peers.
    NoPeers,
}

impl fmt::Display for FaultReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link(name) => write!(f, "interface {name}"),
            Self::NoSource(name) => write!(f, "address of {name}"),
            Self::Track(name) | Self::Weight(name) => write!(f, "tracked {name}"),
            Self::NoPeers => f.write_str("unicast peers"),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("start"),
            Self::Owner => f.write_str("address owner"),
            Self::MasterDown { master: Some(master), silence } => {
                write!(f, "no advert of {master} for {:.3} s", silence.as_secs_f64())
            }
            Self::MasterDown { master: None, silence } => {
                write!(f, "no advert for {:.3} s", silence.as_secs_f64())
            }
            Self::Resigned { master } => write!(f, "{master} resigned"),
            Self::Preempted { master, priority } => write!(f, "preempts {master} of priority {priority}"),
            Self::HigherPriority { from, priority } => write!(f, "{from} has the higher priority {priority}"),
            Self::HigherAddress { from, priority } => {
                write!(f, "{from} has the same priority {priority} and the higher address")
            }
            Self::Paused { pause, from: Some(from) } => {
                write!(f, "this host did not run for {:.3} s, and {from} took over", pause.as_secs_f64())
            }
            Self::Paused { pause, from: None } => {
                write!(f, "this host did not run for {:.3} s", pause.as_secs_f64())
            }
            Self::Fault(FaultReason::Link(name)) => write!(f, "interface {name} down"),
            Self::Fault(FaultReason::NoSource(name)) => write!(f, "no address on {name}"),
            Self::Fault(FaultReason::Track(name)) => write!(f, "tracked {name} failed"),
            Self::Fault(FaultReason::Weight(name)) => write!(f, "tracked {name} outweighs the priority"),
            Self::Fault(FaultReason::NoPeers) => f.write_str("no unicast peers"),
            Self::Recovered(what) => write!(f, "{what} well again"),
            Self::Group { group, member } => write!(f, "with {member} of sync group {group}"),
            Self::Reload => f.write_str("reload"),
            Self::Shutdown => f.write_str("shutdown"),
        }
    }
}
