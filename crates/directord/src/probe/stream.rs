//! A connection that talks, in the clear or by TLS.

use super::engine::Ended;
use super::link::{Link, errno, failed};
use check::checker::Failure;
use check::checker::http::End;
use ek_time::Duration;
use reactor::{Buffer, Expired, Stream, now, timeout_at, yield_now};
use std::io;
use std::net::SocketAddr;

/// Bytes taken with one call, and after how many others have their turn.
const PIECE: usize = 16 * 1024;
const TURN: usize = 4 * PIECE;

/// What a read brought.
#[derive(Debug)]
pub(super) enum Read {
    /// Something, and it was handed over.
    Data,
    /// The end.
    End(End),
    /// It failed.
    Failed(Failure, String),
}

#[derive(Debug)]
enum Transport {
    Plain(Stream),
    Tls(Box<tls::Connection>),
}

/// A connection with the time limit of its waits.
#[derive(Debug)]
pub(super) struct Talk {
    transport: Transport,
    timeout: Duration,
    /// Bytes read since others had their turn.
    read: usize,
}

impl Talk {
    /// Connects in the clear.
    ///
    /// # Errors
    /// How the attempt ends without a connection.
    pub(super) async fn plain(link: &Link, to: SocketAddr) -> Result<Self, Ended> {
        let stream = link.connect(to).await?;
        Ok(Self { transport: Transport::Plain(stream), timeout: link.timeout, read: 0 })
    }

    /// Connects, and does the handshake.
    ///
    /// # Errors
    /// As [`plain`](Self::plain).
    pub(super) async fn tls(
        link: &Link,
        to: SocketAddr,
        client: &tls::Client,
        name: Option<&str>,
    ) -> Result<Self, Ended> {
        let stream = link.connect(to).await?;
        let refused = |error: &tls::Error| {
            Ended::because(Failure::Handshake, format!("{}: {error}", Failure::Handshake))
        };
        let mut connection =
            tls::Connection::client(stream, client, to.ip(), name).map_err(|error| refused(&error))?;
        match timeout_at(now() + link.timeout, connection.handshake()).await {
            Ok(Ok(())) => {
                Ok(Self { transport: Transport::Tls(Box::new(connection)), timeout: link.timeout, read: 0 })
            }
            Ok(Err(error)) => Err(refused(&error)),
            Err(Expired) => {
                Err(Ended::because(Failure::ConnectTimeout, "no TLS handshake in time".to_owned()))
            }
        }
    }

    /// Sends all of it.
    ///
    /// # Errors
    /// How the attempt ends when that fails.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), Ended> {
        let sent = async {
            match &mut self.transport {
                Transport::Plain(stream) => write_all(stream, bytes).await.map_err(tls::Error::Io),
                Transport::Tls(connection) => connection.write_all(bytes).await,
            }
        };
        match timeout_at(now() + self.timeout, sent).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(tls::Error::Io(error))) => Err(failed(Failure::Write(errno(&error) as i32), &error)),
            Ok(Err(error)) => Err(Ended::because(Failure::Write(0), error.to_string())),
            Err(Expired) => Err(Ended::failed(Failure::WriteTimeout)),
        }
    }

    /// Receives something and hands it to `take`; [`Expired`] when nothing came in time.
    pub(super) async fn receive(&mut self, take: impl FnMut(&[u8])) -> Result<Read, Expired> {
        if self.read >= TURN {
            self.read = 0;
            yield_now().await;
        }
        let (transport, timeout, read) = (&mut self.transport, self.timeout, &mut self.read);
        timeout_at(now() + timeout, transport.receive(take, read)).await
    }
}

impl Transport {
    async fn receive(&mut self, mut take: impl FnMut(&[u8]), read: &mut usize) -> Read {
        match self {
            Self::Plain(stream) => loop {
                // No buffer while it waits.
                let result = {
                    let mut buffer = Buffer::take(PIECE);
                    let result = stream.try_read(buffer.spare_mut());
                    if let Ok(len @ 1..) = result {
                        buffer.advance(len);
                        take(buffer.data());
                    }
                    result
                };
                match result {
                    Ok(0) => return Read::End(End::Closed),
                    Ok(len) => {
                        *read += len;
                        return Read::Data;
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.readable().await,
                    Err(error) => {
                        let errno = errno(&error);
                        return Read::Failed(Failure::Read(errno as i32), errno.desc().to_owned());
                    }
                }
            },
            Self::Tls(connection) => {
                let mut buffer = Buffer::take(PIECE);
                match connection.read(buffer.spare_mut()).await {
                    Ok(tls::Received::Data(len)) => {
                        *read += len;
                        buffer.advance(len);
                        take(buffer.data());
                        Read::Data
                    }
                    Ok(tls::Received::Closed) => Read::End(End::TlsClosed),
                    Ok(tls::Received::CutOff) => Read::End(End::TlsCut),
                    Err(tls::Error::Io(error)) => {
                        Read::Failed(Failure::Read(errno(&error) as i32), errno(&error).desc().to_owned())
                    }
                    Err(error) => Read::Failed(Failure::TlsRead, error.to_string()),
                }
            }
        }
    }
}

async fn write_all(stream: &Stream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(len) => bytes = bytes.get(len..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.writable().await,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
