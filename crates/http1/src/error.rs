use std::fmt;

/// Why a head was refused, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadError {
    /// What is wrong.
    pub kind: HeadErrorKind,
    /// Offset into the buffer of the byte that decided it.
    pub offset: usize,
}

/// What is wrong with a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HeadErrorKind {
    /// A byte that no method can have, or no method at all.
    Method,
    /// A byte that no request target can have, or a target of no known form.
    Target,
    /// A request target whose form does not suit the method (RFC 9112 section 3.2).
    TargetForm,
    /// The version is not `HTTP/` DIGIT `.` DIGIT, or is missing (HTTP/0.9).
    Version,
    /// The status code is not three digits, or below 100.
    Status,
    /// A byte that no reason phrase can have.
    Reason,
    /// A line that ends with a bare LF, or a CR that no LF follows.
    LineEnd,
    /// A byte that no field name can have: an empty name, a space before the colon, a line that starts with one.
    FieldName,
    /// A control character in a field value.
    FieldValue,
    /// More fields than allowed.
    TooManyFields,
    /// A start line of more bytes than a whole head may have.
    TargetTooLong,
    /// More bytes than allowed.
    TooLong,
    /// A Content-Length that is no number, or several that differ.
    ContentLength,
    /// A Transfer-Encoding that is malformed, or does not end with one `chunked`.
    TransferEncoding,
    /// Transfer-Encoding in an HTTP/1.0 message.
    TransferEncodingVersion,
    /// A transfer coding other than chunked in a request.
    UnsupportedCoding,
    /// HTTP/1.1 without Host.
    MissingHost,
    /// Host is malformed, given twice with different values, or differs from the target's authority.
    Host,
    /// A body where the method or version does not allow one.
    UnexpectedBody,
    /// A field name that `option http-restrict-req-hdr-names reject` refuses.
    RestrictedName,
    /// A WebSocket handshake without its key.
    WebSocket,
}

impl HeadErrorKind {
    /// The status to answer a request with that was refused for this.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::UnexpectedBody => 413,
            Self::TargetTooLong => 414,
            Self::TooLong => 431,
            Self::UnsupportedCoding => 422,
            Self::RestrictedName => 403,
            _ => 400,
        }
    }
}

impl fmt::Display for HeadErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Method => "invalid method",
            Self::Target => "invalid request target",
            Self::TargetForm => "request target does not suit the method",
            Self::Version => "invalid version",
            Self::Status => "invalid status code",
            Self::Reason => "invalid reason phrase",
            Self::LineEnd => "line does not end with CRLF",
            Self::FieldName => "invalid field name",
            Self::FieldValue => "invalid field value",
            Self::TooManyFields => "too many fields",
            Self::TargetTooLong => "request target too long",
            Self::TooLong => "head too long",
            Self::ContentLength => "invalid Content-Length",
            Self::TransferEncoding => "invalid Transfer-Encoding",
            Self::TransferEncodingVersion => "Transfer-Encoding in HTTP/1.0",
            Self::UnsupportedCoding => "unsupported transfer coding",
            Self::MissingHost => "missing Host",
            Self::Host => "invalid Host",
            Self::UnexpectedBody => "body not allowed here",
            Self::RestrictedName => "field name refused by http-restrict-req-hdr-names",
            Self::WebSocket => "WebSocket handshake without key",
        })
    }
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.kind, self.offset)
    }
}

impl std::error::Error for HeadError {}
