//! Who is ordered before whom in one block: vector clocks over its warps.
//!
//! A block has one event counter. Every access carries the *stamp* of its warp, the counter's
//! value at the warp's latest ordering event, so an access is ordered before what a warp does now
//! exactly when its stamp lies below what that warp knows of the accessing warp. Within a warp,
//! lanes are ordered by `__syncwarp`; a warp's own lane is always ordered with itself.
//!
//! What warps know of the other blocks of a cluster goes along, in [`Mates`]. There a stamp counts
//! as known to every lane only once all warps of the cluster know it, so that no shadow forgets an
//! access that another block may still race with.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::access::LANES;
use super::mates::{ClusterKnown, Mates};

/// For each warp, the stamp below which its accesses are known.
pub(super) type Known = [u32; LANES];

/// Stamps at or above this are never handed out: see [`Clocks::is_exhausted`].
pub(super) const STAMP_END: u32 = (1 << 28) - 1;

/// The clocks of one block.
#[derive(Debug)]
pub(super) struct Clocks {
    warps: usize,
    /// The event counter.
    time: u32,
    /// Event at which something of one warp, but not of the whole block, was last released.
    released: u32,
    /// What each warp stamps its accesses with.
    now: Known,
    /// `known[w][r]`: accesses of warp `r` stamped below are ordered before warp `w`.
    known: Box<[Known; LANES]>,
    /// Accesses by any warp stamped below are ordered before every lane of warp `w`.
    floor: Known,
    /// The least of those.
    everywhere: u32,
    /// Accesses of warp `w` itself stamped below are ordered before each of its lanes.
    lane_floor: Known,
    /// The same lane by lane, for warps that were synchronised in part.
    lanes: Vec<Option<Box<[Known; LANES]>>>,
    /// Lanes not exited.
    live: [u32; LANES],
    /// What has been released at named barriers that are not complete.
    arrived: BTreeMap<u32, Known>,
    /// What each warp's latest fence covers: what its later strong writes release.
    fenced: Vec<Option<Arc<Known>>>,
    /// What each warp's strong reads have seen released, in force from its next fence.
    seen: Vec<Option<Known>>,
    /// Stamps from here on are not known to all warps of the cluster; none without one.
    cap: u32,
    /// What is known of the other blocks of the cluster, where the block is in one.
    mates: Option<Box<Mates>>,
}

impl Clocks {
    /// Clocks for blocks of that many threads.
    pub(super) fn new(threads: u32) -> Self {
        let warps = usize::try_from(threads.div_ceil(32)).unwrap_or(LANES).clamp(1, LANES);
        let mut clocks = Self {
            warps,
            time: 0,
            released: 0,
            now: [0; LANES],
            known: Box::new([[0; LANES]; LANES]),
            floor: [0; LANES],
            everywhere: 0,
            lane_floor: [0; LANES],
            lanes: vec![None; LANES],
            live: [0; LANES],
            arrived: BTreeMap::new(),
            fenced: vec![None; LANES],
            seen: vec![None; LANES],
            cap: u32::MAX,
            mates: None,
        };
        clocks.begin(threads);
        clocks
    }

    /// Starts another block: nothing of earlier ones is unordered.
    pub(super) fn begin(&mut self, threads: u32) {
        for (warp, live) in self.live.iter_mut().enumerate() {
            let first = u32::try_from(warp * LANES).unwrap_or(u32::MAX);
            let lanes = threads.saturating_sub(first).min(32);
            *live = u32::MAX.checked_shr(32 - lanes).unwrap_or(0);
        }
        self.arrived.clear();
        self.fenced.fill(None);
        self.seen.fill(None);
        self.cap = u32::MAX;
        self.mates = None;
        self.join_all();
    }

    /// Puts the block that has just begun among others. All of their accesses from the stamps
    /// `starts` on are unknown.
    pub(super) fn join_cluster(&mut self, mates: Mates) {
        self.mates = Some(Box::new(mates));
        self.raise_cap(self.time);
    }

    /// The stamp of everything a block does that has just begun.
    pub(super) const fn start(&self) -> u32 {
        self.time
    }

    /// All warps of the cluster know what the block did below that stamp.
    pub(super) fn raise_cap(&mut self, cap: u32) {
        self.cap = if self.cap == u32::MAX { cap } else { self.cap.max(cap) };
        (0..self.warps).for_each(|warp| self.update_floor(warp));
    }

