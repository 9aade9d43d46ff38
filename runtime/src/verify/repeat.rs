//! Two runs with the same inputs, bit for bit.

use ridge_spec::outcome::Rejection;

use super::compare::coordinates;
use super::problem::Problem;
use super::written::WrittenElements;
use crate::device::OutputBuffer;
use crate::numeric::codec::{decode_element, element_size};

/// The first output that two runs left differently, among the elements that both wrote.
pub(super) fn first_difference(
    problem: &Problem,
    earlier: &[OutputBuffer],
    later: &[OutputBuffer],
) -> Option<Rejection> {
    problem.outputs.iter().find_map(|output| {
        let earlier = earlier.iter().find(|buffer| buffer.name == output.name)?;
        let later = later.iter().find(|buffer| buffer.name == output.name)?;
        if earlier.bytes == later.bytes {
            return None;
        }
        let size = element_size(output.dtype);
        let written = [earlier, later].map(|run| WrittenElements::new(Some(&run.written), size));
        let pairs = earlier.bytes.chunks_exact(size).zip(later.bytes.chunks_exact(size));
        let mut different = pairs
            .enumerate()
            .filter(|(index, (a, b))| a != b && written.iter().all(|run| run.contains(*index)));
        let (element, (first, second)) = different.next()?;
        Some(Rejection::Nondeterministic {
            output: output.name.clone(),
            n_different: 1 + different.count() as u64,
            n_elements: (earlier.bytes.len() / size) as u64,
            index: coordinates(&output.axes, element),
            first: decode_element(output.dtype, first),
            second: decode_element(output.dtype, second),
        })
    })
}
