//! Each instance for itself: its defaults, and settings that do not go together.

use super::Check;
use super::weights::clear_weights;
use crate::code;
use crate::load::Options;
use crate::lower::{Draft, InstanceDraft};
use crate::model::{Authentication, Family, Global, InitialState, Instance, Place, Version};
use std::net::IpAddr;
use std::time::Duration;

/// The longest interval of version 3: twelve bits of centiseconds.
const MAX_V3: Duration = Duration::from_millis(40_950);
/// Addresses of an advertisement: its count has eight bits.
const MAX_ADDRESSES: usize = 255;

pub(super) fn run(draft: &mut Draft, options: &Options, check: &mut Check<'_>) {
    let global = draft.config.global.clone();
    if let Some(place) = draft.missing_interface.filter(|_| !global.dynamic_interfaces) {
        check.fail(code::INTERFACE, Some(place), "Non-existent interface specified in configuration");
    }
    draft.instances.retain_mut(|one| settle(one, &global, options, check));
}

/// Settles an instance; false when keepalived cannot run it.
fn settle(one: &mut InstanceDraft, global: &Global, options: &Options, check: &mut Check<'_>) -> bool {
    let place = Some(one.span);
    let label = one.instance.name.text.clone();
    let Some(id) = one.virtual_router_id else {
        let message = format!("({label}) the virtual router id must be set");
        check.fail(code::NO_VIRTUAL_ROUTER_ID, place, message);
        return false;
    };
    one.instance.virtual_router_id = id;
    one.instance.strict = one.strict.unwrap_or(global.vrrp.strict);
    interface(one, place, &label, check);
    family_and_version(one, global, place, &label, check);
    addresses(one, options, place, &label, check);
    priority_and_preemption(one, place, &label, check);
    authentication(one, place, &label, check);
    unicast(one, place, &label, check);
    virtual_interfaces(one, place, &label, check);
    interval(&mut one.instance, place, &label, check);
    strict(one, place, &label, check);
    own_interface(&mut one.instance, &label, check);
    if one.instance.priority == 255 {
        // The owner's priority never changes.
        clear_weights(&mut one.instance, "address owner", check);
    }
    if !one.lower_delay_written && global.vrrp.garp.lower_prio_delay == Duration::from_secs(5) {
        one.instance.garp.lower_prio_delay = one.instance.garp.master_delay;
    }
    if !one.lower_repeat_written && global.vrrp.garp.lower_prio_repeat == 5 {
        one.instance.garp.lower_prio_repeat = one.instance.garp.master_repeat;
    }
    if one.short_mac
        && let Some(mac) = one.instance.vmac.as_mut().and_then(|vmac| vmac.mac.as_mut())
    {
        mac[5] = id;
    }
    true
}

fn interface(one: &InstanceDraft, place: Place, label: &str, check: &mut Check<'_>) {
    let instance = &one.instance;
    match &instance.interface {
        None if instance.unicast_peers.is_empty() => {
            check.fail(code::INTERFACE, place, format!("({label}) Unknown interface!"));
        }
        None if instance.source_address.is_none() => {
            let message = format!("({label}): Unicast instances must have unicast_src_ip or interface");
            check.fail(code::UNICAST, place, message);
        }
        _ => {}
    }
}

fn family_and_version(
    one: &mut InstanceDraft,
    global: &Global,
    place: Place,
    label: &str,
    check: &mut Check<'_>,
) {
    let family =
        one.family.or_else(|| one.instance.excluded_addresses.first().map(|address| address.family()));
    let family = family.unwrap_or(Family::V4);
    one.instance.family = family;
    one.instance.version = match (family, one.version) {
        (Family::V6, Some(Version::V2)) => {
            let message = format!("({label}) cannot use IPv6 with VRRP version 2; setting version 3");
            check.say(code::VERSION, place, message);
            Version::V3
        }
        (Family::V6, _) => Version::V3,
        (Family::V4, version) => version.unwrap_or(global.vrrp.version),
    };
    one.instance.multicast_group = match (one.multicast_group, family) {
        (Some((group, _)), _) => group,
        (None, Family::V4) => global.vrrp.multicast_group4.into(),
        (None, Family::V6) => global.vrrp.multicast_group6.into(),
    };
}

