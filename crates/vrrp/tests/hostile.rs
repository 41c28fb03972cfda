//! Packets that are not what they should be, by the ten thousand for each version, authentication and family: truncated,
//! with bits flipped, with one field wrong and the checksum right, from other senders, and heard before. A router, Backup
//! or Master, counts each once, says so once a second and reason, and does nothing else.
//!
//! Which packets are good is decided here a second time, from the RFCs: a good one among the changed ones goes to a router
//! of its own, which has to take it.

#![expect(
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a panic here is a failed test"
)]

mod lab;

use ek_time::Instant;
use lab::{E0, R0, instance, links, ms};
use std::collections::HashMap;
use std::mem::{Discriminant, discriminant};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use vrrp::{
    Action, Address, Advert, Authentication, Bad, Config, Counters, Datagram, Event, Family, Mode, Peer,
    Received, Router, State, Unicast, Version, VirtualRouter, What,
};

/// Bad packets for each case, good ones not counted.
const BAD: u32 = 10_000;
const OURS: u8 = 1;
const THEIRS: u8 = 2;

/// A generator of numbers (SplitMix64): a failing packet is found again by its seed.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn byte(&mut self) -> u8 {
        self.next() as u8
    }
}

/// A packet as a socket gives it.
#[derive(Clone, Debug)]
struct Packet {
    /// Sender, destination and hop limit of IPv6, whose header does not come with the packet.
    v6: Option<(Ipv6Addr, Ipv6Addr, u8)>,
    bytes: Vec<u8>,
}

impl Packet {
    fn of(advert: &Advert) -> Self {
        let v6 = match (advert.source, advert.destination) {
            (IpAddr::V6(source), IpAddr::V6(destination)) => Some((source, destination, advert.ttl)),
            _ => None,
        };
        Self { v6, bytes: advert.bytes.clone() }
    }

