//! The memory as one thread block sees it.

use std::collections::BTreeMap;
use std::sync::Arc;

use ridge_spec::counters::Counters;

use super::access::{Access, LANES};
use super::cell::Actor;
use super::clocks::{Clocks, Known, bits, join};
use super::cluster::ClusterMemory;
use super::copies::Copies;
use super::early::Waits;
use super::fault::FaultLog;
use super::global::GlobalMemory;
use super::local::Local;
use super::problems::Problems;
use super::record::Observer;
use super::releases::{Views, merge};
use super::shared::{Actors, Shared};
use super::touched::Touched;

/// What every block of a launch has alike.
#[derive(Clone, Debug)]
pub struct BlockShape {
    /// Threads of a block, 1 to 1024.
    pub threads: u32,
    /// Static and dynamic shared memory, bytes.
    pub shared_bytes: u32,
    /// Stack of a thread, bytes.
    pub local_bytes: u32,
    /// The kernel's parameters, as laid out by its PTX.
    pub params: Arc<[u8]>,
}

/// Memory of one block after another.
#[derive(Debug)]
pub struct BlockMemory<'g> {
    pub(super) global: &'g GlobalMemory,
    pub(super) shape: BlockShape,
    pub(super) block: u64,
    pub(super) clocks: Clocks,
    pub(super) shared: Shared,
    pub(super) local: Local,
    pub(super) counters: Counters,
    pub(super) sectors_read: Touched,
    pub(super) sectors_written: Touched,
    pub(super) faults: FaultLog,
    pub(super) problems: Problems,
    /// The region met last.
    pub(super) region: usize,
    pub(super) copies: Copies,
    /// Per warp: releases of other blocks that it knows.
    pub(super) views: Vec<Views>,
    /// Per warp: those its next fence makes it know.
    pub(super) seen: Vec<Views>,
    /// What is known at named barriers not complete.
    pub(super) arrived: BTreeMap<u32, Views>,
    /// What has been released at addresses of shared memory; with a cluster, that says.
    pub(super) locations: BTreeMap<u64, Known>,
    /// What the blocks of the cluster share, while the block runs as one of them.
    pub(super) cluster: Option<Box<ClusterMemory>>,
    /// The rank that an access to another block's memory aims at.
    pub(super) target: usize,
    /// Who has waited for the kernel before, where the launch may begin before that has ended.
    pub(super) waits: Option<Box<Waits>>,
}

impl<'g> BlockMemory<'g> {
    /// Memory for blocks of that shape. Call [`BlockMemory::begin_block`] before each of them.
    pub fn new(global: &'g GlobalMemory, shape: BlockShape) -> Self {
        Self {
            global,
            block: 0,
            clocks: Clocks::new(shape.threads),
            shared: Shared::new(shape.shared_bytes as usize),
            local: Local::new(shape.local_bytes as usize),
            counters: Counters::default(),
            sectors_read: Touched::new(),
            sectors_written: Touched::new(),
            faults: FaultLog::default(),
            problems: Problems::default(),
            region: 0,
            copies: Copies::default(),
            views: vec![Views::new(); LANES],
            seen: vec![Views::new(); LANES],
            arrived: BTreeMap::new(),
            locations: BTreeMap::new(),
            cluster: None,
            target: 0,
            waits: None,
            shape,
        }
    }

    /// Starts a block, by its linear index in the grid: shared memory and stacks are
    /// uninitialised again.
    pub fn begin_block(&mut self, block: u64) {
        self.block = block;
        for granule in self.copies.clear() {
            self.shared.shadow().forget_copy(granule);
        }
        self.shared.begin();
        if self.clocks.is_exhausted() {
            self.shared.clear_shadow();
            self.clocks.restart();
        }
        self.clocks.begin(self.shape.threads);
        self.local.begin();
        self.views.iter_mut().for_each(BTreeMap::clear);
        self.seen.iter_mut().for_each(BTreeMap::clear);
        self.arrived.clear();
        self.locations.clear();
        if let Some(waits) = &mut self.waits {
            waits.begin();
        }
    }

    /// Ends a block: adds what it counted. Fields that are not the memory's stay as they are:
    /// `blocks`, instructions, barriers and branches.
    pub fn end_block(&mut self, counters: &mut Counters) {
        self.counters.block_sectors_read += self.sectors_read.take();
        self.counters.block_sectors_written += self.sectors_written.take();
        *counters += std::mem::take(&mut self.counters);
    }

    /// The faults found since the last call.
    pub fn take_faults(&mut self) -> FaultLog {
        std::mem::take(&mut self.faults)
    }

    /// The parameters, for uniform `ld.param`.
    pub fn params(&self) -> &[u8] {
        &self.shape.params
    }

    /// A barrier that these warps have all reached (bit i = warp i) orders all they did before and
    /// all they do after.
    pub fn barrier(&mut self, warps: u32) {
        self.clocks.barrier(warps);
        self.share_views(warps, Views::new());
    }

    /// `bar.arrive`: what the warp did so far is ordered before what comes after the barrier.
    pub fn barrier_arrive(&mut self, barrier: u32, warp: u32) {
        let warp = warp as usize;
        self.clocks.arrive(barrier, warp);
        if !self.views[warp].is_empty() {
            merge(self.arrived.entry(barrier).or_default(), &self.views[warp]);
        }
    }

