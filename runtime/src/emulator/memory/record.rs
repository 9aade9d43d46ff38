//! Who accessed bytes of global memory: a record that is the same for all bytes of a regular
//! access, so that neighbouring bytes share it.

use super::access::LANES;
use super::cell::Actor;
use super::clocks::{Clocks, bits};
use super::fault::{Cause, OtherAccess};
use super::mates::Mates;
use super::releases::{Releases, Views};

const INSTRUCTION_UNKNOWN: u32 = (1 << 17) - 1;
const WARP_SHIFT: u32 = 17;
const LANE_SHIFT: u32 = 22;
const WIDTH_SHIFT: u32 = 27;
const STRONG_BIT: u32 = 1 << 30;
const PRESENT_BIT: u32 = 1 << 31;
/// In place of a width's logarithm: any lane may have accessed any byte.
const MANY: u32 = 7;

/// An access, as bytes of one 32-byte line remember it. The default is "nobody".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    block: u32,
    stamp: u32,
    /// Instruction, warp, lane of byte 0 of the line (modulo 32), logarithm of the width.
    meta: u32,
}

/// Which lane accesses which byte.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lanes {
    /// The byte at `offset` belongs to `first`, and each `1 << log_width` bytes to the next lane.
    Run { offset: usize, first: usize, log_width: u32 },
    /// Several lanes access the same bytes.
    Many,
}

impl Record {
    /// The record of an access in the line that starts at byte `line` of a page, where offsets of
    /// `lanes` are in that page.
    pub(super) fn new(block: u32, actor: &Actor, lanes: Lanes, line: usize) -> Self {
        let (lane, width) = match lanes {
            Lanes::Run { offset, first, log_width } => {
                let steps = (line >> log_width).wrapping_sub(offset >> log_width);
                (first.wrapping_add(steps) & (LANES - 1), log_width)
            }
            Lanes::Many => (0, MANY),
        };
        let lane = u32::try_from(lane).unwrap_or(0);
        let warp = u32::try_from(actor.warp).unwrap_or(0);
        let strong = if actor.strong { STRONG_BIT } else { 0 };
        let meta = actor.instruction.min(INSTRUCTION_UNKNOWN)
            | warp << WARP_SHIFT
            | lane << LANE_SHIFT
            | width << WIDTH_SHIFT
            | strong
            | PRESENT_BIT;
        Self { block, stamp: actor.stamp, meta }
    }

    pub(super) fn is_present(self) -> bool {
        self.meta & PRESENT_BIT != 0
    }

    pub(super) fn is_strong(self) -> bool {
        self.meta & STRONG_BIT != 0
    }

    pub(super) fn block(self) -> u32 {
        self.block
    }

    fn warp(self) -> usize {
        (self.meta >> WARP_SHIFT) as usize & (LANES - 1)
    }

    fn instruction(self) -> u32 {
        self.meta & INSTRUCTION_UNKNOWN
    }

    /// The lane of a byte of the line.
    pub(super) fn lane_of(self, byte: usize) -> Option<usize> {
        let width = self.meta >> WIDTH_SHIFT & 7;
        let lane = (self.meta >> LANE_SHIFT) as usize;
        (width != MANY).then(|| (lane + (byte >> width)) & (LANES - 1))
    }

    /// As the earlier side of a race on that byte of its line.
    pub(super) fn as_other(self, byte: usize, is_write: bool) -> OtherAccess {
        let instruction = self.instruction();
        OtherAccess {
            block: u64::from(self.block),
            warp: u32::try_from(self.warp()).unwrap_or(0),
            instruction: (instruction != INSTRUCTION_UNKNOWN).then_some(instruction),
            lane: self.lane_of(byte).and_then(|lane| u32::try_from(lane).ok()),
            is_write,
        }
    }
}

/// The warp that accesses, and what it knows of others.
#[derive(Clone, Copy)]
pub(super) struct Observer<'a> {
    pub(super) block: u32,
    pub(super) actor: Actor,
    pub(super) clocks: &'a Clocks,
    pub(super) releases: &'a Releases,
    pub(super) views: &'a Views,
    /// Lanes of an access of [`Lanes::Many`].
    pub(super) mask: u32,
}

impl Observer<'_> {
    /// Why an earlier access is not ordered before the new one, at a byte of their line; `None`
    /// where it is.
    pub(super) fn unordered(&self, old: Record, new: Record, byte: usize) -> Option<Cause> {
        let warp = self.actor.warp;
        if old.block != self.block {
            let of_cluster =
                |mates: &Mates| mates.knows_block(warp, old.block, old.warp(), old.stamp);
            let ordered = self.clocks.mates().is_some_and(of_cluster)
                || self.releases.ordered(self.views, old.block, old.warp(), old.stamp);
            return (!ordered).then_some(Cause::OtherBlock);
        }
        if old.stamp < self.clocks.floor(warp) {
            return None;
        }
        if old.warp() != warp {
            let ordered = self.clocks.knows(warp, old.warp(), old.stamp);
            return (!ordered).then_some(Cause::SameBlock);
        }
        let lanes = |record: Record, many: u32| record.lane_of(byte).map_or(many, |l| 1 << l);
        let (later, earlier) = (lanes(new, self.mask), lanes(old, self.clocks.live(warp)));
        let ordered = self.clocks.lanes_know(warp, later, earlier, old.stamp);
        (!ordered).then_some(Cause::SameWarp)
    }

    /// Of the lanes that now access a byte, those that an unordered earlier access concerns: a
    /// lane may have made it itself.
    pub(super) fn unordered_lanes(&self, old: Record, lanes: u32, byte: usize) -> u32 {
        let warp = self.actor.warp;
        if !self.is_own_warp(old) {
            return lanes;
        }
        let earlier = old.lane_of(byte).map_or(self.clocks.live(warp), |lane| 1 << lane);
        let unordered = |lane: &usize| !self.clocks.lanes_know(warp, 1 << lane, earlier, old.stamp);
        bits(lanes).filter(unordered).fold(0, |mask, lane| mask | 1 << lane)
    }

    /// Whether a record is of the warp that accesses.
    pub(super) fn is_own_warp(&self, old: Record) -> bool {
        old.block == self.block && old.warp() == self.actor.warp
    }

    /// Whether that holds for all bytes of a line at once without a look at each.
    pub(super) fn plainly_ordered(&self, old: Record, new: Record) -> bool {
        let floor = self.clocks.floor(self.actor.warp);
        !old.is_present()
            || old.block == self.block
                && (old.stamp < floor
                    || (old.meta ^ new.meta) & !(INSTRUCTION_UNKNOWN | STRONG_BIT) == 0
                        && old.meta >> WIDTH_SHIFT & 7 != MANY)
    }
}
