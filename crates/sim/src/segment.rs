//! A broadcast domain, and what is wrong with it.

use crate::chance::Chance;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

/// A broadcast domain. Hosts are known by their number; the observer, a neighbour that only listens, is [`OBSERVER`].
#[derive(Clone, Debug)]
pub struct Segment {
    /// Packets lost of a thousand.
    pub loss: usize,
    /// Packets doubled of a thousand.
    pub duplicates: usize,
    /// The least time a packet needs.
    pub least_delay: Duration,
    /// The most; packets overtake each other within these bounds.
    pub most_delay: Duration,
    /// Pairs (from, to) between which nothing gets through.
    pub cut: BTreeSet<(usize, usize)>,
    /// The observer's neighbour cache: which host last said that it has an address.
    pub cache: BTreeMap<IpAddr, usize>,
}

/// The number of the neighbour that only listens.
pub const OBSERVER: usize = usize::MAX;

impl Segment {
    /// A healthy one: nothing lost, 50 to 200 µs.
    pub fn new() -> Self {
        Self {
            loss: 0,
            duplicates: 0,
            least_delay: Duration::from_micros(50),
            most_delay: Duration::from_micros(200),
            cut: BTreeSet::new(),
            cache: BTreeMap::new(),
        }
    }

    /// Takes all that is wrong with it away.
    pub fn heal(&mut self) {
        *self = Self { cache: std::mem::take(&mut self.cache), ..Self::new() };
    }

    /// Divides it: `side` says for each member on which side it is.
    pub fn divide(&mut self, members: &[usize], side: impl Fn(usize) -> bool) {
        for &from in members.iter().chain([&OBSERVER]) {
            for &to in members.iter().chain([&OBSERVER]) {
                if side(from) != side(to) {
                    self.cut.insert((from, to));
                }
            }
        }
    }

    /// How long each copy of a packet takes from one member to another; none when it is lost.
    pub fn passage(&self, chance: &mut Chance, from: usize, to: usize) -> Vec<Duration> {
        if self.cut.contains(&(from, to)) || chance.odds(self.loss, 1000) {
            return Vec::new();
        }
        let copies = if chance.odds(self.duplicates, 1000) { 2 } else { 1 };
        (0..copies).map(|_| chance.time(self.least_delay, self.most_delay)).collect()
    }
}

impl Default for Segment {
    fn default() -> Self {
        Self::new()
    }
}
