//! Links: network interfaces as the kernel describes them, and the operations on them.

mod kind;

use crate::attribute::{Attributes, Writer};
use crate::devconf;
use crate::error::Malformed;
use crate::operation::{Operation, Protocol, nothing};
pub use kind::{AddressGeneration, IpvlanMode, LinkKind, MacvlanMode};
use std::fmt;

const IFLA_ADDRESS: u16 = 1;
const IFLA_BROADCAST: u16 = 2;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_OPERSTATE: u16 = 16;
const IFLA_LINKINFO: u16 = 18;
const IFLA_IFALIAS: u16 = 20;
const IFLA_AF_SPEC: u16 = 26;
const IFLA_EXT_MASK: u16 = 29;
const IFLA_PROMISCUITY: u16 = 30;
const IFLA_CARRIER: u16 = 33;
const IFLA_CARRIER_CHANGES: u16 = 35;
const IFLA_LINK_NETNSID: u16 = 37;

const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_INFO_SLAVE_KIND: u16 = 4;
const IFLA_MACVLAN_MODE: u16 = 1;
const IFLA_IPVLAN_MODE: u16 = 1;
const IFLA_IPVLAN_FLAGS: u16 = 2;
const IFLA_VRF_TABLE: u16 = 1;

const IFLA_INET_CONF: u16 = 1;
const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;

/// Leaves the statistics out of answers.
const RTEXT_FILTER_SKIP_STATS: u32 = 1 << 3;

const CREATE: u16 = (libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;

/// A hardware address, of up to 32 bytes.
#[derive(Clone, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct HardwareAddress(pub Vec<u8>);

impl HardwareAddress {
    /// The virtual router MAC address of RFC 9568 section 7.3: 00-00-5E-00-01-{VRID} or 00-00-5E-00-02-{VRID}.
    pub fn of_virtual_router(family: crate::Family, vrid: u8) -> Self {
        let family = match family {
            crate::Family::V4 => 1,
            crate::Family::V6 => 2,
        };
        Self(vec![0, 0, 0x5e, 0, family, vrid])
    }

    /// The six bytes of an Ethernet address.
    pub fn ethernet(&self) -> Option<[u8; 6]> {
        self.0.as_slice().try_into().ok()
    }
}

impl fmt::Display for HardwareAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02x}", if i == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for HardwareAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A link's flags (`IFF_…`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LinkFlags(pub u32);

impl LinkFlags {
    fn has(self, flag: libc::c_int) -> bool {
        self.0 & flag.unsigned_abs() != 0
    }

    /// Switched on by the administrator (`IFF_UP`).
    pub fn up(self) -> bool {
        self.has(libc::IFF_UP)
    }

    /// Up and operational (`IFF_RUNNING`): what keepalived calls up is this and `up`.
    pub fn running(self) -> bool {
        self.has(libc::IFF_RUNNING)
    }

    /// The driver sees a carrier (`IFF_LOWER_UP`).
    pub fn lower_up(self) -> bool {
        self.has(0x1_0000)
    }

    /// The loopback interface.
    pub fn loopback(self) -> bool {
        self.has(libc::IFF_LOOPBACK)
    }

    /// A point-to-point link.
    pub fn point_to_point(self) -> bool {
        self.has(libc::IFF_POINTOPOINT)
    }

    /// It can send and receive multicast.
    pub fn multicast(self) -> bool {
        self.has(libc::IFF_MULTICAST)
    }

    /// It can broadcast.
    pub fn broadcast(self) -> bool {
        self.has(libc::IFF_BROADCAST)
    }

    /// It does not do ARP or neighbour discovery.
    pub fn no_arp(self) -> bool {
        self.has(libc::IFF_NOARP)
    }

    /// It receives all multicast packets.
    pub fn all_multicast(self) -> bool {
        self.has(libc::IFF_ALLMULTI)
    }
}

/// RFC 2863 operational state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OperState {
    /// The driver does not say.
    #[default]
    Unknown,
    /// A component is missing.
    NotPresent,
    /// Down.
    Down,
    /// A layer below is down.
    LowerLayerDown,
    /// In test mode.
    Testing,
    /// Waiting for an event, as 802.1X authentication.
    Dormant,
    /// Ready to pass packets.
    Up,
}

impl OperState {
    fn from_number(number: u8) -> Self {
        match number {
            1 => Self::NotPresent,
            2 => Self::Down,
            3 => Self::LowerLayerDown,
            4 => Self::Testing,
            5 => Self::Dormant,
            6 => Self::Up,
            _ => Self::Unknown,
        }
    }
}

