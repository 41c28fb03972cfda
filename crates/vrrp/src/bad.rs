//! Why a packet is bad, in keepalived's words and counters.

use crate::counters::Counters;
use core::fmt;
use core::net::IpAddr;

/// Why a packet is bad.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bad {
    /// An authentication header where none is expected.
    UnexpectedAh,
    /// No authentication header where one is expected.
    NoAh,
    /// Another length than version, count of addresses and headers ask for.
    Length {
        /// Bytes there were.
        len: usize,
        /// Bytes there should be.
        expected: usize,
    },
    /// Time to live or hop limit not 255 (multicast).
    Ttl(u8),
    /// Another version.
    Version {
        /// Received.
        version: u8,
        /// Ours.
        expected: u8,
    },
    /// An authentication type that does not exist.
    AuthType(u8),
    /// Another authentication type than ours.
    AuthMismatch {
        /// Received.
        auth_type: u8,
        /// Ours.
        expected: u8,
    },
    /// A wrong password.
    Password,
    /// What follows the authentication header is not VRRP.
    NotVrrp,
    /// A wrong integrity check value.
    AhMac,
    /// The security parameters index is not the source address.
    AhSpi,
    /// A sequence number that was seen before.
    AhSequence {
        /// Received.
        sequence: u32,
        /// The last good one.
        last: u32,
    },
    /// Version 2: another interval than ours.
    Interval {
        /// Ours, in seconds.
        ours: u64,
        /// Received.
        seconds: u8,
    },
    /// Not an advertisement.
    Type(u8),
    /// Another number of addresses than ours.
    Count {
        /// Received.
        count: u8,
        /// Ours.
        expected: usize,
    },
    /// The IPv4 header has another total length.
    TotalLength {
        /// In the header.
        header: u16,
        /// Bytes there were.
        len: usize,
    },
    /// A wrong checksum.
    Checksum {
        /// 2 or 3.
        version: u8,
    },
    /// Unicast where multicast is expected (`true`), or the other way round.
    Cast {
        /// Multicast is expected.
        multicast: bool,
    },
    /// One of our addresses is not in the packet.
    Address {
        /// Our VRID.
        vrid: u8,
        /// The address.
        address: IpAddr,
    },
    /// The sender is no peer.
    Sender(IpAddr),
    /// The time to live is not what the peer's may be.
    PeerTtl {
        /// Received.
        ttl: u8,
        /// Least.
        min: u8,
        /// Most.
        max: u8,
    },
}

impl Bad {
    /// How many kinds there are.
    pub(crate) const KINDS: usize = 21;

    /// Which kind: lines of one kind are limited together.
    pub(crate) const fn kind(&self) -> usize {
        match self {
            Self::UnexpectedAh => 0,
            Self::NoAh => 1,
            Self::Length { .. } => 2,
            Self::Ttl(_) => 3,
            Self::Version { .. } => 4,
            Self::AuthType(_) => 5,
            Self::AuthMismatch { .. } => 6,
            Self::Password => 7,
            Self::NotVrrp => 8,
            Self::AhMac => 9,
            Self::AhSpi => 10,
            Self::AhSequence { .. } => 11,
            Self::Interval { .. } => 12,
            Self::Type(_) => 13,
            Self::Count { .. } => 14,
            Self::TotalLength { .. } => 15,
            Self::Checksum { .. } => 16,
            Self::Cast { .. } => 17,
            Self::Address { .. } => 18,
            Self::Sender(_) => 19,
            Self::PeerTtl { .. } => 20,
        }
    }

    /// Counts it.
    pub(crate) fn count(&self, counters: &mut Counters) {
        match self {
            Self::UnexpectedAh | Self::NoAh | Self::AuthMismatch { .. } => counters.auth_type_mismatches += 1,
            Self::Length { .. } | Self::TotalLength { .. } => counters.length_errors += 1,
            Self::Ttl(_) | Self::PeerTtl { .. } => counters.ttl_errors += 1,
            Self::Version { .. } => counters.version_errors += 1,
            Self::AuthType(_) => counters.auth_type_errors += 1,
            Self::Password | Self::NotVrrp | Self::AhSpi => counters.auth_failures += 1,
            Self::AhMac => {
                counters.auth_failures += 1;
                counters.ah_mac_errors += 1;
            }
            Self::AhSequence { .. } => {
                counters.auth_failures += 1;
                counters.ah_sequence_errors += 1;
            }
            Self::Interval { .. } => counters.interval_errors += 1,
            Self::Type(_) => counters.type_errors += 1,
            Self::Count { .. } | Self::Address { .. } => counters.address_list_errors += 1,
            Self::Checksum { .. } => counters.checksum_errors += 1,
            Self::Cast { .. } => {
                counters.address_list_errors += 1;
                counters.sender_errors += 1;
            }
            Self::Sender(_) => counters.sender_errors += 1,
        }
    }
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cast = |multicast: bool| if multicast { "mult" } else { "un" };
        match self {
            Self::UnexpectedAh => f.write_str("Received AH header but auth type not AH"),
            Self::NoAh => f.write_str("No AH header but auth type is AH"),
            Self::Length { len, expected } => {
                let how = if len > expected { "long" } else { "short" };
                write!(f, "vrrp packet too {how}, length {len} and expect {expected}")
            }
            Self::Ttl(ttl) => write!(f, "invalid TTL/HL. Received {ttl} and expect 255"),
            Self::Version { version, expected } => {
                write!(f, "wrong version. Received {version} and expect {expected}")
            }
            Self::AuthType(auth_type) => write!(f, "Invalid auth type: {auth_type}"),
            Self::AuthMismatch { auth_type, expected } => {
                write!(f, "received a {auth_type} auth, expecting {expected}!")
            }
            Self::Password => f.write_str("received an invalid passwd!"),
            Self::NotVrrp => f.write_str("IPSEC-AH : no VRRP after the header"),
            Self::AhMac => f.write_str(
                "IPSEC-AH : invalid IPSEC HMAC-MD5 value. Due to fields mutation or bad password !",
            ),
            Self::AhSpi => f.write_str("IPSEC-AH : invalid IPSEC SPI value"),
            Self::AhSequence { sequence, last } => write!(
                f,
                "IPSEC-AH : sequence number {sequence} already processed. Packet dropped. Local({last})"
            ),
            Self::Interval { ours, seconds } => {
                write!(f, "advertisement interval mismatch mine={ours} sec rcv'd={seconds} sec")
            }
            Self::Type(kind) => write!(f, "Invalid packet type. {kind} and expect 1"),
            Self::Count { count, expected } => {
                write!(f, "received an unexpected ip number count {count}, expected {expected}!")
            }
            Self::TotalLength { header, len } => {
                write!(f, "ip_tot_len mismatch against received length. {header} and received {len}")
            }
            Self::Checksum { version } => write!(f, "Invalid VRRPv{version} checksum"),
            Self::Cast { multicast } => write!(
                f,
                "Expected {}icast packet but received {}icast packet",
                cast(*multicast),
                cast(!multicast)
            ),
            Self::Address { vrid, address } => {
                write!(f, "ip address associated with VRID {vrid} not present in MASTER advert: {address}")
            }
            Self::Sender(source) => write!(f, "unicast source address {source} not a unicast peer"),
            Self::PeerTtl { ttl, min, max } => write!(f, "TTL/HL {ttl} not in range {min} - {max}"),
        }
    }
}
