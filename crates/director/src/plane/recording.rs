//! A table in memory with the kernel's rules.

use super::{
    Change, DataPlane, Destination, DestinationStatistics, Entry, Family, Forwarding, Granularity, Info,
    PlaneError, Scheduler, Service, ServiceStatistics, Statistics, SyncDaemon, SyncRole, Table, Timeouts,
};

/// The greatest weight.
const MAX_WEIGHT: u32 = i32::MAX as u32;

/// A data plane for tests: it keeps a table, refuses what the kernel refuses with the kernel's error, and remembers every
/// change that was made.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    table: Table,
    log: Vec<Change>,
    daemons: Vec<SyncDaemon>,
    timeouts: Timeouts,
    /// What [`DataPlane::statistics`] answers for destinations; those not named have zeros.
    pub counted: Statistics,
}

impl Recording {
    /// An empty table.
    pub fn new() -> Self {
        Self { timeouts: Timeouts { tcp: 900, tcp_fin: 120, udp: 300 }, ..Self::default() }
    }

    /// A table that was there before.
    pub fn with(table: Table) -> Self {
        Self { table, ..Self::new() }
    }

    /// The table, without a request.
    pub fn current(&self) -> &Table {
        &self.table
    }

    /// The changes made since the last call.
    pub fn take_log(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.log)
    }

    fn make(&mut self, change: &Change) -> Result<(), PlaneError> {
        match change {
            Change::AddService(service) => {
                if self.table.contains_key(&service.key) {
                    return Err(PlaneError::Exists);
                }
                valid_service(service)?;
                let entry = Entry { service: service.clone(), destinations: Vec::new() };
                self.table.insert(service.key, entry);
            }
            Change::EditService(service) => {
                let entry = self.table.get_mut(&service.key).ok_or(PlaneError::NoService)?;
                valid_service(service)?;
                entry.service = service.clone();
            }
            Change::RemoveService(key) => {
                self.table.remove(key).ok_or(PlaneError::NoService)?;
            }
            Change::AddDestination(key, destination) => {
                let synchronised = !self.daemons.is_empty();
                let entry = self.table.get_mut(key).ok_or(PlaneError::NoService)?;
                valid_destination(key.family(), destination, synchronised)?;
                if entry.destination(&destination.key).is_some() {
                    return Err(PlaneError::Exists);
                }
                entry.destinations.insert(0, *destination);
            }
            Change::EditDestination(key, destination) => {
                let synchronised = !self.daemons.is_empty();
                let entry = self.table.get_mut(key).ok_or(PlaneError::NoService)?;
                valid_destination(key.family(), destination, synchronised)?;
                let old = entry.destinations.iter_mut().find(|one| one.key == destination.key);
                *old.ok_or(PlaneError::NotFound)? = *destination;
            }
            Change::RemoveDestination(key, destination) => {
                let entry = self.table.get_mut(key).ok_or(PlaneError::NoService)?;
                let place = entry.destinations.iter().position(|one| one.key == *destination);
                entry.destinations.remove(place.ok_or(PlaneError::NotFound)?);
            }
        }
        Ok(())
    }
}

fn valid_service(service: &Service) -> Result<(), PlaneError> {
    match (service.key.family(), service.granularity) {
        (Family::V4, Granularity::Netmask(_)) | (Family::V6, Granularity::Prefix(1..=128)) => {}
        _ => return Err(PlaneError::Invalid),
    }
    if matches!(service.scheduler, Scheduler::Other(_)) {
        return Err(PlaneError::NotFound);
    }
    if service.engine.as_deref().is_some_and(|engine| engine != "sip") {
        return Err(PlaneError::NotFound);
    }
    Ok(())
}

fn valid_destination(
    service: Family,
    destination: &Destination,
    synchronised: bool,
) -> Result<(), PlaneError> {
    // Families are mixed by wrapping only, and synchronisation cannot carry that.
    if Family::of(&destination.key.address) != service
        && (synchronised || !matches!(destination.forwarding, Forwarding::Tunnel(_)))
    {
        return Err(PlaneError::Invalid);
    }
    if destination.weight > MAX_WEIGHT || destination.lower_threshold > destination.upper_threshold {
        return Err(PlaneError::Range);
    }
    Ok(())
}

impl DataPlane for Recording {
    fn apply(&mut self, change: &Change) -> Result<(), PlaneError> {
        self.make(change)?;
        self.log.push(change.clone());
        Ok(())
    }

    fn table(&mut self) -> Result<Table, PlaneError> {
        Ok(self.table.clone())
    }

    fn statistics(&mut self) -> Result<Statistics, PlaneError> {
        let mut all = Statistics::new();
        for (key, entry) in &self.table {
            let counted = self.counted.get(key);
            let mut service = ServiceStatistics {
                counters: counted.map(|one| one.counters).unwrap_or_default(),
                rates: counted.map(|one| one.rates).unwrap_or_default(),
                ..ServiceStatistics::default()
            };
            for destination in &entry.destinations {
                let one: DestinationStatistics = counted
                    .and_then(|one| one.destinations.get(&destination.key))
                    .copied()
                    .unwrap_or_default();
                service.destinations.insert(destination.key, one);
            }
            all.insert(*key, service);
        }
        Ok(all)
    }

    fn flush(&mut self) -> Result<(), PlaneError> {
        self.log.extend(self.table.keys().map(|key| Change::RemoveService(*key)));
        self.table.clear();
        Ok(())
    }

    fn timeouts(&mut self) -> Result<Timeouts, PlaneError> {
        Ok(self.timeouts)
    }

    fn set_timeouts(&mut self, timeouts: &Timeouts) -> Result<(), PlaneError> {
        for (now, new) in [
            (&mut self.timeouts.tcp, timeouts.tcp),
            (&mut self.timeouts.tcp_fin, timeouts.tcp_fin),
            (&mut self.timeouts.udp, timeouts.udp),
        ] {
            if new != 0 {
                *now = new;
            }
        }
        Ok(())
    }

    fn start_sync(&mut self, daemon: &SyncDaemon) -> Result<(), PlaneError> {
        if daemon.interface.is_empty() || daemon.interface.len() > 15 {
            return Err(PlaneError::Invalid);
        }
        if self.daemons.iter().any(|one| one.role == daemon.role) {
            return Err(PlaneError::Exists);
        }
        self.daemons.push(daemon.clone());
        Ok(())
    }

    fn stop_sync(&mut self, role: SyncRole, _: u8) -> Result<(), PlaneError> {
        let before = self.daemons.len();
        self.daemons.retain(|one| one.role != role);
        if self.daemons.len() == before { Err(PlaneError::NoService) } else { Ok(()) }
    }

    fn sync_daemons(&mut self) -> Result<Vec<SyncDaemon>, PlaneError> {
        Ok(self.daemons.clone())
    }

    fn info(&mut self) -> Result<Info, PlaneError> {
        Ok(Info { version: (1, 2, 1), connection_table_size: 4096 })
    }
}
