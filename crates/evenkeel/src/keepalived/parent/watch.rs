//! What the parent keeps of each part, whether its process runs or is to be started again.

use super::child::{Child, described};
use super::{LONGEST_PAUSE, STEADY};
use crate::keepalived::Exit;
use crate::keepalived::part::Part;
use crate::keepalived::snapshot::Sealed;
use crate::message::reason;
use ek_time::{Duration, Instant};
use notice::log::Log;
use reactor::Timer;
use reactor::signal::SIGKILL;
use std::io;
use std::path::Path;
use std::process::ExitStatus;
use std::task::{Context, Poll};
use vrrpd::parent::take_away;

/// A part and its process.
pub(super) struct Watch {
    pub(super) part: Part,
    pub(super) child: Option<Child>,
    /// How long it was waited before the last start.
    pause: Option<Duration>,
    restart: Timer,
    /// It is to be started again when the time has come.
    waits: bool,
    /// What the last process has left, and the next one will take over.
    leaves: Vec<Vec<u8>>,
    /// A process of it has been ready since the parent was started.
    served: bool,
    /// A reload has been asked for, when the process had been ready so often.
    reloading: Option<u64>,
    /// How often the process had been ready when memory was last given back.
    trimmed: u64,
}

/// What happened to a part.
#[derive(Debug)]
pub(super) enum News {
    /// Its process has said something.
    Reported,
    Exited(Option<ExitStatus>),
    /// It is time to start it again.
    Restart,
}

impl Watch {
    pub(super) fn new(part: Part) -> Self {
        Self {
            part,
            child: None,
            pause: None,
            restart: Timer::new(),
            waits: false,
            leaves: Vec::new(),
            served: false,
            reloading: None,
            trimmed: 0,
        }
    }

    pub(super) fn poll_news(&mut self, cx: &mut Context<'_>) -> Poll<News> {
        if let Some(child) = &mut self.child {
            if let Poll::Ready(status) = child.poll_exited(cx) {
                return Poll::Ready(News::Exited(status));
            }
            return child.poll_heard(cx).map(|()| News::Reported);
        }
        std::task::ready!(self.restart.poll_expired(cx));
        self.restart.set(None);
        self.waits = false;
        Poll::Ready(News::Restart)
    }

    /// Starts its process.
    pub(super) fn start(&mut self, snapshot: &Sealed, pid_file: &Path, log: &Log) -> Result<(), Exit> {
        let title = self.part.title();
        match Child::start(self.part, snapshot, pid_file) {
            Ok(child) => {
                log.info(format_args!("Starting {title} child process, pid={}", child.pid()));
                self.child = Some(child);
                self.leaves = Vec::new();
                self.trimmed = 0;
                Ok(())
            }
            Err(error) => {
                log.info(format_args!("Unable to start the {title} process - {}", reason(&error)));
                Err(Exit::Failed)
            }
        }
    }

    /// Whether its process runs, or will run again.
    pub(super) fn is_live(&self) -> bool {
        self.child.is_some() || self.waits
    }

    /// Whether it has been running and is to be started again.
    pub(super) fn is_pausing(&self) -> bool {
        self.waits
    }

    /// Whether its process has yet to say that it has started, or has taken the last reload.
    pub(super) fn is_awaited(&self) -> bool {
        match &self.child {
            Some(child) => child.readies() == 0 || self.reloading.is_some(),
            None => self.waits && !self.served,
        }
    }

    /// Takes what its process has said; whether it has said that it is ready.
    pub(super) fn listen(&mut self, log: &Log) -> bool {
        let Some(child) = &mut self.child else { return false };
        if let Err(error) = child.hear() {
            log.info(format_args!("{} process: {error}", self.part.title()));
        }
        if child.is_ending() {
            child.stand_in(true).iter().for_each(|line| log.info(line));
        }
        let readies = child.readies();
        self.served |= readies > 0;
        if self.reloading.is_some_and(|before| readies > before) {
            self.reloading = None;
        }
        let news = self.trimmed < readies;
        self.trimmed = readies;
        news
    }

    /// Gives its process another configuration; one that is yet to be started gets it then.
    pub(super) fn reload(&mut self, snapshot: &Sealed) -> io::Result<()> {
        let Some(child) = &self.child else { return Ok(()) };
        child.reload(snapshot)?;
        self.reloading = Some(child.readies());
        Ok(())
    }

    pub(super) fn signal(&self, number: i32) {
        if let Some(child) = &self.child {
            child.signal(number);
        }
    }

    /// Gives back what only a start or reload needed.
    pub(super) fn shrink(&mut self) {
        if let Some(child) = &mut self.child {
            child.shrink();
        }
    }

    /// Stands in for its process, which is gone, and sees to the next one; `Some`: what the parent ends with.
    pub(super) fn died(&mut self, status: Option<ExitStatus>, respawn: bool, log: &Log) -> Option<Exit> {
        let mut child = self.child.take()?;
        let title = self.part.title();
        let what = child.stand_in(true);
        self.leaves = child.take_leaves();
        let pid = child.pid();
        let lived = reactor::now().since(child.started());
        drop(child);
        what.iter().for_each(|line| log.info(line));
        log.info(format_args!("pid {pid} {}", described(status)));
        // What was asked of the dead process, the next one starts with.
        self.reloading = None;
        if status.and_then(|status| status.code()) == Some(i32::from(Exit::Configuration as u8)) {
            return Some(Exit::Configuration);
        }
        if !respawn {
            log.info(format_args!("{title} child process({pid}) died: Exiting"));
            return Some(Exit::Done);
        }
        log.info(format_args!("{title} child process({pid}) died: Respawning"));
        let pause = match self.pause {
            Some(last) if lived < STEADY => (last * 2).clamp(Duration::from_secs(1), LONGEST_PAUSE),
            _ => Duration::ZERO,
        };
        self.pause = Some(pause);
        log.info(format_args!(
            "Restart of {title} process delayed {} seconds to limit respawn rate",
            pause.as_secs()
        ));
        self.waits = true;
        self.restart.set(Some(reactor::now() + pause));
        None
    }

    /// Waits for the end of its process, which was told to end; one that does not by `until` is killed. What it has left, or
    /// one before it that had no successor, is taken away, unless that is to stay.
    pub(super) async fn ended(
        &mut self,
        until: Instant,
        patience: Duration,
        keep_addresses: bool,
        log: &Log,
    ) {
        self.end_child(until, patience, keep_addresses, log).await;
        let leaves = std::mem::take(&mut self.leaves);
        if !keep_addresses && !leaves.is_empty() {
            take_away(&leaves).iter().for_each(|error| log.info(error));
            let title = self.part.title();
            log.info(format_args!("Took away what the {title} process has left: {} things", leaves.len()));
        }
    }

    async fn end_child(&mut self, until: Instant, patience: Duration, keep_addresses: bool, log: &Log) {
        let Some(mut child) = self.child.take() else { return };
        let (title, pid) = (self.part.title(), child.pid());
        let mut status = child.exited_by(until).await;
        if status.is_none() {
            log.info(format_args!("{title} process {pid} does not end, killing it"));
            child.signal(SIGKILL);
            status = child.exited_by(reactor::now() + patience).await;
        }
        // Nothing is left to do after an end in all order.
        child.stand_in(!keep_addresses).iter().for_each(|line| log.info(line));
        self.leaves = child.take_leaves();
        if status.is_none_or(|status| !status.success()) {
            log.info(format_args!("pid {pid} {}", described(status)));
        }
    }
}
