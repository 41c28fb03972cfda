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
