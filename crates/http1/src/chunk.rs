use crate::{Fields, Sink};
use std::ops::Range;

/// A strict decoder of the chunked transfer coding (RFC 9112 section 7.1). It holds no bytes: the caller feeds what it
/// has, drops what was consumed, and feeds the rest again with more behind it.
#[derive(Clone, Debug, Default)]
pub struct ChunkDecoder {
    remaining: u64,
    trailers: Fields,
}

/// What [`ChunkDecoder::feed`] found at the start of the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChunkStep {
    /// All bytes were used and the body goes on.
    NeedMore {
        /// Bytes (of framing) that were used. They need not be kept.
        consumed: usize,
    },
    /// Body data.
    Data {
        /// Bytes that were used: framing before the data, and the data.
        consumed: usize,
        /// Where the data is; it ends at `consumed`.
        data: Range<usize>,
    },
    /// The end of the body, trailers included. Bytes behind `consumed` belong to the next message.
    End {
        /// Bytes that were used.
        consumed: usize,
        /// Where the trailer section stands, its final empty line included. Its fields are in
        /// [`ChunkDecoder::trailers`].
        trailers: Range<usize>,
    },
}

/// Why a chunked body was refused, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkError {
    /// What is wrong.
    pub kind: ChunkErrorKind,
    /// Offset into the bytes fed of the byte that decided it.
    pub offset: usize,
}

/// What is wrong with a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChunkErrorKind {
    /// The size is no hexadecimal number, or too large.
    Size,
    /// A byte that no chunk extension can have.
    Extension,
    /// A line longer than allowed.
    TooLong,
    /// A line or the data does not end with CRLF.
    LineEnd,
    /// A malformed trailer, or too many.
    Trailer,
}

impl std::fmt::Display for ChunkError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match self.kind {
            ChunkErrorKind::Size => "invalid chunk size",
            ChunkErrorKind::Extension => "invalid chunk extension",
            ChunkErrorKind::TooLong => "chunk line too long",
            ChunkErrorKind::LineEnd => "chunk does not end with CRLF",
            ChunkErrorKind::Trailer => "invalid trailer",
        };
        write!(f, "{what} at byte {}", self.offset)
    }
}

impl std::error::Error for ChunkError {}

impl ChunkDecoder {
    /// A decoder at the start of a body.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts another body.
    pub fn reset(&mut self) {
        self.remaining = 0;
        self.trailers.list.clear();
    }

    /// Takes one step over `buf`.
    ///
    /// # Errors
    /// The first byte that cannot stand where it does.
    pub fn feed(&mut self, buf: &mut [u8]) -> Result<ChunkStep, ChunkError> {
        Ok(ChunkStep::NeedMore { consumed: buf.len() })
    }

    /// Bytes of data that the current chunk still has. While it is not 0 so many bytes may be moved on unseen
    /// (spliced); tell them with [`ChunkDecoder::skip`].
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.remaining
    }

    /// So many bytes of the current chunk's data were moved on without being fed. More than [`ChunkDecoder::remaining`]
    /// count as that.
    pub fn skip(&mut self, bytes: u64) {
        self.remaining = self.remaining.saturating_sub(bytes);
    }

    /// The end was seen.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        false
    }

    /// The trailer fields after `End`, as ranges of the bytes fed in that call. Fields that frame messages are left
    /// out (RFC 9110 section 6.5.1).
    #[must_use]
    pub fn trailers(&self) -> &Fields {
        &self.trailers
    }
}

/// Writes the line that starts a chunk of `size` bytes; its data and a CRLF follow. The last chunk is size 0, followed
/// by the trailers and a CRLF.
pub fn write_chunk_size(size: u64, out: &mut impl Sink) {
    let mut digits = [0; 16];
    let mut at = digits.len();
    let mut rest = size;
    for slot in digits.iter_mut().rev() {
        let digit = (rest & 15) as u8;
        *slot = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
        at -= 1;
        rest >>= 4;
        if rest == 0 {
            break;
        }
    }
    out.put(digits.get(at..).unwrap_or_default());
    out.put(b"\r\n");
}
