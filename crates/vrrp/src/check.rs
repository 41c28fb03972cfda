//! Whether a received packet is a good advertisement for a virtual router (RFC 3768 and RFC 9568 7.1): keepalived's checks
//! in keepalived's order, so that the same packet counts under the same error.

use crate::bad::Bad;
use crate::config::{Address, Authentication, ChecksumMode, Mode, Unicast, VirtualRouter};
use crate::instance::Instance;
use core::net::IpAddr;
use ek_time::Duration;
use wire::vrrp::{Packet, Pseudo, Version, auth_type};
use wire::{Family, PROTOCOL_AH, PROTOCOL_VRRP, TTL, ah, ipv4};

/// A packet with its headers taken apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parsed<'a> {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    /// Time to live or hop limit, if known.
    pub(crate) ttl: Option<u8>,
    /// IPv4 only.
    pub(crate) header: Option<ipv4::Datagram<'a>>,
    pub(crate) ah: Option<ah::Packet<'a>>,
    pub(crate) packet: Packet<'a>,
}

impl Parsed<'_> {
    fn family(&self) -> Family {
        Family::of(&self.source)
    }

    /// All bytes, as keepalived counts them: with the IPv4 header, without that of IPv6.
    fn len(&self) -> usize {
        self.header.map_or(self.packet.bytes().len(), |header| header.bytes().len())
    }
}

/// What good adverts change besides what the election makes of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effects {
    /// A unicast peer uses the old checksum: from now on, so do we.
    pub(crate) old_checksum: bool,
}

/// Checks a packet. `check_addresses` is false for adverts of a Master whose list has been looked at
/// (`skip_check_adv_addr`). The sequence number of a good authentication header is remembered even if a later check fails.
pub(crate) fn check(
    router: &VirtualRouter,
    instance: &mut Instance,
    group: IpAddr,
    parsed: &Parsed<'_>,
    check_addresses: bool,
) -> Result<Effects, Bad> {
    let mut effects = Effects::default();
    let (packet, family) = (parsed.packet, parsed.family());
    let unicast = match &router.mode {
        Mode::Unicast(unicast) => Some(unicast),
        Mode::Multicast | Mode::Group(_) => None,
    };
    let expects_ah = matches!(router.authentication, Authentication::Ah(_));
    if family == Family::V4 && parsed.ah.is_some() != expects_ah {
        return Err(if expects_ah { Bad::NoAh } else { Bad::UnexpectedAh });
    }

    // MUST: the length, which version, count of addresses and headers give (RFC 9568 7.1).
    let len = parsed.len();
    let expected = len - packet.bytes().len() + packet.expected_len(family);
    if len != expected {
        return Err(Bad::Length { len, expected });
    }
    // MUST: a time to live of 255, which a router would have lessened; peers may be further away.
    if let (None, Some(ttl)) = (unicast, parsed.ttl)
        && ttl != TTL
    {
        return Err(Bad::Ttl(ttl));
    }
    // MUST: the version.
    if packet.version() != router.version.number() {
        return Err(Bad::Version { version: packet.version(), expected: router.version.number() });
    }
    if router.version == Version::V2 {
        authenticate(router, instance, parsed, unicast.is_some())?;
        // MUST in RFC 3768 7.1: the same interval.
        if router.interval != Duration::from_secs(u64::from(packet.seconds())) {
            return Err(Bad::Interval { ours: router.interval.as_secs(), seconds: packet.seconds() });
        }
    }
    if packet.kind() != wire::vrrp::ADVERTISEMENT {
        return Err(Bad::Type(packet.kind()));
    }
    let ours = advertised(router);
    let expected = ours.clone().count();
    if check_addresses && usize::from(packet.count()) != expected {
        return Err(Bad::Count { count: packet.count(), expected });
    }
    if let Some(header) = parsed.header
        && usize::from(header.total_len()) != len
    {
        return Err(Bad::TotalLength { header: header.total_len(), len });
    }
    effects.old_checksum = checksum(router, instance, group, parsed)?;
    if parsed.destination.is_multicast() == unicast.is_some() {
        return Err(Bad::Cast { multicast: unicast.is_none() });
    }
    instance.counters.adverts_received += 1;

    if check_addresses {
        // MAY: the addresses are ours.
        for address in ours {
            if !packet.addresses(family).any(|theirs| theirs == address.address) {
                return Err(Bad::Address { vrid: router.vrid, address: address.address });
            }
        }
        sender(unicast, parsed)?;
    }
    if packet.priority() == 0 {
        instance.counters.priority_zero_received += 1;
    }
    Ok(effects)
}

/// The addresses that adverts carry.
pub(crate) fn advertised(router: &VirtualRouter) -> impl Iterator<Item = &Address> + Clone {
    let family = router.family;
    router
        .addresses
        .iter()
        .filter(move |address| address.advertised && Family::of(&address.address) == family)
        .take(255)
}

