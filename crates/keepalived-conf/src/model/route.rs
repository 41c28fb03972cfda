//! Routes, in the grammar of `ip route`.

use super::{Family, Name, Place, Prefix, Scope};
use std::net::IpAddr;
use std::time::Duration;

/// The type of a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RouteType {
    /// `unicast`.
    #[default]
    Unicast,
    /// `local`.
    Local,
    /// `broadcast`.
    Broadcast,
    /// `anycast`.
    Anycast,
    /// `multicast`.
    Multicast,
    /// `blackhole`.
    Blackhole,
    /// `unreachable`.
    Unreachable,
    /// `prohibit`.
    Prohibit,
    /// `throw`.
    Throw,
    /// `nat`.
    Nat,
}

impl RouteType {
    /// Its name in `ip route`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unicast => "unicast",
            Self::Local => "local",
            Self::Broadcast => "broadcast",
            Self::Anycast => "anycast",
            Self::Multicast => "multicast",
            Self::Blackhole => "blackhole",
            Self::Unreachable => "unreachable",
            Self::Prohibit => "prohibit",
            Self::Throw => "throw",
            Self::Nat => "nat",
        }
    }

    /// The kernel's RTN_ number.
    pub fn number(self) -> u8 {
        match self {
            Self::Unicast => 1,
            Self::Local => 2,
            Self::Broadcast => 3,
            Self::Anycast => 4,
            Self::Multicast => 5,
            Self::Blackhole => 6,
            Self::Unreachable => 7,
            Self::Prohibit => 8,
            Self::Throw => 9,
            Self::Nat => 10,
        }
    }
}

/// A metric that `lock` may hold against path MTU discovery and the like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Metric {
    /// Its value, in the kernel's units.
    pub value: u32,
    /// `lock`.
    pub locked: bool,
}

/// The metrics of a route (`RTA_METRICS`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Metrics {
    /// `mtu`, bytes.
    pub mtu: Option<Metric>,
    /// `hoplimit`.
    pub hoplimit: Option<Metric>,
    /// `advmss`, bytes.
    pub advmss: Option<Metric>,
    /// `rtt`, in eighths of milliseconds, as the kernel takes it.
    pub rtt: Option<Metric>,
    /// `rttvar`, in quarters of milliseconds.
    pub rttvar: Option<Metric>,
    /// `reordering`.
    pub reordering: Option<Metric>,
    /// `window`.
    pub window: Option<Metric>,
    /// `cwnd`.
    pub cwnd: Option<Metric>,
    /// `ssthresh`.
    pub ssthresh: Option<Metric>,
    /// `rto_min`, milliseconds.
    pub rto_min: Option<Metric>,
    /// `initcwnd`.
    pub initcwnd: Option<Metric>,
    /// `initrwnd`.
    pub initrwnd: Option<Metric>,
    /// `quickack`.
    pub quickack: Option<bool>,
    /// `features ecn`.
    pub ecn: bool,
    /// `fastopen_no_cookie`.
    pub fastopen_no_cookie: Option<bool>,
}

/// `encap`: a lightweight tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encap {
    /// `encap mpls LABELS`, the outermost first.
    Mpls {
        /// 20-bit labels.
        labels: Vec<u32>,
    },
    /// `encap ip` or `encap ip6`.
    Ip {
        /// The family of the outer header.
        family: Family,
        /// `id`: of the tunnel.
        id: u64,
        /// `dst`.
        destination: Option<IpAddr>,
        /// `src`.
        source: Option<IpAddr>,
        /// `tos` or `tc`.
        tos: Option<u8>,
        /// `ttl` or `hoplimit`.
        ttl: Option<u8>,
        /// `flags`.
        flags: Option<u16>,
    },
    /// `encap ila LOCATOR`.
    Ila {
        /// The locator, the upper 64 bits of an IPv6 address.
        locator: u64,
    },
}

/// One hop, of a route with several or with one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NextHop {
    /// `via`; may be of another family than the route (RTA_VIA).
    pub gateway: Option<IpAddr>,
    /// `dev`.
    pub interface: Option<Name>,
    /// `weight`, 1–256; default 1.
    pub weight: u16,
    /// `onlink`.
    pub onlink: bool,
    /// `realm`: source and destination realm.
    pub realms: Option<u32>,
    /// `encap`.
    pub encap: Option<Encap>,
}

/// `pref` of an IPv6 route (RFC 4191).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RouterPreference {
    /// `low`.
    Low,
    /// `medium`.
    Medium,
    /// `high`.
    High,
}

/// A line of `virtual_routes` or `static_routes`.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Its type.
    pub kind: RouteType,
    /// Its family.
    pub family: Family,
    /// Where to; `default` is 0/0.
    pub destination: Prefix,
    /// `from`: only packets from there; IPv6 only.
    pub source: Option<Prefix>,
    /// `src`: the address that packets get.
    pub preferred_source: Option<IpAddr>,
    /// `via` or `gw`, `dev`, `onlink`, `encap`, `realms` of the route itself.
    pub hop: NextHop,
    /// `or`: a second gateway, an old form.
    pub alternative_gateway: Option<IpAddr>,
    /// `nexthop`s; then `hop` is empty.
    pub hops: Vec<NextHop>,
    /// `as [to]`: the new destination (RTA_NEWDST).
    pub new_destination: Option<IpAddr>,
    /// `table`, or that of the `vrf`; `None`: main (local for local types).
    pub table: Option<u32>,
    /// `vrf`: the table of this interface.
    pub vrf: Option<Name>,
    /// `tos` or `dsfield`.
    pub tos: u8,
    /// `protocol`; `None`: keepalived's own, 18.
    pub protocol: Option<u8>,
    /// `scope`; `None`: what `ip route` would choose.
    pub scope: Option<Scope>,
    /// `metric`, `priority` or `preference`.
    pub metric: Option<u32>,
    /// Metrics of the path.
    pub metrics: Metrics,
    /// `expires`; IPv6.
    pub expires: Option<Duration>,
    /// `ttl-propagate`.
    pub ttl_propagate: Option<bool>,
    /// `pref`; IPv6.
    pub preference: Option<RouterPreference>,
    /// `append`: behind those that match, not in front.
    pub append: bool,
    /// `no_track`; virtual routes only.
    pub no_track: bool,
    /// `track_group`; static routes only.
    pub track_group: Option<Name>,
    /// Where.
    pub place: Place,
}
