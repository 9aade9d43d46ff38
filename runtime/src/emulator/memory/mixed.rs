//! The shadow of four bytes whose accesses no cell can hold: byte by byte.

use super::cell::{Cell, kind};
use super::clocks::{Clocks, bits};
use super::shadow::Conflict;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Mixed {
    bytes: [ByteState; 4],
}

/// One byte: its last write, and the reads that no later read is ordered after, each with the
/// lanes of a cell of `MANY`.
#[derive(Debug, Default)]
struct ByteState {
    write: Option<Cell>,
    reads: Vec<(Cell, u32)>,
}

impl Mixed {
    /// The bytes of a write cell and a read cell.
    pub(super) fn of_cells(write: Cell, read: Cell, side: u32, clocks: &Clocks) -> Self {
        let mut mixed = Self::default();
        let floor = Cell::floor(clocks.everywhere());
        for (byte, state) in mixed.bytes.iter_mut().enumerate() {
            if write >= floor && write.mask() >> byte & 1 == 1 {
                state.write = Some(write.for_byte(byte));
            }
            if read < floor || read.mask() >> byte & 1 == 0 {
                continue;
            }
            if read.kind() == kind::SEVERAL {
                let warps = bits(side).map(|warp| (read.for_warp(warp, byte), 0));
                state.reads.extend(warps);
            } else {
                state.reads.push((read.for_byte(byte), side));
            }
        }
        mixed
    }

    /// As cells, where they say it all: write, read, and what lies beside the read.
    pub(super) fn to_cells(&self) -> Option<(Cell, Cell, u32)> {
        let mut write = Cell::EMPTY;
        for new in self.bytes.iter().filter_map(|state| state.write) {
            write = if write == Cell::EMPTY { new } else { write.combine(new)? };
        }
        let (mut read, mut side) = (Cell::EMPTY, 0);
        let [first, rest @ ..] = &self.bytes;
        if let [(cell, lanes)] = first.reads[..]
            && cell.kind() == kind::MANY
        {
            let same = |state: &ByteState| matches!(state.reads[..], [(c, l)] if l == lanes && c.is_alike(cell));
            return rest.iter().all(same).then(|| (write, cell.whole(), lanes));
        }
        for state in &self.bytes {
            match state.reads[..] {
                [] => {}
                [(new, lanes)] => {
                    read = if read == Cell::EMPTY { new } else { read.combine(new)? };
                    side = lanes;
                }
                _ => return None,
            }
        }
        Some((write, read, side))
    }

    /// What writes a read is not ordered after.
    pub(super) fn check_read(&self, new: Cell, lanes: u32, clocks: &Clocks) -> Option<Conflict> {
        let mut conflict = None;
        for (byte, state) in self.bytes.iter().enumerate() {
            if let (Some(write), 1) = (state.write, new.mask() >> byte & 1) {
                let bytes = write.unordered(0, new.for_byte(byte), lanes, clocks);
                add(&mut conflict, bytes, write, true);
            }
        }
        conflict
    }

    /// Records a read and says what writes it is not ordered after.
    pub(super) fn read(&mut self, new: Cell, lanes: u32, clocks: &Clocks) -> Option<Conflict> {
        let floor = Cell::floor(clocks.everywhere());
        let conflict = self.check_read(new, lanes, clocks);
        for (byte, state) in self.bytes.iter_mut().enumerate() {
            state.prune(floor);
            if new.mask() >> byte & 1 == 0 {
                continue;
            }
            let new = new.for_byte(byte);
            state.reads.retain(|&(old, side)| {
                old.not_before(side, new, lanes, clocks) != 0 || !old.is_strong() && new.is_strong()
            });
            if !state.reads.contains(&(new, lanes)) {
                state.reads.push((new, lanes));
            }
        }
        conflict
    }

    /// What a write would not be ordered after: reads, and writes.
    pub(super) fn check_write(
        &self,
        new: Cell,
        differs: u8,
        clocks: &Clocks,
    ) -> [Option<Conflict>; 2] {
        let (mut of_reads, mut of_writes) = (None, None);
        for (byte, state) in self.bytes.iter().enumerate() {
            if new.mask() >> byte & 1 == 0 {
                continue;
            }
            let new = new.for_byte(byte);
            for &(read, side) in &state.reads {
                add(&mut of_reads, read.unordered(side, new, 0, clocks), read, false);
            }
            if let Some(write) = state.write {
                let mut bytes = write.unordered(0, new, 0, clocks);
                if !write.is_strong() && !new.is_strong() {
                    bytes &= differs;
                }
                add(&mut of_writes, bytes, write, true);
            }
        }
        [of_reads, of_writes]
    }

    /// Records a write.
    pub(super) fn put_write(&mut self, new: Cell, clocks: &Clocks) {
        let floor = Cell::floor(clocks.everywhere());
        for (byte, state) in self.bytes.iter_mut().enumerate() {
            state.prune(floor);
            if new.mask() >> byte & 1 == 1 {
                state.write = Some(new.for_byte(byte));
            }
        }
    }
}

impl ByteState {
    /// Drops what is ordered before everything to come.
    fn prune(&mut self, floor: Cell) {
        self.write = self.write.filter(|&write| write >= floor);
        self.reads.retain(|&(read, _)| read >= floor);
    }
}

/// Adds the bytes of one earlier access to what is known of a conflict.
fn add(conflict: &mut Option<Conflict>, bytes: u8, other: Cell, is_write: bool) {
    if bytes != 0 {
        conflict.get_or_insert(Conflict { bytes: 0, other, is_write }).bytes |= bytes;
    }
}
