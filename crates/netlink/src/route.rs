//! Routes.

mod encapsulation;
mod metrics;
mod next_hop;

use crate::address::Scope;
use crate::attribute::{Attributes, Writer};
use crate::error::Malformed;
use crate::operation::{Operation, Protocol, nothing};
use crate::prefix::{Family, Prefix};
pub use encapsulation::Encapsulation;
pub use metrics::{Metric, Metrics};
pub use next_hop::NextHop;
use std::net::IpAddr;

const RTA_DST: u16 = 1;
const RTA_SRC: u16 = 2;
const RTA_IIF: u16 = 3;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_METRICS: u16 = 8;
const RTA_MULTIPATH: u16 = 9;
const RTA_FLOW: u16 = 11;
const RTA_CACHEINFO: u16 = 12;
const RTA_TABLE: u16 = 15;
const RTA_VIA: u16 = 18;
const RTA_PREF: u16 = 20;
const RTA_ENCAP_TYPE: u16 = 21;
const RTA_ENCAP: u16 = 22;
const RTA_EXPIRES: u16 = 23;
const RTA_TTL_PROPAGATE: u16 = 26;
const RTA_NH_ID: u16 = 30;

/// The route is a copy made for a destination (`RTM_F_CLONED`), no entry of a table.
const RTM_F_CLONED: u32 = 0x200;
/// In CACHEINFO, `rta_expires` counts in these per second (`USER_HZ`).
const USER_HZ: u32 = 100;

/// The table that `ip route` shows unless asked for another.
pub const MAIN_TABLE: u32 = 254;
/// The table of the addresses of this host.
pub const LOCAL_TABLE: u32 = 255;

/// What a route does with its packets (`RTN_…`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RouteKind {
    /// Sends them on.
    #[default]
    Unicast,
    /// They are for this host.
    Local,
    /// They are for this host, sent as broadcast.
    Broadcast,
    /// They are for this host, sent as unicast.
    Anycast,
    /// They are multicast.
    Multicast,
    /// Drops them.
    Blackhole,
    /// Answers that there is no way.
    Unreachable,
    /// Answers that it is forbidden.
    Prohibit,
    /// Goes on with the next rule.
    Throw,
}

impl RouteKind {
    const ALL: [(Self, u8); 9] = [
        (Self::Unicast, 1),
        (Self::Local, 2),
        (Self::Broadcast, 3),
        (Self::Anycast, 4),
        (Self::Multicast, 5),
        (Self::Blackhole, 6),
        (Self::Unreachable, 7),
        (Self::Prohibit, 8),
        (Self::Throw, 9),
    ];

    fn number(self) -> u8 {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or(1, |(_, number)| *number)
    }

    fn from_number(number: u8) -> Option<Self> {
        Self::ALL.iter().find(|(_, n)| *n == number).map(|(kind, _)| *kind)
    }
}

/// How much a router is to be liked (RFC 4191; IPv6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Preference {
    /// Less than usual.
    Low,
    /// As usual.
    Medium,
    /// More than usual.
    High,
}

impl Preference {
    const fn number(self) -> u8 {
        match self {
            Self::Low => 3,
            Self::Medium => 0,
            Self::High => 1,
        }
    }

    const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::High,
            3 => Self::Low,
            _ => Self::Medium,
        }
    }
}

/// A route: what is to be added, and what the kernel has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Which packets, by destination. A length of 0: the default route.
    pub destination: Prefix,
    /// Which packets, by source (`from`; IPv6).
    pub source: Option<Prefix>,
    /// What it does.
    pub kind: RouteKind,
    /// Its table.
    pub table: u32,
    /// Who made it (`/etc/iproute2/rt_protos`). 3 is `boot`, 4 `static`, 18 `keepalived`.
    pub protocol: u8,
    /// How far away the destination is. When adding, `None` is derived from the rest as `ip route` does. IPv6 has none.
    pub scope: Option<Scope>,
    /// Which packets, by type of service (IPv4).
    pub tos: u8,
    /// Smaller is better. IPv6 takes 1024 for none.
    pub metric: Option<u32>,
    /// The source address of packets that this host sends by it (`src`).
    pub preferred_source: Option<IpAddr>,
    /// Where packets go: none for routes that drop them, several for a multipath route.
    pub next_hops: Vec<NextHop>,
    /// A nexthop object in place of `next_hops` (`nhid`).
    pub next_hop_id: Option<u32>,
    /// Classes for statistics and shaping: source in the upper half, destination in the lower (IPv4 `realms`).
    pub realms: Option<u32>,
    /// MTU, window and other parameters of connections.
    pub metrics: Metrics,
    /// How much it is liked (IPv6 `pref`).
    pub preference: Option<Preference>,
    /// Seconds until it ends (IPv6 `expires`).
    pub expires: Option<u32>,
    /// Whether the TTL is carried into and out of MPLS.
    pub ttl_propagate: Option<bool>,
}

