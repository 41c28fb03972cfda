//! Notifications: scripts, FIFOs and mail, in the order in which things happened.

use crate::lower::Plan;
use ek_time::Duration;
use keepalived_conf::model;
use notice::fifo::Fifo;
use notice::log::Log;
use notice::mail::{self, Mailer};
use notice::script::{Program, Programs};
use std::cell::RefCell;
use std::rc::Rc;
use vrrp::{Notification, State, Subject};

/// How long a script may run that is started because the process stops.
const STOP_LIMIT: Duration = Duration::from_secs(1);

/// What is done for one instance or group.
#[derive(Debug, Default, PartialEq, Eq)]
struct Receivers {
    master: Option<Program>,
    backup: Option<Program>,
    fault: Option<Program>,
    stop: Option<Program>,
    lower_priority: Option<Program>,
    deleted: Option<Program>,
    any: Option<Program>,
    /// `DELETED` in place of `FAULT` when a reload drops it.
    send_deleted: bool,
    smtp_alert: bool,
    /// The last state that a mail went out for: mail says what is new.
    mailed: Option<&'static str>,
}

/// Sends notifications for one configuration.
#[derive(Debug)]
pub struct Notifier {
    log: Rc<Log>,
    fifos: Vec<Fifo>,
    mailer: Option<Mailer>,
    no_faults: bool,
    /// `None` where nothing is configured, as of most routers on hosts that have very many.
    instances: Vec<Option<Box<Receivers>>>,
    groups: Vec<Option<Box<Receivers>>>,
    /// Scripts started at the stop, which are waited for.
    stopping: RefCell<Vec<reactor::Task<()>>>,
}

