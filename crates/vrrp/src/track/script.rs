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
        script.result = script.limits.rise.saturating_add(script.limits.fall) - 1;
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
        let Limits { rise, fall, .. } = self.limits;
        self.result = match success {
            true if self.result + 1 < rise => self.result + 1,
            true => rise.saturating_add(fall) - 1,
            false if self.result > rise => self.result - 1,
            false => 0,
        };
        self.known = true;
        let after = self.state();
        (after != before).then_some(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `+` a success, `-` a failure; the states after each.
    fn history(mut script: Script, exits: &str) -> String {
        let letter = |state| match state {
            TrackState::Up => 'U',
            TrackState::Down => 'D',
            TrackState::Unknown | TrackState::Value(_) => '?',
        };
        let mut seen = String::from(letter(script.state()));
        for exit in exits.chars() {
            let before = script.state();
            let told = script.handle_exit(exit == '+');
            assert_eq!(told, (before != script.state()).then(|| script.state()), "changes are told");
            seen.push(letter(script.state()));
        }
        seen
    }

    #[test]
    fn rise_and_fall() {
        let limits = |rise, fall, init_fail| Limits { rise, fall, init_fail };
        for (limits, exits, states) in [
            (limits(1, 1, false), "+-+", "?UDU"),
            // One result is enough at first, whatever rise and fall are.
            (limits(3, 2, false), "+--+++", "?UUDDDU"),
            (limits(3, 2, false), "-++-+++", "?DDDDDDU"),
            // A success in between starts the count of failures anew.
            (limits(2, 3, false), "+--+---", "?UUUUUUD"),
            (limits(2, 3, true), "+-++", "DDDDU"),
            (limits(0, 0, false), "+-", "?UD"),
        ] {
            assert_eq!(history(Script::new(limits), exits), states, "{limits:?} {exits}");
        }
        let limits = limits(2, 2, false);
        assert_eq!(history(Script::considered_successful(limits), "--"), "UUD");
    }
}
