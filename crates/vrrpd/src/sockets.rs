//! The sockets of the role: which are needed, and the sending of what has gathered.

use crate::interfaces::Interfaces;
use crate::lower::Plan;
use keepalived_conf::model;
use notice::log::Log;
use reactor::raw::{Family, Outbox, RawSocket, Target};
use std::io;
use std::net::IpAddr;
use vrrp::LinkId;
use wire::{PROTOCOL_AH, PROTOCOL_VRRP};

/// What a receiving socket is for; virtual routers with the same key share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The interface, with its index now; `None`: any (unicast without an interface).
    pub link: Option<(LinkId, u32)>,
    /// IPv4 or IPv6.
    pub family: Family,
    /// 112, or 51 with an authentication header.
    pub protocol: u8,
    /// The multicast group; `None` for unicast.
    pub group: Option<IpAddr>,
    /// The address that unicast is sent to.
    pub own: Option<IpAddr>,
    /// The size of the kernel's queue, if not the usual.
    pub buffer: u32,
}

/// The sockets that a plan needs, as far as their interfaces exist.
pub fn wanted(plan: &Plan, interfaces: &Interfaces) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    for (instance, planned) in plan.model.instances.iter().zip(&plan.routers) {
        let family = match instance.family {
            model::Family::V4 => Family::V4,
            model::Family::V6 => Family::V6,
        };
        let link = match planned.link {
            None => None,
            Some(link) => match interfaces.index(link) {
                0 => continue,
                index => Some((link, index)),
            },
        };
        let unicast = !instance.unicast_peers.is_empty() || instance.unicast_fault_no_peer;
        let protocol = match instance.authentication {
            Some(model::Authentication::Ah(_)) => PROTOCOL_AH,
            _ => PROTOCOL_VRRP,
        };
        let key = Key {
            link,
            family,
            protocol,
            group: (!unicast).then_some(instance.multicast_group),
            own: if unicast { instance.source_address } else { None },
            buffer: 0,
        };
        match keys.iter_mut().find(|known| Key { buffer: 0, ..**known } == key) {
            // Virtual routers that share a socket share its queue.
            Some(known) => {
                known.buffer = known.buffer.saturating_add(room(plan, instance, planned, interfaces))
            }
            None => keys.push(Key { buffer: room(plan, instance, planned, interfaces), ..key }),
        }
    }
    keys
}

/// How much an instance adds to the queue of its socket: `kernel_rx_buf_size`, else as `vrrp_rx_bufs_policy` says; 0: the
/// system's default.
fn room(
    plan: &Plan,
    instance: &model::Instance,
    planned: &crate::lower::PlannedRouter,
    interfaces: &Interfaces,
) -> u32 {
    let defaults = &plan.model.global.vrrp;
    let times = |bytes: u32| bytes.saturating_mul(defaults.receive_buffers_multiplier);
    if instance.receive_buffer > 0 {
        return instance.receive_buffer;
    }
    match defaults.receive_buffers {
        model::ReceiveBuffers::System => 0,
        model::ReceiveBuffers::Bytes(bytes) => bytes,
        model::ReceiveBuffers::Mtu => {
            let link = planned.link.and_then(|link| interfaces.get(link)?.link.as_ref());
            times(link.map_or(1500, |link| link.mtu))
        }
        model::ReceiveBuffers::Advert => {
            let count = u32::try_from(instance.addresses.len()).unwrap_or(255);
            // What the kernel hands over: of IPv4 with its header. Version 2 ends with authentication.
            times(match (instance.family, instance.version) {
                (model::Family::V4, model::Version::V2) => 20 + 8 + 4 * count + 8,
                (model::Family::V4, model::Version::V3) => 20 + 8 + 4 * count,
                (model::Family::V6, _) => 8 + 16 * count,
            })
        }
    }
}

/// Opens a receiving socket.
///
/// # Errors
/// Those of opening, binding and joining.
pub fn open(key: &Key, interfaces: &Interfaces) -> io::Result<RawSocket> {
    let socket = RawSocket::receiver(key.family, key.protocol)?;
    let index = key.link.map_or(0, |(_, index)| index);
    if let Some((link, _)) = key.link
        && let Some(interface) = interfaces.get(link)
    {
        socket.bind_to_device(&interface.name)?;
    }
    if let Some(group) = key.group {
        socket.bind(group, index)?;
        socket.join(group, index)?;
    } else if let Some(own) = key.own {
        // It may not be there yet, or only with the virtual address; then everything is received, and the core chooses.
        let _ = socket.bind(own, index);
    }
    if key.buffer > 0 {
        socket.set_receive_buffer(key.buffer)?;
    }
    Ok(socket)
}

/// What is to be sent, by the kind of socket, and those sockets.
#[derive(Debug, Default)]
pub struct Senders {
    v4: Lane,
    v6: Lane,
    frames: Lane,
    neighbours: Lane,
    failures: u64,
}

