//! What instances and groups track.

use super::{Name, Script};
use std::path::PathBuf;
use std::time::Duration;

/// How much a tracked thing weighs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Weight {
    /// Added to or taken from the priority; 0: failure means FAULT. −254 to 254 for scripts, processes and interfaces
    /// (±253 where keepalived says so), any number for files.
    pub value: i32,
    /// `reverse`: counts the other way round; with 0: FAULT while it is well.
    pub reverse: bool,
}

/// A line of `track_interface`, `track_script`, `track_file`, `track_process`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tracked {
    /// What is tracked.
    pub name: Name,
    /// `weight`; as said here, else as the tracked block says, else its default.
    pub weight: Weight,
    /// Whether it was said here.
    pub weight_written: bool,
}

/// `vrrp_script`.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackScript {
    /// Its name.
    pub name: Name,
    /// What runs; a `vrrp_script` without is dropped.
    pub script: Script,
    /// From one start to the next; default 1 s.
    pub interval: Duration,
    /// How long it may run; zero: `interval`.
    pub timeout: Duration,
    /// Default weight of those that track it; default 0.
    pub weight: Weight,
    /// Successes in a row to be well; default 1.
    pub rise: u32,
    /// Failures in a row to be not; default 1.
    pub fall: u32,
    /// Counts as failed until it has succeeded `rise` times.
    pub init_fail: bool,
}

/// `param_match` of a tracked process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ParameterMatch {
    /// Not said: all parameters as given, if any are given; else parameters do not matter.
    #[default]
    Exact,
    /// Said with no parameters to compare: the process must have none.
    None,
    /// `initial`: the last parameter may be longer.
    Initial,
    /// `partial`: the first ones are as given, more may follow.
    Partial,
}

/// `vrrp_track_process`.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackProcess {
    /// Its name.
    pub name: Name,
    /// `process`: what is looked for.
    pub process: String,
    /// Its parameters.
    pub parameters: Vec<String>,
    /// How they are compared.
    pub parameter_match: ParameterMatch,
    /// Compares the full command line, not the process name.
    pub full_command: bool,
    /// Default weight; default 1.
    pub weight: Weight,
    /// At least this many; default 1.
    pub quorum: u32,
    /// At most this many; `None`: any number.
    pub quorum_max: Option<u32>,
    /// `fork_delay` or `delay`.
    pub fork_delay: Duration,
    /// `terminate_delay` or `delay`.
    pub terminate_delay: Duration,
}

/// `init_file` of a tracked file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InitFile {
    /// What is written; default 0.
    pub value: i32,
    /// Also over a file that exists.
    pub overwrite: bool,
}

/// `track_file`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrackFile {
    /// Its name.
    pub name: Name,
    /// The file.
    pub path: PathBuf,
    /// Default weight; default 1.
    pub weight: Weight,
    /// `init_file`.
    pub init: Option<InitFile>,
}

/// What an instance or a sync group tracks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tracking {
    /// `track_interface`.
    pub interfaces: Vec<Tracked>,
    /// `track_script`; all of them exist.
    pub scripts: Vec<Tracked>,
    /// `track_file`; all of them exist.
    pub files: Vec<Tracked>,
    /// `track_process`; all of them exist.
    pub processes: Vec<Tracked>,
}
