//! Servers that are checked and have no port to check.

use crate::lower::{ProxyDraft, code};
use crate::model::Address;
use diag::{Diagnostic, Report};

pub(super) fn check(proxy: &ProxyDraft, report: &mut Report) {
    for server in &proxy.servers {
        let has_port = match &server.address {
            Address::Ip(address) => address.port() > 0,
            Address::IpRelative(..) => false,
            _ => true,
        };
        if server.settings.check && server.settings.check_port.is_none() && !has_port {
            let message = format!(
                "{}: server '{}' has neither service port nor check port.",
                proxy.title(),
                server.name
            );
            let error = Diagnostic::error(code::CHECK_WITHOUT_PORT, message).at(server.place.span);
            report.push(error.note("write the port after the address, or `port` and a number after `check`"));
        }
    }
}
