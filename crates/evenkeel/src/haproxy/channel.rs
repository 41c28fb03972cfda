//! What passes between a master and its worker after the plan: the worker says that it is ready, and the master hands it
//! clients of its own socket.

use haproxy_cfg::model::SocketLevel;
use reactor::Stream;
use reactor::process;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

/// What a worker writes to its master when it serves.
pub(crate) const READY: &[u8] = b"ready\n";

/// Whether the worker at the other end says that it serves; not when it ends before.
pub(crate) async fn is_ready(channel: &Stream) -> bool {
    let (mut text, mut buffer) = (Vec::new(), [0; 64]);
    while !text.ends_with(READY) {
        match channel.try_read(&mut buffer) {
            Ok(0) => return false,
            Ok(read) => text.extend_from_slice(buffer.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => channel.readable().await,
            Err(_) => return false,
        }
    }
    true
}

/// Hands a client of the runtime API to the worker at the other end, with what it may do.
///
/// # Errors
/// When the worker is gone, or does not take what it was sent before.
pub(crate) fn pass_client(channel: &Stream, client: BorrowedFd<'_>, level: SocketLevel) -> io::Result<()> {
    let byte = match level {
        SocketLevel::User => b'u',
        SocketLevel::Operator => b'o',
        SocketLevel::Admin => b'a',
    };
    process::send_descriptors(channel, &[byte], &[client]).map(drop)
}

/// The next client that the master at the other end hands over; `None` when it is gone.
pub(crate) async fn next_client(channel: &Stream) -> Option<(OwnedFd, SocketLevel)> {
    let mut byte = [0];
    loop {
        // A look first, as reading takes the descriptors away that came with the byte.
        match channel.try_peek(&mut byte) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                channel.readable().await;
                continue;
            }
            Err(_) => return None,
        }
        let (_, fds) = process::receive_descriptors(channel.as_fd(), &mut byte).ok()?;
        let level = match byte {
            [b'a'] => SocketLevel::Admin,
            [b'o'] => SocketLevel::Operator,
            _ => SocketLevel::User,
        };
        if let Some(client) = fds.into_iter().next() {
            return Some((client, level));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::os::unix::net::UnixStream;

    #[test]
    fn clients_arrive_with_their_levels_until_the_master_is_gone() {
        let levels = [SocketLevel::User, SocketLevel::Operator, SocketLevel::Admin];
        let served = reactor::run(reactor::Settings::default(), async move {
            let (ours, theirs) = Stream::pair().unwrap();
            let mut kept = Vec::new();
            for level in levels {
                let (near, far) = UnixStream::pair().unwrap();
                pass_client(&ours, far.as_fd(), level).unwrap();
                kept.push(near);
            }
            for (near, level) in kept.iter_mut().zip(levels) {
                let (client, as_level) = next_client(&theirs).await.unwrap();
                assert_eq!(as_level, level);
                std::io::Write::write_all(&mut UnixStream::from(client), b"x").unwrap();
                let mut text = String::new();
                near.read_to_string(&mut text).unwrap();
                assert_eq!(text, "x");
            }
            drop(ours);
            next_client(&theirs).await.is_none()
        });
        assert!(served.unwrap());
    }
}
