//! One exchange: request head → backend → server → response → log.

use super::response::{Download, Responder, Sent};
use super::{Scratch, account, reply};
use crate::accept::linger;
use crate::connect::{ServerSide, Wishes, connect};
use crate::pump::{Fault, Framed, Left, Pump, pipe_size, write_all};
use crate::session::Session;
use crate::state::Proxy;
use crate::tcp;
use crate::trace::{Cause, Trace};
use crate::wait::deadline;
use ek_time::Instant;
use haproxy_cfg::model::HttpReuse;
use http1::{ChunkDecoder, ChunkStep, Framing, Limits, Persistence};
use reactor::{Buffer, Timer};
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io::IoSlice;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;

/// What becomes of the client's connection.
pub(super) enum Next {
    /// Another request; its first bytes, when they are there already.
    Request(Option<Buffer>),
    /// It is closed.
    Close,
    /// It is closed once the client had time to read the last response.
    Linger,
}

/// Why an exchange ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stop {
    /// For the log.
    pub cause: Cause,
    /// The status to answer with; 0: nothing (more) is said.
    pub status: u16,
    /// The request could not be parsed.
    pub unparsed: bool,
}

impl Stop {
    /// A request that is refused.
    pub(super) fn bad_request(status: u16) -> Self {
        Self { cause: Cause(b'P', b'R'), status, unparsed: true }
    }

    /// A request that did not come whole.
    pub(super) fn bad_request_from(cause: Cause, status: u16) -> Self {
        Self { cause, status, unparsed: true }
    }

    /// An answer of our own.
    pub(super) fn answer(cause: Cause, status: u16) -> Self {
        Self { cause, status, unparsed: false }
    }

    /// Nothing can be answered.
    pub(super) fn silent(cause: Cause) -> Self {
        Self { cause, status: 0, unparsed: false }
    }
}

/// One exchange.
pub(super) struct Exchange<'s> {
    pub(super) session: &'s Session,
    /// Boxed, since an exchange is moved from step to step.
    pub(super) trace: Box<Trace>,
    pub(super) scratch: Box<Scratch>,
    /// The request: its head, and what came behind it.
    pub(super) buffer: Buffer,
    /// The request's body has gone to a server, whole.
    uploaded: bool,
}

/// An exchange that went through.
struct Done {
    client: Persistence,
    /// The request's body was read to its end.
    request_whole: bool,
}

impl<'s> Exchange<'s> {
    /// The exchange that begins with the first bytes of a request.
    pub(super) fn begin(session: &'s Session, buffer: Buffer) -> Self {
        let mut trace = Box::new(Trace::new(session.begin, session.accepted));
        trace.marks.idle = Some(reactor::now().since(session.begin).as_millis() as u32);
        trace.request_started = reactor::wall();
        Self { session, trace, scratch: session.worker.take_scratch(), buffer, uploaded: false }
    }

    /// Serves the request whose head was read, or answers why it could not be.
    pub(super) async fn run(mut self, head: Result<usize, Stop>) -> Next {
        let outcome = match head {
            Ok(head_len) => self.steps(head_len).await,
            Err(stop) => Err(stop),
        };
        let mut unparsed = false;
        let next = match outcome {
            Ok(Done { client: Persistence::KeepAlive, request_whole: true }) => Next::Request(None),
            Ok(Done { request_whole: true, .. }) => Next::Close,
            // Boxed, as all that few exchanges need.
            Ok(Done { request_whole: false, .. }) => Box::pin(self.end_early()).await,
            Err(stop) => {
                unparsed = stop.unparsed;
                self.trace.cause = stop.cause;
                Box::pin(self.answer(stop)).await
            }
        };
        self.finish(unparsed, next)
    }

    /// The response was sent before all of the request was there: it is over when the client has ended it.
    async fn end_early(&mut self) -> Next {
        if linger(self.session).await && self.trace.cause == Cause::NONE {
            self.trace.cause = Cause(b'C', b'D');
        }
        Next::Close
    }

