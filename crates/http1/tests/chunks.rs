//! The chunk decoder: what it accepts, what it refuses, and that it ends exactly.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may")]

use http1::{ChunkDecoder, ChunkErrorKind as Kind, ChunkStep, HeadErrorKind, Limits, write_chunk_size};

/// Data, bytes used and the trailer section as it would be written.
type Decoded = (Vec<u8>, usize, Vec<u8>);

fn decode(body: &[u8]) -> Result<Decoded, (Kind, usize)> {
    let mut buf = body.to_vec();
    let mut decoder = ChunkDecoder::new();
    let (mut at, mut data, mut trailers) = (0, Vec::new(), Vec::new());
    loop {
        let rest = &mut buf[at..];
        match decoder.feed(rest, &Limits::default()) {
            Ok(ChunkStep::Data { consumed, data: range }) => {
                data.extend_from_slice(&rest[range]);
                at += consumed;
            }
            Ok(ChunkStep::End { consumed, .. }) => {
                decoder.write_trailers(rest, &mut trailers);
                return Ok((data, at + consumed, trailers));
            }
            Ok(ChunkStep::NeedMore { .. }) => panic!("partial: {}", body.escape_ascii()),
            Err(error) => return Err((error.kind, at + error.offset)),
        }
    }
}

#[test]
fn good_bodies_end_exactly() {
    for (body, data, trailers) in [
        (&b"0\r\n\r\n"[..], &b""[..], &b"\r\n"[..]),
        (b"3\r\nabc\r\n0\r\n\r\n", b"abc", b"\r\n"),
        (b"3;a=b;c=\"d e\"\r\nabc\r\n1 \r\nd\r\n0;x\r\n\r\n", b"abcd", b"\r\n"),
        (b"00000003\r\nabc\r\n000\r\n\r\n", b"abc", b"\r\n"),
        (b"a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n", b"01234567890123456789a", b"\r\n"),
        (b"0\r\nX:  y \r\nZ: w\r\n\r\n", b"", b"X: y\r\nZ: w\r\n\r\n"),
        // Trailers cannot frame, route or authenticate.
        (b"0\r\nContent-Length: 5\r\nX: y\r\nHost: b\r\nAuthorization: c\r\n\r\n", b"", b"X: y\r\n\r\n"),
    ] {
        let mut pipelined = body.to_vec();
        pipelined.extend_from_slice(b"GET / HTTP/1.1\r\n");
        let want = Ok((data.to_vec(), body.len(), trailers.to_vec()));
        assert_eq!(decode(&pipelined), want, "{}", body.escape_ascii());
    }
}

#[test]
fn bad_bodies_are_refused() {
    let trailer = |kind| Kind::Trailer(kind);
    for (body, kind, offset) in [
        (&b"0x3\r\nabc\r\n"[..], Kind::Size, 1),
        (b"\r\n", Kind::Size, 0),
        (b";a\r\n", Kind::Size, 0),
        (b" 3\r\n", Kind::Size, 0),
        (b"+3\r\n", Kind::Size, 0),
        (b"-1\r\n", Kind::Size, 0),
        (b"3 4\r\n", Kind::Size, 2),
        (b"g\r\n", Kind::Size, 0),
        (b"10000000000000\r\n", Kind::Size, 13),
        (b"ffffffffffffffff\r\n", Kind::Size, 13),
        (b"00000000000000003\r\n", Kind::Size, 16),
        (b"3\nabc\r\n", Kind::LineEnd, 1),
        (b"3\rabc\r\n", Kind::LineEnd, 2),
        (b"3;a\nabc\r\n", Kind::LineEnd, 3),
        (b"3;a\rb\r\nabc\r\n", Kind::LineEnd, 4),
        (b"3;a\x00\r\nabc\r\n", Kind::Extension, 3),
        (b"3\r\nabcd\r\n", Kind::LineEnd, 6),
        (b"3\r\nabc\n0\r\n\r\n", Kind::LineEnd, 6),
        (b"3\r\nabc0\r\n\r\n", Kind::LineEnd, 6),
        (b"3\r\nabc\rX", Kind::LineEnd, 7),
        (b"0\r\n\n", trailer(HeadErrorKind::LineEnd), 3),
        (b"0\r\n X: y\r\n\r\n", trailer(HeadErrorKind::FieldName), 3),
        (b"0\r\n:y\r\n\r\n", trailer(HeadErrorKind::FieldName), 3),
        (b"0\r\nX: \x00\r\n\r\n", trailer(HeadErrorKind::FieldValue), 6),
        (b"0\r\nX: y\r\ntransfer-encoding: chunked\r\n\r\n", trailer(HeadErrorKind::TransferEncoding), 9),
        (b"0\r\nX y\r\n\r\n", trailer(HeadErrorKind::FieldName), 4),
    ] {
        assert_eq!(decode(body), Err((kind, offset)), "{}", body.escape_ascii());
    }
}

#[test]
fn lines_and_trailers_are_bounded() {
    let body = format!("3;{}\r\nabc\r\n", "x".repeat(2000));
    assert!(matches!(decode(body.as_bytes()), Err((Kind::TooLong, _))));
    let body = format!("0\r\n{}\r\n", "a: b\r\n".repeat(101));
    assert!(matches!(decode(body.as_bytes()), Err((Kind::Trailer(HeadErrorKind::TooManyFields), _))));
    let body = format!("0\r\na: {}\r\n\r\n", "x".repeat(20_000));
    assert!(matches!(decode(body.as_bytes()), Err((Kind::TooLong, _))));
}

#[test]
fn data_can_be_moved_on_unseen() {
    let mut decoder = ChunkDecoder::new();
    let limits = Limits::default();
    assert_eq!(
        decoder.feed(&mut b"1000\r\nab".to_vec(), &limits),
        Ok(ChunkStep::Data { consumed: 8, data: 6..8 })
    );
    assert!(decoder.is_plain());
    assert_eq!(decoder.remaining(), 4094);
    decoder.skip(4094);
    assert_eq!(decoder.remaining(), 0);
    let mut rest = b"\r\n0\r\n\r\nX".to_vec();
    assert_eq!(decoder.feed(&mut rest, &limits), Ok(ChunkStep::End { consumed: 7, trailers: 5..7 }));
    assert!(decoder.is_finished());
    assert_eq!(decoder.feed(&mut rest, &limits), Ok(ChunkStep::End { consumed: 0, trailers: 0..0 }));
    decoder.reset();
    assert_eq!(decoder.feed(&mut b"1;x\r\n".to_vec(), &limits), Ok(ChunkStep::NeedMore { consumed: 5 }));
    assert!(!decoder.is_plain());
}

#[test]
fn sizes_are_written_in_lower_case_hexadecimal() {
    for (size, want) in
        [(0, "0\r\n"), (9, "9\r\n"), (10, "a\r\n"), (255, "ff\r\n"), (u64::MAX, "ffffffffffffffff\r\n")]
    {
        let mut out = Vec::new();
        write_chunk_size(size, &mut out);
        assert_eq!(out, want.as_bytes());
    }
}

#[test]
fn what_lies_beyond_the_limit_of_trailers_decides_nothing() {
    let limits = Limits { max_bytes: 20, ..Limits::default() };
    let body = format!("0\r\nX: {}\r\nA b: c\r\n\r\n", "x".repeat(30));
    for length in [23, body.len()] {
        let error = ChunkDecoder::new().feed(&mut body.clone().into_bytes()[..length], &limits).unwrap_err();
        assert_eq!((error.kind, error.offset), (Kind::TooLong, 23));
    }
}
