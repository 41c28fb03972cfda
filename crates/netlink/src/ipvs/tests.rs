//! The words against their bytes, and the decoders against anything.

use super::decode::{
    Found, Listed, any, take_daemon, take_destination, take_info, take_service, take_timeouts,
};
use super::number::{dest, message, service, stats};
use super::{Asked, request};
use crate::attribute::{Attribute, Attributes, Writer};
use crate::error::Malformed;
use crate::generic::GenericFamily;
use crate::message::Messages;
use crate::operation::Operation;
use director::plane::{
    Change, Destination, DestinationKey, Family, Flags, Forwarding, Granularity, PlaneError, Protocol,
    Scheduler, Service, ServiceKey, SyncDaemon, SyncRole, Timeouts, Tunnel, TunnelChecksum,
};
use proptest::option;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr};

fn family() -> GenericFamily {
    GenericFamily { name: "IPVS".to_owned(), id: 28, version: 1, groups: Vec::new() }
}

/// The body of the only message of an operation that can be asked.
fn body<T>(operation: &Operation<T>) -> Vec<u8> {
    assert_eq!(operation.invalid, None);
    let [part] = operation.parts.as_slice() else { panic!("{} messages", operation.parts.len()) };
    assert_eq!(part.kind, 28);
    part.body.clone().unwrap()
}

