//! A table whose keys are never valid twice.

/// An index and the generation of its slot. It fits epoll's 64 bits of user data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(u64);

impl Key {
    /// Belongs to no slot.
    pub(crate) const NONE: Self = Self(u64::MAX);

    fn new(index: u32, generation: u32) -> Self {
        Self(u64::from(generation) << 32 | u64::from(index))
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    fn index(self) -> usize {
        (self.0 & u64::from(u32::MAX)) as usize
    }

    fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

enum Slot<T> {
    Free { next: u32 },
    Full(T),
}

struct Entry<T> {
    generation: u32,
    slot: Slot<T>,
}

const END: u32 = u32::MAX;

/// Values by [`Key`]; insertion, lookup and removal in constant time, freed slots are used again.
pub(crate) struct Slab<T> {
    entries: Vec<Entry<T>>,
    free: u32,
    len: usize,
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self { entries: Vec::new(), free: END, len: 0 }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn insert(&mut self, value: T) -> Key {
        self.len += 1;
        let index = self.free;
        if let Some(entry) = self.entries.get_mut(index as usize) {
            if let Slot::Free { next } = entry.slot {
                self.free = next;
            }
            entry.slot = Slot::Full(value);
            return Key::new(index, entry.generation);
        }
        let index = self.entries.len() as u32;
        self.entries.push(Entry { generation: 0, slot: Slot::Full(value) });
        Key::new(index, 0)
    }

    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        match self.entries.get(key.index()) {
            Some(Entry { generation, slot: Slot::Full(value) }) if *generation == key.generation() => {
                Some(value)
            }
            _ => None,
        }
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        match self.entries.get_mut(key.index()) {
            Some(Entry { generation, slot: Slot::Full(value) }) if *generation == key.generation() => {
                Some(value)
            }
            _ => None,
        }
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let entry = self.entries.get_mut(key.index())?;
        if entry.generation != key.generation() || matches!(entry.slot, Slot::Free { .. }) {
            return None;
        }
        let slot = std::mem::replace(&mut entry.slot, Slot::Free { next: self.free });
        // 2^32 - 1 is left out, so that `Key::NONE` stays nobody's.
        entry.generation = if entry.generation >= u32::MAX - 1 { 0 } else { entry.generation + 1 };
        self.free = key.index() as u32;
        self.len -= 1;
        match slot {
            Slot::Full(value) => Some(value),
            Slot::Free { .. } => None,
        }
    }

    /// The values, in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().filter_map(|entry| match &entry.slot {
            Slot::Full(value) => Some(value),
            Slot::Free { .. } => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reused_slot_has_a_new_key() {
        let mut slab = Slab::new();
        let first = slab.insert("first");
        assert_eq!(slab.remove(first), Some("first"));
        let second = slab.insert("second");
        assert_ne!(first, second);
        assert_eq!(first.index(), second.index());
        assert_eq!(slab.get(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.get(second), Some(&"second"));
        assert_eq!(slab.get(Key::NONE), None);
    }

    #[test]
    fn freed_slots_are_used_before_the_table_grows() {
        let mut slab = Slab::new();
        let keys: Vec<Key> = (0..10).map(|n| slab.insert(n)).collect();
        for key in keys.iter().skip(3) {
            assert!(slab.remove(*key).is_some());
        }
        for n in 0..7 {
            slab.insert(n);
        }
        assert_eq!((slab.len(), slab.entries.len(), slab.iter().count()), (10, 10, 10));
    }
}
