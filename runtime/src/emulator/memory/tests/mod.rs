//! Tests through one script: accesses in, faults and counts out.
#![expect(clippy::cast_possible_truncation, reason = "indices of lanes, bytes and steps")]

mod cluster;
mod counting;
mod global;
mod oracle;
mod paths;
mod races;
mod random;
mod values;

use std::sync::Arc;

use ridge_spec::counters::Counters;
use ridge_spec::dtype::Dtype;

use crate::device::{Buffer, BufferContent};

use super::*;

/// Buffers of the tests: `x`, an input of 4096 bytes, each its index modulo 256, and `y`, an
/// output of 65536 + 100 bytes.
pub(super) fn buffers() -> Vec<Buffer> {
    let input: Vec<u8> = (0..=255u8).cycle().take(4096).collect();
    vec![
        Buffer {
            name: "x".to_owned(),
            dtype: Dtype::U8,
            content: BufferContent::Input(input.into()),
            constant: false,
        },
        Buffer {
            name: "y".to_owned(),
            dtype: Dtype::U8,
            content: BufferContent::Output { size_bytes: 65536 + 100 },
            constant: false,
        },
    ]
}

/// One block, with names for what kernels do. Each access is the next instruction.
pub(super) struct Script<'g> {
    pub(super) memory: BlockMemory<'g>,
    pub(super) x: u64,
    pub(super) y: u64,
    pub(super) next: u32,
    pub(super) space: Space,
    pub(super) order: Order,
}

impl<'g> Script<'g> {
    /// A block of that many threads, with 1024 bytes of shared memory and stacks of 64.
    pub(super) fn new(global: &'g GlobalMemory, threads: u32, block: u64) -> Self {
        let params = Arc::from([7u8, 0, 0, 0, 1, 2, 3, 4]);
        let shape = BlockShape { threads, shared_bytes: 1024, local_bytes: 64, params };
        let mut memory = BlockMemory::new(global, shape);
        memory.begin_block(block);
        let (x, y) = (global.buffer_address(0).unwrap(), global.buffer_address(1).unwrap());
        Self { memory, x, y, next: 0, space: Space::Shared, order: Order::Weak }
    }

    pub(super) fn access(&mut self, warp: u32, mask: u32, width: u32) -> Access {
        let site = Site { instruction: self.next, warp };
        self.next += 1;
        Access { space: self.space, width, mask, order: self.order, site }
    }

    /// Stores: lane `l` its value at its address.
    pub(super) fn store(
        &mut self,
        (warp, mask, width): (u32, u32, u32),
        address: impl Fn(u64) -> u64,
        value: impl Fn(u32) -> u32,
    ) {
        let access = self.access(warp, mask, width);
        let mut rows = [[0; LANES]; 8];
        for (k, row) in rows.iter_mut().enumerate() {
            for (lane, word) in row.iter_mut().enumerate() {
                *word = value(lane as u32).wrapping_add(1000 * k as u32);
            }
        }
        self.memory.store(&access, &lanes(address), &rows[..width.div_ceil(4) as usize]);
    }

    pub(super) fn load(
        &mut self,
        (warp, mask, width): (u32, u32, u32),
        address: impl Fn(u64) -> u64,
    ) -> Vec<Row> {
        let access = self.access(warp, mask, width);
        let mut rows = vec![[0xdead_beef; LANES]; width.div_ceil(4) as usize];
        self.memory.load(&access, &lanes(address), &mut rows);
        rows
    }

    /// Adds 1 to 4 bytes at each address.
    pub(super) fn add(&mut self, warp: u32, mask: u32, address: impl Fn(u64) -> u64) -> Row {
        let access = self.access(warp, mask, 4);
        let mut old = [0; LANES];
        self.memory.atomic(&access, &lanes(address), &mut |lane, value| {
            old[lane] = value as u32;
            Some(value + 1)
        });
        old
    }

    pub(super) fn counters(&mut self) -> Counters {
        let mut counters = Counters::default();
        self.memory.end_block(&mut counters);
        counters
    }
}

pub(super) fn lanes(address: impl Fn(u64) -> u64) -> Addresses {
    std::array::from_fn(|lane| address(lane as u64))
}

/// A fault a line: kind, instruction, warp, lanes, place, and the other side of a race.
pub(super) fn describe(faults: &FaultLog) -> String {
    let lines = faults.iter().map(|fault| {
        let place = match &fault.place {
            Place::Buffer { name, .. } => name.as_str(),
            Place::Shared { .. } => "shared",
            Place::Remote { .. } | Place::NoBlock { .. } => "remote",
            Place::Local { .. } => "local",
            Place::Param { .. } => "param",
            Place::Nowhere => "nowhere",
        };
        let other = fault.other.map_or(String::new(), |other| {
            let what = if other.is_write { "write" } else { "read" };
            let lane = other.lane.map_or(String::new(), |lane| format!(" lane {lane}"));
            let instruction = other.instruction.map_or(-1, i64::from);
            format!(" with {what} {instruction} of warp {}{lane}", other.warp)
        });
        let cause = match fault.cause {
            Cause::Plain => String::new(),
            cause => format!(" {cause:?}"),
        };
        format!(
            "{} at {} of warp {} lanes {:x} {place}{:+}{cause}{other}\n",
            fault.kind.code(),
            fault.site.instruction,
            fault.site.warp,
            fault.lanes,
            fault.offset,
        )
    });
    lines.collect()
}

/// Runs a script in a block of 64 threads and compares the faults.
#[track_caller]
pub(super) fn check(script: impl FnOnce(&mut Script<'_>), expected: &str) {
    check_of(2, script, expected);
}

/// The same of a block of that many warps.
#[track_caller]
pub(super) fn check_of(warps: u32, script: impl FnOnce(&mut Script<'_>), expected: &str) {
    let global = GlobalMemory::new(&buffers());
    let mut block = Script::new(&global, 32 * warps, 0);
    script(&mut block);
    let faults = describe(&block.memory.take_faults());
    let expected: String = expected.lines().map(|line| format!("{}\n", line.trim())).collect();
    assert_eq!(faults, expected);
}
