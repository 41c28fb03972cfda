//! Case files of the director.
//!
//! Plain text, several cases in one file:
//!
//! ```text
//! === name-of-the-case
//! # Why this case exists.
//! @ 10.1.0.1:80 tcp                       a fake server: tcp | http | https | smtp | dns | udp, and its first answer
//! script: NAME 0                          what `{DIR}/check NAME` exits with at first
//! file: NAME 5                            what stands in `{DIR}/NAME` at first
//! before: ipvsadm -A -t 10.0.0.7:80       what is run before the program starts
//! flags: -C                               what the program is started with (-C when left out)
//! differs: KEY in log "words"             a known difference, explained under KEY in docs/differences-keepalived.md
//! virtual_server 10.0.0.100 80 {          the configuration, to the first step;
//!   weight 1                       #@1    a line that only the first generation has (`#@2-`: from the second on; `#@1,3`)
//! }
//! --- kill 10.1.0.1:80                    the steps; after each, all is compared
//! --- reload                              the next generation
//! ```
//!
//! `{DIR}` becomes the world's directory, `{TIMES}` intervals that are short enough, `{TCP}` a `TCP_CHECK` without options. The program is started before the first step and stopped after the last.
//! A step begins with `unordered` if things happen in it at the same time, and with `silent` if nothing is to be seen of
//! it; every other step must have an effect on keepalived, or the case proves nothing.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Whatever is to happen happens within a second and a half, and what is settled can be told from it.
const TIMES: &str = "delay_loop 0.3\ndelay_before_retry 0.2\nconnect_timeout 0.5\nwarmup 0.1";

/// What is done to a world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The program starts. Always the first.
    Start,
    /// The next generation of the configuration, and SIGHUP.
    Reload,
    /// The program stops. Always the last.
    Stop,
    /// A server stops listening.
    Kill(SocketAddr),
    /// It listens again.
    Return(SocketAddr),
    /// It answers otherwise from now on.
    Answer(SocketAddr, String),
    /// A script exits with this code from now on (or `hang`s).
    Script(String, String),
    /// A file is written.
    File(String, String),
    /// `ip WORDS`.
    Ip(String),
    /// A signal to the program, by number.
    Signal(i32),
}

/// A step.
#[derive(Clone, Debug)]
pub struct Step {
    /// As it is written.
    pub text: String,
    /// What to do.
    pub action: Action,
    /// Whether what happens in it has no order.
    pub unordered: bool,
    /// Whether nothing is to be seen.
    pub silent: bool,
}

/// A fake server.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where.
    pub address: SocketAddr,
    /// What it speaks.
    pub kind: String,
    /// What it answers at first.
    pub answer: String,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// `ipvsadm -Sn`.
    Table,
    /// The log.
    Log,
    /// The FIFO.
    Fifo,
    /// Calls of scripts.
    Scripts,
    /// Mails.
    Mails,
    /// What the fake servers were asked.
    Requests,
    /// The exit code of `-t`.
    Verdict,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Table, Self::Log, Self::Fifo, Self::Scripts, Self::Mails, Self::Requests, Self::Verdict];

    fn read(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| format!("{part:?}").eq_ignore_ascii_case(word))
    }
}

/// A declared difference: lines of a part that contain these words are not compared.
#[derive(Clone, Debug)]
pub struct Difference {
    /// Its name in docs/differences-keepalived.md.
    pub key: String,
    /// Where.
    pub part: Part,
    /// Which lines.
    pub words: String,
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
    /// What the program is started with.
    pub flags: Vec<String>,
    /// Fake servers.
    pub servers: Vec<Server>,
    /// First exit codes of scripts.
    pub scripts: Vec<(String, String)>,
    /// First values of files.
    pub files: Vec<(String, String)>,
    /// Commands that are run before the program starts.
    pub before: Vec<String>,
    /// Declared differences.
    pub differences: Vec<Difference>,
    /// The configuration's lines, with the generations they belong to.
    lines: Vec<(String, Generations)>,
    /// What is done.
    pub steps: Vec<Step>,
}

/// Ranges of generations, counted from 1.
#[derive(Clone, Debug)]
struct Generations(Vec<(usize, usize)>);

impl Generations {
    fn read(text: &str) -> Option<Self> {
        let range = |part: &str| {
            let number = |text: &str, otherwise| {
                if text.is_empty() { Some(otherwise) } else { text.parse().ok() }
            };
            match part.split_once('-') {
                Some((from, to)) => Some((number(from, 1)?, number(to, usize::MAX)?)),
                None => part.parse().ok().map(|only| (only, only)),
            }
        };
        text.split(',').map(range).collect::<Option<Vec<_>>>().map(Self)
    }

    fn has(&self, generation: usize) -> bool {
        self.0.iter().any(|&(from, to)| (from..=to).contains(&generation))
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}:{})", self.name, self.file.display(), self.line)
    }
}

impl Case {
    /// The configuration of a generation, counted from 1.
    pub fn config(&self, generation: usize) -> String {
        let lines = self.lines.iter().filter(|(_, generations)| generations.has(generation));
        let text: String = lines.map(|(line, _)| format!("{line}\n")).collect();
        text.replace("{TIMES}", TIMES).replace("{TCP}", "TCP_CHECK {\n}")
    }
}

