//! The lines of a server's life, as they stand in the log and on the console. Scripts read them: every byte counts.
//!
//! Lines carry no line end; the log writes one.

use crate::health::Health;
use crate::outcome::{Outcome, Verdict};
use core::fmt::{self, Write as _};

/// Syslog severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// `emerg`, 0.
    Emergency,
    /// `alert`, 1.
    Alert,
    /// `notice`, 5.
    Notice,
}

impl Level {
    /// The number in a syslog priority.
    pub const fn number(self) -> u8 {
        match self {
            Self::Emergency => 0,
            Self::Alert => 1,
            Self::Notice => 5,
        }
    }
}

/// The word in brackets on the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// `[WARNING]`.
    Warning,
    /// `[ALERT]`.
    Alert,
}

/// One event, for the log and for the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Severity in the log.
    pub level: Level,
    /// What the log says.
    pub log: String,
    /// Label on the console.
    pub label: Label,
    /// What the console says after the label and the process id.
    pub console: String,
}

impl Message {
    fn server(level: Level, text: String) -> Self {
        Self { level, console: text.clone(), label: Label::Warning, log: text }
    }

    /// The console's line: `[WARNING]  (123) : Server …`.
    pub fn console_line(&self, pid: u32) -> String {
        let label = match self.label {
            Label::Warning => "[WARNING] ",
            Label::Alert => "[ALERT]   ",
        };
        format!("{label} ({pid}) : {}", self.console)
    }
}

/// A server as messages name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server<'a> {
    /// Its backend.
    pub proxy: &'a str,
    /// Its name.
    pub name: &'a str,
    /// `backup`.
    pub backup: bool,
}

impl fmt::Display for Server<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}Server {}/{}", if self.backup { "Backup " } else { "" }, self.proxy, self.name)
    }
}

/// Why a server changed state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause<'a> {
    /// Not said; with `option log-health-checks` the check's own line said it.
    Unsaid,
    /// Its check.
    Check(&'a Outcome),
    /// In these words (`changed from CLI`).
    Words(&'a str),
}

impl Cause<'_> {
    /// The cause of a change by hand on the runtime API.
    pub const CLI: Cause<'static> = Cause::Words("changed from CLI");
}

impl fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsaid => Ok(()),
            Self::Check(outcome) => write!(f, "{}", Reason(outcome)),
            Self::Words(words) => write!(f, ", {words}"),
        }
    }
}

/// What is left of the backend after the change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remaining {
    /// Usable active servers.
    pub active: u32,
    /// Usable backups.
    pub backup: u32,
}

/// Work the change moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Sessions on the server.
    pub sessions: u64,
    /// Requests taken from the server's queue, or given to it from the backend's.
    pub requeued: u64,
    /// Requests waiting in the server's queue.
    pub queued: u64,
}

struct Left(Remaining, Moved);

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Remaining { active, backup }, Moved { sessions, requeued, queued }) = self;
        write!(f, ". {active} active and {backup} backup servers left.{}", running_on_backup(&self.0))?;
        write!(f, " {sessions} sessions active, {requeued} requeued, {queued} remaining in queue.")
    }
}

struct Online(Remaining, Moved);

impl fmt::Display for Online {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Remaining { active, backup }, Moved { requeued, queued, .. }) = self;
        write!(f, ". {active} active and {backup} backup servers online.{}", running_on_backup(&self.0))?;
        write!(f, " {requeued} sessions requeued, {queued} total in queue.")
    }
}

fn running_on_backup(remaining: &Remaining) -> &'static str {
    if remaining.backup != 0 && remaining.active == 0 { " Running on backup." } else { "" }
}

struct Reason<'a>(&'a Outcome);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcome { status, code, info, duration } = self.0;
        write!(f, ", reason: {}", status.description())?;
        if status.has_code() {
            write!(f, ", code: {code}")?;
        }
        if !info.is_empty() {
            f.write_str(", info: \"")?;
            for &byte in info {
                // A quote would end the text early, a control byte could forge a line, `<` what is written so.
                match byte {
                    b' '..=b'~' if !matches!(byte, b'"' | b'<' | b'>') => f.write_char(char::from(byte))?,
                    _ => write!(f, "<{byte:02X}>")?,
                }
            }
            f.write_char('"')?;
        }
        match duration {
            Some(duration) => write!(f, ", check duration: {}ms", duration.as_millis()),
            None => Ok(()),
        }
    }
}

/// The server went down. `was_stopping`: it took no new work before (draining or stopping), which makes it less
/// alarming.
pub fn down(
    server: Server<'_>,
    cause: Cause<'_>,
    left: Remaining,
    moved: Moved,
    was_stopping: bool,
) -> Message {
    let level = if was_stopping { Level::Notice } else { Level::Alert };
    Message::server(level, format!("{server} is DOWN{cause}{}", Left(left, moved)))
}

/// The server came up.
pub fn up(server: Server<'_>, cause: Cause<'_>, left: Remaining, moved: Moved) -> Message {
    Message::server(Level::Notice, format!("{server} is UP{cause}{}", Online(left, moved)))
}

/// The server is well but takes no new work.
pub fn stopping(server: Server<'_>, cause: Cause<'_>, left: Remaining, moved: Moved) -> Message {
    Message::server(Level::Notice, format!("{server} is stopping{cause}{}", Online(left, moved)))
}

/// A server that was up enters maintenance.
pub fn enters_maintenance(server: Server<'_>, left: Remaining, moved: Moved, was_stopping: bool) -> Message {
    let level = if was_stopping { Level::Notice } else { Level::Alert };
    Message::server(level, format!("{server} is going DOWN for maintenance{}", Left(left, moved)))
}

