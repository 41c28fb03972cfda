//! How one attempt of a checker ended.

use super::script::ScriptEnd;
use core::fmt;

/// How one attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// Well.
    Passed,
    /// Not well.
    Failed(Failure),
    /// An answer to `HTTP_GET` was read to its end; one that could not be is [`Attempt::Failed`].
    Page {
        /// What it showed.
        result: Result<Proof, Failure>,
        /// When it was not as long as it had said.
        lengths: Option<Lengths>,
    },
    /// `MISC_CHECK`: the script ended.
    Script(ScriptEnd),
}

impl From<Result<(), Failure>> for Attempt {
    fn from(result: Result<(), Failure>) -> Self {
        result.map_or_else(Self::Failed, |()| Self::Passed)
    }
}

/// What a page showed to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Its status.
    Status,
    /// Its digest too.
    Digest,
    /// It matches the `regex`, or does not as `regex_no_match` wants it.
    Regex,
}

/// How long a body was, and how long its head said it would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lengths {
    /// `Content-Length`.
    pub said: u64,
    /// Bytes of body received.
    pub received: u64,
}

impl Lengths {
    /// Said less received, as far as it can be told.
    pub(super) fn difference(self) -> i64 {
        let wide = i128::from(self.said) - i128::from(self.received);
        i64::try_from(wide).unwrap_or(if wide < 0 { i64::MIN } else { i64::MAX })
    }
}

/// Why an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// `connect` (or sending, for `UDP_CHECK`) failed at once.
    Unreachable,
    /// The connection was refused, or broke while it was made.
    Refused,
    /// The connection was not there in time.
    ConnectTimeout,
    /// The state of the connection could not be learnt.
    ConnectError,
    /// TLS could not be agreed on.
    Handshake,
    /// The request could not be written in time.
    WriteTimeout,
    /// The request could not be written; `errno` where it matters.
    Write(i32),
    /// A datagram went out cut short.
    ShortWrite,
    /// Not one byte came in time.
    SilenceTimeout,
    /// The rest did not come in time; for those that wait for one datagram: it did not come.
    ReadTimeout,
    /// Reading failed; `errno`, zero for the end of the stream.
    Read(i32),
    /// TLS ended the stream in a way it should not.
    TlsRead,
    /// The stream ended before a whole head of HTTP.
    NoData,
    /// A status that is not wanted.
    Status(u16),
    /// The body's digest is another.
    Digest,
    /// The `regex` says no, or could not be decided.
    Regex,
    /// The mail server's greeting is not 220.
    Banner,
    /// The mail server's answer to HELO is not 250.
    Helo,
    /// The name server answers with an error.
    Rcode(u8),
    /// The datagram is not what `require_reply` wants.
    Mismatch,
    /// The answer to an echo request has this many bytes, too few.
    ShortEcho(u16),
    /// The answer to an echo request is an ICMP message of this type.
    EchoType(u8),
}

impl fmt::Display for Failure {
    /// For people, as a status shows it; what the log says is in [`super::Line`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Unreachable => f.write_str("unreachable"),
            Self::Refused => f.write_str("connection refused"),
            Self::ConnectTimeout => f.write_str("no connection in time"),
            Self::ConnectError => f.write_str("connection error"),
            Self::Handshake => f.write_str("TLS handshake failed"),
            Self::WriteTimeout => f.write_str("could not write in time"),
            Self::Write(_) | Self::ShortWrite => f.write_str("could not write"),
            Self::SilenceTimeout => f.write_str("no answer in time"),
            Self::ReadTimeout => f.write_str("no whole answer in time"),
            Self::Read(0) => f.write_str("closed before the answer"),
            Self::Read(errno) => write!(f, "could not read: {}", Errno(errno)),
            Self::TlsRead => f.write_str("TLS ended without a word"),
            Self::NoData => f.write_str("no HTTP answer"),
            Self::Status(0) => f.write_str("no HTTP status"),
            Self::Status(code) => write!(f, "status {code}"),
            Self::Digest => f.write_str("another digest"),
            Self::Regex => f.write_str("regex not satisfied"),
            Self::Banner => f.write_str("bad greeting"),
            Self::Helo => f.write_str("bad answer to HELO"),
            Self::Rcode(code) => write!(f, "DNS error {code}"),
            Self::Mismatch => f.write_str("unexpected reply"),
            Self::ShortEcho(len) => write!(f, "ICMP answer of {len} bytes"),
            Self::EchoType(kind) => write!(f, "ICMP answer of type {kind}"),
        }
    }
}

/// The system's words for an error number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Errno(pub(super) i32);

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = std::io::Error::from_raw_os_error(self.0).to_string();
        f.write_str(text.split(" (os error").next().unwrap_or_default())
    }
}

/// Why an attempt could not even be begun: it does not count, and the next one comes after `delay_loop`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// No socket to be had.
    Socket,
    /// `bindto`, `bind_if` or `fwmark` could not be applied, or `connect` failed in a way that says nothing of the
    /// server. Checkers by UDP and ICMP take that for a failure instead ([`Failure::Unreachable`]).
    Bind,
}
