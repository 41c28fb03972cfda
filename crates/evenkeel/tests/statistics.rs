//! `show stat` and `show info` beside Debian's haproxy: the same configuration, the same traffic, and then every column
//! and every line equal, but for those that are declared here to depend on time, on addresses, or on what
//! docs/differences.md explains.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use testkit::lane::free_address;
use testkit::program::{Directory, Program, Running};

/// Nothing here takes long; what does is stuck.
const DEADLINE: Duration = Duration::from_secs(20);

/// Waits until `condition` holds.
fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A server whose answers depend on the target.
fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    address
}

fn answer(mut stream: TcpStream) {
    let (mut buffer, mut seen) = ([0; 4_096], Vec::new());
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        seen.extend_from_slice(&buffer[..read]);
        while let Some(end) = seen.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&seen[..end]).into_owned();
            seen.drain(..end + 4);
            let target = head.split(' ').nth(1).unwrap_or_default();
            let (reply, closes): (&str, bool) = match target {
                "/404" => ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", false),
                "/500" => ("HTTP/1.1 500 Error\r\nContent-Length: 0\r\n\r\n", false),
                "/999" => ("HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n", false),
                "/early" => (
                    "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
                    false,
                ),
                "/bad" => ("garbage\r\n\r\n", true),
                "/close" => ("", true),
                "/cut" => ("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", true),
                "/cut-chunks" => ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", true),
                "/stall" => ("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", false),
                "/never" => ("", false),
                "/slow" => {
                    std::thread::sleep(SLOW);
                    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false)
                }
                _ => ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false),
            };
            if stream.write_all(reply.as_bytes()).is_err() || closes {
                return;
            }
        }
    }
}

/// How long `/slow` takes.
const SLOW: Duration = Duration::from_millis(600);

/// The sections that listen.
const SECTIONS: [&str; 12] = [
    "web",
    "abort",
    "dead",
    "redispatch",
    "queue",
    "down",
    "checked",
    "tcp",
    "tcpdead",
    "empty",
    "short",
    "patient",
];

/// A program with the configuration that all comparisons use.
struct Lab {
    name: &'static str,
    socket: PathBuf,
    addresses: BTreeMap<&'static str, SocketAddr>,
    _running: Running,
    _directory: Directory,
}

type Rows = BTreeMap<(String, String), BTreeMap<String, String>>;

impl Lab {
    fn start(program: &Program) -> Self {
        let directory = Directory::new().unwrap();
        let socket = directory.path.join("s.sock");
        let at: BTreeMap<&str, SocketAddr> = SECTIONS.iter().map(|name| (*name, free_address())).collect();
        let (good, dead) = (server(), free_address());
        let bind = |name: &str| format!("listen {name}\n  bind {}\n", at[name]);
        let config = [
            format!("global\n  stats socket {} level admin\n  nbthread 1\n  maxconn 1000\n  node lab\n", socket.display()),
            "defaults\n  mode http\n  balance roundrobin\n  retries 1\n  timeout connect 300ms\n  timeout client 1s\n  \
             timeout server 700ms\n  timeout queue 200ms\n"
                .to_owned(),
            format!("frontend web\n  bind {}\n  maxconn 50\n  default_backend app\n", at["web"]),
            format!("backend app\n  server a {good} weight 10 maxconn 9\n"),
            bind("abort") + &format!("  option abortonclose\n  server a {good}\n"),
            bind("short") + &format!("  timeout http-request 300ms\n  server a {good}\n"),
            bind("dead") + &format!("  balance leastconn\n  fullconn 20\n  server a {dead} id 77\n"),
            bind("redispatch") + &format!("  option redispatch 1\n  server x {dead}\n  server a {good}\n"),
            bind("queue") + &format!("  server a {good} maxconn 1\n"),
            bind("patient") + &format!("  timeout queue 5s\n  server a {good} maxconn 1\n"),
            bind("down") + &format!("  server a {good} disabled\n"),
            bind("checked")
                + &format!(
                    "  option httpchk GET /404\n  server a {good} check inter 150ms fall 2 rise 3\n  server b {good} backup\n"
                ),
            bind("tcp") + &format!("  mode tcp\n  balance first\n  server a {good} check inter 150ms\n"),
            bind("tcpdead") + &format!("  mode tcp\n  server a {dead} check inter 150ms\n"),
            format!("frontend empty\n  bind {}\n", at["empty"]),
            "backend alone\n  mode tcp\n".to_owned(),
        ]
        .concat();
        let running = program.start(&config, at["empty"]).unwrap();
        let lab =
            Self { name: program.name, socket, addresses: at, _running: running, _directory: directory };
        until("the runtime API answers", || UnixStream::connect(&lab.socket).is_ok());
        until("the checks have decided", || {
            let rows = lab.rows();
            let status = |section: &str| rows[&(section.to_owned(), "a".to_owned())]["status"].clone();
            status("checked") == "DOWN" && status("tcp") == "UP" && status("tcpdead") == "DOWN"
        });
        lab
    }

