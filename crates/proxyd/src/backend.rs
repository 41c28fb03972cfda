//! The choice of a server, and the queue in front of servers that are full.

use crate::counters::{Gauge, Rate};
use crate::server::Server;
use crate::state::Proxy;
use balance::{Algorithm, Balancer, Load, Member, Settings};
use haproxy_cfg::model;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A section's servers. The algorithm and the queue share one short lock; all else is atomics.
#[derive(Debug)]
pub struct Backend {
    /// The servers, in the order they stand.
    pub servers: Vec<Server>,
    /// Streams in the backend now, on a server or waiting (`%bc`).
    pub streams: Gauge,
    /// Streams that came in, a second.
    pub rate: Rate,
    /// Streams waiting for a server, and the most there were.
    pub queue: Gauge,
    /// How many have left the queue so far.
    left_queue: AtomicU32,
    choice: Mutex<Choice>,
    /// Usable servers: those that are not backups, and backups.
    active: AtomicU32,
    backups: AtomicU32,
    /// Changes between having and not having a usable server.
    pub changes: Changes,
    least_connections: bool,
}

/// When something last came up or went down, and how often and for how long it was down.
#[derive(Debug, Default)]
pub struct Changes {
    /// Milliseconds on the monotonic clock; 0: at start.
    last_ms: AtomicU64,
    /// Milliseconds down in all, without the present time down.
    down_ms: AtomicU64,
    /// Times it went down.
    downs: AtomicU64,
}

impl Changes {
    /// Notes that it came up or went down at `now_ms`.
    pub(crate) fn note(&self, up: bool, now_ms: u64) {
        let before = self.last_ms.swap(now_ms, Relaxed);
        if up {
            self.down_ms.fetch_add(now_ms.saturating_sub(before), Relaxed);
        } else {
            self.downs.fetch_add(1, Relaxed);
        }
    }

    /// Milliseconds since the last change; `started_ms` is when there was none yet.
    pub fn since(&self, started_ms: u64, now_ms: u64) -> u64 {
        let last = self.last_ms.load(Relaxed);
        now_ms.saturating_sub(if last == 0 { started_ms } else { last })
    }

    /// Milliseconds down in all; `up` is how it is now.
    pub fn downtime(&self, up: bool, started_ms: u64, now_ms: u64) -> u64 {
        self.down_ms.load(Relaxed) + if up { 0 } else { self.since(started_ms, now_ms) }
    }

    /// Times it went down.
    pub fn downs(&self) -> u64 {
        self.downs.load(Relaxed)
    }
}

#[derive(Debug)]
struct Choice {
    balancer: Balancer,
    waiting: VecDeque<Arc<Waiter>>,
}

/// A stream waiting for a server.
#[derive(Debug)]
struct Waiter(Mutex<Waiting>);

#[derive(Debug)]
enum Waiting {
    For(Option<Waker>),
    /// This server, and the stream's position in the queue.
    Given(usize, u32),
    Over,
}

/// What came of asking for a server.
#[derive(Debug)]
pub enum Chosen {
    /// This one; it counts the stream until the slot is dropped.
    Server(Slot),
    /// All usable servers are full: wait in the queue.
    Queued(Ticket),
    /// No server is usable.
    None,
}

/// A stream's place on a server, given back on drop.
#[derive(Debug)]
pub struct Slot {
    proxy: Arc<Proxy>,
    /// The server's index.
    pub server: usize,
}

/// A place in the queue, given up on drop.
#[derive(Debug)]
pub struct Ticket {
    proxy: Arc<Proxy>,
    waiter: Arc<Waiter>,
    /// How many had left the queue when this stream came.
    left_before: u32,
}

struct ServersLoad<'a>(&'a [Server]);

impl Load for ServersLoad<'_> {
    fn served(&self, server: usize) -> u32 {
        self.0.get(server).map_or(0, |s| s.streams.get())
    }

    fn full(&self, server: usize) -> bool {
        self.0.get(server).is_none_or(Server::full)
    }
}

