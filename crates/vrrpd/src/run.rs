//! The role's process: what it is allowed, its loop, its end.

use crate::driver::{Input, World};
use crate::dump;
use crate::lower::Plan;
use crate::parent::Report;
use crate::sync_daemon::Follower;
use ek_time::Duration;
use keepalived_conf::model;
use netlink::Namespace;
use notice::log::{Log, LogOptions};
use notice::schedule::{Lateness, schedule};
use reactor::scheduling::{self, Capability};
use reactor::signal::{SIGHUP, SIGINT, SIGPIPE, SIGTERM, SIGUSR1, SIGUSR2, Signals};
use reactor::{Alarm, Stream, boot_time};
use std::cell::RefCell;
use std::collections::hash_map::RandomState;
use std::future::poll_fn;
use std::hash::BuildHasher;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::task::Poll;

/// Reads the configuration again; `None`: it was not usable, and the old one stays. It has said why.
pub type Reload = Box<dyn FnMut() -> Option<model::Config>>;

/// How the role runs.
pub struct Options {
    /// Where log lines go.
    pub log: LogOptions,
    /// The end of a stream socketpair whose other end the parent has; see [`crate::parent`].
    pub parent: Option<OwnedFd>,
    /// What SIGHUP does.
    pub reload: Option<Reload>,
    /// The process stays as privileged as it is (for tests, and where others share the process).
    pub keep_privileges: bool,
    /// Addresses, routes and rules stay when it ends (`-V`).
    pub keep_addresses: bool,
    /// The configuration is written to the log at the start (`-d`).
    pub dump: bool,
    /// Each address that comes or goes is logged (`-a`).
    pub address_monitoring: bool,
    /// Where the socket is made on which status is asked for; see [`crate::status`].
    pub control: Option<PathBuf>,
}

impl Options {
    /// Nothing but a log.
    pub fn new(log: LogOptions) -> Self {
        Self {
            log,
            parent: None,
            reload: None,
            keep_privileges: false,
            keep_addresses: false,
            dump: false,
            address_monitoring: false,
            control: None,
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("log", &self.log)
            .field("parent", &self.parent)
            .finish_non_exhaustive()
    }
}

/// How the role ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It was told to.
    Stopped,
    /// It could not begin with this configuration on this host; starting it again does not help.
    Config,
    /// It could not go on; starting it again may help.
    Failed,
}

/// Dumps JSON (keepalived's SIGJSON, `SIGRTMIN + 2`).
pub const SIGJSON: i32 = 36;
/// Dumps statistics and clears them (keepalived's SIGSTATS_CLEAR).
pub const SIGSTATS_CLEAR: i32 = 63;

/// The signals that the role takes.
const SIGNALS: [i32; 7] = [SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGJSON, SIGSTATS_CLEAR];

/// How long the end waits for scripts and mail.
const END: Duration = Duration::from_secs(2);

/// Runs the role until it is told to stop.
pub fn run(config: model::Config, options: Options) -> Exit {
    let log = Rc::new(Log::new(options.log.clone()));
    if let Some(namespace) = &config.global.net_namespace
        && let Err(error) = Namespace::named(&namespace.text).and_then(|namespace| namespace.enter())
    {
        log.info(format_args!("Unable to enter network namespace {} - {error}", namespace.text));
        return Exit::Config;
    }
    // Before the reactor's loop: the signals must not end the process meanwhile.
    let signals = match Signals::new(&SIGNALS).and_then(|signals| {
        reactor::signal::ignore(SIGPIPE)?;
        Ok(signals)
    }) {
        Ok(signals) => signals,
        Err(error) => {
            log.info(format_args!("Unable to receive signals - {error}"));
            return Exit::Failed;
        }
    };
    schedule(&config.global.vrrp_process, &log);
    // As many sockets as interfaces may be ready at once; all are looked at before a timer.
    let settings = reactor::Settings { events_per_turn: 1024, tasks_per_turn: 4096, timers_per_turn: 1024 };
    match reactor::run(settings, live(config, options, signals, log.clone())) {
        Ok(exit) => exit,
        Err(error) => {
            log.info(format_args!("Unable to run - {error}"));
            Exit::Failed
        }
    }
}

