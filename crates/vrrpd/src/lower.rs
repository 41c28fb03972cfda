//! The configuration turned into what the core and the role take.

use crate::interfaces::{Interface, Interfaces};
use ek_time::Instant;
use keepalived_conf::model;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;
use vrrp::track::Kind;
use vrrp::{
    Announce, Authentication, ChecksumMode, Family, GroupId, Initial, LinkId, Mode, Pace, PaceId, Peer,
    Preemption, RouterId, Track, TrackId, TrackState, Tracking, Unicast, Version, VirtualRouter,
};

/// A configuration and what follows from it. Lists of the model keep their order: an instance's position is its
/// [`RouterId`], a sync group's its [`GroupId`].
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// As read.
    pub model: model::Config,
    /// Names of the interfaces, by [`LinkId`], with the interface below.
    pub links: Vec<PlannedLink>,
    /// Virtual routers, by [`RouterId`].
    pub routers: Vec<PlannedRouter>,
    /// Tracked things, by [`TrackId`].
    pub tracks: Vec<TrackSource>,
    paces: Vec<Pace>,
}

/// An interface that is named.
#[derive(Clone, Debug)]
pub struct PlannedLink {
    /// Its name.
    pub name: String,
    /// Of a virtual MAC's: the one below.
    pub base: Option<LinkId>,
    /// Of a virtual MAC's: what to make.
    pub vmac: Option<PlannedVmac>,
    pace: Option<PaceId>,
}

/// An interface to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedVmac {
    /// Its hardware address; `None` for an ipvlan.
    pub mac: Option<[u8; 6]>,
    /// The family of the adverts it is for.
    pub family: model::Family,
    /// An ipvlan in place of a macvlan, with this flag.
    pub ipvlan: Option<model::IpvlanFlag>,
    /// An address it has from the start (of an ipvlan).
    pub address: Option<model::Prefix>,
}

/// What the role has to know of a virtual router.
#[derive(Clone, Debug)]
pub struct PlannedRouter {
    /// Where its adverts go in and out.
    pub link: Option<LinkId>,
    /// The interface of the configuration.
    pub base: Option<LinkId>,
    /// The interface of each address: of `addresses`, then of `excluded_addresses`.
    pub addresses: Vec<LinkId>,
    /// Sends mail.
    pub smtp_alert: bool,
}

/// Where the state of something tracked comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrackSource {
    /// An interface.
    Interface(LinkId),
    /// `scripts` of the model.
    Script(usize),
    /// `processes` of the model.
    Process(usize),
    /// `files` of the model.
    File(usize),
    /// `track_groups` of the model.
    Group(usize),
    /// The source address of an instance with `track_src_ip`.
    Source(usize),
}

/// Puts names of interfaces into a row.
struct Links {
    list: Vec<PlannedLink>,
    by_name: HashMap<String, LinkId>,
}

impl Links {
    fn of(&mut self, name: &str) -> LinkId {
        if let Some(link) = self.by_name.get(name) {
            return *link;
        }
        let link = LinkId(self.list.len() as u32);
        self.list.push(PlannedLink { name: name.to_owned(), base: None, vmac: None, pace: None });
        self.by_name.insert(name.to_owned(), link);
        link
    }

    fn vmac(&mut self, name: &str, base: LinkId, vmac: PlannedVmac) -> LinkId {
        let link = self.of(name);
        if let Some(entry) = self.list.get_mut(link.index()) {
            entry.base = Some(base);
            entry.vmac = Some(vmac);
        }
        link
    }
}

fn family(family: model::Family) -> Family {
    match family {
        model::Family::V4 => Family::V4,
        model::Family::V6 => Family::V6,
    }
}

/// The hardware address of RFC 9568 7.3.
pub fn virtual_mac(family: model::Family, vrid: u8) -> [u8; 6] {
    [0, 0, 0x5e, 0, if family == model::Family::V4 { 1 } else { 2 }, vrid]
}

impl Plan {
    /// Gives back room for more than there is.
    pub(crate) fn shrink(&mut self) {
        self.model.instances.shrink_to_fit();
        self.routers.shrink_to_fit();
        self.tracks.shrink_to_fit();
        for instance in &mut self.model.instances {
            instance.addresses.shrink_to_fit();
            instance.excluded_addresses.shrink_to_fit();
        }
    }

