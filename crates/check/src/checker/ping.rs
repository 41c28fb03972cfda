//! `PING_CHECK`: an echo request (RFC 792, RFC 4443 4.1) and its reply.

use super::attempt::Failure;
use super::udp::filler;
use wire::checksum::Sum;

/// One echo request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ping {
    /// Whether it goes by ICMPv6.
    pub v6: bool,
    /// Its identifier. A datagram socket of the kernel sets its own, and lets only replies to it in.
    pub id: u16,
    /// Its sequence number, counted over all checks.
    pub sequence: u16,
}

const HEADER: usize = 8;
/// Bytes behind the header.
const FILL: usize = 128;

impl Ping {
    /// The packet from the ICMP header on. The checksum is that of ICMP; for ICMPv6 it is zero: its pseudo header is the
    /// kernel's to know.
    pub fn packet(self) -> Vec<u8> {
        let kind = if self.v6 { 128 } else { 8 };
        let [id_high, id_low] = self.id.to_be_bytes();
        // keepalived counts in the byte order of its host.
        let [seq_low, seq_high] = self.sequence.to_le_bytes();
        let mut packet = vec![kind, 0, 0, 0, id_high, id_low, seq_low, seq_high];
        packet.extend(filler(FILL));
        if !self.v6 {
            let sum = Sum::ZERO.bytes(&packet).finish().to_be_bytes();
            for (place, byte) in packet.iter_mut().skip(2).zip(sum) {
                *place = byte;
            }
        }
        packet
    }

    /// What a packet means that came after the request, from the ICMP header on; `None`: it belongs to another request.
    pub fn answer(self, packet: &[u8]) -> Option<Result<(), Failure>> {
        let Some((&[kind, _, _, _, _, _, low, high], _)) = packet.split_first_chunk::<HEADER>() else {
            return Some(Err(Failure::ShortEcho(u16::try_from(packet.len()).unwrap_or(u16::MAX))));
        };
        if kind != if self.v6 { 129 } else { 0 } {
            return Some(Err(Failure::EchoType(kind)));
        }
        (u16::from_le_bytes([low, high]) == self.sequence).then_some(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FILLER: &[u8] = b"keepalived check - keepalived check - keepalived check - keepalived check - \
        keepalived check - keepalived check - keepalived che";

    /// As keepalived 2.2.7's left its host: by ICMP with the identifier that the kernel chose.
    #[test]
    fn packets() {
        let v4 = Ping { v6: false, id: 7, sequence: 6 }.packet();
        assert_eq!(v4, [&[8, 0, 0x65, 0x10, 0, 7, 6, 0][..], FILLER].concat());
        let v6 = Ping { v6: true, id: 12, sequence: 11 }.packet();
        assert_eq!(v6, [&[128, 0, 0, 0, 0, 12, 11, 0][..], FILLER].concat());
    }

    #[test]
    fn answers() {
        let ping = Ping { v6: false, id: 1, sequence: 0x0201 };
        let mut reply = ping.packet();
        assert_eq!(ping.answer(&reply), Some(Err(Failure::EchoType(8))));
        reply[0] = 0;
        assert_eq!(ping.answer(&reply), Some(Ok(())));
        assert_eq!(ping.answer(&reply[..8]), Some(Ok(())));
        assert_eq!(ping.answer(&reply[..7]), Some(Err(Failure::ShortEcho(7))));
        assert_eq!(Ping { sequence: 0x0202, ..ping }.answer(&reply), None, "of an earlier request");
        assert_eq!(Ping { v6: true, ..ping }.answer(&reply), Some(Err(Failure::EchoType(0))));
        reply[0] = 129;
        assert_eq!(Ping { v6: true, ..ping }.answer(&reply), Some(Ok(())));
    }

    proptest! {
        #[test]
        fn only_replies_pass(v6: bool, sequence: u16, packet in proptest::collection::vec(any::<u8>(), 0..20)) {
            let ping = Ping { v6, id: 0, sequence };
            if ping.answer(&packet) == Some(Ok(())) {
                prop_assert_eq!(packet[0], if v6 { 129 } else { 0 });
                prop_assert_eq!(&packet[6..8], &sequence.to_le_bytes());
            }
        }

        #[test]
        fn checksums_hold(id: u16, sequence: u16) {
            let packet = Ping { v6: false, id, sequence }.packet();
            prop_assert_eq!(Sum::ZERO.bytes(&packet).finish(), 0);
        }
    }
}
