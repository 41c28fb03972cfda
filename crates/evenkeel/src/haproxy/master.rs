//! The master: holds the listening sockets, and starts, replaces and restarts the worker that serves them.
//!
//! A worker never owns the only descriptor of a listening socket. When it dies, connections wait in the sockets'
//! queues until the next one, started at once, takes them; when the configuration is read anew, the new worker is
//! given the same sockets and the old one stops only after the new one serves.
//!
//! Before it reads the configuration anew, the master executes the file that its program came from (`succession.rs`), so
//! that a reload brings a new version of the program into service, too.

mod event;
pub(crate) mod process;

use crate::haproxy::arguments::Arguments;
use crate::haproxy::channel::is_ready;
use crate::haproxy::console::{Board, Listed};
use crate::haproxy::plan::Plan;
use crate::haproxy::startup::{self, Loaded};
use crate::haproxy::succession::{Held, HeldWorker, Program, Taken};
use crate::haproxy::{console, handover};
use crate::message::{Messages, reason};
use crate::notify::Notify;
use crate::pidfile::Pidfile;
use crate::version;
use ek_time::Instant;
use event::{Event, Events};
use haproxy_cfg::model::Address;
use process::{Spawned, Worker, described, exit_of};
use proxyd::listeners::{self, Inherited};
use reactor::process::Background;
use reactor::signal::{SIGHUP, SIGINT, SIGTERM, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2, Signals};
use reactor::{Stream, child};
use std::cell::{Cell, RefCell};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::process::{ExitCode, ExitStatus};
use std::rc::Rc;
use std::time::Duration;

const SIGNALS: [i32; 7] = [SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGHUP, SIGTTOU, SIGTTIN];
/// A worker that lived shorter than this died young: the next one is started later.
const YOUNG: Duration = Duration::from_secs(2);
/// The first pause after a young death; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How far a reload has come before the configuration is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Renewal {
    None,
    /// The program that is to take over is asked what it is.
    Probing,
    /// It takes over once nothing is left to be handled.
    Due,
}

/// What the process is on its way to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The first worker is not ready yet.
    Starting,
    Serving,
    /// Everything ends; the exit status then.
    Ending(u8),
}

struct Master<'a> {
    arguments: &'a Arguments,
    messages: Rc<Messages>,
    board: Rc<Board>,
    program: Program,
    /// The master's own sockets.
    consoles: Vec<OwnedFd>,
    addresses: Vec<Address>,
    pidfile: Option<Pidfile>,
    /// Clients that wait to hear how the reload goes.
    asked: Vec<Stream>,
    renewal: Renewal,
    notify: Notify,
    events: Rc<Events>,
    phase: Phase,
    /// The configuration in force and, while it lives, its worker.
    generation: Plan,
    current: Option<Worker>,
    /// A configuration that will be in force when its worker is ready.
    next: Option<(Plan, Worker)>,
    /// Workers that let their last clients finish.
    old: Vec<Worker>,
    /// The pause before the next restart.
    pause: Duration,
    workers: u64,
    /// A reload was asked for before the first worker was ready.
    reload_wanted: bool,
    background: Option<Background>,
}

/// Runs until all workers have ended.
pub(crate) fn run(
    arguments: &Arguments,
    loaded: Loaded,
    messages: Messages,
    background: Option<Background>,
    program: Program,
) -> ExitCode {
    let plan = match handover::bind(arguments, &loaded, &messages) {
        Some(plan) => plan,
        None => return ExitCode::FAILURE,
    };
    let pidfile = match loaded.config.global.pidfile.as_deref().map(Pidfile::write).transpose() {
        Ok(pidfile) => pidfile,
        Err(text) => {
            messages.alert(text);
            return ExitCode::FAILURE;
        }
    };
    let start = Start { program, plan, pidfile, background, consoles: Vec::new(), held: None };
    start.run(arguments, messages)
}

