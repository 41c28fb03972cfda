use super::*;
use crate::checker::regex::Conditions;
use proptest::prelude::*;

fn url(path: &str) -> Url {
    Url { path: path.to_owned(), ..Url::default() }
}

/// As keepalived 2.2.7 sent them.
#[test]
fn requests() {
    let v4: SocketAddr = "127.0.9.1:9005".parse().unwrap();
    let v6: SocketAddr = "[::1]:9011".parse().unwrap();
    let said = |protocol, url: &Url, host, to| String::from_utf8(request(protocol, url, host, to)).unwrap();
    let agent = "User-Agent: KeepAliveClient\r\n";
    let close = "Connection: close\r\n";
    assert_eq!(
        said(Protocol::V1_0, &url("/x?y=z"), None, v4),
        format!("GET /x?y=z HTTP/1.0\r\n{agent}Host: 127.0.9.1:9005\r\n\r\n")
    );
    assert_eq!(
        said(Protocol::V1_0Close, &url("/10c"), None, v4),
        format!("GET /10c HTTP/1.0\r\n{agent}{close}Host: 127.0.9.1:9005\r\n\r\n")
    );
    assert_eq!(
        said(Protocol::V1_1, &url("/v6"), None, v6),
        format!("GET /v6 HTTP/1.1\r\n{agent}{close}Host: [::1]:9011\r\n\r\n")
    );
    assert_eq!(
        said(Protocol::V1_0, &url("/10"), Some("vs.example"), v4),
        format!("GET /10 HTTP/1.0\r\n{agent}Host: vs.example\r\n\r\n")
    );
    assert_eq!(
        said(Protocol::V1_1, &url("/11v"), Some("chk.example:99"), v6),
        format!("GET /11v HTTP/1.1\r\n{agent}{close}Host: chk.example:99\r\n\r\n")
    );
    let own = Url { virtual_host: Some("url.example".to_owned()), ..url("/11u") };
    assert_eq!(
        said(Protocol::V1_1, &own, Some("chk.example:99"), v4),
        format!("GET /11u HTTP/1.1\r\n{agent}{close}Host: url.example\r\n\r\n")
    );
}

fn read(url: &Url, reads: &[&[u8]], end: End) -> Attempt {
    let mut get = HttpGet::new(url);
    for read in reads {
        if let Some(early) = get.feed(url, read) {
            return early;
        }
    }
    get.end(url, end)
}

fn status_of(url: &Url, answer: &[u8]) -> Result<Proof, Failure> {
    match read(url, &[answer], End::Closed) {
        Attempt::Page { result, .. } => result,
        Attempt::Failed(failure) => Err(failure),
        other => panic!("{other:?}"),
    }
}

#[test]
fn statuses() {
    let any = url("/");
    assert_eq!(status_of(&any, b"HTTP/1.1 200 OK\r\n\r\n"), Ok(Proof::Status));
    assert_eq!(status_of(&any, b"HTTP/1.1 299 \r\nA: b\r\n\r\nbody"), Ok(Proof::Status));
    assert_eq!(status_of(&any, b"HTTP/1.1 302 Found\r\n\r\n"), Err(Failure::Status(302)));
    assert_eq!(status_of(&any, b"HTTP/1.1 200\r\n\r\n"), Err(Failure::Status(0)), "no blank behind it");
    assert_eq!(status_of(&any, b"HTTP/1.1  200 OK\r\n\r\n"), Err(Failure::Status(0)));
    assert_eq!(status_of(&any, b"HTTP/1.1\r\nX: 200 OK\r\n\r\n"), Err(Failure::Status(0)));
    assert_eq!(status_of(&any, b"HTTP/1.1 2000 OK\r\n\r\n"), Err(Failure::Status(0)));
    assert_eq!(status_of(&any, b"HTTP/1.1 200 OK\n\n"), Err(Failure::NoData), "lines end with CR LF");
    assert_eq!(status_of(&any, b"HTTP/1.1 200 OK\r\n"), Err(Failure::NoData));
    assert_eq!(status_of(&any, b""), Err(Failure::NoData));
    let some = Url { status: vec![301..=302, 404..=404, 700..=999], ..url("/") };
    for (code, taken) in
        [(200, false), (301, true), (302, true), (303, false), (404, true), (700, false), (0, false)]
    {
        let answer = format!("HTTP/1.0 {code:03} x\r\n\r\n");
        let expected = if taken { Ok(Proof::Status) } else { Err(Failure::Status(code)) };
        assert_eq!(status_of(&some, answer.as_bytes()), expected);
    }
}