/// Version 2: type and data of the authentication (RFC 2338 7.1).
fn authenticate(
    router: &VirtualRouter,
    instance: &mut Instance,
    parsed: &Parsed<'_>,
    unicast: bool,
) -> Result<(), Bad> {
    let theirs = parsed.packet.auth_type();
    if theirs > auth_type::AH {
        return Err(Bad::AuthType(theirs));
    }
    let expected = auth_type_of(router);
    if theirs != expected {
        return Err(Bad::AuthMismatch { auth_type: theirs, expected });
    }
    match router.authentication {
        Authentication::None => Ok(()),
        Authentication::Pass(password) => {
            let theirs = parsed.packet.auth_data().unwrap_or_default();
            // In the same time wherever they differ.
            let differ = theirs.iter().zip(password).fold(0, |differ, (one, other)| differ | (one ^ other));
            if differ == 0 { Ok(()) } else { Err(Bad::Password) }
        }
        Authentication::Ah(key) => {
            let (Some(header), Some(ah)) = (parsed.header, parsed.ah) else { return Err(Bad::NoAh) };
            if ah.next_header() != PROTOCOL_VRRP {
                return Err(Bad::NotVrrp);
            }
            let ttl = if unicast { ah::Ttl::Zeroed } else { ah::Ttl::Kept };
            if !ah::verify(header.bytes(), ttl, &key) {
                return Err(Bad::AhMac);
            }
            if ah.spi() != header.source().octets() {
                return Err(Bad::AhSpi);
            }
            let last = instance.sequence.number;
            if !instance.sequence.receive(ah.spi(), ah.sequence()) {
                return Err(Bad::AhSequence { sequence: ah.sequence(), last });
            }
            Ok(())
        }
    }
}

/// The authentication type a router's adverts carry.
pub(crate) fn auth_type_of(router: &VirtualRouter) -> u8 {
    match router.authentication {
        Authentication::None => auth_type::NONE,
        Authentication::Pass(_) => auth_type::PASS,
        Authentication::Ah(_) => auth_type::AH,
    }
}

/// MUST: the checksum. Returns whether it is right only in the old unicast form.
fn checksum(
    router: &VirtualRouter,
    instance: &Instance,
    group: IpAddr,
    parsed: &Parsed<'_>,
) -> Result<bool, Bad> {
    let Parsed { source, destination, packet, .. } = *parsed;
    let bad = Err(Bad::Checksum { version: router.version.number() });
    let holds = |destination| packet.checksum_holds(Pseudo::Header { source, destination });
    if parsed.family() == Family::V6 {
        return if holds(destination) { Ok(false) } else { bad };
    }
    if router.version == Version::V2 || router.checksum == ChecksumMode::AsV2 {
        return if packet.checksum_holds(Pseudo::None) { Ok(false) } else { bad };
    }
    if uses_old_checksum(router, instance) {
        return if holds(group) { Ok(false) } else { bad };
    }
    if holds(destination) {
        return Ok(false);
    }
    let may_be_old = router.checksum == ChecksumMode::Standard
        && matches!(router.mode, Mode::Unicast(_))
        && destination != group;
    if may_be_old && holds(group) { Ok(true) } else { bad }
}

/// Whether checksums of version 3 over IPv4 are computed for the multicast group, whatever the destination.
pub(crate) fn uses_old_checksum(router: &VirtualRouter, instance: &Instance) -> bool {
    router.checksum == ChecksumMode::OldUnicast || instance.old_checksum
}

/// `check_unicast_src`: the sender is a peer, and as far away as it may be.
fn sender(unicast: Option<&Unicast>, parsed: &Parsed<'_>) -> Result<(), Bad> {
    let Some(unicast) = unicast.filter(|unicast| unicast.check_source) else { return Ok(()) };
    let Some(peer) = unicast.peers.iter().find(|peer| peer.address == parsed.source) else {
        return Err(Bad::Sender(parsed.source));
    };
    if let (Some(ttl), Some((min, max))) = (parsed.ttl, peer.ttl)
        && !(min..=max).contains(&ttl)
    {
        return Err(Bad::PeerTtl { ttl, min, max });
    }
    Ok(())
}

/// The authentication header of an IPv4 datagram, or what is too short.
pub(crate) fn split<'a>(
    header: &ipv4::Datagram<'a>,
) -> Result<(Option<ah::Packet<'a>>, Packet<'a>), crate::event::Truncated> {
    use crate::event::Truncated;
    if header.protocol() != PROTOCOL_AH {
        return Ok((None, Packet::parse(header.payload()).map_err(|_| Truncated::V4)?));
    }
    let ah = ah::Packet::parse(header.payload()).map_err(|_| Truncated::V4Ah)?;
    Ok((Some(ah), Packet::parse(ah.payload()).map_err(|_| Truncated::V4Ah)?))
}
