//! A conversation with an SMTP server (RFC 5321), without its socket.

use super::Settings;

/// The longest reply that is read, all its lines together.
const MAX_REPLY: usize = 8_192;

/// What came of the server's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Go on.
    Continue,
    /// The server refused a command for good or for now.
    Refused {
        /// Which.
        command: &'static str,
        /// Its answer's code.
        code: u16,
    },
    /// It does not speak SMTP.
    Nonsense,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Greeting,
    Helo,
    Mail,
    Recipient(usize),
    Data,
    Body,
    Quit,
    Over,
}

/// Sends one mail.
#[derive(Debug)]
pub(super) struct Conversation<'a> {
    settings: &'a Settings,
    subject: &'a str,
    body: &'a str,
    date: &'a str,
    state: State,
    line: Vec<u8>,
    accepted: usize,
    refused: u16,
}

impl<'a> Conversation<'a> {
    pub(super) fn new(settings: &'a Settings, subject: &'a str, body: &'a str, date: &'a str) -> Self {
        Self {
            settings,
            subject,
            body,
            date,
            state: State::Greeting,
            line: Vec::new(),
            accepted: 0,
            refused: 0,
        }
    }

    /// The server has the mail.
    pub(super) fn is_sent(&self) -> bool {
        matches!(self.state, State::Quit | State::Over)
    }

    /// Nothing more is to be said or heard.
    pub(super) fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// Takes what the server sent; appends to `out` what to answer.
    pub(super) fn receive(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Step {
        for byte in bytes {
            if self.line.len() >= MAX_REPLY {
                return Step::Nonsense;
            }
            self.line.push(*byte);
            if *byte != b'\n' {
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let &[a, b, c, ref rest @ ..] = line.as_slice() else { return Step::Nonsense };
            let digits = [a, b, c];
            if !digits.iter().all(u8::is_ascii_digit) {
                return Step::Nonsense;
            }
            if rest.first() == Some(&b'-') {
                // More lines follow.
                continue;
            }
            let code = digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
            let step = self.answer(code, out);
            if step != Step::Continue {
                return step;
            }
        }
        Step::Continue
    }

    fn answer(&mut self, code: u16, out: &mut Vec<u8>) -> Step {
        let refused = |command| Step::Refused { command, code };
        self.state = match self.state {
            State::Greeting if code == 220 => {
                put(out, &["HELO ", &self.settings.helo, "\r\n"]);
                State::Helo
            }
            State::Greeting => return refused("connect"),
            State::Helo if code == 250 => {
                put(out, &["MAIL FROM:<", &self.settings.sender, ">\r\n"]);
                State::Mail
            }
            State::Helo => return refused("HELO"),
            State::Mail if code == 250 => self.next_recipient(0, out),
            State::Mail => return refused("MAIL"),
            State::Recipient(which) => {
                if matches!(code, 250 | 251) {
                    self.accepted += 1;
                } else {
                    self.refused = code;
                }
                if which + 1 >= self.settings.recipients.len() && self.accepted == 0 {
                    return Step::Refused { command: "RCPT", code: self.refused };
                }
                self.next_recipient(which + 1, out)
            }
            State::Data if code == 354 => {
                self.write_message(out);
                State::Body
            }
            State::Data => return refused("DATA"),
            State::Body if code == 250 => {
                put(out, &["QUIT\r\n"]);
                State::Quit
            }
            State::Body => return refused("DOT"),
            State::Quit | State::Over => State::Over,
        };
        Step::Continue
    }

    fn next_recipient(&self, which: usize, out: &mut Vec<u8>) -> State {
        match self.settings.recipients.get(which) {
            Some(recipient) => {
                put(out, &["RCPT TO:<", recipient, ">\r\n"]);
                State::Recipient(which)
            }
            None => {
                put(out, &["DATA\r\n"]);
                State::Data
            }
        }
    }

    /// Header and body as keepalived writes them; a line that begins with a dot gets another (RFC 5321 4.5.2).
    fn write_message(&self, out: &mut Vec<u8>) {
        let settings = self.settings;
        put(out, &["Date: ", self.date, "\r\nFrom: ", &one_line(&settings.sender)]);
        put(out, &["\r\nSubject: ", &one_line(self.subject), "\r\nX-Mailer: Keepalived\r\nTo: "]);
        put(out, &[&one_line(&settings.recipients.join(", ")), "\r\n\r\n"]);
        for line in self.body.lines() {
            put(out, &[if line.starts_with('.') { "." } else { "" }, line, "\r\n"]);
        }
        put(out, &["\r\n.\r\n"]);
    }
}

/// Without what would end the header line.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if matches!(c, '\r' | '\n') { ' ' } else { c }).collect()
}

fn put(out: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        out.extend(part.as_bytes());
    }
}
