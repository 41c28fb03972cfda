//! Rules: which routing table serves which packets.

use crate::attribute::{Attributes, Writer};
use crate::error::Malformed;
use crate::operation::{Operation, Protocol, nothing};
use crate::prefix::{Family, Prefix};
use std::ops::RangeInclusive;

const FRA_DST: u16 = 1;
const FRA_SRC: u16 = 2;
const FRA_IIFNAME: u16 = 3;
const FRA_GOTO: u16 = 4;
const FRA_PRIORITY: u16 = 6;
const FRA_FWMARK: u16 = 10;
const FRA_FLOW: u16 = 11;
const FRA_TUN_ID: u16 = 12;
const FRA_SUPPRESS_IFGROUP: u16 = 13;
const FRA_SUPPRESS_PREFIXLEN: u16 = 14;
const FRA_TABLE: u16 = 15;
const FRA_FWMASK: u16 = 16;
const FRA_OIFNAME: u16 = 17;
const FRA_L3MDEV: u16 = 19;
const FRA_UID_RANGE: u16 = 20;
const FRA_PROTOCOL: u16 = 21;
const FRA_IP_PROTO: u16 = 22;
const FRA_SPORT_RANGE: u16 = 23;
const FRA_DPORT_RANGE: u16 = 24;

const FIB_RULE_INVERT: u32 = 2;

/// What a rule does with its packets (`FR_ACT_…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Looks them up in a table.
    Table(u32),
    /// Looks them up in the table of the VRF they belong to.
    L3mdev,
    /// Goes on with the rule of this priority.
    Goto(u32),
    /// Nothing.
    Nop,
    /// Drops them.
    Blackhole,
    /// Answers that there is no way.
    Unreachable,
    /// Answers that it is forbidden.
    Prohibit,
}

impl Action {
    const fn number(self) -> u8 {
        match self {
            Self::Table(_) | Self::L3mdev => 1,
            Self::Goto(_) => 2,
            Self::Nop => 3,
            Self::Blackhole => 6,
            Self::Unreachable => 7,
            Self::Prohibit => 8,
        }
    }
}

/// A rule: what is to be added, and what the kernel has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// IPv4 or IPv6.
    pub family: Family,
    /// Smaller comes first. When adding, `None` stands for one less than the smallest after 0.
    pub priority: Option<u32>,
    /// Matches all packets that the rest does not (`not`).
    pub invert: bool,
    /// Packets from here.
    pub from: Option<Prefix>,
    /// Packets to there.
    pub to: Option<Prefix>,
    /// Packets of this type of service.
    pub tos: u8,
    /// Packets with this firewall mark…
    pub mark: Option<u32>,
    /// … under this mask.
    pub mask: Option<u32>,
    /// Packets that came in by a link of this name.
    pub input: Option<String>,
    /// Packets that go out by a link of this name.
    pub output: Option<String>,
    /// Packets of sockets of these users.
    pub users: Option<RangeInclusive<u32>>,
    /// Packets of this IP protocol.
    pub ip_protocol: Option<u8>,
    /// Packets from these ports.
    pub source_ports: Option<RangeInclusive<u16>>,
    /// Packets to these ports.
    pub destination_ports: Option<RangeInclusive<u16>>,
    /// Packets of the tunnel with this key.
    pub tunnel: Option<u64>,
    /// What happens to them.
    pub action: Action,
    /// Classes for statistics and shaping (IPv4).
    pub realms: Option<u32>,
    /// A route found is refused when its prefix has this length or less.
    pub suppress_prefix_length: Option<u32>,
    /// A route found is refused when its link is in this group.
    pub suppress_group: Option<u32>,
    /// Who made it (`/etc/iproute2/rt_protos`).
    pub protocol: Option<u8>,
}

impl Rule {
    /// A rule for all packets of a family.
    pub fn new(family: Family, action: Action) -> Self {
        Self {
            family,
            priority: None,
            invert: false,
            from: None,
            to: None,
            tos: 0,
            mark: None,
            mask: None,
            input: None,
            output: None,
            users: None,
            ip_protocol: None,
            source_ports: None,
            destination_ports: None,
            tunnel: None,
            action,
            realms: None,
            suppress_prefix_length: None,
            suppress_group: None,
            protocol: None,
        }
    }

