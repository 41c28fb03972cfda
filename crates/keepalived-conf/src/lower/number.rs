//! Numbers and times, with keepalived's messages about those that are none.

use super::Lower;
use crate::code;
use crate::word::Word;
use std::time::Duration;

/// Microseconds of the longest time that keepalived can hold.
const MAX_MICROSECONDS: u64 = 4_294_967_295;

/// A range of times in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) least: u64,
    /// 0: the most keepalived can hold.
    pub(crate) most: u64,
    /// Whether what has a number at its beginning is taken for that number, after the message.
    pub(crate) lenient: bool,
}

impl Lower<'_> {
    /// A whole number in `least..=most`.
    pub(crate) fn integer(&mut self, word: &Word, least: i64, most: i64) -> Option<i64> {
        let text = word.text.as_str();
        let trimmed = text.trim_start();
        let digits = trimmed.strip_prefix(['-', '+']).unwrap_or(trimmed);
        let message = if text.is_empty() {
            return (least <= 0 && most >= 0).then_some(0);
        } else if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            format!("invalid number '{text}'")
        } else {
            match trimmed.parse::<i64>() {
                Ok(value) if (least..=most).contains(&value) => return Some(value),
                Ok(value) if i32::try_from(value).is_ok() => {
                    format!("number '{text}' outside range [{least}, {most}]")
                }
                _ => format!("number '{text}' outside integer range"),
            }
        };
        self.say(code::NUMBER, word.span, message);
        None
    }

    /// A whole number in `least..=most`, never negative.
    pub(crate) fn unsigned(&mut self, word: &Word, least: u32, most: u32) -> Option<u32> {
        let value = self.unsigned_wide(word, u64::from(least), u64::from(most), u64::from(u32::MAX))?;
        u32::try_from(value).ok()
    }

    /// The same up to 64 bits.
    pub(crate) fn unsigned64(&mut self, word: &Word, least: u64, most: u64) -> Option<u64> {
        self.unsigned_wide(word, least, most, u64::MAX)
    }

    fn unsigned_wide(&mut self, word: &Word, least: u64, most: u64, limit: u64) -> Option<u64> {
        let text = word.text.as_str();
        let trimmed = text.trim_start();
        let digits = trimmed.strip_prefix('+').unwrap_or(trimmed);
        let message = if trimmed.starts_with('-') {
            format!("negative number '{text}'")
        } else if !digits.bytes().all(|b| b.is_ascii_digit()) {
            format!("invalid number '{text}'")
        } else {
            match if digits.is_empty() { Ok(0) } else { digits.parse::<u64>() } {
                Ok(value) if (least..=most).contains(&value) => return Some(value),
                Ok(value) if value <= limit => format!("number '{text}' outside range [{least}, {most}]"),
                _ if limit == u64::MAX => format!("number '{text}' outside unsigned 64 bit range"),
                _ => format!("number '{text}' outside unsigned integer range"),
            }
        };
        self.say(code::NUMBER, word.span, message);
        None
    }

    /// A whole number in C's notation: decimal, `0x…`, or octal with a leading 0.
    pub(crate) fn any_base(&mut self, word: &Word) -> Option<u32> {
        let text = word.text.as_str();
        let value = if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            u32::from_str_radix(digits, 16).ok()
        } else if text.len() > 1 && text.starts_with('0') {
            u32::from_str_radix(text, 8).ok()
        } else {
            text.parse().ok()
        };
        if value.is_none() {
            self.say(code::NUMBER, word.span, format!("invalid number '{text}'"));
        }
        value
    }

    /// A time in seconds, with up to six decimal places.
    pub(crate) fn time(&mut self, word: &Word, times: Times) -> Option<Duration> {
        let text = word.text.as_str();
        let trimmed = text.trim_start();
        if trimmed.starts_with('-') {
            self.say(code::TIME, word.span, format!("negative number '{text}'"));
            return None;
        }
        let (value, exact, complete) = decimal(trimmed);
        if !exact {
            self.say(code::TIME, word.span, format!("number '{text}' has too many decimal places"));
        }
        if !complete {
            self.say(code::TIME, word.span, format!("invalid number '{text}'"));
        }
        let most = if times.most == 0 { MAX_MICROSECONDS } else { times.most };
        let inside = value.filter(|value| (times.least..=most).contains(value));
        if complete && inside.is_none() {
            let bound = |micros: u64| format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
            let range = format!("[{}, {}]", bound(times.least), bound(most));
            self.say(code::TIME, word.span, format!("number '{text}' outside range {range}"));
        }
        inside.filter(|_| complete || times.lenient).map(Duration::from_micros)
    }
}

/// The number at the start of `text` in millionths; whether all its decimal places fit; whether it is all of `text`.
fn decimal(text: &str) -> (Option<u64>, bool, bool) {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, rest) = text.split_at(digits(text));
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(digits(rest)),
        None => ("", rest),
    };
    let whole = if whole.is_empty() { Some(0) } else { whole.parse::<u64>().ok() };
    let kept = fraction.get(..6).unwrap_or(fraction);
    let micros = format!("{kept:0<6}").parse::<u64>().unwrap_or(0);
    let value = whole.and_then(|whole| whole.checked_mul(1_000_000)?.checked_add(micros));
    (value, fraction.len() <= 6, rest.is_empty() && !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn decimals() {
        assert_eq!(decimal("1"), (Some(1_000_000), true, true));
        assert_eq!(decimal("0.01"), (Some(10_000), true, true));
        assert_eq!(decimal(".5"), (Some(500_000), true, true));
        assert_eq!(decimal("0.0000001"), (Some(0), false, true));
        assert_eq!(decimal("1.2.3"), (Some(1_200_000), true, false));
        assert_eq!(decimal("1x"), (Some(1_000_000), true, false));
        assert_eq!(decimal("99999999999999999999"), (None, true, true));
    }
}