    async fn steps(&mut self, head_len: usize) -> Result<Done, Stop> {
        let session = self.session;
        let worker = &session.worker;
        if self.scratch.request.framing() == Framing::Chunked && malformed(self.buffer.data(), head_len) {
            // Seen before anything was done about the request: as if its head had been malformed.
            return Err(Stop::bad_request(400));
        }
        self.trace.marks.request = Some(reactor::now());
        self.trace.bytes_in += account::request_head(&self.scratch.request, self.buffer.data());
        let scratch = &mut *self.scratch;
        scratch.request.write_log_line(self.buffer.data(), &mut scratch.request_line);
        scratch.request_line.truncate(worker.state.config.global.tune.http_logurilen as usize);
        self.trace.number = worker.state.process.requests.fetch_add(1, Relaxed);
        worker.frontend(&session.frontend).requests.add(1);
        session.frontend.request_rate.count(reactor::now().as_millis());

        let Some(backend) = self.choose_backend() else {
            self.buffer.consume(head_len);
            self.trace.marks.request = None;
            return Err(Stop::answer(Cause(b'S', b'C'), 503));
        };
        worker.backend(&backend).sessions.add(1);
        worker.backend(&backend).requests.add(1);
        backend.backend.rate.count(reactor::now().as_millis());
        self.trace.backend = Some(Arc::clone(&backend));
        self.trace.log_connect(session);
        let _stay = backend.backend.stay();
        self.edit_request(&backend);
        self.buffer.consume(head_len);
        self.with_server(&backend).await
    }

    fn choose_backend(&self) -> Option<Arc<Proxy>> {
        let frontend = &self.session.frontend;
        match frontend.config.default_backend {
            Some(index) => self.session.worker.state.proxies.get(index).map(Arc::clone),
            None if frontend.config.kind.is_backend() => Some(Arc::clone(frontend)),
            None => None,
        }
    }

    /// Finds a server and lets it answer; a kept connection that was closed meanwhile is replaced once.
    async fn with_server(&mut self, backend: &Arc<Proxy>) -> Result<Done, Stop> {
        let session = self.session;
        let first = session.streams == 0;
        let reuse = backend.config.http_reuse;
        let mut fresh = false;
        let replayable = self.scratch.request.framing() == Framing::None;
        loop {
            let wishes = Wishes { reuse, first, fresh };
            let server = connect(session, backend, &mut self.trace, wishes)
                .await
                .map_err(|none| Stop::answer(none.cause, none.status))?;
            match self.serve_from(backend, &server).await? {
                Some((sent, request_whole)) => {
                    return self.after_response(backend, server, sent, request_whole).await;
                }
                None if replayable => fresh = true,
                // The server may have acted on it; the client, who knows whether that matters, must decide.
                None if !first => return Err(Stop::silent(Cause(b'S', b'H'))),
                None => return Err(Stop::answer(Cause(b'S', b'H'), 502)),
            }
        }
    }

    /// Sends the request and then, or with a body at the same time, the response; `None`: the connection was stale.
    async fn serve_from(
        &mut self,
        backend: &Proxy,
        server: &ServerSide,
    ) -> Result<Option<(Sent, bool)>, Stop> {
        let session = self.session;
        let body = match self.scratch.request.framing() {
            Framing::Length(n) => Some((Left::Length(n), Framed::Plain)),
            Framing::Chunked => Some((Left::Chunks(Box::new(ChunkDecoder::new())), Framed::Chunks)),
            _ => None,
        };
        if let Some((left, framed)) = body {
            return Box::pin(self.serve_with_body(backend, server, left, framed)).await;
        }
        let mut head = [IoSlice::new(&self.scratch.request_out)];
        // A server that takes nothing may have said why: the response decides.
        if write_all(&server.stream, &session.timer, backend.config.timeouts.server, &mut head).await
            == Err(Fault::WriteTimeout)
        {
            return Err(Stop::answer(Cause(b's', b'H'), 504));
        }
        let answer_by = Cell::new(deadline(backend.config.timeouts.server));
        let responder = Responder {
            session,
            backend,
            server,
            trace: &mut self.trace,
            scratch: &mut self.scratch,
            answer_by: &answer_by,
        };
        Ok(match responder.run().await? {
            Download::Sent(sent) => Some((sent, true)),
            Download::Stale => None,
        })
    }

