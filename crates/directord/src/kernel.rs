//! The kernel's IPVS, opened when it is there: its module may come later, and its namespace may be set up later.

use director::plane::{
    Change, DataPlane, Info, PlaneError, Statistics, SyncDaemon, SyncRole, Table, Timeouts,
};
use netlink::Namespace;
use netlink::ipvs::Kernel;

/// Opens the kernel's table at the first call, and again at the next one when that failed.
#[derive(Debug)]
pub struct LazyKernel {
    /// `net_namespace_ipvs`.
    namespace: Option<String>,
    kernel: Option<Kernel>,
}

impl LazyKernel {
    /// The table of the namespace of this name, or of the one this process is in.
    pub fn new(namespace: Option<String>) -> Self {
        Self { namespace, kernel: None }
    }

    fn open(&mut self) -> Result<&mut Kernel, PlaneError> {
        let kernel = match self.kernel.take() {
            Some(kernel) => kernel,
            None => match &self.namespace {
                None => Kernel::open()?,
                Some(name) => Kernel::open_in(Namespace::named(name).map_err(|error| {
                    PlaneError::Unavailable(format!("unable to open network namespace {name}: {error}"))
                })?)?,
            },
        };
        Ok(self.kernel.insert(kernel))
    }
}

impl DataPlane for LazyKernel {
    fn apply(&mut self, change: &Change) -> Result<(), PlaneError> {
        self.open()?.apply(change)
    }

    fn apply_all(&mut self, changes: &[Change]) -> Vec<Result<(), PlaneError>> {
        match self.open() {
            Ok(kernel) => kernel.apply_all(changes),
            Err(error) => vec![Err(error); changes.len()],
        }
    }

    fn table(&mut self) -> Result<Table, PlaneError> {
        self.open()?.table()
    }

    fn statistics(&mut self) -> Result<Statistics, PlaneError> {
        self.open()?.statistics()
    }

    fn flush(&mut self) -> Result<(), PlaneError> {
        self.open()?.flush()
    }

    fn timeouts(&mut self) -> Result<Timeouts, PlaneError> {
        self.open()?.timeouts()
    }

    fn set_timeouts(&mut self, timeouts: &Timeouts) -> Result<(), PlaneError> {
        self.open()?.set_timeouts(timeouts)
    }

    fn start_sync(&mut self, daemon: &SyncDaemon) -> Result<(), PlaneError> {
        self.open()?.start_sync(daemon)
    }

    fn stop_sync(&mut self, role: SyncRole, id: u8) -> Result<(), PlaneError> {
        self.open()?.stop_sync(role, id)
    }

    fn sync_daemons(&mut self) -> Result<Vec<SyncDaemon>, PlaneError> {
        self.open()?.sync_daemons()
    }

    fn info(&mut self) -> Result<Info, PlaneError> {
        self.open()?.info()
    }
}
