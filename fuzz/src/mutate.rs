//! Mutations of seeds, the same on every run: what stands in for libFuzzer where there is none.

use crate::seeds::Seed;

/// A stream of numbers from one seed (splitmix64).
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// Starts a stream.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next_number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 when that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next_number() >> 11) as usize % bound.max(1)
    }
}

/// Bytes and pieces that decide something in one of the languages.
const PIECES: [&[u8]; 40] = [
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"\t",
    b"\0",
    b":",
    b",",
    b";",
    b"\"",
    b"'",
    b"\\",
    b"$",
    b"${",
    b"}",
    b"%",
    b"%[",
    b"{",
    b"(",
    b")",
    b"#",
    b"!",
    b"||",
    b"&&",
    b"0",
    b"-1",
    b"99999999999999999999",
    b"ffffffffffffffff",
    b"\x7F",
    b"\x80",
    b"\xFF",
    b"\xC3\xA9",
    b"chunked",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"@",
    b"*",
    b"[::1]",
    b".if ",
    b"server ",
];
/// Inputs do not grow beyond this by mutation.
const MAX_BYTES: usize = 8192;

/// A mutation of one of `seeds`.
pub fn mutant(seeds: &[Seed], numbers: &mut Numbers) -> Vec<u8> {
    let any = |numbers: &mut Numbers| {
        seeds.get(numbers.below(seeds.len())).map(|seed| seed.bytes.clone()).unwrap_or_default()
    };
    let mut bytes = any(numbers);
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len() + 1);
        let end = (at + 1 + numbers.below(16)).min(bytes.len());
        match numbers.below(9) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at.min(end)..end)),
            2 => {
                let piece = PIECES[numbers.below(PIECES.len())];
                bytes.splice(at..at, piece.iter().copied());
            }
            3 => {
                let piece = PIECES[numbers.below(PIECES.len())];
                bytes.splice(at.min(end)..end, piece.iter().copied());
            }
            4 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << numbers.below(8);
                }
            }
            5 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = numbers.next_number() as u8;
                }
            }
            6 => {
                let other = any(numbers);
                let from = numbers.below(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            7 => {
                let part: Vec<u8> = bytes[at.min(end)..end].to_vec();
                let times = 1 + numbers.below(40);
                bytes.splice(at..at, part.repeat(times));
            }
            _ => {
                let other = any(numbers);
                let from = numbers.below(other.len() + 1);
                let to = (from + 1 + numbers.below(64)).min(other.len());
                bytes.splice(at..at, other[from.min(to)..to].iter().copied());
            }
        }
    }
    bytes.truncate(MAX_BYTES);
    bytes
}
