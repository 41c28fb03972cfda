//! Where each target starts from: test data of the crates, and what is written here.

use std::io;
use std::path::{Path, PathBuf};

/// One input to start from.
#[derive(Clone, Debug)]
pub struct Seed {
    /// A name for a file.
    pub name: String,
    /// The input.
    pub bytes: Vec<u8>,
}

/// The seeds of a target: those of other crates' tests, inputs that failed once (`regressions/TARGET/`), and own ones.
/// They come in the same order everywhere.
///
/// # Errors
/// When a folder cannot be read.
pub fn of(target: &str) -> io::Result<Vec<Seed>> {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR"));
    let crates = fuzz.parent().unwrap_or(fuzz).join("crates");
    let mut found = Vec::new();
    let regressions = fuzz.join("regressions").join(target);
    if regressions.is_dir() {
        folder(&regressions, "regression", &mut found)?;
    }
    for (kind, path) in folders(target) {
        folder(&crates.join(path), kind, &mut found)?;
    }
    if target == "config" {
        statements(&crates.join("haproxy-cfg/tests/data/statements.txt"), &mut found)?;
    }
    if target == "advert" {
        for path in sorted(&crates.join("wire/tests/packets"))? {
            packets(&path, &mut found)?;
        }
    }
    for (number, bytes) in own(target).iter().enumerate() {
        found.push(Seed { name: format!("own-{number}"), bytes: bytes.to_vec() });
    }
    Ok(found)
}

/// Folders below `crates/` whose files are seeds.
fn folders(target: &str) -> &'static [(&'static str, &'static str)] {
    match target {
        "config" => &[
            ("basic", "haproxy-cfg/tests/data"),
            ("valid", "evenkeel/tests/data/configs/valid"),
            ("invalid", "evenkeel/tests/data/configs/invalid"),
            ("proxy", "evenkeel/tests/data/proxies"),
        ],
        "keepalived_config" => &[
            ("guide", "keepalived-conf/tests/data/guide"),
            ("valid", "keepalived-conf/tests/data/valid"),
            ("invalid", "keepalived-conf/tests/data/invalid"),
        ],
        "request_head" => &[("request", "http1/tests/data/request")],
        "response_head" | "error_page" => &[("response", "http1/tests/data/response")],
        "netlink_answer" => &[("answer", "netlink/tests/answers")],
        "chunks" => &[("chunked", "http1/tests/data/chunked")],
        _ => &[],
    }
}

/// Every file of a folder; the files of a folder within it are one seed, as several `-f` are.
fn folder(path: &Path, kind: &str, found: &mut Vec<Seed>) -> io::Result<()> {
    for entry in sorted(path)? {
        let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = if entry.is_dir() {
            let parts: Vec<Vec<u8>> = sorted(&entry)?.iter().map(std::fs::read).collect::<io::Result<_>>()?;
            parts.join(&[crate::targets::NEXT_FILE][..])
        } else if entry.extension().is_some_and(|extension| extension == "txt") {
            continue;
        } else {
            std::fs::read(&entry)?
        };
        found.push(Seed { name: format!("{kind}-{name}"), bytes });
    }
    Ok(())
}

/// The adverts of a capture, without the Ethernet header.
fn packets(path: &Path, found: &mut Vec<Seed>) -> io::Result<()> {
    const ETHERNET: usize = 14;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let text = std::fs::read_to_string(path)?;
    for (number, hex) in text.lines().filter_map(|line| line.strip_prefix("advert ")).enumerate() {
        let digits: Vec<u8> =
            hex.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect();
        let bytes = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).skip(ETHERNET).collect();
        found.push(Seed { name: format!("{name}-{number}"), bytes });
    }
    Ok(())
}

fn sorted(path: &Path) -> io::Result<Vec<PathBuf>> {
    let paths: io::Result<Vec<PathBuf>> =
        std::fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths =
        paths.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    paths.sort();
    Ok(paths)
}

