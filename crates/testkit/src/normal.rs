//! What may differ between two runs without meaning anything, taken away. The whole list:
//!
//! - letter case of field names (HAProxy writes them in lower case, we keep them),
//! - where chunks of a body are cut, and chunk extensions (neither program keeps them), and so the number of bytes in
//!   the log line of a case whose client got chunks,
//! - in logs: process ids, dates, ports of loopback addresses, durations (but not whether a phase was reached: -1 stays).

use crate::message::{self, Body, Found, Message, Side};

/// A stream of requests, as a server received it.
pub fn requests(bytes: &[u8]) -> Vec<u8> {
    stream(bytes, |_| Side::Request)
}

/// A stream of responses, as a client received it; `bodyless` are those that answer HEAD.
pub fn responses(bytes: &[u8], bodyless: &[usize]) -> Vec<u8> {
    stream(bytes, |index| Side::Response { bodyless: bodyless.contains(&index) })
}

/// How many request heads a server's stream begins with.
pub fn count_requests(bytes: &[u8]) -> usize {
    let (mut at, mut count) = (0, 0);
    while let Found::Message(m) = message::find(bytes, at, Side::Request) {
        count += 1;
        at = m.end;
    }
    count
}

fn stream(bytes: &[u8], side: impl Fn(usize) -> Side) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let (mut at, mut index) = (0, 0);
    while at < bytes.len() {
        // For the reader: messages begin on a line of their own.
        if out.last().is_some_and(|&b| b != b'\n') {
            out.push(b'\n');
        }
        let Found::Message(message) = message::find(bytes, at, side(index)) else {
            out.extend_from_slice(&partial(&bytes[at..]));
            break;
        };
        write(&mut out, bytes, &message);
        let interim = matches!(message::status(&bytes[message.head.clone()]), Some(100 | 102..=199));
        index += usize::from(!interim);
        at = message.end;
    }
    out
}

/// A message that is not whole: its head is still a head when it is there.
fn partial(bytes: &[u8]) -> Vec<u8> {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    let mut out = Vec::new();
    if bytes.starts_with(b"HTTP/") || bytes.first().is_some_and(u8::is_ascii_alphabetic) {
        head(&mut out, &bytes[..end]);
        let chunked = message::field(&bytes[..end], "transfer-encoding").is_some();
        if chunked && end < bytes.len() {
            out.extend_from_slice(b"[chunks, not whole: ");
            out.extend_from_slice(&unchunk(&bytes[end..]));
            out.push(b']');
        } else {
            out.extend_from_slice(&bytes[end..]);
        }
    } else {
        out.extend_from_slice(bytes);
    }
    out
}

/// The data of as many chunks as there are.
fn unchunk(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some(line) = rest.iter().position(|&b| b == b'\n') {
        let digits = rest.iter().take_while(|b| b.is_ascii_hexdigit()).count();
        let size = std::str::from_utf8(&rest[..digits]).ok().and_then(|d| usize::from_str_radix(d, 16).ok());
        let Some(size @ 1..) = size else { break };
        rest = &rest[line + 1..];
        out.extend_from_slice(&rest[..size.min(rest.len())]);
        rest = rest.get(size + 2..).unwrap_or_default();
    }
    out.extend_from_slice(if rest.is_empty() { b"" } else { b"|" });
    out.extend_from_slice(rest);
    out
}

fn write(out: &mut Vec<u8>, bytes: &[u8], message: &Message) {
    head(out, &bytes[message.head.clone()]);
    match &message.body {
        Body::None => {}
        Body::Length(range) | Body::UntilClose(range) => out.extend_from_slice(&bytes[range.clone()]),
        Body::Chunked(data, trailers) => {
            out.extend_from_slice(b"[chunks: ");
            for range in data {
                out.extend_from_slice(&bytes[range.clone()]);
            }
            out.extend_from_slice(b"]\n");
            names(out, &bytes[trailers.clone()]);
        }
    }
}

fn head(out: &mut Vec<u8>, head: &[u8]) {
    let end = head.iter().position(|&b| b == b'\n').map_or(head.len(), |at| at + 1);
    out.extend_from_slice(&head[..end]);
    names(out, &head[end..]);
}

fn names(out: &mut Vec<u8>, lines: &[u8]) {
    for line in lines.split_inclusive(|&b| b == b'\n') {
        let colon = line.iter().position(|&b| b == b':').unwrap_or(0);
        out.extend(line[..colon].to_ascii_lowercase());
        out.extend_from_slice(&line[colon..]);
    }
}

