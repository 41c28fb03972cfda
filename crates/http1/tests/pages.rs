//! Error pages against haproxy's bytes, and errorfiles.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may")]

use http1::{ErrorPage, PageError, Version, default_page, page_codes};

fn written(page: &ErrorPage, client: Version, close: bool) -> String {
    let mut out = Vec::new();
    page.write(client, close, false, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn built_in_pages_are_haproxys() {
    let page = |code| default_page(code).unwrap();
    assert_eq!(
        written(&page(503), Version::Http11, false),
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 107\r\ncache-control: no-cache\r\n\
         content-type: text/html\r\n\r\n<html><body><h1>503 Service Unavailable</h1>\n\
         No server is available to handle this request.\n</body></html>\n"
    );
    assert!(written(&page(503), Version::Http11, true).contains("text/html\r\nconnection: close\r\n\r\n"));
    assert!(
        written(&page(503), Version::Http10, false).contains("text/html\r\nconnection: keep-alive\r\n\r\n")
    );
    assert!(written(&page(400), Version::Http11, false).contains("text/html\r\nconnection: close\r\n\r\n"));
    assert_eq!(
        String::from_utf8(page(400).raw().to_vec()).unwrap(),
        "HTTP/1.1 400 Bad request\r\nContent-length: 90\r\nCache-Control: no-cache\r\nConnection: close\r\n\
         Content-Type: text/html\r\n\r\n<html><body><h1>400 Bad request</h1>\n\
         Your browser sent an invalid request.\n</body></html>\n"
    );
    assert_eq!(
        String::from_utf8(page(408).raw().to_vec()).unwrap(),
        "HTTP/1.1 408 Request Time-out\r\nContent-length: 110\r\nCache-Control: no-cache\r\nConnection: close\r\n\
         Content-Type: text/html\r\n\r\n<html><body><h1>408 Request Time-out</h1>\n\
         Your browser didn't send a complete request in time.\n</body></html>\n"
    );
    // The lengths that haproxy's own table announces.
    let lengths = [
        (200, 58),
        (400, 90),
        (401, 112),
        (403, 93),
        (404, 83),
        (405, 147),
        (407, 112),
        (408, 110),
        (410, 114),
        (413, 106),
        (414, 110),
        (421, 104),
        (422, 116),
        (425, 80),
        (429, 117),
        (431, 105),
        (500, 97),
        (501, 135),
        (502, 107),
        (503, 107),
        (504, 92),
    ];
    assert!(page_codes().eq(lengths.iter().map(|(code, _)| *code)));
    for (code, length) in lengths {
        assert_eq!((page(code).status(), page(code).body_len()), (code, length));
    }
    assert_eq!(default_page(418), None);
    let mut out = Vec::new();
    page(403).write(Version::Http11, false, true, &mut out);
    assert!(out.ends_with(b"content-type: text/html\r\n\r\n"), "a HEAD gets no body");
}

#[test]
fn errorfiles_are_re_emitted() {
    let page = ErrorPage::parse(b"HTTP/1.1 503 Oops\r\nX-A:  b \r\nContent-Length: 4\r\nX-B: c\r\n\r\nbody")
        .unwrap();
    let head = "HTTP/1.1 503 Oops\r\nx-a: b\r\ncontent-length: 4\r\nx-b: c\r\n";
    assert_eq!(written(&page, Version::Http11, false), format!("{head}\r\nbody"));
    assert_eq!(written(&page, Version::Http10, true), format!("{head}connection: close\r\n\r\nbody"));
    // Without a length it ends with the connection; lines may end with LF.
    let page = ErrorPage::parse(b"HTTP/1.1 503 Oops\nX-A: b\n\nbody\n").unwrap();
    assert!(page.closes());
    let want = "HTTP/1.1 503 Oops\r\nx-a: b\r\nconnection: close\r\n\r\nbody\n";
    assert_eq!(written(&page, Version::Http11, false), want);
    let page = ErrorPage::parse(
        b"HTTP/1.0 503 Service Unavailable\r\nCache-Control: no-cache\r\nConnection: close\r\n\r\n<b>hi</b>\n",
    )
    .unwrap();
    let want = "HTTP/1.0 503 Service Unavailable\r\ncache-control: no-cache\r\n\r\n<b>hi</b>\n";
    assert_eq!(written(&page, Version::Http11, false), want);
    let page = ErrorPage::parse(
        b"HTTP/1.1 503 Oops\r\nKeep-Alive: x\r\nConnection: x-foo, close\r\nContent-Length: 0\r\n\r\n",
    )
    .unwrap();
    assert_eq!(
        written(&page, Version::Http11, false),
        "HTTP/1.1 503 Oops\r\nkeep-alive: x\r\nconnection: x-foo\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    assert!(ErrorPage::parse(b"").unwrap().is_silent());
}

#[test]
fn errorfiles_are_refused_in_haproxys_words() {
    for (file, want) in [
        (
            &b"HTTP/1.1 503 Oops\nX-A: b\nContent-Length: 3\n\nbody"[..],
            "payload size does not match the announced content-length (4 != 3)",
        ),
        (
            b"HTTP/1.1 503 Oops\nX-A: b\nContent-Length: 6\n\nbody",
            "payload size does not match the announced content-length (4 != 6)",
        ),
        (
            b"HTTP/1.1 503 Oops\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            "chunk-encoded payload not supported",
        ),
        (b"garbage\n", "unable to parse headers (error offset: 0)"),
    ] {
        assert_eq!(ErrorPage::parse(file).unwrap_err().to_string(), want);
    }
    assert_eq!(ErrorPage::parse(b"HTTP/1.1 503 Oops\r\n"), Err(PageError::Truncated));
}
