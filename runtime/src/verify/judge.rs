//! What a run left in device memory, judged where no candidate can reach.
//!
//! A device that does not check accesses returns the [image](Image) of a set of tensors: the
//! inputs, the outputs, and the red zones around them, which were filled with known poison before
//! the run. A write past an end shows in a zone, a write to an input in the input, and an element
//! that nobody wrote still holds its poison.

use std::ops::Range;

use rayon::prelude::*;
use ridge_spec::outcome::{Finding, FindingKind, Rejection};

use super::case::{Case, ReferenceSet};
use super::check::{Left, OutputSummary, VerifyError, compare_output, record};
use super::compare::{CompareRequest, Comparison, Expected, Judge, coordinates};
use super::problem::TensorShape;
use super::reference::InputTensor;
use crate::measure::{Image, Layout, poison};
use crate::numeric::codec::{decode_element, element_size};

/// Bytes of one parallel task.
const PIECE: usize = 1 << 18;

/// How many times more wrong elements must hold their poison than would by chance, for some to
/// count as never written.
const BEYOND_CHANCE: f64 = 16.0;

/// What one image shows.
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    /// Why the candidate is refused; `None` where nothing is wrong.
    pub rejection: Option<Rejection>,
    /// Each output's largest error, in the problem's order; empty where a write outside of the
    /// outputs explains all else.
    pub outputs: Vec<OutputSummary>,
    /// Whether the outputs are those of the previous image, bit for bit; `None` without one of the
    /// same set.
    pub repeatable: Option<bool>,
}

/// Judges the image of one set of tensors.
///
/// `case` is that of the set: its inputs are what the set was staged with. `previous` is an image
/// of another run on the same set, for repeatability, which is a fact and no rejection.
///
/// In order: red zones ([`Rejection::OutOfBounds`]; the finding names the buffer before the zone,
/// with the offset from its start, or the first buffer with a negative one), inputs
/// ([`Rejection::ModifiedInput`]), elements that are wrong and still hold their poison
/// ([`Rejection::UnwrittenOutput`]), wrong elements ([`Rejection::Incorrect`]).
///
/// # Errors
/// When image, layout, problem and case are not of the same tensors, or the reference fails.
pub fn judge(
    references: &ReferenceSet,
    case: &Case,
    layout: &Layout,
    image: &Image,
    previous: Option<&Image>,
) -> Result<Judgement, VerifyError> {
    let places = Places::find(references, case, layout, image)?;
    let mut judgement = Judgement {
        repeatable: previous.and_then(|previous| repeatable(&places, image, previous)),
        ..Judgement::default()
    };
    let outside = damaged_zone(layout, image)
        .or_else(|| modified_input(references, case, &places, image))
        .map(Rejection::from_finding);
    if outside.is_some() {
        judgement.rejection = outside;
        return Ok(judgement);
    }
    for (at, range) in places.outputs.iter().enumerate() {
        let left = Left { bytes: &image.bytes[range.clone()], written: None, initial: None };
        let (comparison, expected) = compare_output(references, case, at, left)?;
        record(&mut judgement.outputs, at, case, &comparison);
        if comparison.n_mismatched > 0 && judgement.rejection.is_none() {
            let offset = u64::from(image.set) * layout.set_bytes() + range.start as u64;
            let poison = poisoned(image.poison_seed, offset, left.bytes.len());
            let left = Left { initial: Some(&poison), ..left };
            judgement.rejection = explain(references, case, at, left, &comparison, expected)?;
        }
    }
    Ok(judgement)
}

/// Where the problem's tensors lie in an image.
struct Places {
    inputs: Vec<Range<usize>>,
    outputs: Vec<Range<usize>>,
}

impl Places {
    /// Finds and checks them, so that what follows may index.
    fn find(
        references: &ReferenceSet,
        case: &Case,
        layout: &Layout,
        image: &Image,
    ) -> Result<Self, VerifyError> {
        let wrong = |tensor: &str| VerifyError::Image { set: image.set, tensor: tensor.to_owned() };
        let place = |name: &str, size: Option<usize>, is_output: bool| {
            let (offset, tensor) = layout.find(name).ok_or_else(|| wrong(name))?;
            let start = usize::try_from(offset).map_err(|_| wrong(name))?;
            let size = size
                .filter(|&size| size as u64 == tensor.size_bytes && tensor.is_output == is_output);
            let end = size.and_then(|size| start.checked_add(size)).ok_or_else(|| wrong(name))?;
            if image.bytes.len() as u64 != layout.set_bytes() || end > image.bytes.len() {
                return Err(wrong(name));
            }
            Ok(start..end)
        };
        let size = |tensor: &TensorShape| {
            tensor.n_elements().and_then(|n| n.checked_mul(element_size(tensor.dtype)))
        };
        let inputs = case.inputs.iter();
        let outputs = references.problem().outputs.iter();
        Ok(Self {
            inputs: inputs
                .map(|input| place(&input.name, Some(input.bytes.len()), false))
                .collect::<Result<_, _>>()?,
            outputs: outputs
                .map(|output| place(&output.name, size(output), true))
                .collect::<Result<_, _>>()?,
        })
    }
}

