//! The last descriptor is taken: idle connections of every worker make room for the one that needs some. In a process of
//! its own, for it is the process's limit that is reached.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail so"
)]

use haproxy_cfg::model::Address;
use haproxy_cfg::{Context, Input, parse};
use proxyd::listeners::Key;
use proxyd::{Bound, Setup};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Reads to the end of a head or body that ends with `end`.
fn read_to(stream: &mut TcpStream, end: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(end) {
        let mut byte = [0];
        if !matches!(stream.read(&mut byte), Ok(1)) {
            return None;
        }
        bytes.push(byte[0]);
    }
    Some(bytes)
}

/// A server that keeps its connections, and waits for descriptors, too.
fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        loop {
            let Ok((mut stream, _)) = listener.accept() else {
                std::thread::sleep(Duration::from_millis(1));
                continue;
            };
            std::thread::spawn(move || {
                while read_to(&mut stream, b"\r\n\r\n").is_some() && stream.write_all(ANSWER).is_ok() {}
            });
        }
    });
    address
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn ask(client: &mut TcpStream) -> String {
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    String::from_utf8(read_to(client, b"\r\n\r\n").expect("an answer")).unwrap()
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn the_idle_connections_of_another_worker_make_room() {
    // Each worker has a listening socket of its own, so that the client chooses who serves it.
    let sockets = [TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap()];
    let addresses = [sockets[0].local_addr().unwrap(), sockets[1].local_addr().unwrap()];
    let text = format!(
        "listen web\n  mode http\n  timeout connect 10s\n  timeout client 1m\n  timeout server 1m\n  \
         bind {}\n  server s {} pool-purge-delay 1h\n",
        addresses[0],
        server()
    );
    let parsed =
        parse(&[Input { name: "haproxy.cfg".into(), text: text.into_bytes() }], &mut Context::default());
    let config = parsed.config.unwrap_or_else(|| panic!("{:?}", parsed.report));
    let proxy = config.proxies.iter().position(|proxy| &*proxy.name == "web").unwrap();
    let key = Key { address: Address::Ip(addresses[0]), interface: None };
    let running = proxyd::start(Setup {
        config: Arc::new(config),
        threads: 2,
        maxconn: 100,
        pipes: 0,
        listeners: vec![Bound { proxy, bind: 0, key, sockets: sockets.map(Into::into).into() }],
        seed: 1,
    })
    .unwrap();
    let web = Arc::clone(&running.state().proxies[proxy]);
    let mut first = connect(addresses[0]);
    assert!(ask(&mut first).starts_with("HTTP/1.1 200 "));
    until("the first worker keeps a connection", || web.backend.servers[0].idle_now() == 1);
    let mut second = connect(addresses[1]);
    until("the second worker has its client", || web.connections.get() == 2);
    // Nobody can open anything any more.
    let pid = format!("--pid={}", std::process::id());
    let limited = Command::new("prlimit").args([&*pid, "--nofile=100:"]).status();
    assert!(limited.expect("prlimit, of util-linux").success());
    let taken: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    assert!(taken.len() < 100);
    assert!(ask(&mut second).starts_with("HTTP/1.1 200 "), "the second worker was given a connection");
    drop((first, second, taken));
    running.soft_stop();
    running.join();
}
