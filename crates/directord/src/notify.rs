//! Notifications: scripts, FIFOs and mail, in the order in which things happened.

use crate::plan::Plan;
use director::{Hook, RealServerId, VirtualServerId};
use ek_time::Duration;
use keepalived_conf::model;
use notice::fifo::Fifo;
use notice::log::Log;
use notice::mail::{self, Mailer};
use notice::script::{Program, Programs};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// How long a script may run that is started because the process stops.
const STOP_LIMIT: Duration = Duration::from_secs(1);

/// Sends notifications for one configuration.
#[derive(Debug)]
pub struct Notifier {
    log: Rc<Log>,
    fifos: Vec<Fifo>,
    mailer: Option<Mailer>,
    /// Few servers have scripts.
    programs: HashMap<Hook, Program>,
    /// Scripts started at the stop, which are waited for.
    stopping: RefCell<Vec<reactor::Task<()>>>,
}

impl Notifier {
    /// For a plan; `old` is what notified before a reload, whose FIFOs are taken over where they are the same.
    pub fn new(plan: &Plan, host: &str, log: &Rc<Log>, old: Option<Self>) -> Self {
        let model = &plan.model;
        let programs = Programs::new(&model.global, log);
        let mailer = match mail::Settings::new(&model.global, host) {
            Ok(settings) => settings.map(|settings| Mailer::new(settings, log.clone())),
            Err(line) => {
                log.info(line);
                None
            }
        };
        let mut old_fifos = old.map(|old| old.fifos).unwrap_or_default();
        let mut fifos = Vec::new();
        for (fifo, what) in
            [(&model.global.notify_fifo, "notify fifo"), (&model.global.lvs_notify_fifo, "lvs notify fifo")]
        {
            let Some(fifo) = fifo else { continue };
            match old_fifos.iter().position(|old| Some(old.path()) == fifo.path.as_deref()) {
                Some(at) => {
                    let mut kept = old_fifos.swap_remove(at);
                    kept.follow(fifo, &programs);
                    fifos.push(kept);
                }
                None => fifos.extend(Fifo::open(fifo, what, &programs, log)),
            }
        }
        for fifo in old_fifos {
            fifo.close();
        }
        Self {
            log: log.clone(),
            fifos,
            mailer,
            programs: prepare(plan, &programs),
            stopping: RefCell::new(Vec::new()),
        }
    }

    /// One that tells nobody.
    pub fn empty(log: &Rc<Log>) -> Self {
        Self {
            log: log.clone(),
            fifos: Vec::new(),
            mailer: None,
            programs: HashMap::new(),
            stopping: RefCell::new(Vec::new()),
        }
    }

    /// Runs a script, if there is one.
    pub fn script(&self, hook: Hook, stopping: bool) {
        let Some(program) = self.programs.get(&hook) else { return };
        let run = match program.start(&[]) {
            Ok(run) => run,
            Err(error) => {
                self.log.warning(format_args!("Unable to run notify script {}: {error}", program.shown()));
                return;
            }
        };
        if stopping {
            let task = reactor::spawn_task(async move {
                run.ended(STOP_LIMIT, || {}).await;
            });
            self.stopping.borrow_mut().push(task);
        } else {
            reactor::spawn(async move {
                run.wait().await;
            });
        }
    }

    /// Writes a line to the FIFOs.
    pub fn fifo(&self, line: &str) {
        for fifo in &self.fifos {
            fifo.write(line);
        }
    }

    /// Sends a mail.
    pub fn mail(&self, subject: &str, body: &str) {
        if let Some(mailer) = &self.mailer {
            mailer.send_about(subject, body);
        }
    }

    /// A script as dumps show it: the command, user and group.
    pub fn shown(&self, hook: Hook) -> Option<(String, u32, u32)> {
        let program = self.programs.get(&hook)?;
        Some((program.shown(), program.user().uid, program.user().gid))
    }

    /// Waits, at most `limit`, until scripts that were started at the stop have ended and mail is out; then closes the
    /// FIFOs.
    pub async fn finish(self, limit: Duration) {
        let deadline = reactor::now() + limit;
        for task in self.stopping.into_inner() {
            let _ = reactor::timeout_at(deadline, task).await;
        }
        while self.mailer.as_ref().is_some_and(|mailer| !mailer.is_idle()) && reactor::now() < deadline {
            reactor::sleep_until(reactor::now() + Duration::from_millis(10)).await;
        }
        // A script that does not end by itself should not take long, either.
        let deadline = deadline.min(reactor::now() + STOP_LIMIT);
        for fifo in self.fifos {
            fifo.finish(deadline).await;
        }
    }
}

fn prepare(plan: &Plan, programs: &Programs<'_>) -> HashMap<Hook, Program> {
    let mut prepared = HashMap::new();
    let mut put = |hook: Hook, script: &Option<model::Script>, what: &str| {
        let Some(script) = script else { return };
        let shown = script.command.first().map_or("", String::as_str);
        if let Some(program) = programs.prepare(script, &format!("{what} script {shown}")) {
            prepared.insert(hook, program);
        }
    };
    for (number, server) in plan.model.virtual_servers.iter().enumerate() {
        let id = VirtualServerId::at(number);
        put(Hook::QuorumUp(id), &server.quorum_up, "quorum");
        put(Hook::QuorumDown(id), &server.quorum_down, "quorum");
    }
    for number in 0..plan.real_servers.len() {
        let id = RealServerId::at(number);
        if let Some((_, server)) = plan.real_server(id) {
            put(Hook::Up(id), &server.notify_up, "notify");
            put(Hook::Down(id), &server.notify_down, "notify");
        }
    }
    prepared
}
