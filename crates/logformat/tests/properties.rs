//! Whatever clients and configurations say, a line comes out, and an encoded one can be decoded.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use ek_time::WallTime;
use logformat::{Endpoint, Format, Frame, Framer, Mode, Record, Renderer, aliases};
use proptest::prelude::*;

/// What a client or server may have put into a stream.
#[derive(Debug, Clone)]
struct Words {
    line: Option<Vec<u8>>,
    cookie: Option<Vec<u8>>,
    captures: Vec<Option<Vec<u8>>>,
    name: String,
    number: i64,
    port: u16,
    early: bool,
}

fn words() -> impl Strategy<Value = Words> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..40);
    let optional = move || proptest::option::of(bytes());
    (
        optional(),
        optional(),
        proptest::collection::vec(optional(), 0..3),
        "[a-z\"\\\\é]{1,9}",
        any::<i64>(),
        any::<u16>(),
        any::<bool>(),
    )
        .prop_map(|(line, cookie, captures, name, number, port, early)| Words {
            line,
            cookie,
            captures,
            name,
            number,
            port,
            early,
        })
}

fn with_record<T>(words: &Words, f: impl FnOnce(&Record<'_>) -> T) -> T {
    let captures: Vec<Option<&[u8]>> = words.captures.iter().map(Option::as_deref).collect();
    let endpoint = match words.port % 4 {
        0 => Endpoint::Unknown,
        1 => Endpoint::Unix(words.port.into()),
        2 => Endpoint::Ip((std::net::Ipv4Addr::from(words.number as u32), words.port).into()),
        _ => Endpoint::Ip((std::net::Ipv6Addr::from(words.number as u128), words.port).into()),
    };
    let mut record = Record {
        client: endpoint,
        server_address: endpoint,
        accepted: WallTime {
            unix_micros: words.number.unsigned_abs() >> 8,
            local_offset: words.number as i32 % 50_000,
        },
        frontend: &words.name,
        backend: &words.name,
        request_line: words.line.as_deref(),
        request_cookie: words.cookie.as_deref(),
        unique_id: words.cookie.as_deref(),
        request_captures: &captures,
        response_captures: &captures,
        bytes_to_client: words.number as u64,
        tls: words.early,
        early: words.early,
        tls_version: words.early.then_some("TLSv1.3"),
        ..Record::default()
    };
    record.timers.total = words.number;
    f(&record)
}

/// A format with every alias, named, with the flags of `global` for the whole line.
fn everything(global: &str, flags: &[Option<&str>], types: &[&str]) -> Format {
    let mut text = format!("%{{{global}}}o");
    for (index, (alias, _)) in aliases().filter(|(name, _)| *name != "o").enumerate() {
        let flags = flags
            .get(index % flags.len().max(1))
            .copied()
            .flatten()
            .map(|f| format!("{{{f}}}"))
            .unwrap_or_default();
        let kind = types.get(index % types.len().max(1)).copied().unwrap_or("");
        text.push_str(&format!(" x%({alias}{kind}){flags}{alias}"));
    }
    Format::compile(&text, Mode::Http).unwrap()
}

/// Decodes one CBOR item, `None` when it is not well-formed; the rest comes back.
fn cbor_item(bytes: &[u8], depth: usize) -> Option<&[u8]> {
    let (&first, rest) = bytes.split_first()?;
    if depth > 8 {
        return None;
    }
    let (major, info) = (first >> 5, first & 31);
    if info == 31 {
        let mut rest = rest;
        loop {
            if let Some((0xFF, after)) = rest.split_first().map(|(b, after)| (*b, after)) {
                return Some(after);
            }
            rest = match major {
                2 | 3 => {
                    // Chunks of the same major type and of known length (RFC 8949 section 3.2.3).
                    let chunk = *rest.first()?;
                    (chunk >> 5 == major && chunk & 31 != 31).then_some(())?;
                    cbor_item(rest, depth + 1)?
                }
                4 => cbor_item(rest, depth + 1)?,
                5 => cbor_item(cbor_item(rest, depth + 1)?, depth + 1)?,
                _ => return None,
            };
        }
    }
    let extra = match info {
        0..=23 => 0,
        24 => 1,
        25 => 2,
        26 => 4,
        27 => 8,
        _ => return None,
    };
    let (argument, rest) = rest.split_at_checked(extra)?;
    let value =
        if extra == 0 { u64::from(info) } else { argument.iter().fold(0, |n, &b| n << 8 | u64::from(b)) };
    match major {
        0 | 1 | 7 => Some(rest),
        2 | 3 => {
            let (text, rest) = rest.split_at_checked(usize::try_from(value).ok()?)?;
            (major == 2 || std::str::from_utf8(text).is_ok()).then_some(rest)
        }
        _ => None,
    }
}

proptest! {
    #[test]
    fn any_text_compiles_or_says_why(text in "(%|\\{|\\}|\\(|\\)|\\[|\\]|:|,|[+]|-|Q|json|[a-zA-Z0-9 ]|é){0,30}", http in any::<bool>(), words in words()) {
        match Format::compile(&text, if http { Mode::Http } else { Mode::Tcp }) {
            Ok(format) => with_record(&words, |record| format.render(record, &mut Vec::new())),
            Err(error) => {
                prop_assert!(!error.message.is_empty());
                prop_assert!(text.get(error.range.clone()).is_some(), "{:?} of {text}", error.range);
            }
        }
    }

    #[test]
    fn plain_lines_have_no_control_characters_but_the_cookies(words in words(), flags in prop::sample::select(vec!["+Q", "+X", "+E", "+Q,+E,+X", "-M"])) {
        let words = Words { cookie: None, ..words };
        let format = everything(flags, &[], &[]);
        with_record(&words, |record| {
            let mut out = Vec::new();
            Renderer::new().render(&format, record, &mut out);
            assert!(!out.iter().any(|byte| byte.is_ascii_control()), "{out:?}");
        });
    }

    #[test]
    fn json_is_json(words in words(), flags in prop::sample::select(vec![None, Some("+Q"), Some("+X"), Some("+E"), Some("+cbor")]), kind in prop::sample::select(vec!["", ":str", ":sint", ":bool"])) {
        let format = everything("+json", &[flags, None], &[kind, ""]);
        with_record(&words, |record| {
            let mut out = Vec::new();
            Renderer::new().render(&format, record, &mut out);
            let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
            assert_eq!(value.as_object().unwrap().len(), aliases().count() - 1);
        });
    }

    #[test]
    fn cbor_is_cbor(words in words(), flags in prop::sample::select(vec![None, Some("+Q"), Some("+X"), Some("+E"), Some("+json")]), kind in prop::sample::select(vec!["", ":str", ":sint", ":bool"])) {
        let binary = everything("+cbor,+bin", &[flags, None], &[kind, ""]);
        let digits = everything("+cbor", &[flags, None], &[kind, ""]);
        with_record(&words, |record| {
            let mut out = Vec::new();
            Renderer::new().render(&binary, record, &mut out);
            assert_eq!(cbor_item(&out, 0), Some(&[][..]), "{out:?}");
            let mut hex = Vec::new();
            Renderer::new().render(&digits, record, &mut hex);
            let expected: String = out.iter().map(|byte| format!("{byte:02X}")).collect();
            assert_eq!(String::from_utf8(hex).unwrap(), expected);
        });
    }

    #[test]
    fn frames_end_in_one_line_end_within_the_length(message in proptest::collection::vec(any::<u8>(), 0..300), length in 0_usize..200, level in 0_u8..8, micros in any::<u64>(), offset in -90_000_i32..90_000) {
        for frame in [Frame::Local, Frame::Rfc3164, Frame::Rfc5424, Frame::Priority, Frame::Short, Frame::Timed, Frame::Iso, Frame::Raw] {
            let mut out = b"kept".to_vec();
            let now = WallTime { unix_micros: micros >> 8, local_offset: offset };
            Framer::new(frame, 23, 7, 0, length, Some("h"), "t", 1).frame(now, level, &message, &mut out);
            prop_assert!(out.len() <= 4 + length.max(1));
            prop_assert!(out.starts_with(b"kept") && out.ends_with(b"\n"));
        }
    }
}
