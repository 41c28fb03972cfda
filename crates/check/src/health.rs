//! Rise and fall: how many outcomes in a row make a server change state.

use crate::outcome::{Outcome, Status, Verdict};

/// What a server's checks say it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Takes work.
    Up,
    /// Well, but takes no new work (`http-check disable-on-404`).
    Stopping,
    /// Takes no work.
    Down,
}

/// A change of standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// What it was.
    pub from: Standing,
    /// What it is.
    pub to: Standing,
}

/// What an outcome led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Whether `option log-health-checks` has something to log: the count moved, or the check ended otherwise than the
    /// one before.
    pub report: bool,
    /// The change of standing, if it is one.
    pub transition: Option<Transition>,
}

/// The health of one server.
///
/// A level counts from 0 to `rise + fall - 1`. Below `rise` the server is down and each success lifts the level by
/// one, from `rise` on it is up and each failure lowers it by one; crossing the border jumps to the far end. A server
/// starts at the border: its first check decides.
#[derive(Clone, Debug)]
pub struct Health {
    rise: u32,
    fall: u32,
    level: u32,
    standing: Standing,
    /// Whether a check that fails outright is to be followed at the fast pace even though the level is full.
    hurried: bool,
    last: Outcome,
    failures: u64,
    falls: u64,
}

impl Health {
    /// `rise` and `fall` are at least 1 (zero counts as 1). A server that starts up is at the border, so one failure
    /// takes it down; a server that does not needs `rise` successes.
    pub fn new(rise: u32, fall: u32, initially_up: bool) -> Self {
        let (rise, fall) = (rise.max(1), fall.max(1));
        let (level, standing) = if initially_up { (rise, Standing::Up) } else { (0, Standing::Down) };
        let last = Outcome::new(Status::Initializing);
        Self { rise, fall, level, standing, hurried: false, last, failures: 0, falls: 0 }
    }

    fn full(&self) -> u32 {
        self.rise.saturating_add(self.fall) - 1
    }

    /// Takes in the outcome of a check.
    pub fn handle(&mut self, outcome: Outcome) -> Step {
        let mut report = outcome.status != self.last.status;
        let verdict = outcome.status.verdict();
        self.last = outcome;
        self.hurried = false;
        let wanted = match verdict {
            Verdict::Unknown => return Step { report: false, transition: None },
            Verdict::Failed => {
                if self.level > 0 {
                    report = true;
                    self.failures += 1;
                    self.level -= 1;
                    if self.level < self.rise {
                        self.level = 0;
                    }
                }
                if self.level == 0 { Standing::Down } else { self.standing }
            }
            Verdict::Passed | Verdict::Conditional => {
                if self.level < self.full() {
                    report = true;
                    self.level += 1;
                    if self.level >= self.rise {
                        self.level = self.full();
                    }
                }
                match verdict {
                    _ if self.level < self.rise => self.standing,
                    Verdict::Conditional => Standing::Stopping,
                    _ => Standing::Up,
                }
            }
        };
        Step { report, transition: self.become_(wanted) }
    }

    fn become_(&mut self, to: Standing) -> Option<Transition> {
        let from = core::mem::replace(&mut self.standing, to);
        if from == to {
            return None;
        }
        if to == Standing::Down {
            self.falls += 1;
        }
        Some(Transition { from, to })
    }

    /// The server's standing is set by hand (`set server … health`), with the level at that end.
    pub fn set(&mut self, standing: Standing) -> Option<Transition> {
        self.level = if standing == Standing::Down { 0 } else { self.full() };
        self.become_(standing)
    }

    /// The server enters maintenance: it counts as down and is not checked.
    pub fn suspend(&mut self) {
        self.level = 0;
        self.standing = Standing::Down;
    }

    /// The server leaves maintenance: it is up until its next check, which is due at once, says otherwise.
    pub fn resume(&mut self) {
        self.level = self.rise;
        self.standing = Standing::Up;
    }

    /// Asks for the fast pace until the next outcome.
    pub fn hurry(&mut self) {
        self.hurried = true;
    }

    /// What the checks say.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// Whether the next checks come at the normal pace: the server is well and nothing hints otherwise.
    pub(crate) fn steady(&self) -> bool {
        self.level == self.full() && !self.hurried
    }

    /// Whether it is down with no success since.
    pub(crate) fn bottom(&self) -> bool {
        self.level == 0 && self.standing == Standing::Down
    }

