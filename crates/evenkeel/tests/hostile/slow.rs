//! Slow clients by the thousand: heads and bodies that drip, responses that nobody reads.

use crate::client::{Crowd, connect_narrow, get};
use crate::proxy::{Proxy, state};
use crate::server::Server;
use crate::{scaled, show, until};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use testkit::proc::allow_descriptors;

const CONFIG: &str = "\
    maxconn {maxconn}
    tune.sndbuf.client 16k
    tune.rcvbuf.server 16k
defaults
    mode http
    log global
    option httplog
    timeout connect 10s
    timeout client {limit}
    timeout http-request {limit}
    timeout server 60s
frontend web
    bind {web}
    default_backend app
backend app
    server s1 {s1} pool-max-conn 0
";

/// Clients as they should be, while others are not. Each request must be answered.
pub(crate) struct Good {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Took>>>,
}

/// When a request began, and how long it took.
type Took = (Instant, Duration);

impl Good {
    pub(crate) fn start(proxy: &Proxy) -> Self {
        let (stop, web) = (Arc::new(AtomicBool::new(false)), proxy.web);
        let client = |number: usize| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                let mut took = Vec::new();
                while !stop.load(SeqCst) {
                    let begin = Instant::now();
                    let path = format!("/good/{number}/{}", took.len());
                    let answer = get(web, &path).unwrap();
                    assert_eq!((answer.status, answer.body.as_slice()), (200, path.as_bytes()));
                    took.push((begin, begin.elapsed()));
                    std::thread::sleep(Duration::from_millis(5));
                }
                took
            })
        };
        let threads = (0..2).map(client).collect();
        Self { stop, threads }
    }

    /// What each request took.
    pub(crate) fn end(self) -> Vec<Took> {
        self.stop.store(true, SeqCst);
        let took: Vec<Took> = self.threads.into_iter().flat_map(|t| t.join().unwrap()).collect();
        assert!(!took.is_empty(), "good clients were served");
        took
    }
}

/// Median and 99th percentile of the requests that began between two moments.
fn quantiles(took: &[Took], from: Instant, to: Instant) -> String {
    let mut spans: Vec<Duration> =
        took.iter().filter(|(begin, _)| (from..to).contains(begin)).map(|(_, span)| *span).collect();
    spans.sort();
    let quantile = |hundredths: usize| spans.get(spans.len().saturating_sub(1) * hundredths / 100);
    let shown = |hundredths| quantile(hundredths).map_or(0.0, |span| span.as_secs_f64() * 1000.0);
    format!("{:.2} {:.2} of {}", shown(50), shown(99), spans.len())
}

/// The body of the big answers: one for all, since it is the proxy's cost that is looked at.
static BIG: &[u8] = &[b'b'; 1 << 20];

fn server() -> Server {
    Server::start(|mut connection| {
        while let Some((target, _)) = connection.request() {
            let body = if target == "/big" { BIG } else { target.as_bytes() };
            if !connection.answer(body) {
                return;
            }
        }
    })
}

