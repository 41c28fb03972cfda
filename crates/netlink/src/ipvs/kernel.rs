//! The kernel as a data plane.

use super::number::FAMILY;
use super::{module, request};
use crate::client::Client;
use crate::error::Error;
use crate::generic::{self, GenericFamily};
use crate::namespace::Namespace;
use crate::operation::{Operation, Protocol};
use director::plane::{
    Change, DataPlane, Entry, Info, PlaneError, Service, ServiceKey, ServiceStatistics, Statistics,
    SyncDaemon, SyncRole, Table, Timeouts,
};
use std::time::Duration;

/// The kernel's IPVS in one network namespace. Calls wait for the kernel, at most as long as it was told.
#[derive(Debug)]
pub struct Kernel {
    /// `None` after an exchange that did not end.
    client: Option<Client>,
    family: GenericFamily,
    namespace: Option<Namespace>,
    timeout: Duration,
}

impl Kernel {
    /// Finds IPVS in the namespace that this thread is in; its module is loaded if need be.
    ///
    /// # Errors
    /// [`PlaneError::Unavailable`] when this kernel has no IPVS, or that cannot be found out.
    pub fn open() -> Result<Self, PlaneError> {
        Self::open_somewhere(None)
    }

    /// The same in another namespace (`net_namespace_ipvs`). The thread stays where it is.
    ///
    /// # Errors
    /// Those of [`open`](Self::open), and of entering it.
    pub fn open_in(namespace: Namespace) -> Result<Self, PlaneError> {
        Self::open_somewhere(Some(namespace))
    }

    fn open_somewhere(namespace: Option<Namespace>) -> Result<Self, PlaneError> {
        let mut client = connect(namespace.as_ref())?;
        let family = find(&mut client)?;
        Ok(Self { client: Some(client), family, namespace, timeout: Duration::from_secs(5) })
    }

    /// How long a call may wait for the kernel; 5 s unless set. A batch is one call.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    fn run<T: Default>(&mut self, make: impl Fn(&GenericFamily) -> Operation<T>) -> Result<T, PlaneError> {
        let first = self.run_once(make(&self.family));
        match first {
            Err(PlaneError::NotFound) if self.has_moved()? => self.run_once(make(&self.family)),
            result => result,
        }
    }

    fn run_once<T: Default>(&mut self, operation: Operation<T>) -> Result<T, PlaneError> {
        let result = self.client()?.run(operation);
        result.map_err(|error| self.failed(error))
    }

    /// The client, opened again where the last exchange did not end: answers that come late must not be mistaken.
    fn client(&mut self) -> Result<&mut Client, PlaneError> {
        let mut client = match self.client.take() {
            Some(client) => client,
            None => connect(self.namespace.as_ref())?,
        };
        client.set_timeout(self.timeout);
        Ok(self.client.insert(client))
    }

    fn failed(&mut self, error: Error) -> PlaneError {
        match error {
            Error::Kernel(_, refusal) => PlaneError::from_errno(refusal.errno),
            Error::Invalid(_) | Error::TooLong(_) => PlaneError::Invalid,
            other => {
                self.client = None;
                PlaneError::Unavailable(other.to_string())
            }
        }
    }

    /// Whether the family has another number than before. What is sent to a number that is no family's is refused with
    /// `ENOENT`, as is a destination that is not there: the module may have been taken out and put in again.
    fn has_moved(&mut self) -> Result<bool, PlaneError> {
        let now = find(self.client()?)?;
        let moved = now.id != self.family.id;
        self.family = now;
        Ok(moved)
    }

    /// A service with its destinations.
    ///
    /// # Errors
    /// [`PlaneError::NoService`] when there is none.
    pub fn entry(&mut self, key: &ServiceKey) -> Result<Entry, PlaneError> {
        let listed = self.run(|family| request::service(family, key))?;
        let service = listed.into_iter().next().ok_or(PlaneError::NoService)?.service;
        self.with_destinations(service)
    }

    fn with_destinations(&mut self, service: Service) -> Result<Entry, PlaneError> {
        let found = self.run(|family| request::destinations(family, &service.key))?;
        let destinations = found.iter().map(|one| one.destination(service.key.family())).collect();
        Ok(Entry { service, destinations })
    }

    /// Sets the counters of a service and its destinations to zero, or all there are.
    ///
    /// # Errors
    /// [`PlaneError::NoService`] when there is no such service.
    pub fn zero(&mut self, key: Option<&ServiceKey>) -> Result<(), PlaneError> {
        self.run(|family| request::zero(family, key))
    }

    fn apply_together(&mut self, changes: &[&Change]) -> Vec<Result<(), PlaneError>> {
        let operations = changes.iter().map(|change| request::change(&self.family, change)).collect();
        let results = match self.client() {
            Ok(client) => client.run_all(operations),
            Err(error) => return vec![Err(error); changes.len()],
        };
        results.into_iter().map(|result| result.map_err(|error| self.failed(error))).collect()
    }
}

