//! What holds for every input: splits do not matter, nothing panics, and what is written is read the same again.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may")]

use http1::{
    ChunkDecoder, ChunkStep, Edits, HeadError, HopByHop, Limits, Method, NamePolicy, Progress, RequestHead,
    ResponseHead, SliceSink, Strictness,
};
use proptest::prelude::*;
use std::mem::MaybeUninit;

const LIMITS: Limits = Limits { max_fields: 20, max_bytes: 600 };

/// Feeds `text` in pieces that end at `cuts`, then whole. The result and the number of bytes seen when it came.
fn request_in_pieces(
    head: &mut RequestHead,
    text: &[u8],
    cuts: &[usize],
    strict: &Strictness,
) -> (Result<Progress, HeadError>, Vec<u8>) {
    let mut buf = Vec::new();
    for end in cuts.iter().copied().chain([text.len()]) {
        if let Some(more) = text.get(buf.len()..end) {
            buf.extend_from_slice(more);
        }
        match head.parse(&mut buf, &LIMITS, strict) {
            Ok(Progress::Partial) => {}
            done => {
                let seen = buf.len();
                buf.extend_from_slice(&text[seen..]);
                return (done, buf);
            }
        }
    }
    (Ok(Progress::Partial), buf)
}

fn same_request(a: (&RequestHead, &[u8]), b: (&RequestHead, &[u8])) {
    assert_eq!(a.0.method(a.1), b.0.method(b.1));
    assert_eq!(a.0.target(a.1), b.0.target(b.1));
    assert_eq!(a.0.version(), b.0.version());
    assert_eq!(a.0.framing(), b.0.framing());
    assert_eq!(a.0.keep_alive(), b.0.keep_alive());
    assert_eq!(a.0.host(a.1), b.0.host(b.1));
    assert_eq!(a.0.upgrade(a.1), b.0.upgrade(b.1));
    assert!(a.0.fields().pairs(a.1).eq(b.0.fields().pairs(b.1)));
}

/// Requests made of pieces that matter, many of them valid.
fn requests() -> impl Strategy<Value = Vec<u8>> {
    let line = prop::sample::select(vec![
        "GET / HTTP/1.1\r\n",
        "\r\nPOST /a?b HTTP/1.1\r\n",
        "GET  /  HTTP/1.0\r\n",
        "GET http://a:80/x HTTP/1.1\r\n",
        "CONNECT a:80 HTTP/1.1\r\n",
        "OPTIONS * HTTP/1.1\r\n",
        "GET /# HTTP/1.1\r\n",
        "GET /\r\n",
        "X / HTTP/2.0\n",
    ]);
    let field = prop::sample::select(vec![
        "Host: a\r\n",
        "host:a\r\n",
        "Content-Length: 5\r\n",
        "content-length: 05, 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding:\r\n\tChunked \r\n",
        "Connection: close\r\n",
        "Connection: keep-alive, X-A, upgrade\r\n",
        "Upgrade: foo, h2c\r\n",
        "Keep-Alive: 1\r\n",
        "TE: trailers\r\n",
        "X-A: b\r\n",
        "X_B:  c \r\n d\r\n",
        "Empty:\r\n",
        "Accept: text/html,application/xhtml+xml;q=0.9\r\n",
        "Expect: 100-continue\r\n",
    ]);
    let bad = prop::sample::select(vec![
        "Bare: lf\n",
        "Bad : name\r\n",
        "Nul: \x00\r\n",
        ": none\r\n",
        "Content-Length: 6\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Host: b\r\n",
    ]);
    let field = prop_oneof![40 => field, 1 => bad];
    let end = prop_oneof![8 => Just("\r\n"), 2 => prop::sample::select(vec!["\r\nrest", "\n", "", "\r"])];
    let host = prop::sample::select(vec!["Host: a\r\n", "Host: a\r\n", ""]);
    (line, host, prop::collection::vec(field, 0..8), end)
        .prop_map(|(line, host, fields, end)| format!("{line}{host}{}{end}", fields.concat()).into_bytes())
}

