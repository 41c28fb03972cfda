//! What the tests of the program stand on: raw clients, recording servers, a log sink, programs to run, and a
//! comparison of what two programs did with the same bytes.
//!
//! Blocking sockets and threads throughout: nothing here shares code with what is tested. Nothing sleeps for a guessed
//! time either: every wait has a condition and a generous deadline, and a deadline that passes is itself a finding.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: a panic is how a test says what is wrong"
)]

pub mod capture;
pub mod case;
pub mod corpus;
pub mod director;
pub mod escape;
pub mod lab;
pub mod lane;
pub mod message;
pub mod normal;
pub mod peer;
pub mod proc;
pub mod program;
pub mod queue;
pub mod report;
pub mod server;
pub mod sink;
pub mod transcript;
pub mod uml;

use std::time::Duration;

/// How long anything may take before it counts as stuck. Generous: the machine may be busy.
pub const DEADLINE: Duration = Duration::from_secs(8);
