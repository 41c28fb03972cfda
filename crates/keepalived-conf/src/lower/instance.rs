//! `vrrp_instance`.

use super::number::Times;
use super::sync_group::runs_scripts;
use super::{Draft, Lower, name_of};
use crate::code;
use crate::model::{
    Authentication, Family, Garp, Global, InitialState, Instance, Notify, Tracking, UnicastChecksum,
    UnicastPeer, Version,
};
use crate::tree::Node;
use crate::word::Line;
use diag::{Diagnostic, Span};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// Characters of an interface's name.
pub(crate) const INTERFACE_MAX: usize = 15;

/// An instance whose defaults are not settled yet.
#[derive(Clone, Debug)]
pub(crate) struct InstanceDraft {
    pub(crate) instance: Instance,
    pub(crate) family: Option<Family>,
    pub(crate) version: Option<Version>,
    pub(crate) priority: Option<u8>,
    pub(crate) virtual_router_id: Option<u8>,
    pub(crate) auth_type: Option<bool>,
    pub(crate) auth_pass: Option<[u8; 8]>,
    /// `accept` or `no_accept`.
    pub(crate) accept: Option<bool>,
    pub(crate) multicast_group: Option<(IpAddr, Span)>,
    /// Whether a keyword for unicast was used.
    pub(crate) wants_unicast: bool,
    /// What of `garp_…` was said.
    pub(crate) lower_delay_written: bool,
    pub(crate) lower_repeat_written: bool,
    pub(crate) strict: Option<bool>,
    /// VMAC's MAC was written with five octets.
    pub(crate) short_mac: bool,
    pub(crate) span: Span,
}

