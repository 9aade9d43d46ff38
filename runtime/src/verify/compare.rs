//! Comparing an output with its reference, element by element.
//!
//! An element fails only where both the absolute and the relative tolerance are exceeded. NaN must
//! meet NaN and an infinity the same infinity. A reference value beyond the output type's range
//! may come out as that infinity or as the largest finite value. Integers and booleans are exact.
//! Where only some blocks ran, the elements they wrote are compared.

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;
use ridge_spec::dtype::Dtype;
use ridge_spec::outcome::{AxisLength, ElementError, InputsUsed, Mismatch, ToleranceUsed};

use super::diagnose;
use super::written::{Coverage, WrittenElements};
use crate::numeric::codec::{
    decode_element, decode_integer, decode_into, decode_slice, element_size,
};
use crate::numeric::format::FloatFormat;

/// Elements handled together: their decoded form stays in the first-level cache.
const BLOCK: usize = 1024;
/// Elements of one parallel task.
const TASK: usize = 64 * BLOCK;

/// What an output should hold.
#[derive(Clone, Debug, PartialEq)]
pub enum ExpectedValues {
    /// Real values, in the output's memory order.
    Real(Arc<Vec<f64>>),
    /// Integers, exactly, for an output of an integer type.
    Integer(Arc<Vec<i64>>),
}

impl ExpectedValues {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Real(values) => values.len(),
            Self::Integer(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One of them; beyond 2^53 an integer is rounded. 0 past the end.
    pub fn get(&self, index: usize) -> f64 {
        match self {
            Self::Real(values) => values.get(index).copied().unwrap_or_default(),
            Self::Integer(values) => values.get(index).copied().unwrap_or_default() as f64,
        }
    }
}

/// What one output should hold, and how far it may be off beyond the tolerance.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// The values.
    pub values: ExpectedValues,
    /// For each element, the error that no kernel of single precision can be blamed for with these
    /// inputs: the tolerance there is at least this. `None` for inputs that are well conditioned.
    pub slack: Option<Arc<Vec<f32>>>,
}

impl Expected {
    /// Real values without slack.
    pub fn real(values: Vec<f64>) -> Self {
        Self { values: ExpectedValues::Real(Arc::new(values)), slack: None }
    }

    pub(crate) fn slack_at(&self, index: usize) -> f64 {
        self.slack
            .as_ref()
            .and_then(|slack| slack.get(index))
            .map_or(0.0, |&slack| f64::from(slack))
    }
}

/// One output and what it should be.
#[derive(Clone, Copy, Debug)]
pub struct CompareRequest<'a> {
    /// Name of the output.
    pub output: &'a str,
    /// Its element type.
    pub dtype: Dtype,
    /// Its axes, outermost first.
    pub axes: &'a [AxisLength],
    /// What the kernel left.
    pub bytes: &'a [u8],
    /// One bit for each byte, least significant first: written by the kernel. `None`: all of them.
    pub written: Option<&'a [u64]>,
    /// What the buffer held before the launch, where that is known.
    pub initial: Option<&'a [u8]>,
    /// What it should hold.
    pub expected: &'a Expected,
    /// What counts as equal.
    pub tolerance: ToleranceUsed,
    /// Which inputs were used.
    pub inputs: Option<&'a InputsUsed>,
}

/// How an output compares with its reference.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Name of the output.
    pub output: String,
    /// Elements it has.
    pub n_elements: u64,
    /// Elements compared.
    pub n_compared: u64,
    /// Elements out of tolerance.
    pub n_mismatched: u64,
    /// The largest error divided by what the tolerance allows there; 0 where nothing differs.
    pub worst_ratio: f64,
    /// The element that has it; `None` where nothing differs.
    pub worst: Option<ElementError>,
    /// The report, when too many elements are out of tolerance.
    pub mismatch: Option<Box<Mismatch>>,
}

