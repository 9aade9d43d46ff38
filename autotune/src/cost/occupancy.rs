//! How many thread blocks fit on one multiprocessor, and what stops the next one.

use std::fmt;

use ridge_spec::artifact::Resources;
use ridge_spec::launch::LaunchConfig;
use ridge_spec::target::DeviceLimits;

/// Register files of one multiprocessor: a warp's registers lie in one of them. Since Volta.
const SUB_PARTITIONS: u64 = 4;

/// Shared memory is handed to a block in units of this many bytes, from compute capability 8.0 on
/// (CUDA occupancy calculator).
const SHARED_MEMORY_UNIT_BYTES: u64 = 128;

/// Residency of one kernel on one multiprocessor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occupancy {
    /// Resident blocks; 0 for a launch that does not fit at all.
    pub blocks_per_multiprocessor: u32,
    /// Resident warps.
    pub warps_per_multiprocessor: u32,
    /// Warps that the multiprocessor could hold.
    pub warps_limit: u32,
    /// What stops the next block.
    pub limiter: OccupancyLimiter,
}

/// What stops one more block from being resident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OccupancyLimiter {
    /// The multiprocessor's block slots.
    Blocks,
    /// The multiprocessor's thread slots.
    Threads,
    /// The register file.
    Registers,
    /// Shared memory.
    SharedMemory,
}

impl OccupancyLimiter {
    /// The word of this limit in JSON and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blocks => "blocks",
            Self::Threads => "threads",
            Self::Registers => "registers",
            Self::SharedMemory => "shared_memory",
        }
    }
}

impl fmt::Display for OccupancyLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Occupancy {
    /// Resident warps over the warps that the multiprocessor could hold, 0 to 1.
    pub fn fraction(&self) -> f64 {
        f64::from(self.warps_per_multiprocessor) / f64::from(self.warps_limit.max(1))
    }
}

/// The residency of a kernel with these resources and this launch configuration.
///
/// The rules are those of the CUDA occupancy calculator for compute capability 8.0 and later:
/// registers go to a warp in units, and a warp's registers come from one of four register files;
/// shared memory goes to a block in units of 128 bytes, with the driver's own part on top. Where
/// two limits agree, the first of blocks, threads, registers, shared memory is named.
pub fn occupancy(resources: &Resources, launch: &LaunchConfig, limits: &DeviceLimits) -> Occupancy {
    let warp_size = u64::from(limits.warp_size.max(1));
    let threads = launch.block.iter().map(|&n| u64::from(n)).fold(1, u64::saturating_mul).max(1);
    let warps = threads.div_ceil(warp_size);
    let warps_limit = u64::from(limits.threads_per_multiprocessor) / warp_size;
    let by_threads =
        if threads > u64::from(limits.threads_per_block) { 0 } else { warps_limit / warps };
    let candidates = [
        (u64::from(limits.blocks_per_multiprocessor), OccupancyLimiter::Blocks),
        (by_threads, OccupancyLimiter::Threads),
        (blocks_by_registers(resources, warps, limits), OccupancyLimiter::Registers),
        (blocks_by_shared_memory(resources, launch, limits), OccupancyLimiter::SharedMemory),
    ];
    let mut best = candidates[0];
    for &candidate in &candidates[1..] {
        if candidate.0 < best.0 {
            best = candidate;
        }
    }
    let (blocks, limiter) = best;
    let narrow = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    Occupancy {
        blocks_per_multiprocessor: narrow(blocks),
        warps_per_multiprocessor: narrow(blocks.saturating_mul(warps)),
        warps_limit: narrow(warps_limit),
        limiter,
    }
}

fn blocks_by_registers(resources: &Resources, warps: u64, limits: &DeviceLimits) -> u64 {
    if resources.registers > limits.registers_per_thread {
        return 0;
    }
    let unit = u64::from(limits.register_allocation_unit.max(1));
    let of_a_warp = u64::from(resources.registers) * u64::from(limits.warp_size);
    let of_a_warp = of_a_warp.next_multiple_of(unit).max(unit);
    let file = u64::from(limits.registers_per_multiprocessor);
    // A block spreads its warps over all register files, so the last round of warps is whole.
    if of_a_warp.saturating_mul(warps.next_multiple_of(SUB_PARTITIONS)) > file {
        return 0;
    }
    (file / SUB_PARTITIONS / of_a_warp) * SUB_PARTITIONS / warps
}

