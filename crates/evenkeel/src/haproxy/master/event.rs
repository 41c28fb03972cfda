//! What a master is woken for, one thing after the other.

use reactor::Stream;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::process::ExitStatus;
use std::task::{Poll, Waker};

/// What a master answers to.
pub(super) enum Event {
    Signal(i32),
    Ready(u64),
    Exited(u64, Option<ExitStatus>),
    Restart,
    /// A client of the master's socket wants the configuration read anew.
    Asked(Stream),
    /// Whether the program that is to take over can.
    Probed(Result<(), String>),
}

/// What happened and was not handled yet.
#[derive(Default)]
pub(super) struct Events {
    queue: RefCell<VecDeque<Event>>,
    waker: Cell<Option<Waker>>,
}

impl Events {
    pub(super) fn push(&self, event: Event) {
        self.queue.borrow_mut().push_back(event);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    pub(super) fn try_next(&self) -> Option<Event> {
        self.queue.borrow_mut().pop_front()
    }

    pub(super) async fn next(&self) -> Event {
        std::future::poll_fn(|cx| match self.try_next() {
            Some(event) => Poll::Ready(event),
            None => {
                self.waker.set(Some(cx.waker().clone()));
                Poll::Pending
            }
        })
        .await
    }
}
