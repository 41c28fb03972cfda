//! The runtime API: what a client of a `stats socket` may ask, and the answers (management guide, section 9.3).
//!
//! [`Session`] is the conversation with one client, without a socket: bytes in, bytes out. What it reports comes from
//! a [`Source`], which the program implements over the running proxy.

mod command;
mod info;
mod keywords;
mod session;
mod stat;

pub use info::Info;
pub use session::{Ending, Reply, Session};
pub use stat::{FIELDS, Filter, Kind, Row, csv};

/// Where answers come from.
pub trait Source {
    /// The figures of `show info`.
    fn info(&self) -> Info;
    /// Every line of `show stat`, in the order they are printed.
    fn rows(&self) -> Vec<Row>;
    /// The variables of `show env`, as `NAME=value`.
    fn environment(&self) -> Vec<String>;
    /// What `show version` answers.
    fn version(&self) -> String;
    /// What was said when the process started.
    fn startup_logs(&self) -> String;
}
