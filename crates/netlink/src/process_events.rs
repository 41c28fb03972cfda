//! Processes that begin, change their name and end, as the kernel's process connector tells them.

use crate::error::{Error, Malformed};
use crate::message::{self, Messages, NLMSG_DONE};
use crate::socket::{self, Received};
use reactor::Watch;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::os::fd::AsFd;
use std::task::{Context, Poll};

/// Both the index of the connector and its multicast group (`CN_IDX_PROC`), and its value (`CN_VAL_PROC`).
const CONNECTOR: u32 = 1;
const LISTEN: u32 = 1;

const EVENT_NONE: u32 = 0;
const EVENT_FORK: u32 = 1;
const EVENT_EXEC: u32 = 2;
const EVENT_COMM: u32 = 0x200;
const EVENT_EXIT: u32 = 0x8000_0000;

/// Bytes of struct cn_msg.
const CONNECTOR_HEADER: usize = 20;
/// Where the event's own data begins in struct proc_event.
const EVENT_HEADER: usize = 16;

/// Room for events that arrive while the process does something else.
const RECEIVE_BUFFER: usize = 1 << 20;

/// Which events are wanted. The kernel drops the others before they wake anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessInterests {
    /// Processes that begin.
    pub fork: bool,
    /// Processes that execute a program.
    pub exec: bool,
    /// Processes that change their name.
    pub comm: bool,
    /// Processes that end.
    pub exit: bool,
}

impl ProcessInterests {
    /// All of them.
    pub const ALL: Self = Self { fork: true, exec: true, comm: true, exit: true };
}

/// Something that happened to a process (not to one of its further threads).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProcessEvent {
    /// A process began.
    Fork {
        /// Its parent.
        parent: u32,
        /// The new process.
        child: u32,
    },
    /// A process executes another program.
    Exec {
        /// Its id.
        pid: u32,
    },
    /// A process has another name.
    Comm {
        /// Its id.
        pid: u32,
        /// Its name now, up to 15 bytes.
        name: String,
    },
    /// A process ended.
    Exit {
        /// Its id.
        pid: u32,
        /// The wait status: exit code in the second byte, signal in the first.
        status: u32,
    },
    /// Events were lost: who keeps count must look at all processes again.
    Resync,
}

/// The stream of process events.
///
/// The kernel serves it in the first network namespace only: it is to be opened before another one is entered. It tells of
/// processes in all PID namespaces, with the ids that they have in the first.
#[derive(Debug)]
pub struct ProcessEvents {
    watch: Watch,
    events: VecDeque<ProcessEvent>,
    room: Vec<u8>,
}

impl ProcessEvents {
    /// Subscribes.
    ///
    /// # Errors
    /// [`is_unsupported`](Error::is_unsupported) or `ConnectionRefused` when the kernel has no process connector, or this is not the first
    /// network namespace; [`is_forbidden`](Error::is_forbidden) without CAP_NET_ADMIN.
    pub fn open(interests: ProcessInterests) -> Result<Self, Error> {
        let what = "watching processes";
        let system = |error: io::Error| Error::System(what, error);
        let fd = socket::open(libc::NETLINK_CONNECTOR, 0).map_err(system)?;
        socket::attach_filter(fd.as_fd(), &mut filter(interests)).map_err(system)?;
        socket::set_receive_buffer(fd.as_fd(), RECEIVE_BUFFER).map_err(system)?;
        socket::join(fd.as_fd(), CONNECTOR).map_err(system)?;
        let mut body = Vec::new();
        for word in [CONNECTOR, CONNECTOR, 1, 0] {
            body.extend_from_slice(&word.to_ne_bytes());
        }
        body.extend_from_slice(&4_u16.to_ne_bytes());
        body.extend_from_slice(&0_u16.to_ne_bytes());
        body.extend_from_slice(&LISTEN.to_ne_bytes());
        let mut bytes = Vec::new();
        message::append(&mut bytes, NLMSG_DONE, 0, 1, &body).map_err(|_| Error::TooLong(what))?;
        socket::send(fd.as_fd(), &bytes).map_err(system)?;
        let mut room = vec![0; socket::ROOM];
        // The answer is there when sending returns; events before it are of no interest yet.
        for _ in 0..1000 {
            match socket::receive(fd.as_fd(), &mut room).map_err(system)? {
                Received::Datagram(len) => {
                    let mut events = VecDeque::new();
                    let answer = read(room.get(..len).unwrap_or_default(), &mut events);
                    match answer.map_err(|malformed| Error::Malformed(what, malformed))? {
                        Some(0) => break,
                        Some(errno) => {
                            let errno = i32::try_from(errno).unwrap_or(libc::EINVAL);
                            return Err(system(io::Error::from_raw_os_error(errno)));
                        }
                        None => {}
                    }
                }
                Received::Foreign | Received::Overrun => {}
                // Some kernels do not answer.
                Received::Nothing => break,
            }
        }
        let watch = Watch::new(fd).map_err(system)?;
        Ok(Self { watch, events: VecDeque::new(), room })
    }

