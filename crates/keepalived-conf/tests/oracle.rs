//! The same configurations to us and to the installed keepalived (`-t`): the exit code and the messages must be equal.
//!
//! keepalived runs in a network namespace of its own with four Ethernet interfaces. It reads a file once for each of its
//! processes and repeats itself; the messages are compared as sets, without file names.
//!
//! A difference that is meant is declared at the end of the file: `# differs: KEY`, and before that, as far as they
//! apply, `# exit: CODE` (ours), `# only keepalived: LINE` and `# only evenkeel: LINE`. docs/differences-keepalived.md
//! explains KEY.

#![expect(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "runs keepalived beside the language"
)]

use keepalived_conf::{Disk, KeepalivedLines, Named, Options, load, verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Sets up the namespace, then checks each file; what belongs to one ends with a line `== CODE`.
const SCRIPT: &str = r#"
set -e
ip link set lo up
for pair in "eth0 eth1" "eth2 eth3"; do set -- $pair; ip link add $1 type veth peer name $2; done
for n in 0 1 2 3; do ip link set eth$n up; done
ip addr add 192.168.5.1/24 dev eth0
ip addr add 10.9.0.1/24 dev eth1
set +e
while read -r file; do
  keepalived -t -f "$file" 2>&1 < /dev/null
  echo "== $?"
done
"#;

#[derive(Debug, PartialEq, Eq)]
struct Said {
    code: i32,
    lines: BTreeSet<String>,
}

/// `(FILE: Line 3) message` and `(Line 3) message` without the file.
fn plain(line: &str) -> String {
    let Some((place, message)) = line.strip_prefix('(').and_then(|rest| rest.split_once(") ")) else {
        return line.to_owned();
    };
    match place.rsplit_once("Line ") {
        Some((_, number)) => format!("{number}: {message}"),
        None => line.to_owned(),
    }
}

fn keepalived(files: &[PathBuf]) -> Vec<Said> {
    let input = files.iter().map(|file| format!("{}\n", file.display())).collect::<String>();
    let list = std::env::temp_dir().join(format!("evenkeel-keepalived-{}", std::process::id()));
    std::fs::write(&list, input).unwrap();
    let uid = std::fs::read_to_string("/proc/self/status").unwrap();
    let root = uid.lines().any(|line| line.starts_with("Uid:\t0\t"));
    let output = Command::new("unshare")
        .arg(if root { "-n" } else { "-rn" })
        .args(["bash", "-c", SCRIPT])
        .stdin(std::fs::File::open(&list).unwrap())
        .output()
        .expect("unshare runs: it is in Debian's util-linux");
    let _ = std::fs::remove_file(&list);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut found = Vec::new();
    let mut lines = BTreeSet::new();
    for line in text.lines() {
        match line.strip_prefix("== ") {
            Some(code) => {
                let code = code.parse().unwrap();
                assert_ne!(code, 127, "keepalived is missing: install Debian's package keepalived");
                found.push(Said { code, lines: std::mem::take(&mut lines) });
            }
            None => {
                lines.insert(plain(line));
            }
        }
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(found.len(), files.len(), "no network namespace of its own? {errors}");
    found
}

fn evenkeel(file: &Path) -> Said {
    let interfaces = Named(["lo", "eth0", "eth1", "eth2", "eth3"].map(str::to_owned).to_vec());
    let options = Options { path: file.to_owned(), config_id: host(), ..Options::default() };
    let loaded = load(&options, &Disk, &interfaces);
    let text = KeepalivedLines::default().render(&loaded.sources, &loaded.report);
    Said { code: i32::from(verdict(&loaded.report).code()), lines: text.lines().map(plain).collect() }
}

fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    name.trim().split('.').next().unwrap_or_default().to_owned()
}

/// What a file declares to differ: its key, our exit code, lines of keepalived only, lines of ours only.
#[derive(Default)]
struct Declared {
    key: Option<String>,
    code: Option<i32>,
    theirs: BTreeSet<String>,
    ours: BTreeSet<String>,
}

fn declared(file: &Path) -> Declared {
    let mut declared = Declared::default();
    for line in std::fs::read_to_string(file).unwrap().lines() {
        if let Some(key) = line.strip_prefix("# differs: ") {
            declared.key = Some(key.to_owned());
        } else if let Some(code) = line.strip_prefix("# exit: ") {
            declared.code = Some(code.parse().unwrap());
        } else if let Some(said) = line.strip_prefix("# only keepalived: ") {
            declared.theirs.insert(said.to_owned());
        } else if let Some(said) = line.strip_prefix("# only evenkeel: ") {
            declared.ours.insert(said.to_owned());
        }
    }
    declared
}

fn compare(kind: &str, least: usize, good: impl Fn(i32) -> bool) {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(kind);
    let entries = std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "conf")).collect();
    files.sort();
    let filter = std::env::var("EVENKEEL_TEST_CASE").unwrap_or_default();
    files.retain(|file| file.file_name().unwrap().to_string_lossy().contains(&filter));
    let explained = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/differences-keepalived.md"),
    )
    .expect("docs/differences-keepalived.md");
    let mut failures = Vec::new();
    let mut reasons: BTreeMap<String, u32> = BTreeMap::new();
    for (file, theirs) in files.iter().zip(keepalived(&files)) {
        let ours = evenkeel(file);
        let declared = declared(file);
        // keepalived stops at a keyword without value; we go on.
        let stopped = theirs.code == 2;
        let missing: BTreeSet<String> = theirs.lines.difference(&ours.lines).cloned().collect();
        let added: BTreeSet<String> = ours.lines.difference(&theirs.lines).cloned().collect();
        let code = declared.code.unwrap_or(theirs.code);
        let equal = ours.code == code && missing == declared.theirs && (stopped || added == declared.ours);
        if let Some(key) = &declared.key {
            assert!(
                explained.contains(&format!("### {key}\n")),
                "{}: {key} is not explained",
                file.display()
            );
            *reasons.entry(key.clone()).or_default() += 1;
        }
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if !good(theirs.code) {
            failures.push(format!(
                "== {kind}/{name}: keepalived ends with {}, so it belongs elsewhere",
                theirs.code
            ));
        }
        if equal && (declared.key.is_some() || (declared.theirs.is_empty() && declared.ours.is_empty())) {
            continue;
        }
        let mut shown = format!("== {kind}/{name}: keepalived {}, evenkeel {}\n", theirs.code, ours.code);
        for line in missing.difference(&declared.theirs) {
            let _ = writeln!(shown, "   only keepalived: {line}");
        }
        for line in added.difference(&declared.ours).filter(|_| !stopped) {
            let _ = writeln!(shown, "   only evenkeel:   {line}");
        }
        failures.push(shown);
    }
    println!("{kind}: {} configurations; declared differences: {reasons:?}", files.len());
    assert!(failures.is_empty(), "{} of {}\n\n{}", failures.len(), files.len(), failures.join("\n"));
    assert!(!filter.is_empty() || files.len() >= least, "only {} configurations", files.len());
}

#[test]
fn the_guides_files_load() {
    compare("guide", 5, |code| code == 0 || code == 6);
}

#[test]
fn valid() {
    compare("valid", 60, |code| code == 0);
}

#[test]
fn invalid() {
    compare("invalid", 60, |code| code != 0);
}
