//! Two servers of one name.

use crate::lower::{ProxyDraft, code};
use diag::{Diagnostic, Report};
use std::collections::HashMap;

pub(super) fn check(proxy: &ProxyDraft, report: &mut Report) {
    let mut seen = HashMap::new();
    for server in &proxy.servers {
        let Some(first) = seen.insert(server.name.as_str(), server) else { continue };
        let message = format!(
            "{}, another server named '{}' was already defined at line {}, please use distinct names.",
            proxy.title(),
            server.name,
            first.place.line
        );
        let error = Diagnostic::error(code::DUPLICATE_SERVER, message).at(server.place.span);
        report.push(error.related(first.place.span, "defined here first"));
    }
}
