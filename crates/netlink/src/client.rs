//! A client that waits: for start-up, tools, and a process that must act at once when another has died.

use crate::error::{Error, Malformed};
use crate::exchange::{Exchange, State};
use crate::operation::{Operation, Part, Protocol};
use crate::socket::{self, Received};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// How often a listing that was interrupted by a change is repeated.
const ATTEMPTS: u32 = 10;
/// Requests in one datagram: their acknowledgements must fit into the socket's buffer.
const BATCH: usize = 64;

/// Runs operations and waits for their results, at most as long as it was told.
#[derive(Debug)]
pub struct Client {
    socket: OwnedFd,
    protocol: Protocol,
    timeout: Duration,
    sequence: u32,
    /// An exchange failed: the socket may hold the rest of it, or still be listing.
    unfinished: bool,
}

impl Client {
    /// Opens a socket in the namespace that this thread is in.
    ///
    /// # Errors
    /// When the system has no such sockets.
    pub fn open(protocol: Protocol) -> Result<Self, Error> {
        let socket = open(protocol)?;
        Ok(Self { socket, protocol, timeout: Duration::from_secs(5), sequence: 0, unfinished: false })
    }

    /// How long an operation may wait for the kernel; 5 s unless set.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Sets how many bytes of answers may wait.
    ///
    /// # Errors
    /// Those of `setsockopt`.
    pub fn set_receive_buffer(&self, bytes: usize) -> Result<(), Error> {
        socket::set_receive_buffer(self.socket.as_fd(), bytes)
            .map_err(|error| Error::System("sizing a client's buffer", error))
    }

    /// Runs an operation. A listing that a change interrupted is repeated.
    ///
    /// # Errors
    /// The kernel's refusal, and what else can go wrong.
    pub fn run<T: Default>(&mut self, operation: Operation<T>) -> Result<T, Error> {
        let what = check(&operation, self.protocol)?;
        let atomic = operation.parts.len() > 1;
        for _ in 0..ATTEMPTS {
            let mut result = T::default();
            let exchange = self.exchange(what, &operation.parts, atomic, |_, kind, payload| {
                (operation.take)(&mut result, kind, payload)
            })?;
            if !exchange.interrupted {
                return outcome(what, exchange.into_states()).map(|()| result);
            }
        }
        Err(Error::Unstable(what))
    }

    /// Runs many operations, several in one system call; the results are in their order. Each is done or not by itself.
    pub fn run_all(&mut self, operations: Vec<Operation<()>>) -> Vec<Result<(), Error>> {
        let mut results = Vec::with_capacity(operations.len());
        for chunk in operations.chunks(BATCH) {
            let (parts, plan) = plan(chunk, self.protocol);
            let states = match self.exchange("changing several", &parts, false, |_, _, _| Ok(())) {
                Ok(exchange) => Ok(exchange.into_states()),
                Err(error) => Err(error),
            };
            results.extend(settle(plan, states));
        }
        results
    }

