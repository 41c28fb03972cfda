//! Adverts on their way out.

use crate::action::{Action, Advert};
use crate::check::{advertised, auth_type_of, uses_old_checksum};
use crate::config::{Authentication, ChecksumMode, Config, Mode, VirtualRouter};
use crate::event::What;
use crate::ids::RouterId;
use crate::instance::Instance;
use crate::router::Router;
use core::net::{IpAddr, Ipv4Addr};
use wire::vrrp::{AUTH_LEN, Body, MAX_CENTISECONDS, Pseudo, RESIGN, Version};
use wire::{Family, PROTOCOL_AH, PROTOCOL_VRRP, TTL, ah, ipv4};

/// Buffers kept for reuse; more are dropped.
const POOL: usize = 64;

impl Router {
    /// Sends an advert to the group or to all peers, and counts it once. Without an address to send from, nothing is sent.
    pub(crate) fn send(&mut self, id: RouterId, priority: u8) {
        let Self { config, instances, actions, pool, .. } = self;
        let (Some(router), Some(instance)) = (config.routers.get(id.index()), instances.get_mut(id.index()))
        else {
            return;
        };
        let Some(source) = source_of(config, router) else { return };
        number(router, instance);
        for_each_destination(config, router, |destination| {
            let mut bytes = pool.pop().unwrap_or_default();
            bytes.clear();
            let advert = write(config, router, instance, id, source, destination, priority, bytes);
            actions.push_back(Action::Send(advert));
        });
        instance.counters.adverts_sent += 1;
    }

    /// Sends priority 0: this router is no longer Master.
    pub(crate) fn resign(&mut self, id: RouterId) {
        self.send(id, RESIGN);
        if let Some(instance) = self.instances.get_mut(id.index()) {
            instance.counters.priority_zero_sent += 1;
        }
        self.say(id, What::SentZero);
    }

    /// Takes back the buffer of an advert that was sent.
    pub fn recycle(&mut self, bytes: Vec<u8>) {
        if self.pool.len() < POOL {
            self.pool.push(bytes);
        }
    }

    /// The datagrams with which a Master resigns, for a process that stands in when this one is gone: as
    /// [`Action::Send`] would carry them, without counting or changing anything. With an authentication header, the
    /// sequence number is so far ahead that adverts sent since are behind it. Empty unless Master.
    pub fn resignation(&self, id: RouterId) -> Vec<Advert> {
        let mut adverts = Vec::new();
        let (Some(router), Some(instance)) =
            (self.config.routers.get(id.index()), self.instances.get(id.index()))
        else {
            return adverts;
        };
        let Some(source) = source_of(&self.config, router) else { return adverts };
        if instance.state != crate::State::Master {
            return adverts;
        }
        let mut instance = instance.clone();
        number(router, &mut instance);
        let ahead = instance.sequence.number.saturating_add(1 << 16);
        instance.sequence.set(ahead.min(ah::LAST_SEQUENCE));
        for_each_destination(&self.config, router, |destination| {
            let bytes = Vec::new();
            adverts.push(write(&self.config, router, &instance, id, source, destination, RESIGN, bytes));
        });
        adverts
    }
}

/// The address adverts come from.
pub(crate) fn source_of(config: &Config, router: &VirtualRouter) -> Option<IpAddr> {
    router.source.filter(|source| Family::of(source) == router.family).or_else(|| {
        let link = config.links.get(router.link?.index())?;
        match router.family {
            Family::V4 => link.source_v4.map(IpAddr::V4),
            Family::V6 => link.source_v6.map(IpAddr::V6),
        }
    })
}

/// The multicast group of a router, or of its family for unicast.
pub(crate) fn group_of(config: &Config, router: &VirtualRouter) -> IpAddr {
    match (&router.mode, router.family) {
        (Mode::Group(group), _) => *group,
        (_, Family::V4) => IpAddr::V4(config.settings.group_v4),
        (_, Family::V6) => IpAddr::V6(config.settings.group_v6),
    }
}

