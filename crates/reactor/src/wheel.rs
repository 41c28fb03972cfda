//! The hierarchical timing wheel: ticks in, values out when their tick has come.
//!
//! Six levels of 64 slots, the lowest one tick wide. An entry stands on the level of the highest digit (base 64) in
//! which its tick differs from the present; when the present reaches the start of its slot it moves down.

use crate::slab::{Key, Slab};

const BITS: u32 = 6;
const SLOTS: usize = 1 << BITS;
const LEVELS: usize = 6;
const SPAN: u64 = 1 << (BITS * LEVELS as u32);
/// The longest wait from now: one slot of the highest level less than the whole, so that its wrap-around is unambiguous.
const LONGEST: u64 = SPAN - (1 << (BITS * (LEVELS as u32 - 1))) - 1;

struct Node<T> {
    tick: u64,
    place: Place,
    prev: Key,
    next: Key,
    value: T,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    level: usize,
    slot: usize,
}

/// Values that wait for a tick.
pub(crate) struct Wheel<T> {
    /// The present: everything up to it, but what still stands in its own slot, was handed out.
    elapsed: u64,
    /// One bit per slot that is not empty.
    occupied: [u64; LEVELS],
    heads: [[Key; SLOTS]; LEVELS],
    nodes: Slab<Node<T>>,
}

