//! HTTP/1 messages: however the bytes arrive, the verdict is the same, and what is written is read the same again.

use http1::{
    ChunkDecoder, ChunkErrorKind, ChunkStep, Edits, ErrorPage, Framing, HeadError, Limits, Method,
    NamePolicy, Progress, RequestHead, ResponseHead, Strictness, Version,
};

/// Up to here every split in two is tried; beyond, some.
const EVERY_SPLIT: usize = 64;
/// Room for what writing adds.
const ROOMY: Limits = Limits { max_fields: 1 << 20, max_bytes: 1 << 20 };

/// The same switches for the same input, all of them in turn.
fn switches(data: &[u8]) -> [Strictness; 2] {
    let names = [NamePolicy::Preserve, NamePolicy::Delete, NamePolicy::Reject][data.len() % 3];
    [Strictness::default(), Strictness { accept_unsafe: true, names }]
}

/// Limits as the proxy has them, and small ones that inputs reach.
fn limits(data: &[u8]) -> Limits {
    match data.len() % 4 {
        0 => Limits { max_fields: 6, max_bytes: 200 },
        _ => Limits::default(),
    }
}

/// The lengths at which bytes stop coming for a while: each once, then all of them one after the other.
fn splits(length: usize) -> Vec<Vec<usize>> {
    let step = (length / EVERY_SPLIT).max(1);
    let mut splits: Vec<Vec<usize>> = (0..length).step_by(step).map(|at| vec![at]).collect();
    splits.push((0..length).collect());
    splits
}

/// Grows a buffer to each of `cuts`, then to all of `data`, until `parse` has a verdict. What it was, and the buffer.
fn grow<T>(
    data: &[u8],
    cuts: &[usize],
    mut parse: impl FnMut(&mut [u8]) -> Option<T>,
) -> (Option<T>, Vec<u8>) {
    let mut buf = Vec::with_capacity(data.len());
    for end in cuts.iter().copied().chain([data.len()]) {
        buf.extend_from_slice(data.get(buf.len()..end).unwrap_or_default());
        if let Some(verdict) = parse(&mut buf) {
            let seen = buf.len();
            buf.extend_from_slice(&data[seen..]);
            return (Some(verdict), buf);
        }
    }
    (None, buf)
}

/// `None` while more bytes are needed.
fn verdict(result: Result<Progress, HeadError>) -> Option<Result<usize, HeadError>> {
    match result {
        Ok(Progress::Partial) => None,
        Ok(Progress::Complete { len }) => Some(Ok(len)),
        Err(error) => Some(Err(error)),
    }
}

/// A request head.
pub fn request_head(data: &[u8]) {
    let limits = limits(data);
    for strict in switches(data) {
        let mut whole = RequestHead::new();
        let (want, buf) = grow(data, &[], |buf| verdict(whole.parse(buf, &limits, &strict)));
        let mut head = RequestHead::new();
        for cuts in splits(data.len()) {
            head.reset();
            let (got, grown) = grow(data, &cuts, |buf| verdict(head.parse(buf, &limits, &strict)));
            assert_eq!(want, got, "split at {cuts:?}, {strict:?}");
            if let Some(Ok(_)) = want {
                assert_eq!(seen(&whole, &buf), seen(&head, &grown), "split at {cuts:?}, {strict:?}");
            }
        }
        match want {
            Some(Ok(len)) => {
                assert!(len <= data.len());
                rewritten_request(&whole, &buf, &strict);
            }
            Some(Err(error)) => assert!(error.offset <= data.len(), "{error:?}"),
            None => {}
        }
    }
}

/// Everything that the rest of the proxy decides by.
fn seen(head: &RequestHead, buf: &[u8]) -> impl PartialEq + std::fmt::Debug {
    let fields: Vec<(Vec<u8>, Vec<u8>)> =
        head.fields().pairs(buf).map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
    let bytes = |bytes: &[u8]| bytes.to_vec();
    let mut log_line = Vec::new();
    head.write_log_line(buf, &mut log_line);
    (
        (bytes(head.method(buf)), bytes(head.target(buf)), head.target_form(), bytes(head.path(buf))),
        (head.host(buf).map(bytes), head.authority(buf).map(bytes), head.version(), head.framing()),
        (head.keep_alive(), head.must_close(), head.expects_continue(), head.upgrade(buf).map(bytes)),
        (log_line, fields),
    )
}

