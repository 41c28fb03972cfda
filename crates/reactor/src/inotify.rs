//! Changes of files.
#![allow(unsafe_code)]

use crate::source::Watched;
use crate::syscall;
use std::ffi::{CString, OsStr, OsString};
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::task::{Context, Poll};

/// Watches of directories (`inotify`).
pub struct Inotify {
    source: Watched,
    buffer: Vec<u8>,
}

impl fmt::Debug for Inotify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Inotify").field(&self.source.fd()).finish()
    }
}

/// The number of a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Watch(i32);

/// What happened to a name in a watched directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A file was written and closed, or moved here: its content may be new.
    Written(Watch, OsString),
    /// It was removed or moved away.
    Removed(Watch, OsString),
    /// Events were lost: everything may have changed.
    Overflow,
    /// The directory is no longer watched: it was removed, or its file system unmounted.
    Gone(Watch),
}

const WATCHED: u32 = libc::IN_CLOSE_WRITE | libc::IN_MOVED_TO | libc::IN_MOVED_FROM | libc::IN_DELETE;

impl Inotify {
    /// Without a watch.
    ///
    /// # Errors
    /// When there are no descriptors left, or too many instances.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointers.
        let fd = syscall::own(unsafe { libc::inotify_init1(libc::IN_NONBLOCK | libc::IN_CLOEXEC) })?;
        Ok(Self { source: Watched::new(fd, 0), buffer: vec![0; 4096] })
    }

    /// Watches the names in a directory. One that is watched already keeps its number.
    ///
    /// # Errors
    /// When it is not there or may not be read, or the user has too many watches.
    pub fn watch(&self, directory: &Path) -> io::Result<Watch> {
        let path = CString::new(directory.as_os_str().as_bytes())?;
        let fd = self.source.fd().as_raw_fd();
        // SAFETY: `path` ends with a NUL and lives through the call.
        Ok(Watch(syscall::check(unsafe {
            libc::inotify_add_watch(fd, path.as_ptr(), WATCHED | libc::IN_ONLYDIR)
        })?))
    }

    /// Ends a watch.
    ///
    /// # Errors
    /// When there is none of that number.
    pub fn unwatch(&self, watch: Watch) -> io::Result<()> {
        // SAFETY: no pointers.
        syscall::check(unsafe { libc::inotify_rm_watch(self.source.fd().as_raw_fd(), watch.0) })?;
        Ok(())
    }

    /// Appends what happened to `changes`.
    ///
    /// # Errors
    /// `WouldBlock` when nothing did.
    pub fn try_read(&mut self, changes: &mut Vec<Change>) -> io::Result<()> {
        let Self { source, buffer } = self;
        let len = source.read(|fd| syscall::read(fd, buffer))?;
        let mut rest = buffer.get(..len).unwrap_or_default();
        // struct inotify_event: watch, mask, cookie, length of the name, each of four bytes; the name, padded with NULs.
        while let Some((head, tail)) = rest.split_first_chunk::<16>() {
            let [w0, w1, w2, w3, m0, m1, m2, m3, _, _, _, _, l0, l1, l2, l3] = *head;
            let watch = Watch(i32::from_ne_bytes([w0, w1, w2, w3]));
            let mask = u32::from_ne_bytes([m0, m1, m2, m3]);
            let length = u32::from_ne_bytes([l0, l1, l2, l3]) as usize;
            let Some((name, after)) = tail.split_at_checked(length) else { break };
            rest = after;
            let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
            let name = || OsStr::from_bytes(name).to_owned();
            if mask & libc::IN_Q_OVERFLOW != 0 {
                changes.push(Change::Overflow);
            } else if mask & libc::IN_IGNORED != 0 {
                changes.push(Change::Gone(watch));
            } else if mask & (libc::IN_CLOSE_WRITE | libc::IN_MOVED_TO) != 0 {
                changes.push(Change::Written(watch, name()));
            } else if mask & (libc::IN_MOVED_FROM | libc::IN_DELETE) != 0 {
                changes.push(Change::Removed(watch, name()));
            }
        }
        Ok(())
    }

    /// Ready when something may have happened.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.source.poll_readable(cx)
    }

    /// Waits until something may have happened.
    pub async fn readable(&self) {
        poll_fn(|cx| self.poll_readable(cx)).await;
    }
}