    fn ask(&self, command: &str) -> String {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        writeln!(stream, "{command}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// `show stat` by section and name.
    fn rows(&self) -> Rows {
        table(&self.ask("show stat"))
    }

    /// Waits until no session is left.
    fn quiet(&self) -> Rows {
        let mut rows = Rows::new();
        until("all sessions are over", || {
            rows = self.rows();
            rows.values().all(|row| row["scur"].is_empty() || row["scur"] == "0")
        });
        rows
    }

    fn open(&self, section: &str, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.addresses[section]).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream
    }

    /// Sends `text` and reads to the end.
    fn send(&self, section: &str, text: &str) {
        let mut stream = self.open(section, text);
        let _ = stream.read_to_end(&mut Vec::new());
    }

    fn get(&self, section: &str, target: &str) {
        self.send(section, &request(target));
    }

    /// A request that waits behind another one in the queue of a server that takes one at a time.
    fn queue(&self, section: &str) {
        let mut first = self.open(section, &request("/slow"));
        self.until_served(section, "a");
        self.get(section, "/");
        let _ = first.read_to_end(&mut Vec::new());
    }

    fn until_served(&self, section: &str, server: &str) {
        let key = (section.to_owned(), server.to_owned());
        until("the request is on the server", || self.rows()[&key]["scur"] == "1");
    }

    /// What is done to both programs, one after the other.
    fn traffic(&self) -> Vec<(&'static str, Rows)> {
        type Step<'a> = (&'static str, Box<dyn Fn() + 'a>);
        let get = |name, section, target| -> Step<'_> { (name, Box::new(move || self.get(section, target))) };
        let send = |name, section, text| -> Step<'_> { (name, Box::new(move || self.send(section, text))) };
        let close = |name, section, text| -> Step<'_> {
            (name, Box::new(move || self.open(section, text).shutdown(Shutdown::Both).unwrap()))
        };
        let finish = |name, section, text| -> Step<'_> {
            let step = move || {
                let mut stream = self.open(section, text);
                stream.shutdown(Shutdown::Write).unwrap();
                let _ = stream.read_to_end(&mut Vec::new());
            };
            (name, Box::new(step))
        };
        let end = "Host: x\r\nConnection: close\r\n\r\n";
        let three = format!(
            "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /404 HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n{end}"
        );
        let post = format!("POST / HTTP/1.1\r\nContent-Length: 4\r\n{end}body");
        let head = format!("HEAD /404 HTTP/1.1\r\n{end}");
        let steps: Vec<Step<'_>> = vec![
            get("a request", "web", "/"),
            get("404", "web", "/404"),
            get("500", "web", "/500"),
            get("an odd status", "web", "/999"),
            get("an interim response", "web", "/early"),
            get("an invalid response", "web", "/bad"),
            get("a server that closes", "web", "/close"),
            get("a response that is cut", "web", "/cut"),
            get("chunks that are cut", "web", "/cut-chunks"),
            get("a server that stops in the middle", "web", "/stall"),
            get("a server that never answers", "web", "/never"),
            send("an invalid request", "web", "GARBAGE\r\n\r\n"),
            close("a request that breaks off", "web", "GET / HT"),
            close("a connection without a request", "web", ""),
            send("a connection that waits", "short", ""),
            send("a request that stops", "short", "GET / HT"),
            send("three requests", "web", &three),
            send("an invalid second request", "web", "GET / HTTP/1.1\r\nHost: x\r\n\r\nGARBAGE\r\n\r\n"),
            send("a body", "web", &post),
            (
                "a body that breaks off",
                Box::new(|| {
                    let text = "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\nbody";
                    let mut stream = self.open("web", text);
                    self.until_served("app", "a");
                    stream.shutdown(Shutdown::Write).unwrap();
                    let _ = stream.read_to_end(&mut Vec::new());
                }),
            ),
            send("HEAD", "web", &head),
            get("a server that refuses", "dead", "/"),
            get("another server", "redispatch", "/"),
            get("the other one again", "redispatch", "/"),
            (
                "a place in the queue",
                Box::new(|| {
                    self.queue("patient");
                }),
            ),
            (
                "too long in the queue",
                Box::new(|| {
                    self.queue("queue");
                }),
            ),
            get("no server", "down", "/"),
            get("a backup", "checked", "/"),
            get("no backend", "empty", "/"),
            finish("a tunnel", "tcp", "GET / HTTP/1.1\r\n\r\n"),
            send("a tunnel that the server closes", "tcp", "GET /close HTTP/1.1\r\n\r\n"),
            send("a silent tunnel", "tcp", "GET / HTTP/1.1\r\n\r\n"),
            close("an empty tunnel", "tcp", ""),
        ];
        let mut seen = vec![("the start", self.quiet())];
        for (name, step) in steps {
            step();
            // A session that has hardly begun may not be counted yet.
            self.counted(&seen.last().unwrap().1);
            seen.push((name, self.quiet()));
        }
        seen
    }

    /// Waits until some frontend has counted a session more.
    fn counted(&self, before: &Rows) {
        let sessions = |rows: &Rows| -> u64 {
            let front = rows.iter().filter(|((_, name), _)| name == "FRONTEND");
            front.map(|(_, row)| row["stot"].parse::<u64>().unwrap()).sum()
        };
        until("the session is counted", || sessions(&self.rows()) > sessions(before));
    }
}

