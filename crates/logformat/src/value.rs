//! One value of a line, by its flags.

use crate::alias::Alias;
use crate::dates::Dates;
use crate::escape::{self, ByteSet};
use crate::flags::Flags;
use crate::format::{Cast, Value};
use crate::{BAD_REQUEST, Endpoint, Record, cbor, request_line};
use ek_time::WallTime;
use std::io::Write as _;
use std::net::IpAddr;

/// Writes one value.
pub(crate) struct Writer<'w> {
    out: &'w mut Vec<u8>,
    dates: &'w mut Dates,
    flags: Flags,
    cast: Cast,
}

impl<'w> Writer<'w> {
    pub(crate) fn new(out: &'w mut Vec<u8>, dates: &'w mut Dates, value: &Value) -> Self {
        Self { out, dates, flags: value.flags, cast: value.cast }
    }

    /// Writes what `alias` shows of `record`; an encoding's null when that is nothing at all.
    pub(crate) fn write(&mut self, alias: Alias, record: &Record<'_>) {
        let from = self.out.len();
        self.value(alias, record);
        if self.out.len() == from {
            if self.flags.any(Flags::JSON) {
                self.out.extend_from_slice(b"null");
            } else if self.flags.any(Flags::CBOR) {
                self.out.push(cbor::NULL);
            }
        }
    }

    fn value(&mut self, alias: Alias, r: &Record<'_>) {
        match alias {
            Alias::Global => {}
            Alias::Origin => self.text(Some(r.origin.as_bytes())),
            Alias::BytesToClient => self.growing(r.early, r.bytes_to_client as i64),
            Alias::BytesToServer => self.integer(r.bytes_to_server as i64),
            Alias::RequestCookie => self.text(r.request_cookie),
            Alias::ResponseCookie => self.text(r.response_cookie),
            Alias::Hostname => self.text(Some(r.hostname.as_bytes())),
            Alias::UniqueId => self.text(r.unique_id),
            Alias::Status => self.integer(r.status.into()),
            Alias::AcceptedGmt => self.date(|dates, out| dates.gmt(r.accepted, out)),
            Alias::AcceptedLocal => self.date(|dates, out| dates.local(r.accepted, out)),
            Alias::Accepted => self.date(|dates, out| dates.with_millis(r.accepted, out)),
            Alias::AcceptedSeconds => self.counter(r.accepted.unix_seconds(), 4),
            Alias::AcceptedMillis => self.millis(r.accepted),
            Alias::StartedGmt => self.date(|dates, out| dates.gmt(r.request_started, out)),
            Alias::StartedLocal => self.date(|dates, out| dates.local(r.request_started, out)),
            Alias::Started => self.date(|dates, out| dates.with_millis(r.request_started, out)),
            Alias::TimeActive => self.growing(r.early, r.timers.active),
            Alias::TimeConnect => self.integer(r.timers.connect),
            Alias::TimeData => self.integer(r.timers.data),
            Alias::TimeHandshake => self.integer(r.timers.handshake),
            Alias::TimeIdle => self.integer(r.timers.idle),
            Alias::TimeRequest => self.integer(r.timers.request),
            Alias::TimeResponse => self.integer(r.timers.response),
            Alias::TimeTotal => self.growing(r.early, r.timers.total),
            Alias::TimeUntilRequest => self.integer(r.timers.until_request),
            Alias::TimeUser => self.growing(r.early, r.timers.user),
            Alias::TimeQueue => self.integer(r.timers.queue),
            Alias::ProcessConnections => self.integer(r.process_connections.into()),
            Alias::Backend => self.text(Some(r.backend.as_bytes())),
            Alias::BackendConnections => self.integer(r.backend_connections.into()),
            Alias::BackendIp => self.ip(r.backend_address),
            Alias::BackendPort => self.port(r.backend_address),
            Alias::BackendQueue => self.integer(r.backend_queue.into()),
            Alias::ClientIp => self.ip(r.client),
            Alias::ClientPort => self.port(r.client),
            Alias::Frontend => self.text(Some(r.frontend.as_bytes())),
            Alias::FrontendConnections => self.integer(r.frontend_connections.into()),
            Alias::FrontendIp => self.ip(r.frontend_address),
            Alias::FrontendPort => self.port(r.frontend_address),
            Alias::FrontendTransport => self.in_text(|text| {
                text.plain(r.frontend.as_bytes());
                if r.tls {
                    text.byte(b'~');
                }
            }),
            Alias::RequestCaptures => self.captures(r.request_captures),
            Alias::RequestCaptureList => self.capture_list(r.request_captures),
            Alias::ResponseCaptures => self.captures(r.response_captures),
            Alias::ResponseCaptureList => self.capture_list(r.response_captures),
            Alias::Method => self.of_request(r, request_line::method),
            Alias::Path => self.of_request(r, request_line::path),
            Alias::PathOnly => self.of_request(r, request_line::path_only),
            Alias::Query => self.of_request(r, request_line::query),
            Alias::Uri => self.of_request(r, request_line::uri),
            Alias::Version => self.of_request(r, request_line::version),
            Alias::Request => self.of_request(r, |line| line),
            Alias::LogCounter => self.counter(r.log_counter, 4),
            Alias::Pid => self.counter(r.pid.into(), 4),
            Alias::Retries => {
                self.hint(r.redispatched);
                self.integer(r.retries.into());
            }
            Alias::RequestCounter => self.counter(r.request_counter, 4),
            Alias::Server => self.text(Some(r.server.as_bytes())),
            Alias::ServerConnections => self.integer(r.server_connections.into()),
            Alias::ServerIp => self.ip(r.server_address),
            Alias::ServerPort => self.port(r.server_address),
            Alias::ServerQueue => self.integer(r.server_queue.into()),
            Alias::TlsCipher => self.text(r.tls_cipher.map(str::as_bytes)),
            Alias::TlsVersion => self.text(r.tls_version.map(str::as_bytes)),
            Alias::Termination => {
                let [condition, state, ..] = r.termination;
                self.token(&[condition, state]);
            }
            Alias::TerminationCookies => self.token(&r.termination),
        }
    }

