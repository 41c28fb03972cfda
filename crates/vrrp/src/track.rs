//! Interfaces, scripts, processes and files that virtual routers and sync groups depend on.

pub mod script;

use crate::event::Name;
use crate::ids::LinkId;

/// Something tracked.
#[derive(Clone, Debug)]
pub struct Track {
    /// Its name, for log lines and reasons.
    pub name: Name,
    /// What it is.
    pub kind: Kind,
    /// How it is at the start; of interfaces the link says it. A reload keeps that of the track with the same name and
    /// kind.
    pub state: TrackState,
}

/// What is tracked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An interface; [`Router::handle_link`](crate::Router::handle_link) reports it.
    Interface(LinkId),
    /// A script (see [`script::Script`]).
    Script,
    /// Processes (see [`process_state`]).
    Process,
    /// A file with a number.
    File,
    /// A BFD session.
    Bfd,
    /// Something that must be on this host: a source address, the addresses, routes and rules of a `track_group`.
    Presence,
}

/// How something tracked is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrackState {
    /// Not known yet: virtual routers that track it with weight 0 wait.
    Unknown,
    /// Well.
    Up,
    /// Failed.
    Down,
    /// The number in a file: times the weight it is added to the priority; with weight 0, any but 0 is a failure.
    Value(i64),
}

/// The state of tracked processes: well when there are at least `quorum` and at most `quorum_max` (0 for no limit).
pub fn process_state(running: u32, quorum: u32, quorum_max: u32) -> TrackState {
    if running >= quorum && (quorum_max == 0 || running <= quorum_max) {
        TrackState::Up
    } else {
        TrackState::Down
    }
}
