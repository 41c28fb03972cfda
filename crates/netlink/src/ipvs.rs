//! IPVS: the kernel's table of virtual services, in the words of [`director::plane`].
//!
//! [`Kernel`] is the data plane. [`request`] has what it asks as operations, for who runs a client of his own.
//!
//! ```no_run
//! # fn main() -> Result<(), director::plane::PlaneError> {
//! use director::plane::{Change, DataPlane, Destination, Forwarding, Protocol, Scheduler, Service, ServiceKey};
//! let mut kernel = netlink::ipvs::Kernel::open()?;
//! let key = ServiceKey::Address { protocol: Protocol::Tcp, address: [10, 0, 0, 1].into(), port: 80 };
//! let server = Destination::new([10, 0, 0, 2].into(), 80, Forwarding::Nat, 1);
//! kernel.apply(&Change::AddService(Service::new(key, Scheduler::RoundRobin)))?;
//! kernel.apply(&Change::AddDestination(key, server))?;
//! # Ok(()) }
//! ```

mod decode;
mod kernel;
mod module;
mod number;
mod refusal;
pub mod request;
#[cfg(test)]
mod tests;

pub(crate) use decode::any as decode;
pub use kernel::Kernel;
pub use module::load as load_module;
pub use refusal::Asked;
