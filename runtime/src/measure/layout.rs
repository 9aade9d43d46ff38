//! Where the tensors of a stage lie in device memory, and in the images of it.

use serde::{Deserialize, Serialize};

use super::TensorLayout;

/// Bytes of the red zone before, between and after the tensors of a set: a row of a wide matrix
/// written past the end still lands in it.
pub const RED_ZONE_BYTES: u64 = 64 * 1024;

/// Tensors start at multiples of this, as allocations of the driver do.
pub const ALIGNMENT_BYTES: u64 = 256;

/// Sets a stage has at most.
pub const SETS_MAX: u32 = 256;

/// Where everything is.
///
/// A set is `zone, tensor, zone, tensor, …, zone`; what alignment leaves after a tensor belongs to
/// the zone that follows it. Sets lie one after another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    tensors: Vec<TensorLayout>,
    /// Offset of each tensor in a set, bytes.
    offsets: Vec<u64>,
    set_bytes: u64,
    n_sets: u32,
}

impl Layout {
    /// Lays out as many sets as hold `rotation_bytes` together; at least two, so that successive
    /// launches never share one, and at most [`SETS_MAX`].
    pub fn new(tensors: Vec<TensorLayout>, rotation_bytes: u64) -> Self {
        let mut offsets = Vec::with_capacity(tensors.len());
        let mut end = RED_ZONE_BYTES;
        for tensor in &tensors {
            offsets.push(end);
            end = (end + tensor.size_bytes).next_multiple_of(ALIGNMENT_BYTES) + RED_ZONE_BYTES;
        }
        let payload: u64 = tensors.iter().map(|tensor| tensor.size_bytes).sum::<u64>().max(1);
        let n_sets = rotation_bytes.div_ceil(payload).clamp(2, u64::from(SETS_MAX));
        #[expect(clippy::cast_possible_truncation, reason = "clamped to SETS_MAX")]
        Self { tensors, offsets, set_bytes: end, n_sets: n_sets as u32 }
    }

    /// The tensors, inputs first.
    pub fn tensors(&self) -> &[TensorLayout] {
        &self.tensors
    }

    /// Bytes of one set, red zones included.
    pub fn set_bytes(&self) -> u64 {
        self.set_bytes
    }

    /// Sets.
    pub fn n_sets(&self) -> u32 {
        self.n_sets
    }

    /// Bytes of all sets.
    pub fn total_bytes(&self) -> u64 {
        self.set_bytes * u64::from(self.n_sets)
    }

    /// Offset of a tensor in its set, bytes; `None` past the last.
    pub fn offset(&self, tensor: usize) -> Option<u64> {
        self.offsets.get(tensor).copied()
    }

    /// The tensor of that name with its offset.
    pub fn find(&self, name: &str) -> Option<(u64, &TensorLayout)> {
        let at = self.tensors.iter().position(|tensor| tensor.name == name)?;
        Some((self.offsets[at], &self.tensors[at]))
    }

    /// What is poisoned before a run, as `(offset, bytes)` in a set: outputs with the zones around
    /// them, and the zones around inputs. Every range starts and ends at a multiple of
    /// [`ALIGNMENT_BYTES`] but where it ends in front of an input's first byte or begins behind its
    /// last.
    pub fn poisoned(&self) -> Vec<(u64, u64)> {
        let mut ranges = Vec::new();
        let mut start = 0;
        for (tensor, &offset) in self.tensors.iter().zip(&self.offsets) {
            if !tensor.is_output {
                ranges.push((start, offset - start));
                start = offset + tensor.size_bytes;
            }
        }
        ranges.push((start, self.set_bytes - start));
        ranges
    }

    /// The red zones, as `(offset, bytes)` in a set with the index of the tensor before each;
    /// `None` for the first zone.
    pub fn zones(&self) -> Vec<(u64, u64, Option<usize>)> {
        let mut zones = Vec::new();
        let mut start = 0;
        let mut before = None;
        for (at, (tensor, &offset)) in self.tensors.iter().zip(&self.offsets).enumerate() {
            zones.push((start, offset - start, before));
            start = offset + tensor.size_bytes;
            before = Some(at);
        }
        zones.push((start, self.set_bytes - start, before));
        zones
    }
}

#[cfg(test)]
mod tests {
    use ridge_spec::dtype::Dtype;

    use super::{ALIGNMENT_BYTES, Layout, RED_ZONE_BYTES, TensorLayout};

    fn tensor(name: &str, size_bytes: u64, is_output: bool) -> TensorLayout {
        TensorLayout { name: name.to_owned(), dtype: Dtype::F32, size_bytes, is_output }
    }

    #[test]
    fn tensors_zones_and_poison_share_a_set_without_gaps() {
        let tensors = vec![tensor("x", 1000, false), tensor("w", 4, false), tensor("y", 999, true)];
        let layout = Layout::new(tensors, 10_000);
        let mut covered = vec![0u8; usize::try_from(layout.set_bytes()).unwrap_or_default()];
        let mut cover = |start: u64, bytes: u64| {
            for at in start..start + bytes {
                covered[usize::try_from(at).unwrap_or_default()] += 1;
            }
        };
        for (at, tensor) in layout.tensors().iter().enumerate() {
            let offset = layout.offset(at).unwrap_or_default();
            assert_eq!(offset % ALIGNMENT_BYTES, 0);
            cover(offset, tensor.size_bytes);
        }
        for (start, bytes, _) in layout.zones() {
            assert!(bytes >= RED_ZONE_BYTES);
            cover(start, bytes);
        }
        assert!(covered.iter().all(|&times| times == 1));
        let inputs = 1004;
        let poisoned: u64 = layout.poisoned().iter().map(|(_, bytes)| bytes).sum();
        assert_eq!(poisoned + inputs, layout.set_bytes());
        assert_eq!(layout.n_sets(), 5);
    }
}
