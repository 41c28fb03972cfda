//! Where log lines go.
//!
//! A worker's [`Sinks`] frame each line for the targets of a proxy's `log` lines and keep them until the loop has gone
//! round or, while lines come one after the other, for a millisecond: one `sendmmsg` then takes all that a target has got,
//! so that a line does not cost a system call. Descriptors (`stdout`, `fd@N`) may block and are written by a thread of
//! their own. [`Outputs`] is what the workers share.

mod outputs;
mod target;
#[cfg(test)]
mod tests;
mod writer;

pub use outputs::Outputs;

use crate::state::State;
use ek_time::{Duration, Instant};
use haproxy_cfg::model::{Logger, LoggerFormat};
use logformat::{Frame, Framer};
use outputs::Sampler;
use reactor::Timer;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Poll, Waker};
use target::{Flushed, Target};

/// How long lines are gathered when the last ones have just gone out. Each line wakes its receiver, unless it is awake.
const GATHER: Duration = Duration::from_millis(1);
/// How long a target that is full is left alone at first, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(64));

thread_local! {
    /// The lists that gather lines on this thread, in the order of their first ones. Whoever sends sends theirs before, so
    /// that a line does not overtake those of another list.
    static GATHERING: RefCell<Vec<Weak<Inner>>> = const { RefCell::new(Vec::new()) };
}

/// Sends what the lists of this thread have gathered; what became of `own`'s lines, if it was one of them.
fn flush_gathered(own: Option<&Rc<Inner>>) -> Option<Flushed> {
    let mut of_own = None;
    let gathering = GATHERING.try_with(RefCell::take).unwrap_or_default();
    for inner in gathering.iter().filter_map(Weak::upgrade) {
        inner.gathers.set(false);
        // What full targets of another list leave is its own task's business, which comes to it still.
        let flushed = inner.flush();
        if own.is_some_and(|own| Rc::ptr_eq(own, &inner)) {
            of_own = Some(flushed);
        }
    }
    of_own
}

/// The targets of one list of `log` lines, for one worker. Lives on a reactor's thread.
pub struct Sinks(Rc<Inner>);

struct Inner {
    outputs: Arc<Outputs>,
    sinks: RefCell<Vec<Sink>>,
    /// The flushing task, while it waits for something to do.
    flusher: Cell<Option<Waker>>,
    /// Lines wait for that task.
    waiting: Cell<bool>,
    /// It is among those that gather lines.
    gathers: Cell<bool>,
}

/// One `log` line.
struct Sink {
    framer: Framer,
    sampler: Option<Arc<Sampler>>,
    target: Target,
}

impl Sinks {
    /// Opens the targets of `loggers`. One that cannot be opened is tried again as lines come.
    ///
    /// # Panics
    /// Where no reactor runs.
    pub fn new(loggers: &[Logger], state: &State, tag: &str) -> Self {
        let global = &state.config.global;
        let hostname = global
            .log_send_hostname
            .as_ref()
            .map(|name| name.as_deref().unwrap_or(&state.process.hostname).to_owned());
        Self::open(loggers, &state.process.logs, hostname.as_deref(), tag, std::process::id())
    }

    fn open(loggers: &[Logger], outputs: &Arc<Outputs>, hostname: Option<&str>, tag: &str, pid: u32) -> Self {
        let sinks: Vec<Sink> = loggers
            .iter()
            .enumerate()
            .map(|(index, logger)| Sink {
                framer: Framer::new(
                    frame(logger.format),
                    logger.facility,
                    logger.max_level,
                    logger.min_level,
                    usize::try_from(logger.max_len).unwrap_or(usize::MAX),
                    hostname,
                    tag,
                    pid,
                ),
                sampler: outputs.sampler(logger, tag),
                target: Target::new(&logger.target, index + 1, outputs),
            })
            .collect();
        let inner = Rc::new(Inner {
            outputs: Arc::clone(outputs),
            sinks: RefCell::new(sinks),
            flusher: Cell::new(None),
            waiting: Cell::new(false),
            gathers: Cell::new(false),
        });
        if !loggers.is_empty() {
            reactor::spawn(flush_when_due(Rc::downgrade(&inner)));
        }
        Self(inner)
    }

    /// Whether there is no `log` line, so that none need be rendered.
    pub fn is_empty(&self) -> bool {
        self.0.sinks.borrow().is_empty()
    }

