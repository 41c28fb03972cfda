//! The log lines that the proxy sends, as a syslog daemon would receive them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Datagrams received on a port of its own.
pub(super) struct Journal {
    pub(super) address: SocketAddr,
    received: Arc<(Mutex<Vec<String>>, Condvar)>,
}

impl Journal {
    /// Starts receiving; the thread that does so ends with the process.
    pub(super) fn start() -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = socket.local_addr()?;
        let received = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let lines = Arc::clone(&received);
        thread::Builder::new().name("journal".to_owned()).spawn(move || {
            let mut datagram = vec![0; 65_536];
            while let Ok(length) = socket.recv(&mut datagram) {
                let text =
                    String::from_utf8_lossy(datagram.get(..length).unwrap_or_default()).trim_end().to_owned();
                lines.0.lock().unwrap_or_else(PoisonError::into_inner).push(text);
                lines.1.notify_all();
            }
        })?;
        Ok(Self { address, received })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.received.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many lines there are so far.
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// The first line from `from` on in which `wanted` stands, waiting for it as long as `patience`.
    pub(super) fn wait(&self, from: usize, wanted: &str, patience: Duration) -> Option<String> {
        self.wait_many(from, wanted, 1, patience).into_iter().next()
    }

    /// The first `count` lines from `from` on in which `wanted` stands; fewer when `patience` is over.
    pub(super) fn wait_many(
        &self,
        from: usize,
        wanted: &str,
        count: usize,
        patience: Duration,
    ) -> Vec<String> {
        let deadline = Instant::now() + patience;
        let mut lines = self.lock();
        loop {
            let found: Vec<String> =
                lines.iter().skip(from).filter(|line| line.contains(wanted)).take(count).cloned().collect();
            let left = deadline.saturating_duration_since(Instant::now());
            if found.len() >= count || left.is_zero() {
                return found;
            }
            lines = self.received.1.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
