//! What a configuration comes to: the core's part and the checkers' plans.

use keepalived_conf::model;
use std::rc::Rc;

/// A checker of the configuration in force, counted through all virtual servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckerId(pub u32);

/// All that is needed to run a checker.
#[derive(Clone, Debug)]
pub struct CheckerPlan {
    /// Its number.
    pub id: CheckerId,
    /// What it does, inheritance applied.
    pub checker: Rc<model::Checker>,
    /// The real server, as log lines show it: `[10.0.0.1]:tcp:80`.
    pub real: Rc<str>,
    /// The virtual server, as log lines show it.
    pub service: Rc<str>,
    /// Every failed attempt is logged: the checker's own wish or `checker_log_all_failures`.
    pub log_all_failures: bool,
    /// It counts as up until it has run (false with `alpha`).
    pub up: bool,
}
