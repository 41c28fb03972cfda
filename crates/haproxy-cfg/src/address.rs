//! Addresses (configuration manual, section 11).

use crate::model::{Address, LogTarget};
use std::net::IpAddr;

/// Looks a host name up; no addresses when it is unknown.
pub type Resolver<'a> = &'a dyn Fn(&str) -> Vec<IpAddr>;

/// Why a text is no address, in HAProxy's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError {
    /// One line without a full stop.
    pub message: String,
}

/// The addresses of a `bind` line: separated by commas, port ranges spread out.
///
/// # Errors
/// When one of them is none.
pub fn parse_bind(text: &str, resolver: Resolver<'_>) -> Result<Vec<Address>, AddressError> {
    let _ = resolver;
    Err(AddressError { message: format!("invalid address: '{text}'") })
}

/// The address of a `server` line; its port may be missing or relative to the client's.
///
/// # Errors
/// When it is none.
pub fn parse_server(text: &str, resolver: Resolver<'_>) -> Result<Address, AddressError> {
    let _ = resolver;
    Err(AddressError { message: format!("invalid address: '{text}'") })
}

/// The target of a `log` line; UDP port 514 unless said.
///
/// # Errors
/// When it is none.
pub fn parse_log(text: &str, resolver: Resolver<'_>) -> Result<LogTarget, AddressError> {
    let _ = resolver;
    Err(AddressError { message: format!("invalid address: '{text}'") })
}

/// An address without a port: `source`, `addr` of a server, `http-check … addr`.
///
/// # Errors
/// When it is none.
pub fn parse_ip(text: &str, resolver: Resolver<'_>) -> Result<IpAddr, AddressError> {
    let _ = resolver;
    Err(AddressError { message: format!("invalid address: '{text}'") })
}

/// The machine's own resolver.
pub fn resolve(host: &str) -> Vec<IpAddr> {
    use std::net::ToSocketAddrs;
    (host, 0).to_socket_addrs().map(|found| found.map(|a| a.ip()).collect()).unwrap_or_default()
}