    /// Sets how many bytes of events may wait; 1 MiB unless set.
    ///
    /// # Errors
    /// Those of `setsockopt`.
    pub fn set_receive_buffer(&self, bytes: usize) -> Result<(), Error> {
        socket::set_receive_buffer(self.watch.as_fd(), bytes)
            .map_err(|error| Error::System("sizing the buffer of process events", error))
    }

    /// The next event; never ends.
    ///
    /// # Errors
    /// When a system call fails.
    pub async fn next(&mut self) -> Result<ProcessEvent, Error> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Polls for the next event.
    ///
    /// # Errors
    /// As for [`next`](Self::next).
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<ProcessEvent, Error>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Poll::Ready(Ok(event));
            }
            match self.watch.try_read(|fd| socket::receive_or_block(fd, &mut self.room)) {
                Ok(Received::Datagram(len)) => {
                    // What cannot be read may have been a process.
                    if read(self.room.get(..len).unwrap_or_default(), &mut self.events).is_err() {
                        self.events.push_back(ProcessEvent::Resync);
                    }
                }
                Ok(Received::Overrun) => {
                    self.events.clear();
                    self.events.push_back(ProcessEvent::Resync);
                }
                Ok(Received::Foreign | Received::Nothing) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.watch.poll_readable(cx).is_pending() {
                        return Poll::Pending;
                    }
                }
                Err(error) => return Poll::Ready(Err(Error::System("receiving process events", error))),
            }
        }
    }
}

/// A word of a datagram, counted from the datagram's first byte.
fn word(bytes: &[u8], at: usize) -> Result<u32, Malformed> {
    let word = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>());
    word.map(|bytes| u32::from_ne_bytes(*bytes)).ok_or(Malformed("a process event is cut"))
}

/// Reads a datagram; returns the error number of an answer to the subscription, if it has one.
fn read(datagram: &[u8], events: &mut VecDeque<ProcessEvent>) -> Result<Option<u32>, Malformed> {
    let mut answer = None;
    for message in Messages::new(datagram) {
        let payload = message?.payload;
        if word(payload, 0)? != CONNECTOR || word(payload, 4)? != CONNECTOR {
            continue;
        }
        let event = payload.get(CONNECTOR_HEADER..).unwrap_or_default();
        let data = event.get(EVENT_HEADER..).unwrap_or_default();
        match word(event, 0)? {
            EVENT_NONE => answer = Some(word(data, 0)?),
            EVENT_FORK => {
                let (child, group) = (word(data, 8)?, word(data, 12)?);
                if child == group {
                    events.push_back(ProcessEvent::Fork { parent: word(data, 4)?, child });
                }
            }
            EVENT_EXEC => events.push_back(ProcessEvent::Exec { pid: word(data, 4)? }),
            EVENT_COMM => {
                let (thread, pid) = (word(data, 0)?, word(data, 4)?);
                if thread == pid {
                    let name = data.get(8..24).ok_or(Malformed("a process's name is cut"))?;
                    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
                    let name = String::from_utf8_lossy(name).into_owned();
                    events.push_back(ProcessEvent::Comm { pid, name });
                }
            }
            EVENT_EXIT => {
                let (thread, pid) = (word(data, 0)?, word(data, 4)?);
                if thread == pid {
                    events.push_back(ProcessEvent::Exit { pid, status: word(data, 8)? });
                }
            }
            _ => {}
        }
    }
    Ok(answer)
}

/// For the fuzzer: reads anything.
pub(crate) fn decode(datagram: &[u8]) {
    let _ = read(datagram, &mut VecDeque::new());
}

