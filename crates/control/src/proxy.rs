//! The lines of statistics of a running proxy.

use crate::{Kind, Row};
use ek_time::Instant;
use haproxy_cfg::model::{Address, Balance, Mode};
use proxyd::State;
use proxyd::counters::{BackendCounters, ByClass, FrontendCounters, SAMPLES, Span, Times};
use proxyd::server::{Admin, Server};
use proxyd::state::Proxy;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;

const CLASSES: [&str; 6] = ["hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "hrsp_other"];

/// The lines of `show stat`: for each section its frontend, its servers and its backend.
pub fn rows(state: &State, now: Instant) -> Vec<Row> {
    let mut rows = Vec::new();
    for proxy in state.proxies.iter().filter(|proxy| !proxy.config.disabled) {
        if proxy.config.kind.is_frontend() {
            rows.push(frontend(state, proxy, now));
        }
        if proxy.config.kind.is_backend() {
            for (index, server) in proxy.backend.servers.iter().enumerate() {
                rows.push(server_row(state, proxy, index, server, now));
            }
            rows.push(backend(state, proxy, now));
        }
    }
    rows
}

fn mode(proxy: &Proxy) -> &'static str {
    match proxy.config.mode {
        Mode::Tcp => "tcp",
        Mode::Http => "http",
    }
}

/// A column, and the counter it shows.
type Column<C> = (&'static str, fn(&C) -> u64);

/// Sets columns to what all workers counted together.
fn sum<C>(row: &mut Row, counters: &[&C], fields: &[Column<C>]) {
    for (field, read) in fields {
        row.set(field, counters.iter().map(|one| read(one)).sum::<u64>());
    }
}

fn classes<'a>(row: &mut Row, all: impl Iterator<Item = &'a ByClass>) {
    let mut total = [0_u64; 6];
    for one in all {
        for (sum, value) in total.iter_mut().zip(one.get()) {
            *sum += value;
        }
    }
    for (name, value) in CLASSES.iter().zip(total) {
        row.set(name, value);
    }
}

/// Columns that are 0 because nothing does these things yet.
fn zeros(row: &mut Row, fields: &[&str]) {
    for field in fields {
        row.set(field, 0);
    }
}

fn frontend(state: &State, proxy: &Proxy, now: Instant) -> Row {
    let mut row = Row::new(Kind::Frontend, proxy.name(), "FRONTEND", proxy.config.id, 0);
    let counters: Vec<&FrontendCounters> =
        state.workers.iter().filter_map(|worker| worker.frontends.get(proxy.index)).collect();
    sum(
        &mut row,
        &counters,
        &[
            ("stot", |c| c.sessions.get()),
            ("bin", |c| c.bytes_in.get()),
            ("bout", |c| c.bytes_out.get()),
            ("reqbin", |c| c.bytes_in.get()),
            ("resbin", |c| c.bytes_out.get()),
            ("dreq", |c| c.denied_requests.get()),
            ("ereq", |c| c.request_errors.get()),
            ("conn_tot", |c| c.connections.get()),
            ("req_tot", |c| c.requests.get()),
        ],
    );
    row.set("scur", proxy.connections.get());
    row.set("smax", proxy.connections.max());
    row.set("slim", if proxy.maxconn == 0 { state.process.maxconn } else { proxy.maxconn });
    // A frontend that is full stays open: its clients wait in the sockets' queues.
    row.set(
        "status",
        if state.stopping() {
            "STOP"
        } else if state.paused() {
            "PAUSED"
        } else {
            "OPEN"
        },
    );
    let ms = now.as_millis();
    row.set("rate", proxy.session_rate.get(ms));
    row.set("rate_max", proxy.session_rate.max());
    row.set("conn_rate", proxy.session_rate.get(ms));
    row.set("conn_rate_max", proxy.session_rate.max());
    row.set("req_rate", proxy.request_rate.get(ms));
    row.set("req_rate_max", proxy.request_rate.max());
    row.set("mode", mode(proxy));
    zeros(&mut row, &["dresp", "rate_lim", "dcon", "dses", "wrew", "eint"]);
    zeros(&mut row, &["comp_in", "comp_out", "comp_byp", "comp_rsp"]);
    if proxy.config.mode == Mode::Http {
        classes(&mut row, counters.iter().map(|c| &c.responses));
        sum(&mut row, &counters, &[("intercepted", |c| c.intercepted.get())]);
        sum(&mut row, &counters, &[("h1sess", |c| c.sessions.get()), ("h1req", |c| c.requests.get())]);
        zeros(&mut row, &["cache_lookups", "cache_hits", "sess_other"]);
    } else {
        sum(&mut row, &counters, &[("sess_other", |c| c.sessions.get())]);
        zeros(&mut row, &["req_tot", "h1sess", "h1req"]);
    }
    zeros(&mut row, &["h2sess", "h3sess", "req_other", "h2req", "h3req"]);
    row
}

