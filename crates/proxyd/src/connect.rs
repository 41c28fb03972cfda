//! From a backend to a connected server: choice, queue, connect, retries, redispatch.

use crate::backend::{Chosen, Slot, choose, choose_again};
use crate::session::Session;
use crate::state::Proxy;
use crate::trace::{Cause, Trace};
use crate::wait::{deadline, until};
use ek_time::Duration;
use haproxy_cfg::model::{Address, HttpReuse, PortOffset};
use reactor::{ConnectOptions, KeepAlive, SockAddr, Stream, Timer};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A stream's connection to a server.
pub struct ServerSide {
    /// The connection.
    pub stream: Stream,
    /// It carried an exchange before.
    pub reused: bool,
    /// The stream's place on the server.
    pub slot: Slot,
}

/// Why there is no connection: what the log says and the status to answer with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoServer {
    /// For the log.
    pub cause: Cause,
    /// For the client.
    pub status: u16,
}

/// What makes a stream's way to a server differ.
#[derive(Clone, Copy, Debug)]
pub struct Wishes {
    /// Which idle connections may be used.
    pub reuse: HttpReuse,
    /// It is its session's first request.
    pub first: bool,
    /// Only a new connection will do.
    pub fresh: bool,
}

/// After a refused connection the same server is tried again no sooner than this (manual, `retries`).
const TURN_AROUND: Duration = Duration::from_secs(1);

/// Finds a server in `backend` and a connection to it. Marks and counts go to `trace`.
///
/// # Errors
/// No server is usable, the queue's time is over, or all attempts failed.
pub async fn connect(
    session: &Session,
    backend: &Arc<Proxy>,
    trace: &mut Trace,
    wishes: Wishes,
) -> Result<ServerSide, NoServer> {
    let worker = &session.worker;
    let config = &backend.config;
    let mut slot = match last_server(session, backend) {
        Some(slot) => {
            trace.marks.queue = Some(reactor::now());
            slot
        }
        None => take_slot(session, backend, trace, None).await?,
    };
    let mut retries_left = config.retries;
    loop {
        let server_index = slot.server;
        let Some(server) = slot.server() else { return Err(NO_SERVER) };
        trace.server = Some(server_index);
        session.last_server.set(Some((backend.index, server_index)));
        let counters = worker.server(backend, server_index);
        let now_ms = reactor::now().as_millis();
        counters.sessions.add(1);
        counters.last_session.set(now_ms.max(1));
        server.rate.count(now_ms);
        let kept = match wishes.reuse {
            _ if wishes.fresh => None,
            HttpReuse::Never => own_connection(session, backend.index, server_index),
            reuse => worker.pool.take(backend.index, server_index, reuse, wishes.first),
        };
        if let Some(stream) = kept {
            counters.reuses.add(1);
            worker.backend(backend).reuses.add(1);
            trace.marks.connect = Some(reactor::now());
            return Ok(ServerSide { stream, reused: true, slot });
        }
        counters.connects.add(1);
        worker.backend(backend).connects.add(1);
        let failure = match attempt(session, backend, &server.config.address, &session.timer).await {
            Ok(stream) => {
                trace.marks.connect = Some(reactor::now());
                return Ok(ServerSide { stream, reused: false, slot });
            }
            Err(failure) => failure,
        };
        if retries_left == 0 || failure == Failure::Gone {
            counters.connect_errors.add(1);
            worker.backend(backend).connect_errors.add(1);
            if failure == Failure::Gone {
                return Err(CLIENT_GONE);
            }
            let who = match failure {
                Failure::TimedOut => b's',
                Failure::Exhausted => b'R',
                Failure::Refused | Failure::Gone => b'S',
            };
            return Err(NoServer { cause: Cause(who, b'C'), status: 503 });
        }
        retries_left -= 1;
        trace.retries += 1;
        let many = config.options.redispatch.is_some() && backend.backend.usable().0 > 1;
        let pause = config.timeouts.connect.map_or(TURN_AROUND, |limit| limit.min(TURN_AROUND));
        let held = if many || redispatch_is_due(config.options.redispatch, trace.retries, config.retries) {
            drop(slot);
            None
        } else {
            Some(slot)
        };
        // With several servers to choose from, the failure of this one is no reason to wait.
        if failure != Failure::TimedOut && !(many && held.is_none()) {
            wait_or_abort(session, backend, pause).await.inspect_err(|_| {
                counters.connect_errors.add(1);
                worker.backend(backend).connect_errors.add(1);
            })?;
        }
        slot = match held {
            Some(slot) => slot,
            None => take_slot(session, backend, trace, Some(server_index)).await?,
        };
        if slot.server == server_index {
            counters.retries.add(1);
            worker.backend(backend).retries.add(1);
        } else {
            counters.redispatches.add(1);
            worker.backend(backend).redispatches.add(1);
            trace.redispatched = true;
        }
    }
}

