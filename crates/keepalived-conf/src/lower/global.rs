//! `global_defs`.

use super::{Draft, Lower, name_of};
use crate::code;
use crate::model::{FlushOnStop, Global, LvsSync, Nftables, NftablesIpvs, SmtpServer};
use crate::tree::Node;
use crate::word::Line;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// IPVS cannot remember for longer than 31 days.
const MAX_LVS_TIMEOUT: u32 = 31 * 86_400;
/// Seconds that fit into keepalived's timers.
const MAX_SECONDS: u32 = 4294;

impl Lower<'_> {
    pub(crate) fn global(&mut self, node: &Node, draft: &mut Draft) {
        // What is said further down counts from the beginning.
        let says = |keyword: &str| node.body.iter().any(|child| child.keyword.name == keyword);
        self.needs_script_user |= says("enable_script_security") && !says("script_user");
        for child in &node.body {
            let global = &mut draft.config.global;
            if !self.global_mail(child, global)
                && !self.global_vrrp(child, global)
                && !self.process_setting(child, global)
            {
                self.global_rest(child, global);
            }
        }
        let global = &draft.config.global;
        let once = [&global.startup_script, &global.shutdown_script];
        draft.runs_scripts[2] |= once.into_iter().flatten().any(|once| !once.script.command.is_empty());
    }

    /// The argument, or the message that it is missing.
    pub(crate) fn value_or(&mut self, line: &Line, missing: &str) -> Option<String> {
        let found = line.words.get(1).map(|word| word.text.clone());
        if found.is_none() {
            self.say(code::MISSING_PARAMETER, line.span, missing);
        }
        found
    }

    fn global_mail(&mut self, node: &Node, global: &mut Global) -> bool {
        let line = &node.line;
        let mail = &mut global.mail;
        let alert = |keyword: &str| {
            let keyword = keyword.to_owned();
            move |value: &str| format!("Invalid value '{value}' for global {keyword} specified")
        };
        match node.keyword.name {
            "router_id" => {
                let value = self.value_or(line, "routerid name missing - ignoring");
                global.router_id = value.or(global.router_id.take());
            }
            "notification_email" => {
                let words = node.values.iter().flat_map(|line| &line.words);
                mail.recipients.extend(words.map(name_of));
            }
            "notification_email_from" => {
                mail.sender = self.value_or(line, "emailfrom missing - ignoring").or(mail.sender.take());
            }
            "smtp_server" => mail.server = self.smtp_server(line).or(mail.server.take()),
            "smtp_helo_name" => {
                mail.helo_name = line.words.get(1).map(|word| word.text.clone()).or(mail.helo_name.take());
            }
            "smtp_connect_timeout" => {
                let Some(word) = self.word(line, 1) else { return true };
                match self.unsigned(word, 0, MAX_SECONDS) {
                    Some(seconds) => mail.connect_timeout = Duration::from_secs(u64::from(seconds)),
                    None => {
                        let text = &word.text;
                        let message =
                            format!("smtp_connect_timeout '{text}' must be in [0, {MAX_SECONDS}] - ignoring");
                        self.say(code::TIME, word.span, message);
                    }
                }
            }
            "smtp_alert" => mail.alert = self.switch(line, alert("smtp_alert")).or(mail.alert),
            "smtp_alert_vrrp" => {
                mail.alert_vrrp = self.switch(line, alert("smtp_alert_vrrp")).or(mail.alert_vrrp);
            }
            "smtp_alert_checker" => {
                mail.alert_checker = self.switch(line, alert("smtp_alert_checker")).or(mail.alert_checker);
            }
            "no_email_faults" => mail.no_faults = true,
            "no_checker_emails" => {
                mail.no_checker_emails =
                    self.switch(line, alert("no_checker_emails")).unwrap_or(mail.no_checker_emails);
            }
            "checker_log_all_failures" => {
                let message = |_: &str| "Invalid value for checker_log_all_failures specified".to_owned();
                global.checker_log_all_failures =
                    self.switch(line, message).unwrap_or(global.checker_log_all_failures);
            }
            _ => return false,
        }
        true
    }

    fn smtp_server(&mut self, line: &Line) -> Option<SmtpServer> {
        let host = self.word(line, 1)?;
        let port = match line.words.get(2) {
            None => Some(25),
            Some(word) => self.unsigned(word, 1, 65535).and_then(|port| u16::try_from(port).ok()),
        };
        if port.is_none() {
            let port = line.words.get(2).map_or("", |word| word.text.as_str());
            let message = format!("Invalid smtp server {} {port}", host.text);
            self.say(code::NUMBER, host.span, message);
        }
        Some(SmtpServer { host: name_of(host), port: port? })
    }

    fn global_rest(&mut self, node: &Node, global: &mut Global) {
        let line = &node.line;
        let first = line.words.get(1);
        let bad = |keyword: &'static str| {
            move |value: &str| format!("Invalid value '{value}' for global {keyword} specified")
        };
        match node.keyword.name {
            "script_user" => {
                if self.word(line, 1).is_none() {
                    return;
                }
                let before = self.report.len();
                global.script_user = self.account(line.arguments()).or(global.script_user.take());
                if self.report.len() > before {
                    self.say(code::ACCOUNT, line.span, "Error setting global script uid/gid");
                }
            }
            "enable_script_security" => global.script_security = true,
            "set_supplementary_groups" => global.supplementary_groups = true,
            "use_symlink_paths" => {
                global.use_symlink_paths = self.switch(line, bad("use_symlink_paths")).unwrap_or(false);
            }
            "startup_script" => self.once_script(line, "startup", &mut global.startup_script),
            "shutdown_script" => self.once_script(line, "shutdown", &mut global.shutdown_script),
            "startup_script_timeout" => self.once_timeout(line, "startup", &mut global.startup_script),
            "shutdown_script_timeout" => self.once_timeout(line, "shutdown", &mut global.shutdown_script),
            "notify_fifo" => self.fifo(line, "", &mut global.notify_fifo),
            "notify_fifo_script" => self.fifo_script(line, "", &mut global.notify_fifo),
            "vrrp_notify_fifo" => self.fifo(line, "vrrp_", &mut global.vrrp_notify_fifo),
            "vrrp_notify_fifo_script" => self.fifo_script(line, "vrrp_", &mut global.vrrp_notify_fifo),
            "lvs_notify_fifo" => self.fifo(line, "lvs_", &mut global.lvs_notify_fifo),
            "lvs_notify_fifo_script" => self.fifo_script(line, "lvs_", &mut global.lvs_notify_fifo),
            "fifo_write_vrrp_states_on_reload" => global.fifo_write_states_on_reload = true,
            "nftables" => {
                let nftables = global.nftables.get_or_insert_with(Nftables::default);
                if let Some(word) = first {
                    nftables.table.clone_from(&word.text);
                }
            }
            "nftables_priority" => {
                let Some(word) = self.word(line, 1) else { return };
                match self.integer(word, -1000, 1000).and_then(|value| i32::try_from(value).ok()) {
                    Some(value) => global.nftables.get_or_insert_with(Nftables::default).priority = value,
                    None => {
                        self.say(
                            code::NUMBER,
                            word.span,
                            format!("invalid nftables chain priority '{}'", word.text),
                        );
                    }
                }
            }
            "nftables_counters" => global.nftables.get_or_insert_with(Nftables::default).counters = true,
            "nftables_ifindex" => global.nftables.get_or_insert_with(Nftables::default).ifindex = true,
            "nftables_ipvs" => {
                let nftables = global.nftables_ipvs.get_or_insert_with(NftablesIpvs::default);
                if let Some(word) = first {
                    nftables.table.clone_from(&word.text);
                }
            }
            "nftables_ipvs_priority" => {
                let Some(word) = self.word(line, 1) else { return };
                match self.integer(word, -1000, 1000).and_then(|value| i32::try_from(value).ok()) {
                    Some(value) => {
                        global.nftables_ipvs.get_or_insert_with(NftablesIpvs::default).priority = value
                    }
                    None => {
                        let message = format!("invalid ipvs nftables chain priority '{}'", word.text);
                        self.say(code::NUMBER, word.span, message);
                    }
                }
            }
            "nftables_ipvs_start_fwmark" => {
                let Some(word) = self.word(line, 1) else { return };
                match self.unsigned(word, 1, u32::MAX) {
                    Some(mark) => {
                        global.nftables_ipvs.get_or_insert_with(NftablesIpvs::default).start_fwmark = mark;
                    }
                    None => {
                        let message = format!("invalid ipvs nftables start_fwmark priority '{}'", word.text);
                        self.say(code::NUMBER, word.span, message);
                    }
                }
            }
            "disable_local_igmp" => global.disable_local_igmp = true,
            "lvs_sync_daemon" => self.lvs_sync(line, global),
            "lvs_timeouts" => self.lvs_timeouts(line, global),
            "lvs_flush" => global.lvs_flush = true,
            "lvs_flush_on_stop" | "lvs_flush_onstop" => match first {
                None => global.lvs_flush_on_stop = FlushOnStop::All,
                Some(word) if word.text == "VS" => global.lvs_flush_on_stop = FlushOnStop::VirtualServers,
                Some(word) => {
                    self.say(
                        code::CHOICE,
                        word.span,
                        format!("Unknown lvs_flush_on_stop type {}", word.text),
                    );
                }
            },
            "rs_init_notifies" => {
                global.rs_init_notifies =
                    self.switch(line, bad("rs_init_notifies")).unwrap_or(global.rs_init_notifies);
            }
            "random_seed" => {
                let Some(word) = self.word(line, 1) else { return };
                global.random_seed = self.unsigned(word, 0, u32::MAX).or(global.random_seed);
                if global.random_seed.is_none() {
                    self.say(code::NUMBER, word.span, format!("random_seed {} invalid", word.text));
                }
            }
            "data_use_instance" => {
                global.data_use_instance =
                    self.switch(line, bad("date_use_instance")).unwrap_or(global.data_use_instance);
            }
            "config_save_dir" => self.path(line, &mut global.config_save_dir),
            "tmp_config_directory" => {
                if let Some(path) = self.value_or(line, "tmp_config_directory missing directory name") {
                    global.tmp_config_directory = Some(PathBuf::from(path));
                }
            }
            "state_dump_file" => self.path(line, &mut global.state_dump_file),
            "stats_dump_file" => self.path(line, &mut global.stats_dump_file),
            "json_dump_file" => self.path(line, &mut global.json_dump_file),
            "iproute_usr_dir" => self.path(line, &mut global.iproute_usr_dir),
            "iproute_etc_dir" => self.path(line, &mut global.iproute_etc_dir),
            "json_version" => {
                let Some(word) = self.word(line, 1) else { return };
                let version = self.unsigned(word, 1, 2).and_then(|version| u8::try_from(version).ok());
                global.json_version = version.unwrap_or(global.json_version);
            }
            "umask" => self.umask(line, global),
            "reload_check_config" => {
                global.reload.check = true;
                global.reload.check_log = first.map(|word| PathBuf::from(&word.text));
            }
            "reload_time_file" => match first {
                None => self.say(code::FILE, line.span, "reload_time_file invalid"),
                Some(word) => global.reload.time_file = Some(PathBuf::from(&word.text)),
            },
            "reload_repeat" => global.reload.repeat = true,
            "reload_file" => global.reload.marker = Some(first.map(|word| PathBuf::from(&word.text))),
            _ => {}
        }
    }

    pub(crate) fn path(&mut self, line: &Line, slot: &mut Option<PathBuf>) {
        if let Some(word) = self.word(line, 1) {
            *slot = Some(PathBuf::from(&word.text));
        }
    }

    fn umask(&mut self, line: &Line, global: &mut Global) {
        let Some(first) = self.word(line, 1) else { return };
        if first.text.starts_with(|c: char| c.is_ascii_digit()) {
            match self.any_base(first).filter(|mask| *mask <= 0o777) {
                Some(mask) => global.umask = Some(mask),
                None => self.say(code::NUMBER, first.span, format!("invalid umask value {}", first.text)),
            }
            return;
        }
        let text: String = line.arguments().iter().map(|word| word.text.as_str()).collect();
        let mut mask = 0;
        for bit in text.split('|') {
            let who = match bit.get(2..) {
                Some("USR") => 6,
                Some("GRP") => 3,
                Some("OTH") => 0,
                _ => 9,
            };
            let what = match bit.get(..2) {
                Some("IR") => 4,
                Some("IW") => 2,
                Some("IX") => 1,
                _ => 0,
            };
            if who > 6 || what == 0 {
                return self.say(code::CHOICE, first.span, format!("Unknown umask bit {bit}"));
            }
            mask |= what << who;
        }
        global.umask = Some(mask);
    }

    fn lvs_timeouts(&mut self, line: &Line, global: &mut Global) {
        if line.words.len() < 3 {
            return self.say(code::MISSING_PARAMETER, line.span, "lvs_timeouts requires at least one option");
        }
        let mut words = line.arguments().iter();
        while let Some(option) = words.next() {
            let slot = match option.text.as_str() {
                "tcp" => &mut global.lvs_timeouts.tcp,
                "tcpfin" => &mut global.lvs_timeouts.tcp_fin,
                "udp" => &mut global.lvs_timeouts.udp,
                other => {
                    let message = format!("Unknown option {other} specified for lvs_timeouts");
                    self.say(code::CHOICE, option.span, message);
                    continue;
                }
            };
            let Some(value) = words.next() else {
                let message = format!("No value specified for lvs_timeouts {} - ignoring", option.text);
                return self.say(code::MISSING_PARAMETER, option.span, message);
            };
            match self.unsigned(value, 0, MAX_LVS_TIMEOUT) {
                Some(seconds) => *slot = Some(Duration::from_secs(u64::from(seconds))),
                None => {
                    let message = format!("Invalid lvs_timeout {} ({}) - ignoring", option.text, value.text);
                    self.say(code::TIME, value.span, message);
                }
            }
        }
    }

    fn lvs_sync(&mut self, line: &Line, global: &mut Global) {
        if let Some(sync) = &global.lvs_sync {
            let instance = sync.instance.as_ref().map_or("", |name| name.text.as_str());
            let message = format!(
                "lvs_sync_daemon has already been specified as {} {instance} - ignoring",
                sync.interface.text
            );
            return self.say(code::REPEATED, line.span, message);
        }
        let Some(interface) = line.words.get(1) else {
            return self.say(code::MISSING_PARAMETER, line.span, "lvs_sync_daemon requires interface");
        };
        if interface.text.len() > 15 {
            let message = format!("lvs_sync_daemon interface name '{}' too long - ignoring", interface.text);
            return self.say(code::NAME_LENGTH, interface.span, message);
        }
        let mut sync = LvsSync {
            interface: name_of(interface),
            instance: None,
            id: None,
            max_length: None,
            port: None,
            ttl: None,
            group: None,
        };
        let mut index = 2;
        while let Some(option) = line.words.get(index) {
            let value = line.words.get(index + 1);
            index += 2;
            let value = match (option.text.as_str(), value) {
                ("inst" | "id" | "maxlen" | "port" | "ttl" | "group", None) => {
                    let message =
                        format!("No value specified for {} in lvs_sync_daemon - ignoring", option.text);
                    self.say(code::MISSING_PARAMETER, option.span, message);
                    break;
                }
                ("inst" | "id" | "maxlen" | "port" | "ttl" | "group", Some(value)) => value,
                _ if index == 4 => {
                    sync.instance = Some(name_of(option));
                    index -= 1;
                    continue;
                }
                (other, _) => {
                    let message = format!("Unknown option {other} specified for lvs_sync_daemon");
                    self.say(code::CHOICE, option.span, message);
                    index -= 1;
                    continue;
                }
            };
            self.lvs_sync_option(option.text.as_str(), value, &mut sync);
        }
        global.lvs_sync = Some(sync);
    }

    fn lvs_sync_option(&mut self, option: &str, value: &crate::word::Word, sync: &mut LvsSync) {
        let text = &value.text;
        match option {
            "inst" => sync.instance = Some(name_of(value)),
            "id" => match self.unsigned(value, 0, 255).and_then(|id| u8::try_from(id).ok()) {
                Some(id) => sync.id = Some(id),
                None => self.say(
                    code::NUMBER,
                    value.span,
                    format!("Invalid syncid ({text}) - defaulting to vrid"),
                ),
            },
            "maxlen" => match self.unsigned(value, 1, 65507).and_then(|most| u16::try_from(most).ok()) {
                Some(most) => sync.max_length = Some(most),
                None => {
                    self.say(
                        code::NUMBER,
                        value.span,
                        format!("Invalid lvs_sync_daemon maxlen ({text}) - ignoring"),
                    );
                }
            },
            "port" => match self.unsigned(value, 1, 65535).and_then(|port| u16::try_from(port).ok()) {
                Some(port) => sync.port = Some(port),
                None => {
                    self.say(
                        code::NUMBER,
                        value.span,
                        format!("Invalid lvs_sync_daemon port ({text}) - ignoring"),
                    );
                }
            },
            "ttl" => match self.unsigned(value, 1, 255).and_then(|ttl| u8::try_from(ttl).ok()) {
                Some(ttl) => sync.ttl = Some(ttl),
                None => {
                    self.say(
                        code::NUMBER,
                        value.span,
                        format!("Invalid lvs_sync_daemon ttl ({text}) - ignoring"),
                    );
                }
            },
            _ => match text.parse::<IpAddr>() {
                Ok(group) if group.is_multicast() => sync.group = Some(group),
                Ok(_) => {
                    let message = format!("lvs_sync_daemon group address {text} is not multicast - ignoring");
                    self.say(code::ADDRESS, value.span, message);
                }
                Err(_) => {
                    self.say(
                        code::ADDRESS,
                        value.span,
                        format!("Invalid lvs_sync_daemon group ({text}) - ignoring"),
                    );
                }
            },
        }
    }
}