fn addresses(one: &mut InstanceDraft, options: &Options, place: Place, label: &str, check: &mut Check<'_>) {
    let instance = &mut one.instance;
    if instance.addresses.is_empty() && !instance.no_virtual_addresses {
        let what = if instance.strict { "required" } else { "sensible" };
        let message = format!("({label}) No VIP specified; at least one is {what}");
        check.say(code::NO_VIRTUAL_ADDRESS, place, message);
    }
    let most = room(instance, one.auth_type.is_some(), options.mtu);
    if instance.addresses.len() > most {
        let count = instance.addresses.len();
        let message = format!(
            "({label}) Number of VIPs ({count}) exceeds maximum/space available in packet (max {most} addresses) - excess moved to eVIPs"
        );
        check.say(code::TOO_MANY_ADDRESSES, place, message);
        let excess = instance.addresses.split_off(most);
        instance.excluded_addresses.splice(0..0, excess);
    }
    if let Some(first) = instance.addresses.first()
        && let IpAddr::V6(address) = first.prefix.address
        && address.segments().first().is_some_and(|start| start & 0xffc0 != 0xfe80)
        && instance.strict
    {
        let message = format!("({label}) the first IPv6 VIP address must be link local");
        check.say(code::STRICT, first.place, message);
    }
}

/// How many addresses fit into an advertisement.
fn room(instance: &Instance, authenticated: bool, mtu: u32) -> usize {
    let (header, address) = match instance.family {
        Family::V4 => (20 + if authenticated { 24 } else { 0 }, 4),
        Family::V6 => (40, 16),
    };
    let space = usize::try_from(mtu).unwrap_or(usize::MAX).saturating_sub(header + 8 + 8);
    (space / address).min(MAX_ADDRESSES)
}

fn priority_and_preemption(one: &mut InstanceDraft, place: Place, label: &str, check: &mut Check<'_>) {
    let instance = &mut one.instance;
    let master = instance.state == InitialState::Master;
    // keepalived takes a MASTER that gives no priority for the owner of the addresses.
    instance.priority = one.priority.unwrap_or(if master { 255 } else { 100 });
    if instance.strict && master != (instance.priority == 255) {
        let message = format!("({label}) State MASTER must match being address owner");
        check.say(code::STRICT, place, message);
        instance.state = if instance.priority == 255 { InitialState::Master } else { InitialState::Backup };
    }
    let master = instance.state == InitialState::Master;
    if instance.nopreempt {
        let message = if instance.priority == 255 {
            Some(format!("({label}) nopreempt is incompatible with priority 255. resetting nopreempt"))
        } else if master {
            Some(format!("({label}) Warning - nopreempt will not work with initial state MASTER - clearing"))
        } else {
            None
        };
        if let Some(message) = message {
            check.say(code::PREEMPTION, place, message);
            instance.nopreempt = false;
        }
    }
    if !instance.preempt_delay.is_zero() {
        let message = if master {
            Some(format!(
                "({label}) Warning - preempt delay will not work with initial state MASTER - clearing"
            ))
        } else if instance.strict {
            Some(format!("({label}) preempt_delay is incompatible with strict mode - resetting"))
        } else if instance.nopreempt {
            Some(format!("({label}) preempt_delay is incompatible with nopreempt mode - resetting"))
        } else {
            None
        };
        if let Some(message) = message {
            check.say(code::PREEMPTION, place, message);
            instance.preempt_delay = Duration::ZERO;
        }
    }
}

