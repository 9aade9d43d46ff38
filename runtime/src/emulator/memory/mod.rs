//! The memory of an emulated launch: what an access reads and writes, whether it was allowed to,
//! and what it would have cost the memory system.
//!
//! [`GlobalMemory`] is shared by the blocks of a launch, which may run on several threads;
//! a [`BlockMemory`] belongs to one thread and serves one block after another. Both speak of
//! *sites* (instruction index and warp), never of source lines: whoever knows the program turns a
//! [`Fault`] into a finding.
//!
//! # Use
//!
//! Build a [`GlobalMemory`] from the buffers, add the module's variables, give their addresses to
//! the kernel. On each thread make a [`BlockMemory`]; for each block call
//! [`begin_block`](BlockMemory::begin_block), run it, tell the memory of every access, barrier,
//! `bar.warp.sync`, fence and exit, and call [`end_block`](BlockMemory::end_block) and
//! [`take_faults`](BlockMemory::take_faults). When all are done merge the logs and call
//! [`into_outputs`](GlobalMemory::into_outputs). The blocks of a cluster begin together and share
//! a [`ClusterMemory`].
//!
//! # Rules
//!
//! **Faulting lanes** access nothing: a load gives them zeros, a store or atomic leaves them out.
//! The other lanes go on. Out of bounds comes before misaligned (to the whole width of a lane's
//! access), and either before anything else.
//!
//! **Uninitialised** is a byte of an output, of shared memory or of a stack that nothing has
//! written. It is reported when an active lane loads it or an atomic finds it, whatever becomes of
//! the value: copying counts. Lanes that a guard or a branch turned off do not count. Inputs,
//! filled buffers and module variables are initialised.
//!
//! **A race** is two accesses of one byte by different threads, at least one a write and not both
//! strong, that nothing orders. Strong are atomics, volatile, relaxed, acquire and release
//! accesses. What orders:
//! - within a lane, the program;
//! - among lanes of a warp, `__syncwarp` of both; not shuffles or votes, which order no memory,
//!   and not that lanes happen to run together;
//! - among warps, a barrier that both reach, or from arrival to wait at a named one;
//! - through memory, a fence and then a strong write on one side, a strong read of the same
//!   address and then a fence on the other; a read-modify-write needs no second fence, since "the
//!   last block done" idiom has none. Fences count alike in all scopes.
//!
//! **Two plain writes of the same value** to a byte are no race, be it by lanes of one instruction
//! or by different warps or blocks (`flag = 1`); of different values they are. A read that nothing
//! orders with a write is one whatever the values.
//!
//! **An asynchronous copy** is in flight from its issue until its lane has waited for its group;
//! every access to its target before is a race. Afterwards it is a write of that lane at that
//! moment.
//!
//! **The blocks of a cluster** reach into each other's shared memory and are told apart there as
//! they are in global memory, but exactly, since they take turns on one thread. What orders them:
//! - the cluster's barrier, from an arrival that releases to a wait; from a relaxed arrival, what
//!   the warp's last fence covers;
//! - a release and an acquire through memory, be it global, the block's own or another's.
//!
//! **Another block's shared memory** may be accessed after that block has begun, which a wait at
//! any cluster barrier shows, and before it ends: some thread of it must exit knowing of the
//! access. Else the access races with the block's beginning or end, whichever turn it came in.
//!
//! **Between blocks**, which comes first is chance. A race is therefore told at its read, or at the
//! higher of two writing blocks, whichever came first; and an uninitialised read of a byte that
//! another block wrote in the end is left to the race.
//!
//! **Too early**, where the launch is a programmatic one, is an access of a thread that is not yet
//! ordered behind a `griddepcontrol.wait` of its block: a write of global memory, and a read of a
//! buffer that is not constant. Prefetches do not count; an asynchronous copy counts at its issue.
//!
//! # What is not seen
//!
//! Of several strong writes, or plain writes of one value, that nothing orders, only the latest is
//! remembered. In global memory so are only the four latest readers of a byte in other blocks. Of
//! several warps that read the same four bytes of shared memory, the lanes are not remembered. An
//! access that leaves one shared variable for another is within bounds. Lanes of one warp that
//! arrive apart at the cluster's barrier count as one arrival, the latest; those that wait apart as
//! one wait, the first. A read of a module variable is never too early.

mod access;
mod bitmap;
mod block;
mod cell;
mod clocks;
mod cluster;
mod copies;
mod count;
mod dispatch;
mod early;
mod fault;
mod global;
mod global_access;
mod global_load;
mod global_store;
mod lines;
mod local;
mod mates;
mod mixed;
mod page;
mod pattern;
mod problems;
mod record;
mod releases;
mod shadow;
mod shared;
mod store;
mod touched;

#[cfg(test)]
mod tests;

pub use access::{Access, Addresses, LANES, Order, Row, Site, Space};
pub use block::{BlockMemory, BlockShape};
pub use cluster::{CLUSTER_BLOCKS_MAX, ClusterMemory, RANK_SHIFT};
pub use copies::AsyncCopy;
pub use fault::{Action, Cause, Fault, FaultLog, OtherAccess, Place};
pub use global::{GlobalMemory, Variable};

/// Addresses below this belong to nobody, in every window of 64-bit addresses.
pub const NULL_PAGE_BYTES: u64 = 1 << 16;

/// Generic address of byte 0 of the block's shared memory.
pub const SHARED_WINDOW: u64 = 0x0000_7f10_0000_0000;

/// Generic address of byte 0 of the thread's stack.
pub const LOCAL_WINDOW: u64 = 0x0000_7f20_0000_0000;

/// Generic address of byte 0 of the kernel's parameters.
pub const PARAM_WINDOW: u64 = 0x0000_7f30_0000_0000;

/// Size of each of those windows.
pub const WINDOW_BYTES: u64 = 1 << 32;
