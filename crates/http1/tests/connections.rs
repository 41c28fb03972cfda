//! What is written into Connection fields, as measured at haproxy 2.6 between raw clients and servers, and what ends
//! at this hop.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may")]

use http1::{
    ConnectionMode, Edits, HopByHop, Limits, Method, Persistence, RequestHead, ResponseHead, Strictness,
    toward_client, toward_server,
};

fn request(text: &str) -> (RequestHead, Vec<u8>) {
    let mut buf = text.as_bytes().to_vec();
    let mut head = RequestHead::new();
    head.parse(&mut buf, &Limits::default(), &Strictness::default()).unwrap();
    (head, buf)
}

fn response(text: &str) -> (ResponseHead, Vec<u8>) {
    let mut buf = text.as_bytes().to_vec();
    let mut head = ResponseHead::new();
    head.parse(&mut buf, Method::Get, &Limits::default(), &Strictness::default()).unwrap();
    (head, buf)
}

/// The request that the server gets.
fn to_server(text: &str, mode: ConnectionMode, edit: impl Fn(&mut Edits)) -> String {
    let (head, buf) = request(text);
    let mut edits = Edits::new();
    HopByHop::strip_request(&head, &buf, &mut edits);
    edit(&mut edits);
    toward_server(&head, &buf, mode.keeps_server(mode), &mut edits);
    let mut out = Vec::new();
    edits.write_request(&head, &buf, &mut out);
    String::from_utf8(out).unwrap()
}

/// The Connection value that the client gets, and whether its connection is kept.
fn to_client(request_text: &str, response_text: &str, mode: ConnectionMode) -> (Option<String>, bool) {
    let (req, _) = request(request_text);
    let (res, buf) = response(response_text);
    let mut edits = Edits::new();
    HopByHop::strip_response(&res, &buf, &mut edits);
    let (_, persistence) = toward_client(&req, &res, &buf, mode.keeps_client(), &mut edits);
    let mut out = Vec::new();
    edits.write_response(&res, &buf, &mut out);
    let (written, buf) = response(&String::from_utf8(out).unwrap());
    let value = written.find(&buf, b"connection").map(|v| String::from_utf8(v.to_vec()).unwrap());
    (value, persistence == Persistence::KeepAlive)
}

const GET11: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const GET11_CLOSE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const GET11_KEEP: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Keep-Alive\r\nKeep-Alive: 300\r\n\r\n";
const GET10: &str = "GET / HTTP/1.0\r\n\r\n";
const GET10_KEEP: &str = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
const BOTH: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n";

const OK11: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
const OK11_CLOSE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n";
const OK10: &str = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n";
const OK10_KEEP: &str = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n";
const OPEN11: &str = "HTTP/1.1 200 OK\r\n\r\n";
const OPEN10: &str = "HTTP/1.0 200 OK\r\n\r\n";
const CHUNKED: &str = "HTTP/1.1 200 \r\nTransfer-Encoding: Chunked\r\n\r\n";

#[test]
fn clients_are_told_as_haproxy_tells_them() {
    let keep = (Some("keep-alive"), true);
    let close = (Some("close"), false);
    let (kept, closed) = ((None, true), (None, false));
    let columns = [OK11, OK11_CLOSE, OK10, OK10_KEEP, OPEN11, OPEN10, CHUNKED];
    for (request, row) in [
        (GET11, [kept, kept, keep, keep, close, closed, kept]),
        (GET11_CLOSE, [close, close, closed, closed, close, closed, close]),
        (GET11_KEEP, [kept, kept, keep, keep, close, closed, kept]),
        (GET10, [close, close, closed, closed, close, closed, close]),
        // But for chunks: there are none for HTTP/1.0, and so the body ends with the connection.
        (GET10_KEEP, [keep, keep, keep, keep, close, closed, close]),
        (BOTH, [close, close, closed, closed, close, closed, close]),
    ] {
        for (response, (field, persists)) in columns.iter().zip(row) {
            for mode in [ConnectionMode::KeepAlive, ConnectionMode::ServerClose] {
                let got = to_client(request, response, mode);
                assert_eq!((got.0.as_deref(), got.1), (field, persists), "{request}{response}");
            }
            let got = to_client(request, response, ConnectionMode::Close);
            let field = if response.starts_with("HTTP/1.1") { Some("close") } else { None };
            assert_eq!((got.0.as_deref(), got.1), (field, false), "httpclose: {request}{response}");
        }
    }
}

