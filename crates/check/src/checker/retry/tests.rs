use super::*;
use crate::checker::Names;
use proptest::prelude::*;

const KINDS: [Kind; 8] =
    [Kind::Tcp, Kind::Http, Kind::Ssl, Kind::Smtp, Kind::Dns, Kind::Udp, Kind::Ping, Kind::Misc];
const LOOP: Duration = Duration::from_secs(6);
const PAUSE: Duration = Duration::from_secs(1);

fn settings(kind: Kind, retry: u32) -> Settings {
    Settings {
        kind,
        delay_loop: LOOP,
        delay_before_retry: PAUSE,
        warmup: Duration::ZERO,
        retry,
        urls: if kind.asks_urls() { 1 } else { 0 },
        alpha: false,
        fast_recovery: false,
        log_all_failures: false,
        dynamic: false,
    }
}

fn attempt(kind: Kind, well: bool) -> Attempt {
    match (kind, well) {
        (Kind::Misc, well) => Attempt::Script(ScriptEnd::Exited(u8::from(!well))),
        (_, true) => Attempt::Passed,
        (_, false) => Attempt::Failed(Failure::Refused),
    }
}

/// For each attempt of a script (`+` well, `-` not): how long to wait for the next, in seconds, and the verdict.
fn run(settings: &Settings, script: &str) -> String {
    let mut retry = Retry::new(settings);
    let mut said = String::new();
    for well in script.chars() {
        let step = retry.finish(settings, attempt(settings.kind, well == '+'), Duration::ZERO);
        said += &step.wait.as_secs().to_string();
        said += match step.verdict {
            Some(Verdict { up: true, changed: true, .. }) => "U ",
            Some(Verdict { up: true, changed: false, .. }) => "u ",
            Some(Verdict { up: false, changed: true, .. }) => "D ",
            Some(Verdict { up: false, changed: false, .. }) => "d ",
            None => " ",
        };
    }
    said.trim_end().to_owned()
}

#[test]
fn a_checker_is_small() {
    assert!(size_of::<Retry>() <= 32, "{}", size_of::<Retry>());
    assert!(size_of::<Settings>() <= 64, "{}", size_of::<Settings>());
}

#[test]
fn waits_and_verdicts() {
    let script = "++---++---+-";
    let tries = |kind, retry| run(&settings(kind, retry), script);
    for kind in KINDS.into_iter().filter(|kind| !kind.asks_urls()) {
        assert_eq!(tries(kind, 0), "6u 6 6D 6 6 6U 6 6D 6 6 6U 6D", "{kind:?}");
    }
    // A server that is down is tried again soon by some, and not before the next round by others.
    for kind in [Kind::Tcp, Kind::Smtp] {
        assert_eq!(tries(kind, 1), "6u 6 1 6D 1 6U 6 1 6D 1 6U 1", "{kind:?}");
    }
    for kind in [Kind::Udp, Kind::Ping, Kind::Dns, Kind::Misc] {
        assert_eq!(tries(kind, 1), "6u 6 1 6D 6 6U 6 1 6D 6 6U 1", "{kind:?}");
    }
    // The url that failed passes first, then all do.
    for kind in [Kind::Http, Kind::Ssl] {
        assert_eq!(tries(kind, 1), "6u 6 1 6D 6 6 6U 1 6D 6 6 1", "{kind:?}");
        assert_eq!(run(&settings(kind, 0), "+-++-"), "6u 6D 6 6U 6D");
    }
}

#[test]
fn the_first_round_has_no_retries() {
    for kind in KINDS {
        let expected = match kind {
            Kind::Smtp => "1 1 1 6D 1",
            Kind::Tcp => "6D 1 1 1 6",
            _ => "6D 6 6 6 6",
        };
        assert_eq!(run(&settings(kind, 3), "-----"), expected, "{kind:?}");
    }
}

#[test]
fn alpha() {
    for kind in KINDS {
        let alpha = |retry| Settings { alpha: true, ..settings(kind, retry) };
        assert!(!Retry::new(&alpha(1)).up());
        assert_eq!(run(&alpha(1), "+"), "6U", "{kind:?}");
        let first_failure = match kind {
            // It goes on as it was, without a word.
            Kind::Http | Kind::Ssl => "6 6 6U",
            Kind::Smtp => "1 6U 6",
            _ => "6d 6U 6",
        };
        assert_eq!(run(&alpha(1), "-++"), first_failure, "{kind:?}");
    }
}