    async fn serve_with_body(
        &mut self,
        backend: &Proxy,
        server: &ServerSide,
        mut left: Left,
        framed: Framed,
    ) -> Result<Option<(Sent, bool)>, Stop> {
        let session = self.session;
        let answer_by: Cell<Option<Instant>> = Cell::new(None);
        let answer_limit = backend.config.timeouts.server;
        let uploaded = Cell::new(0_u64);
        let request_out = std::mem::take(&mut self.scratch.request_out);
        let mut upload_end = None;
        let outcome = {
            let upload_timer = Timer::new();
            let mut count = |n| uploaded.set(uploaded.get() + n);
            let upload = Pump {
                from: &session.stream,
                to: &server.stream,
                left: &mut left,
                framed,
                buffer: &mut self.buffer,
                timer: &upload_timer,
                read_limit: session.frontend.config.timeouts.client,
                write_limit: backend.config.timeouts.server,
                splice: !session.worker.state.config.global.nosplice,
                pipe_size: pipe_size(&session.worker.state.config.global),
                moved: &mut count,
            }
            .run(&request_out);
            let download = Responder {
                session,
                backend,
                server,
                trace: &mut self.trace,
                scratch: &mut self.scratch,
                answer_by: &answer_by,
            }
            .run();

            let (mut upload, mut download) = (pin!(upload), pin!(download));
            let mut answered = None;
            poll_fn(|cx| {
                if upload_end.is_none()
                    && let Poll::Ready(end) = upload.as_mut().poll(cx)
                {
                    upload_end = Some(end);
                    answer_by.set(answer_limit.map(|span| reactor::now() + span));
                    let stop = end.err().and_then(upload_failed);
                    if let Some(stop) = stop.filter(|_| answered.is_none()) {
                        return Poll::Ready(Err(stop));
                    }
                }
                if answered.is_none()
                    && let Poll::Ready(outcome) = download.as_mut().poll(cx)
                {
                    answered = Some(outcome);
                }
                // A server that answers early and keeps its connection takes the rest of the request all the same.
                let rest_is_wanted = matches!(&answered, Some(Ok(Download::Sent(sent))) if sent.keep_server);
                match answered.take() {
                    Some(outcome) if upload_end.is_some() || !rest_is_wanted => Poll::Ready(outcome),
                    outcome => {
                        answered = outcome;
                        Poll::Pending
                    }
                }
            })
            .await
        };
        self.scratch.request_out = request_out;
        self.trace.bytes_in += uploaded.get();
        let whole = upload_end == Some(Ok(()));
        self.uploaded = whole;
        match upload_end {
            Some(Err(Fault::Truncated | Fault::Read)) => self.trace.cause = Cause(b'C', b'D'),
            Some(Err(Fault::ReadTimeout)) => self.trace.cause = Cause(b'c', b'D'),
            _ => {}
        }
        Ok(match outcome? {
            Download::Sent(sent) => Some((sent, whole)),
            Download::Stale => None,
        })
    }

    /// Puts the server's connection away and enters the tunnel, if one was agreed on.
    async fn after_response(
        &mut self,
        backend: &Arc<Proxy>,
        server: ServerSide,
        sent: Sent,
        request_whole: bool,
    ) -> Result<Done, Stop> {
        let session = self.session;
        if sent.client == Persistence::Tunnel {
            let to_client = sent.buffer;
            let to_server = std::mem::replace(&mut self.buffer, Buffer::take(0));
            let relay = tcp::relay(session, backend, &server.stream, to_server, to_client, &mut self.trace);
            self.trace.cause = Box::pin(relay).await;
            return Ok(Done { client: Persistence::Close, request_whole: true });
        }
        if sent.keep_server && request_whole {
            let ServerSide { stream, reused, slot } = server;
            if backend.config.http_reuse == HttpReuse::Never {
                session.own_connection.set(Some((backend.index, slot.server, stream)));
            } else {
                session.worker.pool.put(backend.index, slot.server, stream, reused);
            }
        }
        Ok(Done { client: sent.client, request_whole })
    }

