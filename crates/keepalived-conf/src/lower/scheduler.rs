//! Schedulers that do not exist.

use super::Lower;
use crate::code;
use crate::model::Scheduler;
use crate::word::Word;

/// What people call schedulers whose names are abbreviations.
const SCHEDULERS_IN_WORDS: [(&str, &str); 13] = [
    ("roundrobin", "rr"),
    ("weightedroundrobin", "wrr"),
    ("staticrr", "wrr"),
    ("leastconn", "lc"),
    ("leastconnection", "lc"),
    ("leastconnections", "lc"),
    ("weightedleastconnection", "wlc"),
    ("weightedleastconnections", "wlc"),
    ("source", "sh"),
    ("sourcehash", "sh"),
    ("destinationhash", "dh"),
    ("maglev", "mh"),
    ("neverqueue", "nq"),
];

impl Lower<'_> {
    /// Says that `word` names no scheduler, and which was probably meant.
    pub(super) fn unknown_scheduler(&mut self, word: &Word) {
        let message = format!("Invalid lvs_scheduler '{}' - ignoring", word.text);
        let mut diagnostic = diag::Diagnostic::warning(code::CHOICE, message).at(word.span);
        let lower = word.text.to_ascii_lowercase();
        let names = Scheduler::ALL.iter().map(|(name, _)| *name);
        let likely = SCHEDULERS_IN_WORDS
            .iter()
            .find(|(words, _)| lower.replace(['-', '_', ' '], "") == *words)
            .map(|(_, name)| *name)
            .or_else(|| diag::suggest(&lower, names));
        diagnostic = match likely {
            Some(name) => diagnostic.note(format!("wlc is used in its place; `{name}` was probably meant")),
            None => diagnostic.note("wlc is used in its place; names are rr, wrr, lc, wlc, lblc, lblcr, dh, sh, mh, sed, nq, fo, ovf and twos"),
        };
        self.report.push(diagnostic);
    }
}
