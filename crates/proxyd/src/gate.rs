//! Where acceptors wait while a connection limit is reached.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst, fence};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Tasks, of any worker, waiting for a limit to have room again.
///
/// A waiter announces itself, then tries once more; a leaver makes room, then looks for waiters. Between the two steps
/// of each stands a sequentially consistent fence, so at least one of them sees the other.
#[derive(Debug, Default)]
pub struct Gate {
    waiting: AtomicUsize,
    wakers: Mutex<Vec<Waker>>,
}

impl Gate {
    /// Ready when `enter` succeeds; otherwise the task is woken by the next [`Gate::open`].
    pub fn poll_enter(&self, cx: &mut Context<'_>, mut enter: impl FnMut() -> bool) -> Poll<()> {
        if enter() {
            return Poll::Ready(());
        }
        {
            let mut wakers = self.lock();
            if !wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
                wakers.push(cx.waker().clone());
            }
            self.waiting.store(wakers.len(), SeqCst);
        }
        fence(SeqCst);
        if enter() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// To be called after room was made.
    pub fn open(&self) {
        fence(SeqCst);
        if self.waiting.load(SeqCst) == 0 {
            return;
        }
        let woken = {
            let mut wakers = self.lock();
            self.waiting.store(0, SeqCst);
            std::mem::take(&mut *wakers)
        };
        for waker in woken {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Waker>> {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
