//! Which bytes are written otherwise, and how.

/// A set of bytes.
#[derive(Debug)]
pub(crate) struct ByteSet([bool; 256]);

impl ByteSet {
    /// Control characters, DEL and everything above, and `others`.
    #[expect(clippy::indexing_slicing, reason = "u8 values index an array of 256, evaluated at compile time")]
    const fn unprintable_and(others: &[u8]) -> Self {
        let mut set = Self::of(others);
        let mut byte = 0;
        while byte < 256 {
            if byte < 32 || byte >= 127 {
                set.0[byte] = true;
            }
            byte += 1;
        }
        set
    }

    #[expect(clippy::indexing_slicing, reason = "u8 values index an array of 256, evaluated at compile time")]
    const fn of(bytes: &[u8]) -> Self {
        let mut set = [false; 256];
        let mut at = 0;
        while at < bytes.len() {
            set[bytes[at] as usize] = true;
            at += 1;
        }
        Self(set)
    }

    #[expect(clippy::indexing_slicing, reason = "a u8 indexes an array of 256")]
    pub(crate) const fn has(&self, byte: u8) -> bool {
        self.0[byte as usize]
    }

    /// `bytes` cut before its first byte of this set.
    pub(crate) fn split<'a>(&self, bytes: &'a [u8]) -> (&'a [u8], &'a [u8]) {
        let at = bytes.iter().position(|&byte| self.has(byte)).unwrap_or(bytes.len());
        bytes.split_at_checked(at).unwrap_or((bytes, &[]))
    }
}

/// Written as `#XX` in a request line and its parts.
pub(crate) static URI: ByteSet = ByteSet::unprintable_and(b"\"#");
/// Written as `#XX` in captured headers, where braces and bars have a meaning.
pub(crate) static CAPTURE: ByteSet = ByteSet::unprintable_and(b"\"#{|}");
/// Escaped with a backslash under `+E` (RFC 5424 section 6.3.3).
pub(crate) static STRUCTURED: ByteSet = ByteSet::of(b"\"\\]");
/// Escaped with a backslash under `+json` (RFC 8259 section 7).
pub(crate) static JSON: ByteSet = ByteSet::of(b"\"\\");

/// Upper-case hexadecimal digits of a byte.
pub(crate) const fn hex(byte: u8) -> [u8; 2] {
    const fn digit(nibble: u8) -> u8 {
        if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 }
    }
    [digit(byte >> 4), digit(byte & 15)]
}

/// Replaces `out[from..]` by its hexadecimal digits.
pub(crate) fn hexify(out: &mut Vec<u8>, from: usize) {
    let bytes = out.split_off(from.min(out.len()));
    out.reserve(bytes.len() * 2);
    for byte in bytes {
        out.extend_from_slice(&hex(byte));
    }
}
