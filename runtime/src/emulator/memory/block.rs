//! The memory as one thread block sees it.

use std::sync::Arc;

use ridge_spec::counters::Counters;

use super::access::{Access, Addresses, Row, Site};
use super::fault::FaultLog;
use super::global::GlobalMemory;

/// What every block of a launch has alike.
#[derive(Clone, Debug)]
pub struct BlockShape {
    /// Warps of a block, 1 to 32.
    pub warps: u32,
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
    global: &'g GlobalMemory,
    shape: BlockShape,
    faults: FaultLog,
}

impl<'g> BlockMemory<'g> {
    /// Memory for blocks of that shape.
    pub fn new(global: &'g GlobalMemory, shape: BlockShape) -> Self {
        Self { global, shape, faults: FaultLog::default() }
    }

    /// Starts a block: shared memory and stacks are uninitialised again.
    pub fn begin_block(&mut self, block: u64) {
        let _ = (block, self.global);
    }

    /// Ends a block: adds what it counted (global, shared, local, distinct sectors).
    pub fn end_block(&mut self, counters: &mut Counters) {
        let _ = counters;
    }

    /// The faults found since the last call.
    pub fn take_faults(&mut self) -> FaultLog {
        std::mem::take(&mut self.faults)
    }

    /// Loads. Rows of inactive lanes keep what they hold; lanes that fault get zeros.
    /// `rows` has one row for each 4 bytes of width, at least one.
    pub fn load(&mut self, access: &Access, addresses: &Addresses, rows: &mut [Row]) {
        let _ = (access, addresses, rows);
    }

    /// Stores; lanes that fault store nothing.
    pub fn store(&mut self, access: &Access, addresses: &Addresses, rows: &[Row]) {
        let _ = (access, addresses, rows);
    }

    /// Atomic read-modify-write of 2, 4 or 8 bytes: `apply` gets each active lane and the old
    /// value, in lane order, and returns the new one, or `None` to leave it. Not called for lanes
    /// that fault.
    pub fn atomic(
        &mut self,
        access: &Access,
        addresses: &Addresses,
        apply: &mut dyn FnMut(usize, u64) -> Option<u64>,
    ) {
        let _ = (access, addresses, apply);
    }

    /// The parameters, for uniform `ld.param`.
    pub fn params(&self) -> &[u8] {
        &self.shape.params
    }

    /// A barrier that these warps have all reached orders all they did before and all they do
    /// after.
    pub fn barrier(&mut self, warps: u32) {
        let _ = warps;
    }

    /// `bar.arrive`: what the warp did so far is ordered before what comes after the barrier.
    pub fn barrier_arrive(&mut self, barrier: u32, warp: u32) {
        let _ = (barrier, warp);
    }

    /// The warps that waited at a named barrier go on: with each other's and all arrived warps'
    /// accesses ordered before theirs.
    pub fn barrier_release(&mut self, barrier: u32, warps: u32) {
        let _ = (barrier, warps);
    }

    /// `bar.warp.sync`, and every shuffle, vote or match with that member mask.
    pub fn sync_warp(&mut self, warp: u32, lanes: u32) {
        let _ = (warp, lanes);
    }

    /// `membar` or `fence` of any scope.
    pub fn fence(&mut self, warp: u32) {
        let _ = warp;
    }

    /// The warp has no thread left.
    pub fn exit_warp(&mut self, warp: u32) {
        let _ = warp;
    }

    /// Stack bytes that a call hands out anew are uninitialised.
    pub fn invalidate_local(&mut self, warp: u32, lanes: u32, start: u32, bytes: u32) {
        let _ = (warp, lanes, start, bytes);
    }

    /// `cp.async`: `copy_bytes` (4, 8 or 16) from global to shared memory, of which the first
    /// `source_bytes[lane]` are read and the others are zeros.
    pub fn async_copy(&mut self, copy: &AsyncCopy<'_>) {
        let _ = copy;
    }

    /// `cp.async.commit_group`.
    pub fn async_commit(&mut self, warp: u32, lanes: u32) {
        let _ = (warp, lanes);
    }

    /// `cp.async.wait_group`: all but the newest `pending` groups of each lane are done.
    /// `wait_all` is a commit and a wait for 0.
    pub fn async_wait(&mut self, warp: u32, lanes: u32, pending: u32) {
        let _ = (warp, lanes, pending);
    }
}

/// One warp-wide `cp.async`.
#[derive(Clone, Copy, Debug)]
pub struct AsyncCopy<'a> {
    /// Instruction and warp.
    pub site: Site,
    /// Active lanes.
    pub mask: u32,
    /// Bytes written for each lane: 4, 8 or 16.
    pub copy_bytes: u32,
    /// Of those, bytes read for each lane; the rest are zeros.
    pub source_bytes: &'a [u32; 32],
    /// Shared addresses (offsets, not generic).
    pub destination: &'a Addresses,
    /// Global addresses.
    pub source: &'a Addresses,
}
