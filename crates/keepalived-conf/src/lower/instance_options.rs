//! The rest of `vrrp_instance`: switches, addresses of advertisements, virtual interfaces.

use super::address::mac;
use super::instance::{INTERFACE_MAX, InstanceDraft};
use super::number::Times;
use super::{Draft, Lower, name_of};
use crate::code;
use crate::model::{Family, Ipvlan, IpvlanFlag, Name, UnicastChecksum, Vmac};
use crate::tree::Node;
use crate::word::Line;
use std::net::IpAddr;

impl Lower<'_> {
    pub(crate) fn instance_option(&mut self, node: &Node, label: &str, draft: &mut InstanceDraft) {
        let line = &node.line;
        let name = node.keyword.name;
        let bad = |value: &str| format!("({label}) invalid {name} {value} specified");
        let instance = &mut draft.instance;
        match name {
            "no_virtual_ipaddress" => instance.no_virtual_addresses = true,
            "promote_secondaries" => instance.promote_secondaries = true,
            "nopreempt" => instance.nopreempt = true,
            "preempt" => instance.nopreempt = false,
            "preempt_delay" => {
                let Some(word) = self.word(line, 1) else { return };
                match self.time(word, Times { least: 0, most: 1_000_000_000, lenient: true }) {
                    Some(time) => instance.preempt_delay = time,
                    None => {
                        let message = format!("({label}) Preempt_delay not valid! must be between 0-1000");
                        self.say(code::TIME, word.span, message);
                    }
                }
            }
            "timer_expired_backup" => instance.timer_expired_backup = true,
            "use_vmac" => self.use_vmac(line, draft),
            "use_vmac_addr" => instance.vmac_addr = true,
            "vmac_xmit_base" => instance.vmac_xmit_base = true,
            "use_ipvlan" => self.use_ipvlan(line, label, draft),
            "unicast_src_ip" | "mcast_src_ip" => {
                draft.wants_unicast |= name == "unicast_src_ip";
                self.source_address(line, label, draft);
            }
            "mcast_dst_ip" => self.multicast_destination(line, label, draft),
            "track_src_ip" => instance.track_source_address = true,
            "unicast_fault_no_peer" => {
                instance.unicast_fault_no_peer = true;
                draft.wants_unicast = true;
            }
            "unicast_ttl" => {
                let Some(word) = self.word(line, 1) else { return };
                match self.unsigned(word, 0, 255).and_then(|ttl| u8::try_from(ttl).ok()) {
                    Some(ttl) => draft.instance.unicast_ttl = Some(ttl),
                    None => {
                        let text = &word.text;
                        let message = format!("({label}): TTL '{text}' not valid - must be between 0 & 255");
                        self.say(code::NUMBER, word.span, message);
                    }
                }
            }
            "check_unicast_src" => {
                instance.check_unicast_source = true;
                draft.wants_unicast = true;
            }
            "old_unicast_checksum" => {
                draft.wants_unicast = true;
                match line.words.get(1) {
                    None => instance.unicast_checksum = UnicastChecksum::Old,
                    Some(word) if word.text == "never" => instance.unicast_checksum = UnicastChecksum::Never,
                    Some(word) => {
                        let message =
                            format!("({label}) Unknown old_unicast_chksum mode {} - ignoring", word.text);
                        self.say(code::CHOICE, word.span, message);
                    }
                }
            }
            "v3_checksum_as_v2" => {
                instance.v3_checksum_as_v2 = self.switch(line, bad).unwrap_or(instance.v3_checksum_as_v2);
            }
            "accept" => draft.accept = Some(true),
            "no_accept" => draft.accept = Some(false),
            "strict_mode" => draft.strict = self.switch(line, bad).or(draft.strict),
            "skip_check_adv_addr" => {
                instance.skip_check_advert_addresses =
                    self.switch(line, bad).unwrap_or(instance.skip_check_advert_addresses);
            }
            "lower_prio_no_advert" => {
                instance.lower_priority_no_advert =
                    self.switch(line, bad).unwrap_or(instance.lower_priority_no_advert);
            }
            "higher_prio_send_advert" => {
                instance.higher_priority_send_advert =
                    self.switch(line, bad).unwrap_or(instance.higher_priority_send_advert);
            }
            "owner_ignore_adverts" => {
                instance.owner_ignore_adverts =
                    self.switch(line, bad).unwrap_or(instance.owner_ignore_adverts);
            }
            "down_timer_adverts" => {
                let Some(word) = self.word(line, 1) else { return };
                match self.unsigned(word, 1, 100).and_then(|count| u8::try_from(count).ok()) {
                    Some(count) => instance.down_timer_adverts = count,
                    None => {
                        let message =
                            format!("({label}): Invalid down_timer_adverts [1:100] '{}'", word.text);
                        self.say(code::NUMBER, word.span, message);
                    }
                }
            }
            "garp_extra_if" => self.extra_garp(line, name, &format!("({label}): "), 0, &mut instance.garp),
            "dont_track_primary" => instance.dont_track_primary = true,
            "linkbeat_use_polling" => {
                let message = format!(
                    "({label}) 'linkbeat_use_polling' in vrrp instance deprecated - use linkbeat_interfaces block"
                );
                self.say(code::DEPRECATED, line.span, message);
                instance.linkbeat_polling = true;
            }
            "notify_priority_changes" => {
                let message = |value: &str| {
                    format!("({label}) Invalid value '{value}' for notify_priority_changes specified")
                };
                instance.notify.priority_changes =
                    self.switch(line, message).or(instance.notify.priority_changes);
            }
            "smtp_alert" => {
                let message = |value: &str| format!("Invalid vrrp_instance smtp_alert parameter {value}");
                instance.notify.smtp_alert = self.switch(line, message).or(instance.notify.smtp_alert);
            }
            "kernel_rx_buf_size" => {
                let Some(word) = self.word(line, 1) else { return };
                match self.unsigned(word, 0, u32::MAX) {
                    Some(bytes) => instance.receive_buffer = bytes,
                    None => {
                        self.say(
                            code::NUMBER,
                            word.span,
                            format!("({label}) invalid kernel_rx_buf_size specified"),
                        );
                    }
                }
            }
            "debug" => {
                let Some(word) = self.word(line, 1) else { return };
                match self.unsigned(word, 0, 4).and_then(|level| u8::try_from(level).ok()) {
                    Some(level) => instance.debug = level,
                    None => {
                        let text = &word.text;
                        let message =
                            format!("({label}) Debug value '{text}' not valid; must be between 0-4");
                        self.say(code::NUMBER, word.span, message);
                    }
                }
            }
            _ => {
                draft.lower_delay_written |= name == "garp_lower_prio_delay";
                draft.lower_repeat_written |= name == "garp_lower_prio_repeat";
                self.garp(line, name, "", &format!("({label}): "), &mut draft.instance.garp);
            }
        }
    }

    pub(super) fn lvs_sync_interface(&mut self, line: &Line, draft: &mut InstanceDraft, all: &Draft) {
        let Some(word) = self.word(line, 1) else { return };
        let label = draft.instance.name.text.clone();
        let message = format!("({label}) Specifying lvs_sync_daemon_interface against a vrrp is deprecated.");
        self.say(code::DEPRECATED, line.span, message);
        let pad = label.len();
        let message = format!("      {:pad$}Please use global lvs_sync_daemon", "");
        self.say(code::DEPRECATED, line.span, message);
        let known = match &all.config.global.lvs_sync {
            Some(sync) => Some(&sync.interface),
            None => {
                let mut before = all.instances.iter().map(|one| &one.instance).chain([&draft.instance]);
                before.find_map(|one| one.lvs_sync_interface.as_deref())
            }
        };
        if let Some(Name { text, .. }) = known {
            let message = format!(
                "({label}) lvs_sync_daemon_interface has already been specified as {text} - ignoring"
            );
            return self.say(code::REPEATED, word.span, message);
        }
        draft.instance.lvs_sync_interface = Some(Box::new(name_of(word)));
    }

    fn use_vmac(&mut self, line: &Line, draft: &mut InstanceDraft) {
        let mut vmac = Vmac::default();
        for word in line.arguments() {
            let text = &word.text;
            if text.contains(':') && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b':') {
                let octets = text.split(':').count();
                match mac(text, 0) {
                    None => {
                        self.say(code::VMAC, word.span, format!("VMAC invalid MAC address {text} - ignored"))
                    }
                    Some([first, ..]) if first & 1 == 1 => {
                        let message = format!("VMAC MAC address is multicast {text} - ignoring");
                        self.say(code::VMAC, word.span, message);
                    }
                    Some([0, 0, 0x5e, 0, 1 | 2, _]) => {
                        let message =
                            format!("VMAC MAC address not allowed to be RFC5798 address ({text}) - ignoring");
                        self.say(code::VMAC, word.span, message);
                    }
                    Some(mac) => {
                        vmac.mac = Some(mac);
                        draft.short_mac = octets == 5;
                    }
                }
            } else if text.len() > INTERFACE_MAX || text.contains(['/', ':']) || vmac.name.is_some() {
                let message =
                    format!("VMAC interface name '{text}' too long or invalid characters - ignoring");
                self.say(code::VMAC, word.span, message);
            } else {
                vmac.name = Some(name_of(word));
            }
        }
        draft.instance.vmac = Some(Box::new(vmac));
    }

    fn use_ipvlan(&mut self, line: &Line, label: &str, draft: &mut InstanceDraft) {
        if draft.instance.ipvlan.is_some() {
            return self.say(code::REPEATED, line.span, format!("({label}) use_ipvlan already specified"));
        }
        let mut ipvlan = Ipvlan::default();
        let mut flagged = false;
        for word in line.arguments() {
            let text = &word.text;
            let flag = match text.as_str() {
                "bridge" => Some(IpvlanFlag::Bridge),
                "private" => Some(IpvlanFlag::Private),
                "vepa" => Some(IpvlanFlag::Vepa),
                _ => None,
            };
            if let Some(flag) = flag {
                if flagged {
                    let message = format!("({label}) ipvlan type already specified - ignoring '{text}'");
                    self.say(code::REPEATED, word.span, message);
                }
                flagged = true;
                ipvlan.flag = flag;
            } else if let Some(prefix) = self.prefix(text) {
                let family = Family::of(prefix.address);
                if ipvlan.address.is_some() {
                    let message = format!("({label}) ipvlan address already specified - ignoring '{text}'");
                    self.say(code::REPEATED, word.span, message);
                } else if draft.family.is_some_and(|known| known != family) {
                    let message = format!(
                        "({label}) ipvlan address[{text}] MUST match vrrp instance family !!! Skipping..."
                    );
                    self.say(code::ADDRESS, word.span, message);
                } else {
                    ipvlan.address = Some(prefix);
                }
            } else if ipvlan.name.is_some() {
                let message = format!("({label}) IPVLAN interface already specified - ignoring '{text}'");
                self.say(code::REPEATED, word.span, message);
            } else if text.len() > INTERFACE_MAX {
                let message = format!("({label}) IPVLAN interface name '{text}' too long - ignoring");
                self.say(code::NAME_LENGTH, word.span, message);
            } else {
                ipvlan.name = Some(name_of(word));
            }
        }
        draft.instance.ipvlan = Some(Box::new(ipvlan));
    }

    fn source_address(&mut self, line: &Line, label: &str, draft: &mut InstanceDraft) {
        let Some(word) = self.word(line, 1) else { return };
        let text = &word.text;
        let Ok(address) = text.parse::<IpAddr>() else {
            let message = format!(
                "Configuration error: VRRP instance[{label}] malformed src address[{text}]. Skipping..."
            );
            return self.say(code::ADDRESS, word.span, message);
        };
        let family = Family::of(address);
        if draft.family.is_some_and(|known| known != family) {
            let message = format!(
                "Configuration error: VRRP instance[{label}] and src address[{text}] MUST be of the same family !!! Skipping..."
            );
            return self.say(code::ADDRESS, word.span, message);
        }
        draft.family = Some(family);
        draft.instance.source_address = Some(address);
        draft.instance.source_place = Some(word.span);
    }

    fn multicast_destination(&mut self, line: &Line, label: &str, draft: &mut InstanceDraft) {
        let Some(word) = self.word(line, 1) else { return };
        let text = &word.text;
        let Ok(address) = text.parse::<IpAddr>() else {
            let message = format!("({label}) malformed mcast dest address {text}. Skipping...");
            return self.say(code::ADDRESS, word.span, message);
        };
        let family = Family::of(address);
        let link_local = match address {
            IpAddr::V4(_) => true,
            IpAddr::V6(address) => address.segments().first().is_some_and(|first| first & 0xff0f == 0xff02),
        };
        if draft.family.is_some_and(|known| known != family) {
            let message =
                format!("({label}) mcast dest address {text} MUST match VRRP instance family. Skipping...");
            return self.say(code::ADDRESS, word.span, message);
        }
        if !address.is_multicast() || !link_local {
            let kind = if family == Family::V6 { " link-local" } else { "" };
            let message = format!("({label}) mcast_dst_ip {text} not{kind} multicast. Skipping...");
            return self.say(code::ADDRESS, word.span, message);
        }
        draft.family = Some(family);
        draft.multicast_group = Some((address, word.span));
    }
}