impl Route {
    /// A route in the main table, of protocol `boot`, as `ip route` makes it.
    pub fn new(destination: Prefix) -> Self {
        Self {
            destination,
            source: None,
            kind: RouteKind::Unicast,
            table: MAIN_TABLE,
            protocol: 3,
            scope: None,
            tos: 0,
            metric: None,
            preferred_source: None,
            next_hops: Vec::new(),
            next_hop_id: None,
            realms: None,
            metrics: Metrics::default(),
            preference: None,
            expires: None,
            ttl_propagate: None,
        }
    }

    /// Its metric with what the kernel takes for none.
    fn effective_metric(&self) -> u32 {
        match (self.metric, self.destination.family()) {
            (Some(0) | None, Family::V6) => 1024,
            (metric, _) => metric.unwrap_or(0),
        }
    }

    /// Whether `other`, as the kernel lists it, is this route: the same table, destination, TOS, metric and kind, and the same
    /// ways as far as this one names them.
    pub fn is_same(&self, other: &Self) -> bool {
        self.table == other.table
            && self.destination == other.destination
            && self.source.filter(|s| s.length != 0) == other.source.filter(|s| s.length != 0)
            && self.kind == other.kind
            && self.tos == other.tos
            && self.effective_metric() == other.effective_metric()
            && (self.next_hops.is_empty()
                || self.next_hops.len() == other.next_hops.len()
                    && self.next_hops.iter().zip(&other.next_hops).all(|(a, b)| a.leads_as(b)))
    }

    /// Reads the payload of RTM_NEWROUTE or RTM_DELROUTE; `None` for families other than IP and for cached copies.
    pub(crate) fn decode(payload: &[u8]) -> Result<Option<Self>, Malformed> {
        let Some((
            &[family, destination_len, source_len, tos, table, protocol, scope, kind, f0, f1, f2, f3],
            attributes,
        )) = payload.split_first_chunk::<12>()
        else {
            return Err(Malformed("a route message is too short"));
        };
        let flags = u32::from_ne_bytes([f0, f1, f2, f3]);
        let (Some(family), Some(kind)) = (Family::from_number(family), RouteKind::from_number(kind)) else {
            return Ok(None);
        };
        if flags & RTM_F_CLONED != 0 {
            return Ok(None);
        }
        if destination_len > family.bits() || source_len > family.bits() {
            return Err(Malformed("a route has a longer prefix than bits"));
        }
        let mut route = Self::new(Prefix::new(family.unspecified(), destination_len));
        route.kind = kind;
        route.table = table.into();
        route.protocol = protocol;
        route.scope = (family == Family::V4).then_some(Scope(scope));
        route.tos = tos;
        let mut only = NextHop::read_flags(flags);
        let mut ways = Vec::new();
        let (mut encapsulation, mut encapsulation_kind) = (None, 0);
        for attribute in Attributes::new(attributes) {
            let attribute = attribute?;
            match attribute.kind {
                RTA_DST => route.destination.address = attribute.ip()?,
                RTA_SRC => route.source = Some(Prefix::new(attribute.ip()?, source_len)),
                RTA_OIF => only.link = Some(attribute.u32()?),
                RTA_GATEWAY => only.via = Some(attribute.ip()?),
                RTA_VIA => only.via = Some(next_hop::read_via(attribute.payload)?),
                RTA_PRIORITY => route.metric = Some(attribute.u32()?),
                RTA_PREFSRC => route.preferred_source = Some(attribute.ip()?),
                RTA_METRICS => route.metrics = Metrics::decode(attribute.nested())?,
                RTA_MULTIPATH => ways = next_hop::read_all(attribute.payload)?,
                RTA_FLOW => route.realms = Some(attribute.u32()?),
                RTA_TABLE => route.table = attribute.u32()?,
                RTA_PREF => route.preference = Some(Preference::from_number(attribute.u8()?)),
                RTA_ENCAP_TYPE => encapsulation_kind = attribute.u16()?,
                RTA_ENCAP => encapsulation = Some(attribute),
                RTA_CACHEINFO => {
                    let expires = attribute.payload.get(8..).and_then(|bytes| bytes.first_chunk::<4>());
                    let ticks = expires.map_or(0, |bytes| u32::from_ne_bytes(*bytes));
                    route.expires = (ticks != 0).then_some(ticks / USER_HZ);
                }
                RTA_EXPIRES => route.expires = Some(attribute.u32()?),
                RTA_TTL_PROPAGATE => route.ttl_propagate = Some(attribute.u8()? != 0),
                RTA_NH_ID => route.next_hop_id = Some(attribute.u32()?),
                RTA_IIF => {}
                _ => {}
            }
        }
        if let Some(attribute) = encapsulation {
            only.encapsulation = Some(Encapsulation::decode(encapsulation_kind, attribute.payload)?);
        }
        if route.destination.family() != family {
            return Err(Malformed("a route's destination is of another family than its message"));
        }
        route.next_hops =
            if ways.is_empty() && (only.link.is_some() || only.via.is_some()) { vec![only] } else { ways };
        Ok(Some(route))
    }

