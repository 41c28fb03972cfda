//! What IPVS answers.

use super::number::{daemon, dest, flag, forwarding, info, message, service, stats, tunnel};
use crate::attribute::{Attribute, Attributes};
use crate::error::Malformed;
use director::plane::{
    Counters, Destination, DestinationKey, DestinationStatistics, Family, Flags, Forwarding, Granularity,
    Info, Protocol, Rates, Scheduler, Service, ServiceKey, SyncDaemon, SyncRole, Timeouts, Tunnel,
    TunnelChecksum,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A service as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) service: Service,
    pub(super) counters: Counters,
    pub(super) rates: Rates,
}

/// A destination as it is listed: old kernels leave its family, which is then that of its service, unsaid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    family: Option<Family>,
    address: [u8; 16],
    port: u16,
    forwarding: Forwarding,
    weight: u32,
    upper_threshold: u32,
    lower_threshold: u32,
    pub(super) statistics: DestinationStatistics,
}

impl Found {
    pub(super) fn key(&self, service: Family) -> DestinationKey {
        DestinationKey { address: ip(self.family.unwrap_or(service), self.address), port: self.port }
    }

    pub(super) fn destination(&self, service: Family) -> Destination {
        Destination {
            key: self.key(service),
            forwarding: self.forwarding,
            weight: self.weight,
            upper_threshold: self.upper_threshold,
            lower_threshold: self.lower_threshold,
        }
    }
}

fn ip(family: Family, bytes: [u8; 16]) -> IpAddr {
    match family {
        Family::V4 => {
            let [a, b, c, d, ..] = bytes;
            Ipv4Addr::new(a, b, c, d).into()
        }
        Family::V6 => Ipv6Addr::from(bytes).into(),
    }
}

/// The attributes behind a generic message's header.
fn attributes(payload: &[u8]) -> Result<Attributes<'_>, Malformed> {
    payload.get(4..).map(Attributes::new).ok_or(Malformed("a generic message is too short"))
}

/// The one attribute that a message is about.
fn subject<'a>(payload: &'a [u8], kind: u16, missing: &'static str) -> Result<Attributes<'a>, Malformed> {
    for attribute in attributes(payload)? {
        let attribute = attribute?;
        if attribute.kind == kind {
            return Ok(attribute.nested());
        }
    }
    Err(Malformed(missing))
}

fn family(attribute: &Attribute<'_>) -> Result<Family, Malformed> {
    match i32::from(attribute.u16()?) {
        libc::AF_INET => Ok(Family::V4),
        libc::AF_INET6 => Ok(Family::V6),
        _ => Err(Malformed("a service or destination is of an unknown family")),
    }
}

/// union nf_inet_addr. A shorter one holds an IPv4 address.
fn address(attribute: &Attribute<'_>) -> Result<[u8; 16], Malformed> {
    if let Ok(bytes) = attribute.payload.try_into() {
        return Ok(bytes);
    }
    let v4: [u8; 4] =
        attribute.payload.try_into().map_err(|_| Malformed("an address has neither 4 nor 16 bytes"))?;
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&v4);
    Ok(bytes)
}

pub(super) fn take_service(list: &mut Vec<Listed>, _: u16, payload: &[u8]) -> Result<(), Malformed> {
    let (mut af, mut protocol, mut bytes, mut port, mut mark) = (None, None, None, None, None);
    let (mut scheduler, mut engine, mut flags) = (None, None, None);
    let (mut timeout, mut netmask) = (None, None);
    let mut counted = Counted::default();
    for attribute in subject(payload, message::SERVICE, "an answer has no service in it")? {
        let attribute = attribute?;
        match attribute.kind {
            service::FAMILY => af = Some(family(&attribute)?),
            service::PROTOCOL => protocol = Some(attribute.u16()?),
            service::ADDRESS => bytes = Some(address(&attribute)?),
            service::PORT => port = Some(attribute.be16()?),
            service::MARK => mark = Some(attribute.u32()?),
            service::SCHEDULER => scheduler = Some(Scheduler::from_name(&attribute.text())),
            service::ENGINE => engine = Some(attribute.text()).filter(|name| !name.is_empty()),
            service::FLAGS => flags = Some(attribute.u32()?),
            service::TIMEOUT => timeout = Some(attribute.u32()?),
            service::NETMASK => netmask = Some((attribute.u32()?, attribute.be32()?)),
            service::STATS => counted.narrow(&attribute)?,
            service::STATS64 => counted.wide(&attribute)?,
            _ => {}
        }
    }
    let af = af.ok_or(Malformed("a service has no family"))?;
    let key = match (mark, protocol, bytes, port) {
        (Some(mark), ..) => ServiceKey::Mark { family: af, mark },
        (None, Some(protocol), Some(bytes), Some(port)) => ServiceKey::Address {
            protocol: u8::try_from(protocol)
                .ok()
                .and_then(Protocol::from_number)
                .ok_or(Malformed("a service has an unknown protocol"))?,
            address: ip(af, bytes),
            port,
        },
        _ => return Err(Malformed("a service has neither an address nor a mark")),
    };
    let flags = flags.ok_or(Malformed("a service has no flags"))?;
    let timeout = timeout.ok_or(Malformed("a service has no timeout"))?;
    let (native, network) = netmask.ok_or(Malformed("a service has no netmask"))?;
    list.push(Listed {
        service: Service {
            key,
            scheduler: scheduler.ok_or(Malformed("a service has no scheduler"))?,
            flags: Flags {
                one_packet: flags & flag::ONE_PACKET != 0,
                flag_1: flags & flag::SCHEDULER_1 != 0,
                flag_2: flags & flag::SCHEDULER_2 != 0,
                flag_3: flags & flag::SCHEDULER_3 != 0,
            },
            persistence: (flags & flag::PERSISTENT != 0).then_some(timeout),
            granularity: match af {
                Family::V4 => Granularity::Netmask(network.into()),
                Family::V6 => Granularity::Prefix(
                    u8::try_from(native).map_err(|_| Malformed("a service's prefix is out of range"))?,
                ),
            },
            engine,
        },
        counters: counted.counters,
        rates: counted.rates,
    });
    Ok(())
}

