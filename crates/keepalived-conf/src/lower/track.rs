//! Scripts, processes and files that are tracked, and who tracks them.

use super::number::Times;
use super::{Draft, Lower, name_of};
use crate::code;
use crate::model::{
    InitFile, Name, ParameterMatch, Script, TrackFile, TrackProcess, TrackScript, Tracked, Tracking, Weight,
};
use crate::tree::Node;
use crate::word::{Line, Word};
use std::path::PathBuf;
use std::time::Duration;

/// What is tracked: how messages name it, and the range of its weights.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Interface,
    Script,
    File,
    Process,
}

impl Lower<'_> {
    pub(crate) fn track_script(&mut self, node: &Node, draft: &mut Draft) {
        let Some(name) = self.name(&node.line) else { return };
        let label = name.text.clone();
        let mut script = TrackScript {
            name,
            script: Script::default(),
            interval: Duration::from_secs(1),
            timeout: Duration::ZERO,
            weight: Weight::default(),
            rise: 1,
            fall: 1,
            init_fail: false,
        };
        let mut usable = true;
        for child in &node.body {
            let line = &child.line;
            match child.keyword.name {
                "script" => {
                    if let Some(found) = self.plain_script(line) {
                        let account = script.script.account.take();
                        script.script = Script { account, ..found };
                    }
                }
                "interval" | "timeout" => self.script_time(child, &label, &mut script),
                "weight" => {
                    let Some(word) = self.word(line, 1) else { continue };
                    match self.integer(word, -253, 253).and_then(|value| i32::try_from(value).ok()) {
                        None => {
                            let message =
                                format!("vrrp_script {label} weight {} must be in [-253, 253]", word.text);
                            self.say(code::NUMBER, word.span, message);
                        }
                        Some(value) => {
                            let reverse = self.reverse(line, 2, |option| {
                                format!("vrrp_script {label} unknown weight option {option}")
                            });
                            script.weight = Weight { value, reverse };
                        }
                    }
                }
                name @ ("rise" | "fall") => {
                    let Some(word) = self.word(line, 1) else { continue };
                    let count = self.unsigned(word, 1, 2_147_483_647);
                    if count.is_none() {
                        let message = format!(
                            "({label}): vrrp script {name} value '{}' invalid, defaulting to 1",
                            word.text
                        );
                        self.say(code::NUMBER, word.span, message);
                    }
                    let slot = if name == "rise" { &mut script.rise } else { &mut script.fall };
                    *slot = count.unwrap_or(1);
                }
                "user" => {
                    if self.word(line, 1).is_none() {
                        continue;
                    }
                    let before = self.report.len();
                    script.script.account = self.account(line.arguments());
                    if self.report.len() > before {
                        let command = script.script.command.first();
                        let command = command.map_or_else(String::new, |command| format!("'{command}'"));
                        self.say(
                            code::ACCOUNT,
                            line.span,
                            format!("Unable to set uid/gid for script {command}"),
                        );
                        usable = false;
                    }
                }
                _ => script.init_fail = true,
            }
        }
        if script.script.command.is_empty() {
            return self.say(
                code::SCRIPT,
                node.end,
                format!("No script set for vrrp_script {label} - removing"),
            );
        }
        if script.script.account.is_none() && usable && !self.has_default_account(node.end) {
            let message = format!("Unable to set default user for vrrp script {label} - removing");
            return self.say(code::ACCOUNT, node.end, message);
        }
        if usable {
            draft.config.scripts.push(script);
        }
    }

    fn script_time(&mut self, node: &Node, label: &str, script: &mut TrackScript) {
        let Some(word) = self.word(&node.line, 1) else { return };
        let name = node.keyword.name;
        let (message, time) = match self.unsigned(word, 0, u32::MAX / 1_000_000) {
            Some(0) => {
                (Some(format!("({label}): vrrp script {name} must be greater than 0, setting to 1")), Some(1))
            }
            Some(seconds) => (None, Some(seconds)),
            None if name == "interval" => {
                let text = &word.text;
                let message =
                    format!("({label}): vrrp script interval '{text}' must be between 1 and 4294 - ignoring");
                (Some(message), None)
            }
            None => {
                (Some(format!("({label}): vrrp script timeout '{}' invalid - ignoring", word.text)), None)
            }
        };
        if let Some(message) = message {
            self.say(code::TIME, word.span, message);
        }
        let Some(seconds) = time else { return };
        let time = Duration::from_secs(u64::from(seconds));
        if name == "interval" { script.interval = time } else { script.timeout = time }
    }

    /// `reverse` or `noreverse` at `index`.
    fn reverse(&mut self, line: &Line, index: usize, message: impl FnOnce(&str) -> String) -> bool {
        match line.words.get(index) {
            None => false,
            Some(word) if word.text == "reverse" => true,
            Some(word) if word.text == "noreverse" || word.text == "no_reverse" => false,
            Some(word) => {
                self.say(code::CHOICE, word.span, message(&word.text));
                false
            }
        }
    }

    pub(crate) fn track_process(&mut self, node: &Node, draft: &mut Draft) {
        let Some(name) = self.name(&node.line) else { return };
        let label = name.text.clone();
        let mut process = TrackProcess {
            name,
            process: String::new(),
            parameters: Vec::new(),
            parameter_match: ParameterMatch::Exact,
            full_command: false,
            weight: Weight { value: 1, reverse: false },
            quorum: 1,
            quorum_max: None,
            fork_delay: Duration::ZERO,
            terminate_delay: Duration::ZERO,
        };
        let mut weighted = false;
        for child in &node.body {
            let line = &child.line;
            match child.keyword.name {
                "process" => self.process_name_of(line, &label, &mut process),
                "param_match" => {
                    process.parameter_match = match line.words.get(1).map(|word| word.text.as_str()) {
                        None => ParameterMatch::None,
                        Some("initial") => ParameterMatch::Initial,
                        Some("partial") => ParameterMatch::Partial,
                        Some(other) => {
                            let message = format!("Invalid param_match type {other} - ignoring");
                            self.say(code::CHOICE, line.span, message);
                            process.parameter_match
                        }
                    };
                }
                "weight" => {
                    let weight = self.block_weight(line, "process", "vrrp_track_process", &label, weighted);
                    weighted |= weight.is_some();
                    process.weight = weight.unwrap_or(process.weight);
                }
                name @ ("quorum" | "quorum_max") => {
                    let Some(word) = self.word(line, 1) else { continue };
                    let max = name == "quorum_max";
                    match self.unsigned(word, u32::from(!max), 65535) {
                        Some(count) if max => process.quorum_max = Some(count),
                        Some(count) => process.quorum = count,
                        None => {
                            let what = if max { "quorum_max" } else { "Quorum" };
                            let message = format!(
                                "{what} ({}) for vrrp_track_process {label} must be between [{}..65535] inclusive. Ignoring...",
                                word.text,
                                u8::from(!max)
                            );
                            self.say(code::NUMBER, word.span, message);
                        }
                    }
                }
                name @ ("delay" | "fork_delay" | "terminate_delay") => {
                    let Some(word) = self.word(line, 1) else { continue };
                    let Some(time) = self.time(word, Times { least: 1, most: 3_600_000_000, lenient: true })
                    else {
                        let message = format!(
                            "{name} ({}) for vrrp_track_process {label} must be between [0.000001..3600] inclusive. Ignoring...",
                            word.text
                        );
                        self.say(code::TIME, word.span, message);
                        continue;
                    };
                    if name != "terminate_delay" {
                        process.fork_delay = time;
                    }
                    if name != "fork_delay" {
                        process.terminate_delay = time;
                    }
                }
                _ => process.full_command = true,
            }
        }
        if process.process.is_empty() {
            let message = format!("track process '{label}' process name not specified");
            return self.say(code::MISSING_PARAMETER, node.end, message);
        }
        draft.config.processes.push(process);
    }

    fn process_name_of(&mut self, line: &Line, label: &str, process: &mut TrackProcess) {
        if self.word(line, 1).is_none() {
            return;
        }
        let Some(words) = self.escaped(line) else { return };
        let Some(first) = words.get(1) else { return };
        if !process.process.is_empty() {
            let message = format!("Process already set for track process {label} - ignoring {}", first.text);
            return self.say(code::REPEATED, first.span, message);
        }
        process.process.clone_from(&first.text);
        process.parameters = words.iter().skip(2).map(|word| word.text.clone()).collect();
    }

    /// `weight` in a block of something that is tracked.
    fn block_weight(
        &mut self,
        line: &Line,
        short: &str,
        long: &str,
        label: &str,
        taken: bool,
    ) -> Option<Weight> {
        let Some(word) = line.words.get(1) else {
            let message = format!("No weight specified for track {short} {label} - ignoring");
            self.say(code::MISSING_PARAMETER, line.span, message);
            return None;
        };
        if taken {
            let message = format!("Weight already set for track {short} {label} - ignoring {}", word.text);
            self.say(code::REPEATED, word.span, message);
            return None;
        }
        let Some(value) = self.integer(word, -254, 254).and_then(|value| i32::try_from(value).ok()) else {
            let message = format!(
                "Weight ({}) for {long} {label} must be between [-254..254] inclusive. Ignoring...",
                word.text
            );
            self.say(code::NUMBER, word.span, message);
            return None;
        };
        let reverse =
            self.reverse(line, 2, |option| format!("{long} {label} unknown weight option {option}"));
        Some(Weight { value, reverse })
    }

    pub(crate) fn track_file(&mut self, node: &Node, draft: &mut Draft) {
        if node.keyword.name == "vrrp_track_file" {
            self.mention(
                code::DEPRECATED,
                node.line.span,
                "\"vrrp_track_file\" is deprecated, please use \"track_file\"",
            );
        }
        let Some(name) = self.name(&node.line) else { return };
        let label = name.text.clone();
        let mut file =
            TrackFile { name, weight: Weight { value: 1, reverse: false }, ..TrackFile::default() };
        let mut weighted = false;
        for child in &node.body {
            let line = &child.line;
            match child.keyword.name {
                "file" => {
                    let Some(word) = line.words.get(1) else {
                        self.say(code::MISSING_PARAMETER, line.span, "track file file name missing");
                        continue;
                    };
                    if file.path.as_os_str().is_empty() {
                        file.path = PathBuf::from(&word.text);
                    } else {
                        let message =
                            format!("File already set for track file {label} - ignoring {}", word.text);
                        self.say(code::REPEATED, word.span, message);
                    }
                }
                "weight" => {
                    let weight = self.block_weight(line, "file", "track_file", &label, weighted);
                    weighted |= weight.is_some();
                    file.weight = weight.unwrap_or(file.weight);
                }
                _ => file.init = Some(self.init_file(line, &label)),
            }
        }
        if file.path.as_os_str().is_empty() {
            return self.say(code::FILE, node.end, format!("No file set for track_file {label} - ignoring"));
        }
        draft.config.files.push(file);
    }

    fn init_file(&mut self, line: &Line, label: &str) -> InitFile {
        let mut init = InitFile { value: 0, overwrite: false };
        for word in line.arguments() {
            if word.text == "overwrite" {
                init.overwrite = true;
            } else if word.text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
                match self.integer(word, i64::from(i32::MIN), i64::from(i32::MAX)) {
                    Some(value) => init.value = i32::try_from(value).unwrap_or(0),
                    None => {
                        let message = format!("Track file {label} init value {} is invalid", word.text);
                        self.say(code::NUMBER, word.span, message);
                    }
                }
                if !(-254..=254).contains(&init.value) {
                    let value = init.value;
                    let message = format!(
                        "Track file {label} init value {value} is outside sensible range [-254, 254]"
                    );
                    self.say(code::NUMBER, word.span, message);
                }
            } else {
                self.say(code::CHOICE, word.span, format!("Unknown track file init option {}", word.text));
            }
        }
        init
    }

    /// `track_interface` and its like of an instance or group named `label`; `own` is the instance's interface.
    pub(crate) fn tracking(
        &mut self,
        node: &Node,
        label: &str,
        own: Option<&Name>,
        track: &mut Tracking,
        draft: &Draft,
    ) {
        let kind = match node.keyword.name {
            "track_interface" => Kind::Interface,
            "track_script" => Kind::Script,
            "track_file" => Kind::File,
            "track_process" => Kind::Process,
            _ => return,
        };
        let _ = own;
        for line in &node.values {
            let Some(word) = line.words.first() else { continue };
            let name = &word.text;
            let config = &draft.config;
            let default = match kind {
                Kind::Interface => self.interfaces.find(name).map(|_| Weight::default()),
                Kind::Script => {
                    config.scripts.iter().find(|one| one.name.text == *name).map(|one| one.weight)
                }
                Kind::File => config.files.iter().find(|one| one.name.text == *name).map(|one| one.weight),
                Kind::Process => {
                    config.processes.iter().find(|one| one.name.text == *name).map(|one| one.weight)
                }
            };
            let Some(default) = default else {
                let message = match kind {
                    Kind::Interface => format!("({label}) tracked interface {name} doesn't exist"),
                    Kind::Script => format!("({label}) track script {name} not found, ignoring..."),
                    Kind::File => format!("({label}) track file {name} not found, ignoring..."),
                    Kind::Process => format!("({label}) track process {name} not found, ignoring..."),
                };
                let code = if kind == Kind::Interface { code::INTERFACE } else { code::UNDEFINED };
                self.say(code, word.span, message);
                continue;
            };
            let list = match kind {
                Kind::Interface => &mut track.interfaces,
                Kind::Script => &mut track.scripts,
                Kind::File => &mut track.files,
                Kind::Process => &mut track.processes,
            };
            if list.iter().any(|tracked| tracked.name.text == *name) {
                let message = format!("({label}) duplicate {} {name} - ignoring", node.keyword.name);
                self.say(code::REPEATED, word.span, message);
                continue;
            }
            if let Some((weight, weight_written)) = self.tracked_weight(line, kind, label, word, default) {
                list.push(Tracked { name: name_of(word), weight, weight_written });
            }
        }
    }

    /// The weight behind a name; `None` when the line is to be left out.
    fn tracked_weight(
        &mut self,
        line: &Line,
        kind: Kind,
        label: &str,
        name: &Word,
        default: Weight,
    ) -> Option<(Weight, bool)> {
        let name = &name.text;
        let Some(option) = line.words.get(1) else { return Some((default, false)) };
        if option.text != "weight" {
            let message = match kind {
                Kind::Interface => {
                    format!("({label}) unknown track_interface {name} option {} - ignoring", option.text)
                }
                Kind::Script => format!("({label}) unknown track script option {} - ignoring", option.text),
                Kind::File => format!("({label}) unknown track file option {} - ignoring", option.text),
                Kind::Process => format!("({label}) unknown track process option {} - ignoring", option.text),
            };
            self.say(code::CHOICE, option.span, message);
            return (kind == Kind::Interface).then_some((default, false));
        }
        let Some(word) = line.words.get(2) else {
            let what = match kind {
                Kind::Interface => "track_interface",
                Kind::Script => "track script",
                Kind::File => "track file",
                Kind::Process => "track process",
            };
            let message = format!("({label}) weight without value specified for {what} {name} - ignoring");
            self.say(code::MISSING_PARAMETER, option.span, message);
            return None;
        };
        let Some(value) = self.integer(word, -254, 254).and_then(|value| i32::try_from(value).ok()) else {
            let message = match kind {
                Kind::Interface => {
                    let text = &word.text;
                    format!(
                        "({label}) weight {text} for {name} must be between [-253..253] inclusive. Ignoring..."
                    )
                }
                Kind::Script => {
                    format!(
                        "({label}) track script {name}: weight must be between [-253..253] inclusive, ignoring..."
                    )
                }
                Kind::File => {
                    format!(
                        "({label}) weight for track file {name} must be in [-254..254] inclusive. Ignoring..."
                    )
                }
                Kind::Process => {
                    format!(
                        "({label}) weight for track process {name} must be in [-254..254] inclusive. Ignoring..."
                    )
                }
            };
            self.say(code::NUMBER, word.span, message);
            return Some((default, false));
        };
        let mut value = value;
        if value.abs() == 254 && matches!(kind, Kind::Interface | Kind::Script) {
            let message = format!("({label}) weight for {name} cannot be +/-254. Setting to +/-253");
            self.say(code::NUMBER, word.span, message);
            value = value.clamp(-253, 253);
        }
        let reverse = self.reverse(line, 3, |option| match kind {
            Kind::Interface => {
                format!("({label}) unknown track_interace {name} weight option {option} - ignoring")
            }
            Kind::Script => {
                format!("({label}) unknown track_script {name} weight option {option} - ignoring")
            }
            Kind::File => format!("({label}) unknown track file {name} weight option {option} - ignoring"),
            Kind::Process => {
                format!("({label}) unknown track_process {name} weight option {option} - ignoring")
            }
        });
        Some((Weight { value, reverse }, true))
    }
}