fn for_each_destination(config: &Config, router: &VirtualRouter, mut each: impl FnMut(IpAddr)) {
    match &router.mode {
        Mode::Unicast(unicast) => {
            let same = |address: &IpAddr| Family::of(address) == router.family;
            unicast.peers.iter().map(|peer| peer.address).filter(same).for_each(each);
        }
        Mode::Multicast | Mode::Group(_) => each(group_of(config, router)),
    }
}

/// The next identification and sequence number; one advert to several peers has the same.
fn number(router: &VirtualRouter, instance: &mut Instance) {
    // The kernel would replace an identification of zero.
    instance.ip_id = instance.ip_id.checked_add(1).unwrap_or(1);
    if matches!(router.authentication, Authentication::Ah(_)) {
        instance.sequence.advance();
    }
}

#[expect(clippy::too_many_arguments, reason = "what an advert is made of; nothing else is made of it")]
fn write(
    config: &Config,
    router: &VirtualRouter,
    instance: &Instance,
    id: RouterId,
    source: IpAddr,
    destination: IpAddr,
    priority: u8,
    mut bytes: Vec<u8>,
) -> Advert {
    let unicast = match &router.mode {
        Mode::Unicast(unicast) => Some(unicast),
        Mode::Multicast | Mode::Group(_) => None,
    };
    let ttl = unicast.and_then(|unicast| unicast.ttl).unwrap_or(TTL);
    let body = match router.version {
        Version::V2 => Body::V2 {
            seconds: u8::try_from(router.interval.as_secs()).unwrap_or(u8::MAX),
            auth_type: auth_type_of(router),
            auth_data: match router.authentication {
                Authentication::Pass(password) => password,
                Authentication::None | Authentication::Ah(_) => [0; AUTH_LEN],
            },
        },
        Version::V3 => Body::V3 {
            centiseconds: u16::try_from(router.interval.as_millis() / 10)
                .unwrap_or(MAX_CENTISECONDS)
                .min(MAX_CENTISECONDS),
        },
    };
    let pseudo = match (router.family, router.version) {
        (Family::V4, Version::V2) => Pseudo::None,
        (Family::V4, Version::V3) if router.checksum == ChecksumMode::AsV2 => Pseudo::None,
        (Family::V4, Version::V3) if unicast.is_some() && uses_old_checksum(router, instance) => {
            Pseudo::Header { source, destination: group_of(config, router) }
        }
        _ => Pseudo::Header { source, destination },
    };
    let advert = wire::vrrp::Advert {
        vrid: router.vrid,
        priority,
        body,
        family: router.family,
        addresses: advertised(router).map(|address| address.address),
    };
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            encode_v4(router, instance, (source, destination, ttl), unicast.is_some(), &mut bytes, |out| {
                advert.encode(pseudo, out);
            });
        }
        _ => advert.encode(pseudo, &mut bytes),
    }
    Advert { router: id, link: router.link, source, destination, ttl, priority, bytes }
}

/// The IPv4 header, the authentication header if there is one, and the advert, whose length is known when it is written.
fn encode_v4(
    router: &VirtualRouter,
    instance: &Instance,
    (source, destination, ttl): (Ipv4Addr, Ipv4Addr, u8),
    unicast: bool,
    out: &mut Vec<u8>,
    advert: impl FnOnce(&mut Vec<u8>),
) {
    let key = match router.authentication {
        Authentication::Ah(key) => Some(key),
        Authentication::None | Authentication::Pass(_) => None,
    };
    let protocol = if key.is_some() { PROTOCOL_AH } else { PROTOCOL_VRRP };
    ipv4::Header { id: instance.ip_id, ttl, protocol, source, destination, payload_len: 0 }.encode(out);
    if key.is_some() {
        ah::encode(source.octets(), instance.sequence.number, out);
    }
    advert(out);
    let total = u16::try_from(out.len()).unwrap_or(u16::MAX).to_be_bytes();
    if let Some(place) = out.get_mut(2..4) {
        place.copy_from_slice(&total);
    }
    if let Some(key) = key {
        ah::sign(out, if unicast { ah::Ttl::Zeroed } else { ah::Ttl::Kept }, &key);
    }
}
