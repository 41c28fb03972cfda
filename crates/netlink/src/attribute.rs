//! Attributes: the (length, kind, payload) triples that netlink messages are made of.

use crate::error::Malformed;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bytes of an attribute's header.
pub(crate) const HEADER: usize = 4;
/// The bits of the kind that are flags: nested, network byte order.
const KIND_FLAGS: u16 = 0xc000;
const NESTED: u16 = 0x8000;

/// Rounds a length up to the alignment of messages and attributes.
pub const fn align(len: usize) -> usize {
    len.saturating_add(3) & !3
}

/// One attribute of a received message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// What it is, without flag bits.
    pub kind: u16,
    /// Its bytes, without padding.
    pub payload: &'a [u8],
}

/// Iterates over attributes. A broken one is reported once and ends the iteration.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Attributes<'a> {
    /// The attributes in `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        // The last attribute's padding may be missing, and what pads a message is shorter than a header.
        let &[l0, l1, k0, k1, ..] = self.rest else {
            let padding = self.rest.iter().all(|byte| *byte == 0);
            self.rest = &[];
            return if padding { None } else { Some(Err(Malformed("an attribute's header is cut"))) };
        };
        let len = usize::from(u16::from_ne_bytes([l0, l1]));
        let Some(payload) = self.rest.get(HEADER..len) else {
            self.rest = &[];
            return Some(Err(Malformed("an attribute is longer than its message")));
        };
        self.rest = self.rest.get(align(len)..).unwrap_or_default();
        Some(Ok(Attribute { kind: u16::from_ne_bytes([k0, k1]) & !KIND_FLAGS, payload }))
    }
}

impl<'a> Attribute<'a> {
    fn array<const N: usize>(&self) -> Result<[u8; N], Malformed> {
        self.payload.first_chunk().copied().ok_or(Malformed("an attribute is too short"))
    }

    /// The first byte.
    ///
    /// # Errors
    /// When the payload is shorter, as with those below.
    pub fn u8(&self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// A number in the machine's byte order.
    ///
    /// # Errors
    /// When the payload is shorter.
    pub fn u16(&self) -> Result<u16, Malformed> {
        self.array().map(u16::from_ne_bytes)
    }

    /// A number in network byte order.
    ///
    /// # Errors
    /// When the payload is shorter.
    pub fn be16(&self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    /// A number in the machine's byte order.
    ///
    /// # Errors
    /// When the payload is shorter.
    pub fn u32(&self) -> Result<u32, Malformed> {
        self.array().map(u32::from_ne_bytes)
    }

    /// A number in network byte order.
    ///
    /// # Errors
    /// When the payload is shorter.
    pub fn be32(&self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    /// A signed number in the machine's byte order.
    ///
    /// # Errors
    /// When the payload is shorter.
    pub fn i32(&self) -> Result<i32, Malformed> {
        self.array().map(i32::from_ne_bytes)
    }

    /// A number in the machine's byte order.
    ///
    /// # Errors
    /// When the payload is shorter.
    pub fn u64(&self) -> Result<u64, Malformed> {
        self.array().map(u64::from_ne_bytes)
    }

    /// A number in network byte order.
    ///
    /// # Errors
    /// When the payload is shorter.
    pub fn be64(&self) -> Result<u64, Malformed> {
        self.array().map(u64::from_be_bytes)
    }

    /// Text up to the first NUL; what is no UTF-8 is replaced.
    pub fn text(&self) -> String {
        let end = self.payload.iter().position(|byte| *byte == 0).unwrap_or(self.payload.len());
        String::from_utf8_lossy(self.payload.get(..end).unwrap_or_default()).into_owned()
    }

    /// An address, told apart by its length.
    ///
    /// # Errors
    /// When it has neither 4 nor 16 bytes.
    pub fn ip(&self) -> Result<IpAddr, Malformed> {
        if let Ok(bytes) = <[u8; 4]>::try_from(self.payload) {
            return Ok(Ipv4Addr::from(bytes).into());
        }
        match <[u8; 16]>::try_from(self.payload) {
            Ok(bytes) => Ok(Ipv6Addr::from(bytes).into()),
            Err(_) => Err(Malformed("an address has neither 4 nor 16 bytes")),
        }
    }

    /// The attributes inside.
    pub fn nested(&self) -> Attributes<'a> {
        Attributes::new(self.payload)
    }
}

/// Writes the body of a message: its family's fixed part, then attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Writer {
    bytes: Vec<u8>,
    /// An attribute did not fit into its 16-bit length.
    too_long: bool,
}

impl Writer {
    /// An empty body.
    pub fn new() -> Self {
        Self::default()
    }

    /// What was written; `None` when an attribute was too long.
    pub fn finish(self) -> Option<Vec<u8>> {
        (!self.too_long).then_some(self.bytes)
    }

    /// Appends bytes that are no attribute (the fixed part), padded.
    pub fn fixed(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self.pad();
        self
    }

    fn pad(&mut self) {
        self.bytes.resize(align(self.bytes.len()), 0);
    }

    /// An attribute of any bytes.
    pub fn bytes(&mut self, kind: u16, payload: &[u8]) -> &mut Self {
        let Ok(len) = u16::try_from(HEADER.saturating_add(payload.len())) else {
            self.too_long = true;
            return self;
        };
        self.bytes.extend_from_slice(&len.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(payload);
        self.pad();
        self
    }

    /// An attribute that says what it says by being there.
    pub fn flag(&mut self, kind: u16) -> &mut Self {
        self.bytes(kind, &[])
    }

    /// A byte.
    pub fn u8(&mut self, kind: u16, value: u8) -> &mut Self {
        self.bytes(kind, &[value])
    }

    /// A number in the machine's byte order.
    pub fn u16(&mut self, kind: u16, value: u16) -> &mut Self {
        self.bytes(kind, &value.to_ne_bytes())
    }

    /// A number in network byte order.
    pub fn be16(&mut self, kind: u16, value: u16) -> &mut Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// A number in the machine's byte order.
    pub fn u32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.bytes(kind, &value.to_ne_bytes())
    }

    /// A number in network byte order.
    pub fn be32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// A number in network byte order.
    pub fn be64(&mut self, kind: u16, value: u64) -> &mut Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// Text with a NUL behind it.
    pub fn text(&mut self, kind: u16, text: &str) -> &mut Self {
        let mut bytes = text.as_bytes().to_vec();
        bytes.push(0);
        self.bytes(kind, &bytes)
    }

    /// An address.
    pub fn ip(&mut self, kind: u16, address: IpAddr) -> &mut Self {
        match address {
            IpAddr::V4(v4) => self.bytes(kind, &v4.octets()),
            IpAddr::V6(v6) => self.bytes(kind, &v6.octets()),
        }
    }

    /// An attribute of attributes, marked as nested.
    pub fn nest(&mut self, kind: u16, inside: impl FnOnce(&mut Self)) -> &mut Self {
        self.nest_as(kind | NESTED, inside)
    }

    /// An attribute of attributes without the mark, as the oldest families want it.
    pub fn nest_plain(&mut self, kind: u16, inside: impl FnOnce(&mut Self)) -> &mut Self {
        self.nest_as(kind, inside)
    }

    fn nest_as(&mut self, kind: u16, inside: impl FnOnce(&mut Self)) -> &mut Self {
        let mut inner = Self::new();
        inside(&mut inner);
        self.too_long |= inner.too_long;
        self.bytes(kind, &inner.bytes)
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}
