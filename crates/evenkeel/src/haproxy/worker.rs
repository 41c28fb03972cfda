//! The process that carries traffic: its own start and end, its signals and its runtime API.

use crate::haproxy::arguments::Arguments;
use crate::haproxy::getsocks::Passed;
use crate::haproxy::plan::Plan;
use crate::haproxy::startup::{self, Loaded};
use crate::haproxy::{api, channel, limits, privileges};
use crate::message::{Messages, reason};
use haproxy_cfg::model::SocketLevel;
use proxyd::listeners::BoundStats;
use proxyd::{Running, Setup, State};
use reactor::Stream;
use reactor::signal::{self, SIGHUP, SIGINT, SIGPIPE, SIGTERM, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2, Signals};
use std::cell::Cell;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

/// The signals a worker answers to.
const SIGNALS: [i32; 7] = [SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGHUP, SIGTTOU, SIGTTIN];
/// What SIGHUP answers first.
const DUMPING: &str = "SIGHUP received, dumping servers states.";
/// The levels of log lines about the process.
const WARNING: u8 = 4;
const NOTICE: u8 = 5;

/// How serving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Every client has gone after a soft stop.
    Drained,
    /// By this signal, at once.
    Signal(i32),
    /// It could not start; everything was said.
    Failed,
}

impl End {
    /// Ends the process as HAProxy's does: by the signal itself, so that whoever waits for it sees why.
    pub(crate) fn exit(self) -> ExitCode {
        let _ = std::io::stdout().flush();
        match self {
            Self::Drained => ExitCode::SUCCESS,
            Self::Failed => ExitCode::FAILURE,
            Self::Signal(number) => {
                // A shell has its background commands ignore SIGINT.
                let _ = signal::restore(number).and_then(|()| signal::unblock(&[number]));
                if let Ok(signal) = nix::sys::signal::Signal::try_from(number) {
                    let _ = nix::sys::signal::raise(signal);
                }
                ExitCode::from(u8::try_from(128 + number).unwrap_or(u8::MAX))
            }
        }
    }
}

/// A worker under a master: what it is to do comes over standard input.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let messages = Messages::new();
    if arguments.quiet && !arguments.verbose {
        messages.silence();
    }
    let Ok(channel) = std::io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from) else {
        return ExitCode::FAILURE;
    };
    let plan = match Plan::receive(&channel) {
        Ok(plan) => plan,
        Err(error) => {
            messages.alert(error);
            return ExitCode::FAILURE;
        }
    };
    let Some(loaded) = startup::reload(arguments, plan.inputs.clone()) else {
        messages.alert("config : the configuration that the master accepted was refused.");
        return ExitCode::FAILURE;
    };
    if loaded.config.global.quiet {
        messages.silence();
    }
    let ready = |_: &Messages| {
        // A master that is gone will not start another worker either: go on.
        let _ = (&channel).write_all(channel::READY);
    };
    let Ok(master) = channel.try_clone() else { return ExitCode::FAILURE };
    serve(arguments, loaded, plan, messages, Some(master), ready).exit()
}

/// Serves until a signal ends it, or stops softly when the `master` behind the socket is gone. `ready` is called once
/// clients are served.
pub(crate) fn serve(
    arguments: &Arguments,
    loaded: Loaded,
    plan: Plan,
    messages: Messages,
    master: Option<UnixStream>,
    ready: impl FnOnce(&Messages),
) -> End {
    // Before there are other threads, so that all of them leave the signals to this one.
    if signal::block(&SIGNALS).and_then(|()| signal::ignore(SIGPIPE)).is_err() {
        messages.alert("[haproxy.main()] Cannot block signals.");
        return End::Failed;
    }
    let started = start(arguments, &loaded, plan);
    match started {
        Ok(started) => {
            ready(&messages);
            let served = reactor::run(reactor::Settings::default(), watch(started, loaded, messages, master));
            served.unwrap_or(End::Failed)
        }
        Err(text) => {
            messages.alert(text);
            End::Failed
        }
    }
}

/// What a start has made.
struct Started {
    running: Running,
    stats: Vec<BoundStats>,
    /// The listeners' sockets, for a process that takes over.
    passed: Vec<Passed>,
    memory_mb: u64,
}

fn start(arguments: &Arguments, loaded: &Loaded, plan: Plan) -> Result<Started, String> {
    let limits::Room { maxconn, pipes } = limits::room(&loaded.config, plan.threads)?;
    limits::memory(arguments.memory)?;
    let passed = exposed(loaded, &plan).map_err(|error| format!("[haproxy.main()] {}.", reason(&error)))?;
    privileges::drop(&loaded.config.global)?;
    let setup = Setup {
        config: loaded.config.clone(),
        threads: plan.threads,
        maxconn,
        pipes,
        listeners: plan.listeners,
        seed: seed(),
    };
    let running = proxyd::start(setup).map_err(|error| format!("[haproxy.main()] Cannot start: {error}."))?;
    Ok(Started { running, stats: plan.stats, passed, memory_mb: arguments.memory })
}

