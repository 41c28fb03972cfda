//! The same line by HAProxy and by us.
//!
//! HAProxy logs the facts of a stream (ports, times, counters) and after them a format under test; a [`Record`] made of
//! the facts must render to the rest.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "runs haproxy beside the core")]

use ek_time::WallTime;
use logformat::{
    Endpoint, Format, Frame, Framer, HTTP_CLF_LOG, HTTP_LOG, Mode, Record, Renderer, TCP_LOG, Timers,
};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);

/// A running haproxy that listens on an inherited socket and logs to us.
struct Haproxy {
    child: Child,
    front: SocketAddr,
    logs: UdpSocket,
    config: PathBuf,
}

impl Haproxy {
    /// `FRONT` and `LOGS` in `config` stand for the listening socket and the address to log to.
    fn start(name: &str, config: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let front = listener.local_addr().unwrap();
        let logs = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        logs.set_read_timeout(Some(PATIENCE)).unwrap();
        let config = config.replace("FRONT", "fd@0").replace("LOGS", &logs.local_addr().unwrap().to_string());
        let path = std::env::temp_dir().join(format!("logformat-{name}-{}.cfg", std::process::id()));
        std::fs::write(&path, config).unwrap();
        let child = Command::new("haproxy")
            .args(["-db", "-f"])
            .arg(&path)
            .env("TZ", "XXX-05:30")
            .stdin(Stdio::from(OwnedFd::from(listener)))
            .spawn()
            .expect("this test compares with haproxy, which must be installed");
        Self { child, front, logs, config: path }
    }

    /// Sends `request`, reads until the end, and gives the log line that follows.
    fn exchange(&self, request: &[u8]) -> (SocketAddr, String) {
        let mut client = TcpStream::connect(self.front).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let address = client.local_addr().unwrap();
        client.write_all(request).unwrap();
        let mut response = Vec::new();
        // A reset after the response is as good an end.
        let _ = client.read_to_end(&mut response);
        drop(client);
        (address, self.line())
    }

    fn datagram(&self) -> Vec<u8> {
        let mut buffer = [0; 65_536];
        let length = self.logs.recv(&mut buffer).expect("haproxy logs in time");
        buffer[..length].to_vec()
    }

    fn line(&self) -> String {
        String::from_utf8(self.datagram()).unwrap().trim_end_matches('\n').to_owned()
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.config);
    }
}

/// A server that answers every connection with `response` and closes it.
fn server(response: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(response);
            let _ = stream.shutdown(Shutdown::Write);
            let _ = stream.read(&mut request);
        }
    });
    address
}

const HTTP_FACTS: &str = "%Ts|%ms|%cp|%bp|%sp|%pid|%rt|%lc|%Th|%Ti|%TR|%Tq|%Tw|%Tc|%Tr|%Td|%Ta|%Tt|%Tu|%ST|%B|%U|%ac|\
                          %fc|%bc|%sc|%rc|%sq|%bq|%tsc|%b|%s|%ID|@@";
const TCP_FACTS: &str = "%Ts|%ms|%cp|%bp|%sp|%pid|0|%lc|%Th|0|0|0|%Tw|%Tc|0|%Td|0|%Tt|%Tu|0|%B|%U|%ac|%fc|%bc|%sc|%rc|%sq|%bq|%ts--|%b|\
     %s|%ID|@@";

fn ip(port: &str) -> Endpoint {
    match port.parse() {
        Ok(port) => Endpoint::Ip((Ipv4Addr::LOCALHOST, port).into()),
        Err(_) => Endpoint::Unknown,
    }
}

