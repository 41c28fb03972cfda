//! `server` lines.

use super::{Address, Place};
use std::sync::Arc;
use std::time::Duration;

/// One server of a backend.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its name.
    pub name: Arc<str>,
    /// Numeric id (`sid`), counted from 1.
    pub id: u32,
    /// Where requests go.
    pub address: Address,
    /// `weight`; 1; 0–256.
    pub weight: u32,
    /// `backup`.
    pub backup: bool,
    /// `disabled`: starts in maintenance.
    pub disabled: bool,
    /// `maxconn`; 0 is no limit.
    pub maxconn: u32,
    /// `maxqueue`, for statistics; 0 is no limit.
    pub maxqueue: u32,
    /// `pool-max-conn`; -1 is no limit.
    pub pool_max_conn: i64,
    /// `pool-purge-delay`; 5 s.
    pub pool_purge_delay: Duration,
    /// `check` and its parameters; `None` without `check`.
    pub check: Option<ServerCheck>,
    /// The `server` line.
    pub place: Place,
}

/// `check` and what goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerCheck {
    /// `inter`; 2 s.
    pub inter: Duration,
    /// `fastinter`; while in transition.
    pub fastinter: Option<Duration>,
    /// `downinter`; while down.
    pub downinter: Option<Duration>,
    /// `rise`; 2.
    pub rise: u32,
    /// `fall`; 3.
    pub fall: u32,
    /// `port`, or that of the address.
    pub port: Option<u16>,
    /// `addr`, or that of the server.
    pub addr: Option<std::net::IpAddr>,
}
