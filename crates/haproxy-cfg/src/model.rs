//! What a configuration says, typed, with every default applied.
//!
//! A value that HAProxy computes when it starts (`maxconn` from the file limit, `nbthread` from the CPUs) is `None`
//! here; the role that runs the model decides it.

use diag::Span;
use std::sync::Arc;

mod address;
mod global;
mod proxy;
mod server;

pub use address::{Address, PortOffset};
pub use global::{Global, LogTarget, Logger, LoggerFormat, SocketLevel, StatsSocket, Tune};
pub use proxy::{
    Balance, Bind, Check, ForwardFor, HttpConnectionMode, HttpReuse, LogLine, LoggerRef, Mode, Proxy,
    ProxyKind, ProxyOptions, RestrictHeaderNames, Timeouts,
};
pub use server::{Server, ServerCheck};

/// A whole configuration.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The `global` sections, merged.
    pub global: Global,
    /// `frontend`, `backend` and `listen` sections in the order they stand.
    pub proxies: Vec<Proxy>,
}

impl Config {
    /// Whether any proxy listens: HAProxy does not start without one, and `-c` then exits with 2.
    pub fn listens(&self) -> bool {
        self.proxies.iter().any(|proxy| !proxy.disabled && !proxy.binds.is_empty())
    }
}

/// Where something was said, for messages at run time: the file's name and the 1-based line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The path as it was given on the command line.
    pub file: Arc<str>,
    /// 1-based.
    pub line: u32,
    /// The words themselves.
    pub span: Span,
}
