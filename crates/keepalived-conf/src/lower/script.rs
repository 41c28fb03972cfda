//! Programs and their arguments.

use super::Lower;
use crate::code;
use crate::model::{Fifo, Notify, OnceScript, Script};
use crate::tree::Node;
use crate::word::{Line, Word, WordError, escaped_words};
use diag::{Diagnostic, Span};
use std::path::PathBuf;
use std::time::Duration;

impl Lower<'_> {
    /// The words of a line by the reader that knows escapes.
    pub(crate) fn escaped(&mut self, line: &Line) -> Option<Vec<Word>> {
        match line.escaped() {
            Ok(words) => Some(words),
            Err(error) => {
                self.word_error(error, &line.text, line);
                None
            }
        }
    }

    fn word_error(&mut self, error: WordError, text: &str, line: &Line) {
        match error {
            WordError::Unmatched(quote) => {
                let message = format!("String '{text}': missing terminating {quote}");
                self.say(code::UNMATCHED_QUOTE, line.span, message);
            }
            WordError::EscapeAtEnd => {
                self.say(code::ESCAPE_AT_END, line.span, format!("Missing escape char at end: '{text}'"));
            }
        }
    }

    /// The script in the first argument; it is split into words again, since it may be quoted as a whole.
    fn command(&mut self, line: &Line, word: &Word) -> Option<Vec<String>> {
        match escaped_words(&word.text) {
            Ok(words) if words.is_empty() => None,
            Ok(words) => Some(words.into_iter().map(|(text, _, _)| text).collect()),
            Err(error) => {
                self.word_error(error, &word.text, line);
                None
            }
        }
    }

    /// `KEYWORD SCRIPT [USER [GROUP]]`. `kind` names it in messages.
    pub(crate) fn script(&mut self, line: &Line, kind: &str) -> Option<Script> {
        self.word(line, 1)?;
        let words = self.escaped(line)?;
        let word = words.get(1)?;
        let command = self.command(line, word)?;
        let account = match words.get(2..) {
            Some(rest @ [_, ..]) => {
                let account = self.account(rest);
                if account.is_none() {
                    let message = format!("Invalid user/group for {kind} script {} - ignoring", word.text);
                    self.say(code::ACCOUNT, word.span, message);
                    return None;
                }
                account
            }
            _ => {
                if !self.has_default_account(word.span) {
                    return None;
                }
                None
            }
        };
        Some(Script { command, account, place: Some(word.span) })
    }

    /// Whether a script that names no user has one: with `enable_script_security` it needs `script_user` or the user
    /// `keepalived_script`. keepalived says it once.
    pub(crate) fn has_default_account(&mut self, span: Span) -> bool {
        if !self.needs_script_user || self.reader.user_exists("keepalived_script") {
            return true;
        }
        if !std::mem::replace(&mut self.said_script_user, true) {
            let message = "Unable to set default user keepalived_script for script";
            let note = "add the user keepalived_script, or name another with script_user";
            self.report.push(Diagnostic::warning(code::ACCOUNT, message).at(span).note(note));
        }
        false
    }

    /// `script` of a `vrrp_script`: without user.
    pub(crate) fn plain_script(&mut self, line: &Line) -> Option<Script> {
        self.word(line, 1)?;
        let words = self.escaped(line)?;
        let word = words.get(1)?;
        let command = match words.as_slice() {
            [_, only] => self.command(line, only)?,
            _ => words.iter().skip(1).map(|word| word.text.clone()).collect(),
        };
        Some(Script { command, account: None, place: Some(word.span) })
    }

    /// A script of an instance or group; `who` is how its messages begin. False when the keyword is another.
    pub(crate) fn notify(&mut self, node: &Node, who: &str, notify: &mut Notify) -> bool {
        let line = &node.line;
        let slot = match node.keyword.name {
            "notify_master" => &mut notify.master,
            "notify_backup" => &mut notify.backup,
            "notify_fault" => &mut notify.fault,
            "notify_stop" => &mut notify.stop,
            "notify_master_rx_lower_pri" => &mut notify.master_rx_lower_priority,
            "notify" => &mut notify.any,
            "notify_deleted" => {
                if notify.send_deleted {
                    let given = line.words.get(1).map_or("", |word| word.text.as_str());
                    let message = format!("{who} notify_deleted already specified - ignoring {given}");
                    self.say(code::REPEATED, line.span, message);
                    return true;
                }
                notify.send_deleted = true;
                if line.words.len() > 1 {
                    notify.deleted = self.script(line, "notify").map(Box::new);
                }
                return true;
            }
            _ => return false,
        };
        let given = line.words.get(1).map_or("", |word| word.text.as_str());
        if slot.is_some() && !given.is_empty() {
            let keyword = node.keyword.name;
            let message = format!("{who} {keyword} script already specified - ignoring {given}");
            self.say(code::REPEATED, line.span, message);
            return true;
        }
        *slot = self.script(line, "notify").map(Box::new);
        true
    }

    /// `startup_script` or `shutdown_script`.
    pub(crate) fn once_script(&mut self, line: &Line, kind: &str, slot: &mut Option<OnceScript>) {
        if slot.as_ref().is_some_and(|once| !once.script.command.is_empty()) {
            return self.say(code::REPEATED, line.span, format!("{kind} script already specified"));
        }
        if line.words.len() < 2 {
            return self.say(code::SCRIPT, line.span, format!("{kind} script missing"));
        }
        let timeout = slot.as_ref().map_or(Duration::from_secs(10), |once| once.timeout);
        match self.script(line, kind) {
            Some(script) => *slot = Some(OnceScript { script, timeout }),
            None => self.say(code::SCRIPT, line.span, format!("Invalid {kind} script")),
        }
    }

    /// `startup_script_timeout` or `shutdown_script_timeout`.
    pub(crate) fn once_timeout(&mut self, line: &Line, kind: &str, slot: &mut Option<OnceScript>) {
        let Some(word) = line.words.get(1) else {
            return self.say(code::TIME, line.span, format!("{kind}_script_timeout requires value"));
        };
        match self.unsigned(word, 1, 1000) {
            Some(seconds) => {
                let once = slot
                    .get_or_insert_with(|| OnceScript { script: Script::default(), timeout: Duration::ZERO });
                once.timeout = Duration::from_secs(u64::from(seconds));
            }
            None => {
                let message =
                    format!("{kind}_script_timeout '{}' must be in [1, 1000] - ignoring", word.text);
                self.say(code::TIME, word.span, message);
            }
        }
    }

    /// `notify_fifo` and its like; `prefix` is `vrrp_`, `lvs_` or nothing.
    pub(crate) fn fifo(&mut self, line: &Line, prefix: &str, slot: &mut Option<Fifo>) {
        let Some(word) = line.words.get(1) else {
            return self.say(code::SCRIPT, line.span, format!("No {prefix}notify_fifo name specified"));
        };
        if slot.as_ref().is_some_and(|fifo| fifo.path.is_some()) {
            let message = format!("{prefix}notify_fifo already specified - ignoring {}", word.text);
            return self.say(code::REPEATED, word.span, message);
        }
        let account = match line.words.get(2..) {
            Some(rest @ [_, ..]) => {
                let account = self.account(rest);
                if account.is_none() {
                    let message =
                        format!("Invalid user/group for {prefix}notify fifo {} - ignoring", word.text);
                    return self.say(code::ACCOUNT, word.span, message);
                }
                account
            }
            _ => None,
        };
        let fifo = slot.get_or_insert_with(Fifo::default);
        fifo.path = Some(PathBuf::from(&word.text));
        fifo.account = account;
        fifo.place = Some(word.span);
    }

    /// `notify_fifo_script` and its like.
    pub(crate) fn fifo_script(&mut self, line: &Line, prefix: &str, slot: &mut Option<Fifo>) {
        let Some(word) = line.words.get(1) else {
            return self.say(code::SCRIPT, line.span, format!("No {prefix}notify_fifo_script specified"));
        };
        if slot.as_ref().is_some_and(|fifo| fifo.script.is_some()) {
            let message = format!("{prefix}notify_fifo_script already specified - ignoring {}", word.text);
            return self.say(code::REPEATED, word.span, message);
        }
        if let Some(script) = self.script(line, &format!("{prefix}notify_fifo")) {
            slot.get_or_insert_with(Fifo::default).script = Some(script);
        }
    }
}
