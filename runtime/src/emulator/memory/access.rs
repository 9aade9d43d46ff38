//! The words of one warp-wide memory access.

/// Lanes of a warp.
pub const LANES: usize = 32;

/// The address of every lane; those of inactive lanes are never looked at.
pub type Addresses = [u64; LANES];

/// Register rows: row `k`, lane `l` is the `k`-th 32-bit word of lane `l`'s bytes, little endian.
/// Accesses of 1 and 2 bytes use the low bits of row 0.
pub type Row = [u32; LANES];

/// The window an address aims at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// A 64-bit address that may lie in any window, decided lane by lane.
    Generic,
    /// Buffers and module variables.
    Global,
    /// Offset into the block's shared memory.
    Shared,
    /// Offset into the shared memory of a block of the cluster, with the block in its bits from
    /// [`RANK_SHIFT`](super::RANK_SHIFT) on: 0 for the accessing block, or a rank plus 1.
    Cluster,
    /// Offset into the thread's own stack.
    Local,
    /// Offset into the kernel's parameters.
    Param,
    /// `.const` variables; the address is the one `GlobalMemory::add_variable` gave.
    Const,
}

/// How an access takes part in ordering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Order {
    /// Plain: takes part in races.
    #[default]
    Weak,
    /// Volatile, relaxed, and atomics by default: never races with another strong access.
    Relaxed,
    /// `.acquire`: relaxed, then a fence.
    Acquire,
    /// `.release`: a fence, then relaxed.
    Release,
    /// Both.
    AcquireRelease,
}

impl Order {
    /// Whether the access is a strong one.
    pub const fn is_strong(self) -> bool {
        !matches!(self, Self::Weak)
    }

    /// Whether a fence follows the access.
    pub const fn acquires(self) -> bool {
        matches!(self, Self::Acquire | Self::AcquireRelease)
    }

    /// Whether a fence precedes the access.
    pub const fn releases(self) -> bool {
        matches!(self, Self::Release | Self::AcquireRelease)
    }
}

/// Where in the execution an access happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Site {
    /// Index of the instruction in the kernel.
    pub instruction: u32,
    /// Index of the warp in its block, below 32.
    pub warp: u32,
}

/// One warp-wide access but for its addresses and data.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// Window the addresses aim at.
    pub space: Space,
    /// Bytes of each lane: 1, 2, 4, 8, 16 or 32.
    pub width: u32,
    /// Active lanes, bit `l` = lane `l`.
    pub mask: u32,
    /// Ordering.
    pub order: Order,
    /// Instruction and warp.
    pub site: Site,
}
