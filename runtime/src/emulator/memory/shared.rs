//! Shared memory of one block: bytes, which of them were written, and the shadow.

use ridge_spec::outcome::FindingKind;

use super::access::{Addresses, Row};
use super::bitmap::Bitmap;
use super::cell::{Actor, Cell, kind};
use super::clocks::{Clocks, bits};
use super::fault::Cause;
use super::pattern::{BYTES_MAX, gather, scatter};
use super::problems::Problems;
use super::shadow::{Conflict, Shadow};

/// See the module.
#[derive(Debug)]
pub(super) struct Shared {
    bytes: Vec<u8>,
    written: Bitmap,
    shadow: Shadow,
}

/// The warp that accesses.
#[derive(Clone, Copy)]
pub(super) struct Actors<'a> {
    pub(super) actor: Actor,
    pub(super) clocks: &'a Clocks,
    pub(super) block: u64,
    /// Bytes of a lane.
    pub(super) width: usize,
}

/// Neighbouring elements of neighbouring lanes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) start: usize,
    pub(super) first: usize,
    pub(super) lanes: usize,
}

impl Run {
    fn length(&self, width: usize) -> usize {
        self.lanes * width
    }

    /// The granules the run touches.
    fn granules(&self, width: usize) -> std::ops::Range<usize> {
        self.start / 4..(self.start + self.length(width)).div_ceil(4)
    }

    /// Whether it covers them.
    fn is_whole(&self, width: usize) -> bool {
        self.start.is_multiple_of(4) && self.length(width).is_multiple_of(4)
    }

    /// All cells of a run of whole granules.
    fn fill(&self, base: Cell, cells: &mut [Cell], width: usize) {
        match width {
            1 => step(base.with(self.first, kind::BYTES, 0xf), cells, 4),
            2 => step(base.with(self.first, kind::HALVES, 0xf), cells, 2),
            4 => step(base.with(self.first, kind::ONE, 0xf), cells, 1),
            _ => {
                let first = base.with(self.first, kind::ONE, 0xf);
                for (lane, cells) in cells.chunks_mut(width / 4).enumerate() {
                    cells.fill(first.further(lane));
                }
            }
        }
    }

    /// The cell of a granule.
    fn cell(&self, base: Cell, granule: usize, width: usize) -> Cell {
        let at = granule * 4;
        let end = self.start + self.length(width);
        let (from, to) = (self.start.saturating_sub(at), (end - at).min(4));
        let mask = (0xfu8 << from) & (0xf >> (4 - to));
        let lane = |log: u32| self.first.wrapping_add((at >> log).wrapping_sub(self.start >> log));
        match width {
            1 => base.with(lane(0), kind::BYTES, mask),
            2 => base.with(lane(1), kind::HALVES, mask),
            _ => base.with(lane(width.trailing_zeros()), kind::ONE, mask),
        }
    }
}

/// Each cell is that many lanes further on than the one before.
fn step(first: Cell, cells: &mut [Cell], lanes: usize) {
    for (k, cell) in cells.iter_mut().enumerate() {
        *cell = first.further(k * lanes);
    }
}

