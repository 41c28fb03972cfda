//! Log targets that do not listen: no request waits for them, and what is lost is counted.

use crate::client::Client;
use crate::proxy::Proxy;
use crate::server::Server;
use crate::{scaled, show, until};
use nix::sys::signal::Signal;
use std::io::Read as _;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use testkit::proc::signal;

const CONFIG: &str = "\
{global}
defaults
    mode http
    log global
    option httplog
    timeout connect 5s
    timeout client 20s
    timeout server 20s
listen web
    bind {web}
    server s1 {s1}
";

fn config(server: &Server, global: &str) -> String {
    CONFIG.replace("{s1}", &server.address.to_string()).replace("{global}", global)
}

/// Asks on two connections, which the kernel may give to either worker.
fn ask(proxy: &Proxy, requests: usize) {
    let mut clients: Vec<Client> = (0..2).map(|_| Client::connect(proxy.web).unwrap()).collect();
    for n in 0..requests / 2 {
        for client in &mut clients {
            // Long, so that what can wait is soon full.
            let path = format!("/{n}/{}", "p".repeat(800));
            assert_eq!(client.get(&path).unwrap().status, 200);
        }
    }
}

#[test]
fn a_reader_that_stands_still() {
    let server = Server::echo();
    let dir = testkit::program::Directory::new().unwrap();
    let path = dir.path.join("log.sock");
    let socket = UnixDatagram::bind(&path).unwrap();
    let proxy = Proxy::start(&config(&server, &format!("    log {} local1\n", path.display())));
    let before = proxy.held();
    // Much more than a socket's queue and the backlogs of two workers hold.
    let requests = scaled(2_000, 20_000);
    ask(&proxy, requests);
    until("lines are lost and counted", || proxy.info("DroppedLogs") > 0);
    until("the other target has got all", || proxy.log.len() >= requests);
    let dropped = proxy.info("DroppedLogs");
    show("logs", &format!("of {requests} lines to a reader that stands still, lost"), dropped);
    // It reads again, and gets what waited, and what comes.
    socket.set_read_timeout(Some(crate::DEADLINE)).unwrap();
    let mut buffer = [0; 4_096];
    let mut read = 0;
    while (read as u64) < requests as u64 - dropped {
        socket.recv(&mut buffer).unwrap();
        read += 1;
    }
    assert_eq!(proxy.info("DroppedLogs"), dropped, "what was not lost has come");
    Client::connect(proxy.web).unwrap().get("/after").unwrap();
    loop {
        let read = socket.recv(&mut buffer).unwrap();
        if String::from_utf8_lossy(&buffer[..read]).contains("/after") {
            break;
        }
    }
    proxy.settles(before);
}

#[test]
fn a_path_that_vanishes_and_returns() {
    let server = Server::echo();
    let dir = testkit::program::Directory::new().unwrap();
    let path = dir.path.join("log.sock");
    // Nobody has made it yet.
    let proxy = Proxy::start(&config(&server, &format!("    log {} local1\n", path.display())));
    let before = proxy.held();
    ask(&proxy, 20);
    until("lines are lost and counted", || proxy.info("DroppedLogs") == 20);
    for round in 0..scaled(3, 20) {
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(crate::DEADLINE)).unwrap();
        let mut buffer = [0; 4_096];
        let mut client = Client::connect(proxy.web).unwrap();
        for n in 0..10 {
            client.get(&format!("/{round}/{n}")).unwrap();
            let read = socket.recv(&mut buffer).unwrap();
            let line = String::from_utf8_lossy(&buffer[..read]).into_owned();
            assert!(line.contains(&format!("/{round}/{n} ")), "{line}");
        }
        // The reader dies, with its file or without.
        let dropped = proxy.info("DroppedLogs");
        drop(socket);
        if round % 2 == 0 {
            std::fs::remove_file(&path).unwrap();
        }
        client.get("/lost").unwrap();
        until("the line is lost and counted", || proxy.info("DroppedLogs") == dropped + 1);
        let _ = std::fs::remove_file(&path);
    }
    assert!(proxy.said().contains("failed in logger #"), "{}", proxy.said());
    proxy.settles(before);
}

#[test]
fn a_pipe_that_is_full() {
    let server = Server::echo();
    let global = "    log stdout format raw local1\n";
    let mut proxy = Proxy::start_with(&["-db"], &config(&server, global), Stdio::piped());
    let before = proxy.held();
    // More than the pipe holds and what may wait for it.
    let requests = scaled(2_000, 20_000);
    ask(&proxy, requests);
    until("lines are lost and counted", || proxy.info("DroppedLogs") > 0);
    until("the other target has got all", || proxy.log.len() >= requests);
    show("logs", &format!("of {requests} lines to a full pipe, lost"), proxy.info("DroppedLogs"));
    // Whole lines only, once somebody reads.
    let mut stdout = proxy.stdout.take().unwrap();
    let mut seen = Vec::new();
    let mut chunk = [0; 65_536];
    while !String::from_utf8_lossy(&seen).contains("/after ") {
        if seen.is_empty() {
            Client::connect(proxy.web).unwrap().get("/before").unwrap();
        }
        let read = stdout.read(&mut chunk).unwrap();
        assert!(read > 0);
        let had = seen.len();
        seen.extend_from_slice(&chunk[..read]);
        if had < 1 << 20 && seen.len() >= 1 << 20 {
            Client::connect(proxy.web).unwrap().get("/after").unwrap();
        }
    }
    let text = String::from_utf8(seen).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.iter().all(|line| line.ends_with(" HTTP/1.1\"") && line.matches("HTTP/1.1").count() == 1));
    proxy.settles(before);
}

/// What was answered before a signal has its line, although the readers are far behind.
#[test]
fn the_last_lines_arrive_before_the_end() {
    let server = Server::echo();
    for end in [Signal::SIGUSR1, Signal::SIGTERM] {
        let dir = testkit::program::Directory::new().unwrap();
        let path = dir.path.join("log.sock");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let global = format!("    log {} local1\n    log stdout format raw local2\n", path.display());
        let mut proxy = Proxy::start_with(&["-db"], &config(&server, &global), Stdio::piped());
        // More than a pipe and a socket's queue hold, less than what may wait for them.
        let requests = 200;
        ask(&proxy, requests);
        assert_eq!(proxy.info("DroppedLogs"), 0);
        signal(proxy.pid(), end);
        let mut stdout = proxy.stdout.take().unwrap();
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).unwrap();
            text.lines().filter(|line| line.contains(" HTTP/1.1")).count()
        });
        let mut datagrams = 0;
        let mut buffer = [0; 4_096];
        let mut count = || {
            while let Ok(read) = socket.recv(&mut buffer) {
                datagrams += usize::from(String::from_utf8_lossy(&buffer[..read]).contains(" HTTP/1.1"));
            }
        };
        until("the process has ended", || {
            count();
            proxy.ended().is_some()
        });
        count();
        let lines = reader.join().unwrap();
        assert_eq!((datagrams, lines), (requests, requests), "datagrams and lines on stdout, after {end}");
        until("the other target has got all", || proxy.log.len() >= requests);
    }
}
