//! Checks against servers that behave and servers that do not, on loopback.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, reason = "a test may fail so")]

use check::{Health, Outcome, Pace, Standing, Status, Step, http_request};
use proxyd::health::{Duty, Plan, Probe, Target, watch};
use reactor::SockAddr;
use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

/// Long enough never to be reached by what answers.
const LONG: Duration = Duration::from_secs(20);
const SOON: Duration = Duration::from_millis(1);

/// What a server does with each connection.
fn server(act: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let act = std::sync::Arc::new(act);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let act = std::sync::Arc::clone(&act);
            std::thread::spawn(move || act(client));
        }
    });
    address
}

fn request(client: &mut TcpStream) -> Vec<u8> {
    let mut request = vec![0; 4096];
    let len = client.read(&mut request).unwrap_or(0);
    request.truncate(len);
    request
}

fn says(answer: &'static [u8]) -> SocketAddr {
    server(move |mut client| {
        request(&mut client);
        let _ = client.write_all(answer);
        let _ = client.shutdown(Shutdown::Write);
        let _ = client.read(&mut [0; 1]);
    })
}

fn plan(address: SocketAddr, probe: Probe) -> Plan {
    Plan {
        proxy: 0,
        server: 0,
        address: Some(SockAddr::from(address)),
        rise: 2,
        fall: 3,
        pace: Pace { inter: LONG, fast: Some(SOON), down: Some(SOON) },
        first: Duration::ZERO,
        connect_timeout: None,
        check_timeout: None,
        spread_percent: 0,
        seed: 1,
        probe: Rc::new(probe),
    }
}

fn http() -> Probe {
    Probe::Http { request: http_request("GET", "/up", "HTTP/1.0", &[], b""), limit: 15_360 }
}

/// Ends after so many reports and keeps them.
#[derive(Clone)]
struct Kept {
    wanted: usize,
    reports: Rc<RefCell<Vec<(Outcome, Step, String)>>>,
    duties: Rc<dyn Fn() -> Duty>,
}

impl Kept {
    fn new(wanted: usize) -> Self {
        Self { wanted, reports: Rc::default(), duties: Rc::new(|| Duty::Check) }
    }
}

impl Target for Kept {
    fn duty(&self) -> Duty {
        if self.reports.borrow().len() == self.wanted { Duty::End } else { (self.duties)() }
    }

    fn report(&self, health: &Health, step: Step) {
        self.reports.borrow_mut().push((health.last().clone(), step, health.display().to_string()));
    }
}

/// The outcomes of so many checks.
fn outcomes(plan: Plan, wanted: usize) -> Vec<Outcome> {
    let kept = Kept::new(wanted);
    // The pace after the last check does not matter: not waiting for it saves its time.
    let watched = kept.clone();
    reactor::run(reactor::Settings::default(), async move {
        let task = reactor::spawn_task(watch(plan, watched.clone()));
        while watched.reports.borrow().len() < wanted {
            reactor::sleep_until(reactor::now() + SOON).await;
        }
        drop(task);
    })
    .unwrap();
    let reports = kept.reports.borrow();
    reports.iter().map(|(outcome, ..)| outcome.clone()).collect()
}

fn outcome(plan: Plan) -> (Status, u16, String) {
    let outcome = outcomes(plan, 1).remove(0);
    assert!(outcome.duration.is_some());
    (outcome.status, outcome.code, String::from_utf8_lossy(&outcome.info).into_owned())
}

fn refusing() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn a_connection_is_enough_unless_more_is_asked() {
    let silent = server(|mut client| drop(request(&mut client)));
    assert_eq!(outcome(plan(silent, Probe::Connect)), (Status::L4Ok, 0, String::new()));
    let refused = (Status::L4Connection, 0, "Connection refused".to_owned());
    assert_eq!(outcome(plan(refusing(), Probe::Connect)), refused);
    assert_eq!(outcome(plan(refusing(), http())), refused);
}