    /// Reads the payload of RTM_NEWRULE or RTM_DELRULE; `None` for families other than IP.
    pub(crate) fn decode(payload: &[u8]) -> Result<Option<Self>, Malformed> {
        let Some((&[family, to_len, from_len, tos, table, _, _, action, f0, f1, f2, f3], attributes)) =
            payload.split_first_chunk::<12>()
        else {
            return Err(Malformed("a rule message is too short"));
        };
        let Some(family) = Family::from_number(family) else { return Ok(None) };
        if to_len > family.bits() || from_len > family.bits() {
            return Err(Malformed("a rule has a longer prefix than bits"));
        }
        let mut rule = Self::new(family, Action::Nop);
        rule.invert = u32::from_ne_bytes([f0, f1, f2, f3]) & FIB_RULE_INVERT != 0;
        rule.tos = tos;
        let (mut table, mut target, mut l3mdev) = (u32::from(table), 0, false);
        for attribute in Attributes::new(attributes) {
            let attribute = attribute?;
            match attribute.kind {
                FRA_DST => rule.to = Some(Prefix::new(attribute.ip()?, to_len)),
                FRA_SRC => rule.from = Some(Prefix::new(attribute.ip()?, from_len)),
                FRA_IIFNAME => rule.input = Some(attribute.text()),
                FRA_OIFNAME => rule.output = Some(attribute.text()),
                FRA_GOTO => target = attribute.u32()?,
                FRA_PRIORITY => rule.priority = Some(attribute.u32()?),
                FRA_FWMARK => rule.mark = Some(attribute.u32()?),
                FRA_FWMASK => rule.mask = Some(attribute.u32()?),
                FRA_FLOW => rule.realms = Some(attribute.u32()?),
                FRA_TUN_ID => rule.tunnel = Some(attribute.be64()?),
                FRA_SUPPRESS_IFGROUP => rule.suppress_group = finite(attribute.u32()?),
                FRA_SUPPRESS_PREFIXLEN => rule.suppress_prefix_length = finite(attribute.u32()?),
                FRA_TABLE => table = attribute.u32()?,
                FRA_L3MDEV => l3mdev = attribute.u8()? != 0,
                FRA_UID_RANGE => {
                    let Some(&[a0, a1, a2, a3, b0, b1, b2, b3]) = attribute.payload.first_chunk::<8>() else {
                        return Err(Malformed("a rule's range of users is cut"));
                    };
                    let first = u32::from_ne_bytes([a0, a1, a2, a3]);
                    rule.users = Some(first..=u32::from_ne_bytes([b0, b1, b2, b3]));
                }
                FRA_PROTOCOL => rule.protocol = Some(attribute.u8()?),
                FRA_IP_PROTO => rule.ip_protocol = Some(attribute.u8()?),
                FRA_SPORT_RANGE => rule.source_ports = Some(read_ports(attribute.payload)?),
                FRA_DPORT_RANGE => rule.destination_ports = Some(read_ports(attribute.payload)?),
                _ => {}
            }
        }
        // Without a mark, the mask says nothing.
        if rule.mark.is_none() && rule.mask == Some(0) {
            rule.mask = None;
        }
        // The kernel leaves out a priority of 0.
        rule.priority = rule.priority.or(Some(0));
        rule.action = match action {
            1 if l3mdev => Action::L3mdev,
            1 => Action::Table(table),
            2 => Action::Goto(target),
            6 => Action::Blackhole,
            7 => Action::Unreachable,
            8 => Action::Prohibit,
            _ => Action::Nop,
        };
        Ok(Some(rule))
    }

