//! The nftables rules that virtual routers need, as keepalived makes them.
//!
//! - A Master that is not the owner of its addresses and must not accept packets for them (RFC 9568 section 6.4.3,
//!   `no_accept`) has its addresses in the sets `vips` and `vips_link_local`: packets to and from them are dropped, save
//!   neighbour discovery.
//! - A virtual MAC's link must not send IGMP and MLD reports with the virtual MAC address, or switches learn it where the
//!   Master is not: they are sent by the link below, and dropped. Router solicitations are dropped.

use crate::nftables::{Base, Batch, Comparison, DataType, Element, Expression, Hook, Meta, Set, Verdict};
use crate::operation::Operation;
use crate::prefix::Family;
use std::net::IpAddr;

const IPPROTO_IGMP: u8 = 2;
const IPPROTO_ICMPV6: u8 = 58;
const ROUTER_SOLICITATION: u8 = 133;
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
const MLD2_REPORT: u8 = 143;

/// Link-local unicast, fe80::/10.
const LINK_LOCAL: ([u8; 2], [u8; 2]) = ([0xfe, 0x80], [0xff, 0xc0]);

/// How the rules are made (`nftables`, `nftables_priority`, `nftables_counters`, `nftables_ifindex`). The table is this
/// program's own: nobody else may have one of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firewall {
    /// The table's name, in both families.
    pub table: String,
    /// The base chains' priority; -1 is just before the usual filters.
    pub priority: i32,
    /// Rules count what they match.
    pub counters: bool,
    /// Link-local addresses are told apart by the link's index, not its name.
    pub by_index: bool,
}

impl Default for Firewall {
    fn default() -> Self {
        Self { table: "keepalived".to_owned(), priority: -1, counters: false, by_index: true }
    }
}

/// The link that a link-local address is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnLink {
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: String,
}

/// Which parts of the table are there already, so that each is made once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Installed {
    /// The chain `out`.
    output: bool,
    /// What virtual MACs need.
    vmac: bool,
    /// What blocked addresses need.
    block: bool,
}

impl Installed {
    /// Whether there is a table at all.
    pub fn any(self) -> bool {
        self.output || self.vmac || self.block
    }
}

fn payload(base: Base, offset: u32, len: u32) -> Expression {
    Expression::Payload { base, offset, len, register: 1 }
}

fn equal(register: u32, value: &[u8]) -> Expression {
    Expression::Compare { register, comparison: Comparison::Equal, value: value.to_vec() }
}

fn in_set(set: &str) -> Expression {
    Expression::Lookup { set: set.to_owned(), register: 1, into: None }
}

/// Fills a name up to the 16 bytes that the kernel compares.
fn name16(name: &str) -> Vec<u8> {
    let mut bytes: Vec<u8> = name.bytes().take(15).collect();
    bytes.resize(16, 0);
    bytes
}

/// Where the addresses are in the IP header, and how long they are.
const fn source(family: Family) -> (u32, u32) {
    match family {
        Family::V4 => (12, 4),
        Family::V6 => (8, 16),
    }
}

const fn destination(family: Family) -> (u32, u32) {
    match family {
        Family::V4 => (16, 4),
        Family::V6 => (24, 16),
    }
}

impl Firewall {
    fn drop(&self, rule: Vec<Expression>) -> Vec<Expression> {
        self.end(rule, Verdict::Drop)
    }

    fn end(&self, mut rule: Vec<Expression>, verdict: Verdict) -> Vec<Expression> {
        if self.counters {
            rule.push(Expression::Counter);
        }
        rule.push(Expression::Verdict(verdict));
        rule
    }

    fn batch(&self, family: Family) -> Batch {
        Batch::new(family, &self.table)
    }

    /// A virtual MAC's link does not send reports of its own: `base` does in its place. `installed` is what the family's table
    /// has; it is brought up to date, on the assumption that the operation succeeds.
    pub fn add_vmac(&self, family: Family, installed: &mut Installed, vmac: u32, base: u32) -> Operation<()> {
        let mut batch = self.batch(family);
        if !installed.any() {
            batch = batch.add_table();
        }
        if !installed.output {
            batch = batch.add_base_chain("out", Hook::Output, self.priority);
            installed.output = true;
        }
        if !installed.vmac {
            batch = self.vmac_rules(batch, family);
            installed.vmac = true;
        }
        batch = batch.add_elements("vmac_map", &[Self::vmac_element(vmac, base)]);
        if family == Family::V6 {
            batch = batch.add_elements("vmac_set", &[Element::new(vmac.to_ne_bytes())]);
        }
        batch.finish()
    }

