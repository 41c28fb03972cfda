//! One target of one worker and the lines that wait for it.

use super::outputs::Outputs;
use super::writer::Writer;
use ek_time::{Duration, Instant};
use haproxy_cfg::model::{Address, LogTarget};
use reactor::{Datagram, SockAddr};
use std::io::{self, IoSlice, Write as _};
use std::sync::Arc;

/// Lines sent by one call at most, as many as [`Datagram::try_send_many`] gives the kernel at once.
const BATCH: usize = 64;
/// Bytes that may wait for a full target before lines are lost.
const BACKLOG: usize = 256 * 1024;
/// How long a socket that could not be made is left alone.
const RETRY: Duration = Duration::from_secs(1);

/// What a flush came to, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Flushed {
    /// Nothing waits.
    All,
    /// Some lines still wait for a full target.
    Some,
    /// The target took nothing.
    Nothing,
}

/// One target of one worker.
pub(super) struct Target {
    way: Way,
    /// The number of the `log` line, for the message about it.
    number: usize,
    /// Framed lines, one after the other, and where each ends.
    lines: Vec<u8>,
    ends: Vec<usize>,
    /// A failure was told already.
    told: bool,
}

enum Way {
    Socket {
        address: SockAddr,
        socket: Option<Datagram>,
        retry: Instant,
    },
    Descriptor(Arc<Writer>),
    /// It cannot be opened: the lines are lost, and counted.
    None,
}

impl Target {
    pub(super) fn new(target: &LogTarget, number: usize, outputs: &Arc<Outputs>) -> Self {
        let mut made = Self { way: Way::None, number, lines: Vec::new(), ends: Vec::new(), told: false };
        match way(target, outputs) {
            Ok(way) => made.way = way,
            Err(error) => made.tell(&error),
        }
        made
    }

    /// Lets `write` append one framed line.
    pub(super) fn push(&mut self, outputs: &Outputs, write: impl FnOnce(&mut Vec<u8>)) {
        if self.lines.len() >= BACKLOG {
            return outputs.count(0, 1);
        }
        write(&mut self.lines);
        self.ends.push(self.lines.len());
        if self.ends.len() == BATCH {
            self.flush(outputs);
        }
    }

    /// Sends what waits.
    pub(super) fn flush(&mut self, outputs: &Outputs) -> Flushed {
        if self.ends.is_empty() {
            return Flushed::All;
        }
        match &self.way {
            Way::Socket { .. } => self.flush_socket(outputs),
            Way::Descriptor(writer) => {
                if !writer.offer(&self.lines, self.ends.len()) {
                    outputs.count(0, self.ends.len());
                }
                self.forget();
                Flushed::All
            }
            Way::None => {
                self.give_up(outputs);
                Flushed::All
            }
        }
    }

    /// Drops what waits, and counts it.
    pub(super) fn give_up(&mut self, outputs: &Outputs) {
        outputs.count(0, self.ends.len());
        self.forget();
    }

    fn forget(&mut self) {
        self.lines.clear();
        self.ends.clear();
    }

    fn flush_socket(&mut self, outputs: &Outputs) -> Flushed {
        let waiting = self.ends.len();
        match self.send(outputs) {
            Ok(()) => Flushed::All,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if self.ends.len() < waiting {
                    Flushed::Some
                } else {
                    Flushed::Nothing
                }
            }
            Err(error) => {
                self.tell(&error);
                self.give_up(outputs);
                Flushed::All
            }
        }
    }

    /// Sends in batches until nothing waits. On an error what was sent is gone and the rest still waits.
    fn send(&mut self, outputs: &Outputs) -> io::Result<()> {
        let Way::Socket { address, socket, retry } = &mut self.way else { return Ok(()) };
        let opened = match socket.take() {
            Some(opened) => opened,
            None if reactor::now() < *retry => return Err(io::ErrorKind::NotConnected.into()),
            None => Datagram::connect(address).inspect_err(|_| *retry = reactor::now() + RETRY)?,
        };
        let (mut start, mut sent) = (0, 0);
        let mut result = Ok(());
        while let Some(rest) = self.ends.get(sent..).filter(|rest| !rest.is_empty()) {
            let mut slices = [IoSlice::new(&[]); BATCH];
            let mut from = start;
            let mut count = 0;
            for (slice, &end) in slices.iter_mut().zip(rest) {
                *slice = IoSlice::new(self.lines.get(from..end).unwrap_or_default());
                from = end;
                count += 1;
            }
            outputs.count_batch();
            let taken = match opened.try_send_many(slices.get(..count).unwrap_or_default()) {
                Ok(taken) => taken,
                // A line too long for the socket is lost alone, the others go on.
                Err(error) if error.raw_os_error() == Some(EMSGSIZE) => {
                    outputs.count(0, 1);
                    sent += 1;
                    start = self.ends.get(sent - 1).copied().unwrap_or(start);
                    continue;
                }
                Err(error) => {
                    result = Err(error);
                    break;
                }
            };
            outputs.count(taken, 0);
            sent += taken;
            if let Some(&end) = sent.checked_sub(1).and_then(|last| self.ends.get(last)) {
                start = end;
            }
            if taken == 0 {
                result = Err(io::ErrorKind::WouldBlock.into());
                break;
            }
        }
        self.lines.drain(..start.min(self.lines.len()));
        self.ends.drain(..sent.min(self.ends.len()));
        self.ends.iter_mut().for_each(|end| *end -= start);
        // A socket that lost its route or its own address is made anew; the others know how to find their target again.
        let kept = match &result {
            Ok(()) => true,
            Err(error) => {
                error.kind() == io::ErrorKind::WouldBlock
                    || matches!(address, SockAddr::Path(_) | SockAddr::Abstract(_))
            }
        };
        if kept {
            *socket = Some(opened);
        }
        result
    }

    /// Says once that lines are lost here, as HAProxy does.
    fn tell(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.told, true) {
            let code = error.raw_os_error().unwrap_or(0);
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or_default();
            let number = self.number;
            // Standard error may be closed; there is nobody else to tell.
            let _ = writeln!(
                io::stderr(),
                "[ALERT]    ({}) : sendmsg()/writev() failed in logger #{number}: {text} (errno={code})",
                std::process::id()
            );
        }
    }
}

/// `EMSGSIZE` of Linux.
const EMSGSIZE: i32 = 90;

fn way(target: &LogTarget, outputs: &Arc<Outputs>) -> io::Result<Way> {
    let address = match target {
        LogTarget::Fd(number) => return Ok(Way::Descriptor(outputs.writer(*number)?)),
        LogTarget::Datagram(Address::Ip(address)) => SockAddr::Ip(*address),
        LogTarget::Datagram(Address::Unix(path)) => SockAddr::Path(path.clone()),
        LogTarget::Datagram(Address::Abstract(name, cut)) => SockAddr::Abstract(abstract_name(name, *cut)),
        LogTarget::Datagram(Address::Fd(number)) => return Ok(Way::Descriptor(outputs.writer(*number)?)),
        LogTarget::Datagram(Address::SockPair(_) | Address::IpRelative(..)) => {
            return Err(io::ErrorKind::Unsupported.into());
        }
    };
    Ok(Way::Socket { address, socket: None, retry: Instant::ZERO })
}

/// The name as the kernel shall have it: `abns@` fills the whole address, `abnsz@` ends with the name.
fn abstract_name(name: &[u8], cut: bool) -> Vec<u8> {
    const ROOM: usize = 107;
    let mut name = name.to_vec();
    if !cut && name.len() < ROOM {
        name.resize(ROOM, 0);
    }
    name
}
