//! Bad packets: each is counted under keepalived's counter, logged in keepalived's words once a second, and changes
//! nothing.

#![expect(clippy::indexing_slicing, reason = "a panic here is a failed test")]

mod lab;

use lab::{E0, Lab, R0, advert_of, config, instance, ms, v4};
use std::net::IpAddr;
use vrrp::{
    Address, Authentication, Counters, Datagram, Family, Mode, Peer, Received, State, Unicast, Version,
    VirtualRouter,
};

fn vi() -> VirtualRouter {
    instance("VI_1", E0, 51, 100)
}

fn v2(authentication: Authentication) -> VirtualRouter {
    VirtualRouter { version: Version::V2, authentication, ..vi() }
}

const PASS: Authentication = Authentication::Pass(*b"passw123");
const AH: Authentication = Authentication::Ah(*b"secret\0\0");

/// Sets a byte and, where the change would show there first, makes the checksum right again.
fn edit(router: VirtualRouter, at: usize, value: u8) -> Vec<u8> {
    let mut bytes = advert_of(2, router, 150);
    bytes[at] = value;
    bytes
}

type Counter = fn(&Counters) -> u64;

#[test]
fn each_kind_of_bad_packet_has_its_counter_and_its_line() {
    let none = v2(Authentication::None);
    let mut interval = none.clone();
    interval.interval = ms(3000);
    let mut other = vi();
    other.addresses[0].address = v4(77);
    let mut more = vi();
    more.addresses.push(Address { address: v4(78), link: E0, advertised: true });
    let peers = vec![Peer { address: v4(1), ttl: None }];
    let mut unicast = vi();
    unicast.mode = Mode::Unicast(Unicast { peers, ttl: None, check_source: false });
    let mut long = advert_of(2, vi(), 150);
    long.push(0);
    let cases: Vec<(VirtualRouter, Vec<u8>, Counter, &str)> = vec![
        (vi(), long, |c| c.length_errors, "vrrp packet too long, length 33 and expect 32"),
        (
            vi(),
            advert_of(2, vi(), 150)[..31].to_vec(),
            |c| c.length_errors,
            "vrrp packet too short, length 31 and expect 32",
        ),
        (vi(), edit(vi(), 8, 254), |c| c.ttl_errors, "invalid TTL/HL. Received 254 and expect 255"),
        (vi(), edit(none.clone(), 8, 255), |c| c.version_errors, "wrong version. Received 2 and expect 3"),
        (
            none.clone(),
            advert_of(2, vi(), 150),
            |c| c.version_errors,
            "wrong version. Received 3 and expect 2",
        ),
        (none.clone(), edit(none.clone(), 24, 7), |c| c.auth_type_errors, "Invalid auth type: 7"),
        (
            none.clone(),
            advert_of(2, v2(PASS), 150),
            |c| c.auth_type_mismatches,
            "received a 1 auth, expecting 0!",
        ),
        (v2(PASS), edit(v2(PASS), 32, b'P'), |c| c.auth_failures, "received an invalid passwd!"),
        (
            v2(AH),
            advert_of(2, none.clone(), 150),
            |c| c.auth_type_mismatches,
            "No AH header but auth type is AH",
        ),
        (
            none.clone(),
            advert_of(2, v2(AH), 150),
            |c| c.auth_type_mismatches,
            "Received AH header but auth type not AH",
        ),
        (
            v2(AH),
            edit(v2(AH), 46, 99),
            |c| c.ah_mac_errors,
            "IPSEC-AH : invalid IPSEC HMAC-MD5 value. Due to fields mutation or bad password !",
        ),
        (
            none.clone(),
            advert_of(2, interval, 150),
            |c| c.interval_errors,
            "advertisement interval mismatch mine=1 sec rcv'd=3 sec",
        ),
        (vi(), edit(vi(), 20, 0x33), |c| c.type_errors, "Invalid packet type. 3 and expect 1"),
        (
            vi(),
            advert_of(2, more, 150),
            |c| c.address_list_errors,
            "received an unexpected ip number count 2, expected 1!",
        ),
        (
            vi(),
            edit(vi(), 3, 33),
            |c| c.length_errors,
            "ip_tot_len mismatch against received length. 33 and received 32",
        ),
        (vi(), edit(vi(), 26, 0x55), |c| c.checksum_errors, "Invalid VRRPv3 checksum"),
        (none.clone(), edit(none, 26, 0x55), |c| c.checksum_errors, "Invalid VRRPv2 checksum"),
        (
            vi(),
            advert_of(2, unicast, 150),
            |c| c.address_list_errors,
            "Expected multicast packet but received unicast packet",
        ),
        (
            vi(),
            advert_of(2, other, 150),
            |c| c.address_list_errors,
            "ip address associated with VRID 51 not present in MASTER advert: 10.20.0.151",
        ),
    ];
    for (router, packet, counter, line) in cases {
        let ah = matches!(router.authentication, Authentication::Ah(_));
        for state in [State::Backup, State::Master] {
            let mut lab = Lab::new(config(1, vec![router.clone()]));
            if state == State::Master {
                lab.pass(ms(30_000));
            }
            assert_eq!(lab.state(R0), state);
            let left = lab.left(R0);
            lab.did();
            lab.hear(&packet);
            let counters = *lab.router.counters(R0).unwrap();
            assert_eq!(counter(&counters), 1, "{line}");
            assert!(
                counters.bad() >= 1 && ah == (counters.ah_mac_errors > 0) || counters.bad() == 1,
                "{line}"
            );
            assert_eq!(lab.did(), [format!("log: (VI_1) {line}")], "{state}");
            assert_eq!((lab.state(R0), lab.left(R0)), (state, left), "{line}");
        }
    }
}

