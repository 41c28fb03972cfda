//! What `option accept-unsafe-violations-in-http-request` and `-response` let through, beside Debian's haproxy, where
//! the options are called `accept-invalid-http-request` and `-response`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;
use testkit::lane::free_address;
use testkit::program::{Program, Running};

/// A server that gives the answer whose number is the target, or an empty one.
fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let (mut buffer, mut seen) = ([0; 4_096], Vec::new());
                while !seen.windows(2).any(|end| end == b"\n\r" || end == b"\n\n") {
                    match stream.read(&mut buffer) {
                        Ok(read @ 1..) => seen.extend_from_slice(&buffer[..read]),
                        _ => return,
                    }
                }
                let text = String::from_utf8_lossy(&seen).into_owned();
                let number = text
                    .strip_prefix("GET /n")
                    .and_then(|rest| rest.split(' ').next()?.parse::<usize>().ok());
                let answer =
                    number.and_then(|n| RESPONSES.get(n)).map_or(&b"HTTP/1.1 200 OK\r\n"[..], |case| case.1);
                let _ =
                    stream.write_all(&[answer, b"Content-Length: 0\r\nConnection: close\r\n\r\n"].concat());
            });
        }
    });
    address
}

struct Proxy {
    address: SocketAddr,
    _running: Running,
}

impl Proxy {
    fn start(program: &Program, option: &str) -> Self {
        let (address, server) = (free_address(), server());
        let config = format!(
            "defaults\n  mode http\n  timeout client 2s\n  timeout connect 2s\n  timeout server 2s\nlisten web\n  \
             bind {address}\n  {option}\n  server a {server}\n"
        );
        Self { address, _running: program.start(&config, address).unwrap() }
    }

    /// The status of the answer.
    fn status(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap_or_default().to_owned()
    }
}

/// What becomes of a violation.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    /// Refused, and let through with the option, by both.
    Allowed,
    /// Refused by both, with and without the option.
    Refused,
    /// Let through by both in any case.
    Harmless,
    /// Refused here although haproxy's option lets it through: docs/differences.md.
    RefusedHere,
    /// Refused here without the option, and let through by 2.6.
    Stricter,
}
use Fate::{Allowed, Harmless, Refused, RefusedHere, Stricter};

type Case = (&'static str, &'static [u8], Fate);