fn authentication(one: &mut InstanceDraft, place: Place, label: &str, check: &mut Check<'_>) {
    let Some(is_ah) = one.auth_type else { return };
    let instance = &mut one.instance;
    let message = if instance.strict {
        Some("Strict mode does not support authentication. Ignoring.")
    } else if instance.version == Version::V3 {
        Some("VRRP version 3 does not support authentication. Ignoring.")
    } else if one.auth_pass.is_none() {
        Some("Authentication specified but no password given. Ignoring")
    } else if is_ah && instance.family == Family::V6 {
        Some("Cannot use AH authentication with IPv6. ignoring")
    } else {
        None
    };
    if let Some(message) = message {
        return check.say(code::AUTHENTICATION, place, format!("({label}) {message}"));
    }
    let Some(password) = one.auth_pass else { return };
    if is_ah && instance.state == InitialState::Master && instance.priority != 255 {
        let message =
            format!("({label}) Initial state master is incompatible with AH authentication - clearing");
        check.say(code::AUTHENTICATION, place, message);
        instance.state = InitialState::Backup;
    }
    instance.authentication =
        Some(if is_ah { Authentication::Ah(password) } else { Authentication::Pass(password) });
}

fn unicast(one: &mut InstanceDraft, place: Place, label: &str, check: &mut Check<'_>) {
    let instance = &mut one.instance;
    if instance.unicast_peers.is_empty() {
        if one.wants_unicast {
            if instance.unicast_fault_no_peer {
                let message =
                    format!("({label}) Cannot use unicast without any peers - going to fault state");
                check.mention(code::UNICAST, place, message);
            } else {
                let message = format!(
                    "({label}) A unicast keyword has been specified without any unicast peers. Defaulting to multicast. This usage is deprecated - please update your configuration."
                );
                check.say(code::UNICAST, place, message);
            }
        }
        if instance.vrf.is_some() {
            let message = format!("({label}) vrf can only be specified with unicast - clearing");
            check.say(code::UNICAST, place, message);
            instance.vrf = None;
        }
        return;
    }
    if instance.strict {
        check.say(code::STRICT, place, format!("({label}) Unicast peers are not supported in strict mode"));
        instance.strict = false;
    }
    if let Some((_, span)) = one.multicast_group {
        let message = format!("({label}) multicast destination specified with unicast - ignoring");
        check.say(code::UNICAST, Some(span), message);
    }
}

fn virtual_interfaces(one: &mut InstanceDraft, place: Place, label: &str, check: &mut Check<'_>) {
    let instance = &mut one.instance;
    if instance.vmac.is_some() && instance.interface.is_none() {
        let message =
            format!("({label}): Cannot use VMAC/ipvlan with unicast and no interface - clearing use_vmac");
        check.say(code::VMAC, place, message);
        instance.vmac = None;
        instance.ipvlan = None;
    }
    if instance.vmac_xmit_base && instance.vmac.is_none() {
        check.say(code::VMAC, place, format!("({label}) vmac_xmit_base is only valid with a vmac"));
        instance.vmac_xmit_base = false;
    }
    if instance.promote_secondaries && instance.vmac.is_some() {
        let message = format!("({label}) promote_secondaries is automatically set for vmacs - ignoring");
        check.say(code::VMAC, place, message);
        instance.promote_secondaries = false;
    }
    if let Some(ipvlan) = &instance.ipvlan
        && instance.family == Family::V4
        && ipvlan.address.is_none()
    {
        let message = format!(
            "({label}) IPv4 ipvlan requires a source ip address to be configured. setting instance to fault state"
        );
        check.say(code::VMAC, place, message);
    }
}

