//! `virtual_server_group`.

use super::{Draft, Lower};
use crate::code;
use crate::model::{Family, GroupEntry, VirtualServerGroup};
use crate::tree::Node;
use crate::word::Line;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

impl Lower<'_> {
    pub(crate) fn server_group(&mut self, node: &Node, draft: &mut Draft) {
        let Some(name) = self.name(&node.line) else { return };
        let mut group = VirtualServerGroup { name, entries: Vec::new() };
        for line in &node.values {
            if let Some(entry) = self.group_entry(line, &group.name.text.clone()) {
                group.entries.push(entry);
            }
        }
        let label = &group.name.text;
        if group.entries.is_empty() {
            let message = format!("virtual server group {label} has no entries - removing");
            return self.say(code::VIRTUAL_SERVER, node.end, message);
        }
        let has = |wanted: Option<Family>| {
            group.entries.iter().any(|entry| match entry {
                GroupEntry::Addresses { first, .. } => wanted == Some(Family::of(*first)),
                GroupEntry::Mark { family, .. } => wanted.is_none() && family.is_none(),
            })
        };
        if has(Some(Family::V4)) && has(Some(Family::V6)) && has(None) {
            let message = format!(
                "virtual server group {label} cannot have IPv4, IPv6 and fwmark without family - removing"
            );
            return self.say(code::VIRTUAL_SERVER, node.end, message);
        }
        draft.config.server_groups.push(group);
    }

    fn group_entry(&mut self, line: &Line, group: &str) -> Option<GroupEntry> {
        let first = line.words.first()?;
        if first.text == "fwmark" {
            let word = self.word(line, 1)?;
            let Some(mark) = self.unsigned(word, 0, u32::MAX) else {
                let message =
                    format!("({group}): fwmark '{}' must be in [0, 4294967295] - ignoring", word.text);
                self.say(code::NUMBER, word.span, message);
                return None;
            };
            let family = match line.words.get(2).map(|word| word.text.as_str()) {
                None => None,
                Some("inet") => Some(Family::V4),
                Some("inet6") => Some(Family::V6),
                Some(other) => {
                    let message = format!("({group}): fwmark '{mark}' family {other} unknown - ignoring");
                    self.say(code::CHOICE, line.span, message);
                    return None;
                }
            };
            return Some(GroupEntry::Mark { mark, family, place: Some(line.span) });
        }
        let port_word = line.words.get(1);
        let port = match port_word {
            None => Some(0),
            Some(word) => self.port_or_all(word),
        };
        let text = first.text.as_str();
        let bad = |text: &str| {
            let port = port_word.map_or_else(String::new, |port| format!("/port/{}", port.text));
            format!("Invalid virtual server group IP address {text} {port} - skipping")
        };
        let Some(port) = port else {
            self.say(code::ADDRESS, first.span, bad(text));
            return None;
        };
        let place = Some(first.span);
        let range = match self.address_range(text) {
            Ok(range) => range,
            Err(message) => {
                self.say(code::ADDRESS, first.span, message.unwrap_or_else(|| bad(text)));
                return None;
            }
        };
        Some(GroupEntry::Addresses { first: range.0, last: range.1, port, place })
    }

    /// `IP`, `IP-LAST`, `IP-IP` or `IP/LENGTH`; what is wrong when it is known.
    fn address_range(&self, text: &str) -> Result<(IpAddr, IpAddr), Option<String>> {
        if let Some((ip, length)) = text.split_once('/') {
            let first: IpAddr = ip.parse().map_err(|_| None)?;
            let bits = Family::of(first).bits();
            let length: u8 = length
                .parse()
                .ok()
                .filter(|length| *length <= bits)
                .ok_or_else(|| Some(format!("Invalid netmask - {text} - skipping")))?;
            let host = u32::from(bits - length);
            let mask = 1_u128.checked_shl(host).map_or(u128::MAX, |one| one - 1);
            let number = number(first);
            if number & mask != 0 {
                return Err(Some(format!("Address mask bits not empty - {text} - skipping")));
            }
            return Ok((first, address(number | mask, Family::of(first))));
        }
        let Some((ip, end)) = text.split_once('-') else {
            let only: IpAddr = text.parse().map_err(|_| None)?;
            return Ok((only, only));
        };
        let first: IpAddr = ip.parse().map_err(|_| None)?;
        let mut short = false;
        let last = match end.parse::<IpAddr>() {
            Ok(last) if Family::of(last) != Family::of(first) => {
                return Err(Some(format!("Range address families do not match {text} - skipping")));
            }
            Ok(last) => last,
            Err(_) => {
                let (radix, most) = if first.is_ipv4() { (10, 0xff) } else { (16, 0xffff) };
                let part = u128::from_str_radix(end, radix)
                    .map_err(|_| Some(format!("Invalid range end {text} - skipping")))?;
                if part > most {
                    return Err(Some(format!("Virtual server group range '{text}' end '{end}' too large")));
                }
                short = true;
                address(number(first) & !most | part, Family::of(first))
            }
        };
        let wrong = if short { number(last) <= number(first) } else { number(last) < number(first) };
        if wrong {
            let how = if short { "not greater" } else { "less" };
            return Err(Some(format!(
                "Address range end is {how} than address range start - {text} - skipping"
            )));
        }
        Ok((first, last))
    }
}

/// An address as a number.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// The address of a number.
fn address(number: u128, family: Family) -> IpAddr {
    match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX))),
        Family::V6 => IpAddr::V6(Ipv6Addr::from(number)),
    }
}
