//! Running case files through two programs at once, and saying what differs.

use crate::case::{self, Case, Part};
use crate::lane::Lane;
use crate::program::Program;
use crate::report;
use crate::transcript::Transcript;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How many proxies of each program run at a time; each serves one case at a time.
const LANES: usize = 4;
/// Cases that one start of a proxy serves before another lane may take over the rest of its group.
const SHARD: usize = 40;

/// What a run of a corpus found.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Cases.
    pub cases: usize,
    /// Runs: cases, and each cut of those that are cut.
    pub runs: usize,
    /// A report for each case that failed.
    pub failures: Vec<String>,
    /// Cases by declared reason.
    pub declared: BTreeMap<String, Vec<String>>,
}

impl Outcome {
    /// Ends a test: prints what was done, and panics with all reports when something failed.
    ///
    /// # Panics
    /// When there are failures.
    pub fn conclude(self, what: &str, least: usize) {
        println!("{what}: {} cases in {} runs", self.cases, self.runs);
        for (key, cases) in &self.declared {
            println!("  {key}: {} declared differences", cases.len());
        }
        assert!(
            self.failures.is_empty(),
            "{what}: {} of {} cases failed\n\n{}",
            self.failures.len(),
            self.cases,
            self.failures.join("\n")
        );
        let filtered = std::env::var_os("EVENKEEL_TEST_CASE").is_some();
        assert!(
            filtered || self.cases >= least,
            "{what}: {} cases, at least {least} were expected",
            self.cases
        );
    }
}

/// Reads all `*.case` files of a directory; `EVENKEEL_TEST_CASE` narrows to names that contain it.
///
/// # Panics
/// When a file does not read: a case that is not run proves nothing.
pub fn read(directory: &Path) -> Vec<Case> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory)
        .unwrap_or_else(|e| panic!("{}: {e}", directory.display()))
        .map(|entry| entry.expect("a directory entry").path())
        .filter(|p| p.extension().is_some_and(|e| e == "case"))
        .collect();
    files.sort();
    let mut cases: Vec<Case> =
        files.iter().flat_map(|f| case::read(f).unwrap_or_else(|why| panic!("{why}"))).collect();
    let mut names = BTreeMap::new();
    for case in &cases {
        if let Some(other) = names.insert(case.name.clone(), case.to_string()) {
            panic!("{case}: the name is used by {other} too");
        }
    }
    if let Ok(filter) = std::env::var("EVENKEEL_TEST_CASE") {
        cases.retain(|c| c.name.contains(&filter));
    }
    cases
}

/// Runs cases through `subject`, and through `peer` when there is one, with configurations from `proxies/NAME.cfg`.
///
/// # Panics
/// When a configuration is missing.
pub fn run(cases: &[Case], proxies: &Path, subject: &Program, peer: Option<&Program>) -> Outcome {
    let mut groups: BTreeMap<&str, Vec<&Case>> = BTreeMap::new();
    for case in cases {
        groups.entry(&case.config).or_default().push(case);
    }
    let mut shards: Vec<(String, Vec<&Case>)> = Vec::new();
    for (config, cases) in groups {
        let path = proxies.join(format!("{config}.cfg"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        for shard in cases.chunks(SHARD) {
            shards.push((text.clone(), shard.to_vec()));
        }
    }
    // The longest first, so that no lane is left alone with one at the end.
    shards.sort_by_key(|(_, cases)| std::cmp::Reverse(cases.len()));
    let outcome = Mutex::new(Outcome { cases: cases.len(), ..Outcome::default() });
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..LANES.min(shards.len()) {
            scope.spawn(|| {
                while let Some((config, cases)) = shards.get(next.fetch_add(1, Ordering::Relaxed)) {
                    run_shard(config, cases, subject, peer, &outcome);
                }
            });
        }
    });
    outcome.into_inner().unwrap()
}

