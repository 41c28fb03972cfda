//! Starting and stopping the workers.

use crate::accept::accept;
use crate::listeners::Key;
use crate::state::{Limits, State};
use crate::worker::Worker;
use crate::{pool, second};
use haproxy_cfg::model::Config;
use reactor::{Listener, Remote};
use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::Duration;

/// A listening address of the configuration and its sockets.
#[derive(Debug)]
pub struct Bound {
    /// Index into [`Config::proxies`].
    pub proxy: usize,
    /// Index into that proxy's binds.
    pub bind: usize,
    /// By which the next configuration finds the sockets.
    pub key: Key,
    /// One socket for each worker, or a single one that all share. A reload with fewer workers than before leaves more
    /// sockets than workers: each has connections waiting, so all are served.
    pub sockets: Vec<OwnedFd>,
}

/// All that the role needs to run.
#[derive(Debug)]
pub struct Setup {
    /// What was read.
    pub config: Arc<Config>,
    /// Worker threads, at least 1.
    pub threads: usize,
    /// Client connections at most.
    pub maxconn: u32,
    /// Pipes at most, through which bytes are spliced.
    pub pipes: usize,
    /// Bound sockets.
    pub listeners: Vec<Bound>,
    /// Seed of all that is random.
    pub seed: u64,
}

/// How long the end waits for log targets that take no more lines.
const LAST_LINES: Duration = Duration::from_secs(1);

/// The role, running.
#[derive(Debug)]
pub struct Running {
    state: Arc<State>,
    workers: Vec<(Remote, JoinHandle<()>)>,
    alive: Arc<Alive>,
}

/// The workers that have not ended, and who waits for the last one's end.
#[derive(Debug)]
struct Alive {
    count: AtomicUsize,
    waiting: Mutex<Option<Waker>>,
}

/// One worker's life, however it ends.
struct Life(Arc<Alive>);

impl Drop for Life {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, AcqRel) == 1
            && let Some(waker) = self.0.waiting().take()
        {
            waker.wake();
        }
    }
}

impl Alive {
    fn waiting(&self) -> MutexGuard<'_, Option<Waker>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<()> {
        // The waker is there before the count is read, so that the last worker's end is seen by one of the two.
        let previous = self.waiting().replace(cx.waker().clone());
        drop(previous);
        if self.count.load(Acquire) == 0 { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Starts the workers; they accept at once.
///
/// # Errors
/// When a thread or its reactor cannot be made; nothing runs then.
pub fn start(setup: Setup) -> io::Result<Running> {
    let threads = setup.threads.max(1);
    let state = Arc::new(State::new(
        setup.config,
        threads,
        Limits { maxconn: setup.maxconn, pipes: setup.pipes },
        setup.seed,
    ));
    let shares = share_out(setup.listeners, threads)?;
    let pipes = setup.pipes / threads;
    let alive = Arc::new(Alive { count: AtomicUsize::new(threads), waiting: Mutex::default() });
    let mut workers = Vec::new();
    for (index, share) in shares.into_iter().enumerate() {
        let (ready_tx, ready) = mpsc::channel();
        let (state, life) = (Arc::clone(&state), Life(Arc::clone(&alive)));
        let thread = std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
            reactor::limit_pipes(pipes);
            let result = reactor::run(reactor::Settings::default(), work(state, index, share, &ready_tx));
            if let Err(error) = result {
                let _ = ready_tx.send(Err(error));
            }
            drop(life);
        })?;
        let remote = ready.recv().map_err(|_| io::Error::other("a worker ended before it began"))??;
        workers.push((remote, thread));
    }
    Ok(Running { state, workers, alive })
}

type Share = Vec<(usize, usize, OwnedFd)>;

/// Gives every worker its sockets; one that all share is duplicated.
fn share_out(listeners: Vec<Bound>, threads: usize) -> io::Result<Vec<Share>> {
    let mut shares: Vec<Share> = std::iter::repeat_with(Vec::new).take(threads).collect();
    for Bound { proxy, bind, sockets, .. } in listeners {
        if sockets.len() >= threads {
            for (index, socket) in sockets.into_iter().enumerate() {
                if let Some(share) = shares.get_mut(index % threads) {
                    share.push((proxy, bind, socket));
                }
            }
        } else if let Some(socket) = sockets.into_iter().next() {
            for share in &mut shares {
                share.push((proxy, bind, socket.try_clone()?));
            }
        }
    }
    Ok(shares)
}

