//! `include` and how strict it is.

use super::{Frame, LineSource};
use crate::code;
use crate::glob;
use crate::reader::{FileKind, tidy};
use crate::word::{Line, Word, place, plain_words};
use diag::{Severity, Span};
use std::path::PathBuf;

/// Files within files at most.
const MAX_DEPTH: usize = 64;

/// What an `include` must find; `include_check` of `global_defs`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct IncludeChecks {
    pub(crate) readable: bool,
    pub(crate) matching: bool,
    pub(crate) wildcard: bool,
    pub(crate) brace: bool,
}

impl IncludeChecks {
    pub(crate) const ALL: Self = Self { readable: true, matching: true, wildcard: true, brace: true };

    /// The check of this name of `include_check`, set to `on`; false when there is none.
    pub(crate) fn set(&mut self, name: &str, on: bool) -> bool {
        match name {
            "readable" => self.readable = on,
            "match" => self.matching = on,
            "wildcard_match" => self.wildcard = on,
            "brace_match" => self.brace = on,
            _ => return false,
        }
        true
    }

    /// Carries out the words after `include_check`; those it does not know are returned.
    fn apply<'a>(&mut self, words: &'a [Word]) -> Vec<&'a Word> {
        let mut unknown = Vec::new();
        let signed = words.first().is_some_and(|word| word.text.starts_with(['+', '-']));
        if words.is_empty() {
            *self = Self::ALL;
        } else if !signed {
            *self = Self::default();
        }
        let mut on = true;
        for word in words {
            let name = match word.text.strip_prefix('-') {
                Some(name) => {
                    on = false;
                    name
                }
                None => match word.text.strip_prefix('+') {
                    Some(name) => {
                        on = true;
                        name
                    }
                    None => word.text.as_str(),
                },
            };
            if !name.is_empty() && !self.set(name, on) {
                unknown.push(word);
            }
        }
        unknown
    }
}

impl LineSource<'_> {
    /// Carries out `include_check`.
    pub(crate) fn include_check(&mut self, line: &Line) {
        for word in self.checks.apply(line.arguments()) {
            let message = format!(
                "Unknown include_check type '{}' - ignoring",
                word.text.trim_start_matches(['+', '-'])
            );
            self.push(code::INCLUDE_CHECK, Severity::Warning, message, word.span);
        }
    }

    /// Opens what an `include` line names; false when the line is none.
    pub(super) fn include(&mut self, text: &str, span: Span, base: Option<u32>) -> bool {
        if !text.starts_with("include") {
            return false;
        }
        let (words, _) = plain_words(text);
        let [(keyword, _, _), (pattern, start, end)] = words.as_slice() else { return false };
        let mut checks = self.checks;
        match keyword.as_str() {
            "include" => {}
            "includer" => checks.readable = true,
            "includem" => checks.matching = true,
            "includew" => checks.wildcard = true,
            "includeb" => checks.brace = true,
            "includea" => checks = IncludeChecks::ALL,
            _ => return false,
        }
        let span = place(span, base, *start, *end);
        let files = self.files().count();
        if files >= MAX_DEPTH {
            let message = format!("files are included more than {MAX_DEPTH} deep");
            self.push(code::INCLUDE_DEPTH, Severity::Error, message, span);
            return true;
        }
        let mut found = self.find(pattern, checks, span);
        found.reverse();
        for (bytes, absolute, shown) in found {
            self.open(bytes, &absolute, &shown);
        }
        true
    }

    fn files(&self) -> impl Iterator<Item = &Frame> {
        self.frames.iter().filter(|frame| matches!(frame, Frame::File(_)))
    }

    /// The files that a pattern names: their bytes, where they are, and how users write that.
    fn find(&mut self, pattern: &str, checks: IncludeChecks, span: Span) -> Vec<(Vec<u8>, PathBuf, PathBuf)> {
        let (directory, shown) = match self.file() {
            Some(file) => (file.directory.clone(), file.shown.clone()),
            None => (self.reader.working_directory(), PathBuf::new()),
        };
        let any = checks.readable || checks.matching || checks.wildcard || checks.brace;
        let patterns = glob::expand_braces(pattern);
        let (mut found, mut missing) = (Vec::new(), 0);
        for one in &patterns {
            let paths = glob::matches(self.reader, &tidy(&directory.join(one)));
            missing += usize::from(paths.is_empty());
            found.extend(paths);
        }
        let wild = glob::is_pattern(pattern);
        if found.is_empty() {
            let there = directory.join(pattern);
            let there = there.parent().is_some_and(|parent| {
                glob::is_pattern(&parent.to_string_lossy())
                    || self.reader.kind(&tidy(parent)) != FileKind::Missing
            });
            if wild && there {
                if checks.wildcard {
                    self.not_there(format!("No config files matched '{pattern}'."), true, span);
                }
            } else {
                let failed = checks.matching || checks.wildcard || (checks.brace && patterns.len() > 1);
                self.not_there(format!("Config files missing '{pattern}'."), failed, span);
            }
        } else if missing > 0 {
            self.not_there(format!("Some config files missing: \"{pattern}\"."), checks.brace, span);
        }
        let mut files = Vec::new();
        for absolute in found {
            let inside = absolute.strip_prefix(&directory).ok().filter(|_| !pattern.starts_with('/'));
            let shown = inside.map_or_else(|| absolute.clone(), |inside| shown.join(inside));
            let name = shown.display();
            match self.reader.kind(&absolute) {
                FileKind::Regular => match self.reader.read(&absolute) {
                    Ok(bytes) => files.push((bytes, absolute, shown)),
                    Err(error) => {
                        let reason = error.to_string();
                        let reason = reason.split(" (os error").next().unwrap_or(&reason);
                        let message =
                            format!("Configuration file '{name}' open problem ({reason}) - skipping");
                        self.not_there(message, any, span);
                    }
                },
                FileKind::Directory => {
                    let message = format!("Configuration file '{name}/' is a directory - skipping");
                    self.not_there(message, any, span);
                }
                _ => {
                    let message = format!(
                        "Configuration file '{name}' is not a regular non-executable file - skipping"
                    );
                    self.not_there(message, any, span);
                }
            }
        }
        files
    }

    fn not_there(&mut self, message: String, failed: bool, span: Span) {
        let severity = if failed { Severity::Error } else { Severity::Warning };
        self.push(code::MISSING_INCLUDE, severity, message, span);
    }
}
