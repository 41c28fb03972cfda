//! Idle connections to servers, kept by each worker for its own use.

use crate::state::State;
use ek_time::{Duration, Instant};
use haproxy_cfg::model::HttpReuse;
use reactor::{Stream, Timer};
use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Waker};

/// Idle connections by proxy and server.
pub struct Pool {
    state: Arc<State>,
    shelves: Vec<Vec<RefCell<Shelf>>>,
    /// Wakes [`keep_tidy`] when a server closes an idle connection.
    tidier: RefCell<Waker>,
}

/// One server's idle connections, the most recently used last.
#[derive(Default)]
struct Shelf {
    idle: Vec<Idle>,
    /// The fewest that were idle since the last sweep: that many were not needed.
    fewest: usize,
    swept: Instant,
}

struct Idle {
    stream: Stream,
    /// It carried more than one request, so it can be trusted with a session's first one (`http-reuse aggressive`).
    proven: bool,
}

/// Idle connections of a server that requests may find and not use; from so many on, a new connection takes the place of the
/// oldest.
const UNUSED: usize = 64;

/// How often the shelves are looked over for connections that servers closed.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

impl Pool {
    /// Empty shelves for all servers of `state`.
    pub fn new(state: &Arc<State>) -> Self {
        let shelves = state
            .proxies
            .iter()
            .map(|p| p.backend.servers.iter().map(|_| RefCell::default()).collect())
            .collect();
        Self { state: Arc::clone(state), shelves, tidier: RefCell::new(Waker::noop().clone()) }
    }

    fn shelf(&self, proxy: usize, server: usize) -> Option<&RefCell<Shelf>> {
        self.shelves.get(proxy)?.get(server)
    }

    /// Counts connections that come to rest here.
    fn enter(&self, proxy: usize, server: usize, idle: &Idle) {
        if let Some(server) = self.state.proxies.get(proxy).and_then(|p| p.backend.servers.get(server)) {
            server.idle(idle.proven).fetch_add(1, Relaxed);
        }
    }

