//! The log lines and verdicts of keepalived 2.2.7, recorded, against what the same servers make of ours.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail so")]

use check::checker::http::{End, HttpGet, Url};
use check::checker::regex::{Conditions, Pattern};
use check::checker::script::ScriptEnd;
use check::checker::smtp::{SmtpTalk, Turn};
use check::checker::udp::UdpPattern;
use check::checker::{Attempt, Failure, Kind, Names, Proof, Retry, Settings, Weight, dns};
use core::time::Duration;
use std::net::SocketAddr;

const RECORDED: &str = include_str!("data/keepalived-2.2.7.txt");

/// How a server fails, and of what kind it is.
struct Server {
    kind: Kind,
    urls: Vec<Url>,
    /// What it answers at the url of this number, while it fails.
    fail: fn(&Self, usize) -> Attempt,
}

impl Server {
    fn url(&self, index: usize) -> &Url {
        self.urls.get(index).expect("a url of this number")
    }
}

fn page(url: &Url, answer: &[u8]) -> Attempt {
    let mut get = HttpGet::new(url);
    match get.feed(url, answer) {
        Some(early) => early,
        None => get.end(url, End::Closed),
    }
}

const WELL: &[u8] = b"HTTP/1.0 200 OK\r\n\r\nhello world\n";

fn talk(heard: &[&str], end: Failure) -> Attempt {
    let mut talk = SmtpTalk::new();
    for line in heard {
        if let Turn::Done(result) = talk.feed("me.example", line.as_bytes()) {
            return result.into();
        }
    }
    Attempt::Failed(end)
}

fn datagram(pattern: &str, reply: &[u8]) -> Attempt {
    let reply_pattern = pattern.as_bytes().iter().map(|&byte| (byte, 0xff)).collect();
    UdpPattern {
        require_reply: true,
        reply: reply_pattern,
        min_length: 4,
        max_length: 8,
        ..UdpPattern::default()
    }
    .judge(reply)
    .into()
}

fn server(name: &str) -> Server {
    let url = |path: &str| Url { path: path.to_owned(), ..Url::default() };
    let (kind, fail): (Kind, fn(&Server, usize) -> Attempt) = match name {
        "tcp-refused" => (Kind::Tcp, |_, _| Attempt::Failed(Failure::Refused)),
        "http-refused" => (Kind::Http, |_, _| Attempt::Failed(Failure::Refused)),
        "http-status" => (Kind::Http, |s, i| page(s.url(i), b"HTTP/1.0 500 Oops\r\n\r\nhello world\n")),
        "http-digest" | "http-regex" => {
            (Kind::Http, |s, i| page(s.url(i), b"HTTP/1.0 200 OK\r\n\r\nother\n"))
        }
        "http-nodata" => (Kind::Http, |s, i| page(s.url(i), b"")),
        "http-silent" => (Kind::Http, |s, i| Attempt::Failed(HttpGet::new(s.url(i)).timeout())),
        "http-half" => (Kind::Http, |s, i| {
            let mut get = HttpGet::new(s.url(i));
            assert_eq!(get.feed(s.url(i), b"HTTP/1.0 200 OK\r\n"), None);
            Attempt::Failed(get.timeout())
        }),
        "http-length" => {
            (Kind::Http, |s, i| page(s.url(i), b"HTTP/1.0 200 OK\r\nContent-Length: 99\r\n\r\nhello world\n"))
        }
        "http-two" => (Kind::Http, |s, i| match i {
            0 => page(s.url(i), WELL),
            _ => page(s.url(i), b"HTTP/1.0 500 Oops\r\n\r\n"),
        }),
        "smtp-refused" => (Kind::Smtp, |_, _| Attempt::Failed(Failure::Refused)),
        "smtp-banner" => (Kind::Smtp, |_, _| talk(&["554 no\r\n"], Failure::Read(0))),
        "smtp-helo" => (Kind::Smtp, |_, _| talk(&["220 me ESMTP\r\n", "500 what\r\n"], Failure::Read(0))),
        "smtp-eof" => (Kind::Smtp, |_, _| talk(&[], Failure::Read(0))),
        "smtp-silent" => (Kind::Smtp, |_, _| talk(&[], Failure::ReadTimeout)),
        "smtp-quit" => (Kind::Smtp, |_, _| talk(&["220 me ESMTP\r\n", "250 hi\r\n"], Failure::Read(0))),
        "dns-silent" => (Kind::Dns, |_, _| Attempt::Failed(Failure::ReadTimeout)),
        "dns-rcode" => (Kind::Dns, |_, _| {
            let reply = [0, 7, 0x81, 0x82, 0, 1, 0, 0, 0, 0, 0, 0];
            dns::answer(7, &reply).expect("an answer").into()
        }),
        "dns-refused" => (Kind::Dns, |_, _| Attempt::Failed(Failure::Read(111))),
        "udp-silent" => {
            (Kind::Udp, |_, _| UdpPattern { require_reply: true, ..UdpPattern::default() }.silence().into())
        }
        "udp-mismatch" => (Kind::Udp, |_, _| datagram("abcd", b"XXXX")),
        "udp-refused" => (Kind::Udp, |_, _| Attempt::Failed(Failure::Refused)),
        "ping-silent" => (Kind::Ping, |_, _| Attempt::Failed(Failure::ReadTimeout)),
        "misc-exit" => (Kind::Misc, |_, _| Attempt::Script(ScriptEnd::Exited(3))),
        "misc-kill" => (Kind::Misc, |_, _| Attempt::Script(ScriptEnd::Signaled(10))),
        "misc-sleep" => (Kind::Misc, |_, _| Attempt::Script(ScriptEnd::TimedOut)),
        other => panic!("no server fails as {other}"),
    };
    let mut urls = match kind {
        Kind::Http if name == "http-two" => vec![url("/one"), url("/two")],
        Kind::Http => vec![url("/x?y=z")],
        _ => Vec::new(),
    };
    if name == "http-digest" {
        // md5sum of `hello world` and a line end.
        urls.iter_mut()
            .for_each(|url| url.digests = vec![0x6f59_02ac_2370_24bd_d0c1_76cb_9306_3dc4_u128.to_be_bytes()]);
    }
    if name == "http-regex" {
        let pattern = Pattern::compile("wor.d", &[], Conditions::default()).expect("a pattern");
        urls.iter_mut().for_each(|url| url.regex = Some(pattern.clone()));
    }
    Server { kind, urls, fail }
}

