//! The lines of keepalived's log, and the bodies of its mails, that checkers cause.

use super::attempt::{Errno, Failure, Lengths, Obstacle, Proof};
use super::retry::Mail;
use super::script::ScriptEnd;
use super::settings::Kind;
use core::fmt;
use core::net::SocketAddr;

/// The names that stand in a checker's lines.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// The real server as keepalived writes it: `[192.0.2.1]:tcp:80`.
    pub real_server: &'a str,
    /// The virtual server as keepalived writes it: `[192.0.2.100]:tcp:80`, `FWM 80`, `[group]:0`.
    pub virtual_server: &'a str,
    /// The real server's address and port.
    pub address: SocketAddr,
    /// Whom the checker connects to.
    pub destination: SocketAddr,
    /// `MISC_CHECK`: the program.
    pub script: &'a str,
    /// `HTTP_GET`: the urls.
    pub urls: &'a [super::http::Url],
}

/// A line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    pub(super) kind: Kind,
    pub(super) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// An attempt failed.
    Failure(Failure),
    /// `DNS_CHECK` failed, with the retries where they are said.
    Dns(Failure, Option<u32>),
    /// What is wrong with an ICMP answer.
    Echo(Failure),
    /// The verdict is up.
    Up,
    /// The verdict is down, with the retries where they are said.
    Down(Option<u32>),
    /// A url of a server that is down passed.
    Url(u16, Proof),
    Lengths(u16, Lengths),
    /// A script's end that counts; how often it was tried (zero: that was the last time), of how many retries.
    Script(ScriptEnd, Tried),
    PutOff(Obstacle),
}

/// Which try of a round a script's failure was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    /// It did not fail.
    Passed,
    /// Number `tried` of a round that goes on.
    Nth { tried: u32, retry: u32 },
    /// The last one.
    Last { retry: u32 },
}

impl Line {
    /// The line, without syslog's prefix.
    pub fn display<'a>(&'a self, names: &'a Names<'a>) -> impl fmt::Display + 'a {
        Shown { line: self, names }
    }
}

struct Shown<'a> {
    line: &'a Line,
    names: &'a Names<'a>,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.line.kind;
        let Names { real_server: rs, virtual_server: vs, .. } = self.names;
        match self.line.what {
            What::Failure(failure) => self.failure(f, failure),
            What::Dns(failure, retries) => {
                write!(f, "DNS_CHECK ({rs}) {}", Dns(failure, self.names.destination))?;
                retries.map_or(Ok(()), |retries| write!(f, " after {retries} retries"))
            }
            What::Echo(failure) => self.echo(f, failure),
            What::Up => match kind {
                Kind::Tcp | Kind::Misc => write!(f, "TCP connection to {rs} success."),
                Kind::Udp => write!(f, "UDP connection to {rs} success."),
                Kind::Ping => write!(f, "ICMP connection to {rs} success."),
                Kind::Http | Kind::Ssl => write!(f, "Remote Web server {rs} succeed on service."),
                Kind::Smtp | Kind::Dns => write!(f, "Remote SMTP server {rs} succeed on service."),
            },
            What::Down(Some(retries)) if kind == Kind::Ping => {
                write!(f, "ICMP CHECK on service {rs} of {vs} failed after {retries} retries.")
            }
            What::Down(retries) => {
                write!(f, "{} on service {rs} failed", check_name(kind))?;
                match retries {
                    Some(retries) => write!(f, " after {retries} retries."),
                    None => f.write_str("."),
                }
            }
            What::Url(index, proof) => {
                let proof = match proof {
                    Proof::Status => "HTTP status code",
                    Proof::Digest => "MD5 digest",
                    Proof::Regex => "Regex match",
                };
                let path = self.names.urls.get(usize::from(index)).map_or("", |url| url.path.as_str());
                write!(f, "{proof} success to {rs} url({path})")
            }
            What::Lengths(index, Lengths { said, received }) => {
                let url = self.names.urls.get(usize::from(index));
                let host = url.and_then(|url| url.virtual_host.as_deref()).unwrap_or_default();
                let path = url.map_or("", |url| url.path.as_str());
                write!(
                    f,
                    "http_check for RS {rs} VS {vs} url {host}{path}: content_length ({said}) does not match \
                     received bytes ({received})"
                )
            }
            What::Script(end, tried) => {
                let how = match end {
                    _ if tried == Tried::Passed => "succeeded",
                    ScriptEnd::TimedOut => "timed out",
                    ScriptEnd::Exited(_) | ScriptEnd::Signaled(_) => "failed",
                };
                write!(f, "Misc check for [{rs} VS {vs}] by [{}] {how}{tried}", self.names.script)?;
                match end {
                    _ if tried == Tried::Passed => f.write_str("."),
                    ScriptEnd::Exited(status) => write!(f, " (exited with status {status})."),
                    ScriptEnd::Signaled(signal) => write!(f, " (due to signal {signal})."),
                    ScriptEnd::TimedOut => f.write_str("."),
                }
            }
            What::PutOff(obstacle) => self.put_off(f, obstacle),
        }
    }
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |retry: u32| if retry == 1 { "retry" } else { "retries" };
        match *self {
            Self::Passed => Ok(()),
            Self::Nth { tried: 1, retry } => write!(f, ", will do {retry} {}", word(retry)),
            Self::Nth { tried, retry } => write!(f, " on retry {}/{retry}", tried.saturating_sub(1)),
            Self::Last { retry: 0 } => f.write_str(" with retry disabled"),
            Self::Last { retry } => write!(f, " after {retry} {}", word(retry)),
        }
    }
}

