//! The running program under failures and floods: slow clients, dying servers, no descriptors left, clients that vanish,
//! queues under storm, log targets that do not listen, reloads in the middle of it all.
//!
//! Every test waits for conditions, never for a guessed time, and asserts no time. `EVENKEEL_HOSTILE=full` (which
//! `cargo xtask bench hostile` sets) multiplies the numbers and prints what was measured.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod client;
mod exhausted;
mod floods;
mod killed;
mod logs;
mod proxy;
mod queue;
mod reload;
mod server;
mod slow;
mod vanished;

use std::fmt::Display;
use std::time::{Duration, Instant};

/// Nothing takes as long; what does is stuck.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Whether the long variant was asked for.
pub(crate) fn full() -> bool {
    std::env::var_os("EVENKEEL_HOSTILE").is_some_and(|how| how == "full")
}

/// How many: in the test, in the long variant.
pub(crate) fn scaled(test: usize, long: usize) -> usize {
    if full() { long } else { test }
}

/// Prints a figure in the long variant.
pub(crate) fn show(scenario: &str, what: &str, value: impl Display) {
    if full() {
        println!("{scenario:<10} {what:<58} {value}");
    }
}

/// Waits until `condition` holds.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
