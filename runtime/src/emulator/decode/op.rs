//! Decoded instructions.

use crate::emulator::alu::registers::{Long, Predicate, Run, Word};
use crate::emulator::memory::{Order, Space};

/// Why an instruction is not executed, as one clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The reason.
    pub(crate) reason: String,
}

impl Refusal {
    /// A refusal for that reason.
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

/// The pipe that runs an instruction; its place in the per-class counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// Integer arithmetic, logic, comparisons, selects and moves.
    Integer,
    /// Single precision.
    Float32,
    /// Half and bfloat16.
    Float16,
    /// Double precision.
    Float64,
    /// Special functions.
    Special,
    /// Conversions.
    Conversion,
    /// Memory of every space.
    Memory,
    /// Shuffles.
    Shuffle,
    /// Votes, matches, warp reductions.
    Vote,
    /// Barriers and fences.
    Barrier,
    /// Branches, calls, returns.
    Control,
}

/// Number of classes.
pub(crate) const N_CLASSES: usize = 11;

/// One decoded instruction.
pub(crate) struct Step {
    /// Lanes that run it.
    pub(crate) guard: Predicate,
    /// What it counts as.
    pub(crate) class: Class,
    /// What it does.
    pub(crate) op: Op,
}

/// An address operand: a base row plus bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Base {
    /// A 64-bit row.
    Long(Long),
    /// A 32-bit row, zero-extended (shared, local and parameter addresses).
    Word(Word),
}

/// An address operand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AddressOperand {
    /// The base.
    pub(crate) base: Base,
    /// Bytes added.
    pub(crate) offset: i64,
}

/// A register that a load fills or a store reads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DataRow {
    /// A word row.
    Word(Word),
    /// A long row.
    Long(Long),
}

/// How memory bytes become a register's value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element {
    /// Bytes of one element in memory: 1, 2, 4 or 8.
    pub(crate) bytes: u32,
    /// Bits to which a narrower signed element is extended; 0 where it is zero-extended.
    pub(crate) extend_to: u32,
}

/// A load or a store.
#[derive(Clone, Debug)]
pub(crate) struct Transfer {
    /// Window.
    pub(crate) space: Space,
    /// Ordering.
    pub(crate) order: Order,
    /// Where.
    pub(crate) address: AddressOperand,
    /// Element type.
    pub(crate) element: Element,
    /// The registers, one an element.
    pub(crate) data: Vec<DataRow>,
}

/// How a call-sequence parameter is read or written: constant offsets only.
#[derive(Clone, Debug)]
pub(crate) struct ParameterTransfer {
    /// Offset in the frame's parameter area, bytes.
    pub(crate) offset: u32,
    /// Element type.
    pub(crate) element: Element,
    /// The registers, one an element.
    pub(crate) data: Vec<DataRow>,
}

/// What an atomic does to the old value.
pub(crate) type Combine = Box<dyn Fn(u64, u64, u64) -> Option<u64> + Send + Sync>;

/// An atomic or a reduction.
pub(crate) struct Atomic {
    /// Window.
    pub(crate) space: Space,
    /// Ordering.
    pub(crate) order: Order,
    /// Where.
    pub(crate) address: AddressOperand,
    /// Bytes of one element.
    pub(crate) bytes: u32,
    /// Where the old values go; empty for `red`.
    pub(crate) old: Vec<DataRow>,
    /// First operand of each element.
    pub(crate) operands: Vec<DataRow>,
    /// Second operand (`cas`).
    pub(crate) second: Option<DataRow>,
    /// The operation: old, operand, second operand to the new value.
    pub(crate) combine: Combine,
}

/// An asynchronous copy to shared memory.
#[derive(Clone, Debug)]
pub(crate) struct CopyAsync {
    /// Destination, in shared memory.
    pub(crate) destination: AddressOperand,
    /// Source, in global memory.
    pub(crate) source: AddressOperand,
    /// Bytes written.
    pub(crate) bytes: u32,
    /// Bytes read, where fewer may be.
    pub(crate) source_bytes: Option<Word>,
    /// Predicate under which the source is ignored.
    pub(crate) ignore_source: Option<Predicate>,
}

/// What a block barrier waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BarrierKind {
    /// Arrive and wait.
    Sync,
    /// Arrive only.
    Arrive,
    /// Count the predicate's lanes.
    Popc,
    /// Whether the predicate holds in all.
    And,
    /// Whether it holds in one.
    Or,
}

/// A block barrier.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Barrier {
    /// Which, 0 to 15.
    pub(crate) index: Word,
    /// Threads taking part; `None` for the whole block.
    pub(crate) threads: Option<Word>,
    /// What it does.
    pub(crate) kind: BarrierKind,
    /// Whether all lanes of a warp must be at this very instruction.
    pub(crate) aligned: bool,
    /// Reduced predicate.
    pub(crate) predicate: Option<Predicate>,
    /// Where the count goes.
    pub(crate) count: Option<Word>,
    /// Where the truth value goes.
    pub(crate) truth: Option<Predicate>,
}

/// Which lane a shuffle reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ShuffleMode {
    /// From a lower lane.
    Up,
    /// From a higher lane.
    Down,
    /// From the lane whose number differs by an exclusive or.
    Butterfly,
    /// From the lane named.
    Index,
}

