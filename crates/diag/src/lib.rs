//! Diagnostics: codes, spans, notes, and their renderers.
//!
//! A reader of configuration collects [`Diagnostic`]s in a [`Report`] beside the [`Sources`] they point into; nothing
//! here decides whether to go on. Renderers turn a report into text for people, JSON, or a daemon's own log lines.

mod haproxy;
mod human;
mod json;
mod source;
mod suggest;

pub use haproxy::HaproxyLines;
pub use human::Human;
pub use json::json_lines;
pub use suggest::{did_you_mean, suggest};

pub use source::{FileId, Source, Sources, Span};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Said for information (HAProxy's NOTICE).
    Notice,
    /// Shown only on request (HAProxy's `-dD` DIAG): probably not what was meant.
    Hint,
    /// Accepted, but the user should change it.
    Warning,
    /// Refused (HAProxy's ALERT).
    Error,
}

/// A stable name of a kind of diagnostic, such as `H0203`. The manual has one paragraph for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub &'static str);

/// How HAProxy words the place of a message, which differs by the part of it that speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Form {
    /// A keyword's parser: `parsing [FILE:LINE] : MESSAGE`.
    #[default]
    Keyword,
    /// The reader of lines: `parsing [FILE:LINE]: MESSAGE`.
    Line,
    /// The same, with the line itself and a caret below.
    Excerpt,
    /// `server` lines: `[FILE:LINE] : MESSAGE`.
    Bracketed,
    /// Checks after reading: the message alone, although other renderers show its place.
    Bare,
}

/// One thing to tell the user about the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Which kind of problem.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, one line, in HAProxy's or keepalived's wording where scripts may know it.
    pub message: String,
    /// Where; `None` for what has no place, such as a missing file.
    pub span: Option<Span>,
    /// Other places that matter, each with what to say there.
    pub related: Vec<(Span, String)>,
    /// What to write instead, or why.
    pub notes: Vec<String>,
    /// How [`HaproxyLines`] words the place.
    pub form: Form,
}

impl Diagnostic {
    /// A diagnostic of `severity` without place or notes.
    pub fn new(code: Code, severity: Severity, message: impl Into<String>) -> Self {
        Self {
            code,
            severity,
            message: message.into(),
            span: None,
            related: Vec::new(),
            notes: Vec::new(),
            form: Form::default(),
        }
    }

    /// An error.
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, message)
    }

    /// A warning.
    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Warning, message)
    }

    /// The same, pointing at `span`.
    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        self.span = Some(span);
        self
    }

    /// The same, with its place worded as `form` says.
    #[must_use]
    pub fn form(mut self, form: Form) -> Self {
        self.form = form;
        self
    }

    /// The same, with a further place.
    #[must_use]
    pub fn related(mut self, span: Span, text: impl Into<String>) -> Self {
        self.related.push((span, text.into()));
        self
    }

    /// The same, with a note.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }
}

/// The diagnostics of one reading, in the order they were found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    diagnostics: Vec<Diagnostic>,
}

impl Report {
    /// Adds a diagnostic.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Adds what another report found, after what this one has.
    pub fn extend(&mut self, other: Report) {
        self.diagnostics.extend(other.diagnostics);
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.diagnostics.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.diagnostics.is_empty()
    }

    /// Puts them in the order of the places they point at. One without a place stays behind the one it followed.
    pub fn order_by_place(&mut self) {
        let mut last = None;
        let mut placed: Vec<_> = std::mem::take(&mut self.diagnostics)
            .into_iter()
            .map(|diagnostic| {
                last = diagnostic.span.map(|span| (span.file, span.start)).or(last);
                (last, diagnostic)
            })
            .collect();
        placed.sort_by_key(|(place, _)| *place);
        self.diagnostics = placed.into_iter().map(|(_, diagnostic)| diagnostic).collect();
    }

    /// Whether any is an error.
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// How many have this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.diagnostics.iter().filter(|d| d.severity == severity).count()
    }
}

#[cfg(test)]
mod tests;
