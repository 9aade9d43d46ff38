//! Reductions: what is added up, and how exactly.

use super::function::{Reduction, maximum, minimum};
use super::walk::{View, runs};

/// Half-way results of a reduction, one for each element of the result.
///
/// A sum is kept with the rounding error it has lost so far (Neumaier's form of Kahan's
/// compensation); contiguous runs are first added in pairs.
pub(super) struct Partial {
    function: Reduction,
    value: Vec<f64>,
    lost: Vec<f64>,
}

impl Partial {
    pub(super) fn new(function: Reduction, size: usize) -> Self {
        let (start, n_lost) = match function {
            Reduction::Sum | Reduction::Mean => (0.0, size),
            Reduction::Max => (f64::NEG_INFINITY, 0),
            Reduction::Min => (f64::INFINITY, 0),
        };
        Self { function, value: vec![start; size], lost: vec![0.0; n_lost] }
    }

    /// Starts over with another size, keeping the memory.
    pub(super) fn reset(&mut self, function: Reduction, size: usize) {
        let Self { mut value, mut lost, .. } =
            std::mem::replace(self, Self { function, value: Vec::new(), lost: Vec::new() });
        let fresh = match function {
            Reduction::Sum | Reduction::Mean => 0.0,
            Reduction::Max => f64::NEG_INFINITY,
            Reduction::Min => f64::INFINITY,
        };
        value.clear();
        value.resize(size, fresh);
        lost.clear();
        if matches!(function, Reduction::Sum | Reduction::Mean) {
            lost.resize(size, 0.0);
        }
        *self = Self { function, value, lost };
    }

    /// Joins the elements of `from`, walked over `lengths`; the results lie at `start` and
    /// `strides`, 0 along reduced dimensions.
    pub(super) fn join(
        &mut self,
        start: usize,
        strides: &[usize],
        lengths: &[usize],
        from: &View<'_>,
    ) {
        let (value, lost) = (&mut self.value, &mut self.lost);
        let walk = [strides, &from.strides];
        match self.function {
            Reduction::Sum | Reduction::Mean => {
                runs(lengths, [start, from.start], walk, |[at, from_at], [step, from_step], n| {
                    let from = &from.data[from_at..];
                    if step == 0 {
                        let sum = match from_step {
                            1 => pairwise_sum(&from[..n]),
                            _ => pairwise_sum_strided(from, from_step, n),
                        };
                        add(&mut value[at], &mut lost[at], sum);
                    } else {
                        for i in 0..n {
                            let at = at + i * step;
                            add(&mut value[at], &mut lost[at], from[i * from_step]);
                        }
                    }
                });
            }
            Reduction::Max => extreme(value, start, lengths, walk, from, maximum),
            Reduction::Min => extreme(value, start, lengths, walk, from, minimum),
        }
    }

    /// Writes the results; `count` is the number of elements joined into each.
    pub(super) fn finish(&self, count: usize, out: &mut [f64]) {
        if self.lost.is_empty() {
            out.copy_from_slice(&self.value);
            return;
        }
        let divisor = if self.function == Reduction::Mean { count as f64 } else { 1.0 };
        for ((out, &value), &lost) in out.iter_mut().zip(&self.value).zip(&self.lost) {
            // What an infinite sum has lost is not a number.
            *out = if value.is_finite() { (value + lost) / divisor } else { value / divisor };
        }
    }
}

fn extreme(
    value: &mut [f64],
    start: usize,
    lengths: &[usize],
    walk: [&[usize]; 2],
    from: &View<'_>,
    choose: impl Fn(f64, f64) -> f64,
) {
    runs(lengths, [start, from.start], walk, |[at, from_at], [step, from_step], n| {
        let from = &from.data[from_at..];
        if step == 0 && from_step == 1 {
            // Lanes apart, so that the compiler can use vector instructions.
            let mut lanes = [value[at]; 8];
            let chunks = from[..n].chunks_exact(8);
            let rest = chunks.remainder();
            for chunk in chunks {
                for (lane, &x) in lanes.iter_mut().zip(chunk) {
                    *lane = choose(*lane, x);
                }
            }
            value[at] = lanes.into_iter().chain(rest.iter().copied()).fold(value[at], &choose);
        } else {
            for i in 0..n {
                let at = at + i * step;
                value[at] = choose(value[at], from[i * from_step]);
            }
        }
    });
}

/// Adds `x` and keeps what rounding loses.
fn add(sum: &mut f64, lost: &mut f64, x: f64) {
    let total = *sum + x;
    *lost += if sum.abs() >= x.abs() { (*sum - total) + x } else { (x - total) + *sum };
    *sum = total;
}

/// Adds in pairs of halves down to short runs, which eight lanes add.
fn pairwise_sum(xs: &[f64]) -> f64 {
    if xs.len() > 256 {
        let (left, right) = xs.split_at(xs.len() / 2);
        return pairwise_sum(left) + pairwise_sum(right);
    }
    let mut lanes = [0.0; 8];
    let chunks = xs.chunks_exact(8);
    let rest: f64 = chunks.remainder().iter().sum();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += x;
        }
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + b) + (c + d)) + ((e + f) + (g + h)) + rest
}

/// The same for every `step`-th element of `xs`, `n` of them.
fn pairwise_sum_strided(xs: &[f64], step: usize, n: usize) -> f64 {
    if n > 128 {
        let half = n / 2;
        return pairwise_sum_strided(xs, step, half)
            + pairwise_sum_strided(&xs[half * step..], step, n - half);
    }
    (0..n).map(|i| xs[i * step]).sum()
}
