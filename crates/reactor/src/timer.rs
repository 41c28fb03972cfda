//! Deadlines.

use crate::clock::now;
use crate::reactor::{self, Reactor};
use crate::slab::Key;
use crate::source::set_waker;
use ek_time::Instant;
use std::cell::Cell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Nanoseconds of one tick of the wheel.
const TICK: u64 = 1_000_000;

/// The first tick that is not before `deadline`.
fn tick_of(deadline: Instant) -> u64 {
    deadline.as_nanos().div_ceil(TICK)
}

/// The last tick that is not after `now`.
pub(crate) fn tick_before(now: Instant) -> u64 {
    now.as_nanos() / TICK
}

/// The instant of `tick`.
pub(crate) fn instant_of(tick: u64) -> Instant {
    Instant::from_nanos(tick.saturating_mul(TICK))
}

/// One deadline that can be moved at the price of a store.
///
/// The reactor's wheel holds a timer at the deadline it had when it was queued. A later one is only noted and the timer
/// queued anew when the old tick comes; so a timeout that every transfer pushes back costs nothing per transfer.
pub struct Timer(Rc<TimerState>);

pub(crate) struct TimerState {
    /// `FAR_FUTURE`: none.
    deadline: Cell<Instant>,
    /// Where the wheel holds it, in which reactor, and until which tick (`u64::MAX`: not queued).
    key: Cell<Key>,
    reactor: Cell<u32>,
    tick: Cell<u64>,
    waiting: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").field("deadline", &self.deadline()).finish()
    }
}

impl Default for Timer {
    fn default() -> Self {
        Self::new()
    }
}

impl Timer {
    /// A timer without a deadline.
    pub fn new() -> Self {
        Self(Rc::new(TimerState {
            deadline: Cell::new(Instant::FAR_FUTURE),
            key: Cell::new(Key::NONE),
            reactor: Cell::new(0),
            tick: Cell::new(u64::MAX),
            waiting: Cell::new(false),
            waker: Cell::new(None),
        }))
    }

    /// Sets, moves or (`None`) removes the deadline. A waiting task is woken at the new one.
    pub fn set(&self, deadline: Option<Instant>) {
        let deadline = deadline.unwrap_or(Instant::FAR_FUTURE);
        self.0.deadline.set(deadline);
        if self.0.waiting.get() && tick_of(deadline) < self.0.tick.get() {
            reactor::with(|reactor| self.0.queue(reactor));
        }
    }

    /// The deadline, if there is one.
    pub fn deadline(&self) -> Option<Instant> {
        Some(self.0.deadline.get()).filter(|deadline| *deadline != Instant::FAR_FUTURE)
    }

    /// Whether the deadline has come, on the coarse clock.
    pub fn is_expired(&self) -> bool {
        now() >= self.0.deadline.get()
    }

    /// Ready once the deadline has come, and until it is set anew. Without one, never.
    pub fn poll_expired(&self, cx: &mut Context<'_>) -> Poll<()> {
        let state = &self.0;
        let deadline = state.deadline.get();
        let ready = reactor::with(|reactor| {
            if reactor.clock.now() >= deadline {
                return true;
            }
            if deadline != Instant::FAR_FUTURE
                && (tick_of(deadline) < state.tick.get() || state.reactor.get() != reactor.id)
            {
                state.queue(reactor);
            }
            false
        });
        if ready.unwrap_or_else(|| now() >= deadline) {
            return Poll::Ready(());
        }
        state.waiting.set(true);
        set_waker(&state.waker, cx.waker());
        Poll::Pending
    }

    /// Waits for the deadline.
    pub async fn expired(&self) {
        poll_fn(|cx| self.poll_expired(cx)).await;
    }
}

impl TimerState {
    /// Puts the timer into the wheel at its deadline, in place of where it was.
    fn queue(self: &Rc<Self>, reactor: &Reactor) {
        let mut wheel = reactor.wheel.borrow_mut();
        // What comes out is this very timer: dropping it runs nothing, `self` keeps it.
        drop((self.reactor.get() == reactor.id).then(|| wheel.remove(self.key.get())));
        let (key, tick) = wheel.insert(tick_of(self.deadline.get()), self.clone());
        self.key.set(key);
        self.tick.set(tick);
        self.reactor.set(reactor.id);
    }

    /// The wheel handed the timer out: its deadline has come, or was moved and it is queued again. Whether a task was
    /// woken.
    pub(crate) fn fire(self: Rc<Self>, reactor: &Reactor) -> bool {
        self.key.set(Key::NONE);
        self.tick.set(u64::MAX);
        let deadline = self.deadline.get();
        if reactor.clock.now() >= deadline {
            self.waiting.set(false);
            let Some(waker) = self.waker.take() else { return false };
            waker.wake();
            return true;
        }
        if deadline != Instant::FAR_FUTURE {
            self.queue(reactor);
        }
        false
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if self.0.key.get() != Key::NONE {
            reactor::with(|reactor| {
                if self.0.reactor.get() == reactor.id {
                    // Bound to a name, so that it is dropped after the wheel's borrow ends.
                    let _state = reactor.wheel.borrow_mut().remove(self.0.key.get());
                }
            });
        }
    }
}

/// Waits until `deadline`; never returns before it.
pub async fn sleep_until(deadline: Instant) {
    let timer = Timer::new();
    timer.set(Some(deadline));
    timer.expired().await;
}

/// The deadline came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired;

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the deadline has passed")
    }
}

impl std::error::Error for Expired {}

/// Runs `future` until `deadline`.
///
/// # Errors
/// [`Expired`] when the deadline came first; `future` is dropped then. When both are ready, `future` wins.
pub async fn timeout_at<F: Future>(deadline: Instant, future: F) -> Result<F::Output, Expired> {
    let timer = Timer::new();
    timer.set(Some(deadline));
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Ok(output)),
        Poll::Pending => timer.poll_expired(cx).map(|()| Err(Expired)),
    })
    .await
}
