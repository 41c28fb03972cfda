//! VRRP packets.

use ek_time::{Duration, Instant};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use vrrp::{
    Action, Address, Authentication, Config, Datagram, Family, Link, LinkId, Mode, Peer, Received, Router,
    RouterId, State, Unicast, Version, VirtualRouter,
};
use wire::ah::Ttl;
use wire::vrrp::{Packet, Pseudo};
use wire::{ah, ipv4};

/// What is more than any one packet can cause.
const MANY: usize = 1000;

/// Any bytes, as packets to routers of each kind, which are Backup and which are Master: a bad packet is counted and
/// changes nothing, and what a good one sets off is little.
pub fn advert(data: &[u8]) {
    decode(data);
    let v6 = |last| Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last);
    for router in routers() {
        for master in [false, true] {
            let datagrams = [
                Datagram::V4(data),
                Datagram::V6 {
                    source: v6(2),
                    destination: wire::vrrp::GROUP_V6,
                    hop_limit: data.first().copied(),
                    payload: data.get(40..).unwrap_or(data),
                },
            ];
            for datagram in datagrams {
                hear(router.clone(), master, datagram);
            }
        }
    }
}

fn decode(data: &[u8]) {
    if let Ok(packet) = Packet::parse(data) {
        for family in [Family::V4, Family::V6] {
            assert!(packet.addresses(family).count() <= usize::from(packet.count()));
            assert!(packet.expected_len(family) <= 8 + 255 * 16 + 8);
        }
        let _ = packet.checksum_holds(Pseudo::None);
    }
    if let Ok(view) = ipv4::Datagram::parse(data) {
        assert_eq!(view.header().len() + view.payload().len(), data.len());
        if let Ok(header) = ah::Packet::parse(view.payload()) {
            assert_eq!(header.payload().len() + ah::HEADER_LEN, view.payload().len());
        }
    }
    let mut signed = data.to_vec();
    if ah::sign(&mut signed, Ttl::Zeroed, b"12345678") && data.first() == Some(&0x45) {
        assert!(ah::verify(&signed, Ttl::Zeroed, b"12345678"));
    }
}

fn routers() -> Vec<VirtualRouter> {
    let mut plain = VirtualRouter::new("VI_1", LinkId(0), 51);
    let address = |last| Address {
        address: IpAddr::V4(Ipv4Addr::new(10, 20, 0, last)),
        link: LinkId(0),
        advertised: true,
    };
    plain.addresses = vec![address(100)];
    let with = |change: &dyn Fn(&mut VirtualRouter)| {
        let mut router = plain.clone();
        change(&mut router);
        router
    };
    let peers = || Unicast {
        peers: vec![Peer { address: IpAddr::V4(Ipv4Addr::new(10, 20, 0, 1)), ttl: Some((1, 255)) }],
        ttl: None,
        check_source: true,
    };
    vec![
        with(&|router| router.addresses = (100..103).map(address).collect()),
        with(&|router| router.authentication = Authentication::Pass(*b"passw123")),
        with(&|router| router.authentication = Authentication::Ah(*b"secret\0\0")),
        with(&|router| router.version = Version::V3),
        with(&|router| (router.version, router.mode) = (Version::V3, Mode::Unicast(peers()))),
        with(&|router| {
            (router.version, router.family) = (Version::V3, Family::V6);
            router.addresses[0].address = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x100));
        }),
    ]
}

fn hear(router: VirtualRouter, master: bool, datagram: Datagram<'_>) {
    let id = RouterId(0);
    let mut link = Link::new("e0");
    link.source_v4 = Some(Ipv4Addr::new(10, 20, 0, 2));
    link.source_v6 = Some(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 9));
    let config = Config { links: vec![link], routers: vec![router], ..Config::default() };
    let start = Instant::from_nanos(1_000_000_000);
    let mut router = Router::new(start, 0, config);
    let mut now = start + Duration::from_millis(10);
    if let (true, Some(due)) = (master, router.poll_timeout()) {
        now = due;
        router.handle_timeout(now);
    }
    while router.poll_action().is_some() {}
    let before = router.status(id).expect("a router");
    let received = Received { link: Some(LinkId(0)), datagram };
    for _ in 0..2 {
        let bad = router.counters(id).expect("a router").bad();
        let state = router.state(id);
        router.handle_packet(now, &received);
        let mut actions = 0;
        let mut only_logs = true;
        while let Some(action) = router.poll_action() {
            only_logs &= matches!(action, Action::Log(_));
            actions += 1;
        }
        assert!(actions < MANY, "one packet set off {actions} actions");
        if router.counters(id).expect("a router").bad() > bad {
            assert!(only_logs, "a bad packet did something");
            assert_eq!(router.state(id), state, "a bad packet changed the state");
        }
    }
    let after = router.status(id).expect("a router");
    if router.counters(id).expect("a router").adverts_received == 0 {
        assert_eq!(after.deadline, before.deadline, "nothing good came, and the timer has moved");
    }
    assert!(matches!(after.state, State::Backup | State::Master));
    assert!(after.deadline.is_some(), "a router without timer");
}