/// Compares what HAProxy wrote after the facts with what we write of them.
fn compare(line: &str, format: &str, mode: Mode, rest: &Record<'_>) {
    let (facts, theirs) = line.split_once("@@").unwrap_or_else(|| panic!("no facts in {line}"));
    let (_, facts) = facts.split_once("]: ").unwrap();
    let facts: Vec<&str> = facts.split('|').collect();
    let n = |index: usize| facts[index].parse::<i64>().unwrap_or_else(|_| panic!("{index} in {facts:?}"));
    let accepted = WallTime { unix_micros: (n(0) * 1_000 + n(1)) as u64 * 1_000, local_offset: 19_800 };
    let before = if n(9) >= 0 { n(8) + n(9) } else { 0 };
    let started = WallTime { unix_micros: accepted.unix_micros + before as u64 * 1_000, ..accepted };
    let record = Record {
        client: ip(facts[2]),
        backend_address: ip(facts[3]),
        server_address: ip(facts[4]),
        accepted,
        request_started: started,
        pid: n(5) as u32,
        request_counter: n(6) as u64,
        log_counter: n(7) as u64,
        timers: Timers {
            handshake: n(8),
            idle: n(9),
            request: n(10),
            until_request: n(11),
            queue: n(12),
            connect: n(13),
            response: n(14),
            data: n(15),
            active: n(16),
            total: n(17),
            user: n(18),
        },
        status: n(19) as i32,
        bytes_to_client: n(20) as u64,
        bytes_to_server: n(21) as u64,
        process_connections: n(22) as u32,
        frontend_connections: n(23) as u32,
        backend_connections: n(24) as u32,
        server_connections: n(25) as u32,
        retries: facts[26].trim_start_matches('+').parse().unwrap(),
        redispatched: facts[26].starts_with('+'),
        server_queue: n(27) as u32,
        backend_queue: n(28) as u32,
        termination: facts[29].as_bytes().try_into().unwrap(),
        backend: facts[30],
        server: facts[31],
        unique_id: (facts[32] != "-").then_some(facts[32].as_bytes()),
        frontend: "fe",
        ..*rest
    };
    // The marker too, so that a space after it is no leading one.
    let mut ours = Vec::new();
    Renderer::new().render(&Format::compile(&format!("@@{format}"), mode).unwrap(), &record, &mut ours);
    assert_eq!(String::from_utf8(ours).unwrap(), format!("@@{theirs}"), "by {format}");
}

fn quoted(format: &str) -> String {
    format!("\"{}\"", format.replace('\\', "\\\\").replace('"', "\\\""))
}

fn http_config(format: &str, backend: &str) -> String {
    let format = quoted(&format!("{HTTP_FACTS}{format}"));
    format!(
        "global\n  log LOGS len 4096 local0\n  node here\ndefaults\n  mode http\n  log global\n  timeout client 5s\n  \
         timeout server 5s\n  timeout connect 5s\n  option http-server-close\n  option accept-invalid-http-request\nfrontend fe\n  bind FRONT\n  \
         unique-id-format %{{+X}}o-%pid-%rt\n  capture request header X-A len 40\n  \
         capture request header X-B len 10\n  capture response header Server len 20\n  \
         capture cookie who len 20\n  log-format {format}\n  default_backend be\nbackend be\n{backend}"
    )
}

/// Formats that show every alias, alone and with each flag. (No space beside what may be empty and 3.0 changed: there
/// HAProxy writes one space, before it wrote two after an empty `%HPO` or `%HQ`.)
const HTTP_FORMATS: &[&str] = &[
    HTTP_LOG,
    HTTP_CLF_LOG,
    "  %ci  [%t]   %hs %hr %hrl %hsl  %HM|%HP|%HPO|%HQ|%HU|%HV %% %{+Q}HU",
    "%{+Q}o %ci %cp %t %T %Tl %f %ft %b %s %CC %CS %ts %tsc %hr %hrl %hs %hsl %HM %HQ %r %ID %sslc %sslv",
    "%{+X}o %ci %cp %fi %fp %bi %bp %si %sp %Ts %ms %rt %lc %pid %Tt %ST %B",
    "%{+E}o %r %hr %CC %{+Q,-E}CS %{+E,+Q}b",
    "%T %Tl %Ts %trg %trl %tr %t.%ms %fi:%fp %bi:%bp %si:%sp %U %B %Th/%Ti/%TR/%Tq/%Tw/%Tc/%Tr/%Td/%Ta/%Tt/%Tu",
    "a%{+Q}o b%{-Q}o c %hr%hs%hr d %sslc%sslv %ts%tsc%H",
];

const RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nServer: a|b]\\\r\nSet-Cookie: who=me; path=/\r\n\r\nok";

#[test]
fn http_lines() {
    let server = server(RESPONSE);
    let back = format!("  server s1 {server} source 127.0.0.1\n");
    for (index, format) in HTTP_FORMATS.iter().enumerate() {
        let haproxy = Haproxy::start(&format!("http{index}"), &http_config(format, &back));
        let fronted = Endpoint::Ip(haproxy.front);
        let base = Record { frontend_address: fronted, http: true, ..Record::default() };
        let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        let base = Record { hostname: hostname.trim(), ..base };

        let request = b"GET /p/q?a=1&b=\"2#3 HTTP/1.1\r\nHost: h\r\nX-A: one {two} \xe9\"]\\\r\nCookie: a=1; who=you\r\n\
                        Connection: close\r\n\r\n";
        let (_, line) = haproxy.exchange(request);
        let record = Record {
            request_line: Some(b"GET /p/q?a=1&b=\"2#3 HTTP/1.1"),
            request_captures: &[Some(b"one {two} \xe9\"]\\"), None],
            response_captures: &[Some(b"a|b]\\")],
            request_cookie: Some(b"who=you"),
            response_cookie: Some(b"who=me"),
            ..base
        };
        compare(&line, format, Mode::Http, &record);

        let request = b"GET http://h:1/x?y HTTP/1.0\r\nX-B: 01234567890\r\n\r\n";
        let (_, line) = haproxy.exchange(request);
        let record = Record {
            request_line: Some(b"GET http://h:1/x?y HTTP/1.0"),
            request_captures: &[None, Some(b"0123456789")],
            response_captures: &[Some(b"a|b]\\")],
            response_cookie: Some(b"who=me"),
            ..base
        };
        compare(&line, format, Mode::Http, &record);
    }
}

#[test]
fn requests_that_reach_no_server() {
    for (index, format) in [HTTP_LOG, HTTP_CLF_LOG, HTTP_FORMATS[2], HTTP_FORMATS[3]].into_iter().enumerate()
    {
        let haproxy = Haproxy::start(&format!("none{index}"), &http_config(format, ""));
        let base = Record { frontend_address: Endpoint::Ip(haproxy.front), http: true, ..Record::default() };

        let (_, line) = haproxy.exchange(b"OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        let record = Record {
            request_line: Some(b"OPTIONS * HTTP/1.1"),
            request_captures: &[None, None],
            response_captures: &[None],
            ..base
        };
        compare(&line, format, Mode::Http, &record);

        // Refused before there is a stream: neither request line nor captures.
        let (_, line) = haproxy.exchange(b"nonsense\r\n\r\n");
        compare(&line, format, Mode::Http, &base);
    }
}

#[test]
fn tcp_lines() {
    let server = server(b"hello");
    for (index, format) in
        [TCP_LOG, "%T %Tl %{+Q}ft %{+X}ci:%{+X}cp %Th %Tu %U %ts%tsc %hr|%hs %ID"].iter().enumerate()
    {
        let config = format!(
            "global\n  log LOGS local0\ndefaults\n  mode tcp\n  log global\n  timeout client 5s\n  timeout server 5s\n  \
             timeout connect 5s\nfrontend fe\n  bind FRONT\n  log-format {}\n  default_backend be\nbackend be\n  \
             server s1 {server} source 127.0.0.1\n",
            quoted(&format!("{TCP_FACTS}{format}"))
        );
        let haproxy = Haproxy::start(&format!("tcp{index}"), &config);
        let (_, line) = haproxy.exchange(b"hi");
        compare(&line, format, Mode::Tcp, &Record::default());
    }
}

