//! `lvs_sync_daemon`: the synchronisation of IPVS connections sends where the virtual router that it follows is Master,
//! and receives where it is not.

use crate::lower::Plan;
use director::plane::{DataPlane, SyncDaemon, SyncRole};
use keepalived_conf::model;
use netlink::Namespace;
use netlink::ipvs::{Asked, Kernel};
use notice::log::Log;
use vrrp::{RouterId, State};

/// Keeps the kernel's daemon as the state of a virtual router wants it.
#[derive(Default)]
pub struct Follower {
    plane: Option<Box<dyn DataPlane>>,
    /// The virtual router, and its daemon but for the role.
    followed: Option<(RouterId, SyncDaemon)>,
    running: Option<SyncDaemon>,
    /// What was tried last, and in which state: what failed is tried again in the next state.
    tried: Option<(State, SyncDaemon)>,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("followed", &self.followed).field("running", &self.running).finish()
    }
}

impl Follower {
    /// Follows whom a configuration names, if it does. What a predecessor that crashed has left is stopped.
    ///
    /// # Errors
    /// When there is somebody to follow and no IPVS; the text is for the log.
    pub fn new(plan: &Plan, log: &Log) -> Result<Self, String> {
        let mut follower = Self::default();
        follower.configure(plan, log)?;
        Ok(follower)
    }

    /// Follows whom another configuration names from now on.
    ///
    /// # Errors
    /// As [`new`](Self::new); nobody is followed then.
    pub fn configure(&mut self, plan: &Plan, log: &Log) -> Result<(), String> {
        self.tried = None;
        self.followed = followed(plan);
        if let (None, Some(name)) = (&self.followed, named(plan)) {
            log.info(format_args!(
                "Unable to find vrrp instance {name} for lvs_syncd - clearing lvs_syncd config"
            ));
        }
        if self.followed.is_none() || self.plane.is_some() {
            return Ok(());
        }
        match open(&plan.model.global) {
            Ok(kernel) => {
                self.take(Box::new(kernel));
                Ok(())
            }
            Err(why) => {
                self.followed = None;
                Err(format!("IPVS: Can't initialize ipvs: {why}"))
            }
        }
    }

    fn take(&mut self, mut plane: Box<dyn DataPlane>) {
        for role in [SyncRole::Master, SyncRole::Backup] {
            // There is one only if somebody left it.
            let _ = plane.stop_sync(role, 0);
        }
        self.plane = Some(plane);
    }

    /// The virtual router whose state matters.
    pub fn router(&self) -> Option<RouterId> {
        self.followed.as_ref().map(|(router, _)| *router)
    }

    /// Makes the daemon what this state of the router wants; nothing when it is that already.
    pub fn follow(&mut self, state: Option<State>, log: &Log) {
        let wanted = state.zip(self.followed.as_ref()).map(|(state, (_, daemon))| {
            let role = if state == State::Master { SyncRole::Master } else { SyncRole::Backup };
            (state, SyncDaemon { role, ..daemon.clone() })
        });
        let same = self.running.as_ref() == wanted.as_ref().map(|(_, daemon)| daemon);
        if same || (wanted.is_some() && self.tried == wanted) {
            return;
        }
        self.stop(log);
        self.tried.clone_from(&wanted);
        let (Some((_, daemon)), Some(plane)) = (wanted, &mut self.plane) else { return };
        match plane.start_sync(&daemon) {
            Ok(()) => self.running = Some(daemon),
            Err(error) => log.info(Asked::StartSync.line(&error)),
        }
    }

    /// Stops the daemon.
    pub fn stop(&mut self, log: &Log) {
        if let (Some(daemon), Some(plane)) = (self.running.take(), &mut self.plane)
            && let Err(error) = plane.stop_sync(daemon.role, daemon.id)
        {
            log.info(Asked::StopSync.line(&error));
        }
    }

    /// Stops the daemon for good: states are of no interest any more.
    pub fn end(&mut self, log: &Log) {
        self.followed = None;
        self.stop(log);
    }
}

fn open(global: &model::Global) -> Result<Kernel, String> {
    let kernel = match &global.net_namespace_ipvs {
        None => Kernel::open(),
        Some(name) => Kernel::open_in(
            Namespace::named(&name.text)
                .map_err(|error| format!("network namespace {}: {error}", name.text))?,
        ),
    };
    kernel.map_err(|error| error.to_string())
}

/// The instance that is to be followed. Daemons that follow nobody are the director's.
fn named(plan: &Plan) -> Option<&str> {
    Some(&plan.model.global.lvs_sync.as_ref()?.instance.as_ref()?.text)
}

