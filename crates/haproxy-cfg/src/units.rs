//! Times and sizes (configuration manual, sections 2.5 and 2.6).

use std::time::Duration;

/// The greatest time in its unit, as HAProxy's timers have it.
const MAX_TIME: u64 = 2_147_483_647;

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

impl Unit {
    const fn micros(self) -> u64 {
        match self {
            Self::Microsecond => 1,
            Self::Millisecond => 1_000,
            Self::Second => 1_000_000,
            Self::Minute => 60_000_000,
            Self::Hour => 3_600_000_000,
            Self::Day => 86_400_000_000,
        }
    }
}

/// What is wrong with a time or a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitError {
    /// A character that belongs to no number or unit; HAProxy also says so of the last one of too great a size.
    Unexpected(char),
    /// Nothing there.
    Empty,
    /// More than 2147483647 of the unit.
    Overflow,
}

impl UnitError {
    /// HAProxy's words about the time `argument` of `keyword`, such as `timeout client`.
    pub fn timer_message(self, argument: &str, keyword: &str) -> String {
        match self {
            Self::Unexpected(found) => format!("unexpected character '{found}' in '{keyword}'"),
            Self::Empty => format!("'{keyword}' expects an integer value (in milliseconds)"),
            Self::Overflow => format!(
                "timer overflow in argument '{argument}' to '{keyword}' (maximum value is {MAX_TIME} ms or ~24.8 days)"
            ),
        }
    }

    /// HAProxy's words about the size `argument` of `keyword`.
    pub fn size_message(self, argument: &str, keyword: &str) -> String {
        match self {
            Self::Unexpected(found) => format!("unexpected character '{found}' in argument of '{keyword}'."),
            Self::Empty => format!("missing argument after '{keyword}'."),
            Self::Overflow => format!("value '{argument}' of '{keyword}' is too large."),
        }
    }
}

/// A time such as `10s`: digits and a unit, without fractions. What is finer than `default` is rounded up to it, as
/// HAProxy does.
///
/// # Errors
/// When it is none, or beyond 2147483647 of `default`.
pub fn parse_time(text: &str, default: Unit) -> Result<Duration, UnitError> {
    let (number, suffix) = split(text)?;
    let unit = match suffix {
        "" => default,
        "us" => Unit::Microsecond,
        "ms" => Unit::Millisecond,
        "s" => Unit::Second,
        "m" => Unit::Minute,
        "h" => Unit::Hour,
        "d" => Unit::Day,
        _ => return Err(UnitError::Unexpected(unexpected(suffix))),
    };
    let micros = number.and_then(|number| number.checked_mul(unit.micros())).ok_or(UnitError::Overflow)?;
    let units = micros.div_ceil(default.micros());
    if units > MAX_TIME {
        return Err(UnitError::Overflow);
    }
    Ok(Duration::from_micros(units * default.micros()))
}

/// The character of a wrong time unit that HAProxy complains about: the one after what could still be a unit.
fn unexpected(suffix: &str) -> char {
    let known =
        ["us", "ms", "s", "m", "h", "d"].into_iter().filter(|unit| suffix.starts_with(unit)).map(str::len);
    let rest = suffix.get(known.max().unwrap_or(0)..).unwrap_or(suffix);
    rest.chars().next().unwrap_or(' ')
}

/// A size in bytes such as `16k`; the units `k`, `m`, `g` are binary.
///
/// # Errors
/// When it is none, or beyond 4294967295: then the last character is the unexpected one, as HAProxy says it.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    let (number, suffix) = split(text)?;
    let mut characters = suffix.chars();
    let unit = characters.next();
    let shift = match unit {
        None => 0,
        Some('k' | 'K') => 10,
        Some('m' | 'M') => 20,
        Some('g' | 'G') => 30,
        Some(other) => return Err(UnitError::Unexpected(other)),
    };
    if let Some(after) = characters.next() {
        return Err(UnitError::Unexpected(after));
    }
    let last = text.chars().next_back().unwrap_or(' ');
    let size =
        number.and_then(|number| number.checked_mul(1 << shift)).filter(|&size| size <= u64::from(u32::MAX));
    size.ok_or(UnitError::Unexpected(last))
}

/// The digits at the beginning, `None` when they are too many for 64 bits, and what follows them.
fn split(text: &str) -> Result<(Option<u64>, &str), UnitError> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    match text.split_at_checked(end) {
        Some(("", suffix)) => Err(suffix.chars().next().map_or(UnitError::Empty, UnitError::Unexpected)),
        Some((digits, suffix)) => Ok((digits.parse().ok(), suffix)),
        None => Err(UnitError::Empty),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_read_as_haproxy_reads_them() {
        let ms = |text| parse_time(text, Unit::Millisecond);
        for (text, micros) in [
            ("0", 0),
            ("1", 1_000),
            ("1ms", 1_000),
            ("1us", 1_000),
            ("1001us", 2_000),
            ("0us", 0),
            ("3s", 3_000_000),
            ("2m", 120_000_000),
            ("1h", 3_600_000_000),
            ("24d", 24 * 86_400_000_000),
            ("2147483647", 2_147_483_647_000),
        ] {
            assert_eq!(ms(text), Ok(Duration::from_micros(micros)), "{text}");
        }
        for text in ["25d", "2147483648", "99999999999999999999", "18446744073709551616"] {
            assert_eq!(ms(text), Err(UnitError::Overflow), "{text}");
        }
        for (text, found) in
            [("1.5s", '.'), ("1x", 'x'), ("s", 's'), ("-1", '-'), ("1S", 'S'), ("1mm", 'm'), ("1msx", 'x')]
        {
            assert_eq!(ms(text), Err(UnitError::Unexpected(found)), "{text}");
        }
        assert_eq!(ms(""), Err(UnitError::Empty));
        assert_eq!(parse_time("5", Unit::Second), Ok(Duration::from_secs(5)));
        assert_eq!(parse_time("1500ms", Unit::Second), Ok(Duration::from_secs(2)));
        assert_eq!(parse_time("25d", Unit::Second), Ok(Duration::from_secs(25 * 86_400)));
    }

    #[test]
    fn sizes_are_read_as_haproxy_reads_them() {
        for (text, size) in [
            ("1", 1),
            ("1k", 1024),
            ("1K", 1024),
            ("2m", 2 << 20),
            ("3g", 3 << 30),
            ("4294967295", 4_294_967_295),
        ] {
            assert_eq!(parse_size(text), Ok(size), "{text}");
        }
        for (text, found) in [
            ("1kk", 'k'),
            ("1kb", 'b'),
            ("x", 'x'),
            ("4g", 'g'),
            ("4294967296", '6'),
            ("1.5k", '.'),
            ("-1", '-'),
        ] {
            assert_eq!(parse_size(text), Err(UnitError::Unexpected(found)), "{text}");
        }
        assert_eq!(parse_size(""), Err(UnitError::Empty));
    }

    #[test]
    fn messages_are_haproxys() {
        assert_eq!(
            UnitError::Unexpected('.').timer_message("1.5s", "timeout client"),
            "unexpected character '.' in 'timeout client'"
        );
        assert_eq!(
            UnitError::Overflow.timer_message("25d", "timeout client"),
            "timer overflow in argument '25d' to 'timeout client' (maximum value is 2147483647 ms or ~24.8 days)"
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            let _ = parse_time(&text, Unit::Microsecond);
            let _ = parse_time(&text, Unit::Day);
            let _ = parse_size(&text);
        }
    }
}