    /// Of a configuration.
    pub fn new(model: model::Config) -> Self {
        let mut links = Links { list: Vec::new(), by_name: HashMap::new() };
        let mut routers = Vec::new();
        for instance in &model.instances {
            routers.push(plan_router(&model, instance, &mut links));
        }
        let default = model.global.default_interface.as_ref().map_or("eth0", |name| name.text.as_str());
        for address in &model.static_addresses {
            links.of(address.interface.as_ref().map_or(default, |name| name.text.as_str()));
        }
        for name in crate::presence::tracked_interfaces(&model, |group| group.is_some()) {
            links.of(name);
        }
        let mut tracks = Vec::new();
        let tracked = model
            .instances
            .iter()
            .map(|instance| &instance.track)
            .chain(model.sync_groups.iter().map(|group| &group.track));
        for track in tracked {
            for interface in &track.interfaces {
                let source = TrackSource::Interface(links.of(&interface.name.text));
                if !tracks.contains(&source) {
                    tracks.push(source);
                }
            }
        }
        tracks.extend((0..model.scripts.len()).map(TrackSource::Script));
        tracks.extend((0..model.processes.len()).map(TrackSource::Process));
        tracks.extend((0..model.files.len()).map(TrackSource::File));
        tracks.extend((0..model.track_groups.len()).map(TrackSource::Group));
        let sources = model.instances.iter().enumerate();
        let sources = sources.filter(|(_, one)| one.track_source_address && one.source_address.is_some());
        tracks.extend(sources.map(|(at, _)| TrackSource::Source(at)));
        let paces = plan_paces(&model, &mut links);
        Self { model, links: links.list, routers, tracks, paces }
    }

    /// The interfaces that are named, none of which is known to exist.
    pub fn interfaces(&self) -> Interfaces {
        let list = self
            .links
            .iter()
            .map(|link| Interface { base: link.base, ..Interface::new(&link.name) })
            .collect();
        let addresses = self
            .model
            .instances
            .iter()
            .flat_map(|instance| instance.addresses.iter().chain(&instance.excluded_addresses))
            .map(|address| address.prefix.address)
            .collect();
        Interfaces::new(list, addresses)
    }

    /// The core's configuration, with the interfaces as they are. `uptime` is the time since the machine booted.
    pub fn core(&self, interfaces: &Interfaces, uptime: Instant) -> vrrp::Config {
        let defaults = &self.model.global.vrrp;
        let after_boot = defaults.delay_after_boot.saturating_sub(uptime.since(Instant::ZERO));
        vrrp::Config {
            links: (0_u32..)
                .zip(&self.links)
                .map(|(position, link)| interfaces.core_link(LinkId(position), link.pace))
                .collect(),
            routers: self
                .model
                .instances
                .iter()
                .zip(&self.routers)
                .map(|(instance, planned)| self.router(instance, planned))
                .collect(),
            groups: self
                .model
                .sync_groups
                .iter()
                .map(|group| vrrp::Group {
                    name: group.name.text.as_str().into(),
                    members: group.members.iter().filter_map(|member| self.router_id(&member.text)).collect(),
                    tracks: self.tracking(&group.track),
                    tracking_weight: group.tracking_weight,
                })
                .collect(),
            tracks: self.tracks.iter().map(|source| self.track(*source)).collect(),
            paces: self.paces.clone(),
            settings: vrrp::Settings {
                startup_delay: defaults.startup_delay.max(after_boot),
                log_unknown_vrids: defaults.log_unknown_vrids,
                group_v4: defaults.multicast_group4,
                group_v6: defaults.multicast_group6,
                guard: true,
            },
        }
    }

    /// The virtual router of a name.
    pub fn router_id(&self, name: &str) -> Option<RouterId> {
        let position = self.model.instances.iter().position(|instance| instance.name.text == name)?;
        Some(RouterId(position as u32))
    }

    /// The instance of a virtual router.
    pub fn instance(&self, router: RouterId) -> Option<&model::Instance> {
        self.model.instances.get(router.index())
    }

