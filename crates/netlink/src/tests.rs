//! The codec against itself and against anything.

use crate::address::{Address, AddressFlags, Scope};
use crate::attribute::{Attributes, Writer};
use crate::exchange::{Exchange, State};
use crate::feed::{Change, Event, Feed, Interests};
use crate::link::Link;
use crate::message::{Messages, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, append};
use crate::operation::Part;
use crate::prefix::{Family, Prefix};
use crate::route::{self, Encapsulation, Metric, NextHop, Preference, Route, RouteKind};
use crate::rule::{self, Action, Rule};
use crate::{address, fuzz};
use proptest::option;
use proptest::prelude::*;
use std::net::IpAddr;

fn families() -> impl Strategy<Value = Family> {
    prop_oneof![Just(Family::V4), Just(Family::V6)]
}

fn ip(family: Family) -> BoxedStrategy<IpAddr> {
    match family {
        Family::V4 => any::<[u8; 4]>().prop_map(IpAddr::from).boxed(),
        Family::V6 => any::<[u8; 16]>().prop_map(IpAddr::from).boxed(),
    }
}

fn prefix(family: Family) -> impl Strategy<Value = Prefix> {
    // Length 0 goes without an address.
    (ip(family), 1..=family.bits()).prop_map(|(address, length)| Prefix::new(address, length))
}

fn addresses() -> impl Strategy<Value = Address> {
    families().prop_flat_map(|family| {
        let broadcast =
            if family == Family::V4 { option::of(any::<[u8; 4]>()).boxed() } else { Just(None).boxed() };
        (
            (any::<u32>(), prefix(family), option::of(ip(family)), broadcast, option::of("[a-z0-9:]{1,15}")),
            (any::<u8>(), 0_u32..0x1000, option::of(0..u32::MAX), option::of(0..u32::MAX)),
            (option::of(any::<u32>()), option::of(any::<u8>())),
        )
            .prop_map(
                |(
                    (link, local, peer, broadcast, label),
                    (scope, flags, preferred, valid),
                    (metric, protocol),
                )| {
                    Address {
                        link,
                        local,
                        peer: peer.filter(|peer| *peer != local.address),
                        broadcast: broadcast.map(Into::into),
                        label,
                        scope: Scope(scope),
                        flags: AddressFlags(flags),
                        preferred,
                        valid,
                        metric,
                        protocol,
                    }
                },
            )
    })
}

fn encapsulations() -> impl Strategy<Value = Encapsulation> {
    prop_oneof![
        (prop::collection::vec(0_u32..1 << 20, 1..5), option::of(any::<u8>()))
            .prop_map(|(labels, ttl)| Encapsulation::Mpls { labels, ttl }),
        (any::<u64>(), any::<[u8; 4]>(), option::of(1_u32..), any::<u8>(), any::<u8>(), any::<u16>())
            .prop_map(|(id, destination, source, ttl, tos, flags)| Encapsulation::Ip {
                id,
                destination: destination.into(),
                source: source.map(Into::into),
                ttl,
                tos,
                flags,
            }),
        any::<u64>().prop_map(|locator| Encapsulation::Ila { locator }),
    ]
}

fn next_hops(family: Family) -> impl Strategy<Value = NextHop> {
    (
        option::of(1_u32..),
        option::of(ip(family)),
        any::<bool>(),
        option::of(any::<u32>()),
        option::of(encapsulations()),
    )
        .prop_map(|(link, via, on_link, realms, encapsulation)| NextHop {
            link,
            via,
            on_link,
            realms,
            encapsulation,
            ..NextHop::default()
        })
}

fn routes() -> impl Strategy<Value = Route> {
    families().prop_flat_map(|family| {
        (
            (prefix(family), option::of(prefix(family)), any::<u32>(), any::<u8>(), any::<u8>(), any::<u8>()),
            (
                option::of(any::<u32>()),
                option::of(ip(family)),
                prop::collection::vec(next_hops(family), 2..4),
            ),
            (any::<bool>(), any::<u32>(), any::<bool>(), option::of("[a-z]{1,9}"), option::of(any::<u32>())),
        )
            .prop_map(move |(a, b, c)| {
                let (destination, source, table, protocol, tos, scope) = a;
                let (metric, preferred_source, next_hops) = b;
                let (blackhole, mtu, locked, congestion, expires) = c;
                let mut route = Route::new(destination);
                route.kind = if blackhole { RouteKind::Blackhole } else { RouteKind::Unicast };
                route.scope = (family == Family::V4).then_some(Scope(scope));
                (route.source, route.table, route.protocol, route.tos) = (source, table, protocol, tos);
                (route.metric, route.preferred_source, route.expires) = (metric, preferred_source, expires);
                route.preference = Some(Preference::High);
                route.next_hops = next_hops;
                if locked {
                    route.metrics.lock(Metric::Mtu, mtu);
                } else {
                    route.metrics.set(Metric::Mtu, mtu);
                }
                if let Some(name) = congestion {
                    route.metrics.set_congestion(&name, locked);
                }
                route
            })
    })
}