/// One worker's life: until a soft stop has let its last client go.
async fn work(state: Arc<State>, index: usize, share: Share, ready: &mpsc::Sender<io::Result<Remote>>) {
    let worker = Worker::new(Arc::clone(&state), index);
    CURRENT.with(|current| *current.borrow_mut() = Some(Rc::downgrade(&worker)));
    let mut acceptors = Vec::new();
    for (proxy, bind, socket) in share {
        let Some(proxy) = state.proxies.get(proxy).map(Arc::clone) else { continue };
        match Listener::from_fd(socket) {
            Ok(listener) => {
                acceptors.push(reactor::spawn_task(accept(Rc::clone(&worker), proxy, bind, listener)));
            }
            Err(error) => {
                let _ = ready.send(Err(error));
                return;
            }
        }
    }
    reactor::spawn(pool::keep_tidy(Rc::clone(&worker)));
    reactor::spawn(second::measure(Rc::clone(&worker)));
    if index == 0 {
        crate::health::start(&worker);
    }
    let _ = ready.send(Ok(reactor::remote()));
    for acceptor in acceptors {
        acceptor.await;
    }
    worker.drained().await;
    worker.finish_logs(LAST_LINES);
}

thread_local! {
    static CURRENT: std::cell::RefCell<Option<std::rc::Weak<Worker>>> = const { std::cell::RefCell::new(None) };
}

/// Runs `f` with this thread's worker, unless it has ended.
fn on_worker(f: impl FnOnce(&Worker)) {
    let worker = CURRENT.with(|current| current.borrow().as_ref().and_then(std::rc::Weak::upgrade));
    if let Some(worker) = worker {
        f(&worker);
    }
}

impl Running {
    /// What the workers share.
    pub fn state(&self) -> &Arc<State> {
        &self.state
    }

    /// No new clients; the workers end when the last one has gone.
    pub fn soft_stop(&self) {
        self.state.process.stopping.store(true, Relaxed);
        self.wake_all();
    }

    /// Accepts no clients until [`Running::resume`]; those it has go on. Whether that is new.
    pub fn pause(&self) -> bool {
        !self.state.process.paused.swap(true, Relaxed)
    }

    /// Accepts clients again, those first that came meanwhile. Whether they were paused.
    pub fn resume(&self) -> bool {
        let paused = self.state.process.paused.swap(false, Relaxed);
        if paused {
            self.wake_all();
        }
        paused
    }

    /// Sends lines to the log targets of their proxies (by index), at `level` (0 emerg – 7 debug).
    pub fn log(&self, level: u8, lines: Vec<(usize, String)>) {
        // Any worker has the targets of all; when all have ended there is nothing left to tell of.
        let Some((remote, _)) = self.workers.iter().find(|(_, thread)| !thread.is_finished()) else { return };
        let _ = remote.run(move || {
            on_worker(|worker| {
                for (proxy, line) in &lines {
                    if let Some(proxy) = worker.state.proxies.get(*proxy) {
                        worker.sinks(proxy).send(level, line.as_bytes());
                    }
                }
            });
        });
    }

    /// Before the process ends: stops all workers where they stand, between two tasks, for good, and sends what they have
    /// logged. So every request that was answered has its line, unless a target takes nothing for seconds.
    pub fn halt(&self) {
        let (halted_tx, halted) = mpsc::channel::<()>();
        for (remote, _) in &self.workers {
            let halted = halted_tx.clone();
            let _ = remote.run(move || {
                on_worker(|worker| worker.finish_logs(LAST_LINES));
                drop(halted);
                loop {
                    std::thread::park();
                }
            });
        }
        drop(halted_tx);
        // Ends with an error in any case: when all have halted (or had ended before), or when one takes too long.
        let _ = halted.recv_timeout(2 * LAST_LINES);
        self.state.process.logs.drain(LAST_LINES);
    }

    /// Wakes all that wait for a stop or a resumption.
    fn wake_all(&self) {
        for (remote, _) in &self.workers {
            let _ = remote.run(|| on_worker(Worker::wake_sessions));
        }
    }

    /// Waits until all workers have ended. One caller at a time is woken.
    pub async fn ended(&self) {
        poll_fn(|cx| self.alive.poll_ended(cx)).await;
    }

    /// Waits for all worker threads to end.
    pub fn join(self) {
        for (_, thread) in self.workers {
            let _ = thread.join();
        }
    }
}
