//! The shadow of four bytes of shared memory, packed into one word.
//!
//! A cell says who accessed which of the four bytes last. Its stamp is in the top bits, so that
//! "everything here is ordered before me" is one comparison of the whole word; the very top bit is
//! free, so that many such comparisons are one subtraction each.

use super::access::LANES;
use super::clocks::{Clocks, STAMP_END};
use super::fault::OtherAccess;

const STAMP_SHIFT: u32 = 35;
const INSTRUCTION_SHIFT: u32 = 18;
const WARP_SHIFT: u32 = 13;
const LANE_SHIFT: u32 = 8;
const KIND_SHIFT: u32 = 5;
const STRONG_BIT: u64 = 1 << 4;
/// Instructions from here on are not told apart.
const INSTRUCTION_UNKNOWN: u32 = (1 << 17) - 1;

/// Which lanes the bytes of a cell belong to, and what else it stands for.
pub(super) mod kind {
    /// One lane.
    pub(crate) const ONE: u64 = 0;
    /// Bytes 2 and 3 belong to the next lane.
    pub(crate) const HALVES: u64 = 1;
    /// Each byte belongs to the lane after that of the byte before.
    pub(crate) const BYTES: u64 = 2;
    /// Any lane of the warp may have accessed any byte.
    pub(crate) const MANY: u64 = 3;
    /// Several warps have read all bytes; a mask beside the cell says which.
    pub(crate) const SEVERAL: u64 = 4;
    /// Too mixed for a cell: kept byte by byte elsewhere.
    pub(crate) const EXPANDED: u64 = 5;
    /// The target of an asynchronous copy that has not been waited for.
    pub(crate) const IN_FLIGHT: u64 = 6;
}

/// Who accesses: all of an access but its bytes and lanes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Actor {
    pub(super) stamp: u32,
    pub(super) instruction: u32,
    pub(super) warp: usize,
    pub(super) strong: bool,
}

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cell(u64);

impl Cell {
    /// Nobody.
    pub(super) const EMPTY: Self = Self(0);
    /// Neither cell of the granule means anything: see the bytes.
    pub(super) const EXPANDED: Self =
        Self(((STAMP_END as u64) << STAMP_SHIFT) | (kind::EXPANDED << KIND_SHIFT) | 0xf);

    /// The cell of an actor, its bytes not yet named.
    pub(super) fn of(actor: &Actor) -> Self {
        let instruction = actor.instruction.min(INSTRUCTION_UNKNOWN);
        Self(
            u64::from(actor.stamp) << STAMP_SHIFT
                | u64::from(instruction) << INSTRUCTION_SHIFT
                | (actor.warp as u64) << WARP_SHIFT
                | if actor.strong { STRONG_BIT } else { 0 },
        )
    }

    /// With lane (modulo 32), kind and bytes; to be called on what [`Cell::of`] gave.
    pub(super) fn with(self, lane: usize, kind: u64, mask: u8) -> Self {
        let lane = ((lane & (LANES - 1)) as u64) << LANE_SHIFT;
        Self(self.0 | lane | kind << KIND_SHIFT | u64::from(mask))
    }

    /// The least cell that is not ordered before something that knows stamps below `floor`.
    pub(super) fn floor(floor: u32) -> Self {
        Self(u64::from(floor) << STAMP_SHIFT)
    }

    /// Whether all cells are ordered before something that knows stamps below that of `floor`.
    pub(super) fn all_below(cells: &[Self], floor: Self) -> bool {
        // The top bit of a cell is never set, so the difference is negative for each one below.
        let differences = cells.iter().fold(u64::MAX, |all, c| all & c.0.wrapping_sub(floor.0));
        cells.is_empty() || differences >> 63 == 1
    }

    /// The same for a lane that many further on, which must not pass the last.
    pub(super) const fn further(self, lanes: usize) -> Self {
        Self(self.0 + ((lanes as u64) << LANE_SHIFT))
    }

    fn field(self, shift: u32, bits: u32) -> u64 {
        self.0 >> shift & ((1 << bits) - 1)
    }

    pub(super) fn stamp(self) -> u32 {
        (self.0 >> STAMP_SHIFT) as u32
    }

    #[expect(clippy::cast_possible_truncation, reason = "17 bits")]
    pub(super) fn instruction(self) -> u32 {
        self.field(INSTRUCTION_SHIFT, 17) as u32
    }

    #[expect(clippy::cast_possible_truncation, reason = "5 bits")]
    pub(super) fn warp(self) -> usize {
        self.field(WARP_SHIFT, 5) as usize
    }

    #[expect(clippy::cast_possible_truncation, reason = "5 bits")]
    pub(super) fn lane(self) -> usize {
        self.field(LANE_SHIFT, 5) as usize
    }

    pub(super) fn kind(self) -> u64 {
        self.field(KIND_SHIFT, 3)
    }

    pub(super) fn is_strong(self) -> bool {
        self.0 & STRONG_BIT != 0
    }

    pub(super) fn mask(self) -> u8 {
        (self.0 & 0xf) as u8
    }

    /// The lane that accessed that byte, where it is known.
    pub(super) fn lane_of(self, byte: usize) -> Option<usize> {
        let shift = match self.kind() {
            kind::ONE | kind::IN_FLIGHT => 0,
            kind::HALVES => byte >> 1,
            kind::BYTES => byte,
            _ => return None,
        };
        Some((self.lane() + shift) & (LANES - 1))
    }

