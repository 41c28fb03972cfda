//! Case files: what a client and servers do around the proxy, and what must be seen.
//!
//! Plain text, several cases in one file:
//!
//! ```text
//! # A comment. Lines before the first case are defaults for all cases of the file.
//! config: http
//!
//! === name-of-the-case
//! # Why this case exists.
//! split: every                       run it once for each place where the first write can be cut
//! differs: KEY in client, server     a known difference, explained under KEY in docs/differences.md
//! want status 400                    what must be seen of Evenkeel, whatever the other program does
//! > GET / HTTP/1.1\r\n               the client writes; consecutive lines are one write
//! > Host: a\r\n\r\n
//! ? response                         wait: response | head | message | bytes N | close | fin | reset | "TEXT"
//! ! shutdown                         do: shutdown | close | reset | deaf | listen | drained
//! signal NAME / await NAME           order what clients and servers do
//! @client                            a further client, started at once
//! @server 2                          the next connection to server 2 (1 when left out); the last block repeats
//! ? message
//! < HTTP/1.1 200 OK\r\n …            the server writes
//! @reply                             the same as @server with ? message
//! ```
//!
//! A client that waits for nothing gets `? response` at its end, and one that does not end its connection gets
//! `! shutdown` and `? close`. A case without clients sends a plain GET; without servers every request is answered with `200` and `ok`.

use crate::escape::unescape;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What to wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Until {
    /// A final response, bodies included.
    Response,
    /// A final response to HEAD: its head.
    Head,
    /// A request with its body.
    Message,
    /// So many bytes more.
    Bytes(usize),
    /// These bytes, and go on after them.
    Text(Vec<u8>),
    /// The end, of either kind.
    Close,
    /// An end by FIN.
    Fin,
    /// An end by RST.
    Reset,
}

/// One thing that a client or a server does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write these bytes.
    Send(Vec<u8>),
    /// Wait.
    Wait(Until),
    /// End sending.
    Shutdown,
    /// Close.
    Close,
    /// Break with a RST.
    Reset,
    /// Stop reading (as the first step: from the start).
    Deaf,
    /// Read again.
    Listen,
    /// Wait until the proxy has read all that was sent.
    Drained,
    /// Tell the others.
    Signal(String),
    /// Wait for another.
    Await(String),
    /// Answer every message with `200` and `ok`.
    AnswerAll,
}

/// How writes are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Not at all.
    Whole,
    /// The client's first write at every place, one run each.
    Every,
    /// The client's first write byte by byte.
    Bytes,
    /// The server's first write at every place.
    ServerEvery,
    /// The server's first write byte by byte.
    ServerBytes,
}

/// A part of what is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What clients received.
    Client,
    /// What servers received.
    Server,
    /// The log lines.
    Log,
}

/// What must be seen of the tested program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Want {
    /// The final statuses that the first client got.
    Status(Vec<u16>),
    /// So many requests reached servers.
    Requests(usize),
    /// So many connections reached servers.
    Connections(usize),
    /// Some text is there (`true`) or not; letter case is not looked at.
    Text(Part, bool, Vec<u8>),
    /// Nothing at all is there.
    Nothing(Part),
}

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name, unique in its corpus.
    pub name: String,
    /// The file it stands in.
    pub file: Arc<PathBuf>,
    /// The line of its name.
    pub line: usize,
    /// Which proxy configuration it runs on.
    pub config: String,
    /// How writes are cut.
    pub split: Split,
    /// The declared difference: reason key and parts.
    pub differs: Option<(String, Vec<Part>)>,
    /// What must be seen.
    pub wants: Vec<Want>,
    /// What each client does.
    pub clients: Vec<Vec<Step>>,
    /// What each connection to a server meets: server number from 1, steps.
    pub servers: Vec<(usize, Arc<Vec<Step>>)>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}:{})", self.name, self.file.display(), self.line)
    }
}