    /// Takes a virtual MAC's link out again.
    pub fn remove_vmac(&self, family: Family, vmac: u32, base: u32) -> Operation<()> {
        let mut batch = self.batch(family).delete_elements("vmac_map", &[Self::vmac_element(vmac, base)]);
        if family == Family::V6 {
            batch = batch.delete_elements("vmac_set", &[Element::new(vmac.to_ne_bytes())]);
        }
        batch.finish()
    }

    fn vmac_element(vmac: u32, base: u32) -> Element {
        Element { key: vmac.to_ne_bytes().to_vec(), value: Some(base.to_ne_bytes().to_vec()) }
    }

    fn vmac_rules(&self, mut batch: Batch, family: Family) -> Batch {
        batch = batch.add_set(&Set {
            name: "vmac_map".to_owned(),
            key: vec![DataType::LinkIndex],
            value: Some(DataType::LinkIndex),
            constant: false,
        });
        let icmpv6 = |kind: u8| {
            vec![
                Expression::Meta { key: Meta::TransportProtocol, register: 1 },
                equal(1, &[IPPROTO_ICMPV6]),
                payload(Base::Transport, 0, 1),
                equal(1, &[kind]),
            ]
        };
        let macvlan = [
            Expression::Meta { key: Meta::OutputKind, register: 2 },
            equal(2, &name16("macvlan")),
            Expression::Meta { key: Meta::OutputIndex, register: 2 },
        ];
        let (offset, len) = destination(family);
        let mut report = match family {
            Family::V4 => vec![payload(Base::Network, 9, 1), equal(1, &[IPPROTO_IGMP])],
            Family::V6 => icmpv6(MLD2_REPORT),
        };
        report.push(payload(Base::Network, offset, len));
        report.extend(macvlan.iter().cloned());
        report.push(Expression::Lookup { set: "vmac_map".to_owned(), register: 2, into: Some(2) });
        report.push(Expression::Duplicate { address: 1, device: 2 });
        if family == Family::V4 {
            return batch.add_rule("out", &self.drop(report));
        }
        batch = batch.add_set(&Set {
            name: "vmac_set".to_owned(),
            key: vec![DataType::LinkIndex],
            value: None,
            constant: false,
        });
        let mut solicitation = icmpv6(ROUTER_SOLICITATION);
        solicitation.extend(macvlan);
        solicitation.push(Expression::Lookup { set: "vmac_set".to_owned(), register: 2, into: None });
        batch.add_rule("out", &self.drop(report)).add_rule("out", &self.drop(solicitation))
    }

    /// Packets to and from these addresses (of one family) are dropped from here on. Link-local addresses need their link.
    /// `installed` as with [`add_vmac`](Self::add_vmac). All the addresses or none.
    pub fn block(
        &self,
        family: Family,
        installed: &mut Installed,
        addresses: &[(IpAddr, Option<OnLink>)],
    ) -> Operation<()> {
        let mut batch = self.batch(family);
        if !installed.block {
            batch = self.block_rules(batch, family, installed);
            installed.block = true;
        }
        for (set, elements) in self.elements(family, addresses) {
            batch = batch.add_elements(set, &elements);
        }
        batch.finish()
    }

    /// Lets packets to and from these addresses pass again.
    pub fn unblock(&self, family: Family, addresses: &[(IpAddr, Option<OnLink>)]) -> Operation<()> {
        let mut batch = self.batch(family);
        for (set, elements) in self.elements(family, addresses) {
            batch = batch.delete_elements(set, &elements);
        }
        batch.finish()
    }

