//! One bit for each byte of a piece of memory: written or not.

/// Bits in words of 64, least significant first.
#[derive(Clone, Debug)]
pub(super) struct Bitmap {
    words: Vec<u64>,
}

impl Bitmap {
    /// That many bits, none set.
    pub(super) fn new(bits: usize) -> Self {
        Self { words: vec![0; bits.div_ceil(64)] }
    }

    pub(super) fn clear(&mut self) {
        self.words.fill(0);
    }

    pub(super) fn words(&self) -> &[u64] {
        &self.words
    }

    /// Whether all bits of a range that is not empty are set.
    pub(super) fn all(&self, start: usize, length: usize) -> bool {
        let (first, last) = (start / 64, (start + length - 1) / 64);
        let (head, tail) = edges(start, length);
        if first == last {
            return !self.words[first] & head & tail == 0;
        }
        !self.words[first] & head == 0
            && self.words[first + 1..last].iter().all(|&word| word == u64::MAX)
            && !self.words[last] & tail == 0
    }

    /// [`Bitmap::all`] of a range within one word, such as an aligned element of at most 64.
    pub(super) fn has_element(&self, start: usize, length: usize) -> bool {
        let (head, tail) = edges(start, length);
        !self.words[start / 64] & head & tail == 0
    }

    /// [`Bitmap::set`] of a range within one word.
    pub(super) fn set_element(&mut self, start: usize, length: usize) -> u32 {
        let (head, tail) = edges(start, length);
        set_word(&mut self.words[start / 64], head & tail)
    }

    /// The first bit of a range that is not set.
    pub(super) fn first_clear(&self, start: usize, length: usize) -> Option<usize> {
        (start..start + length).find(|&bit| self.words[bit / 64] >> (bit % 64) & 1 == 0)
    }

    /// Sets all bits of a range that is not empty; says how many were not set before.
    pub(super) fn set(&mut self, start: usize, length: usize) -> u32 {
        let (first, last) = (start / 64, (start + length - 1) / 64);
        let (head, tail) = edges(start, length);
        if first == last {
            return set_word(&mut self.words[first], head & tail);
        }
        let mut added = set_word(&mut self.words[first], head);
        for word in &mut self.words[first + 1..last] {
            added += set_word(word, u64::MAX);
        }
        added + set_word(&mut self.words[last], tail)
    }

    /// Clears all bits of a range that is not empty.
    pub(super) fn unset(&mut self, start: usize, length: usize) {
        for bit in start..start + length {
            self.words[bit / 64] &= !(1 << (bit % 64));
        }
    }
}

/// Masks of the first and the last word of a range.
fn edges(start: usize, length: usize) -> (u64, u64) {
    (u64::MAX << (start % 64), u64::MAX >> (63 - (start + length - 1) % 64))
}

fn set_word(word: &mut u64, mask: u64) -> u32 {
    let added = mask & !*word;
    *word |= mask;
    added.count_ones()
}
