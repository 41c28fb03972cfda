//! A TCP server that does what a case says and records every byte of every connection.

use crate::case::{Step, Until};
use crate::message::{self, Found, Side};
use crate::peer::{Heard, Peer};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Names that were signalled, for ordering what clients and servers do.
#[derive(Debug, Default)]
pub struct Signals {
    given: Mutex<(Vec<String>, bool)>,
    changed: Condvar,
}

impl Signals {
    /// Gives one.
    pub fn give(&self, name: &str) {
        self.given.lock().unwrap().0.push(name.to_owned());
        self.changed.notify_all();
    }

    /// Lets everybody go.
    pub fn end(&self) {
        self.given.lock().unwrap().1 = true;
        self.changed.notify_all();
    }

    /// Waits for one; says whether it came (or the case is over).
    pub fn wait(&self, name: &str) -> bool {
        let deadline = Instant::now() + crate::DEADLINE;
        let mut given = self.given.lock().unwrap();
        while !given.1 && !given.0.iter().any(|n| n == name) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            given = self.changed.wait_timeout(given, left).unwrap().0;
        }
        true
    }
}

/// Runs steps on a connection, and says what it had to wait for in vain.
pub fn perform(
    peer: &Peer,
    steps: &[Step],
    signals: &Signals,
    bodyless: &mut Vec<usize>,
) -> Result<(), String> {
    let mut at = 0;
    let mut responses = 0;
    for step in steps {
        match step {
            Step::Send(bytes) => {
                if peer.send(bytes).is_err() && peer.end().is_none() {
                    // The other side may have closed while we wrote: that it did will be seen as the end.
                    peer.wait(crate::DEADLINE, |_| false);
                }
            }
            Step::Wait(Until::Response) => at = wait_response(peer, at, false, &mut responses, bodyless)?,
            Step::Wait(Until::Head) => at = wait_response(peer, at, true, &mut responses, bodyless)?,
            Step::Wait(Until::Message) => {
                let Some(end) = wait_message(peer, at)? else { return Ok(()) };
                at = end;
            }
            Step::Wait(Until::Bytes(n)) => {
                at += n;
                in_time(peer, &format!("{n} bytes"), |h| h.bytes.len() >= at)?;
            }
            Step::Wait(Until::Text(text)) => {
                in_time(peer, &crate::escape::escape(text), |h| place(&h.bytes, at, text).is_some())?;
                at = place(&peer.heard().bytes, at, text).map_or(at, |found| found + text.len());
            }
            Step::Wait(Until::Close) => in_time(peer, "the end", |h| h.end.is_some())?,
            Step::Wait(Until::Fin) => {
                in_time(peer, "FIN", |h| h.end.is_some())?;
                if peer.end() != Some(crate::peer::End::Fin) {
                    return Err("waited for FIN, got RST".to_owned());
                }
            }
            Step::Wait(Until::Reset) => {
                in_time(peer, "RST", |h| h.end.is_some())?;
                if peer.end() != Some(crate::peer::End::Reset) {
                    return Err("waited for RST, got FIN".to_owned());
                }
            }
            Step::Shutdown => peer.shutdown(),
            Step::Close => peer.close(),
            Step::Reset => peer.reset(),
            Step::Deaf => peer.listen(false),
            Step::Listen => peer.listen(true),
            Step::Drained => {
                peer.drained(Duration::from_millis(500));
            }
            Step::Signal(name) => signals.give(name),
            Step::Await(name) => {
                if !signals.wait(name) {
                    return Err(format!("waited in vain for signal {name}"));
                }
            }
            Step::AnswerAll => loop {
                let Some(end) = wait_message(peer, at)? else { return Ok(()) };
                let head = peer.heard().bytes[at..].starts_with(b"HEAD ");
                at = end;
                let answer: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                let _ = peer.send(&answer[..answer.len() - if head { 2 } else { 0 }]);
            },
        }
    }
    Ok(())
}

fn place(bytes: &[u8], from: usize, text: &[u8]) -> Option<usize> {
    bytes.get(from..)?.windows(text.len()).position(|w| w == text).map(|at| from + at)
}

/// Waits for `condition`; an end of the connection counts as an answer, a passed deadline does not.
fn in_time(peer: &Peer, what: &str, condition: impl Fn(&Heard) -> bool) -> Result<(), String> {
    if peer.wait(crate::DEADLINE, condition) || peer.end().is_some() {
        return Ok(());
    }
    Err(format!("waited in vain for {what}"))
}

fn wait_message(peer: &Peer, at: usize) -> Result<Option<usize>, String> {
    let found = |h: &Heard| match message::find(&h.bytes, at, Side::Request) {
        Found::Message(m) => Some(m.end),
        Found::Partial => None,
        Found::Other => Some(h.bytes.len()),
    };
    // No deadline of its own: whether a request comes is for the client's side to miss.
    if peer.wait(2 * crate::DEADLINE, |h| found(h).is_some()) {
        return Ok(found(&peer.heard()));
    }
    if peer.end().is_some() { Ok(None) } else { Err("waited in vain for a request".to_owned()) }
}

