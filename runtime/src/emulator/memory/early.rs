//! Programmatic dependent launch: what a kernel touches before the kernel before it has ended.
//!
//! Such a kernel may start while the one before it in the stream still runs. Until a thread has
//! executed `griddepcontrol.wait`, or something orders it behind a thread of its block or cluster that
//! has, an input may still be being written, unless it is constant, and an output may still be being
//! read.
//! (PTX ISA, "griddepcontrol": the wait is until all prerequisite grids have completed and their
//! memory operations are visible to the grid.)
//!
//! A wait is one more event of the block's clocks: a thread is ordered behind it exactly when it
//! would be ordered behind an access that the waiting thread made there.

use ridge_spec::outcome::FindingKind;

use super::access::{Access, Addresses, LANES};
use super::block::BlockMemory;
use super::clocks::{Clocks, bits};
use super::global::{Content, Region};
use super::pattern::Pattern;

/// What is known in one block of waits for the kernel before.
#[derive(Debug)]
pub(super) struct Waits {
    /// Those of threads that nothing had ordered behind another.
    list: Vec<Wait>,
    /// Per warp, lanes found to be ordered behind one of them: that does not change again.
    ordered: [u32; LANES],
}

/// One wait of some lanes of a warp.
#[derive(Clone, Copy, Debug)]
struct Wait {
    warp: usize,
    lanes: u32,
    /// What the warp stamped its accesses with.
    stamp: u32,
}

impl Waits {
    pub(super) const fn new() -> Self {
        Self { list: Vec::new(), ordered: [0; LANES] }
    }

    /// Another block begins.
    pub(super) fn begin(&mut self) {
        self.list.clear();
        self.ordered.fill(0);
    }

    /// A wait of lanes of which these are ordered behind no other.
    fn add(&mut self, wait: Wait) {
        self.ordered[wait.warp] |= wait.lanes;
        self.list.push(wait);
    }

    /// The lanes of a warp that are ordered behind no wait.
    fn unordered(&mut self, clocks: &Clocks, warp: usize, lanes: u32) -> u32 {
        let mut left = lanes & !self.ordered[warp];
        for wait in &self.list {
            if left == 0 {
                break;
            }
            let behind = |&lane: &usize| {
                if wait.warp != warp {
                    return clocks.knows(warp, wait.warp, wait.stamp);
                }
                bits(wait.lanes)
                    .any(|waiter| clocks.lanes_know(warp, 1 << lane, 1 << waiter, wait.stamp))
            };
            let found = bits(left).filter(behind).fold(0, |mask, lane| mask | 1 << lane);
            self.ordered[warp] |= found;
            left &= !found;
        }
        left
    }
}

impl BlockMemory<'_> {
    /// The launch may begin before the kernel before it has ended: accesses before the wait count.
    /// To be called before the first block.
    pub fn expect_waits(&mut self) {
        self.waits = Some(Box::new(Waits::new()));
    }

    /// `griddepcontrol.wait` by these lanes.
    pub fn grid_wait(&mut self, warp: u32, lanes: u32) {
        let warp = warp as usize & (LANES - 1);
        let lanes = self.early_lanes(warp, lanes);
        let Some(waits) = self.waits.as_mut().filter(|_| lanes != 0) else { return };
        let stamp = self.clocks.stamp(warp);
        waits.add(Wait { warp, lanes, stamp });
        if let Some(cluster) = &mut self.cluster {
            cluster.waits.push((self.clocks.rank(), warp, stamp));
        }
    }

    /// The lanes of a warp that are ordered behind no wait, where that matters.
    fn early_lanes(&mut self, warp: usize, lanes: u32) -> u32 {
        let Some(waits) = &mut self.waits else { return 0 };
        let early = waits.unordered(&self.clocks, warp, lanes);
        let (Some(cluster), Some(mates), true) = (&self.cluster, self.clocks.mates(), early != 0)
        else {
            return early;
        };
        let rank = self.clocks.rank();
        let behind = |&(other, waiter, stamp): &(usize, usize, u32)| {
            other != rank && mates.knows(warp, other, waiter, stamp)
        };
        if cluster.waits.iter().any(behind) {
            waits.ordered[warp] |= early;
            return 0;
        }
        early
    }

    /// Notes the lanes of an access within global memory that come before the wait.
    pub(super) fn note_early(
        &mut self,
        access: &Access,
        addresses: &Addresses,
        (mask, pattern): (u32, Pattern),
        is_write: bool,
    ) {
        let early = self.early_lanes(access.site.warp as usize & (LANES - 1), mask);
        let Some(first) = bits(early).next() else { return };
        if pattern != Pattern::Scattered {
            // All within one region.
            if self.waits_for(addresses[first], is_write) {
                self.problems.note(FindingKind::EarlyAccess, early, addresses[first]);
            }
            return;
        }
        for lane in bits(early) {
            if self.waits_for(addresses[lane], is_write) {
                self.problems.note(FindingKind::EarlyAccess, 1 << lane, addresses[lane]);
            }
        }
    }

    /// Whether what is at an address may be accessed only after the wait.
    fn waits_for(&mut self, address: u64, is_write: bool) -> bool {
        self.region_at(address).is_some_and(|region| region.waits(is_write))
    }
}

impl Region {
    /// Whether an access must come after the wait. Module variables may be read at any time: most
    /// are tables, which nothing writes.
    fn waits(&self, is_write: bool) -> bool {
        match self.content {
            Content::Input(_) => !self.is_constant,
            Content::Constant(_) => false,
            Content::Writable(_) => is_write || self.is_output,
        }
    }
}