impl DataPlane for Kernel {
    fn apply(&mut self, change: &Change) -> Result<(), PlaneError> {
        self.run(|family| request::change(family, change))
    }

    /// Many requests go in one datagram; the kernel carries them out in their order and answers each.
    fn apply_all(&mut self, changes: &[Change]) -> Vec<Result<(), PlaneError>> {
        let all: Vec<&Change> = changes.iter().collect();
        let mut results = self.apply_together(&all);
        let lost: Vec<usize> = (0..)
            .zip(&results)
            .filter(|(_, result)| **result == Err(PlaneError::NotFound))
            .map(|(place, _)| place)
            .collect();
        if lost.is_empty() || self.has_moved() != Ok(true) {
            return results;
        }
        let again: Vec<&Change> = lost.iter().filter_map(|place| changes.get(*place)).collect();
        for (place, result) in lost.into_iter().zip(self.apply_together(&again)) {
            if let Some(slot) = results.get_mut(place) {
                *slot = result;
            }
        }
        results
    }

    fn table(&mut self) -> Result<Table, PlaneError> {
        let mut table = Table::new();
        for listed in self.run(request::services)? {
            table.insert(listed.service.key, self.with_destinations(listed.service)?);
        }
        Ok(table)
    }

    fn statistics(&mut self) -> Result<Statistics, PlaneError> {
        let mut all = Statistics::new();
        for listed in self.run(request::services)? {
            let key = listed.service.key;
            let found = self.run(|family| request::destinations(family, &key))?;
            let destinations = found.iter().map(|one| (one.key(key.family()), one.statistics)).collect();
            let (counters, rates) = (listed.counters, listed.rates);
            all.insert(key, ServiceStatistics { counters, rates, destinations });
        }
        Ok(all)
    }

    fn flush(&mut self) -> Result<(), PlaneError> {
        self.run(request::flush)
    }

    fn timeouts(&mut self) -> Result<Timeouts, PlaneError> {
        self.run(request::timeouts)
    }

    fn set_timeouts(&mut self, timeouts: &Timeouts) -> Result<(), PlaneError> {
        self.run(|family| request::set_timeouts(family, timeouts))
    }

    fn start_sync(&mut self, daemon: &SyncDaemon) -> Result<(), PlaneError> {
        self.run(|family| request::start_sync(family, daemon))
    }

    fn stop_sync(&mut self, role: SyncRole, id: u8) -> Result<(), PlaneError> {
        self.run(|family| request::stop_sync(family, role, id))
    }

    fn sync_daemons(&mut self) -> Result<Vec<SyncDaemon>, PlaneError> {
        self.run(request::sync_daemons)
    }

    fn info(&mut self) -> Result<Info, PlaneError> {
        self.run(request::info)
    }
}

fn connect(namespace: Option<&Namespace>) -> Result<Client, PlaneError> {
    let opened = match namespace {
        None => Client::open(Protocol::Generic),
        Some(namespace) => namespace
            .within(|| Client::open(Protocol::Generic))
            .map_err(|error| Error::System("entering a network namespace", error))
            .and_then(|opened| opened),
    };
    opened.map_err(|error| PlaneError::Unavailable(error.to_string()))
}

/// Looks the family up, with its module loaded if need be.
fn find(client: &mut Client) -> Result<GenericFamily, PlaneError> {
    let unavailable = |error: Error| PlaneError::Unavailable(error.to_string());
    match client.run(generic::family(FAMILY)) {
        Err(error) if error.is_missing() => {}
        result => return result.map_err(unavailable),
    }
    let loaded = module::load();
    match client.run(generic::family(FAMILY)) {
        Err(error) if error.is_missing() => Err(PlaneError::Unavailable(match loaded {
            Ok(()) => "this kernel has no IPVS".to_owned(),
            Err(why) => format!("this kernel has no IPVS, and its module ip_vs cannot be loaded: {why}"),
        })),
        result => result.map_err(unavailable),
    }
}