    /// The sync group of an id.
    pub fn group(&self, group: GroupId) -> Option<&model::SyncGroup> {
        self.model.sync_groups.get(group.index())
    }

    fn track(&self, source: TrackSource) -> Track {
        let made;
        let (name, kind) = match source {
            TrackSource::Group(at) => {
                let name = self.model.track_groups.get(at).map_or("", |group| group.name.text.as_str());
                made = format!("static address, route or rule of {name}");
                (made.as_str(), Kind::Presence)
            }
            TrackSource::Source(at) => {
                let address = self.model.instances.get(at).and_then(|instance| instance.source_address);
                made = address.map_or_else(String::new, |address| format!("source address {address}"));
                (made.as_str(), Kind::Presence)
            }
            TrackSource::Interface(link) => {
                (self.links.get(link.index()).map_or("", |link| link.name.as_str()), Kind::Interface(link))
            }
            TrackSource::Script(at) => {
                (self.model.scripts.get(at).map_or("", |script| script.name.text.as_str()), Kind::Script)
            }
            TrackSource::Process(at) => {
                (self.model.processes.get(at).map_or("", |process| process.name.text.as_str()), Kind::Process)
            }
            TrackSource::File(at) => {
                (self.model.files.get(at).map_or("", |file| file.name.text.as_str()), Kind::File)
            }
        };
        let state = match source {
            TrackSource::Script(at) if self.model.scripts.get(at).is_some_and(|script| script.init_fail) => {
                TrackState::Down
            }
            _ => TrackState::Unknown,
        };
        Track { name: name.into(), kind, state }
    }

    fn track_id(&self, source: TrackSource) -> Option<TrackId> {
        let position = self.tracks.iter().position(|known| *known == source)?;
        Some(TrackId(position as u32))
    }

    fn tracking(&self, track: &model::Tracking) -> Vec<Tracking> {
        let link = |name: &str| {
            let position = self.links.iter().position(|link| link.name == name)?;
            Some(TrackSource::Interface(LinkId(position as u32)))
        };
        let script = |name: &str| {
            self.model.scripts.iter().position(|script| script.name.text == name).map(TrackSource::Script)
        };
        let process = |name: &str| {
            self.model
                .processes
                .iter()
                .position(|process| process.name.text == name)
                .map(TrackSource::Process)
        };
        let file = |name: &str| {
            self.model.files.iter().position(|file| file.name.text == name).map(TrackSource::File)
        };
        let interfaces = track.interfaces.iter().map(|tracked| (tracked, link(&tracked.name.text)));
        let scripts = track.scripts.iter().map(|tracked| (tracked, script(&tracked.name.text)));
        let processes = track.processes.iter().map(|tracked| (tracked, process(&tracked.name.text)));
        let files = track.files.iter().map(|tracked| (tracked, file(&tracked.name.text)));
        interfaces
            .chain(scripts)
            .chain(processes)
            .chain(files)
            .filter_map(|(tracked, source)| {
                Some(Tracking {
                    track: self.track_id(source?)?,
                    weight: tracked.weight.value.clamp(-254, 254) as i16,
                    reverse: tracked.weight.reverse,
                })
            })
            .collect()
    }

    /// What of the host's own addresses, routes and rules an instance needs.
    fn presence(&self, instance: &model::Instance) -> Vec<Tracking> {
        let member =
            |group: &model::TrackGroup| group.members.iter().any(|name| name.text == instance.name.text);
        let groups = self.model.track_groups.iter().enumerate();
        let groups = groups.filter(|(_, group)| member(group)).map(|(at, _)| TrackSource::Group(at));
        let own = self.model.instances.iter().position(|one| one.name.text == instance.name.text);
        groups
            .chain(own.map(TrackSource::Source))
            .filter_map(|source| self.track_id(source))
            .map(|track| Tracking { track, weight: 0, reverse: false })
            .collect()
    }

