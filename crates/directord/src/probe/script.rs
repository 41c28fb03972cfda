//! `MISC_CHECK`.

use super::engine::Ended;
use check::checker::Attempt;
use check::checker::script::ScriptEnd;
use ek_time::Duration;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use notice::script::{Outcome, Program};
use reactor::is_shortage;

/// A program and its time limit. It has neither input nor output.
#[derive(Debug)]
pub(super) struct ScriptCheck {
    program: Program,
    shown: String,
    limit: Duration,
}

/// Ends a program and all it has started when its attempt is given up.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // It has not been reaped, so the number is still its.
            let _ = killpg(pid, Signal::SIGKILL);
        }
    }
}

impl ScriptCheck {
    pub(super) fn new(program: Program, limit: Duration) -> Self {
        Self { shown: program.path().display().to_string(), program, limit }
    }

    /// The program, as lines show it.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// Runs it.
    pub(super) async fn check(&self) -> Ended {
        let run = match self.program.start(&[]) {
            Ok(run) => run,
            Err(error) if is_shortage(&error) || error.kind() == std::io::ErrorKind::WouldBlock => {
                return Ended::Shortage;
            }
            // As a shell has it.
            Err(error) => {
                return Ended::Attempt(Attempt::Script(ScriptEnd::Exited(127)), Some(error.to_string()));
            }
        };
        let mut group = Group(i32::try_from(run.pid()).ok().map(Pid::from_raw));
        let outcome = run.ended(self.limit, || {}).await;
        group.0 = None;
        let byte = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
        let (end, detail) = match outcome {
            Outcome::Exited(0) => (ScriptEnd::Exited(0), "passed".to_owned()),
            Outcome::Exited(status) => {
                (ScriptEnd::Exited(byte(status)), format!("exited with status {status}"))
            }
            Outcome::Killed(signal) => {
                (ScriptEnd::Signaled(byte(signal)), format!("ended by signal {signal}"))
            }
            Outcome::TimedOut => (ScriptEnd::TimedOut, "not done in time".to_owned()),
        };
        Ended::Attempt(Attempt::Script(end), Some(detail))
    }
}
