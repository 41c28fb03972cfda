//! Crowds and broken servers: after them the proxy holds no more connections, descriptors or streams than before.
//!
//! Nothing here is timed. What is measured is printed; what is asserted is that everything comes back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use testkit::lane::free_address;
use testkit::proc::{allow_descriptors, cpu_ticks, descriptors, resident_kib};
use testkit::program::{Program, Running};

/// Everything that is waited for gets this long; the machine may be busy.
const DEADLINE: Duration = Duration::from_secs(30);

/// Waits for a condition, looking again every few milliseconds.
fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::park_timeout(Duration::from_millis(5));
    }
}

struct Proxy {
    running: Running,
    address: SocketAddr,
}

/// `limits` are lines of the global section.
fn start(threads: u32, limits: &str, timeouts: &str, servers: &[SocketAddr]) -> Proxy {
    let subject = Program::subject(Path::new(env!("CARGO_BIN_EXE_evenkeel")));
    let address = free_address();
    let mut config = format!(
        "global\n    nbthread {threads}\n    {limits}\n\ndefaults\n    mode http\n    timeout connect 5s\n{timeouts}\n\
         frontend web\n    bind {address}\n    default_backend app\n\nbackend app\n    option redispatch\n"
    );
    for (i, server) in servers.iter().enumerate() {
        config.push_str(&format!("    server s{} {server}\n", i + 1));
    }
    let running = subject.start(&config, address).expect("the proxy starts");
    Proxy { running, address }
}

/// Asks once over a connection of its own; gives the status, or `None` when there was no answer.
fn ask(address: SocketAddr) -> Option<u16> {
    let mut stream = TcpStream::connect_timeout(&address, DEADLINE).ok()?;
    stream.set_read_timeout(Some(DEADLINE)).ok()?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).split(' ').nth(1)?.parse().ok()
}

/// A small server that answers every request, and can be killed: then its listener and all its connections are gone at once.
struct Server {
    address: SocketAddr,
    dead: Arc<AtomicBool>,
    connections: Arc<Mutex<Vec<TcpStream>>>,
}

impl Server {
    fn start() -> Self {
        Self::on(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    fn on(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).expect("a port");
        let address = listener.local_addr().unwrap();
        let dead = Arc::new(AtomicBool::new(false));
        let connections: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let (gone, list) = (Arc::clone(&dead), Arc::clone(&connections));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if gone.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(mut stream) = stream else { continue };
                let _ = stream.set_nodelay(true);
                if let Ok(clone) = stream.try_clone() {
                    list.lock().unwrap().push(clone);
                }
                thread::spawn(move || {
                    let mut buffer = [0; 4096];
                    let mut seen = 0;
                    while let Ok(len @ 1..) = stream.read(&mut buffer) {
                        // Requests here have no body: each ends with an empty line.
                        for byte in &buffer[..len] {
                            seen = match (seen, byte) {
                                (0 | 2, b'\r') | (1 | 3, b'\n') => seen + 1,
                                _ => 0,
                            };
                            if seen == 4 {
                                seen = 0;
                                if stream
                                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                                    .is_err()
                                {
                                    return;
                                }
                            }
                        }
                    }
                });
            }
        });
        Self { address, dead, connections }
    }

    fn kill(&self) {
        self.dead.store(true, Ordering::SeqCst);
        // Wakes the accepting thread, which then drops its listener.
        let _ = TcpStream::connect_timeout(&self.address, DEADLINE);
        for stream in self.connections.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        until("the killed server's port is free", || TcpListener::bind(self.address).is_ok());
    }
}

fn memory(pid: u32) -> u64 {
    resident_kib(pid).expect("the proxy lives")
}

/// 10,000 clients, or as many as a proxy may hold on this machine when each counts for two descriptors, as `maxconn` does.
fn crowd() -> usize {
    let (_, hard) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap();
    let most = usize::try_from(hard.saturating_sub(400) / 2).unwrap_or(usize::MAX);
    assert!(
        most >= 9_000,
        "this test wants 10,000 clients, and {hard} descriptors are far too few: raise ulimit -n"
    );
    if most < 10_000 {
        println!("NOTE: {hard} descriptors are allowed here: {most} clients instead of 10000");
    }
    most.min(10_000)
}

