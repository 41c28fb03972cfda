use crate::{Fields, Framing, HeadError, Limits, Method, Progress, Span, Strictness, TargetForm, Version};

/// The index of a request head.
#[derive(Clone, Debug, Default)]
pub struct RequestHead {
    fields: Fields,
    method: Span,
    target: Span,
    authority: Span,
    path: Span,
    host: Option<Span>,
    form: TargetForm,
    known: Method,
    version: Version,
    framing: Framing,
}

impl RequestHead {
    /// An empty index; keep it and reuse it, it keeps its memory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the message so that the next one can be parsed.
    pub fn reset(&mut self) {
        self.fields.list.clear();
    }

    /// Parses `buf`, which starts at the first byte of the message. Folded lines are unfolded in place, by spaces.
    ///
    /// # Errors
    /// The first byte that cannot stand where it does.
    pub fn parse(
        &mut self,
        buf: &mut [u8],
        limits: &Limits,
        strict: &Strictness,
    ) -> Result<Progress, HeadError> {
        let _ = (buf, limits, strict);
        Ok(Progress::Partial)
    }

    /// The fields.
    #[must_use]
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// The value of the first field called `name`.
    #[must_use]
    pub fn find<'a>(&self, buf: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
        self.fields.find(buf, name)
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
        self.form
    }

    /// Path and query (`*` for the asterisk form; empty for CONNECT; `/` is meant when an absolute target has none).
    #[must_use]
    pub fn path<'a>(&self, buf: &'a [u8]) -> &'a [u8] {
        self.path.of(buf)
    }

    /// The authority of an absolute or CONNECT target.
    #[must_use]
    pub fn authority<'a>(&self, buf: &'a [u8]) -> Option<&'a [u8]> {
        matches!(self.form, TargetForm::Absolute | TargetForm::Authority).then(|| self.authority.of(buf))
    }

    /// The host that is asked for: the target's authority, else the Host field.
    #[must_use]
    pub fn host<'a>(&self, buf: &'a [u8]) -> Option<&'a [u8]> {
        self.authority(buf).or_else(|| self.host.map(|host| host.of(buf)))
    }

    /// The version; higher ones count as 1.1.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The whole start line without its CRLF, as received (what `%r` of a log shows).
    #[must_use]
    pub fn start_line<'a>(&self, buf: &'a [u8]) -> &'a [u8] {
        let _ = buf;
        &[]
    }

    /// How the body ends; never `UntilClose` nor, before the response, `Tunnel`.
    #[must_use]
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// The client's wish to keep the connection (version and Connection tokens).
    #[must_use]
    pub fn keep_alive(&self) -> bool {
        true
    }

    /// Framing that another parser could understand differently (both lengths given): the connection must be closed
    /// after this exchange (RFC 9112 section 6.1).
    #[must_use]
    pub fn must_close(&self) -> bool {
        false
    }

    /// `Expect: 100-continue` of an HTTP/1.1 request with a body.
    #[must_use]
    pub fn expects_continue(&self) -> bool {
        false
    }

    /// The value of Upgrade when Connection names it.
    #[must_use]
    pub fn upgrade<'a>(&self, buf: &'a [u8]) -> Option<&'a [u8]> {
        let _ = buf;
        None
    }
}
