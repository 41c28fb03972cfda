//! What virtual routers depend on: scripts, files, processes. Each is watched by a task that reports to a [`Mailbox`].

mod file;
mod process;
mod script;

pub use file::{init_file, read_value, watch_files};
pub use process::{ProcessWatch, watch_processes};
pub use script::watch_script;

use notice::mailbox::Mailbox;
use vrrp::TrackState;

/// A report: which entry of the configuration's list, and how it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrackReport<K> {
    /// Which.
    pub which: K,
    /// How it is.
    pub state: TrackState,
}

/// Where reports go.
pub type Reports<K> = Mailbox<TrackReport<K>>;
