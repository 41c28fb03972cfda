//! What a node said, with what may differ taken away. The names in comments are those of docs/differences-keepalived.md.

use super::node::Node;
use std::collections::{BTreeMap, BTreeSet};

/// What one node said in a case.
#[derive(Debug)]
pub(crate) struct Transcript {
    /// By what they are about (an instance, a group, a script): in which order two of those come is chance.
    lines: BTreeMap<String, Vec<String>>,
    /// About packets received: whether, not how often.
    received: BTreeSet<String>,
    fifo: Vec<String>,
    scripts: Vec<String>,
}

impl Transcript {
    pub(crate) fn of(node: &Node) -> Self {
        let directory = node.directory.display().to_string();
        let log = node.log().replace(&directory, "DIR");
        let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut received = BTreeSet::new();
        for line in log.lines().filter_map(|line| said(line, node.is_ours())) {
            if RECEIVED.iter().any(|words| line.contains(words)) {
                // lines-per-second
                let all = line.split(" (").map(|part| part.trim_end_matches(" more not logged)"));
                let number = |part: &&str| part.parse::<u64>().is_err();
                received.insert(all.filter(number).collect::<Vec<_>>().join(" ("));
                continue;
            }
            let about = lines.entry(subject(&line).to_owned()).or_default();
            if about.last() != Some(&line) {
                about.push(line);
            }
        }
        // Which of two meeting Masters is heard first is chance; one-more-advert.
        let chance = |line: &String| !line.contains(" MASTER_RX_LOWER_PRI ");
        let mut fifo: Vec<String> = node.fifo().into_iter().filter(chance).collect();
        // Of a group's members, any can be first.
        let state = |line: &str| line.split(' ').nth(2).map(str::to_owned);
        let together = |one: &String, next: &String| {
            [one, next].iter().all(|line| line.starts_with("INSTANCE ")) && state(one) == state(next)
        };
        fifo.chunk_by_mut(together).for_each(<[String]>::sort);
        Self { lines, received, fifo, scripts: node.scripts() }
    }

    fn log(&self, but: impl Fn(&str) -> bool) -> Vec<String> {
        self.lines.values().flatten().filter(|line| !but(line)).cloned().collect()
    }

    fn fifo(&self, but: impl Fn(&str) -> bool) -> Vec<String> {
        self.fifo.iter().filter(|line| !but(line)).cloned().collect()
    }

    /// Whether lines with these words differ.
    pub(crate) fn differs(&self, other: &Self, words: &str) -> bool {
        let but = |line: &str| !line.contains(words);
        self.log(but) != other.log(but) || self.fifo(but) != other.fifo(but)
    }

    /// Compares what ours said with what keepalived did.
    pub(crate) fn compare(case: &str, place: &str, ours: &Self, theirs: &Self, differences: &[(&str, &str)]) {
        assert!(!ours.lines.is_empty(), "{case}: nothing was said");
        let show = |lines: &[String]| lines.iter().map(|line| format!("    {line}\n")).collect::<String>();
        let but = |line: &str| differences.iter().any(|(_, words)| line.contains(words));
        let mut found = String::new();
        let set = |lines: &BTreeSet<String>| lines.iter().cloned().collect::<Vec<_>>();
        for (what, ours, theirs) in [
            ("log", ours.log(but), theirs.log(but)),
            ("received packets in log", set(&ours.received), set(&theirs.received)),
            ("FIFO", ours.fifo(but), theirs.fifo(but)),
            ("scripts", ours.scripts.clone(), theirs.scripts.clone()),
        ] {
            if ours != theirs {
                let (ours, theirs) = (show(&ours), show(&theirs));
                found.push_str(&format!(
                    "{case}: as {place}, {what} differs\n  ours:\n{ours}  keepalived's:\n{theirs}"
                ));
            }
        }
        assert!(found.is_empty(), "{found}");
    }
}

/// `(VI_1`, `VRRP_Group(VG`, `` Script `check` ``.
fn subject(line: &str) -> &str {
    let end = match line.find(')') {
        Some(end) => end,
        None => line.match_indices('`').nth(1).map_or(line.len(), |(end, _)| end),
    };
    &line[..end]
}

/// Lines for packets received. How many there are depends on how long a state lasts, and ours are limited.
const RECEIVED: [&str; 7] = [
    ") Backup received priority 0 advertisement",
    ") Master received priority 0 message",
    " not in range ",
    " received an invalid passwd!",
    " auth, expecting ",
    " ip address associated with VRID ",
    " expected ",
];

/// These depend on which of two packets is sent first when a partition heals; the changes of state that follow do not.
const BY_CHANCE: [&str; 4] = [
    ") received lower priority (",
    ") Received advert from ",
    ") Master received advert from ",
    ") IPSEC-AH : Syncing seq_num",
];

/// A line about a virtual router, a group or a script, if it is to be compared.
fn said(line: &str, ours: bool) -> Option<String> {
    // `Fri Nov 20 18:57:36 2026: `
    let line = line.get(26..)?;
    let about = ["(", "VRRP_Group(", "VRRP_Script(", "Script `"].iter().any(|start| line.starts_with(start));
    let ours_only: &[&str] = &[
        // cause-of-transitions
        " to MASTER: ",
        " to BACKUP: ",
        " to FAULT: ",
        " to INIT: ",
        // split-brain
        ") split brain: ",
    ];
    let theirs_only: &[&str] = &[
        // An address that the kernel still examines, as the source of an advert.
        ": send advert error ",
    ];
    let of_one = if ours { ours_only } else { theirs_only };
    let left_out = BY_CHANCE.iter().chain(of_one).any(|words| line.contains(words))
        // Announcements are compared on the wire.
        || line.contains("Sending/queueing ")
        // addresses-at-start
        || line.ends_with(" removing VIPs.")
        || line.ends_with(" removing E-VIPs.");
    (about && !left_out).then(|| line.to_owned())
}