impl Backend {
    /// The servers of `config`, all as they start.
    pub fn new(config: &model::Proxy, seed: u64) -> Self {
        let algorithm = match config.balance {
            model::Balance::RoundRobin => Algorithm::RoundRobin,
            model::Balance::StaticRoundRobin => Algorithm::StaticRoundRobin,
            model::Balance::LeastConn => Algorithm::LeastConn,
            model::Balance::First => Algorithm::First,
            model::Balance::Random(draws) => Algorithm::Random { draws },
        };
        let members: Vec<Member> = config
            .servers
            .iter()
            .map(|s| Member { id: s.id, weight: s.weight, backup: s.backup, usable: !s.disabled })
            .collect();
        let settings = Settings { all_backups: config.options.allbackups, seed };
        let backend = Self {
            servers: config.servers.iter().cloned().map(Server::new).collect(),
            streams: Gauge::default(),
            rate: Rate::default(),
            queue: Gauge::default(),
            left_queue: AtomicU32::new(0),
            choice: Mutex::new(Choice {
                balancer: Balancer::new(algorithm, &members, settings),
                waiting: VecDeque::new(),
            }),
            active: AtomicU32::new(0),
            backups: AtomicU32::new(0),
            changes: Changes::default(),
            least_connections: matches!(config.balance, model::Balance::LeastConn),
        };
        backend.refresh();
        backend
    }

    /// Usable servers: those that are not backups, and backups.
    pub fn usable(&self) -> (u32, u32) {
        (self.active.load(Relaxed), self.backups.load(Relaxed))
    }

    /// Brings the balancer up to date after a server's state or weight changed.
    pub fn refresh(&self) {
        let mut choice = self.lock();
        for (index, server) in self.servers.iter().enumerate() {
            let _ = choice.balancer.set_weight(index, server.weight.load(Relaxed));
            choice.balancer.set_usable(index, server.usable());
        }
        self.active.store(choice.balancer.active(), Relaxed);
        self.backups.store(choice.balancer.backup(), Relaxed);
        drop(choice);
        // A server that came back has room for those who wait.
        self.serve_queue();
    }

    fn lock(&self) -> MutexGuard<'_, Choice> {
        self.choice.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a stream on the server the algorithm picks.
    fn pick(&self, choice: &mut Choice, avoid: Option<usize>) -> Option<usize> {
        let picked = choice.balancer.pick(&ServersLoad(&self.servers), avoid)?;
        self.servers.get(picked)?.streams.enter();
        if self.least_connections {
            choice.balancer.served_changed(picked, &ServersLoad(&self.servers));
        }
        Some(picked)
    }

    /// Counts a stream out of the queue; how many have left it now.
    fn leave_queue(&self) -> u32 {
        self.queue.leave();
        self.left_queue.fetch_add(1, Relaxed) + 1
    }

    /// Gives `server`'s freed place to the stream that waits longest, if one does.
    fn serve_queue(&self) {
        fence(SeqCst);
        while self.queue.get() > 0 {
            let mut choice = self.lock();
            if choice.waiting.is_empty() {
                return;
            }
            let Some(server) = self.pick(&mut choice, None) else { return };
            // Counted before it is given: its taker may be faster than we are.
            self.promise(server, 1);
            let given = std::iter::from_fn(|| choice.waiting.pop_front())
                .map(|waiter| (waiter, self.leave_queue()))
                .find_map(|(waiter, position)| waiter.give(server, position));
            match given {
                Some(waker) => {
                    drop(choice);
                    if let Some(waker) = waker {
                        waker.wake();
                    }
                }
                None => {
                    self.promise(server, u32::MAX);
                    self.leave(server, &mut choice);
                }
            }
        }
    }

    /// Counts a place that was given but not taken yet; `u32::MAX` takes the count back.
    fn promise(&self, server: usize, change: u32) {
        if let Some(server) = self.servers.get(server) {
            server.promised.fetch_add(change, Relaxed);
        }
    }

    fn leave(&self, server: usize, choice: &mut Choice) {
        if let Some(s) = self.servers.get(server) {
            s.streams.leave();
            choice.balancer.served_changed(server, &ServersLoad(&self.servers));
        }
    }
}

