//! `option httpchk` and `http-check`.

use super::draft::{HttpCheck, HttpSend, Said, Settings};
use super::statement::Statement;
use super::{Lowering, code};
use crate::Word;
use diag::Diagnostic;

const NOT_YET: &[&str] =
    &["expect", "connect", "comment", "disable-on-404", "send-state", "set-var", "set-var-fmt", "unset-var"];

impl Lowering<'_> {
    pub(super) fn httpchk(&mut self, line: &Statement<'_>, settings: &mut Settings) {
        if !self.at_most(line, 5, "option httpchk") {
            return;
        }
        let words: Vec<String> = line.arguments().iter().skip(1).map(|word| word.text.clone()).collect();
        let mut check = HttpCheck::default();
        match &words[..] {
            [] => {}
            [uri] => check.uri = Some(uri.clone()),
            [method, rest @ ..] => {
                check.method = Some(method.clone());
                let mut rest = rest.iter().cloned();
                (check.uri, check.version, check.host) = (rest.next(), rest.next(), rest.next());
            }
        }
        if check.version.as_ref().is_some_and(|version| version.contains(['\r', '\n'])) {
            let message = "'option httpchk' : hiding headers or body at the end of the version string is deprecated. \
                           Please, consider to use 'http-check send' directive instead.";
            self.warning(code::OLD_NAME, line.span, message);
        }
        settings.httpchk = Some(check);
    }

    pub(super) fn http_check(&mut self, line: &Statement<'_>, settings: &mut Settings) {
        let kind = line.text(0);
        let stem = kind.split('(').next().unwrap_or(kind);
        match stem {
            "send" => {
                if let Some(send) = self.http_send(line) {
                    if let Some(before) = &settings.http_check_send {
                        let message = "'http-check send' : unable to add http-check send rule at step 2 (missing \
                                       connect rule).";
                        let error = Diagnostic::error(code::NOT_YET, message).at(line.span);
                        self.report.push(
                            error
                                .related(before.span, "the first send")
                                .note("checks of several steps (`http-check connect`) are not served yet"),
                        );
                    }
                    settings.http_check_send = Some(Said::new(send, line.span));
                }
            }
            _ if NOT_YET.contains(&stem) => {
                let message = format!("'http-check {stem}' is known, not served yet");
                self.error(code::NOT_YET, line.argument_span(0), message);
            }
            _ => {
                let message = format!(
                    "'http-check' only supports 'disable-on-404', 'send-state', 'comment', 'connect', 'send', 'expect', 'set-var-fmt(*)', 'set-var(*)', 'unset-var(*)'. but got '{kind}'"
                );
                self.error(code::CHOICE, line.argument_span(0), message);
            }
        }
    }

    fn http_send(&mut self, line: &Statement<'_>) -> Option<HttpSend> {
        let mut send = HttpSend::default();
        let mut words = line.arguments().iter().skip(1);
        while let Some(word) = words.next() {
            let slot = match word.text.as_str() {
                "meth" => &mut send.method,
                "uri" => &mut send.uri,
                "ver" => &mut send.version,
                "hdr" => {
                    let (Some(name), Some(value)) = (words.next(), words.next()) else {
                        let message = "'http-check send' : 'hdr' expects <name> and <value> as arguments.";
                        self.error(code::MISSING, word.span, message);
                        return None;
                    };
                    if !self.constant_format(value) {
                        return None;
                    }
                    send.headers.push((name.text.clone(), value.text.replace("%%", "%")));
                    continue;
                }
                "body" => {
                    send.body = self.send_value(word, words.next())?.bytes().to_vec();
                    continue;
                }
                "uri-lf" | "body-lf" | "comment" => {
                    let message = format!("'http-check send {}' is known, not served yet", word.text);
                    self.error(code::NOT_YET, word.span, message);
                    return None;
                }
                other => {
                    let message = format!(
                        "'http-check send' : expects 'comment', 'meth', 'uri', 'uri-lf', 'ver', 'hdr', 'body' or 'body-lf' but got '{other}' as argument."
                    );
                    self.error(code::CHOICE, word.span, message);
                    return None;
                }
            };
            *slot = Some(self.send_value(word, words.next())?.text.clone());
        }
        Some(send)
    }

    fn send_value<'a>(&mut self, parameter: &Word, value: Option<&'a Word>) -> Option<&'a Word> {
        if value.is_none() {
            let message = format!("'http-check send' : '{}' expects a string as argument.", parameter.text);
            self.error(code::MISSING, parameter.span, message);
        }
        value
    }

    /// Header values are log formats; only those that say the same every time are served.
    fn constant_format(&mut self, value: &Word) -> bool {
        let constant = !value.text.replace("%%", "").contains('%');
        if !constant {
            let message = "a log format in 'http-check send hdr' is known, not served yet";
            self.error(code::NOT_YET, value.span, message);
        }
        constant
    }
}
