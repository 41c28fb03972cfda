//! Log formats.

use ek_time::WallTime;
use logformat::{Endpoint, Format, Frame, Framer, Mode, Record, Renderer};
use std::net::{Ipv4Addr, Ipv6Addr};

/// A format, rendered for a stream whose client chose every byte that it could: a line has no control character that is
/// not in the format itself, whatever the client sent.
pub fn log_format(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let longest = &data[..data.len().min(512)];
    let captures = [Some(longest), None, Some(&b"a|\n}\0\xFF\""[..])];
    let mut record = Record {
        client: Endpoint::Ip((Ipv4Addr::new(192, 0, 2, 1), 4711).into()),
        frontend_address: Endpoint::Ip((Ipv6Addr::LOCALHOST, 80).into()),
        backend_address: Endpoint::Unix(3),
        accepted: WallTime { unix_micros: 1_700_000_000_123_456, local_offset: -12_600 },
        frontend: "main",
        backend: "app",
        http: true,
        request_line: Some(longest),
        request_cookie: Some(longest),
        response_cookie: Some(longest),
        request_captures: &captures,
        response_captures: &captures,
        unique_id: Some(b"id"),
        bytes_to_client: u64::MAX,
        ..Record::default()
    };
    record.timers.total = i64::MIN;
    record.timers.active = i64::MAX;
    for mode in [Mode::Http, Mode::Tcp] {
        match Format::compile(&text, mode) {
            Ok(format) => {
                for warning in format.warnings() {
                    assert!(text.get(warning.range.clone()).is_some(), "{:?} of {text:?}", warning.range);
                }
                let mut line = Vec::new();
                let mut renderer = Renderer::new();
                renderer.render(&format, &record, &mut line);
                let mut again = Vec::new();
                renderer.render(&format, &record, &mut again);
                assert_eq!(line, again, "the second line differs");
                // `+bin` is what lets bytes through as they are.
                if !text.contains("bin") && !text.contains(char::is_control) {
                    let found = line.iter().find(|byte| **byte < 0x20 || **byte == 0x7F);
                    assert_eq!(found, None, "{:?}", String::from_utf8_lossy(&line));
                }
                renderer.render(&format, &Record::default(), &mut line);
                framed(&line);
            }
            Err(error) => {
                assert!(!error.message.is_empty());
                assert!(text.get(error.range.clone()).is_some(), "{:?} of {text:?}", error.range);
            }
        }
    }
}

/// A message behind every header: one line end, no more bytes than allowed.
fn framed(message: &[u8]) {
    use Frame::{Iso, Local, Priority, Raw, Rfc3164, Rfc5424, Short, Timed};
    for frame in [Local, Rfc3164, Rfc5424, Priority, Short, Timed, Iso, Raw] {
        for length in [80, 1024, 65_535] {
            let mut out = Vec::new();
            let now = WallTime { unix_micros: 1, local_offset: 3600 };
            Framer::new(frame, 23, 7, 0, length, Some("host"), "tag", 1).frame(now, 6, message, &mut out);
            assert!(out.len() <= length && out.ends_with(b"\n"), "{frame:?}: {}", out.len());
        }
    }
}