    fn received(&self) -> Received<'_> {
        let datagram = match self.v6 {
            None => Datagram::V4(&self.bytes),
            Some((source, destination, hop_limit)) => {
                Datagram::V6 { source, destination, hop_limit: Some(hop_limit), payload: &self.bytes }
            }
        };
        Received { link: Some(E0), datagram }
    }

    /// Where the advert begins.
    fn start(&self) -> usize {
        if self.v6.is_some() {
            return 0;
        }
        let header = usize::from(self.bytes.first().map_or(5, |first| first & 15)) * 4;
        header + if self.bytes.get(9) == Some(&51) { 24 } else { 0 }
    }

    fn advert(&self) -> &[u8] {
        self.bytes.get(self.start()..).unwrap_or_default()
    }

    fn ends(&self) -> (IpAddr, IpAddr, u8) {
        match self.v6 {
            Some((source, destination, hop_limit)) => (source.into(), destination.into(), hop_limit),
            None => {
                let address = |at: usize| {
                    IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(&self.bytes[at..at + 4]).unwrap()))
                };
                (address(12), address(16), self.bytes[8])
            }
        }
    }

    /// Sums the advert, with the pseudo header of version 3 for this destination.
    fn sum(&self, destination: Option<IpAddr>) -> u16 {
        let advert = self.advert();
        let mut words: Vec<u8> = Vec::new();
        if let Some(destination) = destination {
            match (self.ends().0, destination) {
                (IpAddr::V4(source), IpAddr::V4(destination)) => {
                    words.extend(source.octets());
                    words.extend(destination.octets());
                }
                (IpAddr::V6(source), IpAddr::V6(destination)) => {
                    words.extend(source.octets());
                    words.extend(destination.octets());
                }
                _ => unreachable!("one family"),
            }
            words.extend([0, 112]);
            words.extend((advert.len() as u16).to_be_bytes());
        }
        words.extend(advert);
        let sum = words
            .chunks(2)
            .map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low)));
        let sum: u32 = sum.sum();
        let sum = (sum & 0xffff) + (sum >> 16);
        ((sum & 0xffff) + (sum >> 16)) as u16
    }

    /// Makes the checksum right again, as one who has sent this would.
    fn mend(&mut self) {
        let start = self.start();
        if self.bytes.len() < start + 8 || (self.v6.is_none() && self.bytes.len() < 20) {
            return;
        }
        self.bytes[start + 6..start + 8].fill(0);
        let pseudo = (self.bytes[start] >> 4 == 3).then(|| self.ends().1);
        let sum = !self.sum(pseudo);
        self.bytes[start + 6..start + 8].copy_from_slice(&sum.to_be_bytes());
    }

    /// Whether a router has to take it (RFC 3768 and RFC 9568 7.1). Nobody without the key makes a good authentication
    /// header, and those that were heard are good only once.
    fn is_good(&self, router: &VirtualRouter) -> bool {
        if matches!(router.authentication, Authentication::Ah(_)) {
            return false;
        }
        if self.v6.is_none() {
            let short = self.bytes.len() < 20 || self.bytes[0] >> 4 != 4 || self.bytes[0] & 15 < 5;
            if short || self.bytes[9] == 51 {
                return false;
            }
            if usize::from(u16::from_be_bytes([self.bytes[2], self.bytes[3]])) != self.bytes.len() {
                return false;
            }
        }
        let advert = self.advert();
        let (source, destination, ttl) = self.ends();
        let (version, size) = match router.version {
            Version::V2 => (2, 4),
            Version::V3 => (3, if self.v6.is_some() { 16 } else { 4 }),
        };
        let trailer = if version == 2 { 8 } else { 0 };
        if advert.len() < 8
            || advert[0] != version << 4 | 1
            || advert[1] != router.vrid
            || usize::from(advert[3]) != router.addresses.len()
            || advert.len() != 8 + size * router.addresses.len() + trailer
        {
            return false;
        }
        let has = |address: &IpAddr| {
            advert[8..advert.len() - trailer].chunks(size).any(|theirs| match address {
                IpAddr::V4(ours) => theirs == ours.octets(),
                IpAddr::V6(ours) => theirs == ours.octets(),
            })
        };
        if !router.addresses.iter().all(|address| has(&address.address)) {
            return false;
        }
        if version == 2 {
            let (kind, data) = match router.authentication {
                Authentication::Pass(password) => (1, Some(password)),
                _ => (0, None),
            };
            let told = &advert[advert.len() - 8..];
            if advert[4] != kind || advert[5] != 1 || data.is_some_and(|data| told != data) {
                return false;
            }
        }
        let (cast, sum) = match &router.mode {
            Mode::Unicast(unicast) => {
                if unicast.check_source && !unicast.peers.iter().any(|peer| peer.address == source) {
                    return false;
                }
                // The old form, of the multicast group, is understood too.
                let old = version == 3 && self.v6.is_none() && {
                    self.sum(Some(Ipv4Addr::new(224, 0, 0, 18).into())) == 0xffff
                };
                (!destination.is_multicast(), old)
            }
            _ => (destination.is_multicast() && ttl == 255, false),
        };
        cast && (sum || self.sum((version == 3).then_some(destination)) == 0xffff)
    }
}

