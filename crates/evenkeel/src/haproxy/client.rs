//! One client of a command socket, on the reactor.

use control::{Ending, Reply, Session, Source};
use reactor::Stream;
use std::io;
use std::time::Duration;

/// Talks to a client until it asks for something that is not said here; what that is.
///
/// # Errors
/// When the client goes away, or is slower than `timeout`.
pub(crate) async fn converse(
    stream: &Stream,
    session: &mut Session,
    source: Source<'_>,
    timeout: Duration,
) -> io::Result<Ending> {
    let mut buffer = vec![0; 4_096];
    // What came in one piece with a command that was forwarded.
    let mut reply = session.go_on(source);
    loop {
        let Reply { text, ending } = reply;
        write(stream, text.as_bytes(), timeout).await?;
        if ending != Ending::Stay {
            return Ok(ending);
        }
        let read = read(stream, &mut buffer, timeout).await?;
        reply = match buffer.get(..read) {
            None | Some([]) => session.end(source),
            Some(bytes) => session.feed(bytes, source),
        };
    }
}

/// Waits for bytes; none: the peer has closed.
///
/// # Errors
/// As [`converse`].
pub(crate) async fn read(stream: &Stream, buffer: &mut [u8], timeout: Duration) -> io::Result<usize> {
    let deadline = reactor::now() + timeout;
    loop {
        match stream.try_read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                reactor::timeout_at(deadline, stream.readable())
                    .await
                    .map_err(|_| io::ErrorKind::TimedOut)?;
            }
            result => return result,
        }
    }
}

/// Sends all of `bytes`.
///
/// # Errors
/// As [`converse`].
pub(crate) async fn write(stream: &Stream, mut bytes: &[u8], timeout: Duration) -> io::Result<()> {
    let deadline = reactor::now() + timeout;
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                reactor::timeout_at(deadline, stream.writable())
                    .await
                    .map_err(|_| io::ErrorKind::TimedOut)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