/// What the role needs while it runs: the network, scripts as other users, and their end.
const KEPT: [Capability; 7] = [
    Capability::NetAdmin,
    Capability::NetRaw,
    Capability::SetUid,
    Capability::SetGid,
    Capability::Kill,
    // Memory that is locked may grow.
    Capability::IpcLock,
    // FIFOs and tracked files may belong to others.
    Capability::DacOverride,
];

fn host_name() -> String {
    nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .unwrap_or_else(|| "localhost".to_owned())
}

/// Interfaces that do not exist though nothing says that they may come later.
fn missing(plan: &Plan) -> Vec<String> {
    if plan.model.global.dynamic_interfaces {
        return Vec::new();
    }
    let exists = |name: &str| nix::net::if_::if_nametoindex(name).is_ok();
    plan.model
        .instances
        .iter()
        .filter_map(|instance| {
            let interface = &instance.interface.as_ref()?.text;
            (!exists(interface)).then(|| {
                format!(
                    "WARNING - interface {interface} for vrrp_instance {} doesn't exist",
                    instance.name.text
                )
            })
        })
        .collect()
}

async fn live(config: model::Config, mut options: Options, signals: Signals, log: Rc<Log>) -> Exit {
    let plan = Plan::new(config);
    let missing = missing(&plan);
    if !missing.is_empty() {
        missing.iter().for_each(|line| log.info(line));
        log.info("Non-existent interface specified in configuration");
        return Exit::Config;
    }
    let sync = match Follower::new(&plan, &log) {
        Ok(sync) => sync,
        Err(line) => {
            log.info(line);
            return Exit::Config;
        }
    };
    let parent = options.parent.take().and_then(|fd| Stream::from_fd(fd).ok());
    let seed =
        plan.model.global.random_seed.map_or_else(|| RandomState::new().hash_one(boot_time()), u64::from);
    let alarm = Alarm::new();
    let host = host_name();
    let world = World::new(plan, &host, log.clone(), seed, parent);
    let (world, alarm) = match (world, alarm) {
        (Ok(world), Ok(alarm)) => (world, alarm),
        (Err(line), _) => {
            log.info(line);
            return Exit::Failed;
        }
        (_, Err(error)) => {
            log.info(error);
            return Exit::Failed;
        }
    };
    world.borrow_mut().address_monitoring = options.address_monitoring;
    world.borrow_mut().sync = sync;
    let control = options.control.take().and_then(|path| match crate::status::listen(&path) {
        Ok(listener) => Some((listener, path)),
        Err(error) => {
            log.info(format_args!("Unable to make control socket {} - {error}", path.display()));
            None
        }
    });
    // After the interfaces were made: it begins with all there is, so nothing is missed.
    if let Err(line) = world.borrow_mut().watch(&world) {
        log.info(line);
        return Exit::Failed;
    }
    let mut kept = KEPT.to_vec();
    let mut lateness = {
        let global = &world.borrow().plan.model.global;
        Lateness::new(global, &global.vrrp_process)
    };
    if lateness.may_rise() {
        kept.push(Capability::SysNice);
    }
    if !options.keep_privileges
        && let Err(error) = scheduling::keep_capabilities(&kept)
    {
        log.info(format_args!("Unable to give up capabilities - {error}"));
    }
    if options.dump {
        dump::log_data(&world.borrow());
    }
    log.info("Startup complete");
    reactor::spawn(watch_signals(world.borrow().inputs.clone(), signals));
    let control = control.map(|(listener, path)| {
        reactor::spawn(crate::status::serve(listener, Rc::downgrade(&world)));
        path
    });
    world.borrow_mut().tell(&Report::Ready);
    trim_later(&world);
    run_loop(&world, &alarm, &mut options, &mut lateness, &log).await;
    log.info("Stopping");
    let notifier = {
        let mut world = world.borrow_mut();
        if options.keep_addresses {
            world.keep_addresses();
        }
        world.stop();
        let empty = crate::notify::Notifier::empty(&log);
        std::mem::replace(&mut world.notifier, empty)
    };
    notifier.finish(END).await;
    if let Some(path) = control {
        // What is left of it does no harm.
        let _ = std::fs::remove_file(path);
    }
    log.info("Stopped");
    log.flush();
    Exit::Stopped
}