/// A packet with something wrong, mostly.
fn change(base: &Packet, router: &VirtualRouter, dice: &mut Dice) -> Packet {
    let mut packet = base.clone();
    let (start, len) = (packet.start(), packet.bytes.len());
    let random = |dice: &mut Dice| {
        let bytes: Vec<u8> = (0..16).map(|_| dice.byte()).collect();
        <[u8; 16]>::try_from(bytes).unwrap()
    };
    let mut mend = true;
    match dice.below(19) {
        0 => packet.bytes.truncate(dice.below(len)),
        1 => (0..=dice.below(40)).for_each(|_| packet.bytes.push(dice.byte())),
        kind @ (2 | 3) => {
            let flips = if kind == 2 { 1 } else { 2 + dice.below(7) };
            for _ in 0..flips {
                packet.bytes[dice.below(len)] ^= 1 << dice.below(8);
            }
            mend = false;
        }
        4 => {
            let at = start + dice.below(len - start);
            packet.bytes[at] = dice.byte();
        }
        5 => match &mut packet.v6 {
            Some((.., hop_limit)) => *hop_limit = dice.byte(),
            None => packet.bytes[8] = dice.byte(),
        },
        6 => packet.bytes[start + 1] = dice.byte(),
        7 => packet.bytes[start] = dice.byte(),
        8 => {
            // Type and data of the authentication; in version 3, the interval.
            packet.bytes[start + 4] = dice.byte() % 4;
            let end = packet.bytes.len();
            packet.bytes[end - 1 - dice.below(8)] = dice.byte();
        }
        9 => {
            // The list of addresses: another count, or another address.
            if dice.below(2) == 0 {
                packet.bytes[start + 3] = dice.byte() % 8;
            } else {
                let at = start + 8 + dice.below(len - start - 8);
                packet.bytes[at] = dice.byte();
            }
        }
        10 if packet.v6.is_none() => packet.bytes[2 + dice.below(2)] = dice.byte(),
        11 => {
            // As from ourselves.
            packet.bytes[start + 2] = router.priority;
            match &mut packet.v6 {
                Some((source, ..)) => *source = "fe80::1".parse().unwrap(),
                None => packet.bytes[12..16].copy_from_slice(&[10, 20, 0, OURS]),
            }
        }
        12 => match &mut packet.v6 {
            Some((source, ..)) => *source = Ipv6Addr::from(random(dice)),
            None => packet.bytes[12..16].copy_from_slice(&random(dice)[..4]),
        },
        13 => match &mut packet.v6 {
            Some((_, destination, _)) => *destination = Ipv6Addr::from(random(dice)),
            None => packet.bytes[16..20].copy_from_slice(&random(dice)[..4]),
        },
        14 => {
            packet.bytes = (0..dice.below(90)).map(|_| dice.byte()).collect();
            mend = false;
        }
        15 => {}
        16 => packet.bytes[start + 2] = dice.byte(),
        17 => packet.bytes[start + 5] = dice.byte(),
        _ => packet.bytes[0] = (packet.bytes[0] & 0xf0) | (dice.byte() & 15),
    }
    if mend {
        packet.mend();
    }
    packet
}

/// What one packet did to the counters: how often it was found good, and how often bad.
fn counted(before: &Counters, after: &Counters) -> (u64, u64) {
    // Some of keepalived's are counted with another one, and are not reasons of their own.
    let with_another = (after.address_list_errors - before.address_list_errors)
        .min(after.sender_errors - before.sender_errors);
    let bad = after.bad() + after.sender_errors - before.bad() - before.sender_errors - with_another;
    // What is wrong with addresses and senders is looked at when an advert has been counted, as keepalived does.
    let late = after.adverts_received > before.adverts_received && bad > 0;
    (after.adverts_received - before.adverts_received - u64::from(late), bad)
}

/// Which limit a line comes under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Reason {
    Bad(Discriminant<Bad>),
    What(Discriminant<What>),
    Event(Discriminant<Event>),
}

fn reason(event: &Event) -> Reason {
    match event {
        Event::Router { what: What::Bad(bad), .. } => Reason::Bad(discriminant(bad)),
        Event::Router { what, .. } => Reason::What(discriminant(what)),
        other => Reason::Event(discriminant(other)),
    }
}

fn config(host: u8, router: VirtualRouter) -> Config {
    let mut config = Config { links: links(host), routers: vec![router], ..Config::default() };
    config.settings.log_unknown_vrids = true;
    config
}

/// Lets time pass; returns what was sent.
fn run(router: &mut Router, until: Instant) -> Vec<Advert> {
    let mut sent = Vec::new();
    loop {
        while let Some(action) = router.poll_action() {
            if let Action::Send(advert) = action {
                sent.push(advert);
            }
        }
        match router.poll_timeout() {
            Some(at) if at <= until => router.handle_timeout(at),
            _ => return sent,
        }
    }
}