#[test]
fn servers_are_told_as_haproxy_tells_them() {
    let connection = |text: &str, mode| {
        let sent = to_server(text, mode, |_| {});
        sent.lines().find_map(|line| line.strip_prefix("connection: ").map(str::to_owned))
    };
    for (text, keep, close) in [
        (GET11, None, Some("close")),
        (GET11_CLOSE, None, Some("close")),
        (GET11_KEEP, None, Some("close")),
        (GET10, Some("keep-alive"), None),
        (GET10_KEEP, Some("keep-alive"), None),
        (BOTH, None, Some("close")),
    ] {
        assert_eq!(connection(text, ConnectionMode::KeepAlive).as_deref(), keep, "{text}");
        assert_eq!(connection(text, ConnectionMode::ServerClose).as_deref(), close, "{text}");
        assert_eq!(connection(text, ConnectionMode::Close).as_deref(), close, "{text}");
    }
}

#[test]
fn fields_of_this_hop_end_here() {
    let text = "GET / HTTP/1.1\r\nHost: a\r\nX-Auth: 1\r\nConnection: keep-alive, X-Auth, Host\r\n\
                Proxy-Connection: x\r\nKeep-Alive: 5\r\nTE: deflate;q=0.5, trailers\r\nCookie: c\r\n\r\n";
    assert_eq!(
        to_server(text, ConnectionMode::KeepAlive, |_| {}),
        "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nCookie: c\r\n\r\n"
    );
    let text = "GET / HTTP/1.1\r\nHost: a\r\nTE: gzip\r\nConnection: TE\r\n\r\n";
    assert_eq!(to_server(text, ConnectionMode::KeepAlive, |_| {}), "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    // Framing is never nominated away.
    let text = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: content-length\r\n\r\n";
    assert_eq!(
        to_server(text, ConnectionMode::KeepAlive, |_| {}),
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"
    );
}

#[test]
fn a_client_cannot_nominate_what_the_proxy_adds() {
    let text = "GET / HTTP/1.1\r\nHost: a\r\nX-Real-Ip: 6.6.6.6\r\nConnection: close, X-Real-Ip\r\n\r\n";
    let sent = to_server(text, ConnectionMode::KeepAlive, |edits| edits.append(b"X-Real-Ip", b"10.0.0.1"));
    assert_eq!(sent, "GET / HTTP/1.1\r\nHost: a\r\nX-Real-Ip: 10.0.0.1\r\n\r\n");
}

#[test]
fn upgrades_pass_when_nominated() {
    let key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    let text = format!("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{key}\r\n");
    assert_eq!(to_server(&text, ConnectionMode::KeepAlive, |_| {}), text);
    // Even when the server's connection would be closed: it becomes a tunnel.
    assert_eq!(to_server(&text, ConnectionMode::Close, |_| {}), text);
    for text in [
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: foo\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: upgrade, HTTP2-Settings\r\nHTTP2-Settings: x\r\n\r\n",
    ] {
        assert_eq!(to_server(text, ConnectionMode::KeepAlive, |_| {}), "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    let text = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c, foo\r\nConnection: upgrade\r\n\r\n";
    assert_eq!(
        to_server(text, ConnectionMode::KeepAlive, |_| {}),
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: foo\r\nConnection: upgrade\r\n\r\n"
    );
    let (req, _) = request(text);
    let (res, buf) = response("HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n");
    let mut edits = Edits::new();
    HopByHop::strip_response(&res, &buf, &mut edits);
    let (_, persistence) = toward_client(&req, &res, &buf, true, &mut edits);
    assert_eq!(persistence, Persistence::Tunnel);
    assert!(!res.switches_unasked(&req) && res.switches_unasked(&request(GET11).0));
    let mut out = Vec::new();
    edits.write_response(&res, &buf, &mut out);
    assert_eq!(out, buf);
}

#[test]
fn rules_may_ask_for_a_close() {
    let sent =
        to_server(GET11, ConnectionMode::KeepAlive, |edits| edits.append(b"Connection", b"close, foo"));
    assert_eq!(sent, "GET / HTTP/1.1\r\nHost: a\r\nConnection: foo\r\nconnection: close\r\n\r\n");
}
