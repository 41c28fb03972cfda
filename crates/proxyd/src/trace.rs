//! What one stream leaves behind: its log line and its counts.

use crate::server::Server;
use crate::session::Session;
use crate::state::Proxy;
use ek_time::{Instant, WallTime};
use haproxy_cfg::model::{LogLine, Mode};
use logformat::{Endpoint, Marks, NO_SERVER, Record};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Syslog levels of log lines.
pub const LEVEL_INFO: u8 = 6;
/// For errors under `option log-separate-errors`.
pub const LEVEL_ERR: u8 = 3;

/// Why and when a stream ended, as the first two characters of the termination state (manual 8.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause(pub u8, pub u8);

impl Cause {
    /// All went well.
    pub const NONE: Self = Self(b'-', b'-');
}

/// The record of a stream as it goes.
#[derive(Debug)]
pub struct Trace {
    /// When it reached its phases.
    pub marks: Marks,
    /// Wall-clock time of its start.
    pub accepted: WallTime,
    /// Wall-clock time of the request's first byte.
    pub request_started: WallTime,
    /// Why it ended.
    pub cause: Cause,
    /// The response's status; −1 before there is one, 0 in TCP mode.
    pub status: i32,
    /// Bytes from the client, counted as HAProxy counts them.
    pub bytes_in: u64,
    /// Bytes to the client, counted as HAProxy counts them.
    pub bytes_out: u64,
    /// The chosen backend.
    pub backend: Option<Arc<Proxy>>,
    /// The server's index in it.
    pub server: Option<usize>,
    /// Where the connection to the server goes and comes from.
    pub server_address: Endpoint,
    /// The local end of that connection.
    pub backend_address: Endpoint,
    /// Connection attempts after the first.
    pub retries: u32,
    /// An attempt went to another server than the one before it.
    pub redispatched: bool,
    /// Streams before it in the backend's queue.
    pub backend_queue: u32,
    /// The unique id, when the frontend gives one.
    pub unique_id: Option<Vec<u8>>,
    /// Its number in the process (`%rt`).
    pub number: u64,
    /// The line was written already (`option logasap`).
    pub logged: bool,
    counted: (u64, u64),
}

impl Trace {
    /// A stream that begins now or, on a kept connection, where the last one ended.
    pub fn new(begin: Instant, accepted: WallTime) -> Self {
        Self {
            marks: Marks { begin, ..Marks::default() },
            accepted,
            request_started: accepted,
            cause: Cause::NONE,
            status: -1,
            bytes_in: 0,
            bytes_out: 0,
            backend: None,
            server: None,
            server_address: Endpoint::Unknown,
            backend_address: Endpoint::Unknown,
            retries: 0,
            redispatched: false,
            backend_queue: 0,
            unique_id: None,
            number: 0,
            logged: false,
            counted: (0, 0),
        }
    }

    /// Writes the line of a frontend that has no format, which stands at the stream's start.
    pub fn log_connect(&mut self, session: &Session) {
        if matches!(session.frontend.config.log_line, LogLine::Connect) {
            self.log(session, None, false);
        }
    }

    /// Writes the log line; `request_line` is `None` when the request could not be parsed.
    pub fn log(&mut self, session: &Session, request_line: Option<&[u8]>, early: bool) {
        if self.logged {
            return;
        }
        let frontend = &session.frontend;
        let config = &frontend.config;
        let sinks = session.worker.sinks(frontend);
        if sinks.is_empty() {
            return;
        }
        let failed = self.is_error(config.mode == Mode::Http);
        if config.options.dontlog_normal && !failed {
            return;
        }
        self.logged = true;
        self.marks.close = reactor::now();
        let level = if failed && config.options.log_separate_errors { LEVEL_ERR } else { LEVEL_INFO };
        let mut line = session.worker.line.borrow_mut();
        line.clear();
        let mut renderer = session.worker.renderer.borrow_mut();
        let mut record = self.record(session, request_line, early);
        record.log_counter = frontend.log_lines.fetch_add(1, Relaxed);
        match (&config.log_line, &config.error_log_format) {
            (_, Some(format)) if failed => renderer.render(format, &record, &mut line),
            (LogLine::Format(format), _) => renderer.render(format, &record, &mut line),
            (LogLine::Connect, _) => renderer.connect_line(&record, &mut line),
        }
        match config.log_format_sd.as_ref().filter(|_| sinks.shows_structured_data()) {
            Some(format) => {
                let mut data = session.worker.structured_data.borrow_mut();
                data.clear();
                renderer.render(format, &record, &mut data);
                sinks.send_with(level, &data, &line);
            }
            None => sinks.send(level, &line),
        }
    }

