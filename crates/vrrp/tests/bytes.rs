//! The same configuration as keepalived's, the same bytes on the wire.

#![expect(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod lab;

use lab::{E0, Lab, config, instance, ms, v4};
use std::net::IpAddr;
use vrrp::{Address, Authentication, ChecksumMode, Family, Mode, Peer, Unicast, Version, VirtualRouter};

fn adverts(capture: &str) -> Vec<Vec<u8>> {
    let lines = capture.lines().filter_map(|line| line.strip_prefix("advert "));
    let byte = |at: usize, hex: &str| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    // Without the Ethernet header.
    lines.map(|hex| (28..hex.len()).step_by(2).map(|at| byte(at, hex)).collect()).collect()
}

fn vi(version: Version, millis: u64, addresses: &[u8]) -> VirtualRouter {
    let addresses = addresses.iter().map(|last| Address { address: v4(*last), link: E0, advertised: true });
    let addresses = addresses.collect();
    VirtualRouter { version, interval: ms(millis), addresses, ..instance("VI_1", E0, 51, 150) }
}

fn peers(hosts: &[u8], ttl: Option<u8>) -> Mode {
    let peers = hosts.iter().map(|host| Peer { address: v4(*host), ttl: None }).collect();
    Mode::Unicast(Unicast { peers, ttl, check_source: false })
}

#[test]
fn adverts_are_those_of_keepalived() {
    use Version::{V2, V3};
    let ah = Authentication::Ah(*b"secret\0\0");
    let cases = [
        (include_str!("../../wire/tests/packets/v2_none.hex"), vi(V2, 1000, &[100, 101, 102])),
        (
            include_str!("../../wire/tests/packets/v2_pass.hex"),
            VirtualRouter { authentication: Authentication::Pass(*b"passw123"), ..vi(V2, 1000, &[100]) },
        ),
        (
            include_str!("../../wire/tests/packets/v2_ah.hex"),
            VirtualRouter { authentication: ah, ..vi(V2, 1000, &[100, 101]) },
        ),
        (
            include_str!("../../wire/tests/packets/v2_unicast_ah.hex"),
            VirtualRouter { authentication: ah, mode: peers(&[2], None), ..vi(V2, 1000, &[100]) },
        ),
        (include_str!("../../wire/tests/packets/v3_ipv4.hex"), vi(V3, 200, &[100, 101])),
        (
            include_str!("../../wire/tests/packets/v3_unicast.hex"),
            VirtualRouter { mode: peers(&[2, 3], Some(64)), ..vi(V3, 200, &[100]) },
        ),
        (
            include_str!("../../wire/tests/packets/v3_unicast_old_checksum.hex"),
            VirtualRouter {
                mode: peers(&[2], None),
                checksum: ChecksumMode::OldUnicast,
                ..vi(V3, 200, &[100])
            },
        ),
    ];
    for (capture, router) in cases {
        let theirs = adverts(capture);
        let mut lab = Lab::new(config(1, vec![router]));
        lab.pass(ms(10_000));
        let ours: Vec<_> = lab.sent.iter().filter(|advert| advert.destination != v4(3)).collect();
        for (theirs, ours) in theirs.iter().zip(ours) {
            // The kernel fills in the header's checksum.
            let mut theirs = theirs.clone();
            theirs[10..12].fill(0);
            assert_eq!(ours.bytes, theirs);
            assert_eq!(ours.ttl, theirs[8]);
        }
    }
}

#[test]
fn adverts_over_ipv6_are_those_of_keepalived() {
    let theirs = adverts(include_str!("../../wire/tests/packets/v3_ipv6.hex"));
    let source: [u8; 16] = theirs[0][8..24].try_into().unwrap();
    let mut router = vi(Version::V3, 500, &[]);
    router.family = Family::V6;
    for address in ["fe80::100", "fd20::100"] {
        router.addresses.push(Address { address: address.parse().unwrap(), link: E0, advertised: true });
    }
    let mut config = config(1, vec![router]);
    config.links[0].source_v6 = Some(source.into());
    let mut lab = Lab::new(config);
    lab.pass(ms(10_000));
    assert_eq!(lab.sent[0].bytes, theirs[0][40..]);
    assert_eq!(lab.sent[0].destination, "ff02::12".parse::<IpAddr>().unwrap());
}
