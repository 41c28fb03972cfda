//! Diagnostics as keepalived prints them, and what `keepalived -t` makes of them.

use crate::code;
use diag::{Diagnostic, Form, Report, Severity, Sources};

/// Renders `(FILE: Line N) MESSAGE` lines.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeepalivedLines {
    /// Whether notices and hints are shown.
    pub hints: bool,
}

impl KeepalivedLines {
    /// The whole report.
    pub fn render(&self, sources: &Sources, report: &Report) -> String {
        let shown = report.iter().filter(|d| self.hints || d.severity >= Severity::Warning);
        shown.map(|diagnostic| format!("{}\n", line(sources, diagnostic))).collect()
    }
}

fn line(sources: &Sources, diagnostic: &Diagnostic) -> String {
    let place = diagnostic.span.filter(|_| diagnostic.form != Form::Bare);
    match place.and_then(|span| sources.position(span)) {
        Some((file, line)) => format!("({file}: Line {line}) {}", diagnostic.message),
        None => diagnostic.message.clone(),
    }
}

/// What `keepalived -t` would end with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Exit code 0.
    Good,
    /// Exit code 4: the file cannot be read.
    NoConfiguration,
    /// Exit code 5: something is wrong.
    Bad,
    /// Exit code 6: scripts without `enable_script_security`, or an included file that must be there is not.
    Insecure,
    /// Exit code 2: a keyword has no value, where keepalived stops reading.
    Incomplete,
}

impl Verdict {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::NoConfiguration => 4,
            Self::Bad => 5,
            Self::Insecure => 6,
            Self::Incomplete => 2,
        }
    }
}

/// The verdict on a report.
pub fn verdict(report: &Report) -> Verdict {
    report.iter().map(class).max().unwrap_or(Verdict::Good)
}

/// What one diagnostic means for the verdict. Notices do not count.
fn class(diagnostic: &Diagnostic) -> Verdict {
    match diagnostic.code {
        code::SCRIPT_SECURITY => Verdict::Insecure,
        code::MISSING_INCLUDE if diagnostic.severity == Severity::Error => Verdict::Insecure,
        code::MISSING_INCLUDE => Verdict::Good,
        code::UNREADABLE => Verdict::NoConfiguration,
        code::MISSING_PARAMETER if diagnostic.severity == Severity::Error => Verdict::Incomplete,
        _ if diagnostic.severity < Severity::Warning => Verdict::Good,
        _ => Verdict::Bad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_decides() {
        let mut report = Report::default();
        assert_eq!(verdict(&report), Verdict::Good);
        report.push(Diagnostic::warning(code::UNKNOWN_KEYWORD, "x"));
        assert_eq!(verdict(&report).code(), 5);
        report.push(Diagnostic::warning(code::SCRIPT_SECURITY, "x"));
        assert_eq!(verdict(&report).code(), 6);
    }
}
