//! `errorfile`.

use super::draft::Settings;
use super::statement::Statement;
use super::{Lowering, code};
use std::path::Path;
use std::sync::Arc;

/// The statuses that HAProxy generates responses for.
const STATUSES: &[u16] = &[
    200, 400, 401, 403, 404, 405, 407, 408, 410, 413, 414, 421, 422, 425, 429, 431, 500, 501, 502, 503, 504,
];

impl Lowering<'_> {
    pub(super) fn error_file(&mut self, line: &Statement<'_>, settings: &mut Settings) {
        let (Some(status), Some(file)) = (line.argument(0), line.argument(1)) else {
            let message = "errorfile : expects <status_code> and <file> as arguments.";
            return self.error(code::MISSING, line.span, message);
        };
        if !self.at_most(line, 2, "errorfile") {
            return;
        }
        let Some(code) = status.text.parse().ok().filter(|code| STATUSES.contains(code)) else {
            let message = format!("errorfile : status code '{}' not handled.", status.text);
            return self.error(code::ERROR_FILE, status.span, message);
        };
        let Ok(bytes) = (self.machine.read)(Path::new(&file.text)) else {
            let message = format!("errorfile : error opening file '{}'.", file.text);
            return self.error(code::ERROR_FILE, file.span, message);
        };
        if let Err(reason) = response(&bytes) {
            let message = format!("errorfile : '{}': {reason}", file.text);
            return self.error(code::ERROR_FILE, file.span, message);
        }
        settings.error_files.insert(code, Arc::from(bytes));
    }
}

/// Whether the bytes are a response; an empty file is one too, and sends nothing.
fn response(bytes: &[u8]) -> Result<(), &'static str> {
    const BROKEN: &str = "unable to parse headers (error offset: 0)";
    if bytes.is_empty() {
        return Ok(());
    }
    let rest = bytes.strip_prefix(b"HTTP/").ok_or(BROKEN)?;
    let version_ok =
        matches!(rest, [b'0'..=b'9', b'.', b'0'..=b'9', b' ', b'1'..=b'5', b'0'..=b'9', b'0'..=b'9', ..]);
    if !version_ok {
        return Err(BROKEN);
    }
    let ends = |end: &[u8]| bytes.windows(end.len()).any(|window| window == end);
    if ends(b"\r\n\r\n") || ends(b"\n\n") || ends(b"\n\r\n") {
        Ok(())
    } else {
        Err("unable to parse headers (truncated)")
    }
}
