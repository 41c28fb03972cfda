//! Lines of `virtual_rules` and `static_rules`.

use super::{Lower, name_of};
use crate::code;
use crate::model::{Family, Rule, RuleAction};
use crate::word::{Line, Word};
use std::ops::RangeInclusive;
use std::str::FromStr;

impl Lower<'_> {
    /// A rule; `None` when the line is left out.
    pub(crate) fn rule(&mut self, line: &Line, fixed: bool) -> Option<Rule> {
        let mut rule = Rule {
            family: Family::V4,
            invert: false,
            from: None,
            to: None,
            input_interface: None,
            output_interface: None,
            tos: 0,
            fwmark: None,
            preference: None,
            realms: None,
            tunnel_id: None,
            suppress_prefix_length: None,
            suppress_interface_group: None,
            uid_range: None,
            ip_protocol: None,
            source_ports: None,
            destination_ports: None,
            protocol: None,
            action: RuleAction::Table(0),
            no_track: false,
            track_group: None,
            place: Some(line.span),
        };
        let (mut family, mut action) = (None, None);
        let mut index = 0;
        while let Some(word) = line.words.get(index) {
            let keyword = word.text.as_str();
            index += 1;
            let act = match keyword {
                "inet" | "inet6" => {
                    self.same_family(
                        line,
                        &mut family,
                        if keyword == "inet" { Family::V4 } else { Family::V6 },
                    )?;
                    continue;
                }
                "not" => {
                    rule.invert = true;
                    continue;
                }
                "no_track" if !fixed => {
                    rule.no_track = true;
                    continue;
                }
                "l3mdev" => Some(RuleAction::L3mdev),
                "nop" => Some(RuleAction::Nop),
                "blackhole" => Some(RuleAction::Blackhole),
                "unreachable" => Some(RuleAction::Unreachable),
                "prohibit" => Some(RuleAction::Prohibit),
                "unicast" | "type" => continue,
                _ => None,
            };
            if let Some(act) = act {
                self.rule_action(word, &mut action, act)?;
                continue;
            }
            let value = match line.words.get(index) {
                None if !VALUED.contains(&keyword) => {
                    return self.no_rule(word, format!("Unknown rule option {keyword}"));
                }
                _ => self.word(line, index)?,
            };
            index += 1;
            match keyword {
                "table" | "lookup" => {
                    let Some(table) = self.table(&value.text) else {
                        return self
                            .no_rule(value, format!("Routing table {} not found for rule", value.text));
                    };
                    if table == 0 {
                        return self.no_rule(value, "Table 0 is not valid".to_owned());
                    }
                    self.rule_action(value, &mut action, RuleAction::Table(table))?;
                }
                "goto" => {
                    let Some(target) = self.unsigned(value, 0, u32::MAX) else {
                        return self.no_rule(value, format!("Invalid target {} specified", value.text));
                    };
                    self.rule_action(value, &mut action, RuleAction::Goto(target))?;
                }
                "from" | "to" => {
                    let prefix = if matches!(value.text.as_str(), "all" | "any" | "default") {
                        None
                    } else {
                        let Some(prefix) = self.route_prefix(value) else {
                            return self
                                .no_rule(value, format!("Invalid rule {keyword} address {}", value.text));
                        };
                        self.same_family(line, &mut family, Family::of(prefix.address))?;
                        Some(prefix)
                    };
                    if keyword == "from" { rule.from = prefix } else { rule.to = prefix }
                }
                "track_group" if fixed => rule.track_group = Some(name_of(value)),
                _ if VALUED.contains(&keyword) => self.rule_value(word, value, &mut rule)?,
                _ => return self.no_rule(word, format!("Unknown rule option {keyword}")),
            }
        }
        rule.family = family.unwrap_or(Family::V4);
        let Some(action) = action else {
            return self.no_rule_at(line, "No action specified for rule - ignoring".to_owned());
        };
        rule.action = action;
        if let (RuleAction::Goto(target), preference) = (action, rule.preference) {
            let message = match preference {
                None => Some(format!("Invalid rule - goto target {target} specified without preference")),
                Some(preference) if target <= preference => {
                    Some(format!("Invalid rule - preference {preference} >= goto target {target}"))
                }
                Some(_) => None,
            };
            if let Some(message) = message {
                return self.no_rule_at(line, message);
            }
        }
        if rule.preference.is_none() {
            let counter = match rule.family {
                Family::V4 => &mut self.next_rule[0],
                Family::V6 => &mut self.next_rule[1],
            };
            let preference = *counter;
            *counter = counter.saturating_sub(1);
            rule.preference = Some(preference);
            let message = format!(
                "Rule has no preference specified - setting to {preference}. This is probably not what you want."
            );
            self.say(code::RULE, line.span, message);
        }
        Some(rule)
    }

    fn no_rule<T>(&mut self, word: &Word, message: String) -> Option<T> {
        self.say(code::RULE, word.span, message);
        None
    }

    fn no_rule_at<T>(&mut self, line: &Line, message: String) -> Option<T> {
        self.say(code::RULE, line.span, message);
        None
    }

    fn same_family(&mut self, line: &Line, family: &mut Option<Family>, found: Family) -> Option<()> {
        if family.is_some_and(|family| family != found) {
            return self.no_rule_at(line, "rule specification has mixed IPv4 and IPv6".to_owned());
        }
        *family = Some(found);
        Some(())
    }

    fn rule_action(&mut self, word: &Word, slot: &mut Option<RuleAction>, action: RuleAction) -> Option<()> {
        if slot.is_some() {
            let message =
                "Cannot specify more than one of table/nop/goto/blackhole/prohibit/unreachable for rule";
            return self.no_rule(word, message.to_owned());
        }
        *slot = Some(action);
        Some(())
    }

    fn rule_value(&mut self, option: &Word, value: &Word, rule: &mut Rule) -> Option<()> {
        let text = value.text.as_str();
        match option.text.as_str() {
            "iif" | "dev" | "oif" => {
                if self.interfaces.find(text).is_none() {
                    let message = format!("WARNING - interface {text} for rule doesn't exist");
                    self.say(code::INTERFACE, value.span, message);
                }
                let slot =
                    if option.text == "oif" { &mut rule.output_interface } else { &mut rule.input_interface };
                *slot = Some(name_of(value));
            }
            "tos" | "dsfield" => {
                let tos = self.named_number("rt_dsfield", text, 16).and_then(|tos| u8::try_from(tos).ok());
                let Some(tos) = tos else {
                    return self.no_rule(value, format!("TOS value {text} is invalid"));
                };
                rule.tos = tos;
            }
            "fwmark" => {
                let (mark, mask) = text.split_once('/').unwrap_or((text, "0xffffffff"));
                let (Some(mark), Some(mask)) = (c_number(mark), c_number(mask)) else {
                    return self.no_rule(value, format!("Invalid rule fwmark {text} specified"));
                };
                rule.fwmark = Some((mark, mask));
            }
            "preference" | "priority" | "order" => {
                let Some(preference) = self.unsigned(value, 0, u32::MAX) else {
                    return self.no_rule(value, format!("Invalid rule preference {} specified", option.text));
                };
                rule.preference = Some(preference);
            }
            "realms" => {
                let Some(realms) = self.realms(text) else {
                    return self.no_rule(value, format!("invalid realms {text} for rule"));
                };
                rule.realms = Some(realms);
            }
            "tunnel-id" | "tun_id" => {
                let Some(id) = self.unsigned64(value, 0, u64::MAX) else {
                    return self.no_rule(value, format!("Invalid tunnel-id {text} specified"));
                };
                rule.tunnel_id = Some(id);
            }
            "suppress_prefixlength" | "sup_pl" => {
                let Some(length) = self.unsigned(value, 0, 255).and_then(|length| u8::try_from(length).ok())
                else {
                    return self.no_rule(value, format!("Invalid suppress_prefixlength {text} specified"));
                };
                rule.suppress_prefix_length = Some(length);
            }
            "suppress_ifgroup" | "sup_group" => {
                let Some(group) = self.named_number("group", text, 10) else {
                    return self.no_rule(value, format!("suppress_group {text} is invalid"));
                };
                rule.suppress_interface_group = Some(group);
            }
            "uidrange" => {
                let Some(range) = range::<u32>(text, false) else {
                    return self.no_rule(value, format!("Invalid uidrange {} specified", option.text));
                };
                rule.uid_range = Some(range);
            }
            "ipproto" | "ip_proto" => {
                let lower = text.to_ascii_lowercase();
                let number = lower.parse().ok().or_else(|| self.reader.ip_protocol(&lower));
                if number.is_none() {
                    self.say(code::RULE, value.span, format!("Invalid ipproto {text}"));
                }
                rule.ip_protocol = number;
            }
            which @ ("sport" | "dport") => {
                let ports = range::<u16>(text, true);
                if ports.is_none() {
                    self.say(code::RULE, value.span, format!("invalid {which} range {text}"));
                }
                let slot =
                    if which == "sport" { &mut rule.source_ports } else { &mut rule.destination_ports };
                *slot = ports;
            }
            _ => match self.unsigned(value, 0, 255).and_then(|number| u8::try_from(number).ok()) {
                Some(protocol) => rule.protocol = Some(protocol),
                None => self.say(code::RULE, value.span, format!("Invalid protocol {text}")),
            },
        }
        Some(())
    }
}

/// Options with a value.
const VALUED: [&str; 30] = [
    "table",
    "lookup",
    "goto",
    "from",
    "to",
    "track_group",
    "iif",
    "dev",
    "oif",
    "tos",
    "dsfield",
    "fwmark",
    "preference",
    "priority",
    "order",
    "realms",
    "tunnel-id",
    "tun_id",
    "suppress_prefixlength",
    "sup_pl",
    "suppress_ifgroup",
    "sup_group",
    "uidrange",
    "ipproto",
    "ip_proto",
    "sport",
    "dport",
    "protocol",
    "ip-proto",
    "realm",
];

/// A number in C's notation.
fn c_number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None if text.len() > 1 && text.starts_with('0') => u32::from_str_radix(text, 8).ok(),
        None => text.parse().ok(),
    }
}

/// `LOW-HIGH`, or one number when `single` says so.
fn range<T: FromStr + PartialOrd + Copy>(text: &str, single: bool) -> Option<RangeInclusive<T>> {
    match text.split_once('-') {
        Some((low, high)) => Some(low.parse().ok()?..=high.parse().ok()?),
        None if single => {
            let one: T = text.parse().ok()?;
            Some(one..=one)
        }
        None => None,
    }
}
