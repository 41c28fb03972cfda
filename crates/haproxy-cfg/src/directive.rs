//! Lines that begin with a dot: conditional blocks and messages (configuration manual, section 2.4).

use crate::condition::{ConditionError, Context, evaluate_condition};
use crate::{Word, code};
use diag::{Diagnostic, Form, Report, Severity, Span};

/// `.if` in each other at most, as HAProxy.
const MAX_NESTED: usize = 1024;

const DIRECTIVES: &[&str] = &[".if", ".elif", ".else", ".endif", ".diag", ".notice", ".warning", ".alert"];

/// Where we are in an `.if` block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Branch {
    /// The lines count.
    Taken,
    /// The lines do not count; a later branch may.
    Waiting,
    /// The lines do not count, nor will those of later branches.
    Over,
}

struct Block {
    branch: Branch,
    /// The `.else`, once it was seen.
    other: Option<Span>,
    /// The `.if`.
    span: Span,
}

/// The conditional blocks around a line.
#[derive(Default)]
pub(crate) struct Blocks {
    open: Vec<Block>,
    /// Blocks opened beyond the limit, whose `.endif` are still to come.
    beyond: usize,
}

impl Blocks {
    /// Whether lines count here.
    pub(crate) fn active(&self) -> bool {
        self.beyond == 0 && self.open.last().is_none_or(|block| block.branch == Branch::Taken)
    }

    /// Opens a block whose `.if` could not be read: none of its branches count.
    pub(crate) fn open_unreadable(&mut self, span: Span) {
        self.open.push(Block { branch: Branch::Over, other: None, span });
    }

    /// Carries out the directive that `words` are. Everything but block structure is passed over where lines do not
    /// count.
    pub(crate) fn direct(&mut self, words: &[Word], context: &Context, report: &mut Report) {
        let Some((directive, arguments)) = words.split_first() else { return };
        let span = directive.span;
        match directive.as_str() {
            ".if" => self.open(directive, arguments, context, report),
            _ if self.beyond > 0 && directive.as_str() != ".endif" => {}
            ".elif" => {
                let refused = self.refuse_after_else(directive, report);
                if let (false, Some(block)) = (refused, self.open.last_mut()) {
                    block.branch = match block.branch {
                        Branch::Waiting => decide(directive, arguments, context, report),
                        Branch::Taken | Branch::Over => Branch::Over,
                    };
                }
            }
            ".else" => {
                refuse_arguments(directive, arguments, 0, report);
                let refused = self.refuse_after_else(directive, report);
                if let (false, Some(block)) = (refused, self.open.last_mut()) {
                    block.other = Some(span);
                    block.branch = match block.branch {
                        Branch::Waiting => Branch::Taken,
                        Branch::Taken | Branch::Over => Branch::Over,
                    };
                }
            }
            ".endif" => {
                refuse_arguments(directive, arguments, 0, report);
                if self.beyond > 0 {
                    self.beyond -= 1;
                } else if self.open.pop().is_none() {
                    report.push(lone(directive));
                }
            }
            _ if !self.active() => {}
            ".diag" if !context.diagnostics => {
                refuse_arguments(directive, arguments, 1, report);
            }
            ".diag" => say(Severity::Hint, directive, arguments, report),
            ".notice" => say(Severity::Notice, directive, arguments, report),
            ".warning" => say(Severity::Warning, directive, arguments, report),
            ".alert" => say(Severity::Error, directive, arguments, report),
            unknown => {
                let text = format!("unknown directive '{unknown}'.");
                let mut diagnostic =
                    Diagnostic::error(code::UNKNOWN_DIRECTIVE, text).at(span).form(Form::Line);
                if let Some(known) = diag::suggest(unknown, DIRECTIVES.iter().copied()) {
                    diagnostic = diagnostic.note(format!("did you mean '{known}'?"));
                }
                report.push(diagnostic);
            }
        }
    }

