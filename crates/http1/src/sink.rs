use std::mem::MaybeUninit;

/// Where a head is written to.
pub trait Sink {
    /// Appends `bytes`.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// A sink over memory that need not be initialised. What does not fit is counted but not written: compare
/// [`SliceSink::needed`] with the slice's length, or ask [`SliceSink::written`].
pub struct SliceSink<'a> {
    out: &'a mut [MaybeUninit<u8>],
    needed: usize,
}

impl<'a> SliceSink<'a> {
    /// Starts at the first byte of `out`.
    pub fn new(out: &'a mut [MaybeUninit<u8>]) -> Self {
        Self { out, needed: 0 }
    }

    /// Bytes put so far, whether they fitted or not.
    #[must_use]
    pub fn needed(&self) -> usize {
        self.needed
    }

    /// How many bytes from the start of the slice are initialised and hold the output, or `None` when it did not fit.
    #[must_use]
    pub fn written(&self) -> Option<usize> {
        (self.needed <= self.out.len()).then_some(self.needed)
    }
}

impl Sink for SliceSink<'_> {
    fn put(&mut self, bytes: &[u8]) {
        let end = self.needed.saturating_add(bytes.len());
        if let Some(to) = self.out.get_mut(self.needed..end) {
            for (to, byte) in to.iter_mut().zip(bytes) {
                to.write(*byte);
            }
        }
        self.needed = end;
    }
}