/// Whether any response of a client's stream came in chunks.
pub fn has_chunks(bytes: &[u8]) -> bool {
    bytes.windows(17).any(|w| w.eq_ignore_ascii_case(b"transfer-encoding"))
}

/// The same line without the number of bytes of `option httplog`.
pub fn without_size(line: &str) -> String {
    let mut words: Vec<&str> = line.split(' ').collect();
    if let Some(size) = words.get_mut(7).filter(|w| w.bytes().all(|b| b.is_ascii_digit())) {
        *size = "SIZE";
    }
    words.join(" ")
}

/// A log line, as the sink received it.
pub fn log_line(line: &str) -> String {
    let (priority, rest) = match line.find('>') {
        Some(at) if line.starts_with('<') => line.split_at(at + 1),
        _ => ("", line),
    };
    // "Mon DD HH:MM:SS tag[pid]: message"
    let (tag, message) = match rest.split_once("]: ") {
        Some((tag, message)) => {
            (tag.rsplit(' ').next().unwrap_or(tag).split('[').next().unwrap_or(tag), message)
        }
        None => ("?", rest),
    };
    let mut words: Vec<String> =
        message.trim_end_matches('\n').split(' ').enumerate().map(|(i, w)| word(i, w)).collect();
    common_log(&mut words);
    let text = words.join(" ");
    format!("{priority}{tag}: {}", durations(&text))
}

/// `option httplog clf`: date in two words, then client port, milliseconds, and five durations between the names.
fn common_log(words: &mut [String]) {
    if !words.get(3).is_some_and(|w| w.starts_with('[') && w.matches(':').count() == 3) {
        return;
    }
    words[3] = "[DATE".to_owned();
    for (i, word) in words.iter_mut().enumerate() {
        if matches!(i, 12 | 13 | 17..=21) && word.bytes().all(|b| b.is_ascii_digit()) {
            *word = "T".to_owned();
        }
    }
}

fn word(index: usize, word: &str) -> String {
    if word.starts_with('[') && word.ends_with(']') && word.matches(':').count() >= 3 {
        return "[DATE]".to_owned();
    }
    if let Some(at) = word.find("127.0.0.1:") {
        let port_at = at + "127.0.0.1:".len();
        let digits = word[port_at..].bytes().take_while(u8::is_ascii_digit).count();
        return format!("{}PORT{}", &word[..port_at], &word[port_at + digits..]);
    }
    let timers = word.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'/' | b'-' | b'+'))
        && (2..=4).contains(&word.matches('/').count());
    if index == 4 && timers {
        let one = |t: &str| match t {
            "-1" => "-1".to_owned(),
            t if t.starts_with('+') => "+T".to_owned(),
            _ => "T".to_owned(),
        };
        return word.split('/').map(one).collect::<Vec<_>>().join("/");
    }
    // `Ta=12` in formats of the test configurations.
    if let Some((name, value)) = word.split_once('=')
        && name.starts_with('T')
        && name.len() == 2
        && value.bytes().all(|b| b.is_ascii_digit())
    {
        return format!("{name}=T");
    }
    word.to_owned()
}

/// `12ms` after `duration: `.
fn durations(text: &str) -> String {
    match text.split_once("duration: ") {
        Some((before, after)) => {
            format!("{before}duration: T{}", after.trim_start_matches(|c: char| c.is_ascii_digit()))
        }
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_listed_goes() {
        let line = "<134>Nov 20 15:56:58 haproxy[71]: 127.0.0.1:4123 [20/Nov/2026:15:56:58.123] fe be/s1 0/-1/2/3/+4 200 63 - - \
                    ---- 1/1/0/0/0 0/0 \"GET / HTTP/1.1\"";
        assert_eq!(
            log_line(line),
            "<134>haproxy: 127.0.0.1:PORT [DATE] fe be/s1 T/-1/T/T/+T 200 63 - - ---- 1/1/0/0/0 0/0 \"GET / HTTP/1.1\""
        );
        assert_eq!(requests(b"GET / HTTP/1.1\r\nHoSt: A\r\n\r\n"), b"GET / HTTP/1.1\r\nhost: A\r\n\r\n");
        let a = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
        let b = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\n\r\n";
        assert_eq!(responses(a, &[]), responses(b, &[]));
        assert_ne!(responses(a, &[]), responses(&a[..a.len() - 7], &[]));
    }
}
