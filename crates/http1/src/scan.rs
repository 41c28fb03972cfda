//! The resumable scanner of field lines, and byte searches.
//!
//! A scanner remembers how far it has validated and in which part of a line it stands, so that every byte is looked
//! at once however the message was split. A field is handed out when the byte after its line is there: only then is
//! it known that the line is not folded.

use crate::token::{is_token, is_value};
use crate::{Field, HeadError, HeadErrorKind, Span};

/// Offset of the first byte of `buf` from `at` on for which `class` is false, or the length of `buf`.
#[inline]
pub(crate) fn skip_while(buf: &[u8], at: usize, class: impl Fn(u8) -> bool) -> usize {
    let rest = buf.get(at..).unwrap_or_default();
    let mut fours = rest.chunks_exact(4);
    let mut skipped = 0;
    for four in fours.by_ref() {
        // One branch for four bytes; which of them it was is worked out once.
        if !four.iter().fold(true, |all, b| all & class(*b)) {
            return at + skipped + four.iter().position(|b| !class(*b)).unwrap_or_default();
        }
        skipped += 4;
    }
    let tail = fours.remainder();
    at + skipped + tail.iter().position(|b| !class(*b)).unwrap_or(tail.len())
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = ONES * 0x80;

/// Offset of the first control character (tab apart) from `at` on, or the length of `buf`. Eight bytes at a time.
#[inline]
pub(crate) fn skip_value(buf: &[u8], mut at: usize) -> usize {
    loop {
        let rest = buf.get(at..).unwrap_or_default();
        let mut words = rest.chunks_exact(8);
        let mut offset = 0;
        let mut hit = None;
        for word in words.by_ref() {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(word);
            let word = u64::from_le_bytes(bytes);
            // A byte below 0x20, or 0x7f. Borrows run upwards only, so the lowest bit set is a true hit.
            let low = word.wrapping_sub(ONES * 0x20) & !word;
            let del = word ^ (ONES * 0x7f);
            let del = del.wrapping_sub(ONES) & !del;
            let mask = (low | del) & HIGHS;
            if mask != 0 {
                hit = Some(offset + mask.trailing_zeros() as usize / 8);
                break;
            }
            offset += 8;
        }
        let found = match hit {
            Some(found) => found,
            None => {
                let tail = words.remainder();
                offset + tail.iter().position(|b| !is_value(*b)).unwrap_or(tail.len())
            }
        };
        at += found;
        if buf.get(at) != Some(&b'\t') {
            return at;
        }
        at += 1;
    }
}

/// Which part of the field section comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    /// First byte of a line.
    #[default]
    Line,
    Name,
    /// White space before the value.
    Space,
    Value,
    /// The LF of a field line.
    Lf,
    /// The LF of the empty line.
    EndLf,
}

/// What [`FieldScanner::next`] came upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scanned {
    /// The bytes are used up.
    Partial,
    /// A field, whole and unfolded.
    Field(Field),
    /// The empty line; the offset behind it.
    End(usize),
}

/// Scans field lines up to and including the empty line.
#[derive(Clone, Debug, Default)]
pub(crate) struct FieldScanner {
    part: Part,
    at: usize,
    line: usize,
    name_end: usize,
    value: usize,
    value_end: usize,
    /// A field line is complete but for the question whether the next line continues it.
    pending: bool,
    /// The name has a byte that only `accept_unsafe` lets through: the field is not handed out.
    bad_name: bool,
}

impl FieldScanner {
    /// Starts at the first field line.
    pub(crate) fn start(&mut self, at: usize) {
        *self = Self { at, ..Self::default() };
    }

