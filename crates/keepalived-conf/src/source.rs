//! Files into [`Line`]s: comments, conditions, parameters, sequences, includes, braces.

use crate::code;
use crate::definition::{self, Definition, Definitions, MAX_LINE, Replaced, Sequence, Surroundings};
use crate::glob;
use crate::reader::{FileKind, Reader, tidy};
use crate::word::{Line, Word, place, plain_words};
use diag::{Code, Diagnostic, FileId, Form, Report, Severity, Sources, Span};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// Parameters of several lines, and sequences, within each other at most: a parameter may contain itself.
const MAX_NESTING: u32 = 64;
/// Files within files at most.
const MAX_DEPTH: usize = 64;
/// Things to come back to at most: residues, sequences, parameters of several lines.
const MAX_FRAMES: usize = 4096;

/// What an `include` must find; `include_check` of `global_defs`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct IncludeChecks {
    pub(crate) readable: bool,
    pub(crate) matching: bool,
    pub(crate) wildcard: bool,
    pub(crate) brace: bool,
}

impl IncludeChecks {
    const ALL: Self = Self { readable: true, matching: true, wildcard: true, brace: true };

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

/// What is to be read next; the last one first.
enum Frame {
    File(OpenFile),
    Text { text: String, span: Span, base: Option<u32>, nesting: u32 },
    Lines { lines: VecDeque<String>, span: Span, nesting: u32 },
    Repeat { sequence: Sequence, span: Span, nesting: u32 },
}

struct OpenFile {
    id: FileId,
    /// Bytes read so far.
    at: usize,
    /// For what it includes.
    directory: PathBuf,
    /// The same as users write it.
    shown: PathBuf,
    /// What held where it was included.
    outer_checks: IncludeChecks,
}

/// A definition of several lines that is not complete.
struct Unfinished {
    name: String,
    lines: Vec<String>,
}

/// Reads a configuration line by line.
pub(crate) struct LineSource<'a> {
    reader: &'a dyn Reader,
    instance: &'a str,
    config_id: &'a str,
    pub(crate) sources: &'a mut Sources,
    pub(crate) report: &'a mut Report,
    frames: Vec<Frame>,
    definitions: Definitions,
    unfinished: Option<Unfinished>,
    checks: IncludeChecks,
    lines: usize,
    most_lines: usize,
    /// How deep in parameters of several lines and sequences the current line is.
    nesting: u32,
    /// How many `{` are open.
    depth: usize,
    /// The last place that was read.
    pub(crate) here: Option<Span>,
}

impl<'a> LineSource<'a> {
    pub(crate) fn new(
        reader: &'a dyn Reader,
        options: &'a crate::Options,
        sources: &'a mut Sources,
        report: &'a mut Report,
    ) -> Self {
        Self {
            reader,
            instance: &options.config_id,
            config_id: &options.config_id,
            sources,
            report,
            frames: Vec::new(),
            definitions: Definitions::new(options.seed),
            unfinished: None,
            checks: if options.check_includes { IncludeChecks::ALL } else { IncludeChecks::default() },
            lines: 0,
            most_lines: options.most_lines,
            nesting: 0,
            depth: 0,
            here: None,
        }
    }

    pub(crate) fn reseed(&mut self, seed: u64) {
        self.definitions.chance.0 = seed;
    }

    /// Opens the file that the command line names; false when it cannot be read.
    pub(crate) fn open_main(&mut self, path: &Path) -> bool {
        let shown = path.display();
        let absolute = tidy(&self.reader.working_directory().join(path));
        let problem = match self.reader.kind(&absolute) {
            FileKind::Regular => None,
            FileKind::Missing => Some(format!("Unable to find configuration file {shown}")),
            _ => Some(format!("Configuration file '{shown}' is not a regular non-executable file")),
        };
        let problem = problem.or_else(|| match self.reader.read(&absolute) {
            Ok(bytes) => {
                self.open(bytes, &absolute, path);
                None
            }
            Err(_) => Some(format!("Unable to read configuration file {shown}")),
        });
        let Some(message) = problem else { return true };
        self.report.push(Diagnostic::error(code::UNREADABLE, message).form(Form::Bare));
        false
    }

