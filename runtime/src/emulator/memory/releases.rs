//! Order between blocks: what atomics and flags in global memory have released.
//!
//! A strong write after a fence releases, at its address, what its warp's fence covers. A strong
//! read of that address sees everything released there so far, and a read-modify-write or a later
//! fence of its warp makes that known to it. Locations are few (a ticket counter, a flag a tile),
//! so they live in one map under one lock, looked at only once something has been released.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::clocks::{Known, join};

/// How many releases at each address a warp has seen.
pub(super) type Views = BTreeMap<u64, u32>;

/// What has been released where.
#[derive(Debug, Default)]
pub(super) struct Releases {
    any: AtomicBool,
    locations: Mutex<BTreeMap<u64, Location>>,
}

#[derive(Debug, Default)]
struct Location {
    /// Releases so far.
    count: u32,
    /// By releasing block: the place in the order of releases, and what its warps had done.
    by_block: BTreeMap<u32, Vec<(u32, Arc<Known>)>>,
    /// What the releasing warps had seen elsewhere.
    views: Views,
}

impl Releases {
    /// Whether anything has been released.
    pub(super) fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    fn locations(&self) -> MutexGuard<'_, BTreeMap<u64, Location>> {
        self.locations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A warp releases what it knows. To be called before its write can be seen.
    pub(super) fn release(&self, address: u64, block: u32, known: &Arc<Known>, views: &Views) {
        self.any.store(true, Ordering::Release);
        let mut locations = self.locations();
        let location = locations.entry(address).or_default();
        merge(&mut location.views, views);
        let releases = location.by_block.entry(block).or_default();
        if releases.last().is_none_or(|(_, last)| !Arc::ptr_eq(last, known) && last != known) {
            releases.push((location.count, Arc::clone(known)));
            location.count += 1;
        }
    }

    /// What a strong read of the address sees: added to `views`; of its own block, returned. To
    /// be called after the value was read.
    pub(super) fn see(&self, address: u64, block: u32, views: &mut Views) -> Option<Arc<Known>> {
        let locations = self.locations();
        let location = locations.get(&address)?;
        merge(views, &location.views);
        merge(views, &Views::from([(address, location.count)]));
        location.by_block.get(&block)?.last().map(|(_, known)| Arc::clone(known))
    }

    /// What a warp that has seen `views` knows of the warps of a block.
    pub(super) fn known_of(&self, views: &Views, block: u32) -> Option<Known> {
        if views.is_empty() {
            return None;
        }
        let locations = self.locations();
        let seen = views.iter().flat_map(|(address, &count)| {
            let releases = locations.get(address).and_then(|one| one.by_block.get(&block));
            releases.into_iter().flatten().filter(move |(place, _)| *place < count)
        });
        seen.map(|(_, known)| **known).reduce(|mut joined, known| {
            join(&mut joined, &known);
            joined
        })
    }

    /// Whether an access of another block is ordered before a warp that has seen `views`.
    pub(super) fn ordered(&self, views: &Views, block: u32, warp: usize, stamp: u32) -> bool {
        if views.is_empty() {
            return false;
        }
        let locations = self.locations();
        views.iter().any(|(address, &count)| {
            locations.get(address).and_then(|l| l.by_block.get(&block)).is_some_and(|releases| {
                releases.iter().any(|(place, known)| *place < count && stamp < known[warp])
            })
        })
    }
}

/// The union, with the later of two views of one address.
pub(super) fn merge(into: &mut Views, from: &Views) {
    for (&address, &count) in from {
        let seen = into.entry(address).or_insert(0);
        *seen = (*seen).max(count);
    }
}