    /// The last outcome ([`Status::Initializing`] before the first).
    pub fn last(&self) -> &Outcome {
        &self.last
    }

    /// Failed checks while it was not all the way down (`chkfail`).
    pub fn failures(&self) -> u64 {
        self.failures
    }

    /// How often it went down (`chkdown`).
    pub fn falls(&self) -> u64 {
        self.falls
    }

    /// `rise` (`check_rise`).
    pub fn rise(&self) -> u32 {
        self.rise
    }

    /// `fall` (`check_fall`).
    pub fn fall(&self) -> u32 {
        self.fall
    }

    /// The level (`check_health`), 0 to `rise + fall - 1`.
    pub fn level(&self) -> u32 {
        self.level
    }

    /// How far it is: `(1, 3)` for the first of three failures left, or of three successes had.
    pub fn progress(&self) -> (u32, u32) {
        if self.level >= self.rise {
            (self.level - self.rise + 1, self.fall)
        } else {
            (self.level, self.rise)
        }
    }

    /// The status column of the statistics: `UP`, `UP 1/3`, `DOWN`, `DOWN 1/2`, `NOLB`, `NOLB 1/3`.
    pub fn display(&self) -> Display {
        let word = match self.standing {
            Standing::Up => "UP",
            Standing::Stopping => "NOLB",
            Standing::Down => "DOWN",
        };
        let whole = if self.standing == Standing::Down { self.level == 0 } else { self.level == self.full() };
        let (done, of) = if self.standing == Standing::Down {
            (self.level, self.rise)
        } else {
            ((self.level + 1).saturating_sub(self.rise), self.fall)
        };
        Display { word, progress: (!whole).then_some((done, of)) }
    }
}

/// A standing as the statistics show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Display {
    word: &'static str,
    progress: Option<(u32, u32)>,
}

impl core::fmt::Display for Display {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.word)?;
        match self.progress {
            Some((done, of)) => write!(f, " {done}/{of}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(rise: u32, fall: u32, up: bool, script: &str) -> String {
        let mut health = Health::new(rise, fall, up);
        let mut said = health.display().to_string();
        for outcome in script.chars() {
            let status = match outcome {
                '+' => Status::L7Ok,
                '0' => Status::L7OkConditional,
                '-' => Status::L7Status,
                _ => Status::Unknown,
            };
            let step = health.handle(Outcome::new(status));
            said += if step.transition.is_some() { " => " } else { ", " };
            said += &health.display().to_string();
        }
        said
    }

    #[test]
    fn the_first_check_decides() {
        assert_eq!(run(2, 3, true, "-"), "UP 1/3 => DOWN");
        assert_eq!(run(2, 3, true, "+"), "UP 1/3, UP");
        assert_eq!(run(2, 3, false, "+"), "DOWN, DOWN 1/2");
    }

    #[test]
    fn rise_and_fall() {
        assert_eq!(
            run(2, 3, true, "+--+---+-++-"),
            "UP 1/3, UP, UP 2/3, UP 1/3, UP, UP 2/3, UP 1/3 => DOWN, DOWN 1/2, DOWN, DOWN 1/2 => UP, UP 2/3"
        );
        assert_eq!(run(1, 1, true, "-+-"), "UP => DOWN => UP => DOWN");
    }

    #[test]
    fn conditional_success_takes_no_new_work() {
        assert_eq!(run(2, 2, true, "+0+"), "UP 1/2, UP => NOLB => UP");
        assert_eq!(run(2, 2, true, "0-"), "UP 1/2 => NOLB, NOLB 1/2");
        assert_eq!(run(1, 2, true, "+--0"), "UP 1/2, UP, UP 1/2 => DOWN => NOLB");
    }

    proptest! {
        #[test]
        fn levels_stay_in_range(rise in 0u32..6, fall in 0u32..6, up: bool, script in "[+0-]{0,60}") {
            let mut health = Health::new(rise, fall, up);
            for outcome in script.chars() {
                let status = if outcome == '-' { Status::L4Timeout } else { Status::L4Ok };
                let before = health.standing();
                let step = health.handle(Outcome::new(status));
                prop_assert!(health.level() < rise.max(1) + fall.max(1));
                prop_assert_eq!(health.standing() == Standing::Down, health.level() < health.rise());
                prop_assert_eq!(step.transition.is_some(), before != health.standing());
            }
        }
    }
}
