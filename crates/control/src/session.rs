//! The conversation with one client.

use crate::Source;
use crate::command::{self, Call};
use haproxy_cfg::model::SocketLevel;

/// Bytes of a command line at most, as HAProxy's buffer has it.
const MAX_LINE: usize = 16_384;

/// What becomes of the connection after a reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
}

impl Session {
    /// A client of a socket with this level.
    pub fn new(level: SocketLevel) -> Self {
        Self { level, prompt: false, pending: Vec::new() }
    }

    /// Takes what the client sent and answers the lines that are complete. Without a prompt the connection closes
    /// after the answer.
    pub fn feed(&mut self, bytes: &[u8], source: Source<'_>) -> Reply {
        self.pending.extend_from_slice(bytes);
        let mut reply = Reply::default();
        while let Some(end) = self.pending.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.pending.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line).into_owned();
            reply.ending = self.line(line.trim_end_matches(['\r', '\n']), source, &mut reply.text);
            if reply.ending != Ending::Stay {
                return reply;
            }
            if !self.prompt && !self.pending.contains(&b'\n') {
                reply.ending = Ending::Close;
            }
        }
        if self.pending.len() > MAX_LINE {
            reply.ending = Ending::Close;
        }
        reply
    }

    /// The client will send no more: a last line without line feed is one too.
    pub fn end(&mut self, source: Source<'_>) -> Reply {
        if self.pending.is_empty() {
            return Reply { text: String::new(), ending: Ending::Close };
        }
        let reply = self.feed(b"\n", source);
        Reply { ending: if reply.ending == Ending::Stay { Ending::Close } else { reply.ending }, ..reply }
    }

    fn line(&mut self, line: &str, source: Source<'_>, out: &mut String) -> Ending {
        for text in commands(line) {
            let words = words(&text);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let mut call =
                Call { source, level: &mut self.level, prompt: &mut self.prompt, out, ending: Ending::Stay };
            command::run(&mut call, &words);
            if call.ending != Ending::Stay {
                return call.ending;
            }
            out.push('\n');
        }
        if self.prompt {
            out.push_str(match source {
                Source::Worker(_) => "> ",
                Source::Master(_) => "master> ",
            });
        }
        Ending::Stay
    }
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
