//! The runtime API of a worker: its sockets and clients, on the main thread's reactor.

use crate::haproxy::client::converse;
use crate::haproxy::getsocks::{self, Passed};
use crate::haproxy::startup::Loaded;
use crate::message::Messages;
use crate::version;
use control::{Common, Ending, Facts, Info, Row, Session, Source};
use haproxy_cfg::model::SocketLevel;
use proxyd::listeners::BoundStats;
use proxyd::state::Proxy;
use proxyd::{Running, State};
use reactor::{Listener, Stream};
use std::cell::{Cell, RefCell};
use std::io;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// `stats timeout` when unset.
const TIMEOUT: Duration = Duration::from_secs(10);
/// `stats maxconn` when unset.
const MAX_CLIENTS: u32 = 10;

/// The sockets of the runtime API, while they are served.
pub(crate) struct Api {
    acceptors: Vec<reactor::Task<()>>,
    shared: Rc<Shared>,
}

/// What the clients of all sockets share.
struct Shared {
    running: Rc<Running>,
    loaded: Rc<Loaded>,
    messages: Rc<Messages>,
    /// What `_getsocks` passes on.
    sockets: RefCell<Vec<Passed>>,
    clients: Cell<u32>,
    memory_mb: u64,
    /// From the start of the program until clients were served.
    boot_ms: u64,
}

/// Serves the sockets; `sockets` are the listeners that `expose-fd listeners` passes on.
pub(crate) fn start(
    running: &Rc<Running>,
    loaded: &Rc<Loaded>,
    messages: &Rc<Messages>,
    stats: Vec<BoundStats>,
    sockets: Vec<Passed>,
    memory_mb: u64,
) -> Api {
    let shared = Rc::new(Shared {
        running: Rc::clone(running),
        loaded: Rc::clone(loaded),
        messages: Rc::clone(messages),
        sockets: RefCell::new(sockets),
        clients: Cell::new(0),
        memory_mb,
        boot_ms: u64::try_from(messages.age().as_millis()).unwrap_or(u64::MAX),
    });
    let mut acceptors = Vec::new();
    for bound in stats {
        match Listener::from_fd(bound.socket) {
            Ok(listener) => {
                acceptors.push(reactor::spawn_task(accept(listener, bound.index, Rc::clone(&shared))))
            }
            Err(error) => messages.alert(format_args!("stats socket: {error}")),
        }
    }
    Api { acceptors, shared }
}

impl Api {
    /// No new clients, and no hold on the listeners' sockets any more.
    pub(crate) fn stop(&mut self) {
        self.acceptors.clear();
        self.shared.sockets.take();
    }

    /// Serves clients that did not come by a socket of this process.
    pub(crate) fn door(&self) -> impl Fn(Stream, SocketLevel) + 'static {
        let shared = Rc::clone(&self.shared);
        move |stream, level| {
            let shared = Rc::clone(&shared);
            reactor::spawn(async move {
                let timeout = shared.loaded.config.global.stats_timeout.unwrap_or(TIMEOUT);
                let mut session = Session::new(level);
                // A client that goes away or is too slow is its own loss.
                let _ = converse(&stream, &mut session, Source::Worker(&*shared), timeout).await;
            });
        }
    }
}

async fn accept(listener: Listener, index: usize, shared: Rc<Shared>) {
    let limit = shared.loaded.config.global.stats_maxconn.unwrap_or(MAX_CLIENTS);
    loop {
        // An error has been waited out by the listener itself.
        let Ok((stream, _)) = listener.accept().await else { continue };
        if shared.clients.get() >= limit {
            continue;
        }
        shared.clients.set(shared.clients.get() + 1);
        let shared = Rc::clone(&shared);
        reactor::spawn(async move {
            // A client that goes away or is too slow is its own loss.
            let _ = client(stream, index, &shared).await;
            shared.clients.set(shared.clients.get() - 1);
        });
    }
}

