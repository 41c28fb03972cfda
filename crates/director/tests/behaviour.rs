//! Slow start, drain, weights, presence, mail, flushing, repairs.

#![allow(clippy::unwrap_used, reason = "a test may stop")]

mod stage;

use director::plane::{Change, DataPlane as _, Destination, Forwarding, Scheduler, Table};
use director::{
    Cause, Checker, Config, FlushOnStop, Hook, RealServer, RealServerId, Settings, Verdict, VirtualServer,
    VirtualServerId, Weight,
};
use stage::{Stage, address, checker, server, service, sorry};
use std::time::Duration;

fn one(service: VirtualServer) -> Config {
    Config { settings: Settings::default(), virtual_servers: vec![service] }
}

fn pair() -> VirtualServer {
    VirtualServer {
        real_servers: vec![server("10.1.0.1", 80, 1, &["a"]), server("10.1.0.2", 80, 2, &["b"])],
        ..service("10.0.0.1", 80)
    }
}

fn weight(stage: &Stage, server: &str) -> Option<u32> {
    let entry = stage.plane.current().values().next()?;
    entry.destinations.iter().find(|one| one.key.address == address(server)).map(|one| one.weight)
}

#[test]
fn a_server_that_returns_starts_slowly() {
    let mut config = pair();
    config.real_servers[0].slow_start = Duration::from_secs(19);
    let mut stage = Stage::start(one(config.clone()));
    // All weights of the service are multiplied, and at the start there is nothing to be slow about.
    assert_eq!((weight(&stage, "10.1.0.1"), weight(&stage, "10.1.0.2")), (Some(100), Some(200)));
    stage.check(0, false);
    stage.check(0, true);
    let mut seen = vec![weight(&stage, "10.1.0.1").unwrap()];
    for _ in 0..25 {
        stage.pass(Duration::from_secs(1));
        seen.push(weight(&stage, "10.1.0.1").unwrap());
    }
    let expected: Vec<u32> = (1..=20).map(|step| step * 5).chain([100; 6]).collect();
    assert_eq!(seen, expected);
    assert_eq!(weight(&stage, "10.1.0.2"), Some(200));
    let lines = stage.lines();
    assert!(
        lines
            .contains(&"Slow start of service [10.1.0.1]:tcp:80 of VS [10.0.0.1]:tcp:80 for 19 s".to_owned())
    );
    assert!(
        lines.contains(&"Slow start of service [10.1.0.1]:tcp:80 of VS [10.0.0.1]:tcp:80 is over".to_owned())
    );
    // In the middle of it: a weight that changes, a reload, and death.
    stage.check(0, false);
    stage.check(0, true);
    stage.pass(Duration::from_secs(9));
    assert_eq!(weight(&stage, "10.1.0.1"), Some(50));
    config.real_servers[0].weight = 4;
    stage.reload(one(config));
    assert_eq!(weight(&stage, "10.1.0.1"), Some(200));
    stage.pass(Duration::from_secs(1));
    assert_eq!(weight(&stage, "10.1.0.1"), Some(220));
    stage.check(0, false);
    assert_eq!(stage.director.poll_timeout(), None);
    // With an algorithm that has no use for it nothing is multiplied.
    let mut config = pair();
    config.scheduler = Scheduler::SourceHash;
    config.real_servers[0].slow_start = Duration::from_secs(19);
    let stage = Stage::start(one(config));
    assert_eq!(weight(&stage, "10.1.0.1"), Some(1));
}

