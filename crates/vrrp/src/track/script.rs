//! Rise and fall of a tracked script (`vrrp_script`).

use super::TrackState;

/// The limits of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `rise`: successes in a row until it is well, at least 1.
    pub rise: u32,
    /// `fall`: failures in a row until it has failed, at least 1.
    pub fall: u32,
    /// `init_fail`: failed until it has risen; else the first result decides.
    pub init_fail: bool,
}

/// A tracked script.
#[derive(Clone, Debug)]
pub struct Script {
    limits: Limits,
    /// From 0 (failed for good) to `rise + fall - 1` (well for good); well from `rise` on.
    result: u32,
    known: bool,
}

impl Script {
    /// One that has not run.
    pub fn new(limits: Limits) -> Self {
        let limits = Limits { rise: limits.rise.max(1), fall: limits.fall.max(1), ..limits };
        // One success is enough at first, and one failure.
        let result = if limits.init_fail { 0 } else { limits.rise - 1 };
        Self { limits, result, known: limits.init_fail }
    }

    /// One that was well before a reload.
    pub fn considered_successful(limits: Limits) -> Self {
        let mut script = Self::new(limits);
        script.known = true;
        script.result = script.limits.rise;
        script
    }

    /// How it is.
    pub fn state(&self) -> TrackState {
        match (self.known, self.result >= self.limits.rise) {
            (false, _) => TrackState::Unknown,
            (true, true) => TrackState::Up,
            (true, false) => TrackState::Down,
        }
    }

    /// It ran; `success` is an exit status of 0. Returns the state when that has changed.
    pub fn handle_exit(&mut self, success: bool) -> Option<TrackState> {
        let before = self.state();
        let top = self.limits.rise.saturating_add(self.limits.fall) - 1;
        if success {
            self.result = (self.result + 1).min(top);
            if self.result >= self.limits.rise && (!self.known || before != TrackState::Up) {
                self.result = top;
            }
        } else if !self.known {
            self.result = 0;
        } else {
            self.result = self.result.saturating_sub(1);
            if self.result < self.limits.rise && before == TrackState::Up {
                self.result = 0;
            }
        }
        self.known = true;
        let after = self.state();
        (after != before).then_some(after)
    }
}