#[test]
fn one_line_a_second_and_kind() {
    let mut lab = Lab::new(config(1, vec![vi()]));
    lab.did();
    let (ttl, kind) = (edit(vi(), 8, 254), edit(vi(), 20, 0x33));
    for _ in 0..500 {
        lab.hear(&ttl);
        lab.hear(&kind);
    }
    assert_eq!(lab.did().len(), 2);
    lab.pass(ms(1000));
    lab.hear(&ttl);
    assert_eq!(lab.did(), ["log: (VI_1) invalid TTL/HL. Received 254 and expect 255 (499 more not logged)"]);
    assert_eq!(lab.router.counters(R0).unwrap().ttl_errors, 501);
}

#[test]
fn unknown_routers_and_stumps_are_nobodys() {
    let mut configured = config(1, vec![vi()]);
    configured.settings.log_unknown_vrids = true;
    let mut lab = Lab::new(configured);
    lab.did();
    let unknown = advert_of(2, instance("VI_2", E0, 52, 100), 150);
    lab.hear(&unknown);
    lab.hear(&advert_of(2, vi(), 150)[..27]);
    lab.hear(&advert_of(2, v2(AH), 150)[..50]);
    lab.pass(ms(1000));
    lab.hear(&advert_of(2, v2(AH), 150)[..50]);
    assert_eq!(
        lab.did(),
        [
            "log: Unknown VRID(52) received on interface(e0). ignoring...",
            "log: IPv4 VRRP packet too short - 27 bytes",
            "log: IPv4 VRRP packet with AH too short - 50 bytes (1 more not logged)",
        ]
    );
    assert_eq!(lab.router.counters(R0).unwrap().bad(), 0);
}

#[test]
fn replayed_adverts_are_dropped() {
    let mut lab = Lab::new(config(1, vec![v2(AH)]));
    let advert = advert_of(2, v2(AH), 150);
    lab.hear(&advert);
    assert_eq!(lab.router.counters(R0).unwrap().adverts_received, 1);
    lab.did();
    lab.pass(ms(2000));
    let left = lab.left(R0);
    lab.hear(&advert);
    let counters = lab.router.counters(R0).unwrap();
    assert_eq!((counters.adverts_received, counters.ah_sequence_errors, counters.auth_failures), (1, 1, 1));
    assert_eq!(lab.left(R0), left, "a replay does not hold a Backup back");
    assert!(lab.log()[0].contains("already processed. Packet dropped."));
}

#[test]
fn two_that_become_master_together_hear_each_other_under_an_authentication_header() {
    let start = |host, priority| {
        let mut router = v2(AH);
        router.priority = priority;
        let mut lab = Lab::new(config(host, vec![router]));
        lab.pass(lab.left(R0));
        lab
    };
    let (mut one, two) = (start(1, 100), start(2, 150));
    one.hear(&two.sent[0].bytes);
    assert_eq!(one.state(R0), State::Backup);
}

#[test]
fn unicast_peers_are_checked() {
    let unicast = |peers: &[(u8, Option<(u8, u8)>)], check_source| {
        let peers = peers.iter().map(|(host, ttl)| Peer { address: v4(*host), ttl: *ttl }).collect();
        VirtualRouter { mode: Mode::Unicast(Unicast { peers, ttl: Some(64), check_source }), ..vi() }
    };
    let theirs = advert_of(2, unicast(&[(1, None)], false), 150);
    for (peers, check, line) in [
        (vec![(2, None)], true, None),
        (vec![(3, None)], false, None),
        (vec![(3, None)], true, Some("log: (VI_1) unicast source address 10.20.0.2 not a unicast peer")),
        (vec![(2, Some((60, 70)))], true, None),
        (vec![(2, Some((65, 70)))], true, Some("log: (VI_1) TTL/HL 64 not in range 65 - 70")),
    ] {
        let mut lab = Lab::new(config(1, vec![unicast(&peers, check)]));
        lab.did();
        lab.hear(&theirs);
        assert_eq!(lab.did().first().map(String::as_str), line, "{peers:?}");
    }
    let mut lab = Lab::new(config(1, vec![unicast(&[], false)]));
    assert_eq!(lab.state(R0), State::Fault, "no peers");
    assert!(lab.log()[0].ends_with("Cannot use unicast without any peers - going to fault state"));
}

