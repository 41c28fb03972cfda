//! What a format compiles to, and what it writes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use ek_time::WallTime;
use logformat::Timers;
use logformat::{
    CompileErrorKind, Endpoint, Format, HTTP_CLF_LOG, HTTP_LOG, HTTPS_LOG, Mode, Record, TCP_CLF_LOG, TCP_LOG,
};

fn record() -> Record<'static> {
    Record {
        client: Endpoint::Ip("192.0.2.1:4711".parse().unwrap()),
        frontend_address: Endpoint::Ip("[2001:db8::1]:443".parse().unwrap()),
        backend_address: Endpoint::Ip("192.0.2.9:1024".parse().unwrap()),
        server_address: Endpoint::Unix(0),
        accepted: WallTime { unix_micros: 1_714_117_198_004_321, local_offset: 7_200 },
        request_started: WallTime { unix_micros: 1_714_117_198_014_321, local_offset: 7_200 },
        frontend: "fe",
        tls: true,
        http: true,
        backend: "be",
        server: "s1",
        timers: Timers {
            request: 1,
            queue: 0,
            connect: 2,
            response: 3,
            active: 9,
            total: 19,
            ..Timers::default()
        },
        status: 200,
        bytes_to_client: 1_234,
        termination: *b"----",
        process_connections: 5,
        frontend_connections: 4,
        backend_connections: 3,
        server_connections: 2,
        request_captures: &[Some(b"a|b\xff"), None],
        request_line: Some(b"GET /x?\"\x07 HTTP/1.1"),
        pid: 255,
        hostname: "host",
        ..Record::default()
    }
}

fn line(format: &str, record: &Record<'_>) -> String {
    let mut out = Vec::new();
    Format::compile(format, Mode::Http).unwrap().render(record, &mut out);
    String::from_utf8(out).unwrap()
}

fn error(format: &str, mode: Mode) -> (String, CompileErrorKind, String) {
    let error = Format::compile(format, mode).unwrap_err();
    (error.message, error.kind, format[error.range].to_owned())
}

#[test]
fn the_standard_formats() {
    let record = record();
    assert_eq!(
        line(HTTP_LOG, &record),
        "192.0.2.1:4711 [26/Apr/2024:09:39:58.014] fe~ be/s1 1/0/2/3/9 200 1234 - - ---- 5/4/3/2/0 0/0 {a#7Cb#FF|} \
         \"GET /x?#22#07 HTTP/1.1\""
    );
    assert_eq!(
        line(HTTP_CLF_LOG, &record),
        "192.0.2.1 - - [26/Apr/2024:07:39:58 +0000] \"GET /x?#22#07 HTTP/1.1\" 200 1234 \"\" \"\" 4711 004 \"fe~\" \
         \"be\" \"s1\" 1 0 2 3 9 ---- 5 4 3 2 0 0 0 \"\" \"\" \"a#7Cb#FF\" \"\" "
    );
    assert_eq!(
        line(TCP_LOG, &record),
        "192.0.2.1:4711 [26/Apr/2024:09:39:58.004] fe~ be/s1 0/2/19 1234 -- 5/4/3/2/0 0/0"
    );
    assert_eq!(
        line(TCP_CLF_LOG, &record),
        "192.0.2.1 - - [26/Apr/2024:07:39:58 +0000] \"TCP \" 000 1234 \"\" \"\" 4711 004 \"fe~\" \"be\" \"s1\" 0 0 2 19 0 \
         ---- 5 4 3 2 0 0 0 \"\" \"\" "
    );
}

#[test]
fn a_record_of_nothing() {
    let nothing = Record { status: 400, termination: *b"PR--", ..Record::default() };
    assert_eq!(
        line("%ci:%cp %b/%s %ST %tsc %hr %hs %{+Q}r %ID", &nothing),
        "-:- -/<NOSRV> 400 PR-- \"<BADREQ>\" -"
    );
    assert_eq!(line("%{+Q}ci %{+Q}ID|%{-M}ID|", &nothing), "\"\" \"\"||");
}

