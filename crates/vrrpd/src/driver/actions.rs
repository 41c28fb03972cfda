//! What the core decides, done; and what of it the parent has to know.

use super::{REMEMBERED, World};
use crate::install::{Installer, Step};
use crate::lower::Plan;
use crate::notify::Notifier;
use crate::parent::{Farewell, Hold, Report};
use notice::log::Level;
use vrrp::{Action, Announcement, GroupId, Notification, RouterId, Subject};

impl World {
    /// Does all that the core wants done.
    pub fn act(&mut self) {
        let mut steps = Vec::new();
        let mut announcements: Vec<Announcement> = Vec::new();
        let mut notifications: Vec<(bool, Notification)> = Vec::new();
        let mut held: Vec<RouterId> = Vec::new();
        let mut released: Vec<RouterId> = Vec::new();
        let (mut blocked, mut passing) = (Vec::new(), Vec::new());
        let mut reloaded = false;
        while let Some(action) = self.router.poll_action() {
            // Up to `Reloaded`, ids are those of the plan before.
            let old = self.before.as_ref().filter(|_| !reloaded);
            let (plan, interfaces) =
                old.map_or((&self.plan, &self.interfaces), |(plan, links)| (plan, links));
            let installer = Installer { plan, interfaces };
            match action {
                Action::Send(advert) => {
                    self.senders.advert(&advert, advert.link.map_or(0, |link| interfaces.index(link)));
                    self.router.recycle(advert.bytes);
                }
                Action::Install(router) => {
                    blocked.extend(installer.not_accepted(router));
                    steps.extend(installer.install(router));
                    held.push(router);
                }
                Action::Withdraw(router) if self.keeping => released.push(router),
                Action::Withdraw(router) => {
                    passing.extend(installer.not_accepted(router));
                    steps.extend(installer.withdraw(router));
                    released.push(router);
                    held.retain(|other| *other != router);
                }
                Action::Clear(router) => steps.extend(installer.withdraw(router)),
                Action::Adjust(router) => {
                    if let Some((plan, interfaces)) = &self.before
                        && let Some(name) = self.plan.instance(router).map(|instance| &instance.name.text)
                        && let Some(before) = plan.router_id(name)
                    {
                        let now = Installer { plan: &self.plan, interfaces: &self.interfaces };
                        let old = Installer { plan, interfaces };
                        steps.extend(now.adjust(router, &old, before));
                        let (had, wants) = (old.not_accepted(before), now.not_accepted(router));
                        blocked.extend(wants.iter().filter(|address| !had.contains(address)).cloned());
                        passing.extend(had.into_iter().filter(|address| !wants.contains(address)));
                        held.push(router);
                    }
                }
                Action::Restore { router, address } => steps.extend(installer.restore(router, address)),
                Action::Announce(announcement) => announcements.push(announcement),
                Action::Notify(notification) => {
                    remember(&mut self.history, &notification);
                    notifications.push((reloaded || self.before.is_none(), notification));
                }
                Action::Log(event) => {
                    if !event.detail() || self.log.detail() {
                        self.log.write(Level::Info, event);
                    }
                }
                Action::Reloaded => {
                    reloaded = true;
                    // Notifications before this are of the old plan's routers: send them before the scripts change.
                    self.finish_reload(&mut notifications);
                }
            }
        }
        self.senders.flush_adverts(&self.log);
        // Blocked before they are there, let through when they are gone.
        self.filter.block(&blocked, &self.log);
        self.run_steps(steps);
        self.filter.unblock(&passing, &self.log);
        for announcement in announcements {
            self.announce(&announcement);
        }
        self.senders.flush_announcements(&self.log);
        for (_, notification) in &notifications {
            self.notifier.send(&self.plan, notification);
        }
        if reloaded && self.plan.model.global.fifo_write_states_on_reload {
            self.write_states(&notifications);
        }
        self.report_holds(&held, &released);
        if reloaded {
            self.before = None;
        }
        let state = self.sync.router().and_then(|router| self.router.state(router));
        self.sync.follow(state, &self.log);
    }

    pub(super) fn finish_reload(&mut self, notifications: &mut Vec<(bool, Notification)>) {
        if let Some((plan, _)) = &self.before {
            self.history = carried_over(plan, &self.plan, std::mem::take(&mut self.history));
            for (_, notification) in notifications.drain(..) {
                self.notifier.send(plan, &notification);
            }
        }
        let empty = Notifier::empty(&self.log);
        let old = std::mem::replace(&mut self.notifier, empty);
        self.notifier = Notifier::new(&self.plan, &self.host, &self.log, Some(old));
    }

    /// `fifo_write_vrrp_states_on_reload`: the states of all that have not been notified just now.
    pub(super) fn write_states(&self, sent: &[(bool, Notification)]) {
        let written = |subject: Subject| {
            sent.iter().any(|(_, notification)| {
                matches!(notification, Notification::State { subject: other, .. } if *other == subject)
            })
        };
        for (number, _) in (0_u32..).zip(&self.plan.model.sync_groups) {
            let group = GroupId(number);
            if let Some(status) = self.router.group_status(group)
                && !written(Subject::Group(group))
            {
                self.notifier.write_state(&self.plan, Subject::Group(group), status.state, 0);
            }
        }
        for (number, _) in (0_u32..).zip(&self.plan.model.instances) {
            let router = RouterId(number);
            if let Some(status) = self.router.status(router)
                && !written(Subject::Router(router))
            {
                let subject = Subject::Router(router);
                self.notifier.write_state(&self.plan, subject, status.state, status.effective_priority);
            }
        }
    }

