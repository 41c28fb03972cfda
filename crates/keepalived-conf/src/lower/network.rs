//! `linkbeat_interfaces`, `interface_up_down_delays`, `garp_group`, `static_…`.

use super::number::Times;
use super::{Draft, Lower, is_garp_group_of, name_of};
use crate::code;
use crate::model::{GarpGroup, InterfaceDelay, Linkbeat, LinkbeatType};
use crate::tree::Node;
use crate::word::Word;
use std::time::Duration;

/// The longest delay of an interface: 255 s.
const MAX_DELAY: u64 = 255_000_000;

impl Lower<'_> {
    pub(crate) fn linkbeat(&mut self, node: &Node, draft: &mut Draft) {
        for line in &node.values {
            let Some(word) = line.words.first() else { continue };
            if !self.exists(word) {
                let message = format!("unknown interface {} specified for linkbeat interface", word.text);
                self.say(code::INTERFACE, word.span, message);
                continue;
            }
            let mut method = LinkbeatType::Any;
            if let Some(extra) = line.words.get(1) {
                method = match extra.text.as_str() {
                    "MII" => LinkbeatType::Mii,
                    "ETHTOOL" => LinkbeatType::Ethtool,
                    "IOCTL" => LinkbeatType::Ioctl,
                    other => {
                        let message = format!("extra characters {other} in linkbeat interface");
                        self.say(code::EXCESS, extra.span, message);
                        LinkbeatType::Any
                    }
                };
            }
            draft.config.linkbeat_interfaces.push(Linkbeat { interface: name_of(word), method });
        }
    }

    fn exists(&self, word: &Word) -> bool {
        self.interfaces.find(&word.text).is_some()
    }

    pub(crate) fn interface_delays(&mut self, node: &Node, draft: &mut Draft) {
        for line in &node.values {
            let Some(word) = line.words.first() else { continue };
            let name = &word.text;
            if !self.exists(word) {
                let message = format!("unknown interface {name} specified for up/down delay");
                self.say(code::INTERFACE, word.span, message);
                continue;
            }
            let Some(down) = line.words.get(1) else {
                let message = format!("No timeouts specified for {name} up/down delays");
                self.say(code::MISSING_PARAMETER, word.span, message);
                continue;
            };
            if let Some(extra) = line.words.get(3) {
                self.say(code::EXCESS, extra.span, format!("Too many parameters for {name} up/down delays"));
            }
            let times = Times { least: 0, most: MAX_DELAY, lenient: true };
            let Some(down_delay) = self.time(down, times) else {
                self.say(code::TIME, down.span, format!("Invalid down delay {} for {name}", down.text));
                continue;
            };
            let up_delay = match line.words.get(2) {
                None => Some(down_delay),
                Some(up) => {
                    let time = self.time(up, times);
                    if time.is_none() {
                        self.say(code::TIME, up.span, format!("Invalid up delay {} for {name}", up.text));
                    }
                    time
                }
            };
            let Some(up) = up_delay else { continue };
            let interface = name_of(word);
            draft.config.interface_delays.push(InterfaceDelay { interface, down: down_delay, up });
        }
    }

    pub(crate) fn garp_group(&mut self, node: &Node, draft: &mut Draft) {
        let mut group = GarpGroup { place: Some(node.line.span), ..GarpGroup::default() };
        for child in &node.body {
            let line = &child.line;
            match child.keyword.name {
                name @ ("garp_interval" | "gna_interval") => {
                    let Some(word) = self.word(line, 1) else { continue };
                    let time = self.time(word, Times { least: 1, most: 0, lenient: true });
                    if time.is_none() {
                        self.say(code::TIME, word.span, format!("garp_group {name} '{}' invalid", word.text));
                        continue;
                    }
                    if time >= Some(Duration::from_secs(1)) {
                        let message = format!("The {name} is very large - {} seconds", word.text);
                        self.say(code::TIME, word.span, message);
                    }
                    if name == "garp_interval" {
                        group.garp_interval = time
                    } else {
                        group.gna_interval = time
                    }
                }
                _ => {
                    let listed = child.values.iter().flat_map(|line| &line.words);
                    let words: Vec<&Word> = line.arguments().iter().take(1).chain(listed).collect();
                    for word in words {
                        self.garp_interface(word, child.end, &mut group, draft);
                    }
                }
            }
        }
        if group.garp_interval.is_none() && group.gna_interval.is_none() {
            let number = draft.config.garp_groups.len();
            let message = format!("garp group {number} does not have any delay set - removing");
            return self.say(code::TIME, node.end, message);
        }
        draft.config.garp_groups.push(group);
    }

    fn garp_interface(&mut self, word: &Word, end: diag::Span, group: &mut GarpGroup, draft: &Draft) {
        let name = &word.text;
        if !self.exists(word) {
            let message = format!("WARNING - interface {name} specified for garp_group doesn't exist");
            self.say(code::INTERFACE, end, message);
        } else if is_garp_group_of(group, name)
            || draft.config.garp_groups.iter().any(|group| is_garp_group_of(group, name))
        {
            let message = format!("garp_group already specified for {name} - ignoring");
            return self.say(code::REPEATED, end, message);
        }
        group.interfaces.push(name_of(word));
    }

    pub(crate) fn static_addresses(&mut self, node: &Node, draft: &mut Draft) {
        for line in &node.values {
            let Some(address) = self.address(line, true) else { continue };
            draft.config.static_addresses.push(address);
        }
    }

    pub(crate) fn static_routes(&mut self, node: &Node, draft: &mut Draft) {
        for line in &node.values {
            let Some(route) = self.route(line, true) else { continue };
            draft.config.static_routes.push(route);
        }
    }

    pub(crate) fn static_rules(&mut self, node: &Node, draft: &mut Draft) {
        for line in &node.values {
            let Some(rule) = self.rule(line, true) else { continue };
            draft.config.static_rules.push(rule);
        }
    }
}
