//! Waiting for a socket with a deadline.

use ek_time::{Duration, Instant};
use reactor::Timer;
use std::future::poll_fn;
use std::task::{Context, Poll};

/// The deadline passed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired;

/// The instant `limit` from now; `None` for no limit.
pub fn deadline(limit: Option<Duration>) -> Option<Instant> {
    limit.map(|span| reactor::now() + span)
}

/// Waits until `poll` is ready, at most until `deadline`. `timer` is armed for as long as it takes and is the
/// caller's, so that a wait costs no allocation.
pub async fn until<T>(
    timer: &Timer,
    deadline: Option<Instant>,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Result<T, Expired> {
    timer.set(deadline);
    poll_fn(|cx| {
        if let Poll::Ready(value) = poll(cx) {
            return Poll::Ready(Ok(value));
        }
        if timer.poll_expired(cx).is_ready() { Poll::Ready(Err(Expired)) } else { Poll::Pending }
    })
    .await
}
