//! A worker process as its master sees it.

use crate::haproxy::plan::Plan;
use crate::haproxy::startup::{self, ROLE, STARTED_AS};
use crate::message::reason;
use ek_time::Instant;
use reactor::Stream;
use reactor::child::{self, SpawnOptions};
use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitStatus, Stdio};
use std::rc::Rc;

/// A worker process.
pub(super) struct Worker {
    pub(super) number: u64,
    pub(super) child: Rc<RefCell<child::Child>>,
    pub(super) pid: u32,
    pub(super) started: Instant,
    /// Reloads there had been when it was started.
    pub(super) reloads: u32,
    /// Of the program that it runs.
    pub(super) version: String,
    /// It reports on this socket, and ends softly when the other side is closed.
    pub(super) channel: Rc<Stream>,
}

/// A worker process that was just started, and the socket it reports on.
pub(super) struct Spawned {
    pub(super) child: child::Child,
    pub(super) channel: Stream,
}

impl Spawned {
    /// Starts a worker and gives it `plan`.
    pub(super) fn start(plan: &Plan) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("[haproxy.main()] Cannot fork: {}.", reason(&error));
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        let mut words = std::env::args_os();
        let mut command = Command::new("/proc/self/exe");
        command.arg0(words.next().unwrap_or_else(|| "haproxy".into())).args(words);
        command
            .env(STARTED_AS, startup::started_as())
            .env(ROLE, "worker")
            .stdin(Stdio::from(OwnedFd::from(theirs)));
        let child = child::spawn(&mut command, &SpawnOptions::default()).map_err(failed)?;
        drop(command);
        plan.send(&ours).map_err(failed)?;
        ours.set_nonblocking(true).map_err(failed)?;
        let channel = Stream::from_fd(OwnedFd::from(ours)).map_err(failed)?;
        Ok(Self { child, channel })
    }
}

impl Worker {
    /// Sends it a signal.
    pub(super) fn signal(&self, number: i32) {
        // One that has just exited is reported by its exit.
        let _ = self.child.borrow().kill(number);
    }
}

/// Waits for a child's end without keeping it borrowed meanwhile.
pub(super) async fn exit_of(child: &RefCell<child::Child>) -> Option<ExitStatus> {
    std::future::poll_fn(|cx| {
        let mut child = child.borrow_mut();
        let exited = std::pin::pin!(child.exited());
        exited.poll(cx)
    })
    .await
    .ok()
}

/// The exit code as a shell counts it, and its name.
pub(super) fn described(status: Option<ExitStatus>) -> (u8, String) {
    let Some(status) = status else { return (1, "unknown".to_owned()) };
    match (status.code(), status.signal()) {
        (Some(code), _) => (u8::try_from(code & 0xff).unwrap_or(1), "Exit".to_owned()),
        (None, Some(number)) => (u8::try_from(128 + number).unwrap_or(255), signal_name(number).to_owned()),
        (None, None) => (1, "unknown".to_owned()),
    }
}

/// `strsignal()`'s words for the signals that end processes.
pub(crate) fn signal_name(number: i32) -> &'static str {
    match number {
        1 => "Hangup",
        2 => "Interrupt",
        3 => "Quit",
        4 => "Illegal instruction",
        6 => "Aborted",
        7 => "Bus error",
        8 => "Floating point exception",
        9 => "Killed",
        11 => "Segmentation fault",
        13 => "Broken pipe",
        14 => "Alarm clock",
        15 => "Terminated",
        24 => "CPU time limit exceeded",
        31 => "Bad system call",
        _ => "Signal",
    }
}
