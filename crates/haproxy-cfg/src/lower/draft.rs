//! Sections half-way: typed, inherited, and still knowing where each thing was said.

use crate::keywords::Places;
use crate::model::{
    Address, Balance, Bind, Global, HttpReuse, LoggerRef, Mode, Place, ProxyKind, ProxyOptions, Timeouts,
};
use diag::Span;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// A value and where it was said.
#[derive(Clone, Debug)]
pub(crate) struct Said<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

impl<T> Said<T> {
    pub(crate) fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

/// Everything read so far.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) global: Global,
    pub(crate) proxies: Vec<ProxyDraft>,
}

impl Draft {
    /// The proxy that `name` means as a backend.
    pub(crate) fn backend(&self, name: &str) -> Option<(usize, &ProxyDraft)> {
        let mut proxies = self.proxies.iter().enumerate();
        proxies.find(|(_, proxy)| proxy.kind != SectionKind::Frontend && proxy.name == name)
    }
}

/// Which section it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SectionKind {
    Defaults,
    Frontend,
    Listen,
    Backend,
}

impl SectionKind {
    /// The section's keyword.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Defaults => "defaults",
            Self::Frontend => "frontend",
            Self::Listen => "listen",
            Self::Backend => "backend",
        }
    }

    /// What HAProxy calls such a proxy in messages.
    pub(crate) fn title(self) -> &'static str {
        if self == Self::Listen { "proxy" } else { self.word() }
    }

    pub(crate) fn place(self) -> Places {
        match self {
            Self::Defaults => Places::DEFAULTS,
            Self::Frontend => Places::FRONTEND,
            Self::Listen => Places::LISTEN,
            Self::Backend => Places::BACKEND,
        }
    }

    pub(crate) fn has_frontend(self) -> bool {
        matches!(self, Self::Frontend | Self::Listen)
    }

    pub(crate) fn has_backend(self) -> bool {
        matches!(self, Self::Backend | Self::Listen)
    }

    /// The kind in the model; a defaults section has none.
    pub(crate) fn model(self) -> Option<ProxyKind> {
        match self {
            Self::Defaults => None,
            Self::Frontend => Some(ProxyKind::Frontend),
            Self::Listen => Some(ProxyKind::Listen),
            Self::Backend => Some(ProxyKind::Backend),
        }
    }
}

/// A proxy or defaults section.
#[derive(Clone, Debug)]
pub(crate) struct ProxyDraft {
    pub(crate) kind: SectionKind,
    pub(crate) name: String,
    /// The opening line.
    pub(crate) span: Span,
    /// What proxies inherit from defaults.
    pub(crate) settings: Settings,
    pub(crate) id: Option<Said<u32>>,
    pub(crate) description: Option<String>,
    pub(crate) binds: Vec<BindDraft>,
    /// Whether an address was given at all, even a wrong one.
    pub(crate) bind_said: bool,
    pub(crate) servers: Vec<ServerDraft>,
}

impl ProxyDraft {
    /// `frontend 'f'`, as messages name it.
    pub(crate) fn title(&self) -> String {
        format!("{} '{}'", self.kind.title(), self.name)
    }
}

/// Which access log line was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LogChoice {
    /// `option httplog`, with `clf` or without.
    Http(bool),
    /// `option tcplog`, with `clf` or without.
    Tcp(bool),
    /// `log-format`.
    Format(String),
}

impl LogChoice {
    /// What HAProxy calls it when it is overridden.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Http(false) => "option httplog",
            Self::Http(true) => "option httplog clf",
            Self::Tcp(false) => "option tcplog",
            Self::Tcp(true) => "option tcplog clf",
            Self::Format(_) => "log-format",
        }
    }
}

/// The settings that a proxy takes over from defaults.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) mode: Mode,
    pub(crate) disabled: bool,
    pub(crate) maxconn: Option<u32>,
    pub(crate) backlog: Option<u32>,
    pub(crate) fullconn: Option<u32>,
    pub(crate) default_backend: Option<Said<String>>,
    pub(crate) timeouts: Timeouts,
    pub(crate) options: ProxyOptions,
    /// Options in force that mean something in `mode http` only, by name.
    pub(crate) http_options: BTreeMap<&'static str, Span>,
    pub(crate) retries: Option<u32>,
    pub(crate) loggers: Vec<LoggerRef>,
    pub(crate) log: Option<Said<LogChoice>>,
    pub(crate) error_log_format: Option<Said<String>>,
    pub(crate) log_format_sd: Option<Said<String>>,
    pub(crate) log_tag: Option<String>,
    pub(crate) unique_id_format: Option<Said<String>>,
    pub(crate) unique_id_header: Option<String>,
    pub(crate) error_files: BTreeMap<u16, Arc<[u8]>>,
    pub(crate) balance: Option<Balance>,
    pub(crate) http_reuse: HttpReuse,
    pub(crate) default_server: ServerSettings,
    pub(crate) httpchk: Option<HttpCheck>,
    pub(crate) http_check_send: Option<Said<HttpSend>>,
}

/// `option httpchk`.
#[derive(Clone, Debug, Default)]
pub(crate) struct HttpCheck {
    pub(crate) method: Option<String>,
    pub(crate) uri: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) host: Option<String>,
}

/// `http-check send`.
#[derive(Clone, Debug, Default)]
pub(crate) struct HttpSend {
    pub(crate) method: Option<String>,
    pub(crate) uri: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// A listening address.
#[derive(Clone, Debug)]
pub(crate) struct BindDraft {
    /// Its id is 0 until `finish` counts.
    pub(crate) bind: Bind,
    /// The addresses as written.
    pub(crate) text: String,
    /// `id`, with where.
    pub(crate) id: Option<Said<u32>>,
}

/// A server.
#[derive(Clone, Debug)]
pub(crate) struct ServerDraft {
    pub(crate) name: String,
    pub(crate) address: Address,
    pub(crate) id: Option<Said<u32>>,
    pub(crate) settings: ServerSettings,
    pub(crate) place: Place,
}

/// The parameters of a server that `default-server` may set.
#[derive(Clone, Debug)]
pub(crate) struct ServerSettings {
    pub(crate) weight: u32,
    pub(crate) backup: bool,
    pub(crate) disabled: bool,
    pub(crate) maxconn: u32,
    pub(crate) maxqueue: u32,
    pub(crate) pool_max_conn: i64,
    pub(crate) pool_purge_delay: Duration,
    pub(crate) check: bool,
    pub(crate) inter: Duration,
    pub(crate) fastinter: Option<Duration>,
    pub(crate) downinter: Option<Duration>,
    pub(crate) rise: u32,
    pub(crate) fall: u32,
    pub(crate) check_port: Option<u16>,
    pub(crate) check_addr: Option<IpAddr>,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            weight: 1,
            backup: false,
            disabled: false,
            maxconn: 0,
            maxqueue: 0,
            pool_max_conn: -1,
            pool_purge_delay: Duration::from_secs(5),
            check: false,
            inter: Duration::from_secs(2),
            fastinter: None,
            downinter: None,
            rise: 2,
            fall: 3,
            check_port: None,
            check_addr: None,
        }
    }
}
