//! Advertisements of VRRP version 2 (RFC 3768, with the authentication of RFC 2338) and version 3 (RFC 5798, RFC 9568).

use crate::checksum::Sum;
use crate::{Family, field};
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bytes before the addresses.
pub const HEADER_LEN: usize = 8;
/// Bytes of authentication data at the end of a version 2 advertisement.
pub const AUTH_LEN: usize = 8;
/// The only packet type there is.
pub const ADVERTISEMENT: u8 = 1;
/// The multicast group of advertisements over IPv4.
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
/// The multicast group of advertisements over IPv6.
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
/// The priority of the address owner.
pub const OWNER: u8 = 255;
/// The priority that says "I am no longer Master".
pub const RESIGN: u8 = 0;
/// The longest interval version 3 can carry, in centiseconds.
pub const MAX_CENTISECONDS: u16 = 0xfff;

/// Protocol version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// RFC 3768: whole seconds, IPv4, authentication.
    V2,
    /// RFC 5798 and RFC 9568: centiseconds, IPv4 and IPv6, no authentication.
    V3,
}

impl Version {
    /// 2 or 3.
    pub const fn number(self) -> u8 {
        match self {
            Self::V2 => 2,
            Self::V3 => 3,
        }
    }
}

/// `Auth Type` of version 2 (RFC 2338 5.3.6), as the field holds it.
pub mod auth_type {
    /// None.
    pub const NONE: u8 = 0;
    /// A password in clear text.
    pub const PASS: u8 = 1;
    /// An IP authentication header before the advertisement.
    pub const AH: u8 = 2;
}

/// Why bytes are not an advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// Shorter than the fixed part.
    Truncated {
        /// Bytes there are.
        len: usize,
    },
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { len } => write!(f, "{len} bytes are too few for a VRRP header"),
        }
    }
}

impl core::error::Error for ParseError {}

/// A received advertisement. Only the length of the fixed part has been looked at: what the fields say is for the router
/// to judge, in its order.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    bytes: &'a [u8],
}

impl<'a> Packet<'a> {
    /// A view of the bytes after the IP headers.
    ///
    /// # Errors
    /// [`ParseError::Truncated`] when there are fewer than [`HEADER_LEN`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        if bytes.len() < HEADER_LEN {
            return Err(ParseError::Truncated { len: bytes.len() });
        }
        Ok(Self { bytes })
    }

    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    /// All bytes.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The version field, 0–15.
    pub fn version(&self) -> u8 {
        self.byte(0) >> 4
    }

    /// The type field, 0–15; 1 is an advertisement.
    pub fn kind(&self) -> u8 {
        self.byte(0) & 0x0f
    }

    /// The virtual router's identifier.
    pub fn vrid(&self) -> u8 {
        self.byte(1)
    }

    /// The sender's priority.
    pub fn priority(&self) -> u8 {
        self.byte(2)
    }

    /// How many addresses the packet says it has.
    pub fn count(&self) -> u8 {
        self.byte(3)
    }

    /// Version 2: the authentication type.
    pub fn auth_type(&self) -> u8 {
        self.byte(4)
    }

    /// Version 2: the interval in seconds.
    pub fn seconds(&self) -> u8 {
        self.byte(5)
    }

    /// Version 3: the interval in centiseconds, 0–4095 (the four bits before it are reserved and ignored).
    pub fn centiseconds(&self) -> u16 {
        u16::from_be_bytes(field(self.bytes, 4)) & MAX_CENTISECONDS
    }

    /// The checksum field.
    pub fn checksum(&self) -> u16 {
        u16::from_be_bytes(field(self.bytes, 6))
    }

    /// The length that version and count ask for. keepalived puts no authentication data in version 2 over IPv6.
    pub fn expected_len(&self, family: Family) -> usize {
        let auth = if self.version() == 2 && family == Family::V4 { AUTH_LEN } else { 0 };
        HEADER_LEN + usize::from(self.count()) * family.address_len() + auth
    }

    /// The addresses, as many as are there.
    pub fn addresses(&self, family: Family) -> impl Iterator<Item = IpAddr> + use<'a> {
        let rest = self.bytes.get(HEADER_LEN..).unwrap_or(&[]);
        rest.chunks_exact(family.address_len()).take(usize::from(self.count())).map(move |bytes| match family
        {
            Family::V4 => IpAddr::V4(Ipv4Addr::from(field::<4>(bytes, 0))),
            Family::V6 => IpAddr::V6(Ipv6Addr::from(field::<16>(bytes, 0))),
        })
    }

    /// Version 2 over IPv4: the authentication data, the last eight bytes.
    pub fn auth_data(&self) -> Option<[u8; AUTH_LEN]> {
        self.bytes.get(HEADER_LEN..)?.last_chunk().copied()
    }

    /// Whether the checksum is right, given what the pseudo header holds (nothing in version 2).
    pub fn checksum_holds(&self, pseudo: Pseudo) -> bool {
        pseudo.sum(self.bytes.len()).bytes(self.bytes).finish() == 0
    }
}

