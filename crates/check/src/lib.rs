//! Health of servers: what a check found ([`Outcome`]), what that means for the server ([`Health`]), when to look again
//! ([`Pace`], [`first_delay`]), what an HTTP check says and hears ([`http_request`], [`HttpProbe`]), and the lines the
//! log shows of it ([`message`]): that is HAProxy's way. keepalived's is in [`checker`].
//!
//! Nothing here opens a socket or reads a clock.

pub mod checker;
mod health;
mod http;
pub mod message;
mod outcome;
mod pace;
mod random;
mod response;

pub use health::{Display, Health, Standing, Step, Transition};
pub use http::{HttpProbe, http_request};
pub use outcome::{Outcome, Status, Verdict};
pub use pace::{Jitter, Pace, Spread, first_delay};