/// Why two tensors cannot be compared.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "output `{output}` has {n_bytes} bytes and its reference {n_expected} elements of {element_bytes}"
)]
pub struct CompareError {
    /// The output.
    pub output: String,
    /// Bytes the kernel's side has.
    pub n_bytes: usize,
    /// Elements the reference has.
    pub n_expected: usize,
    /// Bytes of an element.
    pub element_bytes: usize,
}

/// Compares an output with its reference.
///
/// The output mismatches when a smaller share than `matched_ratio` of the compared elements is
/// within tolerance, and always when one is a NaN or an infinity that the reference does not have.
///
/// # Errors
/// When the two do not have the same number of elements.
pub fn compare(request: &CompareRequest<'_>) -> Result<Comparison, CompareError> {
    let size = element_size(request.dtype);
    let n_elements = request.expected.values.len();
    if n_elements * size != request.bytes.len() {
        return Err(CompareError {
            output: request.output.to_owned(),
            n_bytes: request.bytes.len(),
            n_expected: n_elements,
            element_bytes: size,
        });
    }
    let judge = Judge::new(request);
    let tasks: Vec<TaskResult> =
        (0..n_elements.div_ceil(TASK)).into_par_iter().map(|task| judge.run(task * TASK)).collect();
    let n_compared: u64 = tasks.iter().map(|task| task.n_compared).sum();
    let n_mismatched: u64 = tasks.iter().map(|task| task.n_failed).sum();
    let never_allowed = tasks.iter().any(|task| task.n_not_finite > 0);
    let worst = judge.worst(&tasks);
    let matched = (n_compared - n_mismatched) as f64;
    let too_many = matched < request.tolerance.matched_ratio * n_compared as f64;
    let mismatch = (n_mismatched > 0 && (too_many || never_allowed)).then(|| {
        let failed = FailedElements::gather(n_elements, tasks);
        Box::new(diagnose::diagnose(&judge, &failed, n_compared))
    });
    Ok(Comparison {
        output: request.output.to_owned(),
        n_elements: n_elements as u64,
        n_compared,
        n_mismatched,
        worst_ratio: worst.map_or(0.0, |(ratio, _)| ratio),
        worst: worst.map(|(_, index)| judge.element_error(index)),
        mismatch,
    })
}

/// One bit for each element: out of tolerance.
pub(super) struct FailedElements {
    pub(super) words: Vec<u64>,
    pub(super) n: u64,
}

impl FailedElements {
    fn gather(n_elements: usize, tasks: Vec<TaskResult>) -> Self {
        let n = tasks.iter().map(|task| task.n_failed).sum();
        let mut words = Vec::with_capacity(n_elements.div_ceil(64));
        for task in tasks {
            match task.failed {
                Some(failed) => words.extend(failed),
                None => words.resize(words.len() + TASK / 64, 0),
            }
        }
        Self { words, n }
    }

    /// The elements, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(at, &word)| {
            let next = |rest: &u64| (*rest & (*rest - 1) != 0).then(|| *rest & (*rest - 1));
            std::iter::successors((word != 0).then_some(word), next)
                .map(move |rest| at * 64 + rest.trailing_zeros() as usize)
        })
    }
}

struct TaskResult {
    n_compared: u64,
    n_failed: u64,
    n_not_finite: u64,
    /// One bit for each element of the task, when any failed.
    failed: Option<Vec<u64>>,
    /// The largest ratio, and the first element of the block that has it.
    worst: Option<(f64, usize)>,
}

/// The rules of one comparison.
pub(super) struct Judge<'a> {
    pub(super) request: &'a CompareRequest<'a>,
    pub(super) written: WrittenElements<'a>,
    pub(super) size: usize,
    absolute: f64,
    relative: f64,
    /// Largest finite value of the output's type.
    max_finite: f64,
    /// Whether conversions to the output's type saturate, even those of infinities.
    saturates: bool,
}

