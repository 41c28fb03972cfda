//! The role on real networks: every keyword that reaches the kernel, another process or another host is run here.
//!
//! Needs root: each test makes network namespaces of its own. The role is the example `role`, which `cargo test` builds.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code"
)]

mod addresses;
mod dumps;
mod interfaces;
mod notifications;
mod process;
mod tracking;
mod vmacs;

use std::path::PathBuf;
use testkit::lab::{Host, Lab, Process, eventually};

/// Where the example is.
fn program() -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("examples/role");
    assert!(path.exists(), "{} is missing: cargo build -p vrrpd --example role", path.display());
    path
}

/// Starts the role on a host.
fn start(lab: &Lab, host: &Host, config: &str) -> Process {
    let name = &host.namespace;
    let file = lab.file(&format!("{name}.conf"), config);
    host.start(lab, &format!("{name}.log"), program(), &[&file.display().to_string()])
}

/// Another configuration for the role of a host.
fn reload(lab: &Lab, host: &Host, role: &Process, config: &str) {
    lab.file(&format!("{}.conf", host.namespace), config);
    role.signal(nix::sys::signal::Signal::SIGHUP);
}

/// Waits until the role has said something; what it has said is in the panic if it does not.
fn says(role: &Process, line: &str) {
    says_times(role, line, 1);
}

/// The same, so many times since its start.
fn says_times(role: &Process, line: &str, times: usize) {
    let until = std::time::Instant::now() + 2 * testkit::DEADLINE;
    while role.text().matches(line).count() < times {
        assert!(std::time::Instant::now() < until, "not said {times} times: {line}\nbut:\n{}", role.text());
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
}

/// Waits until a host has, or has not, an address.
fn has(host: &Host, address: &str, wanted: bool) {
    eventually(&format!("{address} there: {wanted}"), || host.has_address(address) == wanted);
}

/// A host with a neighbour, `e0` on both.
fn pair() -> (Lab, Host, Host) {
    let (lab, hosts) = Lab::with_segment(&["a", "b"]);
    (lab, hosts[0].clone(), hosts[1].clone())
}

/// An instance on `e0` with one address and more lines.
fn instance(more: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\n interface e0\n virtual_router_id 51\n priority 100\n advert_int 0.2\n version 3\n \
         virtual_ipaddress {{\n 10.20.0.100/24\n }}\n {more}\n}}\n"
    )
}

const VIP: &str = "10.20.0.100";
const MASTER: &str = "(VI_1) Entering MASTER STATE";
const FAULT: &str = " to FAULT: ";
