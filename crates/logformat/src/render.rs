//! From a [`Record`] to the bytes of a line.

use crate::dates::Dates;
use crate::escape::hexify;
use crate::flags::Flags;
use crate::format::{Format, Item};
use crate::value::Writer;
use crate::{Endpoint, Record, cbor};

/// Renders records, remembering the dates of the last seconds. One per worker.
#[derive(Clone, Debug, Default)]
pub struct Renderer {
    dates: Dates,
}

impl Renderer {
    /// A renderer that has rendered nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the line for `record` to `out`, without a line end.
    pub fn render(&mut self, format: &Format, record: &Record<'_>, out: &mut Vec<u8>) {
        if format.global.any(Flags::ENCODING) {
            return self.render_encoded(format, record, out);
        }
        out.reserve(256);
        // At the start of a line and after an empty value a space is not due.
        let mut spaced = true;
        for item in &format.items {
            match item {
                Item::Text(text) => {
                    match **text {
                        [byte] => out.push(byte),
                        _ => out.extend_from_slice(text),
                    }
                    spaced = false;
                }
                Item::Space => {
                    if !spaced {
                        out.push(b' ');
                        spaced = true;
                    }
                }
                Item::Value(value) => {
                    let from = out.len();
                    Writer::new(out, &mut self.dates, value).write(value.alias, record);
                    if value.flags.any(Flags::CBOR) && !value.flags.any(Flags::BIN) {
                        hexify(out, from);
                    }
                    spaced &= out.len() == from;
                }
            }
        }
    }

    /// A whole line in JSON or CBOR: a map of the named values. What has no name cannot stand there.
    fn render_encoded(&mut self, format: &Format, record: &Record<'_>, out: &mut Vec<u8>) {
        let start = out.len();
        let json = format.global.any(Flags::JSON);
        out.push(if json { b'{' } else { cbor::MAP });
        let mut first = true;
        for item in &format.items {
            let Item::Value(value) = item else { continue };
            let Some(name) = &value.name else { continue };
            if json {
                if !first {
                    out.extend_from_slice(b", ");
                }
                out.push(b'"');
                out.extend_from_slice(name.as_bytes());
                out.extend_from_slice(b"\": ");
            } else {
                cbor::text(out, name.as_bytes());
            }
            first = false;
            Writer::new(out, &mut self.dates, value).write(value.alias, record);
        }
        out.push(if json { b'}' } else { cbor::BREAK });
        if !json && !format.global.any(Flags::BIN) {
            hexify(out, start);
        }
    }

    /// Appends the line of a frontend without `option tcplog`, `httplog` or `log-format`:
    /// `Connect from 192.0.2.1:4711 to 192.0.2.9:80 (fe/HTTP)`.
    pub fn connect_line(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let mut number = itoa::Buffer::new();
        match record.client {
            Endpoint::Ip(client) => {
                out.extend_from_slice(b"Connect from ");
                address(client, out);
                out.extend_from_slice(b" to ");
                match record.frontend_address {
                    Endpoint::Ip(listener) => address(listener, out),
                    Endpoint::Unix(id) => {
                        out.extend_from_slice(b"unix:");
                        out.extend_from_slice(number.format(id).as_bytes());
                    }
                    Endpoint::Unknown => out.extend_from_slice(b"unknown:0"),
                }
            }
            Endpoint::Unix(listener) => {
                out.extend_from_slice(b"Connect to unix:");
                out.extend_from_slice(number.format(listener).as_bytes());
            }
            Endpoint::Unknown => out.extend_from_slice(b"Connect from unknown source"),
        }
        out.extend_from_slice(b" (");
        out.extend_from_slice(record.frontend.as_bytes());
        out.extend_from_slice(if record.http { b"/HTTP)" } else { b"/TCP)" });
    }

    /// Appends the line of a connection that ended before it became a session (manual 8.2.5):
    /// `192.0.2.1:4711 [06/Dec/2012:18:12:13.123] fe/bind: Connection error during SSL handshake`.
    /// `listener` is the bind's name, or its id when it has none.
    pub fn error_line(&mut self, record: &Record<'_>, listener: &str, message: &str, out: &mut Vec<u8>) {
        match record.client {
            Endpoint::Ip(client) => address(client, out),
            Endpoint::Unix(listener) => {
                out.extend_from_slice(b"unix:");
                out.extend_from_slice(itoa::Buffer::new().format(listener).as_bytes());
            }
            Endpoint::Unknown => out.extend_from_slice(b"unknown"),
        }
        out.extend_from_slice(b" [");
        self.dates.with_millis(record.accepted, out);
        out.extend_from_slice(b"] ");
        out.extend_from_slice(record.frontend.as_bytes());
        out.push(b'/');
        out.extend_from_slice(listener.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(message.as_bytes());
    }
}

fn address(address: std::net::SocketAddr, out: &mut Vec<u8>) {
    crate::value::ip(address.ip(), out);
    out.push(b':');
    out.extend_from_slice(itoa::Buffer::new().format(address.port()).as_bytes());
}

impl Format {
    /// Appends the line for `record` to `out`; [`Renderer::render`] is faster for many.
    pub fn render(&self, record: &Record<'_>, out: &mut Vec<u8>) {
        Renderer::new().render(self, record, out);
    }
}