fn wait_response(
    peer: &Peer,
    at: usize,
    bodyless: bool,
    responses: &mut usize,
    list: &mut Vec<usize>,
) -> Result<usize, String> {
    if bodyless {
        list.push(*responses);
    }
    *responses += 1;
    let whole = |h: &Heard| {
        let mut at = at;
        loop {
            match message::find(&h.bytes, at, Side::Response { bodyless }) {
                Found::Partial => return None,
                Found::Other => return Some(h.bytes.len()),
                Found::Message(m) => match message::status(&h.bytes[m.head.clone()]) {
                    Some(100 | 102..=199) => at = m.end,
                    // A tunnel has its head as its whole; a body that runs to the end has its end.
                    Some(101) => return Some(m.head.end),
                    _ if matches!(m.body, message::Body::UntilClose(_)) && h.end.is_none() => return None,
                    _ => return Some(m.end),
                },
            }
        }
    };
    in_time(peer, "a response", |h| whole(h).is_some())?;
    let heard = peer.heard();
    Ok(whole(&heard).unwrap_or(heard.bytes.len()))
}

/// What one connection to a server was.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Every byte that came.
    pub bytes: Vec<u8>,
    /// What the script waited for in vain.
    pub stuck: Option<String>,
}

#[derive(Debug)]
struct Connection {
    from: SocketAddr,
    peer: Peer,
    stuck: Mutex<Option<String>>,
}

#[derive(Debug, Default)]
struct State {
    scripts: Vec<Arc<Vec<Step>>>,
    signals: Arc<Signals>,
    next: usize,
    connections: Vec<Arc<Connection>>,
    over: bool,
}

/// A listening server.
#[derive(Debug)]
pub struct RecordingServer {
    address: SocketAddr,
    state: Arc<(Mutex<State>, Condvar)>,
}

impl RecordingServer {
    /// Listens on a free loopback port.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a TCP port on loopback");
        let address = listener.local_addr().expect("its address");
        let state = Arc::new((Mutex::new(State::default()), Condvar::new()));
        let ours = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { continue };
                if ours.0.lock().unwrap().over {
                    return;
                }
                accept(stream, &ours);
            }
        });
        Self { address, state }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets what the next connections will meet; the last script repeats; none means every request is answered.
    pub fn begin(&self, scripts: Vec<Arc<Vec<Step>>>, signals: Arc<Signals>) {
        let mut state = self.state.0.lock().unwrap();
        *state = State { scripts, signals, ..State::default() };
    }

    /// Waits until every connection made so far has been accepted.
    pub fn fence(&self) {
        let Ok(fence) = TcpStream::connect_timeout(&self.address, crate::DEADLINE) else { return };
        let Ok(local) = fence.local_addr() else { return };
        let (lock, changed) = &*self.state;
        let state = lock.lock().unwrap();
        let waited = changed
            .wait_timeout_while(state, crate::DEADLINE, |s| !s.connections.iter().any(|c| c.from == local));
        waited.unwrap().0.connections.retain(|c| c.from != local);
    }

    /// Ends all connections of ours and waits until the proxy has ended them too.
    pub fn settle(&self) {
        self.fence();
        let connections = self.state.0.lock().unwrap().connections.clone();
        for connection in &connections {
            connection.peer.listen(true);
            connection.peer.shutdown();
        }
        for connection in &connections {
            if !connection.peer.wait(crate::DEADLINE / 2, |h| h.end.is_some())
                && connection.peer.end().is_none()
            {
                let mut stuck = connection.stuck.lock().unwrap();
                stuck.get_or_insert_with(|| "the proxy kept the connection open".to_owned());
            }
            connection.peer.close();
        }
    }

    /// What was recorded since [`RecordingServer::begin`], in the order connections came.
    pub fn recorded(&self) -> Vec<Recorded> {
        let state = self.state.0.lock().unwrap();
        let record = |c: &Arc<Connection>| Recorded {
            bytes: c.peer.heard().bytes,
            stuck: c.stuck.lock().unwrap().clone(),
        };
        state.connections.iter().map(record).collect()
    }
}

fn accept(stream: TcpStream, shared: &Arc<(Mutex<State>, Condvar)>) {
    let Ok(from) = stream.peer_addr() else { return };
    let mut state = shared.0.lock().unwrap();
    let steps = match state.scripts.get(state.next).or(state.scripts.last()) {
        Some(steps) => Arc::clone(steps),
        None => Arc::new(vec![Step::AnswerAll]),
    };
    let Ok(peer) = Peer::accepted(stream, steps.first() == Some(&Step::Deaf)) else { return };
    state.next += 1;
    let connection = Arc::new(Connection { from, peer, stuck: Mutex::new(None) });
    state.connections.push(Arc::clone(&connection));
    let signals = Arc::clone(&state.signals);
    drop(state);
    shared.1.notify_all();
    thread::spawn(move || {
        if let Err(stuck) = perform(&connection.peer, &steps, &signals, &mut Vec::new()) {
            *connection.stuck.lock().unwrap() = Some(stuck);
        }
        // As servers do: when the other side has ended, end too.
        while connection.peer.end().is_none() && !connection.peer.wait(crate::DEADLINE, |h| h.end.is_some()) {
        }
        connection.peer.shutdown();
    });
}

impl Drop for RecordingServer {
    fn drop(&mut self) {
        self.state.0.lock().unwrap().over = true;
        let _ = TcpStream::connect_timeout(&self.address, crate::DEADLINE);
    }
}