struct Case {
    name: &'static str,
    ours: VirtualRouter,
    theirs: VirtualRouter,
}

/// Our configuration and that of the other router: the same but for the peers.
fn case(
    name: &'static str,
    version: Version,
    family: Family,
    authentication: Authentication,
    unicast: bool,
) -> Case {
    let address = |last: u16| match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::new(10, 20, 0, last as u8)),
        Family::V6 => IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last)),
    };
    let of = |peer: u8| {
        let mut router = instance("VI_1", E0, 51, 150);
        router.version = version;
        router.family = family;
        router.authentication = authentication;
        router.addresses = [0x64, 0x65, 0x66]
            .map(|last| Address { address: address(last), link: E0, advertised: true })
            .into();
        if unicast {
            let peers = vec![Peer { address: address(u16::from(peer)), ttl: None }];
            router.mode = Mode::Unicast(Unicast { peers, ttl: None, check_source: true });
        }
        router
    };
    Case { name, ours: of(THEIRS), theirs: of(OURS) }
}

fn cases() -> Vec<Case> {
    use Authentication::{Ah, None, Pass};
    let (pass, ah) = (Pass(*b"passw123"), Ah(*b"secret\0\0"));
    vec![
        case("version 2", Version::V2, Family::V4, None, false),
        case("version 2, PASS", Version::V2, Family::V4, pass, false),
        case("version 2, AH", Version::V2, Family::V4, ah, false),
        case("version 2, unicast", Version::V2, Family::V4, pass, true),
        case("version 2, AH, unicast", Version::V2, Family::V4, ah, true),
        case("version 3", Version::V3, Family::V4, None, false),
        case("version 3, unicast", Version::V3, Family::V4, None, true),
        case("version 3, IPv6", Version::V3, Family::V6, None, false),
        case("version 3, IPv6, unicast", Version::V3, Family::V6, None, true),
    ]
}

/// The adverts that the other router sends.
fn adverts(case: &Case) -> Vec<Packet> {
    let begin = Instant::from_nanos(1_000_000_000_000);
    let mut other = Router::new(begin, 3, config(THEIRS, case.theirs.clone()));
    let adverts = run(&mut other, begin + ms(60_000));
    assert!(adverts.len() > 40, "{}", case.name);
    adverts.iter().map(Packet::of).collect()
}

/// The router under test in the state it is to keep, and the time. A Backup has heard this advert.
fn start(case: &Case, state: State, first: &Packet) -> (Router, Instant) {
    let begin = Instant::from_nanos(1_000_000_000_000);
    let mut ours = case.ours.clone();
    ours.priority = if state == State::Master { 200 } else { 100 };
    let mut router = Router::new(begin, 7, config(OURS, ours));
    let now = begin + ms(if state == State::Master { 30_000 } else { 500 });
    run(&mut router, now);
    if state == State::Backup {
        router.handle_packet(now, &first.received());
    }
    run(&mut router, now);
    assert_eq!(router.state(R0), Some(state), "{}", case.name);
    (router, now)
}

