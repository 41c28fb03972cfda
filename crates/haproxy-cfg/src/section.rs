//! Lines put together into sections.

use crate::Word;
use diag::Span;

/// A line with something on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its words; never empty.
    pub words: Vec<Word>,
    /// From the first word to the last.
    pub span: Span,
}

impl Line {
    /// The first word.
    pub fn keyword(&self) -> &str {
        self.words.first().map_or("", Word::as_str)
    }

    /// The words after the first.
    pub fn arguments(&self) -> &[Word] {
        self.words.get(1..).unwrap_or(&[])
    }
}

/// A section: the line that opened it and the lines up to the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// `global`, `frontend` …: one of [`KEYWORDS`].
    pub keyword: Word,
    /// The whole opening line, with the keyword as its first word.
    pub header: Line,
    /// The lines in it. `setenv`, `presetenv`, `unsetenv` and `resetenv` in `global` are among them, already carried
    /// out and checked.
    pub lines: Vec<Line>,
}

/// All sections of all files, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// The sections.
    pub sections: Vec<Section>,
}

/// The words that open a section, whether served or not.
pub const KEYWORDS: &[&str] = &[
    "acme",
    "backend",
    "cache",
    "crt-store",
    "defaults",
    "fcgi-app",
    "frontend",
    "global",
    "healthcheck",
    "http-errors",
    "listen",
    "log-forward",
    "log-profile",
    "mailers",
    "peers",
    "program",
    "resolvers",
    "ring",
    "traces",
    "userlist",
];
