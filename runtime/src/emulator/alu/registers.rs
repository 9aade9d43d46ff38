//! A warp's registers: one row of 32 lanes for each register.
//!
//! Registers of up to 32 bits are words, zero-extended; those of 64 bits are longs; predicates are
//! masks with one bit a lane. Constants and per-thread special registers live in rows of their own
//! behind the registers, so that every operand of an instruction is a row.

/// Lanes of a warp.
pub(crate) const LANES: usize = 32;

/// Mask with every lane in it.
pub(crate) const ALL_LANES: u32 = u32::MAX;

/// Bit of each lane. Loops test it instead of shifting by the lane, which baseline x86 cannot do a
/// vector at a time.
pub(crate) const LANE_BITS: [u32; LANES] = {
    let mut bits = [0; LANES];
    let mut lane = 0;
    while lane < LANES {
        bits[lane] = 1 << lane;
        lane += 1;
    }
    bits
};

/// The registers of one call frame of one warp.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registers {
    /// Rows of up to 32 bits.
    pub(crate) words: Vec<[u32; LANES]>,
    /// Rows of 64 bits.
    pub(crate) longs: Vec<[u64; LANES]>,
    /// Predicates, a bit a lane.
    pub(crate) predicates: Vec<u32>,
}

/// A kind of row and the place of one.
pub(crate) trait Slot: Copy + Send + Sync + 'static {
    /// One lane of the row.
    type Lane: Copy + Default;

    /// The row.
    fn row(self, registers: &Registers) -> &[Self::Lane; LANES];

    /// The row, to change it.
    fn row_mut(self, registers: &mut Registers) -> &mut [Self::Lane; LANES];

    /// Writes the lanes of `mask`.
    #[inline(always)]
    fn store(self, registers: &mut Registers, lanes: &[Self::Lane; LANES], mask: u32) {
        let row = self.row_mut(registers);
        if mask == ALL_LANES {
            *row = *lanes;
        } else {
            store_some(row, lanes, mask);
        }
    }
}

/// Writes some lanes. Out of line: it is in every instruction's code, and seldom runs.
#[inline(never)]
fn store_some<T: Copy>(row: &mut [T; LANES], lanes: &[T; LANES], mask: u32) {
    for lane in 0..LANES {
        row[lane] = if mask & LANE_BITS[lane] != 0 { lanes[lane] } else { row[lane] };
    }
}

/// Place of a word row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word(pub(crate) u32);

/// Place of a long row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Long(pub(crate) u32);

/// Place of a predicate, and whether it is read negated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Predicate {
    /// Index of the predicate.
    pub(crate) index: u32,
    /// All ones where the operand is `!%p`.
    pub(crate) invert: u32,
}

impl Slot for Word {
    type Lane = u32;

    #[inline(always)]
    fn row(self, registers: &Registers) -> &[u32; LANES] {
        &registers.words[self.0 as usize]
    }

    #[inline(always)]
    fn row_mut(self, registers: &mut Registers) -> &mut [u32; LANES] {
        &mut registers.words[self.0 as usize]
    }
}

impl Slot for Long {
    type Lane = u64;

    #[inline(always)]
    fn row(self, registers: &Registers) -> &[u64; LANES] {
        &registers.longs[self.0 as usize]
    }

    #[inline(always)]
    fn row_mut(self, registers: &mut Registers) -> &mut [u64; LANES] {
        &mut registers.longs[self.0 as usize]
    }
}

impl Predicate {
    /// The mask as the operand reads it.
    #[inline(always)]
    pub(crate) fn read(self, registers: &Registers) -> u32 {
        registers.predicates[self.index as usize] ^ self.invert
    }

    /// Writes the lanes of `mask`.
    #[inline(always)]
    pub(crate) fn store(self, registers: &mut Registers, value: u32, mask: u32) {
        let predicate = &mut registers.predicates[self.index as usize];
        *predicate = (*predicate & !mask) | (value & mask);
    }
}

/// A decoded instruction that only touches registers, given the active lanes.
pub(crate) type Run = Box<dyn Fn(&mut Registers, u32) + Send + Sync>;

/// Fills 32 lanes from a function of the lane.
#[inline(always)]
pub(crate) fn lanes<T: Copy + Default>(f: impl Fn(usize) -> T) -> [T; LANES] {
    let mut out = [T::default(); LANES];
    for (lane, slot) in out.iter_mut().enumerate() {
        *slot = f(lane);
    }
    out
}

/// The lanes for which `f` holds.
#[inline(always)]
pub(crate) fn lane_mask(f: impl Fn(usize) -> bool) -> u32 {
    let mut mask = 0;
    for (lane, bit) in LANE_BITS.iter().enumerate() {
        mask |= if f(lane) { *bit } else { 0 };
    }
    mask
}

/// The active lanes of a mask, ascending.
pub(crate) fn active_lanes(mask: u32) -> impl Iterator<Item = usize> {
    let mut rest = mask;
    std::iter::from_fn(move || {
        let lane = rest.trailing_zeros() as usize;
        (lane < LANES).then(|| {
            rest &= rest - 1;
            lane
        })
    })
}