#[test]
fn connect_and_error_lines() {
    let config = "global\n  log LOGS format raw local0\ndefaults\n  mode http\n  log global\n  timeout client 5s\n  \
                  timeout server 5s\n  timeout connect 5s\nfrontend fe\n  bind FRONT name here\nEXTRA";
    let haproxy = Haproxy::start("connect", &config.replace("EXTRA", ""));
    let (client, line) = haproxy.exchange(b"GET / HTTP/1.0\r\n\r\n");
    let record = Record {
        client: Endpoint::Ip(client),
        frontend_address: Endpoint::Ip(haproxy.front),
        frontend: "fe",
        http: true,
        ..Record::default()
    };
    let mut ours = Vec::new();
    Renderer::new().connect_line(&record, &mut ours);
    assert_eq!(String::from_utf8(ours).unwrap(), line);
    drop(haproxy);

    let haproxy = Haproxy::start(
        "error",
        &config.replace("name here", "name here accept-proxy").replace("EXTRA", "  option httplog\n"),
    );
    let (client, line) = haproxy.exchange(b"no proxy protocol\r\n");
    let mut ours = Vec::new();
    let record = Record { client: Endpoint::Ip(client), ..record };
    let message = "Received something which does not look like a PROXY protocol header";
    Renderer::new().error_line(&record, "here", message, &mut ours);
    let without_date = |line: &str| {
        let (before, rest) = line.split_once(" [").unwrap();
        let (date, after) = rest.split_once("] ").unwrap();
        assert_eq!(date.len(), "26/Apr/2024:09:39:58.774".len());
        format!("{before} [] {after}")
    };
    assert_eq!(without_date(&String::from_utf8(ours).unwrap()), without_date(&line));
}

/// Each frame, with and without `log-send-hostname`, short and cut.
#[test]
fn frames() {
    let frames = [
        ("local", Frame::Local),
        ("rfc3164", Frame::Rfc3164),
        ("rfc5424", Frame::Rfc5424),
        ("priority", Frame::Priority),
        ("short", Frame::Short),
        ("timed", Frame::Timed),
        ("iso", Frame::Iso),
        ("raw", Frame::Raw),
    ];
    for (name, frame) in frames {
        for (index, hostname) in [None, Some("sender")].into_iter().enumerate() {
            for length in [1024, 100] {
                let send = hostname.map(|name| format!("  log-send-hostname {name}\n")).unwrap_or_default();
                let text = "x".repeat(150);
                let config = format!(
                    "global\n  log LOGS len {length} format {name} local3 notice err\n  log-tag tag\n{send}defaults\n  \
                     mode http\n  log global\n  timeout client 5s\n  timeout server 5s\n  timeout connect 5s\n  \
                     option log-separate-errors\nfrontend fe\n  bind FRONT\n  log-format %pid:{text}\n"
                );
                let haproxy = Haproxy::start(&format!("frame-{name}-{index}-{length}"), &config);
                // 503, thus level err; info would not be sent.
                let mut client = TcpStream::connect(haproxy.front).unwrap();
                client.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
                let theirs = String::from_utf8(haproxy.datagram()).unwrap();
                let pid = haproxy.child.id();
                let mut framer = Framer::new(frame, 19, 5, 3, length, hostname, "tag", pid);
                let message = format!("{pid}:{text}");
                let mut ours = Vec::new();
                framer.frame(WallTime::default(), 3, message.as_bytes(), &mut ours);
                let ours = String::from_utf8(ours).unwrap();
                // Before 3.0 the line end of a line with a header came on top of the length.
                let theirs = if theirs.len() > length { theirs.replacen('x', "", 1) } else { theirs };
                assert_eq!(undated(&ours), undated(&theirs), "{name} {hostname:?} {length}");
                assert_eq!(ours.len(), theirs.len(), "{name} {hostname:?} {length}");
            }
        }
    }
}

/// A framed line with the digits of its date made zeros and its month made `Mmm`.
fn undated(line: &str) -> String {
    let cut = line.find('x').unwrap_or(line.len());
    let (head, rest) = line.split_at(cut);
    let mut head = head.to_owned();
    for month in ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] {
        head = head.replace(month, "Mmm");
    }
    let (priority, head) = head.split_at(head.find('>').map_or(0, |at| at + 1));
    let head = head.replace("Mmm  ", "Mmm 0");
    // The offset is +05:30 there and nothing here, the rest of the digits differ by the time.
    let digits: String = head.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    format!("{priority}{digits}{rest}")
}
