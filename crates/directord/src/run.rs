//! The role's process: what it is allowed, its loop, its end.

use crate::driver::{Input, World};
use crate::dry::DryRun;
use crate::dump;
use crate::kernel::LazyKernel;
use crate::notify::Notifier;
use crate::parent::{Parent, READY};
use crate::plan::Plan;
use director::plane::{DataPlane, Table};
use ek_time::Duration;
use keepalived_conf::model;
use netlink::Namespace;
use notice::log::{Log, LogOptions};
use notice::schedule::{Lateness, schedule};
use reactor::scheduling::{self, Capability};
use reactor::signal::{SIGHUP, SIGINT, SIGPIPE, SIGTERM, SIGUSR1, Signals};
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
    /// The kernel's table stays when it ends (`-I`).
    pub keep_services: bool,
    /// The configuration is written to the log at the start (`-d`).
    pub dump: bool,
    /// Changes nothing in the kernel, and logs what it would change (`--dry-run`).
    pub dry_run: bool,
    /// Where the socket is made on which status is asked for; see [`crate::status`].
    pub control: Option<PathBuf>,
    /// Keeps the table in place of the kernel (for tests).
    pub plane: Option<Box<dyn DataPlane>>,
}

impl Options {
    /// Nothing but a log.
    pub fn new(log: LogOptions) -> Self {
        Self {
            log,
            parent: None,
            reload: None,
            keep_privileges: false,
            keep_services: false,
            dump: false,
            dry_run: false,
            control: None,
            plane: None,
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

/// The signals that the role takes.
const SIGNALS: [i32; 4] = [SIGHUP, SIGINT, SIGTERM, SIGUSR1];

/// How long the end waits for scripts and mail.
const END: Duration = Duration::from_secs(2);

/// What the role needs while it runs: the table and raw sockets of checks, low ports to check from, scripts as other users
/// and their end, FIFOs and files that belong to others.
const KEPT: [Capability; 8] = [
    Capability::NetAdmin,
    Capability::NetRaw,
    Capability::NetBindService,
    Capability::SetUid,
    Capability::SetGid,
    Capability::Kill,
    // Memory that is locked may grow.
    Capability::IpcLock,
    Capability::DacOverride,
];

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
    schedule(&config.global.checker_process, &log);
    let settings = reactor::Settings { events_per_turn: 1024, tasks_per_turn: 4096, timers_per_turn: 1024 };
    match reactor::run(settings, live(config, options, signals, log.clone())) {
        Ok(exit) => exit,
        Err(error) => {
            log.info(format_args!("Unable to run - {error}"));
            Exit::Failed
        }
    }
}

fn host_name() -> String {
    nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .unwrap_or_else(|| "localhost".to_owned())
}

/// Who keeps the table.
fn plane(config: &model::Config, options: &mut Options, log: &Rc<Log>) -> Box<dyn DataPlane> {
    let namespace = config.global.net_namespace_ipvs.as_ref().map(|name| name.text.clone());
    let mut plane = options.plane.take().unwrap_or_else(|| Box::new(LazyKernel::new(namespace)));
    if !options.dry_run {
        return plane;
    }
    let table = plane.table().unwrap_or_else(|error| {
        log.info(format_args!("dry run: the kernel's table cannot be read, beginning with none - {error}"));
        Table::new()
    });
    Box::new(DryRun::new(table, log.clone()))
}

async fn live(config: model::Config, mut options: Options, signals: Signals, log: Rc<Log>) -> Exit {
    log.info("Initializing ipvs");
    let plane = plane(&config, &mut options, &log);
    let plan = Plan::new(config);
    let parent = Parent::new(options.parent.take().and_then(|fd| Stream::from_fd(fd).ok()));
    let seed =
        plan.model.global.random_seed.map_or_else(|| RandomState::new().hash_one(boot_time()), u64::from);
    let alarm = match Alarm::new() {
        Ok(alarm) => alarm,
        Err(error) => {
            log.info(error);
            return Exit::Failed;
        }
    };
    let world = World::new(plan, plane, &host_name(), log.clone(), seed, parent);
    let world = Rc::new(RefCell::new(world));
    World::watch(&world);
    let control = options.control.take().and_then(|path| match crate::status::listen(&path) {
        Ok(listener) => Some((listener, path)),
        Err(error) => {
            log.info(format_args!("Unable to make control socket {} - {error}", path.display()));
            None
        }
    });
    let mut kept = KEPT.to_vec();
    let mut lateness = {
        let global = &world.borrow().plan.model.global;
        Lateness::new(global, &global.checker_process)
    };
    if lateness.may_rise() {
        kept.push(Capability::SysNice);
    }
    if world.borrow().plan.model.global.net_namespace_ipvs.is_some() {
        // To open the kernel's table there again.
        kept.push(Capability::SysAdmin);
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
    world.borrow_mut().parent.tell(&READY);
    trim_later();
    run_loop(&world, &alarm, &mut options, &mut lateness, &log).await;
    log.info("Stopping");
    let notifier = {
        let mut world = world.borrow_mut();
        world.stop(options.keep_services);
        let empty = Notifier::empty(&log);
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
    let (inputs, verdicts) = {
        let world = world.borrow();
        (world.inputs.clone(), world.verdicts.clone())
    };
    loop {
        {
            let mut world = world.borrow_mut();
            world.act();
            world.parent.flush();
            log.flush();
            if let Err(error) = alarm.set(world.poll_timeout()) {
                log.info(format_args!("Unable to set the timer - {error}"));
            }
        }
        poll_fn(|cx| {
            let ready = [alarm.poll_due(cx), inputs.poll_ready(cx), verdicts.poll_ready(cx)];
            if ready.iter().any(Poll::is_ready) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        // What else came in this turn is handed to the core before its timers.
        reactor::yield_now().await;
        while let Some(input) = inputs.take() {
            match input {
                Input::Look => {}
                Input::Signal(SIGTERM | SIGINT) => return,
                Input::Signal(SIGHUP) => {
                    reload(world, options, lateness, log);
                    // Whatever came of it: the parent waits for that.
                    world.borrow_mut().parent.tell(&READY);
                }
                Input::Signal(SIGUSR1) => {
                    let world = world.borrow();
                    log.info(format_args!(
                        "Printing checker data for process({}) on signal",
                        std::process::id()
                    ));
                    if let Err(error) = dump::write_data(&world) {
                        log.info(format_args!("Can't write checker data - {error}"));
                    }
                }
                Input::Signal(_) => {}
            }
        }
        let mut world = world.borrow_mut();
        world.take_verdicts();
        let now = boot_time();
        if let Some(due) = world.poll_timeout().filter(|due| *due <= now) {
            lateness.late(now.since(due), log);
            world.timeout();
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
    log.info("Reinitializing ipvs");
    let before = world.borrow().plan.model.global.checker_process.clone();
    World::reload(world, Plan::new(config));
    let global = world.borrow().plan.model.global.clone();
    if before != global.checker_process {
        if global.checker_process.realtime.is_none() {
            // Always allowed.
            let _ = scheduling::set_ordinary();
        }
        // What the process has given up the right to do is said, and comes with the next start.
        schedule(&global.checker_process, log);
    }
    lateness.follow(&global, &global.checker_process);
    trim_later();
}

/// Once a start or reload is over, what it needed is given back.
fn trim_later() {
    let until = reactor::now() + Duration::from_secs(10);
    reactor::spawn(async move {
        reactor::sleep_until(until).await;
        reactor::process::trim_heap();
    });
}

async fn watch_signals(inputs: notice::mailbox::Mailbox<Input>, signals: Signals) {
    while let Ok(received) = signals.next().await {
        inputs.put(Input::Signal(received.number));
    }
}

#[cfg(test)]
mod tests;
