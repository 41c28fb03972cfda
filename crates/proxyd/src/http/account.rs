//! Byte counts as HAProxy has them in `%B`, `%U` and the statistics.
//!
//! HAProxy counts a message in its internal form: 20 bytes and the three words of the start line, name and value of
//! each field, one byte for the end of the head, then the body's payload. Fields that only steer the connection are
//! taken out before they are counted.

use http1::{
    ErrorPage, Field, Fields, Framing, Limits, Method, RequestHead, ResponseHead, Strictness, token,
};

const START_LINE: u64 = 20;
const END_OF_HEAD: u64 = 1;

fn fields(fields: &Fields, buf: &[u8]) -> u64 {
    let size = |field: &Field| match field.name.len() {
        10 if token::eq_ignore_case(field.name.of(buf), b"connection") => connection(field.value.of(buf)),
        name => name + field.value.len(),
    };
    fields.iter().map(|field| size(field) as u64).sum()
}

/// A Connection field without its `close` and `keep-alive`: what stands before the first of them stays as it is, the
/// rest is joined by commas. Nothing when nothing is left.
fn connection(value: &[u8]) -> usize {
    // Most often it is just one of these.
    if value == b"keep-alive" || value == b"close" {
        return 0;
    }
    let (mut size, mut taken) = (0, false);
    for member in value.split(|byte| *byte == b',') {
        let option = token::trim(member);
        if token::eq_ignore_case(option, b"close") || token::eq_ignore_case(option, b"keep-alive") {
            taken = true;
        } else {
            size += if taken { member.trim_ascii_start().len() } else { member.len() } + 1;
        }
    }
    if size > 1 { b"connection".len() + size - 1 } else { 0 }
}

/// The size of a request's head.
pub(super) fn request_head(head: &RequestHead, buf: &[u8]) -> u64 {
    let target = match head.around_default_port(buf) {
        Some([before, behind]) => before.len() + behind.len(),
        None => head.target(buf).len(),
    };
    let words = head.method(buf).len() + target + head.version().as_str().len();
    START_LINE + words as u64 + fields(head.fields(), buf) - unfit_upgrade(head, buf) + END_OF_HEAD
}

/// The Upgrade fields of a request with a body, which HAProxy takes out.
fn unfit_upgrade(head: &RequestHead, buf: &[u8]) -> u64 {
    let offered =
        || head.fields().find_all(buf, b"connection").any(|value| token::list_has(value, b"upgrade"));
    if head.framing() == Framing::None || head.find(buf, b"upgrade").is_none() || !offered() {
        return 0;
    }
    head.fields().find_all(buf, b"upgrade").map(|value| (b"upgrade".len() + value.len()) as u64).sum()
}

fn status_line(head: &ResponseHead, buf: &[u8]) -> u64 {
    START_LINE + (head.version().as_str().len() + 3 + head.reason(buf).len()) as u64
}

/// The size of a response's head.
pub(super) fn response_head(head: &ResponseHead, buf: &[u8]) -> u64 {
    status_line(head, buf) + fields(head.fields(), buf) + END_OF_HEAD
}

/// The size of an error page, its own `Connection: close` included.
pub(super) fn page(page: &ErrorPage, head_only: bool) -> u64 {
    let mut head = ResponseHead::new();
    let mut bytes = page.raw().to_vec();
    let method = if head_only { Method::Head } else { Method::Get };
    let parsed = head.parse(&mut bytes, method, &Limits::default(), &Strictness::default());
    if parsed.is_err() {
        return 0;
    }
    let body = if head_only { 0 } else { page.body_len() as u64 };
    let all = head.fields().pairs(&bytes).map(|(name, value)| (name.len() + value.len()) as u64).sum::<u64>();
    status_line(&head, &bytes) + all + END_OF_HEAD + body
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As haproxy 2.6 counts them.
    #[test]
    fn what_steers_the_connection_does_not_count() {
        for (value, left) in [
            ("close", ""),
            ("keep-alive, Close", ""),
            ("", ""),
            (", close", ""),
            ("foo, bar", "foo, bar"),
            ("foo, bar,close", "foo, bar"),
            ("foo,close, bar", "foo,bar"),
            ("foo ,close", "foo "),
            ("foo , close , bar", "foo ,bar"),
            ("keep-alive, foo,bar", "foo,bar"),
            (",,foo", ",,foo"),
        ] {
            let name = if left.is_empty() { 0 } else { "connection".len() };
            assert_eq!(connection(value.as_bytes()), name + left.len(), "{value}");
        }
    }
}
