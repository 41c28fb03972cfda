//! The core driven: what happens goes in, what it decides is done.
//!
//! One [`World`] holds everything. Tasks that wait for something (a socket, the monitor, a tracked script) put what they
//! got into it and wake the loop, which at the end of each turn lets the core act on its timers and does all that has
//! gathered: adverts of one turn leave by one system call, addresses are set with as few as possible.

use crate::firewall::Filter;
use crate::install::{Installer, Step};
use crate::interfaces::Interfaces;
use crate::log::{Level, Log};
use crate::lower::{Plan, TrackSource};
use crate::mailbox::Mailbox;
use crate::notify::Notifier;
use crate::parent::{Farewell, Hold, Report};
use crate::presence::{Item, Presence};
use crate::script::Programs;
use crate::sockets::{self, Key, Senders};
use crate::track::{self, ProcessWatch, Reports, TrackReport};
use crate::vmac::Vmacs;
use ek_time::{Duration, Instant};
use netlink::setting::{Changed, Setting};
use netlink::{Change, Client, Event, Interests, Monitor};
use reactor::raw::{Family, Inbox, RawSocket};
use reactor::{Stream, Task, boot_time};
use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::rc::Rc;
use vrrp::track::Kind;
use vrrp::{
    Action, AddressChange, Announcement, Datagram, GroupId, LinkChange, LinkId, Notification, Received,
    Router, RouterId, Subject, TrackId, TrackState,
};

/// What wakes the loop.
#[derive(Debug)]
pub enum Input {
    /// Something was handed to the core: see what it wants done.
    Look,
    /// A link's state has lasted for its delay.
    Settled(LinkId, bool),
    /// A lost route or rule may be put back now.
    Restore(Item),
    /// A signal.
    Signal(i32),
}

/// Everything of the role.
pub struct World {
    /// The core.
    pub router: Router,
    /// The configuration in force.
    pub plan: Plan,
    /// The interfaces.
    pub interfaces: Interfaces,
    /// What notifies.
    pub notifier: Notifier,
    /// The log.
    pub log: Rc<Log>,
    /// Where tasks put what wakes the loop.
    pub inputs: Mailbox<Input>,
    /// Where tracks report.
    pub reports: Reports<TrackId>,
    /// When the process started, by both clocks: to show the core's instants as dates.
    pub started: (Instant, ek_time::WallTime),
    /// The last causes of transitions, by router's name, newest last.
    pub history: HashMap<String, Vec<crate::dump::Transition>>,
    host: String,
    client: Client,
    senders: Senders,
    inbox: Inbox,
    receivers: HashMap<Key, Task<()>>,
    trackers: Vec<Task<()>>,
    scripts_well: HashMap<String, bool>,
    settling: HashMap<LinkId, Task<()>>,
    vmacs: Vmacs,
    filter: Filter,
    track_states: HashMap<TrackId, TrackState>,
    /// Each address that comes or goes is logged.
    pub address_monitoring: bool,
    /// What was set up stays.
    keeping: bool,
    presence: Presence,
    /// The monitor has told all that there is.
    synchronised: bool,
    network: Option<Task<()>>,
    /// Settings of the kernel that were changed.
    settings: Changed,
    /// The plan before the reload that the core is acting on, with its interfaces.
    before: Option<(Plan, Interfaces)>,
    parent: Option<Parent>,
    looking: bool,
    /// It has taken everything away; what still comes is of no interest.
    stopped: bool,
}

struct Parent {
    stream: Stream,
    waiting: Vec<u8>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("router", &self.router).finish_non_exhaustive()
    }
}

/// The longest packet: 255 IPv6 addresses with their header.
const LONGEST: usize = 4_352;
/// How many packets one call receives.
const BATCH: usize = 16;
/// How many transitions of a router are remembered.
const REMEMBERED: usize = 16;

/// All that the kernel says of interfaces now.
fn list(interfaces: &mut Interfaces, client: &mut Client, log: &Log) -> Result<(), netlink::Error> {
    for link in client.run(netlink::link::list())? {
        if let Some((id, usable)) = interfaces.update_link(&link) {
            interfaces.set_usable(id, usable);
        }
    }
    for address in client.run(netlink::address::list(None))? {
        if let Some(id) = interfaces.by_index(address.link) {
            let secondary = address.flags.secondary();
            interfaces.update_address(id, address.local.address, secondary, true);
        }
    }
    let _ = log;
    Ok(())
}

