//! Who accessed shared memory last, four bytes at a time, and whether that makes a race.
//!
//! Each four bytes have a cell for the last write and one for the reads since. What a cell cannot
//! say exactly is kept byte by byte in [`Mixed`], in the manner of FastTrack (Flanagan and Freund,
//! 2009): the last write, and the reads that no later read is ordered after.

use std::collections::BTreeMap;

use super::cell::{Actor, Cell, kind};
use super::clocks::{Clocks, bits};
use super::mixed::Mixed;

/// Shadow of one block's shared memory.
#[derive(Debug)]
pub(super) struct Shadow {
    writes: Vec<Cell>,
    reads: Vec<Cell>,
    /// Beside a read cell: lanes of `MANY`, warps of `SEVERAL`.
    sides: Vec<u32>,
    mixed: BTreeMap<usize, Mixed>,
    /// The block's rank in its cluster: cells are of its own warps.
    home: usize,
}

/// Accesses that nothing orders, in one granule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Conflict {
    /// The bytes concerned.
    pub(super) bytes: u8,
    /// The earlier access.
    pub(super) other: Cell,
    /// The rank in its cluster of the block that made it.
    pub(super) rank: usize,
    /// Whether it was a write.
    pub(super) is_write: bool,
}

impl Shadow {
    pub(super) fn new(bytes: usize) -> Self {
        let granules = bytes.div_ceil(4);
        Self {
            writes: vec![Cell::EMPTY; granules],
            reads: vec![Cell::EMPTY; granules],
            sides: vec![0; granules],
            mixed: BTreeMap::new(),
            home: 0,
        }
    }

    /// The block's rank in its cluster.
    pub(super) const fn set_home(&mut self, rank: usize) {
        self.home = rank;
    }