    fn router(&self, instance: &model::Instance, planned: &PlannedRouter) -> VirtualRouter {
        let garp = &instance.garp;
        let addresses = instance
            .addresses
            .iter()
            .map(|address| (address, true))
            .chain(instance.excluded_addresses.iter().map(|address| (address, false)))
            .zip(&planned.addresses)
            .map(|((address, advertised), link)| vrrp::Address {
                address: address.prefix.address,
                link: *link,
                advertised,
            })
            .collect();
        let default_group: IpAddr = match instance.family {
            model::Family::V4 => self.model.global.vrrp.multicast_group4.into(),
            model::Family::V6 => self.model.global.vrrp.multicast_group6.into(),
        };
        let mode = if !instance.unicast_peers.is_empty() || instance.unicast_fault_no_peer {
            Mode::Unicast(Unicast {
                peers: instance
                    .unicast_peers
                    .iter()
                    .map(|peer| Peer {
                        address: peer.address,
                        ttl: ((peer.min_ttl, peer.max_ttl) != (0, 255))
                            .then_some((peer.min_ttl, peer.max_ttl)),
                    })
                    .collect(),
                ttl: instance.unicast_ttl,
                check_source: instance.check_unicast_source,
            })
        } else if instance.multicast_group != default_group {
            Mode::Group(instance.multicast_group)
        } else {
            Mode::Multicast
        };
        VirtualRouter {
            name: instance.name.text.as_str().into(),
            link: planned.link,
            base_link: planned.base.filter(|base| Some(*base) != planned.link),
            vrid: instance.virtual_router_id,
            family: family(instance.family),
            version: match instance.version {
                model::Version::V2 => Version::V2,
                model::Version::V3 => Version::V3,
            },
            priority: instance.priority,
            initial: match instance.state {
                model::InitialState::Backup => Initial::Backup,
                model::InitialState::Master => Initial::Master,
            },
            interval: instance.advert_interval,
            authentication: match instance.authentication {
                None => Authentication::None,
                Some(model::Authentication::Pass(password)) => Authentication::Pass(password),
                Some(model::Authentication::Ah(key)) => Authentication::Ah(key),
            },
            addresses,
            mode,
            source: instance.source_address,
            preemption: Preemption { allowed: !instance.nopreempt, delay: instance.preempt_delay },
            skip_check_adv_addr: instance.skip_check_advert_addresses,
            lower_prio_no_advert: instance.lower_priority_no_advert,
            higher_prio_send_advert: instance.higher_priority_send_advert,
            owner_ignore_adverts: instance.owner_ignore_adverts,
            timer_expired_backup: instance.timer_expired_backup.then_some(254),
            down_timer_adverts: instance.down_timer_adverts,
            announce: Announce {
                delay: garp.master_delay,
                repeat: garp.master_repeat,
                refresh: garp.master_refresh,
                refresh_repeat: garp.master_refresh_repeat,
                lower_prio_delay: garp.lower_prio_delay,
                lower_prio_repeat: garp.lower_prio_repeat,
                extra: garp.extra_interval,
                extra_all: garp.extra_all,
            },
            tracks: self.tracking(&instance.track).into_iter().chain(self.presence(instance)).collect(),
            dont_track_primary: instance.dont_track_primary,
            checksum: match (instance.v3_checksum_as_v2, instance.unicast_checksum) {
                (true, _) => ChecksumMode::AsV2,
                (_, model::UnicastChecksum::Old) => ChecksumMode::OldUnicast,
                (_, model::UnicastChecksum::Never) => ChecksumMode::NeverOld,
                _ => ChecksumMode::Standard,
            },
            notify_priority_changes: instance
                .notify
                .priority_changes
                .unwrap_or(self.model.global.vrrp.notify_priority_changes),
        }
    }
}