#[test]
fn the_old_checksum_of_a_peer_is_recognised_and_used() {
    let mode = |host| {
        Mode::Unicast(Unicast {
            peers: vec![Peer { address: v4(host), ttl: None }],
            ttl: None,
            check_source: false,
        })
    };
    let old = VirtualRouter { mode: mode(1), checksum: vrrp::ChecksumMode::OldUnicast, ..vi() };
    let theirs = advert_of(2, old, 90);
    let mut lab = Lab::master(config(1, vec![VirtualRouter { mode: mode(2), ..vi() }]));
    let before = lab.router.resignation(R0)[0].bytes[26..28].to_vec();
    lab.hear(&theirs);
    assert_eq!(lab.log()[0], "(VI_1) Setting unicast VRRPv3 checksum to old version");
    assert_ne!(lab.router.resignation(R0)[0].bytes[26..28], before);
    let never = VirtualRouter { mode: mode(2), checksum: vrrp::ChecksumMode::NeverOld, ..vi() };
    let mut lab = Lab::master(config(1, vec![never]));
    lab.hear(&theirs);
    assert_eq!(lab.router.counters(R0).unwrap().checksum_errors, 1);
}

#[test]
fn ipv6_has_its_own_rules() {
    let mut router = vi();
    router.family = Family::V6;
    router.addresses[0].address = "fe80::100".parse().unwrap();
    let payload = advert_of(2, router.clone(), 150);
    let IpAddr::V6(group) = "ff02::12".parse().unwrap() else { panic!() };
    let hear = |hop_limit, source: &str, payload: &[u8]| {
        let mut lab = Lab::new(config(1, vec![router.clone()]));
        let source = source.parse().unwrap();
        let datagram = Datagram::V6 { source, destination: group, hop_limit, payload };
        lab.with(|router, now| router.handle_packet(now, &Received { link: Some(E0), datagram }));
        *lab.router.counters(R0).unwrap()
    };
    assert_eq!(hear(Some(255), "fe80::2", &payload).adverts_received, 1);
    assert_eq!(hear(None, "fe80::2", &payload).adverts_received, 1);
    assert_eq!(hear(Some(64), "fe80::2", &payload).ttl_errors, 1);
    assert_eq!(hear(Some(255), "fe80::3", &payload).checksum_errors, 1, "the checksum covers the source");
    assert_eq!(hear(Some(255), "fe80::2", &payload[..23]).length_errors, 1);
}

#[test]
fn over_ipv6_one_that_stopped_and_comes_back_needs_no_telling() {
    // How often a Master advertises when it hears a better one, after it had heard `before`.
    let last_words = |before: Option<u8>| {
        let mut router = vi();
        router.family = Family::V6;
        router.addresses[0].address = "fe80::100".parse().unwrap();
        let (IpAddr::V6(group), source) = ("ff02::12".parse().unwrap(), "fe80::2".parse().unwrap()) else {
            panic!()
        };
        let mut lab = Lab::new(config(1, vec![router.clone()]));
        let hear = |lab: &mut Lab, priority| {
            let payload = advert_of(2, router.clone(), priority);
            let datagram =
                Datagram::V6 { source, destination: group, hop_limit: Some(255), payload: &payload };
            lab.with(|router, now| router.handle_packet(now, &Received { link: Some(E0), datagram }));
        };
        if let Some(priority) = before {
            hear(&mut lab, 150);
            hear(&mut lab, priority);
        }
        lab.pass(ms(30_000));
        assert_eq!(lab.state(R0), State::Master);
        // Not as an answer to an advert of ours.
        lab.stand_still(ms(500));
        lab.sent.clear();
        hear(&mut lab, 150);
        assert_eq!(lab.state(R0), State::Backup);
        lab.sent.len()
    };
    assert_eq!(last_words(None), 1, "it may have been Master all the time");
    assert_eq!(last_words(Some(150)), 1, "it fell silent");
    assert_eq!(last_words(Some(0)), 0, "it resigned");
}

#[test]
fn address_lists_of_a_known_master_need_not_be_looked_at() {
    let mut router = vi();
    router.skip_check_adv_addr = true;
    let mut other = vi();
    other.addresses[0].address = v4(77);
    let mut lab = Lab::new(config(1, vec![router]));
    lab.hear(&advert_of(2, other.clone(), 150));
    assert_eq!(lab.router.counters(R0).unwrap().address_list_errors, 1, "the first is");
    lab.hear(&advert_of(2, vi(), 150));
    lab.hear(&advert_of(2, other, 150));
    assert_eq!(lab.router.counters(R0).unwrap().address_list_errors, 1);
}