/// A link as the kernel describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Its number, from 1.
    pub index: u32,
    /// Its name, up to 15 bytes.
    pub name: String,
    /// The kind of hardware (`ARPHRD_…`; 1: Ethernet).
    pub hardware: u16,
    /// Its flags.
    pub flags: LinkFlags,
    /// Its hardware address; empty when it has none.
    pub address: HardwareAddress,
    /// Its broadcast address, or the peer's address of a point-to-point link.
    pub broadcast: HardwareAddress,
    /// The largest packet, in bytes.
    pub mtu: u32,
    /// Operational state.
    pub state: OperState,
    /// Whether there is a carrier; `None` when the kernel did not say.
    pub carrier: Option<bool>,
    /// How often the carrier came or went.
    pub carrier_changes: Option<u32>,
    /// The link below (of a macvlan, vlan) or the peer (of a veth).
    pub lower: Option<u32>,
    /// The namespace (by the number it has here) where `lower` is, when that is not this one.
    pub lower_namespace: Option<i32>,
    /// The bridge, bond or VRF it belongs to.
    pub master: Option<u32>,
    /// The kind of `master`.
    pub master_kind: Option<String>,
    /// Which kind of virtual link it is; `None` for hardware.
    pub kind: Option<LinkKind>,
    /// How many want it to receive everything.
    pub promiscuity: u32,
    /// A note by the administrator.
    pub alias: Option<String>,
    /// How it gets its link-local address; `None` without IPv6.
    pub address_generation: Option<AddressGeneration>,
    /// IPv4 settings (`net.ipv4.conf.NAME`).
    pub ipv4: devconf::Settings,
}

impl Link {
    /// Up, running: packets can pass as far as the kernel knows. As keepalived judges it.
    pub fn is_usable(&self) -> bool {
        self.flags.up() && self.flags.running()
    }

    /// Whether it is a macvlan.
    pub fn is_macvlan(&self) -> bool {
        matches!(self.kind, Some(LinkKind::Macvlan(_)))
    }

    /// Reads the payload of RTM_NEWLINK or RTM_DELLINK; `None` for news of another kind (of bridge ports).
    pub(crate) fn decode(payload: &[u8]) -> Result<Option<Self>, Malformed> {
        let Some((&[family, _, h0, h1, i0, i1, i2, i3, f0, f1, f2, f3, _, _, _, _], attributes)) =
            payload.split_first_chunk::<16>()
        else {
            return Err(Malformed("a link message is too short"));
        };
        if family != 0 {
            return Ok(None);
        }
        let mut link = Self {
            index: u32::from_ne_bytes([i0, i1, i2, i3]),
            hardware: u16::from_ne_bytes([h0, h1]),
            flags: LinkFlags(u32::from_ne_bytes([f0, f1, f2, f3])),
            ..Self::default()
        };
        for attribute in Attributes::new(attributes) {
            let attribute = attribute?;
            match attribute.kind {
                IFLA_IFNAME => link.name = attribute.text(),
                IFLA_ADDRESS => link.address = HardwareAddress(attribute.payload.to_vec()),
                IFLA_BROADCAST => link.broadcast = HardwareAddress(attribute.payload.to_vec()),
                IFLA_MTU => link.mtu = attribute.u32()?,
                IFLA_LINK => link.lower = Some(attribute.u32()?).filter(|index| *index != 0),
                IFLA_LINK_NETNSID => link.lower_namespace = Some(attribute.i32()?),
                IFLA_MASTER => link.master = Some(attribute.u32()?),
                IFLA_OPERSTATE => link.state = OperState::from_number(attribute.u8()?),
                IFLA_CARRIER => link.carrier = Some(attribute.u8()? != 0),
                IFLA_CARRIER_CHANGES => link.carrier_changes = Some(attribute.u32()?),
                IFLA_PROMISCUITY => link.promiscuity = attribute.u32()?,
                IFLA_IFALIAS => link.alias = Some(attribute.text()),
                IFLA_LINKINFO => link.read_info(attribute.nested())?,
                IFLA_AF_SPEC => link.read_families(attribute.nested())?,
                _ => {}
            }
        }
        Ok(Some(link))
    }

