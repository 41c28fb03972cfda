//! Settings that mean nothing in `mode tcp`, and checks that mean nothing without their option.

use crate::lower::{ProxyDraft, code};
use crate::model::Mode;
use diag::{Diagnostic, Report};

pub(super) fn check(proxy: &ProxyDraft, report: &mut Report) {
    let settings = &proxy.settings;
    if settings.mode == Mode::Tcp {
        for (name, span) in &settings.http_options {
            let keyword = crate::keywords::find(crate::keywords::Family::Option, name);
            if !keyword.is_some_and(|keyword| keyword.places.has(proxy.kind.place())) {
                continue;
            }
            let message = format!("'option {name}' ignored for {} as it requires HTTP mode.", proxy.title());
            report.push(Diagnostic::warning(code::NEEDS_HTTP, message).at(*span));
        }
    }
    if let Some(send) = settings.http_check_send.as_ref().filter(|_| proxy.kind.has_backend())
        && settings.httpchk.is_none()
    {
        let message = format!(
            "{} uses http-check rules without 'option httpchk', so the rules are ignored.",
            proxy.title()
        );
        report.push(Diagnostic::warning(code::HTTP_CHECK_UNUSED, message).at(send.span));
    }
}
