//! Numeric ids given twice.

use crate::lower::{Draft, ProxyDraft, code};
use diag::{Diagnostic, Report, Sources, Span};
use std::collections::HashMap;

fn position(sources: &Sources, span: Span) -> String {
    let (file, line) = sources.position(span).unwrap_or(("", 0));
    format!("{file}:{line}")
}

fn say(report: &mut Report, message: String, here: Span, first: Span) {
    report.push(Diagnostic::error(code::DUPLICATE_ID, message).at(here).related(first, "taken here first"));
}

/// `id` of proxies.
pub(super) fn proxies(draft: &Draft, sources: &Sources, report: &mut Report) {
    let mut seen: HashMap<u32, &ProxyDraft> = HashMap::new();
    for proxy in &draft.proxies {
        let Some(id) = &proxy.id else { continue };
        if let Some(first) = seen.get(&id.value) {
            let message = format!(
                "{} {} reuses same custom id as {} {} (declared at {}).",
                proxy.kind.title(),
                proxy.name,
                first.kind.title(),
                first.name,
                position(sources, first.span)
            );
            say(report, message, id.span, first.span);
        } else {
            seen.insert(id.value, proxy);
        }
    }
}

/// `id` of `bind` lines of one proxy.
pub(super) fn binds(proxy: &ProxyDraft, sources: &Sources, report: &mut Report) {
    let mut seen = HashMap::new();
    for draft in &proxy.binds {
        let Some(id) = &draft.id else { continue };
        if let Some((text, span)) = seen.insert(id.value, (&draft.text, id.span)) {
            let message = format!(
                "'bind {}' in section '{}' : 'id' : custom id {} already used at {} ('bind {text}')",
                draft.text,
                proxy.kind.word(),
                id.value,
                position(sources, span)
            );
            say(report, message, id.span, span);
        }
    }
}

/// `id` of servers of one proxy.
pub(super) fn servers(proxy: &ProxyDraft, report: &mut Report) {
    let mut seen = HashMap::new();
    for server in &proxy.servers {
        let Some(id) = &server.id else { continue };
        if let Some((name, place)) = seen.insert(id.value, (&server.name, &server.place)) {
            let message = format!(
                "'server {}/{}' : 'id' : custom id {} already used at {}:{} ('server {name}')",
                proxy.name, server.name, id.value, place.file, place.line
            );
            say(report, message, id.span, place.span);
        }
    }
}
