//! Messages: what a datagram of a netlink socket holds.

use crate::attribute::{Attributes, align};
use crate::error::{Malformed, Refusal};

/// Bytes of struct nlmsghdr.
pub(crate) const HEADER: usize = 16;

const NLMSGERR_ATTR_MSG: u16 = 1;
const NLMSGERR_ATTR_OFFS: u16 = 2;
const NLMSGERR_ATTR_MISS_TYPE: u16 = 5;
/// The echoed request has its payload left out.
const NLM_F_CAPPED: u16 = 0x100;
/// Attributes follow the echoed request.
const NLM_F_ACK_TLVS: u16 = 0x200;
/// What was listed changed meanwhile.
pub(crate) const NLM_F_DUMP_INTR: u16 = 0x10;

pub(crate) const NLMSG_NOOP: u16 = 1;
pub(crate) const NLMSG_ERROR: u16 = 2;
pub(crate) const NLMSG_DONE: u16 = 3;
pub(crate) const NLMSG_OVERRUN: u16 = 4;

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// What it is: below 16 for control, else as the protocol says.
    pub kind: u16,
    /// `NLM_F_…`.
    pub flags: u16,
    /// That of the request it answers; 0 for events.
    pub sequence: u32,
    /// The port it answers to; 0 from the kernel.
    pub port: u32,
    /// What is behind the header, without padding.
    pub payload: &'a [u8],
}

/// Iterates over the messages of a datagram. A broken one is reported once and ends the iteration.
#[derive(Clone, Copy, Debug)]
pub struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Messages<'a> {
    /// The messages in `datagram`.
    pub fn new(datagram: &'a [u8]) -> Self {
        Self { rest: datagram }
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let Some(&[l0, l1, l2, l3, k0, k1, f0, f1, s0, s1, s2, s3, p0, p1, p2, p3]) =
            self.rest.first_chunk::<HEADER>()
        else {
            self.rest = &[];
            return Some(Err(Malformed("a message's header is cut")));
        };
        let len = usize::try_from(u32::from_ne_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
        let Some(payload) = self.rest.get(HEADER..len) else {
            self.rest = &[];
            return Some(Err(Malformed("a message is longer than its datagram")));
        };
        self.rest = self.rest.get(align(len)..).unwrap_or_default();
        Some(Ok(Message {
            kind: u16::from_ne_bytes([k0, k1]),
            flags: u16::from_ne_bytes([f0, f1]),
            sequence: u32::from_ne_bytes([s0, s1, s2, s3]),
            port: u32::from_ne_bytes([p0, p1, p2, p3]),
            payload,
        }))
    }
}

impl Message<'_> {
    /// What an acknowledgement (NLMSG_ERROR) or the end of a listing (NLMSG_DONE) says: `None` is success.
    ///
    /// # Errors
    /// When it is too short to say anything.
    pub fn refusal(&self) -> Result<Option<Refusal>, Malformed> {
        let Some((errno, rest)) = self.payload.split_first_chunk::<4>() else {
            // The end of a listing need not say anything.
            return if self.kind == NLMSG_DONE {
                Ok(None)
            } else {
                Err(Malformed("an acknowledgement is cut"))
            };
        };
        let errno = i32::from_ne_bytes(*errno);
        // The end of a listing may carry a count in place of an error.
        if errno >= 0 {
            return Ok(None);
        }
        let mut refusal = Refusal { errno: errno.saturating_neg(), text: None, offset: None, missing: None };
        if self.flags & NLM_F_ACK_TLVS == 0 {
            return Ok(Some(refusal));
        }
        let attributes = if self.kind == NLMSG_DONE {
            rest
        } else {
            // Behind the echoed header, and behind the echoed payload unless that was left out.
            let Some(&[l0, l1, l2, l3, ..]) = rest.first_chunk::<HEADER>() else {
                return Ok(Some(refusal));
            };
            let echoed = if self.flags & NLM_F_CAPPED != 0 {
                HEADER
            } else {
                usize::try_from(u32::from_ne_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX)
            };
            rest.get(align(echoed)..).unwrap_or_default()
        };
        for attribute in Attributes::new(attributes) {
            // The number is what counts; words that cannot be read are done without.
            let Ok(attribute) = attribute else { break };
            match attribute.kind {
                NLMSGERR_ATTR_MSG => refusal.text = Some(attribute.text()),
                NLMSGERR_ATTR_OFFS => refusal.offset = attribute.u32().ok(),
                NLMSGERR_ATTR_MISS_TYPE => refusal.missing = attribute.u32().ok(),
                _ => {}
            }
        }
        Ok(Some(refusal))
    }
}

/// Appends a message to `to`.
pub(crate) fn append(
    to: &mut Vec<u8>,
    kind: u16,
    flags: u16,
    sequence: u32,
    body: &[u8],
) -> Result<(), Malformed> {
    let len =
        u32::try_from(HEADER.saturating_add(body.len())).map_err(|_| Malformed("a request is too long"))?;
    to.extend_from_slice(&len.to_ne_bytes());
    to.extend_from_slice(&kind.to_ne_bytes());
    to.extend_from_slice(&flags.to_ne_bytes());
    to.extend_from_slice(&sequence.to_ne_bytes());
    to.extend_from_slice(&[0; 4]);
    to.extend_from_slice(body);
    to.resize(align(to.len()), 0);
    Ok(())
}
