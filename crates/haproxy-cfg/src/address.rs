//! Addresses (configuration manual, section 11, and the `bind`, `server` and `log` keywords).

use crate::model::{Address, LogTarget, PortOffset};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

/// Looks a host name up; no addresses when it is unknown.
pub type Resolver<'a> = &'a dyn Fn(&str) -> Vec<IpAddr>;

/// Room for a path in a unix socket address, less what HAProxy appends while it rebinds one.
const MAX_PATH: usize = 97;
/// Room for an abstract name.
const MAX_ABSTRACT: usize = 107;
/// How far a relative port may lie from the client's.
const MAX_PORT: u32 = 65_535;

/// Why a text is no address, in HAProxy's words where it has any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError {
    /// One line without a full stop.
    pub message: String,
}

fn refuse<T>(message: impl Into<String>) -> Result<T, AddressError> {
    Err(AddressError { message: message.into() })
}

/// The addresses of a `bind` line: separated by commas, port ranges spread out.
///
/// # Errors
/// When one of them is none.
pub fn parse_bind(text: &str, resolver: Resolver<'_>) -> Result<Vec<Address>, AddressError> {
    let mut found = Vec::new();
    for part in text.strip_suffix(',').unwrap_or(text).split(',') {
        let parts = Parts::new(part)?;
        parts.stream_only()?;
        match parts.own_kind(part, true)? {
            Some(address) => found.push(address),
            None => {
                let (host, port) = parts.host_and_port();
                let (first, last) = match port {
                    None | Some("") => return refuse(format!("missing port specification in '{part}'")),
                    Some(port) if port.starts_with(['+', '-']) => {
                        return refuse(format!("port offset not permitted here in '{part}'"));
                    }
                    Some(port) => port_range(port, part)?,
                };
                let ip = parts.resolve(host, part, resolver)?;
                found.extend((first..=last).map(|port| Address::Ip(SocketAddr::new(ip, port))));
            }
        }
    }
    Ok(found)
}

/// The address of a `server` line; its port may be missing or relative to the client's.
///
/// # Errors
/// When it is none. A host name that the resolver does not know is `could not resolve address 'NAME'.`
pub fn parse_server(text: &str, resolver: Resolver<'_>) -> Result<Address, AddressError> {
    let parts = Parts::new(text)?;
    parts.stream_only()?;
    match parts.own_kind(text, false)? {
        Some(Address::Fd(_)) => {
            return refuse(format!("a file descriptor is not acceptable here in '{text}'"));
        }
        Some(address) => return Ok(address),
        None => {}
    }
    let (host, port) = parts.host_and_port();
    let relative = |offset| move |ip| Address::IpRelative(ip, PortOffset::Relative(offset));
    let Ok(ip) = parts.resolve(host, text, resolver) else {
        return refuse(format!("could not resolve address '{host}'."));
    };
    match port {
        None | Some("") => Ok(relative(0)(ip)),
        Some(port) if port.starts_with(['+', '-']) => match port.parse::<i32>() {
            Ok(offset) if offset.unsigned_abs() <= MAX_PORT => Ok(relative(offset)(ip)),
            _ => refuse(format!("invalid port '{port}'")),
        },
        Some(port) => match one_port(port, text)? {
            0 => Ok(relative(0)(ip)),
            port => Ok(Address::Ip(SocketAddr::new(ip, port))),
        },
    }
}

/// The target of a `log` line; UDP port 514 unless said.
///
/// # Errors
/// When it is none, or a ring, a log backend or a stream, which are not served.
pub fn parse_log(text: &str, resolver: Resolver<'_>) -> Result<LogTarget, AddressError> {
    match text {
        "stdout" => return Ok(LogTarget::Fd(1)),
        "stderr" => return Ok(LogTarget::Fd(2)),
        _ if text.starts_with("ring@") || text.starts_with("backend@") => {
            return refuse(format!("rings and log backends are known, but not served yet in '{text}'"));
        }
        _ => {}
    }
    let parts = Parts::new(text)?;
    if parts.transport == Some(Transport::Stream) {
        return refuse(format!("logging over a stream is known, but not served yet in '{text}'"));
    }
    match parts.own_kind(text, false)? {
        Some(Address::Fd(fd)) => return Ok(LogTarget::Fd(fd)),
        Some(address) => return Ok(LogTarget::Datagram(address)),
        None => {}
    }
    let (host, port) = parts.host_and_port();
    let port = match port {
        None | Some("") => 514,
        Some(port) => match single_port(port, text)? {
            0 => 514,
            port => port,
        },
    };
    let ip = parts.resolve(host, text, resolver)?;
    Ok(LogTarget::Datagram(Address::Ip(SocketAddr::new(ip, port))))
}

