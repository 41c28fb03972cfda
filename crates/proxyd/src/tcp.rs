//! TCP mode, and the tunnels that HTTP exchanges turn into.

use crate::connect::{Wishes, connect};
use crate::relay::Relay;
use crate::session::Session;
use crate::state::Proxy;
use crate::trace::{Cause, Trace};
use haproxy_cfg::model::HttpReuse;
use reactor::{Buffer, Stream};
use std::sync::Arc;

/// Serves one client connection in TCP mode.
pub async fn serve(session: Box<Session>) {
    let mut trace = Trace::new(session.begin, session.accepted);
    trace.status = 0;
    trace.marks.idle = Some(0);
    trace.marks.request = Some(session.begin);
    trace.log_connect(&session);
    trace.cause = through(&session, &mut trace).await;
    let silent = trace.bytes_in == 0 && session.stream.try_peek(&mut [0]).map_or(true, |n| n == 0);
    if !silent || !session.frontend.config.options.dontlognull {
        trace.log(&session, None, false);
    }
    trace.count_end(&session);
}

/// Connects to a server and relays; returns how it ended.
async fn through(session: &Session, trace: &mut Trace) -> Cause {
    let frontend = &session.frontend;
    let worker = &session.worker;
    let backend = match frontend.config.default_backend {
        Some(index) => worker.state.proxies.get(index),
        None => frontend.config.kind.is_backend().then_some(frontend),
    };
    let Some(backend) = backend else { return Cause(b'S', b'C') };
    worker.backend(backend).sessions.add(1);
    backend.backend.rate.count(reactor::now().as_millis());
    trace.backend = Some(Arc::clone(backend));
    let _stay = backend.backend.stay();
    let wishes = Wishes { reuse: HttpReuse::Never, first: true, fresh: true };
    let server = match connect(session, backend, trace, wishes).await {
        Ok(server) => server,
        Err(none) => return none.cause,
    };
    trace.marks.response = trace.marks.connect;
    relay(session, backend, &server.stream, Buffer::take(0), Buffer::take(0), trace).await
}

/// Relays both ways until both sides are done; `to_server` and `to_client` go out first.
pub async fn relay(
    session: &Session,
    backend: &Proxy,
    server: &Stream,
    to_server: Buffer,
    to_client: Buffer,
    trace: &mut Trace,
) -> Cause {
    let relay = Relay::new(session, backend, server, to_server, to_client);
    let end = relay.run().await;
    if let Cause(who @ (b'S' | b's'), _) = end.cause {
        let worker = &session.worker;
        let server = trace.server.map(|server| worker.server(backend, server));
        for counters in [Some(worker.backend(backend)), server].into_iter().flatten() {
            counters.server_aborts.add(1);
            counters.response_errors.add(u64::from(who == b'S'));
        }
    }
    trace.bytes_in += end.to_server;
    trace.bytes_out += end.to_client;
    end.cause
}
