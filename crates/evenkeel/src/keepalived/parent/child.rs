//! A child process as its parent sees it: the VRRP process, the checker process.

use crate::haproxy::startup::ROLE;
use crate::keepalived::part::Part;
use crate::keepalived::pids::PidFile;
use crate::keepalived::snapshot::Sealed;
use crate::message::reason;
use ek_time::Instant;
use reactor::Stream;
use reactor::child::{self, SpawnOptions};
use reactor::signal::SIGHUP;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::pin::pin;
use std::process::{Command, ExitStatus, Stdio};
use std::task::{Context, Poll};
use vrrpd::parent::StandIn;

/// The process of a part.
pub(super) struct Child {
    part: Part,
    child: child::Child,
    /// What it says; `None` when it says nothing any more.
    channel: Option<Stream>,
    /// The same socket, for configurations on their way down.
    socket: UnixStream,
    stand_in: StandIn,
    started: Instant,
    _pid_file: Option<PidFile>,
}

impl Child {
    /// Starts it with the words this process was started with, and gives it its configuration.
    pub(super) fn start(part: Part, snapshot: &Sealed, pid_file: &Path) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let mut words = std::env::args_os();
        let mut command = Command::new("/proc/self/exe");
        command.arg0(words.next().unwrap_or_else(|| "keepalived".into())).args(words);
        // The service manager listens to the parent alone.
        command.env(ROLE, part.name()).env_remove("NOTIFY_SOCKET").stdin(Stdio::from(OwnedFd::from(theirs)));
        // A terminal's signals are for the parent, which ends it in order.
        let options = SpawnOptions { own_group: true, ..SpawnOptions::default() };
        let child = child::spawn(&mut command, &options)?;
        drop(command);
        snapshot.send(&ours)?;
        ours.set_nonblocking(true)?;
        let channel = Stream::from_fd(OwnedFd::from(ours.try_clone()?))?;
        Ok(Self {
            _pid_file: PidFile::write(pid_file, child.pid()).ok(),
            part,
            child,
            channel: Some(channel),
            socket: ours,
            stand_in: StandIn::new(),
            started: reactor::now(),
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.pid()
    }

    pub(super) fn started(&self) -> Instant {
        self.started
    }

    /// Sends it a signal.
    pub(super) fn signal(&self, number: i32) {
        // One that has just exited is reported by its exit.
        let _ = self.child.kill(number);
    }

    /// Gives it another configuration.
    pub(super) fn reload(&self, snapshot: &Sealed) -> io::Result<()> {
        snapshot.send(&self.socket)?;
        self.child.kill(SIGHUP)
    }

    /// Gives back what a burst of reports needed.
    pub(super) fn shrink(&mut self) {
        self.stand_in.shrink();
    }

    /// How often it has said that it is ready.
    pub(super) fn readies(&self) -> u64 {
        self.stand_in.readies()
    }

    pub(super) fn poll_exited(&mut self, cx: &mut Context<'_>) -> Poll<Option<ExitStatus>> {
        let exited = pin!(self.child.exited());
        exited.poll(cx).map(Result::ok)
    }

    /// Waits for its end, but not longer than `until`; meanwhile hears what it says.
    pub(super) async fn exited_by(&mut self, until: Instant) -> Option<ExitStatus> {
        let exited = poll_fn(|cx| {
            while self.poll_heard(cx).is_ready() {
                // What it says badly is of no use any more.
                let _ = self.hear();
            }
            self.poll_exited(cx)
        });
        reactor::timeout_at(until, exited).await.ok().flatten()
    }

    pub(super) fn poll_heard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &self.channel {
            Some(channel) => channel.poll_readable(cx),
            None => Poll::Pending,
        }
    }

    /// Takes what it has said so far.
    pub(super) fn hear(&mut self) -> io::Result<()> {
        let mut room = [0; 16_384];
        loop {
            let Some(channel) = &self.channel else { return Ok(()) };
            let heard = match channel.try_read(&mut room) {
                Ok(0) => Err(None),
                Ok(count) => self.stand_in.receive(room.get(..count).unwrap_or_default()).map_err(Some),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => Err(Some(error)),
            };
            if let Err(end) = heard {
                self.channel = None;
                return end.map_or(Ok(()), Err);
            }
        }
    }

    /// What the process has left that the next one takes over.
    pub(super) fn take_leaves(&mut self) -> Vec<Vec<u8>> {
        self.stand_in.take_leaves()
    }

    /// Whether it is ending: it says nothing any more, and its memory is gone. It is a while until the system has taken
    /// down its sockets and says that it has exited, but from here on it does nothing.
    pub(super) fn is_ending(&self) -> bool {
        let memory = || std::fs::read_to_string(format!("/proc/{}/statm", self.pid()));
        self.channel.is_none() && memory().is_ok_and(|sizes| sizes.starts_with("0 "))
    }

    /// Does what a process that is gone has left undone: says that its Master routers resign, at once, and takes back
    /// what they had set up, if that is to be. Returns what there is to log.
    pub(super) fn stand_in(&mut self, undo: bool) -> Vec<String> {
        let heard = self.hear();
        let holds = self.stand_in.holds();
        if holds.is_empty() {
            let title = self.part.title();
            return heard.err().map(|error| format!("{title} process: {error}")).into_iter().collect();
        }
        // Everything else can wait.
        let errors = self.stand_in.say_farewell();
        let mut lines: Vec<_> =
            errors.iter().map(|error| format!("Unable to send priority 0 - {}", reason(error))).collect();
        if undo {
            lines.extend(self.stand_in.take_back().iter().map(ToString::to_string));
        }
        let names: Vec<_> = holds.iter().map(|hold| hold.name.as_str()).collect();
        let names = names.join(", ");
        lines.push(if undo {
            format!("Stood in for the VRRP process: priority 0 sent and addresses removed for {names}")
        } else {
            format!("Stood in for the VRRP process: priority 0 sent for {names}")
        });
        self.stand_in.reset();
        lines
    }
}

/// How a process ended, in keepalived's words.
pub(super) fn described(status: Option<ExitStatus>) -> String {
    let Some(status) = status else { return "does not end".to_owned() };
    match (status.code(), status.signal()) {
        (Some(2), _) => "exited with permanent error CONFIG. Terminating".to_owned(),
        (Some(code), _) => format!("exited with status {code}"),
        (None, Some(11)) => "exited due to segmentation fault (SIGSEGV).".to_owned(),
        (None, Some(number)) => {
            let name = crate::haproxy::master::process::signal_name(number);
            // The kernel sends these when the limit of real-time run time is reached.
            let hint = if matches!(number, 9 | 24) { " - has rlimit_rttime been exceeded?" } else { "" };
            format!("exited due to signal {number} ({name}){hint}")
        }
        (None, None) => "ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_described_in_keepaliveds_words() {
        let of = |raw: i32| described(Some(ExitStatus::from_raw(raw)));
        assert_eq!(of(9), "exited due to signal 9 (Killed) - has rlimit_rttime been exceeded?");
        assert_eq!(of(6), "exited due to signal 6 (Aborted)");
        assert_eq!(of(11), "exited due to segmentation fault (SIGSEGV).");
        assert_eq!(of(2 << 8), "exited with permanent error CONFIG. Terminating");
        assert_eq!(of(1 << 8), "exited with status 1");
    }
}
