//! `HTTP_GET` and `SSL_GET`.

use super::Lower;
use super::checker::Common;
use super::server::ServerDraft;
use crate::code;
use crate::model::{CheckerKind, HttpCheck, HttpProtocol, RealServer, Regex, Url};
use crate::tree::Node;
use crate::word::{Line, Word};
use std::ops::RangeInclusive;

/// Options of PCRE2 that a `regex` may have.
const REGEX_OPTIONS: [&str; 22] = [
    "allow_empty_class",
    "alt_bsux",
    "auto_callout",
    "caseless",
    "dollar_endonly",
    "dotall",
    "dupnames",
    "extended",
    "firstline",
    "match_unset_backref",
    "multiline",
    "never_ucp",
    "never_utf",
    "no_auto_capture",
    "no_auto_possess",
    "no_dotstar_anchor",
    "no_start_optimize",
    "ucp",
    "ungreedy",
    "utf",
    "never_backslash_c",
    "alt_circumflex",
];
/// The others.
const MORE_REGEX_OPTIONS: [&str; 2] = ["alt_verbnames", "use_offset_limit"];

impl Lower<'_> {
    pub(crate) fn http(
        &mut self,
        node: &Node,
        server: &RealServer,
        one: &ServerDraft,
        common: &mut Common,
    ) -> Option<CheckerKind> {
        let inherited = server.virtual_host.clone().or_else(|| one.server.virtual_host.clone());
        let mut check = HttpCheck { tls: node.keyword.name == "SSL_GET", ..HttpCheck::default() };
        for child in &node.body {
            let line = &child.line;
            match child.keyword.name {
                "url" => check.urls.extend(self.url(child)),
                "virtualhost" => check.virtual_host = self.value_or(line, "HTTP_GET virtualhost missing"),
                "http_protocol" => {
                    let Some(word) = self.word(line, 1) else { continue };
                    check.protocol = match word.text.as_str() {
                        "1.0" => HttpProtocol::V1_0,
                        "1.0C" | "1.0c" => HttpProtocol::V1_0Close,
                        "1.1" => HttpProtocol::V1_1,
                        other => {
                            self.say(
                                code::CHOICE,
                                word.span,
                                format!("Invalid http_protocol version {other}"),
                            );
                            check.protocol
                        }
                    };
                }
                "fast_recovery" => {
                    let message = |value: &str| format!("Invalid fast_recovery parameter {value}");
                    check.fast_recovery = self.switch(line, message).unwrap_or(check.fast_recovery);
                }
                "nb_get_retry" => {
                    self.say(code::DEPRECATED, line.span, "nb_get_retry is deprecated - please use 'retry'");
                    let Some(word) = self.word(line, 1) else { continue };
                    match self.unsigned(word, 0, u32::MAX) {
                        Some(count) => common.timing.retry = Some(count),
                        None => {
                            let message = format!("Invalid nb_get_retry value '{}'", word.text);
                            self.say(code::NUMBER, word.span, message);
                        }
                    }
                }
                "enable_sni" => {
                    let message = |value: &str| format!("Invalid enable_sni parameter {value}");
                    check.sni = self.switch(line, message).unwrap_or(check.sni);
                }
                "sni_name" => check.sni_name = self.word(line, 1).map(|word| word.text.clone()),
                "tls_compliant" => {
                    let message = |value: &str| format!("Invalid tls_compliant parameter {value}");
                    check.tls_compliant = self.switch(line, message).unwrap_or(check.tls_compliant);
                }
                _ => {
                    self.common(child, common);
                }
            }
        }
        if check.urls.is_empty() {
            self.say(code::CHECKER, node.end, "HTTP/SSL_GET checker has no urls specified - ignoring");
            return None;
        }
        check.virtual_host = check.virtual_host.or(inherited);
        Some(CheckerKind::Http(check))
    }

    fn url(&mut self, node: &Node) -> Option<Url> {
        let mut url = Url { place: Some(node.line.span), ..Url::default() };
        let mut regex = Regex::default();
        for child in &node.body {
            let line = &child.line;
            match child.keyword.name {
                "path" => {
                    if let Some(word) = self.word(line, 1) {
                        url.path.clone_from(&word.text);
                    }
                }
                "digest" => self.digest(line, &mut url),
                "status_code" => {
                    if self.word(line, 1).is_none() {
                        continue;
                    }
                    for word in line.arguments() {
                        match status_range(word) {
                            Some(range) => url.status.push(range),
                            None => {
                                let message = format!("Invalid HTTP_GET status code '{}'", word.text);
                                self.say(code::NUMBER, word.span, message);
                            }
                        }
                    }
                }
                "virtualhost" => url.virtual_host = self.value_or(line, "url virtualhost missing"),
                "regex" => {
                    if self.word(line, 1).is_some()
                        && let Some(words) = self.escaped(line)
                    {
                        regex.pattern = words.into_iter().nth(1).map(|word| word.text).unwrap_or_default();
                    }
                }
                "regex_no_match" => regex.no_match = true,
                "regex_options" => {
                    for word in line.arguments() {
                        let lower = word.text.to_ascii_lowercase();
                        let known = REGEX_OPTIONS.iter().chain(&MORE_REGEX_OPTIONS);
                        if known.into_iter().any(|option| **option == lower) {
                            regex.options.push(lower);
                        } else {
                            self.say(code::CHOICE, word.span, format!("Unknown regex option {}", word.text));
                        }
                    }
                }
                "regex_stack" => {
                    let (Some(start), Some(most)) = (line.words.get(1), line.words.get(2)) else {
                        self.say(
                            code::MISSING_PARAMETER,
                            line.span,
                            "regex_stack requires start and maximum",
                        );
                        continue;
                    };
                    let start = self.unsigned64(start, 1, u64::MAX);
                    let most = self.unsigned64(most, 1, u64::MAX);
                    regex.stack = start.zip(most);
                }
                name => self.regex_offset(line, name, &mut regex),
            }
        }
        if url.path.is_empty() {
            self.say(code::CHECKER, node.end, "HTTP/SSL_GET checker url has no path - ignoring");
            return None;
        }
        if regex.max_offset != 0 && regex.min_offset > regex.max_offset {
            let message = format!(
                "regex min offset {} > regex_max_offset {} - ignoring",
                regex.min_offset, regex.max_offset
            );
            self.say(code::CHECKER, node.end, message);
            (regex.min_offset, regex.max_offset) = (0, 0);
        }
        url.regex = (!regex.pattern.is_empty()).then_some(regex);
        Some(url)
    }

    fn regex_offset(&mut self, line: &Line, name: &str, regex: &mut Regex) {
        let which = if name == "regex_min_offset" { "min" } else { "max" };
        let [word] = line.arguments() else {
            let message = format!("Missing or too may options for regex_{which}_offset");
            return self.say(code::MISSING_PARAMETER, line.span, message);
        };
        match self.unsigned64(word, 0, u64::MAX - 1) {
            Some(offset) if which == "min" => regex.min_offset = offset,
            Some(offset) => regex.max_offset = offset,
            None => {
                let message = format!("Invalid regex_{which}_offset {} specified", word.text);
                self.say(code::NUMBER, word.span, message);
            }
        }
    }

    fn digest(&mut self, line: &Line, url: &mut Url) {
        let Some(word) = self.word(line, 1) else { return };
        let text = &word.text;
        if text.len() != 32 {
            let message = format!("digest '{text}' character length should be 32 rather than {}", text.len());
            return self.say(code::CHECKER, word.span, message);
        }
        let mut digest = [0; 16];
        for (number, slot) in digest.iter_mut().enumerate() {
            let pair = text.get(number * 2..number * 2 + 2);
            match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
                Some(byte) => *slot = byte,
                None => {
                    let at = number * 2;
                    let message =
                        format!("Unable to interpret hex digit in '{text}' at offset {at}/{}", at + 1);
                    return self.say(code::CHECKER, word.span, message);
                }
            }
        }
        if url.digests.contains(&digest) {
            return self.say(code::REPEATED, word.span, format!("Digest '{text}' is a duplicate"));
        }
        url.digests.push(digest);
    }
}

/// `CODE` or `FROM-TO`, within 100–599.
fn status_range(word: &Word) -> Option<RangeInclusive<u16>> {
    let (low, high) = word.text.split_once('-').unwrap_or((&word.text, &word.text));
    let code = |text: &str| text.parse::<u16>().ok().filter(|code| (100..=599).contains(code));
    let (low, high) = (code(low)?, code(high)?);
    (low <= high).then_some(low..=high)
}