    /// The scope that `ip route` gives a route without one.
    fn derived_scope(&self, deleting: bool) -> Scope {
        if self.destination.family() == Family::V6 {
            return Scope::GLOBAL;
        }
        match self.kind {
            _ if deleting => Scope::NOWHERE,
            RouteKind::Local => Scope::HOST,
            RouteKind::Broadcast | RouteKind::Multicast | RouteKind::Anycast => Scope::LINK,
            RouteKind::Unicast if self.next_hop_id.is_none() => match self.next_hops.as_slice() {
                [only] if only.via.is_none() && only.encapsulation.is_none() => Scope::LINK,
                _ => Scope::GLOBAL,
            },
            _ => Scope::GLOBAL,
        }
    }

    fn encode(&self, deleting: bool) -> Writer {
        let family = self.destination.family();
        let mut body = Writer::new();
        let scope = self.scope.unwrap_or_else(|| self.derived_scope(deleting));
        let table = u8::try_from(self.table).unwrap_or(0);
        let one = match self.next_hops.as_slice() {
            [one] => Some(one),
            _ => None,
        };
        body.fixed(&[
            family.number(),
            self.destination.length,
            self.source.map_or(0, |source| source.length),
            self.tos,
            table,
            self.protocol,
            scope.0,
            self.kind.number(),
        ]);
        body.fixed(&one.map_or(0, NextHop::flags).to_ne_bytes());
        if self.destination.length != 0 {
            body.ip(RTA_DST, self.destination.address);
        }
        if let Some(source) = self.source.filter(|source| source.length != 0) {
            body.ip(RTA_SRC, source.address);
        }
        body.u32(RTA_TABLE, self.table);
        if let Some(metric) = self.metric {
            body.u32(RTA_PRIORITY, metric);
        }
        if let Some(source) = self.preferred_source {
            body.ip(RTA_PREFSRC, source);
        }
        if !self.metrics.is_empty() {
            body.nest_plain(RTA_METRICS, |inside| self.metrics.encode(inside));
        }
        match one {
            Some(one) => one.encode_alone(&mut body, family),
            None if !self.next_hops.is_empty() => {
                body.bytes(RTA_MULTIPATH, &next_hop::encode_all(&self.next_hops, family));
            }
            None => {}
        }
        if let Some(id) = self.next_hop_id {
            body.u32(RTA_NH_ID, id);
        }
        if let Some(realms) = self.realms {
            body.u32(RTA_FLOW, realms);
        }
        if let Some(preference) = self.preference {
            body.u8(RTA_PREF, preference.number());
        }
        if let Some(seconds) = self.expires {
            body.u32(RTA_EXPIRES, seconds);
        }
        if let Some(on) = self.ttl_propagate {
            body.u8(RTA_TTL_PROPAGATE, on.into());
        }
        body
    }