/// The table `where ; statement ; …` of the tests of single statements: one configuration each.
fn statements(path: &Path, found: &mut Vec<Seed>) -> io::Result<()> {
    let text = std::fs::read_to_string(path)?;
    for (number, line) in text.lines().enumerate() {
        let mut parts = line.split(" ; ");
        let (Some(place), Some(statement)) = (parts.next(), parts.next()) else { continue };
        let statement = statement.replace('⏎', "\n");
        let head = match place {
            "G" => "global\n",
            "D" => "defaults\n mode http\n",
            "F" => "frontend f\n mode http\n bind :8000\n",
            "B" => "backend b\n mode http\n server s 127.0.0.1:80\n",
            _ => "",
        };
        found.push(Seed {
            name: format!("statement-{number}"),
            bytes: format!("{head} {statement}\n").into_bytes(),
        });
    }
    Ok(())
}

fn own(target: &str) -> &'static [&'static [u8]] {
    match target {
        "address" => ADDRESSES,
        "chunks" => CHUNKS,
        "condition" => CONDITIONS,
        "config" => CONFIGS,
        "error_page" => PAGES,
        "keepalived_config" => KEEPALIVED,
        "log_format" => FORMATS,
        "dns_reply" => DNS,
        "echo_reply" => ECHOES,
        "http_answer" => ANSWERS,
        "regex" => PATTERNS,
        "smtp_reply" => MAIL,
        "udp_reply" => DATAGRAMS,
        "request_head" => REQUESTS,
        "response_head" => RESPONSES,
        _ => &[],
    }
}

const ADDRESSES: &[&[u8]] = &[
    b"*:80",
    b":80",
    b":::80",
    b"192.0.2.1:80",
    b"192.0.2.1:8000-8010,:443",
    b"[2001:db8::1]:443",
    b"2001:db8::1:443",
    b"ipv4@127.0.0.1:80",
    b"ipv6@[::]:80",
    b"unix@/run/a.sock",
    b"/dev/log",
    b"abns@name",
    b"abnsz@name",
    b"fd@3",
    b"sockpair@4",
    b"udp@127.0.0.1:514",
    b"stdout",
    b"127.0.0.1:+100",
    b"127.0.0.1:-1",
    b"localhost:80",
    b"quic4@:443",
    b"ring@buffer",
    b"127.0.0.1:0",
    b"dgram+unix@/x",
    b"255.255.255.255:65535",
];

const CHUNKS: &[&[u8]] = &[
    b"5;a=\"b;c\"\r\nhello\r\n0\r\nX: y\r\n\r\nGET",
    b"fffffffffffff\r\n",
    b"0000000000000001\r\na\r\n0\r\n\r\n",
];

const CONDITIONS: &[&[u8]] = &[
    b"1",
    b"0x10",
    b"!0",
    b"!!!1",
    b"(1 && 0) || 1",
    b"defined(HOME)",
    b"streq(\"a b\",a\\ b)",
    b"strneq('$HOME',x)",
    b"strstr(haystack,stack)",
    b"feature(THREAD) && !feature(OPENSSL)",
    b"enabled(EPOLL)",
    b"version_atleast(2.4-dev19)",
    b"version_before(3.5.0)",
    b"openssl_version_atleast(3.0.1)",
    b"ssllib_name_startswith(OpenSSL)",
    b"awslc_api_atleast(19)",
    b"fips_mode()",
    b"\"${HOME}\"",
    b"((((((((1))))))))",
];

const CONFIGS: &[&[u8]] = &[
    b"global\n setenv L \"a b\"\n.if defined(L) && version_atleast(2.4)\n log \"${L[*]}\" local0\n.else\n.alert no\n.endif\n",
    b"defaults one\n mode http\n timeout client 1m\nfrontend f from one\n bind :80,:443\n default_backend b\nbackend b from one\n server-template s 1-3 localhost:80\n",
    b"frontend web *:80\n mode http\n default_backend \"${B-none}\"\n",
    b"listen l\n bind fd@3 accept-proxy\n server a 127.0.0.1:1 check inter 2s rise 4 fall 3 weight 256 backup\n",
    b"global\n log-format \"%{+Q}o %ci\"\x1cdefaults\n errorfile 503 /dev/null\n\x1cbackend b\n",
    b".if (1\n.elif 0\n.else\n.endif\n.endif\n.notice \"a\\x41\\n\"\n",
    b"# comment \\\n global\nglobal # \"\n node a\\ b'c d'\"e\\\"f$HOME${HOME-x y}\"\n",
];