#[test]
fn answers_are_judged() {
    let cases: [(&[u8], Status, u16, &str); 5] = [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Status::L7Ok, 200, ""),
        (b"HTTP/1.0 302 Found\r\n\r\n", Status::L7Ok, 302, ""),
        (b"HTTP/1.0 500 No way\r\n\r\n", Status::L7Status, 500, "No way"),
        (b"HTTP/1.0 200", Status::L7Response, 0, ""),
        (b"", Status::L7Response, 0, ""),
    ];
    for (answer, status, code, info) in cases {
        assert_eq!(outcome(plan(says(answer), http())), (status, code, info.to_owned()));
    }
}

#[test]
fn the_request_is_said_and_the_answer_may_come_in_crumbs() {
    let (heard_tx, heard) = mpsc::channel();
    let address = server(move |mut client| {
        heard_tx.send(request(&mut client)).unwrap();
        client.set_nodelay(true).unwrap();
        for byte in b"HTTP/1.1 503 Later\r\nRetry-After: 9\r\n\r\n" {
            client.write_all(&[*byte]).unwrap();
        }
        let _ = client.read(&mut [0; 1]);
    });
    assert_eq!(outcome(plan(address, http())), (Status::L7Status, 503, "Later".to_owned()));
    assert_eq!(heard.recv().unwrap(), b"GET /up HTTP/1.0\r\n\r\n");
}

#[test]
fn an_endless_answer_ends() {
    let address = server(|mut client| {
        request(&mut client);
        let _ = client.write_all(b"HTTP/1.1 200 ");
        while client.write_all(&[b'x'; 4096]).is_ok() {}
    });
    assert_eq!(outcome(plan(address, http())), (Status::L7Response, 0, String::new()));
}

#[test]
fn the_connection_is_reset_after_the_check() {
    let (end_tx, end) = mpsc::channel();
    let address = server(move |mut client| {
        let _ = client.read_to_end(&mut Vec::new()).map_err(|error| end_tx.send(error.kind()));
    });
    assert_eq!(outcome(plan(address, Probe::Connect)).0, Status::L4Ok);
    assert_eq!(end.recv_timeout(LONG), Ok(ErrorKind::ConnectionReset));
}

#[test]
fn a_reset_is_a_socket_error() {
    let address = server(|mut client| {
        // Closing with data unread sends a reset.
        let _ = client.read(&mut [0; 1]);
    });
    let reset = (Status::SocketError, 0, "Connection reset by peer".to_owned());
    assert_eq!(outcome(plan(address, http())), reset);
}

#[test]
fn silence_is_a_timeout_of_its_layer() {
    let hanging = server(|mut client| {
        request(&mut client);
        let _ = client.read(&mut [0; 1]);
    });
    let short = Duration::from_millis(30);
    let mut by_inter = plan(hanging, http());
    by_inter.pace.inter = short;
    assert_eq!(outcome(by_inter), (Status::L7Timeout, 0, String::new()));
    let mut by_check = plan(hanging, http());
    by_check.check_timeout = Some(short);
    assert_eq!(outcome(by_check), (Status::L7Timeout, 0, String::new()));

    // A listener whose backlog is full does not answer at all.
    let listener = socket_with_full_backlog();
    let mut unanswered = plan(listener.0, Probe::Connect);
    (unanswered.connect_timeout, unanswered.check_timeout) = (Some(short), Some(LONG));
    assert_eq!(outcome(unanswered), (Status::L4Timeout, 0, String::new()));
}

/// A listener that accepts nothing, and connections that fill its backlog.
fn socket_with_full_backlog() -> (SocketAddr, TcpListener, Vec<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        waiting.push(stream);
        assert!(waiting.len() < 100_000, "a backlog without end");
    }
    (address, listener, waiting)
}

#[test]
fn nobody_to_ask_is_a_socket_error() {
    let mut nowhere = plan(refusing(), Probe::Connect);
    nowhere.address = None;
    assert_eq!(outcome(nowhere).0, Status::SocketError);
}

