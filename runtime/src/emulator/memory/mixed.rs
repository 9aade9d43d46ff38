//! The shadow of four bytes whose accesses no cell can hold: byte by byte. Accesses by other blocks
//! of a cluster are kept only here.

use super::cell::{Cell, kind};
use super::clocks::{Clocks, bits};
use super::mates::Mates;
use super::shadow::Conflict;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Mixed {
    bytes: [ByteState; 4],
}

/// One byte: its last write, and the reads that no later read is ordered after.
#[derive(Debug, Default)]
struct ByteState {
    write: Option<Entry>,
    reads: Vec<Entry>,
}

/// An access of one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    cell: Cell,
    /// The lanes of a cell of `MANY`.
    side: u32,
    /// The accessing block's rank in its cluster.
    rank: usize,
}

impl Entry {
    /// The bytes that are not ordered before a new access by a warp of the block of `clocks`.
    fn not_before(&self, new: Cell, lanes: u32, clocks: &Clocks) -> u8 {
        if self.rank == clocks.rank() {
            return self.cell.not_before(self.side, new, lanes, clocks);
        }
        let (warp, stamp) = (self.cell.warp(), self.cell.stamp());
        let known = |mates: &Mates| mates.knows(new.warp(), self.rank, warp, stamp);
        if clocks.mates().is_some_and(known) { 0 } else { self.cell.mask() & new.mask() }
    }

    /// The same of accesses that are not both strong.
    fn unordered(&self, new: Cell, lanes: u32, clocks: &Clocks) -> u8 {
        if self.cell.is_strong() && new.is_strong() {
            return 0;
        }
        self.not_before(new, lanes, clocks)
    }
}

impl Mixed {
    /// The bytes of a write cell and a read cell of the block of that rank; those below `floor`
    /// are ordered before everything to come.
    pub(super) fn of_cells(
        (write, read, side): (Cell, Cell, u32),
        rank: usize,
        floor: Cell,
    ) -> Self {
        let mut mixed = Self::default();
        for (byte, state) in mixed.bytes.iter_mut().enumerate() {
            if write >= floor && write.mask() >> byte & 1 == 1 {
                state.write = Some(Entry { cell: write.for_byte(byte), side: 0, rank });
            }
            if read < floor || read.mask() >> byte & 1 == 0 {
                continue;
            }
            if read.kind() == kind::SEVERAL {
                let warps = bits(side).map(|warp| (read.for_warp(warp, byte), 0));
                state.reads.extend(warps.map(|(cell, side)| Entry { cell, side, rank }));
            } else {
                state.reads.push(Entry { cell: read.for_byte(byte), side, rank });
            }
        }
        mixed
    }

    /// As cells, where they say it all: write, read, and what lies beside the read. They must all
    /// be of the block of that rank.
    pub(super) fn to_cells(&self, rank: usize) -> Option<(Cell, Cell, u32)> {
        let foreign = |entry: &Entry| entry.rank != rank;
        if self.bytes.iter().any(|s| s.write.iter().chain(&s.reads).any(foreign)) {
            return None;
        }
        let mut write = Cell::EMPTY;
        for new in self.bytes.iter().filter_map(|state| state.write) {
            write = if write == Cell::EMPTY { new.cell } else { write.combine(new.cell)? };
        }
        let (mut read, mut side) = (Cell::EMPTY, 0);
        let [first, rest @ ..] = &self.bytes;
        if let [Entry { cell, side: lanes, .. }] = first.reads[..]
            && cell.kind() == kind::MANY
        {
            let same = |state: &ByteState| matches!(state.reads[..], [Entry { cell: c, side: l, .. }] if l == lanes && c.is_alike(cell));
            return rest.iter().all(same).then(|| (write, cell.whole(), lanes));
        }
        for state in &self.bytes {
            match state.reads[..] {
                [] => {}
                [Entry { cell: new, side: lanes, .. }] => {
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
                let bytes = write.unordered(new.for_byte(byte), lanes, clocks);
                add(&mut conflict, bytes, write, true);
            }
        }
        conflict
    }

    /// Records a read and says what writes it is not ordered after.
    pub(super) fn read(&mut self, new: Cell, lanes: u32, clocks: &Clocks) -> Option<Conflict> {
        let conflict = self.check_read(new, lanes, clocks);
        for (byte, state) in self.bytes.iter_mut().enumerate() {
            state.prune(clocks);
            if new.mask() >> byte & 1 == 0 {
                continue;
            }
            let new = new.for_byte(byte);
            state.reads.retain(|old| {
                old.not_before(new, lanes, clocks) != 0 || !old.cell.is_strong() && new.is_strong()
            });
            let entry = Entry { cell: new, side: lanes, rank: clocks.rank() };
            if !state.reads.contains(&entry) {
                state.reads.push(entry);
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
            for &read in &state.reads {
                add(&mut of_reads, read.unordered(new, 0, clocks), read, false);
            }
            if let Some(write) = state.write {
                let mut bytes = write.unordered(new, 0, clocks);
                if !write.cell.is_strong() && !new.is_strong() {
                    bytes &= differs;
                }
                add(&mut of_writes, bytes, write, true);
            }
        }
        [of_reads, of_writes]
    }

    /// Records a write.
    pub(super) fn put_write(&mut self, new: Cell, clocks: &Clocks) {
        let rank = clocks.rank();
        for (byte, state) in self.bytes.iter_mut().enumerate() {
            state.prune(clocks);
            if new.mask() >> byte & 1 == 1 {
                let new = new.for_byte(byte);
                if clocks.mates().is_some() && !new.is_strong() {
                    // Whatever races with these reads races with this write.
                    state.reads.retain(|read| read.not_before(new, 0, clocks) != 0);
                }
                state.write = Some(Entry { cell: new, side: 0, rank });
            }
        }
    }
}

impl ByteState {
    /// Drops what is ordered before everything to come.
    fn prune(&mut self, clocks: &Clocks) {
        let (floor, rank) = (Cell::floor(clocks.everywhere()), clocks.rank());
        let matters = |entry: &Entry| entry.rank != rank || entry.cell >= floor;
        self.write = self.write.filter(matters);
        self.reads.retain(matters);
    }
}

/// Adds the bytes of one earlier access to what is known of a conflict.
fn add(conflict: &mut Option<Conflict>, bytes: u8, other: Entry, is_write: bool) {
    if bytes != 0 {
        let Entry { cell: other, rank, .. } = other;
        conflict.get_or_insert(Conflict { bytes: 0, other, rank, is_write }).bytes |= bytes;
    }
}