    pub(super) fn announce(&mut self, announcement: &Announcement) {
        let Some(interface) = self.interfaces.get(announcement.link) else { return };
        let Some(mac) = interface.mac else { return };
        if interface.index == 0 {
            return;
        }
        self.senders.announce(announcement.address, interface.index, mac, forwards_v6(&interface.name));
    }

    /// Runs requests; what is there already, or is gone already, is no failure.
    pub(super) fn run_steps(&mut self, steps: Vec<Step>) {
        if steps.is_empty() {
            return;
        }
        let (operations, names): (Vec<_>, Vec<_>) =
            steps.into_iter().map(|step| (step.operation, step.what)).unzip();
        for (result, what) in self.client.run_all(operations).into_iter().zip(names) {
            match result {
                Ok(()) => {}
                Err(error) if error.is_present() || error.is_missing() => {}
                Err(error) => self.log.info(format_args!("{what}: {error}")),
            }
        }
    }

    /// Says what is held and what no longer, with what is needed to stand in.
    pub(super) fn report_holds(&mut self, held: &[RouterId], released: &[RouterId]) {
        if self.parent.is_none() {
            return;
        }
        for router in released {
            self.tell(&Report::Releases(router.0));
        }
        for router in held {
            let Some(instance) = self.plan.instance(*router) else { continue };
            let farewells = self
                .router
                .resignation(*router)
                .into_iter()
                .map(|advert| Farewell {
                    interface: advert.link.map_or(0, |link| self.interfaces.index(link)),
                    source: advert.source,
                    destination: advert.destination,
                    hop_limit: advert.ttl,
                    bytes: advert.bytes,
                })
                .collect();
            let undo = self.installer().withdraw(*router).into_iter();
            let hold = Hold {
                router: router.0,
                name: instance.name.text.clone(),
                farewells,
                undo: undo.filter_map(|step| step.operation.encode()).collect(),
            };
            self.tell(&Report::Holds(hold));
        }
    }

    /// Says something to the parent.
    pub fn tell(&mut self, report: &Report) {
        if let Some(parent) = &mut self.parent {
            report.encode(&mut parent.waiting);
        }
    }

    /// Tells the parent what there is to take away if this process dies and no other follows it.
    fn tell_leaves(&mut self) {
        let changed = self.filter.take_changed() | std::mem::take(&mut self.leaves_changed);
        if !changed || self.stopped || self.keeping || self.parent.is_none() {
            return;
        }
        let mut operations: Vec<_> =
            self.installer().remove_static(None).into_iter().map(|step| step.operation).collect();
        operations.extend(self.filter.undo());
        operations.extend(self.vmacs.undo());
        self.tell(&Report::Leaves(operations.iter().filter_map(netlink::Operation::encode).collect()));
    }

    /// Writes what the parent has not been told yet. A parent that is gone needs no telling: the role goes on alone.
    pub fn flush_parent(&mut self) {
        self.tell_leaves();
        let Some(parent) = &mut self.parent else { return };
        while !parent.waiting.is_empty() {
            match parent.stream.try_write(&parent.waiting) {
                Ok(count) => drop(parent.waiting.drain(..count)),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.parent = None;
                    return;
                }
            }
        }
    }
}

/// What routers of the old plan went through, for those of the same names.
fn carried_over<T>(old: &Plan, new: &Plan, mut lists: Vec<Vec<T>>) -> Vec<Vec<T>> {
    let take = |instance: &keepalived_conf::model::Instance| {
        let before = old.router_id(&instance.name.text)?;
        lists.get_mut(before.index()).map(std::mem::take)
    };
    new.model.instances.iter().map(take).map(Option::unwrap_or_default).collect()
}

/// Whether this host forwards IPv6 on an interface, which neighbour advertisements say.
fn forwards_v6(interface: &str) -> bool {
    std::fs::read(format!("/proc/sys/net/ipv6/conf/{interface}/forwarding"))
        .is_ok_and(|value| value.first() == Some(&b'1'))
}

fn remember(history: &mut Vec<Vec<crate::dump::Transition>>, notification: &Notification) {
    if let Notification::State { subject: vrrp::Subject::Router(router), from, to, cause, .. } = notification
    {
        if history.len() <= router.index() {
            history.resize_with(router.index() + 1, Vec::new);
        }
        let Some(list) = history.get_mut(router.index()) else { return };
        if list.len() >= REMEMBERED {
            list.remove(0);
        }
        list.reserve_exact(1);
        list.push(crate::dump::Transition {
            at: reactor::wall(),
            from: *from,
            to: *to,
            cause: cause.clone(),
        });
    }
}