fn request(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
}

/// The columns of a header.
fn columns(text: &str) -> Vec<&str> {
    let header = text.lines().next().unwrap();
    header.strip_prefix("# ").unwrap().trim_end_matches(',').split(',').collect()
}

/// The lines by section and name; no value here has a comma in it.
fn table(text: &str) -> Rows {
    let names = columns(text);
    let lines = text.lines().skip(1).filter(|line| !line.is_empty());
    let row = |line: &str| {
        let values: Vec<String> = line.split(',').map(str::to_owned).collect();
        let key = (values[0].clone(), values[1].clone());
        (key, names.iter().map(|name| (*name).to_owned()).zip(values).collect())
    };
    lines.map(row).collect()
}

/// Columns whose values depend on time or chance: only whether there is one is compared.
const VARYING: [&str; 27] = [
    "rate",
    "rate_max",
    "req_rate",
    "req_rate_max",
    "conn_rate",
    "conn_rate_max",
    "lastchg",
    "downtime",
    "lastsess",
    "check_status",
    "check_code",
    "check_duration",
    "last_chk",
    "qtime",
    "ctime",
    "rtime",
    "ttime",
    "qtime_max",
    "ctime_max",
    "rtime_max",
    "ttime_max",
    "addr",
    // What is kept for reuse is each program's own decision.
    "srv_icur",
    "idle_conn_cur",
    "safe_conn_cur",
    "used_conn_cur",
    "smax",
];

/// Explained in docs/differences.md: no estimate is made of the connections that will be needed.
const ABSENT: [&str; 1] = ["need_conn_est"];

/// Those of [`VARYING`] that are empty while a check is under way.
const OF_CHECKS: [&str; 2] = ["check_code", "last_chk"];

