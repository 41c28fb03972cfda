//! What is asked of IPVS, as operations.

use super::decode::{self, Found, Listed};
use super::number::{command, daemon, dest, flag, forwarding, message, service, tunnel};
use crate::attribute::Writer;
use crate::generic::{GenericFamily, header};
use crate::operation::{Operation, Protocol, Take, nothing};
use director::plane::{
    Change, Destination, DestinationKey, Family, Forwarding, Granularity, Info, Service, ServiceKey,
    SyncDaemon, SyncRole, Timeouts, Tunnel, TunnelChecksum,
};
use std::net::IpAddr;

/// The longest name of a scheduler, persistence engine or interface.
const LONGEST_NAME: usize = 15;

fn ask<T>(
    family: &GenericFamily,
    what: &'static str,
    command: u8,
    flags: i32,
    take: Take<T>,
    write: impl FnOnce(&mut Writer),
) -> Operation<T> {
    let mut body = header(command, u8::try_from(family.version).unwrap_or(1));
    write(&mut body);
    Operation::new(Protocol::Generic, what, take).message(family.id, flags as u16, body)
}

/// One that is acknowledged.
fn order(
    family: &GenericFamily,
    what: &'static str,
    command: u8,
    write: impl FnOnce(&mut Writer),
) -> Operation<()> {
    ask(family, what, command, libc::NLM_F_ACK, nothing, write)
}

/// A change of the table.
pub fn change(family: &GenericFamily, change: &Change) -> Operation<()> {
    let (what, number) = match change {
        Change::AddService(_) => ("adding a virtual service", command::NEW_SERVICE),
        Change::EditService(_) => ("changing a virtual service", command::SET_SERVICE),
        Change::RemoveService(_) => ("removing a virtual service", command::DEL_SERVICE),
        Change::AddDestination(..) => ("adding a real server", command::NEW_DEST),
        Change::EditDestination(..) => ("changing a real server", command::SET_DEST),
        Change::RemoveDestination(..) => ("removing a real server", command::DEL_DEST),
    };
    order(family, what, number, |body| {
        body.nest(message::SERVICE, |inner| match change {
            Change::AddService(service) | Change::EditService(service) => whole_service(inner, service),
            other => service_key(inner, other.service()),
        });
        match change {
            Change::AddDestination(_, whole) | Change::EditDestination(_, whole) => {
                body.nest(message::DEST, |inner| whole_destination(inner, whole));
            }
            Change::RemoveDestination(_, key) => {
                body.nest(message::DEST, |inner| destination_key(inner, key));
            }
            Change::AddService(_) | Change::EditService(_) | Change::RemoveService(_) => {}
        }
    })
    .refuse(invalid(change))
}

/// Why no kernel could do it, where the kernel itself would do something else.
fn invalid(change: &Change) -> Option<String> {
    if let ServiceKey::Mark { mark: 0, .. } = change.service() {
        return Some("a firewall mark of 0 is none".to_owned());
    }
    let (Change::AddService(service) | Change::EditService(service)) = change else { return None };
    let of_family = match service.granularity {
        Granularity::Netmask(_) => Family::V4,
        Granularity::Prefix(_) => Family::V6,
    };
    if of_family != service.key.family() {
        return Some("the granularity of persistence is of another family than the service".to_owned());
    }
    invalid_name("scheduler", service.scheduler.name())
        .or_else(|| service.engine.as_deref().and_then(|engine| invalid_name("persistence engine", engine)))
}

/// A name with a NUL would be another name.
fn invalid_name(what: &str, name: &str) -> Option<String> {
    (name.is_empty() || name.len() > LONGEST_NAME || name.contains('\0'))
        .then(|| format!("'{}' cannot name a {what}", name.escape_debug()))
}

/// All services, without their destinations.
pub(super) fn services(family: &GenericFamily) -> Operation<Vec<Listed>> {
    let what = "listing virtual services";
    ask(family, what, command::GET_SERVICE, libc::NLM_F_DUMP, decode::take_service, |_| {})
}

/// One service, without its destinations.
pub(super) fn service(family: &GenericFamily, key: &ServiceKey) -> Operation<Vec<Listed>> {
    let what = "looking at a virtual service";
    ask(family, what, command::GET_SERVICE, libc::NLM_F_ACK, decode::take_service, |body| {
        body.nest(message::SERVICE, |inner| service_key(inner, key));
    })
}

