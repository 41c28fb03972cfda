//! Diagnostics as HAProxy writes them to stderr, for scripts that read them.

use crate::{Diagnostic, FileId, Form, Report, Severity, Source, Sources};

/// Characters of a line that HAProxy shows at most, with an error in the middle.
const EXCERPT: usize = 80;

/// Renders `[ALERT]    (PID) : config : parsing [FILE:LINE] : …` lines.
#[derive(Clone, Debug, Default)]
pub struct HaproxyLines {
    /// Process id shown on each line.
    pub pid: u32,
    /// Program version and path of the executable, shown once before the first warning or alert.
    pub program: Option<(String, String)>,
    /// Whether hints are shown, as `-dD` does.
    pub hints: bool,
}

impl HaproxyLines {
    /// The whole report; when there are errors, the lines that name the bad files and give up follow.
    pub fn render(&self, sources: &Sources, report: &Report) -> String {
        let mut out = String::new();
        let mut program = self.program.as_ref();
        let mut bad: Vec<FileId> = Vec::new();
        for diagnostic in report.iter() {
            if diagnostic.severity == Severity::Hint && !self.hints {
                continue;
            }
            if diagnostic.severity >= Severity::Warning
                && let Some((version, path)) = program.take()
            {
                out += &self.line("NOTICE", &format!("haproxy version is {version}"));
                out += &self.line("NOTICE", &format!("path to executable is {path}"));
            }
            out += &self.diagnostic(sources, diagnostic);
            if let Some(span) = diagnostic.span
                && diagnostic.severity == Severity::Error
                && diagnostic.form != Form::Bare
                && !bad.contains(&span.file)
            {
                bad.push(span.file);
            }
        }
        for source in bad.iter().filter_map(|&file| sources.get(file)) {
            let text = format!("config : Error(s) found in configuration file : {}", source.name);
            out += &self.line("ALERT", &text);
        }
        if report.has_errors() {
            out += &self.line("ALERT", "config : Fatal errors found in configuration.");
        }
        out
    }

    fn diagnostic(&self, sources: &Sources, diagnostic: &Diagnostic) -> String {
        let level = match diagnostic.severity {
            Severity::Notice => "NOTICE",
            Severity::Hint => "DIAG",
            Severity::Warning => "WARNING",
            Severity::Error => "ALERT",
        };
        let message = diagnostic.message.as_str();
        let place = diagnostic.span.and_then(|span| {
            let source = sources.get(span.file)?;
            Some((source, source.line_of(span.start), source.range(span).start))
        });
        let Some((source, line, offset)) = place else {
            return self.line(level, &format!("config : {message}"));
        };
        let place = format!("[{}:{line}]", source.name);
        let text = match diagnostic.form {
            Form::Keyword => format!("config : parsing {place} : {message}"),
            Form::Line => format!("config : parsing {place}: {message}"),
            Form::Excerpt => format!("config : parsing {place}: {message}:{}", excerpt(source, line, offset)),
            Form::Bracketed => format!("config : {place} : {message}"),
            Form::Bare => format!("config : {message}"),
        };
        self.line(level, &text)
    }

    fn line(&self, level: &str, text: &str) -> String {
        let level = format!("[{level}]");
        format!("{level:<10} ({}) : {text}\n", self.pid)
    }
}

/// The line without its indentation and, below it, a caret; what cannot be printed shows as a question mark.
fn excerpt(source: &Source, line: usize, offset: usize) -> String {
    let range = source.line_range(line).unwrap_or(offset..offset);
    let whole = source.text.get(range.clone()).unwrap_or("");
    let trimmed = whole.trim_start();
    let column = offset.saturating_sub(range.start + (whole.len() - trimmed.len()));
    let shown: Vec<char> = trimmed
        .trim_end()
        .bytes()
        .map(|b| if (32..127).contains(&b) { char::from(b) } else { '?' })
        .collect();
    let skipped = if shown.len() <= EXCERPT { 0 } else { column.saturating_sub(EXCERPT / 2) };
    let (before, room) = if skipped > 0 { ("...", EXCERPT - 3) } else { ("", EXCERPT) };
    let rest = shown.len().saturating_sub(skipped);
    let (after, room) = if rest > room { ("...", room - 3) } else { ("", room) };
    let text: String = shown.iter().skip(skipped).take(room).collect();
    let caret = column.saturating_sub(skipped) + before.len();
    format!("\n  {before}{text}{after}\n  {:caret$}^", "")
}