/// Whether two images of a set hold the same outputs.
fn repeatable(places: &Places, image: &Image, previous: &Image) -> Option<bool> {
    if image.set != previous.set || image.bytes.len() != previous.bytes.len() {
        return None;
    }
    let same = |range: &Range<usize>| {
        first_difference(&image.bytes[range.clone()], &previous.bytes[range.clone()]).is_none()
    };
    Some(places.outputs.iter().all(same))
}

/// The first byte that differs.
fn first_difference(left: &[u8], right: &[u8]) -> Option<usize> {
    let pieces = left.par_chunks(PIECE).zip(right.par_chunks(PIECE)).enumerate();
    let different = pieces.find_first(|(_, (left, right))| left != right);
    different.and_then(|(piece, (left, right))| {
        let within = left.iter().zip(right).position(|(left, right)| left != right)?;
        Some(piece * PIECE + within)
    })
}

/// What a write outside of all tensors left.
fn damaged_zone(layout: &Layout, image: &Image) -> Option<Finding> {
    let base = u64::from(image.set) * layout.set_bytes();
    let damage = |&(start, length, before): &(u64, u64, Option<usize>)| {
        let range = usize::try_from(start).ok()?..usize::try_from(start + length).ok()?;
        let zone = image.bytes.get(range)?;
        let at = first_damage(zone, image.poison_seed, base + start)?;
        let poison = poisoned(image.poison_seed, base + start, zone.len());
        let n_bytes = zone.iter().zip(&poison).filter(|(found, poison)| found != poison).count();
        Some((start + at as u64, before, n_bytes))
    };
    let zones = layout.zones();
    let (at, before, n_bytes) = zones.par_iter().find_map_first(damage)?;
    let named = before.unwrap_or(0);
    let tensor = layout.tensors().get(named)?;
    let offset = i64::try_from(at).ok()? - i64::try_from(layout.offset(named)?).ok()?;
    let mut message = match before {
        None => format!(
            "{n_bytes} bytes in front of `{}` were overwritten, the first {} bytes before it",
            tensor.name, -offset
        ),
        Some(_) => format!(
            "{n_bytes} bytes behind `{}`, which has {} bytes, were overwritten, the first at byte \
             {offset}",
            tensor.name, tensor.size_bytes
        ),
    };
    let following = before.map_or(0, |before| before + 1);
    if before.is_some()
        && let Some((next, offset)) = layout.tensors().get(following).zip(layout.offset(following))
    {
        message += &format!(", {} bytes before `{}`", offset - at, next.name);
    }
    Some(finding(FindingKind::OutOfBounds, message, &tensor.name, offset))
}

/// [`poison::first_damage`], a word at a time.
fn first_damage(bytes: &[u8], seed: u64, offset: u64) -> Option<usize> {
    let head = bytes.len().min((offset.next_multiple_of(4) - offset) as usize);
    let (unaligned, rest) = bytes.split_at(head);
    if let Some(at) = poison::first_damage(unaligned, seed, offset) {
        return Some(at);
    }
    let (words, _) = rest.as_chunks::<4>();
    let start = offset + head as u64;
    let is_damaged = |(at, word): (usize, &[u8; 4])| {
        u32::from_le_bytes(*word) != poison::word(seed, start + at as u64 * 4)
    };
    let whole = words.iter().enumerate().position(is_damaged).unwrap_or(words.len());
    let from = whole * 4;
    let found = poison::first_damage(&rest[from..], seed, start + from as u64)?;
    Some(head + from + found)
}

/// What the memory held before the run.
fn poisoned(seed: u64, offset: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    bytes.par_chunks_mut(PIECE).enumerate().for_each(|(piece, bytes)| {
        poison::fill(bytes, seed, offset + (piece * PIECE) as u64);
    });
    bytes
}

/// The first input that is not what it was.
fn modified_input(
    references: &ReferenceSet,
    case: &Case,
    places: &Places,
    image: &Image,
) -> Option<Finding> {
    case.inputs.iter().zip(&places.inputs).find_map(|(input, range)| {
        let found = &image.bytes[range.clone()];
        let at = first_difference(&input.bytes, found)?;
        let shape = references.problem().inputs.iter().find(|shape| shape.name == input.name);
        Some(modification(input, shape, found, at))
    })
}

