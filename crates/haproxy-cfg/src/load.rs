//! Files and directories into a [`Document`].

use crate::condition::Context;
use crate::directive::Blocks;
use crate::lex::{self, Scope, Word};
use crate::section::{self, Document, Line, Section};
use crate::{Environment, code};
use diag::{Diagnostic, FileId, Form, Report, Sources, Span};
use std::path::Path;
use std::{fs, io};

/// Messages about one file at most: what is no configuration at all would drown everything else.
const MAX_DIAGNOSTICS: usize = 1000;

/// A file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The path as it was given.
    pub name: String,
    /// Its bytes.
    pub text: Vec<u8>,
}

/// Reads what one `-f` names: a file, or every `*.cfg` of a directory in the order of their names, hidden ones and
/// subdirectories left out (management guide, section 3). A directory may hold none.
///
/// # Errors
/// When a file or the directory cannot be read.
pub fn read_path(path: &Path) -> io::Result<Vec<Input>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![read_file(path)?]);
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        let bytes = name.as_encoded_bytes();
        if bytes.ends_with(b".cfg") && !bytes.starts_with(b".") && path.join(&name).is_file() {
            names.push(name);
        }
    }
    names.sort();
    names.iter().map(|name| read_file(&path.join(name))).collect()
}

fn read_file(path: &Path) -> io::Result<Input> {
    Ok(Input { name: path.to_string_lossy().into_owned(), text: fs::read(path)? })
}

/// Reads all that the `-f` options name, in order; what cannot be read is reported.
pub fn read_paths<P: AsRef<Path>>(paths: &[P], report: &mut Report) -> Vec<Input> {
    let mut inputs = Vec::new();
    for path in paths.iter().map(AsRef::as_ref) {
        match read_path(path) {
            Ok(found) => inputs.extend(found),
            Err(error) => {
                let text = format!(
                    "Cannot open configuration file/directory {} : {}",
                    path.display(),
                    reason(&error)
                );
                report.push(Diagnostic::error(code::UNREADABLE, text).form(Form::Bare));
            }
        }
    }
    inputs
}

/// The system's words for an error, without the number that Rust adds.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

/// Reads all inputs as one configuration. Everything wrong goes into `report`; what could be read is returned.
///
/// `setenv` and its like in `global` change `context.env` as they are met. Time and memory are bounded by the length of
/// the inputs and a fixed budget for what variables grow to.
pub fn read(inputs: &[Input], context: &mut Context, sources: &mut Sources, report: &mut Report) -> Document {
    let mut reader = Reader {
        context,
        report,
        document: Document::default(),
        section: Vec::new(),
        open: false,
        budget: lex::EXPANSION_BUDGET,
    };
    for input in inputs {
        let file = sources.add(input.name.clone(), display(&input.text));
        reader.file(input, file);
    }
    reader.document
}

/// The text for people to see: each byte that is not UTF-8 becomes one question mark, so that offsets stay.
fn display(text: &[u8]) -> String {
    text.utf8_chunks()
        .flat_map(|chunk| [chunk.valid().to_owned(), "?".repeat(chunk.invalid().len())])
        .collect()
}

struct Reader<'a> {
    context: &'a mut Context,
    report: &'a mut Report,
    document: Document,
    /// `.SECTION`.
    section: Vec<u8>,
    /// Whether this file has opened a section: none reaches over from the file before.
    open: bool,
    budget: usize,
}