    fn encode(&self) -> Writer {
        let mut body = Writer::new();
        let length = |prefix: Option<Prefix>| prefix.map_or(0, |prefix| prefix.length);
        let table = if let Action::Table(table) = self.action { table } else { 0 };
        let flags = if self.invert { FIB_RULE_INVERT } else { 0 };
        body.fixed(&[
            self.family.number(),
            length(self.to),
            length(self.from),
            self.tos,
            u8::try_from(table).unwrap_or(0),
            0,
            0,
            self.action.number(),
        ]);
        body.fixed(&flags.to_ne_bytes());
        if let Some(priority) = self.priority {
            body.u32(FRA_PRIORITY, priority);
        }
        for (kind, prefix) in [(FRA_SRC, self.from), (FRA_DST, self.to)] {
            if let Some(prefix) = prefix.filter(|prefix| prefix.length != 0) {
                body.ip(kind, prefix.address);
            }
        }
        for (kind, name) in [(FRA_IIFNAME, &self.input), (FRA_OIFNAME, &self.output)] {
            if let Some(name) = name {
                body.text(kind, name);
            }
        }
        for (kind, value) in [
            (FRA_FWMARK, self.mark),
            (FRA_FWMASK, self.mask),
            (FRA_FLOW, self.realms),
            (FRA_SUPPRESS_IFGROUP, self.suppress_group),
            (FRA_SUPPRESS_PREFIXLEN, self.suppress_prefix_length),
        ] {
            if let Some(value) = value {
                body.u32(kind, value);
            }
        }
        match self.action {
            Action::Table(table) => {
                body.u32(FRA_TABLE, table);
            }
            Action::Goto(target) => {
                body.u32(FRA_GOTO, target);
            }
            Action::L3mdev => {
                body.u8(FRA_L3MDEV, 1);
            }
            _ => {}
        }
        if let Some(key) = self.tunnel {
            body.be64(FRA_TUN_ID, key);
        }
        if let Some(users) = &self.users {
            let bytes = [users.start().to_ne_bytes(), users.end().to_ne_bytes()].concat();
            body.bytes(FRA_UID_RANGE, &bytes);
        }
        for (kind, value) in [(FRA_PROTOCOL, self.protocol), (FRA_IP_PROTO, self.ip_protocol)] {
            if let Some(value) = value {
                body.u8(kind, value);
            }
        }
        for (kind, ports) in
            [(FRA_SPORT_RANGE, &self.source_ports), (FRA_DPORT_RANGE, &self.destination_ports)]
        {
            if let Some(ports) = ports {
                let bytes = [ports.start().to_ne_bytes(), ports.end().to_ne_bytes()].concat();
                body.bytes(kind, &bytes);
            }
        }
        body
    }

    fn wrong(&self) -> Option<String> {
        for prefix in [self.from, self.to].into_iter().flatten() {
            if prefix.family() != self.family || prefix.length > self.family.bits() {
                return Some(format!("{prefix}: of another family than its rule, or too long"));
            }
        }
        let long = |name: &Option<String>| name.as_ref().is_some_and(|n| n.len() >= libc::IFNAMSIZ);
        (long(&self.input) || long(&self.output))
            .then(|| "a rule names a link with more than 15 bytes".to_owned())
    }
}

/// The kernel says "none" as all ones.
fn finite(value: u32) -> Option<u32> {
    (value != u32::MAX).then_some(value)
}

fn read_ports(payload: &[u8]) -> Result<RangeInclusive<u16>, Malformed> {
    let Some(&[a0, a1, b0, b1]) = payload.first_chunk::<4>() else {
        return Err(Malformed("a rule's range of ports is cut"));
    };
    Ok(u16::from_ne_bytes([a0, a1])..=u16::from_ne_bytes([b0, b1]))
}

fn send(what: &'static str, kind: u16, flags: i32, rule: &Rule) -> Operation<()> {
    Operation::new(Protocol::Route, what, nothing)
        .message(kind, (libc::NLM_F_ACK | flags) as u16, rule.encode())
        .refuse(rule.wrong())
}

/// Adds a rule; fails when there is the same one already.
pub fn add(rule: &Rule) -> Operation<()> {
    send("adding a rule", libc::RTM_NEWRULE, libc::NLM_F_CREATE | libc::NLM_F_EXCL, rule)
}

/// Removes a rule: the first that agrees in all that `rule` says.
pub fn delete(rule: &Rule) -> Operation<()> {
    send("removing a rule", libc::RTM_DELRULE, 0, rule)
}

/// All rules of a family.
pub fn list(family: Family) -> Operation<Vec<Rule>> {
    Operation::new(Protocol::Route, "listing rules", take).message(
        libc::RTM_GETRULE,
        libc::NLM_F_DUMP as u16,
        list_body(family),
    )
}

pub(crate) fn list_body(family: Family) -> Writer {
    let mut body = Writer::new();
    body.fixed(&[family.number(), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    body
}

fn take(rules: &mut Vec<Rule>, kind: u16, payload: &[u8]) -> Result<(), Malformed> {
    if kind == libc::RTM_NEWRULE {
        rules.extend(Rule::decode(payload)?);
    }
    Ok(())
}
