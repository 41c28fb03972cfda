//! Byte counts as HAProxy has them in `%B`, `%U` and the statistics.
//!
//! HAProxy counts a message in its internal form: 20 bytes and the three words of the start line, name and value of
//! each field, one byte for the end of the head, then the body's payload. Fields that only steer the connection are
//! taken out before they are counted.

use http1::{ErrorPage, Field, Fields, Limits, Method, RequestHead, ResponseHead, Strictness, token};

const START_LINE: u64 = 20;
const END_OF_HEAD: u64 = 1;
const CONNECTION: &[u8] = b"connection";

fn sum(fields: &Fields, counts: impl Fn(&Field) -> bool) -> u64 {
    fields
        .iter()
        .filter(|field| counts(field))
        .map(|field| (field.name.len() + field.value.len()) as u64)
        .sum()
}

fn fields(fields: &Fields, buf: &[u8]) -> u64 {
    sum(fields, |field| !steers(field, buf))
}

fn steers(field: &Field, buf: &[u8]) -> bool {
    field.name.len() == CONNECTION.len()
        && token::eq_ignore_case(field.name.of(buf), CONNECTION)
        && steers_only(field.value.of(buf))
}

fn steers_only(value: &[u8]) -> bool {
    token::list(value)
        .all(|member| token::eq_ignore_case(member, b"close") || token::eq_ignore_case(member, b"keep-alive"))
}

/// The size of a request's head.
pub(super) fn request_head(head: &RequestHead, buf: &[u8]) -> u64 {
    let words = head.method(buf).len() + head.target(buf).len() + head.version().as_str().len();
    START_LINE + words as u64 + fields(head.fields(), buf) + END_OF_HEAD
}

/// The size of a response's head.
pub(super) fn response_head(head: &ResponseHead, buf: &[u8]) -> u64 {
    let words = head.version().as_str().len() + 3 + head.reason(buf).len();
    START_LINE + words as u64 + fields(head.fields(), buf) + END_OF_HEAD
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
    let steering = sum(head.fields(), |field| steers(field, &bytes));
    response_head(&head, &bytes) + steering + body
}
