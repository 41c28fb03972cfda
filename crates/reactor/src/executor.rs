//! Tasks: spawning, waking from this thread and from others, dropping them all.
#![allow(unsafe_code)]

use crate::reactor::{self, Reactor};
use crate::slab::Key;
use crate::syscall;
use async_task::{FallibleTask, Runnable};
use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake};

/// Something to be called on the reactor's thread.
pub(crate) type Call = Box<dyn FnOnce() + Send>;

/// The part of a reactor that other threads may touch.
pub(crate) struct Shared {
    reactor: u32,
    inbox: Mutex<Inbox>,
    /// Set when the eventfd was written and the reactor has not looked yet.
    notified: AtomicBool,
    main_woken: AtomicBool,
    event: OwnedFd,
}

#[derive(Default)]
struct Inbox {
    closed: bool,
    runnables: Vec<Runnable>,
    calls: Vec<Call>,
}

impl Shared {
    pub(crate) fn new(reactor: u32) -> io::Result<Self> {
        Ok(Self {
            reactor,
            inbox: Mutex::default(),
            notified: AtomicBool::new(false),
            main_woken: AtomicBool::new(false),
            event: syscall::eventfd()?,
        })
    }

    pub(crate) fn event_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }

    fn inbox(&self) -> std::sync::MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Interrupts the reactor's wait, unless somebody did since it last looked.
    fn notify(&self) {
        if !self.notified.swap(true, Ordering::AcqRel) {
            // Every write is an edge; the counter is never read (it fills after 2^64 - 2 writes).
            syscall::eventfd_write(self.event.as_fd());
        }
    }

    /// A task was woken.
    fn schedule(&self, runnable: Runnable) {
        let mut runnable = Some(runnable);
        reactor::with(|reactor| {
            if reactor.id == self.reactor {
                reactor.ready.borrow_mut().extend(runnable.take());
            }
        });
        let Some(runnable) = runnable else { return };
        let mut inbox = self.inbox();
        if inbox.closed {
            // Cannot happen: no future is left when the inbox is closed. Dropping it here could drop a future on a
            // thread that is not its own, so it is leaked.
            std::mem::forget(runnable);
            return;
        }
        inbox.runnables.push(runnable);
        drop(inbox);
        self.notify();
    }

    /// Queues a call; gives it back when the reactor has ended.
    pub(crate) fn call(&self, call: Call) -> Result<(), Call> {
        let mut inbox = self.inbox();
        if inbox.closed {
            return Err(call);
        }
        inbox.calls.push(call);
        drop(inbox);
        self.notify();
        Ok(())
    }

    /// Moves runnables of other threads into `ready`; returns their calls. On the reactor's thread.
    pub(crate) fn take(&self, ready: &mut VecDeque<Runnable>) -> Vec<Call> {
        // Before the inbox is emptied: what comes later writes the eventfd again.
        self.notified.store(false, Ordering::Release);
        let mut inbox = self.inbox();
        ready.extend(inbox.runnables.drain(..));
        std::mem::take(&mut inbox.calls)
    }

    pub(crate) fn wake_main(&self) {
        self.main_woken.store(true, Ordering::Release);
    }

    pub(crate) fn main_is_woken(&self) -> bool {
        self.main_woken.load(Ordering::Acquire)
    }

    pub(crate) fn take_main_woken(&self) -> bool {
        self.main_is_woken() && self.main_woken.swap(false, Ordering::AcqRel)
    }
}

/// The waker of the main future.
impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_main();
        if reactor::with(|reactor| reactor.id) != Some(self.reactor) {
            self.notify();
        }
    }
}

/// Strikes a task off the living when its future is dropped.
struct Living(Key);

impl Drop for Living {
    fn drop(&mut self) {
        reactor::with(|reactor| {
            // Bound to a name, so that the waker is dropped after the table's borrow ends.
            let _waker = reactor.living.borrow_mut().remove(self.0);
        });
    }
}

/// A task's future and its entry among the living. An `async` block around the future would hold it twice.
struct Lived<F> {
    future: F,
    _living: Living,
}

impl<F: Future> Future for Lived<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: `future` is pinned whenever `self` is: it is never moved out of, `Lived` has no `Drop` of its own and is
        // `Unpin` only when `F` is.
        let future = unsafe { self.map_unchecked_mut(|lived| &mut lived.future) };
        future.poll(cx)
    }
}

