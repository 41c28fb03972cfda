//! Classes of bytes (RFC 9110 section 5.6.2) and comma-separated lists.

const TOKEN: u8 = 1;
const NAME: u8 = 2;
const TARGET: u8 = 4;
const VALUE: u8 = 8;
const AUTHORITY: u8 = 16;

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler; i < 256")]
const CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let b = i as u8;
        let alnum = b.is_ascii_alphanumeric();
        if alnum
            || matches!(
                b,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            )
        {
            table[i] |= TOKEN;
        }
        if alnum || b == b'-' {
            table[i] |= NAME;
        }
        if b.is_ascii_graphic() && b != b'#' {
            table[i] |= TARGET;
        }
        if (b >= 0x20 && b != 0x7f) || b == b'\t' {
            table[i] |= VALUE;
        }
        if alnum
            || matches!(
                b,
                b'-' | b'.'
                    | b'_'
                    | b'~'
                    | b'%'
                    | b'!'
                    | b'$'
                    | b'&'
                    | b'\''
                    | b'('
                    | b')'
                    | b'*'
                    | b'+'
                    | b','
                    | b';'
                    | b'='
                    | b':'
                    | b'['
                    | b']'
            )
        {
            table[i] |= AUTHORITY;
        }
        i += 1;
    }
    table
};

#[inline]
#[expect(clippy::indexing_slicing, reason = "a u8 cannot pass the end of a table of 256")]
const fn is(byte: u8, class: u8) -> bool {
    CLASS[byte as usize] & class != 0
}

/// `tchar`: what methods and field names are made of.
#[must_use]
#[inline]
pub const fn is_token(byte: u8) -> bool {
    is(byte, TOKEN)
}

/// A letter, a digit or `-`: what `option http-restrict-req-hdr-names` leaves alone.
#[must_use]
#[inline]
pub const fn is_plain_name(byte: u8) -> bool {
    is(byte, NAME)
}

/// What a request target may be made of: visible ASCII without `#`.
#[must_use]
#[inline]
pub const fn is_target(byte: u8) -> bool {
    is(byte, TARGET)
}

/// What a field value may be made of: tab, space, visible ASCII and everything from 0x80 on.
#[must_use]
#[inline]
pub const fn is_value(byte: u8) -> bool {
    is(byte, VALUE)
}

/// What `uri-host [ ":" port ]` may be made of.
#[inline]
pub(crate) const fn is_authority(byte: u8) -> bool {
    is(byte, AUTHORITY)
}

/// Whether `name`, which is known to be a token, is `lower` whatever its case. Setting one bit makes letters of either case
/// the same and, among token characters, takes no other one to a letter, a digit or `-`: no byte needs a branch.
#[inline]
pub(crate) fn is_name<const N: usize>(name: &[u8], lower: &[u8; N]) -> bool {
    <&[u8; N]>::try_from(name)
        .is_ok_and(|name| name.iter().zip(lower).fold(0, |all, (a, b)| all | ((a | 0x20) ^ b)) == 0)
}

/// Equal but for the case of ASCII letters.
#[must_use]
#[inline]
pub fn eq_ignore_case(a: &[u8], b: &[u8]) -> bool {
    a.eq_ignore_ascii_case(b)
}

/// Without spaces and tabs at both ends.
#[must_use]
pub fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// The members of a comma-separated list, trimmed; empty ones are left out (RFC 9110 section 5.6.1).
pub fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|b| *b == b',').map(trim).filter(|member| !member.is_empty())
}

/// Whether a comma-separated list has this member, whatever its case.
#[must_use]
pub fn list_has(value: &[u8], token: &[u8]) -> bool {
    list(value).any(|member| eq_ignore_case(member, token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_without_the_trick() {
        for byte in (0..=u8::MAX).filter(|byte| is_token(*byte)) {
            for lower in (0..=u8::MAX).filter(|byte| is_plain_name(*byte) && !byte.is_ascii_uppercase()) {
                assert_eq!(is_name(&[byte], &[lower]), eq_ignore_case(&[byte], &[lower]), "{byte} {lower}");
            }
        }
        assert!(is_name(b"Content-Length", b"content-length"));
        assert!(!is_name(b"Content-Lengt", b"content-length"));
        assert!(!is_name(b"Content_Length", b"content-length"));
    }
}
