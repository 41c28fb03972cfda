//! `HTTP_GET` and `SSL_GET`: the request, and what is made of the answer.

use super::attempt::{Attempt, Failure, Lengths, Proof};
use super::regex::Pattern;
use core::net::SocketAddr;
use core::ops::RangeInclusive;
use md5::{Digest, Md5};

/// `http_protocol`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// `1.0`.
    #[default]
    V1_0,
    /// `1.0C`: with `Connection: close`.
    V1_0Close,
    /// `1.1`, which has `Connection: close` too.
    V1_1,
}

/// `url`: what is asked for, and what the answer must be.
#[derive(Clone, Debug, Default)]
pub struct Url {
    /// `path`.
    pub path: String,
    /// `virtualhost` of the url itself.
    pub virtual_host: Option<String>,
    /// `digest`: MD5 of the body, one of these; none: any.
    pub digests: Vec<[u8; 16]>,
    /// `status_code`; none: 200 to 299.
    pub status: Vec<RangeInclusive<u16>>,
    /// `regex`.
    pub regex: Option<Pattern>,
}

impl Url {
    fn takes(&self, status: u16) -> bool {
        let mut wanted = self.status.iter();
        (100..=599).contains(&status)
            && match self.status.is_empty() {
                true => (200..=299).contains(&status),
                false => wanted.any(|range| range.contains(&status)),
            }
    }
}

/// The bytes of a request.
///
/// `host` is the `virtualhost` of the checker, of the real server or of the virtual server, the first that is said; the
/// url's own goes before it. Without any, the address that is asked stands there with its port.
pub fn request(protocol: Protocol, url: &Url, host: Option<&str>, destination: SocketAddr) -> Vec<u8> {
    let (version, close) = match protocol {
        Protocol::V1_0 => ("1.0", ""),
        Protocol::V1_0Close => ("1.0", "Connection: close\r\n"),
        Protocol::V1_1 => ("1.1", "Connection: close\r\n"),
    };
    let host = match url.virtual_host.as_deref().or(host) {
        Some(host) => host.to_owned(),
        None => destination.to_string(),
    };
    let path = &url.path;
    format!("GET {path} HTTP/{version}\r\nUser-Agent: KeepAliveClient\r\n{close}Host: {host}\r\n\r\n")
        .into_bytes()
}

/// How the stream of an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The server closed the connection.
    Closed,
    /// TLS: the server said that this is the end.
    TlsClosed,
    /// TLS: the connection ended without that.
    TlsCut,
}

/// The answer to a request, as it comes in.
///
/// As keepalived does it: the head ends at the first empty line, its lines ending with CR LF; the answer ends with its
/// stream, whatever `Content-Length` says; the digest is that of the body's bytes as they were sent, chunks and all, up
/// to `Content-Length` when there is one. Memory is bounded.
#[derive(Clone, Debug)]
pub struct HttpGet {
    state: State,
    digest: Option<Box<Md5>>,
    /// The body, when a `regex` is to look at it.
    body: Vec<u8>,
    received: u64,
}

#[derive(Clone, Debug)]
enum State {
    Head(Vec<u8>),
    Body { status: u16, length: Option<u64> },
    TooLong,
}

impl HttpGet {
    /// The most bytes a head may have. keepalived's limit is 4095.
    pub const HEAD_MAX: usize = 16 * 1024;
    /// The most bytes of a body that a `regex` sees.
    pub const BODY_MAX: usize = 1024 * 1024;

    /// Waits for the answer of this url.
    pub fn new(url: &Url) -> Self {
        let digest = (!url.digests.is_empty()).then(Box::default);
        Self { state: State::Head(Vec::new()), digest, body: Vec::new(), received: 0 }
    }

