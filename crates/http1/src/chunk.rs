use crate::head::{Head, Side};
use crate::{Fields, HeadErrorKind, Limits, Sink, Strictness};
use std::ops::Range;

/// A strict decoder of the chunked transfer coding (RFC 9112 section 7.1), in place and resumable.
///
/// The caller feeds the bytes it has, drops (or forwards) those that were consumed, and feeds the rest again with more
/// behind it. Only an incomplete trailer section is left unconsumed: it must be fed again from its first byte.
#[derive(Clone, Debug, Default)]
pub struct ChunkDecoder {
    part: Part,
    /// Of the current chunk: the size so far while its line is read, then what is left of its data.
    remaining: u64,
    /// Bytes of the current size line.
    line: usize,
    digits: usize,
    plain: bool,
    trailers: Head,
    trailers_started: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Size,
    /// White space behind the size.
    Space,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    Trailers,
    Done,
}

/// What [`ChunkDecoder::feed`] found at the start of the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChunkStep {
    /// The body goes on behind the bytes that are there.
    NeedMore {
        /// Bytes of framing that were used: all of them, unless a trailer section is incomplete.
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
    /// The size is no hexadecimal number, has more than 16 digits, or is 2^52 or more (the bound that HAProxy sets).
    Size,
    /// A byte that no chunk extension can have.
    Extension,
    /// A size line or a trailer section longer than allowed.
    TooLong,
    /// A line or the data does not end with CRLF.
    LineEnd,
    /// A malformed trailer, or too many.
    Trailer(HeadErrorKind),
}

impl std::fmt::Display for ChunkError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match self.kind {
            ChunkErrorKind::Size => "invalid chunk size",
            ChunkErrorKind::Extension => "invalid chunk extension",
            ChunkErrorKind::TooLong => "chunk line too long",
            ChunkErrorKind::LineEnd => "chunk does not end with CRLF",
            ChunkErrorKind::Trailer(kind) => return write!(f, "trailer: {kind} at byte {}", self.offset),
        };
        write!(f, "{what} at byte {}", self.offset)
    }
}

impl std::error::Error for ChunkError {}

/// Bytes that a size line may have, its extension included.
const MAX_LINE: usize = 1024;

impl ChunkDecoder {
    /// A decoder at the start of a body.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts another body.
    pub fn reset(&mut self) {
        let mut trailers = std::mem::take(&mut self.trailers);
        trailers.start(0);
        *self = Self { trailers, ..Self::default() };
    }

    /// Takes one step over `buf`: up to some data, the end, or the end of the bytes.
    ///
    /// # Errors
    /// The first byte that cannot stand where it does.
    pub fn feed(&mut self, buf: &mut [u8], limits: &Limits) -> Result<ChunkStep, ChunkError> {
        let mut at = 0;
        self.plain = true;
        while let Some(&byte) = buf.get(at) {
            let offset = at;
            let fail = |kind| Err(ChunkError { kind, offset });
            match self.part {
                Part::Size => {
                    let Some(digit) = char::from(byte).to_digit(16) else {
                        match byte {
                            _ if self.digits == 0 => return fail(ChunkErrorKind::Size),
                            b' ' | b'\t' => self.part = Part::Space,
                            b';' => self.part = Part::Extension,
                            b'\r' => self.part = Part::SizeLf,
                            b'\n' => return fail(ChunkErrorKind::LineEnd),
                            _ => return fail(ChunkErrorKind::Size),
                        }
                        self.plain &= byte == b'\r';
                        self.line += 1;
                        at += 1;
                        continue;
                    };
                    self.remaining = self.remaining << 4 | u64::from(digit);
                    self.digits += 1;
                    if self.digits > 16 || self.remaining >= 1 << 52 {
                        return fail(ChunkErrorKind::Size);
                    }
                }
                Part::Space => match byte {
                    b' ' | b'\t' => self.plain = false,
                    b';' => self.part = Part::Extension,
                    b'\r' => self.part = Part::SizeLf,
                    b'\n' => return fail(ChunkErrorKind::LineEnd),
                    _ => return fail(ChunkErrorKind::Size),
                },
                Part::Extension => {
                    self.plain = false;
                    match byte {
                        b'\r' => self.part = Part::SizeLf,
                        b'\n' => return fail(ChunkErrorKind::LineEnd),
                        _ if crate::token::is_value(byte) => {}
                        _ => return fail(ChunkErrorKind::Extension),
                    }
                }
                Part::SizeLf => {
                    if byte != b'\n' {
                        return fail(ChunkErrorKind::LineEnd);
                    }
                    self.line = 0;
                    self.digits = 0;
                    self.part = if self.remaining == 0 { Part::Trailers } else { Part::Data };
                    at += 1;
                    continue;
                }
                Part::Data => {
                    let here = u64::try_from(buf.len() - at).unwrap_or(u64::MAX).min(self.remaining);
                    let end = at + usize::try_from(here).unwrap_or(0);
                    self.skip(here);
                    return Ok(ChunkStep::Data { consumed: end, data: at..end });
                }
                Part::DataCr if byte == b'\r' => self.part = Part::DataLf,
                Part::DataLf if byte == b'\n' => {
                    self.part = Part::Size;
                    at += 1;
                    continue;
                }
                Part::DataCr | Part::DataLf => return fail(ChunkErrorKind::LineEnd),
                Part::Trailers => return self.trailer_section(buf, at, limits),
                Part::Done => return Ok(ChunkStep::End { consumed: 0, trailers: 0..0 }),
            }
            self.line += 1;
            at += 1;
            if self.line > MAX_LINE {
                return fail(ChunkErrorKind::TooLong);
            }
        }
        Ok(ChunkStep::NeedMore { consumed: at })
    }