/// What goes into the checksum before the advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pseudo {
    /// Nothing: version 2, and version 3 over IPv4 with `v3_checksum_as_v2`.
    None,
    /// The pseudo header of these addresses. keepalived's old unicast packets have the multicast group as destination.
    Header {
        /// Source address.
        source: IpAddr,
        /// Destination address.
        destination: IpAddr,
    },
}

impl Pseudo {
    fn sum(self, len: usize) -> Sum {
        match self {
            Self::None => Sum::ZERO,
            Self::Header { source, destination } => Sum::ZERO.pseudo_vrrp(source, destination, len),
        }
    }
}

/// What depends on the version: interval and authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// Version 2.
    V2 {
        /// The interval in seconds.
        seconds: u8,
        /// See [`auth_type`].
        auth_type: u8,
        /// The authentication data; zeros unless the type is a password. Not written over IPv6.
        auth_data: [u8; AUTH_LEN],
    },
    /// Version 3.
    V3 {
        /// The interval in centiseconds, at most [`MAX_CENTISECONDS`].
        centiseconds: u16,
    },
}

/// An advertisement to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advert<A> {
    /// The virtual router's identifier.
    pub vrid: u8,
    /// The priority.
    pub priority: u8,
    /// What depends on the version.
    pub body: Body,
    /// The IP version it is sent over, which is that of the addresses.
    pub family: Family,
    /// The addresses, at most 255; those of another family are left out.
    pub addresses: A,
}

impl<A: Iterator<Item = IpAddr>> Advert<A> {
    /// Appends the packet, its checksum computed with `pseudo`.
    pub fn encode(self, pseudo: Pseudo, out: &mut Vec<u8>) {
        let start = out.len();
        let version = match self.body {
            Body::V2 { .. } => Version::V2,
            Body::V3 { .. } => Version::V3,
        };
        out.extend([version.number() << 4 | ADVERTISEMENT, self.vrid, self.priority, 0]);
        match self.body {
            Body::V2 { seconds, auth_type, .. } => out.extend([auth_type, seconds]),
            Body::V3 { centiseconds } => out.extend(centiseconds.min(MAX_CENTISECONDS).to_be_bytes()),
        }
        out.extend([0, 0]);
        let mut count = 0;
        for address in self.addresses.filter(|address| Family::of(address) == self.family).take(255) {
            match address {
                IpAddr::V4(address) => out.extend(address.octets()),
                IpAddr::V6(address) => out.extend(address.octets()),
            }
            count += 1;
        }
        if let (Body::V2 { auth_data, .. }, Family::V4) = (self.body, self.family) {
            out.extend(auth_data);
        }
        let Some(packet) = out.get_mut(start..) else { return };
        if let Some(field) = packet.get_mut(3) {
            *field = count;
        }
        let sum = pseudo.sum(packet.len()).bytes(packet).finish();
        if let Some(field) = packet.get_mut(6..8) {
            field.copy_from_slice(&sum.to_be_bytes());
        }
    }
}
