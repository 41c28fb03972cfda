//! The core driven: what happens goes in, what it decides is done.
//!
//! One [`World`] holds everything. Tasks that wait for something (a socket, the monitor, a tracked script) put what they
//! got into it and wake the loop, which at the end of each turn lets the core act on its timers and does all that has
//! gathered: adverts of one turn leave by one system call, addresses are set with as few as possible.

mod actions;
mod network;
mod tracks;

use crate::firewall::Filter;
use crate::install::Installer;
use crate::interfaces::Interfaces;
use crate::lower::Plan;
use crate::notify::Notifier;
use crate::parent::Report;
use crate::presence::{Item, Presence};
use crate::sockets::{self, Key, Senders};
use crate::sync_daemon::Follower;
use crate::track::Reports;
use crate::vmac::Vmacs;
use ek_time::Instant;
use netlink::setting::{Changed, Setting};
use netlink::{Client, Interests, Monitor};
use notice::log::Log;
use notice::mailbox::Mailbox;
use reactor::raw::{Family, Inbox, RawSocket};
use reactor::{Stream, Task, boot_time};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::rc::Rc;
use vrrp::{Datagram, LinkId, Received, Router, TrackId, TrackState};

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
    /// How often a tracked script could not be run for want of descriptors, processes or memory.
    pub not_run: Rc<Cell<u64>>,
    /// Where tasks put what wakes the loop.
    pub inputs: Mailbox<Input>,
    /// Where tracks report.
    pub reports: Reports<TrackId>,
    /// When the process started, by both clocks: to show the core's instants as dates.
    pub started: (Instant, ek_time::WallTime),
    /// The last causes of transitions of each router, newest last.
    pub history: Vec<Vec<crate::dump::Transition>>,
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
    /// What the parent knows to take away if nobody else does may have changed.
    pub(crate) leaves_changed: bool,
    track_states: HashMap<TrackId, TrackState>,
    /// Synchronisation of IPVS connections.
    pub sync: Follower,
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
/// Room for 255 IPv4 or 120 IPv6 addresses, with all headers.
const USUAL: usize = 2_048;
/// So many addresses fit into [`USUAL`], whatever they are.
const FEW: usize = 120;
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

/// Room for what others may send: a packet with more addresses than ours is bad, and need not be whole.
fn inbox(plan: &Plan) -> Inbox {
    let few = plan.model.instances.iter().all(|instance| instance.addresses.len() <= FEW);
    Inbox::new(BATCH, if few { USUAL } else { LONGEST })
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
        let inbox = inbox(&plan);
        let now = boot_time();
        let started = (now, reactor::wall());
        let mut core = plan.core(&interfaces, now);
        tracks::set_file_values(&plan, &mut core, false, &log);
        let router = Router::new(now, seed, core);
        let world = Rc::new(RefCell::new(Self {
            router,
            plan,
            interfaces,
            notifier,
            log,
            not_run: Rc::default(),
            inputs: Mailbox::default(),
            reports: Reports::default(),
            started,
            history: Vec::new(),
            host: host.to_owned(),
            client,
            senders,
            inbox,
            receivers: HashMap::new(),
            trackers: Vec::new(),
            scripts_well: HashMap::new(),
            settling: HashMap::new(),
            vmacs,
            filter,
            leaves_changed: true,
            track_states: HashMap::new(),
            sync: Follower::default(),
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
        let watch = network::watch_network(Rc::downgrade(world), monitor, self.log.clone());
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

    // Reload and stop

    /// Takes another configuration.
    pub fn reload(&mut self, world: &Rc<RefCell<Self>>, plan: Plan) {
        self.take_reports();
        self.act();
        let old_plan = std::mem::replace(&mut self.plan, plan);
        self.inbox = inbox(&self.plan);
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
        tracks::set_file_values(&self.plan, &mut core, true, &self.log);
        self.track_states.clear();
        // What the core says of the old configuration's routers comes before `Reloaded`, and is about the old plan.
        self.before = Some((old_plan, old_interfaces));
        self.router.handle_reload(now, core);
        if let Err(line) = self.sync.configure(&self.plan, &self.log) {
            self.log.info(line);
        }
        self.open_sockets(world);
        self.start_trackers();
        self.act();
        let plan = &self.plan;
        let planned = |name: &str| plan.links.iter().any(|link| link.vmac.is_some() && link.name == name);
        self.vmacs.remove(|name| !planned(name), &mut self.client, &self.log);
        self.leaves_changed = true;
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
        // First, as keepalived does: what the routers become now is no state to follow.
        self.sync.end(&self.log);
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

    /// Gives back what a start or a reload needed and ordinary work does not.
    pub fn shrink(&mut self) {
        self.router.shrink();
        self.plan.shrink();
        self.senders.shrink();
        if let Some(parent) = &mut self.parent {
            parent.waiting.shrink_to_fit();
        }
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
