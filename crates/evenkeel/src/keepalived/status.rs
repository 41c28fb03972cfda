//! `evenkeel vrrp status`, `evenkeel director status` and `evenkeel director explain`: what running processes say of
//! themselves.

mod routers;

use super::Exit;
use super::part::Part;
use super::pids;
use serde_json::Value;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

const VRRP: Command = Command {
    name: "evenkeel vrrp status",
    part: Part::Vrrp,
    words: 0,
    usage: "\
Usage: evenkeel vrrp status [--json] [-p PIDFILE | --socket PATH]

Asks the VRRP process that runs on this machine how its virtual routers stand.

  --json          show the answer as it comes, one line of JSON
  -p, --pid=FILE  ask the process that was started with this -p
  --socket=PATH   ask on this socket (default: /run/evenkeel/vrrp.sock)
",
};

const DIRECTOR: Command = Command {
    name: "evenkeel director status",
    part: Part::Director,
    words: 0,
    usage: "\
Usage: evenkeel director status [--json] [-p PIDFILE | --socket PATH]

Asks the checker process that runs on this machine how its virtual servers stand.

  --json          show the answer as it comes, one line of JSON
  -p, --pid=FILE  ask the process that was started with this -p
  --socket=PATH   ask on this socket (default: /run/evenkeel/director.sock)
",
};

const EXPLAIN: Command = Command {
    name: "evenkeel director explain",
    part: Part::Director,
    words: 2,
    usage: "\
Usage: evenkeel director explain CLIENT SERVICE [--json] [-p PIDFILE | --socket PATH]

Says which real server a new connection of CLIENT (an address, or ADDRESS:PORT) to the virtual server SERVICE
(ADDRESS:PORT) would get, and why, as far as that can be known.

  --json          show the answer as it comes, one line of JSON
  -p, --pid=FILE  ask the process that was started with this -p
  --socket=PATH   ask on this socket (default: /run/evenkeel/director.sock)
",
};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest answer, bytes.
const LONGEST: u64 = 64 << 20;

/// One of the questions.
struct Command {
    name: &'static str,
    part: Part,
    /// How many words it takes besides flags.
    words: usize,
    usage: &'static str,
}

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Question {
    json: bool,
    socket: PathBuf,
    words: Vec<String>,
}

impl Question {
    /// `None`: the words are not understood.
    fn parse(command: &Command, words: &[String]) -> Option<Self> {
        let mut this = Self { json: false, socket: pids::control(command.part, ""), words: Vec::new() };
        let mut words = words.iter().map(String::as_str);
        while let Some(word) = words.next() {
            let (name, joined) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word, None),
            };
            match (name, joined) {
                ("--json", None) => this.json = true,
                ("-p" | "--pid", value) => {
                    let file = Path::new(value.or_else(|| words.next())?);
                    this.socket = pids::control_beside(command.part, file);
                }
                ("--socket", value) => this.socket = value.or_else(|| words.next())?.into(),
                _ if word.starts_with('-') => return None,
                _ => this.words.push(word.to_owned()),
            }
        }
        (this.words.len() == command.words).then_some(this)
    }
}

/// `evenkeel vrrp status`.
pub(super) fn vrrp(words: &[String]) -> ExitCode {
    let request = |_: &[String]| "{\"version\":1,\"command\":\"status\"}\n".to_owned();
    VRRP.main(words, request, routers::table)
}

/// `evenkeel director status`.
pub(super) fn director(words: &[String]) -> ExitCode {
    DIRECTOR.main(words, |_| directord::status::status_request(), directord::status::render_status)
}

/// `evenkeel director explain`.
pub(super) fn explain(words: &[String]) -> ExitCode {
    let request = |words: &[String]| match words {
        [client, service] => directord::status::explain_request(client, service),
        _ => String::new(),
    };
    EXPLAIN.main(words, request, directord::status::render_explain)
}

impl Command {
    /// Asks and shows.
    fn main(
        &self,
        words: &[String],
        request: impl FnOnce(&[String]) -> String,
        render: impl FnOnce(&Value) -> String,
    ) -> ExitCode {
        if matches!(words, [word] if word == "-h" || word == "--help") {
            return crate::print(self.usage);
        }
        let Some(question) = Question::parse(self, words) else {
            let _ = io::stderr().write_all(self.usage.as_bytes());
            return ExitCode::from(2);
        };
        let shown = ask(&question.socket, &request(&question.words)).and_then(|line| {
            let answer: Value = serde_json::from_str(&line)?;
            if let Some(error) = answer.get("error") {
                let error = error.as_str().map_or_else(|| error.to_string(), str::to_owned);
                return Err(io::Error::other(format!("the answer is: {error}")));
            }
            Ok(if question.json { line } else { render(&answer) })
        });
        match shown {
            Ok(text) => crate::print(&text),
            Err(error) => {
                let (name, path) = (self.name, question.socket.display());
                eprintln!("{name}: {path}: {}", crate::message::reason(&error));
                Exit::Failed.into()
            }
        }
    }
}

fn ask(socket: &Path, request: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream.take(LONGEST)).read_line(&mut line)?;
    if line.ends_with('\n') { Ok(line) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(command: &Command, line: &str) -> Option<Question> {
        Question::parse(command, &line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_socket_is_found_by_the_pid_file() {
        let of = |line| parse(&VRRP, line);
        let json = Question { json: true, socket: "/run/evenkeel/vrrp.sock".into(), words: vec![] };
        assert_eq!(of("--json").unwrap(), json);
        assert_eq!(of("-p /x/k.pid").unwrap().socket, Path::new("/x/k.sock"));
        assert_eq!(of("--pid=/x/k.pid").unwrap().socket, Path::new("/x/k.sock"));
        assert_eq!(of("--socket /s").unwrap().socket, Path::new("/s"));
        assert_eq!(of("-p"), None);
        assert_eq!(of("--jason"), None);
        let socket = |line| parse(&DIRECTOR, line).unwrap().socket;
        assert_eq!(socket(""), Path::new("/run/evenkeel/director.sock"));
        assert_eq!(socket("-p /x/k.pid"), Path::new("/x/k.director.sock"));
    }

    #[test]
    fn a_question_has_as_many_words_as_it_needs() {
        let explain = parse(&EXPLAIN, "192.0.2.1 --json 10.0.0.1:80").unwrap();
        assert_eq!(explain.words, ["192.0.2.1", "10.0.0.1:80"]);
        assert!(explain.json);
        for wrong in ["", "192.0.2.1", "a b c"] {
            assert_eq!(parse(&EXPLAIN, wrong), None, "{wrong}");
        }
        assert_eq!(parse(&DIRECTOR, "word"), None);
    }
}
