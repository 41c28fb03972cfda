//! A data plane that changes nothing and says what it would change (`--dry-run`).

use crate::command;
use director::plane::{
    Change, DataPlane, Info, PlaneError, Recording, Statistics, SyncDaemon, SyncRole, Table, Timeouts,
};
use notice::log::Log;
use std::rc::Rc;

/// Begins with the table as it is and goes on as if it were changed.
#[derive(Debug)]
pub struct DryRun {
    shadow: Recording,
    log: Rc<Log>,
}

impl DryRun {
    /// With a table to begin with.
    pub fn new(table: Table, log: Rc<Log>) -> Self {
        Self { shadow: Recording::with(table), log }
    }

    fn say(&self, what: impl std::fmt::Display) {
        self.log.info(format_args!("dry run: {what}"));
    }
}

impl DataPlane for DryRun {
    fn apply(&mut self, change: &Change) -> Result<(), PlaneError> {
        self.say(command::shown(change));
        let result = self.shadow.apply(change);
        // What was changed has been said.
        self.shadow.take_log();
        result
    }

    fn table(&mut self) -> Result<Table, PlaneError> {
        self.shadow.table()
    }

    fn statistics(&mut self) -> Result<Statistics, PlaneError> {
        self.shadow.statistics()
    }

    fn flush(&mut self) -> Result<(), PlaneError> {
        self.say("ipvsadm -C");
        self.shadow.flush()
    }

    fn timeouts(&mut self) -> Result<Timeouts, PlaneError> {
        self.shadow.timeouts()
    }

    fn set_timeouts(&mut self, timeouts: &Timeouts) -> Result<(), PlaneError> {
        let Timeouts { tcp, tcp_fin, udp } = timeouts;
        self.say(format_args!("ipvsadm --set {tcp} {tcp_fin} {udp}"));
        self.shadow.set_timeouts(timeouts)
    }

    fn start_sync(&mut self, daemon: &SyncDaemon) -> Result<(), PlaneError> {
        let role = word(daemon.role);
        self.say(format_args!(
            "ipvsadm --start-daemon {role} --mcast-interface {} --syncid {}",
            daemon.interface, daemon.id
        ));
        self.shadow.start_sync(daemon)
    }

    fn stop_sync(&mut self, role: SyncRole, id: u8) -> Result<(), PlaneError> {
        self.shadow.stop_sync(role, id)?;
        self.say(format_args!("ipvsadm --stop-daemon {}", word(role)));
        Ok(())
    }

    fn sync_daemons(&mut self) -> Result<Vec<SyncDaemon>, PlaneError> {
        self.shadow.sync_daemons()
    }

    fn info(&mut self) -> Result<Info, PlaneError> {
        self.shadow.info()
    }
}

fn word(role: SyncRole) -> &'static str {
    match role {
        SyncRole::Master => "master",
        SyncRole::Backup => "backup",
    }
}