    fn wrong(&self) -> Option<String> {
        let family = self.destination.family();
        let at = self.destination;
        if at.length > family.bits() {
            return Some(format!("{at}: the prefix is longer than the address"));
        }
        if self.source.is_some_and(|source| source.family() != family || source.length > family.bits()) {
            return Some(format!("{at}: the source is of another family or too long"));
        }
        if self.preferred_source.is_some_and(|source| Family::of(source) != family) {
            return Some(format!("{at}: the preferred source address is of another family"));
        }
        for hop in &self.next_hops {
            // IPv4 by way of an IPv6 router exists (RTA_VIA); the other way round does not.
            if family == Family::V6 && hop.via.is_some_and(|via| Family::of(via) == Family::V4) {
                return Some(format!("{at}: an IPv6 route cannot go by way of an IPv4 address"));
            }
            if hop.weight == 0 || hop.weight > 256 {
                return Some(format!("{at}: a weight is 1 to 256, not {}", hop.weight));
            }
            if let Some(Encapsulation::Other(kind, _)) = &hop.encapsulation {
                return Some(format!("{at}: encapsulation of kind {kind} cannot be made, only shown"));
            }
        }
        (self.next_hop_id.is_some() && !self.next_hops.is_empty())
            .then(|| format!("{at}: a nexthop object and nexthops exclude each other"))
    }
}

/// Where a new route goes among those of the same destination and metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// There may be none: fails if there is (`ip route add`).
    Alone,
    /// Before them; what keepalived does (`ip route prepend`).
    First,
    /// Behind them (`ip route append`); keepalived's `append`.
    Last,
    /// In place of the first (`ip route replace`).
    Replacing,
}

fn send(what: &'static str, kind: u16, flags: i32, route: &Route) -> Operation<()> {
    Operation::new(Protocol::Route, what, nothing)
        .message(kind, (libc::NLM_F_ACK | flags) as u16, route.encode(kind == libc::RTM_DELROUTE))
        .refuse(route.wrong())
}

/// Adds a route.
pub fn add(route: &Route, placement: Placement) -> Operation<()> {
    let flags = match placement {
        Placement::Alone => libc::NLM_F_EXCL,
        Placement::First => 0,
        Placement::Last => libc::NLM_F_APPEND,
        Placement::Replacing => libc::NLM_F_REPLACE,
    };
    send("adding a route", libc::RTM_NEWROUTE, libc::NLM_F_CREATE | flags, route)
}

/// Removes a route: the first that agrees in all that `route` says.
pub fn delete(route: &Route) -> Operation<()> {
    send("removing a route", libc::RTM_DELROUTE, 0, route)
}

/// All routes of a family, in all tables.
pub fn list(family: Family) -> Operation<Vec<Route>> {
    Operation::new(Protocol::Route, "listing routes", take).message(
        libc::RTM_GETROUTE,
        libc::NLM_F_DUMP as u16,
        list_body(family),
    )
}

/// The routes of one table. On kernels before 4.20 it lists all.
pub fn list_table(family: Family, table: u32) -> Operation<Vec<Route>> {
    let mut body = list_body(family);
    body.u32(RTA_TABLE, table);
    Operation::new(Protocol::Route, "listing routes", take).message(
        libc::RTM_GETROUTE,
        libc::NLM_F_DUMP as u16,
        body,
    )
}

pub(crate) fn list_body(family: Family) -> Writer {
    let mut body = Writer::new();
    body.fixed(&[family.number(), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    body
}

fn take(routes: &mut Vec<Route>, kind: u16, payload: &[u8]) -> Result<(), Malformed> {
    if kind == libc::RTM_NEWROUTE {
        routes.extend(Route::decode(payload)?);
    }
    Ok(())
}