    fn read_info(&mut self, info: Attributes<'_>) -> Result<(), Malformed> {
        let mut kind = None;
        let mut data = Attributes::new(&[]);
        for attribute in info {
            let attribute = attribute?;
            match attribute.kind {
                IFLA_INFO_KIND => kind = Some(attribute.text()),
                IFLA_INFO_DATA => data = attribute.nested(),
                IFLA_INFO_SLAVE_KIND => self.master_kind = Some(attribute.text()),
                _ => {}
            }
        }
        // Each kind gives its own meaning to attribute 1.
        let mut first = |wanted: u16| match data.find(|a| a.as_ref().map_or(true, |a| a.kind == wanted)) {
            Some(attribute) => attribute.map(Some),
            None => Ok(None),
        };
        self.kind = match kind {
            None => None,
            Some(name) => Some(match name.as_str() {
                "macvlan" => {
                    let mode = first(IFLA_MACVLAN_MODE)?.map(|a| a.u32()).transpose()?;
                    LinkKind::Macvlan(mode.and_then(MacvlanMode::from_number))
                }
                "ipvlan" => {
                    let mode = first(IFLA_IPVLAN_MODE)?.map(|a| a.u16()).transpose()?;
                    LinkKind::Ipvlan(mode.and_then(IpvlanMode::from_number))
                }
                "vrf" => LinkKind::Vrf(first(IFLA_VRF_TABLE)?.map(|a| a.u32()).transpose()?.unwrap_or(0)),
                _ => LinkKind::Other(name),
            }),
        };
        Ok(())
    }

