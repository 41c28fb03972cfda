//! What stands in the log: each event is one line, keepalived's own where it has one (without syslog's prefix).

use crate::cause::Cause;
use crate::state::State;
use core::fmt;
use core::net::IpAddr;
use core::time::Duration;
use std::sync::Arc;

/// A name, shared by all that mention it.
pub type Name = Arc<str>;

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// `(VI_1) Entering MASTER STATE`.
    Entering {
        /// The virtual router.
        router: Name,
        /// The state.
        state: State,
        /// At the start: `(init)`.
        init: bool,
    },
    /// Ours: the change and its cause.
    Changed {
        /// The virtual router.
        router: Name,
        /// The state before.
        from: State,
        /// The state now.
        to: State,
        /// Why.
        cause: Cause,
    },
    /// A packet was found bad.
    BadPacket {
        /// The virtual router.
        router: Name,
        /// Why.
        why: Bad,
        /// How many of this kind were not logged since the last that was.
        suppressed: u64,
    },
}

/// Why a packet is bad.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bad {
    /// Shorter than its headers.
    Truncated {
        /// Bytes there were.
        len: usize,
    },
}

impl Event {
    /// Whether keepalived logs it only when asked for details (`-D`).
    pub fn detail(&self) -> bool {
        false
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entering { router, state, init } => {
                write!(f, "({router}) Entering {state} STATE{}", if *init { " (init)" } else { "" })
            }
            Self::Changed { router, from, to, cause } => write!(f, "({router}) {from} to {to}: {cause}"),
            Self::BadPacket { router, .. } => write!(f, "({router}) bad packet"),
        }
    }
}
#[allow(dead_code)]
fn keep(_: IpAddr, _: Duration) {}