    /// Counts connections that leave.
    fn leave<'a>(&self, proxy: usize, server: usize, idle: impl IntoIterator<Item = &'a Idle>) {
        if let Some(server) = self.state.proxies.get(proxy).and_then(|p| p.backend.servers.get(server)) {
            for idle in idle {
                server.idle(idle.proven).fetch_sub(1, Relaxed);
            }
        }
    }

    /// A connection to this server that may carry the request. `first` is whether it is its session's first one.
    pub fn take(&self, proxy: usize, server: usize, reuse: HttpReuse, first: bool) -> Option<Stream> {
        // The manual's table of `http-reuse`: which idle connections may be used, and which of them rather.
        let (unproven_too, proven_first) = match (reuse, first) {
            (HttpReuse::Never, _) => return None,
            (HttpReuse::Safe, true) => {
                self.shed(proxy, server);
                return None;
            }
            (HttpReuse::Aggressive, true) => (false, true),
            (HttpReuse::Always, true) => (true, true),
            (_, false) => (true, true),
        };
        let mut shelf = self.shelf(proxy, server)?.borrow_mut();
        loop {
            let rather = shelf.idle.iter().rposition(|idle| idle.proven == proven_first);
            let otherwise = || if unproven_too { shelf.idle.len().checked_sub(1) } else { None };
            let Some(at) = rather.or_else(otherwise) else {
                drop(shelf);
                self.shed(proxy, server);
                return None;
            };
            let idle = shelf.idle.remove(at);
            shelf.fewest = shelf.fewest.min(shelf.idle.len());
            self.leave(proxy, server, [&idle]);
            if quiet(&idle.stream) {
                return Some(idle.stream);
            }
        }
    }

    /// A new connection is about to be made although some are idle. Sessions of one request each leave connections that
    /// the next such session cannot use: they must not pile up.
    fn shed(&self, proxy: usize, server: usize) {
        let Some(mut shelf) = self.shelf(proxy, server).map(RefCell::borrow_mut) else { return };
        if shelf.idle.len() >= UNUSED {
            let oldest = shelf.idle.remove(0);
            shelf.fewest = shelf.fewest.min(shelf.idle.len());
            self.leave(proxy, server, [&oldest]);
        }
    }

    /// Keeps a connection whose exchange ended cleanly; it is closed instead when the pool has enough.
    pub fn put(&self, proxy: usize, server: usize, stream: Stream, proven: bool) {
        let Some(shelf) = self.shelf(proxy, server) else { return };
        let Some(shared) = self.state.proxies.get(proxy).and_then(|p| p.backend.servers.get(server)) else {
            return;
        };
        let limit = shared.config.pool_max_conn;
        if limit >= 0 && i64::from(shared.idle_now()) >= limit || !shared.usable() {
            return;
        }
        if stream.poll_readable(&mut Context::from_waker(&self.tidier.borrow())).is_ready() && !quiet(&stream)
        {
            return;
        }
        let mut shelf = shelf.borrow_mut();
        let idle = Idle { stream, proven };
        self.enter(proxy, server, &idle);
        shelf.idle.push(idle);
    }

    /// Closes what servers have closed, and half of what was not needed in `pool-purge-delay`.
    fn sweep(&self, now: Instant) {
        for (proxy, shelves) in self.shelves.iter().enumerate() {
            for (server, shelf) in shelves.iter().enumerate() {
                let mut shelf = shelf.borrow_mut();
                if shelf.idle.is_empty() {
                    continue;
                }
                let closed = shelf.idle.extract_if(.., |idle| !quiet(&idle.stream)).collect::<Vec<_>>();
                self.leave(proxy, server, &closed);
                let delay = self
                    .state
                    .proxies
                    .get(proxy)
                    .and_then(|p| p.backend.servers.get(server))
                    .map_or(Duration::from_secs(5), |s| s.config.pool_purge_delay);
                if now.since(shelf.swept) >= delay {
                    let unneeded = shelf.fewest.min(shelf.idle.len()).div_ceil(2);
                    let unneeded: Vec<Idle> = shelf.idle.drain(..unneeded).collect();
                    self.leave(proxy, server, &unneeded);
                    shelf.fewest = shelf.idle.len();
                    shelf.swept = now;
                }
            }
        }
    }

    /// Closes all connections.
    pub fn clear(&self) {
        for (proxy, shelves) in self.shelves.iter().enumerate() {
            for (server, shelf) in shelves.iter().enumerate() {
                let closed = std::mem::take(&mut shelf.borrow_mut().idle);
                self.leave(proxy, server, &closed);
            }
        }
    }
}

/// Whether an idle connection can carry a request: the server has neither closed it nor sent anything unasked. Costs a
/// system call only when there is something to be read.
pub fn quiet(stream: &Stream) -> bool {
    let nothing = |e: std::io::Error| e.kind() == std::io::ErrorKind::WouldBlock;
    !stream.peer_closed() && stream.try_peek(&mut [0]).is_err_and(nothing)
}

/// Looks over `worker`'s idle connections for as long as it serves, when a server has closed one and regularly, and
/// regularly over its memory.
pub async fn keep_tidy(worker: Rc<crate::worker::Worker>) {
    let timer = Timer::new();
    timer.set(Some(reactor::now() + SWEEP_EVERY));
    let shortages = || worker.state.process.shortages.load(Relaxed);
    let mut known = shortages();
    poll_fn(|cx| {
        worker.pool.tidier.replace(cx.waker().clone());
        if worker.state.stopping() {
            return Poll::Ready(());
        }
        worker.pool.sweep(reactor::now());
        if timer.poll_expired(cx).is_ready() {
            if std::mem::replace(&mut known, shortages()) != known {
                worker.close_idle();
            }
            worker.give_back_memory();
            timer.set(Some(reactor::now() + SWEEP_EVERY));
            // Not yet, since it was just set; asked so that the timer wakes this task.
            let _ = timer.poll_expired(cx);
        }
        Poll::Pending
    })
    .await;
    worker.pool.clear();
}
