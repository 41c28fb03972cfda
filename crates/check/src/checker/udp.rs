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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As keepalived 2.2.7 sent it.
    #[test]
    fn payload() {
        assert_eq!(UdpPattern::default().datagram(), b"keepalived check - keepalived ch");
        let own = UdpPattern { payload: Some(vec![1, 2]), ..UdpPattern::default() };
        assert_eq!(own.datagram(), [1, 2]);
    }

    fn pattern(reply: &[(u8, u8)], min_length: u16, max_length: u16) -> UdpPattern {
        UdpPattern { payload: None, require_reply: true, reply: reply.to_vec(), min_length, max_length }
    }

    #[test]
    fn replies() {
        // `0102xx0x`
        let strict = pattern(&[(1, 0xff), (2, 0xff), (0, 0), (0, 0xf0)], 2, 6);
        for (reply, passes) in [
            (&[1, 2, 77, 9][..], true),
            (&[1, 2, 77, 0x19], false),
            (&[1, 3, 77, 9], false),
            (&[1, 2, 3, 4, 5, 6], true),
            (&[1, 2, 3, 4, 5, 6, 7], false),
            (&[1, 2], true),
            (&[1], false),
            (&[], false),
        ] {
            assert_eq!(
                strict.judge(reply),
                if passes { Ok(()) } else { Err(Failure::Mismatch) },
                "{reply:?}"
            );
        }
        assert_eq!(strict.room(), 7);
        assert_eq!(pattern(&[], 5, 5).judge(b"x"), Ok(()), "without a pattern any reply is one");
        assert_eq!(pattern(&[], 0, u16::MAX).room(), 65536);
    }

    #[test]
    fn silence() {
        assert_eq!(pattern(&[], 0, 0).silence(), Err(Failure::ReadTimeout));
        assert_eq!(UdpPattern::default().silence(), Ok(()));
    }

    proptest! {
        #[test]
        fn masks(
            reply in proptest::collection::vec(any::<(u8, u8)>(), 1..8),
            noise in proptest::collection::vec(any::<u8>(), 8),
        ) {
            let pattern = pattern(&reply, 0, 255);
            let bytes: Vec<u8> =
                reply.iter().zip(&noise).map(|((value, bits), noise)| value & bits | noise & !bits).collect();
            prop_assert_eq!(pattern.judge(&bytes), Ok(()));
            let mut other = bytes;
            let (at, bit) = (usize::from(noise[0]) % reply.len(), 1 << (noise[1] % 8));
            other[at] ^= bit;
            prop_assert_eq!(pattern.judge(&other).is_ok(), reply[at].1 & bit == 0);
        }
    }
}
