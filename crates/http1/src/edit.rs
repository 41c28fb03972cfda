use crate::{Fields, RequestHead, ResponseHead, Sink, Version};

/// Where a field stands in an edited head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldAt {
    /// Index into the received fields.
    Received(usize),
    /// Index into the fields that were added.
    Added(usize),
}

/// A field of an edited head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldRef<'a> {
    /// As it will be written.
    pub name: &'a [u8],
    /// As it will be written.
    pub value: &'a [u8],
    /// Where it stands.
    pub at: FieldAt,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Slot {
    #[default]
    Keep,
    Removed,
    Value(u32, u32),
}

/// Changes laid over a received head. Nothing is moved until the head is written.
///
/// CR, LF and NUL in what is put in become spaces, so that no value can end its line.
#[derive(Clone, Debug, Default)]
pub struct Edits {
    text: Vec<u8>,
    slots: Vec<Slot>,
}

impl Edits {
    /// No changes; keep it and reuse it, it keeps its memory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all changes.
    pub fn clear(&mut self) {
        self.text.clear();
        self.slots.clear();
    }

    /// Leaves a field out.
    pub fn remove(&mut self, at: FieldAt) {
        let _ = (at, Slot::Removed, Slot::Value(0, 0));
    }

    /// Leaves all fields out that are called so, received or added. Tells how many there were.
    pub fn remove_all(&mut self, fields: &Fields, buf: &[u8], name: &[u8]) -> usize {
        let _ = (fields, buf, name);
        0
    }

    /// Gives a field another value.
    pub fn replace_value(&mut self, at: FieldAt, value: &[u8]) {
        let _ = (at, value);
    }

    /// Adds a field behind all others.
    pub fn append(&mut self, name: &[u8], value: &[u8]) {
        let _ = (name, value);
    }

    /// Replaces the method.
    pub fn set_method(&mut self, method: &[u8]) {
        let _ = method;
    }

    /// Replaces the request target.
    pub fn set_target(&mut self, target: &[u8]) {
        let _ = target;
    }

    /// Replaces the version.
    pub fn set_version(&mut self, version: Version) {
        let _ = version;
    }

    /// Replaces the status code and the reason phrase.
    pub fn set_status(&mut self, status: u16, reason: &[u8]) {
        let _ = (status, reason);
    }

    /// The method after the changes.
    #[must_use]
    pub fn method<'a>(&'a self, head: &RequestHead, buf: &'a [u8]) -> &'a [u8] {
        head.method(buf)
    }

    /// The target after the changes.
    #[must_use]
    pub fn target<'a>(&'a self, head: &RequestHead, buf: &'a [u8]) -> &'a [u8] {
        head.target(buf)
    }

    /// The fields after the changes.
    pub fn fields<'a>(&'a self, fields: &'a Fields, buf: &'a [u8]) -> impl Iterator<Item = FieldRef<'a>> {
        fields.pairs(buf).enumerate().map(|(i, (name, value))| FieldRef {
            name,
            value,
            at: FieldAt::Received(i),
        })
    }

    /// The first field called `name` after the changes.
    #[must_use]
    pub fn find<'a>(&'a self, fields: &'a Fields, buf: &'a [u8], name: &[u8]) -> Option<FieldRef<'a>> {
        self.fields(fields, buf).find(|field| field.name.eq_ignore_ascii_case(name))
    }

    /// Writes the request head, its final empty line included.
    pub fn write_request(&self, head: &RequestHead, buf: &[u8], out: &mut impl Sink) {
        let _ = (head, buf, out);
    }

    /// Writes the response head, its final empty line included.
    pub fn write_response(&self, head: &ResponseHead, buf: &[u8], out: &mut impl Sink) {
        let _ = (head, buf, out);
    }
}
