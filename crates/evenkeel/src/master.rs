//! The master: holds the listening sockets, and starts, replaces and restarts the worker that serves them.
//!
//! A worker never owns the only descriptor of a listening socket. When it dies, connections wait in the sockets'
//! queues until the next one, started at once, takes them; when the configuration is read anew, the new worker is
//! given the same sockets and the old one stops only after the new one serves.

use crate::arguments::Arguments;
use crate::console::{Board, Listed, Outcome};
use crate::message::{Messages, reason};
use crate::notify::Notify;
use crate::pidfile::Pidfile;
use crate::plan::Plan;
use crate::startup::{self, Loaded, ROLE};
use crate::{console, handover, worker};
use ek_time::Instant;
use proxyd::listeners::{self, Inherited};
use reactor::Stream;
use reactor::child::{self, SpawnOptions};
use reactor::process::Background;
use reactor::signal::{SIGHUP, SIGINT, SIGTERM, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2, Signals};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

const SIGNALS: [i32; 7] = [SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGHUP, SIGTTOU, SIGTTIN];
/// A worker that lived shorter than this died young: the next one is started later.
const YOUNG: Duration = Duration::from_secs(2);
/// The first pause after a young death; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A configuration and the sockets it listens on.
struct Generation {
    loaded: Loaded,
    plan: Plan,
}

/// A worker process.
struct Worker {
    number: u64,
    child: Rc<RefCell<child::Child>>,
    pid: u32,
    started: Instant,
    /// Reloads there had been when it was started.
    reloads: u32,
}

/// A worker process that was just started, and the socket it reports on.
struct Spawned {
    child: child::Child,
    channel: Stream,
}

enum Event {
    Signal(i32),
    Ready(u64),
    Exited(u64, Option<ExitStatus>),
    Restart,
    /// A client of the master's socket wants the configuration read anew.
    Asked(Rc<Outcome>),
}

/// What happened and was not handled yet.
#[derive(Default)]
struct Events {
    queue: RefCell<VecDeque<Event>>,
    waker: Cell<Option<Waker>>,
}

