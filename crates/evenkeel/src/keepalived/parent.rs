//! The parent: reads the configuration, starts the VRRP process, watches it, passes signals on, and stands in for it when
//! it dies.

mod marker;
mod vrrp;

use super::arguments::Arguments;
use super::pids::{self, PidFile, Places};
use super::reading::{self, Kept, Reading};
use super::{Exit, help, journal, role};
use crate::message::reason;
use crate::notify::Notify;
use ek_time::Duration;
use keepalived_conf::model::OnceScript;
use marker::Marker;
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use nix::sys::time::TimeValLike as _;
use notice::log::Log;
use notice::script::Programs;
use reactor::child::Process;
use reactor::process::{self, Background};
use reactor::signal::{SIGHUP, SIGINT, SIGKILL, SIGPIPE, SIGTERM, SIGUSR1, SIGUSR2, Signals};
use reactor::{Timer, scheduling};
use std::future::poll_fn;
use std::io::{ErrorKind, Write as _};
use std::process::ExitStatus;
use std::task::{Context, Poll};
use vrrp::Vrrp;
use vrrpd::{SIGJSON, SIGSTATS_CLEAR};

const SIGNALS: [i32; 7] = [SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGJSON, SIGSTATS_CLEAR];

/// A VRRP process that has run for so long is not in a loop of deaths.
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
    let left_alone = reading::left_alone(&reading.config);
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
        left_alone,
        places,
        log,
        notify: Notify::from_environment(),
        background,
        vrrp: None,
        pause: None,
        restart: Timer::new(),
        reloading: None,
        trimmed: 0,
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
    /// The configuration in force, for the next VRRP process.
    reading: Kept,
    /// What there is to say of the part of it that nobody serves.
    left_alone: Option<String>,
    places: Places,
    log: Log,
    notify: Notify,
    /// Who started this process waits for it to be ready.
    background: Option<Background>,
    vrrp: Option<Vrrp>,
    /// How long it was waited before the last start.
    pause: Option<Duration>,
    restart: Timer,
    /// A reload has been asked for, when the VRRP process had been ready so often.
    reloading: Option<u64>,
    /// How often the VRRP process had been ready when memory was last given back; and when that is due again.
    trimmed: u64,
    trim: Timer,
}