/// Requests, up to their last fields.
const REQUESTS: [Case; 26] = [
    ("a name with an odd byte", b"GET / HTTP/1.1\r\nX(y): 1\r\nHost: x\r\n", Allowed),
    ("a name with a blank", b"GET / HTTP/1.1\r\nX y: 1\r\nHost: x\r\n", Allowed),
    ("a name with a blank behind", b"GET / HTTP/1.1\r\nX : 1\r\nHost: x\r\n", Allowed),
    ("a name with NUL", b"GET / HTTP/1.1\r\nX\0y: 1\r\nHost: x\r\n", RefusedHere),
    ("NUL in a value", b"GET / HTTP/1.1\r\nX: a\0b\r\nHost: x\r\n", Stricter),
    ("a control in a value", b"GET / HTTP/1.1\r\nX: a\x01b\r\nHost: x\r\n", Stricter),
    ("a target with delimiters", b"GET /\"<>^`{|}\\ HTTP/1.1\r\nHost: x\r\n", Harmless),
    ("a target with a byte above 127", b"GET /\xe9 HTTP/1.1\r\nHost: x\r\n", Allowed),
    ("a target with a control", b"GET /\x01 HTTP/1.1\r\nHost: x\r\n", Refused),
    ("a target with a blank", b"GET /a b HTTP/1.1\r\nHost: x\r\n", Refused),
    ("a fragment", b"GET /a#b HTTP/1.1\r\nHost: x\r\n", Allowed),
    ("CONNECT without a port", b"CONNECT x HTTP/1.1\r\nHost: x\r\n", Allowed),
    ("another host in the target", b"GET http://y/ HTTP/1.1\r\nHost: x\r\n", Allowed),
    ("no host", b"GET / HTTP/1.1\r\n", Stricter),
    ("HTTP/0.9", b"GET /\r\n", RefusedHere),
    ("another protocol", b"OPTIONS / RTSP/1.0\r\nHost: x\r\n", RefusedHere),
    ("a version of two digits", b"GET / HTTP/1.10\r\nHost: x\r\n", RefusedHere),
    ("a target without a slash", b"GET ? HTTP/1.1\r\nHost: x\r\n", RefusedHere),
    ("a user in the host", b"GET / HTTP/1.1\r\nHost: u@x\r\n", RefusedHere),
    ("chunks in HTTP/1.0", b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nHost: x\r\n", Stricter),
    ("lines ended by LF", b"GET / HTTP/1.1\nHost: x\n", Stricter),
    ("two hosts", b"GET / HTTP/1.1\r\nHost: y\r\nHost: x\r\n", Refused),
    ("an empty length", b"POST / HTTP/1.1\r\nContent-Length: \r\nHost: x\r\n", Refused),
    ("a method with an odd byte", b"G(T / HTTP/1.1\r\nHost: x\r\n", Refused),
    ("a line without a colon", b"GET / HTTP/1.1\r\nfoo\r\nHost: x\r\n", Refused),
    ("an unknown coding", b"POST / HTTP/1.1\r\nTransfer-Encoding: foo\r\nHost: x\r\n", Refused),
];

/// Responses, up to their last fields.
const RESPONSES: [Case; 8] = [
    ("a name with an odd byte", b"HTTP/1.1 200 OK\r\nX(y): 1\r\n", Allowed),
    ("a name with a blank", b"HTTP/1.1 200 OK\r\nX y: 1\r\n", Allowed),
    ("a name with a blank behind", b"HTTP/1.1 200 OK\r\nX : 1\r\n", Allowed),
    ("a name with NUL", b"HTTP/1.1 200 OK\r\nX\0y: 1\r\n", RefusedHere),
    ("NUL in a value", b"HTTP/1.1 200 OK\r\nX: a\0b\r\n", Stricter),
    ("lines ended by LF", b"HTTP/1.1 200 OK\nX: a\n", Stricter),
    ("another protocol", b"RTSP/1.0 200 OK\r\n", RefusedHere),
    ("a version of two digits", b"HTTP/1.10 200 OK\r\n", RefusedHere),
];

fn compare(side: &str, requests: &[(&str, Vec<u8>, Fate)]) {
    let (theirs, ours) = (Program::haproxy(), Program::subject(Path::new(env!("CARGO_BIN_EXE_evenkeel"))));
    let lenient = |program: &Program| {
        let name = if program.name == "haproxy" { "accept-invalid" } else { "accept-unsafe-violations-in" };
        Proxy::start(program, &format!("option {name}-http-{side}"))
    };
    let (strict_theirs, strict_ours) = (Proxy::start(&theirs, ""), Proxy::start(&ours, ""));
    let (lenient_theirs, lenient_ours) = (lenient(&theirs), lenient(&ours));
    let mut wrong = Vec::new();
    for (name, request, fate) in requests {
        let passes = |proxy: &Proxy| proxy.status(request) == "200";
        let seen =
            [passes(&strict_theirs), passes(&strict_ours), passes(&lenient_theirs), passes(&lenient_ours)];
        let expected: &[[bool; 4]] = match fate {
            Allowed => &[[false, false, true, true]],
            Refused => &[[false; 4]],
            Harmless => &[[true; 4]],
            RefusedHere => &[[false, false, true, false], [true, false, true, false]],
            Stricter => &[[true, false, true, true]],
        };
        if !expected.contains(&seen) {
            wrong.push(format!(
                "{name}: haproxy and ours {:?}, with the option {:?}",
                &seen[..2],
                &seen[2..]
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn violations_in_requests() {
    let whole = |head: &[u8]| {
        let end: &[u8] = match head {
            b"GET /\r\n" => b"\r\n",
            _ if head.windows(2).any(|two| two == b"\r\n") => b"Connection: close\r\n\r\n",
            _ => b"Connection: close\n\n",
        };
        let body: &[u8] = if head.windows(7).any(|word| word == b"chunked") { b"0\r\n\r\n" } else { b"" };
        [head, end, body].concat()
    };
    compare("request", &REQUESTS.map(|(name, head, fate)| (name, whole(head), fate)));
}

#[test]
fn violations_in_responses() {
    let mut number = 0;
    let cases = RESPONSES.map(|(name, _, fate)| {
        let request = format!("GET /n{number} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        number += 1;
        (name, request.into_bytes(), fate)
    });
    compare("response", &cases);
}
