//! nftables: tables, chains, sets, rules, changed in batches that are done whole or not at all.

mod expression;
mod set;

use crate::attribute::{Attributes, Writer};
use crate::error::Malformed;
use crate::operation::{Operation, Protocol, nothing};
use crate::prefix::Family;
pub use expression::{Base, Comparison, Expression, Meta, Verdict};
pub use set::{DataType, Element, Set};

const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;

const NEW_TABLE: u16 = 0;
const GET_TABLE: u16 = 1;
const DELETE_TABLE: u16 = 2;
const NEW_CHAIN: u16 = 3;
const NEW_RULE: u16 = 6;
const NEW_SET: u16 = 9;
const NEW_ELEMENTS: u16 = 12;
const DELETE_ELEMENTS: u16 = 14;

const TABLE_NAME: u16 = 1;
const CHAIN_TABLE: u16 = 1;
const CHAIN_NAME: u16 = 3;
const CHAIN_HOOK: u16 = 4;
const CHAIN_POLICY: u16 = 5;
const CHAIN_TYPE: u16 = 7;
const HOOK_NUMBER: u16 = 1;
const HOOK_PRIORITY: u16 = 2;
const RULE_TABLE: u16 = 1;
const RULE_CHAIN: u16 = 2;
const RULE_EXPRESSIONS: u16 = 4;
const LIST_ELEMENT: u16 = 1;

const ACCEPT: u32 = 1;

/// Where in a packet's way a base chain stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Packets for this host.
    Input,
    /// Packets of this host.
    Output,
    /// Packets before routing.
    PreRouting,
}

impl Hook {
    const fn number(self) -> u32 {
        match self {
            Self::PreRouting => 0,
            Self::Input => 1,
            Self::Output => 3,
        }
    }
}

/// Changes that are made together. Each names its table's family and name by what the batch was made for.
#[derive(Clone, Debug)]
pub struct Batch {
    family: Family,
    table: String,
    operation: Operation<()>,
    sets: u32,
}

/// struct nfgenmsg.
fn header(family: u8, resource: u16) -> Writer {
    let mut body = Writer::new();
    let [high, low] = resource.to_be_bytes();
    body.fixed(&[family, 0, high, low]);
    body
}

fn bracket(operation: Operation<()>, kind: u16) -> Operation<()> {
    operation.message(kind, 0, header(0, SUBSYSTEM))
}

impl Batch {
    /// An empty batch for one table.
    pub fn new(family: Family, table: &str) -> Self {
        let operation = Operation::new(Protocol::Netfilter, "changing nftables", nothing);
        Self { family, table: table.to_owned(), operation: bracket(operation, BATCH_BEGIN), sets: 0 }
    }

    fn add(mut self, message: u16, flags: i32, body: Writer) -> Self {
        let flags = (libc::NLM_F_ACK | flags) as u16;
        self.operation = self.operation.message(SUBSYSTEM << 8 | message, flags, body);
        self
    }

    fn body(&self) -> Writer {
        let mut body = header(self.family.number(), 0);
        body.text(TABLE_NAME, &self.table);
        body
    }

    /// Makes the table, unless it is there.
    pub fn add_table(self) -> Self {
        let body = self.body();
        self.add(NEW_TABLE, libc::NLM_F_CREATE, body)
    }

    /// Removes the table and all in it; the batch fails when it is not there.
    pub fn delete_table(self) -> Self {
        let body = self.body();
        self.add(DELETE_TABLE, 0, body)
    }

    /// Makes a chain that packets come to by themselves, of type `filter` and policy `accept`.
    pub fn add_base_chain(self, name: &str, hook: Hook, priority: i32) -> Self {
        let mut body = self.body();
        body.text(CHAIN_NAME, name);
        body.nest(CHAIN_HOOK, |inside| {
            inside.be32(HOOK_NUMBER, hook.number()).bytes(HOOK_PRIORITY, &priority.to_be_bytes());
        });
        body.be32(CHAIN_POLICY, ACCEPT).text(CHAIN_TYPE, "filter");
        self.add(NEW_CHAIN, libc::NLM_F_CREATE, body)
    }

    /// Makes a chain that rules lead to.
    pub fn add_chain(self, name: &str) -> Self {
        let mut body = self.body();
        debug_assert_eq!(CHAIN_TABLE, TABLE_NAME);
        body.text(CHAIN_NAME, name);
        self.add(NEW_CHAIN, libc::NLM_F_CREATE, body)
    }

    /// Appends a rule to a chain.
    pub fn add_rule(self, chain: &str, expressions: &[Expression]) -> Self {
        let mut body = self.body();
        debug_assert_eq!(RULE_TABLE, TABLE_NAME);
        body.text(RULE_CHAIN, chain);
        body.nest(RULE_EXPRESSIONS, |list| {
            for expression in expressions {
                list.nest(LIST_ELEMENT, |inside| expression.encode(inside));
            }
        });
        self.add(NEW_RULE, libc::NLM_F_CREATE | libc::NLM_F_APPEND, body)
    }

    /// Makes a set or map.
    pub fn add_set(mut self, set: &Set) -> Self {
        self.sets += 1;
        let mut body = self.body();
        set.encode(&mut body, self.sets);
        self.add(NEW_SET, libc::NLM_F_CREATE, body)
    }

    /// Adds elements to a set; those that are there stay.
    pub fn add_elements(self, set: &str, elements: &[Element]) -> Self {
        self.elements(NEW_ELEMENTS, libc::NLM_F_CREATE, set, elements)
    }

    /// Removes elements from a set; the batch fails when one is not there.
    pub fn delete_elements(self, set: &str, elements: &[Element]) -> Self {
        self.elements(DELETE_ELEMENTS, 0, set, elements)
    }

    fn elements(mut self, message: u16, flags: i32, set: &str, elements: &[Element]) -> Self {
        // A list must fit into an attribute of 64 KiB.
        for some in elements.chunks(256) {
            let mut body = self.body();
            set::encode_elements(&mut body, set, some);
            self = self.add(message, flags, body);
        }
        self
    }

    /// What a client (of [`Protocol::Netfilter`]) runs.
    pub fn finish(self) -> Operation<()> {
        bracket(self.operation, BATCH_END)
    }
}

/// The names of a family's tables.
pub fn tables(family: Family) -> Operation<Vec<String>> {
    Operation::new(Protocol::Netfilter, "listing nftables", take).message(
        SUBSYSTEM << 8 | GET_TABLE,
        libc::NLM_F_DUMP as u16,
        header(family.number(), 0),
    )
}

fn take(tables: &mut Vec<String>, kind: u16, payload: &[u8]) -> Result<(), Malformed> {
    if kind != SUBSYSTEM << 8 | NEW_TABLE {
        return Ok(());
    }
    let attributes = payload.get(4..).ok_or(Malformed("a netfilter message is too short"))?;
    for attribute in Attributes::new(attributes) {
        let attribute = attribute?;
        if attribute.kind == TABLE_NAME {
            tables.push(attribute.text());
        }
    }
    Ok(())
}

/// For the fuzzer: reads anything.
pub(crate) fn decode(payload: &[u8]) {
    let _ = take(&mut Vec::new(), SUBSYSTEM << 8 | NEW_TABLE, payload);
}