    fn open(&mut self, bytes: Vec<u8>, absolute: &Path, shown: &Path) {
        let id = self.sources.add(shown.display().to_string(), String::from_utf8_lossy(&bytes));
        let parent = |path: &Path| path.parent().map(Path::to_path_buf).unwrap_or_default();
        self.frames.push(Frame::File(OpenFile {
            id,
            at: 0,
            directory: parent(absolute),
            shown: parent(shown),
            outer_checks: self.checks,
        }));
    }

    /// The next line with at least one word; `None` at the end of all files.
    pub(crate) fn next_line(&mut self) -> Option<Line> {
        loop {
            let (text, span, base) = self.next_text()?;
            if text.is_empty() {
                continue;
            }
            self.lines += 1;
            if self.lines > self.most_lines || self.nesting > MAX_NESTING || self.frames.len() > MAX_FRAMES {
                let message =
                    "the configuration has too many lines: a parameter or a file that contains itself?";
                self.push(code::TOO_MANY_LINES, Severity::Error, message.to_owned(), span);
                self.frames.clear();
                return None;
            }
            self.here = Some(span);
            let Some((text, base)) = self.prepare(text, span, base) else { continue };
            if let Some(line) = self.words(text, span, base) {
                return Some(line);
            }
        }
    }

    /// The next text, without its comment: of a file, or of what is to be repeated.
    fn next_text(&mut self) -> Option<(String, Span, Option<u32>)> {
        loop {
            match self.frames.pop()? {
                Frame::Text { text, span, base, nesting } => {
                    self.nesting = nesting;
                    return Some((text, span, base));
                }
                Frame::Lines { mut lines, span, nesting } => {
                    let Some(text) = lines.pop_front() else { continue };
                    if !lines.is_empty() {
                        self.frames.push(Frame::Lines { lines, span, nesting });
                    }
                    self.nesting = nesting;
                    return Some((text, span, None));
                }
                Frame::Repeat { mut sequence, span, nesting } => {
                    let Some(values) = sequence.rounds.next() else { continue };
                    for (name, value) in sequence.names.iter().zip(&values) {
                        self.definitions.set_value(name, value);
                    }
                    let text = sequence.text.clone();
                    self.frames.push(Frame::Repeat { sequence, span, nesting });
                    self.nesting = nesting;
                    return Some((text, span, None));
                }
                Frame::File(mut file) => {
                    let Some((start, text)) = self.physical_line(&mut file) else {
                        self.checks = file.outer_checks;
                        continue;
                    };
                    let id = file.id;
                    self.frames.push(Frame::File(file));
                    self.nesting = 0;
                    let trimmed = text.trim_start_matches([' ', '\t']);
                    let start = start + (text.len() - trimmed.len());
                    let (kept, verbatim, quote_open) = decomment(trimmed);
                    let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
                    let span = Span {
                        file: id,
                        start: offset(start),
                        end: offset(start + kept.len().min(trimmed.len())),
                    };
                    if text.is_empty() {
                        self.finish_definition();
                        continue;
                    }
                    if quote_open {
                        let message = format!("Unterminated quote '{trimmed}'");
                        self.push(code::UNMATCHED_QUOTE, Severity::Warning, message, span);
                    }
                    return Some((kept, span, verbatim.then_some(span.start)));
                }
            }
        }
    }

    /// The next line of a file and where it begins, without its end.
    fn physical_line(&mut self, file: &mut OpenFile) -> Option<(usize, String)> {
        let source = self.sources.get(file.id)?;
        let rest = source.text.get(file.at..).filter(|rest| !rest.is_empty())?;
        let start = file.at;
        let line = rest.split_inclusive('\n').next()?;
        file.at += line.len();
        let line = line.trim_end_matches(['\n', '\r']);
        let Some(cut) = line.find('\0') else { return Some((start, line.to_owned())) };
        let at = u32::try_from(start + cut).unwrap_or(u32::MAX);
        let span = Span { file: file.id, start: at, end: at.saturating_add(1) };
        let line = line.get(..cut).unwrap_or_default().to_owned();
        let message = "a NUL byte ends the line; what follows it is lost".to_owned();
        self.push(code::STRAY_NUL, Severity::Warning, message, span);
        Some((start, line))
    }