/// What a backend and its servers have in common.
fn behind(row: &mut Row, counters: &[&BackendCounters], http: bool, now: Instant) {
    sum(
        row,
        counters,
        &[
            ("stot", |c| c.sessions.get()),
            ("bin", |c| c.bytes_in.get()),
            ("bout", |c| c.bytes_out.get()),
            ("reqbin", |c| c.bytes_in.get()),
            ("resbin", |c| c.bytes_out.get()),
            ("econ", |c| c.connect_errors.get()),
            ("eresp", |c| c.response_errors.get()),
            ("wretr", |c| c.retries.get()),
            ("wredis", |c| c.redispatches.get()),
            ("lbtot", |c| c.chosen.get()),
            ("cli_abrt", |c| c.client_aborts.get()),
            ("srv_abrt", |c| c.server_aborts.get()),
            ("connect", |c| c.connects.get()),
            ("reuse", |c| c.reuses.get()),
        ],
    );
    zeros(row, &["dresp", "wrew", "eint"]);
    if http {
        classes(row, counters.iter().map(|c| &c.responses));
    }
    let last = counters.iter().map(|c| c.last_session.get()).max().unwrap_or(0);
    match last {
        0 => row.set("lastsess", -1),
        at => row.set("lastsess", (now.as_millis() / 1_000).saturating_sub(at / 1_000)),
    }
    let server = row.kind == Kind::Server;
    let requests = counters.iter().map(|c| c.answered(http, server));
    if http {
        row.set("req_tot", requests.clone().sum::<u64>());
    }
    let samples = requests.map(|n| n.min(SAMPLES)).sum::<u64>();
    for (mean, longest, span) in SPANS {
        let spans = || counters.iter().map(|c| span(&c.times));
        let sum = spans().map(Span::sum).sum::<u64>();
        row.set(mean, if samples == 0 { 0 } else { sum.div_ceil(samples) });
        row.set(longest, spans().map(Span::longest).max().unwrap_or(0));
    }
}

/// The columns of a time: its mean, the longest there was, and which time it is.
type Columns = (&'static str, &'static str, fn(&Times) -> &Span);

const SPANS: [Columns; 4] = [
    ("qtime", "qtime_max", |times| &times.queue),
    ("ctime", "ctime_max", |times| &times.connect),
    ("rtime", "rtime_max", |times| &times.response),
    ("ttime", "ttime_max", |times| &times.total),
];

fn server_row(state: &State, proxy: &Proxy, index: usize, server: &Server, now: Instant) -> Row {
    let mut row =
        Row::new(Kind::Server, proxy.name(), &server.config.name, proxy.config.id, server.config.id);
    let counters: Vec<&BackendCounters> =
        state.workers.iter().filter_map(|worker| worker.servers.get(proxy.index)?.get(index)).collect();
    let http = proxy.config.mode == Mode::Http;
    behind(&mut row, &counters, http, now);
    row.set("scur", server.streams.get());
    row.set("smax", server.streams.max());
    // Streams wait in front of the backend, never of one server.
    zeros(&mut row, &["qcur", "qmax"]);
    if server.config.maxconn > 0 {
        row.set("slim", server.config.maxconn);
    }
    if server.config.maxqueue > 0 {
        row.set("qlimit", server.config.maxqueue);
    }
    let weight = server.weight.load(Relaxed);
    row.set("weight", weight);
    row.set("uweight", weight);
    row.set("act", u8::from(!server.config.backup));
    row.set("bck", u8::from(server.config.backup));
    row.set("rate", server.rate.get(now.as_millis()));
    row.set("rate_max", server.rate.max());
    row.set("mode", mode(proxy));
    row.set("srv_icur", server.idle_now());
    row.set("idle_conn_cur", server.idle(false).load(Relaxed));
    row.set("safe_conn_cur", server.idle(true).load(Relaxed));
    row.set("used_conn_cur", server.taken());
    if server.config.pool_max_conn >= 0 {
        row.set("src_ilim", server.config.pool_max_conn);
    }
    match &server.config.address {
        Address::Ip(addr) => row.set("addr", addr),
        Address::IpRelative(addr, _) => row.set("addr", addr),
        Address::Unix(_) => row.set("addr", "unix"),
        _ => {}
    }
    let (started_ms, now_ms) = (state.process.started.as_millis(), now.as_millis());
    row.set("lastchg", server.changes.since(started_ms, now_ms) / 1_000);
    row.set("srid", 0);
    let health = server.health.lock().unwrap_or_else(PoisonError::into_inner);
    let checked = server.config.check.is_some();
    if server.admin() == Admin::Maintenance {
        row.set("status", "MAINT");
    } else if !checked {
        row.set("status", "no check");
    } else if let Some(health) = health.as_ref() {
        row.set("status", health.display());
    } else {
        row.set("status", "UP");
    }
    if let Some(check) = &server.config.check {
        row.set("chkfail", server.checks_failed.load(Relaxed));
        row.set("chkdown", server.changes.downs());
        row.set("downtime", server.changes.downtime(server.is_up(), started_ms, now_ms) / 1_000);
        if server.admin() == Admin::Ready {
            row.set("check_rise", check.rise);
            row.set("check_fall", check.fall);
            let running = if server.checking.load(Relaxed) { "* " } else { "" };
            let last = health.as_ref().map_or("INI", |health| health.last().status.name());
            row.set("check_status", format_args!("{running}{last}"));
        }
    }
    if let Some(health) = health.as_ref().filter(|_| server.admin() == Admin::Ready) {
        let last = health.last();
        row.set("check_health", health.level());
        row.set("check_desc", last.status.description());
        row.set("last_chk", String::from_utf8_lossy(&last.info));
        if last.status.has_code() {
            row.set("check_code", last.code);
        }
        if let Some(duration) = last.duration {
            row.set("check_duration", duration.as_millis());
        }
    }
    row
}