const NO_SERVER: NoServer = NoServer { cause: Cause(b'S', b'C'), status: 503 };
const CLIENT_GONE: NoServer = NoServer { cause: Cause(b'C', b'C'), status: 503 };

/// The session's own idle connection, when it leads to this server.
fn own_connection(session: &Session, proxy: usize, server: usize) -> Option<Stream> {
    let (to_proxy, to_server, stream) = session.own_connection.take()?;
    ((to_proxy, to_server) == (proxy, server) && crate::pool::quiet(&stream)).then_some(stream)
}

/// `option prefer-last-server`: a place on the server that served the session's last request.
fn last_server(session: &Session, backend: &Arc<Proxy>) -> Option<Slot> {
    let (proxy, server) = session.last_server.get()?;
    let prefers = backend.config.options.prefer_last_server && proxy == backend.index;
    if prefers { choose_again(backend, server) } else { None }
}

/// `option redispatch N`: on every N-th retry, or counted from the last one when negative. `retry` is the one to come, of
/// `all`. With more than one active server every retry goes to another one.
fn redispatch_is_due(interval: Option<i32>, retry: u32, all: u32) -> bool {
    let period = match interval {
        None | Some(0) => return false,
        Some(n) if n > 0 => n.unsigned_abs(),
        Some(n) => (all + 1).saturating_sub(n.unsigned_abs()),
    };
    period != 0 && retry.is_multiple_of(period)
}

/// A place on a server, waiting in the queue when all are full.
async fn take_slot(
    session: &Session,
    backend: &Arc<Proxy>,
    trace: &mut Trace,
    avoid: Option<usize>,
) -> Result<Slot, NoServer> {
    let counters = session.worker.backend(backend);
    let slot = match choose(backend, avoid) {
        Chosen::Server(slot) => {
            // The same one again is no choice.
            if avoid != Some(slot.server) {
                counters.chosen.add(1);
                session.worker.server(backend, slot.server).chosen.add(1);
            }
            slot
        }
        Chosen::None => {
            counters.connect_errors.add(1);
            return Err(NO_SERVER);
        }
        Chosen::Queued(mut ticket) => {
            let timeouts = &backend.config.timeouts;
            let limit = timeouts.queue.or(timeouts.connect);
            let given = until(&session.timer, deadline(limit), |cx| {
                if let Poll::Ready(slot) = ticket.poll_slot(cx) {
                    return Poll::Ready(Some(slot));
                }
                if client_gone(session, backend, cx) { Poll::Ready(None) } else { Poll::Pending }
            })
            .await;
            let left = match given {
                Ok(Some((slot, position))) => {
                    trace.backend_queue = position;
                    Ok(slot)
                }
                Ok(None) => Err(NoServer { cause: Cause(b'C', b'Q'), status: 503 }),
                Err(_) => Err(NoServer { cause: Cause(b's', b'Q'), status: 503 }),
            };
            if left.is_err() {
                counters.connect_errors.add(1);
                trace.backend_queue = ticket.leave();
                trace.marks.queue = Some(reactor::now());
            }
            left?
        }
    };
    counters.last_session.set(reactor::now().as_millis().max(1));
    trace.marks.queue = Some(reactor::now());
    Ok(slot)
}

/// Whether nobody waits for the answer any more: the client's connection broke or, under `option abortonclose`, the
/// client has ended its side. The task is woken when that happens.
pub fn client_gone(session: &Session, backend: &Proxy, cx: &mut Context<'_>) -> bool {
    if backend.config.options.abortonclose == Some(true) {
        session.stream.poll_peer_closed(cx).is_ready()
    } else {
        session.stream.poll_broken(cx).is_ready()
    }
}

