//! Syslog headers (manual 4.2, `log … format`).

use crate::dates::{digit, month, offset};
use ek_time::{Civil, WallTime};

/// What stands before a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// `<134>Jan  1 00:00:00 haproxy[123]: `, RFC 3164 without the host as local daemons expect it.
    Local,
    /// `<134>Jan  1 00:00:00 host haproxy[123]: `; `localhost` when no name was given.
    Rfc3164,
    /// `<134>1 2024-04-26T09:39:58.774321+02:00 host haproxy 123 - - `.
    Rfc5424,
    /// `<134>`.
    Priority,
    /// `<6>`, the level alone.
    Short,
    /// `<6>2024-04-26T09:39:58.774321+02:00 `.
    Timed,
    /// `2024-04-26T09:39:58.774321+02:00 `.
    Iso,
    /// Nothing.
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
    /// What follows the date and, for rfc5424, precedes the structured data.
    origin: Vec<u8>,
    /// The second that `date` is of, with the zone's offset.
    second: i64,
    offset: i32,
    /// The date up to the seconds.
    date: Vec<u8>,
}

impl Framer {
    /// A framer of `facility` (0–23) whose datagrams are at most `max_len` bytes long, header and line end included.
    ///
    /// Messages less urgent than `max_level` are not sent, those more urgent than `min_level` are sent as that.
    /// `hostname` is what `log-send-hostname` says.
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
        let hostname = hostname.filter(|name| !name.is_empty());
        let colon = if tag.is_empty() { String::new() } else { format!("{tag}[{pid}]: ") };
        let origin = match frame {
            Frame::Local => colon,
            Frame::Rfc3164 => format!("{} {colon}", hostname.unwrap_or("localhost")),
            Frame::Rfc5424 => {
                let tag = if tag.is_empty() { "-" } else { tag };
                format!("{} {tag} {pid} - ", hostname.unwrap_or("-"))
            }
            Frame::Priority | Frame::Short | Frame::Timed | Frame::Iso | Frame::Raw => String::new(),
        };
        Self {
            frame,
            facility,
            max_level,
            min_level,
            max_len,
            origin: origin.into_bytes(),
            second: i64::MIN,
            offset: 0,
            date: Vec::new(),
        }
    }

    /// Whether a message of `level` (0 emerg – 7 debug) is sent at all.
    pub fn wants(&self, level: u8) -> bool {
        level <= self.max_level
    }

    /// Whether the header carries structured data, so that it is worth rendering.
    pub fn shows_structured_data(&self) -> bool {
        self.frame == Frame::Rfc5424
    }

    /// Appends the framed message to `out`, with its line end; nothing when [`Self::wants`] is false.
    pub fn frame(&mut self, now: WallTime, level: u8, message: &[u8], out: &mut Vec<u8>) {
        self.frame_with(now, level, b"", message, out);
    }

    /// As [`Self::frame`], with the rfc5424 structured data that `log-format-sd` rendered; other frames leave it out.
    pub fn frame_with(&mut self, now: WallTime, level: u8, data: &[u8], message: &[u8], out: &mut Vec<u8>) {
        if !self.wants(level) {
            return;
        }
        let start = out.len();
        self.header(now, level.max(self.min_level), data, out);
        out.extend_from_slice(trimmed(message, &[b'\n', 0]));
        // The line end takes the last of the bytes allowed.
        out.truncate(start.saturating_add(self.max_len.saturating_sub(1)).min(out.len()));
        out.push(b'\n');
    }

    fn header(&mut self, now: WallTime, level: u8, data: &[u8], out: &mut Vec<u8>) {
        let facility = u32::from(self.facility) * 8;
        match self.frame {
            Frame::Local | Frame::Rfc3164 => {
                priority(facility + u32::from(level), out);
                self.legacy_date(now, out);
                out.extend_from_slice(&self.origin);
            }
            Frame::Rfc5424 => {
                priority(facility + u32::from(level), out);
                out.extend_from_slice(b"1 ");
                self.iso_date(now, out);
                out.extend_from_slice(&self.origin);
                match trimmed(data, b" ") {
                    [] => out.push(b'-'),
                    data => out.extend_from_slice(data),
                }
                out.push(b' ');
            }
            Frame::Priority => priority(facility + u32::from(level), out),
            Frame::Short => priority(level.into(), out),
            Frame::Timed => {
                priority(level.into(), out);
                self.iso_date(now, out);
            }
            Frame::Iso => self.iso_date(now, out),
            Frame::Raw => {}
        }
    }

    /// Makes `date` anew when the second or the zone has changed.
    fn refresh(&mut self, now: WallTime, make: fn(Civil, &mut Vec<u8>)) {
        let second = now.unix_seconds() as i64;
        if self.second != second || self.offset != now.local_offset {
            self.second = second;
            self.offset = now.local_offset;
            self.date.clear();
            make(now.local(), &mut self.date);
        }
    }

    /// `Jan  1 00:00:00 `.
    fn legacy_date(&mut self, now: WallTime, out: &mut Vec<u8>) {
        self.refresh(now, |civil, date| {
            date.extend_from_slice(&month(civil));
            date.push(b' ');
            date.push(if civil.day < 10 { b' ' } else { digit(u32::from(civil.day) / 10) });
            date.push(digit(civil.day.into()));
            date.push(b' ');
            time_of_day(civil, date);
            date.push(b' ');
        });
        out.extend_from_slice(&self.date);
    }

    /// `2024-04-26T09:39:58.774321+02:00 `.
    fn iso_date(&mut self, now: WallTime, out: &mut Vec<u8>) {
        self.refresh(now, |civil, date| {
            let year = civil.year.unsigned_abs();
            date.extend_from_slice(&[digit(year / 1_000), digit(year / 100), digit(year / 10), digit(year)]);
            for part in [civil.month, civil.day] {
                date.extend_from_slice(&[b'-', digit(u32::from(part) / 10), digit(part.into())]);
            }
            date.push(b'T');
            time_of_day(civil, date);
        });
        out.extend_from_slice(&self.date);
        let micros = (now.unix_micros % 1_000_000) as u32;
        let digits = [100_000, 10_000, 1_000, 100, 10, 1].map(|unit| digit(micros / unit));
        out.push(b'.');
        out.extend_from_slice(&digits);
        let [sign, h1, h0, m1, m0] = offset(now.local_offset);
        out.extend_from_slice(&[sign, h1, h0, b':', m1, m0, b' ']);
    }
}

