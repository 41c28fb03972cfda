//! What a keepalived.conf says, typed.
//!
//! Plain structures with public fields. Values that keepalived changes (a priority out of range, a password that is
//! too long) are already changed here; the report says so. What the file leaves open and keepalived decides from
//! something else (an instance's version from its addresses, a group's member from its name) is decided too, unless
//! only the machine knows (interfaces): then the field is an `Option`, and its documentation says what stands in.

mod address;
mod checker;
mod global;
mod instance;
mod lvs;
mod route;
mod rule;
mod script;
mod track;

pub use address::*;
pub use checker::*;
pub use global::*;
pub use instance::*;
pub use lvs::*;
pub use route::*;
pub use rule::*;
pub use script::*;
pub use track::*;

use diag::Span;

/// Where something stands in the files; `None` for what no file says.
pub type Place = Option<Span>;

/// A whole configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// `global_defs`, and what stands beside it at the top.
    pub global: Global,
    /// `static_ipaddress`.
    pub static_addresses: Vec<Address>,
    /// `static_routes`.
    pub static_routes: Vec<Route>,
    /// `static_rules`.
    pub static_rules: Vec<Rule>,
    /// `track_group`: which instances follow static addresses, routes and rules.
    pub track_groups: Vec<TrackGroup>,
    /// `linkbeat_interfaces`.
    pub linkbeat_interfaces: Vec<Linkbeat>,
    /// `interface_up_down_delays`.
    pub interface_delays: Vec<InterfaceDelay>,
    /// `garp_group`.
    pub garp_groups: Vec<GarpGroup>,
    /// `vrrp_script`. Those that nothing tracks are kept.
    pub scripts: Vec<TrackScript>,
    /// `vrrp_track_process`.
    pub processes: Vec<TrackProcess>,
    /// `track_file` and its old name `vrrp_track_file`.
    pub files: Vec<TrackFile>,
    /// `vrrp_sync_group`. Groups that keepalived drops (no members left) are not here.
    pub sync_groups: Vec<SyncGroup>,
    /// `vrrp_instance`, in the order of the file. Instances that keepalived drops are not here.
    pub instances: Vec<Instance>,
    /// `SSL`: what `SSL_GET` presents.
    pub ssl: Option<Ssl>,
    /// `virtual_server_group`.
    pub server_groups: Vec<VirtualServerGroup>,
    /// `virtual_server`.
    pub virtual_servers: Vec<VirtualServer>,
}

/// A name in the file and where it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// The name.
    pub text: String,
    /// Where.
    pub place: Place,
}

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// That of `address`.
    pub fn of(address: std::net::IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// The longest prefix: 32 or 128.
    pub fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }
}

/// An address and how many of its leading bits name the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    /// The address, its host bits as written.
    pub address: std::net::IpAddr,
    /// 0–32 or 0–128.
    pub length: u8,
}

/// `track_group NAME { group { … } }`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrackGroup {
    /// Its name.
    pub name: Name,
    /// Names of instances; those that do not exist are left out.
    pub members: Vec<Name>,
}

/// How the state of a link is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LinkbeatType {
    /// Not said: MII, then ETHTOOL, then the flags.
    #[default]
    Any,
    /// MII registers.
    Mii,
    /// ETHTOOL_GLINK.
    Ethtool,
    /// Interface flags by ioctl.
    Ioctl,
}

/// A line of `linkbeat_interfaces`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Linkbeat {
    /// The interface.
    pub interface: Name,
    /// How it is polled.
    pub method: LinkbeatType,
}

/// A line of `interface_up_down_delays`: a change of state counts when it has lasted this long. At most 255 s each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfaceDelay {
    /// The interface.
    pub interface: Name,
    /// After it went down.
    pub down: std::time::Duration,
    /// After it came up; the same as `down` when not said.
    pub up: std::time::Duration,
}

/// `garp_group`: gratuitous ARPs and neighbour advertisements of several interfaces share one pace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GarpGroup {
    /// Time between two gratuitous ARPs; zero or not said: that of `global_defs`.
    pub garp_interval: Option<std::time::Duration>,
    /// Time between two unsolicited neighbour advertisements.
    pub gna_interval: Option<std::time::Duration>,
    /// `interface`, or those of `interfaces`. An interface is in one group only.
    pub interfaces: Vec<Name>,
    /// Where the block begins.
    pub place: Place,
}
