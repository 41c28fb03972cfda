//! The checkers at work: their sockets, timers and scripts.

use crate::plan::{CheckerId, CheckerPlan};
use keepalived_conf::model;
use notice::log::Log;
use notice::mailbox::Mailbox;
use std::rc::Rc;

/// What a checker found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the server passed.
    pub up: bool,
    /// The weight that a dynamic checker gives the server, instead of its own.
    pub weight: Option<i64>,
    /// Why, for people: `connection refused`.
    pub reason: String,
}

/// What all checkers share.
#[derive(Debug)]
pub struct Shared {
    /// Where lines go.
    pub log: Rc<Log>,
    /// Accounts of scripts, `smtp_helo_name`, script security.
    pub global: Rc<model::Global>,
    /// What `SSL_GET` presents.
    pub ssl: Option<model::Ssl>,
    /// Where `FILE_CHECK` looks.
    pub files: Vec<model::TrackFile>,
    /// Seed of warm-ups and payloads.
    pub seed: u64,
    /// Where verdicts go: one when a checker has run for the first time, then whenever it finds otherwise.
    pub verdicts: Mailbox<(CheckerId, Verdict)>,
}

/// Runs checkers.
#[derive(Debug)]
pub struct Prober {
    shared: Shared,
}

impl Prober {
    /// With nothing to check.
    pub fn new(shared: Shared) -> Self {
        Self { shared }
    }

    /// Begins to check.
    pub fn start(&mut self, plan: CheckerPlan) {
        let _ = (&self.shared, plan);
    }

    /// Takes another configuration: what is checked from now on, each with the number it had before if it is the same
    /// (it then goes on as it is: its timers, its state), and what all share. The others end.
    pub fn reload(&mut self, shared: Shared, plans: Vec<(CheckerPlan, Option<CheckerId>)>) {
        let _ = plans;
        self.shared = shared;
    }

    /// Stops checking for now; what is under way is given up.
    pub fn suspend(&mut self, checker: CheckerId) {
        let _ = checker;
    }

    /// Goes on, beginning with the next round.
    pub fn resume(&mut self, checker: CheckerId) {
        let _ = checker;
    }
}

impl From<Verdict> for director::Verdict {
    fn from(verdict: Verdict) -> Self {
        Self::new(verdict.up, verdict.reason, "")
    }
}
