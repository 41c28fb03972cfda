//! Messages on standard error, in the form HAProxy gives its own.

use crate::version;
use diag::{HaproxyLines, Report, Sources};
use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::io::Write as _;
use std::time::{Duration, Instant};

/// Bytes kept at most, about: later messages are those of the day, not of the start.
const KEPT: usize = 65_536;

/// Writes `[LEVEL]   (pid) : text` lines, and keeps them for `show startup-logs`.
#[derive(Debug)]
pub(crate) struct Messages {
    born: Instant,
    introduced: Cell<bool>,
    silent: Cell<bool>,
    kept: RefCell<String>,
}

impl Messages {
    /// Nothing has been said yet.
    pub(crate) fn new() -> Self {
        Self {
            born: Instant::now(),
            introduced: Cell::default(),
            silent: Cell::default(),
            kept: RefCell::default(),
        }
    }

    /// How long ago the first word could have been said: when the program started.
    pub(crate) fn age(&self) -> Duration {
        self.born.elapsed()
    }

    /// Goes on after what another program of this process said.
    pub(crate) fn go_on(&self, said: String) {
        self.kept.replace(said);
    }

    /// Forgets what was said: a new start begins.
    pub(crate) fn forget(&self) {
        self.kept.take();
    }

    /// Says nothing more on standard error (`-q` and background processes, once started).
    pub(crate) fn silence(&self) {
        self.silent.set(true);
    }

    /// `[NOTICE]`.
    pub(crate) fn notice(&self, text: impl Display) {
        self.line("NOTICE", &text.to_string());
    }

    /// `[WARNING]`, after the program has named itself once.
    pub(crate) fn warning(&self, text: impl Display) {
        self.introduce();
        self.line("WARNING", &text.to_string());
    }

    /// `[ALERT]`, after the program has named itself once.
    pub(crate) fn alert(&self, text: impl Display) {
        self.introduce();
        self.line("ALERT", &text.to_string());
    }

    /// Everything `report` has to say; hints too with `-dD`. When `quiet`, it is only kept.
    pub(crate) fn report(&self, sources: &Sources, report: &Report, hints: bool, quiet: bool) {
        let introduce = !self.introduced.get();
        let lines = HaproxyLines {
            pid: std::process::id(),
            program: introduce.then(|| (version::compound(), executable())),
            hints,
        };
        let text = lines.render(sources, report);
        if text.contains("haproxy version is") {
            self.introduced.set(true);
        }
        let silent = self.silent.replace(self.silent.get() || quiet);
        self.write(&text);
        self.silent.set(silent);
    }

    /// What has been kept.
    pub(crate) fn kept(&self) -> String {
        self.kept.borrow().clone()
    }

    fn introduce(&self) {
        if !self.introduced.replace(true) {
            self.line("NOTICE", &format!("haproxy version is {}", version::compound()));
            self.line("NOTICE", &format!("path to executable is {}", executable()));
        }
    }

    fn line(&self, level: &str, text: &str) {
        let level = format!("[{level}]");
        self.write(&format!("{level:<10} ({}) : {text}\n", std::process::id()));
    }

    fn write(&self, text: &str) {
        if self.kept.borrow().len() < KEPT {
            self.kept.borrow_mut().push_str(text);
        }
        if !self.silent.get() {
            // A reader who has gone away is no reason to stop.
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
        }
    }
}

fn executable() -> String {
    std::env::current_exe().map_or_else(|_| "unknown".to_owned(), |path| path.display().to_string())
}

/// An error in `strerror()`'s words, without the number that the standard library adds.
pub(crate) fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.as_str(), |(words, _)| words).to_owned()
}