    /// A number.
    fn integer(&mut self, value: i64) {
        if self.flags.any(Flags::ENCODING) {
            return self.encoded_integer(value);
        }
        match value {
            // Most numbers of most lines.
            0..=9 => self.out.push(b'0' + value as u8),
            -1 => self.out.extend_from_slice(b"-1"),
            _ => self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
        }
    }

    fn encoded_integer(&mut self, value: i64) {
        let mut buffer = itoa::Buffer::new();
        match (self.flags.any(Flags::JSON), self.cast) {
            (true, Cast::Bool) => {
                self.out.extend_from_slice(if value != 0 { b"true".as_slice() } else { b"false" });
            }
            (true, Cast::Str) => {
                self.out.push(b'"');
                self.out.extend_from_slice(buffer.format(value).as_bytes());
                self.out.push(b'"');
            }
            (true, Cast::None | Cast::Sint) => self.out.extend_from_slice(buffer.format(value).as_bytes()),
            (false, Cast::Bool) => cbor::boolean(self.out, value != 0),
            (false, _) => cbor::integer(self.out, value),
        }
    }

    /// A `+` before a number that is not all of it. An encoding has no place for it.
    fn hint(&mut self, shown: bool) {
        if shown && !self.flags.any(Flags::ENCODING) {
            self.out.push(b'+');
        }
    }

    /// A number that is still growing when the line is written early.
    fn growing(&mut self, early: bool, value: i64) {
        self.hint(early);
        self.integer(value);
    }

    /// A number that `+X` writes in at least `width` hexadecimal digits, of its low 32 bits as HAProxy.
    fn counter(&mut self, value: u64, width: usize) {
        if self.flags.any(Flags::HEX) {
            let mut digits = Vec::with_capacity(8);
            // A Vec takes every write.
            let _ = write!(digits, "{:0width$X}", value as u32);
            self.token(&digits);
        } else {
            self.integer(value as i64);
        }
    }

    fn millis(&mut self, time: WallTime) {
        let millis = time.millis();
        if self.flags.any(Flags::HEX) {
            self.counter(millis.into(), 2);
        } else if self.flags.any(Flags::ENCODING) {
            self.encoded_integer(millis.into());
        } else {
            use crate::dates::digit;
            self.out.extend_from_slice(&[digit(millis / 100), digit(millis / 10), digit(millis)]);
        }
    }

