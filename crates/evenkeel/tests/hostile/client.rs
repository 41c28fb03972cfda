//! Clients: one that asks and reads answers, and crowds that are written to and read from in turn by one thread.

use crate::DEADLINE;
use nix::sys::socket::{setsockopt, sockopt};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use testkit::message::{self, Body, Found, Side};

/// A client that asks and waits.
pub(crate) struct Client {
    stream: TcpStream,
    bytes: Vec<u8>,
}

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, DEADLINE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        Ok(Self { stream, bytes: Vec::new() })
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    pub(crate) fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes())?;
        self.answer()
    }

    /// The next response. An end that comes too early is `UnexpectedEof`; a wait that lasts too long fails the test.
    pub(crate) fn answer(&mut self) -> io::Result<Answer> {
        let mut chunk = [0; 65_536];
        loop {
            if let Found::Message(found) = message::find(&self.bytes, 0, Side::Response { bodyless: false }) {
                let body = match &found.body {
                    Body::None => Some(Vec::new()),
                    Body::Length(range) => Some(self.bytes[range.clone()].to_vec()),
                    Body::Chunked(data, _) => {
                        Some(data.iter().flat_map(|range| &self.bytes[range.clone()]).copied().collect())
                    }
                    Body::UntilClose(_) => None,
                };
                if let Some(body) = body {
                    let status = message::status(&self.bytes[found.head.clone()]).unwrap();
                    self.bytes.drain(..found.end);
                    return Ok(Answer { status, body });
                }
            }
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.bytes.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    panic!("a client waits in vain; it has {:?}", String::from_utf8_lossy(&self.bytes))
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Everything up to the end, however that comes.
    pub(crate) fn rest(mut self) -> Vec<u8> {
        let mut chunk = [0; 65_536];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return self.bytes,
                Ok(read) => self.bytes.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    panic!(
                        "a client waits in vain for the end; it has {:?}",
                        String::from_utf8_lossy(&self.bytes)
                    )
                }
                Err(_) => return self.bytes,
            }
        }
    }

    /// The connection itself.
    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Leaves with a reset.
    pub(crate) fn reset(self) {
        reset(self.stream);
    }
}

/// One request on a connection of its own.
pub(crate) fn get(address: SocketAddr, path: &str) -> io::Result<Answer> {
    let mut client = Client::connect(address)?;
    client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").as_bytes())?;
    client.answer()
}

/// Closes with a reset.
pub(crate) fn reset(stream: TcpStream) {
    let _ = setsockopt(&stream, sockopt::Linger, &nix::libc::linger { l_onoff: 1, l_linger: 0 });
}

/// Connects with a receive buffer of the smallest size, so that little fits between a server and a client that does not
/// read.
pub(crate) fn connect_narrow(address: SocketAddr) -> TcpStream {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, connect, socket};
    use std::os::fd::AsRawFd as _;
    let fd = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
    setsockopt(&fd, sockopt::RcvBuf, &4_096).unwrap();
    connect(fd.as_raw_fd(), &SockaddrStorage::from(address)).unwrap();
    TcpStream::from(fd)
}

/// One of a crowd.
pub(crate) struct Member {
    /// Its connection, until it ends.
    stream: Option<TcpStream>,
    /// What it heard.
    pub(crate) heard: Vec<u8>,
}

/// Many clients that never block.
pub(crate) struct Crowd(pub(crate) Vec<Member>);

impl Crowd {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn add(&mut self, stream: TcpStream) {
        stream.set_nonblocking(true).unwrap();
        self.0.push(Member { stream: Some(stream), heard: Vec::new() });
    }

    pub(crate) fn connect(&mut self, address: SocketAddr, count: usize) {
        for _ in 0..count {
            self.add(TcpStream::connect_timeout(&address, DEADLINE).unwrap());
        }
    }

    /// Sends the bytes to all that are still there. What does not fit is lost: these clients are no good ones.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        for stream in self.0.iter_mut().filter_map(|member| member.stream.as_mut()) {
            let _ = stream.write(bytes);
        }
    }

    /// Reads what has come; how many are still connected.
    pub(crate) fn hear(&mut self) -> usize {
        let mut chunk = [0; 16_384];
        for member in &mut self.0 {
            while let Some(stream) = &mut member.stream {
                match stream.read(&mut chunk) {
                    Ok(0) => member.stream = None,
                    Ok(read) => member.heard.extend_from_slice(&chunk[..read]),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(_) => member.stream = None,
                }
            }
        }
        self.0.iter().filter(|member| member.stream.is_some()).count()
    }

    /// What was heard by those that did not hear something that begins so.
    pub(crate) fn others(&self, start: &str) -> Vec<String> {
        let others = self.0.iter().filter(|member| !member.heard.starts_with(start.as_bytes()));
        others.map(|member| String::from_utf8_lossy(&member.heard).into_owned()).collect()
    }

    /// How many heard something that begins so.
    pub(crate) fn heard(&self, start: &str) -> usize {
        self.0.iter().filter(|member| member.heard.starts_with(start.as_bytes())).count()
    }

    /// All leave with a reset, which also spares this machine the ports in TIME_WAIT.
    pub(crate) fn reset(self) {
        self.0.into_iter().filter_map(|member| member.stream).for_each(reset);
    }
}
