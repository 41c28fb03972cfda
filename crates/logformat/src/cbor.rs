//! What of CBOR (RFC 8949) log lines use.

/// Start of a map whose end a [`BREAK`] marks.
pub(crate) const MAP: u8 = 0xBF;
/// Start of such an array.
pub(crate) const ARRAY: u8 = 0x9F;
/// Start of a text made of chunks.
pub(crate) const TEXT_CHUNKS: u8 = 0x7F;
/// End of any of these.
pub(crate) const BREAK: u8 = 0xFF;
/// No value.
pub(crate) const NULL: u8 = 0xF6;

const UNSIGNED: u8 = 0x00;
const NEGATIVE: u8 = 0x20;
const BYTES: u8 = 0x40;
const TEXT: u8 = 0x60;

fn head(out: &mut Vec<u8>, major: u8, value: u64) {
    let bytes = value.to_be_bytes();
    let [.., b1, b0] = bytes;
    let [.., b3, b2, _, _] = bytes;
    match value {
        0..=23 => out.push(major | b0),
        24..=0xFF => out.extend_from_slice(&[major | 24, b0]),
        0x100..=0xFFFF => out.extend_from_slice(&[major | 25, b1, b0]),
        0x1_0000..=0xFFFF_FFFF => out.extend_from_slice(&[major | 26, b3, b2, b1, b0]),
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&bytes);
        }
    }
}

pub(crate) fn integer(out: &mut Vec<u8>, value: i64) {
    match u64::try_from(value) {
        Ok(value) => head(out, UNSIGNED, value),
        Err(_) => head(out, NEGATIVE, !value as u64),
    }
}

pub(crate) fn boolean(out: &mut Vec<u8>, value: bool) {
    out.push(0xF4 | u8::from(value));
}

/// A text, or a byte string when `bytes` are no UTF-8 and thus no text to CBOR.
pub(crate) fn text(out: &mut Vec<u8>, bytes: &[u8]) {
    let major = if std::str::from_utf8(bytes).is_ok() { TEXT } else { BYTES };
    head(out, major, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// One chunk of a text; `bytes` are ASCII.
pub(crate) fn chunk(out: &mut Vec<u8>, bytes: &[u8]) {
    head(out, TEXT, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_8949_appendix_a() {
        for (value, expected) in [
            (0, "00"),
            (23, "17"),
            (24, "1818"),
            (100, "1864"),
            (1000, "1903E8"),
            (1_000_000, "1A000F4240"),
            (1_000_000_000_000, "1B000000E8D4A51000"),
            (-1, "20"),
            (-10, "29"),
            (-100, "3863"),
            (-1000, "3903E7"),
            (i64::MIN, "3B7FFFFFFFFFFFFFFF"),
        ] {
            let mut out = Vec::new();
            integer(&mut out, value);
            crate::escape::hexify(&mut out, 0);
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{value}");
        }
    }
}
