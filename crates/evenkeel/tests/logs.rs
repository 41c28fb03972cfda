//! Log lines that the case files cannot compare, beside Debian's haproxy: framings with a header of their own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;
use testkit::lane::free_address;
use testkit::program::Program;
use testkit::sink::Sink;

/// The line of one request for `target`, without what is the machine's or the moment's: the date and the process id of
/// the header.
fn line(program: &Program, settings: &str, target: &str) -> String {
    let (sink, address) = (Sink::start(), free_address());
    let config = format!(
        "global\n  log {} format rfc5424 local0\n  log-send-hostname lab\ndefaults\n  mode http\n  log global\n  \
         timeout client 5s\n  timeout connect 5s\n  timeout server 5s\nfrontend web\n  bind {address}\n  \
         log-format \"%HM %HU\"\n{settings}",
        sink.address()
    );
    let running = program.start(&config, address).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
    let at = sink
        .wait(0, Duration::from_secs(20), |line| line.contains(" GET "))
        .expect("a line about the request");
    let line = sink.lines(at, at + 1).remove(0);
    drop(running);
    // <PRI>1 DATE HOST TAG PID MSGID SD MESSAGE
    let words: Vec<&str> = line.splitn(7, ' ').collect();
    [words[0], words[2], words[3], words[5], words[6].trim_end()].join(" ")
}

#[test]
fn structured_data_is_in_the_header_of_rfc5424() {
    let ours = Program::subject(Path::new(env!("CARGO_BIN_EXE_evenkeel")));
    for (settings, target, expected) in [
        ("", "/a", "<134>1 lab haproxy - - GET /a"),
        (
            "  log-format-sd \"[a@1 status=\\\"%ST\\\"]\"\n",
            "/a",
            "<134>1 lab haproxy - [a@1 status=\"503\"] GET /a",
        ),
        (
            "  log-format-sd \"%{+Q,+E}o [a@1 path=%HU]\"\n",
            "/a\"]b",
            "<134>1 lab haproxy - [a@1 path=\"/a#22\\]b\"] GET /a#22]b",
        ),
    ] {
        let (theirs, ours) = (line(&Program::haproxy(), settings, target), line(&ours, settings, target));
        assert_eq!(theirs, ours, "{settings}");
        assert_eq!(ours, expected, "{settings}");
    }
}