#[test]
fn state_follows_the_outcomes() {
    let script: Vec<&'static [u8]> = ["200", "500", "200", "500", "500", "500", "200", "500", "200", "200"]
        .iter()
        .map(|code| format!("HTTP/1.0 {code} x\r\n\r\n").leak().as_bytes())
        .collect();
    let checks = script.len();
    let turn = std::sync::atomic::AtomicUsize::new(0);
    let address = server(move |mut client| {
        request(&mut client);
        let turn = turn.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let _ = client.write_all(script.get(turn).unwrap_or(&script[0]));
        let _ = client.read(&mut [0; 1]);
    });
    let kept = Kept::new(checks);
    let mut plan = plan(address, http());
    // The normal pace too: only the answers matter here.
    (plan.check_timeout, plan.connect_timeout) = (Some(LONG), Some(LONG));
    plan.pace.inter = Duration::from_millis(50);
    let watched = kept.clone();
    reactor::run(reactor::Settings::default(), watch(plan, watched)).unwrap();
    let reports = kept.reports.borrow();
    let shown: Vec<&str> = reports.iter().map(|(.., shown)| shown.as_str()).collect();
    assert_eq!(
        shown,
        ["UP", "UP 2/3", "UP", "UP 2/3", "UP 1/3", "DOWN", "DOWN 1/2", "DOWN", "DOWN 1/2", "UP"]
    );
    let changes: Vec<(usize, Standing)> = reports
        .iter()
        .enumerate()
        .filter_map(|(at, (_, step, _))| step.transition.map(|transition| (at, transition.to)))
        .collect();
    assert_eq!(changes, [(5, Standing::Down), (9, Standing::Up)]);
}

#[test]
fn maintenance_pauses_and_the_server_returns_up() {
    let address = says(b"HTTP/1.0 500 x\r\n\r\n");
    let asked = Rc::new(Cell::new(0));
    let mut kept = Kept::new(2);
    let (counter, reports) = (Rc::clone(&asked), Rc::clone(&kept.reports));
    kept.duties = Rc::new(move || {
        // After the first report: five checks are left out.
        if reports.borrow().len() == 1 && counter.get() < 5 {
            counter.set(counter.get() + 1);
            Duty::Pause
        } else {
            Duty::Check
        }
    });
    let mut plan = plan(address, http());
    (plan.pace.inter, plan.check_timeout, plan.connect_timeout) =
        (Duration::from_millis(20), Some(LONG), Some(LONG));
    let watched = kept.clone();
    reactor::run(reactor::Settings::default(), watch(plan, watched)).unwrap();
    assert_eq!(asked.get(), 5);
    let reports = kept.reports.borrow();
    // Down by the first check; up by leaving maintenance, so that the next failure takes it down again.
    assert!(
        reports.iter().all(|(_, step, _)| step.transition.is_some_and(|t| t.to == Standing::Down)),
        "{reports:?}"
    );
}

/// Thousands of servers, one in ten of which never answers: all others are checked several times while those
/// hang. (Not that they all pass: so many connections at once may overflow a listener's backlog.)
#[test]
fn a_slow_server_delays_nobody() {
    const SERVERS: usize = 2_000;
    const CHECKS: usize = 3;
    let hanging = socket_with_full_backlog();
    let fine = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = fine.local_addr().unwrap();
    std::thread::spawn(move || fine.incoming().for_each(drop));
    reactor::run(reactor::Settings::default(), async move {
        let mut done = Vec::new();
        for server in 0..SERVERS {
            let hangs = server % 10 == 0;
            let kept = Kept::new(CHECKS);
            let mut plan = plan(if hangs { hanging.0 } else { address }, Probe::Connect);
            plan.first = Duration::from_millis((server / 10) as u64);
            (plan.rise, plan.fall) = (CHECKS as u32 + 1, 1);
            (plan.check_timeout, plan.connect_timeout) = (Some(LONG), Some(LONG));
            plan.pace.inter = if hangs { LONG } else { SOON * 200 };
            reactor::spawn(watch(plan, kept.clone()));
            done.push((hangs, kept));
        }
        for (_, kept) in done.iter().filter(|(hangs, _)| !hangs) {
            while kept.reports.borrow().len() < CHECKS {
                reactor::sleep_until(reactor::now() + SOON).await;
            }
        }
        assert!(done.iter().filter(|(hangs, _)| *hangs).all(|(_, kept)| kept.reports.borrow().is_empty()));
    })
    .unwrap();
}
