//! The virtual router redundancy protocol: versions 2 (RFC 3768, RFC 2338) and 3 (RFC 5798, RFC 9568), with keepalived's
//! behaviour where it differs, its sync groups, tracking, announcements and packet checks.
//!
//! A [`Router`] is all virtual routers of one process. It does no I/O and reads no clock: its driver calls `handle_*` with
//! the time and what has happened, takes what is to be done from [`Router::poll_action`] until there is nothing more, and
//! calls [`Router::handle_timeout`] when the time that [`Router::poll_timeout`] names has come.
//!
//! ```text
//! packets  ─ handle_packet  ┐             ┌ poll_action ─ Send (a datagram, complete)
//! links    ─ handle_link    │             │               Install, Withdraw, Adjust, Restore (addresses, routes, rules)
//! tracks   ─ handle_track   ├── Router ───┤               Announce (gratuitous ARP, neighbour advertisement)
//! addresses─ handle_address │             │               Notify (scripts, FIFOs, mail)
//! reload, shutdown, timeout ┘             │               Log (keepalived's lines)
//!                                         └ poll_timeout
//! ```
//!
//! **After each wake of its loop the driver hands over all received packets before it calls `handle_timeout`.** A router
//! that was stopped for a while thus hears what others said meanwhile before it acts on a timer that ran out.

mod action;
mod announce;
mod bad;
mod cause;
mod check;
mod config;
mod counters;
mod election;
mod event;
mod faults;
mod guard;
mod ids;
mod input;
mod instance;
mod limit;
mod lookup;
mod receive;
mod reload;
mod router;
mod state;
mod sync;
mod timers;
pub mod track;
mod transmit;

pub use action::{Action, Advert, Announcement, Notification, Subject};
pub use bad::Bad;
pub use cause::{Cause, FaultReason};
pub use config::{
    Address, Announce, Authentication, ChecksumMode, Config, Group, Initial, Link, Mode, Pace, Peer,
    Preemption, Settings, Tracking, Unicast, VirtualRouter,
};
pub use counters::{Counters, Strays};
pub use event::{Event, Name, Truncated, What};
pub use ids::{GroupId, LinkId, PaceId, RouterId, TrackId};
pub use input::{AddressChange, Datagram, LinkChange, Received};
pub use router::{GroupStatus, Router, Status};
pub use state::State;
pub use track::{Track, TrackState};
pub use wire::Family;
pub use wire::vrrp::Version;
