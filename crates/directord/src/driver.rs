//! The core driven: what happens goes in, what it decides is done.

use crate::notify::Notifier;
use crate::parent::{ENDING, Parent};
use crate::plan::{CheckerPlan, Plan};
use crate::presence::Presence;
use crate::probe::{Prober, Shared, Verdict};
use crate::settings::Settings;
use crate::table::Keeper;
use director::plane::{Change, DataPlane};
use director::{Action, Cause, CheckerId, Director, Event, Hook};
use ek_time::{Duration, Instant};
use netlink::address;
use netlink::{Client, Interests, Monitor, Protocol};
use notice::log::Log;
use notice::mailbox::Mailbox;
use reactor::{Task, boot_time};
use std::cell::RefCell;
use std::rc::{Rc, Weak};

/// What wakes the loop.
#[derive(Debug)]
pub enum Input {
    /// An address came or went, and the core was told.
    Look,
    /// A signal.
    Signal(i32),
}

/// How often connections of servers that drain are counted.
const COUNTS: Duration = Duration::from_secs(1);

/// Everything of the role.
pub struct World {
    /// The core.
    pub director: Director,
    /// The configuration in force.
    pub plan: Plan,
    /// What notifies.
    pub notifier: Notifier,
    /// The kernel's table.
    pub keeper: Keeper,
    /// The log.
    pub log: Rc<Log>,
    /// Where tasks put what wakes the loop.
    pub inputs: Mailbox<Input>,
    /// Where checkers report.
    pub verdicts: Mailbox<(CheckerId, Verdict)>,
    /// When the process started, by both clocks: to show the core's instants as dates.
    pub started: (Instant, ek_time::WallTime),
    /// The parent.
    pub parent: Parent,
    prober: Prober,
    host: String,
    seed: u64,
    presence: Presence,
    network: Option<Task<()>>,
    next_count: Option<Instant>,
    settings: Settings,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("keeper", &self.keeper).finish_non_exhaustive()
    }
}

/// What is notified, in order.
enum Notice {
    Script(Hook, bool),
    Fifo(String),
    Mail(String, String),
}

fn shared(plan: &Plan, log: &Rc<Log>, seed: u64, verdicts: &Mailbox<(CheckerId, Verdict)>) -> Shared {
    Shared {
        log: log.clone(),
        global: Rc::new(plan.model.global.clone()),
        ssl: plan.model.ssl.clone(),
        files: plan.model.files.clone(),
        seed,
        verdicts: verdicts.clone(),
    }
}

impl World {
    /// Brings the kernel's table to what the configuration wants at the start, and begins to check.
    pub fn new(
        plan: Plan,
        plane: Box<dyn DataPlane>,
        host: &str,
        log: Rc<Log>,
        seed: u64,
        parent: Parent,
    ) -> Self {
        let now = boot_time();
        let keeper = Keeper::new(plane, log.clone());
        let verdicts = Mailbox::default();
        let director = Director::new(now, plan.core());
        let prober = Prober::new(shared(&plan, &log, seed, &verdicts));
        let mut world = Self {
            director,
            notifier: Notifier::empty(&log),
            keeper,
            inputs: Mailbox::default(),
            verdicts,
            started: (now, reactor::wall()),
            parent,
            prober,
            host: host.to_owned(),
            seed,
            presence: Presence::default(),
            network: None,
            next_count: None,
            settings: Settings::default(),
            plan,
            log,
        };
        world.settle();
        world.notifier = Notifier::new(&world.plan, host, &world.log, None);
        world.list_addresses();
        let table = world.keeper.first_table(now);
        world.director.adopt(now, &table);
        // Before the actions, which may suspend some.
        for plan in world.plan.checkers.clone() {
            world.prober.start(plan);
        }
        world.act();
        world
    }

    // The network

    /// The addresses that are here now, told to the core without waiting for news.
    fn list_addresses(&mut self) {
        if !self.plan.uses_presence() {
            return;
        }
        let listed = Client::open(Protocol::Route).and_then(|mut client| client.run(address::list(None)));
        match listed {
            Ok(addresses) => {
                for address in addresses {
                    let event = netlink::Event::Address(netlink::Change::Present, address);
                    self.hear_network(&event);
                }
            }
            Err(error) => self.log.info(format_args!("Unable to list addresses - {error}")),
        }
    }

    /// Follows addresses from now on, if they matter.
    pub fn watch(world: &Rc<RefCell<Self>>) {
        let mut this = world.borrow_mut();
        if !this.plan.uses_presence() {
            this.network = None;
            return;
        }
        if this.network.is_some() {
            return;
        }
        let interests = Interests { links: false, addresses: true, routes: false, rules: false };
        match Monitor::open(interests) {
            Ok(monitor) => {
                if let Some(bytes) = this.plan.model.global.lvs_netlink_monitor.bytes
                    && let Err(error) = monitor.set_receive_buffer(bytes as usize)
                {
                    this.log.info(format_args!("lvs_netlink_monitor_rcv_bufs: {error}"));
                }
                let task = watch_network(Rc::downgrade(world), monitor, this.log.clone());
                this.network = Some(reactor::spawn_task(task));
            }
            Err(error) => this.log.info(format_args!("Unable to follow addresses - {error}")),
        }
    }

    fn hear_network(&mut self, event: &netlink::Event) {
        let now = boot_time();
        for (address, present) in self.presence.handle(event) {
            self.director.handle_presence(now, address, present);
        }
    }

    // Checkers

