//! Interfaces with virtual hardware addresses: made, set up, and removed at the end.

use crate::interfaces::Interfaces;
use crate::log::Log;
use crate::lower::{Plan, PlannedVmac};
use keepalived_conf::model;
use netlink::address::{self, Address};
use netlink::devconf::Ipv4;
use netlink::link::{self, AddressGeneration, HardwareAddress, IpvlanMode, MacvlanMode, NewLink, Upper};
use netlink::{Client, Prefix};
use std::fs;
use vrrp::LinkId;

/// Makes the interfaces of a plan that do not exist and whose lower interface does; `made` gets the names of those that
/// are to be removed at the end.
pub fn create(plan: &Plan, interfaces: &Interfaces, client: &mut Client, made: &mut Vec<String>, log: &Log) {
    let mut made_any: Vec<LinkId> = Vec::new();
    for (position, planned) in plan.links.iter().enumerate() {
        let (Some(base), Some(vmac)) = (planned.base, &planned.vmac) else { continue };
        let lower = interfaces.index(base);
        let own = LinkId(position as u32);
        if lower == 0 {
            continue;
        }
        if interfaces.index(own) != 0 {
            // Left by a predecessor that crashed, or made by the administrator.
            if !made.contains(&planned.name)
                && interfaces.get(own).is_some_and(|interface| {
                    interface.link.as_ref().is_some_and(|link| link.lower == Some(lower) && link.is_macvlan())
                        && interface.mac == vmac.mac
                })
            {
                made.push(planned.name.clone());
            }
            continue;
        }
        match create_one(&planned.name, lower, vmac, client) {
            Ok(()) => {
                log.info(format_args!("Success creating VMAC interface {}", planned.name));
                made.push(planned.name.clone());
                made_any.push(base);
            }
            Err(error) => log.info(format_args!("Unable to create VMAC interface {} - {error}", planned.name)),
        }
        if vmac.family == model::Family::V6
            && let Some(source) = interfaces.source_v6(base)
            && let Ok(Some(new)) = client.run(link::by_name(&planned.name))
        {
            // The source of the adverts must be on the interface they leave by.
            let mut own = Address::new(new.index, Prefix::new(source.into(), 64));
            own.flags = address::AddressFlags(address::AddressFlags::NO_DAD.0);
            if let Err(error) = client.run(address::add(&own)) {
                log.info(format_args!("Unable to give {} the address {source} - {error}", planned.name));
            }
        }
    }
    made_any.dedup();
    for base in made_any {
        // Else the lower interface would answer for addresses of the upper one.
        let settings = [(Ipv4::ArpIgnore, 1), (Ipv4::ArpFilter, 1)];
        if let Err(error) = client.run(link::set_ipv4(interfaces.index(base), &settings)) {
            log.info(format_args!("Unable to set ARP behaviour of an interface with VMACs - {error}"));
        }
    }
}

fn create_one(name: &str, lower: u32, vmac: &PlannedVmac, client: &mut Client) -> Result<(), netlink::Error> {
    let upper = match vmac.ipvlan {
        None => Upper::Macvlan(MacvlanMode::Private),
        Some(flag) => Upper::Ipvlan { mode: IpvlanMode::L2, private: flag == model::IpvlanFlag::Private },
    };
    let v6 = vmac.family == model::Family::V6;
    client.run(link::create(&NewLink {
        name: name.to_owned(),
        lower,
        upper,
        address: vmac.mac.map(|mac| HardwareAddress(mac.to_vec())),
        address_generation: Some(AddressGeneration::None),
        master: None,
    }))?;
    let index = client.run(link::by_name(name))?.map_or(0, |link| link.index);
    if !v6 {
        let settings = [
            (Ipv4::ArpIgnore, 1),
            (Ipv4::AcceptLocal, 1),
            (Ipv4::RpFilter, 0),
            (Ipv4::PromoteSecondaries, 1),
        ];
        client.run(link::set_ipv4(index, &settings))?;
        // No IPv6 on it; a kernel without IPv6 has no such file.
        let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6"), "1");
    }
    if let Some(own) = vmac.address {
        client.run(address::add(&Address::new(index, Prefix::new(own.address, own.length))))?;
    }
    client.run(link::set_up(index, true))
}

/// Removes interfaces that were made.
pub fn remove(names: &[String], client: &mut Client, log: &Log) {
    for name in names {
        let result = client.run(link::by_name(name)).and_then(|link| match link {
            Some(link) => client.run(link::delete(link.index)),
            None => Ok(()),
        });
        match result {
            Ok(()) => {}
            Err(error) if error.is_missing() => {}
            Err(error) => log.info(format_args!("Unable to remove VMAC interface {name} - {error}")),
        }
    }
}
