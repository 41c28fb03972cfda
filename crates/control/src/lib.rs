//! The runtime API: what a client of a `stats socket`, or of the master's own socket, may ask, and the answers (management guide, section 9.3).
//!
//! [`Session`] is the conversation with one client, without a socket: bytes in, bytes out. What it reports comes from
//! a [`Source`], which the program implements over the running proxy.

mod command;
mod field;
mod form;
mod info;
mod keywords;
mod process;
mod proxy;
mod session;
mod stat;

pub use info::Info;
pub use process::{Facts, info};
pub use proxy::rows;
pub use session::{Ending, Forward, Reply, Session};
pub use stat::{Filter, Kind, Row, render};

/// What every process can say of itself.
pub trait Common {
    /// The variables of `show env`, as `NAME=value`.
    fn environment(&self) -> Vec<String>;
    /// What `show version` answers.
    fn version(&self) -> String;
    /// What was said when the process started, or when the configuration was last read.
    fn startup_logs(&self) -> String;
}

/// A worker: where the answers of a `stats socket` come from.
pub trait Worker: Common {
    /// The figures of `show info`.
    fn info(&self) -> Info;
    /// Every line of `show stat`, in the order they are printed.
    fn rows(&self) -> Vec<Row>;
}

/// A master: where the answers of its own socket (`-S`) come from.
pub trait Master: Common {
    /// The table of `show proc`.
    fn processes(&self) -> String;
    /// The process ID of a worker.
    fn worker(&self, target: Target) -> Option<u32>;
}

/// A worker, as a client of its master names it (management guide, section 9.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// By its place among those that serve the configuration in force, from 1 (`@1`).
    Nth(u32),
    /// By its process ID (`@!1234`).
    Pid(u32),
}

/// Whom a client talks to.
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "named after the traits")]
pub enum Source<'a> {
    Worker(&'a dyn Worker),
    Master(&'a dyn Master),
}

impl std::fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Worker(_) => "Worker",
            Self::Master(_) => "Master",
        })
    }
}

impl Source<'_> {
    pub(crate) fn environment(self) -> Vec<String> {
        match self {
            Self::Worker(worker) => worker.environment(),
            Self::Master(master) => master.environment(),
        }
    }

    pub(crate) fn version(self) -> String {
        match self {
            Self::Worker(worker) => worker.version(),
            Self::Master(master) => master.version(),
        }
    }

    pub(crate) fn startup_logs(self) -> String {
        match self {
            Self::Worker(worker) => worker.startup_logs(),
            Self::Master(master) => master.startup_logs(),
        }
    }
}
