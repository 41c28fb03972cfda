//! keepalived's checkers: what each one sends, what it makes of the answer, and what follows from that.
//!
//! A checker runs in rounds. Its driver waits [`Settings::first_delay`], makes one attempt ([`HttpGet`], [`SmtpTalk`],
//! [`DnsQuery`], [`UdpPattern`], [`Ping`], a script, a connection) and tells [`Retry`] how it ended; the [`Step`] that
//! comes back says how long to wait for the next one, what to log, and the [`Verdict`] when there is one.
//!
//! [`HttpGet`]: http::HttpGet
//! [`SmtpTalk`]: smtp::SmtpTalk
//! [`DnsQuery`]: dns::DnsQuery
//! [`UdpPattern`]: udp::UdpPattern
//! [`Ping`]: ping::Ping

mod attempt;
pub mod dns;
pub mod file;
pub mod genhash;
pub mod http;
mod line;
pub mod ping;
pub mod regex;
mod retry;
pub mod script;
mod settings;
pub mod smtp;
pub mod udp;

pub use attempt::{Attempt, Failure, Lengths, Obstacle, Proof};
pub use line::{Line, Names};
pub use retry::{Mail, Retry, Step, Verdict, Weight};
pub use settings::{Kind, Settings};