/// A server that was down enters maintenance.
pub fn enters_maintenance_down(server: Server<'_>) -> Message {
    Message::server(Level::Notice, format!("{server} was DOWN and now enters maintenance."))
}

/// The server leaves maintenance, up or down, ready or draining.
pub fn leaves_maintenance(server: Server<'_>, up: bool, draining: bool) -> Message {
    let state = if up { "UP" } else { "DOWN" };
    let readiness = if draining { "DRAIN" } else { "READY" };
    Message::server(Level::Notice, format!("{server} is {state}/{readiness} (leaving forced maintenance)."))
}

/// The server takes no new work from now on.
pub fn enters_drain(server: Server<'_>, left: Remaining, moved: Moved) -> Message {
    Message::server(Level::Notice, format!("{server} enters drain state{}", Online(left, moved)))
}

/// The server may take work again.
pub fn leaves_drain(server: Server<'_>, up: bool) -> Message {
    let state = if up { "UP" } else { "DOWN" };
    Message::server(Level::Notice, format!("{server} is {state} (leaving forced drain)."))
}

/// The last usable server of a backend is gone. `kind` is the word for the section: `backend`, or `proxy` for a
/// `listen`.
pub fn backend_down(kind: &str, name: &str) -> Message {
    Message {
        level: Level::Emergency,
        log: format!("{kind} {name} has no server available!"),
        label: Label::Alert,
        console: format!("{kind} '{name}' has no server available!"),
    }
}

/// A check worth a line (`option log-health-checks`): its outcome is the last one `health` took in. `draining`: the
/// server's weight is zero.
pub fn checked(server: Server<'_>, health: &Health, draining: bool) -> Message {
    let outcome = health.last();
    let backup = if server.backup { "backup " } else { "" };
    let result = match outcome.status.verdict() {
        Verdict::Passed => "succeeded",
        Verdict::Conditional => "conditionally succeeded",
        Verdict::Failed | Verdict::Unknown => "failed",
    };
    let (done, of) = health.progress();
    let state = match (health.level() >= health.rise(), draining) {
        (true, false) => "UP",
        (true, true) => "DRAIN",
        (false, _) => "DOWN",
    };
    let text = format!(
        "Health check for {backup}server {}/{} {result}{}, status: {done}/{of} {state}.",
        server.proxy,
        server.name,
        Reason(outcome),
    );
    Message::server(Level::Notice, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Status;
    use core::time::Duration;

    const APP1: Server<'_> = Server { proxy: "app", name: "app1", backup: false };
    const SPARE: Server<'_> = Server { proxy: "app", name: "spare", backup: true };

    /// Lines of haproxy 2.6.
    #[test]
    fn lines() {
        let refused =
            Outcome::new(Status::L4Connection).with_info(b"Connection refused").with_duration(Duration::ZERO);
        let line =
            down(APP1, Cause::Check(&refused), Remaining { active: 2, backup: 1 }, Moved::default(), false);
        assert_eq!(
            line.console_line(11556),
            "[WARNING]  (11556) : Server app/app1 is DOWN, reason: Layer4 connection problem, info: \"Connection \
             refused\", check duration: 0ms. 2 active and 1 backup servers left. 0 sessions active, 0 requeued, 0 \
             remaining in queue."
        );
        let moved = Moved { sessions: 3, requeued: 4, queued: 5 };
        let only_backup = Remaining { active: 0, backup: 1 };
        let tout = Outcome::new(Status::L4Timeout).with_duration(Duration::from_millis(1001));
        assert_eq!(
            down(APP1, Cause::Check(&tout), only_backup, moved, true).log,
            "Server app/app1 is DOWN, reason: Layer4 timeout, check duration: 1001ms. 0 active and 1 backup servers \
             left. Running on backup. 3 sessions active, 4 requeued, 5 remaining in queue."
        );
        assert_eq!(
            up(SPARE, Cause::CLI, only_backup, moved).log,
            "Backup Server app/spare is UP, changed from CLI. 0 active and 1 backup servers online. Running on backup. \
             4 sessions requeued, 5 total in queue."
        );
        let none = Remaining::default();
        assert_eq!(
            enters_maintenance(APP1, none, Moved::default(), false).log,
            "Server app/app1 is going DOWN for maintenance. 0 active and 0 backup servers left. 0 sessions active, 0 \
             requeued, 0 remaining in queue."
        );
        assert_eq!(
            enters_drain(APP1, none, Moved::default()).log,
            "Server app/app1 enters drain state. 0 active and 0 backup servers online. 0 sessions requeued, 0 total in \
             queue."
        );
        assert_eq!(
            stopping(APP1, Cause::CLI, none, Moved::default()).log,
            "Server app/app1 is stopping, changed from CLI. 0 active and 0 backup servers online. 0 sessions requeued, \
             0 total in queue."
        );
        assert_eq!(leaves_drain(APP1, true).log, "Server app/app1 is UP (leaving forced drain).");
        assert_eq!(
            leaves_maintenance(APP1, true, false).log,
            "Server app/app1 is UP/READY (leaving forced maintenance)."
        );
        assert_eq!(
            enters_maintenance_down(SPARE).log,
            "Backup Server app/spare was DOWN and now enters maintenance."
        );
        let gone = backend_down("backend", "app");
        assert_eq!(gone.log, "backend app has no server available!");
        assert_eq!(gone.console_line(7), "[ALERT]    (7) : backend 'app' has no server available!");
    }
}
