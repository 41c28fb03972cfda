//! Everything there is, and then everything that changes, without a gap between the two.

use crate::error::Error;
use crate::feed::{Event, Feed, Interests};
use crate::socket::{self, Received};
use reactor::Watch;
use std::future::poll_fn;
use std::io;
use std::os::fd::AsFd;
use std::task::{Context, Poll};

/// Room for news that arrive while the process does something else.
const RECEIVE_BUFFER: usize = 4 << 20;

/// Tells the links, addresses, routes and rules of a namespace, and what becomes of them.
///
/// News are subscribed to before anything is listed, on the same socket: what is told is in the order in which it
/// happened. When the process was too slow and news were lost, it says so ([`Event::Resync`]) and begins anew.
#[derive(Debug)]
pub struct Monitor {
    watch: Watch,
    feed: Feed,
    /// There while something is read.
    room: Vec<u8>,
}

impl Monitor {
    /// Opens a socket in the namespace that this thread is in, and subscribes.
    ///
    /// # Errors
    /// Those of opening a socket and of joining the groups.
    pub fn open(interests: Interests) -> Result<Self, Error> {
        let what = "monitoring the network";
        let system = |error: io::Error| Error::System(what, error);
        let fd = socket::open(libc::NETLINK_ROUTE, 0).map_err(system)?;
        socket::ask_for_words(fd.as_fd());
        socket::set_receive_buffer(fd.as_fd(), RECEIVE_BUFFER).map_err(system)?;
        for group in interests.groups() {
            socket::join(fd.as_fd(), group).map_err(system)?;
        }
        let port = socket::port(fd.as_fd()).map_err(system)?;
        let watch = Watch::new(fd).map_err(system)?;
        Ok(Self { watch, feed: Feed::new(interests, port), room: Vec::new() })
    }

    /// Sets how many bytes of news may wait; 4 MiB unless set. Halved by the system's limit without CAP_NET_ADMIN.
    ///
    /// # Errors
    /// Those of `setsockopt`.
    pub fn set_receive_buffer(&self, bytes: usize) -> Result<(), Error> {
        socket::set_receive_buffer(self.watch.as_fd(), bytes)
            .map_err(|error| Error::System("sizing the monitor's buffer", error))
    }

    /// The next event; never ends.
    ///
    /// # Errors
    /// When a listing is refused, or a system call fails: there will be no more events.
    pub async fn next(&mut self) -> Result<Event, Error> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next event if there is one now, without waiting: for draining what is there before acting on a timer.
    ///
    /// # Errors
    /// As for [`next`](Self::next).
    pub fn try_next(&mut self) -> Result<Option<Event>, Error> {
        loop {
            if let Some(event) = self.feed.poll_event() {
                return Ok(Some(event));
            }
            if let Some(error) = self.feed.take_failure() {
                return Err(error);
            }
            if let Some(request) = self.feed.poll_request() {
                socket::send(self.watch.as_fd(), &request)
                    .map_err(|error| Error::System("listing for the monitor", error))?;
                continue;
            }
            if self.room.is_empty() {
                self.room = vec![0; socket::ROOM];
            }
            match self.watch.try_read(|fd| socket::receive_or_block(fd, &mut self.room)) {
                Ok(Received::Datagram(len)) => self.feed.handle(self.room.get(..len).unwrap_or_default()),
                Ok(Received::Overrun) => self.feed.handle_overrun(),
                Ok(Received::Foreign | Received::Nothing) => {}
                // Asking for a request may have made an event.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.room = Vec::new();
                    return Ok(self.feed.poll_event());
                }
                Err(error) => return Err(Error::System("receiving news of the network", error)),
            }
        }
    }

    /// Polls for the next event.
    ///
    /// # Errors
    /// As for [`next`](Self::next).
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, Error>> {
        loop {
            match self.try_next() {
                Ok(Some(event)) => return Poll::Ready(Ok(event)),
                Ok(None) if self.watch.poll_readable(cx).is_pending() => return Poll::Pending,
                Ok(None) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}
