//! No descriptors left: no spinning, and service again as soon as there are some.

use crate::client::{Client, Crowd, get};
use crate::proxy::Proxy;
use crate::server::Server;
use crate::{scaled, show, until};
use std::process::Command;
use std::time::{Duration, Instant};
use testkit::proc::cpu_ticks;

const CONFIG: &str = "\
    maxconn 2000
defaults
    mode http
    log global
    option httplog
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    timeout http-request 60s
    timeout http-keep-alive 60s
listen web
    bind {web}
    server s1 {s1}
listen other
    bind {other}
    server s2 {s2}
";

/// Lets the process open only as many descriptors as it has and `more`.
fn limit(proxy: &Proxy, more: usize) {
    let limit = proxy.held().descriptors + more;
    let status = Command::new("prlimit")
        .args([format!("--pid={}", proxy.pid()), format!("--nofile={limit}:")])
        .status()
        .expect("prlimit, of util-linux");
    assert!(status.success());
}

/// CPU time in hundredths of a second that it takes while `span` passes.
fn ticks_in(proxy: &Proxy, span: Duration) -> u64 {
    let (begin, before) = (Instant::now(), cpu_ticks(proxy.pid()).unwrap());
    std::thread::sleep(span);
    let spent = cpu_ticks(proxy.pid()).unwrap() - before;
    // Of a busy machine, longer: per wanted span.
    (spent as f64 * span.as_secs_f64() / begin.elapsed().as_secs_f64()) as u64
}

#[test]
fn without_descriptors_it_rests_and_comes_back() {
    let (one, other) = (Server::echo(), Server::echo());
    let config = CONFIG.replace("{s1}", &one.address.to_string()).replace("{s2}", &other.address.to_string());
    let proxy = Proxy::start(&config);
    assert_eq!(get(proxy.web, "/").unwrap().status, 200);
    let before = proxy.settles(proxy.held());
    for round in 0..scaled(2, 5) {
        // Room for a few clients; of all the others most wait in the backlog.
        limit(&proxy, 40);
        let mut crowd = Crowd::new();
        crowd.connect(proxy.web, 200);
        crowd.send(b"GET /held HTTP/1.1\r\nHost: a\r\n");
        until("the limit is reached", || proxy.held().descriptors >= before.descriptors + 40);
        let span = Duration::from_secs(2);
        let spent = ticks_in(&proxy, span);
        show("exhausted", "CPU while out of descriptors, % of a core", spent / 2);
        assert!(spent < 100, "{spent} hundredths of CPU in two seconds: it spins");
        // Some wait in the backlog, with their request.
        let mut waiting: Vec<Client> = (0..20).map(|_| Client::connect(proxy.web).unwrap()).collect();
        for (n, client) in waiting.iter_mut().enumerate() {
            client.send(format!("GET /waiting/{n} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).unwrap();
        }
        // Those that hold the descriptors leave, and all the others are served, within the limit.
        let begin = Instant::now();
        crowd.reset();
        for (n, client) in waiting.iter_mut().enumerate() {
            let answer = client.answer().unwrap();
            // The crowd may not have left in time for the first servers' connections.
            assert!([200, 503].contains(&answer.status), "{}", answer.status);
            if answer.status == 200 {
                assert_eq!(answer.body, format!("/waiting/{n}").as_bytes());
            }
        }
        show("exhausted", "until all that waited were served", format!("{:.2?}", begin.elapsed()));
        drop(waiting);
        until("it serves as before", || get(proxy.web, "/").is_ok_and(|answer| answer.status == 200));
        show("exhausted", "round", round + 1);
        proxy.settles(before);
    }
}

#[test]
fn idle_connections_to_servers_make_room() {
    let (one, other) = (Server::echo(), Server::echo());
    let config = CONFIG.replace("{s1}", &one.address.to_string()).replace("{s2}", &other.address.to_string());
    let proxy = Proxy::start(&config);
    let before = proxy.held();
    // Many clients at once leave many idle connections to the first server.
    let mut clients: Vec<Client> = (0..60).map(|_| Client::connect(proxy.web).unwrap()).collect();
    clients.iter_mut().for_each(|client| client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap());
    clients.iter_mut().for_each(|client| assert_eq!(client.answer().unwrap().status, 200));
    drop(clients);
    until("the clients have gone", || proxy.info("CurrConns") == 0);
    // Nothing is left for the other server but what they give up.
    limit(&proxy, 5);
    let mut clients: Vec<Client> = (0..20).map(|_| Client::connect(proxy.other).unwrap()).collect();
    clients.iter_mut().for_each(|client| client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap());
    let statuses: Vec<u16> = clients.iter_mut().map(|client| client.answer().unwrap().status).collect();
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    drop(clients);
    proxy.settles(before);
}