fn rules() -> impl Strategy<Value = Rule> {
    families().prop_flat_map(|family| {
        (
            (
                any::<u32>(),
                option::of(prefix(family)),
                option::of(prefix(family)),
                any::<u8>(),
                any::<bool>(),
            ),
            (
                option::of(any::<u32>()),
                option::of(1_u32..),
                option::of("[a-z]{1,15}"),
                option::of("[a-z]{1,15}"),
            ),
            (option::of(any::<(u32, u32)>()), option::of(any::<(u16, u16)>()), option::of(any::<u8>())),
            (
                option::of(any::<u64>()),
                option::of(0..u32::MAX),
                option::of(0..u32::MAX),
                option::of(any::<u32>()),
            ),
            prop_oneof![
                any::<u32>().prop_map(Action::Table),
                any::<u32>().prop_map(Action::Goto),
                Just(Action::Nop),
                Just(Action::L3mdev),
                Just(Action::Blackhole),
                Just(Action::Unreachable),
                Just(Action::Prohibit),
            ],
        )
            .prop_map(move |(a, b, c, d, action)| {
                let mut rule = Rule::new(family, action);
                rule.priority = Some(a.0);
                (rule.from, rule.to, rule.tos, rule.invert) = (a.1, a.2, a.3, a.4);
                (rule.mark, rule.mask, rule.input, rule.output) = b;
                rule.users = c.0.map(|(first, last)| first..=last);
                rule.source_ports = c.1.map(|(first, last)| first..=last);
                rule.destination_ports = rule.source_ports.clone();
                (rule.ip_protocol, rule.protocol) = (c.2, c.2);
                (rule.tunnel, rule.suppress_group, rule.suppress_prefix_length, rule.realms) = d;
                rule
            })
    })
}

proptest! {
    #[test]
    fn an_address_survives_the_way_to_the_kernel_and_back(address in addresses()) {
        let operation = address::add(&address);
        let body = operation.parts[0].body.as_deref().unwrap();
        prop_assert_eq!(Address::decode(body).unwrap(), Some(address));
    }

    #[test]
    fn a_route_survives_the_way_to_the_kernel_and_back(route in routes()) {
        let operation = route::add(&route, route::Placement::Alone);
        let body = operation.parts[0].body.as_deref().unwrap();
        prop_assert_eq!(Route::decode(body).unwrap(), Some(route));
    }

    #[test]
    fn a_rule_survives_the_way_to_the_kernel_and_back(rule in rules()) {
        let operation = rule::add(&rule);
        let body = operation.parts[0].body.as_deref().unwrap();
        prop_assert_eq!(Rule::decode(body).unwrap(), Some(rule));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        fuzz::decode(&bytes);
    }

    #[test]
    fn no_cut_or_change_makes_it_panic(
        address in addresses(), route in routes(), rule in rules(),
        cut in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        for (kind, operation) in [
            (libc::RTM_NEWADDR, address::add(&address)),
            (libc::RTM_NEWROUTE, route::add(&route, route::Placement::First)),
            (libc::RTM_NEWRULE, rule::add(&rule)),
        ] {
            let mut body = operation.parts[0].body.clone().unwrap();
            let place = at.index(body.len());
            body[place] = byte;
            let mut datagram = Vec::new();
            append(&mut datagram, kind, 2, 1, &body).unwrap();
            fuzz::decode(&datagram);
            fuzz::decode(&datagram[..cut.index(datagram.len())]);
            body.truncate(cut.index(body.len()));
            datagram.clear();
            append(&mut datagram, kind, 2, 1, &body).unwrap();
            fuzz::decode(&datagram);
        }
    }

    #[test]
    fn attributes_are_read_as_they_were_written(list in prop::collection::vec((0_u16..0x4000, prop::collection::vec(any::<u8>(), 0..40)), 0..10)) {
        let mut writer = Writer::new();
        writer.nest(7, |inside| {
            for (kind, payload) in &list {
                inside.bytes(*kind, payload);
            }
        });
        let bytes = writer.finish().unwrap();
        let outer: Vec<_> = Attributes::new(&bytes).map(Result::unwrap).collect();
        prop_assert_eq!(outer.len(), 1);
        prop_assert_eq!(outer[0].kind, 7);
        let read: Vec<_> = outer[0].nested().map(|a| a.unwrap()).map(|a| (a.kind, a.payload.to_vec())).collect();
        prop_assert_eq!(read, list);
    }
}

