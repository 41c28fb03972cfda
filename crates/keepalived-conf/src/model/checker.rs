//! Checkers of real servers.

use super::{Name, Place, Script, Weight};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

/// How often and how patiently is checked: of virtual servers, real servers and checkers, each inheriting. What is `None`
/// is not said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// `alpha`.
    pub alpha: Option<bool>,
    /// `delay_loop`.
    pub delay_loop: Option<Duration>,
    /// `connect_timeout`.
    pub connect_timeout: Option<Duration>,
    /// `retry`.
    pub retry: Option<u32>,
    /// `delay_before_retry`.
    pub delay_before_retry: Option<Duration>,
    /// `warmup`.
    pub warmup: Option<Duration>,
}

impl Timing {
    /// What is said here, else what `outer` says.
    pub(crate) fn over(&self, outer: &Self) -> Self {
        Self {
            alpha: self.alpha.or(outer.alpha),
            delay_loop: self.delay_loop.or(outer.delay_loop),
            connect_timeout: self.connect_timeout.or(outer.connect_timeout),
            retry: self.retry.or(outer.retry),
            delay_before_retry: self.delay_before_retry.or(outer.delay_before_retry),
            warmup: self.warmup.or(outer.warmup),
        }
    }
}

/// A checker, what it inherits from the servers applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Checker {
    /// What it does.
    pub kind: CheckerKind,
    /// Whom it asks; `None` for those that connect to nobody.
    pub connection: Option<Connection>,
    /// `alpha`: down until checked.
    pub alpha: bool,
    /// `delay_loop`: between two checks.
    pub delay_loop: Duration,
    /// `retry`: further attempts before it fails.
    pub retry: u32,
    /// `delay_before_retry`.
    pub delay_before_retry: Duration,
    /// `warmup`: the first check comes at a random time within it.
    pub warmup: Duration,
    /// `log_all_failures`.
    pub log_all_failures: bool,
    /// Where the block begins.
    pub place: Place,
}

/// Whom a checker connects to, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// `connect_ip`, else the real server's.
    pub address: IpAddr,
    /// `connect_port`, else the real server's.
    pub port: u16,
    /// `bindto`.
    pub bind_address: Option<IpAddr>,
    /// `bind_port`.
    pub bind_port: Option<u16>,
    /// `bind_if`.
    pub bind_interface: Option<Name>,
    /// `fwmark` of what is sent; 0: none.
    pub mark: u32,
    /// `connect_timeout`; default 5 s.
    pub timeout: Duration,
}

/// What a checker does.
#[derive(Clone, Debug, PartialEq)]
pub enum CheckerKind {
    /// `TCP_CHECK`.
    Tcp,
    /// `HTTP_GET` or `SSL_GET`.
    Http(HttpCheck),
    /// `SMTP_CHECK`, one for each `host`.
    Smtp {
        /// `helo_name`; `None`: `smtp_helo_name`.
        helo_name: Option<String>,
    },
    /// `DNS_CHECK`.
    Dns {
        /// `type`: the number of the query type; default 6 (SOA).
        query: u16,
        /// `name`; default `.`.
        name: String,
    },
    /// `MISC_CHECK`.
    Misc {
        /// `misc_path`.
        script: Script,
        /// `misc_timeout`; zero: `delay_loop`.
        timeout: Duration,
        /// `misc_dynamic`: exit codes 2–255 set the weight to code − 2.
        dynamic: bool,
    },
    /// `UDP_CHECK`.
    Udp(UdpCheck),
    /// `PING_CHECK`.
    Ping,
    /// `FILE_CHECK`.
    File {
        /// `track_file`.
        file: Name,
        /// `weight`; else the file's.
        weight: Weight,
        /// `dynamic`.
        dynamic: bool,
    },
}

/// `http_protocol`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HttpProtocol {
    /// `1.0`.
    #[default]
    V1_0,
    /// `1.0C`: with `Connection: close`.
    V1_0Close,
    /// `1.1`.
    V1_1,
}

/// `HTTP_GET` and `SSL_GET`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HttpCheck {
    /// `SSL_GET`.
    pub tls: bool,
    /// `enable_sni`.
    pub sni: bool,
    /// `sni_name`.
    pub sni_name: Option<String>,
    /// `tls_compliant`: an end without close_notify is an error.
    pub tls_compliant: bool,
    /// `http_protocol`.
    pub protocol: HttpProtocol,
    /// `fast_recovery`.
    pub fast_recovery: bool,
    /// `virtualhost`, else the server's.
    pub virtual_host: Option<String>,
    /// `url`s, at least one.
    pub urls: Vec<Url>,
}

/// `url` of `HTTP_GET`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Url {
    /// `path`; default `/`.
    pub path: String,
    /// `digest`: MD5 of the body; several may be given.
    pub digests: Vec<[u8; 16]>,
    /// `status_code`; 200–299 when nothing is said.
    pub status: Vec<RangeInclusive<u16>>,
    /// `virtualhost`, else the checker's.
    pub virtual_host: Option<String>,
    /// `regex`.
    pub regex: Option<Regex>,
    /// Where.
    pub place: Place,
}

/// `regex` of a `url`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Regex {
    /// The pattern, in PCRE2's syntax.
    pub pattern: String,
    /// `regex_no_match`.
    pub no_match: bool,
    /// `regex_options`, PCRE2's names in lower case.
    pub options: Vec<String>,
    /// `regex_stack`: start and maximum.
    pub stack: Option<(u64, u64)>,
    /// `regex_min_offset`.
    pub min_offset: u64,
    /// `regex_max_offset`; 0: the end.
    pub max_offset: u64,
}

/// `UDP_CHECK`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UdpCheck {
    /// `payload`; `None`: random bytes.
    pub payload: Option<Vec<u8>>,
    /// `require_reply`.
    pub require_reply: bool,
    /// What the reply must begin with: value and mask of each byte.
    pub reply: Vec<(u8, u8)>,
    /// `min_reply_length`; default 0.
    pub min_length: u16,
    /// `max_reply_length`; default 255.
    pub max_length: u16,
}
