//! How a role's process is scheduled and kept in memory (`…_priority`, `…_rt_priority`, `…_no_swap`, `max_auto_priority`).

use crate::log::Log;
use ek_time::Duration;
use keepalived_conf::model;
use reactor::scheduling;

/// Scheduling and memory as configured; what is not allowed is said and goes without.
pub fn schedule(wanted: &model::Scheduling, log: &Log) {
    if let Some(name) = &wanted.process_name {
        // Only a name with a NUL is refused.
        let _ = reactor::process::set_name(name);
    }
    let said = |what: &str, result: std::io::Result<()>| {
        if let Err(error) = result {
            log.info(format_args!("Unable to set {what} - {error}"));
        }
    };
    if let Some(nice) = wanted.nice {
        said("process priority", scheduling::set_nice(nice));
    }
    if !wanted.cpus.is_empty() {
        let cpus: Vec<_> = wanted.cpus.iter().copied().map(usize::from).collect();
        said("CPU affinity", scheduling::set_affinity(&cpus));
    }
    if let Some(priority) = wanted.realtime {
        said("realtime priority", scheduling::set_realtime(priority));
        if let Some(limit) = wanted.realtime_limit {
            said("realtime limit", scheduling::limit_realtime(limit));
        }
    }
    if wanted.no_swap || wanted.realtime.is_some() {
        said("memory lock", scheduling::lock_memory());
    }
}

/// `max_auto_priority`: a process whose timers are late gets real-time priority, more each time.
#[derive(Debug)]
pub struct Lateness {
    now: u8,
    most: u8,
    allowed: Duration,
}

impl Lateness {
    /// Of a process that was scheduled as `process` says.
    pub fn new(global: &model::Global, process: &model::Scheduling) -> Self {
        Self {
            now: process.realtime.unwrap_or(0),
            most: u8::try_from(global.max_auto_priority).unwrap_or(0),
            allowed: global.min_auto_priority_delay,
        }
    }

    /// Takes another configuration.
    pub fn follow(&mut self, global: &model::Global, process: &model::Scheduling) {
        *self = Self { now: self.now, ..Self::new(global, process) };
    }

    /// Whether the priority may rise at all.
    pub fn may_rise(&self) -> bool {
        self.most > 0
    }

    /// A timer was late.
    pub fn late(&mut self, by: Duration, log: &Log) {
        if by < self.allowed || self.now >= self.most {
            return;
        }
        self.now += 1;
        let priority = self.now;
        match scheduling::set_realtime(priority) {
            Ok(()) => log.info(format_args!(
                "A timer was {} ms late, real-time priority is now {priority}",
                by.as_millis()
            )),
            Err(error) => {
                log.info(format_args!(
                    "A timer was late, and real-time priority {priority} is refused - {error}"
                ));
                self.most = 0;
            }
        }
    }
}