fn blocks_by_shared_memory(
    resources: &Resources,
    launch: &LaunchConfig,
    limits: &DeviceLimits,
) -> u64 {
    let asked =
        u64::from(resources.static_shared_memory_bytes) + u64::from(launch.shared_memory_bytes);
    if asked > u64::from(limits.shared_memory_per_block_bytes) {
        return 0;
    }
    let reserved = u64::from(limits.shared_memory_reserved_per_block_bytes);
    let taken = (asked + reserved).next_multiple_of(SHARED_MEMORY_UNIT_BYTES);
    u64::from(limits.shared_memory_per_multiprocessor_bytes)
        .checked_div(taken)
        .unwrap_or(u64::from(limits.blocks_per_multiprocessor))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{h200, rtx4090};
    use super::*;

    #[track_caller]
    fn check(
        limits: &DeviceLimits,
        (threads, registers, shared): (u32, u32, u32),
        expected: (u32, OccupancyLimiter),
    ) {
        let resources = Resources { registers, ..Resources::default() };
        let launch = LaunchConfig {
            grid: [1, 1, 1],
            block: [threads, 1, 1],
            shared_memory_bytes: shared,
            cluster: None,
            programmatic: false,
        };
        let found = occupancy(&resources, &launch, limits);
        assert_eq!((found.blocks_per_multiprocessor, found.limiter), expected);
        assert_eq!(found.warps_per_multiprocessor, expected.0 * threads.div_ceil(32));
    }

    // Values of NVIDIA's occupancy calculator.
    #[test]
    fn agrees_with_the_occupancy_calculator() {
        use OccupancyLimiter::{Blocks, Registers, SharedMemory, Threads};
        let hopper = h200().limits;
        check(&hopper, (1024, 32, 0), (2, Threads));
        check(&hopper, (1024, 64, 0), (1, Registers));
        check(&hopper, (1024, 65, 0), (0, Registers));
        check(&hopper, (256, 32, 0), (8, Threads));
        check(&hopper, (256, 40, 0), (6, Registers));
        check(&hopper, (256, 48, 0), (5, Registers));
        check(&hopper, (128, 80, 0), (6, Registers));
        check(&hopper, (128, 255, 0), (2, Registers));
        check(&hopper, (32, 16, 0), (32, Blocks));
        check(&hopper, (64, 32, 0), (32, Blocks));
        check(&hopper, (96, 32, 0), (21, Threads));
        check(&hopper, (128, 32, 100 * 1024), (2, SharedMemory));
        check(&hopper, (128, 32, 227 * 1024), (1, SharedMemory));
        check(&hopper, (128, 32, 227 * 1024 + 1), (0, SharedMemory));
        check(&hopper, (128, 256, 0), (0, Registers));
        check(&hopper, (1025, 16, 0), (0, Threads));
        let ada = rtx4090().limits;
        check(&ada, (1024, 32, 0), (1, Threads));
        check(&ada, (256, 32, 0), (6, Threads));
        check(&ada, (32, 16, 0), (24, Blocks));
        check(&ada, (256, 48, 0), (5, Registers));
        check(&ada, (128, 32, 48 * 1024), (2, SharedMemory));
    }

    #[test]
    fn fraction_is_of_the_warps_that_fit() {
        let launch = LaunchConfig {
            grid: [1, 1, 1],
            block: [32, 1, 1],
            shared_memory_bytes: 0,
            cluster: None,
            programmatic: false,
        };
        let resources = Resources { registers: 16, ..Resources::default() };
        let found = occupancy(&resources, &launch, &h200().limits);
        assert!((found.fraction() - 0.5).abs() < 1e-12);
    }
}
