//! What a check's outcome does to the running server: its state, the choice of servers, the log.

use crate::health::{Duty, Target, plans, watch};
use crate::server::{Admin, Server};
use crate::state::Proxy;
use crate::worker::Worker;
use check::message::{self, Cause, Message, Moved, Remaining};
use check::{Health, Standing, Step};
use haproxy_cfg::model::ProxyKind;
use std::io::Write as _;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};

/// Begins to check all servers that are to be checked, on this worker.
pub fn start(worker: &Rc<Worker>) {
    let state = &worker.state;
    for plan in plans(&state.config, state.process.started.as_nanos()) {
        let Some(proxy) = state.proxies.get(plan.proxy) else { continue };
        let target = Checked { worker: Rc::clone(worker), proxy: Arc::clone(proxy), server: plan.server };
        reactor::spawn(watch(plan, target));
    }
}

/// A running server that is checked.
struct Checked {
    worker: Rc<Worker>,
    proxy: Arc<Proxy>,
    server: usize,
}

impl Target for Checked {
    fn duty(&self) -> Duty {
        match self.server().map(Server::admin) {
            Some(Admin::Ready) if !self.worker.state.stopping() => Duty::Check,
            Some(Admin::Maintenance) if !self.worker.state.stopping() => Duty::Pause,
            _ => Duty::End,
        }
    }

    fn begin(&self) {
        if let Some(server) = self.server() {
            server.checking.store(true, Relaxed);
        }
    }

    fn report(&self, health: &Health, step: Step) {
        let Some(server) = self.server() else { return };
        server.checking.store(false, Relaxed);
        server.checks_failed.store(health.failures(), Relaxed);
        *server.health.lock().unwrap_or_else(PoisonError::into_inner) = Some(health.clone());
        let logs_checks = self.proxy.config.options.log_health_checks;
        let named = self.named(server);
        if logs_checks && step.report {
            self.tell(&message::checked(named, health, server.weight.load(Relaxed) == 0));
        }
        let Some(transition) = step.transition else { return };
        let backend = &self.proxy.backend;
        let before = backend.usable();
        let now_ms = reactor::now().as_millis();
        server.set_up(transition.to == Standing::Up, now_ms);
        backend.refresh();
        let (active, backup) = backend.usable();
        if (before == (0, 0)) != ((active, backup) == (0, 0)) {
            backend.changes.note((active, backup) != (0, 0), now_ms);
        }
        let left = Remaining { active, backup };
        let moved = Moved { sessions: server.streams.get().into(), ..Moved::default() };
        // The line about the check has said why.
        let cause = if logs_checks { Cause::Unsaid } else { Cause::Check(health.last()) };
        let was_stopping = transition.from == Standing::Stopping;
        self.tell(&match transition.to {
            Standing::Up => message::up(named, cause, left, moved),
            Standing::Stopping => message::stopping(named, cause, left, moved),
            Standing::Down => message::down(named, cause, left, moved, was_stopping),
        });
        if before != (0, 0) && (active, backup) == (0, 0) {
            // HAProxy's word for a section that is both sides.
            let kind = if self.proxy.config.kind == ProxyKind::Listen { "proxy" } else { "backend" };
            self.tell(&message::backend_down(kind, self.proxy.name()));
        }
    }
}

impl Checked {
    fn server(&self) -> Option<&Server> {
        self.proxy.backend.servers.get(self.server)
    }

    fn named<'a>(&'a self, server: &'a Server) -> message::Server<'a> {
        message::Server { proxy: self.proxy.name(), name: &server.config.name, backup: server.config.backup }
    }

    /// To the section's log, and to the console unless it is to be quiet.
    fn tell(&self, message: &Message) {
        self.worker.sinks(&self.proxy).send(message.level.number(), message.log.as_bytes());
        if !self.worker.state.config.global.quiet {
            let mut line = message.console_line(std::process::id());
            line.push('\n');
            // One write, so that lines of threads do not mix; a console that is gone is no reason to stop.
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
    }
}