async fn wait_or_abort(session: &Session, backend: &Proxy, pause: Duration) -> Result<(), NoServer> {
    let gone = until(&session.timer, deadline(Some(pause)), |cx| {
        if client_gone(session, backend, cx) { Poll::Ready(()) } else { Poll::Pending }
    });
    if gone.await.is_ok() { Err(CLIENT_GONE) } else { Ok(()) }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    Refused,
    TimedOut,
    /// No descriptor, port or memory is left here.
    Exhausted,
    /// The client went away meanwhile.
    Gone,
}

/// One attempt to connect to a server.
async fn attempt(
    session: &Session,
    backend: &Proxy,
    address: &Address,
    timer: &Timer,
) -> Result<Stream, Failure> {
    let address = destination(session, address).ok_or(Failure::Refused)?;
    let options = ConnectOptions {
        nodelay: true,
        keep_alive: backend.config.options.tcpka_server.then(KeepAlive::default),
        receive_buffer: session.worker.state.config.global.tune.rcvbuf_server,
        send_buffer: session.worker.state.config.global.tune.sndbuf_server,
        ..ConnectOptions::default()
    };
    let begin = || Stream::connect(&address, &options);
    let begun = match begin() {
        // Idle connections hold what it takes.
        Err(error) if session.worker.make_room(&error) => begin(),
        begun => begun,
    };
    let stream = begun.map_err(|error| {
        let exhausted = reactor::is_shortage(&error) || error.kind() == io::ErrorKind::AddrNotAvailable;
        if exhausted { Failure::Exhausted } else { Failure::Refused }
    })?;
    let limit = deadline(backend.config.timeouts.connect);
    let connected = until(timer, limit, |cx| {
        if let Poll::Ready(result) = stream.poll_connected(cx) {
            return Poll::Ready(Some(result));
        }
        if client_gone(session, backend, cx) { Poll::Ready(None) } else { Poll::Pending }
    });
    match connected.await {
        Ok(Some(Ok(()))) => Ok(stream),
        Ok(Some(Err(error))) if error.kind() == io::ErrorKind::TimedOut => Err(Failure::TimedOut),
        Ok(Some(Err(_))) => Err(Failure::Refused),
        Ok(None) => Err(Failure::Gone),
        Err(_) => Err(Failure::TimedOut),
    }
}

/// The socket address of a server, its port worked out from the client's when it is relative.
fn destination(session: &Session, address: &Address) -> Option<SockAddr> {
    match address {
        Address::Ip(address) => Some(SockAddr::from(*address)),
        Address::IpRelative(ip, offset) => {
            let came_to = match session.local() {
                logformat::Endpoint::Ip(address) => i32::from(address.port()),
                _ => return None,
            };
            let offset = match offset {
                PortOffset::Absolute => 0,
                PortOffset::Relative(by) => *by,
            };
            let port = u16::try_from(came_to + offset).ok()?;
            Some(SockAddr::from(SocketAddr::new(*ip, port)))
        }
        Address::Unix(path) => Some(SockAddr::Path(path.clone())),
        Address::Abstract(name, exact) => Some(SockAddr::Abstract(abstract_name(name, *exact))),
        Address::Fd(_) | Address::SockPair(_) => None,
    }
}

/// The name as it stands in the socket address: filled up with NULs unless it was written with `abnsz@`.
pub fn abstract_name(name: &[u8], exact: bool) -> Vec<u8> {
    const ROOM: usize = 107;
    let mut name = name.to_vec();
    if !exact {
        name.resize(ROOM, 0);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::redispatch_is_due;

    #[test]
    fn redispatch_happens_on_every_nth_retry_or_counted_from_the_last() {
        let due = |interval, all| -> Vec<u32> {
            (1..=all).filter(|&retry| redispatch_is_due(Some(interval), retry, all)).collect()
        };
        assert_eq!(due(-1, 3), [3]);
        assert_eq!(due(-2, 3), [2]);
        assert_eq!(due(1, 3), [1, 2, 3]);
        assert_eq!(due(2, 5), [2, 4]);
        assert!(due(-9, 3).is_empty());
        assert!(!redispatch_is_due(None, 3, 3));
    }
}