    /// Warps of a block.
    pub(super) const fn warps(&self) -> usize {
        self.warps
    }

    /// The block's rank in its cluster; 0 without one.
    pub(super) fn rank(&self) -> usize {
        self.mates.as_ref().map_or(0, |mates| mates.rank())
    }

    /// What is known of the other blocks of the cluster.
    pub(super) fn mates(&self) -> Option<&Mates> {
        self.mates.as_deref()
    }

    /// The same, to learn.
    pub(super) fn mates_mut(&mut self) -> Option<&mut Mates> {
        self.mates.as_deref_mut()
    }

    /// Whether the stamps are used up, so that every shadow must be cleared and
    /// [`Clocks::restart`] called before another block begins.
    pub(super) const fn is_exhausted(&self) -> bool {
        self.time > STAMP_END / 2
    }

    /// Back to the first stamp.
    pub(super) const fn restart(&mut self) {
        self.time = 0;
        self.released = 0;
    }

    fn tick(&mut self) -> u32 {
        self.time = (self.time + 1).min(STAMP_END - 1);
        self.time
    }

    /// Everything so far is ordered before everything to come.
    fn join_all(&mut self) {
        let time = self.tick();
        self.released = time;
        self.now.fill(time);
        self.floor.fill(time.min(self.cap));
        self.everywhere = time.min(self.cap);
        self.lane_floor.fill(time);
        for known in &mut self.known[..self.warps] {
            known.fill(time);
        }
        self.lanes.fill(None);
    }

    /// Stamp of what the warp does now.
    pub(super) fn stamp(&self, warp: usize) -> u32 {
        self.now[warp]
    }

    /// Stamps below are ordered before every lane of the warp, whoever they are of.
    pub(super) fn floor(&self, warp: usize) -> u32 {
        self.floor[warp]
    }

    /// Stamps below are ordered before every lane of every warp.
    pub(super) const fn everywhere(&self) -> u32 {
        self.everywhere
    }

    /// The event of the last release that was not block-wide or was the block-wide barrier.
    pub(super) const fn released(&self) -> u32 {
        self.released
    }

    /// Whether an access of another warp is ordered before this warp.
    pub(super) fn knows(&self, warp: usize, other: usize, stamp: u32) -> bool {
        stamp < self.known[warp][other]
    }

    /// Whether an access by any of the lanes `earlier` is ordered before all lanes `later` of the
    /// same warp; a lane is ordered with itself.
    pub(super) fn lanes_know(&self, warp: usize, later: u32, earlier: u32, stamp: u32) -> bool {
        if stamp < self.lane_floor[warp] || later == earlier && later.is_power_of_two() {
            return true;
        }
        let known = self.lanes[warp].as_ref();
        bits(later).all(|lane| {
            bits(earlier & !(1 << lane))
                .all(|other| known.is_some_and(|known| stamp < known[lane][other]))
        })
    }

    /// A barrier of these warps.
    pub(super) fn barrier(&mut self, warps: u32) {
        let exited = (0..self.warps).filter(|&w| self.live[w] == 0).fold(0, |m, w| m | 1u32 << w);
        let all = u32::MAX >> (LANES - self.warps);
        if (warps | exited) & all == all {
            self.join_all();
        } else {
            self.barrier_part(warps, None);
        }
        if let Some(mates) = &mut self.mates {
            mates.barrier(warps);
        }
    }

    /// What the warp did so far waits at a named barrier.
    pub(super) fn arrive(&mut self, barrier: u32, warp: usize) {
        let released = self.release(warp);
        let arrived = self.arrived.entry(barrier).or_insert([0; LANES]);
        join(arrived, &released);
        if let Some(mates) = &mut self.mates {
            mates.arrive(barrier, warp);
        }
    }

    /// These warps leave a named barrier.
    pub(super) fn leave(&mut self, barrier: u32, warps: u32) {
        let arrived = self.arrived.remove(&barrier);
        if arrived.is_none() {
            self.barrier(warps);
            return;
        }
        self.barrier_part(warps, arrived);
        if let Some(mates) = &mut self.mates {
            mates.leave(barrier, warps);
        }
    }

