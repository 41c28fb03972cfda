//! What a route wraps its packets into (light-weight tunnels).

use crate::attribute::{Attributes, Writer};
use crate::error::Malformed;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const MPLS: u16 = 1;
const IP: u16 = 2;
const ILA: u16 = 3;
const IP6: u16 = 4;

const MPLS_DST: u16 = 1;
const MPLS_TTL: u16 = 2;
const ILA_LOCATOR: u16 = 1;
const TUNNEL_ID: u16 = 1;
const TUNNEL_DST: u16 = 2;
const TUNNEL_SRC: u16 = 3;
const TUNNEL_TTL: u16 = 4;
const TUNNEL_TOS: u16 = 5;
const TUNNEL_FLAGS: u16 = 6;

/// The bottom-of-stack bit of a label entry.
const BOTTOM: u32 = 1 << 8;

/// A wrapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encapsulation {
    /// MPLS labels (`encap mpls`).
    Mpls {
        /// Labels, outermost first, 20 bits each.
        labels: Vec<u32>,
        /// The outermost label's TTL.
        ttl: Option<u8>,
    },
    /// An IPv4 tunnel by an external-mode device (`encap ip`).
    Ip {
        /// The tunnel's key.
        id: u64,
        /// The other end.
        destination: Ipv4Addr,
        /// This end.
        source: Option<Ipv4Addr>,
        /// TTL of the outer packet; 0 is inherited.
        ttl: u8,
        /// TOS of the outer packet.
        tos: u8,
        /// `TUNNEL_…` flags: 1 checksum, 4 key, 8 sequence numbers (as the kernel numbers them on the wire).
        flags: u16,
    },
    /// An IPv6 tunnel (`encap ip6`).
    Ip6 {
        /// The tunnel's key.
        id: u64,
        /// The other end.
        destination: Ipv6Addr,
        /// This end.
        source: Option<Ipv6Addr>,
        /// Hop limit of the outer packet.
        hop_limit: u8,
        /// Traffic class of the outer packet.
        traffic_class: u8,
        /// As in `Ip`.
        flags: u16,
    },
    /// Identifier-locator addressing (`encap ila`): the upper half of the destination is replaced.
    Ila {
        /// The locator: four groups of 16 bits, as in an address.
        locator: u64,
    },
    /// Another kind (`LWTUNNEL_ENCAP_…`), with its bytes: shown, but not made.
    Other(u16, Vec<u8>),
}

impl Encapsulation {
    pub(super) fn kind(&self) -> u16 {
        match self {
            Self::Mpls { .. } => MPLS,
            Self::Ip { .. } => IP,
            Self::Ila { .. } => ILA,
            Self::Ip6 { .. } => IP6,
            Self::Other(kind, _) => *kind,
        }
    }

    pub(super) fn encode(&self, inside: &mut Writer) {
        match self {
            Self::Mpls { labels, ttl } => {
                let mut entries = Vec::with_capacity(labels.len().saturating_mul(4));
                for (i, label) in labels.iter().enumerate() {
                    let bottom = if i + 1 == labels.len() { BOTTOM } else { 0 };
                    entries.extend_from_slice(&((label & 0xf_ffff) << 12 | bottom).to_be_bytes());
                }
                inside.bytes(MPLS_DST, &entries);
                if let Some(ttl) = ttl {
                    inside.u8(MPLS_TTL, *ttl);
                }
            }
            Self::Ip { id, destination, source, ttl, tos, flags } => {
                tunnel(inside, *id, (*destination).into(), source.map(Into::into), *ttl, *tos, *flags);
            }
            Self::Ip6 { id, destination, source, hop_limit, traffic_class, flags } => {
                tunnel(
                    inside,
                    *id,
                    (*destination).into(),
                    source.map(Into::into),
                    *hop_limit,
                    *traffic_class,
                    *flags,
                );
            }
            Self::Ila { locator } => {
                inside.be64(ILA_LOCATOR, *locator);
            }
            Self::Other(_, bytes) => {
                inside.fixed(bytes);
            }
        }
    }

    pub(super) fn decode(kind: u16, payload: &[u8]) -> Result<Self, Malformed> {
        let attributes = Attributes::new(payload);
        Ok(match kind {
            MPLS => {
                let (mut labels, mut ttl) = (Vec::new(), None);
                for attribute in attributes {
                    let attribute = attribute?;
                    match attribute.kind {
                        MPLS_DST => {
                            let entries = attribute.payload.as_chunks::<4>().0.iter();
                            labels = entries.map(|entry| u32::from_be_bytes(*entry) >> 12).collect();
                        }
                        MPLS_TTL => ttl = Some(attribute.u8()?),
                        _ => {}
                    }
                }
                Self::Mpls { labels, ttl }
            }
            IP | IP6 => {
                let (mut id, mut destination, mut source) = (0, None, None);
                let (mut ttl, mut tos, mut flags) = (0, 0, 0);
                for attribute in attributes {
                    let attribute = attribute?;
                    match attribute.kind {
                        TUNNEL_ID => id = attribute.be64()?,
                        TUNNEL_DST => destination = Some(attribute.ip()?),
                        TUNNEL_SRC => source = Some(attribute.ip()?),
                        TUNNEL_TTL => ttl = attribute.u8()?,
                        TUNNEL_TOS => tos = attribute.u8()?,
                        TUNNEL_FLAGS => flags = attribute.be16()?,
                        _ => {}
                    }
                }
                // An unspecified source is none.
                let source = source.filter(|address| !address.is_unspecified());
                match (kind, destination, source) {
                    (IP, Some(IpAddr::V4(destination)), None) => {
                        Self::Ip { id, destination, source: None, ttl, tos, flags }
                    }
                    (IP, Some(IpAddr::V4(destination)), Some(IpAddr::V4(source))) => {
                        Self::Ip { id, destination, source: Some(source), ttl, tos, flags }
                    }
                    (IP6, Some(IpAddr::V6(destination)), None) => {
                        Self::Ip6 { id, destination, source: None, hop_limit: ttl, traffic_class: tos, flags }
                    }
                    (IP6, Some(IpAddr::V6(destination)), Some(IpAddr::V6(source))) => Self::Ip6 {
                        id,
                        destination,
                        source: Some(source),
                        hop_limit: ttl,
                        traffic_class: tos,
                        flags,
                    },
                    _ => return Err(Malformed("a tunnel's ends are of another family or missing")),
                }
            }
            ILA => {
                let mut locator = None;
                for attribute in attributes {
                    let attribute = attribute?;
                    if attribute.kind == ILA_LOCATOR {
                        locator = Some(attribute.be64()?);
                    }
                }
                Self::Ila { locator: locator.ok_or(Malformed("an ILA encapsulation without locator"))? }
            }
            _ => Self::Other(kind, payload.to_vec()),
        })
    }
}

/// `ip6` numbers its attributes as `ip` does.
fn tunnel(
    inside: &mut Writer,
    id: u64,
    destination: IpAddr,
    source: Option<IpAddr>,
    ttl: u8,
    tos: u8,
    flags: u16,
) {
    inside.be64(TUNNEL_ID, id).ip(TUNNEL_DST, destination);
    if let Some(source) = source {
        inside.ip(TUNNEL_SRC, source);
    }
    inside.u8(TUNNEL_TTL, ttl).u8(TUNNEL_TOS, tos);
    if flags != 0 {
        inside.be16(TUNNEL_FLAGS, flags);
    }
}