    /// Sends requests and takes what answers them.
    fn exchange(
        &mut self,
        what: &'static str,
        parts: &[Part],
        atomic: bool,
        mut take: impl FnMut(usize, u16, &[u8]) -> Result<(), Malformed>,
    ) -> Result<Exchange, Error> {
        let until = Instant::now() + self.timeout;
        if self.unfinished {
            self.socket = open(self.protocol)?;
        }
        let first = self.sequence.wrapping_add(1);
        let (mut exchange, bytes) = Exchange::new(first, parts).map_err(|_| Error::TooLong(what))?;
        self.sequence = self.sequence.wrapping_add(exchange.len());
        self.unfinished = true;
        // Not kept: most processes that have a client ask it something at their start and then not for days.
        let mut room = vec![0; socket::ROOM];
        socket::send(self.socket.as_fd(), &bytes).map_err(|error| Error::System(what, error))?;
        while !exchange.is_complete() {
            match socket::receive(self.socket.as_fd(), &mut room) {
                Ok(Received::Datagram(len)) => {
                    let datagram = room.get(..len).unwrap_or_default();
                    exchange
                        .handle(datagram, |number, message| take(number, message.kind, message.payload))
                        .map_err(|malformed| Error::Malformed(what, malformed))?;
                }
                Ok(Received::Foreign) => {}
                // All answers to a batch are there when sending it returns.
                Ok(Received::Nothing) if atomic && exchange.is_refused() => break,
                Ok(Received::Nothing) => {
                    let ready =
                        socket::wait(self.socket.as_fd(), until).map_err(|e| Error::System(what, e))?;
                    if !ready {
                        return Err(Error::TimedOut(what));
                    }
                }
                Ok(Received::Overrun) => return Err(Error::Overrun(what)),
                Err(error) => return Err(Error::System(what, error)),
            }
        }
        self.unfinished = false;
        Ok(exchange)
    }
}

fn open(protocol: Protocol) -> Result<OwnedFd, Error> {
    let what = match protocol {
        Protocol::Route => "opening a route netlink socket",
        Protocol::Netfilter => "opening a netfilter netlink socket",
        Protocol::Generic => "opening a generic netlink socket",
    };
    let fd = socket::open(protocol.number(), 0).map_err(|error| Error::System(what, error))?;
    socket::ask_for_words(fd.as_fd());
    Ok(fd)
}

/// What an operation does in words, if it can be asked through a client of this protocol.
fn check<T>(operation: &Operation<T>, protocol: Protocol) -> Result<&'static str, Error> {
    if let Some(why) = &operation.invalid {
        return Err(Error::Invalid(why.clone()));
    }
    if operation.protocol != protocol {
        return Err(Error::Invalid(format!(
            "{} is for a client of {:?}, not of {protocol:?}",
            operation.what, operation.protocol
        )));
    }
    Ok(operation.what)
}

/// The first refusal, if any.
fn outcome(what: &'static str, states: Vec<State>) -> Result<(), Error> {
    for state in states {
        if let State::Refused(refusal) = state {
            return Err(Error::Kernel(what, refusal));
        }
    }
    Ok(())
}

/// For each of several operations: why it is not sent, or its name and how many requests it has.
type Plan = Vec<Result<(&'static str, usize), Error>>;

fn plan(operations: &[Operation<()>], protocol: Protocol) -> (Vec<Part>, Plan) {
    let mut parts = Vec::new();
    let mut plan = Vec::new();
    for operation in operations {
        let too_long = operation.parts.iter().any(|part| part.body.is_none());
        plan.push(match check(operation, protocol) {
            Ok(what) if too_long => Err(Error::TooLong(what)),
            Ok(what) => {
                parts.extend_from_slice(&operation.parts);
                Ok((what, operation.parts.len()))
            }
            Err(error) => Err(error),
        });
    }
    (parts, plan)
}

fn settle(plan: Plan, states: Result<Vec<State>, Error>) -> Vec<Result<(), Error>> {
    let states = match states {
        Ok(states) => states,
        Err(error) => {
            // It concerns them all, and errors cannot be copied: what matters is told of each.
            let again = |what: &'static str| match &error {
                Error::System(_, e) => Error::System(
                    what,
                    e.raw_os_error().map_or_else(|| e.kind().into(), std::io::Error::from_raw_os_error),
                ),
                Error::TimedOut(_) => Error::TimedOut(what),
                Error::Malformed(_, malformed) => Error::Malformed(what, *malformed),
                _ => Error::Overrun(what),
            };
            return plan.into_iter().map(|entry| entry.and_then(|(what, _)| Err(again(what)))).collect();
        }
    };
    let mut states = states.into_iter();
    plan.into_iter()
        .map(|entry| {
            let (what, count) = entry?;
            outcome(what, states.by_ref().take(count).collect())
        })
        .collect()
}