fn modification(
    input: &InputTensor,
    shape: Option<&TensorShape>,
    found: &[u8],
    at: usize,
) -> Finding {
    let size = element_size(input.dtype);
    let pairs = input.bytes.par_chunks(size).zip(found.par_chunks(size));
    let n_different = pairs.filter(|(before, after)| before != after).count();
    let element = at / size;
    let value =
        |bytes: &[u8]| decode_element(input.dtype, bytes.get(element * size..).unwrap_or_default());
    let index = shape.map_or_else(Vec::new, |shape| coordinates(&shape.axes, element));
    let message = format!(
        "{n_different} of the {} elements of the input `{}` were overwritten, the first at \
         {index:?}: {} became {}",
        input.bytes.len() / size,
        input.name,
        value(&input.bytes),
        value(found)
    );
    let offset = i64::try_from(at).unwrap_or(i64::MAX);
    finding(FindingKind::ModifiedInput, message, &input.name, offset)
}

/// Why an output with wrong elements is refused, if it is.
fn explain(
    references: &ReferenceSet,
    case: &Case,
    at: usize,
    left: Left<'_>,
    comparison: &Comparison,
    expected: &Expected,
) -> Result<Option<Rejection>, VerifyError> {
    let output = &references.problem().outputs[at];
    let request = CompareRequest {
        output: &output.name,
        dtype: output.dtype,
        axes: &output.axes,
        bytes: left.bytes,
        written: None,
        initial: left.initial,
        expected,
        tolerance: references.problem().tolerance_of(output),
        inputs: None,
    };
    if let Some(finding) = unwritten(&request, comparison.n_mismatched) {
        return Ok(Some(Rejection::from_finding(finding)));
    }
    if comparison.mismatch.is_none() {
        return Ok(None);
    }
    let (comparison, _) = compare_output(references, case, at, left)?;
    Ok(comparison.mismatch.map(Rejection::Incorrect))
}

/// What says that elements were never written: wrong ones that hold their poison, more of them than
/// a kernel would hit by chance.
fn unwritten(request: &CompareRequest<'_>, n_wrong: u64) -> Option<Finding> {
    let size = element_size(request.dtype);
    let initial = request.initial?;
    let judge = Judge::new(request);
    let same = |(index, (found, poison)): (usize, (&[u8], &[u8]))| {
        let wrong = || judge.ratio(index, decode_element(request.dtype, found)) > 1.0;
        (found == poison && wrong()).then_some(index)
    };
    let elements = request.bytes.par_chunks(size).zip(initial.par_chunks(size)).enumerate();
    let (n_same, first) = elements
        .with_min_len(PIECE / 8)
        .filter_map(same)
        .map(|index| (1_u64, index))
        .reduce(|| (0, usize::MAX), |a, b| (a.0 + b.0, a.1.min(b.1)));
    let by_chance = n_wrong as f64 * 0.5_f64.powi(8 * size as i32);
    if n_same == 0 || n_same as f64 <= BEYOND_CHANCE * by_chance {
        return None;
    }
    let message = format!(
        "{n_same} of the {} elements of `{}` still hold what was there before the launch, the first \
         at {:?}",
        request.bytes.len() / size,
        request.output,
        coordinates(request.axes, first)
    );
    let offset = i64::try_from(first * size).unwrap_or(i64::MAX);
    Some(finding(FindingKind::UnwrittenOutput, message, request.output, offset))
}

fn finding(kind: FindingKind, message: String, buffer: &str, offset_bytes: i64) -> Finding {
    Finding {
        kind,
        message,
        source: None,
        inlined_at: Vec::new(),
        other: None,
        instruction: None,
        buffer: Some(buffer.to_owned()),
        offset_bytes: Some(offset_bytes),
        block: [0; 3],
        thread: None,
        lanes: 0,
        occurrences: 1,
    }
}

#[cfg(test)]
mod tests {
    use super::{first_damage, poison};

    #[test]
    fn damage_is_found_by_words_where_it_is_found_by_bytes() {
        for (offset, length) in [(0, 64), (77, 50), (78, 1), (79, 3), (80, 0), (3, 2), (4, 7)] {
            let mut bytes = vec![0; length];
            poison::fill(&mut bytes, 9, offset);
            assert_eq!(first_damage(&bytes, 9, offset), None, "{offset} {length}");
            for at in 0..length {
                bytes[at] ^= 0x80;
                assert_eq!(first_damage(&bytes, 9, offset), Some(at), "{offset} {length}");
                bytes[at] ^= 0x80;
            }
        }
    }
}