    /// Carries out what a line is before it is a statement. `None` when nothing is left of it.
    fn prepare(&mut self, text: String, span: Span, base: Option<u32>) -> Option<(String, Option<u32>)> {
        if let Some(unfinished) = &mut self.unfinished {
            let (line, more) = match text.strip_suffix('\\') {
                Some(line) => (line.trim_end_matches([' ', '\t']), true),
                None => (text.as_str(), false),
            };
            if !line.is_empty() {
                unfinished.lines.push(line.to_owned());
            }
            if !more {
                self.finish_definition();
            }
            return None;
        }
        let (mut text, mut base) = (text, base);
        loop {
            if let Some(rest) = text.strip_prefix('@') {
                let (reverse, rest) = match rest.strip_prefix('^') {
                    Some(rest) => (true, rest),
                    None => (false, rest),
                };
                let (id, rest) = rest.split_at(rest.find([' ', '\t'])?);
                if (id == self.config_id) == reverse {
                    return None;
                }
                let rest = rest.trim_start_matches([' ', '\t']).to_owned();
                let skipped = u32::try_from(text.len() - rest.len()).unwrap_or(u32::MAX);
                (text, base) = (rest, base.map(|base| base.saturating_add(skipped)));
            }
            if let Some((name, value)) = definition::definition(&text) {
                let (name, value) = (name.to_owned(), value.to_owned());
                self.define(&name, &value);
                return None;
            }
            if text.starts_with("~SEQ") || text.starts_with("~LST") {
                self.repeat(&text, span);
                return None;
            }
            let directory = self.directory();
            let environment = |name: &str| self.reader.environment(name);
            let around =
                Surroundings { directory: &directory, instance: self.instance, environment: &environment };
            match self.definitions.replace(&text, &around) {
                Replaced::Unchanged => break,
                Replaced::TooLong => {
                    let message =
                        format!("Parameter substitution on line '{text}' would exceed maximum line length");
                    self.push(code::SUBSTITUTION_TOO_LONG, Severity::Error, message, span);
                    return None;
                }
                Replaced::Changed(changed, following) => {
                    if !following.is_empty() {
                        let nesting = self.nesting + 1;
                        self.frames.push(Frame::Lines { lines: following.into(), span, nesting });
                    }
                    let again = changed.starts_with(['@', '~', '$']);
                    (text, base) = (changed, None);
                    if !again {
                        break;
                    }
                }
            }
        }
        if text.is_empty() || self.include(&text, span, base) {
            return None;
        }
        Some((text, base))
    }

    fn define(&mut self, name: &str, value: &str) {
        match value.strip_suffix('\\') {
            None => self.definitions.set_value(name, value),
            Some(first) => {
                let first = first.trim_end_matches([' ', '\t']);
                let lines = if first.is_empty() { Vec::new() } else { vec![first.to_owned()] };
                self.unfinished = Some(Unfinished { name: name.to_owned(), lines });
            }
        }
    }

    fn finish_definition(&mut self) {
        if let Some(Unfinished { name, mut lines }) = self.unfinished.take() {
            let multi_line = !lines.is_empty();
            if lines.is_empty() {
                lines.push(String::new());
            }
            self.definitions.set(&name, Definition { lines, multi_line });
        }
    }

    fn repeat(&mut self, text: &str, span: Span) {
        match definition::sequence(text) {
            Some(sequence) if sequence.text.len() <= MAX_LINE => {
                let nesting = self.nesting + 1;
                self.frames.push(Frame::Repeat { sequence, span, nesting });
            }
            _ => {
                let kind = if text.starts_with("~SEQ") { "SEQ" } else { "LST" };
                let message = format!("Invalid ~{kind} specification '{text}'");
                self.push(code::SEQUENCE, Severity::Warning, message, span);
            }
        }
    }

    /// The directory of the file that is being read.
    fn directory(&self) -> String {
        let file = self.file().map(|file| file.directory.clone());
        file.unwrap_or_else(|| self.reader.working_directory()).display().to_string()
    }

    fn file(&self) -> Option<&OpenFile> {
        self.frames.iter().rev().find_map(|frame| match frame {
            Frame::File(file) => Some(file),
            _ => None,
        })
    }

