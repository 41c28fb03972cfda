use crate::token::{is_name, is_token};
use crate::{Fields, RequestHead, ResponseHead, Sink, Span, Version};

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

/// What becomes of a received field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Slot {
    #[default]
    Keep,
    Removed,
    /// Another value, in `text`.
    Value(Span),
}

/// A line `name: value CRLF` in `text`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Added {
    name: Span,
    value: Span,
    removed: bool,
}

/// Changes laid over a received head. Nothing is moved until the head is written.
///
/// No text put in can end its line: CR, LF and NUL become spaces in values, targets and reasons, and what is no token
/// becomes `_` in names and methods.
#[derive(Clone, Debug, Default)]
pub struct Edits {
    text: Vec<u8>,
    slots: Vec<Slot>,
    added: Vec<Added>,
    method: Option<Span>,
    target: Option<Span>,
    version: Option<Version>,
    status: Option<(u16, Span)>,
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
        self.added.clear();
        self.method = None;
        self.target = None;
        self.version = None;
        self.status = None;
    }

    /// Nothing was changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty() && self.added.is_empty() && !self.changes_line()
    }

    fn changes_line(&self) -> bool {
        self.method.is_some() || self.target.is_some() || self.version.is_some() || self.status.is_some()
    }

    fn put(&mut self, bytes: &[u8]) -> Span {
        let start = self.text.len();
        self.text.extend(bytes.iter().map(|b| if matches!(b, b'\r' | b'\n' | 0) { b' ' } else { *b }));
        Span::new(start, self.text.len())
    }

    fn put_token(&mut self, bytes: &[u8]) -> Span {
        let start = self.text.len();
        self.text.extend(bytes.iter().map(|b| if is_token(*b) { *b } else { b'_' }));
        Span::new(start, self.text.len())
    }

    fn set_slot(&mut self, index: usize, slot: Slot) {
        if self.slots.len() <= index {
            self.slots.resize(index + 1, Slot::Keep);
        }
        if let Some(place) = self.slots.get_mut(index) {
            *place = slot;
        }
    }

    /// Leaves a field out.
    pub fn remove(&mut self, at: FieldAt) {
        match at {
            FieldAt::Received(index) => self.set_slot(index, Slot::Removed),
            FieldAt::Added(index) => {
                if let Some(added) = self.added.get_mut(index) {
                    added.removed = true;
                }
            }
        }
    }

    /// Leaves all fields out that are called so, received or added. Tells how many there were.
    pub fn remove_all(&mut self, fields: &Fields, buf: &[u8], name: &[u8]) -> usize {
        let mut count = 0;
        for (index, (received, _)) in fields.pairs(buf).enumerate() {
            let gone = self.slots.get(index) == Some(&Slot::Removed);
            if received.eq_ignore_ascii_case(name) && !gone {
                self.set_slot(index, Slot::Removed);
                count += 1;
            }
        }
        let text = &self.text;
        for added in &mut self.added {
            if !added.removed && added.name.of(text).eq_ignore_ascii_case(name) {
                added.removed = true;
                count += 1;
            }
        }
        count
    }

    /// Gives a field another value.
    pub fn replace_value(&mut self, at: FieldAt, value: &[u8]) {
        match at {
            FieldAt::Received(index) => {
                let value = self.put(value);
                self.set_slot(index, Slot::Value(value));
            }
            FieldAt::Added(index) => {
                let Some(name) = self.added.get(index).map(|added| added.name) else { return };
                let name = name.of(&self.text).to_vec();
                let line = self.put_line(&name, value);
                if let Some(added) = self.added.get_mut(index) {
                    *added = line;
                }
            }
        }
    }

    fn put_line(&mut self, name: &[u8], value: &[u8]) -> Added {
        let name = self.put_token(name);
        self.text.extend_from_slice(b": ");
        let value = self.put(value);
        self.text.extend_from_slice(b"\r\n");
        Added { name, value, removed: false }
    }

    /// Adds a field behind all others.
    pub fn append(&mut self, name: &[u8], value: &[u8]) {
        let line = self.put_line(name, value);
        self.added.push(line);
    }

    /// Makes `value` the only one that is called `name`, behind all other fields: `http-request set-header`.
    pub fn set(&mut self, fields: &Fields, buf: &[u8], name: &[u8], value: &[u8]) {
        self.remove_all(fields, buf, name);
        self.append(name, value);
    }

    /// Replaces the method.
    pub fn set_method(&mut self, method: &[u8]) {
        self.method = Some(self.put_token(method));
    }

    /// Replaces the request target; spaces and control characters, which would end it, are percent-encoded.
    pub fn set_target(&mut self, target: &[u8]) {
        let start = self.text.len();
        for byte in target {
            if *byte <= b' ' || *byte == 0x7f {
                let hex = |digit: u8| if digit < 10 { b'0' + digit } else { b'A' + digit - 10 };
                self.text.extend_from_slice(&[b'%', hex(byte >> 4), hex(byte & 15)]);
            } else {
                self.text.push(*byte);
            }
        }
        self.target = Some(Span::new(start, self.text.len()));
    }

    /// Replaces the version.
    pub fn set_version(&mut self, version: Version) {
        self.version = Some(version);
    }

    /// Replaces the status code (100–999) and the reason phrase.
    pub fn set_status(&mut self, status: u16, reason: &[u8]) {
        let reason = self.put(reason);
        self.status = Some((status.clamp(100, 999), reason));
    }

    /// The method after the changes.
    #[must_use]
    pub fn method<'a>(&'a self, head: &RequestHead, buf: &'a [u8]) -> &'a [u8] {
        self.method.map_or_else(|| head.method(buf), |span| span.of(&self.text))
    }

    /// The target after the changes.
    #[must_use]
    pub fn target<'a>(&'a self, head: &RequestHead, buf: &'a [u8]) -> &'a [u8] {
        self.target.map_or_else(|| head.target(buf), |span| span.of(&self.text))
    }

    /// The version after the changes, `received` being the one before.
    #[must_use]
    pub fn version(&self, received: Version) -> Version {
        self.version.unwrap_or(received)
    }

    /// The status code after the changes.
    #[must_use]
    pub fn status(&self, head: &ResponseHead) -> u16 {
        self.status.map_or_else(|| head.status(), |(status, _)| status)
    }

    /// The fields after the changes.
    pub fn fields<'a>(&'a self, fields: &'a Fields, buf: &'a [u8]) -> impl Iterator<Item = FieldRef<'a>> {
        self.chosen(fields, buf, |_| true)
    }

    /// The Connection fields after the changes.
    pub(crate) fn connection_fields<'a>(
        &'a self,
        fields: &'a Fields,
        buf: &'a [u8],
    ) -> impl Iterator<Item = FieldRef<'a>> {
        self.chosen(fields, buf, |name| name.len() == 10).filter(|field| is_name(field.name, b"connection"))
    }

    /// The fields after the changes, of those whose name's place is `wanted`: no other is looked at.
    fn chosen<'a>(
        &'a self,
        fields: &'a Fields,
        buf: &'a [u8],
        wanted: impl Fn(Span) -> bool + Copy,
    ) -> impl Iterator<Item = FieldRef<'a>> {
        let received = fields.iter().enumerate().filter(move |(_, field)| wanted(field.name));
        let received = received.filter_map(|(index, field)| {
            let value = match self.slots.get(index).copied().unwrap_or_default() {
                Slot::Keep => field.value.of(buf),
                Slot::Value(value) => value.of(&self.text),
                Slot::Removed => return None,
            };
            Some(FieldRef { name: field.name.of(buf), value, at: FieldAt::Received(index) })
        });
        let added = self.added.iter().enumerate();
        let added =
            added.filter(move |(_, added)| !added.removed && wanted(added.name)).map(|(index, added)| {
                let (name, value) = (added.name.of(&self.text), added.value.of(&self.text));
                FieldRef { name, value, at: FieldAt::Added(index) }
            });
        received.chain(added)
    }

    /// The first field called `name` after the changes.
    #[must_use]
    pub fn find<'a>(&'a self, fields: &'a Fields, buf: &'a [u8], name: &[u8]) -> Option<FieldRef<'a>> {
        self.fields(fields, buf).find(|field| field.name.eq_ignore_ascii_case(name))
    }

    /// Writes the request head, its final empty line included.
    pub fn write_request(&self, head: &RequestHead, buf: &[u8], out: &mut impl Sink) {
        let (line, canonical) = head.line();
        if canonical && !self.changes_line() {
            self.write_fields(head.fields(), buf, Span { end: line.end + 2, ..line }, out);
            return;
        }
        out.put(self.method(head, buf));
        out.put(b" ");
        out.put(self.target(head, buf));
        out.put(b" ");
        out.put(self.version(head.version()).as_str().as_bytes());
        out.put(b"\r\n");
        self.write_fields(head.fields(), buf, Span::default(), out);
    }

    /// Writes the response head, its final empty line included.
    pub fn write_response(&self, head: &ResponseHead, buf: &[u8], out: &mut impl Sink) {
        let (line, canonical) = head.line();
        if canonical && !self.changes_line() {
            self.write_fields(head.fields(), buf, Span { end: line.end + 2, ..line }, out);
            return;
        }
        let reason = self.status.map_or_else(|| head.reason(buf), |(_, reason)| reason.of(&self.text));
        out.put(self.version(head.version()).as_str().as_bytes());
        out.put(b" ");
        out.put(&crate::status::digits(self.status(head)));
        out.put(b" ");
        out.put(reason);
        out.put(b"\r\n");
        self.write_fields(head.fields(), buf, Span::default(), out);
    }

    /// Writes the fields. `run` is what stands before them and can be copied with the first of them.
    fn write_fields(&self, fields: &Fields, buf: &[u8], mut run: Span, out: &mut impl Sink) {
        for (index, field) in fields.iter().enumerate() {
            let slot = self.slots.get(index).copied().unwrap_or_default();
            if slot == Slot::Keep && field.canonical && field.line.start == run.end {
                run.end = field.line.end;
                continue;
            }
            if !run.is_empty() {
                out.put(run.of(buf));
            }
            run = Span { start: field.line.end, end: field.line.end };
            let value = match slot {
                Slot::Keep if field.canonical => {
                    run.start = field.line.start;
                    continue;
                }
                Slot::Keep => field.value.of(buf),
                Slot::Value(value) => value.of(&self.text),
                Slot::Removed => continue,
            };
            out.put(field.name.of(buf));
            out.put(b": ");
            out.put(value);
            out.put(b"\r\n");
        }
        if !run.is_empty() {
            out.put(run.of(buf));
        }
        for added in self.added.iter().filter(|added| !added.removed) {
            out.put(Span { start: added.name.start, end: added.value.end.saturating_add(2) }.of(&self.text));
        }
        out.put(b"\r\n");
    }
}
