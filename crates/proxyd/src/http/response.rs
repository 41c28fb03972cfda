//! The response's way out: its head read, edited and written, then its body.

use super::Scratch;
use super::account;
use super::exchange::{Stop, malformed};
use super::request::Keeps;
use crate::connect::{ServerSide, client_gone};
use crate::counters::BackendCounters;
use crate::pump::{Fault, Framed, Left, Pump, pipe_size, read_into, write_all};
use crate::session::Session;
use crate::state::Proxy;
use crate::trace::{Cause, Trace};
use ek_time::{Duration, Instant};
use http1::{ChunkDecoder, Framing, HopByHop, Limits, Persistence, Progress, Strictness, Version};
use reactor::Buffer;
use std::cell::Cell;
use std::future::poll_fn;
use std::io::{ErrorKind, IoSlice};
use std::task::Poll;

/// How long an answer may take before the loop is asked to watch the client of a new connection for its close: a system
/// call that is not worth it for quick answers.
const WATCH_AFTER: Duration = Duration::from_millis(10);

/// Room for a response: its head, and a small body with it in one read.
const RESPONSE_BUFFER: usize = 32 << 10;

/// A response that was sent whole.
pub(super) struct Sent {
    /// The server's connection can carry another exchange.
    pub keep_server: bool,
    /// What becomes of the client's connection.
    pub client: Persistence,
    /// Bytes that the server sent after the head of a tunnel.
    pub buffer: Buffer,
}

/// What a download came to.
pub(super) enum Download {
    /// The response was sent.
    Sent(Sent),
    /// A kept connection turned out to be closed before any byte of a response: another one may be tried.
    Stale,
}

/// One response.
pub(super) struct Responder<'a> {
    pub session: &'a Session,
    pub backend: &'a Proxy,
    pub server: &'a ServerSide,
    pub trace: &'a mut Trace,
    pub scratch: &'a mut Scratch,
    /// By when the server must have begun to answer; set once the request has been sent.
    pub answer_by: &'a Cell<Option<Instant>>,
}