/// Turn after turn: wait; let other tasks hand over what came; act.
async fn run_loop(
    world: &Rc<RefCell<World>>,
    alarm: &Alarm,
    options: &mut Options,
    lateness: &mut Lateness,
    log: &Rc<Log>,
) {
    let (inputs, reports) = {
        let world = world.borrow();
        (world.inputs.clone(), world.reports.clone())
    };
    loop {
        {
            let mut world = world.borrow_mut();
            world.act();
            world.flush_parent();
            log.flush();
            if let Err(error) = alarm.set(world.router.poll_timeout()) {
                log.info(format_args!("Unable to set the timer - {error}"));
            }
        }
        poll_fn(|cx| {
            let ready = [alarm.poll_due(cx), inputs.poll_ready(cx), reports.poll_ready(cx)];
            if ready.iter().any(Poll::is_ready) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        // What else came in this turn is handed to the core before its timers: after a pause of this host it thus hears
        // what others said meanwhile before it acts on a timer that ran out.
        reactor::yield_now().await;
        world.borrow_mut().looked();
        while let Some(input) = inputs.take() {
            match input {
                Input::Look => {}
                Input::Restore(item) => world.borrow_mut().restore(item),
                Input::Settled(link, usable) => world.borrow_mut().settled(link, usable),
                Input::Signal(SIGTERM | SIGINT) => return,
                Input::Signal(SIGHUP) => {
                    reload(world, options, lateness, log);
                    // Whatever came of it: the parent waits for that.
                    world.borrow_mut().tell(&Report::Ready);
                }
                Input::Signal(number) => signalled(&mut world.borrow_mut(), number),
            }
        }
        let mut world = world.borrow_mut();
        world.looked();
        world.take_reports();
        let now = boot_time();
        if let Some(due) = world.router.poll_timeout().filter(|due| *due <= now) {
            lateness.late(now.since(due), log);
            world.router.handle_timeout(now);
        }
    }
}

fn reload(world: &Rc<RefCell<World>>, options: &mut Options, lateness: &mut Lateness, log: &Rc<Log>) {
    let Some(reload) = &mut options.reload else {
        log.info("Got SIGHUP, but there is no file to read again");
        return;
    };
    log.info("Reloading");
    let Some(config) = reload() else {
        log.info("The new configuration is not usable, going on with the old one");
        return;
    };
    let plan = Plan::new(config);
    let missing = missing(&plan);
    if !missing.is_empty() {
        missing.iter().for_each(|line| log.info(line));
        log.info("Non-existent interface specified in configuration, going on with the old one");
        return;
    }
    let global = plan.model.global.clone();
    let before = world.borrow().plan.model.global.vrrp_process.clone();
    world.borrow_mut().reload(world, plan);
    if before != global.vrrp_process {
        if global.vrrp_process.realtime.is_none() {
            // Always allowed.
            let _ = scheduling::set_ordinary();
        }
        // What the process has given up the right to do is said, and comes with the next start.
        schedule(&global.vrrp_process, log);
    }
    lateness.follow(&global, &global.vrrp_process);
    trim_later(world);
}

/// Once a start or reload and the elections after it are over, what they needed is given back.
fn trim_later(world: &Rc<RefCell<World>>) {
    // Past the second announcements of addresses, five seconds after the first.
    let until = reactor::now() + Duration::from_secs(10);
    let world = Rc::downgrade(world);
    reactor::spawn(async move {
        reactor::sleep_until(until).await;
        if let Some(world) = world.upgrade() {
            world.borrow_mut().shrink();
        }
        reactor::process::trim_heap();
    });
}

fn signalled(world: &mut World, number: i32) {
    let pid = std::process::id();
    let what = match number {
        SIGUSR1 => "data",
        SIGUSR2 | SIGSTATS_CLEAR => "stats",
        SIGJSON => "as json",
        _ => return,
    };
    world.log.info(format_args!("Printing VRRP {what} for process({pid}) on signal"));
    let result = match number {
        SIGUSR1 => dump::write_data(world),
        SIGJSON => dump::write_json(world),
        _ => dump::write_stats(world),
    };
    if let Err(error) = result {
        world.log.info(format_args!("Can't write VRRP {what} - {error}"));
    }
    if number == SIGSTATS_CLEAR {
        world.router.clear_counters();
    }
}

async fn watch_signals(inputs: notice::mailbox::Mailbox<Input>, signals: Signals) {
    while let Ok(received) = signals.next().await {
        inputs.put(Input::Signal(received.number));
    }
}
