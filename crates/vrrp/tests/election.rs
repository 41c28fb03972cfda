//! Who becomes Master, and when: RFC 9568 6.4, RFC 3768 6.4, and keepalived where it differs.

mod lab;

use lab::{E0, Lab, R0, advert_of, config, instance, ms, v4};
use std::time::Duration;
use vrrp::{Cause, Initial, State, Version, VirtualRouter};

fn vi(priority: u8) -> VirtualRouter {
    instance("VI_1", E0, 51, priority)
}

#[test]
fn the_first_to_miss_the_master_takes_over() {
    // RFC 9568 6.1: 3 × interval + (256 − priority) / 256 × interval.
    let mut lab = Lab::new(config(1, vec![vi(156)]));
    assert_eq!(
        lab.did(),
        [
            "clear 0",
            "log: (VI_1) Entering BACKUP STATE (init)",
            "log: (VI_1) INIT to BACKUP: start",
            "notify INSTANCE 0 BACKUP 156",
        ]
    );
    lab.pass(Duration::from_micros(3_390_624));
    assert_eq!(lab.state(R0), State::Backup);
    lab.pass(ms(1));
    assert_eq!(
        lab.did(),
        [
            "detail: (VI_1) Receive advertisement timeout",
            "send 156 to 224.0.0.18",
            "log: (VI_1) Entering MASTER STATE",
            "log: (VI_1) BACKUP to MASTER: no advert for 3.391 s",
            "install 0",
            "detail: (VI_1) setting VIPs.",
            "detail: (VI_1) Sending/queueing gratuitous ARPs on e0 for 10.20.0.151",
            "announce 10.20.0.151",
            "notify INSTANCE 0 MASTER 156",
        ]
    );
    lab.pass(ms(3000));
    assert_eq!(lab.did(), ["send 156 to 224.0.0.18"; 3]);
}

#[test]
fn skew_is_of_a_second_in_version_2_and_of_the_interval_in_version_3() {
    for (version, interval, priority, expected) in [
        (Version::V2, 1000, 100, 3000 * 1000 + 609_375),
        (Version::V2, 4000, 100, 12_000 * 1000 + 609_375),
        (Version::V3, 4000, 128, 12_000 * 1000 + 2_000_000),
        (Version::V3, 10, 128, 30 * 1000 + 5_000),
        (Version::V2, 1000, 254, 3000 * 1000 + 7_812),
    ] {
        let mut router = vi(priority);
        (router.version, router.interval) = (version, ms(interval));
        let lab = Lab::new(config(1, vec![router]));
        assert_eq!(lab.left(R0).as_micros(), expected, "{version:?} {interval} {priority}");
    }
}

#[test]
fn an_owner_that_starts_as_master_does_not_wait() {
    for (initial, state) in [(Initial::Master, State::Master), (Initial::Backup, State::Backup)] {
        let mut router = vi(255);
        router.initial = initial;
        let mut lab = Lab::new(config(1, vec![router]));
        lab.pass(ms(1));
        assert_eq!(lab.state(R0), state);
    }
    // Without owning the addresses, `state MASTER` makes no difference.
    let mut router = vi(156);
    router.initial = Initial::Master;
    assert_eq!(Lab::new(config(1, vec![router])).left(R0), Duration::from_nanos(3_390_625_000));
}

#[test]
fn a_backup_makes_of_adverts_what_the_rfc_says() {
    // Ours is 100 at 10.20.0.1; the rest of the timer is 1 s when the advert comes.
    let full = 3_609;
    for (priority, nopreempt, left, master) in [
        (150, false, full, Some(150)),
        (100, false, full, Some(100)),
        (99, false, 1_000, Some(99)),
        (99, true, full, Some(99)),
        (0, false, 609, None),
        (0, true, 609, None),
    ] {
        let mut router = vi(100);
        router.preemption.allowed = !nopreempt;
        let mut lab = Lab::new(config(1, vec![router.clone()]));
        lab.pass(lab.left(R0) - ms(1000));
        lab.hear(&advert_of(2, router, priority));
        assert_eq!(lab.left(R0).as_millis(), left, "{priority} {nopreempt}");
        let status = lab.router.status(R0).unwrap();
        assert_eq!(status.master.map(|(_, priority)| priority), master);
    }
}