    fn read_families(&mut self, families: Attributes<'_>) -> Result<(), Malformed> {
        for family in families {
            let family = family?;
            for attribute in family.nested() {
                let attribute = attribute?;
                match (i32::from(family.kind), attribute.kind) {
                    (libc::AF_INET, IFLA_INET_CONF) => {
                        self.ipv4 = devconf::Settings::decode(attribute.payload);
                    }
                    (libc::AF_INET6, IFLA_INET6_ADDR_GEN_MODE) => {
                        self.address_generation = AddressGeneration::from_number(attribute.u8()?);
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// struct ifinfomsg.
fn header(index: u32, flags: u32, change: u32) -> Writer {
    let mut body = Writer::new();
    body.fixed(&[0; 4]).fixed(&index.to_ne_bytes()).fixed(&flags.to_ne_bytes()).fixed(&change.to_ne_bytes());
    body
}

fn change(what: &'static str, body: Writer) -> Operation<()> {
    Operation::new(Protocol::Route, what, nothing).message(libc::RTM_NEWLINK, libc::NLM_F_ACK as u16, body)
}

/// All links of the namespace.
pub fn list() -> Operation<Vec<Link>> {
    Operation::new(Protocol::Route, "listing links", take).message(
        libc::RTM_GETLINK,
        libc::NLM_F_DUMP as u16,
        list_body(),
    )
}

pub(crate) fn list_body() -> Writer {
    let mut body = header(0, 0, 0);
    body.u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    body
}

fn take(links: &mut Vec<Link>, kind: u16, payload: &[u8]) -> Result<(), Malformed> {
    if kind == libc::RTM_NEWLINK {
        links.extend(Link::decode(payload)?);
    }
    Ok(())
}

fn take_one(link: &mut Option<Link>, kind: u16, payload: &[u8]) -> Result<(), Malformed> {
    if kind == libc::RTM_NEWLINK {
        *link = Link::decode(payload)?;
    }
    Ok(())
}

/// The link of this name. Without one it fails, and [`is_missing`](crate::Error::is_missing).
pub fn by_name(name: &str) -> Operation<Option<Link>> {
    let mut body = header(0, 0, 0);
    body.u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS).text(IFLA_IFNAME, name);
    get(body).refuse(wrong_name(name))
}

/// The link of this index. Without one it fails, and [`is_missing`](crate::Error::is_missing).
pub fn by_index(index: u32) -> Operation<Option<Link>> {
    let mut body = header(index, 0, 0);
    body.u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    get(body)
}

fn get(body: Writer) -> Operation<Option<Link>> {
    Operation::new(Protocol::Route, "looking up a link", take_one).message(
        libc::RTM_GETLINK,
        libc::NLM_F_ACK as u16,
        body,
    )
}

fn wrong_name(name: &str) -> Option<String> {
    let wrong = name.is_empty()
        || name.len() >= libc::IFNAMSIZ
        || name == "."
        || name == ".."
        || name.bytes().any(|b| b == b'/' || b == b':' || b == 0 || b.is_ascii_whitespace());
    wrong.then(|| format!("'{}' is no name of a link", name.escape_debug()))
}

/// What kind of link to make on top of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upper {
    /// A macvlan.
    Macvlan(MacvlanMode),
    /// An ipvlan; `private` keeps it from talking to its like.
    Ipvlan {
        /// Its mode.
        mode: IpvlanMode,
        /// Whether it may not talk to others on the same link.
        private: bool,
    },
}

/// A link to be made on top of another. It is down until it is set up; how it gets its
/// link-local address can be set in between ([`set_address_generation`]), but not at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLink {
    /// Its name, 1–15 bytes.
    pub name: String,
    /// The link below.
    pub lower: u32,
    /// What it is.
    pub upper: Upper,
    /// Its hardware address; the kernel makes one up otherwise (ipvlans share that of the link below).
    pub address: Option<HardwareAddress>,
    /// The bridge or VRF it is to belong to.
    pub master: Option<u32>,
}

/// Makes a macvlan or ipvlan; fails when the name is taken.
pub fn create(link: &NewLink) -> Operation<()> {
    let mut body = header(0, 0, 0);
    body.nest(IFLA_LINKINFO, |info| match link.upper {
        Upper::Macvlan(mode) => {
            info.bytes(IFLA_INFO_KIND, b"macvlan");
            info.nest(IFLA_INFO_DATA, |data| {
                data.u32(IFLA_MACVLAN_MODE, mode.number());
            });
        }
        Upper::Ipvlan { mode, private } => {
            info.bytes(IFLA_INFO_KIND, b"ipvlan");
            info.nest(IFLA_INFO_DATA, |data| {
                data.u16(IFLA_IPVLAN_MODE, mode.number());
                if private {
                    data.u16(IFLA_IPVLAN_FLAGS, 1);
                }
            });
        }
    });
    body.u32(IFLA_LINK, link.lower).text(IFLA_IFNAME, &link.name);
    if let Some(address) = &link.address {
        body.bytes(IFLA_ADDRESS, &address.0);
    }
    if let Some(master) = link.master {
        body.u32(IFLA_MASTER, master);
    }
    Operation::new(Protocol::Route, "making a link", nothing)
        .message(libc::RTM_NEWLINK, CREATE | libc::NLM_F_ACK as u16, body)
        .refuse(wrong_name(&link.name))
}

/// Removes a link.
pub fn delete(index: u32) -> Operation<()> {
    Operation::new(Protocol::Route, "removing a link", nothing).message(
        libc::RTM_DELLINK,
        libc::NLM_F_ACK as u16,
        header(index, 0, 0),
    )
}

/// Sets a link up or down.
pub fn set_up(index: u32, up: bool) -> Operation<()> {
    let flag = libc::IFF_UP.unsigned_abs();
    change("setting a link up or down", header(index, if up { flag } else { 0 }, flag))
}

/// Gives a link a hardware address.
pub fn set_address(index: u32, address: &HardwareAddress) -> Operation<()> {
    let mut body = header(index, 0, 0);
    body.bytes(IFLA_ADDRESS, &address.0);
    change("setting a link's hardware address", body)
}

/// Sets the largest packet, in bytes.
pub fn set_mtu(index: u32, mtu: u32) -> Operation<()> {
    let mut body = header(index, 0, 0);
    body.u32(IFLA_MTU, mtu);
    change("setting a link's MTU", body)
}

/// Puts a link into a bridge, bond or VRF, or (`None`) out of it.
pub fn set_master(index: u32, master: Option<u32>) -> Operation<()> {
    let mut body = header(index, 0, 0);
    body.u32(IFLA_MASTER, master.unwrap_or(0));
    change("setting a link's master", body)
}

/// Sets how a link gets its link-local address; before it is set up.
pub fn set_address_generation(index: u32, mode: AddressGeneration) -> Operation<()> {
    let mut body = header(index, 0, 0);
    body.nest(IFLA_AF_SPEC, |families| {
        families.nest(libc::AF_INET6 as u16, |family| {
            family.u8(IFLA_INET6_ADDR_GEN_MODE, mode.number());
        });
    });
    change("setting how a link makes its link-local address", body)
}

/// Sets IPv4 settings of a link (`net.ipv4.conf.NAME.…`), as `sysctl` would.
pub fn set_ipv4(index: u32, settings: &[(devconf::Ipv4, u32)]) -> Operation<()> {
    let mut body = header(index, 0, 0);
    body.nest(IFLA_AF_SPEC, |families| {
        families.nest(libc::AF_INET as u16, |family| {
            family.nest(IFLA_INET_CONF, |conf| {
                for (setting, value) in settings {
                    conf.u32(setting.number(), *value);
                }
            });
        });
    });
    change("setting a link's IPv4 parameters", body)
}
