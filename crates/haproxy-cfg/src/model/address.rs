//! Address forms (configuration manual, section 11, "Address formats").

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// How a server's port relates to the port the client came to (`:+8`, `:-8`, or none at all).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortOffset {
    /// The port in the address is the port.
    Absolute,
    /// The port is the client's destination port plus this (0 when the address has no port).
    Relative(i32),
}

/// One address, after ranges and host names were resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `ipv4@`, `ipv6@`, or bare.
    Ip(SocketAddr),
    /// A server's address whose port is relative to the client's destination port.
    IpRelative(IpAddr, PortOffset),
    /// `unix@PATH` or a path beginning with `/`.
    Unix(PathBuf),
    /// `abns@NAME`: padded with zeros to the whole `sun_path`; `abnsz@NAME` (`true`): cut after the name.
    Abstract(Vec<u8>, bool),
    /// `fd@N`: an inherited descriptor.
    Fd(i32),
    /// `sockpair@N`: an inherited socketpair over which connections are passed.
    SockPair(i32),
}
