//! The `global` section.

use super::{Address, Place};
use std::path::PathBuf;
use std::time::Duration;

/// The `global` sections, merged.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "each field is the keyword of the same name in the manual's section 3")]
pub struct Global {
    pub maxconn: Option<u32>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    /// `user NAME` as written, to be looked up by the role that changes to it.
    pub user: Option<(String, Place)>,
    pub group: Option<(String, Place)>,
    pub chroot: Option<PathBuf>,
    pub daemon: bool,
    pub master_worker: bool,
    pub pidfile: Option<PathBuf>,
    pub nbthread: Option<u32>,
    pub node: Option<String>,
    pub description: Option<String>,
    /// `log-tag`; `haproxy` when unset.
    pub log_tag: Option<String>,
    /// `log-send-hostname`: `Some(None)` means the machine's own name.
    pub log_send_hostname: Option<Option<String>>,
    pub loggers: Vec<Logger>,
    pub stats_sockets: Vec<StatsSocket>,
    /// `stats timeout`; 10 s when unset.
    pub stats_timeout: Option<Duration>,
    /// `stats maxconn`; 10 when unset.
    pub stats_maxconn: Option<u32>,
    pub ulimit_n: Option<u64>,
    pub hard_stop_after: Option<Duration>,
    pub nosplice: bool,
    pub noreuseport: bool,
    pub quiet: bool,
    pub zero_warning: bool,
    /// `spread-checks`, percent, 0–50.
    pub spread_checks: u32,
    pub tune: Tune,
}

/// `tune.*` settings that are served.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "each field is the keyword `tune.` + its name in the manual's section 3.2")]
pub struct Tune {
    /// Bytes; 16384.
    pub bufsize: u32,
    /// Bytes kept free for header edits; 1024.
    pub maxrewrite: u32,
    /// Header lines of a message including the start line; 101.
    pub http_maxhdr: u32,
    /// Bytes of the request line kept for logs; 1023.
    pub http_logurilen: u32,
    /// Connections accepted in a row per wake-up.
    pub maxaccept: Option<i32>,
    /// Bytes of a splice pipe.
    pub pipesize: Option<u32>,
    pub rcvbuf_client: Option<u32>,
    pub sndbuf_client: Option<u32>,
    pub rcvbuf_server: Option<u32>,
    pub sndbuf_server: Option<u32>,
}

impl Default for Tune {
    fn default() -> Self {
        Self {
            bufsize: 16_384,
            maxrewrite: 1_024,
            http_maxhdr: 101,
            http_logurilen: 1_023,
            maxaccept: None,
            pipesize: None,
            rcvbuf_client: None,
            sndbuf_client: None,
            rcvbuf_server: None,
            sndbuf_server: None,
        }
    }
}

/// A `log` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logger {
    /// Where the lines go.
    pub target: LogTarget,
    /// `len`: bytes of a message at most, including its header; 1024.
    pub max_len: u32,
    /// `format`; when unset, rfc3164 for sockets and raw-like forms for descriptors as the manual says.
    pub format: LoggerFormat,
    /// `sample RANGES:SIZE`.
    pub sample: Option<(Vec<(u32, u32)>, u32)>,
    /// Syslog facility, 0–23.
    pub facility: u8,
    /// Least urgent level sent, 0 (emerg) – 7 (debug).
    pub max_level: u8,
    /// Lines more urgent than this are sent with this level (`minlevel`).
    pub min_level: u8,
    /// Where it was said.
    pub place: Place,
}

/// Where log lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// UDP or a unix datagram socket.
    Datagram(Address),
    /// `fd@N`, `stdout`, `stderr`.
    Fd(i32),
}

/// The frame around a message (manual 3.1.1, `log … format`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the manual's names")]
pub enum LoggerFormat {
    Local,
    Rfc3164,
    Rfc5424,
    Priority,
    Short,
    Timed,
    Iso,
    Raw,
}

/// What a client of a stats socket may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the manual's names")]
pub enum SocketLevel {
    User,
    #[default]
    Operator,
    Admin,
}

/// A `stats socket` line.
#[derive(Clone, Debug)]
pub struct StatsSocket {
    /// Where it listens.
    pub address: Address,
    /// `level`; operator when unset.
    pub level: SocketLevel,
    /// `mode`, permission bits of a unix socket.
    pub mode: Option<u32>,
    /// `user`/`uid` of a unix socket.
    pub uid: Option<u32>,
    /// `group`/`gid` of a unix socket.
    pub gid: Option<u32>,
    /// `expose-fd listeners`.
    pub expose_listeners: bool,
    /// Where it was said.
    pub place: Place,
}