/// Copies of all listening sockets, when a `stats socket` is to pass them on.
fn exposed(loaded: &Loaded, plan: &Plan) -> std::io::Result<Vec<Passed>> {
    let mut passed = Vec::new();
    if !loaded.config.global.stats_sockets.iter().any(|line| line.expose_listeners) {
        return Ok(passed);
    }
    for bound in &plan.listeners {
        let bind = loaded.config.proxies.get(bound.proxy).and_then(|proxy| proxy.binds.get(bound.bind));
        for socket in &bound.sockets {
            passed.push((socket.try_clone()?, bind.and_then(|bind| bind.interface.clone())));
        }
    }
    for bound in &plan.stats {
        passed.push((bound.socket.try_clone()?, None));
    }
    Ok(passed)
}

/// Something no client can guess: the addresses' randomness is the kernel's.
fn seed() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(std::process::id())
}

/// What wakes a worker's main thread.
enum Wake {
    Signal(i32),
    MasterGone,
}

async fn watch(started: Started, loaded: Loaded, messages: Messages, master: Option<UnixStream>) -> End {
    let Started { running, stats, passed, memory_mb } = started;
    let running = Rc::new(running);
    let messages = Rc::new(messages);
    let loaded = Rc::new(loaded);
    let ending = Rc::new(Cell::new(false));
    let mut api = api::start(&running, &loaded, &messages, stats, passed, memory_mb);
    let Ok(signals) = Signals::new(&SIGNALS) else { return End::Failed };
    // A task of its own, since clients come by it while this process drains, too.
    let mut gone = reactor::spawn_task(serve_master(master, api.door()));
    let end = loop {
        let signal = async { signals.next().await.map(|received| Wake::Signal(received.number)) };
        let master = async {
            (&mut gone).await;
            Ok(Wake::MasterGone)
        };
        let number = match either(signal, master).await {
            Ok(Wake::Signal(number)) => number,
            Ok(Wake::MasterGone) => {
                // Nobody would end this process later, nor tell it of a new configuration.
                messages.warning("The master process is gone: ending when the last client has.");
                SIGUSR1
            }
            Err(_) => break End::Failed,
        };
        match number {
            number @ (SIGINT | SIGTERM) => break End::Signal(number),
            SIGUSR1 if !ending.replace(true) => {
                api.stop();
                // Before the workers end, which take log lines.
                tell(&running, &messages, api::stopped_lines(running.state()));
                running.soft_stop();
                let drained = drain(&running, loaded.config.global.hard_stop_after);
                // Signals still end a process that drains.
                match either(drained, next_end(&signals)).await {
                    Some(end) => break end,
                    None => {
                        messages.warning("soft-stop running for too long, performing a hard-stop.");
                        break End::Drained;
                    }
                }
            }
            SIGHUP => {
                let lines = api::status_lines(running.state());
                messages.warning(DUMPING);
                for (_, line) in &lines {
                    messages.warning(line);
                }
                running.log(NOTICE, with_headings(running.state(), lines));
            }
            SIGTTOU if running.pause() => {
                tell(&running, &messages, api::paused_lines(running.state(), "Paused"));
            }
            SIGTTIN if running.resume() => {
                tell(&running, &messages, api::paused_lines(running.state(), "Resumed"));
            }
            _ => {}
        }
    };
    running.halt();
    end
}

/// Warns on standard error and in the logs of the proxies.
fn tell(running: &Running, messages: &Messages, lines: Vec<(usize, String)>) {
    for (_, line) in &lines {
        messages.warning(line);
    }
    running.log(WARNING, lines);
}

/// In the logs, which proxies may not share, the dump of each proxy has a heading of its own.
fn with_headings(state: &State, lines: Vec<(usize, String)>) -> Vec<(usize, String)> {
    let mut out: Vec<(usize, String)> = Vec::new();
    for (index, line) in lines {
        if out.last().is_none_or(|(before, _)| *before != index) {
            let name = state.proxies.get(index).map_or("", |proxy| proxy.name());
            out.push((index, format!("{} for proxy {name}.", DUMPING.trim_end_matches('.'))));
        }
        out.push((index, line));
    }
    out
}

/// Serves the clients that the master hands over, until it has ended; for ever where there is none.
async fn serve_master(master: Option<UnixStream>, serve: impl Fn(Stream, SocketLevel)) {
    let channel = master.map(|master| {
        master.set_nonblocking(true)?;
        Stream::from_fd(master.into())
    });
    let Some(Ok(channel)) = channel else { return std::future::pending().await };
    while let Some((client, level)) = channel::next_client(&channel).await {
        // One that cannot be served finds its connection closed.
        if let Ok(client) = Stream::from_fd(client) {
            serve(client, level);
        }
    }
}

/// Waits until every worker thread has ended; `None` when `limit` passed before.
async fn drain(running: &Running, limit: Option<Duration>) -> Option<End> {
    match limit {
        None => running.ended().await,
        Some(limit) => reactor::timeout_at(reactor::now() + limit, running.ended()).await.ok()?,
    }
    Some(End::Drained)
}

async fn next_end(signals: &Signals) -> Option<End> {
    loop {
        match signals.next().await {
            Ok(received) if matches!(received.number, SIGINT | SIGTERM) => {
                return Some(End::Signal(received.number));
            }
            Ok(_) => {}
            Err(_) => return Some(End::Failed),
        }
    }
}

/// The result of whichever ends first.
async fn either<T>(a: impl Future<Output = T>, b: impl Future<Output = T>) -> T {
    let (mut a, mut b) = (std::pin::pin!(a), std::pin::pin!(b));
    std::future::poll_fn(|cx| match a.as_mut().poll(cx) {
        std::task::Poll::Pending => b.as_mut().poll(cx),
        done => done,
    })
    .await
}
