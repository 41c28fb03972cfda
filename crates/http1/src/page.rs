use crate::token::{eq_ignore_case, list};
use crate::{Framing, HeadErrorKind, Limits, Method, Progress, ResponseHead, Sink, Strictness, Version};
use std::fmt;

/// A whole response kept ready: one of the built-in pages, or the contents of an `errorfile`.
///
/// HAProxy has two ways to send a built-in page. A request that could not even be parsed, or did not come in time, is
/// answered with the page [as it stands](Self::raw); any later refusal is [written](Self::write) like a response, with
/// field names in lower case and the Connection field that suits the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorPage {
    status: u16,
    version: Version,
    /// Status line and fields without Connection's `close` and `keep-alive`, without the empty line.
    head: Vec<u8>,
    body: Vec<u8>,
    raw: Vec<u8>,
    /// The page itself asks for the connection to be closed, or has no other end.
    closes: bool,
}

/// Why an errorfile was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PageError {
    /// Its head is malformed; the offset of the byte.
    Head(usize),
    /// Its head has no end.
    Truncated,
    /// It has a transfer coding.
    Chunked,
    /// Its Content-Length says more or less than the file has.
    Length {
        /// Bytes behind the head.
        found: u64,
        /// What Content-Length says.
        announced: u64,
    },
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(offset) => write!(f, "unable to parse headers (error offset: {offset})"),
            Self::Truncated => f.write_str("unable to parse headers (no end of headers)"),
            Self::Chunked => f.write_str("chunk-encoded payload not supported"),
            Self::Length { found, announced } => {
                write!(f, "payload size does not match the announced content-length ({found} != {announced})")
            }
        }
    }
}

impl std::error::Error for PageError {}

impl ErrorPage {
    /// Parses the bytes of an `errorfile`: a raw HTTP/1 response, whose lines may end with LF alone. An empty file
    /// makes a [silent](Self::is_silent) page.
    ///
    /// # Errors
    /// When it is no response, is chunked, or its length is not the one it announces.
    pub fn parse(file: &[u8]) -> Result<Self, PageError> {
        if file.is_empty() {
            return Ok(Self {
                status: 0,
                version: Version::Http11,
                head: Vec::new(),
                body: Vec::new(),
                raw: Vec::new(),
                closes: true,
            });
        }
        let mut buf = file.to_vec();
        let mut head = ResponseHead::new();
        let limits = Limits { max_bytes: usize::MAX, ..Limits::default() };
        let strict = Strictness { accept_unsafe: true, ..Strictness::default() };
        let parsed = head.parse(&mut buf, Method::Get, &limits, &strict);
        let len = match parsed {
            Ok(Progress::Complete { len }) => len,
            Ok(Progress::Partial) => return Err(PageError::Truncated),
            Err(error) if error.kind == HeadErrorKind::UnsupportedCoding => return Err(PageError::Chunked),
            Err(error) => return Err(PageError::Head(error.offset)),
        };
        let body = file.get(len..).unwrap_or_default();
        let found = body.len() as u64;
        let closes = match head.framing() {
            Framing::Chunked => return Err(PageError::Chunked),
            Framing::Length(announced) if announced != found => {
                return Err(PageError::Length { found, announced });
            }
            Framing::None if found > 0 => return Err(PageError::Length { found, announced: 0 }),
            Framing::UntilClose | Framing::Tunnel => true,
            Framing::Length(_) | Framing::None => false,
        };
        let mut page = Self {
            status: head.status(),
            version: head.version(),
            head: head.version().as_str().as_bytes().to_vec(),
            body: body.to_vec(),
            raw: file.to_vec(),
            closes,
        };
        page.head.push(b' ');
        page.head.extend_from_slice(&crate::status::digits(head.status()));
        page.head.push(b' ');
        page.head.extend_from_slice(head.reason(&buf));
        page.head.extend_from_slice(b"\r\n");
        for (name, value) in head.fields().pairs(&buf) {
            page.put_field(name, value);
        }
        Ok(page)
    }

