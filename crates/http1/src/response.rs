use crate::{Fields, Framing, HeadError, Limits, Method, Progress, Span, Strictness, Version};

/// The index of a response head.
#[derive(Clone, Debug, Default)]
pub struct ResponseHead {
    fields: Fields,
    status: u16,
    reason: Span,
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
        self.fields.list.clear();
    }

    /// Parses `buf`, which starts at the first byte of the message, as the answer to a request with this method.
    /// Folded lines are unfolded in place, by spaces.
    ///
    /// # Errors
    /// The first byte that cannot stand where it does.
    pub fn parse(
        &mut self,
        buf: &mut [u8],
        request: Method,
        limits: &Limits,
        strict: &Strictness,
    ) -> Result<Progress, HeadError> {
        let _ = (buf, request, limits, strict);
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

    /// How the body ends.
    #[must_use]
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// The server's wish to keep the connection (version, Connection tokens, framing that has an end).
    #[must_use]
    pub fn keep_alive(&self) -> bool {
        true
    }

    /// Framing that another parser could understand differently: the server connection must be closed after this.
    #[must_use]
    pub fn must_close(&self) -> bool {
        false
    }
}