impl Case {
    /// The runs that this case asks for: itself, or one per cut.
    pub fn runs(&self) -> Vec<Case> {
        let first_client = self.clients[0].iter().position(|s| matches!(s, Step::Send(_)));
        let first_server =
            self.servers.first().and_then(|(_, s)| s.iter().position(|s| matches!(s, Step::Send(_))));
        let client = |pieces: Vec<Vec<u8>>| {
            let mut run = self.clone();
            run.clients[0] = cut(&self.clients[0], first_client.expect("a write to cut"), pieces);
            run
        };
        let server = |pieces: Vec<Vec<u8>>| {
            let mut run = self.clone();
            run.servers[0].1 =
                Arc::new(cut(&self.servers[0].1, first_server.expect("a write to cut"), pieces));
            run
        };
        let bytes_of = |steps: &[Step], at: Option<usize>| match at.map(|at| &steps[at]) {
            Some(Step::Send(bytes)) => bytes.clone(),
            _ => panic!("{self}: nothing to cut"),
        };
        match self.split {
            Split::Whole => vec![self.clone()],
            Split::Every => {
                let bytes = bytes_of(&self.clients[0], first_client);
                (1..bytes.len()).map(|at| client(vec![bytes[..at].to_vec(), bytes[at..].to_vec()])).collect()
            }
            Split::Bytes => {
                vec![client(bytes_of(&self.clients[0], first_client).iter().map(|&b| vec![b]).collect())]
            }
            Split::ServerEvery => {
                let bytes = bytes_of(&self.servers[0].1, first_server);
                (1..bytes.len()).map(|at| server(vec![bytes[..at].to_vec(), bytes[at..].to_vec()])).collect()
            }
            Split::ServerBytes => {
                vec![server(bytes_of(&self.servers[0].1, first_server).iter().map(|&b| vec![b]).collect())]
            }
        }
    }
}

fn cut(steps: &[Step], at: usize, pieces: Vec<Vec<u8>>) -> Vec<Step> {
    let mut out = steps[..at].to_vec();
    let last = pieces.len() - 1;
    for (i, piece) in pieces.into_iter().enumerate() {
        out.push(Step::Send(piece));
        if i < last {
            out.push(Step::Drained);
        }
    }
    out.extend_from_slice(&steps[at + 1..]);
    out
}

/// Reads a case file.
///
/// # Errors
/// A message with file and line.
pub fn read(path: &Path) -> Result<Vec<Case>, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    parse(path, &text)
}