/// 10,000 clients that each send the beginning of a head and no more: others are served meanwhile, all of the crowd is cut by the
/// timeout, its descriptors come back, and so does the memory it took.
#[test]
fn ten_thousand_slow_clients() {
    let clients = crowd();
    allow_descriptors(clients as u64 + 1000);
    let server = Server::start();
    let proxy = start(
        2,
        &format!("maxconn {}", clients + 40),
        "    timeout client 60s\n    timeout server 60s\n    timeout http-request 6s\n    timeout http-keep-alive 2s\n",
        &[server.address],
    );
    let pid = proxy.running.pid();
    assert_eq!(ask(proxy.address), Some(200));
    until("the first exchange is over", || descriptors(pid).unwrap() < 60);
    let (fds, before) = (descriptors(pid).unwrap(), memory(pid));

    let mut crowd = Vec::with_capacity(clients);
    for _ in 0..clients {
        let mut stream = TcpStream::connect_timeout(&proxy.address, DEADLINE).expect("the proxy accepts");
        stream.write_all(b"GET / HTTP/1.1\r\nX-Slow: ").expect("a slow client may write");
        crowd.push(stream);
    }
    // Some of the first may be cut already on a slow machine: what counts is that there is a crowd.
    until("the proxy holds the crowd", || descriptors(pid).unwrap() > fds + clients / 2);
    let held = descriptors(pid).unwrap() - fds;
    let with = memory(pid);
    for stream in crowd.iter_mut().step_by(500) {
        let _ = stream.write_all(b"x");
        assert_eq!(ask(proxy.address), Some(200), "good clients are served beside the crowd");
    }
    for stream in &mut crowd {
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.starts_with(b"HTTP/1.1 408 "), "every slow client is told 408");
    }
    drop(crowd);
    until("all descriptors are back", || descriptors(pid).unwrap() <= fds + 8);
    assert_eq!(ask(proxy.address), Some(200));
    let each = with.saturating_sub(before) * 1024 / held.max(1) as u64;
    println!(
        "{held} of {clients} slow clients held: {each} bytes each; resident {before} KiB before, {with} KiB with them, \
         {} KiB just after; {} ticks of CPU",
        memory(pid),
        cpu_ticks(pid).unwrap()
    );
    until("the memory of the crowd is back", || {
        memory(pid) <= before + with.saturating_sub(before) / 4 + 4096
    });
}

/// One of two servers is killed again and again under load: every request gets an answer, no stream is stuck, nothing leaks.
#[test]
fn server_killed_under_load() {
    const ROUNDS: usize = 5;
    let stable = Server::start();
    let mut fragile = Server::start();
    let fragile_address = fragile.address;
    let proxy = start(
        2,
        "maxconn 500",
        "    timeout client 20s\n    timeout server 20s\n    timeout http-keep-alive 2s\n",
        &[stable.address, fragile_address],
    );
    let pid = proxy.running.pid();
    for _ in 0..4 {
        assert_eq!(ask(proxy.address), Some(200));
    }
    let stop = Arc::new(AtomicBool::new(false));
    let (answered, refused, silent) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    match ask(proxy.address) {
                        Some(200) => answered.fetch_add(1, Ordering::SeqCst),
                        Some(_) => refused.fetch_add(1, Ordering::SeqCst),
                        None => silent.fetch_add(1, Ordering::SeqCst),
                    };
                }
            });
        }
        for _ in 0..ROUNDS {
            let before = answered.load(Ordering::SeqCst);
            until("load", || answered.load(Ordering::SeqCst) > before + 200);
            fragile.kill();
            let before = answered.load(Ordering::SeqCst);
            until("load without the killed server", || answered.load(Ordering::SeqCst) > before + 20);
            fragile = Server::on(fragile_address);
        }
        stop.store(true, Ordering::SeqCst);
    });
    let (answered, refused, silent) = (answered.into_inner(), refused.into_inner(), silent.into_inner());
    println!("{ROUNDS} kills: {answered} answered, {refused} with an error, {silent} without an answer");
    assert_eq!(silent, 0, "every request gets an answer");
    assert!(refused * 20 <= answered, "{refused} of {answered} requests failed: only those in flight may");
    // Idle connections to servers may stay: one per worker and server, and what the pool keeps.
    stable.kill();
    fragile.kill();
    until("no stream is left", || descriptors(pid).unwrap() < 60);
}

/// Clients that break off in the middle of large answers, and servers that do: nothing is left behind.
#[test]
fn transfers_broken_off() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer);
                // Half of what it promises, then gone; or all, for who reads it.
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n");
                let _ = stream.write_all(&vec![b'x'; 2_000_000]);
            });
        }
    });
    let proxy = start(
        1,
        "maxconn 500",
        "    timeout client 20s\n    timeout server 20s\n    timeout http-keep-alive 2s\n",
        &[server],
    );
    let pid = proxy.running.pid();
    let broken_off = |drop_at: usize| {
        let Ok(mut stream) = TcpStream::connect_timeout(&proxy.address, DEADLINE) else { return };
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let mut buffer = vec![0; 65_536];
        let mut seen = 0;
        while seen < drop_at {
            match stream.read(&mut buffer) {
                Ok(len @ 1..) => seen += len,
                _ => return,
            }
        }
    };
    let round = || {
        for i in 0..100 {
            broken_off(i * 30_000);
        }
        until("no stream is left", || descriptors(pid).unwrap() < 40);
        memory(pid)
    };
    let first = round();
    let mut last = first;
    for _ in 0..4 {
        last = round();
    }
    println!("500 broken transfers: resident {first} KiB after 100, {last} KiB after 500");
    assert!(last <= first + 8 * 1024, "memory grows: {first} KiB after 100, {last} KiB after 500");
}
