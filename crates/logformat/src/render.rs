//! From a [`Record`] to the bytes of a line.

use crate::{Format, Record};

/// Renders records, remembering the dates of the last seconds. One per worker.
#[derive(Clone, Debug, Default)]
pub struct Renderer {}

impl Renderer {
    /// A renderer that has rendered nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the line for `record` to `out`, without a line end.
    pub fn render(&mut self, format: &Format, record: &Record<'_>, out: &mut Vec<u8>) {
        let _ = (format, record, out);
    }

    /// Appends the line of a frontend without `option tcplog`, `httplog` or `log-format`:
    /// `Connect from 192.0.2.1:4711 to 192.0.2.9:80 (fe/HTTP)`.
    pub fn connect_line(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        let _ = (record, out);
    }

    /// Appends the line of a connection that ended before it became a session (manual 8.2.5):
    /// `192.0.2.1:4711 [06/Dec/2012:18:12:13.123] fe/bind: Connection error during SSL handshake`.
    /// `listener` is the bind's name, or its id when it has none.
    pub fn error_line(&mut self, record: &Record<'_>, listener: &str, message: &str, out: &mut Vec<u8>) {
        let _ = (record, listener, message, out);
    }
}

impl Format {
    /// Appends the line for `record` to `out`; [`Renderer::render`] is faster for many.
    pub fn render(&self, record: &Record<'_>, out: &mut Vec<u8>) {
        Renderer::new().render(self, record, out);
    }
}
