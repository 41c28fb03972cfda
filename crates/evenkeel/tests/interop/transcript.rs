//! What a node said, with what may differ taken away.

use super::node::Node;

/// What one node said in a case.
#[derive(Debug)]
pub(crate) struct Transcript {
    lines: Vec<String>,
    fifo: Vec<String>,
    scripts: Vec<String>,
}

impl Transcript {
    pub(crate) fn of(node: &Node) -> Self {
        let directory = node.directory.display().to_string();
        let log = node.log().replace(&directory, "DIR");
        let lines = log.lines().filter_map(|line| said(line, node.is_ours()));
        let mut lines: Vec<String> = lines.collect();
        lines.dedup();
        Self { lines, fifo: node.fifo(), scripts: node.scripts() }
    }

    /// Compares what ours said with what keepalived did.
    pub(crate) fn compare(case: &str, place: &str, ours: &Self, theirs: &Self) {
        let show = |lines: &[String]| lines.iter().map(|line| format!("    {line}\n")).collect::<String>();
        for (what, ours, theirs) in [
            ("log", &ours.lines, &theirs.lines),
            ("FIFO", &ours.fifo, &theirs.fifo),
            ("scripts", &ours.scripts, &theirs.scripts),
        ] {
            assert!(
                ours == theirs,
                "{case}: as {place}, {what} differs\n  ours:\n{}  keepalived's:\n{}",
                show(ours),
                show(theirs)
            );
        }
    }
}

/// How often these are said depends on which of two packets is sent first when a partition heals; the changes of state
/// that follow do not.
const BY_CHANCE: [&str; 3] =
    [") received lower priority (", ") Received advert from ", ") Master received advert from "];

/// A line about a virtual router or a group, if it is to be compared.
fn said(line: &str, ours: bool) -> Option<String> {
    // `Fri Nov 20 18:57:36 2026: `
    let line = line.get(26..)?;
    let about = line.starts_with('(') || line.starts_with("VRRP_Group(") || line.starts_with("Script `");
    if !about || BY_CHANCE.iter().any(|words| line.contains(words)) {
        return None;
    }
    // Announcements are compared on the wire.
    if line.contains("Sending/queueing ") {
        return None;
    }
    if ours {
        // cause-of-transitions
        let cause = [" to MASTER: ", " to BACKUP: ", " to FAULT: ", " to INIT: "];
        if cause.iter().any(|words| line.contains(words)) || line.contains(") split brain: ") {
            return None;
        }
    }
    // addresses-at-start
    if line.ends_with(" removing VIPs.") || line.ends_with(" removing E-VIPs.") {
        return None;
    }
    Some(line.to_owned())
}
