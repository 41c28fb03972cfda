//! HAProxy log-format strings: compile and render

/// A compiled log-format string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {}
