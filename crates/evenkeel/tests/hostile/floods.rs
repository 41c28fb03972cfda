//! Floods: pipelined requests, tiny chunks, endless garbage. Served right, and others are served meanwhile.

use crate::client::{Client, get};
use crate::proxy::Proxy;
use crate::server::Server;
use crate::slow::Good;
use crate::{DEADLINE, scaled, show};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Instant;

const CONFIG: &str = "\
defaults
    mode http
    log global
    option httplog
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    timeout http-request 30s
listen web
    bind {web}
    server s1 {s1} pool-purge-delay 1s
listen other
    bind {other}
";

fn proxy(server: &Server) -> Proxy {
    Proxy::start(&CONFIG.replace("{s1}", &server.address.to_string()))
}

/// Sends everything from a thread of its own, so that the answers can be read meanwhile.
fn say(client: &Client, bytes: Vec<u8>) -> std::thread::JoinHandle<std::io::Result<()>> {
    let mut stream = client.stream().try_clone().unwrap();
    std::thread::spawn(move || stream.write_all(&bytes))
}

#[test]
fn requests_one_behind_the_other() {
    let server = Server::echo();
    let proxy = proxy(&server);
    let before = proxy.held();
    let good = Good::start(&proxy);
    let count = scaled(3_000, 50_000);
    let begin = Instant::now();
    let flood = |number: usize| {
        let web = proxy.web;
        std::thread::spawn(move || {
            let mut client = Client::connect(web).unwrap();
            let request = |n| format!("GET /{number}/{n} HTTP/1.1\r\nHost: a\r\n\r\n");
            let said = say(&client, (0..count).map(request).collect::<String>().into_bytes());
            for n in 0..count {
                let answer = client.answer().unwrap();
                assert_eq!((answer.status, answer.body), (200, format!("/{number}/{n}").into_bytes()));
            }
            said.join().unwrap().unwrap();
        })
    };
    let floods: Vec<_> = (0..3).map(flood).collect();
    floods.into_iter().for_each(|flood| flood.join().unwrap());
    show("floods", &format!("3 x {count} pipelined requests took"), format!("{:.2?}", begin.elapsed()));
    good.end();
    proxy.settles(before);
}

/// A section without servers answers by itself: a flood of such requests never waits, and must not keep others waiting.
#[test]
fn requests_that_are_answered_at_once() {
    let server = Server::echo();
    let proxy = proxy(&server);
    let before = proxy.held();
    let good = Good::start(&proxy);
    let count = scaled(3_000, 100_000);
    let mut floods = Vec::new();
    for _ in 0..4 {
        let other = proxy.other;
        floods.push(std::thread::spawn(move || {
            let mut client = Client::connect(other).unwrap();
            let said = say(&client, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(count));
            for _ in 0..count {
                assert_eq!(client.answer().unwrap().status, 503);
            }
            said.join().unwrap().unwrap();
        }));
    }
    floods.into_iter().for_each(|flood| flood.join().unwrap());
    let took = good.end();
    show("floods", "a good client's longest wait meanwhile", format!("{:.1?}", took.last().unwrap()));
    proxy.settles(before);
}

#[test]
fn bodies_in_tiny_chunks() {
    const SIZE: usize = 1 << 20;
    let server = Server::start(|mut connection| {
        while let Some((target, body)) = connection.request() {
            let same = body.len() == SIZE && body.iter().enumerate().all(|(n, byte)| *byte == n as u8);
            if target != "/download" {
                if !connection.answer(if same { b"whole" } else { b"broken" }) {
                    return;
                }
                continue;
            }
            let mut answer =
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n".to_vec();
            for n in 0..100_000 {
                answer.extend_from_slice(b"1;ext=\"value\"\r\n");
                answer.push(n as u8);
                answer.extend_from_slice(b"\r\n");
            }
            answer.extend_from_slice(b"0\r\nX-End: yes\r\n\r\n");
            if connection.stream.write_all(&answer).is_err() {
                return;
            }
        }
    });
    let proxy = proxy(&server);
    let before = proxy.held();
    for _ in 0..scaled(1, 5) {
        let begin = Instant::now();
        let mut client = Client::connect(proxy.web).unwrap();
        let mut request = b"POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for n in 0..SIZE {
            request.extend_from_slice(b"1\r\n");
            request.push(n as u8);
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"0\r\nX-Trailer: a\r\nX-Other: b\r\n\r\n");
        let said = say(&client, request);
        assert_eq!(client.answer().unwrap().body, b"whole");
        said.join().unwrap().unwrap();
        show("floods", "1 MiB in chunks of one byte, up, took", format!("{:.2?}", begin.elapsed()));
        let begin = Instant::now();
        let answer = client.get("/download").unwrap();
        assert!(answer.body.len() == 100_000 && answer.body.iter().enumerate().all(|(n, b)| *b == n as u8));
        show("floods", "100,000 chunks of one byte, down, took", format!("{:.2?}", begin.elapsed()));
    }
    proxy.settles(before);
}

/// One byte at a time, each in a segment of its own, as far as the kernel lets it.
#[test]
fn a_request_in_single_bytes() {
    let server = Server::echo();
    let proxy = proxy(&server);
    let mut client = Client::connect(proxy.web).unwrap();
    let cookie = "c".repeat(scaled(3_000, 12_000));
    let request = format!("GET /bytes HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\nX-Folded: a\r\n b\r\n\r\n");
    for byte in request.as_bytes() {
        client.send(&[*byte]).unwrap();
    }
    let answer = client.answer().unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (200, b"/bytes".as_slice()));
}

/// What comes after a connection's last request is thrown away, for a while and no more.
#[test]
fn garbage_without_end() {
    let server = Server::echo();
    let proxy = proxy(&server);
    let before = proxy.held();
    let starts: [&[u8]; 5] = [
        b"\0\x01\x02 garbage from the first byte\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\r\n\r\n\r\n",
    ];
    let good = Good::start(&proxy);
    let mut threads = Vec::new();
    for n in 0..scaled(20, 200) {
        let (web, start) = (proxy.web, starts[n % starts.len()]);
        threads.push(std::thread::spawn(move || {
            let mut stream = TcpStream::connect_timeout(&web, DEADLINE).unwrap();
            stream.set_write_timeout(Some(DEADLINE)).unwrap();
            stream.write_all(start).unwrap();
            let garbage = [b'\r'; 65_536];
            let begin = Instant::now();
            let mut sent = 0_u64;
            // It ends because the proxy has ended it.
            while let Ok(written) = stream.write(&garbage) {
                sent += written as u64;
                assert!(begin.elapsed() < DEADLINE, "{sent} bytes after {start:?}");
            }
            sent
        }));
    }
    let most = threads.into_iter().map(|thread| thread.join().unwrap()).max().unwrap();
    show("floods", "bytes of garbage before a connection was cut, at most", most);
    good.end();
    proxy.settles(before);
    // Nor does a client that reads nothing of what it asks for keep anything.
    let mut stream = TcpStream::connect_timeout(&proxy.web, DEADLINE).unwrap();
    stream.write_all(&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(100)).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).unwrap();
    assert_eq!(heard.windows(15).filter(|bytes| *bytes == b"HTTP/1.1 200 OK").count(), 100);
    assert_eq!(get(proxy.web, "/still").unwrap().body, b"/still");
}
