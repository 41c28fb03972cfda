//! Just enough HTTP/1 to know where a message of a recorded stream ends: written apart from the program's own parser.

use std::ops::Range;

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// A request.
    Request,
    /// A response; `bodyless` when it answers HEAD.
    Response {
        /// Whether the request was HEAD.
        bodyless: bool,
    },
}

/// What follows a head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Nothing.
    None,
    /// These bytes.
    Length(Range<usize>),
    /// Chunks: where their data lies, and the trailer lines with the last empty one.
    Chunked(Vec<Range<usize>>, Range<usize>),
    /// All until the connection ends; also the bytes of a tunnel.
    UntilClose(Range<usize>),
}

/// One message within a buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Start line, fields and the empty line.
    pub head: Range<usize>,
    /// The rest.
    pub body: Body,
    /// Where the next message begins.
    pub end: usize,
}

/// What was found at a place in a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A whole message (or, with [`Body::UntilClose`], its head and what there is so far).
    Message(Message),
    /// The beginning of one.
    Partial,
    /// Something else.
    Other,
}

/// Splits a head into its lines, without line ends.
pub fn head_lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    head.split(|&b| b == b'\n').map(|l| l.strip_suffix(b"\r").unwrap_or(l)).take_while(|l| !l.is_empty())
}

/// The value of the first field called `name` (lower case), trimmed.
pub fn field<'a>(head: &'a [u8], name: &str) -> Option<&'a [u8]> {
    head_lines(head).skip(1).find_map(|line| {
        let colon = line.iter().position(|&b| b == b':')?;
        line[..colon].eq_ignore_ascii_case(name.as_bytes()).then(|| line[colon + 1..].trim_ascii())
    })
}

/// The status of a response head, if it is one.
pub fn status(head: &[u8]) -> Option<u16> {
    let line = head_lines(head).next()?;
    if !line.starts_with(b"HTTP/") {
        return None;
    }
    std::str::from_utf8(line.split(|&b| b == b' ').nth(1)?).ok()?.parse().ok()
}

/// Length of the head that begins at the start of `bytes`.
fn head_len(bytes: &[u8]) -> Option<usize> {
    let mut start = 0;
    while let Some(at) = bytes[start..].iter().position(|&b| b == b'\n') {
        let line = &bytes[start..start + at];
        if matches!(line, b"" | b"\r") && start > 0 {
            return Some(start + at + 1);
        }
        start += at + 1;
    }
    None
}

/// Finds the message that begins at `from`.
pub fn find(bytes: &[u8], from: usize, side: Side) -> Found {
    let rest = &bytes[from..];
    if rest.is_empty() {
        return Found::Partial;
    }
    let looks = match side {
        Side::Response { .. } => b"HTTP/".iter().zip(rest).all(|(a, b)| a == b),
        Side::Request => rest[0].is_ascii_alphabetic(),
    };
    if !looks {
        return Found::Other;
    }
    let Some(len) = head_len(rest) else { return Found::Partial };
    let head = from..from + len;
    let text = &bytes[head.clone()];
    let body_at = head.end;
    let done = |body, end| Found::Message(Message { head: head.clone(), body, end });
    let tunnel = || done(Body::UntilClose(body_at..bytes.len()), bytes.len());
    if let Side::Response { bodyless } = side {
        match status(text) {
            None => return Found::Other,
            Some(101) => return tunnel(),
            Some(100..=199 | 204 | 304) => return done(Body::None, body_at),
            Some(_) if bodyless => return done(Body::None, body_at),
            Some(_) => {}
        }
    } else if text.starts_with(b"CONNECT ") {
        return tunnel();
    }
    if field(text, "transfer-encoding").is_some_and(|v| v.to_ascii_lowercase().ends_with(b"chunked")) {
        return match chunks(bytes, body_at) {
            Chunks::Whole(data, trailers) => {
                let end = trailers.end;
                done(Body::Chunked(data, trailers), end)
            }
            Chunks::Partial => Found::Partial,
            Chunks::Broken => tunnel(),
        };
    }
    let length =
        field(text, "content-length").and_then(|v| std::str::from_utf8(v).ok()?.parse::<usize>().ok());
    match (length, side) {
        (Some(n), _) if bytes.len() - body_at >= n => done(Body::Length(body_at..body_at + n), body_at + n),
        (Some(_), _) => Found::Partial,
        (None, Side::Request) => done(Body::None, body_at),
        (None, Side::Response { .. }) => tunnel(),
    }
}

enum Chunks {
    Whole(Vec<Range<usize>>, Range<usize>),
    Partial,
    Broken,
}

fn chunks(bytes: &[u8], mut at: usize) -> Chunks {
    let mut data = Vec::new();
    loop {
        let Some(line) = bytes[at..].iter().position(|&b| b == b'\n') else { return Chunks::Partial };
        let text = &bytes[at..at + line];
        let digits = text.iter().take_while(|b| b.is_ascii_hexdigit()).count();
        let size = std::str::from_utf8(&text[..digits]).ok().and_then(|d| usize::from_str_radix(d, 16).ok());
        let Some(size) = size.filter(|&s| s < 1 << 40) else { return Chunks::Broken };
        at += line + 1;
        if size == 0 {
            let trailers = at;
            loop {
                let Some(line) = bytes[at..].iter().position(|&b| b == b'\n') else { return Chunks::Partial };
                let empty = matches!(&bytes[at..at + line], b"" | b"\r");
                at += line + 1;
                if empty {
                    return Chunks::Whole(data, trailers..at);
                }
            }
        }
        data.push(at..at + size);
        at += size;
        match bytes.get(at..) {
            None | Some(b"" | b"\r") => return Chunks::Partial,
            Some(rest) if rest.starts_with(b"\r\n") => at += 2,
            Some(rest) if rest.starts_with(b"\n") => at += 1,
            Some(_) => return Chunks::Broken,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESPONSE: Side = Side::Response { bodyless: false };

    fn end(text: &[u8], side: Side) -> Option<usize> {
        match find(text, 0, side) {
            Found::Message(m) => Some(m.end),
            _ => None,
        }
    }

    #[test]
    fn messages_end_where_they_should() {
        assert_eq!(end(b"GET / HTTP/1.1\r\n\r\nGET", Side::Request), Some(18));
        assert_eq!(end(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET", Side::Request), Some(41));
        assert_eq!(
            end(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\nX", RESPONSE),
            Some(59)
        );
        assert_eq!(end(b"HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\n", RESPONSE), Some(38));
        assert_eq!(find(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", 0, RESPONSE), Found::Partial);
        assert_eq!(find(b"junk", 0, RESPONSE), Found::Other);
    }
}
