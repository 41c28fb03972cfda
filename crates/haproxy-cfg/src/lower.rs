//! Sections of lines into the model, with defaults applied.
//!
//! [`draft`] reads section by section into drafts that still know where each thing was said; the checks look at those;
//! [`finish`] turns them into the model.

mod balance;
mod bind;
pub(crate) mod code;
mod draft;
mod error_file;
mod finish;
mod global;
mod header;
mod health;
mod log;
mod option;
mod proxy;
mod refuse;
mod server;
mod statement;
mod stats_socket;
mod timeout;
mod tune;

pub(crate) use draft::{Draft, LogChoice, ProxyDraft, SectionKind};
pub(crate) use finish::finish;

use crate::parse::Machine;
use crate::{Context, Document, Word};
use diag::{Code, Diagnostic, Report, Sources, Span};
use std::sync::Arc;

/// What every part of lowering needs at hand.
pub(crate) struct Lowering<'a> {
    pub(crate) machine: Machine<'a>,
    /// `-dr`.
    pub(crate) unresolved_servers: bool,
    pub(crate) sources: &'a Sources,
    pub(crate) report: &'a mut Report,
    /// The `log` lines that name a format.
    pub(crate) formats_said: Vec<Span>,
}

impl Lowering<'_> {
    fn error(&mut self, code: Code, span: Span, message: impl Into<String>) {
        self.report.push(Diagnostic::error(code, message).at(span));
    }

    fn warning(&mut self, code: Code, span: Span, message: impl Into<String>) {
        self.report.push(Diagnostic::warning(code, message).at(span));
    }

    fn place(&self, span: Span) -> crate::model::Place {
        place(self.sources, span)
    }

    /// A number, all of the word.
    fn number<T: std::str::FromStr>(&mut self, word: &Word, message: impl FnOnce() -> String) -> Option<T> {
        let value = word.text.parse().ok();
        if value.is_none() {
            let note = format!("'{}' is not a number that is allowed here", word.text);
            self.report.push(Diagnostic::error(code::NUMBER, message()).at(word.span).note(note));
        }
        value
    }
}

fn place(sources: &Sources, span: Span) -> crate::model::Place {
    let (file, line) = sources.position(span).unwrap_or(("", 0));
    crate::model::Place { file: Arc::from(file), line: u32::try_from(line).unwrap_or(u32::MAX), span }
}

/// Reads all sections.
pub(crate) fn draft(
    document: &Document,
    context: &Context,
    machine: Machine<'_>,
    sources: &Sources,
    report: &mut Report,
) -> Draft {
    let unresolved_servers = context.unresolved_servers;
    let mut lowering = Lowering { machine, unresolved_servers, sources, report, formats_said: Vec::new() };
    let mut draft = Draft::default();
    let mut defaults = header::DefaultsStack::default();
    for section in &document.sections {
        match section.keyword.as_str() {
            "global" => lowering.global(section, &mut draft.global),
            "defaults" | "frontend" | "listen" | "backend" => {
                lowering.proxy_section(section, &mut draft, &mut defaults);
            }
            _ => lowering.unserved_section(section),
        }
    }
    lowering.default_log_formats(&mut draft);
    draft
}