fn parse(path: &Path, text: &str) -> Result<Vec<Case>, String> {
    let file = Arc::new(path.to_owned());
    let blank = |name: &str, line| Case {
        name: name.to_owned(),
        file: Arc::clone(&file),
        line,
        config: String::new(),
        split: Split::Whole,
        differs: None,
        wants: Vec::new(),
        clients: Vec::new(),
        servers: Vec::new(),
    };
    let mut defaults = blank("", 0);
    let mut cases: Vec<Case> = Vec::new();
    // Where steps go: None until the first step or block of a case.
    let mut server: Option<bool> = None;
    let mut scripts: Vec<Vec<(usize, Vec<Step>)>> = vec![Vec::new()];
    let mut joined = false;
    for (number, line) in text.lines().enumerate().map(|(i, l)| (i + 1, l)) {
        let fail = |what: &str| Err(format!("{}:{number}: {what}: {line:?}", path.display()));
        if line.is_empty() || line.starts_with('#') {
            joined = false;
            continue;
        }
        if let Some(name) = line.strip_prefix("=== ") {
            let mut case = defaults.clone();
            (case.name, case.line) = (name.trim().to_owned(), number);
            if cases.iter().any(|c| c.name == case.name) {
                return fail("this name was used before");
            }
            cases.push(case);
            scripts.push(Vec::new());
            (server, joined) = (None, false);
            continue;
        }
        let case = cases.last_mut().unwrap_or(&mut defaults);
        let servers = scripts.last_mut().expect("one list per case");
        if let Some((key, value)) =
            line.split_once(": ").filter(|(k, _)| k.bytes().all(|b| b.is_ascii_lowercase()))
        {
            let value = value.trim();
            match (key, value) {
                ("config", _) => case.config = value.to_owned(),
                ("split", "every") => case.split = Split::Every,
                ("split", "bytes") => case.split = Split::Bytes,
                ("split", "server-every") => case.split = Split::ServerEvery,
                ("split", "server-bytes") => case.split = Split::ServerBytes,
                ("differs", _) => {
                    let Some((key, parts)) = value.split_once(" in ") else { return fail("no parts") };
                    let parts = parts.split(", ").map(part).collect::<Option<Vec<_>>>();
                    let Some(parts) = parts else { return fail("unknown part") };
                    case.differs = Some((key.to_owned(), parts));
                }
                _ => return fail("unknown setting"),
            }
            continue;
        }
        if let Some(what) = line.strip_prefix("want ") {
            match want(what) {
                Ok(want) => case.wants.push(want),
                Err(why) => return fail(&why),
            }
            continue;
        }
        if let Some(block) = line.strip_prefix('@') {
            let (kind, index) = block.split_once(' ').unwrap_or((block, "1"));
            let Ok(index) = index.parse::<usize>() else { return fail("bad number") };
            joined = false;
            match kind {
                "client" => {
                    case.clients.push(Vec::new());
                    server = Some(false);
                }
                "server" | "reply" => {
                    let start = if kind == "reply" { vec![Step::Wait(Until::Message)] } else { Vec::new() };
                    servers.push((index, start));
                    server = Some(true);
                }
                _ => return fail("unknown block"),
            }
            continue;
        }
        let step = match step(line) {
            Ok(step) => step,
            Err(why) => return fail(&why),
        };
        let writes_as_server = line.starts_with('<');
        let steps = if server == Some(true) {
            if line.starts_with('>') {
                return fail("a client's write in a server's block");
            }
            &mut servers.last_mut().expect("a block is open").1
        } else {
            if writes_as_server {
                return fail("a server's write outside of a server's block");
            }
            if case.clients.is_empty() {
                case.clients.push(Vec::new());
            }
            case.clients.last_mut().expect("just made")
        };
        match (step, steps.last_mut()) {
            (Step::Send(more), Some(Step::Send(bytes))) if joined => bytes.extend(more),
            (step, _) => steps.push(step),
        }
        joined = line.starts_with(['>', '<']);
    }
    let defaults_of_servers = scripts.remove(0);
    for (case, script) in cases.iter_mut().zip(scripts) {
        let script = if script.is_empty() { defaults_of_servers.clone() } else { script };
        case.servers = script.into_iter().map(|(i, s)| (i, Arc::new(s))).collect();
        complete(case);
        if case.differs.is_some() && case.wants.is_empty() {
            return Err(format!("{case}: a declared difference needs a `want`"));
        }
    }
    Ok(cases)
}

fn complete(case: &mut Case) {
    if case.clients.is_empty() {
        case.clients.push(vec![Step::Send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec())]);
    }
    for steps in &mut case.clients {
        if !steps.iter().any(|s| matches!(s, Step::Wait(_) | Step::Close | Step::Reset)) {
            steps.push(Step::Wait(Until::Response));
        }
        let ended = |s: &Step| {
            matches!(s, Step::Close | Step::Reset | Step::Wait(Until::Close | Until::Fin | Until::Reset))
        };
        if !steps.last().is_some_and(ended) {
            if !steps.contains(&Step::Shutdown) {
                steps.push(Step::Shutdown);
            }
            steps.push(Step::Wait(Until::Close));
        }
    }
}

fn part(name: &str) -> Option<Part> {
    match name {
        "client" => Some(Part::Client),
        "server" => Some(Part::Server),
        "log" => Some(Part::Log),
        _ => None,
    }
}

fn quoted(text: &str) -> Result<Vec<u8>, String> {
    let inner = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).ok_or("no quotes")?;
    unescape(inner)
}