#[test]
fn growing_values_of_an_early_line() {
    let early = Record { early: true, redispatched: true, retries: 1, ..record() };
    assert_eq!(line("%B %Ta %Tt %Tu %Td %U %rc", &early), "+1234 +9 +19 +-1 -1 0 +1");
    assert_eq!(line("%{+json}o %(b)B %(rc)rc", &early), r#"{"b": 1234, "rc": 1}"#);
}

#[test]
fn hexadecimal() {
    assert_eq!(
        line("%{+X}o %ci:%cp %fi:%fp %si:%sp %Ts %ms %pid %rt", &record()),
        "C0000201:1267 20010DB8000000000000000000000001:01BB unix:0 662B5A4E 04 00FF 0000"
    );
}

#[test]
fn escapes() {
    let quoted =
        Record { request_cookie: Some(b"a=\"]\\"), request_line: Some(b"GET /\"]\\{ x"), ..record() };
    assert_eq!(line("%CC %r", &quoted), "a=\"]\\ GET /#22]\\{ x");
    assert_eq!(line("%{+E}CC %{+E}r", &quoted), "a=\\\"\\]\\\\ GET /#22\\]\\\\{ x");
    assert_eq!(line("%{+E,+Q}CC", &quoted), "\"a=\\\"\\]\\\\\"");
}

#[test]
fn spaces_merge_around_what_is_empty() {
    let nothing = Record::default();
    assert_eq!(line("  a   b  %hr  c %hs", &nothing), "a b c ");
    assert_eq!(line("%hr%hr %hs x\t %hs  ", &nothing), "x\t ");
}

#[test]
fn json() {
    let named = "%{+json}o ignored %(client)ci %(port:str)cp %(st:sint)ST %(ok:bool)B %(no:bool)U %ft %(ft)ft %(r)r \
                 %(hr)hr %(hrl)hrl %(hs)hs %(cc)CC %(t)t %(ms)ms %(ts)tsc %(sslv)sslv %(x){+X}pid";
    let text = line(named, &record());
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["hr"], "{a#7Cb#FF|}");
    assert_eq!(
        text,
        r##"{"client": "192.0.2.1", "port": "4711", "st": 200, "ok": true, "no": false, "ft": "fe~", "##
            .to_owned()
            + r##""r": "GET /x?#22#07 HTTP/1.1", "hr": "{a#7Cb#FF|}", "hrl": ["a#7Cb#FF", "-"], "hs": null, "cc": "", "##
            + r##""t": "26/Apr/2024:09:39:58.004", "ms": 4, "ts": "----", "sslv": "", "x": "00FF"}"##
    );
    // Without a global encoding the line is no map, and the value alone is encoded.
    assert_eq!(line("x %{+json}ft %(n){+json}ST", &record()), "x \"fe~\" 200");
    assert_eq!(line("%{+json}o", &record()), "{}");
}

#[test]
fn cbor() {
    assert_eq!(
        line("%{+cbor}o %(a)ST %(b)f %(c)CC %(d:bool)B", &record()),
        "BF616118C86162626665616 3F66164F5FF".replace(' ', "")
    );
    // A text of chunks: {, the captures with their escapes, |, }.
    assert_eq!(line("%{+cbor}hr", &record()), "7F617B6161632337436162632346466 17C617DFF".replace(' ', ""));
    assert_eq!(
        line("%{+cbor}ft %{+cbor}hrl", &record()),
        "7F626665617EFF 9F7F616163233743616263234646FF7F612DFFFF"
    );
    let mut out = Vec::new();
    Format::compile("%{+cbor,+bin}o %(a)ST", Mode::Http).unwrap().render(&record(), &mut out);
    assert_eq!(out, b"\xBF\x61a\x18\xC8\xFF");
}

