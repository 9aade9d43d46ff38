//! The memory of a cluster: blocks that are resident together and reach into each other's shared
//! memory.
//!
//! What the blocks have in common is in a [`ClusterMemory`], which the running block holds:
//! [`BlockMemory::enter_cluster`] hands it over and [`BlockMemory::leave_cluster`] takes it back. A
//! block's own shared memory is with it while it runs, so its own accesses cost what they cost
//! without a cluster.
//!
//! A shared address names the block in its bits from 24 on: 0 for the running block, or a rank
//! plus 1. An access must be ordered after the beginning of the block it aims at and before that
//! block's end: its shared memory is somebody else's before and afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;

use ridge_spec::outcome::FindingKind;

use super::access::{Access, Addresses, LANES, Order, Row, Site, Space};
use super::block::BlockMemory;
use super::clocks::{Known, bits};
use super::count::{count_shared, count_shared_atomic};
use super::dispatch::{Admitted, Apply, load_pattern, store_pattern, zero};
use super::fault::{Action, Cause, Fault, OtherAccess, Place};
use super::mates::{ClusterKnown, Mates, join_rows};
use super::pattern::Pattern;
use super::releases::{Views, merge};
use super::shared::{Actors, Shared, at};

/// Bits of a shared address below the block it names.
pub const RANK_SHIFT: u32 = 24;

/// Blocks that a cluster may have on any architecture.
pub const CLUSTER_BLOCKS_MAX: usize = 16;

/// A rank that no cluster has.
const RANK_NONE: usize = 255;

/// See the module.
#[derive(Debug)]
pub struct ClusterMemory {
    /// By rank; empty for the block that runs, which has its own.
    shared: Vec<Shared>,
    /// Linear index of each block, by rank.
    blocks: Vec<u64>,
    /// What the warps that have arrived at the barrier since it last completed released.
    arriving: Option<ClusterKnown>,
    arriving_views: Views,
    /// What those of the barrier that completed last did.
    completed: Option<ClusterKnown>,
    completed_views: Views,
    /// What has been released at addresses of shared memory, by rank and offset.
    locations: BTreeMap<(usize, u64), ClusterKnown>,
    /// By rank: the accesses of other blocks, each instruction's latest of a warp.
    uses: Vec<BTreeMap<UseBy, Use>>,
    /// By rank: what the warps that have exited knew.
    exits: Vec<ClusterKnown>,
    /// By rank: the stamp below which all warps of the cluster know all.
    caps: Vec<u32>,
    /// Who has waited for the kernel before: rank, warp and stamp.
    pub(super) waits: Vec<(usize, usize, u32)>,
}

/// Which warp of which rank used another block's memory, and with which instruction.
type UseBy = (usize, Site);

/// The latest use of a block's memory by one instruction of a warp of another.
#[derive(Clone, Copy, Debug)]
struct Use {
    stamp: u32,
    /// The access, in the terms of the instruction.
    space: Space,
    width: u32,
    order: Order,
    action: Action,
    lanes: u32,
    address: u64,
    /// Of the address, in the used block's memory.
    offset: i64,
    /// Uses of that stamp.
    occurrences: u64,
}

/// The block that a shared address names, and the address of byte 0 of its memory.
pub(super) fn rank_of(address: u64) -> (Option<usize>, u64) {
    // Offsets are signed, so that what lies just before a block's memory is still that block's.
    let half = 1 << (RANK_SHIFT - 1);
    let number = address.wrapping_add(half) >> RANK_SHIFT;
    let start = number << RANK_SHIFT;
    match usize::try_from(number) {
        // A 32-bit address just below the running block's memory.
        Ok(256) => (None, start),
        Ok(number @ 1..256) => (Some(number - 1), start),
        Ok(0) => (None, start),
        _ => (Some(RANK_NONE), start),
    }
}