#[test]
fn a_server_that_is_dropped_drains_first() {
    let mut config = pair();
    config.real_servers[0].drain = Duration::from_secs(60);
    let without = VirtualServer { real_servers: vec![config.real_servers[1].clone()], ..config.clone() };
    let drained = |stage: &mut Stage, active| {
        let mut counted = stage.plane.statistics().unwrap();
        for one in counted.values_mut().flat_map(|one| one.destinations.values_mut()) {
            (one.active, one.inactive) = (active, 7);
        }
        stage.director.handle_connections(stage.now, &counted);
        stage.act();
    };
    let mut stage = Stage::start(one(config.clone()));
    let (_, _) = (stage.lines(), stage.take_fifo());
    stage.reload(one(without.clone()));
    assert_eq!(weight(&stage, "10.1.0.1"), Some(0));
    assert!(stage.director.is_draining());
    assert_eq!(
        stage.lines(),
        [
            "service [10.1.0.1]:tcp:80 no longer exist",
            "Draining service [10.1.0.1]:tcp:80 of VS [10.0.0.1]:tcp:80 for at most 60 s",
        ]
    );
    assert_eq!(stage.take_fifo(), ["RS [10.1.0.1]:tcp:80 [10.0.0.1]:tcp:80 DOWN"]);
    drained(&mut stage, 1);
    assert_eq!(weight(&stage, "10.1.0.1"), Some(0));
    drained(&mut stage, 0);
    assert_eq!(weight(&stage, "10.1.0.1"), None);
    assert_eq!(stage.lines(), ["Removing service [10.1.0.1]:tcp:80 from VS [10.0.0.1]:tcp:80"]);
    // Its time is over.
    stage.reload(one(config.clone()));
    stage.reload(one(without.clone()));
    stage.pass(Duration::from_secs(59));
    assert_eq!(weight(&stage, "10.1.0.1"), Some(0));
    stage.pass(Duration::from_secs(1));
    assert_eq!(weight(&stage, "10.1.0.1"), None);
    // It is configured again meanwhile: it does not leave for a moment.
    stage.reload(one(config.clone()));
    stage.reload(one(without));
    stage.changes.clear();
    stage.reload(one(config));
    assert_eq!(weight(&stage, "10.1.0.1"), Some(1));
    assert!(matches!(stage.changes.as_slice(), [Change::EditDestination(..)]), "{:?}", stage.changes);
    assert!(!stage.director.is_draining());
    assert_eq!(stage.refused, None);
}

#[test]
fn checkers_set_weights_and_quorums_count_them() {
    let mut config = pair();
    config.quorum = 3;
    let mut stage = Stage::start(one(config));
    let set = |weight| Verdict { weight: Some(weight), ..Verdict::new(true, "ok", "") };
    let _ = stage.lines();
    stage.verdict(1, set(Weight::Exactly(1)));
    assert_eq!(
        stage.lines(),
        [
            "Changing weight from 2 to 1 for active service [10.1.0.2]:tcp:80 of VS [10.0.0.1]:tcp:80",
            "Lost quorum 3-0=3 > 2 for VS [10.0.0.1]:tcp:80",
        ]
    );
    assert_eq!(weight(&stage, "10.1.0.2"), Some(1));
    stage.verdict(1, set(Weight::Plus(70_000)));
    assert_eq!(weight(&stage, "10.1.0.2"), Some(70_002));
    stage.verdict(1, set(Weight::Plus(-9)));
    assert_eq!(weight(&stage, "10.1.0.2"), Some(0));
    stage.verdict(1, set(Weight::Configured));
    assert_eq!(weight(&stage, "10.1.0.2"), Some(2));
    // Of a server that is down it is noted.
    stage.check(1, false);
    let _ = stage.lines();
    stage.verdict(1, Verdict { weight: Some(Weight::Exactly(5)), ..Verdict::new(false, "no", "") });
    assert_eq!(
        stage.lines(),
        ["Changing weight from 2 to 5 for inactive service [10.1.0.2]:tcp:80 of VS [10.0.0.1]:tcp:80"]
    );
    stage.check(1, true);
    assert_eq!(weight(&stage, "10.1.0.2"), Some(5));
}

