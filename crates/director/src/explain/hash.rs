//! The kernel's tables of the hashing schedulers, computed anew: sh and dh (256 places), mh (Maglev, 4093 places), as in
//! Linux 4.18 and later on a 64-bit machine.

use crate::plane::Destination;
use core::net::IpAddr;

/// Places in the tables of sh and dh.
const PLACES: u32 = 256;
/// Places in the table of mh, unless the kernel was built with another number.
const MAGLEV_PLACES: u32 = 4093;
/// Greatest number of bits of a weight's share in mh's table.
const MAGLEV_BITS: u32 = 6;
/// The two keys of mh.
const MAGLEV_KEYS: [u64; 2] = [2_654_435_761, 2_654_446_892];

/// An address as one number: of IPv6, the sum without carry of its four parts.
fn fold(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(address) => u32::from(address),
        IpAddr::V6(address) => {
            let all = u128::from(address);
            ((all >> 96) as u32) ^ ((all >> 64) as u32) ^ ((all >> 32) as u32) ^ (all as u32)
        }
    }
}

/// The kernel's `hash_32` to eight bits: multiplication with the golden ratio.
fn golden(value: u32) -> u32 {
    value.wrapping_mul(0x61c8_8647) >> 24
}

/// The places that sh tries for an address and port: the first; with fallback, the others in their order.
pub(super) fn source(address: IpAddr, port: u16) -> impl Iterator<Item = usize> {
    let hash = golden(fold(address).wrapping_add(u32::from(port)));
    let place = move |offset: u32| (offset.wrapping_add(hash) % PLACES) as usize;
    let first = place(0);
    core::iter::once(first).chain((0..PLACES).map(move |offset| place((offset + first as u32) % PLACES)))
}

/// The place of an address in the table of dh.
pub(super) fn destination(address: IpAddr) -> usize {
    golden(fold(address)) as usize
}

/// The table of sh: each destination in turn, as often as its weight says, at least once.
pub(super) fn source_table(destinations: &[Destination]) -> Vec<usize> {
    let turns = |one: &Destination| one.weight.max(1) as usize;
    let round = destinations.iter().enumerate();
    round.flat_map(|(at, one)| core::iter::repeat_n(at, turns(one))).cycle().take(PLACES as usize).collect()
}

/// The table of dh: each destination in turn.
pub(super) fn destination_table(destinations: &[Destination]) -> Vec<usize> {
    (0..destinations.len()).cycle().take(PLACES as usize).collect()
}

/// The places that mh tries for an address and port: the first; with fallback, the others in their order.
pub(super) fn maglev(address: IpAddr, port: u16) -> impl Iterator<Item = usize> {
    let place =
        move |offset: u32| (maglev_hash(address, port, MAGLEV_KEYS[0], offset) % MAGLEV_PLACES) as usize;
    let first = place(0);
    core::iter::once(first)
        .chain((0..MAGLEV_PLACES).map(move |offset| place((offset + first as u32) % MAGLEV_PLACES)))
}

fn maglev_hash(address: IpAddr, port: u16, key: u64, offset: u32) -> u32 {
    let value = offset.wrapping_add(u32::from(port)).wrapping_add(fold(address));
    siphash_1_3(value, key)
}

/// The table of mh. The kernel makes it of the last weights that were not 0; of a destination that has weight 0 it is not
/// known here what that was.
pub(super) fn maglev_table(destinations: &[Destination]) -> Option<Vec<usize>> {
    let divisor = destinations.iter().map(|one| one.weight).fold(0, gcd);
    if divisor == 0 || destinations.iter().any(|one| one.weight == 0) {
        return None;
    }
    let most = destinations.iter().map(|one| one.weight).max().unwrap_or(0) / divisor;
    let shift = (u32::BITS - most.leading_zeros()).saturating_sub(MAGLEV_BITS);
    let mut setups: Vec<Setup> =
        destinations.iter().map(|one| Setup::of(one, (one.weight / divisor) >> shift)).collect();
    let mut table = vec![None; MAGLEV_PLACES as usize];
    let mut free = table.len();
    'filling: loop {
        for (at, setup) in setups.iter_mut().enumerate() {
            for _ in 0..setup.turns {
                *setup.next_free(&mut table)? = Some(at);
                free -= 1;
                if free == 0 {
                    break 'filling;
                }
            }
        }
    }
    table.into_iter().collect()
}

/// A destination's walk through the table of mh.
struct Setup {
    at: u32,
    skip: u32,
    turns: u32,
}

impl Setup {
    fn of(one: &Destination, turns: u32) -> Self {
        let [first, second] = MAGLEV_KEYS;
        let hash = |key| maglev_hash(one.key.address, one.key.port, key, 0);
        Self {
            at: hash(first) % MAGLEV_PLACES,
            skip: hash(second) % (MAGLEV_PLACES - 1) + 1,
            turns: turns.max(1),
        }
    }

    /// The next place of its walk that nobody has. The number of places is prime: the walk reaches each.
    fn next_free<'a>(&mut self, table: &'a mut [Option<usize>]) -> Option<&'a mut Option<usize>> {
        for _ in 0..MAGLEV_PLACES {
            if table.get(self.at as usize)?.is_none() {
                return table.get_mut(self.at as usize);
            }
            self.at = (self.at + self.skip) % MAGLEV_PLACES;
        }
        None
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// `SipHash-1-3` of four bytes, with a key of two equal halves, cut to 32 bits: the kernel's `hsiphash` on 64-bit machines.
fn siphash_1_3(value: u32, key: u64) -> u32 {
    let last = (4_u64 << 56) | u64::from(value);
    let mut v = [
        0x736f_6d65_7073_6575 ^ key,
        0x646f_7261_6e64_6f6d ^ key,
        0x6c79_6765_6e65_7261 ^ key,
        0x7465_6462_7974_6573 ^ key,
    ];
    v[3] ^= last;
    round(&mut v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for _ in 0..3 {
        round(&mut v);
    }
    (v[0] ^ v[1] ^ v[2] ^ v[3]) as u32
}

fn round(v: &mut [u64; 4]) {
    v[0] = v[0].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[2] = v[2].rotate_left(32);
}
