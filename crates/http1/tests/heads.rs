//! Which request heads are accepted, which refused and for what, what frames the body, and what is written.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may")]

use http1::{
    Edits, Framing, HeadError, HeadErrorKind as Kind, HopByHop, Limits, Method, NamePolicy, Progress,
    RequestHead, ResponseHead, Strictness, TargetForm, Version,
};

const STRICT: Strictness = Strictness { accept_unsafe: false, names: NamePolicy::Preserve };
const UNSAFE: Strictness = Strictness { accept_unsafe: true, names: NamePolicy::Preserve };

fn request(text: &[u8], strict: &Strictness) -> Result<(RequestHead, Vec<u8>, usize), (Kind, usize)> {
    let mut buf = text.to_vec();
    let mut head = RequestHead::new();
    match head.parse(&mut buf, &Limits::default(), strict) {
        Ok(Progress::Complete { len }) => Ok((head, buf, len)),
        Ok(Progress::Partial) => panic!("partial: {}", text.escape_ascii()),
        Err(error) => Err((error.kind, error.offset)),
    }
}

fn response(text: &[u8], method: Method) -> Result<(ResponseHead, Vec<u8>), Kind> {
    let mut buf = text.to_vec();
    let mut head = ResponseHead::new();
    match head.parse(&mut buf, method, &Limits::default(), &STRICT) {
        Ok(Progress::Complete { .. }) => Ok((head, buf)),
        Ok(Progress::Partial) => panic!("partial: {}", text.escape_ascii()),
        Err(error) => Err(error.kind),
    }
}

fn rewritten(text: &[u8]) -> String {
    let (head, buf, _) = request(text, &STRICT).unwrap();
    let mut edits = Edits::new();
    HopByHop::strip_request(&head, &buf, &mut edits);
    let mut out = Vec::new();
    edits.write_request(&head, &buf, &mut out);
    String::from_utf8(out).unwrap()
}

/// Field lines behind `POST / HTTP/1.1`, `Host: a`.
fn post(fields: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n").into_bytes()
}

