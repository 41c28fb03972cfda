//! Where `default_backend` leads.

use crate::lower::{Draft, ProxyDraft, code};
use crate::model::Mode;
use diag::{Diagnostic, Report, Sources, Span};

fn position(sources: &Sources, span: Span) -> String {
    let (file, line) = sources.position(span).unwrap_or(("", 0));
    format!("{file}:{line}")
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Tcp => "tcp",
        Mode::Http => "http",
    }
}

pub(super) fn check(draft: &Draft, proxy: &ProxyDraft, sources: &Sources, report: &mut Report) {
    let Some(target) = proxy.settings.default_backend.as_ref().filter(|_| proxy.kind.has_frontend()) else {
        return;
    };
    let name = &target.value;
    let Some((_, backend)) = draft.backend(name) else {
        let message = format!("Proxy '{}': unable to find required default_backend: '{name}'.", proxy.name);
        let names = draft.proxies.iter().filter(|proxy| proxy.kind.has_backend()).map(|p| p.name.as_str());
        let mut error = Diagnostic::error(code::NO_BACKEND, message).at(target.span);
        if let Some(near) = crate::keywords::nearest(name, names) {
            error = error.note(format!("did you mean '{near}'?"));
        }
        return report.push(error);
    };
    if std::ptr::eq(backend, proxy) {
        let message = format!("Proxy '{name}': loop detected for default_backend: '{name}'.");
        return report.push(Diagnostic::error(code::BACKEND_LOOP, message).at(target.span));
    }
    let (ours, theirs) = (proxy.settings.mode, backend.settings.mode);
    if ours != theirs {
        let message = format!(
            "{} {} ({}) tries to use incompatible {} {} ({}) as its default backend (see 'mode').",
            mode(ours),
            proxy.title(),
            position(sources, proxy.span),
            mode(theirs),
            backend.title(),
            position(sources, backend.span)
        );
        let mut error = Diagnostic::error(code::MODE_MISMATCH, message).at(target.span);
        if ours == Mode::Tcp {
            error = error.note("HAProxy upgrades such connections to HTTP; that is known, not served yet");
        }
        report.push(error.related(backend.span, "the backend"));
    }
    if !proxy.servers.is_empty() {
        let message = format!(
            "In proxy '{}', the 'default_backend' rule always has precedence over the servers, which will never be used.",
            proxy.name
        );
        report.push(Diagnostic::warning(code::UNUSED_SERVERS, message).at(target.span));
    }
}