pub(super) fn take_destination(list: &mut Vec<Found>, _: u16, payload: &[u8]) -> Result<(), Malformed> {
    let (mut af, mut bytes, mut port, mut method, mut weight) = (None, None, None, None, None);
    let (mut upper_threshold, mut lower_threshold) = (0, 0);
    let (mut kind, mut tunnel_port, mut checksum) = (tunnel::IPIP, 0, 0);
    let mut statistics = DestinationStatistics::default();
    let mut counted = Counted::default();
    for attribute in subject(payload, message::DEST, "an answer has no destination in it")? {
        let attribute = attribute?;
        match attribute.kind {
            dest::FAMILY => af = Some(family(&attribute)?),
            dest::ADDRESS => bytes = Some(address(&attribute)?),
            dest::PORT => port = Some(attribute.be16()?),
            dest::FORWARDING => method = Some(attribute.u32()? & forwarding::MASK),
            dest::WEIGHT => weight = Some(attribute.u32()?),
            dest::UPPER => upper_threshold = attribute.u32()?,
            dest::LOWER => lower_threshold = attribute.u32()?,
            dest::ACTIVE => statistics.active = attribute.u32()?,
            dest::INACTIVE => statistics.inactive = attribute.u32()?,
            dest::PERSISTENT => statistics.persistent = attribute.u32()?,
            dest::STATS => counted.narrow(&attribute)?,
            dest::STATS64 => counted.wide(&attribute)?,
            dest::TUNNEL_TYPE => kind = attribute.u8()?,
            dest::TUNNEL_PORT => tunnel_port = attribute.be16()?,
            dest::TUNNEL_FLAGS => checksum = attribute.u16()?,
            _ => {}
        }
    }
    (statistics.counters, statistics.rates) = (counted.counters, counted.rates);
    let forwarding = match method.ok_or(Malformed("a destination has no forwarding method"))? {
        forwarding::NAT => Forwarding::Nat,
        forwarding::LOCAL => Forwarding::Local,
        forwarding::DIRECT_ROUTING => Forwarding::DirectRouting,
        forwarding::TUNNEL => Forwarding::Tunnel(encapsulation(kind, tunnel_port, checksum)?),
        forwarding::BYPASS => Forwarding::Bypass,
        _ => return Err(Malformed("a destination has an unknown forwarding method")),
    };
    list.push(Found {
        family: af,
        address: bytes.ok_or(Malformed("a destination has no address"))?,
        port: port.ok_or(Malformed("a destination has no port"))?,
        forwarding,
        weight: weight.ok_or(Malformed("a destination has no weight"))?,
        upper_threshold,
        lower_threshold,
        statistics,
    });
    Ok(())
}

fn encapsulation(kind: u8, port: u16, flags: u16) -> Result<Tunnel, Malformed> {
    let checksum = match flags {
        flags if flags & tunnel::REMOTE_CHECKSUM != 0 => TunnelChecksum::Remote,
        flags if flags & tunnel::CHECKSUM != 0 => TunnelChecksum::Full,
        _ => TunnelChecksum::None,
    };
    match kind {
        tunnel::IPIP => Ok(Tunnel::IpIp),
        tunnel::GUE => Ok(Tunnel::Gue { port, checksum }),
        tunnel::GRE => Ok(Tunnel::Gre { checksum }),
        _ => Err(Malformed("a destination has an unknown tunnel")),
    }
}

/// What was counted. Both widths come; the wide ones (since Linux 4.1) are taken where they are.
#[derive(Default)]
struct Counted {
    counters: Counters,
    rates: Rates,
    is_wide: bool,
}

