//! What all workers share: proxies, servers, limits and counters of one generation of the configuration.

use crate::backend::Backend;
use crate::counters::{Gauge, Rate, WorkerCounters};
use crate::gate::Gate;
use crate::http::Pages;
use ek_time::{Instant, WallTime};
use haproxy_cfg::model;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

/// One generation of the configuration, running.
#[derive(Debug)]
pub struct State {
    /// What was read.
    pub config: Arc<model::Config>,
    /// The proxies, in the order of [`model::Config::proxies`].
    pub proxies: Vec<Arc<Proxy>>,
    /// Limits and counts of the whole process.
    pub process: Process,
    /// What each worker counts.
    pub workers: Vec<Arc<WorkerCounters>>,
}

/// What a process may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Client connections at most.
    pub maxconn: u32,
    /// Pipes at most.
    pub pipes: usize,
}

/// Limits and counts of the whole process.
#[derive(Debug)]
pub struct Process {
    /// Client connections at most.
    pub maxconn: u32,
    /// Pipes at most.
    pub pipes: usize,
    /// How often a connection was the last that `maxconn` allows.
    pub filled: AtomicU64,
    /// Client connections.
    pub connections: Gauge,
    /// Connections accepted a second.
    pub connection_rate: Rate,
    /// Where acceptors wait for [`Process::connections`].
    pub gate: Gate,
    /// What the workers' log targets share: counts, and the descriptors written to.
    pub logs: Arc<crate::log::Outputs>,
    /// Streams so far (`%rt`).
    pub requests: AtomicU64,
    /// Counts the times that a worker had no descriptor left; then all workers close what is idle.
    pub shortages: AtomicU32,
    /// Set by a soft stop: no new connections, idle ones are closed.
    pub stopping: AtomicBool,
    /// Acceptors wait: the listening sockets stay, and clients in their backlogs.
    pub paused: AtomicBool,
    /// When the process started serving.
    pub started: Instant,
    /// The same on the wall clock.
    pub started_at: WallTime,
    /// The process, for log lines: asking the kernel for each would cost a system call.
    pub pid: u32,
    /// `node`, or the machine's name.
    pub node: Arc<str>,
    /// The machine's name, for log lines.
    pub hostname: Arc<str>,
}

/// One `frontend`, `backend` or `listen` section, running.
#[derive(Debug)]
pub struct Proxy {
    /// Its place in [`State::proxies`].
    pub index: usize,
    /// What was read.
    pub config: model::Proxy,
    /// The error pages.
    pub pages: Pages,
    /// Client connections at most; 0: no limit of its own.
    pub maxconn: u32,
    /// Client connections.
    pub connections: Gauge,
    /// Sessions accepted a second.
    pub session_rate: Rate,
    /// Requests a second.
    pub request_rate: Rate,
    /// Log lines of the frontend so far (`%lc`).
    pub log_lines: AtomicU64,
    /// Where acceptors wait for [`Proxy::connections`].
    pub gate: Gate,
    /// The listeners, in the order of the section's binds.
    pub listeners: Vec<Listener>,
    /// The section's servers and their queue.
    pub backend: Backend,
}

/// One listening address, running.
#[derive(Debug, Default)]
pub struct Listener {
    /// Client connections that came in here.
    pub connections: Gauge,
}

impl State {
    /// A generation that serves `config` with `workers` workers.
    pub fn new(config: Arc<model::Config>, workers: usize, limits: Limits, seed: u64) -> Self {
        let Limits { maxconn, pipes } = limits;
        let hostname: Arc<str> = hostname().into();
        let node = config.global.node.as_deref().map_or_else(|| Arc::clone(&hostname), Arc::from);
        let proxies = config
            .proxies
            .iter()
            .enumerate()
            .map(|(index, section)| Arc::new(Proxy::new(index, section.clone(), maxconn, seed)))
            .collect();
        let workers =
            std::iter::repeat_with(|| Arc::new(WorkerCounters::new(&config))).take(workers).collect();
        Self {
            config,
            proxies,
            process: Process {
                maxconn,
                pipes,
                filled: AtomicU64::new(0),
                connections: Gauge::default(),
                connection_rate: Rate::default(),
                gate: Gate::default(),
                logs: Arc::default(),
                requests: AtomicU64::new(0),
                shortages: AtomicU32::new(0),
                stopping: AtomicBool::new(false),
                paused: AtomicBool::new(false),
                started: reactor::now(),
                started_at: reactor::wall(),
                pid: std::process::id(),
                node,
                hostname,
            },
            workers,
        }
    }

    /// Whether a soft stop was asked for.
    pub fn stopping(&self) -> bool {
        self.process.stopping.load(Relaxed)
    }

    /// Whether no clients are accepted for now.
    pub fn paused(&self) -> bool {
        self.process.paused.load(Relaxed)
    }
}

impl Proxy {
    fn new(index: usize, config: model::Proxy, process_maxconn: u32, seed: u64) -> Self {
        let backend = Backend::new(&config, seed ^ index as u64);
        Self {
            index,
            maxconn: config.maxconn.unwrap_or(process_maxconn),
            connections: Gauge::default(),
            session_rate: Rate::default(),
            request_rate: Rate::default(),
            log_lines: AtomicU64::new(0),
            gate: Gate::default(),
            pages: Pages::new(&config),
            listeners: std::iter::repeat_with(Listener::default).take(config.binds.len()).collect(),
            backend,
            config,
        }
    }

    /// The section's name.
    pub fn name(&self) -> &str {
        &self.config.name
    }
}

/// The machine's name, as the kernel has it.
fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "localhost".to_owned(), |s| s.trim().to_owned())
}
