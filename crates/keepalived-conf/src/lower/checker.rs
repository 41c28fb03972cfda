//! Checkers of real servers.

use super::number::Times;
use super::server::ServerDraft;
use super::{Draft, Lower, name_of};
use crate::code;
use crate::keywords::{Block, Shape};
use crate::model::{Checker, CheckerKind, Connection, Family, RealServer, Script, Timing, UdpCheck, Weight};
use crate::tree::Node;
use crate::word::Line;
use std::net::IpAddr;
use std::time::Duration;

/// What all checkers have, as written.
#[derive(Default)]
pub(crate) struct Common {
    pub(crate) timing: Timing,
    pub(crate) address: Option<IpAddr>,
    pub(crate) port: Option<u16>,
    pub(crate) bind_address: Option<IpAddr>,
    pub(crate) bind_port: Option<u16>,
    pub(crate) bind_interface: Option<crate::model::Name>,
    pub(crate) mark: u32,
    pub(crate) log_all_failures: bool,
}

impl Lower<'_> {
    /// A setting of [`Timing`]; `who` begins messages (`virtual server `, `real server `, or nothing for a checker).
    /// False when the keyword is another.
    pub(crate) fn timing(&mut self, line: &Line, name: &str, who: &str, timing: &mut Timing) -> bool {
        let checker = who.is_empty();
        match name {
            // keepalived does not look at what follows it in a virtual server.
            "alpha" if who == "virtual server " => {
                let off = line.words.get(1).is_some_and(|word| Self::truth(&word.text) == Some(false));
                timing.alpha = Some(!off);
                return true;
            }
            "alpha" => {
                let message = |value: &str| format!("Invalid alpha parameter {value}");
                timing.alpha = self.switch(line, message).or(timing.alpha);
                return true;
            }
            "retry" => {
                let Some(word) = self.word(line, 1) else { return true };
                match self.unsigned(word, u32::from(!checker), u32::MAX) {
                    Some(count) => timing.retry = Some(count),
                    None if checker => {
                        self.say(
                            code::NUMBER,
                            word.span,
                            format!("Invalid retry connection value '{}'", word.text),
                        );
                    }
                    None => self.say(code::NUMBER, word.span, format!("retry value invalid - {}", word.text)),
                }
                return true;
            }
            _ => {}
        }
        let (slot, least, message): (_, _, fn(&str, &str) -> String) = match name {
            "delay_loop" => (&mut timing.delay_loop, 1, |who, text| match who {
                "" => format!("delay_loop '{text}' is invalid - ignoring"),
                "virtual server " => format!("virtual server delay loop '{text}' invalid - ignoring"),
                _ => format!("{who}delay_loop '{text}' invalid - ignoring"),
            }),
            "connect_timeout" => (&mut timing.connect_timeout, 1, |who, text| {
                format!("{who}connect_timeout {text} invalid - ignoring")
            }),
            "delay_before_retry" => (&mut timing.delay_before_retry, 0, |who, text| match who {
                "" => format!("Invalid delay_before_retry connection value '{text}'"),
                "virtual server " => format!("virtual server delay before retry '{text}' invalid - ignoring"),
                _ => format!("{who}delay_before_retry '{text}' invalid - ignoring"),
            }),
            "warmup" => (&mut timing.warmup, 0, |who, text| match who {
                "" => format!("Invalid warmup connection value '{text}'"),
                _ => format!("{who}warmup '{text}' invalid - ignoring"),
            }),
            _ => return false,
        };
        let Some(word) = self.word(line, 1) else { return true };
        match self.time(word, Times { least, most: 0, lenient: true }) {
            Some(time) => *slot = Some(time),
            None => self.say(code::TIME, word.span, message(who, &word.text)),
        }
        true
    }

    pub(crate) fn checker(
        &mut self,
        node: &Node,
        server: &RealServer,
        one: &ServerDraft,
        outer: &Timing,
        draft: &mut Draft,
    ) -> Option<Checker> {
        let Shape::Keywords(block) = node.keyword.shape else { return None };
        let mut common = Common::default();
        let kind = match block {
            Block::Tcp => self.plain(node, CheckerKind::Tcp, &mut common),
            Block::Ping => self.plain(node, CheckerKind::Ping, &mut common),
            Block::Http => self.http(node, server, one, &mut common)?,
            Block::Smtp => self.smtp(node, &mut common),
            Block::Dns => self.dns(node, &mut common),
            Block::Udp => self.udp(node, &mut common),
            Block::Misc => self.misc(node, &mut common, draft)?,
            Block::FileCheck => self.file_check(node, draft)?,
            _ => return None,
        };
        let timing = common.timing.over(outer);
        let delay_loop = timing.delay_loop.unwrap_or(Duration::from_secs(60));
        let http = matches!(kind, CheckerKind::Http(_));
        let (retry, pause) = match &kind {
            CheckerKind::Dns { .. } => (3, delay_loop),
            CheckerKind::Misc { .. } => (0, Duration::from_secs(1)),
            _ if http => (1, Duration::from_secs(3)),
            _ => (1, Duration::from_secs(1)),
        };
        let connects = !matches!(kind, CheckerKind::Misc { .. } | CheckerKind::File { .. });
        let connection = connects.then(|| Connection {
            address: common.address.unwrap_or(server.address),
            port: common.port.unwrap_or(server.port),
            bind_address: common.bind_address,
            bind_port: common.bind_port,
            bind_interface: common.bind_interface.clone(),
            mark: common.mark,
            timeout: timing.connect_timeout.unwrap_or(Duration::from_secs(5)),
        });
        if let Some(connection) = &connection {
            self.link_local(node, connection);
        }
        Some(Checker {
            kind,
            connection,
            alpha: timing.alpha.unwrap_or(false),
            delay_loop,
            retry: timing.retry.unwrap_or(retry),
            delay_before_retry: timing.delay_before_retry.unwrap_or(pause),
            warmup: timing.warmup.unwrap_or(delay_loop),
            log_all_failures: common.log_all_failures || draft.config.global.checker_log_all_failures,
            place: Some(node.line.span),
        })
    }

    fn link_local(&mut self, node: &Node, connection: &Connection) {
        let is_link_local = |address: &IpAddr| match address {
            IpAddr::V4(_) => false,
            IpAddr::V6(address) => address.segments().first().is_some_and(|first| first & 0xffc0 == 0xfe80),
        };
        let addresses = [Some(connection.address), connection.bind_address];
        if connection.bind_interface.is_none()
            && let Some(address) = addresses.into_iter().flatten().find(is_link_local)
        {
            let message = format!("Checker link local address {address} requires a bind_if");
            self.say(code::CHECKER, node.end, message);
        }
    }

    fn plain(&mut self, node: &Node, kind: CheckerKind, common: &mut Common) -> CheckerKind {
        for child in &node.body {
            self.common(child, common);
        }
        kind
    }

    /// What all checkers have. False when the keyword is another.
    pub(crate) fn common(&mut self, node: &Node, common: &mut Common) -> bool {
        let line = &node.line;
        let name = node.keyword.name;
        if self.timing(line, name, "", &mut common.timing) {
            return true;
        }
        match name {
            "connect_ip" | "bindto" => {
                let Some(word) = self.word(line, 1) else { return true };
                let Ok(address) = word.text.parse::<IpAddr>() else {
                    self.say(
                        code::ADDRESS,
                        word.span,
                        format!("Invalid {name} address {} - ignoring", word.text),
                    );
                    return true;
                };
                let (slot, other, other_name) = if name == "bindto" {
                    (&mut common.bind_address, common.address, "connect_ip")
                } else {
                    (&mut common.address, common.bind_address, "bindto")
                };
                if other.is_some_and(|other| Family::of(other) != Family::of(address)) {
                    let text = &word.text;
                    let message = format!(
                        "{name} address {text} does not match address family of {other_name} - skipping"
                    );
                    self.say(code::ADDRESS, word.span, message);
                    return true;
                }
                *slot = Some(address);
            }
            "connect_port" | "bind_port" => {
                let Some(word) = self.word(line, 1) else { return true };
                let Some(port) = self.unsigned(word, 1, 65535).and_then(|port| u16::try_from(port).ok())
                else {
                    self.say(code::NUMBER, word.span, format!("Invalid checker {name} '{}'", word.text));
                    return true;
                };
                let slot = if name == "bind_port" { &mut common.bind_port } else { &mut common.port };
                *slot = Some(port);
            }
            "bind_if" => {
                let Some(word) = self.word(line, 1) else { return true };
                if word.text.len() > 15 {
                    let message = format!("Interface name {} is too long - ignoring", word.text);
                    self.say(code::NAME_LENGTH, word.span, message);
                } else {
                    common.bind_interface = Some(name_of(word));
                }
            }
            "fwmark" => {
                let Some(word) = self.word(line, 1) else { return true };
                match self.unsigned(word, 0, u32::MAX) {
                    Some(mark) => common.mark = mark,
                    None => {
                        let message = format!("Invalid fwmark connection value '{}'", word.text);
                        self.say(code::NUMBER, word.span, message);
                    }
                }
            }
            "log_all_failures" => {
                let message = |value: &str| format!("Invalid log_all_failures parameter {value}");
                common.log_all_failures = self.switch(line, message).unwrap_or(common.log_all_failures);
            }
            _ => return false,
        }
        true
    }

    fn smtp(&mut self, node: &Node, common: &mut Common) -> CheckerKind {
        let mut helo_name = None;
        for child in &node.body {
            if self.common(child, common) {
                continue;
            }
            if child.keyword.name == "host" {
                for inner in &child.body {
                    self.common(inner, common);
                }
            } else {
                helo_name = self.value_or(&child.line, "SMTP_CHECK helo name missing").or(helo_name);
            }
        }
        CheckerKind::Smtp { helo_name }
    }

    fn dns(&mut self, node: &Node, common: &mut Common) -> CheckerKind {
        const TYPES: [(&str, u16); 9] = [
            ("A", 1),
            ("NS", 2),
            ("CNAME", 5),
            ("SOA", 6),
            ("MX", 15),
            ("TXT", 16),
            ("AAAA", 28),
            ("RRSIG", 46),
            ("DNSKEY", 48),
        ];
        let (mut query, mut name) = (6, None);
        for child in &node.body {
            if self.common(child, common) {
                continue;
            }
            let Some(word) = self.word(&child.line, 1) else { continue };
            let text = word.text.as_str();
            if child.keyword.name == "type" {
                match TYPES.iter().find(|(name, _)| *name == text) {
                    Some((_, number)) => query = *number,
                    None => {
                        self.say(code::CHOICE, word.span, format!("Unknown DNS check type {text} - ignoring"))
                    }
                }
            } else if name.is_some() {
                self.say(code::REPEATED, word.span, "DNS_CHECK name already specified - ignoring");
            } else if text != "." && text.trim_end_matches('.').split('.').any(str::is_empty) {
                let message = format!("DNS_CHECK name '{text}' has empty label - ignoring");
                self.say(code::CHECKER, word.span, message);
            } else {
                name = Some(text.to_owned());
            }
        }
        CheckerKind::Dns { query, name: name.unwrap_or_else(|| ".".to_owned()) }
    }

    fn udp(&mut self, node: &Node, common: &mut Common) -> CheckerKind {
        let mut check = UdpCheck {
            payload: None,
            require_reply: false,
            reply: Vec::new(),
            min_length: 0,
            max_length: 255,
        };
        for child in &node.body {
            if self.common(child, common) {
                continue;
            }
            let line = &child.line;
            match child.keyword.name {
                "payload" => match hex(line, false) {
                    Some(bytes) if !bytes.is_empty() => {
                        check.payload = Some(bytes.into_iter().map(|(byte, _)| byte).collect());
                    }
                    _ => self.say(code::CHECKER, line.span, "Invalid hex string for UDP_CHECK payload"),
                },
                "require_reply" => {
                    check.require_reply = true;
                    match hex(line, true) {
                        Some(bytes) => check.reply = bytes,
                        None => self.say(
                            code::CHECKER,
                            line.span,
                            "Invalid hex string for UDP_CHECK require_reply",
                        ),
                    }
                }
                name => {
                    let Some(word) = self.word(line, 1) else { continue };
                    let min = name == "min_reply_length";
                    let length = self.unsigned(word, 0, 65535).and_then(|length| u16::try_from(length).ok());
                    let slot = if min { &mut check.min_length } else { &mut check.max_length };
                    match length {
                        Some(length) => *slot = length,
                        None => {
                            let which = if min { "min" } else { "max" };
                            let text = &word.text;
                            let message = format!(
                                "UDP_CHECK {which} length {text} not valid - must be between 0 & 65535"
                            );
                            self.say(code::NUMBER, word.span, message);
                        }
                    }
                }
            }
        }
        if check.min_length > check.max_length {
            let message = format!(
                "UDP_CHECK min_reply length {} > max_reply_length {} - will always fail",
                check.min_length, check.max_length
            );
            self.say(code::CHECKER, node.end, message);
        }
        CheckerKind::Udp(check)
    }

    fn misc(&mut self, node: &Node, common: &mut Common, draft: &mut Draft) -> Option<CheckerKind> {
        let (mut script, mut timeout, mut dynamic) = (None::<Script>, Duration::ZERO, false);
        let (mut account, mut usable) = (None, true);
        for child in &node.body {
            if self.common(child, common) {
                continue;
            }
            let line = &child.line;
            match child.keyword.name {
                "misc_path" => script = self.plain_script(line).or(script),
                "misc_timeout" => {
                    let Some(word) = self.word(line, 1) else { continue };
                    match self.unsigned(word, 1, u32::MAX / 1_000_000) {
                        Some(seconds) => timeout = Duration::from_secs(u64::from(seconds)),
                        None => {
                            let message = format!("Invalid misc_timeout value '{}'", word.text);
                            self.say(code::TIME, word.span, message);
                        }
                    }
                }
                "misc_dynamic" => dynamic = true,
                _ => {
                    if line.words.len() < 2 {
                        let message = "No user specified for misc checker script";
                        self.say(code::MISSING_PARAMETER, line.span, message);
                        continue;
                    }
                    let before = self.report.len();
                    account = self.account(line.arguments());
                    if self.report.len() > before {
                        let command =
                            script.as_ref().map_or_else(String::new, |script| quoted(&script.command));
                        let message =
                            format!("Failed to set uid/gid for misc checker script {command} - removing");
                        self.say(code::ACCOUNT, line.span, message);
                        usable = false;
                    }
                }
            }
        }
        let Some(mut script) = script else {
            let message = "No script path has been specified for MISC_CHECKER - skipping";
            self.say(code::SCRIPT, node.end, message);
            return None;
        };
        script.account = account;
        if script.account.is_none() && usable && !self.has_default_account(node.end) {
            let command = quoted(&script.command);
            let message = format!("Unable to set default user for misc script {command} - removing");
            self.say(code::ACCOUNT, node.end, message);
            return None;
        }
        draft.runs_scripts[1] |= usable;
        usable.then_some(CheckerKind::Misc { script, timeout, dynamic })
    }

    fn file_check(&mut self, node: &Node, draft: &Draft) -> Option<CheckerKind> {
        let (mut file, mut weight, mut dynamic) = (None, None, false);
        for child in &node.body {
            let line = &child.line;
            match child.keyword.name {
                "track_file" => {
                    let Some(word) = self.word(line, 1) else { continue };
                    match draft.config.files.iter().find(|one| one.name.text == word.text) {
                        Some(found) => file = Some((name_of(word), found.weight)),
                        None => {
                            self.say(
                                code::UNDEFINED,
                                word.span,
                                format!("track_file {} not found", word.text),
                            );
                        }
                    }
                }
                "weight" => {
                    let Some(word) = self.word(line, 1) else { continue };
                    let (least, most) = (-2_147_483_647, 2_147_483_647);
                    match self.integer(word, least, most).and_then(|value| i32::try_from(value).ok()) {
                        Some(value) => {
                            let reverse = line.words.get(2).is_some_and(|word| word.text == "reverse");
                            weight = Some(Weight { value, reverse });
                        }
                        None => {
                            let message = format!(
                                "weight for track file must be in [{least}..{most}] inclusive. Ignoring..."
                            );
                            self.say(code::NUMBER, word.span, message);
                        }
                    }
                }
                _ => dynamic = true,
            }
        }
        let Some((name, default)) = file else {
            self.say(code::CHECKER, node.end, "FILE_CHECK has no track_file specified - ignoring");
            return None;
        };
        Some(CheckerKind::File { file: name, weight: weight.unwrap_or(default), dynamic })
    }
}

/// A command as keepalived shows it.
fn quoted(command: &[String]) -> String {
    let words: Vec<String> = command.iter().map(|word| format!("'{word}'")).collect();
    words.join(" ")
}

/// Bytes in a free form of hexadecimal, each with the mask of the bits that count: `X` stands for any digit.
fn hex(line: &Line, wildcard: bool) -> Option<Vec<(u8, u8)>> {
    let mut bytes = Vec::new();
    for word in line.arguments() {
        let digits: Vec<char> = word.text.chars().collect();
        for pair in digits.chunks(2) {
            let (mut byte, mut mask) = (0, 0);
            for digit in pair {
                let (value, bits) = match digit {
                    'x' | 'X' if wildcard => (0, 0),
                    digit => (u8::try_from(digit.to_digit(16)?).ok()?, 0xf),
                };
                byte = byte << 4 | value;
                mask = mask << 4 | bits;
            }
            if pair.len() == 1 {
                mask |= 0xf0;
            }
            bytes.push((byte, mask));
        }
    }
    Some(bytes)
}
