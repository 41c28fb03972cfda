//! What must be kept from passing: packets to addresses that are not accepted (`no_accept`), and multicast reports of
//! virtual MACs' interfaces.

use keepalived_conf::model;
use netlink::{Client, Family, Operation, Protocol};
use netlink::{Firewall, Installed, OnLink};
use notice::log::Log;
use std::net::IpAddr;

/// The program's nftables tables, made when they are first needed and removed at the end.
#[derive(Debug)]
pub struct Filter {
    rules: Firewall,
    client: Option<Client>,
    installed: [Installed; 2],
    changed: bool,
}

fn place(family: Family) -> usize {
    match family {
        Family::V4 => 0,
        Family::V6 => 1,
    }
}

impl Filter {
    /// As configured; no table is made yet.
    pub fn new(global: &model::Global) -> Self {
        let settings = global.nftables.clone().unwrap_or_default();
        Self {
            rules: Firewall {
                table: settings.table,
                priority: settings.priority,
                counters: settings.counters,
                by_index: settings.ifindex,
            },
            client: None,
            installed: [Installed::default(); 2],
            changed: false,
        }
    }

    /// Whether a table has come since this was asked.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// What takes the tables away.
    pub fn undo(&self) -> Vec<Operation<()>> {
        let is = |family: &Family| self.installed.get(place(*family)).is_some_and(|one| one.any());
        [Family::V4, Family::V6].into_iter().filter(is).map(|family| self.rules.remove(family)).collect()
    }

    fn run(&mut self, operation: Operation<()>, log: &Log) -> bool {
        if self.client.is_none() {
            self.client = Client::open(Protocol::Netfilter)
                .map_err(|error| log.info(format_args!("Unable to use nftables - {error}")))
                .ok();
        }
        let Some(client) = &mut self.client else { return false };
        match client.run(operation) {
            Ok(()) => true,
            Err(error) if error.is_missing() => true,
            Err(error) => {
                log.info(format_args!("nftables: {error}"));
                false
            }
        }
    }

    fn change(
        &mut self,
        family: Family,
        log: &Log,
        make: impl FnOnce(&Firewall, &mut Installed) -> Operation<()>,
    ) {
        let Some(mut installed) = self.installed.get(place(family)).copied() else { return };
        let first = !installed.any();
        if first {
            // A predecessor that crashed may have left one.
            let old = self.rules.remove(family);
            self.run(old, log);
        }
        let operation = make(&self.rules, &mut installed);
        if self.run(operation, log)
            && let Some(place) = self.installed.get_mut(place(family))
        {
            *place = installed;
            self.changed |= first;
        }
    }

    /// Multicast reports of a virtual MAC's interface leave by the one below.
    pub fn add_vmac(&mut self, family: Family, vmac: u32, base: u32, log: &Log) {
        self.change(family, log, |rules, installed| rules.add_vmac(family, installed, vmac, base));
    }

    /// Packets to these addresses are dropped.
    pub fn block(&mut self, addresses: &[(IpAddr, Option<OnLink>)], log: &Log) {
        for family in [Family::V4, Family::V6] {
            let of_family = of(family, addresses);
            if !of_family.is_empty() {
                self.change(family, log, |rules, installed| rules.block(family, installed, &of_family));
            }
        }
    }

    /// They pass again.
    pub fn unblock(&mut self, addresses: &[(IpAddr, Option<OnLink>)], log: &Log) {
        for family in [Family::V4, Family::V6] {
            let of_family = of(family, addresses);
            if !of_family.is_empty()
                && self.installed.get(place(family)).is_some_and(|installed| installed.any())
            {
                let operation = self.rules.unblock(family, &of_family);
                self.run(operation, log);
            }
        }
    }

    /// Takes everything away.
    pub fn remove(&mut self, log: &Log) {
        for family in [Family::V4, Family::V6] {
            if self.installed.get(place(family)).is_some_and(|installed| installed.any()) {
                let operation = self.rules.remove(family);
                self.run(operation, log);
            }
        }
        self.installed = [Installed::default(); 2];
    }
}

fn of(family: Family, addresses: &[(IpAddr, Option<OnLink>)]) -> Vec<(IpAddr, Option<OnLink>)> {
    addresses.iter().filter(|(address, _)| Family::of(*address) == family).cloned().collect()
}
