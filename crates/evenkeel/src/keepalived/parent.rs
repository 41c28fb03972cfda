//! The parent: reads the configuration, starts a process for each part of it, watches them, passes signals on, and stands
//! in for one that dies.

mod child;
mod marker;
mod watch;

use super::arguments::Arguments;
use super::part::Part;
use super::pids::{self, PidFile, Places};
use super::reading::{Kept, Reading};
use super::{Exit, help, journal, role};
use crate::message::reason;
use crate::notify::Notify;
use ek_time::Duration;
use keepalived_conf::model::OnceScript;
use marker::Marker;
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use nix::sys::time::TimeValLike as _;
use notice::dump;
use notice::log::Log;
use notice::script::Programs;
use reactor::child::Process;
use reactor::process::{self, Background};
use reactor::signal::{SIGHUP, SIGINT, SIGKILL, SIGPIPE, SIGTERM, SIGUSR1, SIGUSR2, Signals};
use reactor::{Timer, scheduling};
use std::future::poll_fn;
use std::io::{ErrorKind, Write as _};
use std::task::{Context, Poll};
use vrrpd::{SIGJSON, SIGSTATS_CLEAR};
use watch::{News, Watch};

const SIGNALS: [i32; 7] = [SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGJSON, SIGSTATS_CLEAR];

/// A process that has run for so long is not in a loop of deaths.
const STEADY: Duration = Duration::from_secs(60);
/// After so long, a start or reload and what followed it are over.
const SETTLED: Duration = Duration::from_secs(10);
/// The longest pause before it is started again.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Runs until it is told to stop.
pub(super) fn run(program: &str, mut arguments: Arguments) -> Exit {
    process::keep_heap_small();
    if !arguments.foreground {
        // The process leaves its directory.
        arguments.file = arguments.directory.join(&arguments.file);
    }
    role::name_process(None);
    if arguments.core_dump {
        let most = getrlimit(Resource::RLIMIT_CORE).map_or(0, |(_, hard)| hard);
        if let Err(error) = setrlimit(Resource::RLIMIT_CORE, most, most) {
            eprintln!("Unable to allow core files - {error}");
        }
    }
    let log = Log::new(journal::options(&arguments, None, ""));
    log.info(format_args!("Starting {}", help::name()));
    log.info(format_args!("Running on {}", help::system()));
    let words: Vec<_> = std::env::args().map(|word| format!("'{word}'")).collect();
    log.info(format_args!("Command line: {}", words.join(" ")));
    let end = |log: &Log, exit: Exit| {
        log.info(format_args!("Stopped {}", help::name()));
        log.flush();
        exit
    };
    let reading = match Reading::of_files(&arguments) {
        Ok(reading) => reading,
        Err(line) => {
            log.info(line);
            return end(&log, Exit::Configuration);
        }
    };
    journal::write(&log, &reading.lines);
    if reading.refused {
        if !(arguments.console && arguments.foreground) {
            // Who started it should not have to look for a log.
            let _ =
                writeln!(std::io::stderr(), "{program}: {}", reading.lines.join(&format!("\n{program}: ")));
        }
        let exit = if reading.is_missing() { Exit::Missing } else { Exit::Configuration };
        return end(&log, exit);
    }
    log.info(format_args!("Configuration file {}", arguments.file.display()));
    let places = Places::of(&arguments, &reading.config.global);
    if pids::running_parent(&places.parent).is_some() {
        log.info("daemon is already running");
        log.flush();
        return Exit::Done;
    }
    let log_again = journal::options(&arguments, None, &pids::suffix(&reading.config.global));
    drop(log);
    let background = if arguments.foreground { Ok(None) } else { process::daemonize().map(Some) };
    // With this process's number.
    let log = Log::new(log_again);
    let background = match background {
        Ok(background) => background,
        Err(error) => {
            log.info(format_args!("Unable to go into the background - {}", reason(&error)));
            return end(&log, Exit::Failed);
        }
    };
    if let Some(name) = &reading.config.global.process_name {
        role::name_process(Some(name));
    }
    if let Some(mask) = reading.config.global.umask {
        scheduling::set_file_mask(mask);
    }
    let reading = match reading.keep() {
        Ok(reading) => reading,
        Err(error) => {
            log.info(format_args!("Unable to keep the configuration - {}", reason(&error)));
            return end(&log, Exit::Failed);
        }
    };
    let parent = Parent {
        arguments,
        reading,
        places,
        log,
        notify: Notify::from_environment(),
        background,
        watches: Part::ALL.map(Watch::new),
        told: false,
        trim: Timer::new(),
    };
    let signals = Signals::new(&SIGNALS).and_then(|signals| {
        reactor::signal::ignore(SIGPIPE)?;
        Ok(signals)
    });
    let exit = signals.and_then(|signals| reactor::run(reactor::Settings::default(), parent.live(&signals)));
    exit.unwrap_or_else(|error| {
        eprintln!("{program}: {}", reason(&error));
        Exit::Failed
    })
}

