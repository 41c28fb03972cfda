//! Prints what parsing and writing a typical request head costs. Nothing is asserted.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::disallowed_types, reason = "an example")]

use http1::{Edits, HopByHop, Limits, RequestHead, Strictness};
use std::hint::black_box;
use std::time::Instant;

const HEAD: &[u8] =
    b"GET /static/app/main.js?v=1234 HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: Mozilla/5.0 \
(X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0\r\nAccept: text/html,application/xhtml+xml\r\n\
Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\nConnection: keep-alive\r\nCookie: \
session=0123456789abcdef0123456789abcdef\r\nReferer: https://www.example.com/index.html\r\n\r\n";

fn main() {
    const ROUNDS: u32 = 1_000_000;
    let (limits, strict) = (Limits::default(), Strictness::default());
    let mut buf = HEAD.to_vec();
    let mut head = RequestHead::new();
    let start = Instant::now();
    for _ in 0..ROUNDS {
        head.reset();
        black_box(head.parse(black_box(&mut buf), &limits, &strict).unwrap());
    }
    println!("parse: {} bytes, {} ns per head", buf.len(), start.elapsed().as_nanos() / u128::from(ROUNDS));
    let mut edits = Edits::new();
    let mut out = Vec::new();
    let start = Instant::now();
    for _ in 0..ROUNDS {
        edits.clear();
        out.clear();
        HopByHop::strip_request(&head, &buf, &mut edits);
        edits.append(b"X-Forwarded-For", b"10.0.0.1");
        http1::toward_server(&head, &buf, true, &mut edits);
        edits.write_request(&head, &buf, &mut out);
        black_box(&out);
    }
    println!("edit and write: {} ns per head", start.elapsed().as_nanos() / u128::from(ROUNDS));
}
