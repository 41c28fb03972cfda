//! The IP authentication header (RFC 2402) as keepalived puts it before advertisements: HMAC-MD5-96 over the whole
//! datagram, the source address as security parameters index.

use crate::{PROTOCOL_VRRP, field, ipv4};
use core::fmt;
use hmac::{Hmac, Mac};
use md5::Md5;

/// Bytes of the header.
pub const HEADER_LEN: usize = 24;
/// Bytes of the integrity check value: the first 96 bits of the digest.
pub const ICV_LEN: usize = 12;
/// Where the integrity check value stands.
const ICV_AT: usize = 12;
/// The payload length field: 32-bit words of the header, minus two.
const PAYLOAD_LEN: u8 = 4;
/// After this number keepalived sends no more until the sequence starts again.
pub const LAST_SEQUENCE: u32 = 0xffff_fffd;

/// Bytes are too few for an authentication header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truncated {
    /// Bytes there are.
    pub len: usize,
}

impl fmt::Display for Truncated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes are too few for an authentication header", self.len)
    }
}

impl core::error::Error for Truncated {}

/// A received header and what follows it.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    bytes: &'a [u8],
}

impl<'a> Packet<'a> {
    /// A view of the bytes after the IPv4 header.
    ///
    /// # Errors
    /// [`Truncated`] when there are fewer than [`HEADER_LEN`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Truncated> {
        if bytes.len() < HEADER_LEN { Err(Truncated { len: bytes.len() }) } else { Ok(Self { bytes }) }
    }

    /// The protocol of what follows.
    pub fn next_header(&self) -> u8 {
        self.bytes.first().copied().unwrap_or(0)
    }

    /// The security parameters index; keepalived's is the source address.
    pub fn spi(&self) -> [u8; 4] {
        field(self.bytes, 4)
    }

    /// The sequence number.
    pub fn sequence(&self) -> u32 {
        u32::from_be_bytes(field(self.bytes, 8))
    }

    /// The integrity check value.
    pub fn icv(&self) -> [u8; ICV_LEN] {
        field(self.bytes, ICV_AT)
    }

    /// What follows the header.
    pub fn payload(&self) -> &'a [u8] {
        self.bytes.get(HEADER_LEN..).unwrap_or(&[])
    }
}

/// Appends a header whose integrity check value is zero until [`sign`] fills it in.
pub fn encode(spi: [u8; 4], sequence: u32, out: &mut Vec<u8>) {
    out.extend([PROTOCOL_VRRP, PAYLOAD_LEN, 0, 0]);
    out.extend(spi);
    out.extend(sequence.to_be_bytes());
    out.extend([0; ICV_LEN]);
}

/// Whether the time to live is part of what is authenticated: keepalived takes it as zero for unicast only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// As sent: multicast.
    Kept,
    /// As zero: unicast.
    Zeroed,
}

/// Computes the integrity check value of a datagram (IPv4 header without options, authentication header, advertisement)
/// and writes it into its place. Returns false, having done nothing, when the datagram is too short to hold one.
pub fn sign(datagram: &mut [u8], ttl: Ttl, key: &[u8; 8]) -> bool {
    let Some(icv) = icv(datagram, ttl, key) else { return false };
    let at = ipv4::HEADER_LEN + ICV_AT;
    match datagram.get_mut(at..at + ICV_LEN) {
        Some(place) => {
            place.copy_from_slice(&icv);
            true
        }
        None => false,
    }
}

/// Whether the integrity check value of a datagram is the one its bytes and the key give. The comparison takes the same
/// time wherever they differ.
pub fn verify(datagram: &[u8], ttl: Ttl, key: &[u8; 8]) -> bool {
    let Ok(view) = ipv4::Datagram::parse(datagram) else { return false };
    let Ok(packet) = Packet::parse(view.payload()) else { return false };
    let Some(expected) = icv(datagram, ttl, key) else { return false };
    expected.iter().zip(packet.icv()).fold(0, |differ, (one, other)| differ | (one ^ other)) == 0
}

/// The first 96 bits of the HMAC-MD5 over the datagram with its mutable fields as zero: type of service, fragment
/// offset, header checksum, the value itself, and the time to live if so said.
fn icv(datagram: &[u8], ttl: Ttl, key: &[u8; 8]) -> Option<[u8; ICV_LEN]> {
    let view = ipv4::Datagram::parse(datagram).ok()?;
    let mut fixed: [u8; ipv4::HEADER_LEN] = field(datagram, 0);
    for (at, byte) in fixed.iter_mut().enumerate() {
        if matches!(at, 1 | 6 | 7 | 10 | 11) || (at == 8 && ttl == Ttl::Zeroed) {
            *byte = 0;
        }
    }
    let options = view.header().get(ipv4::HEADER_LEN..)?;
    let (before, rest) = view.payload().split_at_checked(ICV_AT)?;
    let after = rest.get(ICV_LEN..)?;
    let mut mac = <Hmac<Md5> as Mac>::new_from_slice(key).ok()?;
    for part in [&fixed[..], options, before, &[0; ICV_LEN], after] {
        mac.update(part);
    }
    mac.finalize().into_bytes().first_chunk().copied()
}
