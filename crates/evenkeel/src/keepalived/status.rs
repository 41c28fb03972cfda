//! `evenkeel vrrp status`: what the running VRRP process says of itself.

use super::Exit;
use super::pids;
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "\
Usage: evenkeel vrrp status [--json] [-p PIDFILE | --socket PATH]

Asks the VRRP process that runs on this machine how its virtual routers stand.

  --json          show the answer as it comes, one line of JSON
  -p, --pid=FILE  ask the process that was started with this -p
  --socket=PATH   ask on this socket (default: /run/evenkeel/vrrp.sock)
";

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest answer, bytes.
const LONGEST: u64 = 64 << 20;

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Question {
    json: bool,
    socket: PathBuf,
}

impl Question {
    /// `None`: the words are not understood.
    fn parse(words: &[String]) -> Option<Self> {
        let mut this = Self { json: false, socket: pids::control("") };
        let mut words = words.iter().map(String::as_str);
        while let Some(word) = words.next() {
            let (name, joined) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word, None),
            };
            match (name, joined) {
                ("--json", None) => this.json = true,
                ("-p" | "--pid", value) => {
                    this.socket = pids::control_beside(Path::new(value.or_else(|| words.next())?));
                }
                ("--socket", value) => this.socket = value.or_else(|| words.next())?.into(),
                _ => return None,
            }
        }
        Some(this)
    }
}

/// Asks and shows.
pub(super) fn main(words: &[String]) -> ExitCode {
    if matches!(words, [word] if word == "-h" || word == "--help") {
        return crate::print(USAGE);
    }
    let Some(question) = Question::parse(words) else {
        let _ = io::stderr().write_all(USAGE.as_bytes());
        return ExitCode::from(2);
    };
    let shown = ask(&question.socket).and_then(|line| {
        let answer: Value = serde_json::from_str(&line)?;
        if let Some(error) = answer.get("error") {
            return Err(io::Error::other(format!("the VRRP process says: {error}")));
        }
        Ok(if question.json { line } else { table(&answer) })
    });
    match shown {
        Ok(text) => crate::print(&text),
        Err(error) => {
            let path = question.socket.display();
            eprintln!("evenkeel vrrp status: {path}: {}", crate::message::reason(&error));
            Exit::Failed.into()
        }
    }
}

