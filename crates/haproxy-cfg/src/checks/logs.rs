//! Access logs that cannot be written as asked.

use crate::lower::{Draft, LogChoice, ProxyDraft, code};
use crate::model::{LoggerRef, Mode};
use diag::{Diagnostic, Report};

pub(super) fn check(draft: &Draft, proxy: &ProxyDraft, report: &mut Report) {
    let Some(log) = proxy.settings.log.as_ref().filter(|_| proxy.kind.has_frontend()) else { return };
    if let (LogChoice::Http(clf), Mode::Tcp) = (&log.value, proxy.settings.mode) {
        let fallback = if *clf { "tcplog clf" } else { "tcplog" };
        let message = format!(
            "'{}' not usable with {} (needs 'mode http'). Falling back to 'option {fallback}'.",
            log.value.name(),
            proxy.title()
        );
        let warning = Diagnostic::warning(code::HTTP_LOG_IN_TCP, message).at(log.span);
        report.push(warning.related(proxy.span, "this proxy is in mode tcp"));
    }
    let goes_nowhere = proxy.settings.loggers.iter().all(|logger| match logger {
        LoggerRef::Global => draft.global.loggers.is_empty(),
        LoggerRef::Own(_) => false,
    });
    if goes_nowhere {
        let message = format!("log format ignored for {} since it has no log address.", proxy.title());
        report.push(Diagnostic::warning(code::LOG_WITHOUT_TARGET, message).at(log.span));
    }
}
