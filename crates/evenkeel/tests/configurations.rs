//! The same configuration files, checked by Debian's haproxy and by Evenkeel (`-c`): the exit code and the line of the first
//! error must be equal.
//!
//! A file that ends with `# differs: KEY valid` or `# differs: KEY error LINE` states what Evenkeel says where that is meant to differ;
//! docs/differences.md explains KEY. A directory is given to `-f` as a whole, its `# differs:` stands in the last file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use testkit::program::{Program, Verdict};

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/configs")
}

/// What a file declares: reason key, and the line of the error or `None` for a valid file.
fn declared(path: &Path) -> Option<(String, Option<u32>)> {
    let file = if path.is_dir() {
        let mut files: Vec<_> = std::fs::read_dir(path).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        files.pop().unwrap()
    } else {
        path.to_owned()
    };
    let text = String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
    let words = text.lines().last()?.strip_prefix("# differs: ")?.to_owned();
    match words.split(' ').collect::<Vec<_>>().as_slice() {
        [key, "valid"] => Some(((*key).to_owned(), None)),
        [key, "error", line] => Some(((*key).to_owned(), Some(line.parse().unwrap()))),
        _ => panic!("{}: not understood: {words}", path.display()),
    }
}

fn show(verdict: &Verdict) -> String {
    let mut out = format!("exit code {:?}, first error in line {:?}\n", verdict.code, verdict.line);
    for line in verdict.output.lines().take(4) {
        let _ = writeln!(out, "      {line}");
    }
    out
}

fn compare(kind: &str, least: usize) {
    let haproxy = Program::haproxy();
    let subject = Program::subject(Path::new(env!("CARGO_BIN_EXE_evenkeel")));
    let mut files: Vec<_> =
        std::fs::read_dir(data().join(kind)).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let filter = std::env::var("EVENKEEL_TEST_CASE").unwrap_or_default();
    files.retain(|f| f.file_name().unwrap().to_string_lossy().contains(&filter));
    let mut failures = Vec::new();
    let mut reasons: BTreeMap<String, u32> = BTreeMap::new();
    for file in &files {
        let theirs = haproxy.check(&[file]);
        let ours = subject.check(&[file]);
        // Where haproxy names no line, any line of ours is an improvement.
        let equal = ours.code == theirs.code && (theirs.line.is_none() || ours.line == theirs.line);
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let problem = match declared(file) {
            None if equal => continue,
            None => "differ",
            Some((key, expected)) => {
                *reasons.entry(key).or_default() += 1;
                let code = if expected.is_some() { 1 } else { 0 };
                if equal {
                    "differ no more, though a difference is declared"
                } else if ours.code == Some(code) && ours.line == expected {
                    continue;
                } else {
                    "differ in another way than declared"
                }
            }
        };
        failures.push(format!(
            "== {kind}/{name}: the verdicts {problem}\n    haproxy:  {}    evenkeel: {}",
            show(&theirs),
            show(&ours)
        ));
    }
    println!("{kind}: {} configurations; declared differences: {reasons:?}", files.len());
    assert!(failures.is_empty(), "{} of {}\n\n{}", failures.len(), files.len(), failures.join("\n"));
    assert!(!filter.is_empty() || files.len() >= least, "only {} configurations", files.len());
}

#[test]
fn valid() {
    compare("valid", 60);
}

#[test]
fn invalid() {
    compare("invalid", 60);
}
