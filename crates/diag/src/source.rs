//! The texts that diagnostics point into.

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

    /// The file's name and the 1-based line where `span` starts.
    pub fn position(&self, span: Span) -> Option<(&str, usize)> {
        let source = self.get(span.file)?;
        Some((source.name.as_str(), source.line_of(span.start)))
    }
}