impl World {
    /// Makes everything that is there before the first turn of the loop: interfaces, static addresses, sockets, trackers.
    ///
    /// # Errors
    /// When the kernel refuses to tell about interfaces, or gives no sockets; the text is for the log.
    pub fn new(
        plan: Plan,
        host: &str,
        log: Rc<Log>,
        seed: u64,
        parent: Option<Stream>,
    ) -> Result<Rc<RefCell<Self>>, String> {
        let mut client = Client::open(netlink::Protocol::Route).map_err(|error| error.to_string())?;
        let mut interfaces = plan.interfaces();
        list(&mut interfaces, &mut client, &log).map_err(|error| error.to_string())?;
        let mut vmacs = Vmacs::default();
        let mut filter = Filter::new(&plan.model.global);
        vmacs.create(&plan, &interfaces, &mut client, &mut filter, &log);
        if !vmacs.is_empty() {
            list(&mut interfaces, &mut client, &log).map_err(|error| error.to_string())?;
        }
        let mut senders = Senders::default();
        let of_family = |family| {
            plan.model.instances.iter().any(|instance| {
                instance.family == family
                    || instance.excluded_addresses.iter().any(|address| address.family() == family)
            })
        };
        senders
            .open(
                of_family(keepalived_conf::model::Family::V4),
                of_family(keepalived_conf::model::Family::V6),
            )
            .map_err(|error| format!("Unable to open sockets - {error}"))?;
        let notifier = Notifier::new(&plan, host, &log, None);
        let now = boot_time();
        let started = (now, reactor::wall());
        let mut core = plan.core(&interfaces, now);
        set_file_values(&plan, &mut core, false, &log);
        let router = Router::new(now, seed, core);
        let world = Rc::new(RefCell::new(Self {
            router,
            plan,
            interfaces,
            notifier,
            log,
            inputs: Mailbox::default(),
            reports: Reports::default(),
            started,
            history: HashMap::new(),
            host: host.to_owned(),
            client,
            senders,
            inbox: Inbox::new(BATCH, LONGEST),
            receivers: HashMap::new(),
            trackers: Vec::new(),
            scripts_well: HashMap::new(),
            settling: HashMap::new(),
            vmacs,
            filter,
            track_states: HashMap::new(),
            address_monitoring: false,
            keeping: false,
            presence: Presence::default(),
            synchronised: false,
            network: None,
            settings: Changed::default(),
            before: None,
            parent: parent.map(|stream| Parent { stream, waiting: Vec::new() }),
            looking: false,
            stopped: false,
        }));
        {
            let mut this = world.borrow_mut();
            this.change_settings();
            if let Some(bytes) = this.plan.model.global.vrrp_netlink_command.bytes
                && let Err(error) = this.client.set_receive_buffer(bytes as usize)
            {
                this.log.info(format_args!("vrrp_netlink_cmd_rcv_bufs: {error}"));
            }
            let steps = this.installer().add_static(None);
            this.run_steps(steps);
            this.open_sockets(&world);
            this.start_trackers();
            this.act();
        }
        Ok(world)
    }

    /// Follows the network from now on, beginning with all there is.
    ///
    /// # Errors
    /// Those of opening the monitor; the text is for the log.
    pub fn watch(&mut self, world: &Rc<RefCell<Self>>) -> Result<(), String> {
        let model = &self.plan.model;
        let routes =
            model.instances.iter().any(|one| !one.routes.is_empty()) || !model.static_routes.is_empty();
        let rules = model.instances.iter().any(|one| !one.rules.is_empty()) || !model.static_rules.is_empty();
        // Hosts may have very many routes: they are told of only where they matter.
        let monitor = Monitor::open(Interests { links: true, addresses: true, routes, rules })
            .map_err(|error| error.to_string())?;
        if let Some(bytes) = model.global.vrrp_netlink_monitor.bytes {
            monitor.set_receive_buffer(bytes as usize).map_err(|error| error.to_string())?;
        }
        self.presence = Presence::default();
        self.synchronised = false;
        let watch = watch_network(Rc::downgrade(world), monitor, self.log.clone());
        self.network = Some(reactor::spawn_task(watch));
        Ok(())
    }

