//! `option …`.

use super::draft::{ProxyDraft, SectionKind, Settings};
use super::statement::{Polarity, Statement};
use super::{LogChoice, Lowering, code};
use crate::keywords::{self, Family, Status};
use crate::model::{ForwardFor, HttpConnectionMode, ProxyOptions, RestrictHeaderNames};
use std::net::{IpAddr, Ipv4Addr};

/// Options that HAProxy says are ignored where there is no `mode http`.
const HTTP_ONLY: &[&str] = &[
    "accept-unsafe-violations-in-http-request",
    "accept-unsafe-violations-in-http-response",
    "forwardfor",
    "http-ignore-probes",
    "http-no-delay",
    "idle-close-on-response",
    "prefer-last-server",
];

/// Options that cannot stand after `no` or `default`.
const NO_NEGATION: &[&str] =
    &["forwardfor", "http-restrict-req-hdr-names", "httpchk", "httplog", "tcpka", "tcplog"];

/// Old names, with the new ones.
const OLD_NAMES: &[(&str, &str)] = &[
    ("accept-invalid-http-request", "accept-unsafe-violations-in-http-request"),
    ("accept-invalid-http-response", "accept-unsafe-violations-in-http-response"),
];

/// The switch of an option that is on or off.
fn switch<'a>(options: &'a mut ProxyOptions, name: &str) -> Option<&'a mut bool> {
    Some(match name {
        "allbackups" => &mut options.allbackups,
        "accept-unsafe-violations-in-http-request" => &mut options.accept_unsafe_violations_in_http_request,
        "accept-unsafe-violations-in-http-response" => &mut options.accept_unsafe_violations_in_http_response,
        "clitcpka" => &mut options.tcpka_client,
        "dontlog-normal" => &mut options.dontlog_normal,
        "dontlognull" => &mut options.dontlognull,
        "http-ignore-probes" => &mut options.http_ignore_probes,
        "http-no-delay" => &mut options.http_no_delay,
        "idle-close-on-response" => &mut options.idle_close_on_response,
        "independent-streams" => &mut options.independent_streams,
        "log-health-checks" => &mut options.log_health_checks,
        "log-separate-errors" => &mut options.log_separate_errors,
        "logasap" => &mut options.logasap,
        "nolinger" => &mut options.nolinger,
        "prefer-last-server" => &mut options.prefer_last_server,
        "splice-auto" => &mut options.splice_auto,
        "splice-request" => &mut options.splice_request,
        "splice-response" => &mut options.splice_response,
        "srvtcpka" => &mut options.tcpka_server,
        "tcp-smart-accept" => &mut options.tcp_smart_accept,
        "tcp-smart-connect" => &mut options.tcp_smart_connect,
        _ => return None,
    })
}