#[test]
fn fast_recovery_asks_all_urls_at_once() {
    let fast = Settings { fast_recovery: true, urls: 3, ..settings(Kind::Http, 0) };
    let slow = Settings { fast_recovery: false, ..fast };
    assert_eq!(run(&fast, "++++++-++++"), "0 0 6u 6 6 6 6D 0 0 0 6U");
    assert_eq!(run(&slow, "++++++-++++"), "6 6 6u 6 6 6 6D 6 6 6 6U");
    // What fails on the way back does not make it spin.
    assert_eq!(run(&fast, "+++-+--+++"), "0 0 6u 6D 0 1 1 0 0 6U");
}

#[test]
fn the_longer_pause_counts_for_a_url_that_failed() {
    let slow = Settings { delay_before_retry: Duration::from_secs(9), ..settings(Kind::Http, 1) };
    assert_eq!(run(&slow, "+----"), "6u 9 9D 9 9");
}

#[test]
fn scripts_run_from_start_to_start() {
    let misc = settings(Kind::Misc, 1);
    let mut retry = Retry::new(&misc);
    let mut wait =
        |well, took| retry.finish(&misc, attempt(Kind::Misc, well), Duration::from_secs(took)).wait;
    assert_eq!(wait(true, 2), Duration::from_secs(4));
    assert_eq!(wait(true, 60), Duration::from_micros(1));
    assert_eq!(wait(false, 0), PAUSE);
    assert_eq!(wait(false, 5), PAUSE);
}

#[test]
fn weights_of_scripts() {
    let misc = Settings { dynamic: true, ..settings(Kind::Misc, 0) };
    let mut retry = Retry::new(&misc);
    let mut weight = |status| {
        let step = retry.finish(&misc, Attempt::Script(ScriptEnd::Exited(status)), Duration::ZERO);
        (step.weight, step.verdict.map(|verdict| verdict.up))
    };
    assert_eq!(weight(0), (None, Some(true)));
    assert_eq!(weight(12), (Some(Weight::Absolute(10)), None));
    assert_eq!(weight(12), (None, None));
    assert_eq!(weight(2), (Some(Weight::Absolute(0)), None));
    assert_eq!(weight(0), (Some(Weight::Configured), None));
    assert_eq!(weight(255), (Some(Weight::Absolute(253)), None));
    assert_eq!(weight(1), (Some(Weight::Forgotten), Some(false)));
    assert_eq!(weight(1), (None, None));
    assert_eq!(weight(0), (Some(Weight::Configured), Some(true)));
}

#[test]
fn a_difference_in_length_is_said_once() {
    let settings = Settings { urls: 2, ..settings(Kind::Http, 0) };
    let mut retry = Retry::new(&settings);
    let mut said = |received| {
        let lengths = (received != 9).then_some(Lengths { said: 9, received });
        let step =
            retry.finish(&settings, Attempt::Page { result: Ok(Proof::Status), lengths }, Duration::ZERO);
        step.lines.iter().flatten().filter(|line| matches!(line.what, What::Lengths(..))).count()
    };
    assert_eq!([9, 5, 9, 5].map(&mut said), [0, 1, 0, 0]);
    assert_eq!([4, 5, 9, 9].map(&mut said), [1, 0, 0, 0]);
    assert_eq!([9, 5].map(&mut said), [0, 1]);
}

#[test]
fn reloads() {
    let before = settings(Kind::Tcp, 3);
    let mut old = Retry::new(&before);
    assert!(!old.kept(&before).has_run());
    old.finish(&before, Attempt::Passed, Duration::ZERO);
    for tried in 1..=3 {
        old.finish(&before, attempt(Kind::Tcp, false), Duration::ZERO);
        assert_eq!(old.kept(&before).tried(), tried.min(2), "one more failure is enough");
    }
    assert_eq!(old.kept(&settings(Kind::Tcp, 2)).tried(), 1);
    assert_eq!(old.kept(&settings(Kind::Tcp, 0)).tried(), 0);
    old.finish(&before, attempt(Kind::Tcp, false), Duration::ZERO);
    let kept = old.kept(&Settings { alpha: true, ..before });
    assert!(!kept.up() && kept.has_run());
    let added = Retry::added();
    assert!(added.up() && !added.has_run() && added.tried() == 0);
}

