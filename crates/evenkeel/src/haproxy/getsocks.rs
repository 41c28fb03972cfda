//! Passing listening sockets from an old process to a new one over a stats socket (`expose-fd listeners`, `-x`).
//!
//! The new process says `_getsocks`. The old one answers with the number of sockets, a native 32-bit integer, then with
//! messages of at most 252 descriptors each, whose bytes say for every one: the length and name of its network
//! namespace, the length and name of its interface, and 32 bits that nobody reads any more. Each message is answered
//! with the number of sockets received so far.

use proxyd::listeners::{Inherited, Key};
use reactor::process;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Descriptors in a message at most.
const BATCH: usize = 252;
/// How long either side waits for the other.
const PATIENCE: Duration = Duration::from_secs(1);

/// A socket to be passed, and the interface it is bound to.
pub(crate) type Passed = (OwnedFd, Option<String>);

/// Answers `_getsocks`.
///
/// # Errors
/// When the other process goes away or does not answer.
pub(crate) fn send(socket: &UnixStream, sockets: &[Passed]) -> io::Result<()> {
    socket.set_nonblocking(false)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    let count = i32::try_from(sockets.len()).map_err(io::Error::other)?;
    let mut stream = socket;
    stream.write_all(&count.to_ne_bytes())?;
    for batch in sockets.chunks(BATCH) {
        let mut text = Vec::new();
        for (_, interface) in batch {
            let interface = interface.as_deref().unwrap_or_default().as_bytes();
            text.push(0);
            text.push(u8::try_from(interface.len()).unwrap_or(0));
            text.extend_from_slice(interface.get(..usize::from(u8::MAX)).unwrap_or(interface));
            text.extend_from_slice(&[0; 4]);
        }
        let fds: Vec<BorrowedFd<'_>> = batch.iter().map(|(fd, _)| fd.as_fd()).collect();
        process::send_descriptors(socket, &text, &fds)?;
        let mut acknowledged = [0; 4];
        if batch.len() == BATCH {
            stream.read_exact(&mut acknowledged)?;
        }
    }
    Ok(())
}

/// Asks the process behind the stats socket at `path`.
///
/// # Errors
/// When there is none, or it does not give its sockets.
pub(crate) fn receive(path: &str) -> io::Result<Inherited> {
    let mut socket = UnixStream::connect(path)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.write_all(b"_getsocks\n")?;
    let mut count = [0; 4];
    socket.read_exact(&mut count)?;
    let count = usize::try_from(i32::from_ne_bytes(count)).map_err(io::Error::other)?;
    let (mut fds, mut text) = (Vec::new(), Vec::new());
    let mut buffer = vec![0; BATCH * 600];
    while fds.len() < count {
        let (read, got) = process::receive_descriptors(&socket, &mut buffer)?;
        if read == 0 || got.is_empty() {
            return Err(io::Error::other("the old process stopped half-way"));
        }
        text.extend_from_slice(buffer.get(..read).unwrap_or_default());
        fds.extend(got);
        // The old process may have closed after its last message.
        let _ = socket.write_all(&i32::try_from(fds.len()).unwrap_or(0).to_ne_bytes());
    }
    let mut inherited = Inherited::new();
    let mut rest = text.as_slice();
    for fd in fds {
        let (namespace, interface) = described(&mut rest)
            .ok_or_else(|| io::Error::other("the old process's answer cannot be read"))?;
        // A socket of another namespace cannot be compared with addresses here; datagram sockets are not ours.
        if namespace.is_empty()
            && let Ok(key) = Key::of_socket(fd.as_fd(), interface)
        {
            inherited.add(key, fd);
        }
    }
    Ok(inherited)
}

/// The namespace and interface of the next socket.
fn described(rest: &mut &[u8]) -> Option<(Vec<u8>, Option<String>)> {
    let namespace = counted(rest)?;
    let interface = counted(rest)?;
    let (_, left) = rest.split_at_checked(4)?;
    *rest = left;
    let interface = String::from_utf8_lossy(&interface).trim_end_matches('\0').to_owned();
    Some((namespace, (!interface.is_empty()).then_some(interface)))
}

fn counted(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let (&len, left) = rest.split_first()?;
    let (bytes, left) = left.split_at_checked(usize::from(len))?;
    *rest = left;
    Some(bytes.to_vec())
}
