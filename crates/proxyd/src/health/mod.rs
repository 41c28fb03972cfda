//! Health checks: one task for each checked server.
//!
//! A task sleeps, connects, says what the check says, listens, and reports. What an answer is worth, how many make a
//! server change state and how long to sleep is decided in the `check` crate; the sockets and the clock are here. All
//! waiting is on the reactor, so a slow server delays nobody's check but its own.

mod checked;
mod plan;
mod probe;

pub use checked::start;
pub use plan::{Plan, plans};
pub use probe::Probe;

use check::{Health, Jitter, Step};
use reactor::{SockAddr, Timer};

/// The server that a task checks, and who learns what it finds.
pub trait Target {
    /// Where to connect for the next check; `None`: the plan's address.
    fn address(&self) -> Option<SockAddr> {
        None
    }

    /// Whether to check at all: not while the server is in maintenance, nor while the process stops.
    fn duty(&self) -> Duty;

    /// A check begins.
    fn begin(&self) {}

    /// A check ended: `health` has taken it in (its outcome is [`Health::last`]), and `step` says what came of it.
    fn report(&self, health: &Health, step: Step);
}

/// What there is to do when a check is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// Check.
    Check,
    /// Leave this check out; look again when the next one is due.
    Pause,
    /// Never check again.
    End,
}

/// Checks a server until its [`Duty::End`].
///
/// A server that leaves maintenance counts as up until the check that follows, as HAProxy has it.
pub async fn watch(plan: Plan, target: impl Target) {
    let mut health = Health::new(plan.rise, plan.fall, true);
    let mut jitter = Jitter::new(plan.spread_percent, plan.seed);
    let timer = Timer::new();
    let mut paused = false;
    let mut delay = plan.first;
    loop {
        timer.set(Some(reactor::now() + delay));
        timer.expired().await;
        delay = match target.duty() {
            Duty::End => return,
            Duty::Pause => {
                if !paused {
                    health.suspend();
                    paused = true;
                }
                plan.pace.inter
            }
            Duty::Check => {
                if paused {
                    health.resume();
                    paused = false;
                }
                target.begin();
                let outcome = plan.probe.run(&plan, target.address().as_ref(), &timer).await;
                // The server may have entered maintenance meanwhile: then nobody wants to know.
                if target.duty() == Duty::Check {
                    let step = health.handle(outcome);
                    target.report(&health, step);
                }
                let delay = plan.pace.delay(&health);
                jitter.spread(delay).apply(delay)
            }
        };
    }
}
