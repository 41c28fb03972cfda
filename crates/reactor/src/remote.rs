//! Reaching a reactor from other threads.

use crate::executor::Shared;
use crate::reactor;
use std::fmt;
use std::sync::Arc;

/// A handle to a reactor for any thread.
#[derive(Clone)]
pub struct Remote(Arc<Shared>);

/// The reactor has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the reactor has ended")
    }
}

impl std::error::Error for Gone {}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remote")
    }
}

impl Remote {
    /// Calls `f` on the reactor's thread, between tasks; it may spawn. Calls of one thread keep their order. A call that
    /// the reactor's end overtakes is dropped, not made.
    ///
    /// # Errors
    /// [`Gone`] when the reactor has ended; `f` is dropped.
    pub fn run(&self, f: impl FnOnce() + Send + 'static) -> Result<(), Gone> {
        self.0.call(Box::new(f)).map_err(|_| Gone)
    }
}

/// A handle to this thread's reactor.
///
/// # Panics
/// Where no reactor runs.
#[expect(
    clippy::panic,
    reason = "asking where no reactor runs is a mistake in the program that no input can cause"
)]
pub fn remote() -> Remote {
    match reactor::with(|reactor| reactor.shared.clone()) {
        Some(shared) => Remote(shared),
        None => panic!("no reactor runs on this thread"),
    }
}