impl Shared {
    pub(super) fn new(bytes: usize) -> Self {
        Self { bytes: vec![0; bytes], written: Bitmap::new(bytes), shadow: Shadow::new(bytes) }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Nothing is written, and what earlier blocks did matters no more.
    pub(super) fn begin(&mut self) {
        self.written.clear();
        self.shadow.begin();
    }

    /// Forgets all stamps.
    pub(super) fn clear_shadow(&mut self) {
        self.shadow.clear();
    }

    pub(super) fn shadow(&mut self) -> &mut Shadow {
        &mut self.shadow
    }

    /// Makes bytes ready for another block of the cluster: see [`Shadow::open`].
    pub(super) fn open(&mut self, start: usize, length: usize, floor: u32) {
        self.shadow.open(start / 4..(start + length).div_ceil(4), floor);
    }

    /// Loads a run within bounds and aligned.
    pub(super) fn load_run(
        &mut self,
        run: Run,
        rows: &mut [Row],
        by: &Actors<'_>,
        problems: &mut Problems,
    ) {
        let length = run.length(by.width);
        if !self.written.all(run.start, length) {
            self.note_unwritten(run.start, length, problems, |byte| {
                1 << (run.first + (byte - run.start) / by.width)
            });
        }
        let base = Cell::of(&by.actor);
        let floor = Cell::floor(by.clocks.floor(by.actor.warp));
        let granules = run.granules(by.width);
        let plain = run.is_whole(by.width) && !by.actor.strong;
        if plain && self.shadow.is_below(&granules, floor) {
            run.fill(base, self.shadow.reads_mut(granules), by.width);
        } else {
            for granule in granules {
                let cell = run.cell(base, granule, by.width);
                let conflict = self.shadow.read(granule, cell, 0, by.clocks);
                note(granule, cell, conflict, by, problems);
            }
        }
        scatter(rows, run.first, run.lanes, by.width, &self.bytes[run.start..run.start + length]);
    }

    /// Loads one element into all lanes of a mask.
    pub(super) fn load_uniform(
        &mut self,
        start: usize,
        mask: u32,
        rows: &mut [Row],
        by: &Actors<'_>,
        problems: &mut Problems,
    ) {
        if !self.written.all(start, by.width) {
            self.note_unwritten(start, by.width, problems, |_| mask);
        }
        let base = Cell::of(&by.actor);
        for (granule, bytes) in granules_of(start, by.width) {
            let cell = base.with(0, kind::MANY, bytes);
            if self.shadow.read(granule, cell, mask, by.clocks).is_none() {
                continue;
            }
            // A lane may have written the bytes itself.
            for lane in bits(mask) {
                let cell = base.with(lane, kind::ONE, bytes);
                let conflict = self.shadow.check_read(granule, cell, by.clocks);
                note(granule, cell, conflict, by, problems);
            }
        }
        for (k, row) in rows.iter_mut().enumerate().take(by.width.div_ceil(4)) {
            let value = word(&self.bytes[start..start + by.width], k);
            if mask == u32::MAX {
                row.fill(value);
            } else {
                bits(mask).for_each(|lane| row[lane] = value);
            }
        }
    }

    /// Loads any elements within bounds and aligned.
    pub(super) fn load_scattered(
        &mut self,
        addresses: &Addresses,
        mask: u32,
        rows: &mut [Row],
        by: &Actors<'_>,
        problems: &mut Problems,
    ) {
        let base = Cell::of(&by.actor);
        for lane in bits(mask) {
            let start = at(addresses[lane]);
            if !self.written.has_element(start, by.width) {
                self.note_unwritten(start, by.width, problems, |_| 1 << lane);
            }
            for (granule, bytes) in granules_of(start, by.width) {
                let cell = base.with(lane, kind::ONE, bytes);
                let conflict = self.shadow.read(granule, cell, 0, by.clocks);
                note(granule, cell, conflict, by, problems);
            }
            let bytes = &self.bytes[start..start + by.width];
            if by.width == 4 {
                rows[0][lane] = word(bytes, 0);
                continue;
            }
            for (k, row) in rows.iter_mut().enumerate().take(by.width.div_ceil(4)) {
                row[lane] = word(bytes, k);
            }
        }
    }

    /// Stores a run within bounds and aligned.
    pub(super) fn store_run(
        &mut self,
        run: Run,
        rows: &[Row],
        by: &Actors<'_>,
        problems: &mut Problems,
    ) {
        let length = run.length(by.width);
        let mut buffer = [0; BYTES_MAX];
        let bytes = &mut buffer[..length];
        gather(rows, run.first, run.lanes, by.width, bytes);
        let base = Cell::of(&by.actor);
        let floor = Cell::floor(by.clocks.floor(by.actor.warp));
        let granules = run.granules(by.width);
        if run.is_whole(by.width) && self.shadow.is_below(&granules, floor) {
            run.fill(base, self.shadow.writes_mut(granules), by.width);
        } else {
            for granule in granules {
                let cell = run.cell(base, granule, by.width);
                self.check(granule, cell, run.start, bytes, by, problems);
                self.shadow.put_write(granule, cell, by.clocks);
            }
        }
        self.written.set(run.start, length);
        self.bytes[run.start..run.start + length].copy_from_slice(bytes);
    }

    /// Stores any elements within bounds and aligned; of lanes that meet, the highest wins. `meet`
    /// says whether two lanes may have bytes of one granule.
    pub(super) fn store_scattered(
        &mut self,
        addresses: &Addresses,
        (mask, meet): (u32, bool),
        rows: &[Row],
        by: &Actors<'_>,
        problems: &mut Problems,
    ) {
        let base = Cell::of(&by.actor);
        let mut buffer = [0; 32];
        let bytes = &mut buffer[..by.width];
        if meet {
            // All lanes are checked against what was there before any of them is recorded.
            for lane in bits(mask) {
                let start = at(addresses[lane]);
                gather(rows, lane, 1, by.width, bytes);
                for (granule, mask) in granules_of(start, by.width) {
                    let cell = base.with(lane, kind::ONE, mask);
                    self.check(granule, cell, start, bytes, by, problems);
                }
            }
        }
        for lane in bits(mask) {
            let start = at(addresses[lane]);
            gather(rows, lane, 1, by.width, bytes);
            for (granule, mask) in granules_of(start, by.width) {
                let cell = base.with(lane, kind::ONE, mask);
                if !meet {
                    self.check(granule, cell, start, bytes, by, problems);
                }
                self.shadow.put_write(granule, cell, by.clocks);
            }
            self.bytes[start..start + by.width].copy_from_slice(bytes);
            self.written.set_element(start, by.width);
        }
        if by.actor.strong || !meet {
            return;
        }
        for lane in bits(mask) {
            let start = at(addresses[lane]);
            gather(rows, lane, 1, by.width, bytes);
            if self.bytes[start..start + by.width] != *bytes {
                let (kind, cause) = (FindingKind::Race, Cause::SameInstruction);
                problems.note_cause(kind, 1 << lane, start as u64, cause, None);
            }
        }
    }

    /// One lane's atomic read-modify-write.
    pub(super) fn atomic(
        &mut self,
        start: usize,
        lane: usize,
        by: &Actors<'_>,
        problems: &mut Problems,
        apply: &mut dyn FnMut(usize, u64) -> Option<u64>,
    ) {
        if !self.written.all(start, by.width) {
            self.note_unwritten(start, by.width, problems, |_| 1 << lane);
        }
        let base = Cell::of(&by.actor);
        let mut old = [0; 8];
        old[..by.width].copy_from_slice(&self.bytes[start..start + by.width]);
        let new = apply(lane, u64::from_le_bytes(old)).map(u64::to_le_bytes);
        for (granule, mask) in granules_of(start, by.width) {
            let cell = base.with(lane, kind::ONE, mask);
            if let Some(new) = &new {
                self.check(granule, cell, start, &new[..by.width], by, problems);
                self.shadow.put_write(granule, cell, by.clocks);
            } else {
                let conflict = self.shadow.read(granule, cell, 0, by.clocks);
                note(granule, cell, conflict, by, problems);
            }
        }
        if let Some(new) = new {
            self.bytes[start..start + by.width].copy_from_slice(&new[..by.width]);
            self.written.set(start, by.width);
        }
    }

    /// The destination of an asynchronous copy: the bytes are there at once, but in flight.
    pub(super) fn copy_in(
        &mut self,
        start: usize,
        bytes: &[u8],
        lane: usize,
        by: &Actors<'_>,
        problems: &mut Problems,
    ) {
        let base = Cell::of(&by.actor);
        for (granule, mask) in granules_of(start, by.width) {
            let cell = base.with(lane, kind::ONE, mask);
            self.check(granule, cell, start, bytes, by, problems);
            self.shadow.launch_copy(granule, &by.actor, lane);
        }
        self.bytes[start..start + by.width].copy_from_slice(bytes);
        self.written.set(start, by.width);
    }

    /// Checks one granule of a write of `bytes` at `start`.
    fn check(
        &self,
        granule: usize,
        cell: Cell,
        start: usize,
        bytes: &[u8],
        by: &Actors<'_>,
        problems: &mut Problems,
    ) {
        let differs = || {
            (0..4usize).filter(|byte| cell.mask() >> byte & 1 == 1).fold(0, |mask, byte| {
                let at = granule * 4 + byte;
                mask | u8::from(bytes[at - start] != self.bytes[at]) << byte
            })
        };
        for conflict in self.shadow.check_write(granule, cell, differs, by.clocks) {
            note(granule, cell, conflict, by, problems);
        }
    }

    fn note_unwritten(
        &self,
        start: usize,
        length: usize,
        problems: &mut Problems,
        lanes: impl Fn(usize) -> u32,
    ) {
        let mut from = start;
        while from < start + length {
            let Some(byte) = self.written.first_clear(from, start + length - from) else { return };
            problems.note(FindingKind::UninitializedRead, lanes(byte), byte as u64);
            from = byte + 1;
        }
    }
}

/// Notes a race at a granule, of an access by lanes that the cell names.
#[inline]
fn note(
    granule: usize,
    cell: Cell,
    conflict: Option<Conflict>,
    by: &Actors<'_>,
    problems: &mut Problems,
) {
    if let Some(conflict) = conflict {
        note_conflict(granule, cell, conflict, by, problems);
    }
}

#[cold]
fn note_conflict(
    granule: usize,
    cell: Cell,
    conflict: Conflict,
    by: &Actors<'_>,
    problems: &mut Problems,
) {
    let cause = match conflict.other {
        other if other.kind() == kind::IN_FLIGHT => Cause::CopyInFlight,
        _ if conflict.rank != by.clocks.rank() => Cause::Cluster,
        other if other.kind() != kind::SEVERAL && other.warp() == by.actor.warp => Cause::SameWarp,
        _ => Cause::SameBlock,
    };
    let mate = by.clocks.mates().filter(|mates| conflict.rank != mates.rank());
    let mate = mate.and_then(|mates| mates.block(conflict.rank));
    let block = mate.map_or(by.block, u64::from);
    for byte in (0..4).filter(|byte| conflict.bytes >> byte & 1 == 1) {
        let lanes = cell.lane_of(byte).map_or(0, |lane| 1 << lane);
        let other = Some(conflict.other.as_other(block, conflict.is_write));
        let address = (granule * 4 + byte) as u64;
        problems.note_cause(FindingKind::Race, lanes, address, cause, other);
    }
}

/// The granules of an aligned element, and which of their bytes it has.
#[inline]
fn granules_of(start: usize, width: usize) -> impl Iterator<Item = (usize, u8)> {
    let mask = if width < 4 { (0xf >> (4 - width)) << (start % 4) } else { 0xf };
    (start / 4..(start + width).div_ceil(4)).map(move |granule| (granule, mask))
}

/// The k-th word of an element.
pub(super) fn word(bytes: &[u8], k: usize) -> u32 {
    let mut word = [0; 4];
    for (to, from) in word.iter_mut().zip(&bytes[4 * k..]) {
        *to = *from;
    }
    u32::from_le_bytes(word)
}

/// An address known to be within bounds, as an index.
pub(super) fn at(address: u64) -> usize {
    usize::try_from(address).unwrap_or(usize::MAX)
}