fn well(server: &Server, url: usize) -> Attempt {
    match server.kind {
        Kind::Http => page(server.url(url), WELL),
        Kind::Smtp => {
            let mut talk = SmtpTalk::new();
            assert_eq!(talk.feed("me", b"220 me ESMTP\r\n"), Turn::Send(b"HELO me\r\n".to_vec()));
            assert_eq!(talk.feed("me", b"250 hi\r\n"), Turn::Send(b"QUIT\r\n".to_vec()));
            assert_eq!(talk.feed("me", b"221 bye\r\n"), Turn::Done(Ok(())));
            Attempt::Passed
        }
        Kind::Udp => datagram("abcd", b"abcd"),
        Kind::Misc => Attempt::Script(ScriptEnd::Exited(0)),
        _ => Attempt::Passed,
    }
}

/// What is logged of a server, with its verdicts where they change something.
fn run(name: &str, variant: &str) -> Vec<String> {
    let server = server(name);
    let starts_down = matches!(variant, "d" | "q") && server.kind != Kind::Ping;
    let settings = Settings {
        kind: server.kind,
        delay_loop: Duration::from_secs(1),
        delay_before_retry: Duration::from_millis(200),
        warmup: Duration::ZERO,
        retry: if variant == "r" { 0 } else { 2 },
        urls: u16::try_from(server.urls.len()).unwrap(),
        alpha: matches!(variant, "p" | "q"),
        fast_recovery: false,
        log_all_failures: variant == "a",
        dynamic: false,
    };
    let address: SocketAddr = "192.0.2.1:8000".parse().unwrap();
    let names = Names {
        real_server: "[192.0.2.1]:tcp:8000",
        virtual_server: "[192.0.2.100]:tcp:80",
        address,
        destination: address,
        script: "/usr/bin/misc",
        urls: &server.urls,
    };
    let mut retry = Retry::new(&settings);
    let mut said = Vec::new();
    let phases: &[bool] = if starts_down { &[false, true] } else { &[true, false, true] };
    for well_now in phases {
        for _ in 0..9 {
            let attempt = match well_now {
                true => well(&server, retry.url()),
                false => (server.fail)(&server, retry.url()),
            };
            let was_up = retry.up();
            let step = retry.finish(&settings, attempt, Duration::ZERO);
            said.extend(step.lines.iter().flatten().map(|line| line.display(&names).to_string()));
            if let Some(verdict) = step.verdict {
                assert_eq!(verdict.changed, was_up != verdict.up);
                assert_eq!(retry.up(), verdict.up);
                if verdict.changed {
                    said.push(if verdict.up { "=> up" } else { "=> down" }.to_owned());
                }
            } else {
                assert_eq!(retry.up(), was_up);
            }
            assert!(step.wait >= settings.delay_before_retry);
        }
    }
    said
}