/// How a checker calls itself when it gives up.
const fn check_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Tcp => "TCP_CHECK",
        Kind::Http | Kind::Ssl => "HTTP_CHECK",
        Kind::Udp => "UDP_CHECK",
        Kind::Ping => "ICMP CHECK",
        Kind::Smtp => "SMTP_CHECK",
        Kind::Dns => "DNS_CHECK",
        Kind::Misc => "MISC_CHECK",
    }
}

impl Shown<'_> {
    fn failure(&self, f: &mut fmt::Formatter<'_>, failure: Failure) -> fmt::Result {
        let Names { real_server: rs, virtual_server: vs, .. } = self.names;
        match (self.line.kind, failure) {
            (Kind::Tcp, Failure::ConnectTimeout) => write!(f, "TCP connection to {rs} timeout."),
            (Kind::Tcp | Kind::Misc, _) => write!(f, "TCP connection to {rs} failed."),
            (Kind::Udp, Failure::Mismatch) => write!(f, "UDP check to {rs} reply data mismatch."),
            (Kind::Udp, _) => write!(f, "UDP connection to {rs} failed."),
            (Kind::Ping, Failure::ReadTimeout) => write!(f, "ICMP connection to address {rs} timeout."),
            (Kind::Ping, _) => write!(f, "ICMP connection to {rs} of {vs} failed."),
            (Kind::Http | Kind::Ssl, _) => write!(f, "{} server {rs}.", web(self.line.kind, failure)),
            (Kind::Smtp, _) => write!(f, "SMTP_CHECK {}", Smtp(failure, self.names)),
            (Kind::Dns, _) => write!(f, "DNS_CHECK ({rs}) {}", Dns(failure, self.names.destination)),
        }
    }

    fn echo(&self, f: &mut fmt::Formatter<'_>, failure: Failure) -> fmt::Result {
        let v6 = self.names.destination.is_ipv6();
        let icmp = if v6 { "ICMPv6" } else { "ICMP" };
        match failure {
            Failure::ShortEcho(len) => write!(f, "Error, got short {icmp} packet, {len} bytes"),
            Failure::EchoType(kind) => write!(f, "Got {icmp} packet with type 0x{kind:x}"),
            Failure::Write(errno) if v6 => write!(f, "send ICMPv6 packet fail - errno {errno}"),
            Failure::Write(_) => f.write_str("send ICMP packet fail"),
            _ => write!(f, "recv {icmp} packet error"),
        }
    }

    fn put_off(&self, f: &mut fmt::Formatter<'_>, obstacle: Obstacle) -> fmt::Result {
        let icmp = if self.names.destination.is_ipv6() { "ICMPv6" } else { "ICMP" };
        let rs = self.names.real_server;
        match (self.line.kind, obstacle) {
            (Kind::Tcp, Obstacle::Socket) => f.write_str("TCP connect fail to create socket. Rescheduling."),
            (Kind::Tcp | Kind::Misc, _) => f.write_str("TCP socket bind failed. Rescheduling."),
            (Kind::Http | Kind::Ssl, Obstacle::Socket) => {
                f.write_str("WEB connection fail to create socket. Rescheduling.")
            }
            (Kind::Http | Kind::Ssl, Obstacle::Bind) => f.write_str("WEB socket bind failed. Rescheduling"),
            (Kind::Smtp, Obstacle::Socket) => {
                f.write_str("SMTP_CHECK connection failed to create socket. Rescheduling.")
            }
            (Kind::Smtp, Obstacle::Bind) => f.write_str("SMTP_CHECK socket bind failed. Rescheduling."),
            (Kind::Dns, Obstacle::Socket) => {
                write!(f, "DNS_CHECK ({rs}) failed to create socket. Rescheduling.")
            }
            (Kind::Dns, Obstacle::Bind) => {
                write!(f, "DNS_CHECK ({rs}) UDP socket bind failed. Rescheduling.")
            }
            (Kind::Udp, _) => f.write_str("UDP connect fail to create socket. Rescheduling."),
            (Kind::Ping, _) => write!(f, "{icmp} connect fail to create socket. Rescheduling."),
        }
    }
}

