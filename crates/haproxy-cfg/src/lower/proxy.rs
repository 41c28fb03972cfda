//! `defaults`, `frontend`, `listen` and `backend` sections.

use super::draft::{Draft, ProxyDraft, Said, SectionKind};
use super::header::DefaultsStack;
use super::statement::Statement;
use super::{LogChoice, Lowering, code};
use crate::Section;
use crate::keywords::{self, Family, Keyword, Places, Status};
use crate::model::{HttpReuse, Mode};
use diag::Diagnostic;

/// Keywords that may stand after `no` or `default`.
const NEGATABLE: &[&str] = &["option", "log"];
/// Log settings, which HAProxy says are ignored in backends in words of their own.
const FRONTEND_LOGS: &[&str] = &["log-format", "log-format-sd", "error-log-format"];
/// Keywords whose second word is an action.
const RULE_SETS: &[&str] = &["http-request", "http-response", "http-after-response", "quic-initial"];

impl Lowering<'_> {
    pub(super) fn proxy_section(
        &mut self,
        section: &Section,
        draft: &mut Draft,
        defaults: &mut DefaultsStack,
    ) {
        let Some(mut proxy) = self.proxy_header(section, draft, defaults) else { return };
        for line in &section.lines {
            self.proxy_line(&Statement::new(line), &mut proxy);
        }
        if proxy.kind == SectionKind::Defaults {
            defaults.push(proxy);
        } else {
            draft.proxies.push(proxy);
        }
    }

    fn proxy_line(&mut self, line: &Statement<'_>, proxy: &mut ProxyDraft) {
        let word = line.keyword();
        if !NEGATABLE.contains(&word) && !self.plain(line) {
            return;
        }
        let Some(keyword) = keywords::find(Family::Proxy, word) else {
            let message = format!("unknown keyword '{word}' in '{}' section", proxy.kind.word());
            return self.unknown(Family::Proxy, word, line.keyword_span(), message, "");
        };
        match keyword.status {
            Status::Served => {}
            // Its number is checked, and shown in statistics.
            Status::NoEffect if word == "fullconn" => {}
            Status::NotYet if self.unknown_action(line) => return,
            Status::NotYet => {
                let shown = shown(line);
                return self.not_lowered(keyword, &shown, line.keyword_span());
            }
            _ => return self.not_lowered(keyword, word, line.keyword_span()),
        }
        if proxy.kind == SectionKind::Backend && FRONTEND_LOGS.contains(&word) {
            let message = format!("backend '{}' : '{word}' directive is ignored in backends.", proxy.name);
            return self.warning(code::OTHER_SIDE, line.span, message);
        }
        if word == "server" && proxy.kind == SectionKind::Frontend {
            let message =
                format!("'server' not allowed because {} has no backend capability.", proxy.title());
            return self.error(code::MISPLACED, line.span, message);
        }
        let hint = match word {
            "maxconn" => " Maybe you want 'fullconn' instead ?",
            "fullconn" => " Maybe you want 'maxconn' instead ?",
            _ => "",
        };
        let shown = format!("'{word}'");
        if !self.other_side(keyword, &shown, "ignored", hint, line, proxy) {
            self.served_line(line, proxy);
        }
    }

    /// Whether `keyword` has no meaning in this section; says so.
    pub(super) fn other_side(
        &mut self,
        keyword: &Keyword,
        shown: &str,
        verb: &str,
        hint: &str,
        line: &Statement<'_>,
        proxy: &ProxyDraft,
    ) -> bool {
        if keyword.places.has(proxy.kind.place()) {
            return false;
        }
        if proxy.kind == SectionKind::Defaults {
            self.error(code::MISPLACED, line.span, format!("{shown} not allowed in 'defaults' section."));
            return true;
        }
        let side = if keyword.places.has(Places::BACKEND) { "backend" } else { "frontend" };
        let message = format!("{shown} {verb} because {} has no {side} capability.{hint}", proxy.title());
        self.warning(code::OTHER_SIDE, line.span, message);
        true
    }

    /// Whether the line's action does not even exist; says so.
    fn unknown_action(&mut self, line: &Statement<'_>) -> bool {
        let rule_set = line.keyword();
        let Some(action) = line.argument(0).filter(|_| RULE_SETS.contains(&rule_set)) else { return false };
        if keywords::find_action(rule_set, &action.text).is_some() {
            return false;
        }
        let names = keywords::all().filter(|keyword| keyword.family == Family::Action);
        let names = names.filter_map(|keyword| keyword.name.strip_prefix(rule_set)?.strip_prefix(' '));
        let mut message = format!("'{rule_set}' expects one of its actions, but got '{}'", action.text);
        match keywords::nearest(&action.text, names) {
            Some(name) => message.push_str(&format!("; did you mean '{name}' maybe ?")),
            None => message.push('.'),
        }
        self.error(code::UNKNOWN, action.span, message);
        true
    }

    fn served_line(&mut self, line: &Statement<'_>, proxy: &mut ProxyDraft) {
        let in_defaults = proxy.kind == SectionKind::Defaults;
        let settings = &mut proxy.settings;
        match line.keyword() {
            "mode" => settings.mode = self.mode(line).unwrap_or(settings.mode),
            "id" => {
                let missing = |keyword: &str| format!("'{keyword}' expects an integer argument.");
                let Some(word) = self.only(line, missing) else { return };
                match word.text.parse() {
                    Ok(id @ 1..) => proxy.id = Some(Said::new(id, line.span)),
                    _ => self.error(code::NUMBER, word.span, "custom id has to be > 0."),
                }
            }
            "description" => proxy.description = self.description(line).or(proxy.description.take()),
            "disabled" => settings.disabled |= self.at_most(line, 0, "disabled"),
            "enabled" => settings.disabled &= !self.at_most(line, 0, "enabled"),
            "bind" => self.bind(line, proxy),
            "maxconn" => settings.maxconn = self.only_number(line).or(settings.maxconn),
            "backlog" => settings.backlog = self.only_number(line).or(settings.backlog),
            "fullconn" => {
                let Some(number) = self.only_number(line) else { return };
                settings.fullconn = Some(number);
                if let Some(keyword) = keywords::find(Family::Proxy, "fullconn") {
                    self.not_lowered(keyword, "fullconn", line.keyword_span());
                }
            }
            "retries" => {
                let missing = |keyword: &str| {
                    format!("'{keyword}' expects an integer argument (dispatch counts for one).")
                };
                let Some(word) = self.only(line, missing) else { return };
                let number = self.number(word, || missing("retries"));
                settings.retries = number.or(settings.retries);
            }
            "default_backend" => {
                let missing = |keyword: &str| format!("'{keyword}' expects a backend name.");
                if let Some(word) = self.only(line, missing) {
                    settings.default_backend = Some(Said::new(word.text.clone(), word.span));
                }
            }
            "timeout" => self.timeout(line, proxy),
            "option" => self.option(line, proxy),
            "log" => self.proxy_log(line, &mut settings.loggers),
            "log-tag" => {
                let missing = |keyword: &str| format!("'{keyword}' expects a tag for use in syslog.");
                if let Some(tag) = self.only(line, missing) {
                    settings.log_tag = Some(tag.text.clone());
                }
            }
            "log-format" => {
                if let Some(format) = self.format_text(line) {
                    self.choose_log(&mut settings.log, LogChoice::Format(format.value), in_defaults, line);
                }
            }
            "error-log-format" => {
                settings.error_log_format = self.format_text(line).or(settings.error_log_format.take());
            }
            "log-format-sd" => {
                settings.log_format_sd = self.format_text(line).or(settings.log_format_sd.take());
            }
            "unique-id-format" => {
                settings.unique_id_format = self.format_text(line).or(settings.unique_id_format.take());
            }
            "unique-id-header" => self.unique_id_header(line, &mut settings.unique_id_header),
            "errorfile" => self.error_file(line, settings),
            "balance" => settings.balance = self.balance(line).or(settings.balance),
            "http-reuse" => settings.http_reuse = self.http_reuse(line).unwrap_or(settings.http_reuse),
            "http-check" => self.http_check(line, settings),
            "server" => self.server(line, proxy),
            "default-server" => self.default_server(line, settings),
            other => {
                // The table says served and nothing above serves it; a test keeps this arm from being reached.
                self.error(code::NOT_YET, line.span, format!("'{other}' is known, not served yet"));
            }
        }
    }

    fn mode(&mut self, line: &Statement<'_>) -> Option<Mode> {
        if !self.at_most(line, 1, "mode") {
            return None;
        }
        let span = line.argument_span(0);
        match line.text(0) {
            "tcp" => return Some(Mode::Tcp),
            "http" => return Some(Mode::Http),
            "health" => {
                let message = "'mode health' doesn't exist anymore. Please use 'http-request return status 200' instead.";
                self.error(code::REMOVED, span, message);
            }
            name @ ("log" | "spop" | "haterm") => {
                self.error(code::NOT_YET, span, format!("'mode {name}' is known, not served yet"));
            }
            name => self.error(code::CHOICE, span, format!("unknown proxy mode '{name}'.")),
        }
        None
    }

    /// The one log-format argument.
    fn format_text(&mut self, line: &Statement<'_>) -> Option<Said<String>> {
        let keyword = line.keyword();
        match line.arguments() {
            [word] => Some(Said::new(word.text.clone(), word.span)),
            [] => {
                self.error(code::MISSING, line.span, format!("{keyword} expects an argument."));
                None
            }
            [_, extra, ..] => {
                let message = format!("{keyword} expects only one argument, don't forget to escape spaces!");
                self.error(code::SURPLUS, extra.span, message);
                None
            }
        }
    }

    fn unique_id_header(&mut self, line: &Statement<'_>, slot: &mut Option<String>) {
        match line.arguments() {
            [] => self.error(code::MISSING, line.span, "unique-id-header expects an argument."),
            [name, rest @ ..] => {
                *slot = Some(name.text.clone());
                if let Some(extra) = rest.first() {
                    let message = format!("'unique-id-header' ignores '{}'", extra.text);
                    self.report.push(Diagnostic::warning(code::SURPLUS, message).at(extra.span));
                }
            }
        }
    }

    fn http_reuse(&mut self, line: &Statement<'_>) -> Option<HttpReuse> {
        let name = line.text(0);
        let reuse = match name {
            "never" => HttpReuse::Never,
            "safe" => HttpReuse::Safe,
            "aggressive" => HttpReuse::Aggressive,
            "always" => HttpReuse::Always,
            _ => {
                let message = "'http-reuse' only supports 'never', 'safe', 'aggressive', 'always'.";
                self.error(code::CHOICE, line.argument_span(0), message);
                return None;
            }
        };
        self.at_most(line, 1, &format!("http-reuse {name}")).then_some(reuse)
    }
}

/// How a refused line is named: with its action or kind where that says more.
fn shown(line: &Statement<'_>) -> String {
    const WITH_SECOND: &[&str] =
        &["stats", "stick", "tcp-check", "compression", "email-alert", "capture", "persist"];
    let keyword = line.keyword();
    match (keyword, line.text(0), line.text(1)) {
        ("tcp-request" | "tcp-response", first @ ("connection" | "session" | "content"), action) => {
            format!("{keyword} {first} {action}").trim_end().to_owned()
        }
        (_, first, _)
            if !first.is_empty() && (RULE_SETS.contains(&keyword) || WITH_SECOND.contains(&keyword)) =>
        {
            format!("{keyword} {first}")
        }
        _ => keyword.to_owned(),
    }
}