/// Hexadecimal, an attribute to a line: nested ones are indented.
fn hex(body: &[u8]) -> String {
    fn attributes(bytes: &[u8], depth: usize, out: &mut String) {
        let mut rest = bytes;
        while let [l0, l1, k0, k1, ..] = rest {
            let len = usize::from(u16::from_le_bytes([*l0, *l1]));
            out.push_str(&format!("\n{:depth$}{l0:02x}{l1:02x} {k0:02x}{k1:02x}", "", depth = depth * 2));
            if k1 & 0x80 == 0 {
                out.push(' ');
                for byte in &rest[4..len] {
                    out.push_str(&format!("{byte:02x}"));
                }
            } else {
                attributes(&rest[4..len], depth + 1, out);
            }
            rest = &rest[((len + 3) & !3).min(rest.len())..];
        }
    }
    let mut out = body[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    attributes(&body[4..], 0, &mut out);
    out
}

fn web() -> ServiceKey {
    ServiceKey::Address { protocol: Protocol::Tcp, address: [10, 0, 0, 1].into(), port: 80 }
}

#[cfg(target_endian = "little")]
#[test]
fn a_service_in_bytes() {
    let mut service = Service::new(web(), Scheduler::SourceHash);
    service.flags.flag_2 = true;
    service.persistence = Some(300);
    service.granularity = Granularity::Netmask(Ipv4Addr::new(255, 255, 255, 0));
    service.engine = Some("sip".to_owned());
    let operation = request::change(&family(), &Change::AddService(service));
    assert_eq!(
        hex(&body(&operation)),
        "01010000\n\
         5c00 0180\n  \
         0600 0100 0200\n  \
         0600 0200 0600\n  \
         1400 0300 0a000001000000000000000000000000\n  \
         0600 0400 0050\n  \
         0700 0600 736800\n  \
         0800 0b00 73697000\n  \
         0c00 0700 11000000ffffffff\n  \
         0800 0800 2c010000\n  \
         0800 0900 ffffff00"
    );
}

#[cfg(target_endian = "little")]
#[test]
fn a_mark_of_ipv6_in_bytes() {
    let key = ServiceKey::Mark { family: Family::V6, mark: 7 };
    let operation = request::change(&family(), &Change::RemoveService(key));
    assert_eq!(hex(&body(&operation)), "03010000\n1400 0180\n  0600 0100 0a00\n  0800 0500 07000000");
}

#[cfg(target_endian = "little")]
#[test]
fn a_destination_in_bytes() {
    let tunnel = Tunnel::Gue { port: 6000, checksum: TunnelChecksum::Remote };
    let mut server = Destination::new("fd00::2".parse().unwrap(), 80, Forwarding::Tunnel(tunnel), 5);
    (server.upper_threshold, server.lower_threshold) = (100, 50);
    let operation = request::change(&family(), &Change::EditDestination(web(), server));
    assert_eq!(
        hex(&body(&operation)),
        "06010000\n\
         3000 0180\n  \
         0600 0100 0200\n  \
         0600 0200 0600\n  \
         1400 0300 0a000001000000000000000000000000\n  \
         0600 0400 0050\n\
         6000 0280\n  \
         0600 0b00 0a00\n  \
         1400 0100 fd000000000000000000000000000002\n  \
         0600 0200 0050\n  \
         0800 0300 02000000\n  \
         0800 0400 05000000\n  \
         0800 0500 64000000\n  \
         0800 0600 32000000\n  \
         0500 0d00 01\n  \
         0600 0e00 1770\n  \
         0600 0f00 0200"
    );
}

#[cfg(target_endian = "little")]
#[test]
fn the_rest_in_bytes() {
    let daemon = SyncDaemon {
        role: SyncRole::Master,
        interface: "e0".to_owned(),
        id: 9,
        max_length: Some(1400),
        group: Some([224, 0, 0, 99].into()),
        port: Some(8850),
        ttl: Some(3),
    };
    assert_eq!(
        hex(&body(&request::start_sync(&family(), &daemon))),
        "09010000\n\
         3c00 0380\n  \
         0800 0100 01000000\n  \
         0700 0200 653000\n  \
         0800 0300 09000000\n  \
         0600 0400 7805\n  \
         0800 0500 e0000063\n  \
         0600 0700 9222\n  \
         0500 0800 03"
    );
    assert_eq!(
        hex(&body(&request::stop_sync(&family(), SyncRole::Backup, 9))),
        "0a010000\n1c00 0380\n  0800 0100 02000000\n  0500 0200 00\n  0800 0300 09000000"
    );
    let timeouts = Timeouts { tcp: 7200, tcp_fin: 0, udp: 30 };
    assert_eq!(
        hex(&body(&request::set_timeouts(&family(), &timeouts))),
        "0c010000\n0800 0400 201c0000\n0800 0600 1e000000"
    );
    assert_eq!(hex(&body(&request::timeouts(&family()))), "0d010000");
    assert_eq!(hex(&body(&request::info(&family()))), "0f010000");
    assert_eq!(hex(&body(&request::zero(&family(), None))), "10010000");
    assert_eq!(hex(&body(&request::flush(&family()))), "11010000");
    assert_eq!(hex(&body(&request::sync_daemons(&family()))), "0b010000");
}

/// What `ipvsadm -a -t 10.0.0.1:80 -r 10.0.0.4:80 -g` sends: what another client writes is read as well.
#[cfg(target_endian = "little")]
#[test]
fn what_ipvsadm_writes_is_read() {
    let bytes = b"\x05\x01\0\0\x54\0\x01\x80\x06\0\x01\0\x02\0\0\0\x06\0\x02\0\x06\0\0\0\x14\0\x03\0\x0a\0\0\x01\
        \0\0\0\0\0\0\0\0\0\0\0\0\x06\0\x04\0\0\x50\0\0\x05\0\x06\0\0\0\0\0\x0c\0\x07\0\0\0\0\0\xff\xff\xff\xff\
        \x08\0\x08\0\0\0\0\0\x08\0\x09\0\xff\xff\xff\xff\x60\0\x02\x80\x06\0\x0b\0\x02\0\0\0\x14\0\x01\0\
        \x0a\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\x06\0\x02\0\0\x50\0\0\x08\0\x03\0\x03\0\0\0\x08\0\x04\0\x01\0\0\0\
        \x05\0\x0d\0\0\0\0\0\x06\0\x0e\0\0\0\0\0\x06\0\x0f\0\0\0\0\0\x08\0\x05\0\0\0\0\0\x08\0\x06\0\0\0\0\0";
    let mut services = Vec::new();
    take_service(&mut services, 0, bytes).unwrap();
    assert_eq!(services[0].service, Service::new(web(), Scheduler::Other(String::new())));
    let mut found = Vec::new();
    take_destination(&mut found, 0, bytes).unwrap();
    let server = Destination::new([10, 0, 0, 4].into(), 80, Forwarding::DirectRouting, 1);
    assert_eq!(found[0].destination(Family::V4), server);
}

/// What a kernel answered (`tests/answers/README.txt` says what it had been told).
#[cfg(target_endian = "little")]
#[test]
fn what_a_kernel_answers_is_read() {
    fn read<T: Default>(answer: &[u8], take: crate::operation::Take<T>) -> T {
        let mut result = T::default();
        for message in Messages::new(answer).map(Result::unwrap).filter(|message| message.kind > 15) {
            take(&mut result, message.kind, message.payload).unwrap();
        }
        result
    }
    let services = read(include_bytes!("../../tests/answers/services"), take_service);
    let services: Vec<Service> = services.into_iter().map(|listed| listed.service).collect();
    let dns = ServiceKey::Address { protocol: Protocol::Udp, address: "fd00::1".parse().unwrap(), port: 53 };
    let dns = Service {
        flags: Flags { one_packet: true, ..Flags::default() },
        ..Service::new(dns, Scheduler::RoundRobin)
    };
    let sticky = Service {
        flags: Flags { flag_2: true, ..Flags::default() },
        persistence: Some(300),
        granularity: Granularity::Netmask(Ipv4Addr::new(255, 255, 255, 0)),
        ..Service::new(web(), Scheduler::SourceHash)
    };
    let mark =
        Service::new(ServiceKey::Mark { family: Family::V6, mark: 7 }, Scheduler::WeightedLeastConnection);
    assert_eq!(services.len(), 3);
    for service in [dns, sticky, mark] {
        assert!(services.contains(&service), "{service:?} is not in {services:?}");
    }

    let found = read(include_bytes!("../../tests/answers/destinations"), take_destination);
    let found: Vec<Destination> = found.iter().map(|one| one.destination(Family::V4)).collect();
    let server =
        |last, port, forwarding, weight| Destination::new([10, 0, 0, last].into(), port, forwarding, weight);
    let gue = Tunnel::Gue { port: 6000, checksum: TunnelChecksum::Full };
    let limited =
        Destination { upper_threshold: 100, lower_threshold: 50, ..server(2, 8080, Forwarding::Nat, 3) };
    assert_eq!(
        found,
        [server(4, 80, Forwarding::DirectRouting, 0), server(3, 80, Forwarding::Tunnel(gue), 1), limited]
    );

    let daemons = read(include_bytes!("../../tests/answers/daemons"), take_daemon);
    let daemon = |role, id, group: &str| SyncDaemon {
        role,
        interface: "d0".to_owned(),
        id,
        max_length: Some(if role == SyncRole::Master { 1472 } else { 1452 }),
        group: Some(group.parse().unwrap()),
        port: Some(8848),
        ttl: Some(1),
    };
    assert_eq!(daemons, [daemon(SyncRole::Master, 7, "224.0.0.81"), daemon(SyncRole::Backup, 9, "ff02::99")]);
    let timeouts = read(include_bytes!("../../tests/answers/timeouts"), take_timeouts);
    assert_eq!(timeouts, Timeouts { tcp: 900, tcp_fin: 120, udp: 300 });
    let info = read(include_bytes!("../../tests/answers/info"), take_info);
    assert_eq!((info.version, info.connection_table_size), ((1, 2, 1), 4096));
    let refusal = Messages::new(include_bytes!("../../tests/answers/refusal")).next().unwrap().unwrap();
    assert_eq!(refusal.refusal().unwrap().unwrap().errno, libc::ESRCH);
}

#[test]
fn what_no_kernel_can_be_asked_is_refused_here() {
    let refused = |change| request::change(&family(), &change).invalid.is_some();
    let with = |make: &dyn Fn(&mut Service)| {
        let mut service = Service::new(web(), Scheduler::RoundRobin);
        make(&mut service);
        Change::AddService(service)
    };
    assert!(!refused(with(&|_| ())));
    assert!(refused(with(&|s| s.scheduler = Scheduler::Other("sixteen-letters!".to_owned()))));
    assert!(!refused(with(&|s| s.scheduler = Scheduler::Other("fifteen-letters".to_owned()))));
    assert!(refused(with(&|s| s.scheduler = Scheduler::Other("rr\0".to_owned()))));
    assert!(refused(with(&|s| s.engine = Some(String::new()))));
    assert!(refused(with(&|s| s.granularity = Granularity::Prefix(64))));
    assert!(refused(Change::RemoveService(ServiceKey::Mark { family: Family::V4, mark: 0 })));
}

// Properties

fn ip(family: Family) -> BoxedStrategy<IpAddr> {
    match family {
        Family::V4 => any_of::<[u8; 4]>().prop_map(IpAddr::from).boxed(),
        Family::V6 => any_of::<[u8; 16]>().prop_map(IpAddr::from).boxed(),
    }
}

/// proptest's `any`, whose name is that of a decoder here.
fn any_of<T: proptest::arbitrary::Arbitrary + 'static>() -> BoxedStrategy<T> {
    proptest::arbitrary::any::<T>().boxed()
}