#[test]
fn the_masters_interval_counts_in_version_3() {
    let mut theirs = vi(150);
    theirs.interval = ms(200);
    let mut lab = Lab::new(config(1, vec![vi(128)]));
    lab.did();
    lab.hear(&advert_of(2, theirs, 150));
    assert_eq!(lab.did(), ["detail: (VI_1) advertisement interval updated from 1000ms to 200ms by master"]);
    assert_eq!(lab.left(R0), ms(700));
    lab.pass(ms(800));
    let did = lab.did();
    let line = "detail: (VI_1) changing advert interval from 200ms to locally configured 1000ms";
    assert!(did.iter().any(|did| did == line), "{did:#?}");
    assert_eq!(lab.left(R0), ms(900), "our own interval as Master");
}

#[test]
fn a_master_makes_of_adverts_what_the_rfc_says() {
    // Ours is 100 at 10.20.0.5.
    for (host, priority, state, line) in [
        (
            2,
            150,
            State::Backup,
            Some("(VI_1) Master received advert from 10.20.0.2 with higher priority 150, ours 100"),
        ),
        (
            2,
            99,
            State::Master,
            Some(
                "(VI_1) Received advert from 10.20.0.2 with lower priority 99, ours 100, forcing new election",
            ),
        ),
        (
            2,
            100,
            State::Master,
            Some(
                "(VI_1) Received advert from 10.20.0.2 with lower priority 100, ours 100, forcing new election",
            ),
        ),
        (
            9,
            100,
            State::Backup,
            Some(
                "(VI_1) Master received advert from 10.20.0.9 with same priority 100 but higher IP address than ours",
            ),
        ),
        (
            5,
            100,
            State::Master,
            Some("(VI_1) WARNING - equal priority advert received from remote host with our IP address."),
        ),
        (2, 0, State::Master, None),
    ] {
        let mut lab = Lab::master(config(5, vec![vi(100)]));
        lab.hear(&advert_of(host, vi(100), priority));
        assert_eq!(lab.state(R0), state, "{host} {priority}");
        let log = lab.log();
        assert_eq!(log.first().map(String::as_str), line);
        if state == State::Backup {
            assert_eq!(lab.left(R0).as_millis(), 3609);
            assert_eq!(log[1], "(VI_1) Entering BACKUP STATE");
        }
    }
}

#[test]
fn a_master_answers_what_it_must_and_a_bad_packet_does_not_keep_it_from_advertising() {
    let mut lab = Lab::master(config(5, vec![vi(100)]));
    lab.hear(&advert_of(2, vi(100), 0));
    lab.hear(&advert_of(2, vi(100), 50));
    assert_eq!(lab.sent.len(), 2, "priority 0 and a lower one are answered at once");
    let due = lab.left(R0);
    lab.pass(ms(500));
    let mut bad = advert_of(2, vi(100), 50);
    bad[28] ^= 1;
    lab.hear(&bad);
    assert_eq!(lab.left(R0), due - ms(500), "the next advert is as due as before");
}

#[test]
fn lower_priorities_may_be_left_unanswered_and_higher_ones_answered() {
    let mut router = vi(100);
    router.lower_prio_no_advert = true;
    router.higher_prio_send_advert = true;
    let mut lab = Lab::master(config(5, vec![router]));
    lab.hear(&advert_of(2, vi(100), 50));
    assert!(lab.sent.is_empty());
    lab.hear(&advert_of(2, vi(100), 150));
    assert_eq!(lab.sent.len(), 1);
    assert_eq!(lab.state(R0), State::Backup);
}

#[test]
fn two_owners_are_a_mistake() {
    let mut lab = Lab::master(config(5, vec![vi(255)]));
    lab.hear(&advert_of(2, vi(255), 255));
    assert_eq!(lab.router.status(R0).unwrap().effective_priority, 254);
    assert_eq!(lab.state(R0), State::Backup);
    let mut router = vi(255);
    router.owner_ignore_adverts = true;
    let mut lab = Lab::master(config(5, vec![router]));
    lab.hear(&advert_of(2, vi(255), 255));
    assert_eq!(lab.state(R0), State::Master);
}