/// The parent while it runs.
struct Parent {
    arguments: Arguments,
    /// The configuration in force, for the next process.
    reading: Kept,
    places: Places,
    log: Log,
    notify: Notify,
    /// Who started this process waits for it to be ready.
    background: Option<Background>,
    watches: [Watch; Part::ALL.len()],
    /// The service manager knows how things stand.
    told: bool,
    /// When memory is given back.
    trim: Timer,
}

/// What happens to the parent.
enum Event {
    Signal(i32),
    /// Something to a part, by its place among the watches.
    Part(usize, News),
    /// A start or reload is over.
    Settled,
}

fn poll_signal(cx: &mut Context<'_>, signals: &Signals) -> Poll<i32> {
    loop {
        match signals.try_next() {
            Ok(received) => return Poll::Ready(received.number),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                std::task::ready!(signals.poll_readable(cx));
            }
            // Nothing but the want of memory, which is over by the next time.
            Err(_) => return Poll::Pending,
        }
    }
}

impl Parent {
    async fn live(mut self, signals: &Signals) -> Exit {
        let _pid_file = match PidFile::write(&self.places.parent, std::process::id()) {
            Ok(file) => file,
            Err(error) => {
                let path = self.places.parent.display();
                self.log.info(format_args!("Cannot open {path} pidfile - {}", reason(&error)));
                return self.ended(Exit::Failed);
            }
        };
        for part in Part::ALL {
            self.end_orphan(part).await;
        }
        let script = self.reading.config.global.startup_script.clone();
        self.run_once(script, "startup").await;
        for part in Part::ALL {
            if let Some(line) = part.left_alone(self.arguments.roles, &self.reading.config) {
                self.log.info(line);
            }
        }
        if let Err(exit) = self.start_wanted() {
            return self.stop(exit).await;
        }
        self.tell();
        loop {
            self.log.flush();
            match self.next(signals).await {
                Event::Signal(SIGTERM | SIGINT) => return self.stop(Exit::Done).await,
                Event::Signal(SIGHUP) => {
                    if let Err(exit) = self.reload() {
                        return self.stop(exit).await;
                    }
                }
                Event::Signal(number) => self.pass_on(number),
                Event::Settled => self.shrink(),
                Event::Part(at, news) => {
                    if let Some(exit) = self.heard(at, &news) {
                        return self.stop(exit).await;
                    }
                }
            }
        }
    }

