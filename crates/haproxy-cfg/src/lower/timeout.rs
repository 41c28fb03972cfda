//! `timeout …`, and what is said about times that are none.

use super::draft::ProxyDraft;
use super::statement::Statement;
use super::{Lowering, code};
use crate::Word;
use crate::keywords::{self, Family, Status};
use crate::model::Timeouts;
use crate::units::{Unit, UnitError, parse_time};
use diag::Diagnostic;
use std::time::Duration;

/// Times without a unit below this are probably meant as seconds.
const BARE_LIMIT: Duration = Duration::from_millis(100);

const NAMES: &str = "'client', 'server', 'connect', 'check', 'queue', 'http-keep-alive', 'http-request', 'tunnel', \
                     'tarpit', 'client-fin' and 'server-fin'";

impl Lowering<'_> {
    pub(super) fn timeout(&mut self, line: &Statement<'_>, proxy: &mut ProxyDraft) {
        let name = line.text(0);
        let Some(keyword) = keywords::find(Family::Timeout, name) else {
            let message = format!("'timeout' supports {NAMES} (got '{name}')");
            return self.unknown(Family::Timeout, name, line.argument_span(0), message, "");
        };
        if !matches!(keyword.status, Status::Served | Status::NoEffect) {
            return self.not_lowered(keyword, &format!("timeout {name}"), line.argument_span(0));
        }
        let Some(word) = line.argument(1) else {
            let message = format!("'timeout {name}' expects an integer value (in milliseconds)");
            return self.error(code::MISSING, line.span, message);
        };
        let time = match parse_time(&word.text, Unit::Millisecond) {
            Ok(time) => time,
            Err(error) => return self.bad_time(error, word, &format!("timeout {name}")),
        };
        if let Some(extra) = line.argument(2) {
            let message = format!(
                "'timeout {name}' : unexpected extra argument '{}' after value '{}'.",
                extra.text, word.text
            );
            return self.error(code::SURPLUS, extra.span, message);
        }
        if time > Duration::ZERO && time < BARE_LIMIT && word.text.bytes().all(|b| b.is_ascii_digit()) {
            let message = format!("'timeout {name} {0}' has no unit and means {0} milliseconds.", word.text);
            let note = format!("write `{0}ms` if that is meant, or `{0}s` for seconds", word.text);
            self.report.push(Diagnostic::warning(code::BARE_TIME, message).at(word.span).note(note));
        }
        let shown = format!("'timeout {name}'");
        if self.other_side(keyword, &shown, "will be ignored", "", line, proxy) {
            return;
        }
        if keyword.status == Status::NoEffect {
            return self.not_lowered(keyword, &format!("timeout {name}"), line.argument_span(0));
        }
        if let Some(slot) = slot(&mut proxy.settings.timeouts, name) {
            *slot = (time > Duration::ZERO).then_some(time);
        }
    }

    /// Says what is wrong with the time `word` of `keyword`.
    pub(super) fn bad_time(&mut self, error: UnitError, word: &Word, keyword: &str) {
        self.error(code::TIME, word.span, error.timer_message(&word.text, keyword));
    }
}

fn slot<'a>(timeouts: &'a mut Timeouts, name: &str) -> Option<&'a mut Option<Duration>> {
    Some(match name {
        "client" => &mut timeouts.client,
        "client-fin" => &mut timeouts.client_fin,
        "server" => &mut timeouts.server,
        "server-fin" => &mut timeouts.server_fin,
        "connect" => &mut timeouts.connect,
        "queue" => &mut timeouts.queue,
        "http-request" => &mut timeouts.http_request,
        "http-keep-alive" => &mut timeouts.http_keep_alive,
        "tunnel" => &mut timeouts.tunnel,
        "check" => &mut timeouts.check,
        _ => return None,
    })
}
