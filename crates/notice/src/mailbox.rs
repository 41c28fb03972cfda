//! What tasks tell the driver: a queue within one thread.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// A queue with one receiver. Clones are the same queue.
pub struct Mailbox<T>(Rc<Inner<T>>);

struct Inner<T> {
    queue: RefCell<VecDeque<T>>,
    waker: Cell<Option<Waker>>,
}

impl<T> std::fmt::Debug for Mailbox<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailbox").field("waiting", &self.0.queue.borrow().len()).finish()
    }
}

impl<T> Clone for Mailbox<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        Self(Rc::new(Inner { queue: RefCell::new(VecDeque::new()), waker: Cell::new(None) }))
    }
}

impl<T> Mailbox<T> {
    /// Adds a message and wakes the receiver.
    pub fn put(&self, message: T) {
        self.0.queue.borrow_mut().push_back(message);
        if let Some(waker) = self.0.waker.take() {
            waker.wake();
        }
    }

    /// The oldest message.
    pub fn take(&self) -> Option<T> {
        self.0.queue.borrow_mut().pop_front()
    }

    /// Ready when there is a message.
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.0.queue.borrow().is_empty() {
            return Poll::Ready(());
        }
        self.0.waker.set(Some(cx.waker().clone()));
        Poll::Pending
    }
}