fn followed(plan: &Plan) -> Option<(RouterId, SyncDaemon)> {
    let sync = plan.model.global.lvs_sync.as_ref()?;
    let router = plan.router_id(named(plan)?)?;
    let instance = plan.instance(router)?;
    Some((
        router,
        SyncDaemon {
            role: SyncRole::Backup,
            interface: sync.interface.text.clone(),
            id: sync.id.unwrap_or(instance.virtual_router_id),
            max_length: sync.max_length,
            group: sync.group,
            port: sync.port,
            ttl: sync.ttl,
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use director::plane::{Info, PlaneError, Recording, Statistics, Table, Timeouts};
    use keepalived_conf::{Memory, Options, Unknown, load};
    use std::cell::RefCell;
    use std::rc::Rc;

    /// A data plane that tells what it was asked.
    #[derive(Clone, Default)]
    struct Told {
        plane: Rc<RefCell<Recording>>,
        said: Rc<RefCell<Vec<String>>>,
        /// Interfaces that it does not have.
        missing: Rc<RefCell<Vec<&'static str>>>,
    }

    impl DataPlane for Told {
        fn apply(&mut self, change: &director::plane::Change) -> Result<(), PlaneError> {
            self.plane.borrow_mut().apply(change)
        }
        fn table(&mut self) -> Result<Table, PlaneError> {
            self.plane.borrow_mut().table()
        }
        fn statistics(&mut self) -> Result<Statistics, PlaneError> {
            self.plane.borrow_mut().statistics()
        }
        fn flush(&mut self) -> Result<(), PlaneError> {
            self.plane.borrow_mut().flush()
        }
        fn timeouts(&mut self) -> Result<Timeouts, PlaneError> {
            self.plane.borrow_mut().timeouts()
        }
        fn set_timeouts(&mut self, timeouts: &Timeouts) -> Result<(), PlaneError> {
            self.plane.borrow_mut().set_timeouts(timeouts)
        }
        fn start_sync(&mut self, daemon: &SyncDaemon) -> Result<(), PlaneError> {
            let SyncDaemon { role, interface, id, .. } = daemon;
            self.said.borrow_mut().push(format!("start {role:?} {interface} {id}"));
            if self.missing.borrow().contains(&interface.as_str()) {
                return Err(PlaneError::System(19));
            }
            self.plane.borrow_mut().start_sync(daemon)
        }
        fn stop_sync(&mut self, role: SyncRole, id: u8) -> Result<(), PlaneError> {
            self.said.borrow_mut().push(format!("stop {role:?}"));
            self.plane.borrow_mut().stop_sync(role, id)
        }
        fn sync_daemons(&mut self) -> Result<Vec<SyncDaemon>, PlaneError> {
            self.plane.borrow_mut().sync_daemons()
        }
        fn info(&mut self) -> Result<Info, PlaneError> {
            self.plane.borrow_mut().info()
        }
    }

    fn plan(sync: &str) -> Plan {
        let instance = |name: &str, id: u8| {
            format!(
                "vrrp_instance {name} {{\n interface e0\n virtual_router_id {id}\n virtual_ipaddress {{\n 10.0.0.{id}\n }}\n}}\n"
            )
        };
        let text = format!("global_defs {{\n {sync}\n}}\n{}{}", instance("A", 51), instance("B", 52));
        let memory = Memory::of("/etc/keepalived/keepalived.conf", text);
        Plan::new(load(&Options::default(), &memory, &Unknown).config)
    }

    fn quiet() -> Log {
        Log::new(notice::log::LogOptions { facility: None, ..Default::default() })
    }

    #[test]
    fn the_daemon_follows_its_router() {
        let (told, log) = (Told::default(), quiet());
        let said = || std::mem::take(&mut *told.said.borrow_mut());
        let mut follower = Follower::default();
        follower.take(Box::new(told.clone()));
        assert_eq!(said(), ["stop Master", "stop Backup"]);
        follower.configure(&plan("lvs_sync_daemon e0 inst A"), &log).unwrap();
        assert_eq!(follower.router(), Some(RouterId(0)));
        follower.follow(Some(State::Init), &log);
        follower.follow(Some(State::Backup), &log);
        assert_eq!(said(), ["start Backup e0 51"]);
        follower.follow(Some(State::Master), &log);
        follower.follow(Some(State::Master), &log);
        assert_eq!(said(), ["stop Backup", "start Master e0 51"]);
        follower.follow(Some(State::Fault), &log);
        assert_eq!(said(), ["stop Master", "start Backup e0 51"]);

        // A reload that changes nothing of it touches nothing; another touches what it must.
        follower.configure(&plan("lvs_sync_daemon e0 inst A\n lvs_timeouts udp 7"), &log).unwrap();
        follower.follow(Some(State::Fault), &log);
        assert_eq!(said(), [""; 0]);
        follower.configure(&plan("lvs_sync_daemon e1 inst B id 9"), &log).unwrap();
        assert_eq!(follower.router(), Some(RouterId(1)));
        follower.follow(Some(State::Master), &log);
        assert_eq!(said(), ["stop Backup", "start Master e1 9"]);
        // Without an instance it is the director's, and who is not there is not followed.
        follower.configure(&plan("lvs_sync_daemon e0 inst NOBODY"), &log).unwrap();
        assert_eq!(follower.router(), None);
        follower.configure(&plan("lvs_sync_daemon e0"), &log).unwrap();
        assert_eq!(follower.router(), None);
        follower.follow(None, &log);
        assert_eq!(said(), ["stop Master"]);

        follower.configure(&plan("lvs_sync_daemon e0 inst A"), &log).unwrap();
        follower.follow(Some(State::Master), &log);
        follower.end(&log);
        follower.follow(None, &log);
        assert_eq!(said(), ["start Master e0 51", "stop Master"]);
        assert_eq!(told.plane.borrow_mut().sync_daemons(), Ok(Vec::new()));
    }

    #[test]
    fn what_failed_is_tried_again_in_the_next_state() {
        let (told, log) = (Told::default(), quiet());
        let said = || std::mem::take(&mut *told.said.borrow_mut());
        let mut follower = Follower::default();
        follower.take(Box::new(told.clone()));
        said();
        told.missing.borrow_mut().push("e0");
        follower.configure(&plan("lvs_sync_daemon e0 inst A"), &log).unwrap();
        follower.follow(Some(State::Fault), &log);
        follower.follow(Some(State::Fault), &log);
        assert_eq!(said(), ["start Backup e0 51"]);
        told.missing.borrow_mut().clear();
        follower.follow(Some(State::Backup), &log);
        follower.follow(Some(State::Backup), &log);
        assert_eq!(said(), ["start Backup e0 51"]);
        follower.follow(Some(State::Master), &log);
        assert_eq!(said(), ["stop Backup", "start Master e0 51"]);
    }
}
