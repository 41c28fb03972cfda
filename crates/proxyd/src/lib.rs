//! The proxy role: sessions and streams over the reactor.
//!
//! A *session* is a client connection, a *stream* one exchange on it. Both are plain async functions that read
//! top-down: [`accept`] → [`session`] → [`http`] or [`tcp`] → [`connect`] → [`pump`] → [`trace`]. What workers share is in
//! [`state`]; what a worker has for itself in [`worker`].

pub mod accept;
pub mod backend;
pub mod connect;
pub mod counters;
pub mod gate;
pub mod health;
pub mod http;
pub mod listeners;
pub mod log;
pub mod pool;
pub mod pump;
pub mod relay;
pub mod run;
pub mod second;
pub mod server;
pub mod session;
pub mod state;
pub mod tcp;
pub mod trace;
pub mod wait;
pub mod worker;

pub use run::{Bound, Running, Setup, start};
pub use state::State;
