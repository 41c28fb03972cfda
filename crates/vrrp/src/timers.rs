//! Deadlines, one for each key, the earliest first.

use ek_time::Instant;

/// Marks a key without deadline.
const NONE: u32 = u32::MAX;

/// A binary heap of deadlines that knows where each key stands, so that a deadline is moved in place: no entry is ever
/// stale, and a key has one deadline at most. Equal deadlines come in the order of their keys.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: Vec<(Instant, u32)>,
    /// Of each key, its place in the heap.
    places: Vec<u32>,
}

#[expect(
    clippy::indexing_slicing,
    reason = "places[key] is NONE or a place in the heap that holds the key; places of the heap are below its length"
)]
impl Timers {
    /// For keys below `keys`.
    pub(crate) fn new(keys: usize) -> Self {
        Self { heap: Vec::with_capacity(keys), places: vec![NONE; keys] }
    }

    /// How many keys there may be.
    pub(crate) fn keys(&self) -> usize {
        self.places.len()
    }

    /// A key's deadline.
    pub(crate) fn get(&self, key: usize) -> Option<Instant> {
        let place = self.places.get(key).copied().filter(|&place| place != NONE)?;
        Some(self.heap[place as usize].0)
    }

    /// Gives a key a deadline, in place of the one it has. Keys out of range have none.
    pub(crate) fn set(&mut self, key: usize, at: Instant) {
        let Some(&place) = self.places.get(key) else { return };
        if place == NONE {
            self.places[key] = self.heap.len() as u32;
            self.heap.push((at, key as u32));
            self.up(self.heap.len() - 1);
        } else {
            let place = place as usize;
            self.heap[place].0 = at;
            self.up(place);
            self.down(self.places[key] as usize);
        }
    }

    /// Takes a key's deadline away.
    pub(crate) fn clear(&mut self, key: usize) {
        let Some(&place) = self.places.get(key) else { return };
        if place != NONE {
            self.remove(place as usize);
        }
    }

    /// The earliest deadline.
    pub(crate) fn earliest(&self) -> Option<Instant> {
        self.heap.first().map(|entry| entry.0)
    }

    /// Takes the earliest deadline if it is not after `now`.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<(usize, Instant)> {
        let &(at, key) = self.heap.first()?;
        (at <= now).then(|| {
            self.remove(0);
            (key as usize, at)
        })
    }

    fn remove(&mut self, place: usize) {
        let last = self.heap.len() - 1;
        self.swap(place, last);
        if let Some((_, key)) = self.heap.pop() {
            self.places[key as usize] = NONE;
        }
        if place < last {
            let key = self.heap[place].1 as usize;
            self.up(place);
            self.down(self.places[key] as usize);
        }
    }

    fn swap(&mut self, one: usize, other: usize) {
        self.heap.swap(one, other);
        self.places[self.heap[one].1 as usize] = one as u32;
        self.places[self.heap[other].1 as usize] = other as u32;
    }

    fn up(&mut self, mut place: usize) {
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.heap[parent] <= self.heap[place] {
                break;
            }
            self.swap(place, parent);
            place = parent;
        }
    }

    fn down(&mut self, mut place: usize) {
        loop {
            let left = 2 * place + 1;
            if left >= self.heap.len() {
                break;
            }
            let right = left + 1;
            let least =
                if right < self.heap.len() && self.heap[right] < self.heap[left] { right } else { left };
            if self.heap[place] <= self.heap[least] {
                break;
            }
            self.swap(place, least);
            place = least;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// As a map from keys to deadlines, whatever is done.
        #[test]
        fn no_deadline_is_lost(steps in prop::collection::vec((0_u8..4, 0_usize..20, 0_u64..50), 0..200)) {
            let mut timers = Timers::new(20);
            let mut model: BTreeMap<usize, Instant> = BTreeMap::new();
            for (what, key, at) in steps {
                let at = Instant::from_nanos(at);
                match what {
                    0 | 1 => {
                        timers.set(key, at);
                        model.insert(key, at);
                    }
                    2 => {
                        timers.clear(key);
                        model.remove(&key);
                    }
                    _ => {
                        let expected = model.iter().map(|(&key, &at)| (at, key)).min().filter(|e| e.0 <= at);
                        prop_assert_eq!(timers.pop(at), expected.map(|(at, key)| (key, at)));
                        if let Some((_, key)) = expected {
                            model.remove(&key);
                        }
                    }
                }
                prop_assert_eq!(timers.earliest(), model.values().min().copied());
                for key in 0..20 {
                    prop_assert_eq!(timers.get(key), model.get(&key).copied());
                }
            }
        }
    }
}
