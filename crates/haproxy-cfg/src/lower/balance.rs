//! `balance`.

use super::statement::Statement;
use super::{Lowering, code};
use crate::model::Balance;
use diag::Diagnostic;

const NOT_YET: &[&str] = &["source", "uri", "url_param", "hdr", "rdp-cookie", "hash", "log-hash", "sticky"];

impl Lowering<'_> {
    pub(super) fn balance(&mut self, line: &Statement<'_>) -> Option<Balance> {
        let text = line.text(0);
        let span = line.argument_span(0);
        let (name, parameter) = match text.split_once('(') {
            Some((name, parameter)) => (name, Some(parameter)),
            None => (text, None),
        };
        let found = match (name, parameter) {
            ("" | "roundrobin", None) => Balance::RoundRobin,
            ("static-rr", None) => Balance::StaticRoundRobin,
            ("leastconn", None) => Balance::LeastConn,
            ("first", None) => Balance::First,
            ("random", None) => Balance::Random(2),
            ("random", Some(parameter)) => Balance::Random(self.draws(parameter, line)?),
            (name, _) if NOT_YET.contains(&name) => {
                self.error(code::NOT_YET, span, format!("'balance {name}' is known, not served yet"));
                return None;
            }
            _ => {
                let message = "balance only supports 'roundrobin', 'static-rr', 'leastconn', 'source', 'uri', \
                               'url_param', 'hdr(name)', 'rdp-cookie(name)', 'random', 'hash' and 'first' options.";
                let note = "served now: roundrobin, static-rr, leastconn, random, first";
                self.report.push(Diagnostic::error(code::CHOICE, message).at(span).note(note));
                return None;
            }
        };
        if let Some(extra) = line.argument(1) {
            let message = format!("'balance {name}' ignores '{}'", extra.text);
            self.warning(code::SURPLUS, extra.span, message);
        }
        Some(found)
    }

    fn draws(&mut self, parameter: &str, line: &Statement<'_>) -> Option<u32> {
        let message = match parameter.split_once(')') {
            None => "balance random : missing closing parenthesis.".to_owned(),
            Some((draws, _)) => match draws.parse::<u32>() {
                Ok(draws @ 1..) => return Some(draws),
                Ok(_) => "balance random : number of draws must be at least 1.".to_owned(),
                Err(_) => {
                    let bad = draws.chars().find(|c| !c.is_ascii_digit()).unwrap_or(')');
                    format!("balance random : unexpected character '{bad}' after argument.")
                }
            },
        };
        self.error(code::NUMBER, line.argument_span(0), message);
        None
    }
}