    fn trailer_section(
        &mut self,
        buf: &mut [u8],
        at: usize,
        limits: &Limits,
    ) -> Result<ChunkStep, ChunkError> {
        if !self.trailers_started {
            self.trailers_started = true;
            self.trailers.start(0);
        }
        let section = limits.cut(buf.get_mut(at..).unwrap_or_default());
        let scanned = self.trailers.scan(section, Side::Trailer, limits, &Strictness::default());
        match scanned {
            Ok(Some(len)) => {
                self.part = Part::Done;
                for field in &mut self.trailers.fields.list {
                    *field = field.moved(at);
                }
                Ok(ChunkStep::End { consumed: at + len, trailers: at..at + len })
            }
            Ok(None) if section.len() < limits.max_bytes => Ok(ChunkStep::NeedMore { consumed: at }),
            Ok(None) => Err(ChunkError { kind: ChunkErrorKind::TooLong, offset: at + limits.max_bytes }),
            Err(error) => {
                Err(ChunkError { kind: ChunkErrorKind::Trailer(error.kind), offset: at + error.offset })
            }
        }
    }

    /// Bytes of data that the current chunk still has. While it is not 0 so many bytes may be moved on unseen
    /// (spliced); tell them with [`ChunkDecoder::skip`].
    #[must_use]
    pub fn remaining(&self) -> u64 {
        if self.part == Part::Data { self.remaining } else { 0 }
    }

    /// So many bytes of the current chunk's data were moved on without being fed. More than [`ChunkDecoder::remaining`]
    /// count as that.
    pub fn skip(&mut self, bytes: u64) {
        if self.part == Part::Data {
            self.remaining = self.remaining.saturating_sub(bytes);
            if self.remaining == 0 {
                self.part = Part::DataCr;
            }
        }
    }

    /// The end was seen.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.part == Part::Done
    }

    /// The framing that the last step consumed was nothing but hexadecimal sizes and line ends, so that it may be
    /// forwarded as it is. With an extension or white space it is better written anew ([`write_chunk_size`]), lest the
    /// next reader understands it differently.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.plain
    }

    /// The trailer fields after `End`, as ranges of the bytes fed in that call. Fields that frame, route or
    /// authenticate messages are left out (RFC 9110 section 6.5.1).
    #[must_use]
    pub fn trailers(&self) -> &Fields {
        &self.trailers.fields
    }

    /// Writes the trailer section after `End`, its final empty line included. `buf` is what was fed in that call. To be
    /// preferred to the received bytes, which may have fields that must not be forwarded.
    pub fn write_trailers(&self, buf: &[u8], out: &mut impl Sink) {
        for (name, value) in self.trailers.fields.pairs(buf) {
            out.put(name);
            out.put(b": ");
            out.put(value);
            out.put(b"\r\n");
        }
        out.put(b"\r\n");
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