/// An address with a port or without: `addr` of a server, `source`, `http-check connect addr`.
///
/// # Errors
/// When it is none.
pub fn parse_ip_port(text: &str, resolver: Resolver<'_>) -> Result<(IpAddr, Option<u16>), AddressError> {
    let parts = Parts::new(text)?;
    if !matches!(parts.kind, Kind::Inet(_)) {
        return refuse(format!("invalid address: '{text}' in '{text}'"));
    }
    let (host, port) = parts.host_and_port();
    let port = port.filter(|port| !port.is_empty()).map(|port| single_port(port, text)).transpose()?;
    Ok((parts.resolve(host, text, resolver)?, port))
}

/// An address without a port.
///
/// # Errors
/// When it is none, or has a port.
pub fn parse_ip(text: &str, resolver: Resolver<'_>) -> Result<IpAddr, AddressError> {
    match parse_ip_port(text, resolver)? {
        (ip, None) => Ok(ip),
        (_, Some(_)) => refuse(format!("port not permitted here in '{text}'")),
    }
}

/// The machine's own resolver.
#[expect(
    clippy::disallowed_methods,
    reason = "names are looked up when a configuration is read, as the manual says"
)]
pub fn resolve(host: &str) -> Vec<IpAddr> {
    use std::net::ToSocketAddrs;
    (host, 0).to_socket_addrs().map(|found| found.map(|address| address.ip()).collect()).unwrap_or_default()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Any,
    V4,
    V6,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Inet(Family),
    Unix,
    /// Whether it is `abnsz@`.
    Abstract(bool),
    Fd,
    SockPair,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Transport {
    Stream,
    Datagram,
}

/// What stands before the `@`, and what it means for sockets.
const PREFIXES: &[(&str, Kind, Option<Transport>)] = &[
    ("unix@", Kind::Unix, None),
    ("uxst@", Kind::Unix, Some(Transport::Stream)),
    ("uxdg@", Kind::Unix, Some(Transport::Datagram)),
    ("abns@", Kind::Abstract(false), None),
    ("abnsz@", Kind::Abstract(true), None),
    ("ip@", Kind::Inet(Family::Any), None),
    ("ipv4@", Kind::Inet(Family::V4), None),
    ("ipv6@", Kind::Inet(Family::V6), None),
    ("tcp@", Kind::Inet(Family::Any), Some(Transport::Stream)),
    ("tcp4@", Kind::Inet(Family::V4), Some(Transport::Stream)),
    ("tcp6@", Kind::Inet(Family::V6), Some(Transport::Stream)),
    ("udp@", Kind::Inet(Family::Any), Some(Transport::Datagram)),
    ("udp4@", Kind::Inet(Family::V4), Some(Transport::Datagram)),
    ("udp6@", Kind::Inet(Family::V6), Some(Transport::Datagram)),
    ("fd@", Kind::Fd, None),
    ("sockpair@", Kind::SockPair, None),
];

/// Prefixes of the manual that are not served, with the name of what they are.
const UNSERVED: &[(&str, &str)] = &[
    ("quic@", "QUIC"),
    ("quic4@", "QUIC"),
    ("quic6@", "QUIC"),
    ("mptcp@", "MPTCP"),
    ("mptcp4@", "MPTCP"),
    ("mptcp6@", "MPTCP"),
    ("rhttp@", "reverse HTTP"),
];

/// An address cut at its prefix.
struct Parts<'a> {
    kind: Kind,
    transport: Option<Transport>,
    /// What follows the prefix.
    rest: &'a str,
    whole: &'a str,
}

impl<'a> Parts<'a> {
    fn new(whole: &'a str) -> Result<Self, AddressError> {
        if whole.is_empty() {
            return refuse("'' resolves to an empty address (environment variable missing?)");
        }
        let (forced, rest) = match (whole.strip_prefix("stream+"), whole.strip_prefix("dgram+")) {
            (Some(rest), _) => (Some(Transport::Stream), rest),
            (_, Some(rest)) => (Some(Transport::Datagram), rest),
            _ => (None, whole),
        };
        if let Some((_, name)) = UNSERVED.iter().find(|(prefix, _)| rest.starts_with(prefix)) {
            return refuse(format!("{name} addresses are known, but not served yet in '{whole}'"));
        }
        let prefixed = PREFIXES.iter().find_map(|&(prefix, kind, transport)| {
            rest.strip_prefix(prefix).map(|rest| Self { kind, transport: transport.or(forced), rest, whole })
        });
        let bare = if rest.starts_with('/') { Kind::Unix } else { Kind::Inet(Family::Any) };
        Ok(prefixed.unwrap_or(Self { kind: bare, transport: forced, rest, whole }))
    }