    /// Forgets what the stamps of a new block do not make harmless anyway.
    pub(super) fn begin(&mut self) {
        for granule in std::mem::take(&mut self.mixed).into_keys() {
            self.writes[granule] = Cell::EMPTY;
            self.reads[granule] = Cell::EMPTY;
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.mixed.clear();
        self.writes.fill(Cell::EMPTY);
        self.reads.fill(Cell::EMPTY);
    }

    /// Whether everything in these granules is ordered before whoever has that floor.
    pub(super) fn is_below(&self, granules: &std::ops::Range<usize>, floor: Cell) -> bool {
        Cell::all_below(&self.writes[granules.clone()], floor)
            && Cell::all_below(&self.reads[granules.clone()], floor)
    }

    /// The write cells of granules known to need no check.
    pub(super) fn writes_mut(&mut self, granules: std::ops::Range<usize>) -> &mut [Cell] {
        &mut self.writes[granules]
    }

    /// The read cells of granules whose writes are known to need no check.
    pub(super) fn reads_mut(&mut self, granules: std::ops::Range<usize>) -> &mut [Cell] {
        &mut self.reads[granules]
    }

    /// Records a read and says what write it is not ordered after. `lanes` are those of `MANY`.
    #[inline]
    pub(super) fn read(
        &mut self,
        granule: usize,
        new: Cell,
        lanes: u32,
        clocks: &Clocks,
    ) -> Option<Conflict> {
        let floor = Cell::floor(clocks.floor(new.warp()));
        let old = self.reads[granule];
        if self.writes[granule] < floor && old < floor && stands_for(new, old, clocks) {
            self.reads[granule] = new;
            self.sides[granule] = lanes;
            return None;
        }
        self.read_after(granule, new, lanes, clocks)
    }

    /// The same where something there is not ordered before the warp.
    fn read_after(
        &mut self,
        granule: usize,
        new: Cell,
        lanes: u32,
        clocks: &Clocks,
    ) -> Option<Conflict> {
        let write = self.writes[granule];
        let mut conflict = None;
        let floor = Cell::floor(clocks.floor(new.warp()));
        if write >= floor {
            if write.kind() == kind::EXPANDED {
                return self.mixed_access(granule, |m| m.read(new, lanes, clocks));
            }
            let bytes = write.unordered(0, new, lanes, clocks);
            if bytes != 0 {
                conflict = Some(Conflict { bytes, other: write, rank: self.home, is_write: true });
                if write.kind() == kind::IN_FLIGHT {
                    return conflict;
                }
            }
        }
        let old = self.reads[granule];
        if old < floor && stands_for(new, old, clocks) {
            self.reads[granule] = new;
            self.sides[granule] = lanes;
        } else if old != new || new.kind() == kind::MANY {
            match merge_reads(old, self.sides[granule], new, lanes, clocks) {
                Some((cell, side)) => {
                    self.reads[granule] = cell;
                    self.sides[granule] = side;
                }
                None => {
                    self.expand(granule, clocks);
                    return self.mixed_access(granule, |m| m.read(new, lanes, clocks));
                }
            }
        }
        conflict
    }

    /// What a read would not be ordered after.
    pub(super) fn check_read(
        &self,
        granule: usize,
        new: Cell,
        clocks: &Clocks,
    ) -> Option<Conflict> {
        let write = self.writes[granule];
        if write.kind() == kind::EXPANDED {
            return self.mixed.get(&granule).and_then(|mixed| mixed.check_read(new, 0, clocks));
        }
        let bytes = write.unordered(0, new, 0, clocks);
        (bytes != 0).then_some(Conflict { bytes, other: write, rank: self.home, is_write: true })
    }

    /// What a write would not be ordered after: reads, and a write. `differs` are the bytes whose
    /// value it changes.
    #[inline]
    pub(super) fn check_write(
        &self,
        granule: usize,
        new: Cell,
        differs: impl FnOnce() -> u8,
        clocks: &Clocks,
    ) -> [Option<Conflict>; 2] {
        let floor = Cell::floor(clocks.floor(new.warp()));
        if self.writes[granule] < floor && self.reads[granule] < floor {
            return [None; 2];
        }
        self.check_write_after(granule, new, differs, clocks)
    }

    /// The same where something there is not ordered before the warp.
    fn check_write_after(
        &self,
        granule: usize,
        new: Cell,
        differs: impl FnOnce() -> u8,
        clocks: &Clocks,
    ) -> [Option<Conflict>; 2] {
        let floor = Cell::floor(clocks.floor(new.warp()));
        let (write, read) = (self.writes[granule], self.reads[granule]);
        if write.kind() == kind::EXPANDED {
            let mixed = self.mixed.get(&granule);
            return mixed.map_or([None; 2], |mixed| mixed.check_write(new, differs(), clocks));
        }
        let mut conflicts = [None; 2];
        if read >= floor {
            let bytes = unordered_reads(read, self.sides[granule], new, clocks);
            if bytes != 0 {
                let other = one_reader(read, self.sides[granule], new, clocks);
                conflicts[0] = Some(Conflict { bytes, other, rank: self.home, is_write: false });
            }
        }
        if write >= floor {
            let mut bytes = write.unordered(0, new, 0, clocks);
            let weak = !write.is_strong() && !new.is_strong();
            if bytes != 0 && write.kind() != kind::IN_FLIGHT && weak {
                bytes &= differs();
            }
            let conflict = Conflict { bytes, other: write, rank: self.home, is_write: true };
            conflicts[1] = (bytes != 0).then_some(conflict);
        }
        conflicts
    }

    /// Records a write.
    #[inline]
    pub(super) fn put_write(&mut self, granule: usize, new: Cell, clocks: &Clocks) {
        if self.writes[granule] < Cell::floor(clocks.everywhere()) {
            self.writes[granule] = new;
        } else {
            self.put_write_after(granule, new, clocks);
        }
    }

    fn put_write_after(&mut self, granule: usize, new: Cell, clocks: &Clocks) {
        let old = self.writes[granule];
        if old.kind() == kind::EXPANDED {
            self.mixed_access(granule, |m| {
                m.put_write(new, clocks);
                None
            });
        } else if old.kind() == kind::IN_FLIGHT {
            // The copy still lands: what it will have written stands.
        } else if old.mask() & !new.mask() == 0 {
            self.writes[granule] = new;
        } else if let Some(both) = old.combine(new) {
            self.writes[granule] = both;
        } else {
            self.expand(granule, clocks);
            self.mixed_access(granule, |m| {
                m.put_write(new, clocks);
                None
            });
        }
    }

    /// Marks a whole granule as the target of an asynchronous copy.
    pub(super) fn launch_copy(&mut self, granule: usize, actor: &Actor, lane: usize) {
        if self.mixed.remove(&granule).is_some() {
            self.reads[granule] = Cell::EMPTY;
        }
        let in_flight = Actor { stamp: Cell::EXPANDED.stamp(), ..*actor };
        self.writes[granule] = Cell::of(&in_flight).with(lane, kind::IN_FLIGHT, 0xf);
    }

    /// The copy has landed: from now on it is a write of the lane that waited.
    pub(super) fn land_copy(&mut self, granule: usize, actor: &Actor, lane: usize) {
        self.writes[granule] = Cell::of(actor).with(lane, kind::ONE, 0xf);
    }

    /// Forgets a copy that its block never waited for.
    pub(super) fn forget_copy(&mut self, granule: usize) {
        self.writes[granule] = Cell::EMPTY;
    }

    fn expand(&mut self, granule: usize, clocks: &Clocks) {
        self.expand_above(granule, clocks.everywhere());
    }

    /// Keeps a granule byte by byte, but for what lies below a stamp of the block's own.
    fn expand_above(&mut self, granule: usize, floor: u32) {
        let cells = (self.writes[granule], self.reads[granule], self.sides[granule]);
        self.mixed.insert(granule, Mixed::of_cells(cells, self.home, Cell::floor(floor)));
        self.writes[granule] = Cell::EXPANDED;
        self.reads[granule] = Cell::EXPANDED;
    }

    /// Makes granules ready for another block of the cluster, whose accesses no cell can hold.
    /// What the block itself did below stamp `floor` all warps of the cluster know.
    pub(super) fn open(&mut self, granules: std::ops::Range<usize>, floor: u32) {
        for granule in granules {
            match self.writes[granule].kind() {
                kind::EXPANDED => {}
                // An error whoever comes: the copy alone is told.
                kind::IN_FLIGHT => self.reads[granule] = Cell::EMPTY,
                _ => self.expand_above(granule, floor),
            }
        }
    }

    /// Does something to the bytes of a granule, and packs them again where they fit.
    fn mixed_access(
        &mut self,
        granule: usize,
        access: impl FnOnce(&mut Mixed) -> Option<Conflict>,
    ) -> Option<Conflict> {
        let mixed = self.mixed.get_mut(&granule)?;
        let conflict = access(mixed);
        if let Some((write, read, side)) = mixed.to_cells(self.home) {
            self.writes[granule] = write;
            self.reads[granule] = read;
            self.sides[granule] = side;
            self.mixed.remove(&granule);
        }
        conflict
    }
}

/// Whether a read says all that an old one, ordered before it, does: a strong write may race with a
/// weak read and not with a strong one that comes later.
#[inline]
fn stands_for(new: Cell, old: Cell, clocks: &Clocks) -> bool {
    !new.is_strong() || old.is_strong() || old < Cell::floor(clocks.everywhere())
}

/// One read cell for an old one, not ordered before the new one's warp, and the new one; `None`
/// where no cell is exact.
fn merge_reads(
    old: Cell,
    side: u32,
    new: Cell,
    lanes: u32,
    clocks: &Clocks,
) -> Option<(Cell, u32)> {
    if old.kind() > kind::SEVERAL {
        return None;
    }
    let whole = old.mask() == 0xf
        && new.mask() == 0xf
        && !old.is_strong()
        && !new.is_strong()
        && old.stamp() >= clocks.released();
    let (mine, warp) = (new.warp(), 1u32 << new.warp());
    if old.kind() == kind::SEVERAL {
        let several = side | warp;
        let known = |r: usize| r != mine && clocks.knows(mine, r, old.stamp());
        if new.mask() == 0xf && !new.is_strong() && bits(side).all(known) {
            return Some((new, lanes));
        }
        return whole.then(|| (new.as_several(old.stamp()), several));
    }
    if old.warp() != mine {
        let covered = old.mask() & !new.mask() == 0 && (old.is_strong() || !new.is_strong());
        if covered && clocks.knows(mine, old.warp(), old.stamp()) {
            return Some((new, lanes));
        }
        return whole.then(|| (new.as_several(old.stamp()), warp | 1 << old.warp()));
    }
    let replaced = old.mask() & !new.mask() == 0
        && (!old.is_strong() || new.is_strong() == old.is_strong())
        && old.is_strong() == new.is_strong()
        && covers_lanes(old, side, new, lanes);
    if replaced {
        return Some((new, lanes));
    }
    if let Some(both) = old.combine(new) {
        return Some((both, 0));
    }
    let same = old.stamp() == new.stamp();
    (whole && same).then(|| (new.as_many(), old.lane_set(side) | new.lane_set(lanes)))
}

/// Whether each byte's earlier readers are among its later ones, so that the later reads say all.
fn covers_lanes(old: Cell, side: u32, new: Cell, lanes: u32) -> bool {
    if old.kind() == new.kind() && old.kind() <= kind::BYTES {
        return old.lane() == new.lane();
    }
    new.kind() == kind::MANY && old.lane_set(side) & !lanes == 0
}

/// One of the unordered readers: of several warps, not the writer's.
fn one_reader(read: Cell, side: u32, new: Cell, clocks: &Clocks) -> Cell {
    let warp = new.warp();
    if read.kind() != kind::SEVERAL || read.warp() != warp {
        return read;
    }
    let other = bits(side).find(|&r| r != warp && !clocks.knows(warp, r, read.stamp()));
    other.map_or(read, |r| read.for_warp(r, 0))
}

/// The bytes of a read cell that are not ordered before a write of the same bytes.
fn unordered_reads(read: Cell, side: u32, new: Cell, clocks: &Clocks) -> u8 {
    if read.kind() == kind::SEVERAL {
        let warp = new.warp();
        let ordered = bits(side & !(1 << warp)).all(|r| clocks.knows(warp, r, read.stamp()));
        return if ordered { 0 } else { read.mask() & new.mask() };
    }
    read.unordered(side, new, 0, clocks)
}