    fn open(&mut self, directive: &Word, condition: &[Word], context: &Context, report: &mut Report) {
        if self.open.len() >= MAX_NESTED {
            if self.beyond == 0 {
                let text = format!("too many nested '.if', max is {MAX_NESTED}.");
                report
                    .push(Diagnostic::error(code::NESTED_TOO_DEEP, text).at(directive.span).form(Form::Line));
            }
            self.beyond += 1;
            return;
        }
        let branch = if self.active() { decide(directive, condition, context, report) } else { Branch::Over };
        self.open.push(Block { branch, other: None, span: directive.span });
    }

    /// Reports `.elif` and `.else` without a block or after an `.else`.
    fn refuse_after_else(&self, directive: &Word, report: &mut Report) -> bool {
        let diagnostic = match self.open.last() {
            None => lone(directive),
            Some(Block { other: Some(other), .. }) => {
                let text = format!("'{}' after '.else' is not permitted.", directive.as_str());
                Diagnostic::error(code::MISPLACED_DIRECTIVE, text)
                    .at(directive.span)
                    .form(Form::Line)
                    .related(*other, "the block's '.else'")
            }
            Some(_) => return false,
        };
        report.push(diagnostic);
        true
    }

    /// Reports blocks that are still open at the end of their file, where `last` is its last line.
    pub(crate) fn finish(self, last: Span, report: &mut Report) {
        for block in self.open.iter().rev().take(1) {
            report.push(
                Diagnostic::error(code::UNTERMINATED_IF, "non-terminated '.if' block.")
                    .at(last)
                    .form(Form::Line)
                    .related(block.span, "opened here"),
            );
        }
    }
}

fn lone(directive: &Word) -> Diagnostic {
    let text = format!("lone '{}' with no matching '.if'.", directive.as_str());
    Diagnostic::error(code::MISPLACED_DIRECTIVE, text).at(directive.span).form(Form::Line)
}

/// Evaluates the words after `.if` or `.elif`, joined with single spaces.
fn decide(directive: &Word, words: &[Word], context: &Context, report: &mut Report) -> Branch {
    let text = words.iter().map(Word::as_str).collect::<Vec<_>>().join(" ");
    match evaluate_condition(&text, context) {
        Ok(true) => Branch::Taken,
        Ok(false) => Branch::Waiting,
        Err(ConditionError { message, offset }) => {
            let text = format!("{message} in '{}' at position {}", directive.as_str(), offset + 1);
            let span = locate(words, offset).unwrap_or(directive.span);
            report.push(Diagnostic::error(code::CONDITION, text).at(span).form(Form::Excerpt));
            Branch::Over
        }
    }
}

/// The byte of the file that byte `offset` of the joined words came from; the whole word when quotes or variables
/// changed it.
fn locate(words: &[Word], offset: usize) -> Option<Span> {
    let mut start = 0;
    for word in words {
        let length = word.as_str().len();
        if offset <= start + length {
            let Span { file, start: first, end } = word.span;
            let unchanged = (end - first) as usize == length;
            let from = if unchanged { first + u32::try_from(offset - start).ok()? } else { first };
            return Some(Span { file, start: from, end: end.max(from) });
        }
        start += length + 1;
    }
    words.last().map(|word| word.span)
}

/// `.diag`, `.notice`, `.warning`, `.alert`.
fn say(severity: Severity, directive: &Word, arguments: &[Word], report: &mut Report) {
    if !refuse_arguments(directive, arguments, 1, report) {
        let text = format!("'{}'.", arguments.first().map_or("", Word::as_str));
        let span = arguments.first().map_or(directive.span, |word| word.span);
        report.push(Diagnostic::new(code::MESSAGE, severity, text).at(span).form(Form::Line));
    }
}

/// Reports the first argument after `allowed` ones, if there is one.
fn refuse_arguments(directive: &Word, arguments: &[Word], allowed: usize, report: &mut Report) -> bool {
    let Some(extra) = arguments.get(allowed).filter(|word| !word.as_str().is_empty()) else { return false };
    let hint = if allowed > 0 { " Use quotes if the message should contain spaces." } else { "" };
    let text = format!("Unexpected argument '{}' for '{}'.{hint}", extra.as_str(), directive.as_str());
    report.push(Diagnostic::error(code::DIRECTIVE_ARGUMENT, text).at(extra.span).form(Form::Line));
    true
}