async fn client(stream: Stream, index: usize, shared: &Shared) -> io::Result<()> {
    let global = &shared.loaded.config.global;
    let Some(line) = global.stats_sockets.get(index) else { return Ok(()) };
    let timeout = global.stats_timeout.unwrap_or(TIMEOUT);
    let ending = converse(&stream, &mut Session::new(line.level), Source::Worker(shared), timeout).await?;
    match ending {
        Ending::Sockets if line.expose_listeners => {
            getsocks::send(&UnixStream::from(stream.into_fd()?), &shared.sockets.borrow())
        }
        _ => stream.shutdown_write(),
    }
}

impl control::Worker for Shared {
    fn info(&self) -> Info {
        let version = version::compound();
        let facts = Facts {
            version: &version,
            memory_mb: self.memory_mb,
            warnings: self.loaded.warnings,
            boot_ms: self.boot_ms,
            clients: self.clients.get(),
        };
        control::info(self.running.state(), &facts, reactor::now())
    }

    fn rows(&self) -> Vec<Row> {
        control::rows(self.running.state(), reactor::now())
    }
}

impl Common for Shared {
    fn environment(&self) -> Vec<String> {
        self.loaded.environment.clone()
    }

    fn version(&self) -> String {
        version::compound()
    }

    fn startup_logs(&self) -> String {
        self.messages.kept()
    }
}

/// `Proxy NAME stopped …`, as HAProxy says when it soft-stops.
pub(crate) fn stopped_lines(state: &State) -> Vec<(usize, String)> {
    let line = |proxy: &Arc<Proxy>| {
        let (front, back) = totals(state, proxy.index);
        let line = format!("Proxy {} stopped (cumulated conns: FE: {front}, BE: {back}).", proxy.name());
        (proxy.index, line)
    };
    state.proxies.iter().map(line).collect()
}

/// `Paused frontend NAME.`, and `Resumed`, of every section with listeners.
pub(crate) fn paused_lines(state: &State, what: &str) -> Vec<(usize, String)> {
    let listening =
        state.proxies.iter().filter(|proxy| !proxy.config.disabled && !proxy.listeners.is_empty());
    let line = |proxy: &Arc<Proxy>| {
        let kind = if proxy.config.kind.is_backend() { "proxy" } else { "frontend" };
        (proxy.index, format!("{what} {kind} {}.", proxy.name()))
    };
    listening.map(line).collect()
}

/// Connections and streams a proxy has had.
fn totals(state: &State, proxy: usize) -> (u64, u64) {
    let front = state.workers.iter().filter_map(|worker| worker.frontends.get(proxy));
    let back = state.workers.iter().filter_map(|worker| worker.backends.get(proxy));
    (front.map(|c| c.connections.get()).sum(), back.map(|c| c.sessions.get()).sum())
}

/// What SIGHUP writes: the state of every server and proxy.
pub(crate) fn status_lines(state: &State) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    for proxy in &state.proxies {
        let servers = &proxy.backend.servers;
        for (index, server) in servers.iter().enumerate() {
            let total: u64 = state
                .workers
                .iter()
                .filter_map(|worker| worker.servers.get(proxy.index)?.get(index))
                .map(|counters| counters.sessions.get())
                .sum();
            let up = if server.is_up() { "UP" } else { "DOWN" };
            let line = format!(
                "SIGHUP: Server {}/{} is {up}. Conn: {} act, 0 pend, {total} tot.",
                proxy.name(),
                server.config.name,
                server.streams.get()
            );
            lines.push((proxy.index, line));
        }
        let (active, backups) = proxy.backend.usable();
        let state_of_servers = if servers.is_empty() {
            "has no servers.".to_owned()
        } else if active == 0 && backups == 0 {
            "has no server available !".to_owned()
        } else if active == 0 {
            "is running on backup servers !".to_owned()
        } else {
            format!("has {active} active servers and {backups} backup servers available.")
        };
        let (front, back) = totals(state, proxy.index);
        let queued = proxy.backend.queue.get();
        let line = format!(
            "SIGHUP: Proxy {} {state_of_servers} Conn: act(FE+BE): {}+{}, {queued} pend ({queued} unass), \
             tot(FE+BE): {front}+{back}.",
            proxy.name(),
            proxy.connections.get(),
            proxy.backend.streams.get(),
        );
        lines.push((proxy.index, line));
    }
    lines
}
