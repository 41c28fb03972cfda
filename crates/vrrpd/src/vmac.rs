//! Interfaces with virtual hardware addresses: made, set up, and removed at the end.

use crate::firewall::Filter;
use crate::interfaces::Interfaces;
use crate::lower::{Plan, PlannedVmac};
use keepalived_conf::model;
use netlink::address::{self, Address, AddressFlags};
use netlink::link::{self, AddressGeneration, HardwareAddress, IpvlanMode, MacvlanMode, NewLink, Upper};
use netlink::vmac::{Below, settings};
use netlink::{Client, Family, Operation, Prefix};
use notice::log::Log;
use std::collections::HashMap;
use std::fs;
use vrrp::LinkId;

/// The interfaces that were made, and what the ones below them were like before.
#[derive(Debug, Default)]
pub struct Vmacs {
    made: Vec<Made>,
    below: HashMap<u32, Below>,
}

#[derive(Debug)]
struct Made {
    name: String,
    index: u32,
    /// Index of the interface below.
    lower: u32,
    /// The first instance that is on it: the lines of the log name it.
    instance: String,
}

impl Made {
    fn new(plan: &Plan, link: LinkId, name: &str, index: u32, lower: u32) -> Self {
        let on = |(_, planned): &(_, &crate::lower::PlannedRouter)| {
            planned.link == Some(link) || planned.addresses.contains(&link)
        };
        let instance = plan.model.instances.iter().zip(&plan.routers).find(on);
        let instance = instance.map_or_else(String::new, |(instance, _)| instance.name.text.to_string());
        Self { name: name.to_owned(), index, lower, instance }
    }
}

impl Vmacs {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.made.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.made.is_empty()
    }

    /// What takes them away, and sets back what is below them.
    pub fn undo(&self) -> Vec<Operation<()>> {
        let mut below = self.below.clone();
        let mut operations: Vec<_> = self.made.iter().map(|made| link::delete(made.index)).collect();
        operations
            .extend(self.made.iter().filter_map(|made| below.get_mut(&made.lower)?.release(made.lower)));
        operations
    }

    /// Makes the interfaces of a plan that do not exist and whose lower interface does.
    pub fn create(
        &mut self,
        plan: &Plan,
        interfaces: &Interfaces,
        client: &mut Client,
        filter: &mut Filter,
        log: &Log,
    ) {
        for (position, planned) in plan.links.iter().enumerate() {
            let (Some(base), Some(vmac)) = (planned.base, &planned.vmac) else { continue };
            let lower = interfaces.index(base);
            let own = LinkId(position as u32);
            if lower == 0 || self.made.iter().any(|made| made.name == planned.name) {
                if interfaces.index(own) == 0 {
                    // It went with the one below.
                    self.made.retain(|made| made.name != planned.name);
                }
                if lower == 0 || interfaces.index(own) != 0 {
                    continue;
                }
            }
            if interfaces.index(own) != 0 {
                // Left by a predecessor that crashed; else it is the administrator's, and stays.
                let left = interfaces.get(own).is_some_and(|interface| {
                    let like = |link: &netlink::link::Link| link.lower == Some(lower) && link.is_macvlan();
                    interface.link.as_ref().is_some_and(like) && interface.mac == vmac.mac
                });
                if left {
                    self.made.push(Made::new(plan, own, &planned.name, interfaces.index(own), lower));
                    self.acquire(interfaces, base, client, log);
                    Self::guard(vmac, interfaces.index(own), lower, filter, log);
                }
                continue;
            }
            match create_one(&planned.name, lower, vmac, client) {
                Ok(index) => {
                    let made = Made::new(plan, own, &planned.name, index, lower);
                    log.info(format_args!(
                        "({}): Success creating VMAC interface {}",
                        made.instance, made.name
                    ));
                    self.made.push(made);
                    self.acquire(interfaces, base, client, log);
                    Self::guard(vmac, index, lower, filter, log);
                    if vmac.family == model::Family::V6
                        && let Some(source) = interfaces.source_v6(base)
                    {
                        // The source of the adverts must be on the interface they leave by.
                        let mut own = Address::new(index, Prefix::new(source.into(), 64));
                        own.flags = AddressFlags::NO_DAD;
                        if let Err(error) = client.run(address::add(&own)) {
                            log.info(format_args!(
                                "Unable to give {} the address {source} - {error}",
                                planned.name
                            ));
                        }
                    }
                }
                Err(error) => {
                    log.info(format_args!("Unable to create VMAC interface {} - {error}", planned.name));
                }
            }
        }
    }

    /// Else the lower interface would answer for addresses of the upper one.
    fn acquire(&mut self, interfaces: &Interfaces, base: LinkId, client: &mut Client, log: &Log) {
        let Some(link) = interfaces.get(base).and_then(|interface| interface.link.as_ref()) else { return };
        if let Some(operation) = self.below.entry(link.index).or_default().acquire(link)
            && let Err(error) = client.run(operation)
        {
            log.info(format_args!("Unable to set ARP behaviour of {} - {error}", link.name));
        }
    }

    fn guard(vmac: &PlannedVmac, index: u32, lower: u32, filter: &mut Filter, log: &Log) {
        if vmac.ipvlan.is_none() {
            let family = match vmac.family {
                model::Family::V4 => Family::V4,
                model::Family::V6 => Family::V6,
            };
            filter.add_vmac(family, index, lower, log);
        }
    }

    /// Removes those for whose name `gone` holds.
    pub fn remove(&mut self, gone: impl Fn(&str) -> bool, client: &mut Client, log: &Log) {
        let (removed, kept): (Vec<Made>, _) =
            std::mem::take(&mut self.made).into_iter().partition(|made| gone(&made.name));
        self.made = kept;
        for Made { name, lower, instance, .. } in removed {
            let result = client.run(link::by_name(&name)).and_then(|link| match link {
                Some(link) => client.run(link::delete(link.index)),
                None => Ok(()),
            });
            match result {
                Ok(()) => log.info(format_args!("({instance}) Success removing VMAC interface {name}")),
                Err(error) if error.is_missing() => {}
                Err(error) => log.info(format_args!("Unable to remove VMAC interface {name} - {error}")),
            }
            if let Some(operation) = self.below.get_mut(&lower).and_then(|below| below.release(lower))
                && let Err(error) = client.run(operation)
                && !error.is_missing()
            {
                log.info(format_args!("Unable to set ARP behaviour back - {error}"));
            }
        }
    }
}

/// Makes one; its index.
fn create_one(
    name: &str,
    lower: u32,
    vmac: &PlannedVmac,
    client: &mut Client,
) -> Result<u32, netlink::Error> {
    let upper = match vmac.ipvlan {
        None => Upper::Macvlan(MacvlanMode::Private),
        Some(flag) => Upper::Ipvlan { mode: IpvlanMode::L2, private: flag == model::IpvlanFlag::Private },
    };
    client.run(link::create(&NewLink {
        name: name.to_owned(),
        lower,
        upper,
        address: vmac.mac.map(|mac| HardwareAddress(mac.to_vec())),
        master: None,
    }))?;
    let index = client.run(link::by_name(name))?.map_or(0, |link| link.index);
    client.run(link::set_address_generation(index, AddressGeneration::None))?;
    if vmac.family == model::Family::V4 {
        client.run(settings(index))?;
        // No IPv6 on it; a kernel without IPv6 has no such file.
        let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6"), "1");
    }
    if let Some(own) = vmac.address {
        client.run(address::add(&Address::new(index, Prefix::new(own.address, own.length))))?;
    }
    client.run(link::set_up(index, true))?;
    Ok(index)
}