    /// The warps that waited at a barrier go on, with each other's and all arrived warps' accesses
    /// ordered before theirs. The same as [`BlockMemory::barrier`] where none has just arrived.
    pub fn barrier_release(&mut self, barrier: u32, warps: u32) {
        self.clocks.leave(barrier, warps);
        let arrived = self.arrived.remove(&barrier).unwrap_or_default();
        self.share_views(warps, arrived);
    }

    fn share_views(&mut self, warps: u32, mut all: Views) {
        if all.is_empty() && bits(warps).all(|warp| self.views[warp].is_empty()) {
            return;
        }
        bits(warps).for_each(|warp| merge(&mut all, &self.views[warp]));
        bits(warps).for_each(|warp| self.views[warp].clone_from(&all));
    }

    /// `bar.warp.sync`: orders the lanes of a warp. Shuffles, votes and matches order no memory,
    /// so they are not told.
    pub fn sync_warp(&mut self, warp: u32, lanes: u32) {
        self.clocks.sync_warp(warp as usize, lanes);
    }

    /// `membar` or `fence`, of any scope.
    pub fn fence(&mut self, warp: u32) {
        let warp = warp as usize;
        self.clocks.fence(warp);
        let seen = std::mem::take(&mut self.seen[warp]);
        merge(&mut self.views[warp], &seen);
        if self.cluster.is_some() && !seen.is_empty() {
            self.learn_of_cluster(warp);
        }
    }

    /// These lanes have ended.
    pub fn exit_lanes(&mut self, warp: u32, lanes: u32) {
        self.clocks.exit(warp as usize, lanes);
        if self.cluster.is_some() {
            self.cluster_exit(warp as usize);
        }
    }

    /// Stack bytes that a call hands out anew are uninitialised.
    pub fn invalidate_local(&mut self, warp: u32, lanes: u32, start: u32, bytes: u32) {
        self.local.invalidate(warp as usize, lanes, start as usize, bytes as usize);
    }

    pub(super) fn actor(&self, access: &Access) -> Actor {
        let warp = access.site.warp as usize & (LANES - 1);
        Actor {
            stamp: self.clocks.stamp(warp),
            instruction: access.site.instruction,
            warp,
            strong: access.order.is_strong(),
        }
    }

    /// The block's number in records.
    pub(super) fn block_number(&self) -> u32 {
        u32::try_from(self.block).unwrap_or(u32::MAX)
    }

    /// What shared memory must know of an access, with the two it may change.
    pub(super) fn shared_parts(
        &mut self,
        access: &Access,
    ) -> (&mut Shared, Actors<'_>, &mut Problems) {
        let by = Actors {
            actor: self.actor(access),
            clocks: &self.clocks,
            block: self.block,
            width: access.width as usize,
        };
        (&mut self.shared, by, &mut self.problems)
    }

    /// What global memory must know of an access, with what it may change.
    pub(super) fn global_parts(
        &mut self,
        access: &Access,
        mask: u32,
    ) -> (&'g GlobalMemory, Observer<'_>, &mut Problems) {
        let actor = self.actor(access);
        let observer = Observer {
            block: self.block_number(),
            actor,
            clocks: &self.clocks,
            releases: self.global.releases(),
            views: &self.views[actor.warp],
            mask,
        };
        (self.global, observer, &mut self.problems)
    }

    /// Before a strong write of shared memory: what the warp's last fence covers is released.
    pub(super) fn release_shared(&mut self, address: u64, warp: usize) {
        if self.cluster.is_some() {
            return self.release_at(self.clocks.rank(), address, warp);
        }
        if let Some(fenced) = self.clocks.fenced(warp) {
            join(self.locations.entry(address).or_insert([0; LANES]), fenced);
        }
    }

    /// After a strong read of shared memory: what was released there is known, to a
    /// read-modify-write at once and to a load from the next fence on.
    pub(super) fn see_shared(&mut self, address: u64, warp: usize, at_once: bool) {
        if self.cluster.is_some() {
            return self.see_at(self.clocks.rank(), address, warp, at_once);
        }
        if self.locations.is_empty() {
            return;
        }
        if let Some(released) = self.locations.get(&address) {
            if at_once {
                self.clocks.acquire(warp, released);
            } else {
                self.clocks.see(warp, released);
            }
        }
    }

    /// The same of global memory.
    pub(super) fn release_global(&mut self, address: u64, warp: usize) {
        if let Some(fenced) = self.clocks.fenced(warp) {
            let (block, views) = (self.block_number(), &self.views[warp]);
            self.global.releases().release(address, block, fenced, views);
            if self.cluster.is_some() {
                self.release_of_cluster(address, warp);
            }
        }
    }

    /// The same of global memory.
    pub(super) fn see_global(&mut self, address: u64, warp: usize, at_once: bool) {
        let releases = self.global.releases();
        if !releases.any() {
            return;
        }
        let block = self.block_number();
        let views = if at_once { &mut self.views } else { &mut self.seen };
        if let Some(known) = releases.see(address, block, &mut views[warp]) {
            if at_once {
                self.clocks.acquire(warp, &known);
            } else {
                self.clocks.see(warp, &known);
            }
        }
        if at_once && self.cluster.is_some() {
            self.learn_of_cluster(warp);
        }
    }
}
