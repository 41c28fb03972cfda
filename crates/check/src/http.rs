//! `option httpchk`: what is said and what is heard.

use crate::outcome::{Outcome, Status};
use crate::response::{Head, ResponseParser};

/// The bytes of a check's request.
///
/// `version` may carry header lines and a body behind a line end (`HTTP/1.1\r\nHost: a`), as old configurations do;
/// `headers` and `body` (`http-check send`) come instead of them where both say something. A body gets its length, and
/// an HTTP/1.1 request says that it is the last one of its connection. Names keep their case.
pub fn http_request(
    method: &str,
    uri: &str,
    version: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> Vec<u8> {
    let or = |text: &str, default: &'static str| {
        if text.is_empty() { default.to_owned() } else { text.to_owned() }
    };
    let (version, hidden) = version.split_once("\r\n").unwrap_or((version, ""));
    let (hidden, hidden_body) = match hidden.strip_prefix("\r\n") {
        Some(body) => ("", body),
        None => hidden.split_once("\r\n\r\n").unwrap_or((hidden, "")),
    };
    let version = or(version.trim_end(), "HTTP/1.0");
    let body = if body.is_empty() { hidden_body.as_bytes() } else { body };

    let mut request = format!("{} {} {version}\r\n", or(method, "OPTIONS"), or(uri, "/")).into_bytes();
    let said = |name: &str| headers.iter().any(|(said, _)| said.eq_ignore_ascii_case(name));
    let hidden = hidden
        .split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim(), value.trim()))
        .filter(|(name, _)| !said(name));
    let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut says_connection = false;
    for (name, value) in hidden.chain(headers) {
        // The length is ours to say, and a request that is not chunked must not claim to be.
        if name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("transfer-encoding") {
            continue;
        }
        says_connection |= name.eq_ignore_ascii_case("connection");
        request.extend_from_slice(name.as_bytes());
        request.extend_from_slice(b": ");
        request.extend_from_slice(value.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    if !body.is_empty() {
        request.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
    }
    if version.eq_ignore_ascii_case("HTTP/1.1") && !says_connection {
        request.extend_from_slice(b"connection: close\r\n");
    }
    request.extend_from_slice(b"\r\n");
    request.extend_from_slice(body);
    request
}

/// Listens to the answer to a check's request until it can judge it.
#[derive(Clone, Debug)]
pub struct HttpProbe {
    parser: ResponseParser,
}

impl HttpProbe {
    /// `limit` is how many bytes a head may have (`tune.bufsize` less `tune.maxrewrite`).
    pub fn new(limit: usize) -> Self {
        Self { parser: ResponseParser::new(limit) }
    }

    /// Hears what the server said since the last call; `eof`: and that it will say no more. Returns the outcome, not
    /// timed, as soon as there is one; what comes after the head does not matter.
    ///
    /// A status from 200 to 399 passes. Memory stays bounded whatever a server sends.
    pub fn feed(&mut self, bytes: &[u8], eof: bool) -> Option<Outcome> {
        match self.parser.feed(bytes) {
            Head::Partial if eof => Some(Outcome::new(Status::L7Response)),
            Head::Partial => None,
            Head::Invalid => Some(Outcome::new(Status::L7Response)),
            Head::Complete { code: code @ 200..=399, .. } => Some(Outcome::new(Status::L7Ok).with_code(code)),
            Head::Complete { code, reason } => {
                Some(Outcome::new(Status::L7Status).with_code(code).with_info(&reason))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(method: &str, uri: &str, version: &str, headers: &[(&str, &str)], body: &[u8]) -> String {
        let headers: Vec<(String, String)> =
            headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        String::from_utf8(http_request(method, uri, version, &headers, body)).unwrap()
    }

    /// What haproxy 2.6 sends for these, but for the case of names.
    #[test]
    fn requests() {
        assert_eq!(request("", "", "", &[], b""), "OPTIONS / HTTP/1.0\r\n\r\n");
        assert_eq!(request("HEAD", "/x", "", &[], b""), "HEAD /x HTTP/1.0\r\n\r\n");
        assert_eq!(
            request("GET", "/x", "HTTP/1.1\r\nHost: foo", &[], b""),
            "GET /x HTTP/1.1\r\nHost: foo\r\nconnection: close\r\n\r\n"
        );
        assert_eq!(
            request("GET", "/x", "HTTP/1.0\r\nHost: foo\r\nX-Y: z\r\n\r\n", &[], b""),
            "GET /x HTTP/1.0\r\nHost: foo\r\nX-Y: z\r\n\r\n"
        );
        assert_eq!(
            request("GET", "/x", "HTTP/1.1\r\nHost: foo", &[("A", "b"), ("host", "bar")], b""),
            "GET /x HTTP/1.1\r\nA: b\r\nhost: bar\r\nconnection: close\r\n\r\n"
        );
        assert_eq!(
            request("GET", "/h", "HTTP/1.1", &[("Host", "a.b"), ("X", "y")], b"hello"),
            "GET /h HTTP/1.1\r\nHost: a.b\r\nX: y\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello"
        );
        assert_eq!(
            request(
                "",
                "",
                "",
                &[("A", "b"), ("Connection", "keep-alive"), ("Content-Length", "3")],
                b"hello"
            ),
            "OPTIONS / HTTP/1.0\r\nA: b\r\nConnection: keep-alive\r\ncontent-length: 5\r\n\r\nhello"
        );
    }

    #[test]
    fn an_endless_head_ends() {
        let mut probe = HttpProbe::new(1_000);
        assert_eq!(probe.feed(b"HTTP/1.1 200 OK\r\n", false), None);
        let mut fed = 0;
        let outcome = loop {
            fed += 1;
            assert!(fed < 100);
            if let Some(outcome) = probe.feed(b"X: 234567890\r\n", false) {
                break outcome;
            }
        };
        assert_eq!(outcome.status, Status::L7Response);
    }

    proptest! {
        /// However an answer is cut into pieces, the outcome is the same.
        #[test]
        fn pieces_do_not_matter(
            answer in prop_oneof![
                "HTTP/1\\.[01] [0-9]{3}( [ -~]{0,20})?\r?\n([A-Za-z -]{1,6}: ?[ -~]{0,9}\r?\n){0,3}\r?\n?",
                "[ -~\r\n]{0,60}",
            ],
            cuts in prop::collection::vec(1usize..5, 0..60),
        ) {
            let whole = HttpProbe::new(64).feed(answer.as_bytes(), true);
            let mut probe = HttpProbe::new(64);
            let mut rest = answer.as_bytes();
            let mut outcome = None;
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                rest = after;
                outcome = outcome.or_else(|| probe.feed(piece, false));
            }
            prop_assert_eq!(outcome.or_else(|| probe.feed(rest, true)), whole);
        }

        #[test]
        fn anything_may_come(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let outcome = HttpProbe::new(200).feed(&bytes, true);
            prop_assert!(outcome.is_some_and(|outcome| outcome.info.len() <= Outcome::INFO_MAX));
        }
    }
}