fn run_shard(
    config: &str,
    cases: &[&Case],
    subject: &Program,
    peer: Option<&Program>,
    outcome: &Mutex<Outcome>,
) {
    let start =
        |program: &Program| Lane::start(program, config).map_err(|e| format!("{}: {e}", program.name));
    let lanes = start(subject).and_then(|s| Ok((s, peer.map(start).transpose()?)));
    let (mut ours, mut theirs) = match lanes {
        Ok(lanes) => lanes,
        Err(why) => {
            let names: Vec<_> = cases.iter().map(|c| c.name.as_str()).collect();
            outcome.lock().unwrap().failures.push(format!("== {}\n  {why}", names.join(", ")));
            return;
        }
    };
    for case in cases {
        let runs = case.runs();
        // The peer sees a case whole: where it is cut, we are compared with that.
        let (expected, compared) = match &mut theirs {
            Some(lane) if runs.len() > 1 => {
                let whole = Case { split: case::Split::Whole, ..(*case).clone() };
                let (ours, theirs) = both(&mut ours, lane, &whole);
                (Some(theirs), Some(ours))
            }
            _ => (None, None),
        };
        let mut failure = None;
        if let (Some(theirs), Some(ours)) = (&expected, &compared) {
            failure = judge(case, subject, peer, ours, Some(theirs));
        }
        for (i, run) in runs.iter().enumerate() {
            if failure.is_some() {
                break;
            }
            let (seen, theirs) = match (&expected, &mut theirs) {
                (Some(expected), _) => (ours.run(run), Some(expected.clone())),
                (None, Some(lane)) => {
                    let (seen, theirs) = both(&mut ours, lane, run);
                    (seen, Some(theirs))
                }
                (None, None) => (ours.run(run), None),
            };
            failure = judge(case, subject, peer, &seen, theirs.as_ref());
            if let Some(failure) = failure.as_mut().filter(|_| runs.len() > 1) {
                let _ = writeln!(failure, "  (run {} of {})", i + 1, runs.len());
            }
        }
        let mut outcome = outcome.lock().unwrap();
        outcome.runs += runs.len();
        if let Some((key, _)) = &case.differs {
            outcome.declared.entry(key.clone()).or_default().push(case.name.clone());
        }
        outcome.failures.extend(failure);
    }
}

fn both(ours: &mut Lane, theirs: &mut Lane, case: &Case) -> (Transcript, Transcript) {
    thread::scope(|scope| {
        let other = scope.spawn(|| theirs.run(case));
        (ours.run(case), other.join().expect("a lane does not panic"))
    })
}

/// Compares what two programs did, and with what the case wants; gives a report when something is wrong.
fn judge(
    case: &Case,
    subject: &Program,
    peer: Option<&Program>,
    ours: &Transcript,
    theirs: Option<&Transcript>,
) -> Option<String> {
    let mut out = String::new();
    for stuck in &ours.stuck {
        let _ = writeln!(out, "  {}: {stuck}", subject.name);
    }
    for want in &case.wants {
        if let Some(miss) = ours.misses(want) {
            let _ = writeln!(out, "  {}: {miss}", subject.name);
        }
    }
    if let (Some(theirs), Some(peer)) = (theirs, peer) {
        let declared: &[Part] = case.differs.as_ref().map_or(&[], |(_, parts)| parts);
        if declared.is_empty() {
            for stuck in &theirs.stuck {
                let _ = writeln!(out, "  {}: {stuck}", peer.name);
            }
        }
        for (part, title) in [(Part::Server, "to servers"), (Part::Client, "to clients"), (Part::Log, "log")]
        {
            let (left, right) = (theirs.part(part), ours.part(part));
            match (left == right, declared.contains(&part)) {
                (true, false) | (false, true) => {}
                (false, false) => {
                    let _ = writeln!(out, "  {title} differs:");
                    out.push_str(&report::side_by_side((peer.name, &left), (subject.name, &right)));
                }
                (true, true) => {
                    let _ = writeln!(out, "  {title}: a difference is declared, and there is none any more:");
                    out.push_str(&report::side_by_side((peer.name, &left), (subject.name, &right)));
                }
            }
        }
        if !out.is_empty() {
            return Some(format!("== {case}\n{out}"));
        }
    }
    if out.is_empty() {
        return None;
    }
    for (part, title) in [(Part::Server, "to servers"), (Part::Client, "to clients"), (Part::Log, "log")] {
        let _ = writeln!(out, "  {title}:");
        for line in ours.part(part) {
            let _ = writeln!(out, "    {line}");
        }
    }
    Some(format!("== {case}\n{out}"))
}

/// A case as text: what `program` made of it.
///
/// # Errors
/// What the program wrote, when it does not start.
pub fn show(case: &Case, proxies: &Path, program: &Program) -> Result<String, String> {
    let path = proxies.join(format!("{}.cfg", case.config));
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut lane = Lane::start(program, &text)?;
    Ok(describe(case, &lane.run(case)))
}

/// What was seen of a case, as text.
pub fn describe(case: &Case, seen: &Transcript) -> String {
    let mut out = format!("== {case}\n");
    for (part, title) in [(Part::Server, "to servers"), (Part::Client, "to clients"), (Part::Log, "log")] {
        for line in seen.part(part) {
            let _ = writeln!(out, "  {title:<10} {line}");
        }
    }
    for stuck in &seen.stuck {
        let _ = writeln!(out, "  STUCK {stuck}");
    }
    out
}
