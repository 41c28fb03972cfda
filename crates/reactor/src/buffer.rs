//! Byte buffers from a pool of this thread.

use std::cell::RefCell;
use std::fmt;

/// Bytes that idle buffers of one size may hold per thread: 256 of 16 KiB.
const POOLED_BYTES: usize = 4 << 20;
/// Sizes the pool remembers; buffers of further sizes are freed when dropped.
const POOLED_SIZES: usize = 8;

struct Shelf {
    size: usize,
    idle: Vec<Box<[u8]>>,
    /// The fewest that were idle since the last [`sweep`]: that many were not needed.
    fewest: usize,
}

thread_local! {
    static POOL: RefCell<Vec<Shelf>> = const { RefCell::new(Vec::new()) };
}

/// A buffer of fixed size with a filled range in it: bytes are added at the end and consumed from the start.
///
/// It comes from this thread's pool and returns there, the one used last first, while its memory is still in the
/// processor's cache. Memory is zeroed when it is first allocated, not again: spare room may hold the bytes of
/// an earlier user, which [`advance`](Self::advance) must not reveal.
pub struct Buffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer")
            .field("size", &self.bytes.len())
            .field("start", &self.start)
            .field("end", &self.end)
            .finish()
    }
}

#[expect(clippy::indexing_slicing, reason = "start <= end <= bytes.len() always; ranges are made of these")]
impl Buffer {
    /// An empty buffer of `size` bytes.
    pub fn take(size: usize) -> Self {
        let idle = POOL.try_with(|pool| {
            let mut shelves = pool.borrow_mut();
            let shelf = shelves.iter_mut().find(|shelf| shelf.size == size)?;
            let bytes = shelf.idle.pop();
            shelf.fewest = shelf.fewest.min(shelf.idle.len());
            bytes
        });
        let bytes = idle.ok().flatten().unwrap_or_else(|| vec![0; size].into_boxed_slice());
        Self { bytes, start: 0, end: 0 }
    }

    /// The filled bytes.
    #[inline]
    pub fn data(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// The filled bytes, to be changed in place.
    #[inline]
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.end]
    }

    /// The room after the filled bytes. Its content is undefined but initialised.
    #[inline]
    pub fn spare_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.end..]
    }

    /// Counts `n` bytes, written into [`spare_mut`](Self::spare_mut), as filled (no more than there is room for).
    #[inline]
    pub fn advance(&mut self, n: usize) {
        debug_assert!(n <= self.spare());
        self.end += n.min(self.spare());
    }

    /// Drops the first `n` filled bytes (no more than there are). Once empty, all room is spare again.
    #[inline]
    pub fn consume(&mut self, n: usize) {
        debug_assert!(n <= self.len());
        self.start += n.min(self.len());
        if self.start == self.end {
            self.clear();
        }
    }

    /// Drops the filled bytes from the `len`th on.
    #[inline]
    pub fn truncate(&mut self, len: usize) {
        self.end = self.start + len.min(self.len());
    }

    /// Drops all filled bytes.
    #[inline]
    pub fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    /// Moves the filled bytes to the front, so that all the room left is after them.
    pub fn compact(&mut self) {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
    }

    /// Puts `bytes` before the filled ones when what was consumed there left the room; whether it did.
    pub fn prepend(&mut self, bytes: &[u8]) -> bool {
        let Some(start) = self.start.checked_sub(bytes.len()) else { return false };
        self.bytes[start..self.start].copy_from_slice(bytes);
        self.start = start;
        true
    }

    /// Appends as much of `bytes` as there is room for; returns how much that was.
    pub fn push(&mut self, bytes: &[u8]) -> usize {
        let n = bytes.len().min(self.spare());
        self.bytes[self.end..self.end + n].copy_from_slice(&bytes[..n]);
        self.end += n;
        n
    }

    /// How many bytes are filled.
    #[inline]
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether none are.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// How much room is after the filled bytes.
    #[inline]
    pub fn spare(&self) -> usize {
        self.bytes.len() - self.end
    }

    /// The size it was taken with.
    #[inline]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        let size = bytes.len();
        // At the end of a thread the pool may be gone; then the memory is just freed.
        let _ = POOL.try_with(|pool| {
            let mut shelves = pool.borrow_mut();
            if let Some(shelf) = shelves.iter_mut().find(|shelf| shelf.size == size) {
                if (shelf.idle.len() + 1) * size <= POOLED_BYTES {
                    shelf.idle.push(bytes);
                }
            } else if shelves.len() < POOLED_SIZES && (1..=POOLED_BYTES).contains(&size) {
                shelves.push(Shelf { size, idle: vec![bytes], fewest: 0 });
            }
        });
    }
}

