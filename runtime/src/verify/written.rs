//! Which elements of an output were written, from one bit for each byte.

/// How much of a run of elements was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coverage {
    /// All of it.
    All,
    /// Some of it, or it takes a look at each element to tell.
    Some,
    /// Nothing.
    None,
}

/// The written elements of an output.
#[derive(Clone, Copy, Debug)]
pub(super) struct WrittenElements<'a> {
    /// One bit for each byte, least significant first; `None`: everything was written.
    words: Option<&'a [u64]>,
    /// Bytes of an element: 1, 2, 4 or 8, so that no element lies across two words.
    size: usize,
}

impl<'a> WrittenElements<'a> {
    pub(super) fn new(words: Option<&'a [u64]>, size: usize) -> Self {
        Self { words, size }
    }

    /// Whether there is no record, which means that everything was written.
    pub(super) fn is_everything(&self) -> bool {
        self.words.is_none()
    }

    /// Whether every byte of the element was written.
    #[inline]
    pub(super) fn contains(&self, index: usize) -> bool {
        let Some(words) = self.words else { return true };
        let (bit, mask) = (index * self.size, (1_u64 << self.size) - 1);
        words.get(bit / 64).is_some_and(|word| word >> (bit % 64) & mask == mask)
    }

    /// How much of `length` elements from `start` was written. Exact where `start` begins a word.
    pub(super) fn coverage(&self, start: usize, length: usize) -> Coverage {
        let Some(words) = self.words else { return Coverage::All };
        let (from, to) = (start * self.size, (start + length) * self.size);
        let Some(run) = words.get(from / 64..to.div_ceil(64)) else { return Coverage::Some };
        let whole = &run[..run.len() - usize::from(to % 64 != 0)];
        let tail =
            if to % 64 == 0 { None } else { run.last().map(|word| (word, (1 << (to % 64)) - 1)) };
        let full = whole.iter().all(|&word| word == u64::MAX)
            && tail.is_none_or(|(word, mask)| word & mask == mask);
        let empty =
            whole.iter().all(|&word| word == 0) && tail.is_none_or(|(word, mask)| word & mask == 0);
        match (full, empty && from % 64 == 0) {
            (true, _) => Coverage::All,
            (false, true) => Coverage::None,
            (false, false) => Coverage::Some,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Coverage, WrittenElements};

    #[test]
    fn coverage_agrees_with_a_look_at_every_element() {
        let words = [u64::MAX, 0, 0xffff_0000_ffff_00f0, 0x7];
        for size in [1, 2, 4, 8] {
            let written = WrittenElements::new(Some(&words), size);
            let n = 256 / size;
            for start in (0..n).step_by(64 / size) {
                for length in 1..n - start {
                    let count = (start..start + length).filter(|&i| written.contains(i)).count();
                    match written.coverage(start, length) {
                        Coverage::All => assert_eq!(count, length),
                        Coverage::None => assert_eq!(count, 0),
                        Coverage::Some => assert_ne!(count, length),
                    }
                }
            }
        }
    }

    #[test]
    fn bytes_beyond_the_bits_count_as_unwritten() {
        let written = WrittenElements::new(Some(&[u64::MAX]), 4);
        assert!(written.contains(15));
        assert!(!written.contains(16));
        assert_eq!(written.coverage(0, 32), Coverage::Some);
        assert!(WrittenElements::new(None, 4).contains(1 << 40));
    }
}
