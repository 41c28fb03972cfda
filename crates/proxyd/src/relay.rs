//! Bytes both ways between two streams, unseen.

use crate::pump::read_into;
use crate::session::Session;
use crate::state::Proxy;
use crate::trace::Cause;
use ek_time::{Duration, Instant};
use reactor::{Buffer, Pipe, Stream};
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::task::{Context, Poll};

/// Room for one read.
const ROOM: usize = 32 << 10;
/// Steps of one direction before the other direction, and other tasks, have their turn.
const STEPS_PER_TURN: u32 = 16;
/// A read that fills this much speaks for a bulk transfer, which is spliced.
const BULK_FROM: usize = 16 << 10;

/// A relay between a client and a server.
pub struct Relay<'a> {
    session: &'a Session,
    to_server: Flow<'a>,
    to_client: Flow<'a>,
    client: Side,
    server: Side,
    /// `option independent-streams`: what is written to a side does not show that it is alive.
    independent: bool,
}

/// How a relay ended.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// For the log.
    pub cause: Cause,
    /// Bytes moved to the server.
    pub to_server: u64,
    /// Bytes moved to the client.
    pub to_client: u64,
}

/// One direction.
struct Flow<'a> {
    from: &'a Stream,
    to: &'a Stream,
    buffer: Buffer,
    pipe: Option<Pipe>,
    may_splice: bool,
    pipe_size: usize,
    bulk: bool,
    moved: u64,
    state: FlowState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FlowState {
    Open,
    /// The reader's end was seen; what was read before is still to be written.
    Ending,
    Done,
}

/// Which end of a flow failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    Reading,
    Writing,
}

/// One side's patience.
#[derive(Clone, Copy, Debug)]
struct Side {
    limit: Option<Duration>,
    /// In force once either side has sent its end.
    fin_limit: Option<Duration>,
    active: Instant,
}

impl Side {
    fn deadline(&self, ended: bool) -> Option<Instant> {
        let limit = if ended { self.fin_limit.or(self.limit) } else { self.limit };
        limit.map(|span| self.active + span)
    }
}

impl<'a> Relay<'a> {
    /// A relay of `session` with `server`; the buffers' bytes go out first.
    pub fn new(
        session: &'a Session,
        backend: &Proxy,
        server: &'a Stream,
        to_server: Buffer,
        to_client: Buffer,
    ) -> Self {
        let global = &session.worker.state.config.global;
        let splice = !global.nosplice;
        let pipe_size = crate::pump::pipe_size(global);
        let independent =
            session.frontend.config.options.independent_streams || backend.config.options.independent_streams;
        let (front, back) = (&session.frontend.config.timeouts, &backend.config.timeouts);
        let tunnel = back.tunnel.or(front.tunnel);
        let side = |own: Option<Duration>, fin| Side {
            limit: tunnel.or(own),
            fin_limit: fin,
            active: reactor::now(),
        };
        Self {
            session,
            to_server: Flow::new(&session.stream, server, to_server, splice, pipe_size),
            to_client: Flow::new(server, &session.stream, to_client, splice, pipe_size),
            independent,
            client: side(front.client, front.client_fin),
            server: side(back.server, back.server_fin),
        }
    }

