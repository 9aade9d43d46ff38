//! The launch as the model sees it: sizes and per-block averages as real numbers.

use ridge_spec::counters::Counters;
use ridge_spec::target::DeviceProfile;

use super::CostInputs;
use super::occupancy::{Occupancy, occupancy};

/// Bytes of one sector of global memory.
pub(super) const SECTOR_BYTES: f64 = 32.0;

/// Sizes of a launch on a device, and the counters of its average block.
pub(super) struct Shape<'a> {
    pub(super) inputs: &'a CostInputs,
    pub(super) profile: &'a DeviceProfile,
    pub(super) occupancy: Occupancy,
    /// Blocks of the grid, at least 1.
    pub(super) blocks: f64,
    /// Threads of a block, at least 1.
    pub(super) threads: f64,
    /// Warps of a block, at least 1.
    pub(super) warps: f64,
    pub(super) multiprocessors: f64,
    /// Resident blocks of one multiprocessor, at least 1: refusing a launch that does not fit is
    /// not the model's task.
    pub(super) resident: f64,
}

impl<'a> Shape<'a> {
    pub(super) fn new(inputs: &'a CostInputs, profile: &'a DeviceProfile) -> Self {
        let product = |sizes: [u32; 3]| sizes.iter().map(|&n| f64::from(n.max(1))).product();
        let threads: f64 = product(inputs.launch.block);
        let occupancy = occupancy(&inputs.resources, &inputs.launch, &profile.limits);
        Self {
            inputs,
            profile,
            occupancy,
            blocks: product(inputs.launch.grid),
            threads,
            warps: (threads / f64::from(profile.limits.warp_size.max(1))).ceil().max(1.0),
            multiprocessors: f64::from(profile.multiprocessors.max(1)),
            resident: f64::from(occupancy.blocks_per_multiprocessor.max(1)),
        }
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.inputs.counters
    }

    /// Whether any block was counted.
    pub(super) fn counted(&self) -> bool {
        self.inputs.counters.blocks > 0
    }

    /// The average block's share of a count; 0 where nothing was counted.
    pub(super) fn per_block(&self, count: u64) -> f64 {
        if self.counted() { count as f64 / self.inputs.counters.blocks as f64 } else { 0.0 }
    }

    /// The whole grid's part of a count.
    pub(super) fn of_grid(&self, count: u64) -> f64 {
        self.per_block(count) * self.blocks
    }

    /// The average warp's share of a count.
    pub(super) fn per_warp(&self, count: u64) -> f64 {
        self.per_block(count) / self.warps
    }

    /// Blocks that run at the same time on the whole device.
    pub(super) fn active_blocks(&self) -> f64 {
        self.blocks.min(self.resident * self.multiprocessors)
    }

    /// Rounds in which the grid passes through the device.
    pub(super) fn waves(&self) -> f64 {
        (self.blocks / (self.resident * self.multiprocessors)).ceil().max(1.0)
    }

    /// Blocks of the busiest multiprocessor: the tail makes the others wait for it.
    pub(super) fn blocks_of_busiest(&self) -> f64 {
        (self.blocks / self.multiprocessors).ceil()
    }

    /// Shared memory that a block asks for, bytes.
    pub(super) fn shared_memory_bytes(&self) -> f64 {
        f64::from(self.inputs.resources.static_shared_memory_bytes)
            + f64::from(self.inputs.launch.shared_memory_bytes)
    }

    /// Bytes of spilled registers that one thread stores and loads again, once each: the report
    /// counts instructions, not how often a loop runs them.
    pub(super) fn spill_bytes_per_thread(&self) -> f64 {
        f64::from(self.inputs.resources.spill_store_bytes)
            + f64::from(self.inputs.resources.spill_load_bytes)
    }
}
