//! Health of servers: what a check found ([`Outcome`]), what that means for the server ([`Health`]), when to look again
//! ([`Pace`], [`first_delay`]), what an HTTP check says and hears ([`http_request`], [`HttpProbe`]), and the lines the
//! log shows of it ([`message`]).
//!
//! Nothing here opens a socket or reads a clock.

mod health;
mod http;
pub mod message;
mod outcome;
mod pace;
mod response;

pub use health::{Display, Health, Standing, Step, Transition};
pub use http::{HttpProbe, http_request};
pub use outcome::{Outcome, Status, Verdict};
pub use pace::{Jitter, Pace, Spread, first_delay};
