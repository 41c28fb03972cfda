//! Why something changed.

use core::fmt;
use std::sync::Arc;

/// Why something changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The process starts.
    Start,
    /// A checker found something.
    Checker {
        /// Its kind.
        kind: &'static str,
        /// What it found.
        reason: Arc<str>,
    },
    /// Another configuration.
    Reload,
    /// The process stops.
    Shutdown,
    /// An address came to this host or left it.
    Presence,
    /// A server that came back gets more of its weight.
    SlowStart,
    /// A server that is no longer configured has no connections left, or has had its time.
    Drained {
        /// Whether its time was over.
        timeout: bool,
    },
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("start"),
            Self::Checker { kind, reason } => write!(f, "{kind}: {reason}"),
            Self::Reload => f.write_str("reload"),
            Self::Shutdown => f.write_str("shutdown"),
            Self::Presence => f.write_str("the service's address"),
            Self::SlowStart => f.write_str("slow start"),
            Self::Drained { timeout: false } => f.write_str("drained"),
            Self::Drained { timeout: true } => f.write_str("drain time over"),
        }
    }
}
