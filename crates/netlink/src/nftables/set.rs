//! Sets and maps.

use super::expression::encode_value;
use crate::attribute::Writer;

const NAME: u16 = 2;
const FLAGS: u16 = 3;
const KEY_TYPE: u16 = 4;
const KEY_LEN: u16 = 5;
const DATA_TYPE: u16 = 6;
const DATA_LEN: u16 = 7;
const ID: u16 = 10;
const USER_DATA: u16 = 13;

const FLAG_CONSTANT: u32 = 2;
const FLAG_MAP: u32 = 8;

const LIST_SET: u16 = 2;
const LIST_ELEMENTS: u16 = 3;
const LIST_ELEMENT: u16 = 1;
const ELEMENT_KEY: u16 = 1;
const ELEMENT_DATA: u16 = 2;

/// The type of a key or value. The kernel knows only its length; the rest is for `nft list`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataType {
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// The index of a link, in the machine's byte order.
    LinkIndex,
    /// The name of a link, 16 bytes.
    LinkName,
    /// An ICMPv6 type.
    Icmpv6Type,
}

impl DataType {
    /// The number by which `nft` knows it.
    const fn number(self) -> u32 {
        match self {
            Self::Ipv4 => 7,
            Self::Ipv6 => 8,
            Self::LinkIndex => 20,
            Self::Icmpv6Type => 29,
            Self::LinkName => 41,
        }
    }

    const fn len(self) -> u32 {
        match self {
            Self::Ipv4 | Self::LinkIndex => 4,
            Self::Ipv6 | Self::LinkName => 16,
            Self::Icmpv6Type => 1,
        }
    }

    /// The byte order, as `nft` numbers them: 1 the machine's, 2 the network's.
    const fn order(self) -> u32 {
        match self {
            Self::Ipv4 | Self::Ipv6 => 2,
            Self::LinkIndex | Self::LinkName | Self::Icmpv6Type => 1,
        }
    }
}

/// A set, or a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// Its name.
    pub name: String,
    /// What its keys are made of: several for a concatenation.
    pub key: Vec<DataType>,
    /// For a map, what its values are.
    pub value: Option<DataType>,
    /// Its elements cannot be changed after the batch that makes it.
    pub constant: bool,
}

/// An element of a set, or of a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// The key's bytes; parts of a concatenation are filled up to four bytes.
    pub key: Vec<u8>,
    /// The value's bytes, for a map.
    pub value: Option<Vec<u8>>,
}

impl Element {
    /// An element of a set.
    pub fn new(key: impl Into<Vec<u8>>) -> Self {
        Self { key: key.into(), value: None }
    }
}

impl Set {
    pub(super) fn encode(&self, body: &mut Writer, id: u32) {
        body.text(NAME, &self.name);
        let flags =
            if self.constant { FLAG_CONSTANT } else { 0 } | if self.value.is_some() { FLAG_MAP } else { 0 };
        if flags != 0 {
            body.be32(FLAGS, flags);
        }
        // A concatenation's number has six bits for each part, and its parts are filled up to four bytes.
        let number = self.key.iter().fold(0, |number, part| number << 6 | part.number());
        let len = match self.key.as_slice() {
            [only] => only.len(),
            parts => parts.iter().map(|part| part.len().next_multiple_of(4)).sum(),
        };
        body.be32(KEY_TYPE, number).be32(KEY_LEN, len);
        if let Some(value) = self.value {
            body.be32(DATA_TYPE, value.number()).be32(DATA_LEN, value.len());
        }
        body.be32(ID, id);
        // Type, length, value: the byte order of keys (0) and of values (1).
        let order = match self.key.as_slice() {
            [only] => only.order(),
            _ => 1,
        };
        let mut user = vec![0, 4];
        user.extend_from_slice(&order.to_ne_bytes());
        if let Some(value) = self.value {
            user.extend_from_slice(&[1, 4]);
            user.extend_from_slice(&value.order().to_ne_bytes());
        }
        body.bytes(USER_DATA, &user);
    }
}

pub(super) fn encode_elements(body: &mut Writer, set: &str, elements: &[Element]) {
    body.text(LIST_SET, set);
    body.nest(LIST_ELEMENTS, |list| {
        for element in elements {
            list.nest(LIST_ELEMENT, |inside| {
                encode_value(inside, ELEMENT_KEY, &element.key);
                if let Some(value) = &element.value {
                    encode_value(inside, ELEMENT_DATA, value);
                }
            });
        }
    });
}
