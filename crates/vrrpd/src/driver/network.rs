//! News of the network: links, addresses, routes and rules that come and go.

use super::{Input, World};
use crate::install::{Installer, Step};
use crate::lower::TrackSource;
use crate::presence::{Item, Presence};
use crate::track::TrackReport;
use ek_time::Duration;
use netlink::{Change, Event, Monitor};
use notice::log::Log;
use reactor::boot_time;
use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use vrrp::{AddressChange, LinkChange, LinkId, RouterId, TrackId, TrackState};

impl World {
    /// Takes news of the network.
    pub fn handle_network(&mut self, world: &Rc<RefCell<Self>>, event: Event) {
        if self.stopped {
            return;
        }
        let now = boot_time();
        match event {
            Event::Link(Change::Deleted, link) => {
                if let Some(id) = self.interfaces.remove_link(link.index) {
                    self.log.info(format_args!("Interface {} deleted", link.name));
                    self.settle(world, id, false);
                    for (id, change) in self.interfaces.sources(id) {
                        self.router.handle_link(now, id, change);
                    }
                    self.open_sockets(world);
                }
            }
            Event::Link(_, link) => {
                let known = self.interfaces.by_index(link.index).is_some();
                // News of what this process did itself may be older than what it knows: a link that is said to be down is
                // looked at once more.
                let link = match (known && !link.is_usable(), netlink::link::by_index(link.index)) {
                    (true, look) => self.client.run(look).ok().flatten().unwrap_or(link),
                    (false, _) => link,
                };
                let Some((id, usable)) = self.interfaces.update_link(&link) else { return };
                if !known {
                    self.log.info(format_args!("Interface {} added", link.name));
                    self.appeared(world);
                }
                self.settle(world, id, usable);
            }
            Event::Address(change, address) => {
                let gone = change == Change::Deleted;
                self.presence.address(address.link, address.local.address, !gone);
                if gone {
                    let installer = Installer { plan: &self.plan, interfaces: &self.interfaces };
                    let lost = Presence::static_addresses(&installer, address.link, address.local.address);
                    lost.into_iter().for_each(|item| self.restore(item));
                }
                self.report_presence();
                let Some(id) = self.interfaces.by_index(address.link) else { return };
                let present = change != Change::Deleted;
                let ip = address.local.address;
                if self.address_monitoring {
                    let word = if present { "added" } else { "removed" };
                    self.log.info(format_args!("Netlink reflector reports IP {ip} {word}"));
                }
                self.interfaces.update_address(id, ip, address.flags.secondary(), present);
                for (id, change) in self.interfaces.sources(id) {
                    self.router.handle_link(now, id, change);
                }
                if present || !self.is_untracked(id, ip) {
                    self.router.handle_address(now, AddressChange { link: id, address: ip, present });
                }
                self.look();
            }
            Event::Route(change, route) => {
                let installer = Installer { plan: &self.plan, interfaces: &self.interfaces };
                let items = self.presence.route(&installer, change, &route);
                self.items_changed(change, &items);
            }
            Event::Rule(change, rule) => {
                let installer = Installer { plan: &self.plan, interfaces: &self.interfaces };
                let items = self.presence.rule(&installer, change, &rule);
                self.items_changed(change, &items);
            }
            Event::Synchronised => {
                self.synchronised = true;
                self.report_presence();
                self.look();
            }
            Event::Resync => {
                // All is told anew.
                self.presence = Presence::default();
                self.synchronised = false;
            }
            Event::Unreadable(_) => {}
        }
    }

    /// Virtual addresses that should be on a link and are not; adds to `steps` the routes and rules of their routers.
    pub(super) fn lost_on(&self, link: LinkId, steps: &mut Vec<Step>) -> Vec<IpAddr> {
        let index = self.interfaces.index(link);
        let mut lost = Vec::new();
        for (number, planned) in (0_u32..).zip(&self.plan.routers) {
            let router = RouterId(number);
            let set = || self.router.status(router).is_some_and(|status| status.addresses_set);
            let (true, Some(instance)) =
                (planned.addresses.contains(&link) && set(), self.plan.instance(router))
            else {
                continue;
            };
            let addresses = instance.addresses.iter().chain(&instance.excluded_addresses);
            let here = addresses.zip(&planned.addresses).filter(|(from, on)| **on == link && !from.no_track);
            let here = here.map(|(from, _)| from.prefix.address);
            lost.extend(
                here.filter(|address| self.presence.has_address(Some(index), *address) != TrackState::Up),
            );
            steps.extend(self.installer().routes_and_rules(router));
        }
        lost
    }

    /// Whether nothing is to follow from the loss of an address (`no_track`).
    pub(super) fn is_untracked(&self, link: LinkId, address: IpAddr) -> bool {
        self.plan.model.instances.iter().zip(&self.plan.routers).any(|(instance, planned)| {
            let addresses = instance.addresses.iter().chain(&instance.excluded_addresses);
            addresses
                .zip(&planned.addresses)
                .any(|(from, on)| from.no_track && *on == link && from.prefix.address == address)
        })
    }

    pub(super) fn items_changed(&mut self, change: Change, items: &[Item]) {
        if items.is_empty() {
            return;
        }
        if change == Change::Deleted {
            items.iter().for_each(|item| self.restore(*item));
        }
        self.report_presence();
        self.look();
    }

    /// Puts something back that somebody has taken away: what is static, and routes and rules of a Master.
    pub fn restore(&mut self, item: Item) {
        let (Item::Route(router, _) | Item::Rule(router, _)) = item else {
            return self.restore_item(item, None);
        };
        if self.router.status(router).is_some_and(|status| status.addresses_set) {
            self.restore_item(item, Some(router));
        }
    }