/// Reads a case file.
///
/// # Errors
/// A message with file and line.
pub fn read(path: &Path) -> Result<Vec<Case>, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let file = Arc::new(path.to_owned());
    let mut cases: Vec<Case> = Vec::new();
    for (number, line) in text.lines().enumerate().map(|(i, line)| (i + 1, line)) {
        let fail = |what: &str| format!("{}:{number}: {what}: {line:?}", path.display());
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix("=== ") {
            cases.push(Case {
                name: name.trim().to_owned(),
                file: Arc::clone(&file),
                line: number,
                flags: vec!["-C".to_owned()],
                servers: Vec::new(),
                scripts: Vec::new(),
                files: Vec::new(),
                before: Vec::new(),
                differences: Vec::new(),
                lines: Vec::new(),
                steps: vec![step("start").expect("a step")],
            });
            continue;
        }
        let case = cases.last_mut().ok_or_else(|| fail("before the first case"))?;
        if let Some(text) = line.strip_prefix("--- ") {
            case.steps.push(step(text).ok_or_else(|| fail("unknown step"))?);
        } else if case.steps.len() > 1 {
            return Err(fail("a line after the first step"));
        } else if let Some(text) = line.strip_prefix("@ ") {
            case.servers.push(server(text).ok_or_else(|| fail("unknown server"))?);
        } else if let Some((key, value)) = line.split_once(": ").filter(|(key, _)| !key.contains(' ')) {
            let pair = || value.split_once(' ').map(|(name, value)| (name.to_owned(), value.to_owned()));
            match key {
                "script" => case.scripts.push(pair().ok_or_else(|| fail("no exit code"))?),
                "file" => case.files.push(pair().ok_or_else(|| fail("no value"))?),
                "before" => case.before.push(value.to_owned()),
                "flags" => case.flags = value.split_whitespace().map(str::to_owned).collect(),
                "differs" => case.differences.push(difference(value).ok_or_else(|| fail("no difference"))?),
                _ => return Err(fail("unknown setting")),
            }
        } else {
            let (text, generations) = line.rsplit_once("#@").unwrap_or((line, "1-"));
            let generations = Generations::read(generations.trim()).ok_or_else(|| fail("no generation"))?;
            case.lines.push((text.trim_end().to_owned(), generations));
        }
    }
    for case in &mut cases {
        if case.lines.is_empty() {
            return Err(format!("{case}: no configuration"));
        }
        let mut stop = step("stop").expect("a step");
        // Two processes end in no order.
        stop.unordered = case.flags != ["-C"];
        case.steps.push(stop);
    }
    Ok(cases)
}

fn difference(text: &str) -> Option<Difference> {
    let (key, rest) = text.split_once(" in ")?;
    let (part, words) = rest.split_once(' ')?;
    let words = words.strip_prefix('"')?.strip_suffix('"')?;
    Some(Difference { key: key.to_owned(), part: Part::read(part)?, words: words.to_owned() })
}

fn server(text: &str) -> Option<Server> {
    let mut words = text.splitn(3, ' ');
    let address = words.next()?.parse().ok()?;
    let kind = words.next()?.to_owned();
    let known = ["tcp", "http", "https", "smtp", "dns", "udp"].contains(&kind.as_str());
    known.then(|| Server { address, kind, answer: words.next().unwrap_or_default().to_owned() })
}

fn step(text: &str) -> Option<Step> {
    let mut rest = text.trim();
    let (mut unordered, mut silent) = (false, false);
    loop {
        if let Some(more) = rest.strip_prefix("unordered ") {
            (unordered, rest) = (true, more);
        } else if let Some(more) = rest.strip_prefix("silent ") {
            (silent, rest) = (true, more);
        } else {
            break;
        }
    }
    let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let pair = || rest.split_once(' ');
    let action = match word {
        "start" => Action::Start,
        "reload" => Action::Reload,
        "stop" => Action::Stop,
        "kill" => Action::Kill(rest.parse().ok()?),
        "return" => Action::Return(rest.parse().ok()?),
        "answer" => Action::Answer(pair()?.0.parse().ok()?, pair()?.1.to_owned()),
        "script" => Action::Script(pair()?.0.to_owned(), pair()?.1.to_owned()),
        "file" => Action::File(pair()?.0.to_owned(), pair()?.1.to_owned()),
        "ip" => Action::Ip(rest.to_owned()),
        "signal" => Action::Signal(rest.parse().ok()?),
        _ => return None,
    };
    // Checks begin at different times.
    unordered |= matches!(action, Action::Start | Action::Reload);
    Some(Step { text: text.to_owned(), action, unordered, silent })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_belong_to_generations() {
        let directory = crate::program::Directory::new().unwrap();
        let path = directory.path.join("a.case");
        let text = "=== one\n@ 10.1.0.1:80 http 200 ok\ndiffers: key in log \"some words\"\na {\nb #@2-\nc #@1,3\n}\n\
                    --- unordered kill 10.1.0.1:80\n--- reload\n";
        std::fs::write(&path, text).unwrap();
        let case = &read(&path).unwrap()[0];
        assert_eq!(case.config(1), "a {\nc\n}\n");
        assert_eq!(case.config(2), "a {\nb\n}\n");
        assert_eq!(case.config(3), "a {\nb\nc\n}\n");
        assert_eq!(case.servers[0].answer, "200 ok");
        assert_eq!((case.differences[0].part, case.differences[0].words.as_str()), (Part::Log, "some words"));
        let texts: Vec<&str> = case.steps.iter().map(|step| step.text.as_str()).collect();
        assert_eq!(texts, ["start", "unordered kill 10.1.0.1:80", "reload", "stop"]);
        assert!(case.steps[1].unordered && !case.steps[1].silent);
        std::fs::write(&path, "=== one\na {\n--- fly 3\n").unwrap();
        assert!(read(&path).unwrap_err().contains(":3: unknown step"));
    }
}