/// The destinations of a service; none also when there is no such service.
pub(super) fn destinations(family: &GenericFamily, key: &ServiceKey) -> Operation<Vec<Found>> {
    let what = "listing real servers";
    ask(family, what, command::GET_DEST, libc::NLM_F_DUMP, decode::take_destination, |body| {
        body.nest(message::SERVICE, |inner| service_key(inner, key));
    })
}

/// Removes all services.
pub fn flush(family: &GenericFamily) -> Operation<()> {
    order(family, "removing all virtual services", command::FLUSH, |_| {})
}

/// Sets the counters of a service and its destinations to zero, or all.
pub fn zero(family: &GenericFamily, key: Option<&ServiceKey>) -> Operation<()> {
    order(family, "setting counters to zero", command::ZERO, |body| {
        if let Some(key) = key {
            body.nest(message::SERVICE, |inner| service_key(inner, key));
        }
    })
}

/// The timeouts of connections.
pub fn timeouts(family: &GenericFamily) -> Operation<Timeouts> {
    let what = "looking at timeouts";
    ask(family, what, command::GET_CONFIG, libc::NLM_F_ACK, decode::take_timeouts, |_| {})
}

/// Sets the timeouts that are not 0.
pub fn set_timeouts(family: &GenericFamily, timeouts: &Timeouts) -> Operation<()> {
    order(family, "setting timeouts", command::SET_CONFIG, |body| {
        for (kind, seconds) in [
            (message::TIMEOUT_TCP, timeouts.tcp),
            (message::TIMEOUT_TCP_FIN, timeouts.tcp_fin),
            (message::TIMEOUT_UDP, timeouts.udp),
        ] {
            if seconds != 0 {
                body.u32(kind, seconds);
            }
        }
    })
}

/// What is known of the implementation.
pub fn info(family: &GenericFamily) -> Operation<Info> {
    let what = "asking for the version of IPVS";
    ask(family, what, command::GET_INFO, libc::NLM_F_ACK, decode::take_info, |_| {})
}

/// Starts a daemon of connection synchronisation.
pub fn start_sync(family: &GenericFamily, wanted: &SyncDaemon) -> Operation<()> {
    order(family, "starting a sync daemon", command::NEW_DAEMON, |body| {
        body.nest(message::DAEMON, |inner| {
            inner.u32(daemon::STATE, state(wanted.role));
            inner.text(daemon::INTERFACE, &wanted.interface);
            inner.u32(daemon::ID, u32::from(wanted.id));
            if let Some(bytes) = wanted.max_length {
                inner.u16(daemon::MAX_LENGTH, bytes);
            }
            match wanted.group {
                Some(IpAddr::V4(group)) => drop(inner.bytes(daemon::GROUP, &group.octets())),
                Some(IpAddr::V6(group)) => drop(inner.bytes(daemon::GROUP_V6, &group.octets())),
                None => {}
            }
            if let Some(port) = wanted.port {
                // Unlike the ports of services, in the machine's byte order.
                inner.u16(daemon::PORT, port);
            }
            if let Some(ttl) = wanted.ttl {
                inner.u8(daemon::TTL, ttl);
            }
        });
    })
    .refuse(invalid_name("interface", &wanted.interface))
}

/// Stops the daemon of a role.
pub fn stop_sync(family: &GenericFamily, role: SyncRole, id: u8) -> Operation<()> {
    order(family, "stopping a sync daemon", command::DEL_DAEMON, |body| {
        body.nest(message::DAEMON, |inner| {
            inner.u32(daemon::STATE, state(role));
            // Any name will do, but kernels before 4.3 look for one.
            inner.text(daemon::INTERFACE, "");
            inner.u32(daemon::ID, u32::from(id));
        });
    })
}

/// The daemons that run.
pub fn sync_daemons(family: &GenericFamily) -> Operation<Vec<SyncDaemon>> {
    let what = "listing sync daemons";
    ask(family, what, command::GET_DAEMON, libc::NLM_F_DUMP, decode::take_daemon, |_| {})
}

fn state(role: SyncRole) -> u32 {
    match role {
        SyncRole::Master => daemon::MASTER,
        SyncRole::Backup => daemon::BACKUP,
    }
}

