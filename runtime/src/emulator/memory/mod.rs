//! The memory of an emulated launch: what an access reads and writes, whether it was allowed to,
//! and what it would have cost the memory system.
//!
//! [`GlobalMemory`] is shared by the blocks of a launch, which may run on several threads;
//! a [`BlockMemory`] belongs to one thread and serves one block after another. Both speak of
//! *sites* (instruction index and warp), never of source lines: whoever knows the program turns a
//! [`Fault`] into a finding.

mod access;
mod bitmap;
mod block;
mod cell;
mod clocks;
mod copies;
mod count;
mod dispatch;
mod fault;
mod global;
mod global_access;
mod lines;
mod local;
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