fn families() -> impl Strategy<Value = Family> {
    prop_oneof![Just(Family::V4), Just(Family::V6)]
}

fn keys() -> impl Strategy<Value = ServiceKey> {
    let protocols = prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp), Just(Protocol::Sctp)];
    (families(), protocols, any_of::<u16>(), option::of(1_u32..)).prop_flat_map(
        |(family, protocol, port, mark)| match mark {
            Some(mark) => Just(ServiceKey::Mark { family, mark }).boxed(),
            None => {
                ip(family).prop_map(move |address| ServiceKey::Address { protocol, address, port }).boxed()
            }
        },
    )
}

fn services() -> impl Strategy<Value = Service> {
    let flags = (any_of::<bool>(), any_of::<bool>(), any_of::<bool>(), any_of::<bool>());
    (
        keys(),
        "[a-z]{1,15}",
        flags,
        option::of(any_of::<u32>()),
        (any_of::<[u8; 4]>(), 1_u8..=128),
        option::of("[a-z]{1,15}"),
    )
        .prop_map(|(key, scheduler, flags, persistence, (mask, prefix), engine)| Service {
            key,
            scheduler: Scheduler::from_name(&scheduler),
            flags: Flags { one_packet: flags.0, flag_1: flags.1, flag_2: flags.2, flag_3: flags.3 },
            persistence,
            granularity: match key.family() {
                Family::V4 => Granularity::Netmask(mask.into()),
                Family::V6 => Granularity::Prefix(prefix),
            },
            engine,
        })
}

