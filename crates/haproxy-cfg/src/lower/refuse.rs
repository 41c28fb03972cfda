//! What is said of a keyword that is not lowered: unknown, not served, without effect, removed.

use super::{Lowering, code};
use crate::Section;
use crate::keywords::{self, Family, Keyword, Status};
use diag::{Diagnostic, Severity, Span};

impl Lowering<'_> {
    /// Speaks about a known keyword that has no meaning here. True when the line may be passed over.
    pub(crate) fn not_lowered(&mut self, keyword: &Keyword, shown: &str, span: Span) {
        match keyword.status {
            Status::Served | Status::NotYet => {
                let message = format!("'{shown}' is known, not served yet");
                self.report.push(Diagnostic::error(code::NOT_YET, message).at(span).note(keyword.doc));
            }
            Status::NoEffect => {
                let message = format!("'{shown}' is accepted and has no effect");
                let hint = Diagnostic::new(code::NO_EFFECT, Severity::Hint, message);
                self.report.push(hint.at(span).note(keyword.doc));
            }
            Status::Removed => self.error(code::REMOVED, span, keyword.doc),
        }
    }

    /// Speaks about an unknown word. `message` is HAProxy's sentence up to the suggestion; `end` closes it without one.
    pub(crate) fn unknown(&mut self, family: Family, word: &str, span: Span, message: String, end: &str) {
        let names = keywords::all().filter(|keyword| keyword.family == family).map(|keyword| keyword.name);
        let message = match keywords::nearest(word, names) {
            Some(name) => format!("{message}; did you mean '{name}' maybe ?"),
            None => format!("{message}{end}"),
        };
        self.error(code::UNKNOWN, span, message);
    }

    /// Refuses a section, and says which of its lines would be wrong anyway.
    pub(super) fn unserved_section(&mut self, section: &Section) {
        let name = section.keyword.as_str();
        let message = format!("section '{name}' is known, not served yet");
        self.error(code::SECTION_NOT_YET, section.header.span, message);
        let known = || keywords::all().filter(|keyword| keyword.family == Family::Section);
        let known = || known().filter_map(|keyword| keyword.name.strip_prefix(name)?.strip_prefix(' '));
        // Lines of certificate lists and of sections with rules begin with more than a keyword.
        if known().next().is_none() || matches!(name, "crt-list" | "log-forward" | "fcgi-app" | "log-profile")
        {
            return;
        }
        for line in &section.lines {
            let word = line.keyword();
            if matches!(word, "no" | "default") || known().any(|keyword| keyword == word) {
                continue;
            }
            let mut message = format!("unknown keyword '{word}' in '{name}' section");
            if let Some(near) = keywords::nearest(word, known()) {
                message.push_str(&format!("; did you mean '{near}' maybe ?"));
            }
            self.error(code::UNKNOWN, line.span, message);
        }
    }
}