    /// The cell as the earlier side of a race.
    pub(super) fn as_other(self, block: u64, is_write: bool) -> OtherAccess {
        let instruction = self.instruction();
        let mask = self.mask().max(1);
        OtherAccess {
            block,
            warp: u32::try_from(self.warp()).unwrap_or(0),
            instruction: (instruction != INSTRUCTION_UNKNOWN).then_some(instruction),
            lane: self
                .lane_of(mask.trailing_zeros() as usize)
                .and_then(|lane| u32::try_from(lane).ok()),
            is_write,
        }
    }

    /// The lanes that may have accessed that byte; `side` is the mask beside a cell of `MANY`.
    fn lanes_of(self, byte: usize, side: u32) -> u32 {
        self.lane_of(byte).map_or(side, |lane| 1 << lane)
    }

    /// The bytes of this earlier cell that are not ordered before the same bytes of `new`; neither
    /// is `SEVERAL` or `EXPANDED`. The sides are the lanes of a cell of `MANY`.
    pub(super) fn unordered(self, side: u32, new: Self, new_side: u32, clocks: &Clocks) -> u8 {
        if self.is_strong() && new.is_strong() {
            return 0;
        }
        self.not_before(side, new, new_side, clocks)
    }

    /// The same, strong or not.
    pub(super) fn not_before(self, side: u32, new: Self, new_side: u32, clocks: &Clocks) -> u8 {
        let overlap = self.mask() & new.mask();
        let (warp, stamp) = (new.warp(), self.stamp());
        if overlap == 0 {
            return 0;
        }
        if self.kind() == kind::IN_FLIGHT {
            return overlap;
        }
        if self.warp() != warp {
            return if clocks.knows(warp, self.warp(), stamp) { 0 } else { overlap };
        }
        if self.kind() == new.kind() && self.lane() == new.lane() && self.kind() <= kind::BYTES {
            return 0;
        }
        let ordered = |&byte: &usize| {
            let (earlier, later) = (self.lanes_of(byte, side), new.lanes_of(byte, new_side));
            clocks.lanes_know(warp, later, earlier, stamp)
        };
        let ordered = (0..4).filter(ordered).fold(0, |mask, byte| mask | 1 << byte);
        overlap & !ordered
    }

    /// One cell for both, where there is an exact one.
    pub(super) fn combine(self, new: Self) -> Option<Self> {
        let same = self.stamp() == new.stamp()
            && self.warp() == new.warp()
            && self.is_strong() == new.is_strong();
        if !same || self.kind() > kind::MANY || new.kind() > kind::MANY {
            return None;
        }
        let mask = self.mask() | new.mask();
        let kept = new.0 & (u64::MAX << WARP_SHIFT | STRONG_BIT);
        let first = new.mask().trailing_zeros() as usize;
        for (kind, shift) in [(kind::ONE, 2), (kind::HALVES, 1), (kind::BYTES, 0)] {
            let lane = new.lane_of(first)? + LANES - (first >> shift);
            let combined = Self(kept).with(lane, kind, mask);
            let fits = |cell: Self, byte: usize| {
                cell.mask() >> byte & 1 == 0 || cell.lane_of(byte) == combined.lane_of(byte)
            };
            if (0..4).all(|byte| fits(self, byte) && fits(new, byte)) {
                return Some(combined);
            }
        }
        None
    }

    /// All lanes of the cell's bytes; `side` is the mask beside a cell of `MANY`.
    pub(super) fn lane_set(self, side: u32) -> u32 {
        (0..4)
            .filter(|byte| self.mask() >> byte & 1 == 1)
            .fold(0, |m, b| m | self.lanes_of(b, side))
    }

    /// The same read by lanes named beside it.
    pub(super) fn as_many(self) -> Self {
        Self(self.0 & !(7 << KIND_SHIFT) | kind::MANY << KIND_SHIFT)
    }

    /// The same read among those of several warps, the latest of which has that stamp or its own.
    pub(super) fn as_several(self, stamp: u32) -> Self {
        let stamp = u64::from(stamp.max(self.stamp())) << STAMP_SHIFT;
        let kept = self.0 & !(u64::MAX << STAMP_SHIFT) & !(7 << KIND_SHIFT);
        Self(stamp | kept | kind::SEVERAL << KIND_SHIFT)
    }

    /// The part of this cell, neither `SEVERAL` nor `EXPANDED`, that is about one byte.
    pub(super) fn for_byte(self, byte: usize) -> Self {
        let rest = Self(self.0 & !(0x1f << LANE_SHIFT | 7 << KIND_SHIFT | 0xf));
        let mask = 1 << byte;
        match self.lane_of(byte) {
            Some(lane) => rest.with(lane, kind::ONE, mask),
            None => rest.with(0, kind::MANY, mask),
        }
    }

    /// The part of a cell of `SEVERAL` that is about one byte and one warp.
    pub(super) fn for_warp(self, warp: usize, byte: usize) -> Self {
        let rest = Self(self.0 & !(0x3ff << LANE_SHIFT | 7 << KIND_SHIFT | 0xf));
        Self(rest.0 | (warp as u64) << WARP_SHIFT).with(0, kind::MANY, 1 << byte)
    }

    /// Whether this read cell and another say the same but for the bytes they are about.
    pub(super) fn is_alike(self, other: Self) -> bool {
        (self.0 ^ other.0) & !0xf == 0
    }

    /// The same for all bytes.
    pub(super) fn whole(self) -> Self {
        Self(self.0 | 0xf)
    }
}
