//! Rounds and retries: when a checker's failures become a verdict.

use super::attempt::{Attempt, Failure, Lengths, Obstacle, Proof};
use super::line::{Line, Tried, What};
use super::script::ScriptEnd;
use super::settings::{Kind, Settings};
use core::time::Duration;

/// What a checker says of its server; it says so once, and again when it changes its mind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the server is well.
    pub up: bool,
    /// Whether the checker was of another mind before; false only for the first verdict.
    pub changed: bool,
    /// The mail to send, when a mail is to be sent of it at all.
    pub mail: Option<Mail>,
}

/// What a mail about a verdict says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mail {
    pub(super) kind: Kind,
    pub(super) up: bool,
    pub(super) failure: Option<Failure>,
    pub(super) timed_out: bool,
}

/// What a checker wants of its server's weight. Each checker has a part in it, at first none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// The configured weight, which is what a status of zero means: no part in it.
    Configured,
    /// This weight instead of the configured one: the part is the difference.
    Absolute(u16),
    /// The checker's part is forgotten without a word: its server goes down.
    Forgotten,
}

/// What follows from an attempt. It is to be acted on in the order of its fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// The server's weight, when it changes (`misc_dynamic`).
    pub weight: Option<Weight>,
    /// What to log.
    pub lines: [Option<Line>; 3],
    /// The verdict, when there is one.
    pub verdict: Option<Verdict>,
    /// From the end of the attempt to the next one.
    pub wait: Duration,
}

impl Step {
    fn log(&mut self, kind: Kind, what: What) {
        if let Some(free) = self.lines.iter_mut().find(|line| line.is_none()) {
            *free = Some(Line { kind, what });
        }
    }
}

/// No url.
const NONE: u16 = u16::MAX;

/// The state of one checker between two attempts. It is small, for there may be ten thousand; its settings are given with
/// each call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// `HTTP_GET`: for each url, by how much its length last differed from what it said; made when one first does.
    lengths: Option<Box<[i64]>>,
    /// Failures in a row that count.
    tried: u32,
    /// `HTTP_GET`: the url that is next.
    url: u16,
    /// `HTTP_GET`: the url that failed, until it passes.
    failed_url: u16,
    up: bool,
    has_run: bool,
    /// `MISC_CHECK`: the last status that counted.
    status: u8,
}

impl Retry {
    /// A checker at the start of the program: up until found otherwise, with `alpha` the other way round. Its first round
    /// has no retries (but `SMTP_CHECK`'s has).
    pub fn new(settings: &Settings) -> Self {
        let tried = if settings.kind == Kind::Smtp { 0 } else { settings.retry };
        Self { up: !settings.alpha, tried, ..Self::added() }
    }

    /// A checker that a reload added to a server: up until found otherwise, with all its retries. When checkers of its
    /// server have failed, or none has run, keepalived treats it as [`Retry::new`] does.
    pub const fn added() -> Self {
        Self { lengths: None, tried: 0, url: 0, failed_url: NONE, up: true, has_run: false, status: 0 }
    }

    /// A checker that was there before a reload, under its new settings: what it knows stays.
    pub fn kept(&self, settings: &Settings) -> Self {
        let mut kept = Self { has_run: self.has_run, status: self.status, ..Self::added() };
        if self.has_run {
            kept.up = self.up;
        }
        if settings.retry > 0 && settings.kind != Kind::Smtp {
            kept.tried = self.tried.min(settings.retry - 1);
        }
        kept
    }

    /// Whether it takes its server for well.
    pub fn up(&self) -> bool {
        self.up
    }

    /// Whether it has been run.
    pub fn has_run(&self) -> bool {
        self.has_run
    }

    /// The url to ask next.
    pub fn url(&self) -> usize {
        usize::from(self.url)
    }

    /// Failures in a row so far that were followed by a retry.
    pub fn tried(&self) -> u32 {
        self.tried
    }

