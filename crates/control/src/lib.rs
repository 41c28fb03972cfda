//! The runtime API: what a client of a `stats socket` may ask, and the answers (management guide, section 9.3).
//!
//! [`Session`] is the conversation with one client, without a socket: lines in, bytes out. What it reports comes from
//! a [`Source`], which the program implements over the running proxy.

/// Where answers come from.
pub trait Source {
    /// The figures of `show info`.
    fn info(&self) -> Info;
    /// The lines of `show stat` that `filter` admits, in the order they are printed.
    fn rows(&self, filter: Filter) -> Vec<Row>;
    /// The variables of `show env`, as `NAME=value`.
    fn environment(&self) -> Vec<String>;
    /// What `show version` answers: the version.
    fn version(&self) -> String;
    /// Messages of the start, for `show startup-logs`.
    fn startup_logs(&self) -> String;
}