impl Responder<'_> {
    /// Reads the response and sends it to the client.
    pub(super) async fn run(mut self) -> Result<Download, Stop> {
        // None is held while the server thinks.
        let mut buffer = Buffer::take(0);
        let Some(head_len) = self.read_head(&mut buffer).await? else { return Ok(Download::Stale) };
        let session = self.session;
        let status = self.scratch.response.status();
        self.trace.status = i32::from(status);
        self.trace.marks.response = Some(reactor::now());
        self.trace.bytes_out += account::response_head(&self.scratch.response, buffer.data());
        session.worker.frontend(&session.frontend).responses.count(status);
        session.worker.backend(self.backend).responses.count(status);
        session.worker.server(self.backend, self.server.slot.server).responses.count(status);

        let keeps = Keeps::of(&session.frontend, self.backend);
        let keep_client = keeps.client && !session.worker.state.stopping();
        let scratch = &mut *self.scratch;
        let edits = &mut scratch.response_edits;
        HopByHop::strip_response(&scratch.response, buffer.data(), edits);
        let (_, client) =
            http1::toward_client(&scratch.request, &scratch.response, buffer.data(), keep_client, edits);
        scratch.response_out.clear();
        edits.write_response(&scratch.response, buffer.data(), &mut scratch.response_out);
        let framing = scratch.response.framing();
        let keep_server = keeps.server
            && scratch.response.keep_alive()
            && !scratch.response.must_close()
            && !matches!(framing, Framing::UntilClose | Framing::Tunnel);
        buffer.consume(head_len);
        if session.frontend.config.options.logasap {
            let there = match framing {
                Framing::Length(n) => n.min(buffer.data().len() as u64),
                Framing::UntilClose => buffer.data().len() as u64,
                _ => 0,
            };
            self.trace.bytes_out += there;
            self.trace.log(session, Some(&scratch.request_line), true);
            self.trace.bytes_out -= there;
        }

        let (mut left, framed) = body_plan(framing, scratch.request.version());
        let tunnel = framing == Framing::Tunnel;
        let timeouts = (&self.backend.config.timeouts, &session.frontend.config.timeouts);
        let bytes_out = &mut self.trace.bytes_out;
        let pump = Pump {
            from: &self.server.stream,
            to: &session.stream,
            left: &mut left,
            framed,
            buffer: &mut buffer,
            timer: &session.timer,
            read_limit: timeouts.0.server,
            write_limit: timeouts.1.client,
            splice: !session.worker.state.config.global.nosplice,
            pipe_size: pipe_size(&session.worker.state.config.global),
            moved: &mut |n| *bytes_out += n,
        };
        let pumped = pump.run(&scratch.response_out).await;
        if let Err(fault) = pumped {
            self.count_fault(fault);
            return Err(Stop::during_response(fault));
        }
        let clean = buffer.is_empty() || tunnel;
        Ok(Download::Sent(Sent { keep_server: keep_server && clean, client, buffer }))
    }

    /// Reads until the final response's head is whole, passing interim ones on; `None`: the connection was stale.
    async fn read_head(&mut self, buffer: &mut Buffer) -> Result<Option<usize>, Stop> {
        let tune = &self.session.worker.state.config.global.tune;
        let limits = Limits {
            max_fields: tune.http_maxhdr as usize,
            max_bytes: (tune.bufsize - tune.maxrewrite) as usize,
        };
        let strictness = Strictness {
            accept_unsafe: self.backend.config.options.accept_unsafe_violations_in_http_response,
            ..Strictness::default()
        };
        let method = self.scratch.request.known_method();
        let mut untouched = true;
        loop {
            if !buffer.is_empty() {
                untouched = false;
                match self.scratch.response.parse(buffer.data_mut(), method, &limits, &strictness) {
                    Ok(Progress::Complete { len }) if self.scratch.response.is_interim() => {
                        Box::pin(self.pass_interim(buffer)).await?;
                        buffer.consume(len);
                        self.scratch.response.reset();
                        continue;
                    }
                    Ok(Progress::Complete { .. })
                        if self.scratch.response.switches_unasked(&self.scratch.request) =>
                    {
                        // HAProxy has counted the head by the time that it minds.
                        self.trace.bytes_out += account::response_head(&self.scratch.response, buffer.data());
                        return Err(self.failed(Cause(b'P', b'H'), 502));
                    }
                    Ok(Progress::Complete { len }) => {
                        let chunked = self.scratch.response.framing() == Framing::Chunked;
                        if chunked && malformed(buffer.data(), len) {
                            return Err(self.failed(Cause(b'P', b'H'), 502));
                        }
                        return Ok(Some(len));
                    }
                    Ok(Progress::Partial) => {}
                    Err(_) => return Err(self.failed(Cause(b'P', b'H'), 502)),
                }
            }
            self.wait_readable().await?;
            if buffer.size() == 0 {
                *buffer = Buffer::take((tune.bufsize as usize).max(RESPONSE_BUFFER));
            }
            buffer.compact();
            match read_into(&self.server.stream, buffer) {
                Ok(0) if untouched && self.server.reused => return Ok(None),
                Ok(0) => return Err(self.failed(Cause(b'S', b'H'), 502)),
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(_) if untouched && self.server.reused => return Ok(None),
                Err(_) => return Err(self.failed(Cause(b'S', b'H'), 502)),
            }
        }
    }

    fn failed(&self, cause: Cause, status: u16) -> Stop {
        self.count_failed();
        Stop::answer(cause, status)
    }

    fn counters(&self) -> [&BackendCounters; 2] {
        let worker = &self.session.worker;
        [worker.backend(self.backend), worker.server(self.backend, self.server.slot.server)]
    }

    fn count_failed(&self) {
        self.counters().into_iter().for_each(|counters| counters.response_errors.add(1));
    }

    /// A response that broke off is one that failed, unless the server was only silent or the client went away.
    fn count_fault(&self, fault: Fault) {
        if matches!(fault, Fault::Truncated | Fault::Read | Fault::Malformed) {
            self.count_failed();
        }
        if matches!(fault, Fault::Truncated | Fault::Read | Fault::ReadTimeout) {
            self.counters().into_iter().for_each(|counters| counters.server_aborts.add(1));
        }
    }

    /// Waits for the server, watching the client and the clock.
    async fn wait_readable(&self) -> Result<(), Stop> {
        let (session, server) = (self.session, &self.server.stream);
        let mut watch_from = (!session.stream.is_watched()).then(|| reactor::now() + WATCH_AFTER);
        poll_fn(|cx| {
            if server.poll_readable(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            loop {
                if watch_from.is_none() && client_gone(session, self.backend, cx) {
                    // One that has only ended its side (`option abortonclose`) can still read why it gets no answer.
                    let broken = session.stream.poll_broken(cx).is_ready();
                    let status = if broken { 0 } else { 400 };
                    return Poll::Ready(Err(Stop::answer(Cause(b'C', b'H'), status)));
                }
                let answer_by = self.answer_by.get();
                session.timer.set([answer_by, watch_from].into_iter().flatten().min());
                if session.timer.poll_expired(cx).is_pending() {
                    return Poll::Pending;
                }
                if answer_by.is_some_and(|by| reactor::now() >= by) {
                    return Poll::Ready(Err(self.failed(Cause(b's', b'H'), 504)));
                }
                watch_from = None;
            }
        })
        .await
    }

    /// Sends an interim response on; HTTP/1.0 clients know none (RFC 9110 section 15.2).
    async fn pass_interim(&mut self, buffer: &mut Buffer) -> Result<(), Stop> {
        let counters = self.session.worker.server(self.backend, self.server.slot.server);
        counters.responses.count(self.scratch.response.status());
        if self.scratch.request.version() == Version::Http10 {
            return Ok(());
        }
        let edits = &mut self.scratch.response_edits;
        self.trace.bytes_out += account::response_head(&self.scratch.response, buffer.data());
        HopByHop::strip_response(&self.scratch.response, buffer.data(), edits);
        let mut out = Vec::new();
        edits.write_response(&self.scratch.response, buffer.data(), &mut out);
        edits.clear();
        let limit = self.session.frontend.config.timeouts.client;
        let mut head = [IoSlice::new(&out)];
        write_all(&self.session.stream, &self.session.timer, limit, &mut head)
            .await
            .map_err(Stop::during_response)
    }
}

/// What is read of the body and how it is written.
fn body_plan(framing: Framing, client: Version) -> (Left, Framed) {
    match framing {
        Framing::None | Framing::Tunnel => (Left::Nothing, Framed::Plain),
        Framing::Length(n) => (Left::Length(n), Framed::Plain),
        Framing::Chunked => {
            let framed = if client == Version::Http10 { Framed::Plain } else { Framed::Chunks };
            (Left::Chunks(Box::new(ChunkDecoder::new())), framed)
        }
        Framing::UntilClose => (Left::UntilClose, Framed::Plain),
    }
}

impl Stop {
    /// A fault after the response's head was sent: nothing more can be said to the client.
    fn during_response(fault: Fault) -> Self {
        Self::silent(match fault {
            Fault::Truncated | Fault::Read | Fault::Malformed => Cause(b'S', b'D'),
            Fault::ReadTimeout => Cause(b's', b'D'),
            Fault::Write => Cause(b'C', b'D'),
            Fault::WriteTimeout => Cause(b'c', b'D'),
        })
    }
}