fn backend(state: &State, proxy: &Proxy, now: Instant) -> Row {
    let mut row = Row::new(Kind::Backend, proxy.name(), "BACKEND", proxy.config.id, 0);
    let counters: Vec<&BackendCounters> =
        state.workers.iter().filter_map(|worker| worker.backends.get(proxy.index)).collect();
    let http = proxy.config.mode == Mode::Http;
    behind(&mut row, &counters, http, now);
    let backend = &proxy.backend;
    row.set("qcur", backend.queue.get());
    row.set("qmax", backend.queue.max());
    row.set("scur", backend.streams.get());
    row.set("smax", backend.streams.max());
    row.set("slim", proxy.config.fullconn.unwrap_or_else(|| usual_fullconn(state, proxy)));
    let (active, backups) = backend.usable();
    let up = active > 0 || backups > 0 || backend.servers.is_empty();
    row.set("status", if up { "UP" } else { "DOWN" });
    let (started_ms, now_ms) = (state.process.started.as_millis(), now.as_millis());
    row.set("lastchg", backend.changes.since(started_ms, now_ms) / 1_000);
    row.set("chkdown", backend.changes.downs());
    if !backend.servers.is_empty() {
        row.set("downtime", backend.changes.downtime(up, started_ms, now_ms) / 1_000);
    }
    // Exporters make figures of their own of these; HAProxy shows 0 here.
    zeros(&mut row, &["agg_server_status", "agg_server_check_status", "agg_check_status"]);
    let serving = |server: &&Server| server.usable() && server.config.backup == (active == 0);
    let weights = backend.servers.iter().filter(serving).map(|server| server.weight.load(Relaxed));
    let weight: u32 = weights.sum();
    row.set("weight", weight);
    row.set("uweight", weight);
    row.set("act", active);
    row.set("bck", backups);
    row.set("rate", backend.rate.get(now.as_millis()));
    row.set("rate_max", backend.rate.max());
    row.set("mode", mode(proxy));
    row.set(
        "algo",
        match proxy.config.balance {
            Balance::RoundRobin => "roundrobin",
            Balance::StaticRoundRobin => "static-rr",
            Balance::LeastConn => "leastconn",
            Balance::Random(_) => "random",
            Balance::First => "first",
        },
    );
    zeros(&mut row, &["dreq", "comp_in", "comp_out", "comp_byp", "comp_rsp"]);
    if http {
        zeros(&mut row, &["cache_lookups", "cache_hits"]);
    }
    row
}

/// `fullconn` unless it is set: a tenth of what the frontends together may let through (manual, `fullconn`).
fn usual_fullconn(state: &State, backend: &Proxy) -> u32 {
    let leads_here = |proxy: &&std::sync::Arc<Proxy>| {
        let itself = proxy.index == backend.index;
        proxy.config.kind.is_frontend() && (itself || proxy.config.default_backend == Some(backend.index))
    };
    let limit = |proxy: &std::sync::Arc<Proxy>| {
        u64::from(if proxy.maxconn == 0 { state.process.maxconn } else { proxy.maxconn })
    };
    let all: u64 = state.proxies.iter().filter(leads_here).map(limit).sum();
    u32::try_from(all.div_ceil(10)).unwrap_or(u32::MAX).max(1)
}
