//! The stacks of a block's threads.

use ridge_spec::counters::GlobalAccess;
use ridge_spec::outcome::FindingKind;

use super::access::{Addresses, LANES, Row};
use super::bitmap::Bitmap;
use super::clocks::bits;
use super::count::SECTOR_BYTES;
use super::pattern::gather;
use super::problems::Problems;
use super::shared::{at, word};

/// See the module. A warp's stacks exist from their first use on.
#[derive(Debug)]
pub(super) struct Local {
    size: usize,
    warps: Vec<Option<Stacks>>,
}

/// The 32 stacks of a warp, one after another.
#[derive(Debug)]
struct Stacks {
    bytes: Vec<u8>,
    written: Bitmap,
}

impl Local {
    pub(super) fn new(size: usize) -> Self {
        let mut warps = Vec::new();
        warps.resize_with(LANES, || None);
        Self { size, warps }
    }

    pub(super) fn len(&self) -> usize {
        self.size
    }

    /// Nothing is written.
    pub(super) fn begin(&mut self) {
        self.warps.iter_mut().flatten().for_each(|stacks| stacks.written.clear());
    }

    fn stacks(&mut self, warp: usize) -> &mut Stacks {
        let bytes = self.size * LANES;
        self.warps[warp]
            .get_or_insert_with(|| Stacks { bytes: vec![0; bytes], written: Bitmap::new(bytes) })
    }

    /// Stack bytes are uninitialised again.
    pub(super) fn invalidate(&mut self, warp: usize, lanes: u32, start: usize, length: usize) {
        let size = self.size;
        let length = length.min(size.saturating_sub(start));
        if let (Some(stacks), 1..) = (&mut self.warps[warp], length) {
            bits(lanes).for_each(|lane| stacks.written.unset(lane * size + start, length));
        }
    }

    /// Loads elements within bounds and aligned.
    pub(super) fn load(
        &mut self,
        warp: usize,
        addresses: &Addresses,
        mask: u32,
        width: usize,
        rows: &mut [Row],
        problems: &mut Problems,
    ) {
        let size = self.size;
        let stacks = self.stacks(warp);
        for lane in bits(mask) {
            let start = lane * size + at(addresses[lane]);
            if !stacks.written.all(start, width) {
                let first = stacks.written.first_clear(start, width).unwrap_or(start);
                let address = (first - lane * size) as u64;
                problems.note(FindingKind::UninitializedRead, 1 << lane, address);
            }
            let bytes = &stacks.bytes[start..start + width];
            for (k, row) in rows.iter_mut().enumerate().take(width.div_ceil(4)) {
                row[lane] = word(bytes, k);
            }
        }
    }

    /// Stores elements within bounds and aligned.
    pub(super) fn store(
        &mut self,
        warp: usize,
        addresses: &Addresses,
        mask: u32,
        width: usize,
        rows: &[Row],
    ) {
        let size = self.size;
        let stacks = self.stacks(warp);
        for lane in bits(mask) {
            let start = lane * size + at(addresses[lane]);
            gather(rows, lane, 1, width, &mut stacks.bytes[start..start + width]);
            stacks.written.set(start, width);
        }
    }

    /// One lane's read-modify-write: nobody else can see it.
    pub(super) fn atomic(
        &mut self,
        (warp, lane): (usize, usize),
        offset: usize,
        width: usize,
        problems: &mut Problems,
        apply: &mut dyn FnMut(usize, u64) -> Option<u64>,
    ) {
        let start = lane * self.size + offset;
        let stacks = self.stacks(warp);
        if !stacks.written.all(start, width) {
            problems.note(FindingKind::UninitializedRead, 1 << lane, offset as u64);
        }
        let mut old = [0; 8];
        old[..width].copy_from_slice(&stacks.bytes[start..start + width]);
        if let Some(new) = apply(lane, u64::from_le_bytes(old)) {
            stacks.bytes[start..start + width].copy_from_slice(&new.to_le_bytes()[..width]);
            stacks.written.set(start, width);
        }
    }
}

/// Counts a local request. The hardware interleaves the stacks of a warp: word `w` of lane `l` is
/// the `32 w + l`-th word, so that lanes that access one offset share sectors.
pub(super) fn count_local(counts: &mut GlobalAccess, addresses: &Addresses, mask: u32, width: u32) {
    let bytes = u64::from(mask.count_ones()) * u64::from(width);
    counts.requests += 1;
    counts.bytes += bytes;
    counts.sectors_ideal += bytes.div_ceil(SECTOR_BYTES);
    let words = u64::from(width.div_ceil(4));
    let Some(first) = bits(mask).next() else { return };
    if bits(mask).all(|lane| addresses[lane] / 4 == addresses[first] / 4) {
        let groups = (0..4).filter(|group| mask >> (8 * group) & 0xff != 0).count();
        counts.sectors += groups as u64 * words;
        return;
    }
    let mut sectors: Vec<u64> = bits(mask)
        .flat_map(|lane| (0..words).map(move |k| (addresses[lane] / 4 + k) * 4 + lane as u64 / 8))
        .collect();
    sectors.sort_unstable();
    sectors.dedup();
    counts.sectors += sectors.len() as u64;
}