impl<'a> Judge<'a> {
    pub(super) fn new(request: &'a CompareRequest<'a>) -> Self {
        let size = element_size(request.dtype);
        let written = WrittenElements::new(request.written, size);
        let everything = written.coverage(0, request.expected.values.len()) == Coverage::All;
        let exact = !request.dtype.is_float();
        Self {
            request,
            written: if everything { WrittenElements::new(None, size) } else { written },
            size,
            absolute: if exact { 0.0 } else { request.tolerance.absolute },
            relative: if exact { 0.0 } else { request.tolerance.relative },
            max_finite: max_finite(request.dtype),
            saturates: matches!(request.dtype, Dtype::F8e4m3 | Dtype::F8e5m2),
        }
    }

    fn run(&self, start: usize) -> TaskResult {
        let end = (start + TASK).min(self.request.expected.values.len());
        let mut result =
            TaskResult { n_compared: 0, n_failed: 0, n_not_finite: 0, failed: None, worst: None };
        let mut values = [0.0; BLOCK];
        for from in (start..end).step_by(BLOCK) {
            let length = BLOCK.min(end - from);
            let coverage = self.written.coverage(from, length);
            if coverage == Coverage::None {
                continue;
            }
            let bytes = &self.request.bytes[from * self.size..(from + length) * self.size];
            decode_into(self.request.dtype, bytes, &mut values);
            let quick = match (&self.request.expected.values, &self.request.expected.slack) {
                (ExpectedValues::Real(expected), None) if coverage == Coverage::All => {
                    self.quick(&values[..length], &expected[from..from + length])
                }
                _ => None,
            };
            let ratio = if let Some(ratio) = quick {
                result.n_compared += length as u64;
                ratio
            } else {
                self.slow(from..from + length, start, &mut result)
            };
            if ratio > result.worst.map_or(0.0, |(worst, _)| worst) {
                result.worst = Some((ratio, from));
            }
        }
        result
    }

    /// The largest ratio of a block in which everything is within tolerance; `None` where
    /// something is not, or needs a closer look.
    #[inline]
    fn quick(&self, got: &[f64], expected: &[f64]) -> Option<f64> {
        let (mut n_bad, mut worst) = (0_u64, 0.0_f64);
        for (got, expected) in got.iter().zip(expected) {
            let error = (got - expected).abs();
            let bound = (self.relative * expected.abs()).max(self.absolute);
            // A bound may be infinite, where the reference is.
            n_bad += u64::from(!(error <= bound && error < f64::INFINITY));
            let ratio = error / bound;
            worst = if ratio > worst { ratio } else { worst };
        }
        (n_bad == 0).then_some(worst)
    }

    fn slow(&self, range: Range<usize>, start: usize, result: &mut TaskResult) -> f64 {
        let mut worst = 0.0;
        for (index, got) in range.clone().zip(self.got_range(range)) {
            if !self.written.contains(index) {
                continue;
            }
            result.n_compared += 1;
            let ratio = self.ratio(index, got);
            worst = f64::max(worst, ratio);
            if ratio > 1.0 {
                result.n_failed += 1;
                result.n_not_finite += u64::from(!got.is_finite());
                let failed = result.failed.get_or_insert_with(|| vec![0; TASK / 64]);
                failed[(index - start) / 64] |= 1 << ((index - start) % 64);
            }
        }
        worst
    }

    /// The error of one element divided by what is allowed there: above 1 is out of tolerance.
    /// `got` is its value, which is rounded for an integer beyond 2^53.
    #[inline]
    pub(super) fn ratio(&self, index: usize, got: f64) -> f64 {
        if let ExpectedValues::Integer(expected) = &self.request.expected.values
            && let Some(got) = decode_integer(self.request.dtype, self.element(index))
        {
            return if got == expected[index] { 0.0 } else { f64::INFINITY };
        }
        let expected = self.request.expected.values.get(index);
        self.ratio_of(got, expected, self.request.expected.slack_at(index))
    }

