//! A machine that is the same everywhere: one user and group `haproxy`, no host names, no files but one.

use haproxy_cfg::{Context, Input, Machine, Parsed, parse_on};
use std::path::Path;

/// What `errorfile` finds under `/errors/503.http`.
pub(crate) const ERROR_FILE: &[u8] = b"HTTP/1.0 503 Service Unavailable\r\nConnection: close\r\n\r\nsorry\n";

fn account(name: &str) -> Option<u32> {
    (name == "haproxy").then_some(990)
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    match path.to_str() {
        Some("/errors/503.http") => Ok(ERROR_FILE.to_vec()),
        Some("/dev/null") => Ok(Vec::new()),
        Some("/etc/passwd") => Ok(b"root:x:0:0:root:/root:/bin/sh\n".to_vec()),
        Some("/etc/hostname") => Ok(b"host\n".to_vec()),
        _ => Err(std::io::Error::from(std::io::ErrorKind::NotFound)),
    }
}

/// Reads `text` as `name` on that machine.
pub(crate) fn parse(name: &str, text: &str) -> Parsed {
    let machine = Machine { resolve: &|_| Vec::new(), user: &account, group: &account, read: &read };
    let input = Input { name: name.to_owned(), text: text.as_bytes().to_vec() };
    parse_on(&[input], &mut Context::default(), machine)
}

/// Codes and lines of everything said, without hints.
pub(crate) fn codes(parsed: &Parsed) -> String {
    let said = parsed.report.iter().map(|diagnostic| {
        let line = diagnostic.span.and_then(|span| parsed.sources.position(span)).map_or(0, |place| place.1);
        format!("{}@{line}", diagnostic.code.0)
    });
    let said: Vec<String> = said.collect();
    if said.is_empty() { "-".to_owned() } else { said.join(" ") }
}