#[test]
fn every_column_counts_as_haproxys() {
    let subject = Program::subject(Path::new(env!("CARGO_BIN_EXE_evenkeel")));
    let (theirs, ours) = std::thread::scope(|scope| {
        let theirs = scope.spawn(|| Lab::start(&Program::haproxy()).traffic());
        let ours = scope.spawn(|| Lab::start(&subject).traffic());
        (theirs.join().unwrap(), ours.join().unwrap())
    });
    let mut differences = Vec::new();
    let mut before: Option<(&Rows, &Rows)> = None;
    for ((name, theirs), (_, ours)) in theirs.iter().zip(&ours) {
        assert_eq!(theirs.keys().collect::<Vec<_>>(), ours.keys().collect::<Vec<_>>(), "the lines");
        for (key, row) in theirs {
            for (column, value) in row.iter().filter(|(column, _)| is_compared(column)) {
                let other = &ours[key][column];
                let same = if VARYING.contains(&column.as_str()) {
                    value.is_empty() == other.is_empty() || OF_CHECKS.contains(&column.as_str())
                } else {
                    // A difference is said once, at the step that made it.
                    let (v, o) =
                        before.map_or((0, 0), |(t, o)| (number(&t[key][column]), number(&o[key][column])));
                    value == other
                        || before.is_some()
                            && number(value) - v == number(other) - o
                            && numeric(value)
                            && numeric(other)
                };
                if !same {
                    let (section, row) = key;
                    differences
                        .push(format!("{name}: {section}/{row} {column}: haproxy {value:?}, ours {other:?}"));
                }
            }
        }
        before = Some((theirs, ours));
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn numeric(text: &str) -> bool {
    text.parse::<i64>().is_ok()
}

fn number(text: &str) -> i64 {
    text.parse().unwrap_or(0)
}

/// Neither absent here, nor one of a module of haproxy's.
fn is_compared(column: &str) -> bool {
    let module = ["h1_", "h2_", "h3_", "ssl_", "quic_"].iter().any(|prefix| column.starts_with(prefix));
    !module && column != "-" && !ABSENT.contains(&column)
}

/// Where a line stands and what it is, without its value: `S.3.1.18.weight.1:MaP:u32`.
fn skeletons(text: &str) -> BTreeSet<String> {
    let name = |key: &str| key.split(':').next().unwrap().split('.').rev().nth(1).unwrap().to_owned();
    let lines = text.lines().filter(|line| !line.is_empty());
    let keys = lines.map(|line| line.splitn(4, ':').take(3).collect::<Vec<_>>().join(":"));
    keys.filter(|key| is_compared(&name(key))).collect()
}

/// The same of the JSON form, whose objects are all of one shape.
fn objects(text: &str) -> BTreeSet<String> {
    let objects = text.trim().split("{\"objType\"").flat_map(|rest| rest.split("{\"field\":{\"pos\"").last());
    let before_value = |object: &str| object.rsplit_once("\"value\":").map(|(shape, _)| shape.to_owned());
    let name = |object: &String| {
        let rest = object.split("\"name\":\"").nth(1).unwrap_or_default();
        rest.split('"').next().unwrap_or_default().to_owned()
    };
    objects.filter_map(before_value).filter(|object| is_compared(&name(object))).collect()
}

#[test]
fn names_places_and_forms_are_haproxys() {
    let subject = Program::subject(Path::new(env!("CARGO_BIN_EXE_evenkeel")));
    let (theirs, ours) = (Lab::start(&Program::haproxy()), Lab::start(&subject));
    for lab in [&theirs, &ours] {
        lab.get("web", "/");
        lab.quiet();
    }
    let (header, own) = (theirs.ask("show stat"), ours.ask("show stat"));
    let fixed: Vec<&str> = columns(&header).into_iter().take_while(|name| *name != "-").collect();
    assert_eq!(columns(&own)[..fixed.len()], fixed);
    assert!(columns(&own).contains(&"-"), "{:?}", columns(&own));

    // Every value that they show, we show, at the same place, of the same kind.
    let missing = |command: &str, of: fn(&str) -> BTreeSet<String>| -> Vec<String> {
        let (all, own) = (of(&theirs.ask(command)), of(&ours.ask(command)));
        assert!(all.len() > 50, "{command}: {all:?}");
        all.difference(&own).cloned().collect()
    };
    assert_eq!(missing("show stat typed", skeletons), [""; 0]);
    assert_eq!(missing("show stat -1 4 77 typed", skeletons), [""; 0]);
    assert_eq!(missing("show stat json", objects), [""; 0]);

    // Which lines are shown.
    let shown = |lab: &Lab, command: &str| -> Vec<(String, String)> {
        table(&lab.ask(command)).into_keys().collect::<Vec<_>>()
    };
    for words in [
        "app 4 1",
        "3 -1 -1",
        "-1 4 77",
        "checked 6 -1",
        "-1 x -1",
        "no-maint",
        "up",
        "up no-maint",
        "desc",
        "-1 -1",
    ] {
        let command = format!("show stat {words}");
        assert_eq!(shown(&theirs, &command), shown(&ours, &command), "{command}");
    }
    for words in ["nope -1 -1", "0 1 1", "domain nope", "domain"] {
        let command = format!("show stat {words}");
        assert_eq!(theirs.ask(&command), ours.ask(&command), "{command}");
    }
    assert_eq!(theirs.name, "haproxy");
}

/// Lines of `show info` that are not shown; docs/differences.md says why.
const NO_LINES: [&str; 9] = [
    "Release_date",
    "PoolAlloc_MB",
    "PoolUsed_MB",
    "PoolFailed",
    "PoolAlloc_bytes",
    "PoolUsed_bytes",
    "Tasks",
    "Run_queue",
    // The newest manual spells it as a word.
    "TotalSplicdedBytesOut",
];

/// Lines whose values are equal.
const STABLE: [&str; 14] = [
    "Nbthread",
    "Nbproc",
    "Process_num",
    "Memmax_MB",
    "Memmax_bytes",
    "Maxconn",
    "Hard_maxconn",
    "CurrConns",
    "node",
    "Stopping",
    "Jobs",
    "Listeners",
    "DroppedLogs",
    "Tainted",
];

#[test]
fn every_line_of_show_info_has_its_name_place_and_kind() {
    let subject = Program::subject(Path::new(env!("CARGO_BIN_EXE_evenkeel")));
    let (theirs, ours) = (Lab::start(&Program::haproxy()), Lab::start(&subject));
    for lab in [&theirs, &ours] {
        lab.quiet();
    }
    let name = |key: &str| key.split('.').nth(1).unwrap_or_default().to_owned();
    for command in ["show info typed", "show info typed float"] {
        let lines = |lab: &Lab| -> BTreeSet<String> {
            let text = lab.ask(command);
            let keys = text.lines().map(|line| line.splitn(4, ':').take(3).collect::<Vec<_>>().join(":"));
            keys.filter(|key| !key.is_empty() && !NO_LINES.contains(&name(key).as_str())).collect()
        };
        let (all, own) = (lines(&theirs), lines(&ours));
        // Rates of TLS and compression have no fractions here, being nothing.
        let nothing = |key: &&String| key.contains("Ssl") || key.contains("Compress");
        let missing: Vec<_> =
            all.difference(&own).filter(|key| !(command.ends_with("float") && nothing(key))).collect();
        assert!(all.len() > 50 && missing.is_empty(), "{command}: {missing:?}");
    }
    let values = |lab: &Lab| -> BTreeMap<String, String> {
        let text = lab.ask("show info");
        let pairs = text.lines().filter_map(|line| line.split_once(": "));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let (all, own) = (values(&theirs), values(&ours));
    for name in STABLE {
        assert_eq!(all[name], own[name], "{name}");
    }
    let explained = ours.ask("show info desc");
    assert!(
        explained.starts_with("Name: Evenkeel:\"") && explained.contains("\nNbthread: 1:\""),
        "{explained}"
    );
    let shape = |text: String| text.split("\"value\":{").next().unwrap().to_owned();
    assert_eq!(shape(theirs.ask("show info json")), shape(ours.ask("show info json")));
    assert!(ours.ask("show info json").ends_with("}}]\n\n"));
}

#[test]
fn times_are_those_of_the_requests() {
    let lab = Lab::start(&Program::subject(Path::new(env!("CARGO_BIN_EXE_evenkeel"))));
    lab.get("web", "/slow");
    lab.get("web", "/");
    let rows = lab.quiet();
    let slow = u64::try_from(SLOW.as_millis()).unwrap();
    for name in ["a", "BACKEND"] {
        let row = &rows[&("app".to_owned(), name.to_owned())];
        let value = |column: &str| row[column].parse::<u64>().unwrap();
        // Two requests, one of which waited for so long at least.
        assert!(value("rtime") >= slow / 2 && value("rtime_max") >= slow, "{row:?}");
        assert!(value("ttime") >= value("rtime") && value("ttime_max") >= value("rtime_max"), "{row:?}");
        assert!(value("rtime") < value("rtime_max"), "{row:?}");
        assert_ne!(row["lastsess"], "-1");
    }
    let never = &rows[&("dead".to_owned(), "a".to_owned())];
    assert_eq!((never["lastsess"].as_str(), never["rtime_max"].as_str()), ("-1", "0"));
    // What was down all the time was so since the first check; what is up never was.
    let (down, up) =
        (&rows[&("tcpdead".to_owned(), "a".to_owned())], &rows[&("tcp".to_owned(), "a".to_owned())]);
    assert_eq!((down["chkdown"].as_str(), up["chkdown"].as_str(), up["downtime"].as_str()), ("1", "0", "0"));
    assert_eq!(down["lastchg"], down["downtime"]);
}

/// Every retry is logged and counted, and how long they took shows whether there was a pause between them.
#[test]
fn retries_wait_unless_there_is_another_server() {
    use testkit::sink::Sink;
    let subject = Program::subject(Path::new(env!("CARGO_BIN_EXE_evenkeel")));
    /// Longer than it takes to be refused four times.
    const PAUSE: u64 = 400;
    let run = |program: &Program| -> Vec<(String, bool, Vec<String>)> {
        let (directory, sink) = (Directory::new().unwrap(), Sink::start());
        let (ready, dead) = (free_address(), [free_address(), free_address()]);
        let mut config = format!(
            "global\n  nbthread 1\n  stats socket {0}/s.sock level admin\n  log {1} local0\ndefaults\n  mode http\n  log global\n  \
             balance roundrobin\n  timeout client 9s\n  timeout server 9s\n  timeout connect {PAUSE}ms\n  \
             log-format \"line %b %rc %Tt\"\nfrontend ready\n  bind {ready}\n",
            directory.path.display(),
            sink.address()
        );
        let (one, two) = (format!("  server a {}\n", dead[0]), format!("  server b {}", dead[1]));
        let sections = [
            ("every", format!("  option redispatch 1\n{one}")),
            ("last", format!("  option redispatch\n{one}")),
            ("never", format!("{one}{two}\n")),
            ("backup", format!("  option redispatch 1\n{one}{two} backup\n")),
            ("two", format!("  option redispatch 1\n{one}{two}\n")),
            ("seldom", format!("  balance leastconn\n  option redispatch 3\n{one}{two}\n")),
            (
                "backups",
                format!(
                    "  option redispatch 2\n  option allbackups\n{} backup\n{two} backup\n",
                    one.trim_end()
                ),
            ),
        ];
        let mut addresses = BTreeMap::new();
        for (name, text) in &sections {
            addresses.insert(*name, free_address());
            config += &format!("listen {name}\n  bind {}\n{text}", addresses[name]);
        }
        let running = program.start(&config, ready).unwrap();
        let socket = directory.path.join("s.sock");
        until("the runtime API answers", || UnixStream::connect(&socket).is_ok());
        let lab = Lab { name: program.name, socket, addresses, _running: running, _directory: directory };
        let told = |(name, _): &(&str, String)| {
            lab.get(name, "/");
            let wanted = format!("line {name} ");
            let at = sink.wait(0, DEADLINE, |line| line.contains(&wanted)).expect("a line");
            let line = sink.lines(at, at + 1).remove(0);
            let words: Vec<&str> = line.split_once(&wanted).unwrap().1.split(' ').collect();
            let total: u64 = words[1].trim().parse().unwrap();
            let rows =
                lab.rows().into_iter().filter(|((section, row), _)| section == name && row != "FRONTEND");
            let counts = rows.map(|((_, row), columns)| {
                let counts =
                    ["stot", "connect", "wretr", "wredis", "lbtot", "econ"].map(|name| columns[name].clone());
                format!("{row} {}", counts.join(" "))
            });
            (format!("{name} {}", words[0]), total >= PAUSE, counts.collect())
        };
        sections.iter().map(told).collect()
    };
    let (theirs, ours) = (run(&Program::haproxy()), run(&subject));
    assert_eq!(theirs, ours);
    let paused: Vec<bool> = ours.iter().map(|(_, paused, _)| *paused).collect();
    assert_eq!(paused, [true, true, true, true, false, false, true]);
}

#[test]
fn a_full_frontend_is_open_and_a_paused_one_is_not() {
    let subject = Program::subject(Path::new(env!("CARGO_BIN_EXE_evenkeel")));
    for program in [Program::haproxy(), subject] {
        let directory = Directory::new().unwrap();
        let (socket, address, ready) = (directory.path.join("s.sock"), free_address(), free_address());
        let config = format!(
            "global\n  stats socket {} level admin\ndefaults\n  mode http\n  timeout client 20s\n  timeout server 20s\n  \
             timeout connect 1s\nfrontend full\n  maxconn 1\n  bind {address}\nfrontend ready\n  bind {ready}\n",
            socket.display()
        );
        let running = program.start(&config, ready).unwrap();
        let lab = Lab {
            name: program.name,
            socket,
            addresses: [("full", address)].into(),
            _running: running,
            _directory: directory,
        };
        until("the runtime API answers", || UnixStream::connect(&lab.socket).is_ok());
        let row = |column: &str| lab.rows()[&("full".to_owned(), "FRONTEND".to_owned())][column].clone();
        let _first = lab.open("full", "");
        let _second = lab.open("full", "");
        until("one is admitted", || row("scur") == "1");
        assert_eq!(row("status"), "OPEN", "{}", program.name);
        let pid = nix::unistd::Pid::from_raw(i32::try_from(lab._running.pid()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTTOU).unwrap();
        until("it is paused", || row("status") == "PAUSED");
    }
}
