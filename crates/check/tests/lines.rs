//! What a check makes of a server, and what the log says of it, is what the `haproxy` program makes and says: it checks
//! the same servers and its log lines are compared with ours, byte for byte but for the durations.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, reason = "a test may fail so")]
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "runs haproxy beside the core")]

use check::message::{self, Cause, Message, Moved, Remaining, Server};
use check::{Health, HttpProbe, Outcome, Standing, Status};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

/// What a server does with one check.
#[derive(Clone, Debug)]
enum Act {
    /// Reads the request, says this, closes.
    Say(&'static [u8]),
    /// The same in writes of one byte.
    Spell(&'static [u8]),
    /// Reads and never answers.
    Hang,
}

fn act(act: &Act, mut client: TcpStream) {
    client.set_nodelay(true).unwrap();
    let mut request = [0; 4096];
    if !matches!(client.read(&mut request), Ok(1..)) {
        return;
    }
    match act {
        Act::Say(bytes) => {
            let _ = client.write_all(bytes);
        }
        Act::Spell(bytes) => {
            for byte in bytes.iter() {
                let _ = client.write_all(&[*byte]);
            }
        }
        Act::Hang => {
            let _ = client.read(&mut request);
        }
    }
    let _ = client.shutdown(Shutdown::Write);
    let _ = client.read(&mut request);
}

/// A server that does one act after the other and the last one for ever.
fn server(acts: Vec<Act>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for (number, client) in listener.incoming().enumerate() {
            let todo = acts[number.min(acts.len() - 1)].clone();
            std::thread::spawn(move || act(&todo, client.unwrap()));
        }
    });
    port
}

/// A port where nobody listens.
fn nobody() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

struct Haproxy {
    child: Child,
    sink: UdpSocket,
    file: std::path::PathBuf,
}

impl Haproxy {
    fn start(body: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let sink = UdpSocket::bind("127.0.0.1:0").unwrap();
        sink.set_read_timeout(Some(PATIENCE)).unwrap();
        let name = format!("check-{}-{}.cfg", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let file = std::env::temp_dir().join(name);
        let log = sink.local_addr().unwrap();
        let config = format!(
            "global\n nbthread 1\n stats socket {file}.sock\n log {log} local0\ndefaults\n log global\n mode http\n timeout connect 5s\n timeout \
             client 5s\n timeout server 5s\n{body}\n",
            file = file.display(),
        );
        std::fs::write(&file, config).unwrap();
        let child = Command::new("haproxy")
            .args(["-db", "-q", "-f"])
            .arg(&file)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("this test compares with the `haproxy` program: install it (apt-get install haproxy)");
        Self { child, sink, file }
    }

    /// The next log line: severity and text.
    fn line(&self) -> (u8, String) {
        let mut line = [0; 65_536];
        let len = self.sink.recv(&mut line).expect("haproxy logs a line in time");
        let line = String::from_utf8(line[..len].to_vec()).unwrap();
        let (priority, rest) = line.strip_prefix('<').unwrap().split_once('>').unwrap();
        let (_, text) = rest.split_once("]: ").unwrap();
        (priority.parse::<u8>().unwrap() - 128, text.trim_end_matches('\n').to_owned())
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.file);
        let _ = std::fs::remove_file(format!("{}.sock", self.file.display()));
    }
}

/// The line without the duration's digits.
fn timeless(line: &str) -> String {
    match line.split_once("check duration: ") {
        Some((before, after)) => {
            format!("{before}check duration: {}", after.trim_start_matches(|c: char| c.is_ascii_digit()))
        }
        None => line.to_owned(),
    }
}

fn same(ours: &Message, theirs: &(u8, String)) {
    assert_eq!((ours.level.number(), timeless(&ours.log)), (theirs.0, timeless(&theirs.1)));
}

const LIMIT: usize = 15_360;

fn heard(bytes: &[u8]) -> Outcome {
    let mut probe = HttpProbe::new(LIMIT);
    probe.feed(bytes, false).or_else(|| probe.feed(b"", true)).unwrap().with_duration(Duration::ZERO)
}

