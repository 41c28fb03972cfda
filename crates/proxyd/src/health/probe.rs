//! One check of one server.

use crate::health::Plan;
use check::{HttpProbe, Outcome, Status};
use ek_time::Duration;
use reactor::{ConnectOptions, SockAddr, Stream, Timer};
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::task::{Context, Poll, ready};

/// What a check says and hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// A connection is enough.
    Connect,
    /// `option httpchk`.
    Http {
        /// What is said.
        request: Vec<u8>,
        /// Bytes that the head of the answer may have.
        limit: usize,
    },
}

/// Bytes taken from a server at once.
const CHUNK: usize = 2_048;

impl Probe {
    /// Checks once. `timer` is the task's and used for as long as it takes.
    pub(crate) async fn run(&self, plan: &Plan, address: Option<&SockAddr>, timer: &Timer) -> Outcome {
        let Some(address) = address.or(plan.address.as_ref()) else {
            let none = Outcome::new(Status::SocketError).with_info(b"no port to check");
            return none.with_duration(Duration::ZERO);
        };
        let start = reactor::now();
        // Manual, `timeout check`: with it, the shorter of `timeout connect` and `inter` limits the connection, and it
        // limits what follows; without it, `inter` limits all.
        let until_connected = match (plan.check_timeout, plan.connect_timeout) {
            (Some(_), Some(connect)) => connect.min(plan.pace.inter),
            _ => plan.pace.inter,
        };
        timer.set(Some(start + until_connected));
        let outcome = match connect(address, timer).await {
            Err(outcome) => outcome,
            Ok(stream) => {
                if let Some(limit) = plan.check_timeout {
                    timer.set(Some(reactor::now() + limit));
                }
                let outcome = match self {
                    Self::Connect => Outcome::new(Status::L4Ok),
                    Self::Http { request, limit } => talk(&stream, request, *limit, timer).await,
                };
                // A reset: no TIME_WAIT here, and a server that only wanted to be connected to is told at once.
                let _ = stream.set_linger_zero();
                outcome
            }
        };
        outcome.with_duration(reactor::now().since(start))
    }
}

/// The system's words for an error, without the number that Rust adds.
fn words(error: &io::Error) -> String {
    let words = error.to_string();
    words.split(" (os error ").next().unwrap_or_default().to_owned()
}

fn failed(status: Status, error: &io::Error) -> Outcome {
    Outcome::new(status).with_info(words(error).as_bytes())
}

async fn connect(address: &SockAddr, timer: &Timer) -> Result<Stream, Outcome> {
    let options = ConnectOptions { nodelay: true, ..ConnectOptions::default() };
    let stream = Stream::connect(address, &options).map_err(|error| failed(blame(&error), &error))?;
    let result = or_expired(timer, |cx| stream.poll_connected(cx)).await;
    match result {
        Some(Ok(())) => Ok(stream),
        Some(Err(error)) => Err(failed(Status::L4Connection, &error)),
        None => Err(Outcome::new(Status::L4Timeout)),
    }
}

/// Whose fault it is that a connection could not even be begun: the server's, or this machine's, short of sockets, ports
/// or memory.
fn blame(error: &io::Error) -> Status {
    match error.kind() {
        ErrorKind::ConnectionRefused
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NetworkDown
        | ErrorKind::TimedOut
        | ErrorKind::PermissionDenied
        | ErrorKind::NotFound => Status::L4Connection,
        _ => Status::SocketError,
    }
}

/// What `poll` comes to; `None` when the timer was first.
async fn or_expired<T>(timer: &Timer, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Option<T> {
    poll_fn(|cx| match poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => timer.poll_expired(cx).map(|()| None),
    })
    .await
}

/// Says the request and hears the answer, at the same time: a server may answer early.
async fn talk(stream: &Stream, request: &[u8], limit: usize, timer: &Timer) -> Outcome {
    let mut unsaid = request;
    let mut probe = HttpProbe::new(limit);
    let mut broken = None;
    let outcome = or_expired(timer, |cx| {
        // The answer counts even when the server did not want to hear all.
        match say(stream, &mut unsaid, cx) {
            Poll::Ready(Err(error)) => (unsaid, broken) = (b"".as_slice(), Some(error)),
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
        hear(stream, &mut probe, broken.as_ref(), cx)
    })
    .await;
    outcome.unwrap_or(Outcome::new(Status::L7Timeout))
}

fn say(stream: &Stream, unsaid: &mut &[u8], cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    while !unsaid.is_empty() {
        match stream.try_write(unsaid) {
            Ok(len) => *unsaid = unsaid.get(len..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => ready!(stream.poll_writable(cx)),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
    Poll::Ready(Ok(()))
}

/// Reads until the probe can judge; its limit bounds the loop.
fn hear(
    stream: &Stream,
    probe: &mut HttpProbe,
    broken: Option<&io::Error>,
    cx: &mut Context<'_>,
) -> Poll<Outcome> {
    let mut chunk = [0; CHUNK];
    loop {
        let heard = match stream.try_read(&mut chunk) {
            Ok(0) => match broken {
                Some(error) => return Poll::Ready(failed(Status::SocketError, error)),
                None => probe.feed(b"", true),
            },
            Ok(len) => probe.feed(chunk.get(..len).unwrap_or_default(), false),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                ready!(stream.poll_readable(cx));
                None
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => None,
            Err(error) => return Poll::Ready(failed(Status::SocketError, &error)),
        };
        if let Some(outcome) = heard {
            return Poll::Ready(outcome);
        }
    }
}
