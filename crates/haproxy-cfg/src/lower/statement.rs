//! One line of a section: its words, with `no` and `default` taken off.

use super::{Lowering, code};
use crate::{Line, Word};
use diag::{Diagnostic, Span};

/// `no` or `default` before a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Polarity {
    Plain,
    No,
    Default,
}

/// A line as the keywords see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Statement<'a> {
    pub(crate) polarity: Polarity,
    words: &'a [Word],
    pub(crate) span: Span,
}

impl<'a> Statement<'a> {
    pub(crate) fn new(line: &'a Line) -> Self {
        let polarity = match line.keyword() {
            "no" => Polarity::No,
            "default" => Polarity::Default,
            _ => Polarity::Plain,
        };
        let words = if polarity == Polarity::Plain { &line.words[..] } else { line.arguments() };
        Self { polarity, words, span: line.span }
    }

    pub(crate) fn keyword(&self) -> &'a str {
        self.words.first().map_or("", |word| word.text.as_str())
    }

    /// Where the keyword stands.
    pub(crate) fn keyword_span(&self) -> Span {
        self.words.first().map_or(self.span, |word| word.span)
    }

    /// The words after the keyword.
    pub(crate) fn arguments(&self) -> &'a [Word] {
        self.words.get(1..).unwrap_or(&[])
    }

    /// The `n`th word after the keyword, from 0.
    pub(crate) fn argument(&self, n: usize) -> Option<&'a Word> {
        self.arguments().get(n)
    }

    /// The text of the `n`th word after the keyword; empty when there is none, as HAProxy sees it.
    pub(crate) fn text(&self, n: usize) -> &'a str {
        self.argument(n).map_or("", |word| word.text.as_str())
    }

    /// Where the `n`th word stands; the line when there is none.
    pub(crate) fn argument_span(&self, n: usize) -> Span {
        self.argument(n).map_or(self.span, |word| word.span)
    }

    /// The arguments as one text, as `description` takes them.
    pub(crate) fn joined(&self) -> String {
        self.arguments().iter().map(Word::as_str).collect::<Vec<_>>().join(" ")
    }
}

impl Lowering<'_> {
    /// Whether at most `most` words follow the keyword; `shown` is what HAProxy calls the keyword.
    pub(crate) fn at_most(&mut self, statement: &Statement<'_>, most: usize, shown: &str) -> bool {
        let Some(extra) = statement.argument(most) else { return true };
        let message = format!("'{shown}' cannot handle unexpected argument '{}'.", extra.text);
        self.error(code::SURPLUS, extra.span, message);
        false
    }

    /// The one word that must follow the keyword.
    pub(crate) fn only<'a>(
        &mut self,
        statement: &Statement<'a>,
        missing: impl FnOnce(&str) -> String,
    ) -> Option<&'a Word> {
        let keyword = statement.keyword();
        if !self.at_most(statement, 1, keyword) {
            return None;
        }
        let word = statement.argument(0).filter(|word| !word.text.is_empty());
        if word.is_none() {
            self.error(code::MISSING, statement.span, missing(keyword));
        }
        word
    }

    /// The number that must follow the keyword.
    pub(crate) fn only_number<T: std::str::FromStr>(&mut self, statement: &Statement<'_>) -> Option<T> {
        let expected = |keyword: &str| format!("'{keyword}' expects an integer argument.");
        let word = self.only(statement, expected)?;
        self.number(word, || expected(statement.keyword()))
    }

    /// Whether the line stands without `no` or `default`.
    pub(crate) fn plain(&mut self, statement: &Statement<'_>) -> bool {
        if statement.polarity != Polarity::Plain {
            let message = "negation/default currently supported only for options, log, busy-polling, \
                           set-dumpable, strict-limits, insecure-fork-wanted and numa-cpu-mapping.";
            self.report.push(Diagnostic::error(code::NEGATION, message).at(statement.span));
        }
        statement.polarity == Polarity::Plain
    }
}