fn ask(socket: &Path) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(b"{\"version\":1,\"command\":\"status\"}\n")?;
    let mut line = String::new();
    BufReader::new(stream.take(LONGEST)).read_line(&mut line)?;
    if line.ends_with('\n') { Ok(line) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// The answer for people: a line for each virtual router and group, what went wrong below it.
fn table(answer: &Value) -> String {
    let mut text = String::new();
    let row = |text: &mut String, cells: [&str; 7]| {
        let [name, id, interface, state, priority, since, master] = cells;
        let line =
            format!("{name:<16} {id:>4} {interface:<15} {state:<7} {priority:>4} {since:<19} {master}");
        let _ = writeln!(text, "{}", line.trim_end());
    };
    row(&mut text, ["INSTANCE", "VRID", "INTERFACE", "STATE", "PRIO", "SINCE (UTC)", "MASTER"]);
    for instance in list(answer, "instances") {
        let master = match instance.get("master").filter(|master| !master.is_null()) {
            Some(master) => format!("{} ({})", word(master, "address"), word(master, "priority")),
            None => "-".to_owned(),
        };
        let since = date(instance);
        row(
            &mut text,
            [
                &word(instance, "name"),
                &word(instance, "virtual_router_id"),
                &word(instance, "interface"),
                &word(instance, "state"),
                &word(instance, "priority"),
                &since,
                &master,
            ],
        );
        let _ = writeln!(text, "    {}", word(instance, "cause"));
        let addresses: Vec<String> = list(instance, "addresses").map(plain).collect();
        if !addresses.is_empty() {
            let here =
                if instance.get("addresses_set") == Some(&Value::Bool(true)) { "" } else { " (not here)" };
            let _ = writeln!(text, "    addresses {}{here}", addresses.join(" "));
        }
        let counters = instance.get("counters").and_then(Value::as_object);
        let of = |name: &str| counters.and_then(|c| c.get(name)).map_or_else(|| "-".to_owned(), plain);
        let _ = writeln!(
            text,
            "    adverts {} received, {} sent; master {} times",
            of("adverts_received"),
            of("adverts_sent"),
            of("became_master")
        );
        let bad: Vec<String> = counters
            .into_iter()
            .flatten()
            .filter(|(name, value)| is_trouble(name) && value.as_u64() != Some(0))
            .map(|(name, value)| format!("{} {value}", name.replace('_', " ")))
            .collect();
        if !bad.is_empty() {
            let _ = writeln!(text, "    {}", bad.join(", "));
        }
    }
    for group in list(answer, "groups") {
        row(
            &mut text,
            [&word(group, "name"), "", "(sync group)", &word(group, "state"), "", &date(group), ""],
        );
        let _ = writeln!(text, "    {}", word(group, "cause"));
    }
    text
}

/// Counters that are zero when all is well.
fn is_trouble(name: &str) -> bool {
    ["_errors", "_failures", "_mismatches", "split_brains", "_restored"].iter().any(|end| name.ends_with(end))
}

fn list<'a>(of: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    of.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn word(of: &Value, name: &str) -> String {
    of.get(name).filter(|value| !value.is_null()).map_or_else(|| "-".to_owned(), plain)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `2026-11-20 18:57:36`
fn date(of: &Value) -> String {
    let seconds = of.get("since").and_then(Value::as_f64).unwrap_or_default();
    let wall = ek_time::WallTime { unix_micros: (seconds * 1e6) as u64, local_offset: 0 };
    let civil = wall.local();
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
        civil.year, civil.month, civil.day, civil.hour, civil.minute, civil.second
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_socket_is_found_by_the_pid_file() {
        let parse =
            |line: &str| Question::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(
            parse("--json").unwrap(),
            Question { json: true, socket: "/run/evenkeel/vrrp.sock".into() }
        );
        assert_eq!(parse("-p /x/k.pid").unwrap().socket, Path::new("/x/k.sock"));
        assert_eq!(parse("--pid=/x/k.pid").unwrap().socket, Path::new("/x/k.sock"));
        assert_eq!(parse("--socket /s").unwrap().socket, Path::new("/s"));
        assert_eq!(parse("-p"), None);
        assert_eq!(parse("--jason"), None);
    }

    #[test]
    fn a_table_says_what_is_and_why() {
        let answer = json!({
            "version": 1,
            "instances": [{
                "name": "VI_1", "virtual_router_id": 51, "interface": "eth0", "state": "MASTER", "priority": 150,
                "since": 1_795_201_056.97, "cause": "no Master was heard", "master": null,
                "addresses": ["10.9.0.100/24"], "addresses_set": true,
                "counters": {"adverts_received": 3, "adverts_sent": 40, "became_master": 1, "ttl_errors": 2,
                             "length_errors": 0},
            }, {
                "name": "VI_2", "virtual_router_id": 52, "interface": null, "state": "BACKUP", "priority": 100,
                "since": 0.0, "cause": "the process started", "master": {"address": "10.9.0.2", "priority": 200},
                "addresses": ["10.9.0.101/24"], "addresses_set": false,
                "counters": {},
            }],
            "groups": [{"name": "G", "state": "MASTER", "since": 1_795_201_056.0, "cause": "its members"}],
        });
        let expected = "\
INSTANCE         VRID INTERFACE       STATE   PRIO SINCE (UTC)         MASTER
VI_1               51 eth0            MASTER   150 2026-11-20 18:57:36 -
    no Master was heard
    addresses 10.9.0.100/24
    adverts 3 received, 40 sent; master 1 times
    ttl errors 2
VI_2               52 -               BACKUP   100 1970-01-01 00:00:00 10.9.0.2 (200)
    the process started
    addresses 10.9.0.101/24 (not here)
    adverts - received, - sent; master - times
G                     (sync group)    MASTER       2026-11-20 18:57:36
    its members
";
        assert_eq!(table(&answer), expected);
    }
}