fn part(flags: i32) -> Part {
    Part { kind: 100, flags: flags as u16, body: Some(vec![1, 2, 3, 4]) }
}

fn message(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    append(&mut bytes, kind, flags, sequence, body).unwrap();
    bytes
}

#[test]
fn an_attribute_that_is_too_long_is_not_sent() {
    let mut writer = Writer::new();
    writer.bytes(1, &vec![0; 70_000]);
    assert_eq!(writer.finish(), None);
    let mut writer = Writer::new();
    writer.nest(1, |inside| {
        inside.bytes(1, &vec![0; 40_000]).bytes(2, &vec![0; 40_000]);
    });
    assert_eq!(writer.finish(), None);
}

#[test]
fn a_refusal_has_the_kernel_s_words() {
    let mut body = (-22_i32).to_ne_bytes().to_vec();
    // The request's header, its payload left out.
    body.extend_from_slice(&message(20, 5, 7, &[]));
    let mut words = Writer::new();
    words.text(1, "Nexthop has invalid gateway").u32(2, 36).u32(5, 9);
    body.extend(words.finish().unwrap());
    let capped = message(NLMSG_ERROR, 0x300, 7, &body);
    let refusal = Messages::new(&capped).next().unwrap().unwrap().refusal().unwrap().unwrap();
    assert_eq!(refusal.errno, 22);
    assert_eq!(refusal.text.as_deref(), Some("Nexthop has invalid gateway"));
    assert_eq!((refusal.offset, refusal.missing), (Some(36), Some(9)));
    // Without that option the payload is echoed, too.
    let mut body = (-22_i32).to_ne_bytes().to_vec();
    body.extend_from_slice(&message(20, 5, 7, &[1; 12]));
    let mut words = Writer::new();
    words.text(1, "no");
    body.extend(words.finish().unwrap());
    let echoed = message(NLMSG_ERROR, 0x200, 7, &body);
    let refusal = Messages::new(&echoed).next().unwrap().unwrap().refusal().unwrap().unwrap();
    assert_eq!(refusal.text.as_deref(), Some("no"));
    // The end of a listing may be one.
    let mut body = (-2_i32).to_ne_bytes().to_vec();
    let mut words = Writer::new();
    words.text(1, "no table");
    body.extend(words.finish().unwrap());
    let done = message(NLMSG_DONE, 0x202, 7, &body);
    let refusal = Messages::new(&done).next().unwrap().unwrap().refusal().unwrap().unwrap();
    assert_eq!((refusal.errno, refusal.text.as_deref()), (2, Some("no table")));
}

#[test]
fn answers_find_their_requests_in_any_order() {
    let parts = [part(libc::NLM_F_ACK), part(0), part(libc::NLM_F_ACK)];
    let (mut exchange, bytes) = Exchange::new(u32::MAX, &parts).unwrap();
    let sent: Vec<_> = Messages::new(&bytes).map(|m| m.unwrap().sequence).collect();
    assert_eq!(sent, [u32::MAX, 0, 1]);
    let none = |_: usize, _: &crate::Message<'_>| Ok(());
    exchange.handle(&message(NLMSG_ERROR, 0, 1, &(-17_i32).to_ne_bytes()), none).unwrap();
    assert!(!exchange.is_complete() && exchange.is_refused());
    // Neither a stranger's answer nor a second one changes anything.
    exchange.handle(&message(NLMSG_ERROR, 0, 99, &0_i32.to_ne_bytes()), none).unwrap();
    exchange.handle(&message(NLMSG_ERROR, 0, 1, &0_i32.to_ne_bytes()), none).unwrap();
    exchange.handle(&message(NLMSG_ERROR, 0, u32::MAX, &0_i32.to_ne_bytes()), none).unwrap();
    assert!(exchange.is_complete());
    let states = exchange.into_states();
    assert!(
        matches!(&states[..], [State::Done, State::Done, State::Refused(refusal)] if refusal.errno == 17)
    );
}

/// A feed of addresses only, as a socket of port 9 would drive it.
fn feed() -> (Feed, u32) {
    let interests = Interests { links: false, addresses: true, routes: false, rules: false };
    let mut feed = Feed::new(interests, 9);
    let request = feed.poll_request().unwrap();
    let sequence = Messages::new(&request).next().unwrap().unwrap().sequence;
    assert_eq!(feed.poll_request(), None, "one listing at a time");
    (feed, sequence)
}