impl Receivers {
    fn new(notify: &model::Notify, smtp_alert: bool, programs: &Programs<'_>) -> Option<Box<Self>> {
        let prepare = |script: &Option<Box<model::Script>>| {
            let script = script.as_ref()?;
            let shown = script.command.first().map_or("", String::as_str);
            programs.prepare(script, &format!("notify script {shown}"))
        };
        let this = Self {
            master: prepare(&notify.master),
            backup: prepare(&notify.backup),
            fault: prepare(&notify.fault),
            stop: prepare(&notify.stop),
            lower_priority: prepare(&notify.master_rx_lower_priority),
            deleted: prepare(&notify.deleted),
            any: prepare(&notify.any),
            send_deleted: notify.send_deleted,
            smtp_alert,
            mailed: None,
        };
        (this != Self::default()).then(|| Box::new(this))
    }
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
            [(&model.global.notify_fifo, "notify fifo"), (&model.global.vrrp_notify_fifo, "vrrp notify fifo")]
        {
            let Some(fifo) = fifo else { continue };
            let same = old_fifos.iter().position(|old| Some(old.path()) == fifo.path.as_deref());
            match same {
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
        let mail = &model.global.mail;
        Self {
            log: log.clone(),
            fifos,
            mailer,
            no_faults: mail.no_faults,
            instances: model
                .instances
                .iter()
                .zip(&plan.routers)
                .map(|(instance, planned)| Receivers::new(&instance.notify, planned.smtp_alert, &programs))
                .collect(),
            groups: model
                .sync_groups
                .iter()
                .map(|group| {
                    let alert = group.notify.smtp_alert.or(mail.alert_vrrp).or(mail.alert).unwrap_or(false);
                    Receivers::new(&group.notify, alert, &programs)
                })
                .collect(),
            stopping: RefCell::new(Vec::new()),
        }
    }

    /// One that tells nobody.
    pub fn empty(log: &Rc<Log>) -> Self {
        Self {
            log: log.clone(),
            fifos: Vec::new(),
            mailer: None,
            no_faults: false,
            instances: Vec::new(),
            groups: Vec::new(),
            stopping: RefCell::new(Vec::new()),
        }
    }

    /// Sends one.
    pub fn send(&mut self, plan: &Plan, notification: &Notification) {
        match notification {
            Notification::State { subject, to, priority, .. } => {
                let (word, event) = match to {
                    State::Master => ("MASTER", Some("Entering MASTER state")),
                    State::Backup => ("BACKUP", Some("Entering BACKUP state")),
                    State::Fault => ("FAULT", Some("Entering FAULT state")),
                    State::Init => ("INIT", None),
                };
                let script = match to {
                    State::Master => |to: &Receivers| to.master.clone(),
                    State::Backup => |to: &Receivers| to.backup.clone(),
                    State::Fault => |to: &Receivers| to.fault.clone(),
                    State::Init => |_: &Receivers| None,
                };
                self.changed(plan, *subject, word, *priority, script, false);
                if let Some(event) = event {
                    self.mail(plan, *subject, word, event);
                }
            }
            Notification::Gone { subject, priority, deleted: false, .. } => {
                self.changed(plan, *subject, "STOP", *priority, |to| to.stop.clone(), true);
                self.mail(plan, *subject, "STOP", "Stopping");
            }
            Notification::Gone { subject, priority, deleted: true, .. } => {
                if self.receivers(*subject).is_some_and(|to| to.send_deleted) {
                    self.changed(plan, *subject, "DELETED", *priority, |to| to.deleted.clone(), false);
                } else {
                    self.changed(plan, *subject, "FAULT", *priority, |to| to.fault.clone(), false);
                }
            }
            Notification::Priority { router, state, to, .. } => {
                let word = if *state == State::Master { "MASTER_PRIORITY" } else { "BACKUP_PRIORITY" };
                self.write_fifos(plan, Subject::Router(*router), word, *to);
            }
            Notification::ReceivedLowerPriority { router, priority } => {
                let subject = Subject::Router(*router);
                if let Some(script) = self.receivers(subject).and_then(|to| to.lower_priority.clone()) {
                    self.run(&script, &[], false);
                }
                self.write_fifos(plan, subject, "MASTER_RX_LOWER_PRI", *priority);
            }
        }
    }

    /// Writes a state to the FIFOs, without anything having happened.
    pub fn write_state(&self, plan: &Plan, subject: Subject, state: State, priority: u8) {
        let word = match state {
            State::Master => "MASTER",
            State::Backup => "BACKUP",
            State::Fault => "FAULT",
            State::Init => "INIT",
        };
        self.write_fifos(plan, subject, word, priority);
    }

    fn receivers(&mut self, subject: Subject) -> Option<&mut Receivers> {
        let place = match subject {
            Subject::Router(router) => self.instances.get_mut(router.index()),
            Subject::Group(group) => self.groups.get_mut(group.index()),
        };
        place?.as_deref_mut()
    }

    /// The script of the state, the general one, the FIFOs.
    fn changed(
        &mut self,
        plan: &Plan,
        subject: Subject,
        word: &str,
        priority: u8,
        script: impl Fn(&Receivers) -> Option<Program>,
        stop: bool,
    ) {
        let to = self.receivers(subject);
        let (own, any) = to.map_or((None, None), |to| (script(to), to.any.clone()));
        if let Some(own) = own {
            self.run(&own, &[], stop);
        }
        if let Some(any) = any {
            let (kind, name) = names(plan, subject);
            self.run(&any, &[kind, name, word, &priority.to_string()], stop);
        }
        self.write_fifos(plan, subject, word, priority);
    }

    fn write_fifos(&self, plan: &Plan, subject: Subject, word: &str, priority: u8) {
        if self.fifos.is_empty() {
            return;
        }
        let (kind, name) = names(plan, subject);
        let line = format!("{kind} \"{name}\" {word} {priority}\n");
        for fifo in &self.fifos {
            fifo.write(&line);
        }
    }

    fn run(&self, program: &Program, more: &[&str], stop: bool) {
        let run = match program.start(more) {
            Ok(run) => run,
            Err(error) => {
                self.log.warning(format_args!("Unable to run notify script {}: {error}", program.shown()));
                return;
            }
        };
        if stop {
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

    fn mail(&mut self, plan: &Plan, subject: Subject, word: &'static str, event: &str) {
        let Some(mailer) = self.mailer.clone() else { return };
        let no_faults = self.no_faults;
        let Some(to) = self.receivers(subject) else { return };
        if !to.smtp_alert || (no_faults && word == "FAULT") || to.mailed == Some(word) {
            return;
        }
        to.mailed = Some(word);
        let (_, name) = names(plan, subject);
        let (what, body) = match (subject, word) {
            (Subject::Router(_), "MASTER") => {
                ("Instance", "=> VRRP Instance is now owning VRRP VIPs <=".to_owned())
            }
            (Subject::Router(_), "STOP") => ("Instance", "=> VRRP Instance stopping <=".to_owned()),
            (Subject::Router(_), _) => {
                ("Instance", "=> VRRP Instance is no longer owning VRRP VIPs <=".to_owned())
            }
            (Subject::Group(_), "STOP") => {
                ("Group", "=> All VRRP group instances are now stopping <=".to_owned())
            }
            (Subject::Group(_), word) => {
                ("Group", format!("=> All VRRP group instances are now in {word} state <="))
            }
        };
        mailer.send(&format!("VRRP {what} {name}"), event, &body);
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

    /// A script of an instance, as dumps show it.
    pub fn shown(&self, router: vrrp::RouterId) -> Option<ShownScripts> {
        let to = self.instances.get(router.index())?;
        let Some(to) = to else { return Some(ShownScripts::default()) };
        let shown = |program: &Option<Program>| {
            program.as_ref().map(|program| (program.shown(), program.user().uid, program.user().gid))
        };
        Some(ShownScripts {
            master: shown(&to.master),
            backup: shown(&to.backup),
            fault: shown(&to.fault),
            stop: shown(&to.stop),
            deleted: shown(&to.deleted),
            any: shown(&to.any),
            lower_priority: shown(&to.lower_priority),
        })
    }
}

/// A command, user and group.
pub type ShownScript = Option<(String, u32, u32)>;

/// The scripts of an instance, as dumps show them.
#[derive(Clone, Debug, Default)]
pub struct ShownScripts {
    /// `notify_master`.
    pub master: ShownScript,
    /// `notify_backup`.
    pub backup: ShownScript,
    /// `notify_fault`.
    pub fault: ShownScript,
    /// `notify_stop`.
    pub stop: ShownScript,
    /// `notify_deleted`.
    pub deleted: ShownScript,
    /// `notify`.
    pub any: ShownScript,
    /// `notify_master_rx_lower_pri`.
    pub lower_priority: ShownScript,
}

fn names(plan: &Plan, subject: Subject) -> (&'static str, &str) {
    match subject {
        Subject::Router(router) => {
            ("INSTANCE", plan.instance(router).map_or("", |instance| instance.name.text.as_str()))
        }
        Subject::Group(group) => ("GROUP", plan.group(group).map_or("", |group| group.name.text.as_str())),
    }
}
