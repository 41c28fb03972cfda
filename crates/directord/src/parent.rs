//! What the role tells its parent, over the end of a stream socketpair.
//!
//! The frames are those of the VRRP process: four bytes of length (little endian, of what follows), the version, the kind.
//! The kernel keeps the table when this process dies, so there is nothing to stand in for.

use reactor::Stream;
use std::io;

/// It has read its configuration and runs; said again after each reload, whatever came of it.
pub const READY: [u8; 6] = [2, 0, 0, 0, 1, 1];
/// It is about to end, having cleaned up.
pub const ENDING: [u8; 6] = [2, 0, 0, 0, 1, 4];

/// The parent, if there is one.
#[derive(Debug, Default)]
pub struct Parent {
    stream: Option<Stream>,
    waiting: Vec<u8>,
}

impl Parent {
    /// At the other end of a stream.
    pub fn new(stream: Option<Stream>) -> Self {
        Self { stream, waiting: Vec::new() }
    }

    /// Says something.
    pub fn tell(&mut self, frame: &[u8]) {
        if self.stream.is_some() {
            self.waiting.extend_from_slice(frame);
            self.flush();
        }
    }

    /// Writes what the parent has not been told yet. A parent that is gone needs no telling: the role goes on alone.
    pub fn flush(&mut self) {
        let Some(stream) = &self.stream else { return };
        while !self.waiting.is_empty() {
            match stream.try_write(&self.waiting) {
                Ok(count) => drop(self.waiting.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.stream = None;
                    return;
                }
            }
        }
    }
}
