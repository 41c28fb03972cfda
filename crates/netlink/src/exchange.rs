//! Requests on their way and what the kernel answers to each, without a socket.

use crate::error::{Malformed, Refusal};
use crate::message::{
    Message, Messages, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP, NLMSG_OVERRUN, append,
};
use crate::operation::Part;

/// What became of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing yet, or some of its answers.
    Waiting,
    /// It was done.
    Done,
    /// It was not.
    Refused(Refusal),
}

/// Requests with consecutive sequence numbers.
#[derive(Debug)]
pub(crate) struct Exchange {
    first: u32,
    states: Vec<State>,
    /// A listing is not consistent and must be repeated.
    pub(crate) interrupted: bool,
}

impl Exchange {
    /// Begins with `first` as sequence number; returns the bytes to send. Requests that ask for no acknowledgement and
    /// list nothing (the brackets of a batch) count as done.
    pub(crate) fn new<'a>(
        first: u32,
        parts: impl IntoIterator<Item = &'a Part>,
    ) -> Result<(Self, Vec<u8>), Malformed> {
        let mut bytes = Vec::new();
        let mut states = Vec::new();
        let mut sequence = first;
        for part in parts {
            let body = part.body.as_deref().ok_or(Malformed("a request is too long"))?;
            let flags = part.flags | libc::NLM_F_REQUEST as u16;
            append(&mut bytes, part.kind, flags, sequence, body)?;
            let answered = i32::from(flags) & (libc::NLM_F_ACK | libc::NLM_F_DUMP) != 0;
            states.push(if answered { State::Waiting } else { State::Done });
            sequence = sequence.wrapping_add(1);
        }
        Ok((Self { first, states, interrupted: false }, bytes))
    }

    /// How many sequence numbers it takes.
    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.states.len()).unwrap_or(u32::MAX)
    }

    /// Whether every request was answered.
    pub(crate) fn is_complete(&self) -> bool {
        !self.states.contains(&State::Waiting)
    }

    /// Whether one was refused: in a batch, the others may then stay without answer.
    pub(crate) fn is_refused(&self) -> bool {
        self.states.iter().any(|state| matches!(state, State::Refused(_)))
    }

    pub(crate) fn into_states(self) -> Vec<State> {
        self.states
    }

    /// Takes a datagram; what lists something goes to `take` with its request's number in the exchange. Messages that
    /// belong to none of the requests are passed over.
    pub(crate) fn handle(
        &mut self,
        datagram: &[u8],
        mut take: impl FnMut(usize, &Message<'_>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        for message in Messages::new(datagram) {
            self.handle_message(&message?, &mut take)?;
        }
        Ok(())
    }

    /// Takes a message; returns whether it belonged to one of the requests.
    pub(crate) fn handle_message(
        &mut self,
        message: &Message<'_>,
        take: &mut impl FnMut(usize, &Message<'_>) -> Result<(), Malformed>,
    ) -> Result<bool, Malformed> {
        let number = usize::try_from(message.sequence.wrapping_sub(self.first)).unwrap_or(usize::MAX);
        let Some(state) = self.states.get_mut(number).filter(|state| **state == State::Waiting) else {
            return Ok(false);
        };
        self.interrupted |= message.flags & NLM_F_DUMP_INTR != 0;
        match message.kind {
            NLMSG_ERROR | NLMSG_DONE => {
                *state = message.refusal()?.map_or(State::Done, State::Refused);
            }
            NLMSG_NOOP | NLMSG_OVERRUN => {}
            _ => take(number, message)?,
        }
        Ok(true)
    }
}