fn rewritten_request(head: &RequestHead, buf: &[u8], strict: &Strictness) {
    let mut out = Vec::new();
    Edits::new().write_request(head, buf, &mut out);
    let mut again = RequestHead::new();
    let mut out_buf = out.clone();
    assert_eq!(
        again.parse(&mut out_buf, &ROOMY, strict),
        Ok(Progress::Complete { len: out.len() }),
        "written as {}",
        out.escape_ascii()
    );
    assert_eq!(head.framing(), again.framing());
    assert_eq!(head.method(buf), again.method(&out_buf));
    assert_eq!(head.target(buf), again.target(&out_buf));
    assert_eq!(head.host(buf), again.host(&out_buf));
    assert!(head.fields().pairs(buf).eq(again.fields().pairs(&out_buf)), "written as {}", out.escape_ascii());
    let mut twice = Vec::new();
    Edits::new().write_request(&again, &out_buf, &mut twice);
    assert_eq!(out, twice, "what is canonical is copied unchanged");
}

/// A response head, as the answer to several methods.
pub fn response_head(data: &[u8]) {
    let limits = limits(data);
    for method in [Method::Get, Method::Head, Method::Connect] {
        for strict in switches(data) {
            let mut whole = ResponseHead::new();
            let (want, buf) = grow(data, &[], |buf| verdict(whole.parse(buf, method, &limits, &strict)));
            let mut head = ResponseHead::new();
            // How bytes are split has nothing to do with the method.
            let splits =
                if method == Method::Get { splits(data.len()) } else { vec![(0..data.len()).collect()] };
            for cuts in splits {
                head.reset();
                let (got, grown) =
                    grow(data, &cuts, |buf| verdict(head.parse(buf, method, &limits, &strict)));
                assert_eq!(want, got, "split at {cuts:?}, {strict:?}");
                if let Some(Ok(_)) = want {
                    assert_eq!(answer(&whole, &buf), answer(&head, &grown), "split at {cuts:?}, {strict:?}");
                }
            }
            match want {
                Some(Ok(len)) => {
                    assert!(len <= data.len());
                    assert!((100..1000).contains(&whole.status()));
                    rewritten_response(&whole, &buf, method, &strict);
                }
                Some(Err(error)) => assert!(error.offset <= data.len(), "{error:?}"),
                None => {}
            }
        }
    }
}

fn answer(head: &ResponseHead, buf: &[u8]) -> impl PartialEq + std::fmt::Debug {
    let fields: Vec<(Vec<u8>, Vec<u8>)> =
        head.fields().pairs(buf).map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
    (
        (head.status(), head.reason(buf).to_vec(), head.version(), head.framing()),
        (head.keep_alive(), head.must_close(), head.status_line(buf).to_vec(), fields),
    )
}

fn rewritten_response(head: &ResponseHead, buf: &[u8], method: Method, strict: &Strictness) {
    let mut out = Vec::new();
    Edits::new().write_response(head, buf, &mut out);
    let mut again = ResponseHead::new();
    let mut out_buf = out.clone();
    assert_eq!(
        again.parse(&mut out_buf, method, &ROOMY, strict),
        Ok(Progress::Complete { len: out.len() }),
        "written as {}",
        out.escape_ascii()
    );
    assert_eq!((head.status(), head.framing()), (again.status(), again.framing()));
    assert!(head.fields().pairs(buf).eq(again.fields().pairs(&out_buf)), "written as {}", out.escape_ascii());
    let mut twice = Vec::new();
    Edits::new().write_response(&again, &out_buf, &mut twice);
    assert_eq!(out, twice, "what is canonical is copied unchanged");
}

/// What a chunked body came to.
#[derive(Debug, PartialEq, Eq)]
struct Body {
    data: Vec<u8>,
    end: End,
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    /// More bytes are needed.
    Open,
    /// The whole length of the body, and its trailers as they would be forwarded.
    At(usize, Vec<u8>),
    /// The error and where it is.
    Refused(ChunkErrorKind, usize),
}

