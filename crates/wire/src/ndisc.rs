//! Unsolicited neighbour advertisements (RFC 4861 7.2.6): "this address is here", for IPv6.

use crate::checksum::Sum;
use core::net::Ipv6Addr;

/// IP protocol number of ICMPv6.
pub const PROTOCOL_ICMPV6: u8 = 58;
/// Bytes of the ICMPv6 message.
pub const MESSAGE_LEN: usize = 32;
/// Where unsolicited advertisements go: all nodes of the link.
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// An unsolicited neighbour advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsolicited {
    /// The hardware address that has the address.
    pub hardware: [u8; 6],
    /// The address.
    pub address: Ipv6Addr,
    /// The router flag: whether the host forwards on this link.
    pub router: bool,
}

impl Unsolicited {
    /// The ICMPv6 message, its checksum computed for `source` (keepalived sends from the address itself) to
    /// [`ALL_NODES`].
    pub fn message(&self, source: Ipv6Addr) -> [u8; MESSAGE_LEN] {
        const OVERRIDE: u8 = 0x20;
        const ROUTER: u8 = 0x80;
        let flags = if self.router { OVERRIDE | ROUTER } else { OVERRIDE };
        let mut message = [0; MESSAGE_LEN];
        let parts: [&[u8]; 4] =
            [&[136, 0, 0, 0, flags, 0, 0, 0], &self.address.octets(), &[2, 1], &self.hardware];
        for (place, byte) in message.iter_mut().zip(parts.into_iter().flatten()) {
            *place = *byte;
        }
        let sum =
            Sum::ZERO.pseudo_v6(source, ALL_NODES, PROTOCOL_ICMPV6, MESSAGE_LEN).bytes(&message).finish();
        let [high, low] = sum.to_be_bytes();
        message[2] = high;
        message[3] = low;
        message
    }
}
