//! What cannot be hidden inside one block: round trips to memory, barriers, dependent shuffles.

use super::shape::Shape;

/// Registers of a thread that hold something else than loaded data: addresses, indices,
/// accumulators. It separates kernels with room for their loads from those without: 8 to 16 order
/// whole spaces measured on an NVIDIA H200 better than 24 and 32.
const WORKING_REGISTERS: f64 = 16.0;

/// Bytes of a register.
const REGISTER_BYTES: f64 = 4.0;

/// Clocks from a warp shuffle to its result (public micro-benchmarks of Ampere and Hopper boards:
/// 23 to 26).
const SHUFFLE_CLOCKS: f64 = 25.0;

/// Clocks from an arithmetic instruction to the next of the same warp that needs its result (public
/// micro-benchmarks of boards from Volta to Hopper). A row's instructions mostly do.
const DEPENDENT_CLOCKS: f64 = 4.0;

/// Barriers that one trip through a row or a tile has at most: two reductions of two barriers.
/// More than that is taken as a loop whose trips do not overlap.
const BARRIERS_OF_A_PHASE: f64 = 4.0;

/// Latency of a second-level hit over that of device memory, under load (266 against 650 clocks
/// idle on an H100 in public micro-benchmarks).
const L2_LATENCY_SHARE: f64 = 0.4;

/// Bytes of spilled registers that a thread waits for at once, and how many such waits are not
/// overlapped. The ratio reproduces the factor of two that spills cost when nothing else does.
const SPILL_WAIT_BYTES: f64 = 32.0;
const SPILL_WAITS_MOST: f64 = 4.0;

/// Where the time of one block goes if it has the device to itself, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct BlockTime {
    /// Round trips to memory, and the instructions one warp issues one after another.
    pub(super) waiting_ns: f64,
    /// Barriers and dependent shuffles.
    pub(super) synchronising_ns: f64,
    /// Of both, what passes before the device is streaming: the first loads' latency and the first
    /// trip's reduction.
    pub(super) fill_ns: f64,
    /// Global loads that one multiprocessor has in flight when all its blocks wait, bytes.
    pub(super) in_flight_bytes: f64,
}

/// The time of one block alone.
///
/// How many loads a thread issues before it needs the first is not counted anywhere, so it is
/// bounded: by what the thread loads between barriers, and by what it can hold — its registers
/// beyond the working set, and its share of shared memory where the counters show that loaded
/// data is staged there. The time is then one memory latency for every time a thread's loads
/// fill that room.
pub(super) fn block_time(shape: &Shape<'_>) -> BlockTime {
    let counters = shape.counters();
    let profile = shape.profile;
    let latency_ns = profile.memory.latency_ns;
    let clock_ns = 1e9 / profile.multiprocessor.clock_hz;

    let loads = &counters.global_load;
    let loaded = if shape.counted() {
        shape.per_block(loads.bytes) / shape.threads
    } else {
        shape.inputs.work.read_bytes as f64 / (shape.blocks * shape.threads)
    };
    let distinct = if shape.counted() {
        (shape.per_block(counters.block_sectors_read) * super::shape::SECTOR_BYTES / shape.threads)
            .min(loaded)
    } else {
        loaded
    };
    let room = room_bytes(shape);
    let barriers = shape.per_warp(counters.barriers);
    let phases = (barriers / BARRIERS_OF_A_PHASE).max(1.0);
    let trips = if loaded > 0.0 { (distinct / room).max(phases) } else { 0.0 };
    let hits = if loaded > 0.0 { (loaded / room - trips).max(0.0) } else { 0.0 };
    let spill_waits = (f64::from(shape.inputs.resources.spill_load_bytes) / SPILL_WAIT_BYTES)
        .min(SPILL_WAITS_MOST);
    let issue_ns = shape.per_warp_instructions() * DEPENDENT_CLOCKS * clock_ns;

    let waiting_ns = latency_ns * (trips + L2_LATENCY_SHARE * (hits + spill_waits)) + issue_ns;
    let synchronising_ns = barriers * profile.launch.barrier_ns
        + shape.per_warp(counters.warp_instructions.shuffle) * SHUFFLE_CLOCKS * clock_ns;
    let first_latency_ns = if loaded > 0.0 { latency_ns } else { 0.0 };
    BlockTime {
        waiting_ns,
        synchronising_ns,
        fill_ns: first_latency_ns + (synchronising_ns + issue_ns) / phases,
        in_flight_bytes: if trips > 0.0 {
            distinct / trips * shape.threads * shape.resident.min(shape.blocks_of_busiest())
        } else {
            0.0
        },
    }
}

/// Bytes of loads that one thread has room for: at least one load of the width it uses.
fn room_bytes(shape: &Shape<'_>) -> f64 {
    let counters = shape.counters();
    let loads = &counters.global_load;
    let lanes = f64::from(shape.profile.limits.warp_size.max(1));
    let width = if loads.requests > 0 {
        (loads.bytes as f64 / (loads.requests as f64 * lanes)).clamp(1.0, 16.0)
    } else {
        REGISTER_BYTES
    };
    let registers = f64::from(shape.inputs.resources.registers);
    let held = (registers - WORKING_REGISTERS).max(0.0) * REGISTER_BYTES;
    let staged = if loads.bytes > 0 && counters.shared_store.bytes >= loads.bytes / 2 {
        shape.shared_memory_bytes() / shape.threads
    } else {
        0.0
    };
    (held + staged).max(width)
}

impl Shape<'_> {
    /// Instructions that the average warp issues.
    fn per_warp_instructions(&self) -> f64 {
        instructions(self) / self.warps
    }
}

/// Warp instructions of the average block.
pub(super) fn instructions(shape: &Shape<'_>) -> f64 {
    let counts = &shape.counters().warp_instructions;
    [
        counts.integer,
        counts.float32,
        counts.float16,
        counts.float64,
        counts.special,
        counts.conversion,
        counts.memory,
        counts.shuffle,
        counts.vote,
        counts.barrier,
        counts.control,
        counts.tensor,
    ]
    .into_iter()
    .map(|count| shape.per_block(count))
    .sum()
}
