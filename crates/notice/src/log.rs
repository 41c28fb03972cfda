//! Log lines: to the system's log daemon, to standard error, to a file.

use reactor::{Datagram, SockAddr};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{IoSlice, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// How grave a line is, as syslog counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Somebody must act at once.
    Alert = 1,
    /// An error.
    Error = 3,
    /// A warning.
    Warning = 4,
    /// Worth noticing.
    Notice = 5,
    /// For information.
    Info = 6,
    /// For finding faults.
    Debug = 7,
}

/// Where lines go.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// The name before the lines: `Keepalived`, `Keepalived_vrrp`.
    pub ident: String,
    /// The log daemon, with this facility (3: daemon; 16–23: local0–local7).
    pub facility: Option<u8>,
    /// Standard error, with the time before each line (`-l`).
    pub console: bool,
    /// A file, with the time before each line (`-g`).
    pub file: Option<PathBuf>,
    /// Also lines of detail (`-D`).
    pub detail: bool,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            ident: "Keepalived_vrrp".to_owned(),
            facility: Some(3),
            console: false,
            file: None,
            detail: false,
        }
    }
}

/// The log daemon's socket.
const DAEMON: &str = "/dev/log";
/// Lines kept for one system call, and while the daemon does not take them.
const KEPT: usize = 512;

/// Writes log lines. Those for the log daemon are kept until [`flush`](Self::flush), which a role calls once per turn.
#[derive(Debug)]
pub struct Log {
    options: LogOptions,
    pid: u32,
    daemon: RefCell<Option<Datagram>>,
    waiting: RefCell<Vec<String>>,
    file: RefCell<Option<File>>,
    lost: Cell<u64>,
}

impl Log {
    /// A log with nothing in it. A log file that cannot be opened is reported on standard error.
    pub fn new(options: LogOptions) -> Self {
        let file = options.file.as_ref().and_then(|path| {
            // O_NOFOLLOW: the directory may be one where others can make links.
            let open = OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                .custom_flags(nix::fcntl::OFlag::O_NOFOLLOW.bits())
                .open(path);
            open.map_err(|error| eprintln!("Unable to open log file '{}' - {error}", path.display())).ok()
        });
        Self {
            options,
            pid: std::process::id(),
            daemon: RefCell::new(None),
            waiting: RefCell::new(Vec::new()),
            file: RefCell::new(file),
            lost: Cell::new(0),
        }
    }

    /// Whether lines of detail are wanted.
    pub fn detail(&self) -> bool {
        self.options.detail
    }

    /// Writes a line.
    pub fn write(&self, level: Level, line: impl fmt::Display) {
        let wall = reactor::wall();
        if self.options.console || self.file.borrow().is_some() {
            let stamped = format!("{}: {line}\n", Stamp(wall));
            if self.options.console {
                // A console that is gone is no reason to stop.
                let _ = std::io::stderr().lock().write_all(stamped.as_bytes());
            }
            if let Some(file) = &mut *self.file.borrow_mut() {
                let _ = file.write_all(stamped.as_bytes());
            }
        }
        if let Some(facility) = self.options.facility {
            let mut waiting = self.waiting.borrow_mut();
            if waiting.len() >= KEPT {
                self.lost.set(self.lost.get() + 1);
                return;
            }
            let time = Stamp(wall).syslog();
            let priority = facility << 3 | level as u8;
            waiting.push(format!("<{priority}>{time} {}[{}]: {line}", self.options.ident, self.pid));
        }
    }

    /// Gives the log daemon what waits, without waiting for it.
    pub fn flush(&self) {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.is_empty() {
            return;
        }
        let mut daemon = self.daemon.borrow_mut();
        if daemon.is_none() {
            *daemon = Datagram::connect(&SockAddr::Path(DAEMON.into())).ok();
        }
        if let Some(daemon) = &*daemon {
            let lost = self.lost.take();
            if lost > 0 {
                let priority = 3 << 3 | Level::Warning as u8;
                let time = Stamp(reactor::wall()).syslog();
                waiting.push(format!(
                    "<{priority}>{time} {}[{}]: {lost} log lines lost",
                    self.options.ident, self.pid
                ));
            }
            let lines: Vec<_> = waiting.iter().map(|line| IoSlice::new(line.as_bytes())).collect();
            let sent = daemon.try_send_many(&lines).unwrap_or(0);
            if sent > 0 || waiting.len() < KEPT {
                waiting.drain(..sent);
            }
        }
    }

    /// A line for information.
    pub fn info(&self, line: impl fmt::Display) {
        self.write(Level::Info, line);
    }

    /// A warning.
    pub fn warning(&self, line: impl fmt::Display) {
        self.write(Level::Warning, line);
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.flush();
    }
}

/// A time as in C's `ctime`, without the line's end: `Fri Nov 20 18:57:36 2026`.
#[derive(Clone, Copy, Debug)]
pub struct Stamp(pub ek_time::WallTime);

const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A month's short name, by its number from 1.
pub fn month_name(month: u8) -> &'static str {
    MONTHS.get(usize::from(month.max(1)) - 1).copied().unwrap_or("Jan")
}

/// The day of the week of a local time.
pub fn day_name(wall: ek_time::WallTime) -> &'static str {
    // 1970-01-01 was a Thursday.
    let days = (wall.unix_seconds() as i64 + i64::from(wall.local_offset)).div_euclid(86_400);
    DAYS.get((days + 4).rem_euclid(7) as usize).copied().unwrap_or("Sun")
}

impl Stamp {
    fn syslog(&self) -> String {
        let civil = self.0.local();
        format!(
            "{} {:2} {:02}:{:02}:{:02}",
            month_name(civil.month),
            civil.day,
            civil.hour,
            civil.minute,
            civil.second
        )
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let civil = self.0.local();
        write!(f, "{} {} {}", day_name(self.0), self.syslog(), civil.year)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_ctimes() {
        let wall = ek_time::WallTime { unix_micros: 1_795_201_056_975_572, local_offset: 0 };
        assert_eq!(Stamp(wall).to_string(), "Fri Nov 20 18:57:36 2026");
        let early = ek_time::WallTime { unix_micros: 0, local_offset: -3600 };
        assert_eq!(Stamp(early).to_string(), "Wed Dec 31 23:00:00 1969");
    }
}
