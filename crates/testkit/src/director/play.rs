//! Playing cases.

use super::case::{self, Case};
use super::{compare, world};
use crate::lab::Lab;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How many cases are played at a time. Most of their time is waiting.
const LANES: usize = 4;

/// Debian's.
pub const KEEPALIVED: &str = "/usr/sbin/keepalived";

/// Reads a file's cases; `EVENKEEL_TEST_CASE` narrows to names that contain it.
///
/// # Panics
/// When it does not read.
pub fn read(path: &Path) -> Vec<Case> {
    let mut cases = case::read(path).unwrap_or_else(|why| panic!("{why}"));
    let mut names = BTreeSet::new();
    for case in &cases {
        assert!(names.insert(case.name.clone()), "{case}: the name was used before");
    }
    if let Ok(filter) = std::env::var("EVENKEEL_TEST_CASE") {
        cases.retain(|case| case.name.contains(&filter));
    }
    cases
}

/// The program that a test is about, unless `EVENKEEL_TEST_SUBJECT=keepalived` asks for the peer in its place, which shows
/// what the cases themselves are worth.
///
/// # Panics
/// When the variable has another value.
pub fn subject(path: &Path) -> PathBuf {
    match std::env::var("EVENKEEL_TEST_SUBJECT") {
        Ok(name) if name == "keepalived" => KEEPALIVED.into(),
        Ok(other) => panic!("EVENKEEL_TEST_SUBJECT={other} is not known"),
        Err(_) => path.to_owned(),
    }
}

/// Plays cases with both programs, each in a world of its own, and panics with all that differs.
///
/// # Panics
/// When something differs.
pub fn compare(cases: &[Case], program: &Path) {
    let program = subject(program);
    let lab = Mutex::new(Lab::new());
    let directory = lab.lock().unwrap().directory().to_owned();
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    let one = |number: usize, who: &str, program: &Path, case: &Case| {
        let name = format!("{number}{who}");
        let host = lab.lock().unwrap().host(&name);
        world::play(case, &host, program, &directory.join(&name))
    };
    thread::scope(|scope| {
        for _ in 0..LANES.min(cases.len()) {
            scope.spawn(|| {
                while let Some((number, case)) = {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    cases.get(number).map(|case| (number, case))
                } {
                    let (ours, theirs) = thread::scope(|scope| {
                        let ours = scope.spawn(|| one(number, "o", &program, case));
                        let theirs = one(number, "k", Path::new(KEEPALIVED), case);
                        (ours.join(), theirs)
                    });
                    let ours = ours.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                    if std::env::var_os("EVENKEEL_TEST_SHOW").is_some() {
                        print!("{}", compare::show(case, &theirs));
                    }
                    found.lock().unwrap().extend(compare::differences(case, &ours, &theirs));
                }
            });
        }
    });
    let found = found.into_inner().unwrap();
    println!("{} cases, each played by both programs", cases.len());
    assert!(found.is_empty(), "{} differences\n\n{}", found.len(), found.join("\n"));
}