impl Lowering<'_> {
    pub(super) fn option(&mut self, line: &Statement<'_>, proxy: &mut ProxyDraft) {
        let written = line.text(0);
        let span = line.argument_span(0);
        if written.is_empty() {
            return self.error(code::MISSING, line.span, "'option' expects an option name.");
        }
        let Some(keyword) = keywords::find(Family::Option, written) else {
            let message = format!("unknown option '{written}'");
            return self.unknown(Family::Option, written, span, message, ".");
        };
        if keyword.status != Status::Served {
            return self.not_lowered(keyword, &format!("option {written}"), span);
        }
        if line.polarity != Polarity::Plain && NO_NEGATION.contains(&written) {
            let message = format!("negation/default is not supported for option '{written}'.");
            return self.error(code::NEGATION, line.span, message);
        }
        if matches!(written, "httplog" | "tcplog") && proxy.kind == SectionKind::Backend {
            let message =
                format!("backend '{}' : 'option {written}' directive is ignored in backends.", proxy.name);
            return self.warning(code::OTHER_SIDE, line.span, message);
        }
        if self.other_side(keyword, &format!("'{written}'"), "ignored", "", line, proxy) {
            return;
        }
        let mut name = written;
        if let Some((_, new)) = OLD_NAMES.iter().find(|(old, _)| *old == written) {
            let message =
                format!("option '{written}' is deprecated. please use 'option {new}' if absolutely needed.");
            self.warning(code::OLD_NAME, span, message);
            name = new;
        }
        let in_defaults = proxy.kind == SectionKind::Defaults;
        self.served_option(line, name, &mut proxy.settings, in_defaults);
        if let Some(http) = HTTP_ONLY.iter().find(|http| **http == name) {
            if line.polarity == Polarity::Plain {
                proxy.settings.http_options.insert(http, line.span);
            } else {
                proxy.settings.http_options.remove(http);
            }
        }
    }

    fn served_option(
        &mut self,
        line: &Statement<'_>,
        name: &str,
        settings: &mut Settings,
        in_defaults: bool,
    ) {
        let on = line.polarity == Polarity::Plain;
        if let Some(slot) = switch(&mut settings.options, name) {
            if self.no_arguments(line) {
                *slot = on;
            }
            return;
        }
        let connection_mode = match name {
            "httpclose" => Some(HttpConnectionMode::Close),
            "http-server-close" => Some(HttpConnectionMode::ServerClose),
            "http-keep-alive" => Some(HttpConnectionMode::KeepAlive),
            _ => None,
        };
        if let Some(mode) = connection_mode {
            if self.no_arguments(line) {
                let current = &mut settings.options.connection_mode;
                if on {
                    *current = mode;
                } else if *current == mode {
                    *current = HttpConnectionMode::default();
                }
            }
            return;
        }
        match name {
            "abortonclose" => {
                if self.no_arguments(line) {
                    settings.options.abortonclose = match line.polarity {
                        Polarity::Plain => Some(true),
                        Polarity::No => Some(false),
                        Polarity::Default => None,
                    };
                }
            }
            "redispatch" => self.redispatch(line, &mut settings.options.redispatch),
            "tcpka" => {
                if self.no_arguments(line) {
                    settings.options.tcpka_client = true;
                    settings.options.tcpka_server = true;
                }
            }
            "httplog" | "tcplog" => {
                let Some(clf) = self.clf(line, name) else { return };
                let choice = if name == "httplog" { LogChoice::Http(clf) } else { LogChoice::Tcp(clf) };
                self.choose_log(&mut settings.log, choice, in_defaults, line);
            }
            "forwardfor" => {
                settings.options.forwardfor = self.forwardfor(line).or(settings.options.forwardfor.take());
            }
            "http-restrict-req-hdr-names" => {
                let names = self.restrict_names(line);
                settings.options.http_restrict_req_hdr_names =
                    names.or(settings.options.http_restrict_req_hdr_names);
            }
            "httpchk" => self.httpchk(line, settings),
            other => {
                // The table says served and nothing above serves it; a test keeps this arm from being reached.
                self.error(code::NOT_YET, line.span, format!("'option {other}' is known, not served yet"));
            }
        }
    }

    fn no_arguments(&mut self, line: &Statement<'_>) -> bool {
        self.at_most(line, 1, &format!("option {}", line.text(0)))
    }

    fn redispatch(&mut self, line: &Statement<'_>, slot: &mut Option<i32>) {
        if !self.at_most(line, 2, "option redispatch") {
            return;
        }
        if line.polarity != Polarity::Plain {
            *slot = None;
            return;
        }
        match line.argument(1) {
            None => *slot = Some(-1),
            Some(word) => {
                let message = || "'option redispatch' expects an integer argument.".to_owned();
                if let Some(every) = self.number::<i32>(word, message) {
                    *slot = (every != 0).then_some(every);
                }
            }
        }
    }

    fn clf(&mut self, line: &Statement<'_>, name: &str) -> Option<bool> {
        let clf = match line.text(1) {
            "" => false,
            "clf" => true,
            _ => {
                let message = format!("keyword '{name}' only supports option 'clf'.");
                self.error(code::CHOICE, line.argument_span(1), message);
                return None;
            }
        };
        self.at_most(line, 2, &format!("option {name}")).then_some(clf)
    }

    fn restrict_names(&mut self, line: &Statement<'_>) -> Option<RestrictHeaderNames> {
        let name = line.text(0);
        let names = match line.text(1) {
            "preserve" => RestrictHeaderNames::Preserve,
            "delete" => RestrictHeaderNames::Delete,
            "reject" => RestrictHeaderNames::Reject,
            other => {
                let what = if other.is_empty() {
                    "missing parameter.".to_owned()
                } else {
                    format!("invalid parameter '{other}'.")
                };
                let message =
                    format!("{what} option '{name}' expects 'preserve', 'reject' or 'delete' option.");
                self.error(code::CHOICE, line.argument_span(1), message);
                return None;
            }
        };
        self.at_most(line, 2, &format!("option {name}")).then_some(names)
    }

    fn forwardfor(&mut self, line: &Statement<'_>) -> Option<ForwardFor> {
        let mut found = ForwardFor { except: None, header: "X-Forwarded-For".to_owned(), if_none: false };
        let mut words = line.arguments().iter().skip(1);
        while let Some(word) = words.next() {
            let value = match word.text.as_str() {
                "except" | "header" => words.next(),
                "if-none" => {
                    found.if_none = true;
                    continue;
                }
                _ => {
                    let message = "'option forwardfor' only supports optional values: 'except', 'header' and 'if-none'.";
                    self.error(code::CHOICE, word.span, message);
                    return None;
                }
            };
            if word.text == "header" {
                let Some(value) = value.filter(|value| !value.text.is_empty()) else {
                    let message = "'option forwardfor header' expects <header_name> as argument.";
                    self.error(code::MISSING, word.span, message);
                    return None;
                };
                found.header.clone_from(&value.text);
            } else {
                let Some(network) = value.and_then(|value| network(&value.text)) else {
                    let message = "'option forwardfor except' expects <address>[/mask] as argument.";
                    self.error(code::ADDRESS, value.map_or(word.span, |value| value.span), message);
                    return None;
                };
                found.except = Some(network);
            }
        }
        Some(found)
    }
}

/// `ADDRESS[/MASK]`, the mask as a length or, for IPv4, dotted.
fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, mask) = match text.split_once('/') {
        Some((address, mask)) => (address, Some(mask)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let length = match mask {
        None => bits,
        Some(mask) => match mask.parse::<Ipv4Addr>() {
            Ok(dotted) if address.is_ipv4() => {
                let dotted = u32::from(dotted);
                let ones = dotted.leading_ones();
                (ones == dotted.count_ones()).then(|| u8::try_from(ones).ok())??
            }
            _ => mask.parse().ok()?,
        },
    };
    (length <= bits).then_some((address, length))
}
