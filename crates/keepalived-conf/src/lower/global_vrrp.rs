//! `vrrp_…` of `global_defs`.

use super::Lower;
use super::number::Times;
use crate::code;
use crate::model::{Garp, Global, ReceiveBuffers, Version};
use crate::tree::Node;
use crate::word::Line;
use std::net::IpAddr;
use std::time::Duration;

/// A day, the most of `garp_extra_if`.
const DAY: u32 = 86_400;
/// Intervals above this many seconds are probably not meant.
const LARGE: u64 = 1;

impl Lower<'_> {
    pub(crate) fn global_vrrp(&mut self, node: &Node, global: &mut Global) -> bool {
        let line = &node.line;
        let name = node.keyword.name;
        let vrrp = &mut global.vrrp;
        let plain = |_: &str| format!("Invalid value for {name} specified");
        match name {
            "vrrp_version" => {
                let Some(word) = self.word(line, 1) else { return true };
                match self.unsigned(word, 2, 3) {
                    Some(2) => vrrp.version = Version::V2,
                    Some(_) => vrrp.version = Version::V3,
                    None => self.say(code::VERSION, word.span, "VRRP Error: Version must be either 2 or 3"),
                }
            }
            "vrrp_mcast_group4" | "vrrp_mcast_group6" => self.group(line, name, global),
            "vrrp_garp_interval" => {
                vrrp.garp_interval = self.interval(line, name).unwrap_or(vrrp.garp_interval);
            }
            "vrrp_gna_interval" => vrrp.gna_interval = self.interval(line, name).unwrap_or(vrrp.gna_interval),
            "vrrp_min_garp" => {
                if self.switch(line, plain) == Some(true) {
                    vrrp.garp = Garp {
                        master_delay: Duration::ZERO,
                        master_repeat: 1,
                        master_refresh: Duration::ZERO,
                        master_refresh_repeat: 1,
                        lower_prio_delay: Duration::ZERO,
                        lower_prio_repeat: 1,
                        ..vrrp.garp
                    };
                }
            }
            "vrrp_garp_extra_if" | "vrrp_vmac_garp_intvl" => {
                self.extra_garp(line, name, "", 1, &mut vrrp.garp)
            }
            "vrrp_down_timer_adverts" => {
                let Some(word) = self.word(line, 1) else { return true };
                match self.unsigned(word, 1, 100).and_then(|count| u8::try_from(count).ok()) {
                    Some(count) => vrrp.down_timer_adverts = count,
                    None => {
                        let message = format!("Invalid vrrp_down_timer_adverts [1:100] '{}'", word.text);
                        self.say(code::NUMBER, word.span, message);
                    }
                }
            }
            "vrrp_lower_prio_no_advert" => {
                vrrp.lower_priority_no_advert =
                    self.switch(line, plain).unwrap_or(vrrp.lower_priority_no_advert);
            }
            "vrrp_higher_prio_send_advert" => {
                vrrp.higher_priority_send_advert =
                    self.switch(line, plain).unwrap_or(vrrp.higher_priority_send_advert);
            }
            "vrrp_owner_ignore_adverts" => {
                vrrp.owner_ignore_adverts = self.switch(line, plain).unwrap_or(vrrp.owner_ignore_adverts);
            }
            "v3_checksum_as_v2" => {
                vrrp.v3_checksum_as_v2 = self.switch(line, plain).unwrap_or(vrrp.v3_checksum_as_v2);
            }
            "vrrp_check_unicast_src" => vrrp.check_unicast_source = true,
            "vrrp_skip_check_adv_addr" => vrrp.skip_check_advert_addresses = true,
            "vrrp_strict" => vrrp.strict = true,
            "vrrp_notify_priority_changes" => {
                let message = |value: &str| {
                    format!("Invalid value '{value}' for global vrrp_notify_priority_changes specified")
                };
                vrrp.notify_priority_changes =
                    self.switch(line, message).unwrap_or(vrrp.notify_priority_changes);
            }
            "vrrp_startup_delay" => vrrp.startup_delay = self.delay(line, name).unwrap_or(vrrp.startup_delay),
            "vrrp_delay_after_boot" => {
                vrrp.delay_after_boot = self.delay(line, name).unwrap_or(vrrp.delay_after_boot);
            }
            "log_unknown_vrids" => vrrp.log_unknown_vrids = true,
            "vrrp_rx_bufs_policy" => {
                let Some(word) = self.word(line, 1) else { return true };
                match word.text.as_str() {
                    "MTU" => vrrp.receive_buffers = ReceiveBuffers::Mtu,
                    "ADVERT" => vrrp.receive_buffers = ReceiveBuffers::Advert,
                    other => match self.unsigned(word, 1, u32::MAX) {
                        Some(bytes) => vrrp.receive_buffers = ReceiveBuffers::Bytes(bytes),
                        None => {
                            self.say(code::CHOICE, word.span, format!("Invalid vrrp_rx_bufs_policy {other}"))
                        }
                    },
                }
            }
            "vrrp_rx_bufs_multiplier" => {
                let Some(word) = self.word(line, 1) else { return true };
                match self.unsigned(word, 1, u32::MAX) {
                    Some(count) => vrrp.receive_buffers_multiplier = count,
                    None => {
                        self.say(
                            code::NUMBER,
                            word.span,
                            format!("Invalid vrrp_rx_bufs_multiplier {}", word.text),
                        );
                    }
                }
            }
            _ => {
                let Some(short) = name.strip_prefix("vrrp_").filter(|short| short.starts_with("garp_"))
                else {
                    return false;
                };
                return self.garp(line, short, "vrrp_", "", &mut vrrp.garp);
            }
        }
        // The second round after an advertisement of lower priority follows the first one's settings until it is set.
        true
    }

    /// `garp_…` of an instance, or `vrrp_garp_…` of `global_defs`, whose messages begin with `who` and `prefix`.
    pub(crate) fn garp(&mut self, line: &Line, name: &str, prefix: &str, who: &str, garp: &mut Garp) -> bool {
        let known = [
            "garp_master_delay",
            "garp_master_repeat",
            "garp_master_refresh",
            "garp_master_refresh_repeat",
            "garp_lower_prio_delay",
            "garp_lower_prio_repeat",
        ];
        if !known.contains(&name) {
            return false;
        }
        let Some(word) = self.word(line, 1) else { return true };
        let seconds = name.ends_with("_delay");
        let most = if seconds { u32::MAX / 1_000_000 } else { u32::MAX };
        let Some(value) = self.unsigned(word, 0, most) else {
            let message = match name {
                "garp_master_refresh" => format!("{who}Invalid {prefix}{name} '{}' - ignoring", word.text),
                "garp_lower_prio_repeat" => format!("{who}Invalid {prefix}{name} '{}'", word.text),
                _ => format!("{who}{prefix}{name} '{}' invalid - ignoring", word.text),
            };
            self.say(code::NUMBER, word.span, message);
            return true;
        };
        let time = Duration::from_secs(u64::from(value));
        let at_least_one = |lower: &mut Self| {
            if value == 0 {
                let message = format!("{who}{prefix}{name} must be greater than 0, setting to 1");
                lower.say(code::NUMBER, word.span, message);
            }
            value.max(1)
        };
        match name {
            "garp_master_delay" => garp.master_delay = time,
            "garp_master_repeat" => garp.master_repeat = at_least_one(self),
            "garp_master_refresh" => garp.master_refresh = time,
            "garp_master_refresh_repeat" => garp.master_refresh_repeat = at_least_one(self),
            "garp_lower_prio_delay" => garp.lower_prio_delay = time,
            _ => garp.lower_prio_repeat = value,
        }
        true
    }

    /// `garp_extra_if [all] SECONDS`.
    pub(crate) fn extra_garp(&mut self, line: &Line, name: &str, who: &str, least: u32, garp: &mut Garp) {
        let all = line.words.get(1).is_some_and(|word| word.text == "all");
        let Some(word) = line.words.get(if all { 2 } else { 1 }) else {
            let message = format!("{who}{name} specified without time - ignoring");
            return self.say(code::MISSING_PARAMETER, line.span, message);
        };
        match self.unsigned(word, least, DAY) {
            Some(seconds) => {
                garp.extra_all = all;
                garp.extra_interval = Duration::from_secs(u64::from(seconds));
            }
            None => {
                let message = format!("{who}{name} '{}' invalid - ignoring", word.text);
                self.say(code::NUMBER, word.span, message);
            }
        }
    }

    fn group(&mut self, line: &Line, name: &str, global: &mut Global) {
        let Some(word) = self.word(line, 1) else { return };
        let text = &word.text;
        let four = name.ends_with('4');
        let family = if four { "IPv4" } else { "IPv6" };
        let message = match text.parse::<IpAddr>() {
            Err(_) => format!("Can't parse {name} [{text}]. Skipping"),
            Ok(address) if address.is_ipv4() != four => format!("{name} [{text}] is not {family}. Skipping"),
            Ok(address) if !address.is_multicast() => format!("{name} [{text}] is not multicast. Skipping"),
            Ok(IpAddr::V4(address)) => {
                global.vrrp.multicast_group4 = address;
                return;
            }
            Ok(IpAddr::V6(address)) => {
                global.vrrp.multicast_group6 = address;
                if address.segments().first().is_some_and(|first| first & 0xf == 2) {
                    return;
                }
                format!("{name} [{text}] should be link-local multicast.")
            }
        };
        self.say(code::ADDRESS, word.span, message);
    }

    /// `…garp_interval`, `…gna_interval`: large ones are wondered about.
    fn interval(&mut self, line: &Line, name: &str) -> Option<Duration> {
        let word = self.word(line, 1)?;
        let time = self.time(word, Times { least: 1, most: 0, lenient: true });
        match time {
            None => self.say(code::TIME, word.span, format!("{name} '{}' is invalid", word.text)),
            Some(time) if time >= Duration::from_secs(LARGE) => {
                self.say(code::TIME, word.span, format!("The {name} is very large - {} seconds", word.text));
            }
            Some(_) => {}
        }
        time
    }

    fn delay(&mut self, line: &Line, name: &str) -> Option<Duration> {
        let word = self.word(line, 1)?;
        let time = self.time(word, Times { least: 1000, most: 0, lenient: true });
        if time.is_none() {
            self.say(code::TIME, word.span, format!("{name} '{}' is invalid", word.text));
        }
        time
    }
}