/// So many packets at once are not the ordinary course: the room for them is not kept.
const BURST: usize = 1024;

#[derive(Debug, Default)]
struct Lane {
    socket: Option<RawSocket>,
    outbox: Outbox,
    /// Packets since the last flush.
    gathered: usize,
}

impl Lane {
    fn flush(
        &mut self,
        open: impl FnOnce() -> io::Result<RawSocket>,
        mut failed: impl FnMut(&Target, io::Error),
    ) {
        if self.outbox.is_empty() {
            return;
        }
        if self.socket.is_none() {
            match open() {
                Ok(socket) => self.socket = Some(socket),
                Err(error) => {
                    failed(&Target::Link { interface: 0 }, error);
                    self.outbox = Outbox::new();
                    return;
                }
            }
        }
        if let Some(socket) = &self.socket {
            self.outbox.flush(socket, |_, target, error| failed(target, error));
        }
        if self.gathered > BURST {
            self.outbox = Outbox::new();
        }
        self.gathered = 0;
    }
}

impl Senders {
    /// Opens the sockets that the process may not be able to open later, once it has given up what it may do.
    ///
    /// # Errors
    /// Those of opening them.
    pub fn open(&mut self, v4: bool, v6: bool) -> io::Result<()> {
        if v4 {
            self.v4.socket = Some(RawSocket::sender(Family::V4, PROTOCOL_VRRP)?);
            self.frames.socket = Some(RawSocket::frames()?);
        }
        if v6 {
            self.v6.socket = Some(RawSocket::sender(Family::V6, PROTOCOL_VRRP)?);
            self.neighbours.socket = Some(RawSocket::sender(Family::V6, wire::ndisc::PROTOCOL_ICMPV6)?);
        }
        Ok(())
    }

    /// Gives back the memory of a burst.
    pub fn shrink(&mut self) {
        for lane in [&mut self.v4, &mut self.v6, &mut self.frames, &mut self.neighbours] {
            if lane.outbox.is_empty() {
                lane.outbox = Outbox::new();
            }
        }
    }

    /// Takes an advert.
    pub fn advert(&mut self, advert: &vrrp::Advert, interface: u32) {
        let target = Target::Ip {
            destination: advert.destination,
            source: advert.source,
            interface,
            hop_limit: Some(advert.ttl),
        };
        let lane = if advert.destination.is_ipv4() { &mut self.v4 } else { &mut self.v6 };
        lane.gathered += 1;
        lane.outbox.push(target, |out| out.extend_from_slice(&advert.bytes));
    }

    /// Takes an announcement of an address: a gratuitous ARP or an unsolicited neighbour advertisement.
    pub fn announce(&mut self, address: IpAddr, interface: u32, hardware: [u8; 6], router: bool) {
        match address {
            IpAddr::V4(address) => {
                let frame = wire::arp::Gratuitous { hardware, address, reply: false }.frame();
                self.frames.gathered += 1;
                self.frames.outbox.push(Target::Link { interface }, |out| out.extend_from_slice(&frame));
            }
            IpAddr::V6(address) => {
                let message = wire::ndisc::Unsolicited { hardware, address, router }.message(address);
                let target = Target::Ip {
                    destination: wire::ndisc::ALL_NODES.into(),
                    source: address.into(),
                    interface,
                    hop_limit: Some(255),
                };
                self.neighbours.gathered += 1;
                self.neighbours.outbox.push(target, |out| out.extend_from_slice(&message));
            }
        }
    }

    /// Sends the adverts that have gathered.
    pub fn flush_adverts(&mut self, log: &Log) {
        let failures = &mut self.failures;
        let mut failed = |target: &Target, error: io::Error| report(log, failures, "advert", target, &error);
        self.v4.flush(|| RawSocket::sender(Family::V4, PROTOCOL_VRRP), &mut failed);
        self.v6.flush(|| RawSocket::sender(Family::V6, PROTOCOL_VRRP), &mut failed);
    }

    /// Sends the announcements that have gathered.
    pub fn flush_announcements(&mut self, log: &Log) {
        let failures = &mut self.failures;
        let mut failed =
            |target: &Target, error: io::Error| report(log, failures, "announcement", target, &error);
        self.frames.flush(RawSocket::frames, &mut failed);
        self.neighbours.flush(|| RawSocket::sender(Family::V6, wire::ndisc::PROTOCOL_ICMPV6), &mut failed);
    }
}

/// One line for the first failure, and for each thousandth after it: an interface that is gone fails with every advert.
fn report(log: &Log, failures: &mut u64, what: &str, target: &Target, error: &io::Error) {
    if failures.is_multiple_of(1000) {
        let to = match target {
            Target::Ip { destination, interface, .. } => format!("to {destination} on interface {interface}"),
            Target::Link { interface } => format!("on interface {interface}"),
        };
        log.info(format_args!("send {what} {to} error - {error}"));
    }
    *failures += 1;
}