    /// Short ASCII that needs no escape and that `+Q` leaves alone.
    fn token(&mut self, token: &[u8]) {
        if self.flags.any(Flags::JSON) {
            self.out.push(b'"');
            self.out.extend_from_slice(token);
            self.out.push(b'"');
        } else if self.flags.any(Flags::CBOR) {
            cbor::text(self.out, token);
        } else {
            self.out.extend_from_slice(token);
        }
    }

    fn date(&mut self, write: impl FnOnce(&mut Dates, &mut Vec<u8>)) {
        if self.flags.any(Flags::ENCODING) {
            let mut text = Vec::with_capacity(26);
            write(self.dates, &mut text);
            self.token(&text);
        } else {
            write(self.dates, self.out);
        }
    }

    /// A string that may be missing.
    fn text(&mut self, text: Option<&[u8]>) {
        let text = text.filter(|text| !text.is_empty());
        if self.flags.any(Flags::CBOR) {
            if let Some(text) = text {
                cbor::text(self.out, text);
            }
        } else if self.flags.any(Flags::JSON) {
            self.out.push(b'"');
            json_text(text.unwrap_or_default(), self.out);
            self.out.push(b'"');
        } else if self.flags.any(Flags::QUOTE) {
            self.out.push(b'"');
            self.plain(text.unwrap_or_default());
            self.out.push(b'"');
        } else if let Some(text) = text {
            self.plain(text);
        } else if self.flags.any(Flags::MANDATORY) {
            self.out.push(b'-');
        }
    }

    fn ip(&mut self, endpoint: Endpoint) {
        match endpoint {
            Endpoint::Unknown => self.text(None),
            Endpoint::Unix(_) => self.text(Some(b"unix")),
            Endpoint::Ip(address) => {
                let address = address.ip();
                if self.flags.any(Flags::HEX) {
                    let mut digits = Vec::with_capacity(32);
                    let octets = match &address {
                        IpAddr::V4(v4) => &v4.octets()[..],
                        IpAddr::V6(v6) => &v6.octets()[..],
                    };
                    octets.iter().for_each(|&octet| digits.extend_from_slice(&escape::hex(octet)));
                    self.token(&digits);
                } else if self.flags.any(Flags::ENCODING.with(Flags::QUOTE)) {
                    let mut text = Vec::with_capacity(40);
                    ip(address, &mut text);
                    self.text(Some(&text));
                } else {
                    ip(address, self.out);
                }
            }
        }
    }

    fn port(&mut self, endpoint: Endpoint) {
        match endpoint {
            Endpoint::Unknown => self.text(None),
            Endpoint::Unix(id) => self.integer(id.into()),
            Endpoint::Ip(address) if self.flags.any(Flags::HEX) => {
                let [high, low] = address.port().to_be_bytes();
                let ([a, b], [c, d]) = (escape::hex(high), escape::hex(low));
                self.token(&[a, b, c, d]);
            }
            Endpoint::Ip(address) => self.integer(address.port().into()),
        }
    }

    /// `{a|b}`, nothing when nothing is captured by this frontend.
    fn captures(&mut self, captures: &[Option<&[u8]>]) {
        if captures.is_empty() {
            return;
        }
        self.in_text(|text| {
            text.byte(b'{');
            for (index, capture) in captures.iter().enumerate() {
                if index > 0 {
                    text.byte(b'|');
                }
                if let Some(capture) = capture {
                    text.escaped(capture, &escape::CAPTURE);
                }
            }
            text.byte(b'}');
        });
    }

    /// One string for each capture.
    fn capture_list(&mut self, captures: &[Option<&[u8]>]) {
        if captures.is_empty() {
            return;
        }
        let (json, cbor) = (self.flags.any(Flags::JSON), self.flags.any(Flags::CBOR));
        if json {
            self.out.push(b'[');
        } else if cbor {
            self.out.push(cbor::ARRAY);
        }
        for (index, capture) in captures.iter().enumerate() {
            if index > 0 && !cbor {
                self.out.extend_from_slice(if json { b", " } else { b" " });
            }
            self.in_text(|text| match capture {
                Some(capture) => text.escaped(capture, &escape::CAPTURE),
                None if text.flags.any(Flags::QUOTE) => {}
                None => text.byte(b'-'),
            });
        }
        if json {
            self.out.push(b']');
        } else if cbor {
            self.out.push(cbor::BREAK);
        }
    }