#[test]
fn the_log_is_keepaliveds() {
    let mut parts = 0;
    for part in RECORDED.split("\n# ").skip(1) {
        let mut lines = part.lines().filter(|line| !line.is_empty());
        let (name, variant) = lines.next().and_then(|title| title.split_once(' ')).expect("a title");
        let recorded: Vec<&str> = lines.collect();
        assert_eq!(run(name, variant), recorded, "{name} {variant}");
        parts += 1;
    }
    assert_eq!(parts, 26 * 5);
}

const FLAPPING: &str = include_str!("data/keepalived-2.2.7-flapping.txt");
/// The configured weight of the flapping servers.
const CONFIGURED: u16 = 4;

/// What is logged of a server that answers by a script and then well.
fn flap(title: &str, script: &[u8]) -> Vec<String> {
    let has = |word: &str| title.split(' ').any(|said| said == word);
    let number = |name: &str| {
        let said = title.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        said.map_or(0, |number| number.parse().unwrap())
    };
    let (kind, failure) = match title.split(' ').next() {
        Some("http") => (Kind::Http, Failure::Status(500)),
        Some("smtp") => (Kind::Smtp, Failure::Banner),
        Some("dns") => (Kind::Dns, Failure::Rcode(2)),
        Some("udp") => (Kind::Udp, Failure::Mismatch),
        Some("misc") => (Kind::Misc, Failure::Refused),
        other => panic!("{other:?}"),
    };
    let settings = Settings {
        kind,
        delay_loop: Duration::from_secs(1),
        delay_before_retry: Duration::from_millis(200),
        warmup: Duration::ZERO,
        retry: number("retry"),
        urls: u16::try_from(number("urls")).unwrap(),
        alpha: has("alpha"),
        fast_recovery: has("fast"),
        log_all_failures: has("log"),
        dynamic: has("dynamic"),
    };
    let urls: Vec<Url> =
        (0..settings.urls).map(|index| Url { path: format!("/{index}"), ..Url::default() }).collect();
    let address: SocketAddr = "192.0.2.1:8000".parse().unwrap();
    let names = Names {
        real_server: "[192.0.2.1]:tcp:8000",
        virtual_server: "[192.0.2.100]:tcp:80",
        address,
        destination: address,
        script: "/usr/bin/misc",
        urls: &urls,
    };
    let (mut retry, mut weight, mut said) = (Retry::new(&settings), CONFIGURED, Vec::new());
    for &answer in script.iter().chain(&[0; 12]) {
        let attempt = match (kind, answer) {
            (Kind::Misc, status) => Attempt::Script(ScriptEnd::Exited(status)),
            (Kind::Http, 0) => Attempt::Page { result: Ok(Proof::Status), lengths: None },
            (Kind::Http, _) => Attempt::Page { result: Err(failure), lengths: None },
            (_, 0) => Attempt::Passed,
            _ => Attempt::Failed(failure),
        };
        let was_up = retry.up();
        let step = retry.finish(&settings, attempt, Duration::ZERO);
        let new = match step.weight {
            None => weight,
            Some(Weight::Absolute(absolute)) => absolute,
            Some(Weight::Configured | Weight::Forgotten) => CONFIGURED,
        };
        if new != weight && step.weight != Some(Weight::Forgotten) {
            let active = if was_up { "active" } else { "inactive" };
            said.push(format!(
                "Changing weight from {weight} to {new} for {active} service {} of VS {}",
                names.real_server, names.virtual_server
            ));
        }
        weight = new;
        said.extend(step.lines.iter().flatten().map(|line| line.display(&names).to_string()));
        if let Some(verdict) = step.verdict.filter(|verdict| verdict.changed) {
            said.push(if verdict.up { "=> up" } else { "=> down" }.to_owned());
        }
    }
    said
}

#[test]
fn flapping_servers_are_judged_as_keepalived_does() {
    let mut parts = 0;
    for part in FLAPPING.split("\n# ").skip(1) {
        let mut lines = part.lines().filter(|line| !line.is_empty());
        let title = lines.next().expect("a title");
        let script = lines.next().and_then(|line| line.strip_prefix("script ")).expect("a script");
        let script: Vec<u8> = script.split(' ').map(|status| status.parse().unwrap()).collect();
        let recorded: Vec<&str> = lines.collect();
        assert_eq!(flap(title, &script), recorded, "{title} {script:?}");
        parts += 1;
    }
    assert_eq!(parts, 66);
}
