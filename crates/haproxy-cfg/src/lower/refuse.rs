//! What is said of a keyword that is not lowered: unknown, not served, without effect, removed.

use super::{Lowering, code};
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
}