/// Decodes `data`, which comes in pieces that end at `cuts`.
fn decode(data: &[u8], cuts: &[usize], limits: &Limits) -> Body {
    let mut decoder = ChunkDecoder::new();
    let mut body = Body { data: Vec::new(), end: End::Open };
    // `buf` holds what was received and not consumed; it starts at byte `at` of the input.
    let (mut at, mut received, mut buf) = (0, 0, Vec::new());
    for end in cuts.iter().copied().chain([data.len()]) {
        buf.extend_from_slice(data.get(received..end).unwrap_or_default());
        received = received.max(end);
        loop {
            match decoder.feed(&mut buf, limits) {
                Ok(ChunkStep::Data { consumed, data }) => {
                    assert!(!data.is_empty() && data.end == consumed, "{data:?} of {consumed}");
                    body.data.extend_from_slice(&buf[data]);
                    buf.drain(..consumed);
                    at += consumed;
                }
                Ok(ChunkStep::NeedMore { consumed }) => {
                    buf.drain(..consumed);
                    at += consumed;
                    break;
                }
                Ok(ChunkStep::End { consumed, trailers }) => {
                    assert!(trailers.end == consumed && decoder.is_finished());
                    let mut fields = Vec::new();
                    decoder.write_trailers(&buf, &mut fields);
                    body.end = End::At(at + consumed, fields);
                    return body;
                }
                Err(error) => {
                    body.end = End::Refused(error.kind, at + error.offset);
                    return body;
                }
            }
        }
    }
    body
}

/// A chunked body.
pub fn chunks(data: &[u8]) {
    let limits = limits(data);
    let whole = decode(data, &[], &limits);
    assert!(whole.data.len() <= data.len());
    for cuts in splits(data.len()) {
        assert_eq!(whole, decode(data, &cuts, &limits), "split at {cuts:?}");
    }
    if let End::At(length, trailers) = &whole.end {
        assert!(trailers.ends_with(b"\r\n"));
        // Bytes of the next message change nothing, and the body as it would be forwarded says the same.
        let alone = decode(&data[..*length], &[], &limits);
        assert_eq!(whole, alone);
        let mut written = Vec::new();
        if !whole.data.is_empty() {
            http1::write_chunk_size(whole.data.len() as u64, &mut written);
            written.extend_from_slice(&whole.data);
            written.extend_from_slice(b"\r\n");
        }
        http1::write_chunk_size(0, &mut written);
        written.extend_from_slice(trailers);
        let again = decode(&written, &[], &ROOMY);
        assert_eq!(again, Body { data: whole.data.clone(), end: End::At(written.len(), trailers.clone()) });
    }
}

/// The contents of an errorfile: what is written for a client is a response with that status and body.
pub fn error_page(data: &[u8]) {
    let Ok(page) = ErrorPage::parse(data) else { return };
    assert_eq!(page.raw(), data);
    assert_eq!(page.is_silent(), data.is_empty());
    for (version, close, head_only) in
        [(Version::Http11, false, false), (Version::Http10, false, false), (Version::Http11, true, true)]
    {
        let mut out = Vec::new();
        page.write(version, close, head_only, &mut out);
        if page.is_silent() {
            assert!(out.is_empty());
            continue;
        }
        let method = if head_only { Method::Head } else { Method::Get };
        let mut head = ResponseHead::new();
        let strict = Strictness { accept_unsafe: true, ..Strictness::default() };
        let mut buf = out.clone();
        let Ok(Progress::Complete { len }) = head.parse(&mut buf, method, &ROOMY, &strict) else {
            panic!("written as {}", out.escape_ascii());
        };
        assert_eq!(head.status(), page.status());
        assert_eq!(out.len() - len, if head_only { 0 } else { page.body_len() });
        if let (Framing::Length(length), false) = (head.framing(), head_only) {
            assert_eq!(length, page.body_len() as u64);
        }
        // The other side knows that it must not expect another response.
        assert!(!(close || page.closes()) || !head.keep_alive(), "written as {}", out.escape_ascii());
    }
}
