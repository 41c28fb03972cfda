//! `frontend`, `backend` and `listen` sections.

use super::{Address, Logger, Place, Server};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Which section it is; `listen` is both sides in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the section's keyword")]
pub enum ProxyKind {
    Frontend,
    Backend,
    Listen,
}

impl ProxyKind {
    /// Whether clients come in here.
    pub fn is_frontend(self) -> bool {
        self != Self::Backend
    }

    /// Whether servers stand here.
    pub fn is_backend(self) -> bool {
        self != Self::Frontend
    }
}

/// `mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the manual's names")]
pub enum Mode {
    #[default]
    Tcp,
    Http,
}

/// One proxy section with its defaults applied.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Which section it is.
    pub kind: ProxyKind,
    /// Its name.
    pub name: Arc<str>,
    /// Numeric id (`iid` in statistics): as `id` says, else counted up from 2 in the order sections stand, as HAProxy.
    pub id: u32,
    /// The section's line.
    pub place: Place,
    /// `mode`.
    pub mode: Mode,
    /// `disabled`.
    pub disabled: bool,
    /// `description`.
    pub description: Option<String>,
    /// `bind` lines, ranges spread out: one entry per address.
    pub binds: Vec<Bind>,
    /// `maxconn` of the frontend.
    pub maxconn: Option<u32>,
    /// `backlog`.
    pub backlog: Option<u32>,
    /// `fullconn` of the backend, for statistics.
    pub fullconn: Option<u32>,
    /// `default_backend`: index into [`super::Config::proxies`]; a `listen` section without one serves itself.
    pub default_backend: Option<usize>,
    /// `timeout …`.
    pub timeouts: Timeouts,
    /// `option …` and the few keywords like them.
    pub options: ProxyOptions,
    /// `retries`; 3.
    pub retries: u32,
    /// `log` lines, `log global` standing for the global ones.
    pub loggers: Vec<LoggerRef>,
    /// Which access log line is written.
    pub log_line: LogLine,
    /// `error-log-format`.
    pub error_log_format: Option<Arc<logformat::Format>>,
    /// `log-format-sd`.
    pub log_format_sd: Option<Arc<logformat::Format>>,
    /// `log-tag`.
    pub log_tag: Option<String>,
    /// `unique-id-format`, compiled.
    pub unique_id_format: Option<Arc<logformat::Format>>,
    /// `unique-id-header`.
    pub unique_id_header: Option<String>,
    /// `errorfile` by status: the bytes to send.
    pub error_files: BTreeMap<u16, Arc<[u8]>>,
    /// `balance`.
    pub balance: Balance,
    /// `http-reuse`.
    pub http_reuse: HttpReuse,
    /// `server` lines.
    pub servers: Vec<Server>,
    /// `option httpchk` and its like: what a health check says.
    pub check: Check,
}

/// One listening address of a frontend.
#[derive(Clone, Debug)]
pub struct Bind {
    /// Where.
    pub address: Address,
    /// Numeric id (`sid` of the listener), counted from 1.
    pub id: u32,
    /// `name`.
    pub name: Option<String>,
    /// `maxconn` of this listener.
    pub maxconn: Option<u32>,
    /// `backlog`.
    pub backlog: Option<u32>,
    /// `interface`.
    pub interface: Option<String>,
    /// `transparent`: bind addresses the machine does not hold.
    pub transparent: bool,
    /// `v6only` (`Some(true)`) or `v4v6` (`Some(false)`).
    pub v6only: Option<bool>,
    /// `mode`, `uid`/`user`, `gid`/`group` of a unix socket.
    pub unix_mode: Option<u32>,
    /// Owner of a unix socket.
    pub unix_uid: Option<u32>,
    /// Group of a unix socket.
    pub unix_gid: Option<u32>,
    /// `defer-accept`.
    pub defer_accept: bool,
    /// `mss`.
    pub mss: Option<u16>,
    /// `tfo`.
    pub tfo: bool,
    /// The `bind` line.
    pub place: Place,
}

