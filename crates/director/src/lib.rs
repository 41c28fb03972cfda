//! The director: virtual services and their real servers. Which of them are in the kernel's table, with what weight, and
//! why.
//!
//! A [`Director`] is all virtual servers of one process. It does no I/O and reads no clock: its driver calls `handle_*`
//! with the time and what has happened, takes what is to be done from [`Director::poll_action`] until there is nothing
//! more, and calls [`Director::handle_timeout`] when the time that [`Director::poll_timeout`] names has come.
//!
//! ```text
//! kernel's table ─ adopt            ┐              ┌ poll_action ─ Change (of the kernel's table, one at a time)
//! verdicts  ─ handle_check          │              │               Script, Fifo, Mail (notifications)
//! addresses ─ handle_presence       ├── Director ──┤               Event (keepalived's lines)
//! counters  ─ handle_connections    │              │               Resume, Suspend (checkers)
//! reload, shutdown, timeout         ┘              └ poll_timeout
//! ```
//!
//! Ids are positions in the configuration in force.

mod action;
mod cause;
mod config;
mod director;
mod drain;
mod event;
pub mod explain;
mod ids;
mod input;
mod mirror;
mod notices;
pub mod plane;
mod presence;
mod quorum;
mod reload;
mod servers;
mod slow_start;
mod start;
mod state;
mod status;
mod stop;
mod target;

pub use action::{Action, Hook};
pub use cause::Cause;
pub use config::{
    Checker, Config, FlushOnStop, GroupEntry, RealServer, Settings, SorryServer, Target, VirtualServer,
};
pub use director::Director;
pub use event::{Event, Name, What};
pub use ids::{CheckerId, RealServerId, VirtualServerId};
pub use input::{Verdict, Weight};
pub use status::{CheckerStatus, RealServerStatus, VirtualServerStatus};