    async fn next(&mut self, signals: &Signals) -> Event {
        poll_fn(|cx| self.poll_next(cx, signals)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, signals: &Signals) -> Poll<Event> {
        // First: a service manager may tell all processes to stop, and one that obeys has not died by surprise.
        if let Poll::Ready(number) = poll_signal(cx, signals) {
            return Poll::Ready(Event::Signal(number));
        }
        if self.trim.poll_expired(cx).is_ready() {
            self.trim.set(None);
            return Poll::Ready(Event::Settled);
        }
        for (at, watch) in self.watches.iter_mut().enumerate() {
            if let Poll::Ready(news) = watch.poll_news(cx) {
                return Poll::Ready(Event::Part(at, news));
            }
        }
        Poll::Pending
    }

    /// A process whose parent died goes on serving: it is ended before there is another.
    async fn end_orphan(&self, part: Part) {
        let path = self.places.of_part(part);
        let Some(pid) = pids::running_child(part, path) else { return };
        let Ok(process) = Process::open(pid) else { return };
        // The number may have been given away between the two looks, not after them.
        if pids::running_child(part, path) != Some(pid) {
            return;
        }
        self.log.info(format_args!("Ending {} process {pid}, whose parent has died", part.title()));
        // In all order it would take its virtual servers away; the next one goes on with them.
        let adopted = part == Part::Director && part.is_wanted(self.arguments.roles, &self.reading.config);
        let first = if adopted { SIGKILL } else { SIGTERM };
        for number in [first, SIGKILL] {
            let until = reactor::now() + self.reading.config.global.child_wait_time;
            if process.kill(number).is_err() || reactor::timeout_at(until, process.exited()).await.is_ok() {
                return;
            }
        }
    }

    /// Starts a process for each part that is to have one and has none.
    fn start_wanted(&mut self) -> Result<(), Exit> {
        for watch in &mut self.watches {
            let part = watch.part;
            if !watch.is_live() && part.is_wanted(self.arguments.roles, &self.reading.config) {
                watch.start(&self.reading.snapshot, self.places.of_part(part), &self.log)?;
            }
        }
        Ok(())
    }

    /// Gives back what only the start or reload needed.
    fn shrink(&mut self) {
        self.reading.forget();
        self.watches.iter_mut().for_each(Watch::shrink);
        process::trim_heap();
    }

    fn pass_on(&self, number: i32) {
        if number == SIGUSR1 {
            self.dump();
        }
        self.watches.iter().for_each(|watch| watch.signal(number));
    }

    /// `keepalived_parent.data`.
    fn dump(&self) {
        self.log.info(format_args!("Printing parent data for process({}) on signal", std::process::id()));
        let global = &self.reading.config.global;
        let path = dump::place(global, global.state_dump_file.as_deref(), "_parent", "data");
        if let Err(error) = dump::write(&path, dump::global_definitions(global).as_bytes()) {
            self.log.info(format_args!("Can't open dump file {} - {}", path.display(), reason(&error)));
        }
    }

    /// Does what is to be done about a part; `Some`: what the parent ends with.
    fn heard(&mut self, at: usize, news: &News) -> Option<Exit> {
        let watch = self.watches.get_mut(at)?;
        match news {
            News::Reported => {
                if watch.listen(&self.log) {
                    self.trim.set(Some(reactor::now() + SETTLED));
                }
            }
            News::Exited(status) => {
                let exit = watch.died(*status, !self.arguments.no_respawn, &self.log);
                if exit.is_some() {
                    return exit;
                }
            }
            News::Restart => {
                self.told = false;
                let pid_file = self.places.of_part(watch.part);
                if let Err(exit) = watch.start(&self.reading.snapshot, pid_file, &self.log) {
                    return Some(exit);
                }
            }
        }
        self.tell();
        None
    }

    /// Tells the service manager, and who waits for the start, that a start or reload is over, once it is.
    fn tell(&mut self) {
        if self.told || self.watches.iter().any(Watch::is_awaited) {
            return;
        }
        self.told = true;
        if let Some(background) = self.background.take() {
            // From here on nobody listens there; whoever started it may be gone.
            let _ = process::detach_stdio();
            let _ = std::env::set_current_dir("/");
            let _ = background.ready();
        }
        self.notify.ready(&self.status());
    }

    /// How things stand, for people.
    fn status(&self) -> String {
        let of = |part: Part| {
            let watch = self.watches.iter().find(|watch| watch.part == part)?;
            watch.is_live().then(|| if watch.is_pausing() { "being started again" } else { "running" })
        };
        match (of(Part::Vrrp), of(Part::Director)) {
            (None, None) => "Nothing is configured".to_owned(),
            (Some(vrrp), None) => format!("VRRP is {vrrp}"),
            (None, Some(director)) => format!("The director is {director}"),
            (Some(vrrp), Some(director)) if vrrp == director => format!("VRRP and the director are {vrrp}"),
            (Some(vrrp), Some(director)) => format!("VRRP is {vrrp}, the director is {director}"),
        }
    }

    /// Reads the files again. What cannot run changes nothing.
    fn reload(&mut self) -> Result<(), Exit> {
        self.notify.reloading();
        self.log.info("Reloading ...");
        let marker = self.marker();
        let new = Reading::of_disk(&self.arguments);
        drop(marker);
        journal::write(&self.log, &new.lines);
        if let Some(why) = self.objection(&new) {
            self.log.info(format_args!("{why}: going on with the configuration as it was"));
            self.notify.ready(&format!("{}; the last reload was refused", self.status()));
            return Ok(());
        }
        self.reading = match new.keep() {
            Ok(kept) => kept,
            Err(error) => {
                self.log.info(format_args!("Unable to keep the configuration - {}", reason(&error)));
                self.notify.ready(&format!("{}; the last reload failed", self.status()));
                return Ok(());
            }
        };
        self.told = false;
        // A process that has nothing to do any more stays, as keepalived's; one that is needed now is started.
        for watch in &mut self.watches {
            if let Err(error) = watch.reload(&self.reading.snapshot) {
                let (title, error) = (watch.part.title(), reason(&error));
                self.log.info(format_args!("The {title} process does not take a configuration - {error}"));
            }
        }
        self.start_wanted()?;
        self.tell();
        Ok(())
    }

    /// Why a new configuration is not taken, if it is not.
    fn objection(&self, new: &Reading) -> Option<&'static str> {
        let (now, then) = (&self.reading.config.global, &new.config.global);
        let name = |name: &Option<keepalived_conf::model::Name>| name.as_ref().map(|name| name.text.clone());
        if new.is_missing() {
            return Some("The configuration cannot be read");
        }
        if new.refused {
            return Some("The configuration cannot be run");
        }
        if now.reload.check && new.verdict != keepalived_conf::Verdict::Good {
            if let Some(path) = &now.reload.check_log {
                let text = new.lines.join("\n") + "\n";
                if let Err(error) = std::fs::write(path, text) {
                    self.log.info(format_args!("Unable to write {} - {}", path.display(), reason(&error)));
                }
            }
            return Some("The configuration has errors (reload_check_config)");
        }
        if name(&now.net_namespace) != name(&then.net_namespace) {
            return Some("Cannot change network namespace at a reload - please restart");
        }
        if name(&now.instance) != name(&then.instance) {
            return Some("Cannot change instance at a reload - please restart");
        }
        None
    }

