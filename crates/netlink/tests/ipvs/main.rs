//! What we ask of a kernel's IPVS is what `ipvsadm` then shows, and what it asks is what we are told.
//!
//! Each test runs itself in a guest that has IPVS.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code"
)]

mod daemons;
mod many;
mod table;
mod traffic;

use director::plane::{Change, DataPlane as _, Destination, Protocol, Service, ServiceKey};
use netlink::ipvs::Kernel;
use std::net::IpAddr;
use std::process::Command;
use testkit::uml::needed;

/// Runs `ipvsadm` with words separated by spaces; returns what it printed.
fn ipvsadm(words: &str) -> String {
    let output = Command::new(needed("ipvsadm", "ipvsadm")).args(words.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "ipvsadm {words}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The lines of `ipvsadm -Sn`.
fn saved() -> Vec<String> {
    ipvsadm("-Sn").lines().map(|line| line.trim().to_owned()).collect()
}

/// Runs a command of the shell.
fn sh(command: &str) {
    let output = Command::new("sh").args(["-ec", command]).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}

fn at(protocol: Protocol, address: &str, port: u16) -> ServiceKey {
    ServiceKey::Address { protocol, address: address.parse().unwrap(), port }
}

fn web() -> ServiceKey {
    at(Protocol::Tcp, "10.0.0.1", 80)
}

fn add(kernel: &mut Kernel, service: &Service, servers: &[Destination]) {
    let change = Change::AddService(service.clone());
    kernel.apply(&change).unwrap_or_else(|error| panic!("{change:?}: {error}"));
    for server in servers {
        let change = Change::AddDestination(service.key, *server);
        kernel.apply(&change).unwrap_or_else(|error| panic!("{change:?}: {error}"));
    }
}

fn ip(address: &str) -> IpAddr {
    address.parse().unwrap()
}
