//! The IPv4 header (RFC 791).

use crate::field;
use core::fmt;
use core::net::Ipv4Addr;

/// Bytes of a header without options.
pub const HEADER_LEN: usize = 20;
/// Internet control, the type of service of advertisements.
pub const TOS: u8 = 0xc0;

/// Why bytes are not an IPv4 datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// Shorter than the header, or than the header says it is.
    Truncated {
        /// Bytes there are.
        len: usize,
    },
    /// Not version 4, or a header length below 20.
    Malformed,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { len } => write!(f, "{len} bytes are too few for an IPv4 header"),
            Self::Malformed => f.write_str("not an IPv4 header"),
        }
    }
}

impl core::error::Error for ParseError {}

/// A received datagram: header and what follows.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    bytes: &'a [u8],
    header_len: usize,
}

impl<'a> Datagram<'a> {
    /// A view of a datagram as a raw socket gives it. The total length field is not compared with the number of bytes,
    /// and the header's checksum, which the kernel has looked at, is not computed.
    ///
    /// # Errors
    /// See [`ParseError`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let len = bytes.len();
        let first = bytes.first().copied().unwrap_or(0);
        let header_len = usize::from(first & 0x0f) * 4;
        if len < HEADER_LEN {
            return Err(ParseError::Truncated { len });
        }
        if first >> 4 != 4 || header_len < HEADER_LEN {
            return Err(ParseError::Malformed);
        }
        if len < header_len {
            return Err(ParseError::Truncated { len });
        }
        Ok(Self { bytes, header_len })
    }

    /// All bytes.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The header, with its options.
    pub fn header(&self) -> &'a [u8] {
        self.bytes.get(..self.header_len).unwrap_or(self.bytes)
    }

    /// What follows the header.
    pub fn payload(&self) -> &'a [u8] {
        self.bytes.get(self.header_len..).unwrap_or(&[])
    }

    /// The total length field.
    pub fn total_len(&self) -> u16 {
        u16::from_be_bytes(field(self.bytes, 2))
    }

    /// The identification field.
    pub fn id(&self) -> u16 {
        u16::from_be_bytes(field(self.bytes, 4))
    }

    /// The time to live.
    pub fn ttl(&self) -> u8 {
        self.bytes.get(8).copied().unwrap_or(0)
    }

    /// The protocol of what follows.
    pub fn protocol(&self) -> u8 {
        self.bytes.get(9).copied().unwrap_or(0)
    }

    /// The source address.
    pub fn source(&self) -> Ipv4Addr {
        Ipv4Addr::from(field::<4>(self.bytes, 12))
    }

    /// The destination address.
    pub fn destination(&self) -> Ipv4Addr {
        Ipv4Addr::from(field::<4>(self.bytes, 16))
    }
}

/// A header without options, to be sent through a raw socket (`IP_HDRINCL`). Its checksum is left zero: the kernel
/// computes it in any case, and the authentication header wants it zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The identification field; the kernel replaces zero.
    pub id: u16,
    /// The time to live.
    pub ttl: u8,
    /// The protocol of what follows.
    pub protocol: u8,
    /// The source address.
    pub source: Ipv4Addr,
    /// The destination address.
    pub destination: Ipv4Addr,
    /// Bytes that follow the header, at most 65515.
    pub payload_len: u16,
}

impl Header {
    /// Appends the header.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let total = self.payload_len.saturating_add(HEADER_LEN as u16);
        out.extend([0x45, TOS]);
        out.extend(total.to_be_bytes());
        out.extend(self.id.to_be_bytes());
        out.extend([0, 0, self.ttl, self.protocol, 0, 0]);
        out.extend(self.source.octets());
        out.extend(self.destination.octets());
    }
}
