//! Telling the service manager how things stand (`sd_notify(3)`).

use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The socket named by `$NOTIFY_SOCKET`, if there is one.
#[derive(Debug)]
pub(crate) struct Notify(Option<SocketAddr>);

impl Notify {
    /// Reads `$NOTIFY_SOCKET`: a path, or `@` and a name in the abstract namespace.
    pub(crate) fn from_environment() -> Self {
        let name = std::env::var_os("NOTIFY_SOCKET").map(OsStringExt::into_vec).unwrap_or_default();
        Self(Self::address(&name))
    }

    fn address(name: &[u8]) -> Option<SocketAddr> {
        match name.split_first()? {
            (b'@', name) => SocketAddr::from_abstract_name(name).ok(),
            (b'/', _) => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(name)).ok(),
            _ => None,
        }
    }

    /// The process serves.
    pub(crate) fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nMAINPID={}\nSTATUS={status}\n", std::process::id()));
    }

    /// A reload begins; [`ready`](Self::ready) ends it.
    pub(crate) fn reloading(&self) {
        let micros = reactor::now().as_nanos() / 1_000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={micros}\nSTATUS=Reloading Configuration.\n"));
    }

    /// The process is going to end.
    pub(crate) fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=Stopping.\n");
    }

    fn send(&self, text: &str) {
        if let Some(address) = &self.0
            && let Ok(socket) = UnixDatagram::unbound()
        {
            // A service manager that cannot be reached is told again with the next change.
            let _ = socket.set_nonblocking(true);
            let _ = socket.send_to_addr(text.as_bytes(), address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_abstract_names_are_addresses() {
        assert!(Notify::address(b"/run/x").unwrap().as_pathname().is_some());
        assert_eq!(Notify::address(b"@name").unwrap().as_abstract_name(), Some(&b"name"[..]));
        assert!(Notify::address(b"relative").is_none());
        assert!(Notify::address(b"").is_none());
    }
}
