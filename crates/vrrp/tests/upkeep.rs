//! Announcements, the guard, and reloads.

mod lab;

use lab::{E0, E1, Lab, R0, R1, advert_of, config, instance, ms, v4};
use vrrp::{Address, AddressChange, Config, Pace, PaceId, State, VirtualRouter};

fn vi() -> VirtualRouter {
    instance("VI_1", E0, 51, 100)
}

/// When the address was announced, in milliseconds since the start.
fn announced(lab: &mut Lab, step: u64, steps: u64) -> Vec<(u64, usize)> {
    let mut seen = Vec::new();
    for number in 1..=steps {
        lab.pass(ms(step));
        let count = lab.did().iter().filter(|line| line.starts_with("announce")).count();
        if count > 0 {
            seen.push((number * step, count));
        }
    }
    seen
}

#[test]
fn announcements_follow_their_schedule() {
    let mut router = vi();
    router.announce.repeat = 3;
    router.announce.delay = ms(5000);
    router.announce.refresh = ms(4000);
    router.announce.refresh_repeat = 2;
    let mut lab = Lab::new(config(1, vec![router]));
    lab.pass(lab.left(R0));
    assert_eq!(lab.did().iter().filter(|line| line.starts_with("announce")).count(), 3);
    // With the first advert after 4 s, and again; and once after 5 s.
    assert_eq!(announced(&mut lab, 500, 24), [(5000, 5), (10_000, 2)]);
}

#[test]
fn announcements_after_a_lower_priority() {
    let mut router = vi();
    router.announce.lower_prio_repeat = 2;
    router.announce.lower_prio_delay = ms(3000);
    let mut lab = Lab::master(config(1, vec![router]));
    lab.hear(&advert_of(2, vi(), 50));
    assert_eq!(announced(&mut lab, 500, 10), [(500, 2), (3000, 2)]);
}

#[test]
fn announcements_keep_their_pace() {
    let mut router = vi();
    router.announce.repeat = 5;
    router.addresses.push(Address { address: v4(200), link: E0, advertised: true });
    let mut config = config(1, vec![router]);
    config.paces.push(Pace { garp_interval: ms(300), gna_interval: ms(0) });
    config.links[0].pace = Some(PaceId(0));
    let mut lab = Lab::new(config);
    lab.pass(lab.left(R0));
    assert_eq!(lab.did().iter().filter(|line| line.starts_with("announce")).count(), 1);
    // Each address waits once, however often it is to be announced; as keepalived.
    assert_eq!(announced(&mut lab, 100, 20), [(300, 1), (600, 1)]);
    // What waits is forgotten with the addresses.
    lab.hear(&advert_of(9, vi(), 200));
    assert_eq!(announced(&mut lab, 100, 10), []);
}

#[test]
fn an_address_that_another_program_takes_is_put_back() {
    let mut lab = Lab::master(config(1, vec![vi()]));
    let gone = AddressChange { link: E0, address: v4(151), present: false };
    lab.with(|router, now| router.handle_address(now, gone));
    assert_eq!(
        lab.did(),
        [
            "log: (VI_1) 10.20.0.151 was removed from e0 by another program, restoring it",
            "restore 0 0",
            "announce 10.20.0.151",
        ]
    );
    for _ in 0..100 {
        lab.with(|router, now| router.handle_address(now, gone));
    }
    assert_eq!(
        lab.router.counters(R0).unwrap().addresses_restored,
        5,
        "one that insists does not keep us busy"
    );
    lab.did();
    lab.pass(ms(1200));
    assert!(lab.did().contains(&"restore 0 0".to_owned()));
    assert_eq!(lab.router.counters(R0).unwrap().addresses_restored, 6);

    for other in [
        AddressChange { link: E1, ..gone },
        AddressChange { address: v4(9), ..gone },
        AddressChange { present: true, ..gone },
    ] {
        lab.with(|router, now| router.handle_address(now, other));
    }
    lab.hear(&advert_of(9, vi(), 200));
    lab.did();
    lab.with(|router, now| router.handle_address(now, gone));
    assert!(lab.did().is_empty(), "as Backup it is none of our business");
}

