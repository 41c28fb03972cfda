//! The director beside Debian's keepalived, on a kernel with IPVS: the same configuration, the same faults, the same
//! reloads; after each, the kernel's table, the log, the FIFO, scripts, mails and the probes themselves are compared.
//!
//! `EVENKEEL_TEST_CASE` narrows to cases whose name contains it. What may differ is in docs/differences-keepalived.md.
//!
//! Each test runs itself in a guest of User-Mode-Linux (`testkit::uml`); nothing is skipped without one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::path::Path;
use std::time::Duration;
use testkit::director::play;
use testkit::uml::{Guest, needed};

fn play(file: &str) {
    for (program, package) in [("keepalived", "keepalived"), ("ipvsadm", "ipvsadm"), ("nginx", "nginx-light")]
    {
        needed(program, package);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/director").join(file);
    play::compare(&play::read(&path), Path::new(env!("CARGO_BIN_EXE_evenkeel")));
}

const GUEST: Guest = Guest { limit: Duration::from_secs(600), memory: 768 };

#[test]
fn services() {
    GUEST.run(|| play("services.case"));
}

#[test]
fn states() {
    GUEST.run(|| play("state.case"));
}

#[test]
fn reloads() {
    GUEST.run(|| play("reload.case"));
}

#[test]
fn http() {
    GUEST.run(|| play("http.case"));
}

#[test]
fn checks() {
    GUEST.run(|| play("checks.case"));
}

#[test]
fn notifications() {
    GUEST.run(|| play("notification.case"));
}

#[test]
fn scripts() {
    GUEST.run(|| play("scripts.case"));
}
