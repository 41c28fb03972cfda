//! HTTP/1.0 and HTTP/1.1 messages: heads, framing, chunks; no I/O.
//!
//! A message head stays where it was received: [`RequestHead`] and [`ResponseHead`] are an index of ranges over one
//! contiguous buffer, which every accessor takes again as `buf`. The buffer must start at the first byte of the message
//! and may only grow between two calls of `parse`. [`Edits`] is laid over the index; the writer copies runs of
//! unchanged lines whole. [`ChunkDecoder`] walks a chunked body in place.
//!
//! ```
//! use http1::{Edits, HopByHop, Limits, Progress, RequestHead, Strictness, toward_server};
//!
//! let mut buf = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".to_vec();
//! let mut head = RequestHead::new();
//! let progress = head.parse(&mut buf, &Limits::default(), &Strictness::default())?;
//! assert_eq!(progress, Progress::Complete { len: buf.len() });
//! let mut edits = Edits::new();
//! HopByHop::strip_request(&head, &buf, &mut edits); // before the rules
//! edits.append(b"X-Forwarded-For", b"192.0.2.1");
//! toward_server(&head, &buf, true, &mut edits); // after the rules
//! let mut out = Vec::new();
//! edits.write_request(&head, &buf, &mut out);
//! assert_eq!(out, b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n");
//! # Ok::<(), http1::HeadError>(())
//! ```
//!
//! Strictness is HAProxy 3.x's, and RFC 9112's where HAProxy leaves a choice; [`Strictness`] holds the switches.

mod chunk;
mod connection;
mod edit;
mod error;
mod field;
mod head;
mod limits;
mod method;
mod page;
mod request;
mod response;
mod scan;
mod sink;
mod status;
mod target;
pub mod token;

pub use chunk::{ChunkDecoder, ChunkError, ChunkErrorKind, ChunkStep, write_chunk_size};
pub use connection::{ConnectionField, ConnectionMode, HopByHop, Persistence, toward_client, toward_server};
pub use edit::{Edits, FieldAt, FieldRef};
pub use error::{HeadError, HeadErrorKind};
pub use field::{Field, Fields, Span};
pub use limits::{Limits, NamePolicy, Strictness};
pub use method::Method;
pub use page::{ErrorPage, PageError, default_page, page_codes};
pub use request::RequestHead;
pub use response::ResponseHead;
pub use sink::{Sink, SliceSink};
pub use status::reason;
pub use target::TargetForm;

/// The minor version of an HTTP/1 message. A message of a higher minor version is treated as 1.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    #[default]
    Http11,
}

impl Version {
    /// `HTTP/1.0` or `HTTP/1.1`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
        }
    }
}

/// How far a head has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// More bytes are needed; call `parse` again with the same buffer grown.
    Partial,
    /// The head is whole.
    Complete {
        /// Bytes of `buf` that belong to the head, leading empty lines included; the body starts there.
        len: usize,
    },
}

/// How the end of a message body is known (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    #[default]
    None,
    /// So many bytes (never 0: that is `None`).
    Length(u64),
    /// Chunked transfer coding.
    Chunked,
    /// Everything until the connection is closed (responses only).
    UntilClose,
    /// The connection is a tunnel after this head: 101, or 2xx to a CONNECT.
    Tunnel,
}
