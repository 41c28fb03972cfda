//! A frontend without a `bind` line.

use crate::lower::{ProxyDraft, SectionKind, code};
use diag::{Diagnostic, Report};

pub(super) fn check(proxy: &ProxyDraft, report: &mut Report) {
    if proxy.kind == SectionKind::Frontend && proxy.binds.is_empty() && !proxy.bind_said {
        let message = format!(
            "{} has no 'bind' directive. Please declare it as a backend if this was intended.",
            proxy.title()
        );
        report.push(Diagnostic::warning(code::NO_BIND, message).at(proxy.span));
    }
}
