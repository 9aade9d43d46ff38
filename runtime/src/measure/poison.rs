//! Random bytes that outputs and red zones hold before every run.
//!
//! A kernel that writes nothing, or the same thing as last time, is found out; so is one that
//! writes where it should not. The bytes are a function of a seed and a place, so that device and
//! judge make the same ones without exchanging them.

/// The 32-bit little-endian word at `offset` (a multiple of 4, counted from the start of the first
/// set) of memory poisoned with `seed`.
///
/// The finalizer of MurmurHash3 (Austin Appleby, public domain) over the word's index, offset by
/// the low and scrambled by the high half of the seed.
#[expect(clippy::cast_possible_truncation, reason = "a hash folds its input")]
pub const fn word(seed: u64, offset: u64) -> u32 {
    let index = (offset / 4) as u32;
    let mut hash = index.wrapping_mul(0x9e37_79b9).wrapping_add(seed as u32) ^ (seed >> 32) as u32;
    hash ^= hash >> 16;
    hash = hash.wrapping_mul(0x85eb_ca6b);
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

/// The byte at `offset`, as [`word`] has it.
pub const fn byte(seed: u64, offset: u64) -> u8 {
    word(seed, offset).to_le_bytes()[(offset % 4) as usize]
}

/// Fills `bytes`, which begin at `offset`, with poison.
pub fn fill(bytes: &mut [u8], seed: u64, offset: u64) {
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = self::byte(seed, offset + at as u64);
    }
}

/// The first place in `bytes`, which begin at `offset`, that is no longer poison.
pub fn first_damage(bytes: &[u8], seed: u64, offset: u64) -> Option<usize> {
    bytes.iter().enumerate().position(|(at, &found)| found != byte(seed, offset + at as u64))
}

#[cfg(test)]
mod tests {
    use super::{fill, first_damage};

    #[test]
    fn damage_is_found_at_its_place() {
        let mut bytes = vec![0; 1001];
        fill(&mut bytes, 0x1234_5678_9abc_def0, 77);
        assert_eq!(first_damage(&bytes, 0x1234_5678_9abc_def0, 77), None);
        bytes[500] ^= 1;
        assert_eq!(first_damage(&bytes, 0x1234_5678_9abc_def0, 77), Some(500));
        assert!(first_damage(&bytes, 1, 77).is_some());
    }
}
