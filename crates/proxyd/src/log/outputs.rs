//! What the workers' sinks share.

use super::writer::Writer;
use haproxy_cfg::model::{Logger, Place};
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts, sampling positions and descriptors of all `log` lines of the process.
#[derive(Default)]
pub struct Outputs {
    sent: AtomicU64,
    dropped: AtomicU64,
    batches: AtomicU64,
    shared: Mutex<Shared>,
}

#[derive(Default)]
struct Shared {
    samplers: Vec<(Place, String, Arc<Sampler>)>,
    writers: Vec<(i32, Arc<Writer>)>,
}

impl Outputs {
    /// Lines that the kernel took.
    pub fn sent(&self) -> u64 {
        self.sent.load(Relaxed)
    }

    /// Lines that were lost: nobody listened, or too slowly.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// Batches in which lines went to sockets, each about one system call.
    pub fn batches(&self) -> u64 {
        self.batches.load(Relaxed)
    }

    pub(super) fn count(&self, sent: usize, dropped: usize) {
        if sent > 0 {
            self.sent.fetch_add(sent as u64, Relaxed);
        }
        if dropped > 0 {
            self.dropped.fetch_add(dropped as u64, Relaxed);
        }
    }

    pub(super) fn count_batch(&self) {
        self.batches.fetch_add(1, Relaxed);
    }

    /// The sampling position of a `log` line with `sample`: one for all workers, so that they take turns together.
    pub(super) fn sampler(&self, logger: &Logger, tag: &str) -> Option<Arc<Sampler>> {
        let (ranges, size) = logger.sample.as_ref()?;
        let samplers = &mut self.shared.lock().unwrap_or_else(PoisonError::into_inner).samplers;
        let known = samplers.iter().find(|(place, of, _)| *place == logger.place && of == tag);
        if let Some((_, _, sampler)) = known {
            return Some(Arc::clone(sampler));
        }
        let sampler = Arc::new(Sampler::new(ranges, *size));
        samplers.push((logger.place.clone(), tag.to_owned(), Arc::clone(&sampler)));
        Some(sampler)
    }

    /// The thread that writes to descriptor `number`, shared by all workers.
    pub(super) fn writer(self: &Arc<Self>, number: i32) -> io::Result<Arc<Writer>> {
        let writers = &mut self.shared.lock().unwrap_or_else(PoisonError::into_inner).writers;
        if let Some((_, writer)) = writers.iter().find(|(of, _)| *of == number) {
            return Ok(Arc::clone(writer));
        }
        let writer = Writer::start(number, Arc::downgrade(self))?;
        writers.push((number, Arc::clone(&writer)));
        Ok(writer)
    }

    /// Waits until what workers gave to descriptors is written, but not longer than `patience` for each of them: a
    /// reader that stands still must not keep the process from ending.
    pub fn drain(&self, patience: std::time::Duration) {
        let writers = self.shared.lock().unwrap_or_else(PoisonError::into_inner).writers.clone();
        for (_, writer) in writers {
            writer.drain(patience);
        }
    }
}

impl fmt::Debug for Outputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outputs").field("sent", &self.sent()).field("dropped", &self.dropped()).finish()
    }
}

/// Chooses which lines a `log … sample RANGES:SIZE` takes: of every `SIZE` lines those in the ranges, counted from 1.
pub(super) struct Sampler {
    ranges: Vec<(u32, u32)>,
    size: u64,
    seen: AtomicU64,
}

impl Sampler {
    pub(super) fn new(ranges: &[(u32, u32)], size: u32) -> Self {
        Self { ranges: ranges.to_vec(), size: u64::from(size.max(1)), seen: AtomicU64::new(0) }
    }

    /// Counts one line; whether it is taken.
    pub(super) fn take(&self) -> bool {
        let index = self.seen.fetch_add(1, Relaxed) % self.size + 1;
        self.ranges.iter().any(|&(low, high)| (u64::from(low)..=u64::from(high)).contains(&index))
    }
}