fn names(address: &str) -> Names<'static> {
    let address = address.parse().unwrap();
    Names {
        real_server: "[RS]:tcp:80",
        virtual_server: "[VS]:tcp:80",
        address,
        destination: address,
        script: "/bin/x",
        urls: &[],
    }
}

#[test]
fn what_could_not_be_begun_does_not_count() {
    let line = |kind, obstacle, address| {
        let step = Retry::new(&settings(kind, 1)).put_off(&settings(kind, 1), obstacle);
        assert_eq!((step.wait, step.verdict), (LOOP, None));
        step.lines[0].unwrap().display(&names(address)).to_string()
    };
    let v4 = |kind, obstacle| line(kind, obstacle, "192.0.2.1:80");
    assert_eq!(v4(Kind::Tcp, Obstacle::Socket), "TCP connect fail to create socket. Rescheduling.");
    assert_eq!(v4(Kind::Tcp, Obstacle::Bind), "TCP socket bind failed. Rescheduling.");
    assert_eq!(v4(Kind::Ssl, Obstacle::Socket), "WEB connection fail to create socket. Rescheduling.");
    assert_eq!(v4(Kind::Http, Obstacle::Bind), "WEB socket bind failed. Rescheduling");
    assert_eq!(
        v4(Kind::Smtp, Obstacle::Socket),
        "SMTP_CHECK connection failed to create socket. Rescheduling."
    );
    assert_eq!(v4(Kind::Smtp, Obstacle::Bind), "SMTP_CHECK socket bind failed. Rescheduling.");
    assert_eq!(
        v4(Kind::Dns, Obstacle::Socket),
        "DNS_CHECK ([RS]:tcp:80) failed to create socket. Rescheduling."
    );
    assert_eq!(
        v4(Kind::Dns, Obstacle::Bind),
        "DNS_CHECK ([RS]:tcp:80) UDP socket bind failed. Rescheduling."
    );
    assert_eq!(v4(Kind::Udp, Obstacle::Socket), "UDP connect fail to create socket. Rescheduling.");
    assert_eq!(v4(Kind::Ping, Obstacle::Socket), "ICMP connect fail to create socket. Rescheduling.");
    assert_eq!(
        line(Kind::Ping, Obstacle::Socket, "[2001:db8::1]:80"),
        "ICMPv6 connect fail to create socket. Rescheduling."
    );
}

/// The lines and the mail of a failure that takes a server down.
fn failing(kind: Kind, attempt: Attempt, log_all_failures: bool, address: &str) -> (Vec<String>, String) {
    let settings = Settings { log_all_failures, ..settings(kind, 0) };
    let mut retry = Retry::new(&settings);
    retry.finish(&settings, self::attempt(kind, true), Duration::ZERO);
    let step = retry.finish(&settings, attempt, Duration::ZERO);
    let names = names(address);
    let lines = step.lines.iter().flatten().map(|line| line.display(&names).to_string()).collect();
    let mail = step.verdict.and_then(|verdict| verdict.mail).expect("a mail").display(&names).to_string();
    (lines, mail)
}