    fn elements(
        &self,
        family: Family,
        addresses: &[(IpAddr, Option<OnLink>)],
    ) -> Vec<(&'static str, Vec<Element>)> {
        let (mut plain, mut local) = (Vec::new(), Vec::new());
        for (address, link) in addresses.iter().filter(|(address, _)| Family::of(*address) == family) {
            match (address, link) {
                (IpAddr::V4(v4), _) => plain.push(Element::new(v4.octets())),
                (IpAddr::V6(v6), Some(link)) if v6.is_unicast_link_local() => {
                    let link =
                        if self.by_index { link.index.to_ne_bytes().to_vec() } else { name16(&link.name) };
                    local.push(Element::new([v6.octets().to_vec(), link].concat()));
                }
                (IpAddr::V6(v6), _) => plain.push(Element::new(v6.octets())),
            }
        }
        [("vips", plain), ("vips_link_local", local)].into_iter().filter(|(_, e)| !e.is_empty()).collect()
    }

    fn block_rules(&self, mut batch: Batch, family: Family, installed: &mut Installed) -> Batch {
        if !installed.any() {
            batch = batch.add_table();
        }
        if !installed.output {
            batch = batch.add_base_chain("out", Hook::Output, self.priority);
            installed.output = true;
        }
        batch = batch.add_base_chain("in", Hook::Input, self.priority);
        if family == Family::V6 {
            batch = batch.add_chain("in_link_local").add_chain("out_link_local");
        }
        let key = match family {
            Family::V4 => DataType::Ipv4,
            Family::V6 => DataType::Ipv6,
        };
        batch = batch.add_set(&Set { name: "vips".to_owned(), key: vec![key], value: None, constant: false });
        if family == Family::V6 {
            batch = self.link_local_rules(batch);
        }
        for (chain, (offset, len)) in [("in", destination(family)), ("out", source(family))] {
            let rule = vec![payload(Base::Network, offset, len), in_set("vips")];
            batch = batch.add_rule(chain, &self.drop(rule));
        }
        batch
    }

    /// Neighbour discovery passes; link-local addresses are told apart by link.
    fn link_local_rules(&self, mut batch: Batch) -> Batch {
        let family = Family::V6;
        let discovery = "neighbor-discovery";
        batch = batch
            .add_set(&Set {
                name: discovery.to_owned(),
                key: vec![DataType::Icmpv6Type],
                value: None,
                constant: true,
            })
            .add_elements(
                discovery,
                &[Element::new([NEIGHBOUR_SOLICITATION]), Element::new([NEIGHBOUR_ADVERTISEMENT])],
            );
        for (chain, (offset, len), link_chain) in
            [("in", destination(family), "in_link_local"), ("out", source(family), "out_link_local")]
        {
            let neighbours = vec![
                payload(Base::Network, 6, 1),
                equal(1, &[IPPROTO_ICMPV6]),
                payload(Base::Transport, 0, 1),
                in_set(discovery),
            ];
            let fill = |two: [u8; 2]| [two.to_vec(), vec![0; 14]].concat();
            let local = vec![
                payload(Base::Network, offset, len),
                Expression::Mask { register: 1, mask: fill(LINK_LOCAL.1) },
                equal(1, &fill(LINK_LOCAL.0)),
            ];
            batch = batch
                .add_rule(chain, &self.end(neighbours, Verdict::Accept))
                .add_rule(chain, &self.end(local, Verdict::Goto(link_chain.to_owned())));
        }
        let link = if self.by_index { DataType::LinkIndex } else { DataType::LinkName };
        batch = batch.add_set(&Set {
            name: "vips_link_local".to_owned(),
            key: vec![DataType::Ipv6, link],
            value: None,
            constant: false,
        });
        for (chain, (offset, len), (index, name)) in [
            ("in_link_local", destination(family), (Meta::InputIndex, Meta::InputName)),
            ("out_link_local", source(family), (Meta::OutputIndex, Meta::OutputName)),
        ] {
            let key = if self.by_index { index } else { name };
            let rule = vec![
                payload(Base::Network, offset, len),
                Expression::Meta { key, register: 2 },
                in_set("vips_link_local"),
            ];
            batch = batch.add_rule(chain, &self.drop(rule));
        }
        batch
    }

    /// Removes the family's table; fails when there is none, and [`is_missing`](crate::Error::is_missing).
    pub fn remove(&self, family: Family) -> Operation<()> {
        self.batch(family).delete_table().finish()
    }
}