static LONG_REASON: [u8; 400] = {
    let mut line = [b'r'; 400];
    let (head, mut i) = (b"HTTP/1.1 500 ", 0);
    while i < head.len() {
        line[i] = head[i];
        i += 1;
    }
    line[396] = b'\r';
    line[397] = b'\n';
    line[398] = b'\r';
    line[399] = b'\n';
    line
};

static LONG_LINE: [u8; 65_536] = {
    let mut line = [b'x'; 65_536];
    let (head, mut i) = (b"HTTP/1.1 500 ", 0);
    while i < head.len() {
        line[i] = head[i];
        i += 1;
    }
    line
};

/// Answers and what they are worth: haproxy's lines are the judge of all of them.
const ANSWERS: [&[u8]; 33] = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.0 204 No Content\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n",
    b"HTTP/1.1 399 Odd\r\n\r\n",
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 500 Oops \"x\"\\y\r\n\r\n",
    b"HTTP/1.1 500\r\n\r\n",
    b"HTTP/1.1 500 \r\n\r\n",
    b"HTTP/1.1 503   Spaces  in   it\r\n\r\n",
    b"HTTP/1.1 500 caf\xe9 \x7f\ttab <b>\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    b"HTTP/1.1 200 OK\nServer: bare line feeds\n\n",
    b"HTTP/1.1 200 OK\r\nFolded: a\r\n b\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nEmpty:\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1 2\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nBad name: x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nNo colon\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n: no name\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nUnfinished: ",
    b"HTTP/1.1 20x OK\r\n\r\n",
    b"HTTP/1.1  200 OK\r\n\r\n",
    b"HTT",
    b"\x00\x01\x02garbage\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"<html>It works</html>",
    &LONG_REASON,
    &LONG_LINE,
];

#[test]
fn answers_are_judged_as_haproxy_does() {
    let mut config = String::new();
    for (number, answer) in ANSWERS.into_iter().enumerate() {
        for (way, act) in [("whole", Act::Say(answer)), ("spelled", Act::Spell(answer))] {
            if way == "spelled" && answer.len() > 1_000 {
                continue;
            }
            let port = server(vec![act]);
            config += &format!(
                "backend b{number}-{way}\n option httpchk\n option log-health-checks\n server s 127.0.0.1:{port} check \
                 inter 900 fall 1 rise 1\n"
            );
        }
    }
    let haproxy = Haproxy::start(&config);
    let mut said: HashMap<String, (u8, String)> = HashMap::new();
    let expected = config.matches("backend").count();
    let until = Instant::now() + PATIENCE;
    while said.len() < expected {
        assert!(Instant::now() < until, "{} of {expected} checks were logged", said.len());
        let line = haproxy.line();
        if let Some(rest) = line.1.strip_prefix("Health check for server ") {
            said.insert(rest.split_once('/').unwrap().0.to_owned(), line);
        }
    }
    for (number, answer) in ANSWERS.into_iter().enumerate() {
        let mut health = Health::new(1, 1, true);
        let step = health.handle(heard(answer));
        assert!(step.report);
        for way in ["whole", "spelled"] {
            let proxy = format!("b{number}-{way}");
            let Some(theirs) = said.get(&proxy) else { continue };
            let server = Server { proxy: &proxy, name: "s", backup: false };
            same(&message::checked(server, &health, false), theirs);
        }
    }
}