impl Events {
    fn push(&self, event: Event) {
        self.queue.borrow_mut().push_back(event);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    async fn next(&self) -> Event {
        std::future::poll_fn(|cx| match self.queue.borrow_mut().pop_front() {
            Some(event) => Poll::Ready(event),
            None => {
                self.waker.set(Some(cx.waker().clone()));
                Poll::Pending
            }
        })
        .await
    }
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
    /// Clients that wait to hear how the reload goes.
    asked: Vec<Rc<Outcome>>,
    notify: Notify,
    events: Rc<Events>,
    phase: Phase,
    /// The configuration in force and, while it lives, its worker.
    generation: Generation,
    current: Option<Worker>,
    /// A configuration that will be in force when its worker is ready.
    next: Option<(Generation, Worker)>,
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
    let consoles = match console::bind(&arguments.master_sockets) {
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
    };
    let master = Master {
        arguments,
        messages,
        board: Rc::new(board),
        asked: Vec::new(),
        notify: Notify::from_environment(),
        events: Rc::default(),
        phase: Phase::Starting,
        generation: Generation { loaded, plan },
        current: None,
        next: None,
        old: Vec::new(),
        pause: Duration::ZERO,
        workers: 0,
        reload_wanted: false,
        background,
    };
    let status = reactor::run(reactor::Settings::default(), master.watch(consoles)).unwrap_or(1);
    drop(pidfile);
    ExitCode::from(status)
}

impl Master<'_> {
    async fn watch(mut self, consoles: Vec<console::Bound>) -> u8 {
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
        console::start(consoles, &self.board, move |outcome| events.push(Event::Asked(outcome)));
        match self.spawn(&self.generation.plan) {
            Ok(worker) => self.current = Some(self.adopt(worker)),
            Err(text) => {
                self.messages.alert(text);
                return 1;
            }
        }
        loop {
            self.show();
            let events = Rc::clone(&self.events);
            match events.next().await {
                Event::Signal(SIGUSR2 | SIGHUP) => self.reload(),
                Event::Signal(number @ (SIGTERM | SIGINT | SIGUSR1)) => self.end(number),
                Event::Signal(number) => self.pass_on(number),
                Event::Ready(number) => self.ready(number),
                Event::Exited(number, status) => self.exited(number, status),
                Event::Restart => self.restart(),
                Event::Asked(outcome) => {
                    self.asked.push(outcome);
                    self.reload();
                }
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
        };
        let next = self.next.as_ref().map(|(_, worker)| worker);
        let serving = self.current.iter().chain(next).map(|worker| listed(worker, false));
        let old = self.old.iter().map(|worker| listed(worker, true));
        self.board.workers.replace(serving.chain(old).collect());
    }

    /// Tells those who asked for the reload how it went.
    fn tell(&mut self, success: bool) {
        for outcome in self.asked.drain(..) {
            outcome.tell(success, self.messages.kept());
        }
    }

    /// Starts a worker and gives it `plan`.
    fn spawn(&self, plan: &Plan) -> Result<Spawned, String> {
        let failed = |error: std::io::Error| format!("[haproxy.main()] Cannot fork: {}.", reason(&error));
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        let mut words = std::env::args_os();
        let mut command = Command::new("/proc/self/exe");
        command.arg0(words.next().unwrap_or_else(|| "haproxy".into())).args(words);
        command.env(ROLE, "worker").stdin(Stdio::from(OwnedFd::from(theirs)));
        let child = child::spawn(&mut command, &SpawnOptions::default()).map_err(failed)?;
        drop(command);
        plan.send(&ours).map_err(failed)?;
        ours.set_nonblocking(true).map_err(failed)?;
        let channel = Stream::from_fd(OwnedFd::from(ours)).map_err(failed)?;
        Ok(Spawned { child, channel })
    }

    /// Takes note of a worker that was started.
    fn adopt(&mut self, Spawned { child, channel }: Spawned) -> Worker {
        self.workers += 1;
        let (number, pid) = (self.workers, child.pid());
        self.messages.notice(format_args!("New worker ({pid}) forked"));
        let child = Rc::new(RefCell::new(child));
        let (events, watched) = (Rc::clone(&self.events), Rc::clone(&child));
        reactor::spawn(async move {
            // In this order, so that one that served and was killed at once is known to have served.
            if is_ready(&channel).await {
                events.push(Event::Ready(number));
            }
            let status = exit_of(&watched).await;
            events.push(Event::Exited(number, status));
        });
        Worker { number, child, pid, started: reactor::now(), reloads: self.board.reloads.get() }
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

    /// Reads the configuration anew and starts a worker for it; the old one serves until that is ready.
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
        self.messages.forget();
        self.board.reloads.set(self.board.reloads.get() + 1);
        self.messages.notice("Reloading HAProxy");
        self.notify.reloading();
        if let Some((_, worker)) = self.next.take() {
            // Overtaken before it was ready.
            worker.signal(SIGTERM);
            self.old.push(worker);
        }
        let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.prepare()));
        match read.unwrap_or_else(|_| Err("internal error while reading the configuration".to_owned())) {
            Ok((generation, child)) => {
                let worker = self.adopt(child);
                self.next = Some((generation, worker));
            }
            Err(text) => self.reload_failed(&text),
        }
    }

    fn prepare(&self) -> Result<(Generation, Spawned), String> {
        let loaded = startup::load(self.arguments, &self.messages)
            .ok_or("the configuration was refused; the worker in place goes on")?;
        if !loaded.listens() {
            return Err("No enabled listener found (check for 'bind' directives)".to_owned());
        }
        startup::warn_of_power(&loaded, &self.messages);
        let now = &self.generation;
        let held = listeners::hand_on(&now.loaded.config, &now.plan.listeners, &now.plan.stats);
        let held = held.unwrap_or_else(|_| Inherited::new());
        let plan = handover::bind_plan(&loaded, &held, &self.messages)
            .ok_or("[haproxy.main()] Some protocols failed to start their listeners!")?;
        let child = self.spawn(&plan)?;
        Ok((Generation { loaded, plan }, child))
    }

    fn reload_failed(&mut self, text: &str) {
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
        match self.spawn(&self.generation.plan) {
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

impl Worker {
    fn signal(&self, number: i32) {
        // One that has just exited is reported by its exit.
        let _ = self.child.borrow().kill(number);
    }
}

/// Whether the worker at the other end says that it serves; not when it ends before.
async fn is_ready(channel: &Stream) -> bool {
    let (mut text, mut buffer) = (Vec::new(), [0; 64]);
    while !text.ends_with(worker::READY) {
        match channel.try_read(&mut buffer) {
            Ok(0) => return false,
            Ok(read) => text.extend_from_slice(buffer.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => channel.readable().await,
            Err(_) => return false,
        }
    }
    true
}

/// Waits for a child's end without keeping it borrowed meanwhile.
async fn exit_of(child: &RefCell<child::Child>) -> Option<ExitStatus> {
    std::future::poll_fn(|cx| {
        let mut child = child.borrow_mut();
        let exited = std::pin::pin!(child.exited());
        exited.poll(cx)
    })
    .await
    .ok()
}

/// The exit code as a shell counts it, and its name.
fn described(status: Option<ExitStatus>) -> (u8, String) {
    let Some(status) = status else { return (1, "unknown".to_owned()) };
    match (status.code(), status.signal()) {
        (Some(code), _) => (u8::try_from(code & 0xff).unwrap_or(1), "Exit".to_owned()),
        (None, Some(number)) => (u8::try_from(128 + number).unwrap_or(255), signal_name(number).to_owned()),
        (None, None) => (1, "unknown".to_owned()),
    }
}

/// `strsignal()`'s words for the signals that end processes.
fn signal_name(number: i32) -> &'static str {
    match number {
        1 => "Hangup",
        2 => "Interrupt",
        3 => "Quit",
        4 => "Illegal instruction",
        6 => "Aborted",
        7 => "Bus error",
        8 => "Floating point exception",
        9 => "Killed",
        11 => "Segmentation fault",
        13 => "Broken pipe",
        14 => "Alarm clock",
        15 => "Terminated",
        24 => "CPU time limit exceeded",
        31 => "Bad system call",
        _ => "Signal",
    }
}
