//! The checkers at work: their sockets, timers and scripts around the cores of [`check::checker`].
//!
//! There may be ten thousand of them, so a checker that waits for its next attempt is a small entry in a table and a place in a
//! heap of due times: no task, no timer, no buffer, no descriptor ([`engine`]). An attempt is a task that lives as long as it
//! takes, and what one has to wait for, no other waits for.
//!
//! Attempts begin in the order in which they are due, a few per turn of the loop, so that what comes in from others is handled in
//! between, and as many at once as there are descriptors for. Where descriptors run out, attempts wait for them: a server is not
//! down because this process is short of something.

mod datagram;
mod engine;
mod file;
mod link;
mod mail;
mod plan;
mod script;
mod stream;
#[cfg(test)]
mod tests;
mod web;

use crate::plan::{CheckerId, CheckerPlan};
use engine::Engine;
use keepalived_conf::model;
use notice::log::Log;
use notice::mailbox::Mailbox;
use std::rc::Rc;

pub use check::checker::Weight;
pub use engine::Counters;
pub use plan::tls_client;

/// What a checker found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the server passes.
    pub up: bool,
    /// Whether the checker has changed its mind: false for the first verdict when it is what was assumed, and where only the
    /// weight is news.
    pub changed: bool,
    /// What becomes of the weight; to be done before the rest. `None`: it stays.
    pub weight: Option<WeightChange>,
    /// The body of the mail about it, when one is to be sent.
    pub mail: Option<String>,
    /// Why, for people: `connection refused`.
    pub reason: String,
}

/// What a dynamic checker does to its server's weight. Each checker has its own part in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightChange {
    /// `MISC_CHECK`.
    Script(Weight),
    /// `FILE_CHECK`: its part is this much (it replaces what the part was).
    Sum(i32),
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
    /// Where verdicts go: one when a checker has run for the first time, then whenever it finds otherwise or changes the weight.
    pub verdicts: Mailbox<(CheckerId, Verdict)>,
}

/// Runs checkers, on the reactor of its thread. Dropping it ends them.
#[derive(Debug)]
pub struct Prober {
    engine: Rc<Engine>,
    _turns: reactor::Task<()>,
}

impl Prober {
    /// With nothing to check.
    ///
    /// # Panics
    /// Where no reactor runs.
    pub fn new(shared: Shared) -> Self {
        let engine = Engine::new(shared);
        Self { _turns: reactor::spawn_task(engine.clone().turns()), engine }
    }

    /// Begins to check. The plan's number takes the place of whatever had it.
    pub fn start(&mut self, plan: CheckerPlan) {
        self.engine.start(plan);
    }

    /// Takes another configuration: what is checked from now on, each with the number it had before if it is the same
    /// (it then goes on as it is: its timers, its state), and what all share. The others end.
    pub fn reload(&mut self, shared: Shared, plans: Vec<(CheckerPlan, Option<CheckerId>)>) {
        self.engine.reload(shared, plans);
    }

    /// Stops checking for now; what is under way is given up.
    pub fn suspend(&mut self, checker: CheckerId) {
        self.engine.suspend(checker);
    }

    /// Goes on, when its next attempt would have been due.
    pub fn resume(&mut self, checker: CheckerId) {
        self.engine.resume(checker);
    }

    /// How many attempts there were, and how many wait.
    pub fn counters(&self) -> Counters {
        self.engine.counters()
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.engine.clear();
    }
}

impl From<Verdict> for director::Verdict {
    fn from(verdict: Verdict) -> Self {
        let weight = verdict.weight.map(|weight| match weight {
            WeightChange::Script(Weight::Configured) => director::Weight::Configured,
            WeightChange::Script(Weight::Absolute(weight)) => director::Weight::Exactly(weight.into()),
            WeightChange::Script(Weight::Forgotten) => director::Weight::Forgotten,
            WeightChange::Sum(sum) => director::Weight::Plus(sum.into()),
        });
        Self { weight, ..Self::new(verdict.up, verdict.reason, verdict.mail.unwrap_or_default()) }
    }
}
