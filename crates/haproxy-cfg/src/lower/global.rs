//! The `global` section.

use super::statement::Statement;
use super::{Lowering, code};
use crate::Section;
use crate::keywords::{self, Family, Status};
use crate::model::Global;
use crate::units::{Unit, parse_time};
use diag::{Diagnostic, Span};
use std::path::PathBuf;

/// Keywords that may stand after `no` in `global`.
const NEGATABLE: &[&str] =
    &["busy-polling", "set-dumpable", "strict-limits", "insecure-fork-wanted", "numa-cpu-mapping", "log"];

const NODE: &str = "'node' requires valid node name - non-empty string with digits(0-9), letters(A-Z, a-z), \
                    dot(.), hyphen(-) or underscode(_).";

impl Lowering<'_> {
    pub(crate) fn global(&mut self, section: &Section, global: &mut Global) {
        if let Some(extra) = section.header.arguments().first() {
            let message = format!("'global' cannot handle unexpected argument '{}'.", extra.text);
            self.error(code::SURPLUS, extra.span, message);
        }
        for line in &section.lines {
            let statement = Statement::new(line);
            let word = statement.keyword();
            if !NEGATABLE.contains(&word) && !self.plain(&statement) {
                continue;
            }
            let Some(keyword) = keywords::find(Family::Global, word) else {
                let message = format!("unknown keyword '{word}' in 'global' section");
                self.unknown(Family::Global, word, statement.keyword_span(), message, "");
                continue;
            };
            if keyword.status == Status::Served {
                self.global_line(&statement, global);
            } else {
                self.not_lowered(keyword, word, statement.keyword_span());
            }
        }
    }

    fn global_line(&mut self, line: &Statement<'_>, global: &mut Global) {
        match line.keyword() {
            "daemon" => global.daemon |= self.at_most(line, 0, "daemon"),
            "quiet" => global.quiet |= self.at_most(line, 0, "quiet"),
            "zero-warning" => global.zero_warning |= self.at_most(line, 0, "zero-warning"),
            "nosplice" => global.nosplice |= self.at_most(line, 0, "nosplice"),
            "noreuseport" => global.noreuseport |= self.at_most(line, 0, "noreuseport"),
            "master-worker" => self.master_worker(line, global),
            "user" | "group" | "uid" | "gid" => self.account(line, global),
            "chroot" => {
                let missing = |keyword: &str| format!("'{keyword}' expects a directory as an argument.");
                let path = self.only(line, missing).map(|word| PathBuf::from(&word.text));
                self.once(line, &mut global.chroot, path);
            }
            "pidfile" => {
                let missing = |keyword: &str| format!("'{keyword}' expects a file name as an argument.");
                let path = self.only(line, missing).map(|word| PathBuf::from(&word.text));
                self.once(line, &mut global.pidfile, path);
            }
            "maxconn" => {
                let value = self.only_number(line);
                self.once(line, &mut global.maxconn, value);
                global.maxconn = global.maxconn.filter(|&most| most > 0);
            }
            "ulimit-n" => {
                let value = self.only_number(line);
                self.once(line, &mut global.ulimit_n, value);
            }
            "nbthread" => self.nbthread(line, global),
            "node" => self.node(line, global),
            "description" => global.description = self.description(line).or(global.description.take()),
            "log-tag" => {
                let missing = |keyword: &str| format!("'{keyword}' expects a tag for use in syslog.");
                if let Some(tag) = self.only(line, missing) {
                    global.log_tag = Some(tag.text.clone());
                }
            }
            "log-send-hostname" => {
                if self.at_most(line, 1, "log-send-hostname") {
                    global.log_send_hostname = Some(line.argument(0).map(|name| name.text.clone()));
                }
            }
            "log" => self.global_log(line, global),
            "stats" => self.stats(line, global),
            "hard-stop-after" => self.hard_stop_after(line, global),
            "spread-checks" => self.spread_checks(line, global),
            // Carried out and checked by the reader of lines, since the lines after it see what it did.
            "setenv" | "presetenv" | "unsetenv" | "resetenv" => {}
            _ => self.tune(line, &mut global.tune),
        }
    }

    /// Keeps the first value, as HAProxy does, and says so.
    pub(super) fn once<T>(&mut self, line: &Statement<'_>, slot: &mut Option<T>, value: Option<T>) {
        let Some(value) = value else { return };
        if slot.is_some() {
            let message = format!("'{}' already specified. Continuing.", line.keyword());
            self.repeated(line.span, message);
        } else {
            *slot = Some(value);
        }
    }

    fn repeated(&mut self, span: Span, message: String) {
        let note = "the first one is used";
        self.report.push(Diagnostic::warning(code::REPEATED, message).at(span).note(note));
    }

    fn master_worker(&mut self, line: &Statement<'_>, global: &mut Global) {
        if !self.at_most(line, 1, "master-worker") {
            return;
        }
        match line.argument(0) {
            None => global.master_worker = true,
            Some(word) if word.text == "no-exit-on-failure" => {
                let message = "'master-worker no-exit-on-failure' is known, not served yet";
                self.error(code::NOT_YET, word.span, message);
            }
            Some(word) => {
                let message = "'master-worker' only supports 'no-exit-on-failure' option.";
                self.error(code::CHOICE, word.span, message);
            }
        }
    }

    fn account(&mut self, line: &Statement<'_>, global: &mut Global) {
        let keyword = line.keyword();
        let (pair, taken) = match keyword {
            "user" | "uid" => ("user/uid", global.user.is_some() || global.uid.is_some()),
            _ => ("gid/group", global.group.is_some() || global.gid.is_some()),
        };
        if !self.at_most(line, 1, keyword) {
            return;
        }
        if taken {
            return self.repeated(line.span, format!("{pair} already specified. Continuing."));
        }
        match keyword {
            "uid" => global.uid = self.id_number(line, "user"),
            "gid" => global.gid = self.id_number(line, "group"),
            kind => {
                let name = line.text(0);
                let find = if kind == "user" { self.machine.user } else { self.machine.group };
                if name.is_empty() || find(name).is_none() {
                    let message = format!("cannot find {kind} id for '{name}' (0:Success)");
                    return self.error(code::ACCOUNT, line.argument_span(0), message);
                }
                let said = Some((name.to_owned(), self.place(line.argument_span(0))));
                if kind == "user" { global.user = said } else { global.group = said }
            }
        }
    }

    fn id_number(&mut self, line: &Statement<'_>, name_keyword: &str) -> Option<u32> {
        let keyword = line.keyword();
        let missing = |keyword: &str| format!("'{keyword}' expects an integer argument.");
        let word = self.only(line, missing)?;
        let value = word.text.parse().ok();
        if value.is_none() {
            let message = format!("{keyword}: string '{}' is not a number.", word.text);
            let note = format!(
                "You might want to use the '{name_keyword}' parameter to use a system {name_keyword} name."
            );
            self.report.push(Diagnostic::error(code::NUMBER, message).at(word.span).note(note));
        }
        value
    }

    fn nbthread(&mut self, line: &Statement<'_>, global: &mut Global) {
        if !self.at_most(line, 1, "nbthread") {
            return;
        }
        let text = line.text(0);
        let span = line.argument_span(0);
        match text.parse::<i64>() {
            Ok(count @ 1..=1024) => global.nbthread = u32::try_from(count).ok(),
            Ok(_) => {
                let message = format!("'nbthread' value must be between 1 and 1024 (was {text})");
                self.error(code::NUMBER, span, message);
            }
            Err(_) => {
                let message = format!("'nbthread' passed a missing or unparsable integer value in '{text}'");
                self.error(code::NUMBER, span, message);
            }
        }
    }

    fn node(&mut self, line: &Statement<'_>, global: &mut Global) {
        if !self.at_most(line, 1, "node") {
            return;
        }
        let name = line.text(0);
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        if name.is_empty() || !name.bytes().all(allowed) {
            return self.error(code::CHOICE, line.argument_span(0), NODE);
        }
        global.node = Some(name.to_owned());
    }

    /// `description`, here and in proxies.
    pub(super) fn description(&mut self, line: &Statement<'_>) -> Option<String> {
        if line.arguments().is_empty() {
            self.error(code::MISSING, line.span, "'description' expects a string argument.");
            return None;
        }
        Some(line.joined())
    }

    fn hard_stop_after(&mut self, line: &Statement<'_>, global: &mut Global) {
        let missing = |keyword: &str| format!("'{keyword}' expects <time> as argument.");
        let Some(word) = self.only(line, missing) else { return };
        match parse_time(&word.text, Unit::Millisecond) {
            Ok(time) => global.hard_stop_after = Some(time),
            Err(error) => self.bad_time(error, word, "hard-stop-after"),
        }
    }

    fn spread_checks(&mut self, line: &Statement<'_>, global: &mut Global) {
        let missing = |keyword: &str| format!("'{keyword}' expects an integer argument (0..50).");
        let Some(word) = self.only(line, missing) else { return };
        match word.text.parse::<u32>() {
            Ok(percent @ 0..=50) => global.spread_checks = percent,
            _ => {
                let message = "'spread-checks' needs a positive value in range 0..50.";
                self.error(code::NUMBER, word.span, message);
            }
        }
    }
}