fn forwardings() -> impl Strategy<Value = Forwarding> {
    let checksums =
        || prop_oneof![Just(TunnelChecksum::None), Just(TunnelChecksum::Full), Just(TunnelChecksum::Remote)];
    prop_oneof![
        Just(Forwarding::Nat),
        Just(Forwarding::DirectRouting),
        Just(Forwarding::Local),
        Just(Forwarding::Bypass),
        Just(Forwarding::Tunnel(Tunnel::IpIp)),
        (any_of::<u16>(), checksums())
            .prop_map(|(port, checksum)| Forwarding::Tunnel(Tunnel::Gue { port, checksum })),
        checksums().prop_map(|checksum| Forwarding::Tunnel(Tunnel::Gre { checksum })),
    ]
}

fn destinations() -> impl Strategy<Value = Destination> {
    let numbers = (any_of::<u32>(), any_of::<u32>(), any_of::<u32>());
    (families().prop_flat_map(ip), any_of::<u16>(), forwardings(), numbers).prop_map(
        |(address, port, forwarding, (weight, upper_threshold, lower_threshold))| Destination {
            key: DestinationKey { address, port },
            forwarding,
            weight,
            upper_threshold,
            lower_threshold,
        },
    )
}

/// An answer about a service: the request's attributes are those of the answer, too, and statistics come with them.
fn listed(wanted: &Service, count: u32) -> Vec<u8> {
    let mut to = Writer::new();
    to.fixed(&[1, 1, 0, 0]);
    to.nest(message::SERVICE, |inner| {
        request::whole_service(inner, wanted);
        statistics(inner, service::STATS, Some(service::STATS64), count);
    });
    to.finish().unwrap()
}