    /// `reload_file`: there as long as files are read.
    fn marker(&self) -> Option<Marker> {
        let path = self.reading.config.global.reload.marker.as_ref()?;
        let path = path.as_ref().unwrap_or(&self.places.reload);
        match Marker::make(path.clone()) {
            Ok(marker) => Some(marker),
            Err(error) => {
                let path = path.display();
                self.log.info(format_args!("Failed to create reload file ({path}) - {}", reason(&error)));
                None
            }
        }
    }

    /// Ends the processes, in all order if they can.
    async fn stop(mut self, exit: Exit) -> Exit {
        self.log.info("Stopping");
        self.log.flush();
        self.notify.stopping();
        let global = self.reading.config.global.clone();
        self.watches.iter().for_each(|watch| watch.signal(SIGTERM));
        let patience = global.child_wait_time;
        let until = reactor::now() + patience;
        for watch in &mut self.watches {
            watch.ended(until, patience, self.arguments.keep_addresses, &self.log).await;
        }
        self.run_once(global.shutdown_script, "shutdown").await;
        self.ended(exit)
    }

    /// A script of the start or the end, waited for.
    async fn run_once(&self, script: Option<OnceScript>, what: &str) {
        let Some(script) = script else { return };
        let name = script.script.command.join(" ");
        let programs = Programs::new(&self.reading.config.global, &self.log);
        let Some(program) = programs.prepare(&script.script, &format!("{what}_script")) else { return };
        self.log.info(format_args!("Running {what} script {name}"));
        self.log.flush();
        match program.start(&[]) {
            Ok(run) => {
                let late = || self.log.info(format_args!("{what} script {name} timed out"));
                let outcome = run.ended(script.timeout, late).await;
                if !outcome.is_success() {
                    self.log.info(format_args!("Call of {what} script {name} failed"));
                }
            }
            Err(error) => {
                self.log.info(format_args!("Call of {what} script {name} failed - {}", reason(&error)));
            }
        }
    }

    fn ended(mut self, exit: Exit) -> Exit {
        if self.log.detail()
            && let (Ok(own), Ok(children)) =
                (getrusage(UsageWho::RUSAGE_SELF), getrusage(UsageWho::RUSAGE_CHILDREN))
        {
            let seconds = |time: nix::sys::time::TimeVal| time.num_microseconds() as f64 / 1e6;
            self.log.info(format_args!(
                "CPU usage (self/children) user: {:.6}/{:.6} system: {:.6}/{:.6}",
                seconds(own.user_time()),
                seconds(children.user_time()),
                seconds(own.system_time()),
                seconds(children.system_time()),
            ));
        }
        self.log.info(format_args!("Stopped {}", help::name()));
        self.log.flush();
        if let Some(background) = self.background.take() {
            // Whoever started it is told that it came to nothing.
            let _ = background.failed(exit as u8);
        }
        exit
    }
}
