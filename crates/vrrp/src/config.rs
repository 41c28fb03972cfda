//! What a router is told to be: its own input, without syntax. All ranges and incompatibilities have been dealt with where
//! the configuration was read; what is out of range here is clamped, not refused.

use crate::event::Name;
use crate::ids::{LinkId, PaceId, RouterId, TrackId};
use crate::track::Track;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use wire::Family;
use wire::vrrp::{GROUP_V4, GROUP_V6, Version};

/// All virtual routers of a process, and what they refer to.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Interfaces that virtual routers, addresses and tracks refer to.
    pub links: Vec<Link>,
    /// Virtual routers; their names are distinct.
    pub routers: Vec<VirtualRouter>,
    /// Sync groups; their names are distinct, and a virtual router is in one at most.
    pub groups: Vec<Group>,
    /// Interfaces, scripts, processes and files that are tracked.
    pub tracks: Vec<Track>,
    /// Paces of announcements (`garp_group`, `vrrp_garp_interval`).
    pub paces: Vec<Pace>,
    /// What holds for all.
    pub settings: Settings,
}

/// What holds for all virtual routers.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `vrrp_startup_delay`: no timer of a Backup runs before. Not applied at a reload.
    pub startup_delay: Duration,
    /// `log_unknown_vrids`.
    pub log_unknown_vrids: bool,
    /// `vrrp_mcast_group4`.
    pub group_v4: Ipv4Addr,
    /// `vrrp_mcast_group6`.
    pub group_v6: Ipv6Addr,
    /// Put back addresses that another program has removed while Master.
    pub guard: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            startup_delay: Duration::ZERO,
            log_unknown_vrids: false,
            group_v4: GROUP_V4,
            group_v6: GROUP_V6,
            guard: true,
        }
    }
}

/// An interface.
#[derive(Clone, Debug)]
pub struct Link {
    /// Its name, for log lines; also what tells at a reload that it is the same.
    pub name: Name,
    /// Whether it can carry packets now.
    pub up: bool,
    /// Its primary IPv4 address now.
    pub source_v4: Option<Ipv4Addr>,
    /// Its first link-local IPv6 address now.
    pub source_v6: Option<Ipv6Addr>,
    /// The pace of announcements on it.
    pub pace: Option<PaceId>,
    /// Made by this process for a virtual MAC (`use_vmac`, `use_vmac_addr`).
    pub virtual_mac: bool,
}

impl Link {
    /// An interface that is up, without addresses.
    pub fn new(name: impl Into<Name>) -> Self {
        Self { name: name.into(), up: true, source_v4: None, source_v6: None, pace: None, virtual_mac: false }
    }
}

/// The least time between two announcements on an interface, or on a group of interfaces together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// `garp_interval`.
    pub garp_interval: Duration,
    /// `gna_interval`.
    pub gna_interval: Duration,
}

/// A virtual router (`vrrp_instance`).
#[derive(Clone, Debug)]
pub struct VirtualRouter {
    /// Its name; a reload keeps the state of the one with the same name.
    pub name: Name,
    /// The interface adverts are sent and received on (the virtual MAC's, or the one below it with `vmac_xmit_base`);
    /// `None` for unicast without an interface.
    pub link: Option<LinkId>,
    /// The interface that must be up besides `link`, and that is named in log lines: the one below a virtual MAC.
    pub base_link: Option<LinkId>,
    /// Its identifier, 1–255.
    pub vrid: u8,
    /// IP version.
    pub family: Family,
    /// Protocol version.
    pub version: Version,
    /// `priority`: 1–255, 255 is the address owner.
    pub priority: u8,
    /// `state`.
    pub initial: Initial,
    /// `advert_int`: whole seconds in version 2; 10 ms to 40.95 s in version 3.
    pub interval: Duration,
    /// `authentication`, version 2 over IPv4 only.
    pub authentication: Authentication,
    /// `virtual_ipaddress` and `virtual_ipaddress_excluded`, in order.
    pub addresses: Vec<Address>,
    /// How adverts travel.
    pub mode: Mode,
    /// `unicast_src_ip` or `mcast_src_ip`; else the interface's address.
    pub source: Option<IpAddr>,
    /// `nopreempt`, `preempt_delay`.
    pub preemption: Preemption,
    /// `skip_check_adv_addr`: of adverts from the same Master as the last, the address list is not looked at.
    pub skip_check_adv_addr: bool,
    /// `lower_prio_no_advert`: a Master does not answer adverts of lower priority.
    pub lower_prio_no_advert: bool,
    /// `higher_prio_send_advert`: a Master that gives way sends a last advert.
    pub higher_prio_send_advert: bool,
    /// `owner_ignore_adverts`: the address owner does not look at adverts while Master.
    pub owner_ignore_adverts: bool,
    /// `timer_expired_backup`: a Master whose timer was late by more than a Backup of this priority needs to take over
    /// becomes Backup.
    pub timer_expired_backup: Option<u8>,
    /// `down_timer_adverts`: adverts that may be missed, 1–100.
    pub down_timer_adverts: u8,
    /// When and how often addresses are announced.
    pub announce: Announce,
    /// What it tracks besides its own interface.
    pub tracks: Vec<Tracking>,
    /// `dont_track_primary`: its own interface may be down.
    pub dont_track_primary: bool,
    /// Checksums of version 3 over IPv4.
    pub checksum: ChecksumMode,
    /// `notify_priority_changes`.
    pub notify_priority_changes: bool,
}