    /// An attempt ended, `took` after it had begun.
    pub fn finish(&mut self, settings: &Settings, attempt: Attempt, took: Duration) -> Step {
        let mut step = Step { wait: settings.delay_loop, ..Step::default() };
        let (proof, failure, lengths) = match attempt {
            Attempt::Passed => (Proof::Status, None, None),
            Attempt::Failed(failure) => (Proof::Status, Some(failure), None),
            Attempt::Page { result, lengths } => {
                (result.unwrap_or(Proof::Status), result.err(), Some(lengths))
            }
            Attempt::Script(end) => {
                self.script(settings, end, took, &mut step);
                return step;
            }
        };
        match settings.kind {
            Kind::Http | Kind::Ssl => {
                let whole = !matches!(failure, Some(Failure::Status(_)));
                if let Some(lengths) = lengths.filter(|_| whole) {
                    self.lengths(settings, lengths, &mut step);
                }
                match failure {
                    None => self.page_passed(settings, proof, &mut step),
                    Some(failure) => self.page_failed(settings, failure, &mut step),
                }
            }
            Kind::Tcp | Kind::Misc => self.connection(settings, failure, &mut step),
            Kind::Udp | Kind::Ping => self.datagram(settings, failure, &mut step),
            Kind::Smtp => self.mail_server(settings, failure, &mut step),
            Kind::Dns => self.name_server(settings, failure, &mut step),
        }
        step
    }

    /// An attempt could not be begun. It does not count.
    pub fn put_off(&self, settings: &Settings, obstacle: Obstacle) -> Step {
        let mut step = Step { wait: settings.delay_loop, ..Step::default() };
        step.log(settings.kind, What::PutOff(obstacle));
        step
    }

    /// Whether a verdict of this kind would be news.
    fn news(&self, up: bool) -> bool {
        self.up != up || !self.has_run
    }

    fn decide(&mut self, settings: &Settings, up: bool, failure: Option<Failure>, step: &mut Step) {
        let changed = self.up != up;
        let mail = Mail { kind: settings.kind, up, failure, timed_out: false };
        step.verdict = Some(Verdict { up, changed, mail: changed.then_some(mail) });
        self.up = up;
        self.has_run = true;
    }

    /// The retries as a line that gives up says them.
    fn retries(&self, settings: &Settings) -> Option<u32> {
        (self.has_run && settings.retry > 0).then_some(settings.retry)
    }

    /// The end of a round of `TCP_CHECK`, `UDP_CHECK` and `PING_CHECK`.
    fn conclude(&mut self, settings: &Settings, failure: Option<Failure>, step: &mut Step) {
        self.tried = 0;
        let up = failure.is_none();
        if self.news(up) {
            let what = if up { What::Up } else { What::Down(self.retries(settings)) };
            step.log(settings.kind, what);
            self.decide(settings, up, failure, step);
        }
    }

    fn connection(&mut self, settings: &Settings, failure: Option<Failure>, step: &mut Step) {
        self.log_attempt(settings, failure, step);
        if failure.is_none() || self.tried >= settings.retry {
            self.conclude(settings, failure, step);
        } else {
            step.wait = settings.delay_before_retry;
            self.tried += 1;
        }
        self.has_run = true;
    }

    fn datagram(&mut self, settings: &Settings, failure: Option<Failure>, step: &mut Step) {
        if let (Kind::Ping, Some(failure)) = (settings.kind, failure)
            && matches!(
                failure,
                Failure::Write(_) | Failure::Read(_) | Failure::ShortEcho(_) | Failure::EchoType(_)
            )
        {
            step.log(settings.kind, What::Echo(failure));
        }
        self.log_attempt(settings, failure, step);
        if failure.is_none() || (self.news(false) && self.tried >= settings.retry) {
            self.conclude(settings, failure, step);
        } else if self.up {
            step.wait = settings.delay_before_retry;
            self.tried += 1;
        }
        self.has_run = true;
    }

    /// `log_all_failures` of those that do not decide by themselves what to say.
    fn log_attempt(&self, settings: &Settings, failure: Option<Failure>, step: &mut Step) {
        if let Some(failure) = failure
            && self.up
            && settings.log_all_failures
            && !matches!(failure, Failure::Unreachable | Failure::Write(_))
        {
            step.log(settings.kind, What::Failure(failure));
        }
    }

    fn mail_server(&mut self, settings: &Settings, failure: Option<Failure>, step: &mut Step) {
        let Some(failure) = failure else {
            self.tried = 0;
            if self.news(true) {
                step.log(settings.kind, What::Up);
                self.decide(settings, true, None, step);
            }
            self.has_run = true;
            return;
        };
        if self.news(false) && (settings.log_all_failures || self.tried >= settings.retry) {
            step.log(settings.kind, What::Failure(failure));
        }
        self.tried = self.tried.saturating_add(1);
        if self.tried <= settings.retry {
            step.wait = settings.delay_before_retry;
            return;
        }
        self.tried = 0;
        if self.news(false) {
            self.decide(settings, false, Some(failure), step);
        }
    }