    /// Hands what checkers found to the core.
    pub fn take_verdicts(&mut self) {
        while let Some((checker, verdict)) = self.verdicts.take() {
            self.director.handle_check(boot_time(), checker, &verdict.into());
        }
    }

    // Time

    /// When [`timeout`](Self::timeout) is to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let counts = self.next_count.filter(|_| self.director.is_draining());
        [self.director.poll_timeout(), self.keeper.poll_timeout(), counts].into_iter().flatten().min()
    }

    /// Does what is due.
    pub fn timeout(&mut self) {
        let now = boot_time();
        if self.director.poll_timeout().is_some_and(|due| due <= now) {
            self.director.handle_timeout(now);
        }
        if let Some(look) = self.keeper.look(now) {
            self.act();
            self.director.handle_table(&look.table, &Cause::Presence);
            let changes = self.take_changes();
            self.keeper.repair(changes, look.made_up, now);
        }
        if self.director.is_draining() && self.next_count.is_none_or(|at| at <= now) {
            self.next_count = Some(now + COUNTS);
            if let Ok(statistics) = self.keeper.plane().statistics() {
                self.director.handle_connections(now, &statistics);
            }
        }
    }

    // What the core wants

    /// Does all that the core wants done: changes of the table first and in their order, then notifications.
    pub fn act(&mut self) {
        let now = boot_time();
        let mut changes = Vec::new();
        let mut notices = Vec::new();
        while let Some(action) = self.director.poll_action() {
            match action {
                Action::Change(change, _) => changes.push(change),
                Action::Flush(_) => {
                    self.keeper.apply(&std::mem::take(&mut changes), now);
                    self.keeper.flush(now);
                }
                Action::Event(event) => self.say(&event),
                Action::Script { hook, stopping, .. } => notices.push(Notice::Script(hook, stopping)),
                Action::Fifo(line) => notices.push(Notice::Fifo(line)),
                Action::Mail { subject, body } => notices.push(Notice::Mail(subject, body)),
                Action::Resume(checker) => self.prober.resume(checker),
                Action::Suspend(checker) => self.prober.suspend(checker),
                Action::Reloaded => {
                    // What comes before is of the old configuration, whose scripts are still there.
                    self.keeper.apply(&std::mem::take(&mut changes), now);
                    self.notify(std::mem::take(&mut notices));
                    let old = std::mem::replace(&mut self.notifier, Notifier::empty(&self.log));
                    self.notifier = Notifier::new(&self.plan, &self.host, &self.log, Some(old));
                }
            }
        }
        self.keeper.apply(&changes, now);
        self.notify(notices);
    }

    /// The changes that the core wants and nothing else: of `handle_table` nothing else comes.
    fn take_changes(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        while let Some(action) = self.director.poll_action() {
            if let Action::Change(change, _) = action {
                changes.push(change);
            }
        }
        changes
    }

    fn say(&self, event: &Event) {
        self.log.info(event);
    }

    fn notify(&self, notices: Vec<Notice>) {
        for notice in notices {
            match notice {
                Notice::Script(hook, stopping) => self.notifier.script(hook, stopping),
                Notice::Fifo(line) => self.notifier.fifo(&line),
                Notice::Mail(subject, body) => self.notifier.mail(&subject, &body),
            }
        }
    }

    // What is not about the table

    /// Timeouts and synchronisation, as the configuration says.
    fn settle(&mut self) {
        self.settings.apply(&self.plan.model.global, self.keeper.plane(), &self.log);
    }

    // Reload and stop

    /// Takes another configuration.
    pub fn reload(world: &Rc<RefCell<Self>>, plan: Plan) {
        {
            let mut this = world.borrow_mut();
            this.take_verdicts();
            this.act();
            let old = std::mem::replace(&mut this.plan, plan);
            this.settle();
            let core = this.plan.core();
            this.director.handle_reload(boot_time(), core);
            this.start_checkers(&old);
            this.act();
        }
        Self::watch(world);
    }

    /// Checkers that are the same go on, others start where their predecessor's state says.
    fn start_checkers(&mut self, old: &Plan) {
        let same = |new: &CheckerPlan, before: CheckerId| {
            old.checkers.get(before.index()).is_some_and(|old| old.checker == new.checker)
        };
        let plans = self.plan.checkers.iter().map(|plan| {
            let before = self.director.inherited(plan.id).filter(|before| same(plan, *before));
            let up = self.director.checker(plan.id).map_or(plan.up, |checker| checker.up);
            (CheckerPlan { up, ..plan.clone() }, before)
        });
        let plans = plans.collect();
        let shared = shared(&self.plan, &self.log, self.seed, &self.verdicts);
        self.prober.reload(shared, plans);
    }

    /// Takes everything away, unless it is to stay.
    pub fn stop(&mut self, keep: bool) {
        if !keep {
            self.director.handle_shutdown(boot_time());
            self.act();
        }
        self.settings.restore(self.keeper.plane(), &self.log);
        self.parent.tell(&ENDING);
    }
}

/// Hands over news of addresses for ever; dropping the future ends it.
async fn watch_network(world: Weak<RefCell<World>>, mut monitor: Monitor, log: Rc<Log>) {
    loop {
        match monitor.next().await {
            Ok(event) => {
                let Some(world) = world.upgrade() else { return };
                let mut this = world.borrow_mut();
                this.hear_network(&event);
                while let Ok(Some(event)) = monitor.try_next() {
                    this.hear_network(&event);
                }
                this.inputs.put(Input::Look);
            }
            Err(error) => {
                log.info(format_args!("No more news of addresses - {error}"));
                return;
            }
        }
    }
}
