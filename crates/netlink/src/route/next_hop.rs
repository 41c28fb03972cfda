//! Where a route leads: a link, a router, or several of them.

use super::{Encapsulation, RTA_ENCAP, RTA_ENCAP_TYPE, RTA_FLOW, RTA_GATEWAY, RTA_OIF, RTA_VIA};
use crate::attribute::{Attributes, Writer, align};
use crate::error::Malformed;
use crate::prefix::Family;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const RTNH_F_DEAD: u32 = 1;
const RTNH_F_PERVASIVE: u32 = 2;
const RTNH_F_ONLINK: u32 = 4;
const RTNH_F_LINKDOWN: u32 = 16;
/// Bytes of struct rtnexthop.
const HEADER: usize = 8;

/// One way of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextHop {
    /// The link it leaves by.
    pub link: Option<u32>,
    /// The router it goes to; none when the destination is on the link. An IPv4 route may go by way of an IPv6 address.
    pub via: Option<IpAddr>,
    /// Its share among several, 1–256.
    pub weight: u16,
    /// The router counts as on the link though no subnet says so.
    pub on_link: bool,
    /// The router is looked up through further routes.
    pub pervasive: bool,
    /// Classes of this way, in a multipath route.
    pub realms: Option<u32>,
    /// What packets are wrapped into.
    pub encapsulation: Option<Encapsulation>,
    /// The kernel does not use it, for its link is down.
    pub dead: bool,
    /// Its link has no carrier.
    pub link_down: bool,
}

impl Default for NextHop {
    fn default() -> Self {
        Self {
            link: None,
            via: None,
            weight: 1,
            on_link: false,
            pervasive: false,
            realms: None,
            encapsulation: None,
            dead: false,
            link_down: false,
        }
    }
}

impl NextHop {
    /// By a link, to a router or not.
    pub fn new(link: Option<u32>, via: Option<IpAddr>) -> Self {
        Self { link, via, ..Self::default() }
    }

    /// Whether `other` leads the same way as far as this one says.
    pub(super) fn leads_as(&self, other: &Self) -> bool {
        self.via == other.via && (self.link.is_none() || self.link == other.link)
    }

    pub(super) fn read_flags(flags: u32) -> Self {
        Self {
            on_link: flags & RTNH_F_ONLINK != 0,
            pervasive: flags & RTNH_F_PERVASIVE != 0,
            dead: flags & RTNH_F_DEAD != 0,
            link_down: flags & RTNH_F_LINKDOWN != 0,
            ..Self::default()
        }
    }

    pub(super) fn flags(&self) -> u32 {
        let set = |on: bool, flag: u32| if on { flag } else { 0 };
        set(self.on_link, RTNH_F_ONLINK) | set(self.pervasive, RTNH_F_PERVASIVE)
    }

    /// As the only way of a route: its attributes are the route's.
    pub(super) fn encode_alone(&self, body: &mut Writer, family: Family) {
        if let Some(link) = self.link {
            body.u32(RTA_OIF, link);
        }
        self.encode_way(body, family);
    }

    fn encode_way(&self, body: &mut Writer, family: Family) {
        match self.via {
            Some(via) if Family::of(via) == family => {
                body.ip(RTA_GATEWAY, via);
            }
            Some(via) => {
                let mut bytes = u16::from(Family::of(via).number()).to_ne_bytes().to_vec();
                match via {
                    IpAddr::V4(v4) => bytes.extend_from_slice(&v4.octets()),
                    IpAddr::V6(v6) => bytes.extend_from_slice(&v6.octets()),
                }
                body.bytes(RTA_VIA, &bytes);
            }
            None => {}
        }
        if let Some(realms) = self.realms {
            body.u32(RTA_FLOW, realms);
        }
        if let Some(encapsulation) = &self.encapsulation {
            body.nest_plain(RTA_ENCAP, |inside| encapsulation.encode(inside));
            body.u16(RTA_ENCAP_TYPE, encapsulation.kind());
        }
    }
}

/// struct rtvia.
pub(super) fn read_via(payload: &[u8]) -> Result<IpAddr, Malformed> {
    let wrong = Malformed("a router's address of unknown family");
    let (family, address) = payload.split_first_chunk::<2>().ok_or(wrong)?;
    match i32::from(u16::from_ne_bytes(*family)) {
        libc::AF_INET => address.first_chunk::<4>().map(|b| Ipv4Addr::from(*b).into()).ok_or(wrong),
        libc::AF_INET6 => address.first_chunk::<16>().map(|b| Ipv6Addr::from(*b).into()).ok_or(wrong),
        _ => Err(wrong),
    }
}

/// The ways of RTA_MULTIPATH: a row of struct rtnexthop, each followed by attributes.
pub(super) fn read_all(mut rest: &[u8]) -> Result<Vec<NextHop>, Malformed> {
    let mut ways = Vec::new();
    while let Some(&[l0, l1, flags, weight, i0, i1, i2, i3]) = rest.first_chunk::<HEADER>() {
        let len = usize::from(u16::from_ne_bytes([l0, l1]));
        let attributes = rest.get(HEADER..len).ok_or(Malformed("a nexthop is longer than its route"))?;
        let mut way = NextHop::read_flags(flags.into());
        way.weight = u16::from(weight) + 1;
        way.link = Some(u32::from_ne_bytes([i0, i1, i2, i3])).filter(|index| *index != 0);
        let (mut encapsulation, mut encapsulation_kind) = (None, 0);
        for attribute in Attributes::new(attributes) {
            let attribute = attribute?;
            match attribute.kind {
                RTA_GATEWAY => way.via = Some(attribute.ip()?),
                RTA_VIA => way.via = Some(read_via(attribute.payload)?),
                RTA_FLOW => way.realms = Some(attribute.u32()?),
                RTA_ENCAP_TYPE => encapsulation_kind = attribute.u16()?,
                RTA_ENCAP => encapsulation = Some(attribute),
                _ => {}
            }
        }
        if let Some(attribute) = encapsulation {
            way.encapsulation = Some(Encapsulation::decode(encapsulation_kind, attribute.payload)?);
        }
        ways.push(way);
        rest = rest.get(align(len)..).unwrap_or_default();
    }
    Ok(ways)
}

pub(super) fn encode_all(ways: &[NextHop], family: Family) -> Vec<u8> {
    let mut all = Vec::new();
    for way in ways {
        let mut attributes = Writer::new();
        way.encode_way(&mut attributes, family);
        // Attributes that are too long make the whole longer than a length can say, which the writer notes.
        let attributes = attributes.finish().unwrap_or_else(|| vec![0; usize::from(u16::MAX)]);
        let len = u16::try_from(HEADER.saturating_add(attributes.len())).unwrap_or(u16::MAX);
        all.extend_from_slice(&len.to_ne_bytes());
        all.push(way.flags().to_le_bytes().first().copied().unwrap_or(0));
        all.push(u8::try_from(way.weight.saturating_sub(1)).unwrap_or(u8::MAX));
        all.extend_from_slice(&way.link.unwrap_or(0).to_ne_bytes());
        all.extend_from_slice(&attributes);
    }
    all
}
