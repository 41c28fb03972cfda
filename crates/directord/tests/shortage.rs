//! This process is short of descriptors: checks wait, and no server is taken for down. Alone in its process, whose limits it
//! changes.

use directord::plan::{CheckerId, CheckerPlan};
use directord::probe::{Prober, Shared, Verdict};
use keepalived_conf::{Memory, Options, Unknown, load};
use notice::log::{Log, LogOptions};
use notice::mailbox::Mailbox;
use reactor::{ListenOptions, Listener, SockAddr, process};
use std::fs::File;
use std::rc::Rc;
use std::time::Duration;

async fn until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        reactor::sleep_until(reactor::now() + Duration::from_millis(2)).await;
    }
}

/// `count` servers with this checker.
fn plans(count: usize, checker: &str) -> Vec<CheckerPlan> {
    let mut text =
        "virtual_server 192.0.2.1 80 {\n protocol TCP\n lb_algo rr\n lb_kind NAT\n delay_loop 0.05\n \
                    warmup 0\n retry 0\n"
            .to_owned();
    for number in 1..=count {
        text += &format!("real_server 127.0.0.1 {number} {{\n{checker}\n}}\n");
    }
    text += "}\n";
    let options = Options { path: "/k.conf".into(), ..Options::default() };
    let config = load(&options, &Memory::of("/k.conf", text), &Unknown).config;
    let checkers = config.virtual_servers.iter().flat_map(|service| &service.real_servers);
    let checkers = checkers.flat_map(|server| &server.checkers);
    let plan = |(number, checker)| CheckerPlan {
        id: CheckerId(number),
        checker: Rc::new(checker),
        real: format!("[127.0.0.1]:tcp:{}", number + 1).into(),
        service: "[192.0.2.1]:tcp:80".into(),
        log_all_failures: false,
        up: true,
    };
    (0..).zip(checkers.cloned()).map(plan).collect()
}

fn prober(verdicts: &Mailbox<(CheckerId, Verdict)>) -> Prober {
    Prober::new(Shared {
        log: Rc::new(Log::new(LogOptions { facility: None, ..LogOptions::default() })),
        global: Rc::default(),
        ssl: None,
        files: Vec::new(),
        seed: 1,
        verdicts: verdicts.clone(),
    })
}

#[test]
fn checks_wait_for_descriptors() {
    reactor::run(reactor::Settings::default(), async {
        // Few enough that they can be used up.
        let (_, hard) = process::open_files().unwrap();
        process::set_open_files(128, hard).unwrap();
        let any = SockAddr::Ip("127.0.0.1:0".parse().unwrap());
        let listener = Listener::bind(&any, &ListenOptions::default()).unwrap();
        let port = listener.local_addr().unwrap().ip().unwrap().port();
        let verdicts = Mailbox::default();
        let mut first = prober(&verdicts);
        let mut hoard = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            hoard.push(file);
        }
        for plan in plans(3, &format!("TCP_CHECK {{\n connect_port {port}\n}}")) {
            first.start(plan);
        }
        until(|| first.counters().shortages >= 3).await;
        assert_eq!(verdicts.take(), None, "a server was judged by our own want");
        assert_eq!(first.counters().attempts, 0);
        drop(hoard);
        until(|| first.counters().attempts >= 3).await;
        for _ in 0..3 {
            let (_, verdict) = verdicts.take().unwrap();
            assert!(verdict.up, "{verdict:?}");
        }
    })
    .unwrap();
}