#[test]
fn slow_clients_cost_little_and_all_end() {
    // A descriptor for each client and, behind the proxy, another for some of them.
    let most = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap().1 as usize;
    let all = scaled(2_000, 10_000).min((most - 200) / 2);
    let (bodies, deaf) = (all / 10, all / 10);
    let heads = all - bodies - deaf;
    allow_descriptors(2 * all as u64 + 150);
    let server = server();
    let limit = if crate::full() { "20s" } else { "8s" };
    let config = CONFIG.replace("{s1}", &server.address.to_string()).replace("{limit}", limit);
    let proxy = Proxy::start(&config.replace("{maxconn}", &(all + 20).to_string()));
    let alone = Instant::now();
    let good = Good::start(&proxy);
    std::thread::sleep(Duration::from_millis(if crate::full() { 3_000 } else { 200 }));
    let idle = good.end();
    let before = proxy.settles(proxy.held());
    let mut memory = before.memory;
    let mut cost = |kind: &str, count: usize| {
        let now = proxy.held().memory;
        let each = now.saturating_sub(memory) as f64 / count as f64;
        show("slow", &format!("kB of memory for each of {count} {kind}"), format!("{each:.1}"));
        memory = now;
        each
    };

    let (mut slow_heads, mut slow_bodies, mut slow_readers) = (Crowd::new(), Crowd::new(), Crowd::new());
    let (crowd_comes, good) = (Instant::now(), Good::start(&proxy));
    slow_heads.connect(proxy.web, heads);
    slow_heads.send(b"GET /slow HTTP/1.1\r\nHost: a\r\nCookie: ");
    until("slow heads are accepted", || proxy.info("CurrConns") >= heads as u64);
    for _ in 0..10 {
        slow_heads.send(b"x");
        std::thread::sleep(Duration::from_millis(20));
    }
    let head_cost = cost("clients in the middle of a head", heads);
    slow_bodies.connect(proxy.web, bodies);
    slow_bodies.send(b"POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    until("slow bodies have servers", || proxy.stat("app", "s1", "scur").parse::<usize>().unwrap() >= bodies);
    for _ in 0..10 {
        slow_bodies.send(b"y");
        std::thread::sleep(Duration::from_millis(20));
    }
    cost("clients in the middle of a body", bodies);
    for _ in 0..deaf {
        slow_readers.add(connect_narrow(proxy.web));
    }
    slow_readers.send(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    until("all are there at once", || {
        proxy.info("CurrConns") >= (heads + bodies + deaf) as u64
            && proxy.stat("app", "s1", "scur").parse::<usize>().unwrap() >= bodies + deaf
    });
    cost("clients that do not read", deaf);
    let crowded = proxy.held();
    show("slow", "descriptors at the most", crowded.descriptors);

    // They go on dripping until they have all been sent away.
    let (all_there, mut first_gone) = (Instant::now(), None);
    until("all slow clients have ended", || {
        slow_heads.send(b"x");
        std::thread::sleep(Duration::from_millis(if crate::full() { 500 } else { 50 }));
        let left = slow_heads.hear() + slow_bodies.hear();
        if left < heads + bodies {
            first_gone.get_or_insert_with(Instant::now);
        }
        left == 0 && proxy.info("CurrConns") <= 2
    });
    let all_gone = Instant::now();
    let busy = good.end();
    let first_gone = first_gone.unwrap_or(all_gone);
    for (when, took, from, to) in [
        ("alone", &idle, alone, crowd_comes),
        ("while the crowd comes", &busy, crowd_comes, all_there),
        ("among the crowd", &busy, all_there, first_gone),
        ("while it is sent away", &busy, first_gone, all_gone),
    ] {
        show("slow", &format!("good clients' p50 and p99 in ms, {when}"), quantiles(took, from, to));
    }
    assert_eq!(slow_heads.others("HTTP/1.1 408 "), Vec::<String>::new(), "every slow head is answered");
    assert_eq!(slow_bodies.others("HTTP/1.1 408 "), Vec::<String>::new(), "every slow body is answered");
    until("a slow reader sees the end", || slow_readers.hear() == 0);
    assert_eq!(
        slow_readers.others("HTTP/1.1 200 "),
        Vec::<String>::new(),
        "every slow reader got the beginning"
    );
    assert!(slow_readers.0.iter().all(|member| member.heard.len() < 1 << 20), "none was sent everything");

    // What a leak would keep stays; what was only kept in reserve is given back within seconds.
    until("the crowd's memory is given back", || proxy.held().memory <= before.memory + 4_096);
    let after = proxy.settles(before);
    let memory = format!("{} {} {}", before.memory, crowded.memory, after.memory);
    show("slow", "resident kB before, with all, after", memory);
    show("slow", "descriptors before, after", format!("{} {}", before.descriptors, after.descriptors));
    until("every client has its line", || {
        let mut states: BTreeMap<String, usize> = BTreeMap::new();
        for line in proxy.log.lines(0, usize::MAX) {
            *states.entry(state(&line).to_owned()).or_default() += 1;
        }
        let count = |state: &str| states.get(state).copied().unwrap_or(0);
        states.keys().all(|state| ["----", "cR--", "cD--"].contains(&state.as_str()))
            && count("cR--") == heads
            && count("cD--") == bodies + deaf
    });
    // So much and no more may a slow head cost.
    assert!(head_cost <= 4.0, "{head_cost} kB for each slow head");
}
