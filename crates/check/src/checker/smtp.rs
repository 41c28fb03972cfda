//! `SMTP_CHECK`: greeting, HELO, QUIT.

use super::attempt::Failure;

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Wait for more of what the server says.
    Wait,
    /// Send this, then wait; what the server said too early is forgotten.
    Send(Vec<u8>),
    /// The conversation is over.
    Done(Result<(), Failure>),
}

/// Where the conversation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Greeting,
    Helo,
    Quit,
}

/// The conversation, begun by the server's greeting.
///
/// Replies may have several lines (RFC 5321 4.2.1), which keepalived takes for a failure.
#[derive(Clone, Debug)]
pub struct SmtpTalk {
    state: State,
    /// The first bytes of the present line.
    start: [u8; 4],
    /// How long the present line is so far.
    len: usize,
    lines: usize,
}

impl SmtpTalk {
    /// The most bytes of a line of a reply, as RFC 5321 4.5.3.1.5 has it.
    pub const LINE_MAX: usize = 512;
    /// The most lines of a reply.
    pub const LINES_MAX: usize = 100;

    /// Nothing is said yet.
    pub fn new() -> Self {
        Self { state: State::Greeting, start: [0; 4], len: 0, lines: 0 }
    }

    /// The server said this; `helo_name` is what HELO says.
    pub fn feed(&mut self, helo_name: &str, bytes: &[u8]) -> Turn {
        for &byte in bytes {
            if byte != b'\n' {
                if let Some(place) = self.start.get_mut(self.len) {
                    *place = byte;
                }
                self.len += 1;
                if self.len < Self::LINE_MAX {
                    continue;
                }
                return Turn::Done(Err(self.bad()));
            }
            if self.state == State::Quit {
                // Whatever it is, it is an answer.
                return Turn::Done(Ok(()));
            }
            let wanted: &[u8] = if self.state == State::Greeting { b"220" } else { b"250" };
            let start = self.start.get(..self.len).unwrap_or(&self.start);
            let (code, behind) = start.split_at_checked(3).unwrap_or((start, b""));
            self.lines += 1;
            match behind {
                _ if code != wanted => return Turn::Done(Err(self.bad())),
                [] | [b' ' | b'\r'] => {
                    self.len = 0;
                    self.lines = 0;
                    return Turn::Send(match self.state {
                        State::Greeting => {
                            self.state = State::Helo;
                            format!("HELO {helo_name}\r\n").into_bytes()
                        }
                        State::Helo | State::Quit => {
                            self.state = State::Quit;
                            b"QUIT\r\n".to_vec()
                        }
                    });
                }
                [b'-'] if self.lines < Self::LINES_MAX => self.len = 0,
                _ => return Turn::Done(Err(self.bad())),
            }
        }
        Turn::Wait
    }

    fn bad(&self) -> Failure {
        match self.state {
            State::Greeting => Failure::Banner,
            State::Helo | State::Quit => Failure::Helo,
        }
    }
}

impl Default for SmtpTalk {
    fn default() -> Self {
        Self::new()
    }
}