    fn name_server(&mut self, settings: &Settings, failure: Option<Failure>, step: &mut Step) {
        if let Some(failure) = failure {
            if self.news(false) {
                let last = self.tried >= settings.retry;
                if settings.log_all_failures || last {
                    let retries = (self.has_run && last).then_some(settings.retry);
                    step.log(settings.kind, What::Dns(failure, retries));
                }
                if !last {
                    self.tried += 1;
                    self.has_run = true;
                    step.wait = settings.delay_before_retry;
                    return;
                }
                self.decide(settings, false, Some(failure), step);
            }
        } else if self.news(true) {
            self.decide(settings, true, None, step);
        }
        self.tried = 0;
    }

    fn script(&mut self, settings: &Settings, end: ScriptEnd, took: Duration, step: &mut Step) {
        if let Some(status) = end.passed(settings.dynamic) {
            if status != self.status {
                step.weight = Some(match status {
                    0 => Weight::Configured,
                    status => Weight::Absolute(u16::from(status - 2)),
                });
                self.status = status;
            }
            self.tried = 0;
            if self.news(true) {
                step.log(settings.kind, What::Script(end, Tried::Passed));
                self.decide_script(settings, true, end, step);
            }
        } else if self.news(false) {
            if self.tried < settings.retry {
                self.tried += 1;
                if settings.log_all_failures {
                    let tried = Tried::Nth { tried: self.tried, retry: settings.retry };
                    step.log(settings.kind, What::Script(end, tried));
                }
            } else {
                self.tried = 0;
                if let ScriptEnd::Exited(status) = end {
                    self.status = status;
                }
                step.weight = Some(Weight::Forgotten);
                step.log(settings.kind, What::Script(end, Tried::Last { retry: settings.retry }));
                self.decide_script(settings, false, end, step);
            }
        }
        self.has_run = true;
        // The interval is from start to start.
        let wait = if self.tried > 0 { settings.delay_before_retry } else { settings.delay_loop };
        step.wait = wait.saturating_sub(took).max(Duration::from_micros(1));
    }

    fn decide_script(&mut self, settings: &Settings, up: bool, end: ScriptEnd, step: &mut Step) {
        self.decide(settings, up, None, step);
        if let Some(verdict) = &mut step.verdict {
            let timed_out = end == ScriptEnd::TimedOut;
            verdict.mail = Some(Mail { kind: settings.kind, up, failure: None, timed_out });
        }
    }

    /// Says that a page is not as long as it said, once for each difference.
    fn lengths(&mut self, settings: &Settings, lengths: Option<Lengths>, step: &mut Step) {
        let difference = lengths.map_or(0, Lengths::difference);
        if difference == 0 && self.lengths.is_none() {
            return;
        }
        let count = usize::from(settings.urls.max(1));
        let known = self.lengths.get_or_insert_with(|| vec![0; count].into_boxed_slice());
        let Some(last) = known.get_mut(usize::from(self.url)) else { return };
        if core::mem::replace(last, difference) != difference
            && let Some(lengths) = lengths.filter(|_| difference != 0)
        {
            step.log(settings.kind, What::Lengths(self.url, lengths));
        }
    }

    fn page_passed(&mut self, settings: &Settings, proof: Proof, step: &mut Step) {
        if !self.up {
            step.log(settings.kind, What::Url(self.url, proof));
        }
        self.tried = 0;
        self.url += 1;
        let all = self.url >= settings.urls;
        if self.failed_url != NONE {
            // What had failed is well again: all urls are asked anew.
            self.failed_url = NONE;
            self.url = 0;
        } else if all {
            if self.news(true) {
                step.log(settings.kind, What::Up);
                self.decide(settings, true, None, step);
            }
            self.url = 0;
        }
        if !self.has_run {
            self.tried = settings.retry;
        }
        if settings.fast_recovery && !(self.has_run && self.up) {
            step.wait = Duration::ZERO;
        }
    }

    fn page_failed(&mut self, settings: &Settings, failure: Failure, step: &mut Step) {
        if self.news(false) {
            if settings.log_all_failures {
                step.log(settings.kind, What::Failure(failure));
            }
            self.has_run = true;
            self.tried = self.tried.saturating_add(1);
            if self.tried > settings.retry {
                if self.up {
                    let retries = (settings.retry > 0).then(|| self.tried - 1);
                    step.log(settings.kind, What::Down(retries));
                    self.decide(settings, false, Some(failure), step);
                }
                self.failed_url = self.url;
            }
        }
        step.wait = settings.delay_before_retry;
        // A server on its way back that fails again is retried without end; without a pause that would be without rest.
        let spins = !self.up && step.wait.is_zero();
        if self.failed_url != NONE || spins {
            step.wait = step.wait.max(settings.delay_loop);
        }
    }
}

#[cfg(test)]
mod tests;
