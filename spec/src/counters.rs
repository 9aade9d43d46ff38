//! Exact counts of what an executed kernel did.
//!
//! The words are Nsight Compute's: a *request* is one warp-wide memory instruction, a *sector*
//! 32 bytes of global memory, a *wavefront* one pass of a request through shared memory. Counts
//! add over thread blocks, so the counts of sampled blocks scale to the grid.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// Counts of one execution, summed over the blocks that ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    /// Thread blocks that ran.
    pub blocks: u64,
    /// Instructions by class, one for each warp that issued it.
    pub warp_instructions: InstructionCounts,
    /// Instructions times active lanes.
    pub thread_instructions: u64,
    /// Global loads.
    pub global_load: GlobalAccess,
    /// Global stores.
    pub global_store: GlobalAccess,
    /// Global atomics and reductions.
    pub global_atomic: GlobalAccess,
    /// Shared loads.
    pub shared_load: SharedAccess,
    /// Shared stores.
    pub shared_store: SharedAccess,
    /// Shared atomics.
    pub shared_atomic: SharedAccess,
    /// Local-memory loads and stores, counted as global memory is.
    pub local: GlobalAccess,
    /// Distinct 32-byte sectors that each block read, summed over blocks.
    pub block_sectors_read: u64,
    /// Distinct 32-byte sectors that each block wrote, summed over blocks.
    pub block_sectors_written: u64,
    /// Block-wide barriers, one for each warp that arrived.
    pub barriers: u64,
    /// Conditional branches, one for each warp.
    pub branches: u64,
    /// Of those, branches whose lanes went both ways.
    pub divergent_branches: u64,
    /// What the blocks of clusters did to each other; left out where there was nothing.
    #[serde(skip_serializing_if = "ClusterAccess::is_zero")]
    pub cluster: ClusterAccess,
}

/// Warp instructions by the pipe that runs them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InstructionCounts {
    /// Integer arithmetic, logic, comparisons, selects and moves.
    pub integer: u64,
    /// Single-precision add, multiply, fused multiply-add, minimum, maximum.
    pub float32: u64,
    /// Half and bfloat16 arithmetic, packed or not.
    pub float16: u64,
    /// Double precision.
    pub float64: u64,
    /// Special functions: ex2, lg2, rcp, rsqrt, sqrt, sin, cos, tanh.
    pub special: u64,
    /// Conversions between types.
    pub conversion: u64,
    /// Memory instructions of every space.
    pub memory: u64,
    /// Warp shuffles.
    pub shuffle: u64,
    /// Votes, matches and warp reductions.
    pub vote: u64,
    /// Barriers and fences.
    pub barrier: u64,
    /// Branches, calls and returns.
    pub control: u64,
    /// Matrix instructions.
    pub tensor: u64,
}

/// Counts of one kind of access to global memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GlobalAccess {
    /// Warp-wide instructions with at least one active lane.
    pub requests: u64,
    /// Distinct 32-byte sectors, summed over requests.
    pub sectors: u64,
    /// The fewest sectors that could hold the distinct bytes of each request.
    pub sectors_ideal: u64,
    /// Bytes asked for by active lanes.
    pub bytes: u64,
}

/// Counts of one kind of access to shared memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SharedAccess {
    /// Warp-wide instructions with at least one active lane.
    pub requests: u64,
    /// Passes through the 32 banks of 4 bytes.
    pub wavefronts: u64,
    /// The passes that a conflict-free layout of the same bytes would take.
    pub wavefronts_ideal: u64,
    /// Bytes asked for by active lanes.
    pub bytes: u64,
}

/// Counts of what blocks of a cluster did to each other. Accesses are counted among those to
/// shared memory too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClusterAccess {
    /// Warp-wide instructions that accessed another block's shared memory, one for each block.
    pub requests: u64,
    /// Bytes asked for by their active lanes.
    pub bytes: u64,
    /// Arrivals of warps at the cluster's barrier.
    pub barriers: u64,
}

impl ClusterAccess {
    /// Whether nothing was counted.
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }
}

impl InstructionCounts {
    /// All classes together.
    pub const fn total(&self) -> u64 {
        self.integer
            + self.float32
            + self.float16
            + self.float64
            + self.special
            + self.conversion
            + self.memory
            + self.shuffle
            + self.vote
            + self.barrier
            + self.control
            + self.tensor
    }
}

/// Adds field by field, so that a field left out does not compile.
macro_rules! add_fields {
    ($type:ident { $($field:ident),* $(,)? }) => {
        impl AddAssign for $type {
            fn add_assign(&mut self, other: Self) {
                let Self { $($field),* } = other;
                $(self.$field += $field;)*
            }
        }
    };
}

add_fields!(Counters {
    blocks,
    warp_instructions,
    thread_instructions,
    global_load,
    global_store,
    global_atomic,
    shared_load,
    shared_store,
    shared_atomic,
    local,
    block_sectors_read,
    block_sectors_written,
    barriers,
    branches,
    divergent_branches,
    cluster,
});
add_fields!(InstructionCounts {
    integer,
    float32,
    float16,
    float64,
    special,
    conversion,
    memory,
    shuffle,
    vote,
    barrier,
    control,
    tensor,
});
add_fields!(GlobalAccess { requests, sectors, sectors_ideal, bytes });
add_fields!(ClusterAccess { requests, bytes, barriers });
add_fields!(SharedAccess { requests, wavefronts, wavefronts_ideal, bytes });
