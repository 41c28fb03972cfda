//! Packets of real keepalived: what is read from them, and the same bytes written again.

#![expect(clippy::indexing_slicing, clippy::expect_used, reason = "a panic here is a failed test")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use wire::ah::Ttl;
use wire::vrrp::{Advert, Body, GROUP_V4, Packet, Pseudo, auth_type};
use wire::{Family, PROTOCOL_AH, PROTOCOL_VRRP, ah, arp, ipv4, ndisc};

/// The frames of one kind in a capture.
fn frames(text: &str, kind: &str) -> Vec<Vec<u8>> {
    let lines = text.lines().filter_map(|line| line.strip_prefix(kind)?.strip_prefix(' '));
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hex");
    let frames: Vec<_> = lines.map(|hex| hex.as_bytes().chunks(2).map(byte).collect()).collect();
    assert!(!frames.is_empty(), "no {kind} in the capture");
    frames
}

/// The bytes after the Ethernet header.
fn datagrams(text: &str) -> Vec<Vec<u8>> {
    frames(text, "advert").into_iter().map(|frame| frame[14..].to_vec()).collect()
}

/// What one capture should show.
struct Expected {
    capture: &'static str,
    destination: IpAddr,
    ttl: u8,
    priority: u8,
    body: Body,
    addresses: &'static [&'static str],
    /// The key of the authentication header, and what it does with the time to live.
    key: Option<([u8; 8], Ttl)>,
    /// The pseudo header's destination where it is not the packet's.
    pseudo: Option<Ipv4Addr>,
}

const NO_AUTH: Body = Body::V2 { seconds: 1, auth_type: auth_type::NONE, auth_data: [0; 8] };
const AH_AUTH: Body = Body::V2 { seconds: 1, auth_type: auth_type::AH, auth_data: [0; 8] };
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 20, 0, 2));
const PLAIN: Expected = Expected {
    capture: "",
    destination: IpAddr::V4(GROUP_V4),
    ttl: 255,
    priority: 150,
    body: NO_AUTH,
    addresses: &["10.20.0.100"],
    key: None,
    pseudo: None,
};

fn cases() -> Vec<Expected> {
    vec![
        Expected {
            capture: include_str!("packets/v2_none.hex"),
            addresses: &["10.20.0.100", "10.20.0.101", "10.20.0.102"],
            ..PLAIN
        },
        Expected {
            capture: include_str!("packets/v2_pass.hex"),
            body: Body::V2 { seconds: 1, auth_type: auth_type::PASS, auth_data: *b"passw123" },
            ..PLAIN
        },
        Expected {
            capture: include_str!("packets/v2_ah.hex"),
            body: AH_AUTH,
            addresses: &["10.20.0.100", "10.20.0.101"],
            key: Some((*b"secret\0\0", Ttl::Kept)),
            ..PLAIN
        },
        Expected {
            capture: include_str!("packets/v2_unicast_ah.hex"),
            destination: PEER,
            body: AH_AUTH,
            key: Some((*b"secret\0\0", Ttl::Zeroed)),
            ..PLAIN
        },
        Expected {
            capture: include_str!("packets/v3_ipv4.hex"),
            body: Body::V3 { centiseconds: 20 },
            addresses: &["10.20.0.100", "10.20.0.101"],
            ..PLAIN
        },
        Expected {
            capture: include_str!("packets/v3_unicast.hex"),
            destination: PEER,
            ttl: 64,
            body: Body::V3 { centiseconds: 20 },
            ..PLAIN
        },
        Expected {
            capture: include_str!("packets/v3_unicast_old_checksum.hex"),
            destination: PEER,
            body: Body::V3 { centiseconds: 20 },
            pseudo: Some(GROUP_V4),
            ..PLAIN
        },
    ]
}

