//! `encap` of routes.

use super::Lower;
use crate::code;
use crate::model::{Encap, Family, NextHop};
use crate::word::{Line, Word};
use std::net::{IpAddr, Ipv6Addr};

/// Labels of MPLS have 20 bits.
const LABEL_MAX: u32 = (1 << 20) - 1;

impl Lower<'_> {
    /// Reads what follows `encap`; where the next option is.
    pub(crate) fn encap(&mut self, line: &Line, index: usize, hop: &mut NextHop) -> Option<usize> {
        let kind = self.word(line, index)?;
        match kind.text.as_str() {
            "ip" => self.encap_ip(line, index + 1, Family::V4, hop),
            "ip6" => self.encap_ip(line, index + 1, Family::V6, hop),
            "mpls" => {
                let value = self.word(line, index + 1)?;
                let labels = value.text.split('/').map(|label| label.parse::<u32>().ok());
                let labels: Option<Vec<u32>> =
                    labels.map(|label| label.filter(|label| *label <= LABEL_MAX)).collect();
                let Some(labels) = labels.filter(|labels| labels.len() <= 16) else {
                    let message = format!("invalid mpls address {} for encapsulation", value.text);
                    self.say(code::ROUTE, value.span, message);
                    return None;
                };
                hop.encap = Some(Encap::Mpls { labels });
                Some(index + 2)
            }
            "ila" => {
                let value = self.word(line, index + 1)?;
                // The locator is written as the first four groups of an address.
                let whole = format!("{}::", value.text.trim_end_matches("::"));
                let Ok(address) = whole.parse::<Ipv6Addr>() else {
                    let message = format!("invalid locator {} for ila encapsulation", value.text);
                    self.say(code::ROUTE, value.span, message);
                    return None;
                };
                let locator = u64::try_from(u128::from(address) >> 64).unwrap_or(0);
                hop.encap = Some(Encap::Ila { locator });
                Some(index + 2)
            }
            other => {
                self.say(code::ROUTE, kind.span, format!("Unknown encap type - {other}"));
                None
            }
        }
    }

    fn encap_ip(&mut self, line: &Line, start: usize, family: Family, hop: &mut NextHop) -> Option<usize> {
        let (mut id, mut destination, mut source) = (0, None, None);
        let (mut tos, mut ttl, mut flags) = (None, None, None);
        let mut index = start;
        let four = family == Family::V4;
        while let Some(option) = line.words.get(index) {
            let known = match option.text.as_str() {
                "id" | "dst" | "src" | "flags" => true,
                "tos" | "dsfield" | "ttl" => four,
                "tc" | "hoplimit" => !four,
                _ => false,
            };
            if !known {
                break;
            }
            let value = self.word(line, index + 1)?;
            let text = value.text.as_str();
            let bad = |ip4: &str, ip6: &str| if four { ip4.to_owned() } else { ip6.to_owned() };
            let message = match option.text.as_str() {
                "id" => match text.parse() {
                    Ok(found) => {
                        id = found;
                        None
                    }
                    Err(_) => Some(format!("encap id {text} value is invalid")),
                },
                which @ ("dst" | "src") => {
                    let found = text.parse::<IpAddr>().ok().filter(|ip| Family::of(*ip) == family);
                    let slot = if which == "dst" { &mut destination } else { &mut source };
                    *slot = found;
                    let kind = bad("ip", "ip6");
                    found.is_none().then(|| format!("Invalid encap {kind} {which} {text}"))
                }
                "flags" => match text.parse() {
                    Ok(found) => {
                        flags = Some(found);
                        None
                    }
                    Err(_) => {
                        let kind = bad("ip", "ip6");
                        Some(format!("flags {text} is not valid for {kind} encapsulation"))
                    }
                },
                "ttl" | "hoplimit" => {
                    let number = Word { text: text.to_owned(), span: value.span };
                    ttl = self.unsigned(&number, 0, 255).and_then(|ttl| u8::try_from(ttl).ok());
                    let message = bad(
                        &format!("ttl {text} is not valid for ip encapsulation"),
                        &format!("Invalid hoplimit {text} specified for ip6 encapsulation"),
                    );
                    ttl.is_none().then_some(message)
                }
                _ => {
                    tos = self.named_number("rt_dsfield", text, 16).and_then(|tos| u8::try_from(tos).ok());
                    let message = bad(
                        &format!("dsfield {text} not valid for ip encapsulation"),
                        &format!("tc value {text} is invalid for ip6 encapsulation"),
                    );
                    tos.is_none().then_some(message)
                }
            };
            if let Some(message) = message {
                self.say(code::ROUTE, value.span, message);
                return None;
            }
            index += 2;
        }
        hop.encap = Some(Encap::Ip { family, id, destination, source, tos, ttl, flags });
        Some(index)
    }
}
