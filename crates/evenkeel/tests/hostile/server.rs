//! Servers behind the proxy: threads of this process that do what a test says, and a process that can be killed.

use crate::DEADLINE;
use nix::sys::socket::Backlog;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use testkit::message::{self, Found, Side};

/// A server of this process: every connection is served by a thread.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    over: Arc<AtomicBool>,
}

impl Server {
    pub(crate) fn start(serve: impl Fn(Connection) + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), serve)
    }

    pub(crate) fn start_at(address: SocketAddr, serve: impl Fn(Connection) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        // Crowds come at once. When std's 128 are waiting, the kernel answers with SYN cookies, and resets the
        // connections whose cookie is too old when there is room again: the proxy rightly says 502 for those.
        nix::sys::socket::listen(&listener, Backlog::new(4_096).unwrap()).unwrap();
        // A thousand big answers are not to fill the kernel's memory for sockets; connections inherit it.
        nix::sys::socket::setsockopt(&listener, nix::sys::socket::sockopt::SndBuf, &65_536).unwrap();
        let address = listener.local_addr().unwrap();
        let (serve, over) = (Arc::new(serve), Arc::new(AtomicBool::new(false)));
        let ours = Arc::clone(&over);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ours.load(SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let serve = Arc::clone(&serve);
                let thread = std::thread::Builder::new().stack_size(256 << 10);
                thread.spawn(move || serve(Connection { stream, bytes: Vec::new() })).unwrap();
            }
        });
        Self { address, over }
    }

    /// A server that answers every request with the request's target.
    pub(crate) fn echo() -> Self {
        Self::start(answer_all)
    }

    /// Closes the listening socket; connections that are there go on.
    pub(crate) fn stop_listening(&self) {
        self.over.store(true, SeqCst);
        let _ = TcpStream::connect_timeout(&self.address, DEADLINE);
        crate::until("nobody listens", || TcpStream::connect_timeout(&self.address, DEADLINE).is_err());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, SeqCst);
        let _ = TcpStream::connect_timeout(&self.address, DEADLINE);
    }
}

/// A connection to a server.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    bytes: Vec<u8>,
}

impl Connection {
    /// The next request: its target and how many bytes its body has. `None`: the other side has gone.
    pub(crate) fn request(&mut self) -> Option<(String, Vec<u8>)> {
        let mut chunk = [0; 16_384];
        loop {
            if let Found::Message(found) = message::find(&self.bytes, 0, Side::Request) {
                let head = String::from_utf8_lossy(&self.bytes[found.head.clone()]).into_owned();
                let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
                let body = match found.body {
                    message::Body::Length(range) => self.bytes[range].to_vec(),
                    message::Body::Chunked(data, _) => {
                        data.into_iter().flat_map(|range| self.bytes[range].to_vec()).collect()
                    }
                    _ => Vec::new(),
                };
                self.bytes.drain(..found.end);
                return Some((target, body));
            }
            match self.stream.read(&mut chunk) {
                Ok(read @ 1..) => self.bytes.extend_from_slice(&chunk[..read]),
                _ => return None,
            }
        }
    }

    /// Answers with a body of known length; false: the other side has gone.
    pub(crate) fn answer(&mut self, body: &[u8]) -> bool {
        let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
        // Head and beginning at once; of a big body that nobody reads, no copy is made.
        let (first, rest) = body.split_at(body.len().min(16_384));
        answer.extend_from_slice(first);
        self.stream.write_all(&answer).and_then(|()| self.stream.write_all(rest)).is_ok()
    }

    /// Reads until the other side has gone.
    pub(crate) fn wait_for_end(mut self) {
        let mut chunk = [0; 4_096];
        while matches!(self.stream.read(&mut chunk), Ok(1..)) {}
    }

    /// Closes with a reset.
    pub(crate) fn reset(self) {
        crate::client::reset(self.stream);
    }
}

/// Answers every request with its target.
pub(crate) fn answer_all(mut connection: Connection) {
    while let Some((target, _)) = connection.request() {
        if !connection.answer(target.as_bytes()) {
            return;
        }
    }
}

/// A server in a process of its own, which a signal can end.
pub(crate) struct Process {
    pub(crate) address: SocketAddr,
    child: Child,
}

/// Where the process is to listen.
const ADDRESS: &str = "EVENKEEL_TEST_SERVER";
/// What it says before its address.
const SERVING: &str = "serving on ";

impl Process {
    /// Starts one, on port 0 or where one has been before.
    pub(crate) fn start(address: SocketAddr) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "server::of_its_own", "--nocapture"])
            .env(ADDRESS, address.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = said.find_map(|line| Some(line.ok()?.split_once(SERVING)?.1.to_owned()));
        Self { address: line.expect("an address").parse().unwrap(), child }
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// No test: the process of [`Process`], which ends when its standard input does. Answers after reading, and big bodies
/// where the target asks for them, so that a kill finds all phases.
#[test]
#[ignore = "a part of other tests"]
fn of_its_own() {
    let Ok(address) = std::env::var(ADDRESS) else { return };
    let server = Server::start_at(address.parse().unwrap(), |mut connection| {
        while let Some((target, _)) = connection.request() {
            let body = if target.starts_with("/big") { vec![b'b'; 300_000] } else { target.into_bytes() };
            if !connection.answer(&body) {
                return;
            }
        }
    });
    println!("\n{SERVING}{}", server.address);
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
