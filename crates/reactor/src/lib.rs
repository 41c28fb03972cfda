//! One worker thread: tasks, epoll, timers, sockets, splice, signals, children.
//!
//! [`run`] makes a reactor on the calling thread and drives one future, and every task spawned from it, until that
//! future ends. A program has one reactor per worker thread; they share nothing but what [`Remote`] carries.
//!
//! # A turn of the loop
//! 1. The main future, when woken, then the tasks that were in the queue when the turn began, and once more those that
//!    they woke or spawned (at most [`Settings::tasks_per_turn`]).
//! 2. `epoll_wait`, not waiting when something is still to be run, else until the next timer.
//! 3. The clock is read, once; [`now`] and [`wall`] answer from it until the next turn.
//! 4. Readiness is noted and its waiters are woken; work sent by other threads is taken; due timers wake theirs
//!    (at most [`Settings::timers_per_turn`]).
//!
//! # Invariants
//! - **One thread.** Streams, timers, tasks hold `Rc`s and never leave their thread. Only wakers and [`Remote`] do, and
//!   they reach nothing but `executor::Shared`, which is a mutex, two flags and an eventfd.
//! - **A future dies where it lived.** `async-task` futures are not `Send` here, so that a runnable must be run and
//!   dropped by its own thread. The reactor keeps a waker of every living task; at its end it wakes them all and drops
//!   their runnables until none lives, while everything a `Drop` may touch is still there. Afterwards no waker can
//!   make a runnable any more.
//! - **The thread's reactor** is a pointer in a thread-local that is set for the extent of [`run`] and reached only
//!   through `reactor::with`, which lends it to a closure. Nothing keeps it.
//! - **No borrow is held while foreign code runs**: wakers are moved out of their cells and tables before they are
//!   woken or dropped, for either may drop a task, and with it streams and timers.
//! - **Readiness is never lost.** A descriptor is registered once, edge-triggered, when somebody must first wait, and
//!   changed once, when somebody must first wait to write; epoll then reports what is already true. A flag is cleared only by would-block, or by a transfer that the kernel
//!   cut short because its queue was drained or full: the next change is a new edge. A peer's close is sticky.
//! - **A stale event finds nobody.** epoll carries a slab key with a generation, not an address or descriptor.
//! - **Deadlines are never early** on the coarse clock.

mod address;
mod alarm;
pub mod buffer;
pub mod child;
mod clock;
mod datagram;
mod executor;
pub mod inotify;
mod listener;
mod pipe;
pub mod process;
pub mod raw;
mod reactor;
mod remote;
pub mod scheduling;
pub mod signal;
mod slab;
mod source;
mod stream;
mod syscall;
#[cfg(test)]
mod tests;
mod timer;
mod watch;
mod wheel;

pub use address::SockAddr;
pub use alarm::{Alarm, boot_time};
pub use buffer::Buffer;
pub use clock::{cpu_time, now, wall};
pub use datagram::Datagram;
pub use executor::{Task, spawn, spawn_task, yield_now};
pub use listener::{ListenOptions, Listener, is_shortage};
pub use pipe::{Pipe, close_idle_pipes, count_pipes, limit_pipes};
pub use reactor::{Settings, run, turn};
pub use remote::{Gone, Remote, remote};
pub use stream::{ConnectOptions, KeepAlive, Stream};
pub use timer::{Expired, Timer, sleep_until, timeout_at};
pub use watch::Watch;