#[test]
fn the_first_encoding_stays_and_the_common_one_is_global() {
    let record = record();
    assert_eq!(line("%{+json,+cbor}o %(a)ST", &record), r#"{"a": 200}"#);
    assert_eq!(line("%{+json}o %(a){-json,+cbor}ST", &record), r#"{"a": 200}"#);
    // Taken back for what follows, it is not global any more.
    assert_eq!(line("%{+json}o %(a)ST %{-json}o %(b)f", &record), "200 fe");
}

#[test]
fn unique_ids_are_never_encoded() {
    let format = Format::compile_unique_id("%{+X}o %ci:%cp_%pid-%CC", Mode::Http).unwrap();
    let mut out = Vec::new();
    format.render(&record(), &mut out);
    assert_eq!(out, b"C0000201:1267_00FF-");
    let format = Format::compile_unique_id("%{+json}o %(a)f", Mode::Http).unwrap();
    out.clear();
    format.render(&record(), &mut out);
    assert_eq!(out, b"fe");
}

/// Texts by HAProxy, with the words of 3.x ("alias" where 2.6 says "variable").
#[test]
fn errors() {
    use CompileErrorKind::{HttpOnly, Syntax, UnknownAlias};
    for (format, kind, range, message) in [
        (
            "a %zz b",
            UnknownAlias,
            "%zz",
            "no such format alias 'zz'. If you wanted to emit the '%' character verbatim, you need to use '%%'",
        ),
        (
            "%5",
            Syntax,
            "%5",
            "unexpected alias name near '5' at position 1 line : '%5'. Maybe you want to write a single '%', use the syntax '%%'",
        ),
        (
            "% a",
            Syntax,
            "% ",
            "unexpected alias name near ' ' at position 1 line : '% a'. Maybe you want to write a single '%', use the syntax '%%'",
        ),
        ("x%", Syntax, "%", "truncated line after '%'"),
        ("%{+Q", Syntax, "%{+Q", "truncated line after '+Q'"),
        ("%{+Q}", Syntax, "%{+Q}", "parse argument modifier without alias name near '%{+Q}'"),
        ("%{+Q} a", Syntax, "%{+Q}", "parse argument modifier without alias name near '%{+Q}'"),
        (
            "%(a b)ci",
            Syntax,
            " ",
            "invalid character in custom name near ' ' at position 3 line : '%(a b)ci'",
        ),
        (
            "%(a:int)ci",
            Syntax,
            "int",
            "unexpected output type 'int' at position 4 line : '%(a:int)ci'. Supported types are: str, sint, bool",
        ),
        ("%[src", Syntax, "%[src", "missing ']' after 'src'"),
    ] {
        assert_eq!(error(format, Mode::Http), (message.to_owned(), kind, range.to_owned()), "{format}");
    }
    let (message, kind, range) = error("%ci %r %tr", Mode::Tcp);
    assert_eq!(
        (message.as_str(), kind, range.as_str()),
        ("format alias 'r' is reserved for HTTP mode", HttpOnly, "%r")
    );
    // What cannot be read comes first.
    assert_eq!(error("%r %zz", Mode::Tcp).1, UnknownAlias);
}

#[test]
fn expressions_are_refused_by_name() {
    let (message, kind, range) = error("%ci %{+Q}[req.hdr(a\\)],\"]\"),lower] x", Mode::Http);
    assert_eq!(kind, CompileErrorKind::Expression { fetch: "req.hdr".to_owned() });
    assert_eq!(range, "%{+Q}[req.hdr(a\\)],\"]\"),lower]");
    assert_eq!(
        message,
        "sample expression <req.hdr(a\\)],\"]\"),lower> : sample fetches in log formats are not served yet"
    );
    assert!(
        matches!(error(HTTPS_LOG, Mode::Http).1, CompileErrorKind::Expression { fetch } if fetch == "fc_err")
    );
}

#[test]
fn warnings() {
    for (format, expected) in [
        ("%Ci", vec!["deprecated alias 'Ci' in log format, please replace it with 'ci'"]),
        ("%{+Z,+Q}ci", vec!["unknown flag '+Z' in '{+Z,+Q}' is ignored"]),
        ("%{Q}ci", vec!["unknown flag 'Q' in '{Q}' is ignored"]),
        ("%,%ci", vec!["single '%' is left out, write '%%' to emit it"]),
        ("%{+json}o %ci", vec!["items without a name are left out of an encoded line, write '%(name)alias'"]),
        ("%{+json}o %(a){+Q,-X}ci", vec![]),
    ] {
        let format = Format::compile(format, Mode::Http).unwrap();
        let messages: Vec<_> = format.warnings().iter().map(|warning| warning.message.as_str()).collect();
        assert_eq!(messages, expected);
    }
    assert_eq!(line("%Ci %st %,x", &record()), "192.0.2.1 200 ,x");
    assert!(Format::compile("%ci %ID", Mode::Tcp).unwrap().shows_unique_id());
    assert!(!Format::compile(TCP_LOG, Mode::Tcp).unwrap().shows_unique_id());
}