#[test]
fn lengths_are_digits_and_agree() {
    for (value, want) in [
        ("5", Ok(5)),
        ("010", Ok(10)),
        ("0", Ok(0)),
        ("000", Ok(0)),
        ("5, 5", Ok(5)),
        ("05,5", Ok(5)),
        ("18446744073709551615", Ok(u64::MAX)),
        ("", Err(())),
        ("5,", Err(())),
        (",5", Err(())),
        ("5, 6", Err(())),
        ("+5", Err(())),
        ("-5", Err(())),
        ("0x5", Err(())),
        ("5a", Err(())),
        ("5 5", Err(())),
        ("5.0", Err(())),
        ("18446744073709551616", Err(())),
        ("99999999999999999999999", Err(())),
    ] {
        let got = request(&post(&format!("Content-Length: {value}\r\n")), &STRICT);
        match want {
            Ok(0) => assert_eq!(got.unwrap().0.framing(), Framing::None, "{value}"),
            Ok(length) => assert_eq!(got.unwrap().0.framing(), Framing::Length(length), "{value}"),
            Err(()) => assert_eq!(got.unwrap_err().0, Kind::ContentLength, "{value}"),
        }
    }
    let differing = post("Content-Length: 5\r\nContent-Length: 6\r\n");
    assert_eq!(request(&differing, &STRICT).unwrap_err().0, Kind::ContentLength);
    // Not even the switch for violations lets two lengths through.
    assert_eq!(request(&differing, &UNSAFE).unwrap_err().0, Kind::ContentLength);
    let same = post("Content-Length: 1, 01\r\nX: y\r\nContent-Length: 001\r\n");
    assert_eq!(rewritten(&same), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nX: y\r\n\r\n");
    assert_eq!(
        rewritten(&post("Content-Length: 010\r\n")),
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
    );
}

#[test]
fn transfer_codings_end_with_one_chunked() {
    for (value, want) in [
        ("chunked", None),
        ("CHUNKED", None),
        ("chunked, chunked", Some(Kind::TransferEncoding)),
        ("identity", Some(Kind::TransferEncoding)),
        ("xchunked", Some(Kind::TransferEncoding)),
        ("chunkedx", Some(Kind::TransferEncoding)),
        ("\x0bchunked", Some(Kind::FieldValue)),
        ("\x0cchunked", Some(Kind::FieldValue)),
        ("chunked\x00", Some(Kind::FieldValue)),
        ("\"chunked\"", Some(Kind::TransferEncoding)),
        ("", Some(Kind::TransferEncoding)),
        ("chunked,", Some(Kind::TransferEncoding)),
        (",chunked", Some(Kind::TransferEncoding)),
        ("chunked, gzip", Some(Kind::TransferEncoding)),
        ("chunked;a=b", Some(Kind::TransferEncoding)),
        ("gzip, chunked", Some(Kind::UnsupportedCoding)),
        ("identity, chunked", Some(Kind::UnsupportedCoding)),
    ] {
        let got = request(&post(&format!("Transfer-Encoding: {value}\r\n")), &STRICT);
        match want {
            None => assert_eq!(got.unwrap().0.framing(), Framing::Chunked, "{value:?}"),
            Some(kind) => assert_eq!(got.unwrap_err().0, kind, "{value:?}"),
        }
    }
    let twice = post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n");
    assert_eq!(request(&twice, &STRICT).unwrap_err().0, Kind::TransferEncoding);
    assert_eq!(
        rewritten(&post("Transfer-Encoding:\r\n  Chunked\r\n")),
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    assert_eq!(Kind::UnsupportedCoding.status(), 422);
}

#[test]
fn coding_beats_length_and_closes() {
    for order in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    ] {
        let text = post(order);
        let (head, _, _) = request(&text, &STRICT).unwrap();
        assert_eq!(head.framing(), Framing::Chunked);
        assert!(head.must_close() && !head.keep_alive());
        assert_eq!(rewritten(&text), "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    }
    // A length that is no number is refused even then.
    let text = post("Transfer-Encoding: chunked\r\nContent-Length: x\r\n");
    assert_eq!(request(&text, &STRICT).unwrap_err().0, Kind::ContentLength);
}

#[test]
fn http_1_0_has_no_codings_and_no_body_on_get() {
    let coded = b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(request(coded, &STRICT).unwrap_err().0, Kind::TransferEncodingVersion);
    let (head, ..) = request(coded, &UNSAFE).unwrap();
    assert!(head.must_close());
    for method in ["GET", "HEAD", "DELETE"] {
        let text = format!("{method} / HTTP/1.0\r\nContent-Length: 3\r\n\r\n");
        assert_eq!(request(text.as_bytes(), &STRICT).unwrap_err().0, Kind::UnexpectedBody);
        let text = format!("{method} / HTTP/1.0\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(request(text.as_bytes(), &STRICT).unwrap().0.framing(), Framing::None);
        let text = format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n");
        assert_eq!(request(text.as_bytes(), &STRICT).unwrap().0.framing(), Framing::Length(3));
    }
    assert_eq!(Kind::UnexpectedBody.status(), 413);
}

#[test]
fn malformed_lines_are_refused_where_they_go_wrong() {
    for (text, kind, offset) in [
        (&b"GET / HTTP/1.1\r\nHost: a\r\n:x\r\n\r\n"[..], Kind::FieldName, 25),
        (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", Kind::FieldName, 16),
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", Kind::FieldName, 20),
        (b"GET / HTTP/1.1\r\nHost\t: a\r\n\r\n", Kind::FieldName, 20),
        (b"GET / HTTP/1.1\r\nHo\xffst: a\r\n\r\n", Kind::FieldName, 18),
        (b"GET / HTTP/1.1\r\nHo(st: a\r\n\r\n", Kind::FieldName, 18),
        (b"GET / HTTP/1.1\r\nHost\r\n\r\n", Kind::FieldName, 20),
        (b"GET / HTTP/1.1\r\nHost: a\r\nA: \x00\r\n\r\n", Kind::FieldValue, 28),
        (b"GET / HTTP/1.1\r\nHost: a\r\nA: \x01\r\n\r\n", Kind::FieldValue, 28),
        (b"GET / HTTP/1.1\r\nHost: a\r\nA: \x7f\r\n\r\n", Kind::FieldValue, 28),
        (b"GET / HTTP/1.1\r\nHost: a\r\nA: b\rC: d\r\n\r\n", Kind::LineEnd, 30),
        (b"GET / HTTP/1.1\r\nHost: a\nA: b\r\n\r\n", Kind::LineEnd, 23),
        (b"GET / HTTP/1.1\nHost: a\r\n\r\n", Kind::LineEnd, 14),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\n", Kind::LineEnd, 25),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\rX", Kind::LineEnd, 26),
        (b"GET / HTTP/1.1\rHost: a\r\n\r\n", Kind::LineEnd, 15),
        (b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Kind::LineEnd, 0),
        (b"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", Kind::LineEnd, 1),
        (b" GET / HTTP/1.1\r\n", Kind::Method, 0),
        (b"G(T / HTTP/1.1\r\n", Kind::Method, 1),
        (b"\x16\x03\x01", Kind::Method, 0),
        (b"GET /a.png#/../admin HTTP/1.1\r\n", Kind::Target, 10),
        (b"GET /\x01 HTTP/1.1\r\n", Kind::Target, 5),
        (b"GET /\xc3\xa9 HTTP/1.1\r\n", Kind::Target, 5),
        (b"GET /\r\n", Kind::Version, 5),
        (b"GET\r\n", Kind::Version, 3),
        (b"GET / \r\n", Kind::Version, 6),
        (b"GET / HTTP/1.1 \r\n", Kind::Version, 14),
        (b"GET / HTTP/1.10\r\n", Kind::Version, 14),
        (b"GET / http/1.1\r\n", Kind::Version, 6),
        (b"GET / HTTP/11\r\n", Kind::Version, 12),
        (b"GET /a b HTTP/1.1\r\n", Kind::Version, 7),
    ] {
        let got = request(text, &STRICT).err();
        assert_eq!(got, Some((kind, offset)), "{}", text.escape_ascii());
        // And it is known as soon as the byte is there, not only when the line is whole.
        let mut buf = text[..=offset].to_vec();
        let early = RequestHead::new().parse(&mut buf, &Limits::default(), &STRICT);
        assert_eq!(early.map_err(|e| (e.kind, e.offset)), Err((kind, offset)), "{}", text.escape_ascii());
    }
}

#[test]
fn violations_are_accepted_when_asked_for() {
    for text in [
        &b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"[..],
        b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nA: \x01\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CONNECT a HTTP/1.1\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    ] {
        assert!(request(text, &STRICT).is_err(), "{}", text.escape_ascii());
        assert!(request(text, &UNSAFE).is_ok(), "{}", text.escape_ascii());
    }
    // A name with a forbidden byte is read over and not forwarded.
    let (head, buf, _) =
        request(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\n", &UNSAFE).unwrap();
    assert_eq!(head.fields().len(), 1);
    assert_eq!(head.framing(), Framing::None);
    let mut out = Vec::new();
    Edits::new().write_request(&head, &buf, &mut out);
    assert_eq!(out, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

#[test]
fn host_is_one_and_agrees_with_the_target() {
    for (text, want) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], Some(Kind::MissingHost)),
        (b"GET http://a/ HTTP/1.1\r\n\r\n", Some(Kind::MissingHost)),
        (b"GET / HTTP/1.0\r\n\r\n", None),
        (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", None),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: A\r\n\r\n", None),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", Some(Kind::Host)),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", Some(Kind::Host)),
        (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", Some(Kind::Host)),
        (b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", Some(Kind::Host)),
        (b"GET / HTTP/1.1\r\nHost: a#b\r\n\r\n", Some(Kind::Host)),
        (b"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", None),
        (b"GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", Some(Kind::Host)),
        (b"GET http://A/ HTTP/1.1\r\nHost: a\r\n\r\n", None),
        (b"GET http://a:80/ HTTP/1.1\r\nHost: a\r\n\r\n", None),
        (b"GET http://a/ HTTP/1.1\r\nHost: a:80\r\n\r\n", None),
        (b"GET http://a/ HTTP/1.1\r\nHost: a:443\r\n\r\n", Some(Kind::Host)),
        (b"GET https://a/ HTTP/1.1\r\nHost: a:443\r\n\r\n", None),
        (b"GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n", Some(Kind::Host)),
        (b"GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n", Some(Kind::Target)),
        (b"GET http://a?q HTTP/1.1\r\nHost: a\r\n\r\n", Some(Kind::Target)),
        (b"GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", Some(Kind::Target)),
        (b"GET a/b HTTP/1.1\r\nHost: a\r\n\r\n", Some(Kind::TargetForm)),
        (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", Some(Kind::TargetForm)),
        (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", None),
        (b"OPTIONS *x HTTP/1.1\r\nHost: a\r\n\r\n", Some(Kind::TargetForm)),
        (b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", None),
        (b"CONNECT a:8080 HTTP/1.1\r\nHost: a:8080\r\n\r\n", None),
        (b"CONNECT a:8080 HTTP/1.1\r\nHost: a\r\n\r\n", Some(Kind::Host)),
        (b"CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", Some(Kind::Target)),
        (b"CONNECT a: HTTP/1.1\r\nHost: a\r\n\r\n", Some(Kind::Target)),
        (b"CONNECT /x HTTP/1.1\r\nHost: a\r\n\r\n", Some(Kind::TargetForm)),
        (b"CONNECT http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", Some(Kind::Target)),
        (b"GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", Some(Kind::TargetForm)),
    ] {
        assert_eq!(request(text, &STRICT).err().map(|e| e.0), want, "{}", text.escape_ascii());
    }
}

#[test]
fn targets_are_taken_apart() {
    let (head, buf, _) =
        request(b"GET http://h.com:81/x?y HTTP/1.1\r\nHost: h.com:81\r\n\r\n", &STRICT).unwrap();
    assert_eq!(head.target_form(), TargetForm::Absolute);
    assert_eq!(head.scheme(&buf), Some(&b"http"[..]));
    assert_eq!(head.authority(&buf), Some(&b"h.com:81"[..]));
    assert_eq!(head.path(&buf), b"/x?y");
    let (head, buf, _) = request(b"GET /x?y HTTP/1.1\r\nHost: h\r\n\r\n", &STRICT).unwrap();
    assert_eq!((head.path(&buf), head.authority(&buf)), (&b"/x?y"[..], None));
    assert_eq!(head.host(&buf), Some(&b"h"[..]));
    let (head, buf, _) = request(b"CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n", &STRICT).unwrap();
    assert_eq!((head.path(&buf), head.authority(&buf)), (&b""[..], Some(&b"h:80"[..])));
    assert_eq!(head.known_method(), Method::Connect);
}

#[test]
fn logs_show_canonical_request_lines() {
    for (text, line) in [
        ("GET \t /x?y  HTTP/1.1\r\nHost: h\r\n\r\n", "GET /x?y HTTP/1.1"),
        ("GET http://h:80/x HTTP/1.1\r\nHost: h\r\n\r\n", "GET http://h/x HTTP/1.1"),
        ("GET http://h:80 HTTP/1.1\r\nHost: h\r\n\r\n", "GET http://h HTTP/1.1"),
        ("GET http://h:81/ HTTP/1.1\r\nHost: h:81\r\n\r\n", "GET http://h:81/ HTTP/1.1"),
        ("GET / HTTP/1.2\r\nHost: h\r\n\r\n", "GET / HTTP/1.2"),
    ] {
        let (head, buf, _) = request(text.as_bytes(), &STRICT).unwrap();
        let mut out = Vec::new();
        head.write_log_line(&buf, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), line);
    }
}

/// As haproxy 2.6 forwards them, the case of names apart.
#[test]
fn what_is_written_is_canonical() {
    for (text, want) in [
        (
            "GET  /  HTTP/1.1\r\nHost:h.com\r\nA:  b \r\n c\r\nB:\r\nC: \r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h.com\r\nA: b    c\r\nB: \r\nC: \r\n\r\n",
        ),
        ("GET / HTTP/2.0\r\nHost:h.com\r\n\r\n", "GET / HTTP/1.1\r\nHost: h.com\r\n\r\n"),
        ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        (
            "GET http://h.com:80/x HTTP/1.1\r\nHost: h.com\r\n\r\n",
            "GET http://h.com/x HTTP/1.1\r\nHost: h.com\r\n\r\n",
        ),
        (
            "CONNECT h.com:80 HTTP/1.1\r\nHost: h.com:80\r\nContent-Length: 4\r\n\r\n",
            "CONNECT h.com:80 HTTP/1.1\r\nHost: h.com\r\n\r\n",
        ),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\nX: y\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n"),
        ("GET / HTTP/1.1\r\nA:\r\n \r\n\tb\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nA: b\r\nHost: a\r\n\r\n"),
    ] {
        assert_eq!(rewritten(text.as_bytes()), want);
    }
}

#[test]
fn names_can_be_restricted() {
    let text = b"GET / HTTP/1.1\r\nHost: a\r\nX_Forwarded_Proto: https\r\nX-B: c\r\n\r\n";
    let delete = Strictness { names: NamePolicy::Delete, ..STRICT };
    let (head, buf, _) = request(text, &delete).unwrap();
    let mut out = Vec::new();
    Edits::new().write_request(&head, &buf, &mut out);
    assert_eq!(out, b"GET / HTTP/1.1\r\nHost: a\r\nX-B: c\r\n\r\n");
    let reject = Strictness { names: NamePolicy::Reject, ..STRICT };
    assert_eq!(request(text, &reject).err(), Some((Kind::RestrictedName, 25)));
    assert_eq!(Kind::RestrictedName.status(), 403);
    assert_eq!(request(text, &STRICT).unwrap().0.fields().len(), 3);
}

#[test]
fn heads_are_bounded() {
    let limits = Limits { max_fields: 4, max_bytes: 64 };
    let parse = |text: &str| {
        let mut buf = text.as_bytes().to_vec();
        RequestHead::new().parse(&mut buf, &limits, &STRICT).map_err(|e| e.kind)
    };
    assert!(matches!(
        parse("GET / HTTP/1.1\r\nHost: a\r\na: b\r\nc: d\r\n\r\n"),
        Ok(Progress::Complete { .. })
    ));
    assert_eq!(parse("GET / HTTP/1.1\r\nHost: a\r\na: b\r\nc: d\r\ne: f\r\n\r\n"), Err(Kind::TooManyFields));
    let long = "x".repeat(60);
    assert_eq!(parse(&format!("GET /{long}")), Err(Kind::TargetTooLong));
    assert_eq!(parse(&format!("GET / HTTP/1.1\r\na: {long}")), Err(Kind::TooLong));
    assert_eq!(parse(&format!("GET / HTTP/1.1\r\nHost: a\r\na: {long}\r\n\r\n")), Err(Kind::TooLong));
    assert_eq!((Kind::TargetTooLong.status(), Kind::TooLong.status()), (414, 431));
    // Field 100 is the last one that HAProxy's default admits.
    let many = |n: usize| format!("GET / HTTP/1.0\r\n{}\r\n", "a: b\r\n".repeat(n));
    assert!(request(many(100).as_bytes(), &STRICT).is_ok());
    assert_eq!(request(many(101).as_bytes(), &STRICT).unwrap_err().0, Kind::TooManyFields);
}

#[test]
fn bytes_behind_the_head_are_left_alone() {
    let text = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /two";
    let (_, buf, len) = request(text, &STRICT).unwrap();
    assert_eq!(&buf[len..], b"GET /two");
}

#[test]
fn expectations_and_upgrades() {
    let (head, ..) = request(&post("Expect: 100-Continue\r\nContent-Length: 1\r\n"), &STRICT).unwrap();
    assert!(head.expects_continue());
    let (head, ..) = request(&post("Expect: 100-continue\r\n"), &STRICT).unwrap();
    assert!(!head.expects_continue(), "no body");
    let (head, ..) =
        request(b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", &STRICT).unwrap();
    assert!(!head.expects_continue(), "HTTP/1.0");
    let key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    let text = post(&format!("Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n{key}"));
    let (head, buf, _) = request(&text, &STRICT).unwrap();
    assert_eq!(head.upgrade(&buf), Some(&b"websocket"[..]));
    let text = post("Upgrade: websocket\r\nConnection: Upgrade\r\n");
    assert_eq!(request(&text, &STRICT).unwrap_err().0, Kind::WebSocket);
    let text = post("Upgrade: foo\r\n");
    let (head, buf, _) = request(&text, &STRICT).unwrap();
    assert_eq!(head.upgrade(&buf), None, "Connection does not name it");
}

#[test]
fn responses_are_framed_by_the_rules_of_rfc_9112() {
    let framing = |text: &str, method| response(text.as_bytes(), method).map(|r| r.0.framing());
    let get = Method::Get;
    for (text, method, want) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", get, Framing::Length(5)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", get, Framing::None),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Method::Head, Framing::None),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Method::Head, Framing::None),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", get, Framing::Chunked),
        ("HTTP/1.1 200 OK\r\n\r\n", get, Framing::UntilClose),
        ("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", get, Framing::None),
        ("HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n", get, Framing::None),
        ("HTTP/1.1 100 Go\r\nContent-Length: 5\r\n\r\n", get, Framing::None),
        ("HTTP/1.1 101 Go\r\n\r\n", get, Framing::Tunnel),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Method::Connect, Framing::Tunnel),
        ("HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\n", Method::Connect, Framing::Length(5)),
    ] {
        assert_eq!(framing(text, method), Ok(want), "{text}");
    }
    for (text, want) in [
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", Kind::UnsupportedCoding),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", Kind::ContentLength),
        ("HTTP/1.1 20 OK\r\n\r\n", Kind::Status),
        ("HTTP/1.1 2000 OK\r\n\r\n", Kind::Status),
        ("HTTP/1.1 099 OK\r\n\r\n", Kind::Status),
        ("HTTP/1.1 2x0 OK\r\n\r\n", Kind::Status),
        ("HTTP/1.1\r\n\r\n", Kind::Version),
        ("ICY 200 OK\r\n\r\n", Kind::Version),
        ("HTTP/1.1 200 O\x00K\r\n\r\n", Kind::Reason),
        ("HTTP/1.1 200 OK\n\n", Kind::LineEnd),
        ("HTTP/1.1 200 OK\r\nA b: c\r\n\r\n", Kind::FieldName),
        ("HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", Kind::WebSocket),
    ] {
        assert_eq!(framing(text, get), Err(want), "{text}");
    }
    // RFC 9110 section 8.6: these carry no framing fields, whatever the server sent.
    for status in ["204 No", "101 Go", "103 Early"] {
        let text = format!("HTTP/1.1 {status}\r\nContent-Length: 5\r\nX: y\r\n\r\n");
        let (head, buf) = response(text.as_bytes(), get).unwrap();
        let (mut edits, mut out) = (Edits::new(), Vec::new());
        HopByHop::strip_response(&head, &buf, &mut edits);
        edits.write_response(&head, &buf, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), format!("HTTP/1.1 {status}\r\nX: y\r\n\r\n"));
    }
    let both = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n";
    let (head, _) = response(both, get).unwrap();
    assert!(head.must_close() && !head.keep_alive());
    let (head, buf) = response(b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\n", get).unwrap();
    let mut out = Vec::new();
    Edits::new().write_response(&head, &buf, &mut out);
    assert_eq!(out, b"HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\n");
    assert_eq!(head.version(), Version::Http11);
}

#[test]
fn what_lies_beyond_the_limit_decides_nothing() {
    let limits = Limits { max_fields: 101, max_bytes: 60 };
    let too_long = Err(HeadError { kind: Kind::TooLong, offset: 60 });
    let text = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\nHost: b\r\n\r\n", "x".repeat(40));
    assert_eq!(RequestHead::new().parse(&mut text.clone().into_bytes(), &limits, &STRICT), too_long);
    assert_eq!(RequestHead::new().parse(&mut text.into_bytes()[..60], &limits, &STRICT), too_long);
    let text = format!("HTTP/1.1 200 OK\r\nX: {}\r\nA b: c\r\n\r\n", "x".repeat(50));
    let get = Method::Get;
    assert_eq!(ResponseHead::new().parse(&mut text.clone().into_bytes(), get, &limits, &STRICT), too_long);
    assert_eq!(ResponseHead::new().parse(&mut text.into_bytes()[..60], get, &limits, &STRICT), too_long);
}

#[test]
fn the_fourth_digit_of_a_status_is_wrong_however_many_follow() {
    for text in [&b"HTTP/1.1 2009"[..], b"HTTP/1.1 200999999 OK\r\n\r\n"] {
        let mut head = ResponseHead::new();
        let got = head.parse(&mut text.to_vec(), Method::Get, &Limits::default(), &STRICT);
        assert_eq!(got, Err(HeadError { kind: Kind::Status, offset: 12 }));
    }
}