impl Reader<'_> {
    fn file(&mut self, input: &Input, file: FileId) {
        let mut blocks = Blocks::default();
        let before = self.report.len();
        self.open = false;
        self.section.clear();
        let mut offset = 0;
        let mut last = Span { file, start: 0, end: 0 };
        for (number, line) in (1..).zip(input.text.split_inclusive(|&byte| byte == b'\n')) {
            last = span(file, offset, offset + line.strip_suffix(b"\n").unwrap_or(line).len());
            self.line(input, file, number, line, offset, &mut blocks);
            offset += line.len();
            if self.report.len() - before >= MAX_DIAGNOSTICS {
                let text = format!(
                    "more than {MAX_DIAGNOSTICS} messages about this file, the rest of it was not read."
                );
                self.report.push(Diagnostic::error(code::TOO_MANY_MESSAGES, text).at(last).form(Form::Line));
                return;
            }
            if !line.ends_with(b"\n") {
                let position = line.len() + 1;
                let text = format!(
                    "Missing LF on last line, file might have been truncated at position {position}."
                );
                let diagnostic = Diagnostic::error(code::MISSING_LINE_FEED, text)
                    .at(Span { start: last.end, ..last })
                    .form(Form::Line)
                    .note("end the file with a line feed");
                self.report.push(diagnostic);
            }
        }
        blocks.finish(last, self.report);
    }

    fn line(
        &mut self,
        input: &Input,
        file: FileId,
        number: usize,
        line: &[u8],
        offset: usize,
        blocks: &mut Blocks,
    ) {
        if let Some(nul) = line.iter().position(|&byte| byte == 0) {
            let text = format!("Stray NUL character at position {}.", nul + 1);
            let at = span(file, offset + nul, offset + nul + 1);
            self.report.push(Diagnostic::error(code::STRAY_NUL, text).at(at).form(Form::Line));
            return;
        }
        let mut scope = Scope {
            env: &self.context.env,
            file,
            file_name: &input.name,
            line: number,
            section: &self.section,
            budget: &mut self.budget,
            report: self.report,
        };
        let Some(words) = lex::words(line, offset, &mut scope) else {
            if line
                .trim_ascii_start()
                .strip_prefix(b".if")
                .is_some_and(|rest| rest.first().copied().is_none_or(lex::is_blank))
            {
                blocks.open_unreadable(span(file, offset, offset + line.len()));
            }
            return;
        };
        let (Some(first), Some(end)) = (words.first(), words.last()) else { return };
        let whole = Span { end: end.span.end, ..first.span };
        if first.as_str().starts_with('.') {
            blocks.direct(&words, self.context, self.report);
        } else if blocks.active()
            && words.iter().any(|word| !word.as_str().is_empty())
            && self.no_empty_word(&words, whole, offset)
        {
            self.statement(Line { words, span: whole });
        }
    }

    /// An empty word ends the line for HAProxy, so what follows it would be lost; HAProxy 3.3 and later refuse it.
    fn no_empty_word(&mut self, words: &[Word], line: Span, offset: usize) -> bool {
        let Some(index) = words.iter().position(|word| word.as_str().is_empty()) else { return true };
        let rest = words.get(index..).unwrap_or_default();
        if rest.iter().all(|word| word.as_str().is_empty()) {
            return true;
        }
        let at = rest.first().map_or(line, |word| word.span);
        let position = (at.start as usize).saturating_sub(offset) + 1;
        let text = format!(
            "argument number {index} at position {position} is empty and marks the end of the argument list"
        );
        self.report.push(
            Diagnostic::error(code::EMPTY_WORD, text)
                .at(at)
                .form(Form::Excerpt)
                .note("the words after it would be ignored")
                .note("for a variable that may be empty, \"${NAME[*]}\" stands for no word at all"),
        );
        false
    }

    fn statement(&mut self, line: Line) {
        let Some(keyword) = line.words.first() else { return };
        if section::KEYWORDS.contains(&keyword.as_str()) {
            let name = line.words.get(1).filter(|name| !name.as_str().is_empty()).unwrap_or(keyword);
            self.section = name.bytes().to_vec();
            self.open = true;
            self.document.sections.push(Section {
                keyword: keyword.clone(),
                header: line,
                lines: Vec::new(),
            });
            return;
        }
        let Some(section) = self.document.sections.last_mut().filter(|_| self.open) else {
            let text = format!("unknown keyword '{}' out of section.", keyword.as_str());
            let mut diagnostic =
                Diagnostic::error(code::OUT_OF_SECTION, text).at(keyword.span).form(Form::Line);
            if let Some(known) = diag::suggest(keyword.as_str(), section::KEYWORDS.iter().copied()) {
                diagnostic = diagnostic.note(format!("did you mean '{known}'?"));
            }
            self.report.push(diagnostic);
            return;
        };
        if section.keyword.as_str() == "global" {
            change_environment(&mut self.context.env, &line, self.report);
        }
        section.lines.push(line);
    }
}

fn span(file: FileId, start: usize, end: usize) -> Span {
    let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Span { file, start: offset(start), end: offset(end) }
}

/// Carries out `setenv`, `presetenv`, `unsetenv` and `resetenv` (manual, section 3.1); other lines are passed over.
fn change_environment(env: &mut Environment, line: &Line, report: &mut Report) {
    let keyword = line.keyword();
    let arguments = line.arguments();
    match keyword {
        "setenv" | "presetenv" => {
            let (Some(name), Some(value)) =
                (arguments.first(), arguments.get(1).filter(|v| !v.as_str().is_empty()))
            else {
                report.push(refusal(
                    format!("'{keyword}' expects a name and a value."),
                    line.span,
                    Form::Line,
                ));
                return;
            };
            if name.as_str().contains('=') {
                let text = format!("'{keyword}' failed on variable '{}' : Invalid argument.", name.as_str());
                report.push(refusal(text, name.span, Form::Line));
                return;
            }
            if let Some(extra) = arguments.get(3) {
                let text = format!("'{keyword}' cannot handle unexpected argument '{}'.", extra.as_str());
                report.push(refusal(text, extra.span, Form::Keyword));
                return;
            }
            if let Some(extra) = arguments.get(2) {
                // HAProxy lets this pass.
                let text = format!("'{keyword}' takes one value, '{}' is not part of it.", extra.as_str());
                let warning = Diagnostic::warning(code::ENVIRONMENT, text).at(extra.span);
                report.push(warning.note("put quotes around a value with spaces"));
            }
            if keyword == "setenv" {
                env.set(name.as_str(), value.bytes());
            } else {
                env.preset(name.as_str(), value.bytes());
            }
        }
        "unsetenv" if arguments.is_empty() => {
            report.push(refusal(
                "'unsetenv' expects at least one variable name.".to_owned(),
                line.span,
                Form::Line,
            ));
        }
        "unsetenv" => arguments.iter().for_each(|name| env.unset(name.as_str())),
        "resetenv" => env.reset(&arguments.iter().map(Word::as_str).collect::<Vec<_>>()),
        _ => {}
    }
}

fn refusal(text: String, at: Span, form: Form) -> Diagnostic {
    Diagnostic::error(code::ENVIRONMENT, text).at(at).form(form)
}

#[cfg(test)]
mod tests;
