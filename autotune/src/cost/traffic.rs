//! Bytes that move: to and from device memory, and to and from the second-level cache.

use super::shape::{SECTOR_BYTES, Shape};

/// Bytes of the whole grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Traffic {
    /// Read from device memory.
    pub device_read_bytes: f64,
    /// Written to device memory.
    pub device_written_bytes: f64,
    /// Through the second-level cache, both ways.
    pub l2_bytes: f64,
}

/// The traffic of a launch.
///
/// What the work must move is always moved. What the sampled blocks read beyond that (data shared
/// by several blocks, and sectors of which a block uses a part) comes from device memory only as
/// far as the blocks that run together have a footprint beyond the second-level cache. A block
/// that reads its own data twice finds it in the first-level cache as far as the resident blocks'
/// data fits there. Spilled registers and local arrays pass through the second-level cache and
/// reach device memory in the proportion that all resident stacks take of that cache.
pub(super) fn traffic(shape: &Shape<'_>) -> Traffic {
    let counters = shape.counters();
    let work = &shape.inputs.work;
    let (must_read, must_write) = (work.read_bytes as f64, work.written_bytes as f64);
    let capacity = (shape.profile.memory.l2_capacity_bytes as f64).max(1.0);

    let (read, written) = if shape.counted() {
        let sectors = |count: u64| shape.of_grid(count) * SECTOR_BYTES;
        (sectors(counters.block_sectors_read), sectors(counters.block_sectors_written))
    } else {
        (must_read, must_write)
    };
    let read_per_block = read / shape.blocks;
    let requested = shape.of_grid(counters.global_load.sectors) * SECTOR_BYTES;
    let reread = (requested - read).max(0.0)
        * missing(first_level_bytes(shape), read_per_block * shape.resident);
    let stored = (shape.of_grid(counters.global_store.sectors) * SECTOR_BYTES).max(written);
    // An atomic reads and writes its sector where it lies.
    let atomics = 2.0 * shape.of_grid(counters.global_atomic.sectors) * SECTOR_BYTES;

    let beyond_l2 = missing(capacity, (read_per_block * shape.active_blocks()).max(0.0));
    let excess_read = (read - must_read).max(0.0) + reread;
    let excess_written = (written - must_write).max(0.0);

    let spilled = shape.spill_bytes_per_thread() * shape.threads * shape.blocks
        + shape.of_grid(counters.local.sectors) * SECTOR_BYTES;
    let stack =
        f64::from(shape.inputs.resources.stack_bytes.max(shape.inputs.resources.spill_store_bytes));
    let stacks = stack * shape.threads * shape.active_blocks();
    let spilled_beyond_l2 = spilled * (stacks / capacity).min(1.0);

    Traffic {
        device_read_bytes: must_read + excess_read * beyond_l2 + spilled_beyond_l2 / 2.0,
        device_written_bytes: must_write + excess_written * beyond_l2 + spilled_beyond_l2 / 2.0,
        l2_bytes: read + reread + stored + atomics + spilled,
    }
}

/// The share of a footprint that a cache of `capacity` bytes does not hold, 0 to 1.
fn missing(capacity: f64, footprint: f64) -> f64 {
    if footprint <= capacity { 0.0 } else { 1.0 - capacity / footprint }
}

/// First-level cache that shared memory leaves: they share one array, taken here as large as the
/// multiprocessor's shared memory, a little less than it is.
fn first_level_bytes(shape: &Shape<'_>) -> f64 {
    let limits = &shape.profile.limits;
    let taken =
        shape.shared_memory_bytes() + f64::from(limits.shared_memory_reserved_per_block_bytes);
    (f64::from(limits.shared_memory_per_multiprocessor_bytes) - taken * shape.resident).max(0.0)
}
