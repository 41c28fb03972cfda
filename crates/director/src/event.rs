//! The lines of the log: keepalived's, word for word.

use crate::cause::Cause;
use core::fmt;
use core::time::Duration;
use std::sync::Arc;

/// A name as log lines have it: `[10.0.0.1]:tcp:80`, `FWM 3`, `[group]:0`.
pub type Name = Arc<str>;

/// Something to be logged.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What happened.
    pub what: What,
    /// Why.
    pub cause: Cause,
}

/// What happened. `server` is a real or sorry server, `service` a virtual server.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A server came up.
    ServerUp {
        /// It.
        server: Name,
        /// Where.
        service: Name,
        /// It was in the table with weight 0.
        inhibit: bool,
    },
    /// A server went down.
    ServerDown {
        /// It.
        server: Name,
        /// Where.
        service: Name,
        /// It stays in the table with weight 0.
        inhibit: bool,
    },
    /// A server leaves because the process stops, or because a reload dropped it.
    ServerLeaves {
        /// It.
        server: Name,
        /// Where.
        service: Name,
        /// It was down and in the table with weight 0.
        inhibited: bool,
        /// The process stops.
        stopping: bool,
    },
    /// A reload dropped a server.
    ServerGone {
        /// It.
        server: Name,
    },
    /// A weight changed.
    Weight {
        /// Whose.
        server: Name,
        /// Where.
        service: Name,
        /// The weight before.
        from: u32,
        /// The weight now.
        to: u32,
        /// Whether the server is up.
        active: bool,
    },
    /// The weights of the servers that are up are enough.
    QuorumGained {
        /// Where.
        service: Name,
        /// `quorum`.
        quorum: u32,
        /// `hysteresis`.
        hysteresis: u32,
        /// What was needed.
        threshold: i64,
        /// What there is.
        weight: u64,
    },
    /// They are not.
    QuorumLost {
        /// Where.
        service: Name,
        /// `quorum`.
        quorum: u32,
        /// `hysteresis`.
        hysteresis: u32,
        /// What was needed.
        threshold: i64,
        /// What there is.
        weight: u64,
        /// At the start, or after a reload.
        initially: bool,
    },
    /// The sorry server takes over.
    SorryUp {
        /// It.
        server: Name,
        /// Where.
        service: Name,
        /// It was in the table with weight 0.
        inhibit: bool,
    },
    /// The sorry server is not needed any more.
    SorryDown {
        /// It.
        server: Name,
        /// Where.
        service: Name,
        /// It stays in the table with weight 0.
        inhibit: bool,
    },
    /// Servers that are up go into the table as the sorry server leaves, or the other way round.
    Pool {
        /// Where.
        service: Name,
        /// They go in.
        add: bool,
    },
    /// A reload dropped a virtual server.
    ServiceGone {
        /// It; of a group, the group's name.
        service: Name,
        /// It stood for a group.
        group: bool,
    },
    /// A reload added something to a group.
    EntryAdded {
        /// What, in brackets.
        entry: String,
        /// The group's name.
        group: String,
    },
    /// A reload took something from a group.
    EntryGone {
        /// What, in brackets.
        entry: String,
        /// The group's name.
        group: String,
    },
    /// A checker begins, at the start or after a reload.
    Checker {
        /// Of which server.
        server: Name,
        /// Where.
        service: Name,
        /// It does not: the service's address is elsewhere.
        suspended: bool,
    },
    /// The address came to this host or left it.
    Activity {
        /// Of which server.
        server: Name,
        /// Where.
        service: Name,
        /// It came.
        active: bool,
    },
    /// A server that came back is let in slowly.
    SlowStart {
        /// It.
        server: Name,
        /// Where.
        service: Name,
        /// For so long.
        time: Duration,
    },
    /// It has its whole weight.
    SlowStartDone {
        /// It.
        server: Name,
        /// Where.
        service: Name,
    },
    /// A server that is no longer configured waits for its connections to end.
    Draining {
        /// It.
        server: Name,
        /// Where.
        service: Name,
        /// At most so long.
        time: Duration,
    },
    /// At the start: what the kernel had for this service was kept.
    Adopted {
        /// The service, as the kernel has it.
        service: Name,
        /// Destinations that were kept.
        kept: usize,
        /// Destinations that are not configured, and were left alone.
        foreign: usize,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.what.fmt(f)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServerUp { server, service, inhibit: false } => {
                write!(f, "Adding service {server} to VS {service}")
            }
            Self::ServerUp { server, service, inhibit: true } => {
                write!(f, "Enabling service {server} of VS {service}")
            }
            Self::ServerDown { server, service, inhibit: false } => {
                write!(f, "Removing service {server} from VS {service}")
            }
            Self::ServerDown { server, service, inhibit: true } => {
                write!(f, "Disabling service {server} of VS {service}")
            }
            Self::ServerLeaves { server, service, inhibited, stopping } => {
                let verb = if *stopping { "Shutting down" } else { "Removing" };
                let state = if *inhibited { "(inhibited) " } else { "" };
                write!(f, "{verb} {state}service {server} from VS {service}")
            }
            Self::ServerGone { server } => write!(f, "service {server} no longer exist"),
            Self::Weight { server, service, from, to, active } => {
                let active = if *active { "active" } else { "inactive" };
                write!(f, "Changing weight from {from} to {to} for {active} service {server} of VS {service}")
            }
            Self::QuorumGained { service, quorum, hysteresis, threshold, weight } => {
                write!(f, "Gained quorum {quorum}+{hysteresis}={threshold} <= {weight} for VS {service}")
            }
            Self::QuorumLost { service, quorum, hysteresis, threshold, weight, initially } => {
                let what = if *initially { "Starting with quorum down" } else { "Lost quorum" };
                write!(f, "{what} {quorum}-{hysteresis}={threshold} > {weight} for VS {service}")
            }
            Self::SorryUp { server, service, inhibit } => {
                let verb = if *inhibit { "Enabling" } else { "Adding" };
                write!(f, "{verb} sorry server {server} to VS {service}")
            }
            Self::SorryDown { server, service, inhibit } => {
                let verb = if *inhibit { "Disabling" } else { "Removing" };
                write!(f, "{verb} sorry server {server} from VS {service}")
            }
            Self::Pool { service, add: true } => {
                write!(f, "Adding alive servers to the pool for VS {service}")
            }
            Self::Pool { service, add: false } => {
                write!(f, "Removing alive servers from the pool for VS {service}")
            }
            Self::ServiceGone { service, group: false } => write!(f, "Removing Virtual Server {service}"),
            Self::ServiceGone { service, group: true } => {
                write!(f, "Removing Virtual Server Group [{service}]")
            }
            Self::EntryAdded { entry, group } => write!(f, "VS [{entry}] added into group {group}"),
            Self::EntryGone { entry, group } => write!(f, "VS [{entry}] in group {group} no longer exists"),
            Self::Checker { server, service, suspended } => {
                let verb = if *suspended { "Deactivating" } else { "Activating" };
                write!(f, "{verb} healthchecker for service {server} for VS {service}")
            }
            Self::Activity { server, service, active } => {
                let verb = if *active { "Activating" } else { "Suspending" };
                write!(f, "{verb} healthchecker for service {server} for VS {service}")
            }
            Self::SlowStart { server, service, time } => {
                write!(f, "Slow start of service {server} of VS {service} for {} s", time.as_secs_f64())
            }
            Self::SlowStartDone { server, service } => {
                write!(f, "Slow start of service {server} of VS {service} is over")
            }
            Self::Draining { server, service, time } => {
                write!(f, "Draining service {server} of VS {service} for at most {} s", time.as_secs_f64())
            }
            Self::Adopted { service, kept, foreign } => {
                write!(f, "Service {service} was in the kernel already: kept {kept} of its servers")?;
                if *foreign > 0 {
                    write!(f, ", left alone {foreign} that are not configured")?;
                }
                Ok(())
            }
        }
    }
}