    /// Logs and counts.
    fn finish(mut self, unparsed: bool, next: Next) -> Next {
        let session = self.session;
        if unparsed {
            self.trace.number = session.worker.state.process.requests.fetch_add(1, Relaxed);
            let counters = session.worker.frontend(&session.frontend);
            counters.requests.add(1);
            counters.request_errors.add(1);
            session.frontend.request_rate.count(reactor::now().as_millis());
        }
        let line = (!unparsed).then_some(self.scratch.request_line.as_slice());
        self.trace.log(session, line, false);
        self.trace.count_end(session);
        session.worker.put_scratch(self.scratch);
        match next {
            Next::Request(_) => Next::Request(Some(self.buffer).filter(|buffer| !buffer.is_empty())),
            next => next,
        }
    }

    /// Sends an error page. The connection is kept when request and page leave no doubt where the next message starts.
    async fn answer(&mut self, stop: Stop) -> Next {
        if stop.status == 0 || self.trace.status > 0 {
            return Next::Close;
        }
        let session = self.session;
        if stop.unparsed {
            self.trace.status = i32::from(stop.status);
            session.worker.frontend(&session.frontend).responses.count(stop.status);
            reply::bare(session, stop.status);
            return Next::Linger;
        }
        let request = &self.scratch.request;
        let head_only = request.known_method() == http1::Method::Head;
        let whole = self.uploaded || skip_body(request.framing(), &mut self.buffer);
        // After a 400 the client is not trusted with more, or has ended its side.
        let wish = whole && stop.status != 400 && request.keep_alive() && !session.worker.state.stopping();
        let mut keep = wish;
        let mut out = Vec::new();
        let backend = self.trace.backend.as_deref();
        reply::page(session, backend, stop.status, |page| {
            keep = wish && !page.closes();
            page.write(request.version(), !keep, head_only, &mut out);
            self.trace.bytes_out += account::page(page, head_only);
        });
        self.trace.status = i32::from(stop.status);
        session.worker.frontend(&session.frontend).responses.count(stop.status);
        if let Some(backend) = backend {
            session.worker.backend(backend).responses.count(stop.status);
        }
        let mut page = [IoSlice::new(&out)];
        match write_all(&session.stream, &session.timer, session.frontend.config.timeouts.client, &mut page)
            .await
        {
            Ok(()) if keep => Next::Request(None),
            Ok(()) => Next::Linger,
            Err(_) => Next::Close,
        }
    }
}

/// Whether the chunks behind the head, as far as they are here, are malformed.
pub(super) fn malformed(message: &[u8], head_len: usize) -> bool {
    let mut decoder = ChunkDecoder::new();
    let mut rest = message.get(head_len..).unwrap_or_default().to_vec();
    let mut rest = rest.as_mut_slice();
    while !rest.is_empty() {
        match decoder.feed(rest, &Limits::default()) {
            Ok(ChunkStep::Data { consumed, .. }) => rest = rest.get_mut(consumed..).unwrap_or_default(),
            Ok(ChunkStep::NeedMore { .. } | ChunkStep::End { .. }) => return false,
            Err(_) => return true,
        }
    }
    false
}

/// Takes a body out of the buffer that nobody is going to read; whether it was there to its end.
fn skip_body(framing: Framing, buffer: &mut Buffer) -> bool {
    match framing {
        Framing::None => true,
        Framing::Length(n) => {
            let there = usize::try_from(n).ok().filter(|&n| n <= buffer.data().len());
            if let Some(n) = there {
                buffer.consume(n);
            }
            there.is_some()
        }
        _ => false,
    }
}

/// Which upload faults end the exchange. When the server takes no more it may have answered already: the response
/// decides.
fn upload_failed(fault: Fault) -> Option<Stop> {
    match fault {
        Fault::Truncated | Fault::Read => Some(Stop::silent(Cause(b'C', b'D'))),
        Fault::ReadTimeout => Some(Stop::answer(Cause(b'c', b'D'), 408)),
        Fault::Malformed => Some(Stop::answer(Cause(b'P', b'H'), 400)),
        Fault::WriteTimeout => Some(Stop::answer(Cause(b's', b'D'), 504)),
        Fault::Write => None,
    }
}