    pub(super) fn restore_item(&mut self, item: Item, router: Option<RouterId>) {
        let now = boot_time();
        let installer = Installer { plan: &self.plan, interfaces: &self.interfaces };
        if self.stopped {
            return;
        }
        match self.presence.restore(&installer, item, now) {
            Ok(None) => {}
            Ok(Some(Step { operation, what })) => {
                let name = router.and_then(|router| self.plan.instance(router));
                let name = name.map_or("", |instance| instance.name.text.as_str());
                match (self.client.run(operation), router) {
                    (Ok(()), Some(_)) => {
                        self.log
                            .info(format_args!("({name}) {what} was removed by another program, put back"));
                        self.presence.is_back(&installer, item);
                    }
                    (Ok(()), None) => {
                        self.log.info(format_args!("Restoring deleted static {what}"));
                        self.presence.is_back(&installer, item);
                    }
                    // The news were old.
                    (Err(error), _) if error.is_present() => self.presence.is_back(&installer, item),
                    (Err(error), Some(_)) => {
                        self.log
                            .info(format_args!("({name}) {what} is gone and cannot be put back: {error}"));
                    }
                    // The interface is gone or down, which has been said.
                    (Err(_), None) => {}
                }
            }
            Err(again) => {
                let inputs = self.inputs.clone();
                let until = reactor::now() + again.since(now);
                reactor::spawn(async move {
                    reactor::sleep_until(until).await;
                    inputs.put(Input::Restore(item));
                });
            }
        }
    }

    /// Says of what must be on this host whether it is.
    pub(super) fn report_presence(&mut self) {
        if !self.synchronised {
            return;
        }
        for (which, source) in (0_u32..).zip(&self.plan.tracks) {
            let state = match *source {
                TrackSource::Group(at) => {
                    let Some(group) = self.plan.model.track_groups.get(at) else { continue };
                    let installer = Installer { plan: &self.plan, interfaces: &self.interfaces };
                    self.presence.track_group(&installer, &group.name.text)
                }
                TrackSource::Source(at) => {
                    let Some(address) =
                        self.plan.model.instances.get(at).and_then(|instance| instance.source_address)
                    else {
                        continue;
                    };
                    let base = self.plan.routers.get(at).and_then(|planned| planned.base);
                    self.presence.has_address(base.map(|base| self.interfaces.index(base)), address)
                }
                _ => continue,
            };
            let which = TrackId(which);
            if self.track_states.get(&which) != Some(&state) {
                self.reports.put(TrackReport { which, state });
            }
        }
    }

    /// An interface came: virtual ones may now be made on it, and sockets opened.
    pub(super) fn appeared(&mut self, world: &Rc<RefCell<Self>>) {
        self.change_settings();
        self.vmacs.create(&self.plan, &self.interfaces, &mut self.client, &mut self.filter, &self.log);
        self.leaves_changed = true;
        let steps = self.installer().add_static(None);
        self.run_steps(steps);
        self.open_sockets(world);
    }

    /// A link is, or is not, usable; that counts when it has lasted for its delay.
    pub(super) fn settle(&mut self, world: &Rc<RefCell<Self>>, link: LinkId, usable: bool) {
        self.settling.remove(&link);
        let Some(interface) = self.interfaces.get(link) else { return };
        if interface.usable == usable {
            return;
        }
        let delays = &self.plan.model.interface_delays;
        let delay = delays.iter().find(|delay| delay.interface.text == interface.name);
        let delay = delay.map_or(Duration::ZERO, |delay| if usable { delay.up } else { delay.down });
        if delay.is_zero() {
            self.settled(link, usable);
            return;
        }
        let inputs = self.inputs.clone();
        let until = reactor::now() + delay;
        let _ = world;
        let task = reactor::spawn_task(async move {
            reactor::sleep_until(until).await;
            inputs.put(Input::Settled(link, usable));
        });
        self.settling.insert(link, task);
    }

    /// The state of a link counts from now on.
    pub fn settled(&mut self, link: LinkId, usable: bool) {
        if !self.interfaces.set_usable(link, usable) {
            return;
        }
        if let Some(interface) = self.interfaces.get(link) {
            let word = if usable { "up" } else { "down" };
            self.log.info(format_args!("Netlink reports {} {word}", interface.name));
        }
        if usable {
            // Routes went with the link, and all with one that is made anew.
            let mut steps = self.installer().add_static(None);
            let lost = self.lost_on(link, &mut steps);
            self.run_steps(steps);
            for address in lost {
                self.router.handle_address(boot_time(), AddressChange { link, address, present: false });
            }
        }
        self.report_presence();
        let change = if usable { LinkChange::Up } else { LinkChange::Down };
        self.router.handle_link(boot_time(), link, change);
        self.look();
    }
}

/// Hands over news of the network for ever; dropping the future ends it.
pub(super) async fn watch_network(world: std::rc::Weak<RefCell<World>>, mut monitor: Monitor, log: Rc<Log>) {
    loop {
        match monitor.next().await {
            Ok(event) => {
                let Some(world) = world.upgrade() else { return };
                let mut this = world.borrow_mut();
                this.handle_network(&world, event);
                while let Ok(Some(event)) = monitor.try_next() {
                    this.handle_network(&world, event);
                }
            }
            Err(error) => {
                log.info(format_args!("No more news of the network - {error}"));
                return;
            }
        }
    }
}
