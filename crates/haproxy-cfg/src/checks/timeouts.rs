//! Timeouts that everybody should set.

use crate::lower::{ProxyDraft, code};
use crate::model::Mode;
use diag::{Diagnostic, Report};

pub(super) fn check(proxy: &ProxyDraft, report: &mut Report) {
    let timeouts = &proxy.settings.timeouts;
    let http = proxy.settings.mode == Mode::Http;
    let client_side = proxy.kind.has_frontend() && timeouts.client.is_none();
    let silent_server = timeouts.server.is_none() && (http || timeouts.tunnel.is_none());
    let server_side = proxy.kind.has_backend()
        && !proxy.servers.is_empty()
        && (timeouts.connect.is_none() || silent_server);
    if client_side || server_side {
        let message = format!("missing timeouts for {}.", proxy.title());
        let note = "While not properly invalid, you will certainly encounter various problems with such a \
                    configuration. To fix this, please ensure that all following timeouts are set to a non-zero \
                    value: 'client', 'connect', 'server'.";
        report.push(Diagnostic::warning(code::MISSING_TIMEOUTS, message).at(proxy.span).note(note));
    }
}