fn found(wanted: &Destination, count: u32) -> Vec<u8> {
    let mut to = Writer::new();
    to.fixed(&[5, 1, 0, 0]);
    to.nest(message::DEST, |inner| {
        request::whole_destination(inner, wanted);
        inner.u32(dest::ACTIVE, count);
        statistics(inner, dest::STATS, None, count);
    });
    to.finish().unwrap()
}

/// The narrow ones count in 32 bits (bytes in 64), the wide ones are there on newer kernels and go on.
fn statistics(to: &mut Writer, narrow: u16, wide: Option<u16>, count: u32) {
    to.nest(narrow, |inner| {
        inner.u32(stats::CONNECTIONS, count);
        inner.bytes(stats::BYTES_IN, &(u64::from(count) << 8).to_ne_bytes());
        inner.u32(stats::BYTE_RATE_OUT, count);
    });
    if let Some(wide) = wide {
        to.nest(wide, |inner| {
            inner.bytes(stats::CONNECTIONS, &(u64::from(count) << 16).to_ne_bytes());
            inner.bytes(stats::BYTES_IN, &(u64::from(count) << 16).to_ne_bytes());
        });
    }
}

fn read_service(bytes: &[u8]) -> Result<Listed, Malformed> {
    let mut list = Vec::new();
    take_service(&mut list, 0, bytes).map(|()| list.pop().unwrap())
}

fn read_destination(bytes: &[u8]) -> Result<Found, Malformed> {
    let mut list = Vec::new();
    take_destination(&mut list, 0, bytes).map(|()| list.pop().unwrap())
}

proptest! {
    #[test]
    fn a_service_is_read_as_it_was_written(wanted in services(), count: u32) {
        let read = read_service(&listed(&wanted, count)).unwrap();
        prop_assert_eq!(&read.service, &wanted);
        prop_assert_eq!(read.counters.connections, u64::from(count) << 16);
        prop_assert_eq!(read.counters.bytes_in, u64::from(count) << 16);
    }

    #[test]
    fn a_destination_is_read_as_it_was_written(wanted in destinations(), count: u32) {
        let read = read_destination(&found(&wanted, count)).unwrap();
        prop_assert_eq!(read.destination(Family::V6), wanted);
        prop_assert_eq!(read.statistics.active, count);
        prop_assert_eq!(read.statistics.counters.connections, u64::from(count));
        prop_assert_eq!(read.statistics.counters.bytes_in, u64::from(count) << 8);
        prop_assert_eq!(read.statistics.rates.bytes_out, u64::from(count));
    }

    #[test]
    fn without_a_family_a_destination_is_of_its_service(wanted in destinations()) {
        let whole = found(&wanted, 0);
        let mut to = Writer::new();
        to.fixed(&[5, 1, 0, 0]);
        let inner = Attributes::new(&whole[4..]).next().unwrap().unwrap();
        to.nest(message::DEST, |to| copy_without(to, inner, dest::FAMILY));
        let read = read_destination(&to.finish().unwrap()).unwrap();
        prop_assert_eq!(read.destination(Family::of(&wanted.key.address)), wanted);
    }

    #[test]
    fn whatever_is_cut_or_changed_is_told_and_never_more(
        wanted in services(),
        server in destinations(),
        cut in any_of::<prop::sample::Index>(),
        (place, byte) in (any_of::<prop::sample::Index>(), any_of::<u8>()),
    ) {
        for whole in [listed(&wanted, 1), found(&server, 1)] {
            any(&whole[..cut.index(whole.len())]);
            let mut changed = whole.clone();
            changed[place.index(whole.len())] = byte;
            any(&changed);
        }
    }

    #[test]
    fn any_bytes_at_all(bytes in prop::collection::vec(any_of::<u8>(), 0..200)) {
        any(&bytes);
    }
}

