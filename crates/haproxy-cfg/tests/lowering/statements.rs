//! One small configuration for each statement: what is said of it, and whether HAProxy agrees.

use diag::Severity;
use haproxy_cfg::Parsed;
use std::process::{Command, Stdio};

use crate::machine;

const TABLE: &str = include_str!("../data/statements.txt");

const TIMEOUTS: &str = "timeout client 1s\n timeout server 1s\n timeout connect 1s\n";
const FRONTEND: &str = "frontend f\n bind :8001\n default_backend b\n";
const BACKEND: &str = "backend b\n server s1 127.0.0.1:80\n";

struct Case {
    row: &'static str,
    text: String,
    expected: &'static str,
    agreement: &'static str,
}

fn cases() -> Vec<Case> {
    let rows = TABLE.lines().filter(|row| !row.starts_with('#'));
    rows.map(|row| {
        let fields: Vec<&str> = row.split(" ; ").collect();
        let [place, what, expected, agreement] = fields[..] else { panic!("four fields: {row}") };
        let tcp_defaults = format!("defaults\n {TIMEOUTS}");
        let defaults = format!("defaults\n mode http\n {TIMEOUTS}");
        let what = what.replace('⏎', "\n");
        let text = match place {
            "G" => format!("global\n {what}\n{defaults}{FRONTEND}{BACKEND}"),
            "D" => format!("{defaults} {what}\n{FRONTEND}{BACKEND}"),
            "F" => format!("{defaults}{FRONTEND} {what}\n{BACKEND}"),
            "B" => format!("{defaults}{FRONTEND}{BACKEND} {what}\n"),
            "X" => {
                let parts =
                    [("{D}", &*defaults), ("{T}", &*tcp_defaults), ("{F}", FRONTEND), ("{B}", BACKEND)];
                let mut text = parts.iter().fold(what, |text, (name, part)| text.replace(name, part));
                if !text.is_empty() && !text.ends_with('\n') {
                    text.push('\n');
                }
                text
            }
            other => panic!("no such place {other}: {row}"),
        };
        Case { row, text, expected, agreement }
    })
    .collect()
}

fn first_error_line(parsed: &Parsed) -> Option<usize> {
    let error = parsed.report.iter().find(|diagnostic| diagnostic.severity == Severity::Error)?;
    Some(parsed.sources.position(error.span?)?.1)
}

#[test]
fn every_statement_gives_its_diagnostics() {
    let mut wrong = Vec::new();
    for case in cases() {
        let parsed = machine::parse("t.cfg", &case.text);
        let codes = machine::codes(&parsed);
        if codes != case.expected {
            wrong.push(format!("{}\n    gives {codes}", case.row));
        }
        assert_eq!(parsed.config.is_none(), parsed.report.has_errors(), "{}", case.row);
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// What `haproxy -c` says: whether it would take the file, and the line of its first alert if it names one.
fn haproxy(text: &str, number: usize) -> (bool, Option<usize>) {
    let name = format!("evenkeel-statement-{}-{number}.cfg", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, text).unwrap();
    let output = Command::new("haproxy").arg("-c").arg("-f").arg(&path).stdin(Stdio::null()).output();
    let output = output.expect("these tests compare with HAProxy: install Debian's haproxy package");
    std::fs::remove_file(&path).unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    let alert = words.lines().find(|line| line.starts_with("[ALERT]"));
    let line = alert.and_then(|alert| {
        let (_, rest) = alert.split_once(".cfg:")?;
        rest.split(']').next()?.parse().ok()
    });
    // 2 is a sound file that listens nowhere.
    (matches!(output.status.code(), Some(0 | 2)), line)
}

#[test]
fn verdicts_and_first_error_lines_are_haproxys() {
    let cases = cases();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let wrong = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    let number = std::ptr::from_ref(case).addr();
                    let (accepted, line) = haproxy(&case.text, number);
                    let parsed = machine::parse("t.cfg", &case.text);
                    let ours = parsed.config.is_some();
                    let our_line = first_error_line(&parsed);
                    let lines_differ = !accepted && line.is_some() && our_line.is_some() && line != our_line;
                    let differs = accepted != ours || lines_differ;
                    if differs == (case.agreement == "=") {
                        wrong.lock().unwrap().push(format!(
                            "{}\n    HAProxy: {accepted} {line:?}, here: {ours} {our_line:?}",
                            case.row
                        ));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