/// `HH:MM:SS`.
fn time_of_day(civil: Civil, out: &mut Vec<u8>) {
    for (separator, part) in [(None, civil.hour), (Some(b':'), civil.minute), (Some(b':'), civil.second)] {
        out.extend(separator);
        out.extend_from_slice(&[digit(u32::from(part) / 10), digit(part.into())]);
    }
}

fn priority(value: u32, out: &mut Vec<u8>) {
    out.push(b'<');
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    out.push(b'>');
}

/// `bytes` without what of `ends` they end in.
fn trimmed<'a>(bytes: &'a [u8], ends: &[u8]) -> &'a [u8] {
    let end = bytes.iter().rposition(|byte| !ends.contains(byte)).map_or(0, |last| last + 1);
    bytes.get(..end).unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallTime = WallTime { unix_micros: 1_714_117_198_004_321, local_offset: 7_200 };

    fn framed(frame: Frame, hostname: Option<&str>) -> String {
        let mut framer = Framer::new(frame, 16, 7, 0, 1024, hostname, "haproxy", 42);
        let mut out = Vec::new();
        framer.frame(NOW, 6, b"hello", &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_frame() {
        assert_eq!(framed(Frame::Local, Some("h")), "<134>Apr 26 09:39:58 haproxy[42]: hello\n");
        assert_eq!(framed(Frame::Rfc3164, None), "<134>Apr 26 09:39:58 localhost haproxy[42]: hello\n");
        assert_eq!(framed(Frame::Rfc3164, Some("h")), "<134>Apr 26 09:39:58 h haproxy[42]: hello\n");
        let rfc5424 = "<134>1 2024-04-26T09:39:58.004321+02:00 - haproxy 42 - - hello\n";
        assert_eq!(framed(Frame::Rfc5424, None), rfc5424);
        let rfc5424 = "<134>1 2024-04-26T09:39:58.004321+02:00 h haproxy 42 - - hello\n";
        assert_eq!(framed(Frame::Rfc5424, Some("h")), rfc5424);
        assert_eq!(framed(Frame::Priority, None), "<134>hello\n");
        assert_eq!(framed(Frame::Short, None), "<6>hello\n");
        assert_eq!(framed(Frame::Timed, None), "<6>2024-04-26T09:39:58.004321+02:00 hello\n");
        assert_eq!(framed(Frame::Iso, None), "2024-04-26T09:39:58.004321+02:00 hello\n");
        assert_eq!(framed(Frame::Raw, None), "hello\n");
    }

    #[test]
    fn single_digit_days_are_padded_with_a_space() {
        let mut framer = Framer::new(Frame::Local, 0, 7, 0, 1024, None, "t", 1);
        let mut out = Vec::new();
        framer.frame(WallTime { unix_micros: 0, local_offset: -3_600 }, 0, b"m", &mut out);
        framer.frame(WallTime { unix_micros: 0, local_offset: 0 }, 0, b"m", &mut out);
        assert_eq!(out, b"<0>Dec 31 23:00:00 t[1]: m\n<0>Jan  1 00:00:00 t[1]: m\n");
    }

    #[test]
    fn levels_are_filtered_and_clamped() {
        let mut framer = Framer::new(Frame::Short, 16, 5, 3, 1024, None, "t", 1);
        let mut out = Vec::new();
        for level in 0..8 {
            framer.frame(NOW, level, &[b'0' + level], &mut out);
        }
        assert_eq!(out, b"<3>0\n<3>1\n<3>2\n<3>3\n<4>4\n<5>5\n");
    }

    #[test]
    fn the_line_end_is_within_the_length() {
        let mut framer = Framer::new(Frame::Priority, 16, 7, 0, 80, None, "t", 1);
        let mut out = b"before".to_vec();
        framer.frame(NOW, 6, &[b'x'; 200], &mut out);
        assert_eq!(out.len(), 6 + 80);
        assert!(out.ends_with(b"xx\n"));
        out.clear();
        framer.frame(NOW, 6, &[b'x'; 74], &mut out);
        assert_eq!(out.len(), 80);
        out.clear();
        framer.frame(NOW, 6, b"line\n\0\n", &mut out);
        assert_eq!(out, b"<134>line\n");
    }

    #[test]
    fn structured_data() {
        let mut framer = Framer::new(Frame::Rfc5424, 16, 7, 0, 1024, Some("h"), "t", 1);
        let mut out = Vec::new();
        framer.frame_with(NOW, 6, b"[x@1 a=\"b\"]  ", b"m", &mut out);
        assert_eq!(out, b"<134>1 2024-04-26T09:39:58.004321+02:00 h t 1 - [x@1 a=\"b\"] m\n");
    }
}
