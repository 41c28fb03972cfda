//! A syslog receiver on UDP.

use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Ends the receiving thread.
const END: &[u8] = b"\0end";

/// Every datagram that came to a loopback port, in order.
#[derive(Debug)]
pub struct Sink {
    address: SocketAddr,
    lines: Arc<(Mutex<Vec<String>>, Condvar)>,
}

impl Sink {
    /// Starts to receive.
    pub fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a UDP port on loopback");
        let address = socket.local_addr().expect("its address");
        let _ = nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::RcvBuf, &(4 << 20));
        let lines = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let ours = Arc::clone(&lines);
        thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            while let Ok(len) = socket.recv(&mut buffer) {
                if &buffer[..len] == END {
                    return;
                }
                let (lock, changed) = &*ours;
                lock.lock().unwrap().push(String::from_utf8_lossy(&buffer[..len]).into_owned());
                changed.notify_all();
            }
        });
        Self { address, lines }
    }

    /// Where to send.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for a line from place `from` on for which `condition` holds, and gives its place.
    pub fn wait(&self, from: usize, limit: Duration, condition: impl Fn(&str) -> bool) -> Option<usize> {
        let deadline = Instant::now() + limit;
        let (lock, changed) = &*self.lines;
        let mut lines = lock.lock().unwrap();
        loop {
            if let Some(at) = lines.iter().skip(from).position(|l| condition(l)) {
                return Some(from + at);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            lines = changed.wait_timeout(lines, left).unwrap().0;
        }
    }

    /// How many lines came so far.
    pub fn len(&self) -> usize {
        self.lines.0.lock().unwrap().len()
    }

    /// Whether none came.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The lines from place `from` up to `to`.
    pub fn lines(&self, from: usize, to: usize) -> Vec<String> {
        let lines = self.lines.0.lock().unwrap();
        lines[from.min(lines.len())..to.min(lines.len())].to_vec()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = UdpSocket::bind("127.0.0.1:0").and_then(|s| s.send_to(END, self.address));
    }
}