    /// Splits at a brace, makes words, counts braces.
    fn words(&mut self, mut text: String, span: Span, base: Option<u32>) -> Option<Line> {
        if let Some(cut) = brace(&text) {
            let rest = text.split_off(cut);
            let skipped = rest.len() - rest.trim_start_matches([' ', '\t']).len() + cut;
            let rest = rest.trim_matches([' ', '\t']).to_owned();
            let base = base.map(|base| base.saturating_add(u32::try_from(skipped).unwrap_or(u32::MAX)));
            if !rest.is_empty() {
                self.frames.push(Frame::Text { text: rest, span, base, nesting: self.nesting });
            }
            text.truncate(text.trim_end_matches([' ', '\t']).len());
        }
        let own = place(span, base, 0, text.len());
        match text.as_str() {
            "{" => self.depth += 1,
            "}" => match self.depth.checked_sub(1) {
                Some(depth) => self.depth = depth,
                None => {
                    self.push(code::UNBALANCED, Severity::Warning, "Extra '}' found".to_owned(), own);
                }
            },
            _ => {}
        }
        let (pieces, open) = plain_words(&text);
        if open {
            self.push(code::UNMATCHED_QUOTE, Severity::Warning, format!("Unmatched quote: '{text}'"), own);
        }
        // A parameter may bring a comment with it (`${_HASH}`).
        let comment = pieces.iter().position(|(word, _, _)| word.starts_with(['#', '!']));
        let kept = pieces.into_iter().take(comment.unwrap_or(usize::MAX));
        let words: Vec<Word> =
            kept.map(|(text, start, end)| Word { text, span: place(span, base, start, end) }).collect();
        (!words.is_empty()).then_some(Line { text, words, span: own, base })
    }

    /// What is said at the end.
    pub(crate) fn finish(&mut self) {
        self.finish_definition();
        if self.depth > 0 {
            let message = format!("There are {} missing '}}'s or extra '{{'s", self.depth);
            let mut diagnostic = Diagnostic::warning(code::UNBALANCED, message).form(Form::Bare);
            diagnostic.span = self.here;
            self.report.push(diagnostic);
        }
    }

    pub(crate) fn push(&mut self, code: Code, severity: Severity, message: String, span: Span) {
        self.report.push(Diagnostic::new(code, severity, message).at(span));
    }

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
    fn include(&mut self, text: &str, span: Span, base: Option<u32>) -> bool {
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
        if found.is_empty() && patterns.len() == 1 {
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
                let failed = checks.matching || checks.wildcard;
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

/// A line without its comment and blanks around it, `\#` and `\!` without their backslash; whether nothing else was
/// changed; whether a quote stays open.
fn decomment(line: &str) -> (String, bool, bool) {
    let mut kept = String::with_capacity(line.len());
    let (mut quote, mut verbatim, mut continued) = (false, true, false);
    let mut comment = None;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some(next @ ('#' | '!')) if !quote && comment.is_none() => {
                    verbatim = false;
                    kept.push(next);
                }
                Some(next) => {
                    kept.push(letter);
                    kept.push(next);
                }
                None => continued = true,
            },
            '"' => {
                quote ^= comment.is_none();
                kept.push(letter);
            }
            '#' | '!' if !quote && comment.is_none() => {
                comment = Some(kept.len());
                kept.push(letter);
            }
            _ => kept.push(letter),
        }
    }
    if let Some(start) = comment {
        kept.truncate(start);
    }
    kept.truncate(kept.trim_end_matches([' ', '\t']).len());
    if continued {
        verbatim &= line.strip_suffix('\\').is_some_and(|line| line == kept);
        kept.push('\\');
    }
    (kept, verbatim, quote)
}

/// Where a line is to be cut so that braces stand alone.
fn brace(text: &str) -> Option<usize> {
    if text.starts_with(['{', '}']) {
        return (text.len() > 1).then_some(1);
    }
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.find(['{', '}', '"'])?;
        if !text.get(at..)?.starts_with('"') {
            return Some(at);
        }
        from = at + 1 + text.get(at + 1..)?.find('"')? + 1;
    }
}

#[cfg(test)]
mod tests;