    /// Takes in what came. An answer may come out that needs no more.
    pub fn feed(&mut self, url: &Url, bytes: &[u8]) -> Option<Attempt> {
        match &mut self.state {
            State::Body { length, .. } => {
                let length = *length;
                self.body(url, length, bytes);
            }
            State::TooLong => return Some(Attempt::Failed(Failure::NoData)),
            State::Head(head) => {
                let seen = head.len().saturating_sub(END_OF_HEAD.len() - 1);
                head.extend_from_slice(bytes);
                let found = find_head(head.get(seen..).unwrap_or_default()).map(|end| seen + end);
                match found.filter(|end| *end <= Self::HEAD_MAX) {
                    Some(end) => {
                        let body = head.split_off(end);
                        let (status, length) = (status(head).unwrap_or(0), content_length(head));
                        self.state = State::Body { status, length };
                        self.body(url, length, &body);
                    }
                    None if head.len() >= Self::HEAD_MAX => {
                        self.state = State::TooLong;
                        return Some(Attempt::Failed(Failure::NoData));
                    }
                    None => {}
                }
            }
        }
        None
    }

    fn body(&mut self, url: &Url, length: Option<u64>, bytes: &[u8]) {
        if let Some(digest) = &mut self.digest {
            let left = length.map_or(u64::MAX, |length| length.saturating_sub(self.received));
            let left = usize::try_from(left).unwrap_or(usize::MAX);
            digest.update(bytes.get(..left).unwrap_or(bytes));
        }
        if url.regex.is_some() {
            // One byte beyond the limit shows that there is more.
            let room = (Self::BODY_MAX + 1).saturating_sub(self.body.len());
            self.body.extend(bytes.iter().take(room));
        }
        self.received = self.received.saturating_add(bytes.len() as u64);
    }

    /// What it is called when no more came in time.
    pub fn timeout(&self) -> Failure {
        match &self.state {
            State::Head(head) if head.is_empty() => Failure::SilenceTimeout,
            _ => Failure::ReadTimeout,
        }
    }

    /// The stream has ended: the verdict on the answer.
    pub fn end(self, url: &Url, end: End) -> Attempt {
        let State::Body { status, length } = self.state else {
            let clean = end == End::TlsClosed;
            return Attempt::Failed(if clean { Failure::TlsRead } else { Failure::NoData });
        };
        let received = self.received;
        let lengths = length.filter(|said| *said != received).map(|said| Lengths { said, received });
        let digest: Option<[u8; 16]> = self.digest.map(|digest| digest.finalize().into());
        let result = if !url.takes(status) {
            Err(Failure::Status(status))
        } else if digest.is_some_and(|digest| !url.digests.contains(&digest)) {
            Err(Failure::Digest)
        } else {
            match &url.regex {
                Some(regex) if regex.satisfied(&self.body, Self::BODY_MAX) => Ok(Proof::Regex),
                Some(_) => Err(Failure::Regex),
                None if digest.is_some() => Ok(Proof::Digest),
                None => Ok(Proof::Status),
            }
        };
        Attempt::Page { result, lengths }
    }
}

const END_OF_HEAD: &[u8] = b"\r\n\r\n";

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

/// Where the head ends: behind its empty line.
pub(super) fn find_head(text: &[u8]) -> Option<usize> {
    find(text, END_OF_HEAD).map(|at| at + END_OF_HEAD.len())
}

/// The three digits behind the first blank, which another blank must follow.
pub(super) fn status(head: &[u8]) -> Option<u16> {
    let at = head.iter().position(|byte| matches!(byte, b' ' | b'\r'))?;
    match head.get(at..)? {
        [b' ', a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', b' ', ..] => {
            Some([a, b, c].into_iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0')))
        }
        _ => None,
    }
}

/// The number behind `Content-Length:`, written so, when the line ends with it.
pub(super) fn content_length(head: &[u8]) -> Option<u64> {
    const NAME: &[u8] = b"Content-Length:";
    let value = head.get(find(head, NAME)? + NAME.len()..)?;
    let value = value.get(value.iter().position(|byte| !matches!(byte, b' ' | b'\t'))?..)?;
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = value.split_at_checked(digits)?;
    if !matches!(rest, [b'\r' | b'\n', ..]) {
        return None;
    }
    number.iter().try_fold(0u64, |number, digit| number.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests;