#[test]
fn preemption_waits_for_its_delay() {
    let mut router = vi(100);
    router.preemption.delay = ms(5000);
    let mut lab = Lab::new(config(1, vec![router]));
    let lower = advert_of(2, vi(100), 50);
    lab.did();
    for second in 0..6 {
        lab.hear(&lower);
        assert_eq!(lab.left(R0).as_millis(), if second < 5 { 3609 } else { 2609 }, "second {second}");
        lab.pass(ms(1000));
    }
    assert_eq!(
        lab.did(),
        [
            "detail: (VI_1) start preempt delay (5.000000)",
            "log: (VI_1) received lower priority (50) advert from 10.20.0.2 - discarding",
        ]
    );
    lab.pass(ms(2000));
    assert_eq!(lab.router.status(R0).unwrap().cause, Cause::Preempted { master: v4(2), priority: 50 });
}

#[test]
fn shutdown_resigns() {
    let mut lab = Lab::master(config(1, vec![vi(100)]));
    lab.with(|router, now| router.handle_shutdown(now));
    let did = lab.did();
    assert_eq!(did[..3], ["send 0 to 224.0.0.18", "detail: (VI_1) sent 0 priority", "withdraw 0"]);
    assert_eq!(lab.router.poll_timeout(), None);
    assert_eq!(lab.router.counters(R0).unwrap().priority_zero_sent, 1);
    lab.hear(&advert_of(2, vi(100), 50));
    assert!(lab.did().is_empty(), "nothing happens afterwards");
}

#[test]
fn nothing_runs_before_the_startup_delay() {
    let mut config = config(1, vec![vi(100)]);
    config.settings.startup_delay = ms(10_000);
    let mut lab = Lab::new(config);
    assert_eq!(lab.did()[0], "log: Delaying startup for 10 seconds");
    assert_eq!(lab.left(R0).as_millis(), 13_609);
    lab.hear(&advert_of(2, vi(100), 0));
    assert_eq!(lab.left(R0).as_millis(), 10_609);
}

#[test]
fn silence_while_this_host_stood_still_says_nothing() {
    let mut lab = Lab::new(config(1, vec![vi(100)]));
    lab.stand_still(ms(9000));
    lab.timeout();
    assert_eq!(lab.state(R0), State::Backup);
    assert_eq!(lab.left(R0).as_millis(), 3609);
    lab.stand_still(ms(9000));
    lab.timeout();
    assert_eq!(lab.state(R0), State::Master, "a host that is always late takes over all the same");
}

#[test]
fn a_master_that_stood_still_gives_way_unless_it_would_win() {
    for (priority, nopreempt, state) in
        [(50, false, State::Master), (50, true, State::Backup), (150, false, State::Backup)]
    {
        let mut router = vi(100);
        router.preemption.allowed = !nopreempt;
        let mut lab = Lab::master(config(1, vec![router]));
        lab.stand_still(ms(6000));
        lab.hear(&advert_of(2, vi(100), priority));
        lab.timeout();
        assert_eq!(lab.state(R0), state, "{priority} {nopreempt}");
        let did = lab.did();
        if state == State::Master {
            assert!(did.iter().any(|did| did == "announce 10.20.0.151"), "hosts are told again: {did:#?}");
        } else {
            let cause = lab.router.status(R0).unwrap().cause;
            assert!(matches!(cause, Cause::Paused { from: Some(_), .. }), "{cause:?}");
        }
    }
    let mut lab = Lab::master(config(1, vec![vi(100)]));
    lab.stand_still(ms(60_000));
    lab.timeout();
    assert_eq!(lab.state(R0), State::Master, "alone, it goes on");
    let mut router = vi(100);
    router.timer_expired_backup = Some(254);
    let mut lab = Lab::master(config(1, vec![router]));
    lab.stand_still(ms(4000));
    lab.timeout();
    assert_eq!(lab.state(R0), State::Backup);
}

#[test]
fn a_split_is_noticed_when_it_heals() {
    let mut lab = Lab::master(config(1, vec![vi(100)]));
    lab.pass(ms(10_000));
    lab.did();
    lab.hear(&advert_of(2, vi(100), 50));
    let did = lab.did();
    assert!(
        did.iter().any(|did| did.contains("split brain: 10.20.0.2 (priority 50) was Master too")),
        "{did:#?}"
    );
    assert!(did.iter().any(|did| did == "announce 10.20.0.151"));
    lab.pass(ms(500));
    lab.hear(&advert_of(2, vi(100), 50));
    assert_eq!(lab.router.counters(R0).unwrap().split_brains, 1, "it is the same one");
}