impl Counted {
    fn wide(&mut self, attribute: &Attribute<'_>) -> Result<(), Malformed> {
        self.is_wide = true;
        self.read(attribute, |value| value.u64())
    }

    /// Bytes are wide here, too.
    fn narrow(&mut self, attribute: &Attribute<'_>) -> Result<(), Malformed> {
        if self.is_wide {
            return Ok(());
        }
        self.read(attribute, |value| match value.kind {
            stats::BYTES_IN | stats::BYTES_OUT => value.u64(),
            _ => value.u32().map(u64::from),
        })
    }

    fn read(
        &mut self,
        attribute: &Attribute<'_>,
        number: impl Fn(&Attribute<'_>) -> Result<u64, Malformed>,
    ) -> Result<(), Malformed> {
        for value in attribute.nested() {
            let value = value?;
            let slot = match value.kind {
                stats::CONNECTIONS => &mut self.counters.connections,
                stats::PACKETS_IN => &mut self.counters.packets_in,
                stats::PACKETS_OUT => &mut self.counters.packets_out,
                stats::BYTES_IN => &mut self.counters.bytes_in,
                stats::BYTES_OUT => &mut self.counters.bytes_out,
                stats::CONNECTION_RATE => &mut self.rates.connections,
                stats::PACKET_RATE_IN => &mut self.rates.packets_in,
                stats::PACKET_RATE_OUT => &mut self.rates.packets_out,
                stats::BYTE_RATE_IN => &mut self.rates.bytes_in,
                stats::BYTE_RATE_OUT => &mut self.rates.bytes_out,
                _ => continue,
            };
            *slot = number(&value)?;
        }
        Ok(())
    }
}

pub(super) fn take_timeouts(timeouts: &mut Timeouts, _: u16, payload: &[u8]) -> Result<(), Malformed> {
    for attribute in attributes(payload)? {
        let attribute = attribute?;
        match attribute.kind {
            message::TIMEOUT_TCP => timeouts.tcp = attribute.u32()?,
            message::TIMEOUT_TCP_FIN => timeouts.tcp_fin = attribute.u32()?,
            message::TIMEOUT_UDP => timeouts.udp = attribute.u32()?,
            _ => {}
        }
    }
    Ok(())
}

pub(super) fn take_info(found: &mut Info, _: u16, payload: &[u8]) -> Result<(), Malformed> {
    for attribute in attributes(payload)? {
        let attribute = attribute?;
        match attribute.kind {
            info::VERSION => {
                let [_, major, minor, patch] = attribute.u32()?.to_be_bytes();
                found.version = (major, minor, patch);
            }
            info::TABLE_SIZE => found.connection_table_size = attribute.u32()?,
            _ => {}
        }
    }
    Ok(())
}

pub(super) fn take_daemon(list: &mut Vec<SyncDaemon>, _: u16, payload: &[u8]) -> Result<(), Malformed> {
    let (mut role, mut interface, mut id) = (None, None, None);
    let (mut max_length, mut group, mut port, mut ttl) = (None, None, None, None);
    for attribute in subject(payload, message::DAEMON, "an answer has no daemon in it")? {
        let attribute = attribute?;
        match attribute.kind {
            daemon::STATE => {
                role = Some(match attribute.u32()? {
                    daemon::MASTER => SyncRole::Master,
                    daemon::BACKUP => SyncRole::Backup,
                    _ => return Err(Malformed("a sync daemon is in an unknown state")),
                });
            }
            daemon::INTERFACE => interface = Some(attribute.text()),
            daemon::ID => {
                let number = attribute.u32()?;
                id = Some(u8::try_from(number).map_err(|_| Malformed("a sync daemon's id is out of range"))?);
            }
            daemon::MAX_LENGTH => max_length = Some(attribute.u16()?),
            daemon::GROUP | daemon::GROUP_V6 => group = Some(attribute.ip()?),
            daemon::PORT => port = Some(attribute.u16()?),
            daemon::TTL => ttl = Some(attribute.u8()?),
            _ => {}
        }
    }
    list.push(SyncDaemon {
        role: role.ok_or(Malformed("a sync daemon has no state"))?,
        interface: interface.ok_or(Malformed("a sync daemon has no interface"))?,
        id: id.ok_or(Malformed("a sync daemon has no id"))?,
        max_length,
        group,
        port,
        ttl,
    });
    Ok(())
}

/// For the fuzzer: reads anything.
pub(crate) fn any(payload: &[u8]) {
    let _ = take_service(&mut Vec::new(), 0, payload);
    let mut found = Vec::new();
    if take_destination(&mut found, 0, payload).is_ok() {
        for one in found {
            let _ = (one.destination(Family::V4), one.key(Family::V6));
        }
    }
    let _ = take_daemon(&mut Vec::new(), 0, payload);
    let _ = take_timeouts(&mut Timeouts::default(), 0, payload);
    let _ = take_info(&mut Info::default(), 0, payload);
}
