use crate::head::{Flags, Head, Side, fail};
use crate::request::{version, version_bytes};
use crate::scan::{skip_value, skip_while};
use crate::{Fields, Framing, HeadError, HeadErrorKind, Limits, Method, Progress, Span, Strictness, Version};

/// Which part of the response comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Blank,
    BlankLf,
    Version,
    VersionSpace,
    Code,
    CodeSpace,
    Reason,
    Lf,
    Fields,
    Done,
}

/// The index of a response head.
#[derive(Clone, Debug, Default)]
pub struct ResponseHead {
    head: Head,
    part: Part,
    at: usize,
    len: usize,
    line: Span,
    canonical_line: bool,
    version_text: Span,
    code: Span,
    reason: Span,
    status: u16,
    version: Version,
    framing: Framing,
}

impl ResponseHead {
    /// An empty index; keep it and reuse it, it keeps its memory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the message so that the next one can be parsed.
    pub fn reset(&mut self) {
        let mut head = std::mem::take(&mut self.head);
        head.start(0);
        *self = Self { head, ..Self::default() };
    }

    /// Parses `buf`, which starts at the first byte of the message, as the answer to a request with this method.
    /// Folded lines are unfolded in place, by spaces, and transfer codings are put in lower case. Call again with the
    /// same buffer grown after `Partial`.
    ///
    /// # Errors
    /// The first byte that cannot stand where it does. The head must be [reset](Self::reset) before it is used again.
    pub fn parse(
        &mut self,
        buf: &mut [u8],
        request: Method,
        limits: &Limits,
        strict: &Strictness,
    ) -> Result<Progress, HeadError> {
        // What lies beyond the limit decides nothing, however much of it came at once.
        let buf = limits.cut(buf);
        if self.part != Part::Fields && self.part != Part::Done {
            self.scan_line(buf, strict)?;
        }
        if self.part == Part::Fields
            && let Some(len) = self.head.scan(buf, Side::Response, limits, strict)?
        {
            self.len = len;
            self.finish(buf, request, strict)?;
            self.part = Part::Done;
        }
        match self.part {
            Part::Done => Ok(Progress::Complete { len: self.len }),
            _ if buf.len() >= limits.max_bytes => {
                Err(HeadError { kind: HeadErrorKind::TooLong, offset: limits.max_bytes })
            }
            _ => Ok(Progress::Partial),
        }
    }

    fn scan_line(&mut self, buf: &[u8], strict: &Strictness) -> Result<(), HeadError> {
        let lenient = strict.accept_unsafe;
        while let Some(&byte) = buf.get(self.at) {
            match self.part {
                Part::Blank => match byte {
                    b'\r' => self.go(Part::BlankLf),
                    b'\n' if lenient => self.at += 1,
                    b'\n' => return self.fail(HeadErrorKind::LineEnd),
                    _ => {
                        self.line.start = Span::new(self.at, self.at).start;
                        self.part = Part::Version;
                    }
                },
                Part::BlankLf if byte == b'\n' => self.go(Part::Blank),
                Part::Version => {
                    let start = self.line.start as usize;
                    self.at = version_bytes(buf, start, self.at);
                    match buf.get(self.at) {
                        None => break,
                        Some(b' ' | b'\t') if self.at == start + 8 => {
                            self.version_text = Span::new(start, self.at);
                            self.version = version(self.version_text.of(buf));
                            self.go(Part::VersionSpace);
                        }
                        Some(_) => return self.fail(HeadErrorKind::Version),
                    }
                }
                Part::VersionSpace => match byte {
                    b' ' | b'\t' => self.at += 1,
                    _ => {
                        self.code.start = Span::new(self.at, self.at).start;
                        self.part = Part::Code;
                    }
                },
                Part::Code => {
                    let start = self.code.start as usize;
                    self.at = skip_while(buf, self.at, |b| b.is_ascii_digit());
                    self.code = Span::new(start, self.at);
                    if self.code.len() > 3 {
                        // The fourth digit, however many more are there.
                        self.at = start + 3;
                        return self.fail(HeadErrorKind::Status);
                    }
                    if self.at < buf.len() && self.code.len() < 3 {
                        return self.fail(HeadErrorKind::Status);
                    }
                    match buf.get(self.at) {
                        None => break,
                        Some(b' ' | b'\t' | b'\r' | b'\n') => {
                            let digits = self.code.of(buf).iter();
                            self.status = digits.fold(0, |n, b| n * 10 + u16::from(b.wrapping_sub(b'0')));
                            if self.status < 100 {
                                return self.fail(HeadErrorKind::Status);
                            }
                            self.part = Part::CodeSpace;
                        }
                        Some(_) => return self.fail(HeadErrorKind::Status),
                    }
                }
                Part::CodeSpace => {
                    if byte == b' ' || byte == b'\t' {
                        self.at += 1;
                    } else {
                        self.reason.start = Span::new(self.at, self.at).start;
                        self.part = Part::Reason;
                    }
                }
                Part::Reason => {
                    self.at = skip_value(buf, self.at);
                    match buf.get(self.at) {
                        None => break,
                        Some(b'\r') => {
                            self.end_line();
                            self.at += 1;
                        }
                        Some(b'\n') if lenient => self.end_line(),
                        Some(b'\n') => return self.fail(HeadErrorKind::LineEnd),
                        Some(_) if lenient => self.at += 1,
                        Some(_) => return self.fail(HeadErrorKind::Reason),
                    }
                }
                Part::Lf if byte == b'\n' => {
                    self.go(Part::Fields);
                    self.canonical_line = self.at == self.line.end as usize + 2
                        && self.line.len() == self.reason.len() + 13
                        && self.version_text.of(buf) == self.version.as_str().as_bytes()
                        && buf.get(self.version_text.end as usize) == Some(&b' ')
                        && buf.get(self.code.end as usize) == Some(&b' ');
                    self.head.start(self.at);
                    return Ok(());
                }
                Part::BlankLf | Part::Lf => return self.fail(HeadErrorKind::LineEnd),
                Part::Fields | Part::Done => return Ok(()),
            }
        }
        Ok(())
    }