#[test]
fn an_end_of_tls_before_a_head() {
    let any = url("/");
    assert_eq!(read(&any, &[b"HTTP/1.1 200"], End::TlsClosed), Attempt::Failed(Failure::TlsRead));
    assert_eq!(read(&any, &[b"HTTP/1.1 200"], End::TlsCut), Attempt::Failed(Failure::NoData));
    let page: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";
    let passed = Attempt::Page { result: Ok(Proof::Status), lengths: None };
    assert_eq!(read(&any, &[page], End::TlsClosed), passed);
    assert_eq!(read(&any, &[page], End::TlsCut), passed);
}

const HELLO: u128 = 0x5d41_402a_bc4b_2a76_b971_9d91_1017_c592; // md5sum of `hello`

#[test]
fn digests_end_at_the_length() {
    let digest = Url { digests: vec![[0; 16], HELLO.to_be_bytes()], ..url("/") };
    let passed = |answer: &[u8]| read(&digest, &[answer], End::Closed);
    let well = |lengths| Attempt::Page { result: Ok(Proof::Digest), lengths };
    let ill = |lengths| Attempt::Page { result: Err(Failure::Digest), lengths };
    assert_eq!(passed(b"HTTP/1.0 200 OK\r\n\r\nhello"), well(None));
    assert_eq!(passed(b"HTTP/1.0 200 OK\r\n\r\nhello!"), ill(None));
    assert_eq!(passed(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"), well(None));
    let lengths = Some(Lengths { said: 5, received: 8 });
    assert_eq!(passed(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello..."), well(lengths));
    let lengths = Some(Lengths { said: 9, received: 5 });
    assert_eq!(passed(b"HTTP/1.0 200 OK\r\nContent-Length:\t 9\r\n\r\nhello"), well(lengths));
    // As keepalived reads it: written so, and nothing behind the number.
    assert_eq!(passed(b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello!"), ill(None));
    assert_eq!(passed(b"HTTP/1.0 200 OK\r\nContent-Length: 5 \r\n\r\nhello!"), ill(None));
    assert_eq!(passed(b"HTTP/1.0 200 OK\r\nContent-Length: x\r\n\r\nhello"), well(None));
    // Chunks are not put together.
    assert_eq!(
        passed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        ill(None)
    );
    assert_eq!(
        passed(b"HTTP/1.0 500 Oops\r\n\r\nhello"),
        Attempt::Page { result: Err(Failure::Status(500)), lengths: None }
    );
}

#[test]
fn regexes_see_the_body_only() {
    let regex = |pattern, no_match| Url {
        regex: Some(
            Pattern::compile(pattern, &[], Conditions { no_match, ..Conditions::default() }).unwrap(),
        ),
        digests: vec![HELLO.to_be_bytes()],
        ..url("/")
    };
    let page: &[u8] = b"HTTP/1.0 200 OK\r\n\r\nhello";
    assert_eq!(status_of(&regex("^hel+o$", false), page), Ok(Proof::Regex));
    assert_eq!(status_of(&regex("HTTP", false), page), Err(Failure::Regex));
    assert_eq!(status_of(&regex("HTTP", true), page), Ok(Proof::Regex));
    assert_eq!(status_of(&regex("hello", true), page), Err(Failure::Regex));
}

#[test]
fn timeouts() {
    let any = url("/");
    let mut get = HttpGet::new(&any);
    assert_eq!(get.timeout(), Failure::SilenceTimeout);
    assert_eq!(get.feed(&any, b"H"), None);
    assert_eq!(get.timeout(), Failure::ReadTimeout);
    assert_eq!(get.feed(&any, b"TTP/1.0 200 OK\r\n\r\n"), None);
    assert_eq!(get.timeout(), Failure::ReadTimeout);
}

#[test]
fn memory_is_bounded() {
    let any = url("/");
    let mut get = HttpGet::new(&any);
    let chunk = [b'a'; 4096];
    let fed = (0..100).position(|_| get.feed(&any, &chunk) == Some(Attempt::Failed(Failure::NoData)));
    assert!(fed.is_some_and(|fed| fed <= HttpGet::HEAD_MAX / chunk.len()));
    assert_eq!(get.feed(&any, b"\r\n\r\n"), Some(Attempt::Failed(Failure::NoData)), "too late");
    assert_eq!(get.end(&any, End::Closed), Attempt::Failed(Failure::NoData));

    let regex = Url { regex: Some(Pattern::compile("b", &[], Conditions::default()).unwrap()), ..url("/") };
    let mut get = HttpGet::new(&regex);
    assert_eq!(get.feed(&regex, b"HTTP/1.0 200 OK\r\n\r\n"), None);
    for _ in 0..HttpGet::BODY_MAX / chunk.len() + 3 {
        assert_eq!(get.feed(&regex, &chunk), None);
        assert!(get.body.len() <= HttpGet::BODY_MAX + 1);
    }
    assert_eq!(get.feed(&regex, b"b"), None);
    let Attempt::Page { result, .. } = get.end(&regex, End::Closed) else { panic!() };
    assert_eq!(result, Err(Failure::Regex), "what a regex does not see is not a success");
}

fn any_url() -> impl Strategy<Value = Url> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(digest, regex, no_match)| {
        let conditions = Conditions { no_match, ..Conditions::default() };
        Url {
            digests: if digest { vec![HELLO.to_be_bytes()] } else { Vec::new() },
            regex: regex.then(|| Pattern::compile("l+o", &[], conditions).unwrap()),
            ..url("/")
        }
    })
}

proptest! {
    #[test]
    fn every_split_of_an_answer_says_the_same(
        url in any_url(),
        head in prop_oneof!["HTTP/1.[01] (200|301) OK\r\n(Content-Length: [0-9]{1,2}\r\n)?\r\n", "[ -~\r\n]{0,40}"],
        body in prop_oneof![Just("hello".to_owned()), "[a-z]{0,20}"],
        cuts in proptest::collection::vec(0usize..80, 0..6),
    ) {
        let answer = [head, body].concat().into_bytes();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(answer.len())).collect();
        cuts.extend([0, answer.len()]);
        cuts.sort_unstable();
        let reads: Vec<&[u8]> = cuts.windows(2).map(|cut| &answer[cut[0]..cut[1]]).collect();
        let whole = read(&url, &[&answer], End::Closed);
        prop_assert_eq!(read(&url, &reads, End::Closed), whole);
        let bytes: Vec<&[u8]> = answer.chunks(1).collect();
        prop_assert_eq!(read(&url, &bytes, End::Closed), whole);
        if let Attempt::Page { result: Ok(_), .. } = whole {
            let text = String::from_utf8_lossy(&answer).into_owned();
            prop_assert!(text.contains("\r\n\r\n") && text.contains(" 2"), "{}", text);
        }
    }

    #[test]
    fn a_truncated_or_mutated_page_does_not_pass_for_the_page(at in 0usize..60, flip in 1u8.., cut: bool) {
        let digest = Url { digests: vec![HELLO.to_be_bytes()], ..url("/") };
        let mut answer = b"HTTP/1.0 200 OK\r\nX: y\r\n\r\nhello".to_vec();
        let start = answer.len() - 5;
        let at = at % answer.len();
        if cut {
            answer.truncate(at);
        } else {
            answer[at] ^= flip;
        }
        let passed = matches!(read(&digest, &[&answer], End::Closed), Attempt::Page { result: Ok(_), .. });
        prop_assert!(!passed || (!cut && at < start), "{}", answer.escape_ascii());
    }
}
