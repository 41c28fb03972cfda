//! Virtual routers and their groups.

use super::{Address, Family, Name, Notify, Place, Route, Rule, Tracking};
use std::net::IpAddr;
use std::time::Duration;

/// `version`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// VRRPv2, RFC 3768 (with RFC 2338's authentication).
    #[default]
    V2,
    /// VRRPv3, RFC 9568.
    V3,
}

/// `state`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum InitialState {
    /// Begins as Backup.
    #[default]
    Backup,
    /// Expects to be Master: no preempt delay, and 255 goes there at once.
    Master,
}

/// `authentication`; VRRPv2 only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Authentication {
    /// `auth_type PASS`: the password, padded with NUL.
    Pass([u8; 8]),
    /// `auth_type AH`: the key, padded with NUL.
    Ah([u8; 8]),
}

/// `use_vmac [NAME] [MAC]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vmac {
    /// The macvlan's name; `None`: `vmac_prefix`, a dot, the VRID (and `6` before the dot for IPv6 beside IPv4).
    pub name: Option<Name>,
    /// Its address; `None`: 00:00:5e:00:01:VRID (IPv4) or 00:00:5e:00:02:VRID (IPv6). Written with five octets, the
    /// VRID is the sixth: that is done here.
    pub mac: Option<[u8; 6]>,
}

/// Flag of an ipvlan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum IpvlanFlag {
    /// `bridge`.
    #[default]
    Bridge,
    /// `private`.
    Private,
    /// `vepa`.
    Vepa,
}

/// `use_ipvlan [NAME] [ADDRESS] [FLAG]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ipvlan {
    /// The ipvlan's name.
    pub name: Option<Name>,
    /// Its address; needed with IPv4.
    pub address: Option<super::Prefix>,
    /// Its flag.
    pub flag: IpvlanFlag,
}

/// A line of `unicast_peer`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnicastPeer {
    /// The peer.
    pub address: IpAddr,
    /// `min_ttl`: lower ones are discarded; 0–255.
    pub min_ttl: u8,
    /// `max_ttl`: higher ones are discarded; 0–255, default 255.
    pub max_ttl: u8,
    /// Where.
    pub place: Place,
}

/// `old_unicast_checksum [never]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UnicastChecksum {
    /// Not said: the right one, and the old one when a peer uses it.
    #[default]
    Auto,
    /// The old one.
    Old,
    /// `never`: only the right one.
    Never,
}

/// Gratuitous ARPs and neighbour advertisements of an instance, global defaults applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Garp {
    /// `garp_master_delay`: until the second round; zero: none. Default 5 s.
    pub master_delay: Duration,
    /// `garp_master_repeat`: messages of a round; default 5.
    pub master_repeat: u32,
    /// `garp_master_refresh`: round after round while Master; zero: none. Default zero.
    pub master_refresh: Duration,
    /// `garp_master_refresh_repeat`; default 1.
    pub master_refresh_repeat: u32,
    /// `garp_lower_prio_delay`; default `master_delay`.
    pub lower_prio_delay: Duration,
    /// `garp_lower_prio_repeat`: after an advertisement of lower priority; default `master_repeat`. May be 0.
    pub lower_prio_repeat: u32,
    /// `garp_extra_if`: for addresses on other interfaces; zero: none.
    pub extra_interval: Duration,
    /// `garp_extra_if all`: not only on VMACs.
    pub extra_all: bool,
}

