//! A connection: rustls above, a stream below.

use crate::client::Client;
use crate::error::Error;
use reactor::Stream;
use std::io::{self, IoSlice, Read, Write};
use std::net::IpAddr;

/// What a read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// This many bytes, at least one.
    Data(usize),
    /// The peer said that it ends (`close_notify`).
    Closed,
    /// The connection ended without that: something may have been cut off.
    CutOff,
}

/// A TLS connection over a stream. The deadline of each wait is the caller's.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    tls: rustls::Connection,
}

/// The stream as rustls reads and writes it.
struct Pipe<'a>(&'a Stream);

impl Read for Pipe<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buf)
    }
}

impl Write for Pipe<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.try_write(buf)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(parts, false)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Connection {
    /// The client's end, over a connection made to `address`; the server is asked for by `name` if one is given and it is
    /// a host name. Nothing is sent yet.
    ///
    /// # Errors
    /// When rustls cannot begin (no randomness).
    pub fn client(
        stream: Stream,
        client: &Client,
        address: IpAddr,
        name: Option<&str>,
    ) -> Result<Self, Error> {
        Ok(Self { stream, tls: client.begin(address, name)?.into() })
    }

    /// The stream below.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Does the handshake.
    ///
    /// # Errors
    /// Why it failed. The peer is told so, if that can be done at once.
    pub async fn handshake(&mut self) -> Result<(), Error> {
        while self.tls.is_handshaking() {
            self.flush().await?;
            if self.tls.is_handshaking() && !self.fill().await? {
                return Err(Error::ClosedInHandshake);
            }
        }
        self.flush().await
    }

    /// Sends all of it.
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn write_all(&mut self, mut data: &[u8]) -> Result<(), Error> {
        while !data.is_empty() {
            let taken = self.tls.writer().write(data)?;
            data = data.get(taken..).unwrap_or_default();
            self.flush().await?;
        }
        Ok(())
    }

    /// Receives what is there next.
    ///
    /// # Errors
    /// When the connection broke, or what came is wrong.
    pub async fn read(&mut self, buf: &mut [u8]) -> Result<Received, Error> {
        loop {
            match self.tls.reader().read(buf) {
                Ok(0) => return Ok(Received::Closed),
                Ok(len) => return Ok(Received::Data(len)),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Received::CutOff),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
            self.flush().await?;
            self.fill().await?;
        }
    }

    /// Says that nothing more will be sent, as far as the stream takes it at once.
    pub fn close(&mut self) {
        self.tls.send_close_notify();
        let _ = self.send_now();
    }

    /// Sends what rustls has ready as far as the stream takes it; false: it does not take all.
    fn send_now(&mut self) -> io::Result<bool> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut Pipe(&self.stream)) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    async fn flush(&mut self) -> Result<(), Error> {
        while !self.send_now()? {
            self.stream.writable().await;
        }
        Ok(())
    }

    /// Takes what the stream has, waiting for it; false: it has ended.
    async fn fill(&mut self) -> Result<bool, Error> {
        let len = loop {
            match self.tls.read_tls(&mut Pipe(&self.stream)) {
                Ok(len) => break len,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.stream.readable().await,
                Err(error) => return Err(error.into()),
            }
        };
        if let Err(error) = self.tls.process_new_packets() {
            // The alert that says why.
            let _ = self.send_now();
            return Err(error.into());
        }
        Ok(len > 0)
    }
}