    /// What the configuration changes in the kernel's settings: `promote_secondaries`, `disable_local_igmp`.
    fn change_settings(&mut self) {
        let mut wanted = Vec::new();
        if self.plan.model.global.disable_local_igmp {
            wanted.push((
                Setting::new(&["ipv4", "igmp_link_local_mcast_reports"]),
                "0",
                "disable_local_igmp",
            ));
        }
        for (instance, planned) in self.plan.model.instances.iter().zip(&self.plan.routers) {
            if !instance.promote_secondaries {
                continue;
            }
            let mut links = planned.addresses.clone();
            links.extend(planned.base);
            links.sort_unstable_by_key(|link| link.index());
            links.dedup();
            for interface in links.into_iter().filter_map(|link| self.interfaces.get(link)) {
                if interface.index != 0 {
                    let setting = Setting::of_link("ipv4", &interface.name, "promote_secondaries");
                    wanted.push((setting, "1", "promote_secondaries"));
                }
            }
        }
        for (setting, value, what) in wanted {
            if let Err(error) = setting.and_then(|setting| self.settings.set(&setting, value)) {
                self.log.info(format_args!("Unable to set {what} - {error}"));
            }
        }
    }

    fn installer(&self) -> Installer<'_> {
        Installer { plan: &self.plan, interfaces: &self.interfaces }
    }

    /// Wakes the loop, once.
    fn look(&mut self) {
        if !std::mem::replace(&mut self.looking, true) {
            self.inputs.put(Input::Look);
        }
    }

    /// The loop has seen it.
    pub fn looked(&mut self) {
        self.looking = false;
    }

    // Packets

    /// Opens the sockets that are needed and are not there, closes the others.
    fn open_sockets(&mut self, world: &Rc<RefCell<Self>>) {
        let wanted = sockets::wanted(&self.plan, &self.interfaces);
        self.receivers.retain(|key, _| wanted.contains(key));
        for key in wanted {
            if self.receivers.contains_key(&key) {
                continue;
            }
            match sockets::open(&key, &self.interfaces) {
                Ok(socket) => {
                    if self.log.detail() {
                        let family = if key.family == Family::V4 { "IPv4" } else { "IPv6" };
                        let index = key.link.map_or(0, |(_, index)| index);
                        let group = key.group.map_or_else(
                            || "unicast".to_owned(),
                            |group| format!("multicast, address({group})"),
                        );
                        self.log.info(format_args!(
                            "VRRP sockpool: [ifindex({index:3}), family({family}), proto({}), {group}]",
                            key.protocol
                        ));
                    }
                    let task = reactor::spawn_task(receive(Rc::downgrade(world), socket, key));
                    self.receivers.insert(key, task);
                }
                Err(error) => {
                    let name = key.link.and_then(|(link, _)| self.interfaces.get(link));
                    let name = name.map_or("any interface", |interface| interface.name.as_str());
                    self.log.info(format_args!("Unable to open a socket for {name} - {error}"));
                }
            }
        }
    }

    /// Takes what waits in a socket.
    fn drain(&mut self, socket: &RawSocket, key: &Key) {
        let link = key.link.map(|(link, _)| link);
        // Bounded, so that a flood does not keep timers waiting; what is left makes the socket ready again.
        for _ in 0..64 {
            let Ok(count) = socket.try_receive(&mut self.inbox) else { break };
            let now = boot_time();
            for packet in self.inbox.datagrams() {
                let datagram = match (packet.source, packet.destination) {
                    (IpAddr::V4(_), _) => Datagram::V4(packet.bytes),
                    (IpAddr::V6(source), destination) => Datagram::V6 {
                        source,
                        destination: match destination {
                            Some(IpAddr::V6(destination)) => destination,
                            _ => Ipv6Addr::UNSPECIFIED,
                        },
                        hop_limit: packet.hop_limit,
                        payload: packet.bytes,
                    },
                };
                self.router.handle_packet(now, &Received { link, datagram });
            }
            if count < self.inbox.room() {
                break;
            }
        }
        self.look();
    }

    // Interfaces

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
    fn lost_on(&self, link: LinkId, steps: &mut Vec<Step>) -> Vec<IpAddr> {
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
    fn is_untracked(&self, link: LinkId, address: IpAddr) -> bool {
        self.plan.model.instances.iter().zip(&self.plan.routers).any(|(instance, planned)| {
            let addresses = instance.addresses.iter().chain(&instance.excluded_addresses);
            addresses
                .zip(&planned.addresses)
                .any(|(from, on)| from.no_track && *on == link && from.prefix.address == address)
        })
    }

    fn items_changed(&mut self, change: Change, items: &[Item]) {
        if items.is_empty() {
            return;
        }
        if change == Change::Deleted {
            items.iter().for_each(|item| self.restore(*item));
        }
        self.report_presence();
        self.look();
    }

    /// Puts a route or rule of a Master back that somebody has taken away.
    pub fn restore(&mut self, item: Item) {
        let (Item::Route(router, _) | Item::Rule(router, _)) = item else { return };
        if self.stopped || !self.router.status(router).is_some_and(|status| status.addresses_set) {
            return;
        }
        let now = boot_time();
        let installer = Installer { plan: &self.plan, interfaces: &self.interfaces };
        match self.presence.restore(&installer, item, now) {
            Ok(None) => {}
            Ok(Some(step)) => {
                let name = self.plan.instance(router).map_or("", |instance| instance.name.text.as_str());
                match self.client.run(step.operation) {
                    Ok(()) => {
                        let what = step.what;
                        self.log
                            .info(format_args!("({name}) {what} was removed by another program, put back"));
                    }
                    // The news were old.
                    Err(error) if error.is_present() => {}
                    Err(error) => {
                        let what = step.what;
                        self.log
                            .info(format_args!("({name}) {what} is gone and cannot be put back: {error}"));
                    }
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
    fn report_presence(&mut self) {
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
    fn appeared(&mut self, world: &Rc<RefCell<Self>>) {
        self.change_settings();
        self.vmacs.create(&self.plan, &self.interfaces, &mut self.client, &mut self.filter, &self.log);
        let steps = self.installer().add_static(None);
        self.run_steps(steps);
        self.open_sockets(world);
    }

    /// A link is, or is not, usable; that counts when it has lasted for its delay.
    fn settle(&mut self, world: &Rc<RefCell<Self>>, link: LinkId, usable: bool) {
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
        } else if let Some(interface) = self.interfaces.get(link) {
            self.presence.link_down(&self.plan.model, &interface.name);
            self.report_presence();
        }
        let change = if usable { LinkChange::Up } else { LinkChange::Down };
        self.router.handle_link(boot_time(), link, change);
        self.look();
    }

    // Tracks

    fn start_trackers(&mut self) {
        self.trackers.clear();
        while self.reports.take().is_some() {}
        let model = &self.plan.model;
        let used = used_tracks(&self.router);
        let (mut files, mut processes) = (Vec::new(), Vec::new());
        for (position, source) in self.plan.tracks.iter().enumerate() {
            let which = TrackId(position as u32);
            let used = used.contains(&which);
            match *source {
                // The monitor tells of them.
                TrackSource::Interface(_) | TrackSource::Group(_) | TrackSource::Source(_) => {}
                TrackSource::Script(at) => {
                    let Some(script) = model.scripts.get(at) else { continue };
                    let name = script.name.text.as_str();
                    if !used {
                        continue;
                    }
                    let programs = Programs::new(&model.global, &self.log);
                    let Some(program) = programs.prepare(&script.script, &format!("track script {name}"))
                    else {
                        // keepalived takes it out of what is tracked; so does a track that is always well.
                        self.reports.put(TrackReport { which, state: TrackState::Up });
                        continue;
                    };
                    let was_well = self.scripts_well.get(name).copied().unwrap_or(false);
                    let watch = track::watch_script(
                        script.clone(),
                        program,
                        was_well,
                        which,
                        self.reports.clone(),
                        self.log.clone(),
                    );
                    self.trackers.push(reactor::spawn_task(watch));
                }
                TrackSource::Process(at) => {
                    if let (true, Some(process)) = (used, model.processes.get(at)) {
                        processes.push(ProcessWatch::new(which, process.clone()));
                    }
                }
                TrackSource::File(at) => {
                    if let (true, Some(file)) = (used, model.files.get(at)) {
                        let value = match self.router.config().tracks.get(position).map(|track| track.state) {
                            Some(TrackState::Value(value)) => value,
                            _ => 0,
                        };
                        files.push((which, file.clone(), value));
                    }
                }
            }
        }
        if !files.is_empty() {
            let watch = track::watch_files(files, self.reports.clone(), self.log.clone());
            self.trackers.push(reactor::spawn_task(watch));
        }
        if !processes.is_empty() {
            let watch = track::watch_processes(
                processes,
                self.reports.clone(),
                self.plan.model.global.process_monitor.bytes,
                self.log.clone(),
            );
            self.trackers.push(reactor::spawn_task(watch));
        }
    }

    /// Hands the core what tracks reported.
    pub fn take_reports(&mut self) {
        let now = boot_time();
        while let Some(TrackReport { which, state }) = self.reports.take() {
            if let Some(TrackSource::Script(at)) = self.plan.tracks.get(which.index())
                && let Some(script) = self.plan.model.scripts.get(*at)
            {
                self.scripts_well.insert(script.name.text.clone(), state == TrackState::Up);
            }
            self.track_states.insert(which, state);
            self.router.handle_track(now, which, state);
        }
    }

    /// What something tracked last reported, or was at the start.
    pub fn track_state(&self, track: TrackId) -> Option<TrackState> {
        let first = || self.router.config().tracks.get(track.index()).map(|track| track.state);
        self.track_states.get(&track).copied().or_else(first)
    }

    // Reload and stop

    /// Takes another configuration.
    pub fn reload(&mut self, world: &Rc<RefCell<Self>>, plan: Plan) {
        self.take_reports();
        self.act();
        let old_plan = std::mem::replace(&mut self.plan, plan);
        // Before the listing, so that nothing is missed between the two.
        if let Err(error) = self.watch(world) {
            self.log.info(error);
        }
        let mut interfaces = self.plan.interfaces();
        if let Err(error) = list(&mut interfaces, &mut self.client, &self.log) {
            self.log.info(format_args!("Unable to list interfaces - {error}"));
        }
        let old_interfaces = std::mem::replace(&mut self.interfaces, interfaces);
        self.settling.clear();
        self.change_settings();
        self.vmacs.create(&self.plan, &self.interfaces, &mut self.client, &mut self.filter, &self.log);
        if let Err(error) = list(&mut self.interfaces, &mut self.client, &self.log) {
            self.log.info(format_args!("Unable to list interfaces - {error}"));
        }
        let old = Installer { plan: &old_plan, interfaces: &old_interfaces };
        let mut steps = old.remove_static(Some(&self.installer()));
        steps.extend(self.installer().add_static(Some(&old)));
        self.run_steps(steps);
        let now = boot_time();
        let mut core = self.plan.core(&self.interfaces, now);
        set_file_values(&self.plan, &mut core, true, &self.log);
        self.track_states.clear();
        // What the core says of the old configuration's routers comes before `Reloaded`, and is about the old plan.
        self.before = Some((old_plan, old_interfaces));
        self.router.handle_reload(now, core);
        self.open_sockets(world);
        self.start_trackers();
        self.act();
        let plan = &self.plan;
        let planned = |name: &str| plan.links.iter().any(|link| link.vmac.is_some() && link.name == name);
        self.vmacs.remove(|name| !planned(name), &mut self.client, &self.log);
        self.look();
    }

    /// From here on nothing that was set up is taken away.
    pub fn keep_addresses(&mut self) {
        self.keeping = true;
    }

    /// Resigns and takes everything away.
    pub fn stop(&mut self) {
        self.stopped = true;
        self.trackers.clear();
        self.router.handle_shutdown(boot_time());
        self.act();
        self.receivers.clear();
        if !self.keeping {
            let steps = self.installer().remove_static(None);
            self.run_steps(steps);
            self.vmacs.remove(|_| true, &mut self.client, &self.log);
            self.filter.remove(&self.log);
            if let Err(error) = self.settings.restore() {
                self.log.info(format_args!("Unable to set back what was changed - {error}"));
            }
        }
        self.tell(&Report::Ending);
        self.flush_parent();
    }

    // Actions

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
                    remember(&mut self.history, plan, &notification);
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
    }

    fn finish_reload(&mut self, notifications: &mut Vec<(bool, Notification)>) {
        if let Some((plan, _)) = &self.before {
            for (_, notification) in notifications.drain(..) {
                self.notifier.send(plan, &notification);
            }
        }
        let empty = Notifier::empty(&self.log);
        let old = std::mem::replace(&mut self.notifier, empty);
        self.notifier = Notifier::new(&self.plan, &self.host, &self.log, Some(old));
    }

    /// `fifo_write_vrrp_states_on_reload`: the states of all that have not been notified just now.
    fn write_states(&self, sent: &[(bool, Notification)]) {
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

    fn announce(&mut self, announcement: &Announcement) {
        let Some(interface) = self.interfaces.get(announcement.link) else { return };
        let Some(mac) = interface.mac else { return };
        if interface.index == 0 {
            return;
        }
        self.senders.announce(announcement.address, interface.index, mac, forwards_v6(&interface.name));
    }

    /// Runs requests; what is there already, or is gone already, is no failure.
    fn run_steps(&mut self, steps: Vec<Step>) {
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

    // The parent

    /// Says what is held and what no longer, with what is needed to stand in.
    fn report_holds(&mut self, held: &[RouterId], released: &[RouterId]) {
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

    /// Writes what the parent has not been told yet. A parent that is gone needs no telling: the role goes on alone.
    pub fn flush_parent(&mut self) {
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

/// Whether this host forwards IPv6 on an interface, which neighbour advertisements say.
fn forwards_v6(interface: &str) -> bool {
    std::fs::read(format!("/proc/sys/net/ipv6/conf/{interface}/forwarding"))
        .is_ok_and(|value| value.first() == Some(&b'1'))
}

/// The initial values of tracked files, which are known at once; files that are to be made are made.
fn set_file_values(plan: &Plan, core: &mut vrrp::Config, reload: bool, log: &Log) {
    for (source, track) in plan.tracks.iter().zip(&mut core.tracks) {
        if let TrackSource::File(at) = source
            && let Some(file) = plan.model.files.get(*at)
        {
            track::init_file(file, reload, log);
            track.state = TrackState::Value(track::read_value(&file.path).unwrap_or(0));
        }
    }
}

fn used_tracks(router: &Router) -> Vec<TrackId> {
    let config = router.config();
    let of_routers = config.routers.iter().flat_map(|router| &router.tracks);
    let of_groups = config.groups.iter().flat_map(|group| &group.tracks);
    of_routers
        .chain(of_groups)
        .map(|tracking| tracking.track)
        .filter(|track| {
            config.tracks.get(track.index()).is_some_and(|track| !matches!(track.kind, Kind::Interface(_)))
        })
        .collect()
}

fn remember(
    history: &mut HashMap<String, Vec<crate::dump::Transition>>,
    plan: &Plan,
    notification: &Notification,
) {
    if let Notification::State { subject: vrrp::Subject::Router(router), from, to, cause, .. } = notification
        && let Some(instance) = plan.instance(*router)
    {
        let list = history.entry(instance.name.text.clone()).or_default();
        if list.len() >= REMEMBERED {
            list.remove(0);
        }
        list.push(crate::dump::Transition {
            at: reactor::wall(),
            from: *from,
            to: *to,
            cause: cause.clone(),
        });
    }
}

/// Receives for ever from one socket.
async fn receive(world: std::rc::Weak<RefCell<World>>, socket: RawSocket, key: Key) {
    loop {
        socket.readable().await;
        let Some(world) = world.upgrade() else { return };
        world.borrow_mut().drain(&socket, &key);
        // A flood does not keep other tasks waiting.
        reactor::yield_now().await;
    }
}

/// Hands over news of the network for ever; dropping the future ends it.
async fn watch_network(world: std::rc::Weak<RefCell<World>>, mut monitor: Monitor, log: Rc<Log>) {
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
