//! The parts of a request line, as logs tell them apart.

use crate::BAD_REQUEST;

fn blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Cuts `bytes` before the first byte that `stop` is true for.
fn until(bytes: &[u8], stop: impl Fn(&u8) -> bool) -> (&[u8], &[u8]) {
    bytes.split_at_checked(bytes.iter().position(stop).unwrap_or(bytes.len())).unwrap_or((bytes, &[]))
}

fn skip_blanks(bytes: &[u8]) -> &[u8] {
    until(bytes, |byte| !blank(byte)).1
}

/// `%HM`. A word alone is no request.
pub(crate) fn method(line: &[u8]) -> &[u8] {
    match until(line, blank) {
        (_, []) => BAD_REQUEST.as_bytes(),
        (method, _) => method,
    }
}

/// What follows the method, `None` when nothing does.
fn after_method(line: &[u8]) -> Option<&[u8]> {
    match until(line, blank) {
        (_, []) => None,
        (_, rest) => Some(skip_blanks(rest)),
    }
}

/// `%HU`.
pub(crate) fn uri(line: &[u8]) -> &[u8] {
    after_method(line).map_or(BAD_REQUEST.as_bytes(), |rest| until(rest, blank).0)
}

/// `%HP`.
pub(crate) fn path(line: &[u8]) -> &[u8] {
    after_method(line)
        .map_or(BAD_REQUEST.as_bytes(), |rest| until(rest, |byte| *byte == b'?' || blank(byte)).0)
}

/// `%HPO`.
pub(crate) fn path_only(line: &[u8]) -> &[u8] {
    let Some(rest) = after_method(line) else { return BAD_REQUEST.as_bytes() };
    let uri = until(rest, blank).0;
    let path = match uri {
        [b'/', ..] => uri,
        // The authority of an absolute form is left out; `*` and the authority of CONNECT have no path.
        _ => {
            let scheme_end = uri.windows(3).position(|three| three == b"://");
            scheme_end.and_then(|at| uri.get(at + 3..)).map_or(&[][..], |rest| until(rest, |b| *b == b'/').1)
        }
    };
    until(path, |byte| *byte == b'?').0
}

/// `%HQ`: from the question mark on.
pub(crate) fn query(line: &[u8]) -> &[u8] {
    until(until(line, |byte| *byte == b'?').1, blank).0
}

/// `%HV`.
pub(crate) fn version(line: &[u8]) -> &[u8] {
    let Some(rest) = after_method(line) else { return BAD_REQUEST.as_bytes() };
    match skip_blanks(until(rest, blank).1) {
        [] => b"HTTP/0.9",
        version => version,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        let line = b"GET /a/b?x=1?y HTTP/1.1";
        assert_eq!(method(line), b"GET");
        assert_eq!(uri(line), b"/a/b?x=1?y");
        assert_eq!(path(line), b"/a/b");
        assert_eq!(path_only(line), b"/a/b");
        assert_eq!(query(line), b"?x=1?y");
        assert_eq!(version(line), b"HTTP/1.1");
    }

    #[test]
    fn absolute_form() {
        let line = b"GET http://h:80/p/q?z HTTP/1.0";
        assert_eq!(path(line), b"http://h:80/p/q");
        assert_eq!(path_only(line), b"/p/q");
        assert_eq!(path_only(b"GET http://h?z HTTP/1.0"), b"");
        assert_eq!(path_only(b"OPTIONS * HTTP/1.1"), b"");
        assert_eq!(path_only(b"CONNECT h:443 HTTP/1.1"), b"");
    }

    #[test]
    fn incomplete_lines() {
        for part in [method, uri, path, path_only, version] {
            assert_eq!(part(b"GET"), b"<BADREQ>");
            assert_eq!(part(b""), b"<BADREQ>");
        }
        assert_eq!(version(b"GET /"), b"HTTP/0.9");
        assert_eq!(query(b"GET / HTTP/1.1"), b"");
    }
}
