//! docs/differences.md and the cases speak of the same differences.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::path::Path;
use testkit::corpus;

#[test]
fn every_reason_is_explained_and_used() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let data = root.join("tests/data");
    let text = std::fs::read_to_string(root.join("../../docs/differences.md")).expect("docs/differences.md");
    let explained: BTreeSet<String> =
        text.lines().filter_map(|l| l.strip_prefix("### ")).map(str::to_owned).collect();
    let mut used = BTreeSet::new();
    for name in ["requests", "responses", "tcp", "timeouts", "errors"] {
        used.extend(corpus::read(&data.join(name)).into_iter().filter_map(|c| Some(c.differs?.0)));
    }
    for kind in ["valid", "invalid"] {
        for entry in std::fs::read_dir(data.join("configs").join(kind)).unwrap() {
            let Ok(text) = std::fs::read_to_string(entry.unwrap().path()) else { continue };
            let key = text.lines().last().and_then(|l| l.strip_prefix("# differs: "));
            used.extend(key.and_then(|k| k.split(' ').next()).map(str::to_owned));
        }
    }
    if std::env::var_os("EVENKEEL_TEST_CASE").is_some() {
        return;
    }
    let unexplained: Vec<_> = used.difference(&explained).collect();
    let unused: Vec<_> = explained.difference(&used).collect();
    assert!(unexplained.is_empty(), "not explained in docs/differences.md: {unexplained:?}");
    assert!(unused.is_empty(), "explained in docs/differences.md but declared by no test: {unused:?}");
}
