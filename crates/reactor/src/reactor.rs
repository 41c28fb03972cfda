//! The loop of one thread, and what belongs to it.
#![allow(unsafe_code)]

use crate::clock::Clock;
use crate::executor::{self, Shared};
use crate::slab::{Key, Slab};
use crate::source::Source;
use crate::syscall;
use crate::timer::{self, TimerState};
use crate::wheel::Wheel;
use async_task::Runnable;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};

/// How much one turn of the loop takes on.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Events taken from epoll at once; at least 1.
    pub events_per_turn: usize,
    /// Tasks run before epoll and the timers are looked at again; at least 1.
    pub tasks_per_turn: usize,
    /// Due timers that wake their tasks before epoll is looked at again; at least 1. When a crowd times out together,
    /// what comes from the others goes in between.
    pub timers_per_turn: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { events_per_turn: 256, tasks_per_turn: 512, timers_per_turn: 32 }
    }
}

/// Everything of one thread. Created by [`run`], reached through [`with`].
pub(crate) struct Reactor {
    /// Tells it from every other of this process; never 0.
    pub(crate) id: u32,
    pub(crate) epoll: OwnedFd,
    pub(crate) clock: Clock,
    pub(crate) sources: RefCell<Slab<Rc<Source>>>,
    pub(crate) wheel: RefCell<Wheel<Rc<TimerState>>>,
    pub(crate) shared: Arc<Shared>,
    /// Tasks to run, oldest first.
    pub(crate) ready: RefCell<VecDeque<Runnable>>,
    /// A waker of every task whose future was not dropped yet (`None` while it is being spawned).
    pub(crate) living: RefCell<Slab<Option<Waker>>>,
    pub(crate) ending: Cell<bool>,
    pub(crate) turn: Cell<u64>,
}

thread_local! {
    static CURRENT: Cell<*const Reactor> = const { Cell::new(std::ptr::null()) };
}

/// Lends this thread's reactor, if one runs.
#[inline]
pub(crate) fn with<T>(f: impl FnOnce(&Reactor) -> T) -> Option<T> {
    let current = CURRENT.get();
    // SAFETY: the pointer is null or was set by `Entered::new` on this thread to a Reactor that outlives that guard, whose
    // drop sets it back. The guard lives on this thread's stack below this call, so it cannot be dropped while `f` runs,
    // and the reference does not outlive `f` (it is borrowed for a lifetime that `T` cannot name). All of Reactor's
    // mutable state is in cells.
    unsafe { current.as_ref() }.map(f)
}

/// The number of the current turn of the loop; 0 where no reactor runs. Things that are to happen once per turn compare it.
pub fn turn() -> u64 {
    with(|reactor| reactor.turn.get()).unwrap_or(0)
}

/// The extent in which a reactor is its thread's.
struct Entered<'a>(&'a Reactor);

impl<'a> Entered<'a> {
    fn new(reactor: &'a Reactor) -> io::Result<Self> {
        if !CURRENT.get().is_null() {
            return Err(io::Error::other("a reactor runs on this thread already"));
        }
        CURRENT.set(reactor);
        Ok(Self(reactor))
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        /// Also when dropping a task panics.
        struct Leave;
        impl Drop for Leave {
            fn drop(&mut self) {
                CURRENT.set(std::ptr::null());
            }
        }
        let _leave = Leave;
        executor::drop_all(self.0);
    }
}