    fn put_field(&mut self, name: &[u8], value: &[u8]) {
        let mut value = value.to_vec();
        if eq_ignore_case(name, b"connection") {
            let is = |option: &[u8], what: &[u8]| eq_ignore_case(option, what);
            self.closes |= list(&value).any(|option| is(option, b"close"));
            let rest: Vec<&[u8]> =
                list(&value).filter(|o| !is(o, b"close") && !is(o, b"keep-alive")).collect();
            if rest.is_empty() {
                return;
            }
            value = rest.join(&b", "[..]);
        }
        self.head.extend(name.iter().map(u8::to_ascii_lowercase));
        self.head.extend_from_slice(b": ");
        self.head.extend_from_slice(&value);
        self.head.extend_from_slice(b"\r\n");
    }

    /// Its status code; 0 when it is silent.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// An empty errorfile: the connection is closed without an answer.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.raw.is_empty()
    }

    /// The page can only be the last response of a connection: it says so, or it has no length.
    #[must_use]
    pub fn closes(&self) -> bool {
        self.closes
    }

    /// The page as it stands in the file or in the built-in table.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Number of bytes of its body.
    #[must_use]
    pub fn body_len(&self) -> usize {
        self.body.len()
    }

    /// Writes it for a client that speaks this version. `close` is whether the connection is closed after it (it is
    /// also when the page [closes](Self::closes)); `head_only` that the request was a HEAD.
    pub fn write(&self, client: Version, close: bool, head_only: bool, out: &mut impl Sink) {
        if self.is_silent() {
            return;
        }
        out.put(&self.head);
        let close = close || self.closes;
        if close && self.version == Version::Http11 {
            out.put(b"connection: close\r\n");
        } else if !close && (client == Version::Http10 || self.version == Version::Http10) {
            out.put(b"connection: keep-alive\r\n");
        }
        out.put(b"\r\n");
        if !head_only {
            out.put(&self.body);
        }
    }
}

/// Status code, status text (as in the status line and in the page), sentence, and whether the page closes.
const PAGES: [(u16, &str, &str, bool); 21] = [
    (200, "200 OK", "Service ready.", false),
    (400, "400 Bad request", "Your browser sent an invalid request.", true),
    (401, "401 Unauthorized", "You need a valid user and password to access this content.", false),
    (403, "403 Forbidden", "Request forbidden by administrative rules.", false),
    (404, "404 Not Found", "The resource could not be found.", false),
    (
        405,
        "405 Method Not Allowed",
        "A request was made of a resource using a request method not supported by that resource.",
        false,
    ),
    (407, "407 Unauthorized", "You need a valid user and password to access this content.", false),
    (408, "408 Request Time-out", "Your browser didn't send a complete request in time.", true),
    (410, "410 Gone", "The resource is no longer available and will not be available again.", false),
    (413, "413 Payload Too Large", "The request entity exceeds the maximum allowed.", false),
    (414, "414 URI Too Long", "The URI provided was too long for the server to process.", false),
    (421, "421 Misdirected Request", "Request sent to a non-authoritative server.", false),
    (422, "422 Unprocessable Content", "The server cannot process the contained instructions.", false),
    (425, "425 Too Early", "Your browser sent early data.", false),
    (429, "429 Too Many Requests", "You have sent too many requests in a given amount of time.", false),
    (431, "431 Request Header Fields Too Large", "Request Header Fields Too Large.", false),
    (500, "500 Internal Server Error", "An internal server error occurred.", false),
    (
        501,
        "501 Not Implemented",
        "The server does not support the functionality required to fulfill the request.",
        false,
    ),
    (502, "502 Bad Gateway", "The server returned an invalid or incomplete response.", false),
    (503, "503 Service Unavailable", "No server is available to handle this request.", false),
    (504, "504 Gateway Time-out", "The server didn't respond in time.", false),
];

/// The status codes that there are built-in pages for, which are those that `errorfile` accepts.
pub fn page_codes() -> impl Iterator<Item = u16> {
    PAGES.iter().map(|page| page.0)
}

/// The built-in page of a status code; `None` for a code that HAProxy has no page for.
#[must_use]
pub fn default_page(status: u16) -> Option<ErrorPage> {
    let (_, title, sentence, closes) = PAGES.iter().find(|page| page.0 == status)?;
    let body = format!("<html><body><h1>{title}</h1>\n{sentence}\n</body></html>\n");
    let connection = if *closes { "Connection: close\r\n" } else { "" };
    let page = format!(
        "HTTP/1.1 {title}\r\nContent-length: {}\r\nCache-Control: no-cache\r\n{connection}Content-Type: \
         text/html\r\n\r\n{body}",
        body.len()
    );
    ErrorPage::parse(page.as_bytes()).ok()
}