fn bombard(case: &Case, state: State) {
    let name = case.name;
    let adverts = adverts(case);
    let (mut router, mut now) = start(case, state, &adverts[0]);
    let mut later = adverts.iter().skip(1);
    let ours = router.config().routers[0].clone();
    let mut last_advert = now;
    let base = later.next().expect("an advert").clone();
    router.handle_packet(now, &base.received());
    run(&mut router, now);
    assert_eq!(router.state(R0), Some(state), "{name}");
    let mut said: HashMap<Reason, Instant> = HashMap::new();
    let (mut good, mut bad, mut lines) = (0, 0, 0);
    for seed in 0.. {
        if bad >= BAD {
            break;
        }
        // A tenth of a millisecond for each, so that there are many to the second; and now and then a pause.
        let until = now + if seed % 100 == 0 { ms(80) } else { ek_time::Duration::from_micros(100) };
        run(&mut router, until);
        now = until;
        if state == State::Backup && now.since(last_advert) >= ms(900) {
            last_advert = now;
            router.handle_packet(now, &later.next().expect("enough adverts").received());
            run(&mut router, until);
        }
        let packet = change(&base, &ours, &mut Dice(seed));
        let what = format!("{name}, {state}, seed {seed}: {packet:02x?}");
        if packet.is_good(&ours) {
            good += 1;
            let (mut fresh, now) = start(case, state, &adverts[0]);
            let before = *fresh.counters(R0).unwrap();
            fresh.handle_packet(now, &packet.received());
            assert_eq!(counted(&before, fresh.counters(R0).unwrap()), (1, 0), "{what}");
            let own =
                packet.advert()[2] == ours.priority && packet.ends().0.to_string().ends_with(['1', '1']);
            let weaker = packet.advert()[2] < ours.priority;
            if state == State::Master && weaker && !own {
                assert_eq!(fresh.state(R0), Some(State::Master), "{what}");
            }
            continue;
        }
        bad += 1;
        let before = (
            *router.counters(R0).unwrap(),
            router.strays(),
            router.status(R0).unwrap(),
            router.poll_timeout(),
        );
        router.handle_packet(now, &packet.received());
        let after = (
            *router.counters(R0).unwrap(),
            router.strays(),
            router.status(R0).unwrap(),
            router.poll_timeout(),
        );
        let strays = after.1.truncated + after.1.unknown_vrid - before.1.truncated - before.1.unknown_vrid;
        let (taken, refused) = counted(&before.0, &after.0);
        assert_eq!((taken, refused + strays), (0, 1), "{what}: counted once: {:?} {:?}", before.0, after.0);
        assert_eq!(format!("{:?}", before.2), format!("{:?}", after.2), "{what}: changes nothing");
        assert_eq!(before.3, after.3, "{what}: sets no timer");
        while let Some(action) = router.poll_action() {
            let Action::Log(event) = action else { unreachable!("{what}: {action:?}") };
            lines += 1;
            if let Some(last) = said.insert(reason(&event), now) {
                assert!(now.since(last) >= ms(1000), "{what}: two lines within a second: {event}");
            }
        }
    }
    println!("{name}, {state}: {bad} bad in {lines} lines, {good} good");
    assert!(lines > 5, "{name}: {lines} lines");
}

#[test]
fn changed_packets_are_counted_and_change_nothing_for_a_backup() {
    cases().iter().for_each(|case| bombard(case, State::Backup));
}

#[test]
fn changed_packets_are_counted_and_change_nothing_for_a_master() {
    cases().iter().for_each(|case| bombard(case, State::Master));
}

/// Our own adverts, come back through a loop in the network: no second Master, and a counter of their own.
#[test]
fn own_adverts_are_no_other_masters() {
    for case in cases() {
        let (mut router, now) = start(&case, State::Master, &adverts(&case)[0]);
        let now = now + ms(1500);
        let own = run(&mut router, now).pop().expect("an advert of ours");
        for _ in 0..100 {
            let before = *router.counters(R0).unwrap();
            router.handle_packet(now, &Packet::of(&own).received());
            let (good, bad) = counted(&before, router.counters(R0).unwrap());
            assert_eq!(good + bad, 1, "{}", case.name);
        }
        let after = router.counters(R0).unwrap();
        assert_eq!(router.state(R0), Some(State::Master), "{}", case.name);
        assert_eq!(after.split_brains, 0, "{}", case.name);
        let mut lines = 0;
        while let Some(action) = router.poll_action() {
            assert!(matches!(action, Action::Log(_)), "{}: {action:?}", case.name);
            lines += 1;
        }
        assert!(lines <= 2, "{}: {lines} lines", case.name);
    }
}
