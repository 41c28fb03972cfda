//! The same configuration, once with `haproxy` and once here, in front of servers that fail in the same ways: the log
//! lines about each backend are the same, in the same order.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail so"
)]

use haproxy_cfg::{Context, Input, parse};
use proxyd::{Bound, Setup};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

/// Backends: name, lines before the servers, options of the checked server, what the server says check by check (the
/// last for ever), and how many lines the log has of it.
const CASES: [(&str, &str, &str, &[&str], usize); 7] = [
    ("tcp-ok", "option log-health-checks", "check inter 100", &[""], 1),
    ("l7-down", "option httpchk", "check inter 100 fall 1", &["500 Oops \"<x>\""], 2),
    (
        "l7-again",
        "option httpchk",
        "check inter 300 fastinter 10 downinter 10 fall 2 rise 2",
        &["503 a", "200", "200"],
        3,
    ),
    (
        "l7-log",
        "option httpchk GET /x\n option log-health-checks",
        "check inter 300 fastinter 10 downinter 10",
        &["200", "404 b", "500 c", "503 d", "200", "204"],
        8,
    ),
    ("spare", "option httpchk\n option log-health-checks", "check inter 100 backup", &["garbage"], 3),
    ("hangs", "option httpchk\n timeout check 50ms", "check inter 100 fall 1", &["hang"], 2),
    ("refused", "", "check inter 100", &["refuse"], 2),
];

fn serve(mut client: TcpStream, answer: &str) {
    if !matches!(client.read(&mut [0; 1024]), Ok(1..)) {
        return;
    }
    let _ = match answer {
        "hang" => client.read(&mut [0; 1]).map(drop),
        "garbage" => client.write_all(b"\0\x01 what?\r\n\r\n"),
        status => client.write_all(format!("HTTP/1.0 {status}\r\n\r\n").as_bytes()),
    };
    let _ = client.shutdown(Shutdown::Write);
    let _ = client.read(&mut [0; 1]);
}

fn server(script: &'static [&'static str]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    if script != ["refuse"] {
        std::thread::spawn(move || {
            for (turn, client) in listener.incoming().flatten().enumerate() {
                let answer = script[turn.min(script.len() - 1)];
                std::thread::spawn(move || serve(client, answer));
            }
        });
    }
    port
}

/// A configuration with servers of its own.
fn config(sink: &UdpSocket, bind: &str) -> String {
    let log = sink.local_addr().unwrap();
    let mut config = format!(
        "global\n quiet\n log {log} local0\ndefaults\n log global\n mode http\n timeout connect 5s\n timeout client 5s\n timeout \
         server 5s\nfrontend in\n bind {bind}\n default_backend tcp-ok\n"
    );
    for (name, lines, options, script, _) in CASES {
        let port = server(script);
        config += &format!("backend {name}\n {lines}\n server s 127.0.0.1:{port} {options}\n");
    }
    config
}

/// Lines by backend, without times, until each backend has as many as it should; severity first.
fn collect(sink: &UdpSocket) -> BTreeMap<&'static str, Vec<String>> {
    let mut lines: BTreeMap<&str, Vec<String>> = CASES.iter().map(|case| (case.0, Vec::new())).collect();
    let until = Instant::now() + PATIENCE;
    sink.set_read_timeout(Some(PATIENCE)).unwrap();
    while CASES.iter().any(|(name, .., wanted)| lines[name].len() < *wanted) {
        assert!(Instant::now() < until, "{lines:#?}");
        let mut line = [0; 4096];
        let len = sink.recv(&mut line).unwrap_or_else(|_| panic!("no more lines after {lines:#?}"));
        let line = String::from_utf8(line[..len].to_vec()).unwrap();
        let (priority, text) = line.split_once('>').unwrap();
        let text = text.split_once("]: ").unwrap().1;
        let Some((name, .., wanted)) = CASES
            .iter()
            .find(|(name, ..)| text.contains(&format!(" {name}/")) || text.contains(&format!(" {name} ")))
        else {
            continue;
        };
        let text = match text.split_once("check duration: ") {
            Some((before, after)) => {
                format!("{before}{}", after.trim_start_matches(|c: char| c.is_ascii_digit()))
            }
            None => text.to_owned(),
        };
        let kept = lines.get_mut(name).unwrap();
        if kept.len() < *wanted {
            kept.push(format!("{priority}>{text}"));
        }
    }
    lines
}

fn haproxys() -> BTreeMap<&'static str, Vec<String>> {
    let sink = UdpSocket::bind("127.0.0.1:0").unwrap();
    let bind = format!("abns@evenkeel-health-log-{}", std::process::id());
    let file = std::env::temp_dir().join(format!("health-log-{}.cfg", std::process::id()));
    std::fs::write(&file, config(&sink, &bind)).unwrap();
    let mut child = Command::new("haproxy")
        .args(["-db", "-q", "-f"])
        .arg(&file)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("this test compares with the `haproxy` program: install it (apt-get install haproxy)");
    let lines = collect(&sink);
    let _ = child.kill();
    let _ = child.wait();
    let _ = std::fs::remove_file(&file);
    lines
}

fn ours() -> BTreeMap<&'static str, Vec<String>> {
    let sink = UdpSocket::bind("127.0.0.1:0").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let text = config(&sink, &listener.local_addr().unwrap().to_string()).into_bytes();
    let parsed = parse(&[Input { name: "haproxy.cfg".into(), text }], &mut Context::default());
    let config = parsed.config.unwrap_or_else(|| panic!("{:?}", parsed.report));
    let proxy = config.proxies.iter().position(|proxy| &*proxy.name == "in").unwrap();
    let key = proxyd::listeners::Key::of_bind(&config.proxies[proxy].binds[0]);
    let running = proxyd::start(Setup {
        config: Arc::new(config),
        threads: 1,
        maxconn: 100,
        pipes: 8,
        listeners: vec![Bound { proxy, bind: 0, key, sockets: vec![listener.into()] }],
        seed: 1,
    })
    .unwrap();
    let lines = collect(&sink);
    running.soft_stop();
    running.join();
    lines
}

#[test]
fn the_log_tells_the_same() {
    let (theirs, ours) = (haproxys(), ours());
    for (name, ..) in CASES {
        assert_eq!(ours[name], theirs[name], "backend {name}");
    }
}