fn start<T: 'static>(reactor: &Reactor, future: impl Future<Output = T> + 'static) -> async_task::Task<T> {
    let key = reactor.living.borrow_mut().insert(None);
    let future = Lived { future, _living: Living(key) };
    let shared = reactor.shared.clone();
    let schedule = move |runnable| shared.schedule(runnable);
    // SAFETY: the future is 'static; `schedule` is 'static, Send and Sync. The future need not be Send if the runnable is
    // run and dropped only on this thread: `schedule` puts it into this reactor's queue or inbox, both of which are
    // emptied by this thread alone; `drop_all` keeps the reactor until every future was dropped (`Living` is part of
    // the future, and nobody can forget the reactor, which is on `run`'s stack); later `schedule` is not called any more,
    // because async-task calls it only for tasks whose future is still there, and would leak what it got.
    let (runnable, task) = unsafe { async_task::spawn_unchecked(future, schedule) };
    let waker = runnable.waker();
    if let Some(slot) = reactor.living.borrow_mut().get_mut(key) {
        *slot = Some(waker);
    }
    if reactor.ending.get() {
        // Dropped at once, by its own thread.
        drop(runnable);
    } else {
        runnable.schedule();
    }
    task
}

#[expect(
    clippy::panic,
    reason = "spawning where no reactor runs is a mistake in the program that no input can cause"
)]
fn no_reactor() -> ! {
    panic!("no reactor runs on this thread")
}

/// Starts a task on this thread's reactor. It runs until it ends or the reactor does.
///
/// # Panics
/// Where no reactor runs.
pub fn spawn(future: impl Future<Output = ()> + 'static) {
    match reactor::with(|reactor| start(reactor, future)) {
        Some(task) => task.detach(),
        None => no_reactor(),
    }
}

/// Starts a task on this thread's reactor; it is cancelled when the handle is dropped.
///
/// # Panics
/// Where no reactor runs.
pub fn spawn_task<T: 'static>(future: impl Future<Output = T> + 'static) -> Task<T> {
    match reactor::with(|reactor| start(reactor, future)) {
        Some(task) => Task { task: Some(task.fallible()), local: PhantomData },
        None => no_reactor(),
    }
}

/// The handle of a task: awaiting it gives the task's output, dropping it cancels the task (its future is dropped when
/// its turn next comes).
#[must_use = "dropping the handle cancels the task"]
pub struct Task<T> {
    task: Option<FallibleTask<T>>,
    local: PhantomData<*const ()>,
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("finished", &self.is_finished()).finish()
    }
}

impl<T> Task<T> {
    /// Lets the task run on its own.
    pub fn detach(mut self) {
        if let Some(task) = self.task.take() {
            task.detach();
        }
    }

    /// Whether the task has ended.
    pub fn is_finished(&self) -> bool {
        self.task.as_ref().is_none_or(FallibleTask::is_finished)
    }
}

impl<T> Future for Task<T> {
    type Output = T;

    /// # Panics
    /// When the task panicked.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Some(task) = &mut self.task else { return Poll::Pending };
        match Pin::new(task).poll(cx) {
            Poll::Ready(Some(output)) => Poll::Ready(output),
            Poll::Ready(None) if reactor::with(|reactor| reactor.ending.get()) == Some(false) => {
                #[expect(clippy::panic, reason = "passes on the panic of the task that was waited for")]
                {
                    panic!("the awaited task panicked")
                }
            }
            // The reactor is ending; so will who waits.
            _ => Poll::Pending,
        }
    }
}

/// Lets the other tasks have their turn.
pub async fn yield_now() {
    let yielded = Cell::new(false);
    poll_fn(|cx| {
        if yielded.replace(true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Drops the futures of all tasks, on their thread, with everything they may use still in place; then closes the inbox.
pub(crate) fn drop_all(reactor: &Reactor) {
    reactor.ending.set(true);
    loop {
        // A task that was not in a queue is put into one.
        let wakers: Vec<_> = reactor.living.borrow().iter().flatten().cloned().collect();
        for waker in wakers {
            waker.wake();
        }
        let calls = reactor.shared.take(&mut reactor.ready.borrow_mut());
        let _ = catch_unwind(AssertUnwindSafe(|| drop(calls)));
        loop {
            let next = reactor.ready.borrow_mut().pop_front();
            let Some(runnable) = next else { break };
            // async-task aborts the process when the future's destructor panics: no future is ever left half-dropped.
            drop(runnable);
        }
        if reactor.living.borrow().is_empty() {
            break;
        }
        // Another thread has woken one and is about to put it into the inbox.
        std::thread::yield_now();
    }
    let inbox = std::mem::replace(&mut *reactor.shared.inbox(), Inbox { closed: true, ..Inbox::default() });
    drop(inbox);
}
