//! One client connection, from accept to close.

use crate::accept::Admission;
use crate::state::Proxy;
use crate::worker::Worker;
use crate::{http, tcp};
use ek_time::{Instant, WallTime};
use haproxy_cfg::model::{Address, Mode};
use logformat::Endpoint;
use reactor::{SockAddr, Stream, Timer};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

/// One client connection.
pub struct Session {
    /// The worker that serves it.
    pub worker: Rc<Worker>,
    /// Where it came in.
    pub frontend: Arc<Proxy>,
    /// By which of the frontend's listeners.
    pub bind: usize,
    /// The connection.
    pub stream: Stream,
    /// For its waits.
    pub timer: Timer,
    /// When it was accepted or, later, when the last stream on it ended.
    pub begin: Instant,
    /// The same on the wall clock.
    pub accepted: WallTime,
    /// Streams it carried to their end.
    pub streams: u32,
    /// Backend and server of its last stream.
    pub last_server: Cell<Option<(usize, usize)>>,
    /// Under `http-reuse never`: the idle connection to the backend's server that served the last request.
    pub own_connection: Cell<Option<(usize, usize, Stream)>>,
    peer: SockAddr,
    stop_place: Cell<Option<usize>>,
    _admission: Admission,
}

impl Session {
    /// A session that was just accepted.
    pub fn new(
        worker: Rc<Worker>,
        frontend: Arc<Proxy>,
        bind: usize,
        stream: Stream,
        peer: SockAddr,
        admission: Admission,
    ) -> Self {
        worker.enter();
        Self {
            worker,
            frontend,
            bind,
            stream,
            timer: Timer::new(),
            begin: reactor::now(),
            accepted: reactor::wall(),
            streams: 0,
            last_server: Cell::new(None),
            own_connection: Cell::new(None),
            peer,
            stop_place: Cell::new(None),
            _admission: admission,
        }
    }

    /// The client, as logs show it.
    pub fn peer(&self) -> Endpoint {
        self.endpoint(&self.peer)
    }

    /// The client's IP address, when it has one.
    pub fn peer_ip(&self) -> Option<std::net::IpAddr> {
        self.peer.ip().map(|a| a.ip())
    }

    /// Where the client connected to: the listener's address when it is just one, else asked of the kernel.
    pub fn local(&self) -> Endpoint {
        match self.frontend.config.binds.get(self.bind).map(|b| &b.address) {
            Some(Address::Ip(address)) if !address.ip().is_unspecified() && address.port() != 0 => {
                Endpoint::Ip(*address)
            }
            _ => self.stream.local_addr().map_or(Endpoint::Unknown, |a| self.endpoint(&a)),
        }
    }

    fn endpoint(&self, address: &SockAddr) -> Endpoint {
        match address.ip() {
            Some(address) => Endpoint::Ip(canonical(address)),
            None => Endpoint::Unix(self.frontend.config.binds.get(self.bind).map_or(0, |b| b.id)),
        }
    }

    /// Ready once a soft stop was asked for.
    pub fn poll_stopping(&self, cx: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        self.worker.poll_stopping(&self.stop_place, cx)
    }
}

/// IPv4 clients of an IPv6 socket are shown as IPv4.
fn canonical(address: std::net::SocketAddr) -> std::net::SocketAddr {
    std::net::SocketAddr::new(address.ip().to_canonical(), address.port())
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.frontend.config.options.nolinger {
            let _ = self.stream.set_linger_zero();
        }
        self.worker.forget(&self.stop_place);
        self.worker.leave();
    }
}

/// Serves one client connection in a task of its own. Boxed, since a future holds its arguments twice.
pub fn begin(session: Box<Session>) {
    match session.frontend.config.mode {
        Mode::Http => reactor::spawn(http::serve(session)),
        Mode::Tcp => reactor::spawn(tcp::serve(session)),
    }
}
