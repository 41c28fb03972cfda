use crate::token::eq_ignore_case;

/// A range of bytes in the buffer that a head was parsed from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// Offsets beyond 4 GiB cannot occur: heads are bounded far below.
    pub(crate) fn new(start: usize, end: usize) -> Self {
        let clamp = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { start: clamp(start), end: clamp(end) }
    }

    /// The bytes; empty when `buf` is shorter than the buffer that was parsed.
    #[must_use]
    #[inline]
    pub fn of(self, buf: &[u8]) -> &[u8] {
        buf.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// Number of bytes.
    #[must_use]
    #[inline]
    pub const fn len(self) -> usize {
        self.end.saturating_sub(self.start) as usize
    }

    /// No bytes.
    #[must_use]
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// One received field line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// As received; the case is kept.
    pub name: Span,
    /// Without the white space around it.
    pub value: Span,
    /// The whole line, its CRLF included.
    pub line: Span,
    /// The line is exactly `name: value CRLF`, so that it can be copied as it is.
    pub canonical: bool,
}

impl Field {
    /// The same line in a buffer that starts so many bytes earlier.
    pub(crate) fn moved(self, by: usize) -> Self {
        let by = Span::new(by, by).start;
        let span =
            |span: Span| Span { start: span.start.saturating_add(by), end: span.end.saturating_add(by) };
        Self { name: span(self.name), value: span(self.value), line: span(self.line), ..self }
    }
}

/// The fields of a head, in the order they were received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    pub(crate) list: Vec<Field>,
}

impl Fields {
    /// Number of fields.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// No fields.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The field at `index`.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&Field> {
        self.list.get(index)
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Field> {
        self.list.iter()
    }

    /// Name and value of each.
    pub fn pairs<'a>(&'a self, buf: &'a [u8]) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.list.iter().map(|field| (field.name.of(buf), field.value.of(buf)))
    }

    /// The value of the first field called `name`, whatever its case.
    #[must_use]
    pub fn find<'a>(&self, buf: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
        self.position(buf, name).and_then(|i| self.list.get(i)).map(|field| field.value.of(buf))
    }

    /// Where the first field called `name` stands.
    #[must_use]
    pub fn position(&self, buf: &[u8], name: &[u8]) -> Option<usize> {
        self.list.iter().position(|field| eq_ignore_case(field.name.of(buf), name))
    }

    /// The values of all fields called `name`.
    pub fn find_all<'a>(&'a self, buf: &'a [u8], name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        self.pairs(buf).filter(move |(field, _)| eq_ignore_case(field, name)).map(|(_, value)| value)
    }
}

impl<'a> IntoIterator for &'a Fields {
    type Item = &'a Field;
    type IntoIter = std::slice::Iter<'a, Field>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
