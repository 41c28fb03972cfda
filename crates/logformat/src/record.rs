//! What one session or stream has to say in a log line.

use ek_time::{Instant, WallTime};
use std::net::SocketAddr;

/// `%s` of a stream that no server was chosen for.
pub const NO_SERVER: &str = "<NOSRV>";
/// `%s` of a stream that the statistics page answered.
pub const STATS_SERVER: &str = "<STATS>";
/// `%r` of a stream whose request could not be parsed.
pub const BAD_REQUEST: &str = "<BADREQ>";

/// One end of a connection as logs show it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Endpoint {
    /// Not connected, or not known: logged as `-`.
    #[default]
    Unknown,
    /// An IPv4 or IPv6 address and port.
    Ip(SocketAddr),
    /// A unix socket (or one of a socketpair): the address is `unix`, the port the listener's or server's id.
    Unix(u32),
}

/// Times of a stream in milliseconds, −1 for a phase that was not reached (manual 8.4, "Timing events").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// `%Th`: handshakes of the connection (TLS, PROXY protocol).
    pub handshake: i64,
    /// `%Ti`: idle before the request's first byte.
    pub idle: i64,
    /// `%TR`: from the request's first byte to its last header byte.
    pub request: i64,
    /// `%Tq`: `Th + Ti + TR`.
    pub until_request: i64,
    /// `%Tw`: waiting in queues.
    pub queue: i64,
    /// `%Tc`: connecting to the server.
    pub connect: i64,
    /// `%Tr`: from the connection to the response's last header byte.
    pub response: i64,
    /// `%Td`: the response's body.
    pub data: i64,
    /// `%Ta`: `TR + Tw + Tc + Tr + Td`.
    pub active: i64,
    /// `%Tt`: the whole stream from the accept (first request) or from the end of the one before.
    pub total: i64,
    /// `%Tu`: `Tt - Ti`, what the user waited.
    pub user: i64,
}

/// When a stream reached each of its phases, from which [`Timers`] are computed.
///
/// `begin` is the accept of the connection, or for the second and later requests on it the end of the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Where the stream's time begins.
    pub begin: Instant,
    /// The handshakes' duration, milliseconds; 0 for every request but a connection's first.
    pub handshake: u32,
    /// The idle time after the handshakes, milliseconds; `None` when no byte of a request came.
    pub idle: Option<u32>,
    /// The request's head was complete (in TCP mode: the connection was accepted).
    pub request: Option<Instant>,
    /// A server was chosen and, if needed, the queue left.
    pub queue: Option<Instant>,
    /// The server's connection stood.
    pub connect: Option<Instant>,
    /// The response's head was complete (in TCP mode: the connection stood).
    pub response: Option<Instant>,
    /// The stream ended.
    pub close: Instant,
}

impl Marks {
    /// The times between the marks. Each is a difference of whole milliseconds since `begin`, so that they add up.
    pub fn timers(&self) -> Timers {
        let at = |mark: Option<Instant>| mark.map_or(-1, |mark| millis(mark, self.begin));
        let between = |from: i64, to: i64| if to >= 0 { to - from } else { -1 };
        let handshake = i64::from(self.handshake);
        let idle = self.idle.map_or(-1, i64::from);
        let before = if idle >= 0 { idle + handshake } else { 0 };
        let (request, queue) = (at(self.request), at(self.queue));
        let (connect, response) = (at(self.connect), at(self.response));
        let total = millis(self.close, self.begin);
        Timers {
            handshake,
            idle,
            request: between(idle + handshake, request),
            until_request: request,
            queue: between(request, queue),
            connect: between(queue, connect),
            response: between(connect, response),
            data: if response >= 0 { total - response } else { -1 },
            active: total - before,
            total,
            user: total - idle.max(0),
        }
    }
}

fn millis(mark: Instant, begin: Instant) -> i64 {
    i64::try_from(mark.since(begin).as_millis()).unwrap_or(i64::MAX)
}

impl Default for Timers {
    /// Nothing was reached.
    fn default() -> Self {
        Self {
            handshake: 0,
            idle: -1,
            request: -1,
            until_request: -1,
            queue: -1,
            connect: -1,
            response: -1,
            data: -1,
            active: -1,
            total: -1,
            user: -1,
        }
    }
}

