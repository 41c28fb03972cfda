//! The conversation with one client.

use crate::command::{self, Call};
use crate::{Master, Source, Target};
use haproxy_cfg::model::SocketLevel;
use std::collections::VecDeque;

/// Bytes of a command line at most, as HAProxy's buffer has it.
const MAX_LINE: usize = 16_384;

/// What becomes of the connection after a reply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// The client may say more.
    #[default]
    Stay,
    /// Close it once the reply is sent.
    Close,
    /// Pass the listening sockets over it (`_getsocks`), then close it.
    Sockets,
    /// Read the configuration anew, say how that went, then close it.
    Reload,
    /// Let a worker answer, then go on with [`Session::go_on`].
    Forward(Forward),
}

/// A command for a worker, from a client of its master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// The worker.
    pub pid: u32,
    /// What the client may do there.
    pub level: SocketLevel,
    /// Without the prefix that says where it goes.
    pub command: String,
}

/// What to send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The bytes.
    pub text: String,
    /// What follows.
    pub ending: Ending,
}

/// One client: its level, whether it has a prompt, and the line it has begun.
#[derive(Debug)]
pub struct Session {
    level: SocketLevel,
    prompt: bool,
    pending: Vec<u8>,
    /// What is left of the line being answered.
    commands: VecDeque<String>,
    /// A line is being answered.
    answering: bool,
    /// The client will send no more.
    ended: bool,
    /// The worker that commands go to; `None`: this process.
    target: Option<u32>,
}

/// What a master does itself, whatever worker is talked to; these say nothing.
const OWN: [&str; 4] = ["operator", "prompt", "quit", "user"];

impl Session {
    /// A client of a socket with this level.
    pub fn new(level: SocketLevel) -> Self {
        Self {
            level,
            prompt: false,
            pending: Vec::new(),
            commands: VecDeque::new(),
            answering: false,
            ended: false,
            target: None,
        }
    }

    /// Takes what the client sent and answers the lines that are complete. Without a prompt the connection closes
    /// after the answer.
    pub fn feed(&mut self, bytes: &[u8], source: Source<'_>) -> Reply {
        self.pending.extend_from_slice(bytes);
        self.go_on(source)
    }

    /// The client will send no more: a last line without line feed is one too.
    pub fn end(&mut self, source: Source<'_>) -> Reply {
        self.ended = true;
        if !self.pending.is_empty() {
            self.pending.push(b'\n');
        }
        self.go_on(source)
    }

    /// Answers what is there, up to what the connection is needed for.
    pub fn go_on(&mut self, source: Source<'_>) -> Reply {
        let mut reply = Reply::default();
        loop {
            while let Some(command) = self.commands.pop_front() {
                reply.ending = self.command(&command, source, &mut reply.text);
                if reply.ending != Ending::Stay {
                    return reply;
                }
            }
            if std::mem::take(&mut self.answering) {
                if self.prompt {
                    reply.text += &match (source, self.target) {
                        (Source::Worker(_), _) => "> ".to_owned(),
                        (Source::Master(_), None) => "master> ".to_owned(),
                        (Source::Master(_), Some(pid)) => format!("{pid}> "),
                    };
                } else if !self.pending.contains(&b'\n') {
                    reply.ending = Ending::Close;
                    return reply;
                }
            }
            let Some(end) = self.pending.iter().position(|&byte| byte == b'\n') else { break };
            let line: Vec<u8> = self.pending.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line).into_owned();
            self.commands = commands(line.trim_end_matches(['\r', '\n'])).into();
            self.answering = true;
        }
        if self.ended || self.pending.len() > MAX_LINE {
            reply.ending = Ending::Close;
        }
        reply
    }

    fn command(&mut self, text: &str, source: Source<'_>, out: &mut String) -> Ending {
        let mut text = text.trim_start();
        let own = words(text).first().is_some_and(|word| OWN.contains(&word.as_str()));
        if let Source::Master(master) = source {
            let prefix = text.split([' ', '\t']).next().filter(|word| word.starts_with('@'));
            let target = match prefix.map(|prefix| target_of(prefix, master)) {
                // Nothing else is answered, as it might not be for this process.
                Some(Err(error)) => {
                    *out += &error;
                    return Ending::Close;
                }
                Some(Ok(target)) => {
                    text = text.get(prefix.map_or(0, str::len)..).unwrap_or_default().trim_start();
                    if text.is_empty() {
                        self.target = target;
                        return Ending::Stay;
                    }
                    target
                }
                None => self.target.filter(|_| !own),
            };
            if let Some(pid) = target {
                return Ending::Forward(Forward { pid, level: self.level, command: text.to_owned() });
            }
        }
        let words = words(text);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut call =
            Call { source, level: &mut self.level, prompt: &mut self.prompt, out, ending: Ending::Stay };
        command::run(&mut call, &words);
        let ending = call.ending;
        if ending == Ending::Stay && !(own && matches!(source, Source::Master(_))) {
            out.push('\n');
        }
        ending
    }
}

/// The worker that a prefix (`@1`, `@!1234`) means, `None` for the master (`@master`, `@`, `@0`), or what is said when
/// there is none.
fn target_of(prefix: &str, master: &dyn Master) -> Result<Option<u32>, String> {
    let target = match prefix.strip_prefix('@').unwrap_or(prefix) {
        "" | "master" | "0" => return Ok(None),
        other => match other.strip_prefix('!') {
            Some(pid) => pid.parse().map(Target::Pid),
            None => other.parse().map(Target::Nth),
        },
    };
    let pid = target.ok().and_then(|target| master.worker(target));
    pid.map(Some).ok_or_else(|| format!("Can't find the target PID matching the prefix '{prefix}'\n"))
}

/// The commands of a line: separated by `;`, unless a backslash stands before it.
fn commands(line: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut escaped = false;
    for character in line.chars() {
        match character {
            ';' if !escaped => {
                all.push(String::new());
                continue;
            }
            _ => {
                if let Some(last) = all.last_mut() {
                    last.push(character);
                }
            }
        }
        escaped = character == '\\' && !escaped;
    }
    // "show info;" is one command.
    if all.len() > 1 && all.last().is_some_and(|last| last.trim().is_empty()) {
        all.pop();
    }
    all
}

/// The words of a command: separated by blanks, unless a backslash stands before one.
fn words(command: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let (mut inside, mut escaped) = (false, false);
    for character in command.chars() {
        if !escaped && matches!(character, ' ' | '\t') {
            inside = false;
            continue;
        }
        if !escaped && character == '\\' {
            escaped = true;
            continue;
        }
        if !inside {
            all.push(String::new());
            inside = true;
        }
        if let Some(last) = all.last_mut() {
            last.push(character);
        }
        escaped = false;
    }
    all
}

#[cfg(test)]
mod tests;