    /// What `option dontlog-normal` and `log-separate-errors` take for an error.
    fn is_error(&self, http: bool) -> bool {
        match self.cause {
            _ if self.redispatched => true,
            Cause(b'-', _) => self.retries > 0 || http && self.status >= 500,
            Cause(b'L', _) => false,
            _ => true,
        }
    }

    /// The record as it stands.
    pub fn record<'a>(
        &'a self,
        session: &'a Session,
        request_line: Option<&'a [u8]>,
        early: bool,
    ) -> Record<'a> {
        let frontend = &session.frontend;
        let state = &session.worker.state;
        let backend = self.backend.as_deref();
        let server = backend.zip(self.server).and_then(|(b, at)| b.backend.servers.get(at));
        let Cause(cause, phase) = self.cause;
        Record {
            client: session.peer(),
            frontend_address: session.local(),
            backend_address: self.backend_address,
            server_address: self.server_address,
            accepted: self.accepted,
            request_started: self.request_started,
            frontend: frontend.name(),
            http: frontend.config.mode == Mode::Http,
            backend: backend.map_or_else(|| frontend.name(), Proxy::name),
            server: server.map_or(NO_SERVER, |s| &s.config.name),
            timers: self.marks.timers(),
            early,
            status: self.status,
            bytes_to_client: self.bytes_out,
            bytes_to_server: self.bytes_in,
            termination: [cause, phase, b'-', b'-'],
            process_connections: state.process.connections.get(),
            frontend_connections: frontend.connections.get(),
            backend_connections: backend.map_or(0, |b| b.backend.streams.get()),
            server_connections: server.map_or(0, Server::taken),
            retries: self.retries,
            redispatched: self.redispatched,
            backend_queue: self.backend_queue,
            request_line,
            unique_id: self.unique_id.as_deref(),
            request_counter: self.number,
            pid: state.process.pid,
            hostname: &state.process.hostname,
            ..Record::default()
        }
    }

    /// Counts how it ended and how long it took, once it is over.
    pub fn count_end(&mut self, session: &Session) {
        self.count_bytes(session);
        let worker = &session.worker;
        let http = session.frontend.config.mode == Mode::Http;
        let nothing_answered = http && self.status <= 0;
        if nothing_answered {
            worker.frontend(&session.frontend).responses.count(0);
        }
        let Some(backend) = &self.backend else { return };
        let counters = worker.backend(backend);
        if nothing_answered {
            counters.responses.count(0);
        }
        let server = self.server.map(|server| worker.server(backend, server));
        if matches!(self.cause, Cause(b'C' | b'c', _)) {
            counters.client_aborts.add(1);
            server.inspect(|server| server.client_aborts.add(1));
        }
        self.marks.close = reactor::now();
        let timers = self.marks.timers();
        if timers.response < 0 {
            return;
        }
        let response = if http { timers.response } else { 0 };
        for (counters, of_server) in [(Some(counters), false), (server, true)] {
            let Some(counters) = counters else { continue };
            let (times, requests) = (&counters.times, counters.answered(http, of_server));
            let time = |span: i64| u64::try_from(span).unwrap_or(0);
            times.queue.note(time(timers.queue), requests);
            times.connect.note(time(timers.connect), requests);
            times.response.note(time(response), requests);
            times.total.note(time(timers.total), requests);
        }
    }

    /// Brings the byte counters up to date.
    fn count_bytes(&mut self, session: &Session) {
        let (into, out) = (self.bytes_in - self.counted.0, self.bytes_out - self.counted.1);
        self.counted = (self.bytes_in, self.bytes_out);
        let worker = &session.worker;
        let frontend = worker.frontend(&session.frontend);
        frontend.bytes_in.add(into);
        frontend.bytes_out.add(out);
        if let Some(listener) = worker.listener(&session.frontend, session.bind) {
            listener.bytes_in.add(into);
            listener.bytes_out.add(out);
        }
        if let Some(backend) = &self.backend {
            let counters = worker.backend(backend);
            counters.bytes_in.add(into);
            counters.bytes_out.add(out);
            if let Some(server) = self.server {
                let counters = worker.server(backend, server);
                counters.bytes_in.add(into);
                counters.bytes_out.add(out);
            }
        }
    }
}
