//! Addresses of sockets.
#![allow(unsafe_code)]

use std::io;
use std::mem::{offset_of, size_of};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// The address of one end of a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SockAddr {
    /// An IPv4 or IPv6 address and port.
    Ip(SocketAddr),
    /// A Unix socket bound to a file; at most 107 bytes.
    Path(PathBuf),
    /// A Unix socket in the abstract namespace: the name without its leading NUL, exactly as it shall stand (at most
    /// 107 bytes; padding, if any, is part of the name).
    Abstract(Vec<u8>),
    /// A Unix socket without a name, as clients have.
    Unnamed,
}

impl From<SocketAddr> for SockAddr {
    fn from(addr: SocketAddr) -> Self {
        Self::Ip(addr)
    }
}

impl SockAddr {
    /// The IP address and port, if it is one.
    pub fn ip(&self) -> Option<SocketAddr> {
        match self {
            Self::Ip(addr) => Some(*addr),
            _ => None,
        }
    }

    /// `AF_INET`, `AF_INET6` or `AF_UNIX`.
    pub(crate) fn family(&self) -> libc::c_int {
        match self {
            Self::Ip(SocketAddr::V4(_)) => libc::AF_INET,
            Self::Ip(SocketAddr::V6(_)) => libc::AF_INET6,
            _ => libc::AF_UNIX,
        }
    }
}

const SUN_PATH: usize = size_of::<libc::sockaddr_un>() - offset_of!(libc::sockaddr_un, sun_path);

/// An address as the kernel reads and writes it.
pub(crate) struct RawAddr {
    pub(crate) storage: libc::sockaddr_storage,
    pub(crate) len: libc::socklen_t,
}

impl RawAddr {
    /// All zeros, with room for every kind of address.
    pub(crate) fn empty() -> Self {
        // SAFETY: sockaddr_storage is a C struct of integers; all zeros is a value of it.
        let storage = unsafe { std::mem::zeroed() };
        Self { storage, len: size_of::<libc::sockaddr_storage>() as libc::socklen_t }
    }

    pub(crate) fn of<T: Copy>(value: T) -> Self {
        let mut raw = Self::empty();
        const { assert!(size_of::<T>() <= size_of::<libc::sockaddr_storage>()) }
        const { assert!(align_of::<T>() <= align_of::<libc::sockaddr_storage>()) }
        // SAFETY: `T` is one of the sockaddr structs; it is neither larger nor stricter in alignment than the storage
        // (asserted above), which is made for holding any of them.
        unsafe { (&raw mut raw.storage).cast::<T>().write(value) };
        raw.len = size_of::<T>() as libc::socklen_t;
        raw
    }

    fn view<T: Copy>(&self) -> T {
        const { assert!(size_of::<T>() <= size_of::<libc::sockaddr_storage>()) }
        // SAFETY: `T` is one of the sockaddr structs (integers only, every bit pattern is valid) and not larger than
        // the fully initialised storage; the read is unaligned-tolerant.
        unsafe { (&raw const self.storage).cast::<T>().read_unaligned() }
    }

    pub(crate) fn encode(addr: &SockAddr) -> io::Result<Self> {
        match addr {
            SockAddr::Ip(SocketAddr::V4(v4)) => Ok(Self::of(libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(v4.ip().octets()) },
                sin_zero: [0; 8],
            })),
            SockAddr::Ip(SocketAddr::V6(v6)) => Ok(Self::of(libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: v6.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                sin6_scope_id: v6.scope_id(),
            })),
            SockAddr::Path(path) => {
                let bytes = path.as_os_str().as_bytes();
                if bytes.is_empty() || bytes.contains(&0) {
                    return Err(invalid("a Unix socket path is empty or contains a NUL"));
                }
                // A NUL ends the path and is counted in the length.
                Self::encode_unix(bytes.iter().copied().chain([0]))
            }
            SockAddr::Abstract(name) => Self::encode_unix([0].into_iter().chain(name.iter().copied())),
            SockAddr::Unnamed => Err(invalid("an unnamed Unix socket has no address")),
        }
    }

    fn encode_unix(bytes: impl Iterator<Item = u8>) -> io::Result<Self> {
        let mut sun =
            libc::sockaddr_un { sun_family: libc::AF_UNIX as libc::sa_family_t, sun_path: [0; SUN_PATH] };
        let mut len = 0;
        for byte in bytes {
            let place = sun
                .sun_path
                .get_mut(len)
                .ok_or_else(|| invalid("a Unix socket path has at most 107 bytes"))?;
            *place = byte as libc::c_char;
            len += 1;
        }
        let mut raw = Self::of(sun);
        raw.len = (offset_of!(libc::sockaddr_un, sun_path) + len) as libc::socklen_t;
        Ok(raw)
    }

    pub(crate) fn decode(&self) -> SockAddr {
        match libc::c_int::from(self.storage.ss_family) {
            libc::AF_INET => {
                let sin: libc::sockaddr_in = self.view();
                let ip = Ipv4Addr::from(sin.sin_addr.s_addr.to_ne_bytes());
                SockAddr::Ip(SocketAddr::V4(SocketAddrV4::new(ip, u16::from_be(sin.sin_port))))
            }
            libc::AF_INET6 => {
                let sin6: libc::sockaddr_in6 = self.view();
                let ip = Ipv6Addr::from(sin6.sin6_addr.s6_addr);
                let port = u16::from_be(sin6.sin6_port);
                SockAddr::Ip(SocketAddr::V6(SocketAddrV6::new(
                    ip,
                    port,
                    sin6.sin6_flowinfo,
                    sin6.sin6_scope_id,
                )))
            }
            libc::AF_UNIX => self.decode_unix(),
            _ => SockAddr::Ip(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0)),
        }
    }

    fn decode_unix(&self) -> SockAddr {
        let len = (self.len as usize).saturating_sub(offset_of!(libc::sockaddr_un, sun_path));
        if len == 0 {
            return SockAddr::Unnamed;
        }
        let sun: libc::sockaddr_un = self.view();
        let mut bytes = sun.sun_path.iter().take(len).map(|c| *c as u8);
        match bytes.next() {
            None | Some(0) => SockAddr::Abstract(bytes.collect()),
            Some(first) => {
                let path = std::iter::once(first).chain(bytes.take_while(|byte| *byte != 0)).collect();
                SockAddr::Path(PathBuf::from(std::ffi::OsString::from_vec(path)))
            }
        }
    }
}

pub(crate) fn invalid(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_survives_the_kernels_form() {
        let kinds = [
            SockAddr::Ip("192.0.2.7:8080".parse().unwrap()),
            SockAddr::Ip("[2001:db8::1%3]:443".parse().unwrap()),
            SockAddr::Path("/run/haproxy/admin.sock".into()),
            SockAddr::Path(format!("/{}", "x".repeat(106)).into()),
            SockAddr::Abstract(b"name".to_vec()),
            SockAddr::Abstract(vec![0; 107]),
        ];
        for addr in kinds {
            assert_eq!(RawAddr::encode(&addr).unwrap().decode(), addr);
        }
    }

    #[test]
    fn unencodable_names_are_refused() {
        for path in ["", "a\0b", &"x".repeat(108)] {
            assert!(RawAddr::encode(&SockAddr::Path(path.into())).is_err(), "{path:?}");
        }
        assert!(RawAddr::encode(&SockAddr::Abstract(vec![1; 108])).is_err());
        assert!(RawAddr::encode(&SockAddr::Unnamed).is_err());
    }
}