/// What `HTTP_GET` and `SSL_GET` say went wrong; ` server …` follows.
pub(super) const fn web(kind: Kind, failure: Failure) -> &'static str {
    match failure {
        Failure::Unreachable => "HTTP_CHECK - network unreachable",
        Failure::Refused => "Connection failed",
        Failure::ConnectTimeout => "Timeout connecting",
        Failure::Handshake => "SSL handshake/communication error connecting to",
        Failure::WriteTimeout => "Timeout WEB write",
        Failure::Write(_) | Failure::ShortWrite => "Cannot send get request to",
        Failure::SilenceTimeout => "Timeout WEB read",
        Failure::ReadTimeout if matches!(kind, Kind::Ssl) => "Timeout SSL read",
        Failure::ReadTimeout => "Timeout HTTP read",
        Failure::Read(_) => "Read error with",
        Failure::TlsRead => "SSL read error from",
        // With a blank too many, which is keepalived's.
        Failure::NoData => "Read, no data received from ",
        Failure::Status(_) => "HTTP status code error to",
        Failure::Digest => "MD5 digest error to",
        Failure::Regex => "Regex match failed",
        _ => "Error connecting",
    }
}

/// An address as `[192.0.2.1]:25`.
struct Pair(SocketAddr);

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]:{}", self.0.ip(), self.0.port())
    }
}

struct Smtp<'a>(Failure, &'a Names<'a>);

impl fmt::Display for Smtp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(failure, names) = self;
        let words = match failure {
            Failure::Unreachable => {
                let (destination, server) = (names.destination.ip(), Pair(names.address));
                return write!(f, "Network unreachable for server {destination} - real server {server}");
            }
            Failure::Refused => "Could not connect to",
            Failure::ConnectTimeout => "Connection timeout to",
            Failure::WriteTimeout => "Write timeout to",
            Failure::Write(_) | Failure::ShortWrite => "Write failure to",
            Failure::SilenceTimeout | Failure::ReadTimeout => "Read timeout from",
            Failure::Read(_) | Failure::NoData => "Read failure from",
            Failure::Banner => "Bad greeting banner from",
            Failure::Helo => "Bad HELO response from",
            _ => "Error connecting to",
        };
        write!(f, "{words} server {}", Pair(names.destination))
    }
}

struct Dns(Failure, SocketAddr);

impl fmt::Display for Dns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Failure::Unreachable => write!(f, "network unreachable for {}", Pair(self.1)),
            Failure::Refused => f.write_str("connection failure."),
            Failure::ConnectTimeout => f.write_str("connection timeout."),
            Failure::WriteTimeout => f.write_str("write timeout to socket."),
            Failure::Write(_) => f.write_str("failed to write socket."),
            Failure::ShortWrite => f.write_str("failed to write all of the datagram."),
            Failure::SilenceTimeout | Failure::ReadTimeout => f.write_str("read timeout from socket"),
            Failure::Read(errno) => write!(f, "failed to read socket; errno {errno} ({})", Errno(errno)),
            Failure::Rcode(code) => write!(f, "read error occurred. (rcode = {code})"),
            _ => f.write_str("connection error."),
        }
    }
}

impl Mail {
    /// The body of the mail.
    pub fn display<'a>(&'a self, names: &'a Names<'a>) -> impl fmt::Display + 'a {
        MailShown(self, names)
    }
}

struct MailShown<'a>(&'a Mail, &'a Names<'a>);

impl fmt::Display for MailShown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(mail, names) = self;
        let word = if mail.up { "succeed" } else { "failed" };
        match (mail.kind, mail.failure) {
            (Kind::Http | Kind::Ssl, _) if !mail.up => {
                f.write_str("=> CHECK failed on service : HTTP request failed <=")
            }
            (Kind::Smtp, Some(failure)) if !mail.up => {
                write!(f, "=> CHECK failed on service : {} <=", Smtp(failure, names))
            }
            (Kind::Http | Kind::Ssl | Kind::Smtp, _) => write!(f, "=> CHECK {word} on service <="),
            (Kind::Dns, _) => write!(f, "=> DNS_CHECK: {word} on service <="),
            (Kind::Tcp, _) => write!(f, "=> TCP CHECK {word} on service <="),
            (Kind::Udp, _) => write!(f, "=> UDP CHECK {word} on service <="),
            (Kind::Ping, _) => write!(f, "=> ICMP CHECK {word} on service <="),
            (Kind::Misc, _) => {
                let word = match (mail.up, mail.timed_out) {
                    (true, _) => "succeeded",
                    (false, true) => "timed out",
                    (false, false) => "failed",
                };
                write!(f, "=> MISC CHECK {word} on service <=")
            }
        }
    }
}
