//! Bytes as text and back.
//!
//! `\r \n \t \0 \\ \xHH` as everywhere; `\(N*TEXT)` is TEXT N times; `\[N]` is N bytes of a fixed pattern of printable
//! characters, for bodies whose every byte should be checked.

use std::fmt::Write as _;

/// Text to bytes.
///
/// # Errors
/// A message that says which escape is wrong.
pub fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let Some((&kind, tail)) = rest.split_first() else {
            return Err(format!("a lone backslash at the end of {text:?}"));
        };
        rest = tail;
        match kind {
            b'r' => out.push(b'\r'),
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'0' => out.push(0),
            b'\\' => out.push(b'\\'),
            b'x' => {
                let digits = rest.get(..2).and_then(|d| std::str::from_utf8(d).ok());
                let value = digits.and_then(|d| u8::from_str_radix(d, 16).ok());
                out.push(value.ok_or_else(|| format!("bad \\x in {text:?}"))?);
                rest = &rest[2..];
            }
            b'(' => {
                let end = rest.iter().position(|&b| b == b')').ok_or_else(|| format!("no ) in {text:?}"))?;
                let inner = std::str::from_utf8(&rest[..end]).map_err(|e| e.to_string())?;
                let (count, unit) = inner.split_once('*').ok_or_else(|| format!("no * in {inner:?}"))?;
                let count: usize = count.parse().map_err(|_| format!("bad count in {inner:?}"))?;
                out.extend(unescape(unit)?.repeat(count));
                rest = &rest[end + 1..];
            }
            b'[' => {
                let end = rest.iter().position(|&b| b == b']').ok_or_else(|| format!("no ] in {text:?}"))?;
                let count = std::str::from_utf8(&rest[..end]).ok().and_then(|c| c.parse().ok());
                out.extend(pattern(count.ok_or_else(|| format!("bad count in {text:?}"))?));
                rest = &rest[end + 1..];
            }
            other => return Err(format!("unknown escape \\{} in {text:?}", other as char)),
        }
    }
    Ok(out)
}

/// `len` printable bytes that do not repeat at any buffer size.
pub fn pattern(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            b'a' + (state % 26) as u8
        })
        .collect()
}

/// Bytes to text, readable in a terminal.
pub fn escape(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'\r' => out.push_str("\\r"),
            b'\n' => out.push_str("\\n"),
            b'\t' => out.push_str("\\t"),
            b'\\' => out.push_str("\\\\"),
            0x20..=0x7e => out.push(byte as char),
            _ => {
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
    out
}

/// Bytes as escaped lines, one per line feed; a line or a whole that is too long to read is cut and says so with a checksum, so that
/// two cut lines are equal only when what was cut is.
pub fn lines(bytes: &[u8]) -> Vec<String> {
    bytes
        .split_inclusive(|&b| b == b'\n')
        .map(|line| {
            if line.len() <= 400 {
                return escape(line);
            }
            let head = escape(&line[..60]);
            let tail = escape(&line[line.len() - 20..]);
            format!("{head}…[{} bytes, sum {:08x}]…{tail}", line.len(), sum(line))
        })
        .collect()
}

/// FNV-1a, enough to tell transfers apart.
pub fn sum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, &b| (hash ^ u32::from(b)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_go_both_ways() {
        assert_eq!(unescape(r"a\r\n\x00\\\t").unwrap(), b"a\r\n\0\\\t");
        assert_eq!(unescape(r"\(3*ab)c").unwrap(), b"abababc");
        assert_eq!(unescape(r"\(2*\r\n)").unwrap(), b"\r\n\r\n");
        assert_eq!(unescape(r"\[5]").unwrap(), pattern(5));
        assert_eq!(escape(b"a\r\n\0\xff\\"), r"a\r\n\x00\xff\\");
        assert!(unescape(r"\q").is_err() && unescape(r"\x0").is_err() && unescape("\\").is_err());
    }

    #[test]
    fn long_lines_keep_their_checksum() {
        let mut other = pattern(1000);
        other[500] ^= 1;
        assert_ne!(lines(&pattern(1000)), lines(&other));
    }
}
