//! Servers that die: under load, while they accept, in the middle of what they say.

use crate::client::{Client, get};
use crate::proxy::{Proxy, state};
use crate::server::{Process, Server};
use crate::{scaled, show, until};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::JoinHandle;

/// A section with one or more `{servers}`.
const CONFIG: &str = "\
defaults
    mode http
    log global
    option httplog
    retries 1
    timeout connect 300ms
    timeout client 20s
    timeout server {server timeout}
    timeout http-request 20s
listen web
    bind {web}
    option redispatch
{servers}
";

fn config(servers: &str, server_timeout: &str) -> String {
    CONFIG.replace("{servers}", servers).replace("{server timeout}", server_timeout)
}

/// What clients got: statuses, and 0 for a connection that was closed instead.
type Outcomes = BTreeMap<u16, u64>;

/// Clients that ask without end, each on a connection that it keeps while it can, and never wait in vain.
struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    threads: Vec<JoinHandle<(Outcomes, Vec<String>)>>,
}

impl Load {
    fn start(web: SocketAddr, clients: usize) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let client = |number: usize| {
            let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
            std::thread::spawn(move || {
                let (mut outcomes, mut answered) = (Outcomes::new(), Vec::new());
                let mut kept: Option<Client> = None;
                for n in 0.. {
                    if stop.load(SeqCst) {
                        break;
                    }
                    let mut client = kept.take().unwrap_or_else(|| Client::connect(web).unwrap());
                    let kind = if n % 4 == 0 { "big" } else { "small" };
                    let path = format!("/{kind}/{number}/{n}");
                    let status = match client.get(&path) {
                        Ok(answer) => {
                            if answer.status == 200 && kind == "small" {
                                assert_eq!(answer.body, path.as_bytes(), "the answer to another request");
                            }
                            answered.push(path);
                            kept = Some(client);
                            answer.status
                        }
                        Err(_) => 0,
                    };
                    *outcomes.entry(status).or_default() += 1;
                    done.fetch_add(1, SeqCst);
                }
                (outcomes, answered)
            })
        };
        let threads = (0..clients).map(client).collect();
        Self { stop, done, threads }
    }

    fn more(&self, answers: u64) {
        let wanted = self.done.load(SeqCst) + answers;
        until("clients go on", || self.done.load(SeqCst) >= wanted);
    }

    fn end(self) -> (Outcomes, Vec<String>) {
        self.stop.store(true, SeqCst);
        let (mut outcomes, mut paths) = (Outcomes::new(), Vec::new());
        for thread in self.threads {
            let (some, answered) = thread.join().unwrap();
            for (status, count) in some {
                *outcomes.entry(status).or_default() += count;
            }
            paths.extend(answered);
        }
        (outcomes, paths)
    }
}

/// Every request that was answered has exactly one line; how often each termination state came.
fn lines_of(proxy: &Proxy, answered: &[String]) -> BTreeMap<String, usize> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut states = BTreeMap::new();
    let mut seen = 0;
    until("every answered request has a line", || {
        let lines = proxy.log.lines(seen, usize::MAX);
        seen += lines.len();
        for line in lines.iter().filter(|line| line.contains(" HTTP/1.1\"")) {
            let path = line.rsplit('"').nth(1).unwrap().split(' ').nth(1).unwrap();
            *counts.entry(path.to_owned()).or_default() += 1;
            *states.entry(state(line).to_owned()).or_default() += 1;
        }
        answered.iter().all(|path| counts.contains_key(path))
    });
    assert!(counts.values().all(|count| *count == 1), "no request has two lines");
    states
}

#[test]
fn a_server_process_is_killed_under_load_again_and_again() {
    let stable = Server::echo();
    let mut fragile = Process::start("127.0.0.1:0".parse().unwrap());
    let address = fragile.address;
    let servers = format!("    server stable {}\n    server fragile {address}\n", stable.address);
    let proxy = Proxy::start(&config(&servers, "10s"));
    get(proxy.web, "/").unwrap();
    let before = proxy.settles(proxy.held());
    let load = Load::start(proxy.web, 8);
    let rounds = scaled(4, 40);
    for _ in 0..rounds {
        load.more(200);
        fragile.kill();
        load.more(50);
        fragile = Process::start(address);
    }
    load.more(200);
    let (outcomes, answered) = load.end();
    let states = lines_of(&proxy, &answered);
    show("killed", &format!("answers by status, 0 a close, of {rounds} kills"), format!("{outcomes:?}"));
    show("killed", "lines by termination state", format!("{states:?}"));
    assert!(outcomes.keys().all(|status| [0, 200, 502, 503].contains(status)), "{outcomes:?}");
    let known = ["----", "SC--", "SD--", "SH--"];
    assert!(states.keys().all(|state| known.contains(&state.as_str())), "{states:?}");
    let failed: u64 = outcomes.iter().filter(|(status, _)| **status != 200).map(|(_, count)| count).sum();
    // What is under way to the killed server is lost, 8 clients at the most at every kill; a request that is sent
    // on a kept connection may find it dead once more.
    assert!(failed <= rounds as u64 * 16, "{outcomes:?}");
    drop(fragile);
    drop(stable);
    let after = proxy.settles(before);
    show("killed", "descriptors before, after", format!("{} {}", before.descriptors, after.descriptors));
    show("killed", "resident kB before, after", format!("{} {}", before.memory, after.memory));
}

