//! HTTP/1 clients: one exchange after the other on a connection.

mod account;
mod exchange;
mod reply;
mod request;
mod response;

use crate::accept::linger;
use crate::pump::read_into;
use crate::session::Session;
use crate::trace::{Cause, Trace};
use crate::wait::until;
use ek_time::Duration;
use exchange::{Exchange, Next};
use http1::{Edits, RequestHead, ResponseHead};
use reactor::Buffer;
use std::io::ErrorKind;
use std::task::Poll;

pub use reply::Pages;

/// Memory that one exchange needs and the next one can use again.
#[derive(Debug, Default)]
pub struct Scratch {
    /// The request head's index.
    pub request: RequestHead,
    /// Changes to it.
    pub request_edits: Edits,
    /// The response head's index.
    pub response: ResponseHead,
    /// Changes to it.
    pub response_edits: Edits,
    /// The request head as it goes to the server.
    pub request_out: Vec<u8>,
    /// The response head as it goes to the client.
    pub response_out: Vec<u8>,
    /// The request line as logs show it.
    pub request_line: Vec<u8>,
}

impl Scratch {
    /// Forgets everything but its memory.
    pub fn reset(&mut self) {
        self.request.reset();
        self.request_edits.clear();
        self.response.reset();
        self.response_edits.clear();
        self.request_out.clear();
        self.response_out.clear();
        self.request_line.clear();
    }
}

/// What came while waiting for a request.
enum Arrival {
    /// Its first bytes.
    Bytes(Buffer),
    /// The client closed, or its connection failed.
    Closed,
    /// Nothing in time.
    TimedOut,
}

/// How long an idle connection stays open after a soft stop began. A request may be under way: closing at once would lose
/// it, while in this time it is served and told that it was the last one.
const LAST_CALL: Duration = Duration::from_secs(1);

/// Serves one client connection in HTTP mode.
pub async fn serve(mut session: Box<Session>) {
    let mut kept = None;
    loop {
        let buffer = match kept.take() {
            Some(buffer) => buffer,
            None => match wait_for_request(&session).await {
                Arrival::Bytes(buffer) => buffer,
                Arrival::Closed => {
                    no_request(&session, Cause(b'C', b'R'), 400);
                    return;
                }
                Arrival::TimedOut => {
                    if no_request(&session, Cause(b'c', b'R'), 408) {
                        Box::pin(linger(&session)).await;
                    }
                    return;
                }
            },
        };
        // Boxed, so that an idle connection's task is small; a head that comes in pieces has a small box of its own.
        let next = match Exchange::begin(&session, buffer).parse() {
            (exchange, Some(head)) => Box::pin(exchange.run(head)).await,
            (exchange, None) => {
                let (exchange, head) = Box::pin(exchange.read_head()).await;
                Box::pin(exchange.run(head)).await
            }
        };
        session.streams += 1;
        session.begin = reactor::now();
        session.accepted = reactor::wall();
        match next {
            Next::Request(buffer) => {
                // Requests that are there already and need no server must not keep others waiting.
                if buffer.is_some() {
                    reactor::yield_now().await;
                }
                kept = buffer;
            }
            Next::Close => return,
            Next::Linger => {
                Box::pin(linger(&session)).await;
                return;
            }
        }
    }
}

/// Waits for the first bytes of a request without holding a buffer.
async fn wait_for_request(session: &Session) -> Arrival {
    let timeouts = &session.frontend.config.timeouts;
    let limit = if session.streams == 0 {
        timeouts.http_request.or(timeouts.client)
    } else {
        timeouts.http_keep_alive.or(timeouts.http_request).or(timeouts.client)
    };
    let mut deadline = limit.map(|span| session.begin + span);
    // A first request was promised by connecting; between requests nothing is lost by closing.
    let mut may_close = session.streams > 0 && !session.frontend.config.options.idle_close_on_response;
    let size = session.worker.state.config.global.tune.bufsize as usize;
    loop {
        let mut buffer = Buffer::take(size);
        match read_into(&session.stream, &mut buffer) {
            Ok(0) => return Arrival::Closed,
            Ok(_) => return Arrival::Bytes(buffer),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return Arrival::Closed,
        }
        drop(buffer);
        let ready = until(&session.timer, deadline, |cx| {
            if session.stream.poll_readable(cx).is_ready() {
                return Poll::Ready(true);
            }
            if may_close && session.poll_stopping(cx).is_ready() { Poll::Ready(false) } else { Poll::Pending }
        });
        match ready.await {
            Ok(true) => {}
            Ok(false) => {
                may_close = false;
                let last_call = reactor::now() + LAST_CALL;
                deadline = Some(deadline.map_or(last_call, |other| other.min(last_call)));
            }
            Err(_) => return Arrival::TimedOut,
        }
    }
}

/// Answers, logs and counts a connection that ended before its first request came; whether it did. Between requests
/// that is how connections end, and with `option http-ignore-probes` it means nothing either. A client that closed has
/// perhaps only closed its own direction, and is answered too.
fn no_request(session: &Session, cause: Cause, status: u16) -> bool {
    let options = &session.frontend.config.options;
    if session.streams > 0 || options.http_ignore_probes {
        return false;
    }
    reply::bare(session, status);
    let counters = session.worker.frontend(&session.frontend);
    counters.requests.add(1);
    counters.request_errors.add(1);
    counters.responses.count(status);
    session.frontend.request_rate.count(reactor::now().as_millis());
    if !options.dontlognull {
        let mut trace = Trace::new(session.begin, session.accepted);
        trace.cause = cause;
        trace.status = i32::from(status);
        trace.log(session, None, false);
    }
    true
}