/// `vrrp_instance`.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// Its name.
    pub name: Name,
    /// `interface`; `None` only with unicast peers.
    pub interface: Option<Name>,
    /// `vrf`; with unicast and no interface.
    pub vrf: Option<Box<Name>>,
    /// IPv4 or IPv6, from the addresses.
    pub family: Family,
    /// `virtual_router_id`, 1–255.
    pub virtual_router_id: u8,
    /// `priority`, 1–255; default 100.
    pub priority: u8,
    /// `state`.
    pub state: InitialState,
    /// `version`; IPv6 is always 3.
    pub version: Version,
    /// `advert_int`; default 1 s. Version 2: whole seconds, 1–255 (or centiseconds, as keepalived allows); version 3:
    /// centiseconds up to 40.95 s.
    pub advert_interval: Duration,
    /// `authentication`; never with version 3.
    pub authentication: Option<Authentication>,
    /// `virtual_ipaddress`: at most 255, all of `family`.
    pub addresses: Vec<Address>,
    /// `virtual_ipaddress_excluded`: any family.
    pub excluded_addresses: Vec<Address>,
    /// `virtual_routes`.
    pub routes: Vec<Route>,
    /// `virtual_rules`.
    pub rules: Vec<Rule>,
    /// `no_virtual_ipaddress`: none is no mistake.
    pub no_virtual_addresses: bool,
    /// `nopreempt`; never with `state MASTER` or priority 255.
    pub nopreempt: bool,
    /// `preempt_delay`, 0–1000 s.
    pub preempt_delay: Duration,
    /// `timer_expired_backup`.
    pub timer_expired_backup: bool,
    /// `use_vmac`.
    pub vmac: Option<Box<Vmac>>,
    /// `use_vmac_addr`: VMACs for addresses on other interfaces.
    pub vmac_addr: bool,
    /// `vmac_xmit_base`: advertisements leave by the interface below the VMAC.
    pub vmac_xmit_base: bool,
    /// `use_ipvlan`.
    pub ipvlan: Option<Box<Ipvlan>>,
    /// `unicast_peer`. Not empty: unicast.
    pub unicast_peers: Vec<UnicastPeer>,
    /// `unicast_fault_no_peer`: without peers, FAULT and not multicast.
    pub unicast_fault_no_peer: bool,
    /// `mcast_src_ip` or `unicast_src_ip`; `None`: the interface's first.
    pub source_address: Option<IpAddr>,
    /// Where it stands.
    pub source_place: Place,
    /// `track_src_ip`: FAULT while the source address is not there.
    pub track_source_address: bool,
    /// `mcast_dst_ip`; else the global group. Not used with unicast.
    pub multicast_group: IpAddr,
    /// `unicast_ttl`; `None`: 255, or 64 where keepalived uses it.
    pub unicast_ttl: Option<u8>,
    /// `check_unicast_src`, set too by `min_ttl` and `max_ttl`.
    pub check_unicast_source: bool,
    /// `old_unicast_checksum`.
    pub unicast_checksum: UnicastChecksum,
    /// `v3_checksum_as_v2`: version 3 over IPv4 without pseudo-header.
    pub v3_checksum_as_v2: bool,
    /// `accept` (default) or `no_accept`.
    pub accept: bool,
    /// `strict_mode`.
    pub strict: bool,
    /// `skip_check_adv_addr`.
    pub skip_check_advert_addresses: bool,
    /// `lower_prio_no_advert`.
    pub lower_priority_no_advert: bool,
    /// `higher_prio_send_advert`.
    pub higher_priority_send_advert: bool,
    /// `owner_ignore_adverts`.
    pub owner_ignore_adverts: bool,
    /// `down_timer_adverts`, 1–100; default 3.
    pub down_timer_adverts: u8,
    /// `garp_*`.
    pub garp: Garp,
    /// `dont_track_primary`.
    pub dont_track_primary: bool,
    /// `promote_secondaries`.
    pub promote_secondaries: bool,
    /// `linkbeat_use_polling`.
    pub linkbeat_polling: bool,
    /// `track_interface` and its like.
    pub track: Tracking,
    /// Scripts and mails.
    pub notify: Notify,
    /// `lvs_sync_daemon_interface`; old form.
    pub lvs_sync_interface: Option<Box<Name>>,
    /// `kernel_rx_buf_size` in bytes; 0: by `vrrp_rx_bufs_policy`.
    pub receive_buffer: u32,
    /// `debug`, 0–4.
    pub debug: u8,
}

/// `vrrp_sync_group`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SyncGroup {
    /// Its name.
    pub name: Name,
    /// `group`: instances, all of which exist and none of which is in another group; at least one.
    pub members: Vec<Name>,
    /// What it tracks for all of them.
    pub track: Tracking,
    /// Scripts and mails.
    pub notify: Notify,
    /// `sync_group_tracking_weight` or the old `global_tracking`: weights of members count. Else they are 0.
    pub tracking_weight: bool,
}