    /// A part of the request line, `<BADREQ>` when there is none.
    fn of_request<'r>(&mut self, record: &Record<'r>, part: impl FnOnce(&'r [u8]) -> &'r [u8]) {
        let part = record.request_line.map_or(BAD_REQUEST.as_bytes(), part);
        self.in_text(|text| text.escaped(part, &escape::URI));
    }

    /// A string put together from pieces.
    fn in_text(&mut self, pieces: impl FnOnce(&mut Self)) {
        let cbor = self.flags.any(Flags::CBOR);
        let quoted = !cbor && self.flags.any(Flags::QUOTE.with(Flags::JSON));
        if cbor {
            self.out.push(cbor::TEXT_CHUNKS);
        } else if quoted {
            self.out.push(b'"');
        }
        pieces(self);
        if cbor {
            self.out.push(cbor::BREAK);
        } else if quoted {
            self.out.push(b'"');
        }
    }

    /// One byte of a string.
    fn byte(&mut self, byte: u8) {
        if self.flags.any(Flags::CBOR) {
            cbor::chunk(self.out, &[byte]);
        } else {
            self.out.push(byte);
        }
    }

    /// A piece of a string in which only what the flags ask for is escaped.
    fn plain(&mut self, piece: &[u8]) {
        if self.flags.any(Flags::CBOR) {
            cbor::chunk(self.out, piece);
        } else if self.flags.any(Flags::JSON) {
            json_text(piece, self.out);
        } else if self.flags.any(Flags::ESCAPE) {
            backslashed(piece, &escape::STRUCTURED, self.out);
        } else {
            self.out.extend_from_slice(piece);
        }
    }

    /// A piece of a string whose bytes of `set` become `#XX`.
    fn escaped(&mut self, mut piece: &[u8], set: &ByteSet) {
        loop {
            let (run, rest) = set.split(piece);
            let Some((&special, rest)) = rest.split_first() else {
                if !(run.is_empty() && self.flags.any(Flags::CBOR)) {
                    self.run(run);
                }
                return;
            };
            self.run(run);
            let [high, low] = escape::hex(special);
            if self.flags.any(Flags::CBOR) {
                cbor::chunk(self.out, &[b'#', high, low]);
            } else {
                self.out.extend_from_slice(&[b'#', high, low]);
            }
            piece = rest;
        }
    }

    /// Printable ASCII of a string.
    fn run(&mut self, run: &[u8]) {
        if self.flags.any(Flags::CBOR) {
            cbor::chunk(self.out, run);
        } else if self.flags.any(Flags::JSON) {
            backslashed(run, &escape::JSON, self.out);
        } else if self.flags.any(Flags::ESCAPE) {
            backslashed(run, &escape::STRUCTURED, self.out);
        } else {
            self.out.extend_from_slice(run);
        }
    }
}

/// Copies `bytes`, those of `set` after a backslash.
fn backslashed(mut bytes: &[u8], set: &ByteSet, out: &mut Vec<u8>) {
    loop {
        let (run, rest) = set.split(bytes);
        out.extend_from_slice(run);
        let Some((&special, rest)) = rest.split_first() else { return };
        out.extend_from_slice(&[b'\\', special]);
        bytes = rest;
    }
}

/// The inside of a JSON string. HAProxy escapes only `"` and `\`; here control characters and bytes that are no UTF-8
/// are escaped too (read as Latin-1), since with them the line would be no JSON.
fn json_text(bytes: &[u8], out: &mut Vec<u8>) {
    let utf8 = std::str::from_utf8(bytes).is_ok();
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..32 => unicode_escape(byte, out),
            0x80.. if !utf8 => unicode_escape(byte, out),
            _ => out.push(byte),
        }
    }
}

fn unicode_escape(byte: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\\u00");
    out.extend_from_slice(&escape::hex(byte));
}

/// An address as `inet_ntop` writes it.
pub(crate) fn ip(address: IpAddr, out: &mut Vec<u8>) {
    match address {
        IpAddr::V4(v4) => {
            let mut buffer = itoa::Buffer::new();
            for (index, octet) in v4.octets().into_iter().enumerate() {
                if index > 0 {
                    out.push(b'.');
                }
                out.extend_from_slice(buffer.format(octet).as_bytes());
            }
        }
        // A Vec takes every write.
        IpAddr::V6(v6) => {
            let _ = write!(out, "{v6}");
        }
    }
}
