//! A web server that answers every request with its own name, and can be stopped and started again.

use std::collections::HashMap;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long a connection may be silent.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of a line at most.
const MAX_LINE: u64 = 8_192;

/// One server; it stops when dropped.
pub(super) struct Server {
    pub(super) name: &'static str,
    pub(super) address: SocketAddr,
    listening: Option<Listening>,
}

/// What exists while it runs.
struct Listening {
    stop: Arc<AtomicBool>,
    connections: Arc<Mutex<HashMap<usize, TcpStream>>>,
    acceptor: JoinHandle<()>,
}

impl Server {
    /// Starts one on a free port of the loopback address.
    pub(super) fn start(name: &'static str) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        Ok(Self { name, address, listening: Some(Listening::start(name, listener)?) })
    }

    /// Starts it again where it was.
    pub(super) fn resume(&mut self) -> io::Result<()> {
        if self.listening.is_none() {
            self.listening = Some(Listening::start(self.name, TcpListener::bind(self.address)?)?);
        }
        Ok(())
    }

    /// Closes its port, then its connections.
    pub(super) fn stop(&mut self) {
        let Some(listening) = self.listening.take() else { return };
        listening.stop.store(true, Ordering::Release);
        // Wakes the acceptor. When that cannot be reached it is gone already.
        let woken = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        let _ = listening.acceptor.join();
        drop(woken);
        let mut connections = listening.connections.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, stream) in connections.drain() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Listening {
    fn start(name: &'static str, listener: TcpListener) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let connections = Arc::new(Mutex::new(HashMap::new()));
        let (stop_, connections_) = (Arc::clone(&stop), Arc::clone(&connections));
        let acceptor = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || accept(name, &listener, &stop_, &connections_))?;
        Ok(Self { stop, connections, acceptor })
    }
}

fn accept(
    name: &'static str,
    listener: &TcpListener,
    stop: &AtomicBool,
    connections: &Arc<Mutex<HashMap<usize, TcpStream>>>,
) {
    for (number, stream) in listener.incoming().enumerate() {
        if stop.load(Ordering::Acquire) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let Ok(kept) = stream.try_clone() else { continue };
        connections.lock().unwrap_or_else(PoisonError::into_inner).insert(number, kept);
        let connections = Arc::clone(connections);
        let served = thread::Builder::new().name(name.to_owned()).spawn(move || {
            // A client that goes away ends its connection, nothing else.
            let _ = serve(name, &stream);
            connections.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
        });
        if served.is_err() {
            return;
        }
    }
}

/// Answers requests without bodies until the other side has had enough.
fn serve(name: &str, stream: &TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    loop {
        let mut close = false;
        let mut first = true;
        loop {
            let mut line = String::new();
            if io::Read::take(&mut reader, MAX_LINE).read_line(&mut line)? == 0 {
                return Ok(());
            }
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() && !first {
                break;
            }
            first &= line.is_empty();
            close |= line == "connection: close";
        }
        let connection = if close { "Connection: close\r\n" } else { "" };
        let body = format!("{name}\n");
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n", body.len());
        writer.write_all(format!("{head}{connection}\r\n{body}").as_bytes())?;
        if close {
            return Ok(());
        }
    }
}
