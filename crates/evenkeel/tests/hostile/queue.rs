//! Queues and limits under storm: no place on a server is lost, no waiting client forgotten.

use crate::client::{Client, get};
use crate::proxy::{Proxy, state};
use crate::server::Server;
use crate::{DEADLINE, scaled, show, until};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};

const CONFIG: &str = "\
defaults
    mode http
    log global
    option httplog
    timeout connect 5s
    timeout client 20s
    timeout server 20s
    timeout http-request 20s
    timeout queue {queue timeout}
listen web
    bind {web}
    balance {balance}
    server s1 {s1} maxconn {maxconn} pool-purge-delay 1s
    server s2 {s2} maxconn {maxconn} pool-purge-delay 1s
";

/// Servers that answer, but requests for `/gather` only when enough of them are there.
#[derive(Default)]
struct Gathering {
    there: Mutex<usize>,
    changed: Condvar,
}

impl Gathering {
    fn server(self: &Arc<Self>) -> Server {
        let gathering = Arc::clone(self);
        Server::start(move |mut connection| {
            while let Some((target, _)) = connection.request() {
                match target.strip_prefix("/gather/") {
                    Some(wanted) => gathering.wait_for(wanted.parse().unwrap()),
                    None => std::thread::yield_now(),
                }
                if !connection.answer(target.as_bytes()) {
                    return;
                }
            }
        })
    }

    /// Returns when so many are here, or it has taken too long.
    fn wait_for(&self, wanted: usize) {
        let mut there = self.there.lock().unwrap();
        *there += 1;
        self.changed.notify_all();
        drop(self.changed.wait_timeout_while(there, DEADLINE, |there| *there < wanted));
    }
}

/// A number that looks random, from the one before.
fn next(random: &mut u64) -> u64 {
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *random >> 33
}

/// Clients that ask and leave at any moment; what those that stay are answered, by status.
fn storm(proxy: &Proxy, clients: usize, rounds: usize) -> BTreeMap<u16, usize> {
    let web = proxy.web;
    let client = move |number: usize| {
        let mut random = number as u64;
        let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
        for round in 0..rounds {
            let mut client = Client::connect(web).unwrap();
            let path = format!("/{number}/{round}");
            client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).unwrap();
            match next(&mut random) % 4 {
                0 => client.reset(),
                1 => {
                    std::thread::sleep(std::time::Duration::from_micros(next(&mut random) % 3_000));
                    client.reset();
                }
                _ => {
                    let answer = client.answer().unwrap();
                    assert!(answer.status != 200 || answer.body == path.as_bytes());
                    *statuses.entry(answer.status).or_default() += 1;
                }
            }
        }
        statuses
    };
    let threads: Vec<_> = (0..clients).map(|n| std::thread::spawn(move || client(n))).collect();
    let mut all = BTreeMap::new();
    for thread in threads {
        for (status, count) in thread.join().unwrap() {
            *all.entry(status).or_default() += count;
        }
    }
    all
}

fn no_place_is_lost(balance: &str, maxconn: usize, queue_timeout: &str) {
    let gathering = Arc::new(Gathering::default());
    let (one, other) = (gathering.server(), gathering.server());
    let config = CONFIG
        .replace("{queue timeout}", queue_timeout)
        .replace("{balance}", balance)
        .replace("{maxconn}", &maxconn.to_string())
        .replace("{s1}", &one.address.to_string())
        .replace("{s2}", &other.address.to_string());
    let proxy = Proxy::start(&config);
    let before = proxy.held();
    let statuses = storm(&proxy, 24, scaled(40, 1_000));
    show(
        "queue",
        &format!("{balance}, maxconn {maxconn}, queue {queue_timeout}: answers"),
        format!("{statuses:?}"),
    );
    assert!(statuses.keys().all(|status| [200, 503].contains(status)), "{statuses:?}");
    proxy.settles(before);
    let places = 2 * maxconn;
    // What the servers see may be more: they notice late that a client has gone.
    for server in ["s1", "s2"] {
        let most: usize = proxy.stat("web", server, "smax").parse().unwrap();
        assert!(most <= maxconn, "{most} requests at once on {server}");
    }
    // Every place can still be taken: these requests are answered only when all of them are with the servers.
    let web = proxy.web;
    let gather = format!("/gather/{places}");
    let ask = |_| {
        let gather = gather.clone();
        std::thread::spawn(move || get(web, &gather).unwrap().status)
    };
    let threads: Vec<_> = (0..places).map(ask).collect();
    let all_there = || *gathering.there.lock().unwrap() == places;
    until("every place is taken", all_there);
    for thread in threads {
        assert_eq!(thread.join().unwrap(), 200);
    }
    proxy.settles(before);
    for line in proxy.log.lines(0, usize::MAX) {
        assert!(["----", "CC--", "CD--", "CH--", "CQ--", "CR--", "sQ--"].contains(&state(&line)), "{line}");
    }
}

#[test]
fn places_on_servers_survive_a_storm() {
    no_place_is_lost("roundrobin", 1, "20s");
}

#[test]
fn places_survive_queue_timeouts() {
    no_place_is_lost("leastconn", 2, "5ms");
}

/// Clients one after the other at limits that are always reached: each is served in its turn.
#[test]
fn limits_forget_nobody() {
    let server = Server::echo();
    let config = "\
    maxconn 3
defaults
    mode http
    timeout connect 5s
    timeout client 20s
    timeout server 20s
    timeout http-request 20s
frontend web
    bind {web}
    bind {web 2}
    maxconn 2
    default_backend app
frontend other
    bind {other}
    maxconn 2
    default_backend app
backend app
    server s1 {s1} pool-purge-delay 1s
";
    let second = testkit::lane::free_address();
    let config = config.replace("{s1}", &server.address.to_string()).replace("{web 2}", &second.to_string());
    let proxy = Proxy::start(&config);
    let before = proxy.held();
    let rounds = scaled(100, 3_000);
    let served = Arc::new(AtomicU64::new(0));
    let client = |number: usize| {
        let (served, address) = (Arc::clone(&served), [proxy.web, second, proxy.other][number % 3]);
        std::thread::spawn(move || {
            for round in 0..rounds {
                let path = format!("/{number}/{round}");
                let mut client = Client::connect(address).unwrap();
                client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).unwrap();
                let answer = client.answer().unwrap();
                assert_eq!((answer.status, answer.body), (200, path.into_bytes()));
                served.fetch_add(1, SeqCst);
                if round % 3 == 0 {
                    client.reset();
                }
            }
        })
    };
    let threads: Vec<_> = (0..12).map(client).collect();
    for thread in threads {
        thread.join().unwrap();
    }
    show("queue", "clients served at limits of 3 and 2 connections", served.load(SeqCst));
    proxy.settles(before);
    for frontend in ["web", "other"] {
        assert!(proxy.stat(frontend, "FRONTEND", "smax").parse::<u32>().unwrap() <= 2);
    }
}