    /// Whether a message of `level` (0 emerg – 7 debug) goes anywhere.
    pub fn wants(&self, level: u8) -> bool {
        self.0.sinks.borrow().iter().any(|sink| sink.framer.wants(level))
    }

    /// Whether a target shows rfc5424 structured data, so that `log-format-sd` is worth rendering.
    pub fn shows_structured_data(&self) -> bool {
        self.0.sinks.borrow().iter().any(|sink| sink.framer.shows_structured_data())
    }

    /// Sends `message` to every target that wants its level, at the end of this turn of the loop or a millisecond after the
    /// last lines.
    pub fn send(&self, level: u8, message: &[u8]) {
        self.send_with(level, b"", message);
    }

    /// As [`Self::send`], with rendered structured data for rfc5424.
    pub fn send_with(&self, level: u8, data: &[u8], message: &[u8]) {
        let now = reactor::wall();
        let mut any = false;
        for sink in self.0.sinks.borrow_mut().iter_mut() {
            if !sink.framer.wants(level) || sink.sampler.as_ref().is_some_and(|sampler| !sampler.take()) {
                continue;
            }
            let framer = &mut sink.framer;
            sink.target.push(&self.0.outputs, |out| framer.frame_with(now, level, data, message, out));
            any = true;
        }
        if any && !self.0.gathers.replace(true) {
            GATHERING.with_borrow_mut(|gathering| gathering.push(Rc::downgrade(&self.0)));
        }
        if any
            && !self.0.waiting.replace(true)
            && let Some(flusher) = self.0.flusher.take()
        {
            flusher.wake();
        }
    }

    /// Sends what waits without waiting for the end of the turn; whether nothing waits any more.
    pub fn flush(&self) -> bool {
        flush_gathered(None);
        self.0.flush() == Flushed::All
    }
}

impl std::fmt::Debug for Sinks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sinks").field("sinks", &self.0.sinks.borrow().len()).finish_non_exhaustive()
    }
}

impl Inner {
    /// Sends what waits; the worst of what became of it.
    fn flush(&self) -> Flushed {
        let mut sinks = self.sinks.borrow_mut();
        sinks.iter_mut().map(|sink| sink.target.flush(&self.outputs)).max().unwrap_or(Flushed::All)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        flush_gathered(None);
        self.flush();
        for sink in self.sinks.get_mut() {
            sink.target.give_up(&self.outputs);
        }
        // So that the task ends, too.
        if let Some(flusher) = self.flusher.take() {
            flusher.wake();
        }
    }
}

/// The task that flushes. It runs after the tasks that were ready in the turn of the first line, and so takes the lines of
/// all of them.
async fn flush_when_due(inner: Weak<Inner>) {
    // Set while a full target is to be tried again, or lines are gathered.
    let timer = Timer::new();
    let mut pause = PAUSE.0;
    let mut gathered_by = Instant::ZERO;
    loop {
        poll_fn(|cx| match inner.upgrade() {
            Some(inner) if !inner.waiting.get() && timer.poll_expired(cx).is_pending() => {
                inner.flusher.set(Some(cx.waker().clone()));
                Poll::Pending
            }
            _ => Poll::Ready(()),
        })
        .await;
        if reactor::now() < gathered_by {
            timer.set(Some(gathered_by));
            poll_fn(|cx| timer.poll_expired(cx)).await;
        }
        let Some(inner) = inner.upgrade() else { return };
        gathered_by = reactor::now() + GATHER;
        inner.waiting.set(false);
        match flush_gathered(Some(&inner)).unwrap_or_else(|| inner.flush()) {
            Flushed::All => {
                timer.set(None);
                pause = PAUSE.0;
            }
            Flushed::Some => {
                timer.set(Some(reactor::now() + PAUSE.0));
                pause = PAUSE.0;
            }
            Flushed::Nothing => {
                timer.set(Some(reactor::now() + pause));
                pause = (pause * 2).min(PAUSE.1);
            }
        }
    }
}

fn frame(format: LoggerFormat) -> Frame {
    match format {
        LoggerFormat::Local => Frame::Local,
        LoggerFormat::Rfc3164 => Frame::Rfc3164,
        LoggerFormat::Rfc5424 => Frame::Rfc5424,
        LoggerFormat::Priority => Frame::Priority,
        LoggerFormat::Short => Frame::Short,
        LoggerFormat::Timed => Frame::Timed,
        LoggerFormat::Iso => Frame::Iso,
        LoggerFormat::Raw => Frame::Raw,
    }
}