    /// The same for a value and what it should be.
    pub(super) fn ratio_of(&self, got: f64, expected: f64, slack: f64) -> f64 {
        let bound = (self.relative * expected.abs()).max(self.absolute).max(slack);
        let error = (got - expected).abs();
        if got == expected
            || got.is_nan() && expected.is_nan()
            || self.overflows(got, expected, bound)
        {
            0.0
        } else if !error.is_finite() {
            f64::INFINITY
        } else {
            error / bound
        }
    }

    /// Whether the expected value is too large for the output's type, give or take the tolerance,
    /// and the other is what such a value becomes.
    fn overflows(&self, got: f64, expected: f64, bound: f64) -> bool {
        let magnitude = expected.abs();
        let too_large = magnitude + bound >= self.max_finite && magnitude > self.max_finite * 0.5;
        let becomes = got.is_infinite()
            || got.abs() == self.max_finite && (magnitude.is_finite() || self.saturates);
        too_large && becomes && (got < 0.0) == (expected < 0.0)
    }

    fn element(&self, index: usize) -> &[u8] {
        &self.request.bytes[index * self.size..(index + 1) * self.size]
    }

    pub(super) fn got_range(&self, range: Range<usize>) -> Vec<f64> {
        decode_slice(
            self.request.dtype,
            &self.request.bytes[range.start * self.size..range.end * self.size],
        )
    }

    pub(super) fn got(&self, index: usize) -> f64 {
        decode_element(self.request.dtype, self.element(index))
    }

    /// The largest ratio and its element.
    fn worst(&self, tasks: &[TaskResult]) -> Option<(f64, usize)> {
        let mut worst: Option<(f64, usize)> = None;
        for &(ratio, from) in tasks.iter().filter_map(|task| task.worst.as_ref()) {
            if worst.is_none_or(|(most, _)| ratio > most) {
                worst = Some((ratio, from));
            }
        }
        let (ratio, from) = worst?;
        let end = (from + BLOCK).min(self.request.expected.values.len());
        let index = (from..end).find(|&index| {
            self.written.contains(index) && self.ratio(index, self.got(index)) >= ratio
        })?;
        Some((ratio, index))
    }

    pub(super) fn element_error(&self, index: usize) -> ElementError {
        let (got, expected) = (self.got(index), self.request.expected.values.get(index));
        let difference = (got - expected).abs();
        let same = got == expected || got.is_nan() && expected.is_nan();
        let absolute = match (same, difference.is_nan()) {
            (true, _) => 0.0,
            (false, true) => f64::INFINITY,
            (false, false) => difference,
        };
        let relative = if absolute == 0.0 { 0.0 } else { absolute / expected.abs() };
        ElementError {
            index: coordinates(self.request.axes, index),
            got,
            expected,
            absolute,
            relative: if relative.is_nan() { f64::INFINITY } else { relative },
        }
    }
}

/// The index along each axis of an element in row-major order.
pub(super) fn coordinates(axes: &[AxisLength], element: usize) -> Vec<u64> {
    let mut rest = element as u64;
    let mut index = vec![0; axes.len()];
    for (at, axis) in index.iter_mut().zip(axes).rev() {
        let length = axis.length.max(1);
        (*at, rest) = (rest % length, rest / length);
    }
    index
}

fn max_finite(dtype: Dtype) -> f64 {
    let format = match dtype {
        Dtype::F64 => FloatFormat::F64,
        Dtype::F32 => FloatFormat::F32,
        Dtype::F16 => FloatFormat::F16,
        Dtype::Bf16 => FloatFormat::BF16,
        Dtype::F8e4m3 => FloatFormat::E4M3,
        Dtype::F8e5m2 => FloatFormat::E5M2,
        Dtype::I64 | Dtype::I32 | Dtype::I16 | Dtype::I8 | Dtype::U32 | Dtype::U8 | Dtype::Bool => {
            return f64::INFINITY;
        }
    };
    format.to_f64(format.max_finite)
}
