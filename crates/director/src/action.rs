//! What a director wants done.

use crate::cause::Cause;
use crate::event::Event;
use crate::ids::{CheckerId, RealServerId, VirtualServerId};
use crate::plane;

/// Something to be done, in the order given. Ids are those of the configuration in force when the action was made: actions
/// before [`Action::Reloaded`] speak of the one before.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Change the kernel's table. When that fails, read the table anew and hand it to
    /// [`Director::handle_table`](crate::Director::handle_table).
    Change(plane::Change, Cause),
    /// Empty the kernel's table.
    Flush(Cause),
    /// Write a line to the log.
    Event(Event),
    /// Run a notify script, if one is configured.
    Script {
        /// Which.
        hook: Hook,
        /// The process stops: it gets one second to end.
        stopping: bool,
        /// Why.
        cause: Cause,
    },
    /// Write a line, which ends with a line feed, to the FIFOs.
    Fifo(String),
    /// Send a mail. keepalived puts `[router_id] ` before the subject.
    Mail {
        /// Its subject, without the router's name.
        subject: String,
        /// Its body.
        body: String,
    },
    /// Check from now on.
    Resume(CheckerId),
    /// Check no more, until resumed.
    Suspend(CheckerId),
    /// From here on, ids are those of the new configuration.
    Reloaded,
}

/// A notify script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hook {
    /// `quorum_up`.
    QuorumUp(VirtualServerId),
    /// `quorum_down`.
    QuorumDown(VirtualServerId),
    /// `notify_up`.
    Up(RealServerId),
    /// `notify_down`.
    Down(RealServerId),
}
