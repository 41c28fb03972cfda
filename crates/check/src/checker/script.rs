//! `MISC_CHECK`: what the end of a script means.

use core::time::Duration;

/// How far the driver had gone to end a script that runs too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// It runs.
    #[default]
    Running,
    /// Its process group was sent SIGTERM, at the end of `misc_timeout`.
    Terminating,
    /// Its process group was sent SIGKILL, [`Stage::PATIENCE`] later.
    Killing,
}

impl Stage {
    /// From SIGTERM to SIGKILL.
    pub const PATIENCE: Duration = Duration::from_secs(2);
}

const SIGKILL: u8 = 9;
const SIGTERM: u8 = 15;

/// How a script ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptEnd {
    /// With a status.
    Exited(u8),
    /// By a signal.
    Signaled(u8),
    /// By the signal that was sent to it because it ran too long.
    TimedOut,
}

impl ScriptEnd {
    /// It was ended by `signal` at this stage.
    pub const fn by_signal(signal: u8, stage: Stage) -> Self {
        match (stage, signal) {
            (Stage::Terminating | Stage::Killing, SIGTERM) | (Stage::Killing, SIGKILL) => Self::TimedOut,
            _ => Self::Signaled(signal),
        }
    }

    /// The exit status, when it means that all is well: zero, and with `misc_dynamic` 2 to 255.
    pub const fn passed(self, dynamic: bool) -> Option<u8> {
        match self {
            Self::Exited(status) if status == 0 || (dynamic && status >= 2) => Some(status),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses() {
        let passed = |status, dynamic| ScriptEnd::Exited(status).passed(dynamic);
        assert_eq!([0, 1, 2, 255].map(|status| passed(status, false)), [Some(0), None, None, None]);
        assert_eq!([0, 1, 2, 255].map(|status| passed(status, true)), [Some(0), None, Some(2), Some(255)]);
        assert_eq!(ScriptEnd::Signaled(2).passed(true), None);
        assert_eq!(ScriptEnd::TimedOut.passed(true), None);
    }

    #[test]
    fn only_our_own_signals_are_a_timeout() {
        use ScriptEnd::{Signaled, TimedOut};
        let ends = |stage| [SIGTERM, SIGKILL, 11].map(|signal| ScriptEnd::by_signal(signal, stage));
        assert_eq!(ends(Stage::Running), [Signaled(15), Signaled(9), Signaled(11)]);
        assert_eq!(ends(Stage::Terminating), [TimedOut, Signaled(9), Signaled(11)]);
        assert_eq!(ends(Stage::Killing), [TimedOut, TimedOut, Signaled(11)]);
    }
}
