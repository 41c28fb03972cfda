//! Reloads and soft stops in the middle of everything: good clients, slow ones, big transfers, queues.

use crate::client::{Client, Crowd, get};
use crate::proxy::Proxy;
use crate::server::Server;
use crate::{scaled, show, until};
use nix::sys::signal::Signal;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::JoinHandle;
use testkit::proc::signal;

const CONFIG: &str = "\
    hard-stop-after 60s
defaults
    mode http
    log global
    option httplog
    timeout connect 5s
    timeout client 4s
    timeout server 30s
    timeout http-request 4s
    timeout http-keep-alive 4s
    timeout queue 20s
listen web
    bind {web}
    server s1 {s1} pool-purge-delay 1s
listen other
    bind {other}
    server s1 {s1} maxconn 4
";

const BIG: usize = 3 << 20;

fn server() -> Server {
    Server::start(|mut connection| {
        while let Some((target, body)) = connection.request() {
            let answer = match target.as_str() {
                "/big" => vec![b'b'; BIG],
                "/upload" => body.len().to_string().into_bytes(),
                _ => target.into_bytes(),
            };
            if !connection.answer(&answer) {
                return;
            }
        }
    })
}

/// Clients of all kinds, none of which may ever be refused, cut or answered wrongly.
struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    fn start(web: SocketAddr, other: SocketAddr) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        type Kind = fn(SocketAddr, SocketAddr, &str) -> Result<(), String>;
        let kinds: [(Kind, usize); 5] = [(single, 3), (kept, 2), (queued, 8), (download, 1), (upload, 1)];
        let mut threads = Vec::new();
        for (kind, count) in kinds {
            for number in 0..count {
                let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
                threads.push(std::thread::spawn(move || {
                    let mut failures = Vec::new();
                    for round in 0.. {
                        if stop.load(SeqCst) {
                            break;
                        }
                        match kind(web, other, &format!("/{number}/{round}")) {
                            Ok(()) => _ = done.fetch_add(1, SeqCst),
                            Err(failure) => failures.push(failure),
                        }
                    }
                    failures
                }));
            }
        }
        Self { stop, done, threads }
    }

    fn more(&self, answers: u64) {
        let wanted = self.done.load(SeqCst) + answers;
        until("clients go on", || self.done.load(SeqCst) >= wanted);
    }

    fn end(self) -> (u64, Vec<String>) {
        self.stop.store(true, SeqCst);
        let failures = self.threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        (self.done.load(SeqCst), failures)
    }
}

fn right(what: &str, answer: std::io::Result<crate::client::Answer>, body: &[u8]) -> Result<(), String> {
    match answer {
        Ok(answer) if answer.status == 200 && answer.body == body => Ok(()),
        Ok(answer) => Err(format!("{what}: {} with {} bytes", answer.status, answer.body.len())),
        Err(error) => Err(format!("{what}: {error}")),
    }
}

fn single(web: SocketAddr, _: SocketAddr, path: &str) -> Result<(), String> {
    right("single", get(web, path), path.as_bytes())
}

/// Several requests on one connection. It may be closed between two of them, as any server may.
fn kept(web: SocketAddr, _: SocketAddr, path: &str) -> Result<(), String> {
    let mut client = Client::connect(web).map_err(|error| format!("kept: {error}"))?;
    for n in 0..20 {
        let path = format!("{path}/{n}");
        match client.get(&path) {
            Err(_) if n > 0 => return Ok(()),
            answer => right("kept", answer, path.as_bytes())?,
        }
    }
    Ok(())
}

fn queued(_: SocketAddr, other: SocketAddr, path: &str) -> Result<(), String> {
    right("queued", get(other, path), path.as_bytes())
}

fn download(web: SocketAddr, _: SocketAddr, _: &str) -> Result<(), String> {
    right("download", get(web, "/big"), &vec![b'b'; BIG])
}

fn upload(web: SocketAddr, _: SocketAddr, _: &str) -> Result<(), String> {
    let mut client = Client::connect(web).map_err(|error| format!("upload: {error}"))?;
    let head =
        format!("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: {BIG}\r\nConnection: close\r\n\r\n");
    let sent = client.send(head.as_bytes()).and_then(|()| client.send(&vec![b'u'; BIG]));
    sent.map_err(|error| format!("upload: {error}"))?;
    right("upload", client.answer(), BIG.to_string().as_bytes())
}

fn start(flags: &[&str], server: &Server) -> Proxy {
    Proxy::start_with(flags, &CONFIG.replace("{s1}", &server.address.to_string()), Stdio::null())
}

#[test]
fn reloads_in_the_middle_of_everything() {
    let server = server();
    let proxy = start(&["-W", "-db"], &server);
    let load = Load::start(proxy.web, proxy.other);
    load.more(100);
    let reloads = scaled(5, 100);
    let mut crowds = Vec::new();
    for reload in 1..=reloads {
        // Each generation has its slow clients, which it must see to their end.
        let mut slow = Crowd::new();
        slow.connect(proxy.web, 20);
        slow.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n");
        signal(proxy.pid(), Signal::SIGUSR2);
        until("the new worker serves", || proxy.said().matches("Loading success.").count() > reload);
        load.more(50);
        slow.hear();
        crowds.push(slow);
    }
    let (answers, failures) = load.end();
    show(
        "reload",
        &format!("answers right, wrong in {reloads} reloads"),
        format!("{answers} {}", failures.len()),
    );
    assert_eq!(failures, Vec::<String>::new());
    for mut slow in crowds {
        until("slow clients have ended", || slow.hear() == 0);
        assert_eq!(slow.heard("HTTP/1.1 408 "), 20);
    }
    until("old workers have ended", || proxy.children().len() == 1);
    assert_eq!(proxy.said().matches("exited with code 0 (Exit)").count(), reloads);
    assert_eq!(get(proxy.web, "/still").unwrap().body, b"/still");
}

#[test]
fn a_soft_stop_ends_when_the_last_client_has_been_served() {
    let server = server();
    let mut proxy = start(&["-db"], &server);
    // Whole requests of all kinds are under way; nobody of those may be cut.
    let mut clients: Vec<Client> =
        (0..scaled(20, 200)).map(|_| Client::connect(proxy.web).unwrap()).collect();
    clients.iter_mut().for_each(|client| client.send(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n").unwrap());
    let mut idle: Vec<Client> = (0..20).map(|_| Client::connect(proxy.web).unwrap()).collect();
    idle.iter_mut().for_each(|client| assert_eq!(client.get("/first").unwrap().status, 200));
    let mut slow = Crowd::new();
    slow.connect(proxy.web, 20);
    slow.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nsome");
    let there = (clients.len() + idle.len() + 20) as u64;
    until("all are there", || proxy.info("CurrConns") == there);
    signal(proxy.pid(), Signal::SIGUSR1);
    until("nobody listens", || Client::connect(proxy.web).is_err());
    for mut client in clients {
        let answer = client.answer().unwrap();
        assert_eq!((answer.status, answer.body.len()), (200, BIG));
    }
    // Idle ones may still ask for a moment; then they are closed.
    let asked = idle.split_off(10);
    for mut client in asked {
        if let Ok(answer) = client.get("/last") {
            assert_eq!(answer.body, b"/last");
        }
    }
    idle.into_iter().for_each(|client| assert!(client.rest().is_empty()));
    until("slow clients have ended", || slow.hear() == 0);
    assert_eq!(slow.heard("HTTP/1.1 408 "), 20);
    until("the process has ended", || proxy.ended().is_some());
    assert_eq!(proxy.ended().unwrap().code(), Some(0));
}
