//! What happens to a router.

use crate::ids::LinkId;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A packet, as a raw socket gives it.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// The interface it came in by; `None` from a socket that is bound to no interface (unicast without `interface`).
    pub link: Option<LinkId>,
    /// The packet.
    pub datagram: Datagram<'a>,
}

/// Raw sockets give the header of IPv4 and keep that of IPv6.
#[derive(Clone, Copy, Debug)]
pub enum Datagram<'a> {
    /// The whole IPv4 datagram, header first; protocol 112, or 51 with an authentication header.
    V4(&'a [u8]),
    /// What followed the IPv6 header, and what control messages say of it.
    V6 {
        /// Source address.
        source: Ipv6Addr,
        /// Destination address.
        destination: Ipv6Addr,
        /// Hop limit; `None` when the kernel did not say.
        hop_limit: Option<u8>,
        /// The VRRP packet.
        payload: &'a [u8],
    },
}

/// News of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkChange {
    /// It can carry packets: up, running, present.
    Up,
    /// It cannot.
    Down,
    /// Its primary IPv4 address, from which adverts are sent unless a source is configured.
    SourceV4(Option<Ipv4Addr>),
    /// Its first link-local IPv6 address.
    SourceV6(Option<Ipv6Addr>),
}

/// News of an address on an interface, whoever did it; the router knows which of these it asked for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressChange {
    /// The interface.
    pub link: LinkId,
    /// The address.
    pub address: IpAddr,
    /// It has come; else it has gone.
    pub present: bool,
}
