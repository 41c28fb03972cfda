use crate::head::{Flags, Head, Side, fail};
use crate::scan::skip_while;
use crate::target::{Target, is_default_port, port, same_authority, without_port};
use crate::token::{is_target, is_token};
use crate::{
    Fields, Framing, HeadError, HeadErrorKind, Limits, Method, Progress, Sink, Span, Strictness, TargetForm,
    Version,
};
use std::ops::Range;

/// Which part of the request comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    /// Empty lines before the request line (RFC 9112 section 2.2).
    #[default]
    Blank,
    BlankLf,
    Method,
    MethodSpace,
    Target,
    TargetSpace,
    Version,
    Lf,
    Fields,
    Done,
}

/// The index of a request head.
#[derive(Clone, Debug, Default)]
pub struct RequestHead {
    head: Head,
    part: Part,
    at: usize,
    len: usize,
    method: Span,
    target: Span,
    version_text: Span,
    line: Span,
    canonical_line: bool,
    known: Method,
    version: Version,
    parsed: Target,
    framing: Framing,
    /// A body that may be there although `framing` says none (CONNECT).
    ignored_body: bool,
}

impl RequestHead {
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

    /// Parses `buf`, which starts at the first byte of the message. Folded lines are unfolded in place, by spaces, and
    /// transfer codings are put in lower case. Call again with the same buffer grown after `Partial`.
    ///
    /// # Errors
    /// The first byte that cannot stand where it does. The head must be [reset](Self::reset) before it is used again.
    pub fn parse(
        &mut self,
        buf: &mut [u8],
        limits: &Limits,
        strict: &Strictness,
    ) -> Result<Progress, HeadError> {
        // What lies beyond the limit decides nothing, however much of it came at once.
        let buf = limits.cut(buf);
        if self.part != Part::Fields && self.part != Part::Done {
            self.scan_line(buf, strict)?;
        }
        if self.part == Part::Fields
            && let Some(len) = self.head.scan(buf, Side::Request, limits, strict)?
        {
            self.len = len;
            self.finish(buf, strict)?;
            self.part = Part::Done;
        }
        let full = buf.len() >= limits.max_bytes;
        match self.part {
            Part::Done => Ok(Progress::Complete { len: self.len }),
            Part::Fields if full => Err(HeadError { kind: HeadErrorKind::TooLong, offset: limits.max_bytes }),
            _ if full => Err(HeadError { kind: HeadErrorKind::TargetTooLong, offset: limits.max_bytes }),
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
                    _ if is_token(byte) => {
                        self.line.start = Span::new(self.at, self.at).start;
                        self.part = Part::Method;
                    }
                    _ => return self.fail(HeadErrorKind::Method),
                },
                Part::BlankLf if byte == b'\n' => self.go(Part::Blank),
                Part::Method => {
                    self.at = skip_while(buf, self.at, is_token);
                    match buf.get(self.at) {
                        None => break,
                        Some(b' ' | b'\t') => {
                            self.method = Span::new(self.line.start as usize, self.at);
                            self.known = Method::from_bytes(self.method.of(buf));
                            self.go(Part::MethodSpace);
                        }
                        // HTTP/0.9 has no version.
                        Some(b'\r' | b'\n') => return self.fail(HeadErrorKind::Version),
                        Some(_) => return self.fail(HeadErrorKind::Method),
                    }
                }
                Part::MethodSpace => match byte {
                    b' ' | b'\t' => self.at += 1,
                    b'\r' | b'\n' => return self.fail(HeadErrorKind::Version),
                    _ => {
                        self.target.start = Span::new(self.at, self.at).start;
                        self.part = Part::Target;
                    }
                },
                Part::Target => {
                    self.at =
                        skip_while(buf, self.at, |b| is_target(b) || (lenient && (b == b'#' || b > 0x7f)));
                    match buf.get(self.at) {
                        None => break,
                        Some(b' ' | b'\t') => {
                            self.target = Span::new(self.target.start as usize, self.at);
                            self.go(Part::TargetSpace);
                        }
                        Some(b'\r' | b'\n') => return self.fail(HeadErrorKind::Version),
                        Some(_) => return self.fail(HeadErrorKind::Target),
                    }
                }
                Part::TargetSpace => match byte {
                    b' ' | b'\t' => self.at += 1,
                    b'\r' | b'\n' => return self.fail(HeadErrorKind::Version),
                    _ => {
                        self.version_text.start = Span::new(self.at, self.at).start;
                        self.part = Part::Version;
                    }
                },
                Part::Version => {
                    let start = self.version_text.start as usize;
                    self.at = version_bytes(buf, start, self.at);
                    match buf.get(self.at) {
                        None => break,
                        Some(b'\r' | b'\n') if self.at == start + 8 => {
                            self.version_text = Span::new(start, self.at);
                            self.version = version(self.version_text.of(buf));
                            self.line.end = self.version_text.end;
                            self.part = Part::Lf;
                            if buf.get(self.at) == Some(&b'\r') {
                                self.at += 1;
                            } else if !lenient {
                                return self.fail(HeadErrorKind::LineEnd);
                            }
                        }
                        Some(_) => return self.fail(HeadErrorKind::Version),
                    }
                }
                Part::Lf if byte == b'\n' => {
                    self.go(Part::Fields);
                    self.canonical_line = self.at == self.line.end as usize + 2
                        && self.line.len() == self.method.len() + self.target.len() + 10
                        && self.version_text.of(buf) == self.version.as_str().as_bytes()
                        && buf.get(self.method.end as usize) == Some(&b' ')
                        && buf.get(self.target.end as usize) == Some(&b' ');
                    let parsed = Target::parse(self.target.of(buf), self.known, lenient);
                    self.parsed = parsed.or_else(|kind| fail(kind, self.target))?;
                    self.head.start(self.at);
                    return Ok(());
                }
                Part::BlankLf | Part::Lf => return self.fail(HeadErrorKind::LineEnd),
                Part::Fields | Part::Done => return Ok(()),
            }
        }
        Ok(())
    }

    fn go(&mut self, part: Part) {
        self.at += 1;
        self.part = part;
    }

    fn fail<T>(&self, kind: HeadErrorKind) -> Result<T, HeadError> {
        Err(HeadError { kind, offset: self.at })
    }

    /// The rules that need the whole head.
    fn finish(&mut self, buf: &[u8], strict: &Strictness) -> Result<(), HeadError> {
        self.check_host(buf, strict)?;
        self.frame(buf, strict)?;
        let upgrade = Flags::CONNECTION_UPGRADE;
        // A protocol cannot begin while a body of this one is under way; HAProxy takes the offer out as well.
        let unfit = self.framing != Framing::None;
        if unfit || !(self.head.flags.has(upgrade) && self.head.flags.has(Flags::UPGRADE)) {
            self.head.flags.unset(upgrade);
            self.head.flags.unset(Flags::UPGRADE);
        } else if self.head.flags.has(Flags::WEBSOCKET)
            && !self.head.flags.has(Flags::WEBSOCKET_KEY)
            && !strict.accept_unsafe
        {
            return fail(HeadErrorKind::WebSocket, self.line);
        }
        Ok(())
    }

    /// RFC 9112 section 3.2.
    fn check_host(&mut self, buf: &[u8], strict: &Strictness) -> Result<(), HeadError> {
        let Some(at) = self.head.host else {
            if self.version == Version::Http11 && !strict.accept_unsafe {
                return fail(HeadErrorKind::MissingHost, self.line);
            }
            return Ok(());
        };
        let Some(host) = self.head.fields.list.get_mut(at) else { return Ok(()) };
        let target = self.target.of(buf);
        let authority = target.get(self.parsed.authority.clone()).unwrap_or_default();
        let scheme = target.get(self.parsed.scheme.clone());
        let scheme = scheme.filter(|_| self.parsed.form == TargetForm::Absolute);
        match self.parsed.form {
            TargetForm::Origin | TargetForm::Asterisk => return Ok(()),
            TargetForm::Absolute | TargetForm::Authority => {
                if !same_authority(scheme, authority, host.value.of(buf)) && !strict.accept_unsafe {
                    return fail(HeadErrorKind::Host, host.value);
                }
            }
        }
        // The default port is left out, so that all that is forwarded names the place the same way.
        let value = host.value.of(buf);
        if let Some(port) = port(value)
            && is_default_port(scheme, port)
        {
            host.value.end = host.value.start.saturating_add(Span::new(0, without_port(value).len()).end);
            host.canonical = false;
        }
        Ok(())
    }

    /// RFC 9112 section 6.3 for requests.
    fn frame(&mut self, buf: &[u8], strict: &Strictness) -> Result<(), HeadError> {
        let flags = self.head.flags;
        let coded = flags.has(Flags::CODING);
        if coded {
            let coding = || self.head.fields.position(buf, b"transfer-encoding");
            let at = || coding().and_then(|i| self.head.fields.get(i)).map_or(self.line, |field| field.value);
            if !flags.has(Flags::CHUNKED) {
                return fail(HeadErrorKind::TransferEncoding, at());
            }
            if self.version == Version::Http10 && !strict.accept_unsafe {
                return fail(HeadErrorKind::TransferEncodingVersion, at());
            }
        }
        let body = flags.has(Flags::CHUNKED) || (flags.has(Flags::LENGTH) && self.head.length > 0);
        if body
            && self.version == Version::Http10
            && matches!(self.known, Method::Get | Method::Head | Method::Delete)
        {
            return fail(HeadErrorKind::UnexpectedBody, self.line);
        }
        if flags.has(Flags::OTHER_CODING) {
            return fail(HeadErrorKind::UnsupportedCoding, self.line);
        }
        if coded && (flags.has(Flags::LENGTH) || self.version == Version::Http10) {
            self.head.flags.set(Flags::DOUBTFUL);
        }
        if coded && flags.has(Flags::LENGTH) {
            self.head.drop_all(buf, b"content-length");
        }
        self.framing = if self.known == Method::Connect {
            // What follows a CONNECT is the tunnel's, never a body (RFC 9110 section 9.3.6).
            self.ignored_body = body;
            if coded {
                self.head.drop_all(buf, b"transfer-encoding");
            } else if flags.has(Flags::LENGTH) {
                self.head.drop_all(buf, b"content-length");
            }
            Framing::None
        } else if coded {
            Framing::Chunked
        } else if body {
            Framing::Length(self.head.length)
        } else {
            Framing::None
        };
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

    /// The method as received.
    #[must_use]
    pub fn method<'a>(&self, buf: &'a [u8]) -> &'a [u8] {
        self.method.of(buf)
    }

    /// The method, when it is one that the proxy treats specially.
    #[must_use]
    pub fn known_method(&self) -> Method {
        self.known
    }

    /// The target as received.
    #[must_use]
    pub fn target<'a>(&self, buf: &'a [u8]) -> &'a [u8] {
        self.target.of(buf)
    }

    /// The form of the target.
    #[must_use]
    pub fn target_form(&self) -> TargetForm {
        self.parsed.form
    }

    fn in_target<'a>(&self, buf: &'a [u8], range: &Range<usize>) -> &'a [u8] {
        self.target.of(buf).get(range.clone()).unwrap_or_default()
    }

    /// Path and query (`*` for the asterisk form; empty for CONNECT; `/` is meant when an absolute target has none).
    #[must_use]
    pub fn path<'a>(&self, buf: &'a [u8]) -> &'a [u8] {
        self.in_target(buf, &self.parsed.path)
    }

    /// The scheme of an absolute target.
    #[must_use]
    pub fn scheme<'a>(&self, buf: &'a [u8]) -> Option<&'a [u8]> {
        (self.parsed.form == TargetForm::Absolute).then(|| self.in_target(buf, &self.parsed.scheme))
    }

    /// The authority of an absolute or CONNECT target, without user information.
    #[must_use]
    pub fn authority<'a>(&self, buf: &'a [u8]) -> Option<&'a [u8]> {
        matches!(self.parsed.form, TargetForm::Absolute | TargetForm::Authority)
            .then(|| self.in_target(buf, &self.parsed.authority))
    }

    /// What stands before and behind the default port of an absolute target, if it names one.
    #[must_use]
    pub fn around_default_port<'a>(&self, buf: &'a [u8]) -> Option<[&'a [u8]; 2]> {
        let (scheme, authority) = (self.scheme(buf)?, self.authority(buf)?);
        if !is_default_port(Some(scheme), port(authority)?) {
            return None;
        }
        let target = self.target(buf);
        let end = self.parsed.authority.start + without_port(authority).len();
        Some([target.get(..end)?, target.get(self.parsed.authority.end..)?])
    }

    /// The host that is asked for: the target's authority, else the Host field.
    #[must_use]
    pub fn host<'a>(&self, buf: &'a [u8]) -> Option<&'a [u8]> {
        self.authority(buf).or_else(|| {
            self.head.host.and_then(|at| self.head.fields.get(at)).map(|field| field.value.of(buf))
        })
    }

    /// The version; higher ones count as 1.1.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Writes the start line as logs show it (`%r`): single spaces, no default port in an absolute target, the version
    /// as received.
    pub fn write_log_line(&self, buf: &[u8], out: &mut impl Sink) {
        out.put(self.method(buf));
        out.put(b" ");
        match self.around_default_port(buf) {
            Some(parts) => parts.into_iter().for_each(|part| out.put(part)),
            None => out.put(self.target(buf)),
        }
        out.put(b" ");
        out.put(self.version_text.of(buf));
    }

    pub(crate) fn line(&self) -> (Span, bool) {
        (self.line, self.canonical_line)
    }

    pub(crate) fn flags(&self) -> Flags {
        self.head.flags
    }

    /// How the body ends; never `UntilClose` nor, before the response, `Tunnel`.
    #[must_use]
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// The client's wish to keep the connection (version and Connection tokens), and that its framing allows it.
    #[must_use]
    pub fn keep_alive(&self) -> bool {
        let flags = self.head.flags;
        !self.must_close()
            && !flags.has(Flags::CLOSE)
            && (self.version == Version::Http11 || flags.has(Flags::KEEP_ALIVE))
    }

    /// Framing that another parser could understand differently (both lengths given, codings in HTTP/1.0, a CONNECT
    /// with a body): the client's connection must be closed after this exchange (RFC 9112 section 6.1).
    #[must_use]
    pub fn must_close(&self) -> bool {
        self.head.flags.has(Flags::DOUBTFUL) || self.ignored_body
    }

    /// `Expect: 100-continue` of an HTTP/1.1 request with a body.
    #[must_use]
    pub fn expects_continue(&self) -> bool {
        self.head.flags.has(Flags::EXPECT_CONTINUE)
            && self.version == Version::Http11
            && self.framing != Framing::None
    }

    /// The value of Upgrade when Connection names it.
    #[must_use]
    pub fn upgrade<'a>(&self, buf: &'a [u8]) -> Option<&'a [u8]> {
        if self.head.flags.has(Flags::UPGRADE) { self.find(buf, b"upgrade") } else { None }
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

/// Offset of the first byte from `at` on that cannot belong to the version that starts at `start`.
pub(crate) fn version_bytes(buf: &[u8], start: usize, mut at: usize) -> usize {
    if let (true, Some([b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'])) =
        (at == start, buf.get(at..at + 8))
    {
        at += 8;
    }
    while let Some(&byte) = buf.get(at) {
        let fits = match at - start {
            offset @ 0..5 => b"HTTP/".get(offset) == Some(&byte),
            5 | 7 => byte.is_ascii_digit(),
            6 => byte == b'.',
            _ => false,
        };
        if !fits {
            break;
        }
        at += 1;
    }
    at
}

/// `HTTP/` DIGIT `.` DIGIT to the version that is spoken.
pub(crate) fn version(text: &[u8]) -> Version {
    match text {
        [.., b'0', b'.', _] | [.., b'1', b'.', b'0'] => Version::Http10,
        _ => Version::Http11,
    }
}