    /// Relays until both directions ended, one of them broke, or a side was silent for too long.
    pub async fn run(mut self) -> End {
        let cause = poll_fn(|cx| self.poll(cx)).await;
        End { cause, to_server: self.to_server.moved, to_client: self.to_client.moved }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Cause> {
        let before = (self.to_server.moved, self.to_client.moved);
        let up = self.to_server.poll(cx);
        let down = self.to_client.poll(cx);
        let from_client = before.0 != self.to_server.moved;
        let from_server = before.1 != self.to_client.moved;
        if from_client || from_server && !self.independent {
            self.client.active = reactor::now();
        }
        if from_server || from_client && !self.independent {
            self.server.active = reactor::now();
        }
        match (up, down) {
            (Poll::Ready(Err(Broken::Reading)), _) | (_, Poll::Ready(Err(Broken::Writing))) => {
                return Poll::Ready(Cause(b'C', b'D'));
            }
            (Poll::Ready(Err(Broken::Writing)), _) | (_, Poll::Ready(Err(Broken::Reading))) => {
                return Poll::Ready(Cause(b'S', b'D'));
            }
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => return Poll::Ready(Cause::NONE),
            _ => {}
        }
        let half_closed = [&self.to_server, &self.to_client].iter().any(|flow| flow.state != FlowState::Open);
        let (client, server) = (self.client.deadline(half_closed), self.server.deadline(half_closed));
        let timer = &self.session.timer;
        timer.set([client, server].into_iter().flatten().min());
        if timer.poll_expired(cx).is_pending() {
            return Poll::Pending;
        }
        // Who has ended cannot be waited for: the other side is to blame.
        let client_ended = self.to_server.state != FlowState::Open;
        let client_first = match (client, server) {
            (Some(client), Some(server)) => client < server || client == server && !client_ended,
            (client, _) => client.is_some(),
        };
        Poll::Ready(Cause(if client_first { b'c' } else { b's' }, b'D'))
    }
}

impl<'a> Flow<'a> {
    fn new(from: &'a Stream, to: &'a Stream, buffer: Buffer, may_splice: bool, pipe_size: usize) -> Self {
        Self {
            from,
            to,
            buffer,
            pipe: None,
            may_splice,
            pipe_size,
            bulk: false,
            moved: 0,
            state: FlowState::Open,
        }
    }

    /// Moves what can be moved; ready when this direction has ended.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        if self.state == FlowState::Done {
            return Poll::Ready(Ok(()));
        }
        for _ in 0..STEPS_PER_TURN {
            if !self.buffer.is_empty() || self.pipe.as_ref().is_some_and(|p| !p.is_empty()) {
                match self.write_some() {
                    Ok(()) => continue,
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        if self.to.poll_writable(cx).is_pending() {
                            return Poll::Pending;
                        }
                        continue;
                    }
                    Err(_) => return Poll::Ready(Err(Broken::Writing)),
                }
            }
            if self.state == FlowState::Ending {
                self.state = FlowState::Done;
                return Poll::Ready(self.to.shutdown_write().map_err(|_| Broken::Writing));
            }
            match self.read_some() {
                Ok(0) => self.state = FlowState::Ending,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    // Nothing is held while idle.
                    self.buffer = Buffer::take(0);
                    if let Some(pipe) = self.pipe.take() {
                        pipe.give_back();
                    }
                    if self.from.poll_readable(cx).is_pending() {
                        return Poll::Pending;
                    }
                }
                Err(_) => return Poll::Ready(Err(Broken::Reading)),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn read_some(&mut self) -> io::Result<usize> {
        if self.bulk && self.may_splice {
            if self.pipe.is_none() {
                match Pipe::take(self.pipe_size) {
                    Ok(pipe) => self.pipe = Some(pipe),
                    Err(_) => self.may_splice = false,
                }
            }
            if let Some(pipe) = &mut self.pipe {
                let n = self.from.splice_to(pipe, usize::MAX)?;
                self.bulk = n >= BULK_FROM;
                return Ok(n);
            }
        }
        if self.buffer.size() == 0 {
            self.buffer = Buffer::take(ROOM);
        }
        self.buffer.clear();
        let n = read_into(self.from, &mut self.buffer)?;
        self.bulk = n >= BULK_FROM;
        Ok(n)
    }

    fn write_some(&mut self) -> io::Result<()> {
        let n = match &mut self.pipe {
            Some(pipe) if !pipe.is_empty() => self.to.splice_from(pipe, false)?,
            _ => {
                let n = self.to.try_write(self.buffer.data())?;
                self.buffer.consume(n);
                n
            }
        };
        self.moved += n as u64;
        Ok(())
    }
}
