//! One worker thread's own world: what it keeps so that requests need not make it.

use crate::counters::{BackendCounters, FrontendCounters, WorkerCounters};
use crate::http::Scratch;
use crate::log::Sinks;
use crate::pool::Pool;
use crate::state::{Proxy, State};
use haproxy_cfg::model::{Logger, LoggerRef};
use logformat::Renderer;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// How many idle [`Scratch`]es a worker keeps.
const SCRATCH_KEPT: usize = 64;
/// So many sessions are worth giving their memory back to the system, and so many bytes of buffers.
const CROWD: usize = 256;
const WORTH_GIVING: usize = 1 << 20;

/// One worker thread's own world.
pub struct Worker {
    /// What all workers share.
    pub state: Arc<State>,
    counters: Arc<WorkerCounters>,
    /// Log targets by proxy index; equal ones are shared.
    sinks: Vec<Rc<Sinks>>,
    /// Renders log lines, remembering the last second's date.
    pub renderer: RefCell<Renderer>,
    /// The line being rendered.
    pub line: RefCell<Vec<u8>>,
    /// The structured data that goes with it.
    pub structured_data: RefCell<Vec<u8>>,
    /// Idle connections to servers.
    pub pool: Pool,
    #[expect(clippy::vec_box, reason = "exchanges hold them boxed; they are handed over, not copied")]
    scratch: RefCell<Vec<Box<Scratch>>>,
    sessions: RefCell<Sessions>,
}

/// The wakers of the tasks that serve clients, so that idle ones can be told to end.
#[derive(Default)]
struct Sessions {
    wakers: Vec<Option<Waker>>,
    free: Vec<usize>,
    /// Sessions alive, and who waits for the last one to end.
    live: usize,
    drained: Option<Waker>,
    /// The most that were alive since memory was last given back.
    most: usize,
    /// Bytes of buffers that were freed since then.
    swept: usize,
}

impl Worker {
    /// The world of worker number `index`.
    pub fn new(state: Arc<State>, index: usize) -> Rc<Self> {
        let counters = state.workers.get(index).map(Arc::clone).unwrap_or_default();
        let sinks = build_sinks(&state);
        Rc::new(Self {
            pool: Pool::new(&state),
            state,
            counters,
            sinks,
            renderer: RefCell::new(Renderer::new()),
            line: RefCell::default(),
            structured_data: RefCell::default(),
            scratch: RefCell::default(),
            sessions: RefCell::default(),
        })
    }

