//! `real_server`.

use super::server::ServerDraft;
use super::{Draft, Lower};
use crate::code;
use crate::model::{Family, Forwarding, RealServer, Timing};
use crate::tree::Node;
use crate::word::Word;
use std::net::IpAddr;

impl Lower<'_> {
    pub(crate) fn real_server(
        &mut self,
        node: &Node,
        one: &mut ServerDraft,
        draft: &mut Draft,
    ) -> Option<RealServer> {
        let line = &node.line;
        let word = self.word(line, 1)?;
        let port_word = line.words.get(2);
        let port = match port_word {
            None => Some(0),
            Some(word) => self.port_or_all(word),
        };
        let (Ok(address), Some(port)) = (word.text.parse::<IpAddr>(), port) else {
            let port = port_word.map_or("", |port| port.text.as_str());
            let message = format!("Invalid real server ip address/port {}/{port} - skipping", word.text);
            self.say(code::ADDRESS, word.span, message);
            return None;
        };
        let mut server = RealServer {
            address,
            port,
            weight: one.weight,
            forwarding: one.forwarding.unwrap_or_default(),
            upper_threshold: one.upper_threshold,
            lower_threshold: one.lower_threshold,
            timing: Timing::default(),
            slow_start: one.slow_start,
            drain: one.drain,
            inhibit_on_failure: one.inhibit,
            notify_up: None,
            notify_down: None,
            smtp_alert: None,
            virtual_host: None,
            snmp_name: None,
            checkers: Vec::new(),
            place: Some(line.span),
        };
        let mut timing = Timing::default();
        let mut own_method = None;
        for child in &node.body {
            if !super::is_checker_node(child) {
                self.real_server_line(child, &mut server, &mut timing, &mut own_method, draft);
            }
        }
        let own = timing.over(&one.timing);
        server.timing = own;
        for child in &node.body {
            if super::is_checker_node(child)
                && let Some(checker) = self.checker(child, &server, one, &own, draft)
            {
                server.checkers.push(checker);
            }
        }
        match own_method {
            Some(own) => server.forwarding = own,
            None => one.inherits_forwarding = true,
        }
        // What it inherits is what has been said up to here.
        let tunnelled = matches!(own_method.or(one.forwarding), Some(Forwarding::Tunnel(_)));
        if !tunnelled && *one.family.get_or_insert(Family::of(address)) != Family::of(address) {
            let message = format!(
                "Address family of virtual server and real server {address} don't match - skipping real server."
            );
            self.say(code::REAL_SERVER, node.end, message);
            return None;
        }
        Some(server)
    }

    fn real_server_line(
        &mut self,
        node: &Node,
        server: &mut RealServer,
        timing: &mut Timing,
        own_method: &mut Option<Forwarding>,
        draft: &mut Draft,
    ) {
        let line = &node.line;
        let name = node.keyword.name;
        if self.timing(line, name, "real server ", timing) {
            return;
        }
        match name {
            "weight" => {
                let Some(word) = self.word(line, 1) else { return };
                match self.unsigned(word, 0, 2_147_483_647) {
                    Some(weight) => server.weight = u16::try_from(weight).unwrap_or(u16::MAX),
                    None => {
                        let message =
                            format!("Real server weight {} is outside range 0-2147483647", word.text);
                        self.say(code::NUMBER, word.span, message);
                    }
                }
            }
            "lvs_method" => {
                *own_method = self.forwarding(line, "real").or(*own_method);
            }
            "uthreshold" | "lthreshold" => {
                let slot = if name == "uthreshold" {
                    &mut server.upper_threshold
                } else {
                    &mut server.lower_threshold
                };
                self.threshold(line, name, "real_server", slot);
            }
            "slow_start" => self.span_of_time(line, name, &mut server.slow_start),
            "drain" => self.span_of_time(line, name, &mut server.drain),
            "inhibit_on_failure" => {
                let message = |value: &str| format!("Invalid inhibit_on_failure parameter {value}");
                server.inhibit_on_failure = self.switch(line, message).unwrap_or(server.inhibit_on_failure);
            }
            "notify_up" | "notify_down" => {
                let slot = if name == "notify_up" { &mut server.notify_up } else { &mut server.notify_down };
                if slot.is_some() {
                    let given = line.words.get(1).map_or("", |word| word.text.as_str());
                    let message = format!("((null)) {name} script already specified - ignoring {given}");
                    return self.say(code::REPEATED, line.span, message);
                }
                *slot = self.script(line, "notify");
                draft.runs_scripts[1] |= slot.is_some();
            }
            "smtp_alert" => {
                let message = |value: &str| format!("Invalid real_server smtp_alert parameter {value}");
                server.smtp_alert = self.switch(line, message).or(server.smtp_alert);
            }
            "virtualhost" => server.virtual_host = self.value_or(line, "real server virtualhost missing"),
            "snmp_name" => server.snmp_name = self.value_or(line, "snmp_name missing"),
            _ => {}
        }
    }

    /// A port; 0, in any number of digits, means all.
    pub(crate) fn port_or_all(&mut self, word: &Word) -> Option<u16> {
        if !word.text.is_empty() && word.text.bytes().all(|byte| byte == b'0') {
            return Some(0);
        }
        self.unsigned(word, 1, 65535).and_then(|port| u16::try_from(port).ok())
    }
}
