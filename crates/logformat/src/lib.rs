//! HAProxy log formats: compiled when the configuration is read, rendered for each line, framed for syslog.
//!
//! [`Format::compile`] reads a log-format string (manual 8.2.6). [`Renderer`] turns a [`Record`] into a line by it and
//! keeps what changes once a second. [`Framer`] puts the header of a `log` line's `format` before a message.

mod alias;
mod cbor;
mod compile;
mod dates;
mod escape;
mod flags;
mod format;
mod frame;
mod record;
mod render;
mod request_line;
mod value;

pub use alias::aliases;
pub use format::{
    CompileError, CompileErrorKind, Format, HTTP_CLF_LOG, HTTP_LOG, HTTPS_LOG, KEY_LOG_BACK, KEY_LOG_FRONT,
    Mode, TCP_CLF_LOG, TCP_LOG, Warning,
};
pub use frame::{Frame, Framer};
pub use record::{BAD_REQUEST, Endpoint, Marks, NO_SERVER, Record, STATS_SERVER, Timers};
pub use render::Renderer;
