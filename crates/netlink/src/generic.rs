//! Generic netlink: families of requests found by name, as IPVS is one.

use crate::attribute::{Attributes, Writer};
use crate::error::Malformed;
use crate::operation::{Operation, Protocol};

/// The family that knows the others (`GENL_ID_CTRL`).
const CONTROL: u16 = 0x10;
const GET_FAMILY: u8 = 3;
const ATTR_FAMILY_ID: u16 = 1;
const ATTR_FAMILY_NAME: u16 = 2;
const ATTR_VERSION: u16 = 3;
const ATTR_MCAST_GROUPS: u16 = 7;
const ATTR_GROUP_NAME: u16 = 1;
const ATTR_GROUP_ID: u16 = 2;

/// A family of the running kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GenericFamily {
    /// Its name.
    pub name: String,
    /// The number that requests carry.
    pub id: u16,
    /// Its version.
    pub version: u32,
    /// Its multicast groups: names and numbers.
    pub groups: Vec<(String, u32)>,
}

/// An answer of a generic family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What it is, in the family's numbers.
    pub command: u8,
    /// The family's version.
    pub version: u8,
    /// Its attributes; see [`attributes`](Self::attributes).
    pub payload: Vec<u8>,
}

impl Answer {
    /// Its attributes.
    pub fn attributes(&self) -> Attributes<'_> {
        Attributes::new(&self.payload)
    }
}

/// Looks a family up. Without it the operation fails, and [`is_missing`](crate::Error::is_missing).
pub fn family(name: &str) -> Operation<GenericFamily> {
    let mut body = header(GET_FAMILY, 1);
    body.text(ATTR_FAMILY_NAME, name);
    Operation::new(Protocol::Generic, "looking up a generic netlink family", take_family).message(
        CONTROL,
        libc::NLM_F_ACK as u16,
        body,
    )
}

/// struct genlmsghdr.
pub(crate) fn header(command: u8, version: u8) -> Writer {
    let mut body = Writer::new();
    body.fixed(&[command, version, 0, 0]);
    body
}

/// A request to a family, with the attributes that `write` writes.
pub fn request(
    family: &GenericFamily,
    command: u8,
    write: impl FnOnce(&mut Writer),
) -> Operation<Vec<Answer>> {
    send(family, command, libc::NLM_F_ACK, write)
}

/// A request to a family for a listing.
pub fn listing(
    family: &GenericFamily,
    command: u8,
    write: impl FnOnce(&mut Writer),
) -> Operation<Vec<Answer>> {
    send(family, command, libc::NLM_F_DUMP, write)
}

fn send(
    family: &GenericFamily,
    command: u8,
    flags: i32,
    write: impl FnOnce(&mut Writer),
) -> Operation<Vec<Answer>> {
    let mut body = header(command, u8::try_from(family.version).unwrap_or(1));
    write(&mut body);
    Operation::new(Protocol::Generic, "a generic netlink request", take_answer).message(
        family.id,
        flags as u16,
        body,
    )
}

fn take_answer(answers: &mut Vec<Answer>, _: u16, payload: &[u8]) -> Result<(), Malformed> {
    let Some((&[command, version, _, _], attributes)) = payload.split_first_chunk::<4>() else {
        return Err(Malformed("a generic message is too short"));
    };
    answers.push(Answer { command, version, payload: attributes.to_vec() });
    Ok(())
}

fn take_family(family: &mut GenericFamily, _: u16, payload: &[u8]) -> Result<(), Malformed> {
    let attributes = payload.get(4..).ok_or(Malformed("a generic message is too short"))?;
    for attribute in Attributes::new(attributes) {
        let attribute = attribute?;
        match attribute.kind {
            ATTR_FAMILY_ID => family.id = attribute.u16()?,
            ATTR_FAMILY_NAME => family.name = attribute.text(),
            ATTR_VERSION => family.version = attribute.u32()?,
            ATTR_MCAST_GROUPS => {
                for group in attribute.nested() {
                    let (mut name, mut id) = (String::new(), 0);
                    for part in group?.nested() {
                        let part = part?;
                        match part.kind {
                            ATTR_GROUP_NAME => name = part.text(),
                            ATTR_GROUP_ID => id = part.u32()?,
                            _ => {}
                        }
                    }
                    family.groups.push((name, id));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// For the fuzzer: reads anything.
pub(crate) fn decode(payload: &[u8]) {
    let _ = take_family(&mut GenericFamily::default(), 0, payload);
    let _ = take_answer(&mut Vec::new(), 0, payload);
}
