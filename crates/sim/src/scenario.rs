//! Networks and their misfortunes, out of a seed.

use crate::chance::Chance;
use crate::host::Clock;
use crate::world::World;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;
use vrrp::track::Kind;
use vrrp::{
    Address, Authentication, Config, Family, Group, Initial, Link, LinkId, Mode, Peer, Preemption, RouterId,
    Track, TrackId, TrackState, Tracking, Unicast, Version, VirtualRouter,
};

/// What the hosts of a network have in common.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many hosts.
    pub hosts: usize,
    /// How many segments; each host has an interface on each.
    pub segments: usize,
    /// The virtual routers.
    pub routers: Vec<RouterPlan>,
    /// Sync groups, as positions of virtual routers.
    pub groups: Vec<Vec<usize>>,
    /// All virtual routers preempt, without delay.
    pub preempting: bool,
}

/// A virtual router as all hosts have it.
#[derive(Clone, Debug)]
pub struct RouterPlan {
    /// Its segment.
    pub segment: usize,
    /// Its family and version.
    pub family: Family,
    /// Its version.
    pub version: Version,
    /// Its interval.
    pub interval: Duration,
    /// Its authentication.
    pub authentication: Authentication,
    /// Whether it speaks to peers.
    pub unicast: bool,
    /// Its priority on each host.
    pub priorities: Vec<u8>,
    /// `nopreempt`.
    pub nopreempt: bool,
    /// `preempt_delay`.
    pub preempt_delay: Duration,
    /// The weight of the tracked script of its host.
    pub weight: i16,
}

impl Plan {
    /// A plan out of chance.
    pub fn draw(chance: &mut Chance) -> Self {
        let hosts = 2 + chance.below(7);
        let segments = 1 + chance.below(2);
        let preempting = chance.odds(2, 3);
        let mut routers: Vec<RouterPlan> = Vec::new();
        for _ in 0..1 + chance.below(4) {
            routers.push(RouterPlan::draw(chance, hosts, segments, preempting));
        }
        let mut groups = Vec::new();
        if routers.len() > 1 && chance.odds(1, 2) {
            // Members of a sync group that are elected apart can chase each other; as everywhere they are configured alike.
            let members: Vec<usize> = (0..2 + chance.below(routers.len() - 1)).collect();
            let model = routers[0].clone();
            for member in &members {
                let router = &mut routers[*member];
                router.priorities.clone_from(&model.priorities);
                (router.nopreempt, router.preempt_delay) = (model.nopreempt, model.preempt_delay);
                (router.weight, router.interval, router.version) = (0, model.interval, model.version);
                if router.version == Version::V2 {
                    router.family = Family::V4;
                } else {
                    router.authentication = Authentication::None;
                }
            }
            groups.push(members);
        }
        Self { hosts, segments, routers, groups, preempting }
    }

    /// The slowest interval.
    pub fn slowest(&self) -> Duration {
        self.routers.iter().map(|router| router.interval).max().unwrap_or_default()
    }

    /// The longest `preempt_delay`.
    pub fn longest_delay(&self) -> Duration {
        self.routers.iter().map(|router| router.preempt_delay).max().unwrap_or_default()
    }

    /// What a host reads.
    pub fn config(&self, host: usize) -> Config {
        let mut config = Config::default();
        for segment in 0..self.segments {
            let mut link = Link::new(format!("eth{segment}"));
            link.source_v4 = Some(v4(segment, host));
            link.source_v6 = Some(v6(segment, host));
            config.links.push(link);
        }
        config.tracks.push(Track { name: "chk".into(), kind: Kind::Script, state: TrackState::Up });
        for (number, router) in self.routers.iter().enumerate() {
            config.routers.push(router.config(number, host, self.hosts));
        }
        for (number, members) in self.groups.iter().enumerate() {
            config.groups.push(Group {
                name: format!("VG{number}").into(),
                members: members.iter().map(|member| RouterId(*member as u32)).collect(),
                tracks: Vec::new(),
                tracking_weight: false,
            });
        }
        config
    }
}

impl RouterPlan {
    fn draw(chance: &mut Chance, hosts: usize, segments: usize, preempting: bool) -> Self {
        let version = *chance.one(&[Version::V2, Version::V3]);
        let family = if version == Version::V3 && chance.odds(1, 2) { Family::V6 } else { Family::V4 };
        let interval = match version {
            Version::V2 => Duration::from_secs(1 + chance.below(2) as u64),
            Version::V3 => *chance.one(&[10, 50, 100, 1000, 2000].map(Duration::from_millis)),
        };
        let authentication = match (version, chance.below(3)) {
            (Version::V2, 1) => Authentication::Pass(*b"passw123"),
            (Version::V2, 2) => Authentication::Ah(*b"k4!s2\0\0\0"),
            _ => Authentication::None,
        };
        let same = chance.odds(1, 6);
        let mut priorities: Vec<u8> =
            (0..hosts).map(|_| if same { 100 } else { 1 + chance.below(254) as u8 }).collect();
        if chance.odds(1, 8) {
            let owner = chance.below(hosts);
            priorities[owner] = 255;
        }
        let owned = priorities.contains(&255);
        let nopreempt = !preempting && !owned && chance.odds(1, 2);
        let delayed = !preempting && !nopreempt && chance.odds(1, 2);
        Self {
            segment: chance.below(segments),
            family,
            version,
            interval,
            authentication,
            unicast: chance.odds(1, 4),
            priorities,
            nopreempt,
            preempt_delay: if delayed { interval * (1 + chance.below(5) as u32) } else { Duration::ZERO },
            weight: if owned { 0 } else { *chance.one(&[0, 20, -60, 100]) },
        }
    }

