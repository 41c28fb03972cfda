//! The request's way in: its head read and checked, then edited for the server.

use super::exchange::{Exchange, Stop};
use crate::pump::read_into;
use crate::state::Proxy;
use crate::trace::Cause;
use crate::wait::{Expired, until};
use ek_time::Instant;
use haproxy_cfg::model::{HttpConnectionMode, RestrictHeaderNames};
use http1::{ConnectionMode, HopByHop, Limits, NamePolicy, Progress, Strictness};
use reactor::Buffer;
use std::io::{ErrorKind, Write as _};
use std::net::IpAddr;

impl Exchange<'_> {
    /// The length of the head, or what is wrong with it; `None`: more of it is to come.
    pub(super) fn parse(mut self) -> (Self, Option<Result<usize, Stop>>) {
        let head = self.parse_more();
        (self, head)
    }

    fn parse_more(&mut self) -> Option<Result<usize, Stop>> {
        let config = &self.session.frontend.config;
        let tune = &self.session.worker.state.config.global.tune;
        let limits = Limits {
            max_fields: tune.http_maxhdr as usize,
            max_bytes: (tune.bufsize - tune.maxrewrite) as usize,
        };
        let strictness = Strictness {
            accept_unsafe: config.options.accept_unsafe_violations_in_http_request,
            names: match config.options.http_restrict_req_hdr_names {
                None | Some(RestrictHeaderNames::Preserve) => NamePolicy::Preserve,
                Some(RestrictHeaderNames::Delete) => NamePolicy::Delete,
                Some(RestrictHeaderNames::Reject) => NamePolicy::Reject,
            },
        };
        match self.scratch.request.parse(self.buffer.data_mut(), &limits, &strictness) {
            Ok(Progress::Complete { len }) => Some(Ok(len)),
            Ok(Progress::Partial) => None,
            Err(error) => Some(Err(Stop::bad_request(error.kind.status()))),
        }
    }

    /// Reads until the head is whole.
    pub(super) async fn read_head(mut self) -> (Self, Result<usize, Stop>) {
        let timeouts = &self.session.frontend.config.timeouts;
        let limit = timeouts.http_request.or(timeouts.client);
        let first_byte = if self.session.streams == 0 { self.session.begin } else { reactor::now() };
        let deadline = limit.map(|span| first_byte + span);
        let head = loop {
            self.buffer.compact();
            match read_into(&self.session.stream, &mut self.buffer) {
                Ok(0) => break Err(Stop::bad_request_from(Cause(b'C', b'R'), 400)),
                Ok(_) => {
                    if let Some(head) = self.parse_more() {
                        break head;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if self.wait_for_more(deadline).await.is_err() {
                        break Err(Stop::bad_request_from(Cause(b'c', b'R'), 408));
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break Err(Stop::bad_request_from(Cause(b'C', b'R'), 400)),
            }
        };
        (self, head)
    }

    /// Waits until there is more to read. Slow heads come in crowds: while one waits it takes the room that it fills, not
    /// that of a buffer.
    async fn wait_for_more(&mut self, deadline: Option<Instant>) -> Result<(), Expired> {
        let size = self.buffer.size();
        let seen: Box<[u8]> = self.buffer.data().into();
        self.buffer = Buffer::take(0);
        let stream = &self.session.stream;
        let waited = until(&self.session.timer, deadline, |cx| stream.poll_readable(cx)).await;
        self.buffer = Buffer::take(size);
        self.buffer.push(&seen);
        waited
    }

    /// Lays the edits over the head that make it fit for the server.
    pub(super) fn edit_request(&mut self, backend: &Proxy) {
        let keep = Keeps::of(&self.session.frontend, backend).server;
        let (session, trace) = (&self.session, &mut self.trace);
        let scratch = &mut *self.scratch;
        let buf = self.buffer.data();
        let edits = &mut scratch.request_edits;
        HopByHop::strip_request(&scratch.request, buf, edits);
        let frontend = &session.frontend.config;
        if let Some(format) = &frontend.unique_id_format {
            let mut id = Vec::new();
            let record = trace.record(session, Some(&scratch.request_line), false);
            format.render(&record, &mut id);
            if let Some(header) = &frontend.unique_id_header {
                edits.append(header.as_bytes(), &id);
            }
            trace.unique_id = Some(id);
        }
        let forward = frontend.options.forwardfor.as_ref().or(backend.config.options.forwardfor.as_ref());
        if let (Some(forward), Some(client)) = (forward, session.peer_ip()) {
            let client = client.to_canonical();
            let exempt = forward.except.is_some_and(|(net, bits)| within(client, net, bits));
            let header = backend.config.options.forwardfor.as_ref().map_or(&forward.header, |f| &f.header);
            let given = forward.if_none && scratch.request.find(buf, header.as_bytes()).is_some();
            if !exempt && !given {
                let mut value = Vec::with_capacity(40);
                let _ = write!(value, "{client}");
                edits.append(header.as_bytes(), &value);
            }
        }
        http1::toward_server(&scratch.request, buf, keep, edits);
        scratch.request_out.clear();
        edits.write_request(&scratch.request, buf, &mut scratch.request_out);
    }
}

/// Which connections may be kept after an exchange between this frontend and this backend.
pub(super) struct Keeps {
    pub(super) client: bool,
    pub(super) server: bool,
}

impl Keeps {
    pub(super) fn of(frontend: &Proxy, backend: &Proxy) -> Self {
        let mode = |proxy: &Proxy| match proxy.config.options.connection_mode {
            HttpConnectionMode::KeepAlive => ConnectionMode::KeepAlive,
            HttpConnectionMode::ServerClose => ConnectionMode::ServerClose,
            HttpConnectionMode::Close => ConnectionMode::Close,
        };
        let (front, back) = (mode(frontend), mode(backend));
        Self { client: front.keeps_client(), server: front.keeps_server(back) }
    }
}

/// Whether `address` is in the network `net/bits`.
fn within(address: IpAddr, net: IpAddr, bits: u8) -> bool {
    let (a, b, width) = match (address, net) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u128::from(u32::from(a)), u128::from(u32::from(b)), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => (u128::from(a), u128::from(b), 128),
        _ => return false,
    };
    let host_bits = 128_u32.min(width - u32::from(bits).min(width));
    a.checked_shr(host_bits).unwrap_or(0) == b.checked_shr(host_bits).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn networks_hold_their_addresses() {
        let ip = |text: &str| text.parse().unwrap();
        assert!(within(ip("10.1.2.3"), ip("10.0.0.0"), 8));
        assert!(!within(ip("11.1.2.3"), ip("10.0.0.0"), 8));
        assert!(within(ip("11.1.2.3"), ip("10.0.0.0"), 0));
        assert!(within(ip("2001:db8::1"), ip("2001:db8::"), 32));
        assert!(!within(ip("2001:db8::1"), ip("10.0.0.0"), 0));
        assert!(within(ip("::1"), ip("::"), 0));
    }
}
