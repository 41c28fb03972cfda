//! Accepting clients, within the limits of process, frontend and listener.

use crate::session::{self, Session};
use crate::state::{Proxy, State};
use crate::wait;
use crate::worker::Worker;
use reactor::{SockAddr, Stream};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;

/// A client's share of all limits, given back on drop.
#[derive(Debug)]
pub struct Admission {
    state: Arc<State>,
    frontend: Arc<Proxy>,
    bind: usize,
}

impl Admission {
    /// Counts one more client, unless a limit is reached.
    fn try_new(state: &Arc<State>, frontend: &Arc<Proxy>, bind: usize) -> Option<Self> {
        let limits = [
            (Some(&state.process.connections), state.process.maxconn),
            (Some(&frontend.connections), frontend.maxconn),
            (
                frontend.listeners.get(bind).map(|l| &l.connections),
                frontend.config.binds.get(bind).and_then(|b| b.maxconn).unwrap_or(0),
            ),
        ];
        let limits = limits.map(|(gauge, limit)| Some((gauge?, limit)));
        let limits = || limits.iter().flatten();
        if limits().any(|(gauge, limit)| *limit != 0 && gauge.get() >= *limit) {
            return None;
        }
        let entered = limits().take_while(|(gauge, limit)| gauge.try_enter(*limit)).count();
        if entered == limits().count() {
            return Some(Self { state: Arc::clone(state), frontend: Arc::clone(frontend), bind });
        }
        // Another client came first. Who looked meanwhile at what was held here for a moment must look again; the one
        // that waits here looks before it holds anything, so that this comes to an end.
        for (gauge, _) in limits().take(entered) {
            gauge.leave();
        }
        if entered > 0 {
            frontend.gate.open();
            state.process.gate.open();
        }
        None
    }
}

impl Admission {
    /// The client has come: its presence may be the most there was.
    fn confirm(&self) {
        let process = &self.state.process;
        process.connections.note_max();
        if process.connections.get() >= process.maxconn {
            process.filled.fetch_add(1, Relaxed);
        }
        self.frontend.connections.note_max();
        if let Some(listener) = self.frontend.listeners.get(self.bind) {
            listener.connections.note_max();
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if let Some(listener) = self.frontend.listeners.get(self.bind) {
            listener.connections.leave();
        }
        self.frontend.connections.leave();
        self.state.process.connections.leave();
        self.frontend.gate.open();
        self.state.process.gate.open();
    }
}

/// `tune.maxaccept` unless it is set.
const ACCEPTED_IN_A_ROW: u32 = 4;

/// Accepts clients of one listener on this worker until a soft stop.
pub async fn accept(worker: Rc<Worker>, frontend: Arc<Proxy>, bind: usize, listener: reactor::Listener) {
    let place = std::cell::Cell::new(None);
    let in_a_row = match worker.state.config.global.tune.maxaccept {
        None => ACCEPTED_IN_A_ROW,
        Some(n) => u32::try_from(n).unwrap_or(u32::MAX).max(1),
    };
    for accepts in 1_u32.. {
        if accepts % in_a_row == 0 {
            reactor::yield_now().await;
        }
        let accepted = poll_fn(|cx| {
            if worker.poll_stopping(&place, cx).is_ready() {
                return Poll::Ready(None);
            }
            // Woken as a stop wakes it.
            if worker.state.paused() {
                return Poll::Pending;
            }
            loop {
                if listener.poll_acceptable(cx).is_pending() {
                    return Poll::Pending;
                }
                let mut admission = None;
                let mut enter = || {
                    admission = Admission::try_new(&worker.state, &frontend, bind);
                    admission.is_some()
                };
                // One gate is enough to wait at only when it is the one that is shut; wait at both.
                let gates = [&frontend.gate, &worker.state.process.gate];
                if gates.into_iter().all(|gate| gate.poll_enter(cx, &mut enter).is_pending()) {
                    return Poll::Pending;
                }
                let Some(admission) = admission else { return Poll::Pending };
                match listener.try_accept() {
                    Ok((stream, peer)) => return Poll::Ready(Some((stream, peer, admission))),
                    // The listener knows which errors mean that it must wait; it does so in `poll_acceptable`.
                    Err(error) => {
                        drop(admission);
                        worker.make_room(&error);
                    }
                }
            }
        })
        .await;
        let Some((stream, peer, admission)) = accepted else { break };
        begin(&worker, &frontend, bind, stream, peer, admission);
    }
    worker.forget(&place);
}

fn begin(
    worker: &Rc<Worker>,
    frontend: &Arc<Proxy>,
    bind: usize,
    stream: Stream,
    peer: SockAddr,
    admission: Admission,
) {
    admission.confirm();
    let now_ms = reactor::now().as_millis();
    worker.state.process.connection_rate.count(now_ms);
    frontend.session_rate.count(now_ms);
    let counters = worker.frontend(frontend);
    counters.connections.add(1);
    counters.sessions.add(1);
    if let Some(listener) = worker.listener(frontend, bind) {
        listener.connections.add(1);
        listener.sessions.add(1);
    }
    if frontend.config.options.tcpka_client {
        let _ = stream.set_keepalive(reactor::KeepAlive::default());
    }
    let session = Session::new(Rc::clone(worker), Arc::clone(frontend), bind, stream, peer, admission);
    session::begin(Box::new(session));
}

/// Reads and throws away what the client still sends, so that closing does not reset the connection before the client
/// has read the last response. Bounded in time and bytes; tells whether the client came to its end.
pub async fn linger(session: &Session) -> bool {
    const LINGER_FOR: ek_time::Duration = ek_time::Duration::from_secs(1);
    const LINGER_BYTES: usize = 1 << 20;
    if session.stream.shutdown_write().is_err() {
        return true;
    }
    let deadline = Some(reactor::now() + LINGER_FOR);
    let mut buffer = reactor::Buffer::take(16_384);
    let mut seen = 0;
    while seen < LINGER_BYTES {
        buffer.clear();
        match crate::pump::read_into(&session.stream, &mut buffer) {
            Ok(0) => return true,
            Ok(n) => seen += n,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                let wait = wait::until(&session.timer, deadline, |cx| session.stream.poll_readable(cx));
                if wait.await.is_err() {
                    return false;
                }
            }
            Err(_) => return true,
        }
    }
    false
}
