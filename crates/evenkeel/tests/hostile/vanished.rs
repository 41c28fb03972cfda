//! Clients that vanish in every phase, by FIN and by RST.

use crate::client::{Client, Crowd, connect_narrow, get, reset};
use crate::proxy::{Proxy, state};
use crate::server::Server;
use crate::{DEADLINE, scaled, show, until};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{Shutdown, SocketAddr, TcpStream};
use testkit::lane::full_queue;

const CONFIG: &str = "\
    tune.sndbuf.client 16k
    tune.rcvbuf.server 16k
    maxconn 3000
defaults
    mode http
    log global
    option httplog
    retries 0
    timeout connect 1s
    timeout client 1s
    timeout server 1s
    timeout http-request 1s
    timeout http-keep-alive 1s
    timeout queue 1s
listen web
    bind {web}
    server s1 {s1} pool-purge-delay 1s
listen other
    bind {other}
    server s1 {s1} maxconn 1
listen deaf
    bind 127.0.0.1:{deaf port}
    server s1 {deaf}
";

/// How a client leaves.
#[derive(Clone, Copy, Debug)]
enum Leaves {
    /// It closes: a FIN, and a RST if anything comes afterwards.
    Closes,
    /// It ends what it says and still listens.
    ShutsDown,
    /// It breaks off.
    Resets,
}

/// Sends `bytes` on `count` connections, and leaves; what still listens does so until it hears the end.
fn vanish(address: SocketAddr, count: usize, bytes: &[u8], leaves: Leaves, before: impl Fn(&TcpStream)) {
    let mut listening = Crowd::new();
    for _ in 0..count {
        let mut stream = connect_narrow(address);
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream.write_all(bytes).unwrap();
        before(&stream);
        match leaves {
            Leaves::Closes => {}
            Leaves::ShutsDown => {
                let _ = stream.shutdown(Shutdown::Write);
                listening.add(stream);
            }
            Leaves::Resets => reset(stream),
        }
    }
    until("those who listen hear the end", || listening.hear() == 0);
}

/// Answers at once, with a big body, or when the client has gone.
fn server() -> Server {
    Server::start(|mut connection| {
        while let Some((target, _)) = connection.request() {
            match target.as_str() {
                "/never" => return connection.wait_for_end(),
                "/big" => {
                    if !connection.answer(&vec![b'b'; 1 << 20]) {
                        return;
                    }
                }
                _ => {
                    if !connection.answer(target.as_bytes()) {
                        return;
                    }
                }
            }
        }
    })
}

/// Waits until the server is asked, or something comes back.
fn answered(stream: &TcpStream) {
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let _ = stream.peek(&mut [0]);
}

#[test]
fn in_every_phase() {
    let server = server();
    let (_socket, _fill, deaf) = full_queue();
    let deaf_web = testkit::lane::free_address();
    let config = CONFIG
        .replace("{s1}", &server.address.to_string())
        .replace("{deaf port}", &deaf_web.port().to_string())
        .replace("{deaf}", &deaf.to_string());
    let proxy = Proxy::start(&config);
    assert_eq!(get(proxy.web, "/").unwrap().status, 200);
    let before = proxy.settles(proxy.held());
    let count = scaled(60, 1_000);
    let nothing = |_: &TcpStream| {};
    let mut phases: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    let mut seen = proxy.log.len();
    for leaves in [Leaves::Closes, Leaves::ShutsDown, Leaves::Resets] {
        let mut phase = |name: &str, run: &dyn Fn()| {
            run();
            // A connection that ended while it was still in the backlog leaves nothing behind, not even a line.
            let deadline = std::time::Instant::now() + DEADLINE;
            while !proxy.present().is_empty() {
                assert!(std::time::Instant::now() < deadline, "{name} {leaves:?}: {:?}", proxy.present());
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            let lines = proxy.log.lines(seen, usize::MAX);
            seen += lines.len();
            let states = phases.entry(format!("{name}, {leaves:?}")).or_default();
            for line in lines {
                *states.entry(state(&line).to_owned()).or_default() += 1;
            }
        };
        phase("before a request", &|| vanish(proxy.web, count, b"", leaves, nothing));
        phase("in a head", &|| {
            vanish(proxy.web, count, b"GET / HTTP/1.1\r\nHo", leaves, nothing);
        });
        phase("in a body", &|| {
            let head = b"POST /never HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nsome";
            vanish(proxy.web, count, head, leaves, nothing);
        });
        phase("in a chunk", &|| {
            let head = b"POST /never HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nsome";
            vanish(proxy.web, count, head, leaves, nothing);
        });
        phase("while the server thinks", &|| {
            vanish(proxy.web, count, b"GET /never HTTP/1.1\r\nHost: a\r\n\r\n", leaves, nothing);
        });
        phase("while connecting", &|| {
            vanish(deaf_web, count, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", leaves, nothing);
        });
        phase("in the queue", &|| {
            let mut holder = Client::connect(proxy.other).unwrap();
            holder.send(b"GET /never HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
            until("the server is taken", || proxy.stat("other", "s1", "scur") == "1");
            vanish(proxy.other, count, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", leaves, nothing);
        });
        phase("in a response", &|| {
            vanish(
                proxy.web,
                count,
                b"GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
                leaves,
                answered,
            );
        });
        phase("after a response", &|| {
            vanish(proxy.web, count, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", leaves, answered);
        });
    }
    for (phase, states) in phases {
        show("vanished", &phase, format!("{states:?}"));
    }
    let after = proxy.settles(before);
    show("vanished", "descriptors before, after", format!("{} {}", before.descriptors, after.descriptors));
    show("vanished", "resident kB before, after", format!("{} {}", before.memory, after.memory));
    for address in [proxy.web, proxy.other] {
        assert_eq!(get(address, "/still").unwrap().body, b"/still");
    }
}

#[test]
fn broken_transfers_leave_no_memory_behind() {
    let server = server();
    let config = CONFIG
        .replace("{s1}", &server.address.to_string())
        .replace("{deaf port}", &testkit::lane::free_address().port().to_string())
        .replace("{deaf}", &server.address.to_string());
    let proxy = Proxy::start(&config);
    assert_eq!(get(proxy.web, "/").unwrap().status, 200);
    let before = proxy.settles(proxy.held());
    let round = || {
        for n in 0..scaled(60, 1_000) {
            let mut client = Client::connect(proxy.web).unwrap();
            client.send(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
            let mut left = n * 17_000 % (1 << 20);
            let mut chunk = [0; 16_384];
            while left > 0 {
                let read = std::io::Read::read(&mut client.stream(), &mut chunk).unwrap();
                left = left.saturating_sub(read.max(1));
            }
            if n % 2 == 0 {
                client.reset();
            }
        }
        proxy.settles(before).memory
    };
    let first = round();
    let mut last = first;
    for _ in 0..3 {
        last = round();
    }
    show("vanished", "resident kB after 1 and 4 rounds of broken transfers", format!("{first} {last}"));
    assert!(last <= first + 8_192, "memory grows: {first} kB, then {last} kB");
}