/// A socket filter that accepts what is wanted, of whole processes, and answers to us.
fn filter(interests: ProcessInterests) -> Vec<libc::sock_filter> {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const TO_INDEX: u16 = (libc::BPF_MISC | libc::BPF_TAX) as u16;
    const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const IF_INDEX: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_X) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    const ACCEPT: u32 = u32::MAX;
    const DATA: u32 = (message::HEADER + CONNECTOR_HEADER + EVENT_HEADER) as u32;
    let step = |code: u16, jt: u8, jf: u8, k: u32| libc::sock_filter { code, jt, jf, k };
    // Loads are big-endian; what is compared was written in the machine's order.
    let native = |value: u32| u32::from_be_bytes(value.to_ne_bytes());
    let mut program = vec![
        step(LOAD, 0, 0, (message::HEADER + CONNECTOR_HEADER) as u32),
        step(IF_EQUAL, 0, 1, native(EVENT_NONE)),
        step(RETURN, 0, 0, ACCEPT),
    ];
    for (wanted, event, thread, process) in [
        (interests.fork, EVENT_FORK, 8, 12),
        (interests.comm, EVENT_COMM, 0, 4),
        (interests.exit, EVENT_EXIT, 0, 4),
    ] {
        if wanted {
            program.extend([
                step(IF_EQUAL, 0, 5, native(event)),
                step(LOAD, 0, 0, DATA + thread),
                step(TO_INDEX, 0, 0, 0),
                step(LOAD, 0, 0, DATA + process),
                step(IF_INDEX, 0, 1, 0),
                step(RETURN, 0, 0, ACCEPT),
            ]);
            // Of another event, or of a further thread: the comparisons go on with the kind of event.
            program.push(step(LOAD, 0, 0, (message::HEADER + CONNECTOR_HEADER) as u32));
        }
    }
    if interests.exec {
        program.extend([step(IF_EQUAL, 0, 1, native(EVENT_EXEC)), step(RETURN, 0, 0, ACCEPT)]);
    }
    program.push(step(RETURN, 0, 0, 0));
    program
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn datagram(event: u32, data: &[u32]) -> Vec<u8> {
        let mut body = Vec::new();
        for word in [1, 1, 0, 0, 0] {
            body.extend_from_slice(&u32::to_ne_bytes(word));
        }
        for word in [event, 0, 0, 0].iter().chain(data) {
            body.extend_from_slice(&word.to_ne_bytes());
        }
        let mut bytes = Vec::new();
        message::append(&mut bytes, NLMSG_DONE, 0, 0, &body).unwrap();
        bytes
    }

    fn events(event: u32, data: &[u32]) -> Vec<ProcessEvent> {
        let mut events = VecDeque::new();
        read(&datagram(event, data), &mut events).unwrap();
        events.into()
    }

    /// Runs the filter as the kernel would.
    fn accepts(program: &[libc::sock_filter], datagram: &[u8]) -> bool {
        let (mut at, mut a, mut x) = (0, 0, 0);
        loop {
            let step = program[at];
            at += 1;
            let jump = |yes: bool| usize::from(if yes { step.jt } else { step.jf });
            match step.code {
                0x20 => a = u32::from_be_bytes(datagram[step.k as usize..][..4].try_into().unwrap()),
                0x07 => x = a,
                0x15 => at += jump(a == step.k),
                0x1d => at += jump(a == x),
                0x06 => return step.k != 0,
                code => panic!("{code:x}"),
            }
        }
    }

    #[test]
    fn events_of_processes_are_read_and_those_of_threads_are_not() {
        assert_eq!(events(EVENT_FORK, &[7, 7, 8, 8]), [ProcessEvent::Fork { parent: 7, child: 8 }]);
        assert_eq!(events(EVENT_FORK, &[7, 7, 8, 7]), []);
        assert_eq!(events(EVENT_EXEC, &[8, 8]), [ProcessEvent::Exec { pid: 8 }]);
        assert_eq!(events(EVENT_EXIT, &[8, 8, 9, 17, 1, 1]), [ProcessEvent::Exit { pid: 8, status: 9 }]);
        assert_eq!(events(EVENT_EXIT, &[9, 8, 9, 17, 1, 1]), []);
        let name = u32::from_ne_bytes(*b"abcd");
        let comm = ProcessEvent::Comm { pid: 8, name: "abcd".to_owned() };
        assert_eq!(events(EVENT_COMM, &[8, 8, name, 0, 0, 0]), [comm]);
    }

    #[test]
    fn the_filter_passes_what_is_wanted_of_whole_processes() {
        let none = ProcessInterests { fork: false, exec: false, comm: false, exit: false };
        let cases = [
            (EVENT_FORK, ProcessInterests { fork: true, ..none }, vec![7, 7, 8, 8], vec![7, 7, 8, 7]),
            (
                EVENT_COMM,
                ProcessInterests { comm: true, ..none },
                vec![8, 8, 0, 0, 0, 0],
                vec![9, 8, 0, 0, 0, 0],
            ),
            (
                EVENT_EXIT,
                ProcessInterests { exit: true, ..none },
                vec![8, 8, 0, 0, 0, 0],
                vec![9, 8, 0, 0, 0, 0],
            ),
        ];
        for (event, only, process, thread) in cases {
            for (interests, wanted) in [(ProcessInterests::ALL, true), (only, true), (none, false)] {
                let program = filter(interests);
                assert_eq!(accepts(&program, &datagram(event, &process)), wanted, "{event:x} {interests:?}");
                assert!(!accepts(&program, &datagram(event, &thread)), "{event:x} {interests:?}");
                assert!(accepts(&program, &datagram(EVENT_NONE, &[0, 0, 0, 0])));
                assert!(!accepts(&program, &datagram(4, &[1, 1, 1, 1])), "a change of users");
            }
        }
        let exec = datagram(EVENT_EXEC, &[8, 8, 0, 0]);
        assert!(accepts(&filter(ProcessInterests::ALL), &exec));
        assert!(accepts(&filter(ProcessInterests { exec: true, ..none }), &exec));
        assert!(!accepts(&filter(none), &exec));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), event in any::<u32>(), cut in 0_usize..100) {
            let mut events = VecDeque::new();
            let _ = read(&bytes, &mut events);
            let whole = datagram(event, &[1, 1, 1, 1, 1, 1]);
            let _ = read(&whole[..cut.min(whole.len())], &mut events);
        }
    }
}