pub(super) fn family_number(family: Family) -> u16 {
    match family {
        Family::V4 => libc::AF_INET as u16,
        Family::V6 => libc::AF_INET6 as u16,
    }
}

/// union nf_inet_addr: IPv4 in the first four bytes.
fn address(to: &mut Writer, kind: u16, address: IpAddr) {
    let mut bytes = [0; 16];
    match address {
        IpAddr::V4(v4) => bytes[..4].copy_from_slice(&v4.octets()),
        IpAddr::V6(v6) => bytes = v6.octets(),
    }
    to.bytes(kind, &bytes);
}

pub(super) fn service_key(to: &mut Writer, key: &ServiceKey) {
    to.u16(service::FAMILY, family_number(key.family()));
    match key {
        ServiceKey::Address { protocol, address: ip, port } => {
            to.u16(service::PROTOCOL, u16::from(protocol.number()));
            address(to, service::ADDRESS, *ip);
            to.be16(service::PORT, *port);
        }
        ServiceKey::Mark { mark, .. } => drop(to.u32(service::MARK, *mark)),
    }
}

pub(super) fn whole_service(to: &mut Writer, wanted: &Service) {
    service_key(to, &wanted.key);
    to.text(service::SCHEDULER, wanted.scheduler.name());
    if let Some(engine) = &wanted.engine {
        to.text(service::ENGINE, engine);
    }
    let mut flags = 0;
    for (set, bit) in [
        (wanted.persistence.is_some(), flag::PERSISTENT),
        (wanted.flags.one_packet, flag::ONE_PACKET),
        (wanted.flags.flag_1, flag::SCHEDULER_1),
        (wanted.flags.flag_2, flag::SCHEDULER_2),
        (wanted.flags.flag_3, flag::SCHEDULER_3),
    ] {
        if set {
            flags |= bit;
        }
    }
    // struct ip_vs_flags: the flags, and which of them are meant: all, so that an edit can take them away.
    let mut both = flags.to_ne_bytes().to_vec();
    both.extend(u32::MAX.to_ne_bytes());
    to.bytes(service::FLAGS, &both);
    to.u32(service::TIMEOUT, wanted.persistence.unwrap_or(0));
    match wanted.granularity {
        Granularity::Netmask(mask) => to.bytes(service::NETMASK, &mask.octets()),
        Granularity::Prefix(length) => to.u32(service::NETMASK, u32::from(length)),
    };
}

fn destination_key(to: &mut Writer, key: &DestinationKey) {
    to.u16(dest::FAMILY, family_number(Family::of(&key.address)));
    address(to, dest::ADDRESS, key.address);
    to.be16(dest::PORT, key.port);
}

pub(super) fn whole_destination(to: &mut Writer, wanted: &Destination) {
    destination_key(to, &wanted.key);
    let method = match wanted.forwarding {
        Forwarding::Nat => forwarding::NAT,
        Forwarding::DirectRouting => forwarding::DIRECT_ROUTING,
        Forwarding::Tunnel(_) => forwarding::TUNNEL,
        Forwarding::Local => forwarding::LOCAL,
        Forwarding::Bypass => forwarding::BYPASS,
    };
    to.u32(dest::FORWARDING, method);
    to.u32(dest::WEIGHT, wanted.weight);
    to.u32(dest::UPPER, wanted.upper_threshold);
    to.u32(dest::LOWER, wanted.lower_threshold);
    if let Forwarding::Tunnel(tunnel) = wanted.forwarding {
        encapsulation(to, tunnel);
    }
}

/// Kernels before 5.2 know IP in IP only, which goes without saying.
fn encapsulation(to: &mut Writer, tunnel: Tunnel) {
    let (kind, port, checksum) = match tunnel {
        Tunnel::IpIp => return,
        Tunnel::Gue { port, checksum } => (tunnel::GUE, port, checksum),
        Tunnel::Gre { checksum } => (tunnel::GRE, 0, checksum),
    };
    let flags = match checksum {
        TunnelChecksum::None => 0,
        TunnelChecksum::Full => tunnel::CHECKSUM,
        TunnelChecksum::Remote => tunnel::REMOTE_CHECKSUM,
    };
    to.u8(dest::TUNNEL_TYPE, kind);
    to.be16(dest::TUNNEL_PORT, port);
    to.u16(dest::TUNNEL_FLAGS, flags);
}