fn strictness() -> impl Strategy<Value = Strictness> {
    let names = prop::sample::select(vec![NamePolicy::Preserve, NamePolicy::Delete, NamePolicy::Reject]);
    (any::<bool>(), names).prop_map(|(accept_unsafe, names)| Strictness { accept_unsafe, names })
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..700_usize, 0..12).prop_map(|mut cuts| {
        cuts.sort_unstable();
        cuts
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn splits_of_a_request_do_not_matter(text in requests(), cuts in cuts(), strict in strictness()) {
        let mut whole = RequestHead::new();
        let (want, whole_buf) = request_in_pieces(&mut whole, &text, &[], &strict);
        let mut parts = RequestHead::new();
        let (got, parts_buf) = request_in_pieces(&mut parts, &text, &cuts, &strict);
        prop_assert_eq!(want, got);
        if let Ok(Progress::Complete { .. }) = want {
            same_request((&whole, &whole_buf), (&parts, &parts_buf));
            prop_assert_eq!(&whole_buf, &parts_buf);
        }
        // And a used index is as good as a new one.
        let every: Vec<usize> = (0..text.len()).collect();
        parts.reset();
        let (got, buf) = request_in_pieces(&mut parts, &text, &every, &strict);
        prop_assert_eq!(want, got);
        if let Ok(Progress::Complete { .. }) = want {
            same_request((&whole, &whole_buf), (&parts, &buf));
        }
    }

    #[test]
    fn what_is_written_is_read_the_same(text in requests(), strict in strictness()) {
        let mut head = RequestHead::new();
        let (result, buf) = request_in_pieces(&mut head, &text, &[], &strict);
        if let Ok(Progress::Complete { .. }) = result {
            let mut out = Vec::new();
            Edits::new().write_request(&head, &buf, &mut out);
            let mut again = RequestHead::new();
            let (result, again_buf) = request_in_pieces(&mut again, &out, &[], &strict);
            prop_assert_eq!(result, Ok(Progress::Complete { len: out.len() }));
            // Both lengths, or a default port, cannot be seen any more in what is written; the rest can.
            prop_assert_eq!(head.framing(), again.framing());
            prop_assert_eq!(head.method(&buf), again.method(&again_buf));
            prop_assert_eq!(head.target(&buf), again.target(&again_buf));
            prop_assert!(head.fields().pairs(&buf).eq(again.fields().pairs(&again_buf)));
            // What is canonical is copied unchanged.
            let mut twice = Vec::new();
            Edits::new().write_request(&again, &again_buf, &mut twice);
            prop_assert_eq!(&out, &twice);
            // A fixed slice gets the same bytes, or says how many it needs.
            let mut small = vec![MaybeUninit::uninit(); out.len() - 1];
            let mut sink = SliceSink::new(&mut small);
            Edits::new().write_request(&head, &buf, &mut sink);
            prop_assert_eq!((sink.written(), sink.needed()), (None, out.len()));
        }
    }

    #[test]
    fn what_is_forwarded_is_strictly_valid_and_of_this_hop_only(text in requests(), value in any::<Vec<u8>>()) {
        let strict = Strictness::default();
        let mut head = RequestHead::new();
        let (result, buf) = request_in_pieces(&mut head, &text, &[], &strict);
        if let Ok(Progress::Complete { .. }) = result {
            let mut edits = Edits::new();
            HopByHop::strip_request(&head, &buf, &mut edits);
            edits.append(b"X-A", &value);
            edits.append(&value, b"x");
            http1::toward_server(&head, &buf, true, &mut edits);
            let mut out = Vec::new();
            edits.write_request(&head, &buf, &mut out);
            // However odd the value, the head ends where it was meant to end, and its framing is the one received.
            let unsafe_ = Strictness { accept_unsafe: true, ..strict };
            let mut again = RequestHead::new();
            let mut out_buf = out.clone();
            let limits = Limits { max_bytes: 100_000, ..Limits::default() };
            if !value.is_empty() {
                prop_assert_eq!(again.parse(&mut out_buf, &limits, &unsafe_), Ok(Progress::Complete { len: out.len() }));
                prop_assert_eq!(head.framing(), again.framing());
            }
            prop_assert!(edits.find(head.fields(), &buf, b"keep-alive").is_none());
            prop_assert!(edits.find(head.fields(), &buf, b"X-A").is_some());
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..800), cuts in cuts(), strict in strictness()) {
        let mut head = RequestHead::new();
        let _ = request_in_pieces(&mut head, &bytes, &cuts, &strict);
        let mut head = ResponseHead::new();
        let mut prefixed = b"HTTP/1.1 200 ".to_vec();
        prefixed.extend_from_slice(&bytes);
        let _ = head.parse(&mut prefixed, Method::Get, &LIMITS, &strict);
        let _ = http1::ErrorPage::parse(&bytes);
        let mut decoder = ChunkDecoder::new();
        let mut rest = bytes.clone();
        while let Ok(ChunkStep::Data { consumed, .. }) = decoder.feed(&mut rest, &LIMITS) {
            rest.drain(..consumed);
        }
    }

    #[test]
    fn splits_of_a_response_do_not_matter(
        line in prop::sample::select(vec!["HTTP/1.1 200 OK\r\n", "HTTP/1.0 404\r\n", "HTTP/1.1 20 OK\r\n", "HTTP/1.1 304 a\tb\r\n"]),
        fields in prop::collection::vec(prop::sample::select(vec![
            "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Connection: close\r\n", "X:\r\n y\r\n", "Y: \x01\r\n",
        ]), 0..6),
        cuts in cuts(),
    ) {
        let text = format!("{line}{}\r\n", fields.concat()).into_bytes();
        let strict = Strictness::default();
        let mut whole = ResponseHead::new();
        let mut whole_buf = text.clone();
        let want = whole.parse(&mut whole_buf, Method::Get, &LIMITS, &strict);
        let mut parts = ResponseHead::new();
        let mut buf = Vec::new();
        let mut got = Ok(Progress::Partial);
        for end in cuts.into_iter().map(|cut| cut % (text.len() + 1)).chain([text.len()]) {
            if let Some(more) = text.get(buf.len()..end) {
                buf.extend_from_slice(more);
            }
            got = parts.parse(&mut buf, Method::Get, &LIMITS, &strict);
            if got.is_err() {
                break;
            }
        }
        prop_assert_eq!(want, got);
        if want.is_ok() {
            prop_assert_eq!(whole.framing(), parts.framing());
            prop_assert_eq!(whole.status(), parts.status());
            prop_assert!(whole.fields().pairs(&whole_buf).eq(parts.fields().pairs(&buf)));
        }
    }

    #[test]
    fn splits_of_a_chunked_body_do_not_matter(
        chunks in prop::collection::vec((prop::collection::vec(any::<u8>(), 1..40), any::<bool>()), 0..6),
        trailer in prop::sample::select(vec!["\r\n", "X: y\r\n\r\n", "Host: z\r\nA: b\r\n c\r\n\r\n"]),
        cuts in prop::collection::vec(0..400_usize, 0..20),
    ) {
        let mut body = Vec::new();
        let mut want = Vec::new();
        for (data, extension) in &chunks {
            let line = if *extension { format!("{:X};a=b\r\n", data.len()) } else { format!("{:x}\r\n", data.len()) };
            body.extend_from_slice(line.as_bytes());
            body.extend_from_slice(data);
            body.extend_from_slice(b"\r\n");
            want.extend_from_slice(data);
        }
        body.extend_from_slice(b"0\r\n");
        body.extend_from_slice(trailer.as_bytes());
        let total = body.len();
        body.extend_from_slice(b"GET /next");
        let mut ends: Vec<usize> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
        ends.sort_unstable();
        ends.push(body.len());

        let mut decoder = ChunkDecoder::new();
        let (mut got, mut at, mut ended) = (Vec::new(), 0, None);
        for end in ends {
            while ended.is_none() && at <= end {
                let piece = &mut body[at..end];
                match decoder.feed(piece, &LIMITS).unwrap() {
                    ChunkStep::Data { consumed, data } => {
                        prop_assert_eq!(data.end, consumed);
                        got.extend_from_slice(&piece[data]);
                        at += consumed;
                    }
                    ChunkStep::NeedMore { consumed } => {
                        at += consumed;
                        break;
                    }
                    ChunkStep::End { consumed, trailers } => {
                        prop_assert_eq!(trailers.end, consumed);
                        ended = Some(at + consumed);
                    }
                }
            }
        }
        prop_assert_eq!(ended, Some(total));
        prop_assert_eq!(got, want);
    }
}