fn plan_router(model: &model::Config, instance: &model::Instance, links: &mut Links) -> PlannedRouter {
    let base = instance.interface.as_ref().map(|name| links.of(&name.text));
    let prefix = &model.global.vmac_prefix;
    let vrid = instance.virtual_router_id;
    // Two instances may have one VRID on two interfaces, or in two families: the names must differ.
    let unused = |links: &Links, wanted: String, base: LinkId| {
        let free = |name: &str| match links.by_name.get(name).and_then(|link| links.list.get(link.index())) {
            None => true,
            Some(link) => {
                link.base == Some(base)
                    && link.vmac.as_ref().is_some_and(|vmac| vmac.family == instance.family)
            }
        };
        if free(&wanted) {
            return wanted;
        }
        (1_u32..).map(|number| format!("{wanted}.{number}")).find(|name| free(name)).unwrap_or(wanted)
    };
    let made = match (&instance.vmac, &instance.ipvlan, base) {
        (Some(vmac), _, Some(base)) => {
            let name = vmac.name.as_ref().map(|name| name.text.clone()).unwrap_or_else(|| {
                let six = if instance.family == model::Family::V6 { "6" } else { "" };
                unused(links, format!("{prefix}{six}.{vrid}"), base)
            });
            let mac = vmac.mac.unwrap_or_else(|| virtual_mac(instance.family, vrid));
            let planned =
                PlannedVmac { mac: Some(mac), family: instance.family, ipvlan: None, address: None };
            Some(links.vmac(&name, base, planned))
        }
        (None, Some(ipvlan), Some(base)) => {
            let name = ipvlan.name.as_ref().map(|name| name.text.clone());
            let name = name.unwrap_or_else(|| unused(links, format!("{prefix}.{vrid}"), base));
            let planned = PlannedVmac {
                mac: None,
                family: instance.family,
                ipvlan: Some(ipvlan.flag),
                address: ipvlan.address,
            };
            Some(links.vmac(&name, base, planned))
        }
        _ => None,
    };
    let own = made.or(base);
    let default = model.global.default_interface.as_ref().map_or("eth0", |name| name.text.as_str());
    let addresses = instance
        .addresses
        .iter()
        .chain(&instance.excluded_addresses)
        .map(|address| {
            let Some(name) = &address.interface else {
                return own.unwrap_or_else(|| links.of(default));
            };
            let below = links.of(&name.text);
            if Some(below) == base && made.is_some() && address.use_vmac.is_none() {
                // "dev" names the interface below the virtual MAC explicitly.
                return below;
            }
            let wants_own =
                address.use_vmac.as_deref().cloned().or_else(|| {
                    (instance.vmac_addr && Some(below) != base).then(model::AddressVmac::default)
                });
            match wants_own {
                None => below,
                Some(vmac) => {
                    let name = vmac.name.unwrap_or_else(|| {
                        unused(links, format!("{}.{vrid}", model.global.vmac_addr_prefix), below)
                    });
                    let mac = vmac.mac.unwrap_or_else(|| virtual_mac(address.family(), vrid));
                    let planned =
                        PlannedVmac { mac: Some(mac), family: address.family(), ipvlan: None, address: None };
                    links.vmac(&name, below, planned)
                }
            }
        })
        .collect();
    let mail = &model.global.mail;
    PlannedRouter {
        link: if instance.vmac_xmit_base { base } else { own },
        base,
        addresses,
        smtp_alert: instance.notify.smtp_alert.or(mail.alert_vrrp).or(mail.alert).unwrap_or(false),
    }
}

/// A group's pace is shared by its interfaces; else each has the global one for itself.
fn plan_paces(model: &model::Config, links: &mut Links) -> Vec<Pace> {
    let mut paces = Vec::new();
    let (garp, gna) = (model.global.vrrp.garp_interval, model.global.vrrp.gna_interval);
    for group in &model.garp_groups {
        let pace = PaceId(paces.len() as u32);
        let or =
            |wanted: Option<Duration>, default| wanted.filter(|wanted| !wanted.is_zero()).unwrap_or(default);
        paces.push(Pace {
            garp_interval: or(group.garp_interval, garp),
            gna_interval: or(group.gna_interval, gna),
        });
        for interface in &group.interfaces {
            let link = links.of(&interface.text);
            if let Some(link) = links.list.get_mut(link.index()) {
                link.pace = Some(pace);
            }
        }
    }
    if !garp.is_zero() || !gna.is_zero() {
        for link in links.list.iter_mut().filter(|link| link.pace.is_none()) {
            link.pace = Some(PaceId(paces.len() as u32));
            paces.push(Pace { garp_interval: garp, gna_interval: gna });
        }
    }
    paces
}
