//! The kernel's tables of the network: links, addresses, routes, rules, nftables, processes, by netlink.
//!
//! What is to be asked is a value, an [`Operation`], made by the functions of the modules: [`link`], [`address`],
//! [`route`], [`rule`], [`nftables`], [`generic`], [`ipvs`]. A [`Client`] runs it and waits: the kernel does such things
//! before the call that asks for them returns. A [`Monitor`] tells everything there is and then everything that changes.
//! [`ipvs::Kernel`] is the director's data plane.
//!
//! ```no_run
//! # fn main() -> Result<(), netlink::Error> {
//! use netlink::{Client, Protocol, Prefix, address::{self, Address}, link};
//! let mut client = Client::open(Protocol::Route)?;
//! let links = client.run(link::list())?;
//! let eth0 = links.iter().find(|link| link.name == "eth0").map_or(0, |link| link.index);
//! let vip = Address::new(eth0, Prefix::new([192, 0, 2, 10].into(), 24));
//! client.run(address::add(&vip))?;
//! # Ok(()) }
//! ```
//!
//! Bytes are read and written without a socket (`attribute`, `message`, `exchange`): no bytes whatever make them panic.

pub mod address;
pub mod attribute;
mod client;
pub mod devconf;
mod error;
mod exchange;
mod feed;
mod firewall;
#[doc(hidden)]
pub mod fuzz;
pub mod generic;
pub mod ipvs;
pub mod link;
mod message;
mod monitor;
mod namespace;
pub mod nftables;
mod operation;
mod prefix;
mod process_events;
pub mod route;
pub mod rule;
pub mod setting;
mod socket;
#[cfg(test)]
mod tests;
pub mod vmac;

pub use client::Client;
pub use error::{Error, Malformed, Refusal};
pub use feed::{Change, Event, Interests};
pub use firewall::{Firewall, Installed, OnLink};
pub use message::{Message, Messages};
pub use monitor::Monitor;
pub use namespace::Namespace;
pub use operation::{Operation, Protocol};
pub use prefix::{Family, Prefix};
pub use process_events::{ProcessEvent, ProcessEvents, ProcessInterests};