fn reload(lab: &mut Lab, config: Config) -> Vec<String> {
    lab.did();
    lab.with(|router, now| router.handle_reload(now, config));
    lab.did()
}

#[test]
fn a_reload_of_the_same_changes_nothing() {
    let mut lab = Lab::master(config(1, vec![vi(), instance("VI_2", E1, 52, 100)]));
    lab.hear_on(E1, &advert_of(9, instance("VI_2", E1, 52, 100), 200));
    let (left, counters) = (lab.left(R1), *lab.router.counters(R0).unwrap());
    // In another order, too.
    let did = reload(&mut lab, config(1, vec![instance("VI_2", E1, 52, 100), vi()]));
    assert_eq!(did, ["reloaded", "adjust 1"]);
    assert_eq!((lab.state(R0), lab.state(R1)), (State::Backup, State::Master));
    assert_eq!(lab.left(R0), left);
    assert_eq!(*lab.router.counters(R1).unwrap(), counters);
}

#[test]
fn a_priority_changed_by_a_reload_does_not_flap() {
    let mut lab = Lab::master(config(1, vec![vi()]));
    let mut router = vi();
    router.priority = 50;
    let did = reload(&mut lab, config(1, vec![router]));
    assert_eq!(did, ["reloaded", "adjust 0"]);
    lab.timeout();
    assert_eq!(lab.sent.last().unwrap().priority, 50, "others hear of it at once");
    assert_eq!(lab.state(R0), State::Master);
}

#[test]
fn addresses_come_and_go_with_a_reload() {
    let mut lab = Lab::master(config(1, vec![vi()]));
    let mut router = vi();
    router.addresses = vec![Address { address: v4(200), link: E0, advertised: true }];
    let did = reload(&mut lab, config(1, vec![router]));
    assert_eq!(did, ["reloaded", "adjust 0", "announce 10.20.0.200"]);
}

#[test]
fn routers_that_are_gone_or_another_resign() {
    let mut lab = Lab::master(config(1, vec![vi()]));
    let did = reload(&mut lab, config(1, vec![]));
    assert_eq!(did[0], "send 0 to 224.0.0.18");
    assert!(did.contains(&"withdraw 0".to_owned()) && did.last().unwrap() == "reloaded");

    let mut lab = Lab::master(config(1, vec![vi()]));
    let mut other = vi();
    other.vrid = 77;
    let did = reload(&mut lab, config(1, vec![other]));
    assert_eq!(did[0], "send 0 to 224.0.0.18");
    assert_eq!(lab.state(R0), State::Backup, "a new one");
}

#[test]
fn a_reload_that_brings_a_fault_is_one() {
    let mut lab = Lab::master(config(1, vec![vi()]));
    let mut config = config(1, vec![vi()]);
    config.links[0].up = false;
    let did = reload(&mut lab, config);
    assert!(did.contains(&"log: (VI_1) Entering FAULT STATE".to_owned()), "{did:#?}");
    assert!(did.contains(&"withdraw 0".to_owned()));
}

#[test]
fn a_stand_in_can_resign_for_a_master() {
    let mut lab = Lab::master(config(1, vec![vi()]));
    let counters = *lab.router.counters(R0).unwrap();
    let resignation = lab.router.resignation(R0);
    assert_eq!((resignation.len(), resignation[0].priority), (1, 0));
    assert_eq!(*lab.router.counters(R0).unwrap(), counters);
    let mut other = Lab::new(config(2, vec![vi()]));
    other.hear(&resignation[0].bytes);
    assert_eq!(other.left(R0).as_millis(), 609);
    lab.hear(&advert_of(9, vi(), 200));
    assert!(lab.router.resignation(R0).is_empty());
}
