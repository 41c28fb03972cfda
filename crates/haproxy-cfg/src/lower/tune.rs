//! `tune.*` of the `global` section.

use super::statement::Statement;
use super::{Lowering, code};
use crate::model::Tune;
use crate::units::parse_size;

impl Lowering<'_> {
    pub(super) fn tune(&mut self, line: &Statement<'_>, tune: &mut Tune) {
        match line.keyword() {
            "tune.bufsize" => {
                if let Some(bytes) = self.size(line, 1) {
                    // HAProxy rounds up to two pointers.
                    tune.bufsize = bytes.checked_next_multiple_of(16).unwrap_or(bytes);
                }
            }
            "tune.maxrewrite" => tune.maxrewrite = self.size(line, 0).unwrap_or(tune.maxrewrite),
            "tune.http.logurilen" => tune.http_logurilen = self.size(line, 0).unwrap_or(tune.http_logurilen),
            "tune.http.maxhdr" => self.maxhdr(line, tune),
            "tune.maxaccept" => {
                let value = self.only_number::<i32>(line);
                self.once(line, &mut tune.maxaccept, value);
            }
            "tune.pipesize" => tune.pipesize = self.size(line, 0).or(tune.pipesize),
            "tune.rcvbuf.client" => self.socket_buffer(line, &mut tune.rcvbuf_client),
            "tune.sndbuf.client" => self.socket_buffer(line, &mut tune.sndbuf_client),
            "tune.rcvbuf.server" => self.socket_buffer(line, &mut tune.rcvbuf_server),
            "tune.sndbuf.server" => self.socket_buffer(line, &mut tune.sndbuf_server),
            other => {
                // The table says served and nothing above serves it; a test keeps this arm from being reached.
                self.error(code::NOT_YET, line.span, format!("'{other}' is known, not served yet"));
            }
        }
    }

    fn socket_buffer(&mut self, line: &Statement<'_>, slot: &mut Option<u32>) {
        let value = self.size(line, 0);
        self.once(line, slot, value);
    }

    /// A size in bytes, at least `least`.
    fn size(&mut self, line: &Statement<'_>, least: u32) -> Option<u32> {
        let keyword = line.keyword();
        let word = self.only(line, |keyword| format!("'{keyword}' expects an integer argument."))?;
        let bytes = parse_size(&word.text).ok().and_then(|bytes| i32::try_from(bytes).ok());
        let bytes = bytes.and_then(|bytes| u32::try_from(bytes).ok()).filter(|&bytes| bytes >= least);
        if bytes.is_none() {
            let message = format!("'{keyword}' expects a positive integer argument.");
            self.error(code::NUMBER, word.span, message);
        }
        bytes
    }

    fn maxhdr(&mut self, line: &Statement<'_>, tune: &mut Tune) {
        let missing = |keyword: &str| format!("'{keyword}' expects an integer argument.");
        let Some(word) = self.only(line, missing) else { return };
        match word.text.parse() {
            Ok(count @ 1..=32767) => tune.http_maxhdr = count,
            _ => {
                let message = "'tune.http.maxhdr' expects a numeric value between 1 and 32767";
                self.error(code::NUMBER, word.span, message);
            }
        }
    }
}
