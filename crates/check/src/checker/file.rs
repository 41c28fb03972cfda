//! `FILE_CHECK`: what the number in a tracked file means for a server.

/// What a file's number means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileStatus {
    /// The server is well, its weight changed by this much.
    Well(i32),
    /// The server is down.
    #[default]
    Fault,
}

/// The number at the start of a file, of which the first 127 bytes count: as C's `strtol` reads it, with `0x` and `0`
/// before it in their bases; zero when there is none. `None`: it is beyond what is taken, and stays what it was.
pub fn number(content: &[u8]) -> Option<i64> {
    const LIMIT: usize = 127;
    let text = content.get(..LIMIT).unwrap_or(content);
    let start = text.iter().position(|byte| !matches!(byte, b' ' | b'\t'..=b'\r'));
    let text = start.and_then(|start| text.get(start..)).unwrap_or_default();
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let (base, digits) = match text {
        [b'0', b'x' | b'X', rest @ ..] if rest.first().is_some_and(u8::is_ascii_hexdigit) => (16, rest),
        [b'0', ..] => (8, text),
        _ => (10, text),
    };
    let digits = digits.iter().map_while(|&byte| char::from(byte).to_digit(base));
    let number = digits
        .fold(0i64, |number, digit| number.saturating_mul(i64::from(base)).saturating_add(i64::from(digit)));
    let number = if negative { -number } else { number };
    (i64::from(i32::MIN)..=i64::from(i32::MAX) + 1).contains(&number).then_some(number)
}

/// What `number` means to a checker of this weight (0: any number but zero is a fault; `reverse`: the other way round).
/// With a weight, its product with the number is added to the server's; the lowest possible sum is a fault.
pub fn status(number: i64, weight: i32, reverse: bool) -> FileStatus {
    if weight == 0 {
        return if (number != 0) == reverse { FileStatus::Well(0) } else { FileStatus::Fault };
    }
    let product = number.saturating_mul(i64::from(weight)).saturating_mul(if reverse { -1 } else { 1 });
    match i32::try_from(product.clamp(i64::from(i32::MIN), i64::from(i32::MAX))) {
        Ok(i32::MIN) | Err(_) => FileStatus::Fault,
        Ok(sum) => FileStatus::Well(sum),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers() {
        for (text, expected) in [
            ("", Some(0)),
            ("7", Some(7)),
            (" \t\n-12 and more", Some(-12)),
            ("+3\n", Some(3)),
            ("0x1F", Some(31)),
            ("-0x10", Some(-16)),
            ("0x", Some(0)),
            ("017", Some(15)),
            ("08", Some(0)),
            ("abc", Some(0)),
            ("--1", Some(0)),
            ("2147483647", Some(2_147_483_647)),
            ("2147483648", Some(2_147_483_648)),
            ("2147483649", None),
            ("-2147483648", Some(-2_147_483_648)),
            ("-2147483649", None),
            ("99999999999999999999999", None),
        ] {
            assert_eq!(number(text.as_bytes()), expected, "{text:?}");
        }
        assert_eq!(number(format!("{}7", " ".repeat(127)).as_bytes()), Some(0), "beyond what is read");
    }

    #[test]
    fn statuses() {
        let plain = |value, reverse| status(value, 0, reverse);
        assert_eq!(
            [0, 1, -1].map(|value| plain(value, false)),
            [FileStatus::Well(0), FileStatus::Fault, FileStatus::Fault]
        );
        assert_eq!([0, 1].map(|value| plain(value, true)), [FileStatus::Fault, FileStatus::Well(0)]);
        assert_eq!(status(3, 5, false), FileStatus::Well(15));
        assert_eq!(status(3, 5, true), FileStatus::Well(-15));
        assert_eq!(status(0, -5, false), FileStatus::Well(0));
        assert_eq!(status(i64::from(i32::MAX), 2, false), FileStatus::Well(i32::MAX));
        assert_eq!(status(i64::from(i32::MAX), -2, false), FileStatus::Fault);
        assert_eq!(status(i64::from(i32::MIN), 1, false), FileStatus::Fault);
    }

    proptest! {
        #[test]
        fn decimal(value in i32::MIN..=i32::MAX, behind in "( .*)?") {
            prop_assert_eq!(number(format!("{value}{behind}").as_bytes()), Some(i64::from(value)));
        }

        #[test]
        fn nothing_panics(content in proptest::collection::vec(any::<u8>(), 0..200), weight: i32, reverse: bool) {
            let _ = number(&content).map(|value| status(value, weight, reverse));
        }
    }
}
