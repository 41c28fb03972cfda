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