/// What happens to the parent.
enum Event {
    Signal(i32),
    /// The VRRP process has said something.
    Reported,
    Exited(Option<ExitStatus>),
    /// It is time to start it again.
    Restart,
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
        self.end_orphan().await;
        let script = self.reading.config.global.startup_script.clone();
        self.run_once(script, "startup").await;
        if let Some(line) = self.left_alone.take() {
            self.log.info(line);
        }
        if let Err(exit) = self.start() {
            return self.ended(exit);
        }
        loop {
            self.log.flush();
            match self.next(signals).await {
                Event::Signal(SIGTERM | SIGINT) => return self.stop(Exit::Done).await,
                Event::Signal(SIGHUP) => self.reload(),
                Event::Signal(number) => self.pass_on(number),
                Event::Reported => self.listen(),
                Event::Exited(status) => {
                    if let Some(exit) = self.died(status) {
                        return self.stop(exit).await;
                    }
                }
                Event::Settled => self.shrink(),
                Event::Restart => {
                    if let Err(exit) = self.start() {
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
        if let Some(vrrp) = &mut self.vrrp {
            if let Poll::Ready(status) = vrrp.poll_exited(cx) {
                return Poll::Ready(Event::Exited(status));
            }
            return vrrp.poll_heard(cx).map(|()| Event::Reported);
        }
        std::task::ready!(self.restart.poll_expired(cx));
        self.restart.set(None);
        Poll::Ready(Event::Restart)
    }

    /// A VRRP process whose parent died goes on serving: it is ended, in all order, before there is another.
    async fn end_orphan(&self) {
        let Some(pid) = pids::running_vrrp(&self.places.vrrp) else { return };
        let Ok(process) = Process::open(pid) else { return };
        // The number may have been given away between the two looks, not after them.
        if pids::running_vrrp(&self.places.vrrp) != Some(pid) {
            return;
        }
        self.log.info(format_args!("Ending VRRP process {pid}, whose parent has died"));
        for number in [SIGTERM, SIGKILL] {
            let until = reactor::now() + self.reading.config.global.child_wait_time;
            if process.kill(number).is_err() || reactor::timeout_at(until, process.exited()).await.is_ok() {
                return;
            }
        }
    }

    fn start(&mut self) -> Result<(), Exit> {
        match Vrrp::start(&self.reading.snapshot, &self.places.vrrp) {
            Ok(vrrp) => {
                self.log.info(format_args!("Starting VRRP child process, pid={}", vrrp.pid()));
                self.vrrp = Some(vrrp);
                self.trimmed = 0;
                Ok(())
            }
            Err(error) => {
                self.log.info(format_args!("Unable to start the VRRP process - {}", reason(&error)));
                Err(Exit::Failed)
            }
        }
    }

    /// Gives back what only the start or reload needed.
    fn shrink(&mut self) {
        if let Some(vrrp) = &mut self.vrrp {
            vrrp.shrink();
        }
        process::trim_heap();
    }

    fn pass_on(&self, number: i32) {
        if let Some(vrrp) = &self.vrrp {
            vrrp.signal(number);
        }
    }

    /// Takes what the VRRP process has said.
    fn listen(&mut self) {
        let Some(vrrp) = &mut self.vrrp else { return };
        if let Err(error) = vrrp.hear() {
            self.log.info(format_args!("VRRP process: {error}"));
        }
        let readies = vrrp.readies();
        if self.trimmed < readies {
            self.trimmed = readies;
            self.trim.set(Some(reactor::now() + SETTLED));
        }
        if readies > 0
            && let Some(background) = self.background.take()
        {
            // From here on nobody listens there; whoever started it may be gone.
            let _ = process::detach_stdio();
            let _ = std::env::set_current_dir("/");
            let _ = background.ready();
            self.notify.ready("VRRP is running");
        } else if readies == 1 && vrrp.first_ready() {
            self.notify.ready("VRRP is running");
        }
        if self.reloading.is_some_and(|before| readies > before) {
            self.reloading = None;
            self.notify.ready("VRRP is running");
        }
    }

    /// Stands in for a VRRP process that is gone; `Some`: what the parent ends with.
    fn died(&mut self, status: Option<ExitStatus>) -> Option<Exit> {
        let mut vrrp = self.vrrp.take()?;
        let what = vrrp.stand_in(true);
        let pid = vrrp.pid();
        let lived = reactor::now().since(vrrp.started());
        drop(vrrp);
        what.iter().for_each(|line| self.log.info(line));
        self.log.info(format_args!("pid {pid} {}", vrrp::described(status)));
        if status.and_then(|status| status.code()) == Some(i32::from(Exit::Configuration as u8)) {
            return Some(Exit::Configuration);
        }
        if self.arguments.no_respawn {
            self.log.info(format_args!("VRRP child process({pid}) died: Exiting"));
            return Some(Exit::Done);
        }
        self.log.info(format_args!("VRRP child process({pid}) died: Respawning"));
        let pause = match self.pause {
            Some(last) if lived < STEADY => (last * 2).clamp(Duration::from_secs(1), LONGEST_PAUSE),
            _ => Duration::ZERO,
        };
        self.pause = Some(pause);
        self.log.info(format_args!(
            "Restart of VRRP process delayed {} seconds to limit respawn rate",
            pause.as_secs()
        ));
        self.restart.set(Some(reactor::now() + pause));
        // What was asked of the dead process, the next one starts with.
        if self.reloading.take().is_some() {
            self.notify.ready("VRRP is being started again");
        }
        None
    }

    /// Reads the files again. What cannot run changes nothing.
    fn reload(&mut self) {
        self.notify.reloading();
        self.log.info("Reloading ...");
        let marker = self.marker();
        let new = Reading::of_disk(&self.arguments);
        drop(marker);
        journal::write(&self.log, &new.lines);
        if let Some(why) = self.objection(&new) {
            self.log.info(format_args!("{why}: going on with the configuration as it was"));
            self.notify.ready("VRRP is running; the last reload was refused");
            return;
        }
        self.reading = match new.keep() {
            Ok(kept) => kept,
            Err(error) => {
                self.log.info(format_args!("Unable to keep the configuration - {}", reason(&error)));
                self.notify.ready("VRRP is running; the last reload failed");
                return;
            }
        };
        let Some(vrrp) = &self.vrrp else {
            self.notify.ready("VRRP is being started again");
            return;
        };
        self.reloading = Some(vrrp.readies());
        if let Err(error) = vrrp.reload(&self.reading.snapshot) {
            self.reloading = None;
            self.log
                .info(format_args!("The VRRP process does not take a configuration - {}", reason(&error)));
            self.notify.ready("VRRP is running; the last reload failed");
        }
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

    /// Ends the VRRP process, in all order if it can.
    async fn stop(mut self, exit: Exit) -> Exit {
        self.log.info("Stopping");
        self.log.flush();
        self.notify.stopping();
        let global = self.reading.config.global.clone();
        if let Some(mut vrrp) = self.vrrp.take() {
            vrrp.signal(SIGTERM);
            let until = reactor::now() + global.child_wait_time;
            let mut status = vrrp.exited_by(until).await;
            if status.is_none() {
                let pid = vrrp.pid();
                self.log.info(format_args!("VRRP process {pid} does not end, killing it"));
                vrrp.signal(SIGKILL);
                status = vrrp.exited_by(reactor::now() + global.child_wait_time).await;
            }
            // Nothing is left to do after an end in all order.
            vrrp.stand_in(!self.arguments.keep_addresses).iter().for_each(|line| self.log.info(line));
            if status.is_none_or(|status| !status.success()) {
                self.log.info(format_args!("pid {} {}", vrrp.pid(), vrrp::described(status)));
            }
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