/// Runs `main`, and every task spawned meanwhile, on this thread until `main` ends; then drops the other tasks.
///
/// A panic in `main` passes through; one in a task ends that task only.
///
/// # Errors
/// When the kernel gives no epoll or eventfd descriptor, or a reactor runs on this thread already.
pub fn run<F: Future>(settings: Settings, main: F) -> io::Result<F::Output> {
    let reactor = Reactor::new()?;
    // Dropped in the opposite order: `main`, then the tasks, then what they used.
    let _entered = Entered::new(&reactor)?;
    let mut events = syscall::Events::new(settings.events_per_turn.max(1));
    let mut main = pin!(main);
    let waker = Waker::from(reactor.shared.clone());
    let mut cx = Context::from_waker(&waker);
    reactor.shared.wake_main();
    loop {
        reactor.turn.set(reactor.turn.get() + 1);
        if reactor.shared.take_main_woken()
            && let Poll::Ready(output) = main.as_mut().poll(&mut cx)
        {
            return Ok(output);
        }
        reactor.run_tasks(settings.tasks_per_turn.max(1));
        reactor.wait(&mut events, settings.timers_per_turn.max(1))?;
    }
}

impl Reactor {
    fn new() -> io::Result<Self> {
        static IDS: AtomicU32 = AtomicU32::new(1);
        let epoll = syscall::epoll_create()?;
        // After 2^32 reactors of one process a number comes again; 0 is left out.
        let id = IDS.fetch_add(1, Ordering::Relaxed).max(1);
        let shared = Arc::new(Shared::new(id)?);
        syscall::epoll_add(
            epoll.as_fd(),
            shared.event_fd(),
            (libc::EPOLLIN | libc::EPOLLET) as u32,
            Key::NONE.bits(),
        )?;
        let clock = Clock::new();
        let wheel = Wheel::new(timer::tick_before(clock.now()));
        Ok(Self {
            id,
            epoll,
            clock,
            sources: RefCell::new(Slab::new()),
            wheel: RefCell::new(wheel),
            shared,
            ready: RefCell::new(VecDeque::new()),
            living: RefCell::new(Slab::new()),
            ending: Cell::new(false),
            turn: Cell::new(0),
        })
    }

    /// Runs the tasks that are in the queue now, then those that they woke or spawned: these would otherwise cost a look at
    /// epoll of their own. What is woken after that has its turn when epoll was looked at.
    fn run_tasks(&self, limit: usize) {
        let mut left = limit;
        for _ in 0..2 {
            let count = self.ready.borrow().len().min(left);
            left -= count;
            for _ in 0..count {
                let Some(runnable) = self.ready.borrow_mut().pop_front() else { return };
                // The panic hook has reported it; `async-task` has dropped the future.
                let _ = catch_unwind(AssertUnwindSafe(|| runnable.run()));
            }
        }
    }

    /// The second half of a turn: wait, read the clock, wake.
    fn wait(&self, events: &mut syscall::Events, timers: usize) -> io::Result<()> {
        let idle = self.ready.borrow().is_empty() && !self.shared.main_is_woken();
        let timeout = if idle { self.until_next_timer() } else { 0 };
        let ready = syscall::epoll_wait(self.epoll.as_fd(), events, timeout)?;
        self.clock.tick();
        for (flags, key) in ready {
            let key = Key::from_bits(key);
            if key == Key::NONE {
                self.take_from_others();
                continue;
            }
            // Cloned out of the table: waking may change it.
            let source = self.sources.borrow().get(key).cloned();
            if let Some(source) = source {
                source.notify(flags);
            }
        }
        let tick = timer::tick_before(self.clock.now());
        let mut woken = 0;
        // What is left stays due: the next turn does not wait.
        while woken < timers {
            let due = self.wheel.borrow_mut().poll(tick);
            let Some(timer) = due else { break };
            woken += usize::from(timer.fire(self));
        }
        Ok(())
    }

    /// Milliseconds for epoll_wait: rounded up, so that it does not return just before the tick; -1 without timers.
    fn until_next_timer(&self) -> i32 {
        let Some(tick) = self.wheel.borrow().next_tick() else { return -1 };
        let nanos = timer::instant_of(tick).since(self.clock.now()).as_nanos();
        i32::try_from(nanos.div_ceil(1_000_000)).unwrap_or(i32::MAX)
    }

    fn take_from_others(&self) {
        let calls = self.shared.take(&mut self.ready.borrow_mut());
        for call in calls {
            let _ = catch_unwind(AssertUnwindSafe(call));
        }
    }
}
