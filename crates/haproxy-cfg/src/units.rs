//! Times and sizes (configuration manual, section 2.5 and 2.6).

use std::time::Duration;

/// The unit of a time without one, and the grain to which it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the manual's units")]
pub enum Unit {
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
}

/// What is wrong with a time or a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitError {
    /// A character that belongs to no number or unit; what HAProxy prints of it.
    Unexpected(char),
    /// Nothing there.
    Empty,
    /// More than 2147483647 of the unit.
    Overflow,
    /// Not zero, but less than one of the unit.
    Underflow,
}

/// A time such as `10s`: digits and a unit, without fractions.
///
/// # Errors
/// When it is none, or beyond 2147483647 of `default`.
pub fn parse_time(text: &str, default: Unit) -> Result<Duration, UnitError> {
    let _ = (text, default);
    Err(UnitError::Empty)
}

/// A size in bytes such as `16k`; the units are binary.
///
/// # Errors
/// When it is none, or beyond 4 GiB - 1.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    let _ = text;
    Err(UnitError::Empty)
}