impl VirtualRouter {
    /// One with keepalived's defaults: version 2, IPv4, priority 100, one second, multicast, preemption.
    pub fn new(name: impl Into<Name>, link: LinkId, vrid: u8) -> Self {
        Self {
            name: name.into(),
            link: Some(link),
            base_link: None,
            vrid,
            family: Family::V4,
            version: Version::V2,
            priority: 100,
            initial: Initial::Backup,
            interval: Duration::from_secs(1),
            authentication: Authentication::None,
            addresses: Vec::new(),
            mode: Mode::Multicast,
            source: None,
            preemption: Preemption::default(),
            skip_check_adv_addr: false,
            lower_prio_no_advert: false,
            higher_prio_send_advert: false,
            owner_ignore_adverts: false,
            timer_expired_backup: None,
            down_timer_adverts: 3,
            announce: Announce::default(),
            tracks: Vec::new(),
            dont_track_primary: false,
            checksum: ChecksumMode::Standard,
            notify_priority_changes: false,
        }
    }
}

/// `state`: what a virtual router wants to be at start. It makes a difference only for the address owner and within sync
/// groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Initial {
    /// `BACKUP`.
    #[default]
    Backup,
    /// `MASTER`.
    Master,
}

/// `authentication` of version 2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authentication {
    /// None.
    #[default]
    None,
    /// `PASS`: eight bytes in clear, padded with zeros.
    Pass([u8; 8]),
    /// `AH`: the key, padded with zeros.
    Ah([u8; 8]),
}

/// A virtual address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub address: IpAddr,
    /// The interface it is put on.
    pub link: LinkId,
    /// In adverts (`virtual_ipaddress`); else `virtual_ipaddress_excluded`.
    pub advertised: bool,
}

/// How adverts travel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// To the multicast group of the settings.
    #[default]
    Multicast,
    /// To a multicast group of its own (`mcast_dst_ip`).
    Group(IpAddr),
    /// To peers.
    Unicast(Unicast),
}

/// `unicast_peer` and what belongs to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unicast {
    /// The peers; none puts the router in Fault (`unicast_fault_no_peer`).
    pub peers: Vec<Peer>,
    /// `unicast_ttl`; 255 by default.
    pub ttl: Option<u8>,
    /// `check_unicast_src`: adverts come from peers only.
    pub check_source: bool,
}

/// A peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// `min_ttl` and `max_ttl` of its adverts.
    pub ttl: Option<(u8, u8)>,
}

/// `preempt`, `nopreempt`, `preempt_delay`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preemption {
    /// A Master of lower priority is put out.
    pub allowed: bool,
    /// How long it has to be heard before.
    pub delay: Duration,
}

impl Default for Preemption {
    fn default() -> Self {
        Self { allowed: true, delay: Duration::ZERO }
    }
}

/// `garp_*`: when and how often a Master says where its addresses are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announce {
    /// `garp_master_delay`: again so long after having become Master; zero for not again.
    pub delay: Duration,
    /// `garp_master_repeat`: how many each time.
    pub repeat: u32,
    /// `garp_master_refresh`: again each so often; zero for never.
    pub refresh: Duration,
    /// `garp_master_refresh_repeat`.
    pub refresh_repeat: u32,
    /// `garp_lower_prio_delay`: again so long after an advert of lower priority.
    pub lower_prio_delay: Duration,
    /// `garp_lower_prio_repeat`: how many after an advert of lower priority.
    pub lower_prio_repeat: u32,
    /// `garp_extra_if`: one for each interface that sends no adverts, each so often; zero for never.
    pub extra: Duration,
    /// `garp_extra_if all`: on interfaces that are not virtual MACs, too.
    pub extra_all: bool,
}

impl Default for Announce {
    /// keepalived's.
    fn default() -> Self {
        Self {
            delay: Duration::from_secs(5),
            repeat: 5,
            refresh: Duration::ZERO,
            refresh_repeat: 1,
            lower_prio_delay: Duration::from_secs(5),
            lower_prio_repeat: 5,
            extra: Duration::ZERO,
            extra_all: false,
        }
    }
}

/// How a virtual router or sync group depends on something tracked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tracking {
    /// What.
    pub track: TrackId,
    /// Zero: its failure is a Fault. Positive: added to the priority while it is well. Negative: while it has failed. For
    /// files, the factor of the value. −254 to 254.
    pub weight: i16,
    /// `reverse`: well and failed change places (for files, the sign).
    pub reverse: bool,
}

/// Checksums of version 3 over IPv4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChecksumMode {
    /// With the pseudo header of source and destination; a unicast peer that uses the old form is recognised.
    #[default]
    Standard,
    /// `old_unicast_checksum`: the multicast group as destination, whatever it is.
    OldUnicast,
    /// `old_unicast_checksum never`: the standard, and no recognition of the old form.
    NeverOld,
    /// `v3_checksum_as_v2`: no pseudo header.
    AsV2,
}

/// A sync group: its members are in one state.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name.
    pub name: Name,
    /// Its members.
    pub members: Vec<RouterId>,
    /// What it tracks, for all members.
    pub tracks: Vec<Tracking>,
    /// `sync_group_tracking_weight`: weights of the members' own tracks count; else weighted
    /// tracks of members are left out (files: taken as weight 0), as for an address owner.
    pub tracking_weight: bool,
}
