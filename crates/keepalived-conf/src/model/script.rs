//! Programs that are run.

use super::{Name, Place};
use std::path::PathBuf;

/// A user and, when said, a group, by name or number as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The user.
    pub user: Name,
    /// The group; `None`: the user's own.
    pub group: Option<Name>,
}

/// A program with its arguments and the account it runs under.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// The program and its arguments, split as keepalived splits them; the first is never empty.
    pub command: Vec<String>,
    /// As which user; `None`: `script_user`, then the user `keepalived_script`, then whom the program runs as.
    pub account: Option<Account>,
    /// Where it is named.
    pub place: Place,
}

/// `notify_master` and its like, of an instance or a sync group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notify {
    /// `notify_master`.
    pub master: Option<Box<Script>>,
    /// `notify_backup`.
    pub backup: Option<Box<Script>>,
    /// `notify_fault`.
    pub fault: Option<Box<Script>>,
    /// `notify_stop`.
    pub stop: Option<Box<Script>>,
    /// `notify_master_rx_lower_pri`; instances only.
    pub master_rx_lower_priority: Option<Box<Script>>,
    /// `notify_deleted` was said: DELETED is sent instead of FAULT when a reload drops it; instances only.
    pub send_deleted: bool,
    /// The script of `notify_deleted`, when it names one.
    pub deleted: Option<Box<Script>>,
    /// `notify`: gets `GROUP|INSTANCE NAME STATE PRIORITY` appended.
    pub any: Option<Box<Script>>,
    /// `notify_priority_changes`; `None`: `vrrp_notify_priority_changes` of `global_defs`.
    pub priority_changes: Option<bool>,
    /// `smtp_alert`; `None`: `smtp_alert_vrrp` or `smtp_alert` of `global_defs`.
    pub smtp_alert: Option<bool>,
}

/// A named pipe that gets a line for each event, and the program that reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fifo {
    /// The path; `None` when only the script is said (then nothing happens).
    pub path: Option<PathBuf>,
    /// Who owns the pipe when it has to be made.
    pub account: Option<Account>,
    /// `…_script`: gets the path as its last argument.
    pub script: Option<Script>,
    /// Where the path stands.
    pub place: Place,
}
