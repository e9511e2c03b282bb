//! A bounded number of places for concurrent clients, shared fairly: no owner takes more than its part, and some places
//! are left for those who must always get in.

use crate::lock::lock;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard};

/// How many places there are.
#[derive(Clone, Copy, Debug)]
pub struct PlaceBounds {
    /// All of them, the reserved ones included.
    pub total: usize,
    /// For one owner that is not privileged.
    pub each: usize,
    /// Of all, those that only privileged owners get.
    pub reserved: usize,
}

/// The places, and who has how many. Memory follows the number of places taken.
#[derive(Debug)]
pub struct Places<K>(Arc<Inner<K>>);

#[derive(Debug)]
struct Inner<K> {
    bounds: PlaceBounds,
    taken: Mutex<Taken<K>>,
}

#[derive(Debug)]
struct Taken<K> {
    all: usize,
    by_owner: HashMap<K, usize>,
}

/// One place, free again when this is dropped.
#[derive(Debug)]
pub struct Place<K: Clone + Eq + Hash> {
    places: Arc<Inner<K>>,
    owner: K,
}

impl<K> Clone for Places<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K> Inner<K> {
    fn lock(&self) -> MutexGuard<'_, Taken<K>> {
        lock(&self.taken)
    }
}

impl<K: Clone + Eq + Hash> Places<K> {
    pub fn new(bounds: PlaceBounds) -> Self {
        let taken = Mutex::new(Taken { all: 0, by_owner: HashMap::new() });
        Self(Arc::new(Inner { bounds, taken }))
    }

    /// A place for `owner`; `None` where all are taken, or the owner has its part already. A privileged owner has no
    /// part, and the reserved places too.
    pub fn take(&self, owner: K, privileged: bool) -> Option<Place<K>> {
        let PlaceBounds { total, each, reserved } = self.0.bounds;
        let mut taken = self.0.lock();
        let held = taken.by_owner.get(&owner).copied().unwrap_or_default();
        let (room, part) = if privileged { (total, total) } else { (total.saturating_sub(reserved), each) };
        if taken.all >= room || held >= part {
            return None;
        }
        taken.all += 1;
        taken.by_owner.insert(owner.clone(), held + 1);
        drop(taken);
        Some(Place { places: Arc::clone(&self.0), owner })
    }

    /// How many places are taken.
    pub fn taken(&self) -> usize {
        self.0.lock().all
    }
}

impl<K: Clone + Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        taken.all = taken.all.saturating_sub(1);
        let left = taken.by_owner.get(&self.owner).copied().unwrap_or_default().saturating_sub(1);
        if left == 0 {
            taken.by_owner.remove(&self.owner);
        } else {
            taken.by_owner.insert(self.owner.clone(), left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_owner_never_shuts_out_another_and_the_reserve_is_for_the_privileged() {
        let places = Places::new(PlaceBounds { total: 10, each: 4, reserved: 2 });
        let of = |owner: u32, privileged: bool| places.take(owner, privileged);
        let first: Vec<_> = std::iter::from_fn(|| of(1, false)).collect();
        assert_eq!(first.len(), 4, "its part");
        let second: Vec<_> = std::iter::from_fn(|| of(2, false)).collect();
        assert_eq!(second.len(), 4);
        assert!(of(3, false).is_none(), "the rest is reserved");
        let root: Vec<_> = std::iter::from_fn(|| of(0, true)).collect();
        assert_eq!((root.len(), places.taken()), (2, 10));
        drop(first);
        assert!(of(3, false).is_some(), "free again");
        drop((second, root));
        assert_eq!(places.taken(), 0);
        assert!(places.0.lock().by_owner.is_empty(), "nothing is remembered of those who left");
    }
}
