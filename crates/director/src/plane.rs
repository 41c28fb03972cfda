//! The data plane: the table of virtual services as the kernel keeps it, what can be changed in it, and what it counts.
//!
//! These are plain values, the words of every crate that speaks of the table. [`DataPlane`] is who carries changes out:
//! the kernel's IPVS, or [`Recording`], a fake with the kernel's rules.

mod change;
mod destination;
mod recording;
mod service;
mod statistics;
mod sync;
mod table;

pub use change::Change;
pub use destination::{Destination, DestinationKey, Forwarding, Tunnel, TunnelChecksum};
pub use recording::Recording;
pub use service::{Flags, Granularity, Protocol, Scheduler, Service, ServiceKey};
pub use statistics::{Counters, DestinationStatistics, Rates, ServiceStatistics, Statistics};
pub use sync::{Info, SyncDaemon, SyncRole, Timeouts};
pub use table::{Entry, Table};
pub use wire::Family;

use core::fmt;

/// Who keeps a table of virtual services.
///
/// A call is one request and its answer; nothing is buffered or repeated. What failed has changed nothing.
pub trait DataPlane {
    /// Makes one change.
    fn apply(&mut self, change: &Change) -> Result<(), PlaneError>;

    /// Makes several in their order, each done or refused by itself. One that can asks for many at once.
    fn apply_all(&mut self, changes: &[Change]) -> Vec<Result<(), PlaneError>> {
        changes.iter().map(|change| self.apply(change)).collect()
    }

    /// The table as it is, destinations in the order in which schedulers walk them.
    fn table(&mut self) -> Result<Table, PlaneError>;

    /// What is counted.
    fn statistics(&mut self) -> Result<Statistics, PlaneError>;

    /// Removes every service.
    fn flush(&mut self) -> Result<(), PlaneError>;

    /// How long connections are remembered.
    fn timeouts(&mut self) -> Result<Timeouts, PlaneError>;

    /// Sets those that are not zero.
    fn set_timeouts(&mut self, timeouts: &Timeouts) -> Result<(), PlaneError>;

    /// Starts a daemon of connection synchronisation.
    fn start_sync(&mut self, daemon: &SyncDaemon) -> Result<(), PlaneError>;

    /// Stops the daemon of a role.
    fn stop_sync(&mut self, role: SyncRole, id: u8) -> Result<(), PlaneError>;

    /// The daemons that run.
    fn sync_daemons(&mut self) -> Result<Vec<SyncDaemon>, PlaneError>;

    /// What is known of the implementation.
    fn info(&mut self) -> Result<Info, PlaneError>;
}

/// Why a data plane refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PlaneError {
    /// `EEXIST`: the service, destination or daemon is there already.
    Exists,
    /// `ESRCH`: there is no such service, or no such daemon.
    NoService,
    /// `ENOENT`: there is no such destination, or no such scheduler or persistence engine.
    NotFound,
    /// `EINVAL`: values that do not go together.
    Invalid,
    /// `ERANGE`: a weight or threshold out of range.
    Range,
    /// Another error number.
    System(i32),
    /// The data plane cannot be reached, or its answer cannot be understood.
    Unavailable(String),
}

impl PlaneError {
    /// The error of a number.
    pub fn from_errno(errno: i32) -> Self {
        match errno {
            17 => Self::Exists,
            3 => Self::NoService,
            2 => Self::NotFound,
            22 => Self::Invalid,
            34 => Self::Range,
            other => Self::System(other),
        }
    }

    /// Its number; `None` for [`PlaneError::Unavailable`].
    pub fn errno(&self) -> Option<i32> {
        Some(match self {
            Self::Exists => 17,
            Self::NoService => 3,
            Self::NotFound => 2,
            Self::Invalid => 22,
            Self::Range => 34,
            Self::System(errno) => *errno,
            Self::Unavailable(_) => return None,
        })
    }
}

impl fmt::Display for PlaneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists => f.write_str("it exists already"),
            Self::NoService => f.write_str("no such service"),
            Self::NotFound => f.write_str("no such destination, scheduler or persistence engine"),
            Self::Invalid => f.write_str("invalid operation"),
            Self::Range => f.write_str("weight or threshold out of range"),
            Self::System(errno) => write!(f, "error number {errno}"),
            Self::Unavailable(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for PlaneError {}
