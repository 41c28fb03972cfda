//! One end of a TCP connection under the test's control: writes when told, records everything it hears.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How the other side ended what it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With a FIN.
    Fin,
    /// With a RST.
    Reset,
}

/// What was heard so far.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// Every byte.
    pub bytes: Vec<u8>,
    /// How it ended, if it has.
    pub end: Option<End>,
    deaf: bool,
    closed: bool,
}

/// A connection whose incoming bytes are recorded by a thread of its own, so that it never blocks the other side
/// unless it is made deaf.
#[derive(Debug)]
pub struct Peer {
    stream: Mutex<Option<Arc<TcpStream>>>,
    reader: Mutex<Option<JoinHandle<()>>>,
    local: Option<SocketAddr>,
    remote: Option<SocketAddr>,
    shared: Arc<(Mutex<Heard>, Condvar)>,
}

impl Peer {
    /// Connects.
    ///
    /// # Errors
    /// Those of connecting.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        Self::new(TcpStream::connect_timeout(&address, crate::DEADLINE)?, false)
    }

    /// Connects without hearing anything yet: what arrives stays in the kernel until [`Peer::listen`].
    ///
    /// # Errors
    /// Those of connecting.
    pub fn connect_deaf(address: SocketAddr) -> io::Result<Self> {
        Self::new(TcpStream::connect_timeout(&address, crate::DEADLINE)?, true)
    }

    /// Takes over an accepted connection.
    ///
    /// # Errors
    /// Those of setting socket options.
    pub fn accepted(stream: TcpStream, deaf: bool) -> io::Result<Self> {
        Self::new(stream, deaf)
    }

    fn new(stream: TcpStream, deaf: bool) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(crate::DEADLINE))?;
        let shared = Arc::new((Mutex::new(Heard { deaf, ..Heard::default() }), Condvar::new()));
        let mut reading = stream.try_clone()?;
        let theirs = Arc::clone(&shared);
        let (local, remote) = (stream.local_addr().ok(), stream.peer_addr().ok());
        let reader = thread::spawn(move || {
            let (lock, changed) = &*theirs;
            let mut buffer = vec![0; 65_536];
            loop {
                let mut heard = lock.lock().unwrap();
                while heard.deaf && !heard.closed {
                    heard = changed.wait(heard).unwrap();
                }
                drop(heard);
                let result = reading.read(&mut buffer);
                let mut heard = lock.lock().unwrap();
                match result {
                    Ok(0) => heard.end = Some(End::Fin),
                    Ok(n) => heard.bytes.extend_from_slice(&buffer[..n]),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(_) => heard.end = Some(End::Reset),
                }
                changed.notify_all();
                if heard.end.is_some() {
                    return;
                }
            }
        });
        let (stream, reader) = (Mutex::new(Some(Arc::new(stream))), Mutex::new(Some(reader)));
        Ok(Self { stream, reader, local, remote, shared })
    }

    fn stream(&self) -> io::Result<Arc<TcpStream>> {
        self.stream.lock().unwrap().clone().ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected))
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// Those of writing; a write that takes too long is one.
    pub fn send(&self, bytes: &[u8]) -> io::Result<()> {
        (&*self.stream()?).write_all(bytes)
    }

    /// Waits until `condition` holds of what was heard, or nothing more will be heard, or the time is over; says whether it holds.
    pub fn wait(&self, limit: Duration, condition: impl Fn(&Heard) -> bool) -> bool {
        let deadline = Instant::now() + limit;
        let (lock, changed) = &*self.shared;
        let mut heard = lock.lock().unwrap();
        loop {
            if condition(&heard) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if heard.end.is_some() || left.is_zero() {
                return false;
            }
            heard = changed.wait_timeout(heard, left).unwrap().0;
        }
    }

    /// Begins (or ceases) to hear.
    pub fn listen(&self, on: bool) {
        let (lock, changed) = &*self.shared;
        lock.lock().unwrap().deaf = !on;
        changed.notify_all();
    }

    /// What was heard so far.
    pub fn heard(&self) -> Heard {
        self.shared.0.lock().unwrap().clone()
    }

    /// The end, if it came.
    pub fn end(&self) -> Option<End> {
        self.shared.0.lock().unwrap().end
    }

    /// Ends sending with a FIN.
    pub fn shutdown(&self) {
        let _ = self.stream().and_then(|s| s.shutdown(Shutdown::Write));
    }

    /// Ends both ways.
    pub fn close(&self) {
        self.listen_closed();
        let _ = self.stream().and_then(|s| s.shutdown(Shutdown::Both));
    }

    /// Breaks the connection with a RST.
    pub fn reset(&self) {
        self.listen_closed();
        let Some(stream) = self.stream.lock().unwrap().take() else { return };
        let linger = libc::linger { l_onoff: 1, l_linger: 0 };
        let _ = nix::sys::socket::setsockopt(&stream, nix::sys::socket::sockopt::Linger, &linger);
        // Only the close of the last descriptor sends the RST: wake the reader and let it drop its own first.
        let _ = stream.shutdown(Shutdown::Read);
        if let Some(reader) = self.reader.lock().unwrap().take() {
            let _ = reader.join();
        }
    }

    fn listen_closed(&self) {
        let (lock, changed) = &*self.shared;
        let mut heard = lock.lock().unwrap();
        heard.closed = true;
        changed.notify_all();
    }

    /// Waits until the program at the other end of this loopback connection has read all that was sent, so that what
    /// is sent next comes in a read of its own. Gives up quietly when the program does not want to read.
    pub fn drained(&self, limit: Duration) -> bool {
        let (Some(local), Some(remote)) = (self.local, self.remote) else { return false };
        crate::queue::wait_read(remote, local, limit)
    }

    /// The address of this end.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.local
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.close();
    }
}