/// Bytes held by this thread's idle buffers.
pub fn pooled() -> usize {
    POOL.try_with(|pool| pool.borrow().iter().map(|shelf| shelf.size * shelf.idle.len()).sum()).unwrap_or(0)
}

/// Frees this thread's idle buffers.
pub fn trim() {
    let _ = POOL.try_with(|pool| pool.borrow_mut().clear());
}

/// Frees half of this thread's idle buffers that were not needed since the last call; how many bytes that was.
pub fn sweep() -> usize {
    let swept = POOL.try_with(|pool| {
        let mut freed = 0;
        for shelf in pool.borrow_mut().iter_mut() {
            let unneeded = shelf.fewest.min(shelf.idle.len()).div_ceil(2);
            // Those used last are at the end.
            shelf.idle.drain(..unneeded);
            shelf.fewest = shelf.idle.len();
            freed += unneeded * shelf.size;
        }
        freed
    });
    swept.unwrap_or(0)
}

/// Returns to the system what the allocator holds in reserve for all threads. For the calm after a crowd: it takes
/// milliseconds, during which nobody allocates.
pub fn give_back() {
    crate::syscall::trim_heap();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_go_in_at_the_end_and_out_at_the_start() {
        let mut buffer = Buffer::take(8);
        assert_eq!(buffer.push(b"abcdef"), 6);
        buffer.consume(2);
        assert_eq!((buffer.data(), buffer.spare()), (&b"cdef"[..], 2));
        assert_eq!(buffer.push(b"ghi"), 2);
        buffer.compact();
        assert_eq!((buffer.data(), buffer.spare()), (&b"cdefgh"[..], 2));
        buffer.spare_mut()[0] = b'i';
        buffer.advance(1);
        buffer.truncate(7);
        assert_eq!(buffer.data(), b"cdefghi");
        buffer.data_mut()[0] = b'C';
        buffer.consume(7);
        assert_eq!((buffer.len(), buffer.spare(), buffer.is_empty()), (0, 8, true));
    }

    #[test]
    fn what_was_consumed_leaves_room_before_the_rest() {
        let mut buffer = Buffer::take(8);
        buffer.push(b"abcdef");
        buffer.consume(3);
        assert!(!buffer.prepend(b"wxyz"));
        assert_eq!(buffer.data(), b"def");
        assert!(buffer.prepend(b"xy"));
        assert!(buffer.prepend(b""));
        assert_eq!((buffer.data(), buffer.spare()), (&b"xydef"[..], 2));
        buffer.consume(5);
        assert!(!buffer.prepend(b"x"));
    }

    #[test]
    fn the_buffer_dropped_last_is_taken_first() {
        trim();
        let (one, other) = (Buffer::take(64), Buffer::take(64));
        let (first, second) = (one.bytes.as_ptr(), other.bytes.as_ptr());
        drop(one);
        drop(other);
        assert_eq!(pooled(), 128);
        assert_eq!(Buffer::take(64).bytes.as_ptr(), second);
        let (again, another) = (Buffer::take(64), Buffer::take(64));
        assert_eq!((again.bytes.as_ptr(), another.bytes.as_ptr()), (second, first));
        assert_eq!(pooled(), 0);
    }

    #[test]
    fn what_is_not_needed_is_swept_by_halves() {
        trim();
        let many: Vec<Buffer> = (0..8).map(|_| Buffer::take(64)).collect();
        drop(many);
        // Not known to be unneeded yet.
        assert_eq!((sweep(), pooled()), (0, 512));
        let two = [Buffer::take(64), Buffer::take(64)];
        drop(two);
        assert_eq!((sweep(), pooled()), (192, 320));
        assert_eq!((sweep(), sweep(), sweep(), sweep()), (192, 64, 64, 0));
    }

    #[test]
    fn the_pool_is_bounded() {
        trim();
        let many: Vec<Buffer> = (0..POOLED_BYTES / 8_192).map(|_| Buffer::take(16_384)).collect();
        drop(many);
        assert_eq!(pooled(), POOLED_BYTES);
        for size in 1..100 {
            drop(Buffer::take(size));
        }
        assert!(POOL.with_borrow(Vec::len) <= POOLED_SIZES);
        trim();
        assert_eq!(pooled(), 0);
    }
}
