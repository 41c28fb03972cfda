//! Pipes that carry bytes from socket to socket without copying them, and a pool of them.

use crate::syscall;
use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Idle pipes kept per thread.
const POOLED: usize = 32;

thread_local! {
    static POOL: RefCell<Vec<Pipe>> = const { RefCell::new(Vec::new()) };
    /// Pipes of this thread, and how many there may be.
    static COUNT: Cell<(usize, usize)> = const { Cell::new((0, usize::MAX)) };
}

/// Bounds the pipes of this thread, each of which takes two descriptors.
pub fn limit_pipes(limit: usize) {
    let _ = COUNT.try_with(|count| count.set((count.get().0, limit)));
}

/// This thread's pipes, and how many of them are idle.
pub fn count_pipes() -> (usize, usize) {
    let all = COUNT.try_with(|count| count.get().0).unwrap_or(0);
    let idle = POOL.try_with(|pool| pool.borrow().len()).unwrap_or(0);
    (all, idle)
}

/// Closes this thread's idle pipes, for instance because descriptors are wanted elsewhere.
pub fn close_idle_pipes() {
    let idle = POOL.try_with(|pool| std::mem::take(&mut *pool.borrow_mut()));
    drop(idle);
}

/// A pipe's share of [`limit_pipes`].
#[derive(Debug)]
struct Counted;

impl Counted {
    fn new() -> io::Result<Self> {
        let full = || io::Error::from_raw_os_error(libc::EMFILE);
        let (pipes, limit) = COUNT.try_with(Cell::get).map_err(|_| full())?;
        if pipes >= limit {
            return Err(full());
        }
        COUNT.with(|count| count.set((pipes + 1, limit)));
        Ok(Self)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let _ = COUNT.try_with(|count| {
            let (pipes, limit) = count.get();
            count.set((pipes.saturating_sub(1), limit));
        });
    }
}

/// A pipe and the number of bytes in it.
///
/// Fill it with [`Stream::splice_to`](crate::Stream::splice_to) and empty it with
/// [`Stream::splice_from`](crate::Stream::splice_from); given back with [`Pipe::give_back`] it is used again, if empty.
#[derive(Debug)]
pub struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
    len: usize,
    capacity: usize,
    _counted: Counted,
}

impl Pipe {
    /// A pipe from this thread's pool, or a new one of `wanted` bytes (1 MiB suits bulk), or as large as this user may still have
    /// (`/proc/sys/fs/pipe-max-size`, `pipe-user-pages-soft`).
    ///
    /// # Errors
    /// When there are no descriptors left, or as many pipes as there may be: the bytes must then be copied.
    pub fn take(wanted: usize) -> io::Result<Self> {
        if let Some(pipe) = POOL.try_with(|pool| pool.borrow_mut().pop()).ok().flatten() {
            return Ok(pipe);
        }
        let counted = Counted::new()?;
        let (read, write) = syscall::pipe()?;
        let mut wanted = wanted;
        let capacity = loop {
            match syscall::set_pipe_size(write.as_fd(), wanted) {
                Ok(size) => break size,
                Err(_) if wanted > 65_536 => wanted /= 2,
                Err(_) => break syscall::pipe_size(write.as_fd())?,
            }
        };
        Ok(Self { read, write, len: 0, capacity, _counted: counted })
    }

    /// Returns the pipe to this thread's pool; one with bytes left in it, or too many, is closed.
    pub fn give_back(self) {
        if self.len == 0 {
            let _ = POOL.try_with(|pool| {
                let mut pool = pool.borrow_mut();
                if pool.len() < POOLED {
                    pool.push(self);
                }
            });
        }
    }

    /// Bytes in the pipe.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The size the kernel gave, in bytes. Small pieces fill it earlier: each takes a page of it.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    pub(crate) fn fill(&mut self, from: BorrowedFd<'_>, max: usize) -> io::Result<usize> {
        // No more fits; and the kernel refuses lengths beyond half the address space.
        let max = max.min(self.capacity);
        let moved = syscall::splice(from, self.write.as_fd(), max, false)?;
        self.len += moved;
        Ok(moved)
    }

    pub(crate) fn drain(&mut self, to: BorrowedFd<'_>, more: bool) -> io::Result<usize> {
        let moved = syscall::splice(self.read.as_fd(), to, self.len, more)?;
        self.len = self.len.saturating_sub(moved);
        Ok(moved)
    }
}
