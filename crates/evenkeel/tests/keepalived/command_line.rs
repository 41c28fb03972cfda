//! Words that start nothing: the same answers and exit codes as keepalived's.

use crate::node::{ORACLE, keepalived};
use std::path::Path;
use std::process::{Command, Stdio};
use testkit::lab::Lab;

fn run(program: &Path, words: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(program).args(words).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn what_is_not_understood_is_answered_as_keepalived_does() {
    let lab = Lab::new();
    let ours = keepalived(&lab);
    for words in [
        &["-z"][..],
        &["--foo"],
        &["-nz"],
        &["-f"],
        &["-nlf"],
        &["-p"],
        &["--log"],
        &["--help=3"],
        &["--version=1"],
        &["--signum=STOP"],
        &["--signum=RELOAD"],
        &["--signum=DATA"],
        &["--signum=STATS"],
        &["--signum=STATS_CLEAR"],
        &["--signum=JSON"],
        &["--signum", "JSON"],
        &["--sig=STOP"],
        &["-n", "--signum=DATA", "-l"],
        &["--signum=FOO"],
        &["--signum=stop"],
    ] {
        assert_eq!(run(&ours, words), run(Path::new(ORACLE), words), "{words:?}");
    }
}

#[test]
fn help_and_version_go_where_keepaliveds_go() {
    let lab = Lab::new();
    let ours = keepalived(&lab);
    for word in ["-v", "--version", "-h", "--help", "-nv"] {
        let (code, out, err) = run(&ours, &[word]);
        let (oracle_code, oracle_out, oracle_err) = run(Path::new(ORACLE), &[word]);
        assert_eq!((code, out), (oracle_code, oracle_out), "{word}");
        let start = |text: &str| text.split(' ').next().map(str::to_owned);
        assert_eq!(start(&err), start(&oracle_err), "{word}");
    }
    let (_, _, version) = run(&ours, &["-v"]);
    assert!(version.starts_with("Keepalived v2."), "{version}");
    assert!(version.lines().next().unwrap().contains("Evenkeel"), "{version}");
}

#[test]
fn what_is_not_served_is_said_to_be_so() {
    let lab = Lab::new();
    let ours = keepalived(&lab);
    for words in [&["-x"][..], &["-A", "/x"], &["-M"], &["--perf"]] {
        let (code, out, err) = run(&ours, words);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{words:?}");
        assert!(err.contains("known but not served yet"), "{words:?}: {err}");
    }
}
