//! Requests as values: made by the modules of links, addresses, routes…, run by a client.

use crate::attribute::Writer;
use crate::error::Malformed;
use std::fmt;

/// Which part of the kernel a socket talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Links, addresses, routes, rules (`NETLINK_ROUTE`).
    Route,
    /// nftables (`NETLINK_NETFILTER`).
    Netfilter,
    /// Families found by name (`NETLINK_GENERIC`).
    Generic,
}

impl Protocol {
    pub(crate) const fn number(self) -> i32 {
        match self {
            Self::Route => libc::NETLINK_ROUTE,
            Self::Netfilter => libc::NETLINK_NETFILTER,
            Self::Generic => libc::NETLINK_GENERIC,
        }
    }
}

/// One message of an operation, without sequence number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    /// `None`: too long.
    pub(crate) body: Option<Vec<u8>>,
}

/// What an answer's payload adds to the result: message kind, payload.
pub(crate) type Take<T> = fn(&mut T, u16, &[u8]) -> Result<(), Malformed>;

/// Something to ask of the kernel, with a result of type `T`. Nothing happens until a client runs it.
#[must_use = "an operation does nothing until a client runs it"]
pub struct Operation<T> {
    pub(crate) protocol: Protocol,
    /// For errors, in words: "adding an address".
    pub(crate) what: &'static str,
    pub(crate) parts: Vec<Part>,
    pub(crate) take: Take<T>,
    /// Why it cannot be asked at all.
    pub(crate) invalid: Option<String>,
}

impl<T> fmt::Debug for Operation<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation").field("what", &self.what).field("parts", &self.parts).finish()
    }
}

impl<T> Clone for Operation<T> {
    fn clone(&self) -> Self {
        Self {
            protocol: self.protocol,
            what: self.what,
            parts: self.parts.clone(),
            take: self.take,
            invalid: self.invalid.clone(),
        }
    }
}

impl<T> Operation<T> {
    pub(crate) fn new(protocol: Protocol, what: &'static str, take: Take<T>) -> Self {
        Self { protocol, what, parts: Vec::new(), take, invalid: None }
    }

    /// Adds a message; `flags` besides REQUEST.
    pub(crate) fn message(mut self, kind: u16, flags: u16, body: Writer) -> Self {
        self.parts.push(Part { kind, flags, body: body.finish() });
        self
    }

    /// One that every client refuses to run, with this reason.
    pub(crate) fn refuse(mut self, why: Option<String>) -> Self {
        self.invalid = self.invalid.or(why);
        self
    }
}

/// Takes nothing: for requests that are only acknowledged.
pub(crate) fn nothing(_: &mut (), _: u16, _: &[u8]) -> Result<(), Malformed> {
    Ok(())
}

impl Operation<()> {
    /// Which client runs it.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The operation as bytes, for another process of this program to run ([`decode`](Self::decode)); `None` when no client
    /// would run it.
    pub fn encode(&self) -> Option<Vec<u8>> {
        if self.invalid.is_some() {
            return None;
        }
        let mut out = vec![self.protocol.number() as u8];
        for part in &self.parts {
            let body = part.body.as_ref()?;
            out.extend(part.kind.to_le_bytes());
            out.extend(part.flags.to_le_bytes());
            out.extend((body.len() as u32).to_le_bytes());
            out.extend(body);
        }
        Some(out)
    }

    /// What [`encode`](Self::encode) made; `None` when it is not that.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (protocol, mut rest) = bytes.split_first()?;
        let protocol = [Protocol::Route, Protocol::Netfilter, Protocol::Generic]
            .into_iter()
            .find(|known| known.number() == i32::from(*protocol))?;
        let mut operation = Self::new(protocol, "an operation of another process", nothing);
        while !rest.is_empty() {
            let (&[k0, k1, f0, f1, l0, l1, l2, l3], after) = rest.split_first_chunk::<8>()?;
            let (body, after) = after.split_at_checked(u32::from_le_bytes([l0, l1, l2, l3]) as usize)?;
            rest = after;
            operation.parts.push(Part {
                kind: u16::from_le_bytes([k0, k1]),
                flags: u16::from_le_bytes([f0, f1]),
                body: Some(body.to_vec()),
            });
        }
        Some(operation)
    }
}
