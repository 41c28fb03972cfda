//! Answers to keepalived's checkers.

use check::checker::genhash::Genhash;
use check::checker::http::{End, HttpGet, Url};
use check::checker::ping::Ping;
use check::checker::regex::{Conditions, Pattern};
use check::checker::smtp::{SmtpTalk, Turn};
use check::checker::udp::UdpPattern;
use check::checker::{Attempt, Failure, dns};

/// What `md5sum` says of `hello`.
const HELLO: u128 = 0x5d41_402a_bc4b_2a76_b971_9d91_1017_c592;

fn url(kind: u8) -> Url {
    let conditions = Conditions { no_match: kind & 4 != 0, ..Conditions::default() };
    let pattern = |options: &[&str]| Pattern::compile("l+o$", options, conditions).expect("a pattern");
    Url {
        path: "/".to_owned(),
        digests: if kind & 1 == 0 { Vec::new() } else { vec![HELLO.to_be_bytes()] },
        regex: (kind & 2 != 0).then(|| pattern(if kind & 8 == 0 { &[] } else { &["utf", "multiline"] })),
        ..Url::default()
    }
}

fn read(url: &Url, reads: &[&[u8]], end: End) -> Attempt {
    let mut get = HttpGet::new(url);
    for read in reads {
        if let Some(early) = get.feed(url, read) {
            assert_eq!(early, Attempt::Failed(Failure::NoData));
            return early;
        }
        assert!(matches!(get.timeout(), Failure::SilenceTimeout | Failure::ReadTimeout));
    }
    get.end(url, end)
}

/// The first byte says what is wanted of the answer, the second where it is cut; the rest is the answer: cut or whole it
/// means the same, it passes only when it has a head with a status that is wanted, and genhash finds the digest that passes.
pub fn http_answer(data: &[u8]) {
    let [kind, cut, answer @ ..] = data else { return };
    let url = url(*kind);
    let (first, rest) = answer.split_at(usize::from(*cut).min(answer.len()));
    let whole = read(&url, &[answer], End::Closed);
    assert_eq!(read(&url, &[first, rest], End::Closed), whole);
    for end in [End::TlsClosed, End::TlsCut] {
        let over_tls = read(&url, &[answer], end);
        assert!(over_tls == whole || whole == Attempt::Failed(Failure::NoData), "{over_tls:?} {whole:?}");
    }
    let page = match whole {
        Attempt::Page { result, .. } => result,
        other => {
            assert_eq!(other, Attempt::Failed(Failure::NoData));
            return;
        }
    };
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a page has a head");
    if page.is_ok() {
        let status = answer.windows(5).take(head).any(|window| matches!(window, [b' ', b'2', _, _, b' ']));
        assert!(status, "a page passed without its status");
    }
    let mut genhash = Genhash::new(kind & 16 != 0);
    assert!(genhash.feed(first).is_some() && genhash.feed(rest).is_some());
    let ending = genhash.end();
    assert_eq!(ending.complaint, None);
    if url.digests.len() == 1 && page.is_ok() {
        assert!(ending.printed.ends_with(&format!("{HELLO:032x}\n")), "another digest");
    }
}

/// The first two bytes are the id of the query, the rest the datagram.
pub fn dns_reply(data: &[u8]) {
    let Some((id, datagram)) = data.split_first_chunk::<2>() else { return };
    match dns::answer(u16::from_be_bytes(*id), datagram) {
        Some(Ok(())) => assert!(datagram.starts_with(id) && datagram[2] & 0x80 != 0 && datagram[3] & 15 == 0),
        Some(Err(failure)) => assert_eq!(failure, Failure::Rcode(datagram[3] & 15)),
        None => {}
    }
}

/// Pieces between zero bytes are what the mail server says at a time.
pub fn smtp_reply(data: &[u8]) {
    let mut talk = SmtpTalk::new();
    let mut sent = Vec::new();
    let mut heard = String::new();
    for piece in data.split(|byte| *byte == 0) {
        heard += &String::from_utf8_lossy(piece);
        match talk.feed("me.example", piece) {
            Turn::Wait => {}
            Turn::Send(line) => sent.push(line),
            Turn::Done(result) => {
                if result.is_ok() {
                    assert_eq!(sent, [&b"HELO me.example\r\n"[..], b"QUIT\r\n"]);
                    assert!(heard.contains("220") && heard.contains("250"), "{heard}");
                }
                break;
            }
        }
        assert!(sent.len() <= 2);
    }
}

/// The first bytes are the pattern (its length, then values and masks) and the lengths, the rest is the datagram.
pub fn udp_reply(data: &[u8]) {
    let [count, min, max, rest @ ..] = data else { return };
    let (pattern, reply) = rest.split_at((usize::from(*count % 16) * 2).min(rest.len()));
    let pattern = UdpPattern {
        payload: None,
        require_reply: true,
        reply: pattern.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect(),
        min_length: u16::from(*min),
        max_length: u16::from(*max),
    };
    if pattern.judge(reply).is_ok() && !pattern.reply.is_empty() {
        assert!((usize::from(*min)..=usize::from(*max)).contains(&reply.len()));
        let known = reply.iter().zip(&pattern.reply).filter(|(_, (_, bits))| *bits == 0xff);
        known.for_each(|(byte, (value, _))| assert_eq!(byte, value));
    }
}

/// The first byte is the family, the next two the sequence number, the rest the packet.
pub fn echo_reply(data: &[u8]) {
    let [family, low, high, packet @ ..] = data else { return };
    let ping = Ping { v6: family & 1 != 0, id: 0, sequence: u16::from_le_bytes([*low, *high]) };
    if ping.answer(packet) == Some(Ok(())) {
        assert_eq!((packet[0], &packet[6..8]), (if ping.v6 { 129 } else { 0 }, &[*low, *high][..]));
    }
}

/// A pattern, its options, and a body, each ended by a zero byte: what passes does not pass the other way round.
pub fn regex(data: &[u8]) {
    const OPTIONS: [&str; 8] =
        ["caseless", "dotall", "extended", "multiline", "ungreedy", "utf", "allow_empty_class", "firstline"];
    let mut parts = data.splitn(3, |byte| *byte == 0);
    let (Some(pattern), Some(options), Some(body)) = (parts.next(), parts.next(), parts.next()) else {
        return;
    };
    let Ok(pattern) = std::str::from_utf8(pattern) else { return };
    let chosen = options.first().copied().unwrap_or_default();
    let options: Vec<&str> =
        OPTIONS.iter().enumerate().filter(|(bit, _)| chosen >> bit & 1 == 1).map(|(_, name)| *name).collect();
    // What is long enough to take long is not a question of safety.
    if pattern.len() > 200 {
        return;
    }
    let compile =
        |no_match| Pattern::compile(pattern, &options, Conditions { no_match, ..Conditions::default() });
    if let (Ok(matches), Ok(does_not)) = (compile(false), compile(true)) {
        for limit in [body.len(), body.len() / 2] {
            assert!(!(matches.satisfied(body, limit) && does_not.satisfied(body, limit)));
        }
    }
}