#[test]
fn adverts_over_ipv4_are_read_and_written_alike() {
    for case in cases() {
        let seen = datagrams(case.capture);
        for (number, bytes) in (1_u16..).zip(&seen) {
            let view = ipv4::Datagram::parse(bytes).expect("IPv4");
            let source = view.source();
            assert_eq!(source, Ipv4Addr::new(10, 20, 0, 1));
            assert_eq!(IpAddr::V4(view.destination()), case.destination);
            assert_eq!((view.ttl(), view.id()), (case.ttl, number));
            assert_eq!(usize::from(view.total_len()), bytes.len());
            let payload = match case.key {
                Some((key, ttl)) => {
                    assert_eq!(view.protocol(), PROTOCOL_AH);
                    let header = ah::Packet::parse(view.payload()).expect("authentication header");
                    assert_eq!(header.next_header(), PROTOCOL_VRRP);
                    assert_eq!(header.spi(), source.octets());
                    assert_eq!(header.sequence(), u32::from(number));
                    assert!(ah::verify(bytes, ttl, &key));
                    assert!(!ah::verify(bytes, ttl, b"secret\0!"), "another key");
                    header.payload()
                }
                None => {
                    assert_eq!(view.protocol(), PROTOCOL_VRRP);
                    view.payload()
                }
            };
            let packet = Packet::parse(payload).expect("VRRP");
            assert_eq!((packet.vrid(), packet.priority(), packet.kind()), (51, case.priority, 1));
            assert_eq!(payload.len(), packet.expected_len(Family::V4));
            let addresses: Vec<IpAddr> =
                case.addresses.iter().map(|text| text.parse().expect("address")).collect();
            assert_eq!(packet.addresses(Family::V4).collect::<Vec<_>>(), addresses);
            let destination = case.pseudo.map_or(case.destination, IpAddr::V4);
            let pseudo = match case.body {
                Body::V2 { seconds, auth_type, auth_data } => {
                    assert_eq!((packet.version(), packet.seconds()), (2, seconds));
                    assert_eq!(packet.auth_type(), auth_type);
                    assert_eq!(packet.auth_data(), Some(auth_data));
                    Pseudo::None
                }
                Body::V3 { centiseconds } => {
                    assert_eq!((packet.version(), packet.centiseconds()), (3, centiseconds));
                    Pseudo::Header { source: IpAddr::V4(source), destination }
                }
            };
            assert!(packet.checksum_holds(pseudo));

            // The same, written by us.
            let mut ours = Vec::new();
            let protocol = if case.key.is_some() { PROTOCOL_AH } else { PROTOCOL_VRRP };
            let IpAddr::V4(destination) = case.destination else { panic!("IPv4") };
            let payload_len = (bytes.len() - ipv4::HEADER_LEN) as u16;
            ipv4::Header { id: number, ttl: case.ttl, protocol, source, destination, payload_len }
                .encode(&mut ours);
            if case.key.is_some() {
                ah::encode(source.octets(), u32::from(number), &mut ours);
            }
            let advert = Advert {
                vrid: 51,
                priority: case.priority,
                body: case.body,
                family: Family::V4,
                addresses: addresses.iter().copied(),
            };
            advert.encode(pseudo, &mut ours);
            if let Some((key, ttl)) = case.key {
                assert!(ah::sign(&mut ours, ttl, &key));
            }
            // The kernel fills the header's checksum in.
            ours[10..12].copy_from_slice(&bytes[10..12]);
            assert_eq!(&ours, bytes);
            ours[10..12].fill(0);
            let header = wire::checksum::of(&ours[..20]).to_be_bytes();
            assert_eq!(header, bytes[10..12], "the header checksum the kernel computed");
        }
    }
}

#[test]
fn adverts_over_ipv6_are_read_and_written_alike() {
    for bytes in datagrams(include_str!("packets/v3_ipv6.hex")) {
        let address =
            |at: usize| Ipv6Addr::from(<[u8; 16]>::try_from(&bytes[at..at + 16]).expect("16 bytes"));
        let (source, destination) = (IpAddr::V6(address(8)), IpAddr::V6(address(24)));
        assert_eq!(destination, IpAddr::V6(wire::vrrp::GROUP_V6));
        assert_eq!((bytes[6], bytes[7]), (PROTOCOL_VRRP, 255));
        let payload = &bytes[40..];
        let packet = Packet::parse(payload).expect("VRRP");
        assert_eq!((packet.version(), packet.kind(), packet.vrid()), (3, 1, 51));
        assert_eq!((packet.priority(), packet.centiseconds()), (150, 50));
        assert_eq!(payload.len(), packet.expected_len(Family::V6));
        let pseudo = Pseudo::Header { source, destination };
        assert!(packet.checksum_holds(pseudo));
        let addresses: Vec<IpAddr> =
            ["fe80::100", "fd20::100"].map(|text| text.parse().expect("address")).into();
        assert_eq!(packet.addresses(Family::V6).collect::<Vec<_>>(), addresses);
        let mut ours = Vec::new();
        let body = Body::V3 { centiseconds: 50 };
        let advert =
            Advert { vrid: 51, priority: 150, body, family: Family::V6, addresses: addresses.into_iter() };
        advert.encode(pseudo, &mut ours);
        assert_eq!(ours, payload);
    }
}

#[test]
fn announcements_are_the_same() {
    for case in cases() {
        for frame in frames(case.capture, "announcement") {
            let hardware = frame[6..12].try_into().expect("6 bytes");
            let ours = arp::Gratuitous { hardware, address: Ipv4Addr::new(10, 20, 0, 100), reply: false };
            assert_eq!(ours.frame()[..], frame[..arp::FRAME_LEN]);
        }
    }
    for frame in frames(include_str!("packets/v3_ipv6.hex"), "announcement") {
        let address = Ipv6Addr::from(<[u8; 16]>::try_from(&frame[22..38]).expect("16 bytes"));
        let hardware = frame[frame.len() - 6..].try_into().expect("6 bytes");
        // keepalived looks whether the interface forwards; these captures' hosts do.
        let router = frame[54 + 4] & 0x80 != 0;
        let ours = ndisc::Unsolicited { hardware, address, router };
        assert_eq!(ours.message(address)[..], frame[54..]);
    }
}
