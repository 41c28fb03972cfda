//! A client on the reactor: other tasks run while it waits.

use crate::client::{ATTEMPTS, BATCH, check, open, outcome, plan, settle};
use crate::error::{Error, Malformed};
use crate::exchange::Exchange;
use crate::operation::{Operation, Part, Protocol};
use crate::socket::{self, Received};
use ek_time::Duration;
use reactor::Watch;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// Runs operations on this thread's reactor.
#[derive(Debug)]
pub struct AsyncClient {
    watch: Watch,
    protocol: Protocol,
    timeout: Duration,
    sequence: u32,
    room: Vec<u8>,
    /// An exchange did not end: its future was dropped, or it failed. The socket may hold the rest, or still be listing.
    unfinished: bool,
}

impl AsyncClient {
    /// Opens a socket in the namespace that this thread is in.
    ///
    /// # Errors
    /// When the system has no such sockets.
    pub fn open(protocol: Protocol) -> Result<Self, Error> {
        Ok(Self {
            watch: watch(protocol)?,
            protocol,
            timeout: Duration::from_secs(5),
            sequence: 0,
            room: vec![0; socket::ROOM],
            unfinished: false,
        })
    }

    /// How long an operation may wait for the kernel; 5 s unless set.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Runs an operation; see [`Client::run`](crate::Client::run). When the future is dropped, a change may have been made or not.
    ///
    /// # Errors
    /// The kernel's refusal, and what else can go wrong.
    pub async fn run<T: Default>(&mut self, operation: Operation<T>) -> Result<T, Error> {
        let what = check(&operation, self.protocol)?;
        let atomic = operation.parts.len() > 1;
        for _ in 0..ATTEMPTS {
            let mut result = T::default();
            let take = |_, kind, payload: &[u8]| (operation.take)(&mut result, kind, payload);
            let exchange = self.exchange_in_time(what, &operation.parts, atomic, take).await?;
            if !exchange.interrupted {
                return outcome(what, exchange.into_states()).map(|()| result);
            }
        }
        Err(Error::Unstable(what))
    }

    /// Runs many operations, several in one system call; see [`Client::run_all`](crate::Client::run_all).
    pub async fn run_all(&mut self, operations: Vec<Operation<()>>) -> Vec<Result<(), Error>> {
        let mut results = Vec::with_capacity(operations.len());
        for chunk in operations.chunks(BATCH) {
            let (parts, plan) = plan(chunk, self.protocol);
            let take = |_, _, _: &[u8]| Ok(());
            let exchange = self.exchange_in_time("changing several", &parts, false, take).await;
            results.extend(settle(plan, exchange.map(Exchange::into_states)));
        }
        results
    }

    async fn exchange_in_time(
        &mut self,
        what: &'static str,
        parts: &[Part],
        atomic: bool,
        take: impl FnMut(usize, u16, &[u8]) -> Result<(), Malformed>,
    ) -> Result<Exchange, Error> {
        let until = reactor::now() + self.timeout;
        match reactor::timeout_at(until, self.exchange(what, parts, atomic, take)).await {
            Ok(result) => result,
            Err(_) => Err(Error::TimedOut(what)),
        }
    }

    async fn exchange(
        &mut self,
        what: &'static str,
        parts: &[Part],
        atomic: bool,
        mut take: impl FnMut(usize, u16, &[u8]) -> Result<(), Malformed>,
    ) -> Result<Exchange, Error> {
        if self.unfinished {
            self.watch = watch(self.protocol)?;
        }
        let first = self.sequence.wrapping_add(1);
        let (mut exchange, bytes) = Exchange::new(first, parts).map_err(|_| Error::TooLong(what))?;
        self.sequence = self.sequence.wrapping_add(exchange.len());
        self.unfinished = true;
        socket::send(self.watch.as_fd(), &bytes).map_err(|error| Error::System(what, error))?;
        while !exchange.is_complete() {
            match self.watch.try_read(|fd| receive(fd, &mut self.room)) {
                Ok(Received::Datagram(len)) => {
                    let datagram = self.room.get(..len).unwrap_or_default();
                    exchange
                        .handle(datagram, |number, message| take(number, message.kind, message.payload))
                        .map_err(|malformed| Error::Malformed(what, malformed))?;
                }
                Ok(Received::Foreign | Received::Nothing) => {}
                Ok(Received::Overrun) => return Err(Error::Overrun(what)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // All answers to a batch are there when sending it returns.
                    if atomic && exchange.is_refused() {
                        break;
                    }
                    self.watch.readable().await;
                }
                Err(error) => return Err(Error::System(what, error)),
            }
        }
        self.unfinished = false;
        Ok(exchange)
    }
}

fn watch(protocol: Protocol) -> Result<Watch, Error> {
    Watch::new(open(protocol)?).map_err(|error| Error::System("opening a netlink socket", error))
}

/// Receives, with nothing there as the error that the reactor waits by.
pub(crate) fn receive(fd: BorrowedFd<'_>, room: &mut [u8]) -> io::Result<Received> {
    match socket::receive(fd, room)? {
        Received::Nothing => Err(io::ErrorKind::WouldBlock.into()),
        received => Ok(received),
    }
}
