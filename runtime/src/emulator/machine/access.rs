//! Register rows to and from memory.

use crate::emulator::alu::registers::{LANES, Registers, Slot, active_lanes, lanes};
use crate::emulator::decode::op::{
    AddressOperand, Atomic, Base, CopyAsync, DataRow, Element, Transfer,
};
use crate::emulator::memory::{Access, Addresses, AsyncCopy, BlockMemory, Row, Site};

/// The address of every lane.
#[inline(always)]
fn addresses(registers: &Registers, operand: AddressOperand) -> Addresses {
    let offset = operand.offset as u64;
    match operand.base {
        Base::Long(long) => {
            let row = long.row(registers);
            lanes(|lane| row[lane].wrapping_add(offset))
        }
        Base::Word(word) => {
            let row = word.row(registers);
            lanes(|lane| u64::from(row[lane]).wrapping_add(offset))
        }
    }
}

/// Loads into registers.
pub(super) fn load(
    memory: &mut BlockMemory<'_>,
    site: Site,
    registers: &mut Registers,
    transfer: &Transfer,
    mask: u32,
) {
    let addresses = addresses(registers, transfer.address);
    let width = transfer.element.bytes * transfer.data.len() as u32;
    let access = Access { space: transfer.space, width, mask, order: transfer.order, site };
    let mut rows = [[0; LANES]; 8];
    let n_rows = width.div_ceil(4) as usize;
    memory.load(&access, &addresses, &mut rows[..n_rows]);
    unpack(registers, transfer.element, &transfer.data, &rows, mask);
}

/// Puts the elements of a transfer into registers.
fn unpack(
    registers: &mut Registers,
    element: Element,
    data: &[DataRow],
    rows: &[Row; 8],
    mask: u32,
) {
    for (k, target) in data.iter().enumerate() {
        let start = k * element.bytes as usize;
        let row = &rows[start / 4];
        match target {
            DataRow::Word(word) if element.bytes == 4 => word.store(registers, row, mask),
            DataRow::Long(long) if element.bytes == 8 => {
                let high = &rows[start / 4 + 1];
                let out = lanes(|lane| u64::from(row[lane]) | u64::from(high[lane]) << 32);
                long.store(registers, &out, mask);
            }
            DataRow::Word(word) => {
                let out = narrow(row, start, element).map(|value| value as u32);
                word.store(registers, &out, mask);
            }
            DataRow::Long(long) => long.store(registers, &narrow(row, start, element), mask),
        }
    }
}

/// Elements narrower than their register: cut out of the row and extended.
fn narrow(row: &Row, start: usize, element: Element) -> [u64; LANES] {
    let shift = 8 * (start % 4);
    let unused = 64 - 8 * element.bytes;
    if element.extend_to == 0 {
        return lanes(|lane| u64::from(row[lane] >> shift) << unused >> unused);
    }
    let beyond = 64 - element.extend_to;
    lanes(|lane| {
        let value = u64::from(row[lane] >> shift) << unused;
        ((value as i64 >> unused) as u64) << beyond >> beyond
    })
}

/// The rows of the elements of a store.
fn pack(registers: &Registers, element: Element, data: &[DataRow], rows: &mut [Row; 8]) {
    for (k, source) in data.iter().enumerate() {
        let start = k * element.bytes as usize;
        let at = start / 4;
        match (source, element.bytes) {
            (DataRow::Word(word), 4) => rows[at] = *word.row(registers),
            (DataRow::Long(long), 8) => {
                let row = long.row(registers);
                rows[at] = lanes(|lane| row[lane] as u32);
                rows[at + 1] = lanes(|lane| (row[lane] >> 32) as u32);
            }
            (source, bytes) => {
                let shift = 8 * (start % 4);
                let limit = if bytes >= 4 { u32::MAX } else { (1 << (8 * bytes)) - 1 };
                let value: Row = match source {
                    DataRow::Word(word) => *word.row(registers),
                    DataRow::Long(long) => {
                        let row = long.row(registers);
                        lanes(|lane| row[lane] as u32)
                    }
                };
                let target = &mut rows[at];
                for lane in 0..LANES {
                    target[lane] |= (value[lane] & limit) << shift;
                }
            }
        }
    }
}

/// Stores registers.
pub(super) fn store(
    memory: &mut BlockMemory<'_>,
    site: Site,
    registers: &Registers,
    transfer: &Transfer,
    mask: u32,
) {
    let addresses = addresses(registers, transfer.address);
    let width = transfer.element.bytes * transfer.data.len() as u32;
    let access = Access { space: transfer.space, width, mask, order: transfer.order, site };
    let mut rows = [[0; LANES]; 8];
    pack(registers, transfer.element, &transfer.data, &mut rows);
    memory.store(&access, &addresses, &rows[..width.div_ceil(4) as usize]);
}

/// The lanes of a row as 64 bits, cut to `bytes`.
fn wide(registers: &Registers, row: DataRow, bytes: u32) -> [u64; LANES] {
    let unused = 64 - 8 * bytes;
    match row {
        DataRow::Word(word) => {
            let row = word.row(registers);
            lanes(|lane| u64::from(row[lane]) << unused >> unused)
        }
        DataRow::Long(long) => {
            let row = long.row(registers);
            lanes(|lane| row[lane] << unused >> unused)
        }
    }
}

/// An atomic: one access an element, in the order of the elements.
pub(super) fn atomic(
    memory: &mut BlockMemory<'_>,
    site: Site,
    registers: &mut Registers,
    atomic: &Atomic,
    mask: u32,
) {
    let start = addresses(registers, atomic.address);
    let mut results = Vec::with_capacity(atomic.old.len());
    for (k, operand) in atomic.operands.iter().enumerate() {
        let offset = u64::from(atomic.bytes) * k as u64;
        let addresses = lanes(|lane| start[lane].wrapping_add(offset));
        let x = wide(registers, *operand, atomic.bytes);
        let y = atomic.second.map_or([0; LANES], |row| wide(registers, row, atomic.bytes));
        let access =
            Access { space: atomic.space, width: atomic.bytes, mask, order: atomic.order, site };
        let mut old = [0; LANES];
        memory.atomic(&access, &addresses, &mut |lane, value| {
            old[lane] = value;
            (atomic.combine)(value, x[lane], y[lane])
        });
        results.push(old);
    }
    for (target, old) in atomic.old.iter().zip(results) {
        match target {
            DataRow::Word(word) => word.store(registers, &old.map(|v| v as u32), mask),
            DataRow::Long(long) => long.store(registers, &old, mask),
        }
    }
}

/// An asynchronous copy to shared memory.
pub(super) fn copy_async(
    memory: &mut BlockMemory<'_>,
    site: Site,
    registers: &Registers,
    copy: &CopyAsync,
    mask: u32,
) {
    let ignored = copy.ignore_source.map_or(0, |predicate| predicate.read(registers));
    let mut source_bytes = match copy.source_bytes {
        Some(word) => word.row(registers).map(|bytes| bytes.min(copy.bytes)),
        None => [copy.bytes; LANES],
    };
    for lane in active_lanes(ignored) {
        source_bytes[lane] = 0;
    }
    memory.async_copy(&AsyncCopy {
        site,
        mask,
        copy_bytes: copy.bytes,
        source_bytes: &source_bytes,
        destination: &addresses(registers, copy.destination),
        source: &addresses(registers, copy.source),
    });
}