const FORMATS: &[&[u8]] = &[
    b"%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r",
    b"%{+Q}o %{-Q}ci - - [%trg] %r %ST %B \"\" \"\" %cp %ms %ft %b %s %TR %Tw %Tc %Tr %Ta %tsc %ac %fc %bc %sc %rc %sq %bq %CC %CS %hrl %hsl",
    b"%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq",
    b"%{+json}o%(client)ci %(port:sint)cp %(line)r %(ok:bool)ST",
    b"%{+cbor,+bin}o %(a)ci %(b:sint)Tt %(c)hrl",
    b"%{+cbor}o%(a:str)HM%(b)HU",
    b"%{+X}Tt %{+X}ci %{+E}HU %{+Q,+X}HP",
    b"%%literal%% \\ %\" %[src]",
    b"%Tq %T %Tl %Ts %H %ID %lc %rt %pid %HM %HP %HPO %HQ %HU %HV %OG %sslv %sslc",
    b"%{+",
    b"%(name",
    b"% ci",
];

const PAGES: &[&[u8]] = &[
    b"",
    b"HTTP/1.0 503 Service Unavailable\r\nConnection: close\r\nContent-Type: text/html\r\n\r\n<html>sorry</html>\n",
    b"HTTP/1.1 404 Not Found\nContent-Length: 2\n\nno",
    b"HTTP/1.1 204 \nConnection: keep-alive, x-a, close\nX-A: b\n\n",
    b"HTTP/1.1 500\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
];

const REQUESTS: &[&[u8]] = &[
    b"\r\nPOST http://a:80/x?y HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \r\n\tChunked \r\nExpect: 100-continue\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-A, upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\nX-A: b\r\n\r\n",
];

const RESPONSES: &[&[u8]] = &[
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nContent-Length: 05, 5\r\nX:\r\n y\r\n\r\nhello",
];

const KEEPALIVED: &[&[u8]] = &[
    b"include 1.conf\ninclude *.conf\x1cvrrp_instance A {\n interface eth0\n virtual_router_id 5\n virtual_ipaddress {\n 10.0.0.1\n }\n}\n",
    b"$A= \\\n x $B { \\\n y \\\n }\n~SEQ(B,1,3) $A\n~LST({C,D},{1,2},{3,4}) $C.$D ${_RANDOM 1 2} ${_ENV HOME} ${_PWD}\n@main a\n@^main b\n",
    b"vrrp_script s {\n script \"/bin/true 'a b' \\x41\"\n weight -3 reverse\n}\n",
];

const DNS: &[&[u8]] = &[
    b"\x01\x02\x01\x02\x81\x80\0\x01\0\x01\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x01",
    b"\x01\x02\x01\x02\x81\x80\0\x01\0\0\0\0\0\0",
    b"\x01\x02\x01\x02\x83\x80\0\x01\0\0\0\0\0\0",
    b"\x01\x02\x01\x02\x81\x82\0\x01\0\0\0\0\0\0",
    b"\x01\x02\x01\x02\x01\x00\0\x01\0\0\0\0\0\0",
    b"\x01\x02\x02\x02\x81\x80\0\x01\0\0\0\0\0\0",
    b"\x01\x02\x01\x02\x81\x80\0\x01\0\0\0\0\0",
    b"\x01\x02\x01\x02\x81",
    b"\x01\x02",
    b"\x01\x02\x01\x02\x8f\xff\xff\xff\xff\xff\xff\xff\xff\xff",
];