#[test]
fn mails_and_rare_lines() {
    let failed = |kind, failure, address| failing(kind, Attempt::Failed(failure), true, address);
    let v4 = "192.0.2.1:25";
    let (lines, mail) = failed(Kind::Smtp, Failure::Unreachable, v4);
    assert_eq!(lines, ["SMTP_CHECK Network unreachable for server 192.0.2.1 - real server [192.0.2.1]:25"]);
    assert_eq!(
        mail,
        "=> CHECK failed on service : Network unreachable for server 192.0.2.1 - real server [192.0.2.1]:25 <="
    );
    let (lines, mail) = failed(Kind::Dns, Failure::Unreachable, v4);
    assert_eq!(lines, ["DNS_CHECK ([RS]:tcp:80) network unreachable for [192.0.2.1]:25 after 0 retries"]);
    assert_eq!(mail, "=> DNS_CHECK: failed on service <=");
    let (lines, mail) = failed(Kind::Tcp, Failure::Unreachable, v4);
    assert_eq!(lines, ["TCP_CHECK on service [RS]:tcp:80 failed."], "nothing was connected to");
    assert_eq!(mail, "=> TCP CHECK failed on service <=");
    assert_eq!(failed(Kind::Tcp, Failure::ConnectTimeout, v4).0[0], "TCP connection to [RS]:tcp:80 timeout.");
    let (lines, mail) = failed(Kind::Ssl, Failure::Handshake, v4);
    assert_eq!(lines[0], "SSL handshake/communication error connecting to server [RS]:tcp:80.");
    assert_eq!(mail, "=> CHECK failed on service : HTTP request failed <=");
    assert_eq!(failed(Kind::Ssl, Failure::ReadTimeout, v4).0[0], "Timeout SSL read server [RS]:tcp:80.");
    assert_eq!(failed(Kind::Udp, Failure::Unreachable, v4).0, ["UDP_CHECK on service [RS]:tcp:80 failed."]);
    let (lines, mail) = failed(Kind::Ping, Failure::EchoType(3), "[2001:db8::1]:0");
    assert_eq!(
        lines,
        [
            "Got ICMPv6 packet with type 0x3",
            "ICMP connection to [RS]:tcp:80 of [VS]:tcp:80 failed.",
            "ICMP CHECK on service [RS]:tcp:80 failed."
        ]
    );
    assert_eq!(mail, "=> ICMP CHECK failed on service <=");
    assert_eq!(failed(Kind::Ping, Failure::ShortEcho(5), v4).0[0], "Error, got short ICMP packet, 5 bytes");
    assert_eq!(
        failed(Kind::Ping, Failure::Write(1), v4).0,
        ["send ICMP packet fail", "ICMP CHECK on service [RS]:tcp:80 failed."]
    );
    let (_, mail) = failing(Kind::Misc, Attempt::Script(ScriptEnd::TimedOut), true, v4);
    assert_eq!(mail, "=> MISC CHECK timed out on service <=");
    let (_, mail) = failing(Kind::Misc, Attempt::Script(ScriptEnd::Signaled(11)), true, v4);
    assert_eq!(mail, "=> MISC CHECK failed on service <=");
}

proptest! {
    #[test]
    fn verdicts_are_news(
        kind in proptest::sample::select(&KINDS[..]), retry in 0u32..4, urls in 1u16..4,
        alpha: bool, fast_recovery: bool, log_all_failures: bool, script in "[+-]{0,60}",
    ) {
        let settings = Settings {
            alpha, fast_recovery, log_all_failures,
            urls: if kind.asks_urls() { urls } else { 0 },
            ..settings(kind, retry)
        };
        let mut state = Retry::new(&settings);
        let (mut failures, mut wells, mut ran) = (0, 0, false);
        for well in script.chars().map(|char| char == '+') {
            let before = (state.up(), state.has_run());
            let step = state.finish(&settings, attempt(kind, well), Duration::ZERO);
            failures = if well { 0 } else { failures + 1 };
            wells += u16::from(well);
            prop_assert!(state.url() < usize::from(urls.max(1)));
            match step.verdict {
                None => prop_assert_eq!(state.up(), before.0),
                Some(verdict) => {
                    prop_assert_eq!(verdict.up, well);
                    prop_assert_eq!(state.up(), well);
                    prop_assert_eq!(verdict.changed, before.0 != well);
                    prop_assert!(verdict.changed || !before.1, "news");
                    prop_assert!(verdict.mail.is_none() || verdict.changed || kind == Kind::Misc);
                    // Down needs all its retries, but in the first round; up of a web server needs all its urls.
                    prop_assert!(well || failures > retry || !ran);
                    prop_assert!(well || failures > retry || kind != Kind::Smtp);
                    prop_assert!(!well || wells >= settings.urls);
                    wells = 0;
                    ran = true;
                }
            }
            ran |= well && !kind.asks_urls();
            prop_assert!(step.wait >= PAUSE || (well && fast_recovery));
            prop_assert!(step.wait <= LOOP);
            prop_assert!(log_all_failures || step.lines.iter().flatten().count() <= 2);
        }
    }
}