fn want(text: &str) -> Result<Want, String> {
    let (what, rest) = text.split_once(' ').ok_or("nothing wanted")?;
    let number = || rest.parse().map_err(|_| "bad number".to_owned());
    match what {
        "status" if rest == "none" => return Ok(Want::Status(Vec::new())),
        "status" => {
            let list = rest.split(' ').map(|s| s.parse().map_err(|_| format!("bad status {s}")));
            return Ok(Want::Status(list.collect::<Result<_, _>>()?));
        }
        "requests" => return Ok(Want::Requests(number()?)),
        "connections" => return Ok(Want::Connections(number()?)),
        _ => {}
    }
    let part = part(what).ok_or("unknown part")?;
    match rest.split_once(' ') {
        Some(("has", text)) => Ok(Want::Text(part, true, quoted(text)?)),
        Some(("lacks", text)) => Ok(Want::Text(part, false, quoted(text)?)),
        None if rest == "nothing" => Ok(Want::Nothing(part)),
        _ => Err("unknown want".to_owned()),
    }
}

fn step(line: &str) -> Result<Step, String> {
    let (sign, rest) = line.split_at(1);
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    Ok(match (sign, rest) {
        (">" | "<", bytes) => Step::Send(unescape(bytes)?),
        ("?", "response") => Step::Wait(Until::Response),
        ("?", "head") => Step::Wait(Until::Head),
        ("?", "message") => Step::Wait(Until::Message),
        ("?", "close") => Step::Wait(Until::Close),
        ("?", "fin") => Step::Wait(Until::Fin),
        ("?", "reset") => Step::Wait(Until::Reset),
        ("?", text) if text.starts_with('"') => Step::Wait(Until::Text(quoted(text)?)),
        ("?", text) => {
            let count = text.strip_prefix("bytes ").and_then(|n| n.parse().ok());
            Step::Wait(Until::Bytes(count.ok_or("unknown wait")?))
        }
        ("!", "shutdown") => Step::Shutdown,
        ("!", "close") => Step::Close,
        ("!", "reset") => Step::Reset,
        ("!", "deaf") => Step::Deaf,
        ("!", "listen") => Step::Listen,
        ("!", "drained") => Step::Drained,
        ("!", "answer") => Step::AnswerAll,
        _ => match line.split_once(' ') {
            Some(("signal", name)) => Step::Signal(name.to_owned()),
            Some(("await", name)) => Step::Await(name.to_owned()),
            _ => return Err("not understood".to_owned()),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_reads_as_described() {
        let text = "config: http\n\n=== one\n# why\n> GET / HTTP/1.1\\r\n> \\n\n\n=== two\nsplit: every\nwant status 400\n\
                    > ab\n? response\n> c\n@reply\n< x\n! close\n";
        let cases = parse(Path::new("f"), text).unwrap();
        assert_eq!(cases.len(), 2);
        assert_eq!(cases[0].clients[0][0], Step::Send(b"GET / HTTP/1.1\r\n".to_vec()));
        assert_eq!(cases[0].clients[0].last(), Some(&Step::Wait(Until::Close)));
        assert_eq!(cases[1].config, "http");
        assert_eq!(cases[1].wants, [Want::Status(vec![400])]);
        assert_eq!(
            *cases[1].servers[0].1,
            [Step::Wait(Until::Message), Step::Send(b"x".to_vec()), Step::Close]
        );
        let runs = cases[1].runs();
        assert_eq!(runs.len(), 1);
        assert_eq!(runs[0].clients[0][..2], [Step::Send(b"a".to_vec()), Step::Drained]);
    }

    #[test]
    fn mistakes_name_their_line() {
        assert!(parse(Path::new("f"), "=== a\n< x\n").unwrap_err().starts_with("f:2: "));
        assert!(parse(Path::new("f"), "=== a\n=== a\n").unwrap_err().starts_with("f:2: "));
        assert!(parse(Path::new("f"), "=== a\ndiffers: KEY in client\n").is_err());
    }
}