#[test]
fn a_checked_server_leaves_and_returns() {
    let mut process = Process::start("127.0.0.1:0".parse().unwrap());
    let address = process.address;
    let servers = format!("    option httpchk\n    server s1 {address} check inter 50ms fall 2 rise 2\n");
    let proxy = Proxy::start(&config(&servers, "10s"));
    let before = proxy.held();
    for round in 1..=scaled(2, 10) {
        assert_eq!(get(proxy.web, "/").unwrap().status, 200);
        process.kill();
        until("the server is seen to be down", || proxy.stat("web", "s1", "status").starts_with("DOWN"));
        assert_eq!(get(proxy.web, "/").unwrap().status, 503);
        process = Process::start(address);
        until("the server is seen to be up", || proxy.stat("web", "s1", "status") == "UP");
        let said = |text: &str| proxy.log.lines(0, usize::MAX).iter().filter(|l| l.contains(text)).count();
        until("both are told", || {
            said("Server web/s1 is DOWN, reason: ") == round && said("Server web/s1 is UP, reason: ") == round
        });
        assert_eq!(said("proxy web has no server available!"), round);
    }
    assert_eq!(get(proxy.web, "/").unwrap().status, 200);
    proxy.settles(before);
}

/// Asks `count` clients at once, on connections of their own; their statuses, 0 for a close.
fn ask(proxy: &Proxy, count: usize, path: &str) -> Outcomes {
    let web = proxy.web;
    let ask = |_| {
        let path = path.to_owned();
        std::thread::spawn(move || get(web, &path).map_or(0, |answer| answer.status))
    };
    let threads: Vec<_> = (0..count).map(ask).collect();
    let mut outcomes = Outcomes::new();
    for thread in threads {
        *outcomes.entry(thread.join().unwrap()).or_default() += 1;
    }
    outcomes
}

#[test]
fn a_server_that_accepts_and_says_nothing() {
    let server = Server::start(|connection| connection.wait_for_end());
    let proxy = Proxy::start(&config(&format!("    server s1 {}\n", server.address), "300ms"));
    let before = proxy.held();
    let count = scaled(100, 1_000);
    assert_eq!(ask(&proxy, count, "/"), Outcomes::from([(504, count as u64)]));
    until("all are logged", || proxy.log.len() >= count);
    let lines = proxy.log.lines(0, usize::MAX);
    assert!(lines.iter().all(|line| state(line) == "sH--"), "{lines:?}");
    proxy.settles(before);
}

#[test]
fn a_server_that_stops_listening_or_never_did() {
    let server = Server::echo();
    let proxy = Proxy::start(&config(&format!("    server s1 {}\n", server.address), "10s"));
    let before = proxy.held();
    let mut kept = Client::connect(proxy.web).unwrap();
    assert_eq!(kept.get("/a").unwrap().status, 200);
    server.stop_listening();
    // The connection that is there still carries requests; new ones are refused.
    assert_eq!(kept.get("/b").unwrap().body, b"/b");
    let count = scaled(50, 500);
    let outcomes = ask(&proxy, count, "/refused");
    assert_eq!(outcomes.values().sum::<u64>(), count as u64);
    assert!(outcomes.keys().all(|status| [200, 503].contains(status)), "{outcomes:?}");
    drop(kept);
    // SYNs that are never answered: the attempts time out.
    let (_socket, _fill, address) = testkit::lane::full_queue();
    let deaf = Proxy::start(&config(&format!("    server s1 {address}\n"), "10s"));
    let held = deaf.held();
    assert_eq!(ask(&deaf, count, "/"), Outcomes::from([(503, count as u64)]));
    until("all are logged", || deaf.log.len() >= count);
    let lines = deaf.log.lines(0, usize::MAX);
    assert!(lines.iter().all(|line| state(line) == "sC--"), "{lines:?}");
    deaf.settles(held);
    proxy.settles(before);
}

