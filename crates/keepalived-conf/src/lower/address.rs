//! Lines of `virtual_ipaddress`, `virtual_ipaddress_excluded` and `static_ipaddress`.

use super::{Lower, name_of};
use crate::code;
use crate::model::{Address, AddressVmac, Broadcast, Family, PreferredLifetime, Prefix, Scope};
use crate::word::{Line, Word};
use std::net::IpAddr;

/// The longest label of an address, as the kernel has it.
const LABEL_MAX: usize = 15;

impl Lower<'_> {
    /// `IP[/MASK] [OPTION…]`; `None` when the line is left out.
    pub(crate) fn address(&mut self, line: &Line, fixed: bool) -> Option<Address> {
        let first = line.words.first()?;
        let mut address = self.address_itself(first)?;
        let mut index = 1;
        while let Some(option) = line.words.get(index) {
            index += 1;
            let value = line.words.get(index);
            let needs = matches!(
                option.text.as_str(),
                "dev" | "scope" | "broadcast" | "brd" | "label" | "peer" | "track_group" | "preferred_lft"
            ) && (option.text != "track_group" || fixed);
            if needs && value.is_none() {
                let what = if option.text == "broadcast" { "brd" } else { &option.text };
                let message = format!("No {what} parameter specified for {}", first.text);
                self.say(code::MISSING_PARAMETER, option.span, message);
                break;
            }
            match (option.text.as_str(), value) {
                ("dev", Some(value)) => self.address_device(first, value, &mut address),
                ("scope", Some(value)) => self.address_scope(first, value, &mut address),
                ("broadcast" | "brd", Some(value)) => {
                    self.address_broadcast(first, option, value, &mut address)?
                }
                ("label", Some(value)) => self.address_label(first, value, &mut address)?,
                ("peer", Some(value)) => self.address_peer(first, value, &mut address),
                ("track_group", Some(value)) if fixed => {
                    if address.track_group.is_some() {
                        let message = format!("track_group {} is a duplicate", value.text);
                        self.say(code::REPEATED, value.span, message);
                    } else if self.track_groups.contains(&value.text) {
                        address.track_group = Some(Box::new(name_of(value)));
                    } else {
                        let message = format!("track_group {} not found", value.text);
                        self.say(code::UNDEFINED, value.span, message);
                    }
                }
                ("preferred_lft", Some(value)) => {
                    address.preferred_lifetime = if value.text == "forever" {
                        Some(PreferredLifetime::Forever)
                    } else {
                        let seconds = self.unsigned(value, 0, u32::MAX);
                        if seconds.is_none() {
                            let message = format!("preferred_lft {} is invalid", value.text);
                            self.say(code::NUMBER, value.span, message);
                        }
                        seconds.map(PreferredLifetime::Seconds)
                    };
                }
                _ => {
                    if !self.address_flag(option, fixed, line, &mut index, &mut address) {
                        let message = format!(
                            "Unknown configuration entry '{}' for ip address - ignoring",
                            option.text
                        );
                        self.say(code::EXCESS, option.span, message);
                    }
                    continue;
                }
            }
            index += 1;
        }
        if address.family() == Family::V6
            && address.prefix.length == 128
            && address.preferred_lifetime.is_none()
        {
            address.preferred_lifetime = Some(PreferredLifetime::Seconds(0));
        }
        Some(address)
    }

    fn address_itself(&mut self, word: &Word) -> Option<Address> {
        let (text, mask) = match word.text.split_once('/') {
            Some((text, mask)) => (text, Some(mask)),
            None => (word.text.as_str(), None),
        };
        let Ok(ip) = text.parse::<IpAddr>() else {
            let shown = word.text.as_str();
            self.say(code::ADDRESS, word.span, format!("VRRP parsed invalid IP {shown}. skipping IP..."));
            return None;
        };
        let bits = Family::of(ip).bits();
        let mut length = bits;
        if let Some(mask) = mask {
            let mask_word = Word { text: mask.to_owned(), span: word.span };
            match self.unsigned(&mask_word, 0, u32::from(bits)).and_then(|length| u8::try_from(length).ok()) {
                Some(found) => length = found,
                None => {
                    let message =
                        format!("Invalid address prefix len {mask} for address {} - using {bits}", word.text);
                    self.say(code::NUMBER, word.span, message);
                }
            }
        }
        let mut address = Address::new(ip, length);
        address.mask_written = mask.is_some();
        address.place = Some(word.span);
        Some(address)
    }

    fn address_device(&mut self, first: &Word, value: &Word, address: &mut Address) {
        if address.interface.is_some() {
            let message = format!("Cannot specify ipaddress device more than once for {}", first.text);
            return self.say(code::REPEATED, value.span, message);
        }
        if self.interfaces.find(&value.text).is_none() {
            let message =
                format!("WARNING - interface {} for ip address {} doesn't exist", value.text, first.text);
            self.no_interface(value.span, message);
        }
        address.interface = Some(Box::new(name_of(value)));
    }

    fn address_scope(&mut self, first: &Word, value: &Word, address: &mut Address) {
        if address.family() == Family::V6 {
            let message =
                format!("Cannot specify scope for IPv6 addresses ({}) - ignoring scope", first.text);
            return self.say(code::VIRTUAL_ADDRESS, value.span, message);
        }
        match self.scope(&value.text) {
            Some(scope) => address.scope = Some(scope),
            None => {
                let message =
                    format!("Invalid scope '{}' specified for {} - ignoring", value.text, first.text);
                self.say(code::CHOICE, value.span, message);
            }
        }
    }

    /// A scope by name or number.
    pub(crate) fn scope(&self, text: &str) -> Option<Scope> {
        match text {
            "global" => Some(Scope::GLOBAL),
            "site" => Some(Scope::SITE),
            "link" => Some(Scope::LINK),
            "host" => Some(Scope::HOST),
            "nowhere" => Some(Scope::NOWHERE),
            _ => {
                let number = text.parse().ok().or_else(|| self.reader.route_name("rt_scopes", text))?;
                u8::try_from(number).ok().map(Scope)
            }
        }
    }

    fn address_broadcast(
        &mut self,
        first: &Word,
        option: &Word,
        value: &Word,
        address: &mut Address,
    ) -> Option<()> {
        if address.family() == Family::V6 {
            let message = format!(
                "VRRP is trying to assign a broadcast {} to the IPv6 address {} !!?? WTF... skipping VIP...",
                option.text, first.text
            );
            self.say(code::VIRTUAL_ADDRESS, option.span, message);
            return None;
        }
        address.broadcast = Some(match value.text.as_str() {
            "+" | "-" if address.prefix.length > 30 => {
                let message =
                    format!("Address prefix length {} too long for broadcast", address.prefix.length);
                self.say(code::VIRTUAL_ADDRESS, value.span, message);
                return Some(());
            }
            "+" => Broadcast::HostBitsSet,
            "-" => Broadcast::HostBitsClear,
            text => match text.parse() {
                Ok(found) => Broadcast::Address(found),
                Err(_) => {
                    let message =
                        format!("VRRP is trying to assign invalid broadcast {text}. skipping VIP...");
                    self.say(code::ADDRESS, value.span, message);
                    return None;
                }
            },
        });
        Some(())
    }

    fn address_label(&mut self, first: &Word, value: &Word, address: &mut Address) -> Option<()> {
        if address.family() == Family::V6 {
            let message =
                format!("Cannot specify label for IPv6 addresses ({}) - ignoring label", first.text);
            self.say(code::VIRTUAL_ADDRESS, value.span, message);
        } else if value.text.len() > LABEL_MAX {
            let text = &value.text;
            let message =
                format!("Address label {text} is longer than maximum length {LABEL_MAX} - removing address");
            self.say(code::NAME_LENGTH, value.span, message);
            return None;
        } else {
            address.label = Some(value.text.clone());
        }
        Some(())
    }

    fn address_peer(&mut self, first: &Word, value: &Word, address: &mut Address) {
        if address.peer.is_some() {
            let message = format!("Peer {} - another peer has already been specified", value.text);
            return self.say(code::REPEATED, value.span, message);
        }
        let Some(peer) = self.route_prefix(value) else {
            return self.say(code::ADDRESS, value.span, format!("Invalid peer address {}", value.text));
        };
        if Family::of(peer.address) != address.family() {
            let message = format!("Peer address {} does not match address family", value.text);
            return self.say(code::ADDRESS, value.span, message);
        }
        if address.mask_written {
            let message = "Cannot specify address prefix when specifying peer address - ignoring";
            self.say(code::VIRTUAL_ADDRESS, first.span, message);
        }
        address.peer = Some(peer);
        address.prefix.length = address.family().bits();
    }

    /// `IP[/LENGTH]`.
    pub(crate) fn prefix(&self, text: &str) -> Option<Prefix> {
        let (ip, length) = match text.split_once('/') {
            Some((ip, length)) => (ip, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = ip.parse().ok()?;
        let bits = Family::of(address).bits();
        let length = match length {
            None => bits,
            Some(length) => length.parse::<u8>().ok().filter(|length| *length <= bits)?,
        };
        Some(Prefix { address, length })
    }

    /// An option without value; `use_vmac` may have two.
    fn address_flag(
        &mut self,
        option: &Word,
        fixed: bool,
        line: &Line,
        index: &mut usize,
        address: &mut Address,
    ) -> bool {
        let flags = &mut address.flags;
        match option.text.as_str() {
            "home" => flags.home = true,
            "-nodad" | "nodad" => flags.nodad = true,
            "mngtmpaddr" => flags.mngtmpaddr = true,
            "noprefixroute" => flags.noprefixroute = true,
            "autojoin" => flags.autojoin = true,
            "no_track" => address.no_track = true,
            "use_vmac" if !fixed => {
                let mut vmac = AddressVmac::default();
                while let Some(word) = line.words.get(*index) {
                    if let Some(mac) = mac(&word.text, 0) {
                        vmac.mac = Some(mac);
                    } else if vmac.name.is_none()
                        && word.text.contains(|c: char| c.is_ascii_digit() || c == '.')
                    {
                        vmac.name = Some(word.text.clone());
                    } else {
                        break;
                    }
                    *index += 1;
                }
                address.use_vmac = Some(Box::new(vmac));
            }
            _ => return false,
        }
        true
    }
}

/// A MAC address; of one with five octets, `last` is the sixth.
pub(crate) fn mac(text: &str, last: u8) -> Option<[u8; 6]> {
    let mut mac = [0, 0, 0, 0, 0, last];
    let parts: Vec<&str> = text.split(':').collect();
    if !(5..=6).contains(&parts.len()) {
        return None;
    }
    for (octet, part) in mac.iter_mut().zip(parts) {
        if part.is_empty() || part.len() > 2 {
            return None;
        }
        *octet = u8::from_str_radix(part, 16).ok()?;
    }
    Some(mac)
}