fn copy_without(to: &mut Writer, from: Attribute<'_>, without: u16) {
    for attribute in from.nested().flatten().filter(|attribute| attribute.kind != without) {
        to.bytes(attribute.kind, attribute.payload);
    }
}

/// Without each of the attributes that must be there, the error says which.
#[test]
fn errors_say_what_is_missing() {
    let service = Service::new(web(), Scheduler::RoundRobin);
    let server = Destination::new([10, 0, 0, 2].into(), 80, Forwarding::Nat, 1);
    let read = |whole: &[u8], message: u16, without: u16| {
        let mut to = Writer::new();
        to.fixed(&[1, 1, 0, 0]);
        let inner = Attributes::new(&whole[4..]).next().unwrap().unwrap();
        to.nest(message, |to| copy_without(to, inner, without));
        let bytes = to.finish().unwrap();
        let of_service = read_service(&bytes).map(|_| ());
        if message == message::SERVICE { of_service } else { read_destination(&bytes).map(|_| ()) }
    };
    for (without, why) in [
        (service::FAMILY, "a service has no family"),
        (service::PROTOCOL, "a service has neither an address nor a mark"),
        (service::ADDRESS, "a service has neither an address nor a mark"),
        (service::PORT, "a service has neither an address nor a mark"),
        (service::SCHEDULER, "a service has no scheduler"),
        (service::FLAGS, "a service has no flags"),
        (service::TIMEOUT, "a service has no timeout"),
        (service::NETMASK, "a service has no netmask"),
    ] {
        assert_eq!(read(&listed(&service, 0), message::SERVICE, without), Err(Malformed(why)));
    }
    for (without, why) in [
        (dest::ADDRESS, "a destination has no address"),
        (dest::PORT, "a destination has no port"),
        (dest::FORWARDING, "a destination has no forwarding method"),
        (dest::WEIGHT, "a destination has no weight"),
    ] {
        assert_eq!(read(&found(&server, 0), message::DEST, without), Err(Malformed(why)));
    }
    let nothing = [1, 1, 0, 0];
    assert_eq!(read_service(&nothing).unwrap_err(), Malformed("an answer has no service in it"));
    assert_eq!(read_destination(&nothing).unwrap_err(), Malformed("an answer has no destination in it"));
    assert_eq!(
        take_daemon(&mut Vec::new(), 0, &nothing).unwrap_err(),
        Malformed("an answer has no daemon in it")
    );
    assert_eq!(
        take_timeouts(&mut Timeouts::default(), 0, &[1, 1]).unwrap_err(),
        Malformed("a generic message is too short")
    );
}

#[test]
fn refusals_in_keepalived_s_words() {
    let server = Destination::new([10, 0, 0, 2].into(), 8080, Forwarding::Nat, 1);
    let add = Change::AddDestination(web(), server);
    assert_eq!(
        Asked::Change(&add).line(&PlaneError::Exists),
        "IPVS cmd IP_VS_SO_SET_ADDDEST(1159) error: Destination already exists(17) (10.0.0.1:tcp:80 -> 10.0.0.2:8080)"
    );
    let mark = Change::EditService(Service::new(
        ServiceKey::Mark { family: Family::V6, mark: 3 },
        Scheduler::Other("none".to_owned()),
    ));
    assert_eq!(
        Asked::Change(&mark).line(&PlaneError::NotFound),
        "IPVS cmd IP_VS_SO_SET_EDIT(1155) error: Scheduler or persistence engine not found(2) (Fwm 3 inet6)"
    );
    assert_eq!(
        Asked::StopSync.line(&PlaneError::NoService),
        "IPVS cmd IP_VS_SO_SET_STOPDAEMON(1164) error: No daemon is running(3)"
    );
    assert_eq!(Asked::StartSync.why(&PlaneError::System(19)), "No such device");
    assert_eq!(
        Asked::Flush.line(&PlaneError::Unavailable("this kernel has no IPVS".to_owned())),
        "IPVS cmd IP_VS_SO_SET_FLUSH(1157) error: this kernel has no IPVS"
    );
}