#[expect(
    clippy::indexing_slicing,
    reason = "levels are below LEVELS and slots below SLOTS by construction of Place"
)]
impl<T> Wheel<T> {
    pub(crate) fn new(now: u64) -> Self {
        Self { elapsed: now, occupied: [0; LEVELS], heads: [[Key::NONE; SLOTS]; LEVELS], nodes: Slab::new() }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Queues `value` for `tick`, or for the next tick when that is past, or for the longest wait (about two years)
    /// when it is further away. Returns the key and the tick at which it will come out.
    pub(crate) fn insert(&mut self, tick: u64, value: T) -> (Key, u64) {
        let tick = tick.clamp(self.elapsed + 1, self.elapsed + LONGEST);
        let place = self.place(tick);
        let key = self.nodes.insert(Node { tick, place, prev: Key::NONE, next: Key::NONE, value });
        self.link(key, place);
        (key, tick)
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let node = self.nodes.remove(key)?;
        match self.nodes.get_mut(node.prev) {
            Some(prev) => prev.next = node.next,
            None => {
                self.heads[node.place.level][node.place.slot] = node.next;
                if node.next == Key::NONE {
                    self.occupied[node.place.level] &= !(1 << node.place.slot);
                }
            }
        }
        if let Some(next) = self.nodes.get_mut(node.next) {
            next.prev = node.prev;
        }
        Some(node.value)
    }

    /// Moves the present forward to `now`, stopping at the first value that is due and taking it out. `None`: nothing
    /// more is due up to `now`.
    pub(crate) fn poll(&mut self, now: u64) -> Option<T> {
        loop {
            let head = self.heads[0][(self.elapsed % SLOTS as u64) as usize];
            if head != Key::NONE {
                return self.remove(head);
            }
            match self.next_slot() {
                Some((place, start)) if start <= now => {
                    self.elapsed = start;
                    if place.level > 0 {
                        self.cascade(place);
                    }
                }
                _ => {
                    self.elapsed = self.elapsed.max(now);
                    return None;
                }
            }
        }
    }

    /// The tick at which [`Wheel::poll`] has something to do: to hand out, or to move down. Never later than the first
    /// entry.
    pub(crate) fn next_tick(&self) -> Option<u64> {
        if self.heads[0][(self.elapsed % SLOTS as u64) as usize] != Key::NONE {
            return Some(self.elapsed);
        }
        self.next_slot().map(|(_, start)| start)
    }

    fn place(&self, tick: u64) -> Place {
        let differing = (self.elapsed ^ tick) | (SLOTS as u64 - 1);
        let level = (differing.ilog2() / BITS).min(LEVELS as u32 - 1);
        Place { level: level as usize, slot: (tick >> (level * BITS)) as usize % SLOTS }
    }

    fn link(&mut self, key: Key, place: Place) {
        let head = std::mem::replace(&mut self.heads[place.level][place.slot], key);
        if let Some(node) = self.nodes.get_mut(key) {
            node.place = place;
            node.prev = Key::NONE;
            node.next = head;
        }
        if let Some(old) = self.nodes.get_mut(head) {
            old.prev = key;
        }
        self.occupied[place.level] |= 1 << place.slot;
    }

    /// Moves the entries of a slot whose start has come to lower levels.
    fn cascade(&mut self, from: Place) {
        let mut key = std::mem::replace(&mut self.heads[from.level][from.slot], Key::NONE);
        self.occupied[from.level] &= !(1 << from.slot);
        while let Some(node) = self.nodes.get(key) {
            let (tick, next) = (node.tick, node.next);
            self.link(key, self.place(tick));
            key = next;
        }
    }

    /// The first slot that is not empty, and the tick at which it starts. Lower levels come before higher ones, for
    /// all they hold lies before the next slot of the level above.
    fn next_slot(&self) -> Option<(Place, u64)> {
        (0..LEVELS).find(|level| self.occupied[*level] != 0).map(|level| {
            let shift = BITS * level as u32;
            let current = (self.elapsed >> shift) % SLOTS as u64;
            let ahead = self.occupied[level].rotate_right(current as u32).trailing_zeros() as u64;
            let slot = (current + ahead) % SLOTS as u64;
            let turn = self.elapsed >> (shift + BITS) << (shift + BITS);
            let start = turn + (slot << shift);
            // Only on the highest level can a slot lie in the next turn.
            let start = if slot < current { start + SPAN } else { start };
            (Place { level, slot: slot as usize }, start)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u64),
        Remove(usize),
        Advance(u64),
    }

    /// Spans of every magnitude the wheel has levels for, and beyond.
    fn span() -> impl Strategy<Value = u64> {
        (0_u32..38).prop_flat_map(|bits| 0..1_u64 << bits)
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => span().prop_map(Step::Insert),
            1 => any::<usize>().prop_map(Step::Remove),
            3 => span().prop_map(Step::Advance),
        ]
    }

    fn starts() -> impl Strategy<Value = u64> {
        prop_oneof![
            Just(0),
            (0_u64..70).prop_map(|before| SPAN - before),
            (0_u64..5_000).prop_map(|before| (1 << 24) - before),
            span(),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: if cfg!(miri) { 12 } else { 2_000 },
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        /// Against a list that is searched: the same values at the same ticks, in order, and never a wake-up too late.
        #[test]
        fn agrees_with_a_list(start in starts(), steps in prop::collection::vec(step(), 0..60)) {
            let mut wheel = Wheel::new(start);
            let mut list: Vec<(u64, usize, Key)> = Vec::new();
            let (mut now, mut next_id) = (start, 0);
            for step in steps {
                match step {
                    Step::Insert(span) => {
                        let (key, tick) = wheel.insert(now + span, next_id);
                        prop_assert!(tick > now);
                        prop_assert!(tick == (now + span).max(now + 1) || span > LONGEST);
                        list.push((tick, next_id, key));
                        next_id += 1;
                    }
                    Step::Remove(index) if !list.is_empty() => {
                        let (_, id, key) = list.swap_remove(index % list.len());
                        prop_assert_eq!(wheel.remove(key), Some(id));
                        prop_assert_eq!(wheel.remove(key), None);
                    }
                    Step::Remove(_) => {}
                    Step::Advance(span) => {
                        now += span;
                        let mut due: Vec<(u64, usize)> =
                            list.iter().filter(|(tick, ..)| *tick <= now).map(|(tick, id, _)| (*tick, *id)).collect();
                        list.retain(|(tick, ..)| *tick > now);
                        due.sort_unstable();
                        let ticks: Vec<u64> = due.iter().map(|(tick, _)| *tick).collect();
                        let mut out = Vec::new();
                        while let Some(id) = wheel.poll(now) {
                            let tick = due.iter().find(|(_, other)| *other == id).map(|(tick, _)| *tick);
                            prop_assert!(tick.is_some(), "{} came early or twice", id);
                            out.push((tick.unwrap(), id));
                        }
                        prop_assert_eq!(out.iter().map(|(tick, _)| *tick).collect::<Vec<_>>(), ticks);
                        out.sort_unstable();
                        prop_assert_eq!(out, due);
                    }
                }
                prop_assert_eq!(wheel.len(), list.len());
                let first = list.iter().map(|(tick, ..)| *tick).min();
                match (wheel.next_tick(), first) {
                    (None, None) => {}
                    (Some(next), Some(first)) => prop_assert!(now < next && next <= first, "{} {} {}", now, next, first),
                    other => prop_assert!(false, "{:?}", other),
                }
            }
        }
    }

    #[test]
    fn a_value_waits_for_its_very_tick() {
        for distance in [1, 2, 63, 64, 65, 4_095, 4_096, 4_097, 262_144, 1 << 30, LONGEST] {
            let mut wheel = Wheel::new(1_000);
            wheel.insert(1_000 + distance, ());
            assert_eq!(wheel.poll(1_000 + distance - 1), None, "{distance}");
            assert_eq!(wheel.poll(1_000 + distance), Some(()), "{distance}");
        }
    }

    #[test]
    fn the_past_and_the_far_future_are_brought_near() {
        let mut wheel = Wheel::new(500);
        assert_eq!(wheel.insert(3, "past").1, 501);
        assert_eq!(wheel.insert(u64::MAX, "far").1, 500 + LONGEST);
        assert_eq!(wheel.poll(501), Some("past"));
        assert_eq!(wheel.poll(500 + LONGEST), Some("far"));
    }
}