/// Goes on as the master that this process was before it executed the present program, with a reload; what it had is in
/// the memory file of that number.
pub(crate) fn resume(arguments: &Arguments, messages: Messages, number: RawFd) -> ExitCode {
    let Taken { program, plan, consoles, current, old, asked, pidfile, started, reloads, failed, said } =
        match Taken::take(number) {
            Ok(taken) => taken,
            Err(error) => {
                let reason = reason(&error);
                messages.alert(format_args!("[haproxy.main()] What the master handed on is lost: {reason}."));
                return ExitCode::FAILURE;
            }
        };
    messages.go_on(said);
    let pidfile = pidfile.map(Pidfile::adopt);
    let held = Some(Resumed { current, old, asked, started, reloads, failed });
    Start { program, plan, pidfile, background: None, consoles, held }.run(arguments, messages)
}

/// What a master begins with.
struct Start {
    program: Program,
    plan: Plan,
    pidfile: Option<Pidfile>,
    background: Option<Background>,
    /// The master's own sockets, where they listen already.
    consoles: Vec<OwnedFd>,
    /// When this is not the first program of the process.
    held: Option<Resumed>,
}

/// What a master had under its program before.
struct Resumed {
    current: Option<HeldWorker<OwnedFd>>,
    old: Vec<HeldWorker<OwnedFd>>,
    asked: Vec<OwnedFd>,
    started: Instant,
    reloads: u32,
    failed: u32,
}

impl Start {
    fn run(self, arguments: &Arguments, messages: Messages) -> ExitCode {
        let Self { program, plan, pidfile, background, consoles, held } = self;
        let consoles = match console::bind(&arguments.master_sockets, consoles) {
            Ok(consoles) => consoles,
            Err(errors) => {
                errors.iter().for_each(|text| messages.alert(text));
                return ExitCode::FAILURE;
            }
        };
        let messages = Rc::new(messages);
        let board = Board {
            messages: Rc::clone(&messages),
            started: Cell::default(),
            reloads: Cell::default(),
            failed: Cell::default(),
            workers: RefCell::default(),
            environment: RefCell::default(),
        };
        let master = Master {
            arguments,
            messages,
            board: Rc::new(board),
            program,
            consoles: consoles.iter().filter_map(|bound| bound.copy().ok()).collect(),
            addresses: consoles.iter().map(|bound| bound.address.clone()).collect(),
            pidfile,
            asked: Vec::new(),
            renewal: Renewal::None,
            notify: Notify::from_environment(),
            events: Rc::default(),
            phase: Phase::Starting,
            generation: plan,
            current: None,
            next: None,
            old: Vec::new(),
            pause: Duration::ZERO,
            workers: 0,
            reload_wanted: false,
            background,
        };
        let status = reactor::run(reactor::Settings::default(), master.watch(consoles, held)).unwrap_or(1);
        ExitCode::from(status)
    }
}