fn interval(instance: &mut Instance, place: Place, label: &str, check: &mut Check<'_>) {
    let time = instance.advert_interval;
    let seconds = time.as_secs_f64();
    match instance.version {
        Version::V2 => {
            if time > Duration::from_secs(255) {
                let message = format!(
                    "({label}) VRRPv2 advertisement interval {seconds:.2}s is out of range. Must be less than 256s. Setting to 255s"
                );
                check.say(code::ADVERT_INTERVAL, place, message);
                instance.advert_interval = Duration::from_secs(255);
            } else if time.subsec_nanos() != 0 {
                let message = format!(
                    "({label}) VRRPv2 advertisement interval {seconds:.6}s must be an integer. rounding"
                );
                check.say(code::ADVERT_INTERVAL, place, message);
                let rounded = time.as_secs() + u64::from(time.subsec_millis() >= 500);
                instance.advert_interval = Duration::from_secs(rounded.max(1));
            }
        }
        Version::V3 => {
            if time > MAX_V3 {
                let message = format!(
                    "({label}) VRRPv3 advertisement interval {seconds:.2}s is out of range. Must be less than 40.96s. Setting to 40.95s"
                );
                check.say(code::ADVERT_INTERVAL, place, message);
                instance.advert_interval = MAX_V3;
            } else if !time.subsec_micros().is_multiple_of(10_000) {
                let message = format!(
                    "({label}) VRRPv3 advertisement interval {seconds:.6}s must be in units of 10ms - rounding"
                );
                check.say(code::ADVERT_INTERVAL, place, message);
                let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
                let rounded = (micros.saturating_add(5_000) / 10_000).max(1);
                instance.advert_interval = Duration::from_millis(rounded * 10);
            }
        }
    }
}

fn strict(one: &mut InstanceDraft, place: Place, label: &str, check: &mut Check<'_>) {
    let instance = &mut one.instance;
    instance.accept = match one.accept {
        Some(true) if instance.strict && instance.version == Version::V2 => {
            let message = format!(
                "({label}) warning - accept mode for VRRP version 2 does not comply with RFC3768 - resetting"
            );
            check.say(code::STRICT, place, message);
            false
        }
        Some(accept) => accept,
        None => !instance.strict || instance.priority == 255,
    };
    if !one.strict.unwrap_or(instance.strict) {
        return;
    }
    let mut reset = |wrong: bool, message: &str| {
        if wrong {
            check.say(code::STRICT, place, format!("({label}) {message}"));
        }
        wrong
    };
    if reset(
        instance.down_timer_adverts != 3,
        "down_timer_adverts is incompatible with strict mode - resetting",
    ) {
        instance.down_timer_adverts = 3;
    }
    if reset(!instance.garp.master_refresh.is_zero(), "Strict mode requires no repeat garps. resetting") {
        instance.garp.master_refresh = Duration::ZERO;
    }
    let silent = one.lower_delay_written || one.lower_repeat_written;
    if reset(
        silent && instance.garp.lower_prio_repeat > 0,
        "Strict mode requires no lower priority advert. resetting",
    ) {
        instance.garp.lower_prio_repeat = 0;
    }
    instance.lower_priority_no_advert = true;
    let sends = instance.higher_priority_send_advert;
    if reset(sends, "strict mode requires higher_prio_send_advert to be clear. resetting") {
        instance.higher_priority_send_advert = false;
    }
    if reset(instance.vmac_xmit_base, "xmit_base is incompatible with strict mode - resetting") {
        instance.vmac_xmit_base = false;
    }
    let mac = instance.vmac.as_mut().and_then(|vmac| vmac.mac.take());
    if mac.is_some() {
        check.say(
            code::STRICT,
            place,
            format!("({label}): cannot specify MAC address with strict mode - clearing"),
        );
    }
}

/// Its own interface is tracked anyway.
fn own_interface(instance: &mut Instance, label: &str, check: &mut Check<'_>) {
    let Some(own) = instance.interface.clone().filter(|_| !instance.dont_track_primary) else { return };
    instance.track.interfaces.retain(|tracked| {
        let same = tracked.name.text == own.text;
        if same {
            let message = format!("({label}) Ignoring track_interface {} since own interface", own.text);
            check.say(code::TRACKING, tracked.name.place, message);
        }
        !same
    });
}
