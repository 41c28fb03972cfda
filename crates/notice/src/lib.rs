//! How the roles of keepalived reach the outside: log lines, scripts, pipes, mail and dumps; and the queue through which tasks of
//! a role tell its loop what came of it.
//!
//! What is said and when is decided elsewhere: a role has its own `notify` module, which knows its events.

pub mod account;
pub mod answer;
pub mod dump;
pub mod fifo;
pub mod log;
pub mod mail;
pub mod mailbox;
pub mod schedule;
pub mod script;
pub mod security;