/// `timeout …`; `None` is no limit.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "each field is the `timeout` of the same name")]
pub struct Timeouts {
    pub client: Option<Duration>,
    pub client_fin: Option<Duration>,
    pub server: Option<Duration>,
    pub server_fin: Option<Duration>,
    pub connect: Option<Duration>,
    pub queue: Option<Duration>,
    pub http_request: Option<Duration>,
    pub http_keep_alive: Option<Duration>,
    pub tunnel: Option<Duration>,
    pub check: Option<Duration>,
}

/// How connections are kept (`option httpclose`, `http-server-close`, `http-keep-alive`; the last said wins).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the manual's names")]
pub enum HttpConnectionMode {
    #[default]
    KeepAlive,
    ServerClose,
    Close,
}

/// `http-reuse`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the manual's names")]
pub enum HttpReuse {
    Never,
    #[default]
    Safe,
    Aggressive,
    Always,
}

/// `option …` switches.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "each field is the `option` of the same name")]
pub struct ProxyOptions {
    pub dontlognull: bool,
    pub dontlog_normal: bool,
    pub log_separate_errors: bool,
    pub logasap: bool,
    pub log_health_checks: bool,
    pub forwardfor: Option<ForwardFor>,
    pub connection_mode: HttpConnectionMode,
    /// `option redispatch [N]`: `None` off; `Some(n)` as the manual: every n-th retry, negative from the end, default -1.
    pub redispatch: Option<i32>,
    pub abortonclose: Option<bool>,
    pub allbackups: bool,
    pub nolinger: bool,
    pub tcpka_client: bool,
    pub tcpka_server: bool,
    pub splice_auto: bool,
    pub splice_request: bool,
    pub splice_response: bool,
    pub http_ignore_probes: bool,
    pub prefer_last_server: bool,
    pub http_no_delay: bool,
    pub tcp_smart_accept: bool,
    pub tcp_smart_connect: bool,
    pub idle_close_on_response: bool,
    pub independent_streams: bool,
    pub accept_unsafe_violations_in_http_request: bool,
    pub accept_unsafe_violations_in_http_response: bool,
    pub http_restrict_req_hdr_names: Option<RestrictHeaderNames>,
}

/// `option http-restrict-req-hdr-names`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the manual's names")]
pub enum RestrictHeaderNames {
    Preserve,
    Delete,
    Reject,
}

/// `option forwardfor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardFor {
    /// `except NET`: sources for which nothing is added, as address and prefix length.
    pub except: Option<(IpAddr, u8)>,
    /// `header NAME`; `X-Forwarded-For`.
    pub header: String,
    /// `if-none`.
    pub if_none: bool,
}

/// One `log` line of a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoggerRef {
    /// `log global`.
    Global,
    /// A target of its own.
    Own(Logger),
}

/// Which access log line a proxy writes.
#[derive(Clone, Debug, Default)]
pub enum LogLine {
    /// No `option tcplog`/`httplog`/`log-format`: `Connect from A:P to B:Q (fe/MODE)`.
    #[default]
    Connect,
    /// A format, compiled: `option httplog` and its like stand for their formats.
    Format(Arc<logformat::Format>),
}

/// `balance`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the manual's names")]
pub enum Balance {
    #[default]
    RoundRobin,
    StaticRoundRobin,
    LeastConn,
    /// `random(DRAWS)`: the default of the newest manual, with 2 draws.
    Random(u32),
    /// `first`.
    First,
}

/// What a health check of this backend says and expects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Check {
    /// A TCP connection is enough.
    #[default]
    Connect,
    /// `option httpchk`.
    Http {
        /// Method; OPTIONS when unset.
        method: String,
        /// Target; `/` when unset.
        uri: String,
        /// Version and what followed it, as written (`HTTP/1.0` when unset; may carry `\r\nHost:…`).
        version: String,
        /// Header lines of `http-check send hdr`.
        headers: Vec<(String, String)>,
        /// Body of `http-check send body`.
        body: Vec<u8>,
    },
}
