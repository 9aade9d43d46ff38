//! What the warps of one block know of the other blocks of their cluster.
//!
//! Each block keeps clocks of its own, so a stamp means something only beside the block it is of.
//! What a warp knows is therefore a row a block: the stamp below which each warp's accesses are
//! ordered before its own. It grows as the knowledge within a block does, by barriers, fences and
//! releases, and by the cluster's barrier. Rows are shared until they differ, since most barriers
//! make all of them alike.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::access::LANES;
use super::clocks::{Known, bits, join};

/// For each block of a cluster, by rank: for each warp, the stamp below which its accesses are
/// known.
pub(super) type ClusterKnown = Arc<[Known]>;

/// See the module.
#[derive(Debug)]
pub(super) struct Mates {
    rank: usize,
    /// The number of each block, by rank.
    blocks: Arc<[u32]>,
    /// The stamps at which the blocks began.
    starts: ClusterKnown,
    /// What each warp knows; the row of its own block is the clocks' to keep.
    known: Vec<ClusterKnown>,
    /// What each warp's latest fence covers, its own block's row included.
    fenced: Vec<Option<ClusterKnown>>,
    /// What each warp's strong reads have seen released, in force from its next fence.
    seen: Vec<Option<ClusterKnown>>,
    /// What has been released at named barriers that are not complete.
    arrived: BTreeMap<u32, ClusterKnown>,
    /// Warps that know that every block of the cluster has begun.
    begun: u32,
}

impl Mates {
    /// Of the block of that rank among `blocks`, which began at the stamps `starts`.
    pub(super) fn new(rank: usize, blocks: Arc<[u32]>, starts: ClusterKnown) -> Self {
        Self {
            rank,
            blocks,
            known: vec![Arc::clone(&starts); LANES],
            starts,
            fenced: vec![None; LANES],
            seen: vec![None; LANES],
            arrived: BTreeMap::new(),
            begun: 0,
        }
    }

    pub(super) const fn rank(&self) -> usize {
        self.rank
    }

    /// The number of the block of that rank.
    pub(super) fn block(&self, rank: usize) -> Option<u32> {
        self.blocks.get(rank).copied()
    }

    /// The ranks and numbers of the other blocks.
    pub(super) fn others(&self) -> impl Iterator<Item = (usize, u32)> + use<> {
        let (own, blocks) = (self.rank, Arc::clone(&self.blocks));
        (0..blocks.len()).filter(move |&rank| rank != own).map(move |rank| (rank, blocks[rank]))
    }

    /// Whether an access of a warp of another block is ordered before what `warp` does now.
    pub(super) fn knows(&self, warp: usize, rank: usize, other: usize, stamp: u32) -> bool {
        self.known[warp].get(rank).is_some_and(|known| stamp < known[other])
    }

    /// The same of the block of that number; false where it is of another cluster.
    pub(super) fn knows_block(&self, warp: usize, block: u32, other: usize, stamp: u32) -> bool {
        let rank = self.blocks.iter().position(|one| *one == block);
        rank.is_some_and(|rank| self.knows(warp, rank, other, stamp))
    }

    /// Whether `warp` knows that the block of that rank has begun.
    pub(super) fn knows_begun(&self, warp: usize, rank: usize) -> bool {
        let later = |(known, start): (&u32, &u32)| known > start;
        self.begun >> warp & 1 == 1
            || self.known[warp][rank].iter().zip(&self.starts[rank]).any(later)
    }

    /// A completed barrier of the cluster tells `warp` that every block has begun.
    pub(super) fn set_begun(&mut self, warp: usize) {
        self.begun |= 1 << warp;
    }

    /// What `warp` knows of the cluster, where `own` is what it releases of its own block.
    pub(super) fn snapshot(&self, warp: usize, own: &Known) -> ClusterKnown {
        let mut rows = self.known[warp].to_vec();
        rows[self.rank] = *own;
        rows.into()
    }

    /// What `warp` knows of the cluster but for its own block.
    pub(super) fn known(&self, warp: usize) -> &ClusterKnown {
        &self.known[warp]
    }

    /// What the latest fence of `warp` covers.
    pub(super) fn fenced(&self, warp: usize) -> Option<&ClusterKnown> {
        self.fenced[warp].as_ref()
    }

    /// `warp` learns what was released.
    pub(super) fn acquire(&mut self, warp: usize, released: &ClusterKnown) {
        join_rows(&mut self.known[warp], released);
    }

    /// `warp` learns of the warps of one block.
    pub(super) fn learn(&mut self, warp: usize, rank: usize, released: &Known) {
        let known = self.known[warp][rank];
        let mut joined = known;
        join(&mut joined, released);
        if joined != known {
            let mut rows = self.known[warp].to_vec();
            rows[rank] = joined;
            self.known[warp] = rows.into();
        }
    }

    /// A strong read saw this released; in force at the next fence.
    pub(super) fn see(&mut self, warp: usize, released: &ClusterKnown) {
        match &mut self.seen[warp] {
            Some(seen) => join_rows(seen, released),
            none => *none = Some(Arc::clone(released)),
        }
    }

    /// What strong reads saw since the last fence comes into force. Its own block's row, where
    /// there was any.
    pub(super) fn take_seen(&mut self, warp: usize) -> Option<Known> {
        let seen = self.seen[warp].take()?;
        self.acquire(warp, &seen);
        Some(seen[self.rank])
    }

    /// A fence, which releases `own` of the warp's own block.
    pub(super) fn fence(&mut self, warp: usize, own: &Known) {
        self.fenced[warp] = Some(self.snapshot(warp, own));
    }

    /// A barrier of warps of the block: each learns what the others know.
    pub(super) fn barrier(&mut self, warps: u32) {
        self.meet(warps, None);
    }

    /// What the warp knows waits at a named barrier.
    pub(super) fn arrive(&mut self, barrier: u32, warp: usize) {
        let known = &self.known[warp];
        match self.arrived.get_mut(&barrier) {
            Some(arrived) => join_rows(arrived, known),
            None => {
                self.arrived.insert(barrier, Arc::clone(known));
            }
        }
    }

    /// These warps leave a named barrier.
    pub(super) fn leave(&mut self, barrier: u32, warps: u32) {
        let arrived = self.arrived.remove(&barrier);
        self.meet(warps, arrived);
    }

    fn meet(&mut self, warps: u32, arrived: Option<ClusterKnown>) {
        let all = arrived.into_iter().chain(bits(warps).map(|warp| Arc::clone(&self.known[warp])));
        let joined = all.reduce(|mut joined, known| {
            join_rows(&mut joined, &known);
            joined
        });
        let Some(joined) = joined else { return };
        bits(warps).for_each(|warp| self.known[warp].clone_from(&joined));
        if self.begun & warps != 0 {
            self.begun |= warps;
        }
    }
}

/// The pointwise maximum.
pub(super) fn join_rows(into: &mut ClusterKnown, from: &ClusterKnown) {
    let covers =
        |a: &[Known], b: &[Known]| a.iter().flatten().zip(b.iter().flatten()).all(|(a, b)| a >= b);
    if Arc::ptr_eq(into, from) || covers(into, from) {
        return;
    }
    if covers(from, into) {
        into.clone_from(from);
        return;
    }
    let mut rows = into.to_vec();
    rows.iter_mut().zip(from.iter()).for_each(|(into, from)| join(into, from));
    *into = rows.into();
}
