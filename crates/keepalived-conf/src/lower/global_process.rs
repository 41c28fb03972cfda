//! Settings of processes, in `global_defs` and beside it.

use super::{Lower, name_of};
use crate::code;
use crate::model::{Global, Name, NetlinkBuffer, Scheduling};
use crate::tree::Node;
use crate::word::Line;
use std::time::Duration;

/// Characters of a process's name.
const NAME_MAX: usize = 15;
/// Real-time priorities of SCHED_RR.
const REALTIME_MAX: i64 = 99;

impl Lower<'_> {
    /// A statement that may stand beside `global_defs`.
    pub(crate) fn process_statement(&mut self, node: &Node, global: &mut Global) -> bool {
        let line = &node.line;
        match node.keyword.name {
            "net_namespace" => self.once_name(line, "net_namespace", &mut global.net_namespace),
            "net_namespace_ipvs" => {
                self.once_name(line, "net_namespace_ipvs", &mut global.net_namespace_ipvs)
            }
            "namespace_with_ipsets" => global.namespace_with_ipsets = true,
            "instance" => self.once_name(line, "instance", &mut global.instance),
            "use_pid_dir" => global.use_pid_dir = true,
            "linkbeat_use_polling" => global.linkbeat_polling = true,
            "child_wait_time" => {
                let Some(word) = self.word(line, 1) else { return true };
                match self.unsigned(word, 0, u32::MAX) {
                    Some(seconds) => global.child_wait_time = Duration::from_secs(u64::from(seconds)),
                    None => self.say(code::TIME, word.span, format!("Invalid child_wait_time {}", word.text)),
                }
            }
            _ => return false,
        }
        true
    }

    fn once_name(&mut self, line: &Line, kind: &str, slot: &mut Option<Name>) {
        let Some(word) = line.words.get(1) else {
            let message = format!("{kind} name missing - ignoring");
            return self.say(code::MISSING_PARAMETER, line.span, message);
        };
        if slot.is_some() {
            let message = format!("Duplicate {kind} definition {} - ignoring", word.text);
            return self.say(code::REPEATED, word.span, message);
        }
        *slot = Some(name_of(word));
    }

    /// `vrrp_priority` and its like.
    pub(crate) fn process_setting(&mut self, node: &Node, global: &mut Global) -> bool {
        let line = &node.line;
        if self.process_statement(node, global) {
            return true;
        }
        let buffer = match node.keyword.name.trim_end_matches("_force") {
            "vrrp_netlink_cmd_rcv_bufs" => Some(&mut global.vrrp_netlink_command),
            "vrrp_netlink_monitor_rcv_bufs" => Some(&mut global.vrrp_netlink_monitor),
            "lvs_netlink_cmd_rcv_bufs" => Some(&mut global.lvs_netlink_command),
            "lvs_netlink_monitor_rcv_bufs" => Some(&mut global.lvs_netlink_monitor),
            "process_monitor_rcv_bufs" => Some(&mut global.process_monitor),
            _ => None,
        };
        if let Some(buffer) = buffer {
            self.netlink_buffer(line, node.keyword.name, buffer);
            return true;
        }
        match node.keyword.name {
            "process_names" => global.process_names = true,
            "process_name" => self.process_name(line, &mut global.process_name),
            "vrrp_process_name" => self.process_name(line, &mut global.vrrp_process.process_name),
            "checker_process_name" | "lvs_process_name" => {
                self.process_name(line, &mut global.checker_process.process_name);
            }
            "max_auto_priority" => self.max_auto_priority(line, global),
            "min_auto_priority_delay" => {
                let Some(word) = self.word(line, 1) else { return true };
                match self.unsigned(word, 1, 10_000_000) {
                    Some(micros) => global.min_auto_priority_delay = Duration::from_micros(u64::from(micros)),
                    None => {
                        let text = &word.text;
                        let message =
                            format!("min_auto_priority_delay '{text}' must be in [1, 10000000] - ignoring");
                        self.say(code::NUMBER, word.span, message);
                    }
                }
            }
            "vmac_prefix" => {
                if self.name_prefix(line, "vmac", global.vmac_prefix != "vrrp") {
                    global.vmac_prefix = line.arguments().first().map(prefix_of).unwrap_or_default();
                    if global.vmac_addr_prefix == "vrrp" {
                        global.vmac_addr_prefix.clone_from(&global.vmac_prefix);
                    }
                }
            }
            "vmac_addr_prefix" => {
                let taken =
                    global.vmac_addr_prefix != "vrrp" && global.vmac_addr_prefix != global.vmac_prefix;
                if self.name_prefix(line, "vmac_addr", taken) {
                    global.vmac_addr_prefix = line.arguments().first().map(prefix_of).unwrap_or_default();
                }
            }
            "dynamic_interfaces" => {
                global.dynamic_interfaces = true;
                if let Some(word) = line.words.get(1) {
                    global.allow_interface_changes |= word.text == "allow_if_changes";
                    if word.text != "allow_if_changes" {
                        let message = format!("Unknown dynamic_interfaces option '{}'", word.text);
                        self.say(code::CHOICE, word.span, message);
                    }
                }
            }
            "default_interface" => match line.words.get(1) {
                None => {
                    self.say(code::MISSING_PARAMETER, line.span, "default_interface requires interface name");
                }
                Some(word) => global.default_interface = Some(name_of(word)),
            },
            name => {
                let (process, kind, setting) = if let Some(setting) = name.strip_prefix("vrrp_") {
                    (&mut global.vrrp_process, "vrrp", setting)
                } else if let Some(setting) = name.strip_prefix("checker_") {
                    (&mut global.checker_process, "checker", setting)
                } else {
                    return false;
                };
                return self.scheduling(line, kind, setting, process);
            }
        }
        true
    }

    fn scheduling(&mut self, line: &Line, kind: &str, setting: &str, process: &mut Scheduling) -> bool {
        let first = line.words.get(1);
        match setting {
            "priority" => match first {
                None => {
                    self.say(
                        code::MISSING_PARAMETER,
                        line.span,
                        format!("No {kind} process priority specified"),
                    );
                }
                Some(word) => match self.integer(word, -20, 19).and_then(|nice| i8::try_from(nice).ok()) {
                    Some(nice) => process.nice = Some(nice),
                    None => {
                        let message = format!("Invalid {kind} process priority specified");
                        self.say(code::NUMBER, word.span, message);
                    }
                },
            },
            "rt_priority" => match first {
                None => {
                    let message = format!("No {kind} process real-time priority specified");
                    self.say(code::MISSING_PARAMETER, line.span, message);
                }
                Some(word) => match self.integer(word, i64::from(i32::MIN), i64::from(i32::MAX)) {
                    None => {
                        let message = format!("{kind} process real-time priority '{}' invalid", word.text);
                        self.say(code::NUMBER, word.span, message);
                    }
                    Some(priority) => {
                        let (bound, way) = if priority < 1 {
                            (Some("minimum 1 - setting to minimum"), "less")
                        } else if priority > REALTIME_MAX {
                            (Some("maximum 99 - setting to maximum"), "greater")
                        } else {
                            (None, "")
                        };
                        if let Some(bound) = bound {
                            let message =
                                format!("{kind} process real-time priority {priority} {way} than {bound}");
                            self.say(code::NUMBER, word.span, message);
                        }
                        process.realtime = u8::try_from(priority.clamp(1, REALTIME_MAX)).ok();
                    }
                },
            },
            "rlimit_rttime" | "rlimit_rtime" => {
                let Some(word) = self.word(line, 1) else { return true };
                if setting == "rlimit_rtime" {
                    let message = format!(
                        "Keyword '{kind}_rlimit_rtime' is deprecated - please use '{kind}_rlimit_rttime'"
                    );
                    self.mention(code::DEPRECATED, line.span, message);
                }
                match self.unsigned(word, 1, u32::MAX) {
                    Some(micros) => process.realtime_limit = Some(Duration::from_micros(u64::from(micros))),
                    None => {
                        let message = format!("Invalid {kind} real-time limit - {}", word.text);
                        self.say(code::NUMBER, word.span, message);
                    }
                }
            }
            "no_swap" => process.no_swap = true,
            "cpu_affinity" => {
                if first.is_none() {
                    let message = format!("No {kind} cpu_id set specified");
                    self.say(code::MISSING_PARAMETER, line.span, message);
                }
                for word in line.arguments() {
                    match self.unsigned(word, 0, 8191).and_then(|cpu| u16::try_from(cpu).ok()) {
                        Some(cpu) => process.cpus.push(cpu),
                        None => {
                            let message =
                                format!("Invalid cpu_id:{} specified for {kind} process", word.text);
                            self.say(code::NUMBER, word.span, message);
                        }
                    }
                }
            }
            _ => return false,
        }
        true
    }

    fn netlink_buffer(&mut self, line: &Line, name: &str, buffer: &mut NetlinkBuffer) {
        if name.ends_with("_force") {
            let message = |value: &str| format!("Invalid value '{value}' for global {name} specified");
            buffer.force = self.switch(line, message).unwrap_or(buffer.force);
            return;
        }
        let Some(word) = line.words.get(1) else {
            return self.say(code::MISSING_PARAMETER, line.span, format!("{name} size missing"));
        };
        match self.unsigned(word, 0, u32::MAX) {
            Some(bytes) => buffer.bytes = Some(bytes),
            None => self.say(code::NUMBER, word.span, format!("{name} size ({}) invalid", word.text)),
        }
    }

    fn max_auto_priority(&mut self, line: &Line, global: &mut Global) {
        let Some(word) = line.words.get(1) else {
            global.max_auto_priority = 99;
            return;
        };
        match self.integer(word, -1, REALTIME_MAX).and_then(|priority| i8::try_from(priority).ok()) {
            Some(priority) => global.max_auto_priority = priority,
            None => {
                let text = &word.text;
                let message =
                    format!("max_auto_priority '{text}' must be in [0, 99] (or -1 to disable) - ignoring");
                self.say(code::NUMBER, word.span, message);
            }
        }
    }

    fn process_name(&mut self, line: &Line, slot: &mut Option<String>) {
        let Some(word) = self.word(line, 1) else { return };
        let mut name = word.text.clone();
        if name.chars().count() > NAME_MAX {
            let message = format!("Process name {name} more than {NAME_MAX} characters, truncating");
            self.say(code::NAME_LENGTH, word.span, message);
            name = name.chars().take(NAME_MAX).collect();
        }
        *slot = Some(name);
    }

    /// Whether a prefix of interface names may be set.
    fn name_prefix(&mut self, line: &Line, kind: &str, taken: bool) -> bool {
        let Some(word) = self.word(line, 1) else { return false };
        if taken {
            let message = format!("{kind} prefix has already been specified - ignoring {}", word.text);
            self.say(code::REPEATED, word.span, message);
        }
        !taken
    }
}

/// As much of a word as leaves room for a number in an interface's name.
fn prefix_of(word: &crate::word::Word) -> String {
    word.text.chars().take(NAME_MAX).collect()
}
