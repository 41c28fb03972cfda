//! What we ask of a real kernel is what `ip` and `nft` then show, and what they ask is what we are told.
//!
//! Needs root: every test makes network namespaces of its own.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code"
)]

mod addresses;
mod events;
mod firewall;
mod keepalived;
mod links;
mod processes;
mod routes;
mod rules;

use netlink::{Client, Error, Operation, Protocol};
use testkit::lab::{Host, Lab};

/// Two hosts on a segment; the first is what tests change.
fn pair() -> (Lab, Host) {
    let (lab, hosts) = Lab::with_segment(&["a", "b"]);
    (lab, hosts[0].clone())
}

/// Runs operations of the route family in a host.
fn run<T: Default + Send>(host: &Host, operation: Operation<T>) -> Result<T, Error> {
    run_by(host, Protocol::Route, operation)
}

fn run_by<T: Default + Send>(host: &Host, protocol: Protocol, operation: Operation<T>) -> Result<T, Error> {
    host.inside(|| Client::open(protocol)?.run(operation))
}

/// The index of a link.
fn index(host: &Host, name: &str) -> u32 {
    run(host, netlink::link::by_name(name)).unwrap().unwrap().index
}
