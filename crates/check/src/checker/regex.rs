//! `regex` of `HTTP_GET`: PCRE2's patterns, by another engine.
//!
//! [`translate`] says in the engine's language what the pattern means in PCRE2's. What it cannot say it refuses by name.
//! Matching is over the whole body at its end. (keepalived matches pieces as they come and is never told of the end, so
//! that a pattern which wants to look beyond the last byte, such as one ending with `$`, never matches there.)

mod class;
mod options;
mod translate;

use core::ops::Range;
use fancy_regex::{BytesMode, Regex, RegexBuilder};
use options::Options;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

/// A compiled `regex` and what goes with it. Clones share it.
#[derive(Clone, Debug)]
pub struct Pattern {
    regex: Arc<Regex>,
    conditions: Conditions,
    utf: bool,
    first_line: bool,
}

/// What goes with a `regex`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// `regex_no_match`: the page passes when it does not match.
    pub no_match: bool,
    /// `regex_min_offset`: where in the body the match may begin at the earliest.
    pub min_offset: u64,
    /// `regex_max_offset`: where it may begin at the latest; 0: anywhere.
    pub max_offset: u64,
}

/// Why a `regex` cannot be used, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegexError(String);

impl core::fmt::Display for RegexError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0)
    }
}

impl RegexError {
    fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// Steps of one search before it is given up.
const STEPS: usize = 200_000;
/// Bytes that a compiled pattern may take.
const SIZE: usize = 1 << 20;

impl Pattern {
    /// Compiles `pattern` under `options`, PCRE2's names in lower case.
    ///
    /// # Errors
    /// When the pattern is wrong, or it or an option asks for what is not served.
    pub fn compile(pattern: &str, options: &[&str], conditions: Conditions) -> Result<Self, RegexError> {
        Self::build(pattern, Options::read(options)?, conditions)
    }

    fn build(pattern: &str, options: Options, conditions: Conditions) -> Result<Self, RegexError> {
        let translated = translate::translate(pattern, options)?;
        let mode = if options.utf { BytesMode::Unicode } else { BytesMode::Ascii };
        let regex = RegexBuilder::new(&translated)
            .case_insensitive(options.caseless)
            .dot_matches_new_line(options.dotall)
            .unicode_mode(options.utf)
            .bytes_mode(mode)
            .backtrack_limit(STEPS)
            .delegate_size_limit(SIZE)
            .max_prog_size(SIZE / 64)
            .build()
            .map_err(|error| RegexError::new(error.to_string()))?;
        Ok(Self { regex: Arc::new(regex), conditions, utf: options.utf, first_line: options.firstline })
    }

    /// Whether a body passes. Of one that has more than `limit` bytes only so many are looked at, and when that does not
    /// decide it, it does not pass; neither does it when the search takes too many steps.
    pub fn satisfied(&self, body: &[u8], limit: usize) -> bool {
        let whole = body.len() <= limit;
        let body = body.get(..limit).unwrap_or(body);
        match self.first_match(body) {
            Found::Undecided => false,
            Found::Match(range) if !whole && range.end == body.len() => false,
            Found::Match(_) => !self.conditions.no_match,
            Found::Nothing => whole && self.conditions.no_match,
        }
    }

    fn first_match(&self, body: &[u8]) -> Found {
        let Some(from) = usize::try_from(self.conditions.min_offset).ok().filter(|from| *from <= body.len())
        else {
            return Found::Nothing;
        };
        let found = if self.utf {
            let Ok(text) = core::str::from_utf8(body) else { return Found::Undecided };
            let from = (from..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
            self.regex.find_from_pos(text, from).map(|found| found.map(|found| found.range()))
        } else {
            self.regex.find_from_pos(body, from).map(|found| found.map(|found| found.range()))
        };
        let Ok(found) = found else { return Found::Undecided };
        let Some(range) = found else { return Found::Nothing };
        let latest = match self.conditions.max_offset {
            0 => u64::MAX,
            latest => latest,
        };
        let line = body.iter().skip(from).position(|byte| *byte == b'\n').map_or(usize::MAX, |at| from + at);
        if range.start as u64 > latest || (self.first_line && range.start > line) {
            return Found::Nothing;
        }
        Found::Match(range)
    }
}

/// Patterns compiled once each, however many urls have them.
#[derive(Debug, Default)]
pub struct Patterns(BTreeMap<(String, Options), Pattern>);

impl Patterns {
    /// As [`Pattern::compile`].
    ///
    /// # Errors
    /// As [`Pattern::compile`].
    pub fn compile(
        &mut self,
        pattern: &str,
        options: &[&str],
        conditions: Conditions,
    ) -> Result<Pattern, RegexError> {
        let options = Options::read(options)?;
        let compiled = match self.0.entry((pattern.to_owned(), options)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(Pattern::build(pattern, options, conditions)?),
        };
        Ok(Pattern { conditions, ..compiled.clone() })
    }
}

enum Found {
    Match(Range<usize>),
    Nothing,
    Undecided,
}

#[cfg(test)]
mod tests;
