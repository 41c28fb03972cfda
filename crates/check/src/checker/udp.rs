//! `UDP_CHECK`: one datagram out, and perhaps one back.

use super::attempt::Failure;

/// What is sent, and what must come back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UdpPattern {
    /// `payload`; `None`: [`filler`] of 32 bytes.
    pub payload: Option<Vec<u8>>,
    /// `require_reply`.
    pub require_reply: bool,
    /// What the reply must begin with: of each byte its value, and which of its bits count.
    pub reply: Vec<(u8, u8)>,
    /// `min_reply_length`; looked at only where `reply` says something.
    pub min_length: u16,
    /// `max_reply_length`; looked at only where `reply` says something.
    pub max_length: u16,
}

impl UdpPattern {
    /// The datagram to send.
    pub fn datagram(&self) -> Vec<u8> {
        self.payload.clone().unwrap_or_else(|| filler(32))
    }

    /// What a reply means. Cut it at [`UdpPattern::room`] bytes.
    ///
    /// # Errors
    /// [`Failure::Mismatch`].
    pub fn judge(&self, reply: &[u8]) -> Result<(), Failure> {
        let fits = (usize::from(self.min_length)..=usize::from(self.max_length)).contains(&reply.len());
        // A reply that is shorter than the pattern is compared as far as it goes.
        let same = reply.iter().zip(&self.reply).all(|(byte, (value, bits))| (byte ^ value) & bits == 0);
        if !self.require_reply || self.reply.is_empty() || (fits && same) {
            Ok(())
        } else {
            Err(Failure::Mismatch)
        }
    }

    /// How many bytes of a reply are needed: one more than the longest that is right.
    pub fn room(&self) -> usize {
        usize::from(self.max_length) + 1
    }

    /// What it means that nothing came in time, not even an ICMP error.
    ///
    /// # Errors
    /// [`Failure::ReadTimeout`] with `require_reply`.
    pub fn silence(&self) -> Result<(), Failure> {
        if self.require_reply { Err(Failure::ReadTimeout) } else { Ok(()) }
    }
}

/// What keepalived fills its packets with.
pub fn filler(len: usize) -> Vec<u8> {
    b"keepalived check - ".iter().copied().cycle().take(len).collect()
}
