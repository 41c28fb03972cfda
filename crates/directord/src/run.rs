//! The role's process: what it is allowed, its loop, its end.

use keepalived_conf::model;
use notice::log::LogOptions;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

/// Reads the configuration again; `None`: it was not usable, and the old one stays. It has said why.
pub type Reload = Box<dyn FnMut() -> Option<model::Config>>;

/// How the role runs.
pub struct Options {
    /// Where log lines go.
    pub log: LogOptions,
    /// The end of a stream socketpair whose other end the parent has. The role says `Ready` and `Ending` there, in the
    /// frames of the VRRP process.
    pub parent: Option<OwnedFd>,
    /// What SIGHUP does.
    pub reload: Option<Reload>,
    /// The process stays as privileged as it is (for tests, and where others share the process).
    pub keep_privileges: bool,
    /// The kernel's table stays when it ends (`-I`).
    pub keep_services: bool,
    /// The configuration is written to the log at the start (`-d`).
    pub dump: bool,
    /// Changes nothing in the kernel, and logs what it would change (`--dry-run`).
    pub dry_run: bool,
    /// Where the socket is made on which status is asked for; see [`crate::status`].
    pub control: Option<PathBuf>,
}

impl Options {
    /// Nothing but a log.
    pub fn new(log: LogOptions) -> Self {
        Self {
            log,
            parent: None,
            reload: None,
            keep_privileges: false,
            keep_services: false,
            dump: false,
            dry_run: false,
            control: None,
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("log", &self.log)
            .field("parent", &self.parent)
            .finish_non_exhaustive()
    }
}

/// How the role ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It was told to.
    Stopped,
    /// It could not begin with this configuration on this host; starting it again does not help.
    Config,
    /// It could not go on; starting it again may help.
    Failed,
}

/// Runs the role until it is told to stop.
pub fn run(config: model::Config, options: Options) -> Exit {
    let _ = (config, options);
    Exit::Failed
}
