//! An HTTP client over real sockets, as small as it can be.

use std::io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of a line or a body at most.
const MAX_BYTES: u64 = 65_536;

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// A connection that stays open from one request to the next.
pub(super) struct Client {
    connection: BufReader<TcpStream>,
}

impl Client {
    /// Connects.
    pub(super) fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { connection: BufReader::new(stream) })
    }

    /// One request on this connection.
    pub(super) fn get(&mut self) -> io::Result<Answer> {
        self.exchange("GET / HTTP/1.1\r\nHost: demo\r\n\r\n")
    }

    fn exchange(&mut self, request: &str) -> io::Result<Answer> {
        self.connection.get_mut().write_all(request.as_bytes())?;
        let line = self.line()?;
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status =
            status.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, format!("answered {line:?}")))?;
        let mut length = 0;
        loop {
            let line = self.line()?.to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0).min(MAX_BYTES);
            }
        }
        let mut body = String::new();
        (&mut self.connection).take(length).read_to_string(&mut body)?;
        Ok(Answer { status, body })
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if (&mut self.connection).take(MAX_BYTES).read_line(&mut line)? == 0 {
            return Err(io::Error::new(
                ErrorKind::UnexpectedEof,
                "the connection was closed without an answer",
            ));
        }
        Ok(line.trim_end().to_owned())
    }
}

/// One request on a connection of its own.
pub(super) fn get_once(address: SocketAddr) -> io::Result<Answer> {
    Client::connect(address)?.exchange("GET / HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n")
}
