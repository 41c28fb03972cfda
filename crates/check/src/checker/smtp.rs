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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The conversation with a server that says these, one after the other: what was sent, and the end if there is one.
    fn talk(heard: &[&[u8]]) -> (Vec<String>, Option<Result<(), Failure>>) {
        let mut talk = SmtpTalk::new();
        let mut sent = Vec::new();
        for bytes in heard {
            match talk.feed("me.example", bytes) {
                Turn::Wait => {}
                Turn::Send(bytes) => sent.push(String::from_utf8(bytes).unwrap()),
                Turn::Done(result) => return (sent, Some(result)),
            }
        }
        (sent, None)
    }

    fn end(heard: &[&[u8]]) -> Option<Result<(), Failure>> {
        talk(heard).1
    }

    /// As keepalived 2.2.7 spoke.
    #[test]
    fn a_conversation() {
        let heard: &[&[u8]] = &[b"220 me ESMTP\r\n", b"250 hi\r\n", b"221 bye\r\n"];
        let sent = ["HELO me.example\r\n", "QUIT\r\n"].map(str::to_owned).to_vec();
        assert_eq!(talk(heard), (sent.clone(), Some(Ok(()))));
        assert_eq!(talk(&[b"220\n", b"250\r\n", b"whatever\n"]), (sent, Some(Ok(()))));
    }

    #[test]
    fn replies_may_have_several_lines() {
        let greeting: &[u8] = b"220-one\r\n220-two\r\n220 three\r\n";
        assert_eq!(talk(&[greeting]).0, ["HELO me.example\r\n"]);
        assert_eq!(end(&[b"220-one\r\n", b"221 two\r\n"]), Some(Err(Failure::Banner)));
        let many = b"220-\r\n".repeat(SmtpTalk::LINES_MAX);
        assert_eq!(end(&[&many]), Some(Err(Failure::Banner)), "not for ever");
    }

    #[test]
    fn other_replies_fail() {
        for bad in
            ["554 no\r\n", "22 \r\n", "2200 \r\n", "220x\r\n", "\r\n", "\n", " 220 \r\n", "SSH-2.0\r\n"]
        {
            assert_eq!(end(&[bad.as_bytes()]), Some(Err(Failure::Banner)), "{bad:?}");
            assert_eq!(end(&[b"220 \n", bad.as_bytes()]), Some(Err(Failure::Helo)), "{bad:?}");
        }
        assert_eq!(end(&[&[b'2'; 600]]), Some(Err(Failure::Banner)), "a line without end");
        assert_eq!(end(&[b"220 a\n", b"250 b\n", b"no line"]), None);
    }

    #[test]
    fn what_is_said_too_early_does_not_count() {
        assert_eq!(talk(&[b"220 a\r\n250 b\r\n221 c\r\n"]), (vec!["HELO me.example\r\n".to_owned()], None));
    }

    proptest! {
        #[test]
        fn splits_and_noise(text in "(220|250|22)?[- ]?[a-z]{0,3}(\r?\n)?(220 x\r\n)?", cut in 0usize..20) {
            let cut = cut.min(text.len());
            let (first, rest) = text.as_bytes().split_at(cut);
            let split = talk(&[first, rest]);
            let whole = talk(&[text.as_bytes()]);
            // What comes after a reply is dropped only where it comes with it.
            prop_assert!(split == whole || whole.0.len() == 1, "{split:?} {whole:?}");
            prop_assert!(whole.1 != Some(Ok(())));
        }

        #[test]
        fn no_noise_passes(noise in proptest::collection::vec(any::<u8>(), 0..1500)) {
            prop_assert_ne!(end(&[&noise]), Some(Ok(())));
        }
    }
}
