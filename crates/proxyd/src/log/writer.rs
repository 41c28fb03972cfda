//! Lines to a descriptor, which may block: a terminal, a pipe whose reader is slow.

use super::outputs::Outputs;
use std::fs::File;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// Bytes that may wait for the descriptor before lines are lost.
const BACKLOG: usize = 1024 * 1024;
/// How long a descriptor that somebody made non-blocking is left alone when it is full.
const FULL: Duration = Duration::from_millis(5);

/// The lines that wait for one descriptor, and the thread that writes them.
pub(super) struct Writer {
    queue: Mutex<Queue>,
    /// Something was queued, or something was written.
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    lines: Vec<u8>,
    count: usize,
    /// The thread is writing what it took.
    busy: bool,
    /// Nobody will write any more.
    broken: bool,
}

impl Writer {
    /// A writer to descriptor `number`, which must be open and inherited.
    pub(super) fn start(number: i32, outputs: Weak<Outputs>) -> io::Result<Arc<Self>> {
        Self::over(File::from(reactor::process::inherited(number)?), outputs)
    }

    pub(super) fn over(file: File, outputs: Weak<Outputs>) -> io::Result<Arc<Self>> {
        let writer = Arc::new(Self { queue: Mutex::default(), changed: Condvar::new() });
        let own = Arc::clone(&writer);
        std::thread::Builder::new().name("log".to_owned()).spawn(move || own.run(file, &outputs))?;
        Ok(writer)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues `count` whole lines; false when there is no room for them.
    pub(super) fn offer(&self, lines: &[u8], count: usize) -> bool {
        let mut queue = self.queue();
        if queue.broken || queue.lines.len().saturating_add(lines.len()) > BACKLOG {
            return false;
        }
        queue.lines.extend_from_slice(lines);
        queue.count += count;
        drop(queue);
        self.changed.notify_all();
        true
    }

    /// Waits until nothing waits, but not longer than `patience`.
    pub(super) fn drain(&self, patience: Duration) {
        let idle = |queue: &mut Queue| !queue.broken && (queue.busy || queue.count > 0);
        drop(self.changed.wait_timeout_while(self.queue(), patience, idle));
    }

    /// The thread: takes all that waits and writes it, until the outputs are gone.
    fn run(&self, mut file: File, outputs: &Weak<Outputs>) {
        let mut lines = Vec::new();
        loop {
            let mut queue = self.queue();
            queue.busy = false;
            self.changed.notify_all();
            while queue.count == 0 {
                let (next, timeout) = self
                    .changed
                    .wait_timeout(queue, Duration::from_secs(1))
                    .unwrap_or_else(PoisonError::into_inner);
                queue = next;
                if timeout.timed_out() && queue.count == 0 && outputs.strong_count() == 0 {
                    queue.broken = true;
                    return;
                }
            }
            queue.busy = true;
            std::mem::swap(&mut queue.lines, &mut lines);
            let count = std::mem::take(&mut queue.count);
            drop(queue);
            let written = write_all(&mut file, &lines).is_ok();
            lines.clear();
            if let Some(outputs) = outputs.upgrade() {
                if written { outputs.count(count, 0) } else { outputs.count(0, count) }
            }
        }
    }
}

/// Writes everything, with patience for a descriptor that another program made non-blocking.
fn write_all(file: &mut File, mut lines: &[u8]) -> io::Result<()> {
    while !lines.is_empty() {
        match file.write(lines) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => lines = lines.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(FULL),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