impl Lower<'_> {
    pub(crate) fn instance(&mut self, node: &Node, draft: &mut Draft) {
        let Some(name) = self.name(&node.line) else { return };
        let mut one = new(&draft.config.global, name, node.line.span);
        for child in &node.body {
            self.instance_line(child, &mut one, draft);
        }
        let unicast = one.wants_unicast || !one.instance.unicast_peers.is_empty();
        if one.instance.vmac.is_some() && unicast && !one.instance.vmac_xmit_base {
            let label = &one.instance.name.text;
            let message = format!("({label}) unicast with use_vmac requires vmac_xmit_base - setting");
            self.say(code::VMAC, node.end, message);
            one.instance.vmac_xmit_base = true;
        }
        if one.instance.unicast_ttl.is_some() && one.instance.unicast_peers.is_empty() {
            let label = &one.instance.name.text;
            let message = format!("({label}): Cannot use unicast_ttl without unicast peers - resetting");
            self.say(code::UNICAST, node.end, message);
            one.instance.unicast_ttl = None;
        }
        draft.runs_scripts[0] |= runs_scripts(&one.instance.notify);
        draft.instances.push(one);
    }

    fn instance_line(&mut self, node: &Node, draft: &mut InstanceDraft, all: &Draft) {
        let line = &node.line;
        let label = draft.instance.name.text.clone();
        match node.keyword.name {
            "state" => {
                let Some(word) = self.word(line, 1) else { return };
                match (word.text.as_str(), draft.instance.state) {
                    ("MASTER", _) => draft.instance.state = InitialState::Master,
                    ("BACKUP", InitialState::Master) => {
                        let message = format!("({label}) state previously set as MASTER - ignoring BACKUP");
                        self.say(code::REPEATED, word.span, message);
                    }
                    ("BACKUP", InitialState::Backup) => {}
                    (other, _) => {
                        let message = format!("({label}) unknown state '{other}', defaulting to BACKUP");
                        self.say(code::CHOICE, word.span, message);
                        draft.instance.state = InitialState::Backup;
                    }
                }
            }
            "interface" => self.instance_interface(line, draft),
            "lvs_sync_daemon_interface" => self.lvs_sync_interface(line, draft, all),
            "vrf" => self.instance_vrf(line, draft),
            "virtual_router_id" => {
                let Some(word) = self.word(line, 1) else { return };
                match self.unsigned(word, 1, 255).and_then(|id| u8::try_from(id).ok()) {
                    Some(id) => draft.virtual_router_id = Some(id),
                    None => {
                        let text = &word.text;
                        let message = format!("({label}): VRID '{text}' not valid - must be between 1 & 255");
                        self.say(code::NUMBER, word.span, message);
                    }
                }
            }
            "priority" => {
                let Some(word) = self.word(line, 1) else { return };
                draft.priority = self.unsigned(word, 1, 255).and_then(|priority| u8::try_from(priority).ok());
                if draft.priority.is_none() {
                    let message =
                        format!("({label}) Priority not valid! must be between 1 & 255. Using default 100");
                    self.say(code::NUMBER, word.span, message);
                    draft.priority = Some(100);
                }
            }
            "advert_int" => {
                let Some(word) = self.word(line, 1) else { return };
                match self.time(word, Times { least: 10_000, most: 255_000_000, lenient: false }) {
                    Some(time) => draft.instance.advert_interval = time,
                    None => {
                        let text = &word.text;
                        let message =
                            format!("({label}) Advert interval ({text}) not valid! Must be > 0 - ignoring");
                        self.say(code::TIME, word.span, message);
                    }
                }
            }
            "version" => {
                let Some(word) = self.word(line, 1) else { return };
                let version = match self.unsigned(word, 2, 3) {
                    Some(2) => Version::V2,
                    Some(_) => Version::V3,
                    None => {
                        let message = format!("({label}): Version must be either 2 or 3");
                        return self.say(code::VERSION, word.span, message);
                    }
                };
                if version == Version::V2
                    && (draft.version == Some(Version::V3) || draft.family == Some(Family::V6))
                {
                    let deduced = if draft.version == Some(Version::V3) { 3 } else { 0 };
                    let message = format!(
                        "({label}) vrrp_version 2 conflicts with configured or deduced version {deduced}; ignoring."
                    );
                    return self.say(code::VERSION, word.span, message);
                }
                draft.version = Some(version);
            }
            "native_ipv6" => {
                if draft.family == Some(Family::V4) {
                    let message = format!("({label}) Cannot specify native_ipv6 with IPv4 addresses");
                    return self.say(code::VERSION, line.span, message);
                }
                draft.family = Some(Family::V6);
                draft.version = Some(Version::V3);
            }
            "authentication" => {
                for child in &node.body {
                    self.authentication(child, &label, draft);
                }
            }
            "virtual_ipaddress" => self.virtual_addresses(node, draft),
            "virtual_ipaddress_excluded" => {
                for line in &node.values {
                    let Some(address) = self.address(line, false) else { continue };
                    draft.instance.excluded_addresses.push(address);
                }
            }
            "virtual_routes" => {
                for line in &node.values {
                    let Some(route) = self.route(line, false) else { continue };
                    draft.instance.routes.push(route);
                }
            }
            "virtual_rules" => {
                for line in &node.values {
                    let Some(rule) = self.rule(line, false) else { continue };
                    draft.instance.rules.push(rule);
                }
            }
            "unicast_peer" => {
                draft.wants_unicast = true;
                for line in &node.values {
                    self.unicast_peer(line, &label, draft);
                }
            }
            _ => {
                self.tracking(node, &label, &mut draft.instance.track, all);
                if !self.notify(node, &format!("({label})"), &mut draft.instance.notify) {
                    self.instance_option(node, &label, draft);
                }
            }
        }
    }

    fn instance_interface(&mut self, line: &Line, draft: &mut InstanceDraft) {
        let Some(word) = self.word(line, 1) else { return };
        let (label, name) = (&draft.instance.name.text, &word.text);
        if name.len() > INTERFACE_MAX {
            return self.say(
                code::NAME_LENGTH,
                word.span,
                format!("Interface name '{name}' too long - ignoring"),
            );
        }
        match self.interfaces.find(name) {
            None => {
                let message = format!("WARNING - interface {name} for vrrp_instance {label} doesn't exist");
                self.no_interface(word.span, message);
            }
            Some(facts) if facts.loopback => {
                let message =
                    format!("({label}) cannot use a loopback interface ({name}) for vrrp - ignoring");
                return self.say(code::INTERFACE, word.span, message);
            }
            Some(_) => {}
        }
        draft.instance.interface = Some(name_of(word));
    }

    fn instance_vrf(&mut self, line: &Line, draft: &mut InstanceDraft) {
        let Some(word) = self.word(line, 1) else { return };
        let label = &draft.instance.name.text;
        if word.text.len() > INTERFACE_MAX {
            let message = format!("({label}) VRF interface name '{}' too long - ignoring", word.text);
            return self.say(code::NAME_LENGTH, word.span, message);
        }
        if draft.instance.interface.is_some() {
            let message = format!("({label}) Cannot specify VRF interface and interface - ignoring");
            return self.say(code::INTERFACE, word.span, message);
        }
        if let Some(vrf) = &draft.instance.vrf {
            let message = format!("({label}) VRF interface already specified as '{}' - ignoring", vrf.text);
            return self.say(code::REPEATED, word.span, message);
        }
        if self.interfaces.find(&word.text).is_none() {
            let message = format!("({label}) WARNING - VRF interface {} doesn't exist", word.text);
            self.no_interface(word.span, message);
        }
        draft.instance.vrf = Some(Box::new(name_of(word)));
    }

    fn authentication(&mut self, node: &Node, label: &str, draft: &mut InstanceDraft) {
        let Some(word) = self.word(&node.line, 1) else { return };
        if node.keyword.name == "auth_type" {
            match word.text.as_str() {
                "PASS" => draft.auth_type = Some(false),
                "AH" => draft.auth_type = Some(true),
                other => {
                    let message = format!("({label}) unknown authentication type '{other}'");
                    self.say(code::AUTHENTICATION, word.span, message);
                }
            }
            return;
        }
        let bytes = word.text.as_bytes();
        let mut password = [0; 8];
        for (slot, byte) in password.iter_mut().zip(bytes) {
            *slot = *byte;
        }
        if bytes.len() > password.len() {
            let message = "Truncating auth_pass to 8 characters";
            let note = "only the first eight characters are ever sent; both routers must agree on those";
            self.report.push(Diagnostic::warning(code::PASSWORD_LENGTH, message).at(word.span).note(note));
        }
        draft.auth_pass = Some(password);
    }

    fn virtual_addresses(&mut self, node: &Node, draft: &mut InstanceDraft) {
        for line in &node.values {
            let Some(address) = self.address(line, false) else { continue };
            let family = address.family();
            if draft.family.is_some_and(|known| known != family) {
                let label = &draft.instance.name.text;
                let shown = line.words.first().map_or("", |word| word.text.as_str());
                let message =
                    format!("({label}): address family must match VRRP instance [{shown}] - ignoring");
                self.say(code::ADDRESS, line.span, message);
                continue;
            }
            draft.family = Some(family);
            draft.instance.addresses.push(address);
        }
    }

    fn unicast_peer(&mut self, line: &Line, label: &str, draft: &mut InstanceDraft) {
        let Some(word) = line.words.first() else { return };
        let text = &word.text;
        let Ok(address) = text.parse::<IpAddr>() else {
            let message = format!(
                "Configuration error: VRRP instance[{label}] malformed unicast peer address[{text}]. Skipping..."
            );
            return self.say(code::ADDRESS, word.span, message);
        };
        let family = Family::of(address);
        if draft.family.is_some_and(|known| known != family) {
            let message = format!(
                "Configuration error: VRRP instance[{label}] and unicast peer address[{text}] MUST be of the same family !!! Skipping..."
            );
            return self.say(code::ADDRESS, word.span, message);
        }
        draft.family = Some(family);
        let mut peer = UnicastPeer { address, min_ttl: 0, max_ttl: 255, place: Some(word.span) };
        let mut words = line.arguments().iter();
        while let Some(option) = words.next() {
            let Some(value) = words.next() else {
                let message = format!("({label}) {} is missing a value", option.text);
                self.say(code::MISSING_PARAMETER, option.span, message);
                break;
            };
            let slot = match option.text.as_str() {
                "min_ttl" => &mut peer.min_ttl,
                "max_ttl" => &mut peer.max_ttl,
                other => {
                    let message = format!("({label}) unknown unicast_peer option {other}");
                    self.say(code::EXCESS, option.span, message);
                    continue;
                }
            };
            if let Some(ttl) = self.unsigned(value, 0, 255).and_then(|ttl| u8::try_from(ttl).ok()) {
                *slot = ttl;
                draft.instance.check_unicast_source = true;
            }
        }
        if peer.min_ttl > peer.max_ttl {
            let message = format!(
                "({label}) min_ttl {} > max_ttl {} - all packets will be discarded",
                peer.min_ttl, peer.max_ttl
            );
            self.say(code::UNICAST, line.span, message);
        }
        draft.instance.unicast_peers.push(peer);
    }
}