impl Master<'_> {
    async fn watch(mut self, consoles: Vec<console::Bound>, held: Option<Resumed>) -> u8 {
        self.board.started.set(reactor::now());
        let Ok(signals) = Signals::new(&SIGNALS) else {
            self.messages.alert("[haproxy.main()] Cannot receive signals.");
            return 1;
        };
        let events = Rc::clone(&self.events);
        reactor::spawn(async move {
            while let Ok(received) = signals.next().await {
                events.push(Event::Signal(received.number));
            }
        });
        let events = Rc::clone(&self.events);
        console::start(consoles, &self.board, move |client| events.push(Event::Asked(client)));
        match held {
            Some(held) => self.go_on(held),
            None => match Spawned::start(&self.generation) {
                Ok(worker) => self.current = Some(self.adopt(worker)),
                Err(text) => {
                    self.messages.alert(text);
                    return 1;
                }
            },
        }
        loop {
            self.show();
            let events = Rc::clone(&self.events);
            let event = match events.try_next() {
                Some(event) => event,
                None if self.renewal == Renewal::Due => {
                    self.renew();
                    continue;
                }
                None => events.next().await,
            };
            match event {
                Event::Signal(SIGUSR2 | SIGHUP) => self.reload(),
                Event::Signal(number @ (SIGTERM | SIGINT | SIGUSR1)) => self.end(number),
                Event::Signal(number) => self.pass_on(number),
                Event::Ready(number) => self.ready(number),
                Event::Exited(number, status) => self.exited(number, status),
                Event::Restart => self.restart(),
                Event::Asked(client) => {
                    self.asked.push(client);
                    self.reload();
                }
                Event::Probed(result) => self.probed(result),
            }
            let none_left = self.current.is_none() && self.next.is_none() && self.old.is_empty();
            if let Phase::Ending(status) = self.phase
                && none_left
            {
                self.messages.warning(format_args!("All workers exited. Exiting... ({status})"));
                return status;
            }
        }
    }

    /// Brings what `show proc` shows up to date.
    fn show(&self) {
        let reloads = self.board.reloads.get();
        let listed = |worker: &Worker, old| Listed {
            pid: worker.pid,
            reloads: reloads.saturating_sub(worker.reloads),
            started: worker.started,
            old,
            version: worker.version.clone(),
            channel: Rc::clone(&worker.channel),
        };
        let next = self.next.as_ref().map(|(_, worker)| worker);
        let serving = self.current.iter().chain(next).map(|worker| listed(worker, false));
        let old = self.old.iter().map(|worker| listed(worker, true));
        self.board.workers.replace(serving.chain(old).collect());
        let inputs = &self.generation.inputs;
        self.board.environment.replace(startup::masters_environment(self.arguments, inputs, &self.addresses));
    }

    /// Tells those who asked for the reload how it went.
    fn tell(&mut self, success: bool) {
        for client in self.asked.drain(..) {
            reactor::spawn(console::tell(client, success, self.messages.kept()));
        }
    }

    /// Takes note of a worker that was started.
    fn adopt(&mut self, Spawned { child, channel }: Spawned) -> Worker {
        self.messages.notice(format_args!("New worker ({}) forked", child.pid()));
        self.attend(child, channel, reactor::now(), self.board.reloads.get(), version::compound())
    }

    /// Takes a worker over that was started by the program before this one.
    fn take_over(&mut self, held: HeldWorker<OwnedFd>) -> Option<Worker> {
        let HeldWorker { pid, started, reloads, version, channel } = held;
        match child::Child::adopt(pid).and_then(|child| Ok((child, Stream::from_fd(channel)?))) {
            Ok((child, channel)) => Some(self.attend(child, channel, started, reloads, version)),
            Err(error) => {
                self.messages.alert(format_args!("Worker ({pid}) is lost: {}", reason(&error)));
                None
            }
        }
    }

    /// Waits for what a worker reports, and for its end.
    fn attend(
        &mut self,
        child: child::Child,
        channel: Stream,
        started: Instant,
        reloads: u32,
        version: String,
    ) -> Worker {
        self.workers += 1;
        let (number, pid) = (self.workers, child.pid());
        let (child, channel) = (Rc::new(RefCell::new(child)), Rc::new(channel));
        let (events, watched, reports) = (Rc::clone(&self.events), Rc::clone(&child), Rc::clone(&channel));
        reactor::spawn(async move {
            // In this order, so that one that served and was killed at once is known to have served.
            if is_ready(&reports).await {
                events.push(Event::Ready(number));
            }
            let status = exit_of(&watched).await;
            events.push(Event::Exited(number, status));
        });
        Worker { number, child, pid, started, reloads, version, channel }
    }

    /// Goes on with what the program before this one had, in the middle of a reload.
    fn go_on(&mut self, held: Resumed) {
        let Resumed { current, old, asked, started, reloads, failed } = held;
        self.board.started.set(started);
        self.board.reloads.set(reloads);
        self.board.failed.set(failed);
        self.asked = asked.into_iter().filter_map(|fd| Stream::from_fd(fd).ok()).collect();
        self.current = current.and_then(|worker| self.take_over(worker));
        self.old = old.into_iter().filter_map(|worker| self.take_over(worker)).collect();
        self.phase = Phase::Serving;
        if self.current.is_none() {
            // It was about to be started again.
            self.events.push(Event::Restart);
        }
        self.read_anew();
    }

    fn ready(&mut self, number: u64) {
        if self.next.as_ref().is_some_and(|(_, worker)| worker.number == number) {
            if let Some((generation, worker)) = self.next.take() {
                self.generation = generation;
                if let Some(old) = self.current.replace(worker) {
                    old.signal(SIGUSR1);
                    self.old.push(old);
                }
            }
        } else if self.current.as_ref().is_none_or(|worker| worker.number != number) {
            return;
        }
        if let Phase::Ending(_) = self.phase {
            return;
        }
        self.messages.notice("Loading success.");
        self.notify.ready("Ready.");
        if self.phase == Phase::Serving {
            self.tell(true);
        }
        if self.phase == Phase::Starting {
            self.phase = Phase::Serving;
            handover::release_old(self.arguments);
            if let Some(background) = self.background.take() {
                let _ = reactor::process::detach_stdio();
                let _ = background.ready();
            }
            if std::mem::take(&mut self.reload_wanted) {
                self.reload();
            }
        }
    }

    /// Begins a reload: asks the program that is to take over whether it can.
    fn reload(&mut self) {
        match self.phase {
            Phase::Serving => {}
            Phase::Starting => {
                self.reload_wanted = true;
                return;
            }
            Phase::Ending(_) => {
                self.tell(false);
                return;
            }
        }
        if self.renewal != Renewal::None {
            // The files are read after this, and so for both.
            return;
        }
        self.messages.forget();
        self.board.reloads.set(self.board.reloads.get() + 1);
        self.messages.notice("Reloading HAProxy");
        self.notify.reloading();
        if let Some((_, worker)) = self.next.take() {
            // Overtaken before it was ready.
            worker.signal(SIGTERM);
            self.old.push(worker);
        }
        self.renewal = Renewal::Probing;
        let (program, events) = (self.program.clone(), Rc::clone(&self.events));
        reactor::spawn(async move {
            let result = program.probe().await;
            events.push(Event::Probed(result));
        });
    }

    fn probed(&mut self, result: Result<(), String>) {
        if self.phase != Phase::Serving {
            return;
        }
        match result {
            Ok(()) => self.renewal = Renewal::Due,
            Err(text) => self.reload_failed(&text),
        }
    }

    /// Executes the program anew; what follows is in [`Master::go_on`]. To be called when no event is left.
    fn renew(&mut self) {
        fn held(worker: &Worker) -> HeldWorker<BorrowedFd<'_>> {
            let &Worker { pid, started, reloads, ref version, ref channel, .. } = worker;
            HeldWorker { pid, started, reloads, version: version.clone(), channel: channel.as_fd() }
        }
        let error = self.program.execute(&Held {
            plan: &self.generation,
            consoles: self.consoles.iter().map(AsFd::as_fd).collect(),
            current: self.current.as_ref().map(held),
            old: self.old.iter().map(held).collect(),
            asked: self.asked.iter().map(AsFd::as_fd).collect(),
            pidfile: self.pidfile.as_ref().map(Pidfile::path),
            started: self.board.started.get(),
            reloads: self.board.reloads.get(),
            failed: self.board.failed.get(),
            said: self.messages.kept(),
        });
        self.reload_failed(&error);
    }

    /// Reads the configuration and starts a worker for it; the old one serves until that is ready.
    fn read_anew(&mut self) {
        let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.prepare()));
        match read.unwrap_or_else(|_| Err("internal error while reading the configuration".to_owned())) {
            Ok((generation, child)) => {
                let worker = self.adopt(child);
                self.next = Some((generation, worker));
            }
            Err(text) => self.reload_failed(&text),
        }
    }

    fn prepare(&self) -> Result<(Plan, Spawned), String> {
        let loaded = startup::load(self.arguments, &self.messages)
            .ok_or("the configuration was refused; the worker in place goes on")?;
        if !loaded.listens() {
            return Err("No enabled listener found (check for 'bind' directives)".to_owned());
        }
        startup::warn_of_power(&loaded, &self.messages);
        let held = listeners::hand_on(&self.generation.listeners, &self.generation.stats);
        let held = held.unwrap_or_else(|_| Inherited::new());
        let plan = handover::bind_plan(&loaded, &held, &self.messages)
            .ok_or("[haproxy.main()] Some protocols failed to start their listeners!")?;
        let child = Spawned::start(&plan)?;
        Ok((plan, child))
    }

    fn reload_failed(&mut self, text: &str) {
        self.renewal = Renewal::None;
        self.messages.alert(format_args!("Reload failed: {text}"));
        self.board.failed.set(self.board.failed.get() + 1);
        self.tell(false);
        self.notify.ready("Reload failed!");
    }

    /// Passes the end on to every worker.
    fn end(&mut self, number: i32) {
        if let Phase::Ending(status) = self.phase {
            // Again: a soft stop can be made a hard one.
            self.pass_on(number);
            self.phase = Phase::Ending(status);
            return;
        }
        self.messages.warning("Exiting Master process...");
        self.renewal = Renewal::None;
        self.tell(false);
        self.notify.stopping();
        self.phase = Phase::Ending(if number == SIGINT { 130 } else { 0 });
        self.pass_on(number);
    }

    fn pass_on(&self, number: i32) {
        let next = self.next.as_ref().map(|(_, worker)| worker);
        for worker in self.current.iter().chain(next).chain(&self.old) {
            worker.signal(number);
        }
    }

    fn exited(&mut self, number: u64, status: Option<ExitStatus>) {
        let (code, why) = described(status);
        if let Some(at) = self.old.iter().position(|worker| worker.number == number) {
            let worker = self.old.swap_remove(at);
            let text = format!("Former worker ({}) exited with code {code} ({why})", worker.pid);
            self.messages.warning(text);
        } else if let Some((_, worker)) = self.next.take_if(|(_, worker)| worker.number == number) {
            self.messages.alert(format_args!("New worker ({}) exited with code {code} ({why})", worker.pid));
            self.reload_failed("the new worker could not start; the worker in place goes on");
        } else if let Some(worker) = self.current.take_if(|worker| worker.number == number) {
            let text = format!("Current worker ({}) exited with code {code} ({why})", worker.pid);
            if code == 0 {
                self.messages.warning(text)
            } else {
                self.messages.alert(text)
            }
            match self.phase {
                Phase::Ending(_) => {}
                Phase::Starting => self.phase = Phase::Ending(if code == 0 { 1 } else { code }),
                Phase::Serving => self.plan_restart(&worker),
            }
        }
    }

    /// A worker that served is gone: the next one takes its sockets, at once unless this one died young.
    fn plan_restart(&mut self, gone: &Worker) {
        let young = reactor::now().since(gone.started) < YOUNG;
        let pause = if young { self.pause } else { Duration::ZERO };
        self.pause = if young { (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE) } else { Duration::ZERO };
        if pause.is_zero() {
            self.restart();
            return;
        }
        let events = Rc::clone(&self.events);
        reactor::spawn(async move {
            reactor::sleep_until(reactor::now() + pause).await;
            events.push(Event::Restart);
        });
    }

    fn restart(&mut self) {
        if self.phase != Phase::Serving || self.current.is_some() {
            return;
        }
        match Spawned::start(&self.generation) {
            Ok(child) => self.current = Some(self.adopt(child)),
            Err(text) => {
                self.messages.alert(text);
                let events = Rc::clone(&self.events);
                reactor::spawn(async move {
                    reactor::sleep_until(reactor::now() + LONGEST_PAUSE).await;
                    events.push(Event::Restart);
                });
            }
        }
    }
}
