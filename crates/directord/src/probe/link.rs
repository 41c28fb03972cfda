//! Connections to servers, and how their failures are called.

use super::engine::Ended;
use check::checker::{Attempt, Failure, Obstacle};
use ek_time::Duration;
use keepalived_conf::model::Connection;
use nix::errno::Errno;
use reactor::{ConnectOptions, SockAddr, Stream, is_shortage, now, timeout_at};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// How a checker connects, but for whom it connects to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// `bindto`, `bind_port`.
    pub(super) source: Option<SocketAddr>,
    /// `bind_if`.
    pub(super) interface: Option<Box<str>>,
    /// `fwmark`.
    pub(super) mark: Option<u32>,
    /// `connect_timeout`, for every single wait.
    pub(super) timeout: Duration,
}

impl Link {
    pub(super) fn new(connection: &Connection) -> Self {
        let any = || match connection.address {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let source = match (connection.bind_address, connection.bind_port) {
            (None, None | Some(0)) => None,
            (address, port) => Some(SocketAddr::new(address.unwrap_or_else(any), port.unwrap_or(0))),
        };
        Self {
            source,
            interface: connection.bind_interface.as_ref().map(|name| name.text.as_str().into()),
            mark: (connection.mark != 0).then_some(connection.mark),
            timeout: connection.timeout,
        }
    }

    /// Makes a TCP connection.
    ///
    /// # Errors
    /// How the attempt ends without one.
    pub(super) async fn connect(&self, destination: SocketAddr) -> Result<Stream, Ended> {
        let options = ConnectOptions {
            source: self.source,
            interface: self.interface.as_deref().map(str::to_owned),
            mark: self.mark,
            ..ConnectOptions::default()
        };
        let begun = Stream::connect(&SockAddr::Ip(destination), &options);
        let stream = begun.map_err(|error| self.not_begun(&error, Obstacle::Bind))?;
        match timeout_at(now() + self.timeout, stream.connected()).await {
            Ok(Ok(())) => Ok(stream),
            Ok(Err(error)) => Err(failed(Failure::Refused, &error)),
            Err(_) => Err(Ended::failed(Failure::ConnectTimeout)),
        }
    }

    /// What it means that a socket could not be made, or not be set on its way; `else_` where it says nothing of the server.
    pub(super) fn not_begun(&self, error: &io::Error, else_: Obstacle) -> Ended {
        let errno = errno(error);
        if is_shortage(error) {
            return Ended::Shortage;
        }
        match errno {
            Errno::ENETUNREACH
            | Errno::EHOSTUNREACH
            | Errno::ECONNREFUSED
            | Errno::ENETDOWN
            | Errno::EHOSTDOWN
            | Errno::ETIMEDOUT
            | Errno::ECONNRESET => failed(Failure::Unreachable, error),
            Errno::EAFNOSUPPORT => Ended::PutOff(Obstacle::Socket, None),
            Errno::ENODEV => {
                let interface = self.interface.as_deref().unwrap_or_default();
                let line = format!("Checker can't bind to device {interface}: {}", errno.desc());
                Ended::PutOff(else_, Some(line))
            }
            Errno::EADDRNOTAVAIL | Errno::EADDRINUSE if self.source.is_some() => {
                Ended::PutOff(else_, Some(format!("Checker bind failed: {}", errno.desc())))
            }
            _ => Ended::PutOff(else_, None),
        }
    }
}

/// `TCP_CHECK`: the connection is all; it is closed at once.
pub(super) async fn check(link: &Link, destination: SocketAddr) -> Ended {
    match link.connect(destination).await {
        Ok(_) => Ended::passed(),
        Err(ended) => ended,
    }
}

/// The system's number of an error; `UnknownErrno` (0) when it has none.
pub(super) fn errno(error: &io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(0))
}

/// A failure, with the system's words for people.
pub(super) fn failed(failure: Failure, error: &io::Error) -> Ended {
    let detail = match errno(error) {
        Errno::UnknownErrno => error.to_string(),
        errno => errno.desc().to_owned(),
    };
    Ended::Attempt(Attempt::Failed(failure), Some(detail))
}