/// What a vote tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum VoteMode {
    /// Whether the predicate holds in every lane.
    All,
    /// Whether it holds in one.
    Any,
    /// Whether it is alike in every lane.
    Uniform,
    /// The lanes where it holds.
    Ballot,
}

/// What a warp reduction computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reduction {
    /// Sum, wrapping.
    Add,
    /// Least unsigned.
    MinUnsigned,
    /// Greatest unsigned.
    MaxUnsigned,
    /// Least signed.
    MinSigned,
    /// Greatest signed.
    MaxSigned,
    /// Bitwise and.
    And,
    /// Bitwise or.
    Or,
    /// Bitwise exclusive or.
    Xor,
}

/// A warp-wide operation with a member mask.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WarpOp {
    /// Member mask of each lane.
    pub(crate) members: Word,
    /// What it does.
    pub(crate) kind: WarpOpKind,
}

/// What a warp-wide operation does, with its operands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum WarpOpKind {
    /// `bar.warp.sync`.
    Sync,
    /// `shfl.sync`.
    Shuffle {
        /// Direction.
        mode: ShuffleMode,
        /// Result.
        target: Word,
        /// Whether the lane read is in range.
        in_range: Option<Predicate>,
        /// Value offered.
        value: Word,
        /// Lane or distance.
        lane: Word,
        /// Clamp and segment mask.
        clamp: Word,
    },
    /// `vote.sync`.
    Vote {
        /// Which.
        mode: VoteMode,
        /// Ballot result.
        ballot: Option<Word>,
        /// Truth result.
        truth: Option<Predicate>,
        /// Input.
        predicate: Predicate,
    },
    /// `match.sync`.
    Match {
        /// `.all` rather than `.any`.
        all: bool,
        /// Result mask.
        target: Word,
        /// Whether all are alike (`.all`).
        truth: Option<Predicate>,
        /// Value compared.
        value: DataRow,
    },
    /// `redux.sync`.
    Reduce {
        /// Which.
        operation: Reduction,
        /// Result.
        target: Word,
        /// Input.
        value: Word,
    },
    /// `elect.sync`.
    Elect {
        /// The elected lane.
        target: Word,
        /// Whether this lane is elected.
        truth: Predicate,
    },
}

/// Where a call goes.
#[derive(Clone, Debug)]
pub(crate) enum Callee {
    /// A function of the program.
    Function(u32),
    /// The address of a function in a register.
    Indirect(Long),
    /// `vprintf`: text of the device's output, not collected.
    Print,
    /// `__assertfail`.
    AssertFail,
    /// `malloc`, which always fails here, and `free`.
    Heap,
}

/// A call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Where to.
    pub(crate) callee: Callee,
    /// Offsets of the arguments in the caller's parameter area.
    pub(crate) arguments: Vec<u32>,
    /// Offsets of the results in the caller's parameter area.
    pub(crate) results: Vec<u32>,
}

/// Which counter an instruction reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClockKind {
    /// Low half of the cycle counter.
    Low,
    /// High half.
    High,
    /// All of it.
    Full,
}

/// What an instruction does.
pub(crate) enum Op {
    /// Nothing that can be seen.
    Nothing,
    /// Registers only.
    Run(Run),
    /// A load.
    Load(Transfer),
    /// A store.
    Store(Transfer),
    /// Reads the parameter area of the frame.
    LoadParameter(ParameterTransfer),
    /// Writes it.
    StoreParameter(ParameterTransfer),
    /// An atomic.
    Atomic(Box<Atomic>),
    /// An asynchronous copy.
    CopyAsync(CopyAsync),
    /// `cp.async.commit_group`.
    CommitAsync,
    /// `cp.async.wait_group`: groups that may stay pending; `None` for `wait_all`.
    WaitAsync(Option<u32>),
    /// Jump for the active lanes; the others go on.
    Branch {
        /// Where to.
        target: u32,
        /// Where diverged lanes meet again; `u32::MAX` where only at the function's end.
        reconverge: u32,
    },
    /// Jump through a table.
    BranchTable {
        /// Index into the table.
        index: Word,
        /// Where to.
        targets: Vec<u32>,
        /// Where diverged lanes meet again.
        reconverge: u32,
    },
    /// Call.
    Call(Box<Call>),
    /// Return from a function; from the kernel, exit.
    Return,
    /// End of the thread.
    Exit,
    /// The kernel stops itself.
    Trap,
    /// Block barrier.
    Barrier(Box<Barrier>),
    /// Arrival at the cluster's barrier.
    ClusterArrive {
        /// Whether it releases.
        releases: bool,
        /// Whether all lanes of a warp must be at this very instruction.
        aligned: bool,
    },
    /// Wait at the cluster's barrier.
    ClusterWait {
        /// Whether all lanes of a warp must be at this very instruction.
        aligned: bool,
    },
    /// Warp-wide operation.
    Warp(Box<WarpOp>),
    /// Active lanes.
    ActiveMask(Word),
    /// `membar`, `fence`.
    Fence,
    /// `griddepcontrol.wait`.
    GridWait,
    /// A cycle counter.
    Clock(ClockKind, DataRow),
}

impl Op {
    /// Whether it is a branch, which is counted even where no lane takes it.
    pub(crate) const fn is_branch(&self) -> bool {
        matches!(self, Self::Branch { .. })
    }
}