#[test]
fn a_file_that_says_so_keeps_a_server_down_from_the_start() {
    let mut config = pair();
    let known = |up, plus| Some(Verdict { weight: Some(Weight::Plus(plus)), ..Verdict::new(up, "file", "") });
    config.real_servers[0].checkers = vec![Checker { known: known(false, 0), ..checker("f") }];
    config.real_servers[1].checkers = vec![Checker { known: known(true, 3), ..checker("g") }];
    let mut stage = Stage::start(one(config.clone()));
    assert_eq!((weight(&stage, "10.1.0.1"), weight(&stage, "10.1.0.2")), (None, Some(5)));
    config.real_servers[0].checkers[0].known = known(true, 0);
    config.real_servers[1].checkers[0].known = known(false, 0);
    stage.reload(one(config));
    assert_eq!((weight(&stage, "10.1.0.1"), weight(&stage, "10.1.0.2")), (Some(1), None));
}

#[test]
fn checkers_rest_while_the_address_is_elsewhere() {
    let mut config = pair();
    config.ha_suspend = true;
    let mut stage = Stage::start(one(config));
    let id = director::CheckerId;
    assert_eq!(stage.activity, [(id(0), false), (id(1), false)]);
    stage.check(0, false);
    assert_eq!(weight(&stage, "10.1.0.1"), Some(1), "what a suspended checker says is not heard");
    stage.activity.clear();
    stage.director.handle_presence(stage.now, address("10.0.0.9"), true);
    stage.director.handle_presence(stage.now, address("10.0.0.1"), true);
    stage.act();
    assert_eq!(stage.activity, [(id(0), true), (id(1), true)]);
    let last = stage.events.last().unwrap().to_string();
    assert_eq!(last, "Activating healthchecker for service [10.1.0.2]:tcp:80 for VS [10.0.0.1]:tcp:80");
    stage.check(0, false);
    assert_eq!(weight(&stage, "10.1.0.1"), None);
    stage.director.handle_presence(stage.now, address("10.0.0.1"), false);
    stage.act();
    let last = stage.events.last().unwrap().to_string();
    assert_eq!(last, "Suspending healthchecker for service [10.1.0.2]:tcp:80 for VS [10.0.0.1]:tcp:80");
}

#[test]
fn mails_have_keepalived_s_subjects_and_bodies() {
    let mut config = pair();
    config.smtp_alert = true;
    config.quorum = 3;
    config.omega = true;
    for server in &mut config.real_servers {
        server.smtp_alert = true;
    }
    let mut stage = Stage::start(one(config));
    let mail = |subject: &str, body: &str| (subject.to_owned(), body.to_owned());
    stage.check(0, false);
    stage.stop();
    let server = "Realserver [10.1.0.1]:tcp:80 of virtual server [10.0.0.1]:tcp:80 - DOWN";
    assert_eq!(
        stage.mails,
        [
            mail("Virtualserver [10.0.0.1]:tcp:80 - UP", "=> Starting with quorum up 3+0=3 <= 3 <="),
            mail("Virtualserver [10.0.0.1]:tcp:80 - DOWN", "=> Lost quorum 3+0=3 <= 2 <="),
            mail(server, "=> CHECK failed on service <="),
            mail(
                "Realserver [10.1.0.2]:tcp:80 of virtual server [10.0.0.1]:tcp:80 - DOWN",
                "=> Shutting down <="
            ),
        ]
    );
    assert_eq!(
        stage.scripts,
        [
            (Hook::QuorumUp(VirtualServerId(0)), false),
            (Hook::Down(RealServerId(0)), false),
            (Hook::QuorumDown(VirtualServerId(0)), false),
            (Hook::Down(RealServerId(1)), true),
        ]
    );
}