    /// How far the bytes were looked at.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Goes on to the next field or the end. Folded lines are joined by overwriting their line ends with spaces.
    pub(crate) fn next(&mut self, buf: &mut [u8], accept_unsafe: bool) -> Result<Scanned, HeadError> {
        loop {
            let Some(&byte) = buf.get(self.at) else { return Ok(Scanned::Partial) };
            match self.part {
                Part::Line => {
                    if !self.pending
                        && let Some(field) = self.whole_line(buf)
                    {
                        return Ok(Scanned::Field(field));
                    }
                    if self.pending {
                        if byte == b' ' || byte == b'\t' {
                            self.unfold(buf);
                            continue;
                        }
                        self.pending = false;
                        if !self.bad_name {
                            return Ok(Scanned::Field(self.field(buf)));
                        }
                    }
                    match byte {
                        b'\r' => {
                            self.at += 1;
                            self.part = Part::EndLf;
                        }
                        b'\n' if accept_unsafe => return Ok(self.end()),
                        b'\n' => return self.fail(HeadErrorKind::LineEnd),
                        _ => {
                            self.line = self.at;
                            self.bad_name = false;
                            self.part = Part::Name;
                        }
                    }
                }
                Part::Name => {
                    self.at = skip_while(buf, self.at, is_token);
                    match buf.get(self.at) {
                        None => return Ok(Scanned::Partial),
                        Some(b':') if self.at > self.line => {
                            self.name_end = self.at;
                            self.at += 1;
                            self.part = Part::Space;
                        }
                        Some(b'\n' | b'\r' | b':' | 0) => return self.fail(HeadErrorKind::FieldName),
                        Some(_) if accept_unsafe => {
                            self.bad_name = true;
                            self.at += 1;
                        }
                        Some(_) => return self.fail(HeadErrorKind::FieldName),
                    }
                }
                Part::Space => {
                    self.at = skip_while(buf, self.at, |b| b == b' ' || b == b'\t');
                    if self.at < buf.len() {
                        self.value = self.at;
                        self.part = Part::Value;
                    }
                }
                Part::Value => {
                    self.at = skip_value(buf, self.at);
                    match buf.get(self.at) {
                        None => return Ok(Scanned::Partial),
                        Some(b'\r') => {
                            self.value_end = self.at;
                            self.at += 1;
                            self.part = Part::Lf;
                        }
                        Some(b'\n') if accept_unsafe => {
                            self.value_end = self.at;
                            self.part = Part::Lf;
                        }
                        Some(b'\n') => return self.fail(HeadErrorKind::LineEnd),
                        Some(_) if accept_unsafe => self.at += 1,
                        Some(_) => return self.fail(HeadErrorKind::FieldValue),
                    }
                }
                Part::Lf => {
                    if byte != b'\n' {
                        return self.fail(HeadErrorKind::LineEnd);
                    }
                    self.at += 1;
                    self.pending = true;
                    self.part = Part::Line;
                }
                Part::EndLf => {
                    if byte != b'\n' {
                        return self.fail(HeadErrorKind::LineEnd);
                    }
                    return Ok(self.end());
                }
            }
        }
    }

    /// The usual case in one go: a canonical line that is all there and not folded. Anything else is left to the
    /// byte-wise way, which also finds what is wrong with it.
    #[inline]
    fn whole_line(&mut self, buf: &[u8]) -> Option<Field> {
        let line = self.at;
        let name_end = skip_while(buf, line, is_token);
        let blank = |byte: &u8| *byte == b' ' || *byte == b'\t';
        match buf.get(name_end..)? {
            [b':', b' ', first, ..] if name_end > line && !blank(first) => {}
            _ => return None,
        }
        let value = name_end + 2;
        let value_end = skip_value(buf, value);
        match buf.get(value_end - 1..)? {
            [last, b'\r', b'\n', next, ..] if value_end > value && !blank(last) && !blank(next) => {}
            _ => return None,
        }
        self.at = value_end + 2;
        Some(Field {
            name: Span::new(line, name_end),
            value: Span::new(value, value_end),
            line: Span::new(line, self.at),
            canonical: true,
        })
    }

    fn end(&mut self) -> Scanned {
        self.at += 1;
        Scanned::End(self.at)
    }

    fn fail<T>(&self, kind: HeadErrorKind) -> Result<T, HeadError> {
        Err(HeadError { kind, offset: self.at })
    }

    /// RFC 9112 section 5.2: the line end before the continuation becomes spaces.
    fn unfold(&mut self, buf: &mut [u8]) {
        if let Some(line_end) = buf.get_mut(self.value_end..self.at) {
            line_end.fill(b' ');
        }
        self.pending = false;
        // An empty first line: the value starts later.
        self.part = if self.value == self.value_end { Part::Space } else { Part::Value };
    }

    fn field(&self, buf: &[u8]) -> Field {
        let mut end = self.value_end;
        while end > self.value && matches!(buf.get(end - 1), Some(b' ' | b'\t')) {
            end -= 1;
        }
        let separator = buf.get(self.name_end..self.value);
        Field {
            name: Span::new(self.line, self.name_end),
            value: Span::new(self.value, end),
            line: Span::new(self.line, self.at),
            canonical: separator == Some(b": ") && end + 2 == self.at && buf.get(end) == Some(&b'\r'),
        }
    }
}