    /// This worker's counters of a frontend.
    #[expect(
        clippy::indexing_slicing,
        reason = "counters have the shape of the configuration the proxy is from"
    )]
    pub fn frontend(&self, proxy: &Proxy) -> &FrontendCounters {
        &self.counters.frontends[proxy.index]
    }

    /// Everything this worker counts.
    pub fn counters(&self) -> &Arc<WorkerCounters> {
        &self.counters
    }

    /// This worker's counters of a listener.
    pub fn listener(&self, proxy: &Proxy, bind: usize) -> Option<&FrontendCounters> {
        self.counters.listeners.get(proxy.index)?.get(bind)
    }

    /// This worker's counters of a backend.
    #[expect(
        clippy::indexing_slicing,
        reason = "counters have the shape of the configuration the proxy is from"
    )]
    pub fn backend(&self, proxy: &Proxy) -> &BackendCounters {
        &self.counters.backends[proxy.index]
    }

    /// This worker's counters of a server.
    #[expect(
        clippy::indexing_slicing,
        reason = "counters have the shape of the configuration the proxy is from"
    )]
    pub fn server(&self, proxy: &Proxy, server: usize) -> &BackendCounters {
        &self.counters.servers[proxy.index][server]
    }

    /// Where a proxy's log lines go.
    #[expect(clippy::indexing_slicing, reason = "one entry for each proxy")]
    pub fn sinks(&self, proxy: &Proxy) -> &Rc<Sinks> {
        &self.sinks[proxy.index]
    }

    /// Memory for one exchange.
    pub fn take_scratch(&self) -> Box<Scratch> {
        self.scratch.borrow_mut().pop().unwrap_or_default()
    }

    /// Gives it back.
    pub fn put_scratch(&self, mut scratch: Box<Scratch>) {
        let mut kept = self.scratch.borrow_mut();
        if kept.len() < SCRATCH_KEPT {
            scratch.reset();
            kept.push(scratch);
        }
    }

    /// Ready once a soft stop was asked for. `place` is the caller's, who leaves it with [`Worker::forget`].
    pub fn poll_stopping(&self, place: &Cell<Option<usize>>, cx: &mut Context<'_>) -> Poll<()> {
        if self.state.stopping() {
            return Poll::Ready(());
        }
        if place.get().is_none() {
            let mut sessions = self.sessions.borrow_mut();
            let at = sessions.free.pop().unwrap_or_else(|| {
                sessions.wakers.push(None);
                sessions.wakers.len() - 1
            });
            if let Some(waker) = sessions.wakers.get_mut(at) {
                *waker = Some(cx.waker().clone());
            }
            place.set(Some(at));
        }
        Poll::Pending
    }

    /// Gives up a place of [`Worker::poll_stopping`].
    pub fn forget(&self, place: &Cell<Option<usize>>) {
        if let Some(at) = place.take() {
            let mut sessions = self.sessions.borrow_mut();
            if let Some(waker) = sessions.wakers.get_mut(at) {
                *waker = None;
            }
            sessions.free.push(at);
        }
    }

    /// Counts a session that begins.
    pub fn enter(&self) {
        let mut sessions = self.sessions.borrow_mut();
        sessions.live += 1;
        sessions.most = sessions.most.max(sessions.live);
    }

    /// Closes what is idle when `error` says that there are no descriptors left, here at once and soon in the other
    /// workers; whether it says so.
    pub fn make_room(&self, error: &std::io::Error) -> bool {
        let short = reactor::is_shortage(error);
        if short {
            self.state.process.shortages.fetch_add(1, Relaxed);
            self.close_idle();
        }
        short
    }

    /// Closes idle connections to servers and idle pipes.
    pub fn close_idle(&self) {
        self.pool.clear();
        reactor::close_idle_pipes();
    }

    /// Gives memory back after a crowd has gone: that of its sessions, and that of buffers which are no longer needed.
    pub fn give_back_memory(&self) {
        let mut sessions = self.sessions.borrow_mut();
        let swept = sessions.swept + reactor::buffer::sweep();
        let (live, most) = (sessions.live, sessions.most);
        sessions.swept = swept;
        if swept >= WORTH_GIVING || most - live >= CROWD && live <= most / 2 {
            (sessions.most, sessions.swept) = (live, 0);
            drop(sessions);
            reactor::buffer::give_back();
        }
    }

    /// Sends the last log lines. Where targets are full it waits, and the whole worker with it, but no longer than
    /// `patience`.
    pub fn finish_logs(&self, patience: Duration) {
        /// How long a full target is left alone.
        const PAUSE: Duration = Duration::from_millis(2);
        let end = Instant::now() + patience;
        while self.sinks.iter().filter(|sinks| !sinks.flush()).count() > 0 && Instant::now() < end {
            std::thread::sleep(PAUSE);
        }
    }

    /// Counts a session that ends.
    pub fn leave(&self) {
        let mut sessions = self.sessions.borrow_mut();
        sessions.live = sessions.live.saturating_sub(1);
        let waker = if sessions.live == 0 { sessions.drained.take() } else { None };
        drop(sessions);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Waits until no session is alive.
    pub async fn drained(&self) {
        poll_fn(|cx| {
            let mut sessions = self.sessions.borrow_mut();
            if sessions.live == 0 {
                return Poll::Ready(());
            }
            sessions.drained = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Wakes all that wait in [`Worker::poll_stopping`].
    pub fn wake_sessions(&self) {
        let wakers: Vec<Waker> = self.sessions.borrow().wakers.iter().flatten().cloned().collect();
        for waker in wakers {
            waker.wake();
        }
    }
}

fn build_sinks(state: &State) -> Vec<Rc<Sinks>> {
    let global = &state.config.global;
    let mut made: Vec<(Vec<Logger>, String, Rc<Sinks>)> = Vec::new();
    state
        .proxies
        .iter()
        .map(|proxy| {
            let loggers: Vec<Logger> = proxy
                .config
                .loggers
                .iter()
                .flat_map(|logger| match logger {
                    LoggerRef::Global => global.loggers.clone(),
                    LoggerRef::Own(logger) => vec![logger.clone()],
                })
                .collect();
            let tag = proxy.config.log_tag.as_ref().or(global.log_tag.as_ref());
            let tag = tag.map_or("haproxy", String::as_str).to_owned();
            if let Some((_, _, sinks)) = made.iter().find(|(l, t, _)| *l == loggers && *t == tag) {
                return Rc::clone(sinks);
            }
            let sinks = Rc::new(Sinks::new(&loggers, state, &tag));
            made.push((loggers, tag, Rc::clone(&sinks)));
            sinks
        })
        .collect()
}