    fn config(&self, number: usize, host: usize, hosts: usize) -> VirtualRouter {
        let link = LinkId(self.segment as u32);
        let mut router = VirtualRouter::new(format!("VI_{number}"), link, 51 + number as u8);
        router.family = self.family;
        router.version = self.version;
        router.interval = self.interval;
        router.authentication = self.authentication;
        router.priority = self.priorities[host];
        if router.priority == 255 {
            router.initial = Initial::Master;
        }
        router.preemption = Preemption { allowed: !self.nopreempt, delay: self.preempt_delay };
        for last in 0..2 {
            let address = match self.family {
                Family::V4 => IpAddr::V4(Ipv4Addr::new(10, self.segment as u8, 100 + number as u8, last)),
                Family::V6 => IpAddr::V6(Ipv6Addr::new(
                    0xfd00,
                    0,
                    0,
                    self.segment as u16,
                    0,
                    0,
                    number as u16,
                    last.into(),
                )),
            };
            router.addresses.push(Address { address, link, advertised: true });
        }
        if self.unicast {
            let others = (0..hosts).filter(|other| *other != host);
            let peers = others
                .map(|other| Peer { address: own(self.family, self.segment, other), ttl: None })
                .collect();
            router.mode = Mode::Unicast(Unicast { peers, ttl: None, check_source: true });
        }
        router.tracks.push(Tracking { track: TrackId(0), weight: self.weight, reverse: false });
        router
    }
}

fn v4(segment: usize, host: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, segment as u8, 0, host as u8 + 1)
}

fn v6(segment: usize, host: usize) -> Ipv6Addr {
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, segment as u16, host as u16 + 1)
}

/// A host's own address on a segment.
pub fn own(family: Family, segment: usize, host: usize) -> IpAddr {
    match family {
        Family::V4 => v4(segment, host).into(),
        Family::V6 => v6(segment, host).into(),
    }
}

/// Builds the network of a plan; nothing runs yet.
pub fn build(world: &mut World, plan: &Plan) {
    world.segments = (0..plan.segments).map(|_| crate::segment::Segment::new()).collect();
    for host in 0..plan.hosts {
        let clock = Clock {
            offset: world.chance.time(Duration::from_secs(1), Duration::from_secs(1_000_000)),
            drift: world.chance.below(1001) as i64 - 500,
        };
        world.add_host(plan.config(host), clock, (0..plan.segments).collect());
    }
}

/// Does one thing to the network that may happen to it.
pub fn misfortune(world: &mut World, plan: &mut Plan) {
    let host = world.chance.below(plan.hosts);
    let segment = world.chance.below(plan.segments);
    let running = world.hosts[host].process.is_some() && !world.hosts[host].paused;
    match world.chance.below(13) {
        0 => {
            let members: Vec<usize> = (0..plan.hosts).collect();
            let sides = world.chance.bits();
            world.note(|| format!("segment {segment} falls apart: {sides:b}"));
            let side = |member: usize| sides >> (member % 9) & 1 == 1;
            world.segments[segment].divide(&members, side);
        }
        1 => {
            let other = world.chance.below(plan.hosts);
            world.note(|| format!("segment {segment}: nothing gets from {host} to {other}"));
            world.segments[segment].cut.insert((host, other));
        }
        2 => world.segments[segment].loss = world.chance.below(600),
        3 => world.segments[segment].duplicates = world.chance.below(500),
        4 => {
            let most = plan.slowest() / 4;
            world.segments[segment].most_delay =
                world.chance.time(Duration::from_micros(100), most.max(Duration::from_millis(1)));
        }
        5 => world.segments[segment].heal(),
        6 => {
            let paused: Vec<usize> = (0..plan.hosts).filter(|host| world.hosts[*host].paused).collect();
            if paused.is_empty() {
                if running {
                    world.pause(host);
                }
            } else {
                paused.into_iter().for_each(|host| world.resume(host));
            }
        }
        7 => world.die(host),
        8 if running => world.kill(host),
        9 if running => world.stop(host),
        10 if running => {
            let link = world.chance.below(plan.segments);
            let plugged = world.hosts[host].plugged[link];
            world.plug(host, link, !plugged);
        }
        11 if running => {
            let state = if world.chance.odds(1, 2) { TrackState::Up } else { TrackState::Down };
            world.track(host, 0, state);
        }
        12 if running => change(world, plan, host),
        _ => world.start(host),
    }
}

/// A reload with another priority, or another program that takes an address away.
fn change(world: &mut World, plan: &mut Plan, host: usize) {
    if world.chance.odds(1, 2) {
        let there: Vec<_> = world.hosts[host].addresses.iter().copied().collect();
        if !there.is_empty() {
            let (link, address) = *world.chance.one(&there);
            world.rob(host, link, address);
        }
        return;
    }
    let router = world.chance.below(plan.routers.len());
    if plan.routers[router].priorities[host] == 255 {
        return;
    }
    let priority = 1 + world.chance.below(254) as u8;
    let together: Vec<usize> = match plan.groups.iter().find(|members| members.contains(&router)) {
        Some(members) => members.clone(),
        None => vec![router],
    };
    for router in together {
        plan.routers[router].priorities[host] = priority;
    }
    let mut config = plan.config(host);
    config.tracks.clone_from(&world.hosts[host].config.tracks);
    world.reload(host, config);
}
