//! Named network namespaces, as `ip netns` keeps them.
#![allow(unsafe_code)]

use crate::socket::check;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;

/// Where the names are.
const DIRECTORY: &str = "/run/netns";

/// A network namespace that is held open.
#[derive(Debug)]
pub struct Namespace {
    file: File,
}

impl Namespace {
    /// That of a name (`ip netns add NAME`).
    ///
    /// # Errors
    /// When there is none, or the name is not one.
    pub fn named(name: &str) -> io::Result<Self> {
        if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("'{name}' cannot name a namespace"),
            ));
        }
        Ok(Self { file: File::open(Path::new(DIRECTORY).join(name))? })
    }

    /// The one that this thread is in.
    ///
    /// # Errors
    /// Those of opening a file under `/proc`.
    pub fn current() -> io::Result<Self> {
        Ok(Self { file: File::open("/proc/thread-self/ns/net")? })
    }

    /// Moves this thread into it. Sockets belong to the namespace they are opened in; threads and processes started from here
    /// on are in it, too. To be called before there is a second thread, if the whole program is to move.
    ///
    /// Unlike `ip netns exec` it changes no mounts: `/sys` still shows the old namespace, `/proc/sys/net` and `/proc/net`
    /// the new one.
    ///
    /// # Errors
    /// `PermissionDenied` without CAP_SYS_ADMIN; `InvalidInput` when it is no network namespace.
    pub fn enter(&self) -> io::Result<()> {
        // SAFETY: no pointers; the descriptor is open.
        check(unsafe { libc::setns(self.file.as_raw_fd(), libc::CLONE_NEWNET) })?;
        Ok(())
    }

    /// Enters it, calls `f` and returns to where the thread was.
    ///
    /// # Errors
    /// Of entering and of returning; in the latter case the thread is in the wrong namespace.
    pub fn within<T>(&self, f: impl FnOnce() -> T) -> io::Result<T> {
        let before = Self::current()?;
        self.enter()?;
        let result = f();
        before.enter()?;
        Ok(result)
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