fn address_message(last: u8, kind: u16, flags: u16, sequence: u32, port: u32) -> Vec<u8> {
    let address = Address::new(1, Prefix::new([10, 0, 0, last].into(), 24));
    let operation = address::add(&address);
    let mut bytes = message(kind, flags, sequence, operation.parts[0].body.as_deref().unwrap());
    bytes[12..16].copy_from_slice(&port.to_ne_bytes());
    bytes
}

fn done(flags: u16, sequence: u32) -> Vec<u8> {
    let mut bytes = message(NLMSG_DONE, flags, sequence, &0_i32.to_ne_bytes());
    bytes[12..16].copy_from_slice(&9_u32.to_ne_bytes());
    bytes
}

fn told(feed: &mut Feed) -> Vec<String> {
    std::iter::from_fn(|| feed.poll_event())
        .map(|event| match event {
            Event::Address(change, address) => format!("{change:?} {}", address.local),
            other => format!("{other:?}"),
        })
        .collect()
}

#[test]
fn a_listing_and_the_news_in_between_keep_their_order() {
    let (mut feed, sequence) = feed();
    feed.handle(&address_message(1, libc::RTM_NEWADDR, 2, sequence, 9));
    // News that another program caused, whose request had the same number.
    feed.handle(&address_message(2, libc::RTM_NEWADDR, 0, sequence, 77));
    feed.handle(&address_message(1, libc::RTM_DELADDR, 0, 0, 0));
    feed.handle(&done(2, sequence));
    assert_eq!(feed.poll_request(), None);
    let events = told(&mut feed);
    assert_eq!(events, ["Present 10.0.0.1/24", "New 10.0.0.2/24", "Deleted 10.0.0.1/24", "Synchronised"]);
    feed.handle(&address_message(3, libc::RTM_NEWADDR, 0, 0, 0));
    assert_eq!(told(&mut feed), ["New 10.0.0.3/24"]);
}

#[test]
fn an_interrupted_listing_is_repeated() {
    let (mut feed, sequence) = feed();
    feed.handle(&address_message(1, libc::RTM_NEWADDR, 2 | NLM_F_DUMP_INTR, sequence, 9));
    feed.handle(&done(2, sequence));
    let again = Messages::new(&feed.poll_request().unwrap()).next().unwrap().unwrap().sequence;
    assert_ne!(again, sequence);
    feed.handle(&address_message(1, libc::RTM_NEWADDR, 2, again, 9));
    feed.handle(&done(2, again));
    assert_eq!(feed.poll_request(), None);
    assert_eq!(told(&mut feed), ["Present 10.0.0.1/24", "Present 10.0.0.1/24", "Synchronised"]);
}

#[test]
fn after_a_loss_all_is_told_again_once_the_old_listing_ended() {
    let (mut feed, sequence) = feed();
    feed.handle(&address_message(1, libc::RTM_NEWADDR, 2, sequence, 9));
    feed.handle_overrun();
    assert_eq!(told(&mut feed), ["Resync"]);
    // The kernel makes one listing at a time.
    assert_eq!(feed.poll_request(), None);
    feed.handle(&address_message(2, libc::RTM_NEWADDR, 2, sequence, 9));
    feed.handle(&done(2, sequence));
    assert_eq!(told(&mut feed), Vec::<String>::new());
    let again = Messages::new(&feed.poll_request().unwrap()).next().unwrap().unwrap().sequence;
    feed.handle(&address_message(1, libc::RTM_NEWADDR, 2, again, 9));
    feed.handle(&done(2, again));
    assert_eq!(feed.poll_request(), None);
    assert_eq!(told(&mut feed), ["Present 10.0.0.1/24", "Synchronised"]);
}

#[test]
fn what_cannot_be_read_is_told_and_a_refused_listing_ends_it() {
    let (mut feed, sequence) = feed();
    feed.handle(&message(libc::RTM_NEWADDR, 0, 0, &[2, 24]));
    assert!(matches!(feed.poll_event(), Some(Event::Unreadable(_))));
    let mut refusal = message(NLMSG_ERROR, 0, sequence, &(-1_i32).to_ne_bytes());
    refusal[12..16].copy_from_slice(&9_u32.to_ne_bytes());
    feed.handle(&refusal);
    assert!(feed.take_failure().unwrap().is_forbidden());
}

#[test]
fn changes_of_bridge_ports_are_not_changes_of_links() {
    let mut body = vec![0; 16];
    body[0] = 7;
    assert_eq!(Link::decode(&body).unwrap(), None);
    body[0] = 0;
    assert!(Link::decode(&body).unwrap().is_some());
    let _ = Change::New;
}
