//! What may differ between two sights of one step, and what then does.

use super::case::{Case, Part, Step};
use super::world::Sight;
use crate::report::side_by_side;
use std::collections::BTreeSet;

/// Lines of the parent, of the system and of the time; other tests look at those that matter.
const LEFT_OUT: [&str; 17] = [
    "Starting Keepalived ",
    "WARNING - keepalived was built for ",
    "Running on ",
    "Command line: ",
    "              '",
    "Opening file ",
    "Configuration file ",
    "Script user 'keepalived_script' does not exist",
    "NOTICE: setting config option max_auto_priority",
    "Starting Healthcheck child process",
    "Starting VRRP child process",
    "Startup complete",
    "Reload complete",
    "Reloading ...",
    "Stopped",
    "CPU usage ",
    "Activating BFD healthchecker",
];

/// The lines of a part that are compared, in an order that is not chance.
pub fn part(sight: &Sight, part: Part, step: &Step) -> Vec<String> {
    let mut lines = match part {
        Part::Table => return sight.table.clone(),
        Part::Verdict => return sight.verdict.clone(),
        Part::Log => log(&sight.log, step.unordered),
        Part::Fifo => sight.fifo.clone(),
        Part::Scripts => sight.scripts.clone(),
        Part::Mails => sight.mails.iter().map(|mail| mail.escape_debug().to_string()).collect(),
        Part::Requests => sight.requests.clone(),
    };
    // Scripts and mails are under way at the same time.
    if !matches!(part, Part::Log) && (step.unordered || part != Part::Fifo) {
        lines.sort();
    }
    lines
}

fn log(lines: &[String], unordered: bool) -> Vec<String> {
    let said = lines.iter().filter_map(|line| line.get(26..));
    let said = said.filter(|line| !LEFT_OUT.iter().any(|start| line.starts_with(start)));
    // Descriptors, process ids and link-local addresses are chance.
    let said = said.map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        let before = std::iter::once("").chain(words.iter().copied());
        let shown = before.zip(&words).map(|(before, &word)| match word {
            _ if matches!(before, "fd" | "pid") && word.parse::<u64>().is_ok() => "N",
            _ if word.starts_with("fe80::") => "fe80::N",
            _ => word,
        });
        shown.collect::<Vec<_>>().join(" ")
    });
    // What is said again and again is said once.
    let mut seen = BTreeSet::new();
    let mut said: Vec<String> = said.filter(|line| !unordered || seen.insert(line.clone())).collect();
    said.dedup();
    if unordered {
        said.sort();
    }
    said
}

/// A sight in short, as it is compared.
pub fn show(case: &Case, sights: &[Sight]) -> String {
    let mut text = String::new();
    for (step, sight) in case.steps.iter().zip(sights) {
        text.push_str(&format!("## {} / {}\n", case.name, step.text));
        for which in Part::ALL {
            for line in part(sight, which, step) {
                text.push_str(&format!("{which:?}: {line}\n"));
            }
        }
        if let Some(stuck) = &sight.stuck {
            text.push_str(&format!("STUCK: {stuck}\n"));
        }
    }
    text
}

/// The lines that only one has; or both lists, if all that differs is their order.
fn apart(ours: &[String], theirs: &[String]) -> String {
    let only = |who: &str, these: &[String], those: &[String]| {
        let mut those = those.to_vec();
        let mut text = String::new();
        for line in these {
            match those.iter().position(|other| other == line) {
                Some(at) => drop(those.remove(at)),
                None => text.push_str(&format!("  {who}: {line}\n")),
            }
        }
        text
    };
    let text = only("only ours", ours, theirs) + &only("only keepalived", theirs, ours);
    if text.is_empty() { side_by_side(("ours", ours), ("keepalived's", theirs)) } else { text }
}

/// What differs in a case, and which declared differences were none.
pub fn differences(case: &Case, ours: &[Sight], theirs: &[Sight]) -> Vec<String> {
    let mut found = Vec::new();
    let mut used = BTreeSet::new();
    let mut before: Option<&Sight> = None;
    for ((step, ours), theirs) in case.steps.iter().zip(ours).zip(theirs) {
        let mut effect = before.is_some_and(|before| before.table != theirs.table);
        before = Some(theirs);
        for which in Part::ALL {
            let (mut mine, mut other) = (part(ours, which, step), part(theirs, which, step));
            effect |= !matches!(which, Part::Table | Part::Requests) && !other.is_empty();
            for (at, difference) in case.differences.iter().enumerate().filter(|(_, d)| d.part == which) {
                let concerned = |lines: &[String]| {
                    lines.iter().filter(|line| line.contains(&difference.words)).cloned().collect::<Vec<_>>()
                };
                if concerned(&mine) != concerned(&other) {
                    used.insert(at);
                }
                mine.retain(|line| !line.contains(&difference.words));
                other.retain(|line| !line.contains(&difference.words));
            }
            if mine != other {
                found.push(format!(
                    "{case}: after `{}`, {which:?} differs\n{}",
                    step.text,
                    apart(&mine, &other)
                ));
            }
        }
        if effect == step.silent {
            let what = if step.silent { "an" } else { "no" };
            found.push(format!(
                "{case}: `{}` has {what} effect on keepalived\n{}",
                step.text,
                theirs.log.join("\n")
            ));
        }
        for (who, sight) in [("ours", ours), ("keepalived", theirs)] {
            if let Some(stuck) = &sight.stuck {
                found.push(format!(
                    "{case}: after `{}`, {who}: {stuck}\n{}",
                    step.text,
                    sight.log.join("\n")
                ));
            }
        }
    }
    for (at, difference) in case.differences.iter().enumerate() {
        if !used.contains(&at) {
            found.push(format!("{case}: nothing differs in what {} declares", difference.key));
        }
    }
    found
}