#[test]
fn a_server_that_dies_in_the_middle() {
    let server = Server::start(|mut connection| {
        let Some((target, _)) = connection.request() else { return };
        let words: Vec<&str> = target.split('/').collect();
        let [_, framing, part, end] = words[..] else { return };
        let head = match framing {
            "length" => "HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n",
            "chunked" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7a120\r\n",
            _ => "HTTP/1.1 200 OK\r\n\r\n",
        };
        let said = match part {
            "nothing" => String::new(),
            "head" => head[..12].to_owned(),
            "little" => format!("{head}0123456789"),
            _ => format!("{head}{}", "0123456789".repeat(20_000)),
        };
        let _ = connection.stream.write_all(said.as_bytes());
        if end == "reset" {
            connection.reset();
        }
    });
    let proxy = Proxy::start(&config(&format!("    server s1 {}\n", server.address), "10s"));
    let before = proxy.held();
    let mut requests = 0;
    for _ in 0..scaled(5, 100) {
        for framing in ["length", "chunked", "close"] {
            for part in ["nothing", "head", "little", "much"] {
                for end in ["fin", "reset"] {
                    requests += 1;
                    let path = format!("/{framing}/{part}/{end}");
                    let mut client = Client::connect(proxy.web).unwrap();
                    let head = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
                    client.send(head.as_bytes()).unwrap();
                    let heard = client.rest();
                    let start = String::from_utf8_lossy(&heard[..heard.len().min(12)]).into_owned();
                    match part {
                        "nothing" | "head" => assert_eq!(start, "HTTP/1.1 502", "{path}"),
                        // A reset may overtake what was sent before it.
                        _ if end == "reset" => {
                            assert!(
                                ["HTTP/1.1 502", "HTTP/1.1 200"].contains(&start.as_str()),
                                "{path}: {start}"
                            );
                        }
                        _ => assert_eq!(start, "HTTP/1.1 200", "{path}"),
                    }
                    assert!(heard.len() < 500_000, "{path}");
                }
            }
        }
    }
    until("all are logged", || proxy.log.len() >= requests);
    for line in proxy.log.lines(0, usize::MAX) {
        let whole = line.contains("/close/") && line.contains("/fin ");
        let cut = line.contains("/nothing/") || line.contains("/head/");
        let expected: &[&str] = match state(&line) {
            _ if cut => &["SH--"],
            _ if whole => &["----"],
            _ if line.contains("/reset ") => &["SD--", "SH--"],
            _ => &["SD--"],
        };
        assert!(expected.contains(&state(&line)), "{line}");
    }
    proxy.settles(before);
}

#[test]
fn a_server_that_dies_while_a_body_comes() {
    // Reads some of the body, then leaves: with a reset, for there is more.
    let server = Server::start(|connection| {
        let mut chunk = [0; 10_000];
        let mut stream = &connection.stream;
        let _ = std::io::Read::read(&mut stream, &mut chunk);
    });
    let proxy = Proxy::start(&config(&format!("    server s1 {}\n", server.address), "10s"));
    let before = proxy.held();
    let count = scaled(50, 1_000);
    for n in 0..count {
        let mut client = Client::connect(proxy.web).unwrap();
        let chunked = n % 2 == 1;
        let framing = if chunked { "Transfer-Encoding: chunked" } else { "Content-Length: 4000000" };
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n").as_bytes()).unwrap();
        let body = if chunked {
            [b"186a0\r\n".as_slice(), &[b'x'; 100_000], b"\r\n"].concat()
        } else {
            vec![b'x'; 100_000]
        };
        while client.send(&body).is_ok() {
            client.stream().set_nonblocking(true).unwrap();
            let ended = client.stream().peek(&mut [0]).is_ok();
            client.stream().set_nonblocking(false).unwrap();
            if ended {
                break;
            }
        }
        let heard = client.rest();
        assert!(
            heard.is_empty() || heard.starts_with(b"HTTP/1.1 502"),
            "{}",
            String::from_utf8_lossy(&heard)
        );
    }
    until("all are logged", || proxy.log.len() >= count);
    let lines = proxy.log.lines(0, usize::MAX);
    assert!(lines.iter().all(|line| ["SH--", "SD--"].contains(&state(line))), "{lines:?}");
    proxy.settles(before);
}