    fn stream_only(&self) -> Result<(), AddressError> {
        match self.transport {
            Some(Transport::Datagram) => {
                refuse(format!("dgram-type address not acceptable in '{}'", self.whole))
            }
            _ => Ok(()),
        }
    }

    /// The address when it is not an IP address.
    fn own_kind(&self, text: &str, listening: bool) -> Result<Option<Address>, AddressError> {
        let limit = |max: usize| match self.rest.len() {
            length if length > max => refuse(format!("socket path '{text}' too long (max {max})")),
            _ => Ok(()),
        };
        Ok(match self.kind {
            Kind::Inet(_) => None,
            Kind::Unix => {
                limit(if listening { MAX_PATH } else { MAX_ABSTRACT })?;
                Some(Address::Unix(PathBuf::from(self.rest)))
            }
            Kind::Abstract(z) => {
                limit(MAX_ABSTRACT)?;
                Some(Address::Abstract(self.rest.as_bytes().to_vec(), z))
            }
            Kind::Fd => Some(Address::Fd(self.descriptor()?)),
            Kind::SockPair => Some(Address::SockPair(self.descriptor()?)),
        })
    }

    fn descriptor(&self) -> Result<i32, AddressError> {
        match self.rest.parse::<i32>() {
            Ok(fd) if fd >= 0 && !self.rest.starts_with('+') => Ok(fd),
            _ => {
                refuse(format!("file descriptor '{}' is not a valid integer in '{}'", self.rest, self.whole))
            }
        }
    }

    /// The host without its brackets, and what follows the last colon outside of them.
    fn host_and_port(&self) -> (&'a str, Option<&'a str>) {
        let (host, port) = match self.rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (self.rest, None),
        };
        match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some("*" | "") | None => (host, port),
            Some(inner) => (inner, port),
        }
    }

    fn resolve(&self, host: &str, text: &str, resolver: Resolver<'_>) -> Result<IpAddr, AddressError> {
        let Kind::Inet(family) = self.kind else {
            return refuse(format!("invalid address: '{host}' in '{text}'"));
        };
        let fits = |ip: &IpAddr| match family {
            Family::Any => true,
            Family::V4 => ip.is_ipv4(),
            Family::V6 => ip.is_ipv6(),
        };
        let found = match host {
            "" | "*" if family == Family::V6 => Some(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
            "" | "*" => Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            _ => match host.parse::<IpAddr>() {
                Ok(ip) => Some(ip).filter(fits),
                // A name has no colon, and no zone is known here.
                Err(_) if host.contains([':', '%', '[', ']', '@', '/', '+', ',']) => None,
                Err(_) => resolver(host).into_iter().find(fits),
            },
        };
        found.map_or_else(|| refuse(format!("invalid address: '{host}' in '{text}'")), Ok)
    }
}

/// The port at which a `log` line's or a check's address ends.
fn single_port(port: &str, text: &str) -> Result<u16, AddressError> {
    if port.starts_with(['+', '-']) {
        return refuse(format!("port offset not permitted here in '{text}'"));
    }
    one_port(port, text)
}

fn one_port(port: &str, text: &str) -> Result<u16, AddressError> {
    if port.contains('-') && port.starts_with(|c: char| c.is_ascii_digit()) {
        return refuse(format!("port range not permitted here in '{text}'"));
    }
    number(port, text)
}

/// `80` or `80-89`, neither end zero.
fn port_range(port: &str, text: &str) -> Result<(u16, u16), AddressError> {
    let nonzero = |port: &str| match number(port, text)? {
        0 => refuse(format!("invalid port '{port}'")),
        port => Ok(port),
    };
    let Some((first, last)) = port.split_once('-') else { return nonzero(port).map(|port| (port, port)) };
    let (first, last) = (nonzero(first)?, nonzero(last)?);
    if first > last {
        return refuse(format!("invalid port range '{port}'"));
    }
    Ok((first, last))
}

/// A port number, without sign or anything after it. HAProxy stops at the first letter after a digit and goes on as if
/// nothing were there; here that is refused.
fn number(port: &str, text: &str) -> Result<u16, AddressError> {
    if let Some(found) = port.chars().find(|c| !c.is_ascii_digit()) {
        return refuse(format!("invalid character '{found}' in port number '{port}' in '{text}'"));
    }
    port.parse::<u16>().or_else(|_| refuse(format!("invalid port '{port}'")))
}

#[cfg(test)]
mod tests;
