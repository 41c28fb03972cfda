//! What must never happen, whatever another program does: attacks on framing and policy against raw recording servers,
//! each with what must be seen.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::path::Path;
use testkit::corpus;
use testkit::program::Program;

#[test]
fn hardening() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let cases = corpus::read(&data.join("hardening"));
    for case in &cases {
        assert!(!case.wants.is_empty(), "{case}: a case here says what must be seen");
    }
    let subject = Program::subject(Path::new(env!("CARGO_BIN_EXE_evenkeel")));
    corpus::run(&cases, &data.join("proxies"), &subject, None).conclude("hardening", 60);
}
