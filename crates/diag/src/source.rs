//! The texts that diagnostics point into.

use core::ops::Range;

/// One of the texts in a [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u32);

/// A range of bytes of one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The text.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// A text and the name users know it by.
#[derive(Clone, Debug)]
pub struct Source {
    /// The path as it was given.
    pub name: String,
    /// The whole text.
    pub text: String,
    lines: Vec<u32>,
}

impl Source {
    /// Where the 1-based line begins and ends, its line feed left out; `None` past the last one.
    pub fn line_range(&self, line: usize) -> Option<Range<usize>> {
        let start = usize::try_from(*self.lines.get(line.checked_sub(1)?)?).ok()?;
        let end = self.lines.get(line).map_or(self.text.len(), |&next| (next as usize).saturating_sub(1));
        Some(start..end.max(start))
    }

    /// `span` as a range of whole characters inside the text.
    pub fn range(&self, span: Span) -> Range<usize> {
        let inside = |offset: u32| {
            let mut at = (offset as usize).min(self.text.len());
            while !self.text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let start = inside(span.start);
        start..inside(span.end).max(start)
    }

    /// The 1-based line that byte `offset` is on.
    pub fn line_of(&self, offset: u32) -> usize {
        self.lines.partition_point(|&start| start <= offset)
    }
}

/// The texts of one reading.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<Source>,
}

impl Sources {
    /// Adds a text. Texts longer than 4 GiB are cut there, since a span could not name what follows.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> FileId {
        let text = text.into();
        let starts = text.bytes().zip(1_u32..).filter(|&(byte, _)| byte == b'\n').map(|(_, next)| next);
        let lines = core::iter::once(0).chain(starts).collect();
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push(Source { name: name.into(), text, lines });
        id
    }

    /// The text `id` stands for; `None` only for an id of another `Sources`.
    pub fn get(&self, id: FileId) -> Option<&Source> {
        self.files.get(usize::try_from(id.0).ok()?)
    }

    /// The 1-based line and column, in characters, of both ends of `span`.
    pub fn lines_and_columns(&self, span: Span) -> Option<[(usize, usize); 2]> {
        let source = self.get(span.file)?;
        let range = source.range(span);
        let place = |offset: usize| {
            let line = source.line_of(u32::try_from(offset).unwrap_or(u32::MAX));
            let start = source.line_range(line).map_or(0, |line| line.start);
            (line, source.text.get(start..offset).map_or(0, |before| before.chars().count()) + 1)
        };
        Some([place(range.start), place(range.end)])
    }

    /// The file's name and the 1-based line where `span` starts.
    pub fn position(&self, span: Span) -> Option<(&str, usize)> {
        let source = self.get(span.file)?;
        Some((source.name.as_str(), source.line_of(span.start)))
    }
}
