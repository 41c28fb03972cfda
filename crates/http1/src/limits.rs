/// Bounds of a message head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Fields that a head may have, counted as `tune.http.maxhdr` does: one place is taken by the end of the head, so
    /// that 101 admits 100 fields.
    pub max_fields: usize,
    /// Bytes that a head may have: the manual's `tune.bufsize` minus `tune.maxrewrite`.
    pub max_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_fields: 101, max_bytes: 16_384 - 1_024 }
    }
}

impl Limits {
    /// As much of `buf` as a head may take.
    pub(crate) fn cut(self, buf: &mut [u8]) -> &mut [u8] {
        let length = buf.len().min(self.max_bytes);
        buf.get_mut(..length).unwrap_or_default()
    }
}

/// `option http-restrict-req-hdr-names`: what happens to a request field whose name has a byte outside
/// `[a-zA-Z0-9-]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NamePolicy {
    /// It is forwarded.
    #[default]
    Preserve,
    /// It is left out of the index.
    Delete,
    /// The request is refused with 403.
    Reject,
}

/// How strictly a head is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Strictness {
    /// `option accept-unsafe-violations-in-http-request` for requests, `…-in-http-response` for responses.
    ///
    /// Lets through: fields whose names have forbidden bytes (they are read over and not forwarded), control characters
    /// in values and reasons, `#` and bytes from 0x80 on in targets, user information in targets, any authority for
    /// CONNECT, a Host that differs from the target's authority, HTTP/1.1 without Host, Transfer-Encoding in HTTP/1.0
    /// requests, a WebSocket handshake without its key, lines that end with a bare LF, and in responses empty or
    /// repeated codings. Never what makes the length of a message ambiguous, and no other versions than
    /// `HTTP/` DIGIT `.` DIGIT.
    pub accept_unsafe: bool,
    /// `option http-restrict-req-hdr-names`; requests only.
    pub names: NamePolicy,
}