#[test]
fn changes_carry_what_the_checker_found() {
    let mut stage = Stage::start(one(pair()));
    let verdict = Verdict::new(false, "connection refused", "");
    stage.director.handle_check(stage.now, director::CheckerId(0), &verdict);
    let mut causes = Vec::new();
    while let Some(action) = stage.director.poll_action() {
        if let director::Action::Change(_, cause) = action {
            causes.push(cause.to_string());
        }
    }
    assert_eq!(causes, ["MISC_CHECK: connection refused"]);
    let state = stage.director.real_server(RealServerId(0)).unwrap();
    assert_eq!((state.up, state.cause.to_string()), (false, "MISC_CHECK: connection refused".to_owned()));
}

#[test]
fn flushing_is_as_asked_for() {
    for (flush_on_stop, expected) in
        [(FlushOnStop::No, 3), (FlushOnStop::Services, 1), (FlushOnStop::Everything, 0)]
    {
        let settings = Settings { flush: true, flush_on_stop, ..Settings::default() };
        let mut stage = Stage::start(Config { settings, virtual_servers: vec![pair()] });
        stage.changes.clear();
        stage.stop();
        assert_eq!(stage.changes.len(), expected, "{:?}", stage.changes);
        assert_eq!(*stage.plane.current(), Table::new());
    }
}

#[test]
fn what_another_program_broke_is_repaired() {
    let mut stage = Stage::start(one(pair()));
    let before = stage.table();
    stage.plane.flush().unwrap();
    let table = stage.plane.current().clone();
    stage.director.handle_table(&table, &Cause::Start);
    stage.act();
    assert_eq!(stage.table(), before);
    let key = *stage.plane.current().keys().next().unwrap();
    let wrong = Destination::new(address("10.1.0.1"), 80, Forwarding::Nat, 77);
    stage.plane.apply(&Change::EditDestination(key, wrong)).unwrap();
    let table = stage.plane.current().clone();
    stage.changes.clear();
    stage.director.handle_table(&table, &Cause::Start);
    stage.act();
    assert_eq!(stage.table(), before);
    assert_eq!(stage.changes.len(), 1);
    assert_eq!(stage.refused, None);
}

#[test]
fn a_reload_that_changes_one_server_touches_one_destination() {
    let mut config = pair();
    config.sorry_server = Some(sorry("10.9.0.9", 80, true));
    let mut stage = Stage::start(one(config.clone()));
    stage.changes.clear();
    config.real_servers[1].weight = 9;
    stage.reload(one(config.clone()));
    assert!(matches!(stage.changes.as_slice(), [Change::EditDestination(..)]), "{:?}", stage.changes);
    stage.changes.clear();
    config.real_servers.insert(0, RealServer { inhibit: true, ..server("10.1.0.7", 80, 1, &["c"]) });
    stage.reload(one(config.clone()));
    assert!(matches!(stage.changes.as_slice(), [Change::AddDestination(..)]), "{:?}", stage.changes);
    stage.changes.clear();
    config.real_servers.remove(1);
    stage.reload(one(config));
    assert!(matches!(stage.changes.as_slice(), [Change::RemoveDestination(..)]), "{:?}", stage.changes);
}

#[test]
fn what_was_left_of_a_server_in_alpha_mode_stays_until_it_is_checked() {
    let mut config = pair();
    config.sorry_server = Some(sorry("10.9.0.9", 80, false));
    for server in &mut config.real_servers {
        server.checkers[0].alpha = true;
    }
    let mut stage = Stage::start(one(config.clone()));
    stage.check(0, true);
    stage.check(1, true);
    // The process dies with both servers in the table.
    let table = stage.plane.current().clone();
    let mut stage = Stage::new(one(config), table);
    stage.adopt();
    assert_eq!((weight(&stage, "10.1.0.1"), weight(&stage, "10.9.0.9")), (Some(1), Some(1)));
    stage.check(0, false);
    assert_eq!((weight(&stage, "10.1.0.1"), weight(&stage, "10.1.0.2")), (None, Some(2)));
    stage.check(1, true);
    assert_eq!((weight(&stage, "10.1.0.2"), weight(&stage, "10.9.0.9")), (Some(2), None));
    assert_eq!(stage.refused, None);
}
