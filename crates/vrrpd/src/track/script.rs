//! `vrrp_script`: a program run again and again, whose exit status counts.

use super::{Reports, TrackReport};
use keepalived_conf::model::TrackScript;
use nix::errno::Errno;
use notice::log::Log;
use notice::script::{Outcome, Program};
use reactor::{now, sleep_until};
use std::cell::Cell;
use std::io;
use std::rc::Rc;
use vrrp::TrackState;
use vrrp::track::script::{Limits, Script};

/// How far the current run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    Running,
    BeingEnded,
}

/// Runs a tracked script for ever, the first time at once; dropping the future ends it. A run never begins while the one
/// before goes on.
pub async fn watch_script<K: Copy + 'static>(
    settings: TrackScript,
    program: Program,
    was_well: bool,
    which: K,
    reports: Reports<K>,
    not_run: Rc<Cell<u64>>,
    log: Rc<Log>,
) {
    let limits = Limits { rise: settings.rise, fall: settings.fall, init_fail: settings.init_fail };
    let script = if was_well { Script::considered_successful(limits) } else { Script::new(limits) };
    let watch = Rc::new(Watch {
        name: settings.name.text.clone(),
        phase: Cell::new(Phase::Idle),
        last: Cell::new(None),
        script: std::cell::RefCell::new(script),
        which,
        reports,
        not_run,
        log,
    });
    let limit = if settings.timeout.is_zero() { settings.interval } else { settings.timeout };
    let mut next = now();
    let mut run = None;
    loop {
        match watch.phase.get() {
            Phase::Idle => run = watch.clone().start(&program, limit),
            Phase::Running => watch.log.info(format_args!(
                "Track script {} is already running, expect idle - skipping run",
                watch.name
            )),
            Phase::BeingEnded => watch.log.info(format_args!(
                "Track script {} is being timed out, expect idle - skipping run",
                watch.name
            )),
        }
        // Not a fixed time after the end of this turn: intervals do not drift. After a pause missed runs are not made up.
        next = next + settings.interval;
        let current = now();
        if next < current {
            next = current + settings.interval;
        }
        sleep_until(next).await;
        if run.as_ref().is_some_and(reactor::Task::is_finished) {
            run = None;
        }
    }
}

struct Watch<K> {
    name: String,
    phase: Cell<Phase>,
    /// The exit status of the last run.
    last: Cell<Option<i32>>,
    script: std::cell::RefCell<Script>,
    which: K,
    reports: Reports<K>,
    /// How often none could be run for a reason that is not the script's.
    not_run: Rc<Cell<u64>>,
    log: Rc<Log>,
}

/// Whether this host is short of something that a script needs to be run; that says nothing of what the script looks at.
fn is_shortage(error: &io::Error) -> bool {
    let shortages = [Errno::EMFILE, Errno::ENFILE, Errno::EAGAIN, Errno::ENOMEM];
    error.raw_os_error().is_some_and(|number| shortages.contains(&Errno::from_raw(number)))
}

impl<K: Copy + 'static> Watch<K> {
    fn start(self: Rc<Self>, program: &Program, limit: std::time::Duration) -> Option<reactor::Task<()>> {
        let run = match program.start(&[]) {
            Ok(run) => run,
            Err(error) if is_shortage(&error) => {
                self.not_run.set(self.not_run.get() + 1);
                self.log.info(format_args!(
                    "Unable to run track script {}, whose state stays: {error}",
                    self.name
                ));
                return None;
            }
            Err(error) => {
                self.log.info(format_args!("Unable to run track script {}: {error}", self.name));
                self.ended(Outcome::Exited(127));
                return None;
            }
        };
        self.phase.set(Phase::Running);
        Some(reactor::spawn_task(async move {
            let outcome = run.ended(limit, || self.phase.set(Phase::BeingEnded)).await;
            self.phase.set(Phase::Idle);
            self.ended(outcome);
        }))
    }

    fn ended(&self, outcome: Outcome) {
        if let Outcome::Exited(status) = outcome {
            let before = self.last.replace(Some(status));
            // keepalived takes a script that has not run yet for one that returned 0.
            if before.unwrap_or(0) != status {
                self.log.info(format_args!("Script `{}` now returning {status}", self.name));
            }
        }
        let Some(state) = self.script.borrow_mut().handle_exit(outcome.is_success()) else { return };
        let name = &self.name;
        match (state, outcome) {
            (TrackState::Up, _) => self.log.info(format_args!("VRRP_Script({name}) succeeded")),
            (_, Outcome::Exited(status)) => {
                self.log.info(format_args!("VRRP_Script({name}) failed (exited with status {status})"));
            }
            (_, Outcome::Killed(signal)) => {
                self.log.info(format_args!("VRRP_Script({name}) failed (due to signal {signal})"));
            }
            (_, Outcome::TimedOut) => self.log.info(format_args!("VRRP_Script({name}) timed_out")),
        }
        self.reports.put(TrackReport { which: self.which, state });
    }
}