fn new(global: &Global, name: crate::model::Name, span: Span) -> InstanceDraft {
    let vrrp = &global.vrrp;
    let instance = Instance {
        name,
        interface: None,
        vrf: None,
        family: Family::V4,
        virtual_router_id: 0,
        priority: 100,
        state: InitialState::Backup,
        version: vrrp.version,
        advert_interval: Duration::from_secs(1),
        authentication: None::<Authentication>,
        addresses: Vec::new(),
        excluded_addresses: Vec::new(),
        routes: Vec::new(),
        rules: Vec::new(),
        no_virtual_addresses: false,
        nopreempt: false,
        preempt_delay: Duration::ZERO,
        timer_expired_backup: false,
        vmac: None,
        vmac_addr: false,
        vmac_xmit_base: false,
        ipvlan: None,
        unicast_peers: Vec::new(),
        unicast_fault_no_peer: false,
        source_address: None,
        source_place: None,
        track_source_address: false,
        multicast_group: Ipv4Addr::new(224, 0, 0, 18).into(),
        unicast_ttl: None,
        check_unicast_source: vrrp.check_unicast_source,
        unicast_checksum: UnicastChecksum::Auto,
        v3_checksum_as_v2: vrrp.v3_checksum_as_v2,
        accept: true,
        strict: vrrp.strict,
        skip_check_advert_addresses: vrrp.skip_check_advert_addresses,
        lower_priority_no_advert: vrrp.lower_priority_no_advert,
        higher_priority_send_advert: vrrp.higher_priority_send_advert,
        owner_ignore_adverts: vrrp.owner_ignore_adverts,
        down_timer_adverts: vrrp.down_timer_adverts,
        garp: Garp { ..vrrp.garp },
        dont_track_primary: false,
        promote_secondaries: false,
        linkbeat_polling: false,
        track: Tracking::default(),
        notify: Notify::default(),
        lvs_sync_interface: None,
        receive_buffer: 0,
        debug: 0,
    };
    InstanceDraft {
        instance,
        family: None,
        version: None,
        priority: None,
        virtual_router_id: None,
        auth_type: None,
        auth_pass: None,
        accept: None,
        multicast_group: None,
        wants_unicast: false,
        lower_delay_written: false,
        lower_repeat_written: false,
        strict: None,
        short_mac: false,
        span,
    }
}
