//! Well-known kinds of wrong output, recognised on a sample of the wrong elements.

use ridge_spec::outcome::Resemblance;

use super::compare::{FailedElements, Judge, coordinates};

/// Wrong elements looked at.
const SAMPLE: usize = 2048;
/// Those that an idea is tried on before all are.
const GLANCE: usize = 24;
/// Fewer wrong elements than this look like anything.
const EVIDENCE: usize = 4;
/// Share of the sample that an idea must explain.
const ENOUGH: f64 = 0.95;
/// Farthest shift that is tried one by one; beyond it, powers of two.
const SHIFT_MAX: i64 = 64;

/// One wrong element.
#[derive(Clone, Copy)]
struct Wrong {
    element: usize,
    got: f64,
    expected: f64,
}

/// What the wrong elements look like, if like anything.
pub(super) fn find(
    judge: &Judge<'_>,
    failed: &FailedElements,
    n_compared: u64,
) -> Option<Resemblance> {
    let step = (failed.n as usize).div_ceil(SAMPLE).max(1);
    let sample: Vec<Wrong> = failed
        .iter()
        .step_by(step)
        .map(|element| Wrong {
            element,
            got: judge.got(element),
            expected: judge.request.expected.values.get(element),
        })
        .collect();
    if is_unwritten(judge, &sample) {
        return Some(Resemblance::Unwritten);
    }
    if most(&sample, |wrong| wrong.got.is_nan()) {
        return Some(Resemblance::NotANumber);
    }
    if most(&sample, |wrong| wrong.got == 0.0) {
        return Some(Resemblance::Zero);
    }
    if sample.len() < EVIDENCE {
        return None;
    }
    if is_transposed(judge, &sample) {
        return Some(Resemblance::Transposed);
    }
    shift(judge, &sample)
        .or_else(|| constant(&sample, n_compared))
        .or_else(|| factor(&sample))
        .or_else(|| offset(&sample))
}

fn most(sample: &[Wrong], holds: impl Fn(&Wrong) -> bool) -> bool {
    let enough = |part: &[Wrong]| {
        part.iter().filter(|wrong| holds(wrong)).count() as f64 >= ENOUGH * part.len() as f64
    };
    !sample.is_empty() && enough(&sample[..sample.len().min(GLANCE)]) && enough(sample)
}

fn is_unwritten(judge: &Judge<'_>, sample: &[Wrong]) -> bool {
    let Some(initial) = judge.request.initial else { return false };
    most(sample, |wrong| {
        let bytes = wrong.element * judge.size..(wrong.element + 1) * judge.size;
        initial.get(bytes.clone()) == judge.request.bytes.get(bytes)
    })
}

/// Whether each holds what belongs at another place. `place` gives that place, or nothing where
/// there is none, which is neither evidence for nor against; half must have one.
fn comes_from(judge: &Judge<'_>, sample: &[Wrong], place: impl Fn(usize) -> Option<usize>) -> bool {
    let expected = &judge.request.expected.values;
    let enough = |part: &[Wrong]| {
        let placed: Vec<(f64, f64)> = part
            .iter()
            .filter_map(|wrong| place(wrong.element).map(|at| (wrong.got, expected.get(at))))
            .collect();
        let n_same = placed.iter().filter(|(got, other)| judge.ratio_of(*got, *other, 0.0) <= 1.0);
        placed.len() >= EVIDENCE
            && placed.len() * 2 >= part.len()
            && n_same.count() as f64 >= ENOUGH * placed.len() as f64
    };
    let glance = sample.len().div_ceil(GLANCE);
    let spread: Vec<Wrong> = sample.iter().step_by(glance.max(1)).copied().collect();
    enough(&spread) && enough(sample)
}

fn is_transposed(judge: &Judge<'_>, sample: &[Wrong]) -> bool {
    let [.., rows, cols] = judge.request.axes else { return false };
    let (n_rows, n_cols) = (rows.length as usize, cols.length as usize);
    if n_rows < 2 || n_cols < 2 {
        return false;
    }
    comes_from(judge, sample, |element| {
        let (matrix, at) = (element / (n_rows * n_cols), element % (n_rows * n_cols));
        // The memory of an output of `cols` by `rows`.
        let (col, row) = (at / n_rows, at % n_rows);
        Some(matrix * n_rows * n_cols + row * n_cols + col)
    })
}

fn shift(judge: &Judge<'_>, sample: &[Wrong]) -> Option<Resemblance> {
    let axes = judge.request.axes;
    let mut stride = 1_i64;
    for (at, axis) in axes.iter().enumerate().rev() {
        let near = (1..=SHIFT_MAX).flat_map(|by| [by, -by]);
        let far = (7..=14).flat_map(|log2| [1 << log2, -(1 << log2)]);
        for by in near.chain(far).filter(|by: &i64| by.unsigned_abs() < axis.length) {
            let place = |element: usize| {
                let index = coordinates(axes, element)[at] as i64 + by;
                let inside = (0..axis.length as i64).contains(&index);
                inside.then(|| (element as i64 + by * stride) as usize)
            };
            if comes_from(judge, sample, place) {
                return Some(Resemblance::Shifted { axis: axis.name.clone(), by });
            }
        }
        stride *= axis.length as i64;
    }
    None
}

fn constant(sample: &[Wrong], n_compared: u64) -> Option<Resemblance> {
    let first = sample.first()?;
    let varies = sample.iter().any(|wrong| wrong.expected != first.expected);
    (varies && n_compared > 1 && sample.iter().all(|wrong| wrong.got == first.got))
        .then_some(Resemblance::Constant { value: first.got })
}

/// The value that most of the numbers have, give or take 1 %.
fn agreed(mut numbers: Vec<f64>, n_sample: usize) -> Option<f64> {
    numbers.retain(|number| number.is_finite());
    if numbers.len() < EVIDENCE || numbers.len() * 2 < n_sample {
        return None;
    }
    numbers.sort_by(f64::total_cmp);
    let median = numbers[numbers.len() / 2];
    let n_near = numbers.iter().filter(|n| (*n - median).abs() <= 0.01 * median.abs()).count();
    (n_near as f64 >= ENOUGH * numbers.len() as f64).then_some(median)
}

fn factor(sample: &[Wrong]) -> Option<Resemblance> {
    let ratios = sample.iter().map(|wrong| wrong.got / wrong.expected).collect();
    let factor = agreed(ratios, sample.len())?;
    // A whole number or the inverse of one is said so: the rest is rounding.
    let snap = |value: f64| {
        let whole = value.round();
        (whole != 0.0 && (value - whole).abs() <= 0.01 * whole.abs()).then_some(whole)
    };
    let factor = snap(factor).or_else(|| snap(1.0 / factor).map(|n| 1.0 / n)).unwrap_or(factor);
    (factor != 1.0 && factor != 0.0).then_some(Resemblance::Factor { factor })
}

fn offset(sample: &[Wrong]) -> Option<Resemblance> {
    let differences = sample.iter().map(|wrong| wrong.got - wrong.expected).collect();
    let offset = agreed(differences, sample.len())?;
    (offset != 0.0).then_some(Resemblance::Offset { offset })
}