const ECHOES: &[&[u8]] = &[
    b"\x00\x06\x00\x00\x00\x6d\x10\x00\x07\x06\x00keepalived check - ",
    b"\x01\x0b\x00\x81\x00\xe6\x46\x00\x0c\x0b\x00keepalived check - ",
    b"\x00\x06\x00\x08\x00\x65\x10\x00\x07\x06\x00keepalived check - ",
    b"\x01\x0b\x00\x80\x00\xe7\x46\x00\x0c\x0b\x00keepalived check - ",
    b"\x00\x06\x00\x03\x01\x00\x00\x00\x00\x00\x00\x45",
    b"\x00\x06\x00\x00\x00\x00\x00\x00\x00\x06\x00",
    b"\x00\x06\x00\x00\x00\x00\x00\x00\x00\x06",
    b"\x00\x06\x00\x00\x00\x00\x00\x00\x00\x07\x00",
    b"\x01\x06\x00\x00\x00\x00\x00\x00\x00\x06\x00",
    b"\x00\x06\x00",
];

const ANSWERS: &[&[u8]] = &[
    b"\x00\x10HTTP/1.0 200 OK\r\n\r\nhello",
    b"\x01\x20HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"\x11\x28HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more",
    b"\x02\x12HTTP/1.1 204 No Content\r\nServer: x\r\n\r\nhello",
    b"\x06\x12HTTP/1.1 200 OK\r\n\r\nnothing",
    b"\x0a\x12HTTP/1.1 200 OK\r\n\r\n\xff\xfe l\xc3\xa9llo\n",
    b"\x00\x05HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n",
    b"\x00\x05HTTP/1.1 200\r\n\r\n",
    b"\x03\x05HTTP/1.1 200 OK\nX: y\n\nhello",
    b"\x01\x19HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"\x01\x19HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nhello",
    b"\x00\x00SSH-2.0-x\r\n",
    b"\x13\x01ICY 200 OK\r\n\r\nhello",
];

const PATTERNS: &[&[u8]] = &[
    b"wor.d\0\x00\0hello world",
    b"^(a+)+\\1$\0\x08\0aaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
    b"(?i)f(?-i:oo)|[[:alpha:]]{2,3}?\0\x01\0FOO",
    b"a b # c\n(?<n>x)\\k<n>\0\x04\0abxx",
    b"[^]a-z\\d\\x{2d}-]+\\b\0\x00\0A-Z",
    b"\\Q(.*\\E(?#x)\\R\\h\\v?\0\x00\0(.*\r\n\t",
    b"(?:a|ab)(?>c|bcd)(?=d*)\\K.\0\x10\0abcdd",
    b"\\p{L}+[\\p{Lu}\\w]\0\x20\0\xc3\xa9t\xc3\x89",
    b"(?<=\\d{3})(?<!999)x$\0\x08\x00123x\n999x\n",
    b"[]|[^]\0\x40\0x",
    b"(a)?(?(1)b|c){2,}+\0\x80\0ab\nc",
];

const MAIL: &[&[u8]] = &[
    b"220 me ESMTP\r\n\x00250 hi\r\n\x00221 bye\r\n",
    b"220-one\r\n220 two\r\n\x00250-a\r\n250 b\r\n\0.\n",
    b"2\x00202 x\n",
    b"554 no\r\n",
    b"220 a\r\n250 b\r\n221 c\r\n",
    b"220\n\x00250\n\0\n",
    b"220 a\r\n\x00500 what\r\n",
    b"22\x000 split\r\n\x002\x0050 split\r\n\0x\n",
    b"\r\n",
    b"220-\r\n220-\r\n221 \r\n",
];

const DATAGRAMS: &[&[u8]] = &[
    b"\x04\x00\x08\x01\xff\x02\xff\x00\x00\x04\xff\x01\x02\x33\x04",
    b"\x04\x04\x08\x01\xff\x02\xff\x00\x00\x04\xff\x01\x02\x33",
    b"\x04\x00\x03\x01\xff\x02\xff\x00\x00\x04\xff\x01\x02\x33\x04",
    b"\x02\x00\xff\x0f\x0f\xf0\xf0\xff\xff",
    b"\x02\x00\xff\x0f\x0f\xf0\xf0\x00\x00",
    b"\x00\x00\x00",
    b"\x00\x05\x06hello",
    b"\x01\x00\x00\x01\xff",
    b"\x01\x09\x01\x01\xff\x01",
    b"\x0f\x00\xffkeepalived check - keepalived chkeepalived check",
];