    fn barrier_part(&mut self, warps: u32, arrived: Option<Known>) {
        let mut joined = arrived.unwrap_or([0; LANES]);
        for warp in bits(warps) {
            let released = self.release(warp);
            join(&mut joined, &released);
        }
        for warp in bits(warps) {
            self.acquire(warp, &joined);
            self.lane_floor[warp] = self.now[warp];
            self.lanes[warp] = None;
            self.update_floor(warp);
        }
    }

    /// Ends what the warp did so far with a new event and says what it knows then.
    pub(super) fn release(&mut self, warp: usize) -> Known {
        let time = self.tick();
        self.released = time;
        self.now[warp] = time;
        let mut known = self.known[warp];
        known[warp] = time;
        known
    }

    /// The warp learns what was released.
    pub(super) fn acquire(&mut self, warp: usize, released: &Known) {
        self.lane_floor[warp] = self.lane_floor[warp].max(released[warp]);
        join(&mut self.known[warp], released);
        self.update_floor(warp);
    }

    fn update_floor(&mut self, warp: usize) {
        let known = &self.known[warp];
        let others = (0..self.warps).filter(|&r| r != warp).map(|r| known[r]).min();
        let own = self.lane_floor[warp].min(self.cap);
        self.floor[warp] = others.unwrap_or(u32::MAX).min(own);
        self.everywhere = self.floor[..self.warps].iter().copied().min().unwrap_or(0);
    }

    /// `bar.warp.sync`.
    pub(super) fn sync_warp(&mut self, warp: usize, lanes: u32) {
        let time = self.tick();
        self.now[warp] = time;
        if lanes & self.live[warp] == self.live[warp] {
            self.lane_floor[warp] = time;
            self.lanes[warp] = None;
            self.update_floor(warp);
            return;
        }
        let floor = self.lane_floor[warp];
        let known = self.lanes[warp].get_or_insert_with(|| Box::new([[floor; LANES]; LANES]));
        let mut joined = [0; LANES];
        for lane in bits(lanes) {
            join(&mut joined, &known[lane]);
        }
        for lane in bits(lanes) {
            joined[lane] = time;
        }
        for lane in bits(lanes) {
            known[lane] = joined;
        }
    }

    /// A fence: what the warp saw is in force, and what it did is released by its later strong
    /// writes.
    pub(super) fn fence(&mut self, warp: usize) {
        if let Some(seen) = self.seen[warp].take() {
            self.acquire(warp, &seen);
        }
        if let Some(own) = self.mates.as_mut().and_then(|mates| mates.take_seen(warp)) {
            self.acquire(warp, &own);
        }
        let released = self.release(warp);
        if let Some(mates) = &mut self.mates {
            mates.fence(warp, &released);
        }
        self.fenced[warp] = Some(Arc::new(released));
    }

    /// Ends what the warp did so far with a new event and says what it knows then of its cluster.
    pub(super) fn release_cluster(&mut self, warp: usize) -> Option<ClusterKnown> {
        let own = self.release(warp);
        self.mates.as_ref().map(|mates| mates.snapshot(warp, &own))
    }

    /// The warp learns what was released in its cluster.
    pub(super) fn acquire_cluster(&mut self, warp: usize, released: &ClusterKnown) {
        let Some(mates) = &mut self.mates else { return };
        mates.acquire(warp, released);
        let rank = mates.rank();
        self.acquire(warp, &released[rank]);
    }

    /// What a strong write of the warp releases.
    pub(super) fn fenced(&self, warp: usize) -> Option<&Arc<Known>> {
        self.fenced[warp].as_ref()
    }

    /// A strong read saw this released; in force at the next fence.
    pub(super) fn see(&mut self, warp: usize, released: &Known) {
        join(self.seen[warp].get_or_insert([0; LANES]), released);
    }

    /// Lanes of the warp that have not ended.
    pub(super) fn live(&self, warp: usize) -> u32 {
        self.live[warp]
    }

    /// Lanes end.
    pub(super) fn exit(&mut self, warp: usize, lanes: u32) {
        self.live[warp] &= !lanes;
    }
}

/// The pointwise maximum.
pub(super) fn join(into: &mut Known, from: &Known) {
    for (into, &from) in into.iter_mut().zip(from) {
        *into = (*into).max(from);
    }
}

/// The places of the bits set, lowest first.
pub(super) fn bits(mut mask: u32) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = mask.trailing_zeros();
        mask &= mask.wrapping_sub(1);
        (bit < u32::BITS).then_some(bit as usize)
    })
}
