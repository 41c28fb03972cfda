//! The same bytes through Debian's haproxy and through Evenkeel, on the same configuration: what servers and clients received and
//! what was logged must be equal, apart from differences that a case declares and docs/differences.md explains.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};
use testkit::corpus;
use testkit::program::Program;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

fn compare(name: &str, least: usize) {
    let cases = corpus::read(&data().join(name));
    let subject = Program::subject(Path::new(env!("CARGO_BIN_EXE_evenkeel")));
    corpus::run(&cases, &data().join("proxies"), &subject, Some(&Program::haproxy())).conclude(name, least);
}

#[test]
fn requests() {
    compare("requests", 200);
}

#[test]
fn responses() {
    compare("responses", 60);
}

#[test]
fn tcp() {
    compare("tcp", 10);
}

#[test]
fn timeouts() {
    compare("timeouts", 10);
}

#[test]
fn errors() {
    compare("errors", 10);
}
