//! The Internet checksum (RFC 1071).

use crate::PROTOCOL_VRRP;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A sum in progress: pieces are added, each of an even number of bytes except for the last.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum(u64);

impl Sum {
    /// Nothing added.
    pub const ZERO: Self = Self(0);

    /// With the bytes, taken as big-endian 16-bit words.
    #[must_use]
    pub fn bytes(self, bytes: &[u8]) -> Self {
        let (words, rest) = bytes.as_chunks::<2>();
        let sum: u64 = words.iter().map(|word| u64::from(u16::from_be_bytes(*word))).sum();
        let last = rest.first().map_or(0, |byte| u64::from(*byte) << 8);
        Self(self.0 + sum + last)
    }

    /// With one 16-bit word.
    #[must_use]
    pub fn word(self, word: u16) -> Self {
        Self(self.0 + u64::from(word))
    }

    /// With the pseudo header of IPv4 (RFC 5798 5.2.8): addresses, protocol 112, length of what follows.
    #[must_use]
    pub fn pseudo_v4(self, source: Ipv4Addr, destination: Ipv4Addr, len: usize) -> Self {
        self.bytes(&source.octets()).bytes(&destination.octets()).pseudo(PROTOCOL_VRRP, len)
    }

    /// With the pseudo header of IPv6 (RFC 8200 8.1).
    #[must_use]
    pub fn pseudo_v6(self, source: Ipv6Addr, destination: Ipv6Addr, protocol: u8, len: usize) -> Self {
        self.bytes(&source.octets()).bytes(&destination.octets()).pseudo(protocol, len)
    }

    /// With the pseudo header of VRRP for addresses of the same family; unchanged when the families differ.
    #[must_use]
    pub fn pseudo_vrrp(self, source: IpAddr, destination: IpAddr, len: usize) -> Self {
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => self.pseudo_v4(source, destination, len),
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                self.pseudo_v6(source, destination, PROTOCOL_VRRP, len)
            }
            _ => self,
        }
    }

    fn pseudo(self, protocol: u8, len: usize) -> Self {
        Self(self.0 + u64::from(protocol) + len as u64)
    }

    /// The checksum: the one's complement of the one's complement sum. Over bytes that hold their own checksum it is zero
    /// when that is right.
    pub fn finish(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }
}

/// The checksum of bytes.
pub fn of(bytes: &[u8]) -> u16 {
    Sum::ZERO.bytes(bytes).finish()
}