impl ClusterMemory {
    /// Puts blocks that have just begun into a cluster, in the order of their ranks.
    pub fn new(blocks: &mut [&mut BlockMemory<'_>]) -> Self {
        let starts: ClusterKnown = blocks.iter().map(|one| [one.clocks.start(); LANES]).collect();
        let numbers: Arc<[u32]> = blocks.iter().map(|one| one.block_number()).collect();
        for (rank, block) in blocks.iter_mut().enumerate() {
            let mates = Mates::new(rank, Arc::clone(&numbers), Arc::clone(&starts));
            block.clocks.join_cluster(mates);
            block.shared.shadow().set_home(rank);
        }
        Self {
            blocks: blocks.iter().map(|one| one.block).collect(),
            shared: blocks
                .iter_mut()
                .map(|one| std::mem::replace(&mut one.shared, Shared::new(0)))
                .collect(),
            arriving: None,
            arriving_views: Views::new(),
            completed: None,
            completed_views: Views::new(),
            locations: BTreeMap::new(),
            uses: vec![BTreeMap::new(); starts.len()],
            exits: vec![Arc::clone(&starts); starts.len()],
            caps: starts.iter().map(|start| start[0]).collect(),
            waits: Vec::new(),
        }
    }

    /// Every thread of the cluster has arrived at its barrier. Says what all of them know then of
    /// each block's accesses, for [`BlockMemory::cluster_known_to_all`].
    pub fn complete_barrier(&mut self) -> Vec<Known> {
        self.completed = self.arriving.take();
        self.completed_views = std::mem::take(&mut self.arriving_views);
        self.completed.as_ref().map_or_else(Vec::new, |completed| completed.to_vec())
    }

    /// Ends the cluster: its blocks are single again.
    pub fn finish(mut self, blocks: &mut [&mut BlockMemory<'_>]) {
        for (block, shared) in blocks.iter_mut().zip(&mut self.shared) {
            std::mem::swap(&mut block.shared, shared);
        }
    }

    /// All blocks have ended by themselves: the uses of their memory that their exits are not
    /// ordered after become faults of the blocks that used it. `exits` are the last exits of each
    /// block, by rank: warp and instruction.
    pub fn check_exits(&self, blocks: &mut [&mut BlockMemory<'_>], exits: &[Option<Site>]) {
        for (owner, uses) in self.uses.iter().enumerate() {
            let exit = exits.get(owner).copied().flatten();
            let other = exit.map(|site| OtherAccess {
                block: self.blocks[owner],
                warp: site.warp,
                instruction: Some(site.instruction),
                lane: None,
                is_write: true,
            });
            for (&(rank, site), used) in uses {
                let warp = site.warp as usize & (LANES - 1);
                if used.stamp < self.exits[owner][rank][warp] {
                    continue;
                }
                let size = self.shared[owner].len() as u64;
                blocks[rank].faults.push(Fault {
                    kind: FindingKind::Race,
                    site,
                    block: self.blocks[rank],
                    lanes: used.lanes,
                    action: used.action,
                    space: used.space,
                    width: used.width,
                    order: used.order,
                    address: used.address,
                    place: Place::Remote { block: self.blocks[owner], size },
                    offset: used.offset,
                    cause: Cause::OwnerExit,
                    other,
                    occurrences: used.occurrences,
                });
            }
        }
    }
}

impl BlockMemory<'_> {
    /// The block runs now, with what the blocks of its cluster share.
    pub fn enter_cluster(&mut self, mut cluster: Box<ClusterMemory>) {
        std::mem::swap(&mut cluster.shared[self.clocks.rank()], &mut self.shared);
        self.cluster = Some(cluster);
    }

    /// Another block of the cluster is to run.
    pub fn leave_cluster(&mut self) -> Option<Box<ClusterMemory>> {
        let mut cluster = self.cluster.take()?;
        std::mem::swap(&mut cluster.shared[self.clocks.rank()], &mut self.shared);
        Some(cluster)
    }

    /// `barrier.cluster.arrive` by lanes of a warp. One that releases orders what the warp did
    /// before what any warp does after its wait; a relaxed one orders what the warp's last fence
    /// covers.
    pub fn cluster_arrive(&mut self, warp: u32, releases: bool) {
        let warp = warp as usize & (LANES - 1);
        let known = if releases {
            self.clocks.release_cluster(warp)
        } else {
            self.clocks.mates().and_then(|mates| mates.fenced(warp)).cloned()
        };
        let (Some(cluster), Some(known)) = (&mut self.cluster, known) else { return };
        match &mut cluster.arriving {
            Some(arriving) => join_rows(arriving, &known),
            none => *none = Some(known),
        }
        merge(&mut cluster.arriving_views, &self.views[warp]);
    }

    /// `barrier.cluster.wait` by lanes of a warp, once the barrier is complete.
    pub fn cluster_wait(&mut self, warp: u32) {
        let warp = warp as usize & (LANES - 1);
        let Some(cluster) = &self.cluster else { return };
        if let Some(completed) = &cluster.completed {
            self.clocks.acquire_cluster(warp, completed);
        }
        merge(&mut self.views[warp], &cluster.completed_views);
        if let Some(mates) = self.clocks.mates_mut() {
            mates.set_begun(warp);
        }
    }

    /// Every warp of the cluster knows what the block's warps did below these stamps.
    pub fn cluster_known_to_all(&mut self, known: &[Known]) {
        let rank = self.clocks.rank();
        let Some(known) = known.get(rank) else { return };
        let cap = known[..self.clocks.warps()].iter().copied().min().unwrap_or(0);
        self.clocks.raise_cap(cap);
        if let Some(cluster) = &mut self.cluster {
            cluster.caps[rank] = cluster.caps[rank].max(cap);
        }
    }

    /// Lanes of a warp exit: what it knows is ordered before the block's end.
    pub(super) fn cluster_exit(&mut self, warp: usize) {
        if let (Some(cluster), Some(mates)) = (&mut self.cluster, self.clocks.mates()) {
            join_rows(&mut cluster.exits[mates.rank()], mates.known(warp));
        }
    }

    /// Another block's memory, where the cluster has that block: the last aim was at it.
    fn aimed_at(&self) -> Option<(usize, u64)> {
        let cluster = self.cluster.as_ref()?;
        Some((self.target, cluster.shared.get(self.target)?.len() as u64))
    }

    /// Whose memory the last aim was at, for faults.
    pub(super) fn remote_place(&self) -> Place {
        match (&self.cluster, self.aimed_at()) {
            (Some(cluster), Some((rank, size))) => {
                Place::Remote { block: cluster.blocks[rank], size }
            }
            (cluster, _) => Place::NoBlock {
                rank: self.target as u64,
                blocks: cluster.as_ref().map_or(1, |cluster| cluster.blocks.len() as u64),
            },
        }
    }

    /// The lanes that may access another block's memory; notes the others.
    fn admit_remote(&mut self, access: &Access, addresses: &Addresses) -> Option<Admitted> {
        let Some((_, size)) = self.aimed_at() else {
            self.note_all(FindingKind::OutOfBounds, access.mask, addresses);
            return None;
        };
        let admitted = self.admit(access, addresses, size);
        (admitted.mask != 0).then_some(admitted)
    }

    pub(super) fn load_remote(&mut self, access: &Access, addresses: &Addresses, rows: &mut [Row]) {
        let admitted = self.admit_remote(access, addresses);
        zero(rows, access.mask & !admitted.map_or(0, |one| one.mask));
        let Some(Admitted { mask, pattern }) = admitted else { return };
        count_shared(&mut self.counters.shared_load, pattern, addresses, mask, access.width);
        self.count_remote(access, mask);
        self.act_remote(access, addresses, (mask, pattern), |shared, by, problems| {
            load_pattern(shared, (pattern, addresses, mask), rows, by, problems);
        });
        self.note_use(access, mask, addresses, Action::Load);
        if access.order.is_strong() {
            let warp = access.site.warp as usize;
            self.each_address(addresses, mask, |memory, address| {
                memory.see_at(memory.target, address, warp, false);
            });
        }
    }

    pub(super) fn store_remote(&mut self, access: &Access, addresses: &Addresses, rows: &[Row]) {
        let admitted = self.admit_remote(access, addresses);
        let Some(Admitted { mask, pattern }) = admitted else { return };
        let counts = &mut self.counters.shared_store;
        let elements = count_shared(counts, pattern, addresses, mask, access.width);
        self.count_remote(access, mask);
        if access.order.is_strong() {
            let warp = access.site.warp as usize;
            self.each_address(addresses, mask, |memory, address| {
                memory.release_at(memory.target, address, warp);
            });
        }
        let meet = access.width < 4 || elements != u64::from(mask.count_ones());
        self.act_remote(access, addresses, (mask, pattern), |shared, by, problems| {
            store_pattern(shared, (pattern, addresses, mask, meet), rows, by, problems);
        });
        self.note_use(access, mask, addresses, Action::Store);
    }

    pub(super) fn atomic_remote(
        &mut self,
        access: &Access,
        addresses: &Addresses,
        apply: Apply<'_>,
    ) {
        let admitted = self.admit_remote(access, addresses);
        let Some(Admitted { mask, .. }) = admitted else { return };
        count_shared_atomic(&mut self.counters.shared_atomic, addresses, mask, access.width);
        self.count_remote(access, mask);
        let (warp, target) = (access.site.warp as usize, self.target);
        for lane in bits(mask) {
            self.release_at(target, addresses[lane], warp);
            let one = (1 << lane, Pattern::Scattered);
            self.act_remote(access, addresses, one, |shared, by, problems| {
                shared.atomic(at(addresses[lane]), lane, by, problems, apply);
            });
            self.see_at(target, addresses[lane], warp, true);
        }
        self.note_use(access, mask, addresses, Action::Atomic);
    }

    fn count_remote(&mut self, access: &Access, mask: u32) {
        self.counters.cluster.requests += 1;
        self.counters.cluster.bytes += u64::from(mask.count_ones()) * u64::from(access.width);
    }

    /// Does something to the memory last aimed at, made ready for these lanes.
    fn act_remote(
        &mut self,
        access: &Access,
        addresses: &Addresses,
        (mask, pattern): (u32, Pattern),
        act: impl FnOnce(&mut Shared, &Actors<'_>, &mut super::problems::Problems),
    ) {
        let by = Actors {
            actor: self.actor(access),
            clocks: &self.clocks,
            block: self.block,
            width: access.width as usize,
        };
        let target = self.target;
        let Some(cluster) = &mut self.cluster else { return };
        let Some(shared) = cluster.shared.get_mut(target) else { return };
        let floor = cluster.caps[target];
        match pattern {
            Pattern::Run { address, lanes, .. } => {
                shared.open(at(address), lanes * by.width, floor)
            }
            Pattern::Uniform { address } => shared.open(at(address), by.width, floor),
            Pattern::Scattered => {
                bits(mask).for_each(|lane| shared.open(at(addresses[lane]), by.width, floor));
            }
        }
        act(shared, &by, &mut self.problems);
    }

    /// Remembers the use of the memory last aimed at, and notes where its block may not have
    /// begun.
    fn note_use(&mut self, access: &Access, mask: u32, addresses: &Addresses, action: Action) {
        let (target, warp) = (self.target, access.site.warp as usize & (LANES - 1));
        let stamp = self.clocks.stamp(warp);
        let first = addresses[mask.trailing_zeros() as usize & (LANES - 1)];
        let Some(mates) = self.clocks.mates() else { return };
        let (rank, begun) = (mates.rank(), mates.knows_begun(warp, target));
        let Some(cluster) = &mut self.cluster else { return };
        let used = Use {
            stamp,
            space: access.space,
            width: access.width,
            order: access.order,
            action,
            lanes: mask,
            address: first,
            offset: i64::try_from(first).unwrap_or(0),
            occurrences: 1,
        };
        let kept = cluster.uses[target].entry((rank, access.site)).or_insert(used);
        let occurrences = if kept.stamp == stamp { kept.occurrences + 1 } else { 1 };
        if kept.stamp != stamp {
            *kept = used;
        }
        kept.occurrences = occurrences;
        if !begun && !self.problems.has(FindingKind::Race) {
            let cause = Cause::OwnerStart;
            self.problems.note_cause(FindingKind::Race, mask, first, cause, None);
        }
    }

    /// Before a strong write of shared memory of that rank: what the warp's last fence covers is
    /// released.
    pub(super) fn release_at(&mut self, rank: usize, address: u64, warp: usize) {
        let Some(fenced) = self.clocks.mates().and_then(|mates| mates.fenced(warp)) else { return };
        let Some(cluster) = &mut self.cluster else { return };
        let key = (rank, address);
        match cluster.locations.get_mut(&key) {
            Some(released) => join_rows(released, fenced),
            None => {
                cluster.locations.insert(key, Arc::clone(fenced));
            }
        }
    }

    /// After a strong read of shared memory of that rank: what was released there is known, to a
    /// read-modify-write at once and to a load from the next fence on.
    pub(super) fn see_at(&mut self, rank: usize, address: u64, warp: usize, at_once: bool) {
        let Some(cluster) = &self.cluster else { return };
        let Some(released) = cluster.locations.get(&(rank, address)) else { return };
        if at_once {
            self.clocks.acquire_cluster(warp, released);
        } else if let Some(mates) = self.clocks.mates_mut() {
            mates.see(warp, released);
        }
    }

    /// What a warp has seen released in global memory tells it of the blocks of its cluster too.
    pub(super) fn learn_of_cluster(&mut self, warp: usize) {
        let Some(others) = self.clocks.mates().map(Mates::others) else { return };
        for (rank, block) in others {
            let known = self.global.releases().known_of(&self.views[warp], block);
            if let (Some(known), Some(mates)) = (known, self.clocks.mates_mut()) {
                mates.learn(warp, rank, &known);
            }
        }
    }

    /// What a warp releases in global memory covers what it knows of the blocks of its cluster.
    pub(super) fn release_of_cluster(&self, address: u64, warp: usize) {
        let Some(mates) = self.clocks.mates() else { return };
        let Some(fenced) = mates.fenced(warp) else { return };
        for (rank, block) in mates.others() {
            let known = Arc::new(fenced[rank]);
            self.global.releases().release(address, block, &known, &self.views[warp]);
        }
    }
}