/// Everything the aliases of a log format can show, for one line.
///
/// [`Record::default`] is a stream of which nothing is known: `<NOSRV>`, `<BADREQ>`, `----`, −1.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// `%ci`, `%cp`.
    pub client: Endpoint,
    /// `%fi`, `%fp`: where the client connected to.
    pub frontend_address: Endpoint,
    /// `%bi`, `%bp`: where the connection to the server comes from.
    pub backend_address: Endpoint,
    /// `%si`, `%sp`: where the connection to the server goes.
    pub server_address: Endpoint,
    /// `%t`, `%T`, `%Tl`, `%Ts`, `%ms`: the accept of the connection, or for later requests on it the end of the one before.
    pub accepted: WallTime,
    /// `%tr`, `%trg`, `%trl`: the request's first byte.
    pub request_started: WallTime,
    /// `%f`, `%ft`.
    pub frontend: &'a str,
    /// The client speaks TLS: `%ft` ends in `~`.
    pub tls: bool,
    /// The frontend runs in `mode http` (the request's parts are `<BADREQ>` there when it could not be parsed).
    pub http: bool,
    /// `%b`: the frontend's name when no backend was chosen.
    pub backend: &'a str,
    /// `%s`: the server's name, [`NO_SERVER`], [`STATS_SERVER`], or another service's name.
    pub server: &'a str,
    /// Times.
    pub timers: Timers,
    /// The line is written before the stream's end (`option logasap`): times and bytes that still grow get a `+`.
    pub early: bool,
    /// `%ST`: −1 when there was no response, 0 in TCP mode.
    pub status: i32,
    /// `%B`: bytes sent to the client.
    pub bytes_to_client: u64,
    /// `%U`: bytes received from the client.
    pub bytes_to_server: u64,
    /// `%CC`: the request's captured cookie, `name=value`.
    pub request_cookie: Option<&'a [u8]>,
    /// `%CS`: the response's captured cookie, `name=value`.
    pub response_cookie: Option<&'a [u8]>,
    /// `%ts` (first two) and `%tsc`: the termination state (manual 8.5).
    pub termination: [u8; 4],
    /// `%ac`: connections of the process.
    pub process_connections: u32,
    /// `%fc`: connections of the frontend.
    pub frontend_connections: u32,
    /// `%bc`: connections of the backend.
    pub backend_connections: u32,
    /// `%sc`: connections of the server.
    pub server_connections: u32,
    /// `%rc`: connection attempts after the first.
    pub retries: u32,
    /// The last attempt went to another server: `%rc` gets a `+`.
    pub redispatched: bool,
    /// `%sq`: streams that were before this one in the server's queue.
    pub server_queue: u32,
    /// `%bq`: streams that were before this one in the backend's queue.
    pub backend_queue: u32,
    /// `%hr`, `%hrl`: one entry per `capture request header`, `None` when the request had none.
    /// Left empty, no braces are written at all.
    pub request_captures: &'a [Option<&'a [u8]>],
    /// `%hs`, `%hsl`: one entry per `capture response header`.
    pub response_captures: &'a [Option<&'a [u8]>],
    /// `%r`, `%HM`, `%HP`, `%HPO`, `%HQ`, `%HU`, `%HV`: the request line, cut at `tune.http.logurilen`;
    /// `None` when it could not be parsed.
    pub request_line: Option<&'a [u8]>,
    /// `%ID`.
    pub unique_id: Option<&'a [u8]>,
    /// `%rt`: number of the request (the session in TCP mode) since start.
    pub request_counter: u64,
    /// `%lc`: number of the log line of this frontend.
    pub log_counter: u64,
    /// `%pid`.
    pub pid: u32,
    /// `%H`.
    pub hostname: &'a str,
    /// `%OG`: why the line is written, such as `txn_close`.
    pub origin: &'a str,
    /// `%sslc`.
    pub tls_cipher: Option<&'a str>,
    /// `%sslv`.
    pub tls_version: Option<&'a str>,
}

impl Default for Record<'_> {
    fn default() -> Self {
        Self {
            client: Endpoint::Unknown,
            frontend_address: Endpoint::Unknown,
            backend_address: Endpoint::Unknown,
            server_address: Endpoint::Unknown,
            accepted: WallTime::default(),
            request_started: WallTime::default(),
            frontend: "",
            tls: false,
            http: false,
            backend: "",
            server: NO_SERVER,
            timers: Timers::default(),
            early: false,
            status: -1,
            bytes_to_client: 0,
            bytes_to_server: 0,
            request_cookie: None,
            response_cookie: None,
            termination: *b"----",
            process_connections: 0,
            frontend_connections: 0,
            backend_connections: 0,
            server_connections: 0,
            retries: 0,
            redispatched: false,
            server_queue: 0,
            backend_queue: 0,
            request_captures: &[],
            response_captures: &[],
            request_line: None,
            unique_id: None,
            request_counter: 0,
            log_counter: 0,
            pid: 0,
            hostname: "",
            origin: "txn_close",
            tls_cipher: None,
            tls_version: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Instant {
        Instant::from_nanos(5_000_000_000 + micros * 1_000)
    }

    #[test]
    fn a_whole_exchange() {
        let marks = Marks {
            begin: at(0),
            handshake: 3,
            idle: Some(10),
            request: Some(at(15_900)),
            queue: Some(at(15_950)),
            connect: Some(at(17_000)),
            response: Some(at(30_500)),
            close: at(41_999),
        };
        let expected = Timers {
            handshake: 3,
            idle: 10,
            request: 2,
            until_request: 15,
            queue: 0,
            connect: 2,
            response: 13,
            data: 11,
            active: 28,
            total: 41,
            user: 31,
        };
        let timers = marks.timers();
        assert_eq!(timers, expected);
        let sum = timers.request + timers.queue + timers.connect + timers.response + timers.data;
        assert_eq!(sum, timers.active);
    }

    #[test]
    fn phases_not_reached() {
        let marks = Marks { begin: at(0), close: at(7_000), ..Marks::default() };
        let timers = marks.timers();
        assert_eq!((timers.idle, timers.request, timers.queue, timers.connect), (-1, -1, -1, -1));
        assert_eq!((timers.response, timers.data, timers.active, timers.total), (-1, -1, 7, 7));

        let refused = Marks { idle: Some(1), request: Some(at(2_000)), queue: Some(at(2_000)), ..marks };
        let timers = refused.timers();
        assert_eq!((timers.request, timers.queue, timers.connect, timers.active), (1, 0, -1, 6));
    }
}
