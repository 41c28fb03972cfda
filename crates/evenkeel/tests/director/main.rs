//! The director beside Debian's keepalived, on a kernel with IPVS: the same configuration, the same faults, the same
//! reloads; after each, the kernel's table, the log, the FIFO, scripts, mails and the probes themselves are compared.
//!
//! `EVENKEEL_TEST_CASE` narrows to cases whose name contains it. What may differ is in docs/differences-keepalived.md.
//!
//! Each test runs itself in a guest of User-Mode-Linux (`testkit::uml`); nothing is skipped without one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use testkit::director::{case, play};
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

#[test]
fn differences_are_explained() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("../../docs/differences-keepalived.md")).unwrap();
    let explained: BTreeSet<&str> = page.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let (_, about_directors) = page.split_once("\n## The director\n").expect("a part of its own");
    let must_be_used = about_directors.lines().filter_map(|line| line.strip_prefix("### "));
    let mut used = BTreeSet::new();
    for entry in std::fs::read_dir(root.join("tests/data/director")).unwrap() {
        for case in case::read(&entry.unwrap().path()).unwrap_or_else(|why| panic!("{why}")) {
            used.extend(case.differences.into_iter().map(|difference| difference.key));
        }
    }
    let unexplained: Vec<_> = used.iter().filter(|key| !explained.contains(key.as_str())).collect();
    assert!(unexplained.is_empty(), "not in docs/differences-keepalived.md: {unexplained:?}");
    let unused: Vec<_> = must_be_used.filter(|key| !used.contains(*key)).collect();
    assert!(unused.is_empty(), "no case declares what docs/differences-keepalived.md explains: {unused:?}");
}