/// Connections refused, closed and left unanswered, with and without `option log-health-checks`, of active servers and
/// backups.
#[test]
fn events_are_told_as_haproxy_does() {
    let (listener, refused) = nobody();
    let hanging = server(vec![Act::Hang]);
    let failing = server(vec![Act::Say(b"HTTP/1.0 503 No\r\n\r\n"), Act::Say(b"HTTP/1.0 200 OK\r\n\r\n")]);
    drop(listener);
    let l4 =
        Outcome::new(Status::L4Connection).with_info(b"Connection refused").with_duration(Duration::ZERO);
    let l7 = Outcome::new(Status::L7Timeout).with_duration(Duration::ZERO);
    let sts = Outcome::new(Status::L7Status).with_code(503).with_info(b"No").with_duration(Duration::ZERO);
    let ok = Outcome::new(Status::L7Ok).with_code(200).with_duration(Duration::ZERO);
    let none = Moved::default();

    // One server each: its line, then the backend's.
    let alone = |name: &str, kind: &str, port: u16, option: &str, backup: &str, outcome: &Outcome| {
        let haproxy = Haproxy::start(&format!(
            "{kind} {name}\n {option}\n server s1 127.0.0.1:{port} check inter 100 fall 1 {backup}\n server s2 \
             127.0.0.1:{port} disabled\n"
        ));
        let server = Server { proxy: name, name: "s1", backup: !backup.is_empty() };
        same(
            &message::down(server, Cause::Check(outcome), Remaining::default(), none, false),
            &haproxy.line(),
        );
        let word = if kind == "listen" { "proxy" } else { kind };
        same(&message::backend_down(word, name), &haproxy.line());
    };
    alone("app", "backend", refused, "", "", &l4);
    alone("app", "backend", refused, "option httpchk", "backup", &l4);
    alone("all", "listen", hanging, "option httpchk\n bind abns@evenkeel-check-lines", "", &l7);

    // Others are left, and it comes back.
    let haproxy = Haproxy::start(&format!(
        "backend app\n option httpchk\n server s1 127.0.0.1:{failing} check inter 1s downinter 20 fall 1 rise 1\n server s2 \
         127.0.0.1:{refused} backup\n server s3 127.0.0.1:{refused} backup\n"
    ));
    let s1 = Server { proxy: "app", name: "s1", backup: false };
    let left = |active| Remaining { active, backup: 2 };
    same(&message::down(s1, Cause::Check(&sts), left(0), none, false), &haproxy.line());
    same(&message::up(s1, Cause::Check(&ok), left(1), none), &haproxy.line());
}

/// Rise and fall, step by step: a server's answers change, and every line about every step is compared.
#[test]
fn rise_and_fall_as_haproxy_does() {
    const GOOD: Act = Act::Say(b"HTTP/1.0 200 OK\r\n\r\n");
    const BAD: Act = Act::Say(b"HTTP/1.0 500 Bad\r\n\r\n");
    const UGLY: Act = Act::Say(b"HTTP/1.0 500");
    let follow = |rise, fall| {
        let mut state = 7u32;
        let mut acts: Vec<Act> = (0..40)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // Runs of the same answer, or little would ever happen.
                match (state >> 24) % 8 {
                    0..=3 => GOOD,
                    4..=6 => BAD,
                    _ => UGLY,
                }
            })
            .flat_map(|act| vec![act; 2])
            .collect();
        acts.extend([BAD, BAD, BAD, BAD, BAD, GOOD, GOOD, GOOD, GOOD, GOOD, GOOD]);
        let haproxy = Haproxy::start(&format!(
            "backend app\n option httpchk\n option log-health-checks\n server s1 127.0.0.1:{} check inter 200 fastinter 2 downinter 2 fall {fall} rise {rise}\n server s2 127.0.0.1:1\n",
            server(acts.clone()),
        ));
        let mut health = Health::new(rise, fall, true);
        let s1 = Server { proxy: "app", name: "s1", backup: false };
        let none = Moved::default();
        let mut lines = 0;
        for act in &acts {
            let Act::Say(answer) = act else { unreachable!() };
            let step = health.handle(heard(answer));
            if step.report {
                same(&message::checked(s1, &health, false), &haproxy.line());
                lines += 1;
            }
            let left = |active| Remaining { active, backup: 0 };
            match step.transition.map(|transition| transition.to) {
                Some(Standing::Down) => {
                    same(&message::down(s1, Cause::Unsaid, left(1), none, false), &haproxy.line());
                }
                Some(Standing::Up) => same(&message::up(s1, Cause::Unsaid, left(2), none), &haproxy.line()),
                Some(Standing::Stopping) => unreachable!("no answer asks for it"),
                None => {}
            }
        }
        assert!(lines > 10, "hardly anything happened: {lines} lines");
    };
    std::thread::scope(|scope| {
        for (rise, fall) in [(2, 3), (1, 1), (3, 2), (4, 1)] {
            scope.spawn(move || follow(rise, fall));
        }
    });
}
