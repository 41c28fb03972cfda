//! Whatever bytes come in: no panic, and what is written is read again.

#![expect(clippy::indexing_slicing, reason = "a panic here is a failed test")]

use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use wire::ah::Ttl;
use wire::vrrp::{Advert, Body, Packet, Pseudo};
use wire::{Family, ah, checksum, ipv4};

/// Looks at all there is in a packet.
fn look(bytes: &[u8]) {
    for family in [Family::V4, Family::V6] {
        if let Ok(packet) = Packet::parse(bytes) {
            let _ = (packet.version(), packet.kind(), packet.vrid(), packet.priority(), packet.count());
            let _ = (packet.auth_type(), packet.seconds(), packet.centiseconds(), packet.auth_data());
            let _ = (packet.checksum(), packet.expected_len(family));
            assert!(packet.addresses(family).count() <= usize::from(packet.count()));
            let _ = packet.checksum_holds(Pseudo::None);
        }
    }
    if let Ok(view) = ipv4::Datagram::parse(bytes) {
        assert_eq!(view.header().len() + view.payload().len(), bytes.len());
        let _ = (view.total_len(), view.id(), view.ttl(), view.protocol(), view.source(), view.destination());
        if let Ok(header) = ah::Packet::parse(view.payload()) {
            let _ = (header.next_header(), header.spi(), header.sequence(), header.icv(), header.payload());
        }
    }
    let _ = ah::verify(bytes, Ttl::Kept, b"12345678");
    let _ = ah::sign(&mut bytes.to_vec(), Ttl::Zeroed, b"12345678");
}

/// The checksum of RFC 1071, word by word.
fn slowly(bytes: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), like in any::<bool>()) {
        if like && let Some(first) = bytes.first_mut() {
            *first = 0x45;
        }
        look(&bytes);
    }

    #[test]
    fn checksums_are_those_of_the_rfc(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(checksum::of(&bytes), slowly(&bytes));
    }

    #[test]
    fn what_is_written_is_read(
        vrid in any::<u8>(), priority in any::<u8>(), v3 in any::<bool>(), v6 in any::<bool>(),
        interval in 0_u16..0x1000, auth in (0_u8..3, any::<[u8; 8]>()),
        addresses in prop::collection::vec(any::<[u8; 16]>(), 0..30), flip in any::<prop::sample::Index>(),
    ) {
        let family = if v6 { Family::V6 } else { Family::V4 };
        let addresses: Vec<IpAddr> = addresses.into_iter().map(|bytes| match family {
            Family::V4 => IpAddr::V4(Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3])),
            Family::V6 => IpAddr::V6(Ipv6Addr::from(bytes)),
        }).collect();
        let body = if v3 {
            Body::V3 { centiseconds: interval }
        } else {
            Body::V2 { seconds: interval as u8, auth_type: auth.0, auth_data: auth.1 }
        };
        let pseudo = match family {
            Family::V4 if !v3 => Pseudo::None,
            Family::V4 => Pseudo::Header {
                source: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
                destination: IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18)),
            },
            Family::V6 => Pseudo::Header {
                source: IpAddr::V6(Ipv6Addr::LOCALHOST),
                destination: IpAddr::V6(wire::vrrp::GROUP_V6),
            },
        };
        let mut bytes = vec![1, 2, 3];
        Advert { vrid, priority, body, family, addresses: addresses.iter().copied() }.encode(pseudo, &mut bytes);
        prop_assert_eq!(&bytes[..3], &[1, 2, 3], "what was there stays");
        bytes.drain(..3);
        let packet = Packet::parse(&bytes).expect("a packet");
        prop_assert_eq!((packet.vrid(), packet.priority(), packet.kind()), (vrid, priority, 1));
        prop_assert_eq!(bytes.len(), packet.expected_len(family));
        prop_assert_eq!(packet.addresses(family).collect::<Vec<_>>(), addresses);
        prop_assert!(packet.checksum_holds(pseudo));
        if v3 {
            prop_assert_eq!(packet.centiseconds(), interval);
        } else if !v6 {
            prop_assert_eq!(packet.auth_data(), Some(auth.1));
        }
        // One bit flipped is noticed.
        let at = flip.index(bytes.len() * 8);
        bytes[at / 8] ^= 1 << (at % 8);
        prop_assert!(!Packet::parse(&bytes).expect("a packet").checksum_holds(pseudo));
    }

    #[test]
    fn signatures_hold_until_a_byte_changes(
        payload in prop::collection::vec(any::<u8>(), 8..60), key in any::<[u8; 8]>(), at in any::<prop::sample::Index>(),
    ) {
        let mut bytes = Vec::new();
        let source = Ipv4Addr::new(10, 0, 0, 1);
        let len = (ah::HEADER_LEN + payload.len()) as u16;
        ipv4::Header { id: 7, ttl: 255, protocol: 51, source, destination: source, payload_len: len }.encode(&mut bytes);
        ah::encode(source.octets(), 9, &mut bytes);
        bytes.extend(&payload);
        prop_assert!(ah::sign(&mut bytes, Ttl::Kept, &key));
        prop_assert!(ah::verify(&bytes, Ttl::Kept, &key));
        let at = at.index(bytes.len());
        bytes[at] ^= 0x10;
        // The version, the type of service, flags, fragment offset and checksum are not covered, but for the first.
        let mutable = matches!(at, 1 | 6 | 7 | 10 | 11);
        prop_assert_eq!(ah::verify(&bytes, Ttl::Kept, &key), mutable);
    }
}
