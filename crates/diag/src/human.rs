//! Diagnostics for people, with the source around them.

use crate::{Diagnostic, Report, Severity, Source, Sources, Span};
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};

/// Renders as rustc does. Plain text without colour unless asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Human {
    /// Whether to colour with terminal sequences.
    pub color: bool,
    /// Whether hints are shown.
    pub hints: bool,
}

/// A place and what is said there; the first of a diagnostic is the primary one.
struct Mark<'a> {
    span: Span,
    label: Option<&'a str>,
}

impl Human {
    /// The whole report, a blank line between diagnostics.
    pub fn render(&self, sources: &Sources, report: &Report) -> String {
        let renderer = if self.color { Renderer::styled() } else { Renderer::plain() };
        let shown = report.iter().filter(|d| self.hints || d.severity != Severity::Hint);
        let rendered: Vec<String> =
            shown.map(|diagnostic| renderer.render(&[group(sources, diagnostic)]) + "\n").collect();
        rendered.join("\n")
    }
}

fn group<'a>(sources: &'a Sources, diagnostic: &'a Diagnostic) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Notice => Level::NOTE,
        Severity::Hint => Level::HELP,
        Severity::Warning => Level::WARNING,
        Severity::Error => Level::ERROR,
    };
    let mut group = Group::with_title(level.primary_title(diagnostic.message.as_str()).id(diagnostic.code.0));
    let primary = diagnostic.span.map(|span| Mark { span, label: None });
    let related =
        diagnostic.related.iter().map(|(span, label)| Mark { span: *span, label: Some(label.as_str()) });
    let marks: Vec<Mark<'a>> = primary.into_iter().chain(related).collect();
    let mut files: Vec<_> = Vec::new();
    for mark in &marks {
        if !files.contains(&mark.span.file) {
            files.push(mark.span.file);
        }
    }
    for file in files {
        let Some(source) = sources.get(file) else { continue };
        group = group.element(snippet(source, marks.iter().filter(|mark| mark.span.file == file)));
    }
    for note in &diagnostic.notes {
        group = group.element(Level::NOTE.message(note.as_str()));
    }
    group
}

/// Only the lines from the first mark to the last are handed on, so that a large file costs nothing.
fn snippet<'a, 'm>(
    source: &'a Source,
    marks: impl Iterator<Item = &'m Mark<'a>> + Clone,
) -> Snippet<'a, Annotation<'a>>
where
    'a: 'm,
{
    let ranges = marks.clone().map(|mark| source.range(mark.span));
    let start = ranges.clone().map(|range| range.start).min().unwrap_or(0);
    let end = ranges.map(|range| range.end).max().unwrap_or(0);
    let first = source.line_of(u32::try_from(start).unwrap_or(u32::MAX));
    let last = source.line_of(u32::try_from(end).unwrap_or(u32::MAX));
    let from = source.line_range(first).map_or(start, |line| line.start);
    let to = source.line_range(last).map_or(end, |line| line.end).max(end);
    Snippet::source(source.text.get(from..to).unwrap_or(""))
        .line_start(first)
        .path(source.name.as_str())
        .fold(true)
        .annotations(marks.map(|mark| {
            let range = source.range(mark.span);
            let kind = if mark.label.is_some() { AnnotationKind::Context } else { AnnotationKind::Primary };
            kind.span(range.start - from..range.end - from).label(mark.label)
        }))
}
