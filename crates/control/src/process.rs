//! The figures of a running process.

use crate::Info;
use ek_time::Instant;
use proxyd::State;
use proxyd::state::Proxy;

/// What the program knows of its process besides.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// What `-v` shows.
    pub version: &'a str,
    /// Address space at most, megabytes (`-m`); 0: no limit.
    pub memory_mb: u64,
    /// Warnings so far.
    pub warnings: u64,
    /// Milliseconds from the start of the program until it served.
    pub boot_ms: u64,
    /// Clients of the runtime API now.
    pub clients: u32,
}

/// What is 0 because nothing of the kind exists: TLS, compression, peers, limits of rates, name servers, log forwarding.
const NONE: [&str; 26] = [
    "MaxSslConns",
    "CurrSslConns",
    "CumSslConns",
    "ConnRateLimit",
    "SessRateLimit",
    "SslRate",
    "SslRateLimit",
    "MaxSslRate",
    "SslFrontendKeyRate",
    "SslFrontendMaxKeyRate",
    "SslFrontendSessionReuse_pct",
    "SslBackendKeyRate",
    "SslBackendMaxKeyRate",
    "SslCacheLookups",
    "SslCacheMisses",
    "CompressBpsIn",
    "CompressBpsOut",
    "CompressBpsRateLim",
    "Unstoppable Jobs",
    "ActivePeers",
    "ConnectedPeers",
    "BusyPolling",
    "FailedResolutions",
    "DebugCommandsIssued",
    "CumRecvLogs",
    "Niced_tasks",
];

/// The lines of `show info`.
pub fn info(state: &State, facts: &Facts<'_>, now: Instant) -> Info {
    let mut info = Info::default();
    let process = &state.process;
    let now_ms = now.as_millis();
    for name in NONE {
        info.set(name, 0);
    }
    info.set("Name", "Evenkeel");
    info.set("Version", facts.version);
    info.set("Build info", facts.version);
    info.set("Nbthread", state.workers.len());
    info.set("Nbproc", 1);
    info.set("Process_num", 1);
    info.set("Pid", process.pid);
    let uptime = now.since(process.started);
    let seconds = uptime.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    info.set("Uptime", format_args!("{days}d {hours}h{minutes:02}m{:02}s", seconds % 60));
    info.set_exact("Uptime_sec", uptime.as_secs_f64());
    info.set("Memmax_MB", facts.memory_mb);
    info.set("Memmax_bytes", facts.memory_mb.saturating_mul(1 << 20));
    if let Ok((soft, _)) = reactor::process::open_files() {
        info.set("Ulimit-n", soft);
        info.set("Maxsock", soft);
    }
    info.set("Maxconn", process.maxconn);
    info.set("Hard_maxconn", process.maxconn);
    info.set("CurrConns", process.connections.get());
    info.set("Maxpipes", process.pipes);
    info.set_exact("ConnRate", process.connection_rate.exact(now_ms));
    info.set("MaxConnRate", process.connection_rate.max());
    // Each connection is a session.
    info.set_exact("SessRate", process.connection_rate.exact(now_ms));
    info.set("MaxSessRate", process.connection_rate.max());
    totals(state, &mut info);
    info.set("node", &process.node);
    if let Some(description) = &state.config.global.description {
        info.set("description", description);
    }
    info.set("Stopping", u8::from(state.stopping()));
    let binds = |proxy: &std::sync::Arc<Proxy>| proxy.config.binds.len();
    let proxies = state.proxies.iter().filter(|proxy| !proxy.config.disabled);
    let listeners = proxies.map(binds).sum::<usize>() + state.config.global.stats_sockets.len();
    info.set("Listeners", listeners);
    info.set("Jobs", listeners as u64 + u64::from(process.connections.get()) + u64::from(facts.clients));
    info.set("DroppedLogs", process.logs.dropped());
    let started = process.started_at;
    info.set_exact("Start_time_sec", started.unix_micros as f64 / 1e6);
    info.set("Tainted", 0);
    info.set("TotalWarnings", facts.warnings);
    info.set("MaxconnReached", process.filled.load(std::sync::atomic::Ordering::Relaxed));
    info.set("BootTime_ms", facts.boot_ms);
    let streams = state.proxies.iter().map(|proxy| u64::from(proxy.backend.streams.get()));
    info.set("CurrStreams", streams.sum::<u64>());
    info.set("CumStreams", process.requests.load(std::sync::atomic::Ordering::Relaxed));
    info
}

/// What all workers counted together.
fn totals(state: &State, info: &mut Info) {
    let fronts = || state.workers.iter().flat_map(|worker| &worker.frontends);
    info.set("CumConns", fronts().map(|c| c.connections.get()).sum::<u64>());
    info.set("CumReq", fronts().map(|c| c.requests.get()).sum::<u64>());
    info.set("TotalBytesOut", fronts().map(|c| c.bytes_out.get()).sum::<u64>());
    let seconds = || state.workers.iter().map(|worker| &worker.second);
    info.set("BytesOutRate", seconds().map(|second| second.bytes_out.get()).sum::<u64>());
    info.set("PipesUsed", seconds().map(|second| second.pipes_used.get()).sum::<u64>());
    info.set("PipesFree", seconds().map(|second| second.pipes_free.get()).sum::<u64>());
    let idle = seconds().map(|second| second.idle.get()).sum::<u64>();
    info.set("Idle_pct", idle / 10 / (state.workers.len() as u64).max(1));
}