    fn end_line(&mut self) {
        self.reason = Span::new(self.reason.start as usize, self.at);
        self.line.end = self.reason.end;
        self.part = Part::Lf;
    }

    fn go(&mut self, part: Part) {
        self.at += 1;
        self.part = part;
    }

    fn fail<T>(&self, kind: HeadErrorKind) -> Result<T, HeadError> {
        Err(HeadError { kind, offset: self.at })
    }

    /// RFC 9112 section 6.3 for responses, in its order.
    fn finish(&mut self, buf: &[u8], request: Method, strict: &Strictness) -> Result<(), HeadError> {
        let flags = self.head.flags;
        let coded = flags.has(Flags::CODING);
        if coded && (flags.has(Flags::LENGTH) || self.version == Version::Http10) {
            self.head.flags.set(Flags::DOUBTFUL);
        }
        if coded && flags.has(Flags::LENGTH) {
            self.head.drop_all(buf, b"content-length");
        }
        if flags.has(Flags::OTHER_CODING) {
            return fail(HeadErrorKind::UnsupportedCoding, self.line);
        }
        let interim = self.status < 200;
        let tunnel = self.status == 101 || (request == Method::Connect && (200..300).contains(&self.status));
        self.framing = if tunnel {
            Framing::Tunnel
        } else if request == Method::Head || interim || matches!(self.status, 204 | 304) {
            Framing::None
        } else if flags.has(Flags::CHUNKED) {
            Framing::Chunked
        } else if coded {
            Framing::UntilClose
        } else if flags.has(Flags::LENGTH) {
            if self.head.length == 0 { Framing::None } else { Framing::Length(self.head.length) }
        } else {
            Framing::UntilClose
        };
        if self.status == 101
            && flags.has(Flags::CONNECTION_UPGRADE)
            && flags.has(Flags::WEBSOCKET)
            && !flags.has(Flags::WEBSOCKET_KEY)
            && !strict.accept_unsafe
        {
            return fail(HeadErrorKind::WebSocket, self.line);
        }
        Ok(())
    }

    /// The fields.
    #[must_use]
    pub fn fields(&self) -> &Fields {
        &self.head.fields
    }

    /// The value of the first field called `name`.
    #[must_use]
    pub fn find<'a>(&self, buf: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
        self.head.fields.find(buf, name)
    }

    /// 100–999.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// 1xx other than 101: another response follows.
    #[must_use]
    pub fn is_interim(&self) -> bool {
        (100..200).contains(&self.status) && self.status != 101
    }

    /// 101 to a request that did not ask for an upgrade: HAProxy answers 502 to that, since a client that did not ask
    /// would take the tunnel's bytes for a response.
    #[must_use]
    pub fn switches_unasked(&self, request: &crate::RequestHead) -> bool {
        self.status == 101 && !request.flags().has(Flags::UPGRADE)
    }

    /// The reason phrase.
    #[must_use]
    pub fn reason<'a>(&self, buf: &'a [u8]) -> &'a [u8] {
        self.reason.of(buf)
    }

    /// The version; higher ones count as 1.1.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The whole status line without its CRLF, as received.
    #[must_use]
    pub fn status_line<'a>(&self, buf: &'a [u8]) -> &'a [u8] {
        self.line.of(buf)
    }

    pub(crate) fn line(&self) -> (Span, bool) {
        (self.line, self.canonical_line)
    }

    pub(crate) fn flags(&self) -> Flags {
        self.head.flags
    }

    /// How the body ends.
    #[must_use]
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// The server's wish to keep the connection (version, Connection tokens), and that the framing allows it.
    #[must_use]
    pub fn keep_alive(&self) -> bool {
        let flags = self.head.flags;
        !self.must_close()
            && !matches!(self.framing, Framing::UntilClose | Framing::Tunnel)
            && !flags.has(Flags::CLOSE)
            && (self.version == Version::Http11 || flags.has(Flags::KEEP_ALIVE))
    }

    /// Framing that another parser could understand differently: the server connection must be closed after this.
    #[must_use]
    pub fn must_close(&self) -> bool {
        self.head.flags.has(Flags::DOUBTFUL)
    }

    /// How far the bytes were looked at; the bytes before are valid so far.
    #[must_use]
    pub fn position(&self) -> usize {
        match self.part {
            Part::Fields => self.head.scanner.position(),
            Part::Done => self.len,
            _ => self.at,
        }
    }
}
