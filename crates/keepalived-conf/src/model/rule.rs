//! Policy rules, in the grammar of `ip rule`.

use super::{Family, Name, Place, Prefix};
use std::ops::RangeInclusive;

/// What a rule does with what it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RuleAction {
    /// `table N`.
    Table(u32),
    /// `goto PREFERENCE`.
    Goto(u32),
    /// `nop`.
    Nop,
    /// `blackhole`.
    Blackhole,
    /// `unreachable`.
    Unreachable,
    /// `prohibit`.
    Prohibit,
    /// `l3mdev`: the table of the interface's VRF.
    L3mdev,
}

/// A line of `virtual_rules` or `static_rules`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its family.
    pub family: Family,
    /// `not`.
    pub invert: bool,
    /// `from`; `None`: all.
    pub from: Option<Prefix>,
    /// `to`; `None`: all.
    pub to: Option<Prefix>,
    /// `iif`.
    pub input_interface: Option<Name>,
    /// `oif`.
    pub output_interface: Option<Name>,
    /// `tos` or `dsfield`.
    pub tos: u8,
    /// `fwmark MARK[/MASK]`.
    pub fwmark: Option<(u32, u32)>,
    /// `preference`, `priority` or `order`; `None`: keepalived chooses one.
    pub preference: Option<u32>,
    /// `realms`: source and destination realm.
    pub realms: Option<u32>,
    /// `tun_id`.
    pub tunnel_id: Option<u64>,
    /// `suppress_prefixlength`.
    pub suppress_prefix_length: Option<u8>,
    /// `suppress_ifgroup`.
    pub suppress_interface_group: Option<u32>,
    /// `uidrange`.
    pub uid_range: Option<RangeInclusive<u32>>,
    /// `ipproto`.
    pub ip_protocol: Option<u8>,
    /// `sport`.
    pub source_ports: Option<RangeInclusive<u16>>,
    /// `dport`.
    pub destination_ports: Option<RangeInclusive<u16>>,
    /// `protocol`: who made the rule; `None`: keepalived's own, 18.
    pub protocol: Option<u8>,
    /// What it does.
    pub action: RuleAction,
    /// `no_track`; virtual rules only.
    pub no_track: bool,
    /// `track_group`; static rules only.
    pub track_group: Option<Name>,
    /// Where.
    pub place: Place,
}
