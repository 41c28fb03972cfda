//! Diagnostics for programs.

use crate::{Diagnostic, Report, Severity, Sources, Span};
use serde_json::{Map, Value, json};

/// One JSON object a line for each diagnostic, in order.
///
/// Keys: `code`, `severity` (`notice`, `hint`, `warning`, `error`), `message`, `file`, `line`, `column`, `end_line`,
/// `end_column` (1-based, columns in characters, the end is exclusive; all five null without a place), `related`
/// (objects of those five and `message`), `notes`.
pub fn json_lines(sources: &Sources, report: &Report) -> String {
    report.iter().map(|diagnostic| format!("{}\n", object(sources, diagnostic))).collect()
}

fn object(sources: &Sources, diagnostic: &Diagnostic) -> Value {
    let mut object = place(sources, diagnostic.span);
    let related: Vec<Value> = diagnostic
        .related
        .iter()
        .map(|(span, text)| {
            let mut related = place(sources, Some(*span));
            related.insert("message".to_owned(), json!(text));
            Value::Object(related)
        })
        .collect();
    object.insert("code".to_owned(), json!(diagnostic.code.0));
    object.insert("severity".to_owned(), json!(name(diagnostic.severity)));
    object.insert("message".to_owned(), json!(diagnostic.message));
    object.insert("related".to_owned(), Value::Array(related));
    object.insert("notes".to_owned(), json!(diagnostic.notes));
    Value::Object(object)
}

fn name(severity: Severity) -> &'static str {
    match severity {
        Severity::Notice => "notice",
        Severity::Hint => "hint",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

fn place(sources: &Sources, span: Option<Span>) -> Map<String, Value> {
    let found = span.and_then(|span| Some((sources.get(span.file)?, sources.lines_and_columns(span)?)));
    let (file, [start, end]) = match found {
        Some((source, [start, end])) => (json!(source.name), [start, end].map(|(l, c)| (json!(l), json!(c)))),
        None => (Value::Null, [(Value::Null, Value::Null), (Value::Null, Value::Null)]),
    };
    [("file", file), ("line", start.0), ("column", start.1), ("end_line", end.0), ("end_column", end.1)]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}
