//! The head of an HTTP/1 response, read byte by byte from a server that may be anything but one.
//!
//! Only the status and the reason are kept; the rest is checked and forgotten, so memory stays bounded and each byte is
//! looked at once.

use crate::outcome::Outcome;

/// What is known of the head so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    Partial,
    Invalid,
    Complete { code: u16, reason: Vec<u8> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In `HTTP/d.d `; how many bytes of it were seen.
    Version(u8),
    /// In the status; how many digits were seen.
    Code(u8),
    Reason,
    /// CR seen at the end of the status line.
    ReasonEnd,
    LineStart,
    Name,
    /// Blanks before a value.
    Blank,
    Value,
    /// CR seen at the end of a header line.
    ValueEnd,
    /// CR seen where a header line would start.
    HeadEnd,
    Done,
    Invalid,
}

/// Header fields whose values decide where a message ends: contradictions there make a head invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    ContentLength,
    Other,
}

const CONTENT_LENGTH: &[u8] = b"content-length";

#[derive(Clone, Debug)]
pub(crate) struct ResponseParser {
    state: State,
    limit: usize,
    seen: usize,
    code: u16,
    reason: Vec<u8>,
    /// How much of a field name is `content-length` so far; beyond its length when it is not.
    name: usize,
    field: Field,
    /// Value of the present `Content-Length` field; `None` when it has no digits yet.
    number: Option<u64>,
    /// A blank followed the digits.
    number_ended: bool,
    length: Option<u64>,
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

impl ResponseParser {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            state: State::Version(0),
            limit,
            seen: 0,
            code: 0,
            reason: Vec::new(),
            name: 0,
            field: Field::Other,
            number: None,
            number_ended: false,
            length: None,
        }
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Head {
        for &byte in bytes {
            if matches!(self.state, State::Done | State::Invalid) {
                break;
            }
            self.seen += 1;
            self.state = if self.seen > self.limit { State::Invalid } else { self.step(byte) };
        }
        match self.state {
            State::Done => Head::Complete { code: self.code, reason: self.reason.clone() },
            State::Invalid => Head::Invalid,
            _ => Head::Partial,
        }
    }

    fn step(&mut self, byte: u8) -> State {
        match (self.state, byte) {
            // RFC 9112 4: HTTP-version SP status-code SP [ reason-phrase ]
            (State::Version(n @ 0..=4), _) if b"HTTP/".get(usize::from(n)) == Some(&byte) => {
                State::Version(n + 1)
            }
            (State::Version(n @ (5 | 7)), b'0'..=b'9') => State::Version(n + 1),
            (State::Version(6), b'.') => State::Version(7),
            (State::Version(8), b' ') => State::Code(0),
            // RFC 9112 4 lets a recipient take several blanks for one; HAProxy does.
            (State::Code(0), b' ') => State::Code(0),
            (State::Code(n @ 0..=2), b'0'..=b'9') => {
                self.code = self.code * 10 + u16::from(byte - b'0');
                State::Code(n + 1)
            }
            (State::Code(3), b' ') => State::Reason,
            (State::Code(3) | State::Reason, b'\r') => State::ReasonEnd,
            (State::Code(3) | State::Reason | State::ReasonEnd, b'\n') => State::LineStart,
            (State::Reason, 1..) => {
                if self.reason.len() < Outcome::INFO_MAX && (!self.reason.is_empty() || byte != b' ') {
                    self.reason.push(byte);
                }
                State::Reason
            }
            // RFC 9112 5: field-name ":" OWS field-value OWS
            (State::LineStart, b'\r') => State::HeadEnd,
            (State::LineStart | State::HeadEnd, b'\n') => {
                if self.end_field() {
                    State::Done
                } else {
                    State::Invalid
                }
            }
            // A folded line goes on with the value before it (RFC 9112 5.2).
            (State::LineStart, b' ' | b'\t') if self.name != 0 => State::Blank,
            (State::LineStart, _) if is_token(byte) => {
                if !self.end_field() {
                    return State::Invalid;
                }
                self.name = 0;
                self.name_byte(byte);
                State::Name
            }
            (State::Name, b':') => {
                let known = self.name == CONTENT_LENGTH.len();
                self.field = if known { Field::ContentLength } else { Field::Other };
                State::Blank
            }
            (State::Name, _) if is_token(byte) => {
                self.name_byte(byte);
                State::Name
            }
            (State::Blank, b' ' | b'\t') => State::Blank,
            (State::Blank | State::Value, b'\r') => State::ValueEnd,
            (State::Blank | State::Value | State::ValueEnd, b'\n') => State::LineStart,
            (State::Blank | State::Value, 1..) => {
                if self.value_byte(byte) {
                    State::Value
                } else {
                    State::Invalid
                }
            }
            _ => State::Invalid,
        }
    }

    fn name_byte(&mut self, byte: u8) {
        let matches = CONTENT_LENGTH.get(self.name) == Some(&byte.to_ascii_lowercase());
        self.name = if matches { self.name + 1 } else { usize::MAX };
    }

    /// Whether the byte may stand in the present value.
    fn value_byte(&mut self, byte: u8) -> bool {
        if self.field != Field::ContentLength {
            return true;
        }
        match byte {
            b'0'..=b'9' if !self.number_ended => {
                let number = self.number.unwrap_or(0).checked_mul(10);
                self.number = number.and_then(|number| number.checked_add(u64::from(byte - b'0')));
                self.number.is_some()
            }
            b' ' | b'\t' => {
                self.number_ended = true;
                true
            }
            _ => false,
        }
    }

    /// Closes the field before; false when it contradicts an earlier one (RFC 9112 6.3).
    fn end_field(&mut self) -> bool {
        if core::mem::replace(&mut self.field, Field::Other) != Field::ContentLength {
            return true;
        }
        self.number_ended = false;
        let Some(number) = self.number.take() else { return false };
        self.length.replace(number).is_none_or(|before| before == number)
    }
}
