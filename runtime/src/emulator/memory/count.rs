//! What accesses cost the memory system, in Nsight Compute's words.
//!
//! **Sectors.** A global request takes one sector for each distinct aligned 32 bytes that its
//! active lanes touch (`l1tex__t_sectors` of the operation). The ideal is the distinct bytes
//! divided by 32, rounded up.
//!
//! **Wavefronts.** Shared memory has 32 banks of 4 bytes. A request whose lanes access at most 4
//! bytes each is one group of 32 lanes; 8 bytes make two groups of 16 lanes, 16 bytes four of 8.
//! A group takes as many wavefronts as its worst bank has distinct words: lanes that read one word
//! share it. Two neighbouring groups are one where in both every lane's address equals that of
//! lane `l ^ 1`, or in both that of lane `l ^ 2`: half the data makes half the passes. The ideal
//! is the distinct bytes divided by 128, rounded up. A shared atomic serialises lanes that meet in
//! one bank, equal words included.

use ridge_spec::counters::{GlobalAccess, SharedAccess};

use super::access::{Addresses, LANES};
use super::clocks::bits;
use super::pattern::Pattern;

/// Bytes of a sector.
pub(super) const SECTOR_BYTES: u64 = 32;

/// Counts a global request. Addresses are multiples of the width. Says how many elements are
/// distinct.
pub(super) fn count_global(
    counts: &mut GlobalAccess,
    pattern: Pattern,
    addresses: &Addresses,
    mask: u32,
    width: u32,
) -> u64 {
    let lanes = u64::from(mask.count_ones());
    let width = u64::from(width);
    counts.requests += 1;
    counts.bytes += lanes * width;
    let (sectors, elements) = match pattern {
        Pattern::Run { address, .. } => {
            let last = address + lanes * width - 1;
            (last / SECTOR_BYTES - address / SECTOR_BYTES + 1, lanes)
        }
        Pattern::Uniform { .. } => (1, 1),
        Pattern::Scattered => {
            (distinct(addresses, mask, SECTOR_BYTES), distinct(addresses, mask, width))
        }
    };
    counts.sectors += sectors;
    counts.sectors_ideal += (elements * width).div_ceil(SECTOR_BYTES);
    elements
}

/// Distinct values of the addresses divided by a power of two.
fn distinct(addresses: &Addresses, mask: u32, unit: u64) -> u64 {
    let shift = unit.trailing_zeros();
    let mut values = [0; LANES];
    let mut n = 0;
    let mut is_sorted = true;
    for lane in bits(mask) {
        values[n] = addresses[lane] >> shift;
        is_sorted &= n == 0 || values[n - 1] <= values[n];
        n += 1;
    }
    let values = &mut values[..n];
    if !is_sorted {
        values.sort_unstable();
    }
    values.chunk_by(|a, b| a == b).count() as u64
}

/// Counts a shared load or store. Addresses are multiples of the width. Says how many elements are
/// distinct.
pub(super) fn count_shared(
    counts: &mut SharedAccess,
    pattern: Pattern,
    addresses: &Addresses,
    mask: u32,
    width: u32,
) -> u64 {
    let lanes = u64::from(mask.count_ones());
    counts.requests += 1;
    counts.bytes += lanes * u64::from(width);
    let is_full = mask == u32::MAX;
    let (wavefronts, elements) = match pattern {
        Pattern::Run { .. } if is_full => (u64::from(width.div_ceil(4)), lanes),
        Pattern::Uniform { .. } if width <= 4 => (1, 1),
        Pattern::Run { .. } if width <= 4 => (1, lanes),
        Pattern::Run { .. } => (wavefronts(addresses, mask, width), lanes),
        Pattern::Uniform { .. } => (wavefronts(addresses, mask, width), 1),
        Pattern::Scattered if width <= 4 && is_conflict_free(addresses, mask) => (1, lanes),
        Pattern::Scattered => {
            (wavefronts(addresses, mask, width), distinct(addresses, mask, u64::from(width)))
        }
    };
    counts.wavefronts += wavefronts;
    counts.wavefronts_ideal += (elements * u64::from(width)).div_ceil(128);
    elements
}

/// Whether every lane has a bank of its own.
fn is_conflict_free(addresses: &Addresses, mask: u32) -> bool {
    let taken = bits(mask).fold(0u32, |taken, lane| taken | 1 << bank(addresses[lane] / 4));
    taken.count_ones() == mask.count_ones()
}

/// Counts a shared atomic.
pub(super) fn count_shared_atomic(
    counts: &mut SharedAccess,
    addresses: &Addresses,
    mask: u32,
    width: u32,
) {
    counts.requests += 1;
    counts.bytes += u64::from(mask.count_ones()) * u64::from(width);
    let mut banks = [0u64; LANES];
    for lane in bits(mask) {
        for word in 0..u64::from(width.div_ceil(4)) {
            banks[bank(addresses[lane] / 4 + word)] += 1;
        }
    }
    counts.wavefronts += banks.iter().copied().max().unwrap_or(0).max(1);
    let elements = distinct(addresses, mask, u64::from(width));
    counts.wavefronts_ideal += (elements * u64::from(width)).div_ceil(128);
}

#[expect(clippy::cast_possible_truncation, reason = "five bits are left")]
fn bank(word: u64) -> usize {
    (word & (LANES as u64 - 1)) as usize
}

/// Passes of a request through the banks.
fn wavefronts(addresses: &Addresses, mask: u32, width: u32) -> u64 {
    if width <= 4 {
        return passes(addresses, mask, 1);
    }
    let words = (width / 4) as usize;
    let lanes = (128 / width).max(1);
    let group = |index: u32| mask & ((u32::MAX >> (32 - lanes)) << (index * lanes));
    let mut total = 0;
    for pair in 0..16 / lanes {
        let (low, high) = (group(2 * pair), group(2 * pair + 1));
        if is_doubled(addresses, low | high) {
            total += passes(addresses, low | high, words);
        } else {
            total += passes(addresses, low, words) + passes(addresses, high, words);
        }
    }
    total
}

/// Whether every active lane accesses what lane `l ^ 1` does, or every one what lane `l ^ 2` does.
fn is_doubled(addresses: &Addresses, mask: u32) -> bool {
    let equals = |step: usize| {
        bits(mask)
            .all(|lane| mask >> (lane ^ step) & 1 == 0 || addresses[lane] == addresses[lane ^ step])
    };
    mask != 0 && (equals(1) || equals(2))
}

/// Most words of one group: two groups of 128 bytes.
const WORDS_MAX: usize = 64;

/// The distinct words of the worst bank.
fn passes(addresses: &Addresses, mask: u32, words: usize) -> u64 {
    const END: u8 = u8::MAX;
    // The distinct words so far, chained by bank.
    let mut chained = [(0u64, END); WORDS_MAX];
    let mut heads = [END; LANES];
    let mut counts = [0u8; LANES];
    let mut n = 0u8;
    let mut worst = 0;
    for lane in bits(mask) {
        for word in (addresses[lane] / 4..).take(words) {
            let bank = bank(word);
            let mut at = heads[bank];
            while at != END && chained[usize::from(at)].0 != word {
                at = chained[usize::from(at)].1;
            }
            if at == END && usize::from(n) < WORDS_MAX {
                chained[usize::from(n)] = (word, heads[bank]);
                heads[bank] = n;
                n += 1;
                counts[bank] += 1;
                worst = worst.max(counts[bank]);
            }
        }
    }
    u64::from(worst)
}