impl Waiter {
    /// Hands the server over; `None` when the stream no longer waits.
    fn give(&self, server: usize, left_queue: u32) -> Option<Option<Waker>> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *waiting {
            Waiting::For(waker) => {
                let waker = waker.take();
                *waiting = Waiting::Given(server, left_queue);
                Some(waker)
            }
            Waiting::Given(..) | Waiting::Over => None,
        }
    }
}

/// Asks for a server of `proxy`, another than `avoid` when there is one.
pub fn choose(proxy: &Arc<Proxy>, avoid: Option<usize>) -> Chosen {
    let backend = &proxy.backend;
    let mut choice = backend.lock();
    if let Some(server) = backend.pick(&mut choice, avoid) {
        return Chosen::Server(Slot { proxy: Arc::clone(proxy), server });
    }
    if backend.usable() == (0, 0) {
        return Chosen::None;
    }
    let waiter = Arc::new(Waiter(Mutex::new(Waiting::For(None))));
    let left_before = backend.left_queue.load(Relaxed);
    backend.queue.enter();
    choice.waiting.push_back(Arc::clone(&waiter));
    drop(choice);
    // A slot freed between the pick and the push found no one waiting: look again.
    backend.serve_queue();
    Chosen::Queued(Ticket { proxy: Arc::clone(proxy), waiter, left_before })
}

/// A place on this very server, when it is usable and not full.
pub fn choose_again(proxy: &Arc<Proxy>, server: usize) -> Option<Slot> {
    let backend = &proxy.backend;
    let mut choice = backend.lock();
    let wanted = backend.servers.get(server).filter(|s| s.usable() && !s.full())?;
    wanted.streams.enter();
    choice.balancer.served_changed(server, &ServersLoad(&backend.servers));
    Some(Slot { proxy: Arc::clone(proxy), server })
}

impl Ticket {
    /// Ready with a server and the stream's position in the queue: 1 when nobody left it meanwhile.
    pub fn poll_slot(&mut self, cx: &mut Context<'_>) -> Poll<(Slot, u32)> {
        let mut waiting = self.waiter.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *waiting {
            Waiting::Given(server, left_queue) => {
                let (server, position) = (*server, left_queue.wrapping_sub(self.left_before));
                *waiting = Waiting::Over;
                Poll::Ready((self.take(server), position))
            }
            Waiting::For(waker) => {
                *waker = Some(cx.waker().clone());
                Poll::Pending
            }
            Waiting::Over => Poll::Pending,
        }
    }

    /// Gives the place up; its position in the queue.
    pub fn leave(&mut self) -> u32 {
        let before = {
            let mut waiting = self.waiter.0.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *waiting, Waiting::Over)
        };
        let backend = &self.proxy.backend;
        match before {
            // A server was given but not taken: pass it on.
            Waiting::Given(server, _) => drop(self.take(server)),
            Waiting::For(_) => {
                let mut choice = backend.lock();
                if let Some(at) = choice.waiting.iter().position(|w| Arc::ptr_eq(w, &self.waiter)) {
                    choice.waiting.remove(at);
                    backend.leave_queue();
                }
            }
            Waiting::Over => {}
        }
        backend.left_queue.load(Relaxed).wrapping_sub(self.left_before)
    }

    fn take(&self, server: usize) -> Slot {
        self.proxy.backend.promise(server, u32::MAX);
        Slot { proxy: Arc::clone(&self.proxy), server }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.leave();
    }
}

/// A stream's presence in a backend, ended on drop.
#[derive(Debug)]
pub struct Stay<'a>(&'a Gauge);

impl Backend {
    /// Counts a stream in the backend.
    pub fn stay(&self) -> Stay<'_> {
        self.streams.enter();
        Stay(&self.streams)
    }
}

impl Drop for Stay<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl Slot {
    /// The server.
    pub fn server(&self) -> Option<&Server> {
        self.proxy.backend.servers.get(self.server)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let backend = &self.proxy.backend;
        if backend.least_connections {
            backend.leave(self.server, &mut backend.lock());
        } else if let Some(server) = backend.servers.get(self.server) {
            server.streams.leave();
        }
        backend.serve_queue();
    }
}
