//! What a mismatch looks like: how the errors spread, and the report that says so.

use rayon::prelude::*;
use ridge_spec::outcome::{ErrorDecade, ErrorDistribution, Mismatch};

use super::compare::{FailedElements, Judge};
use super::{region, resemblance};

/// Elements of one parallel task.
const TASK: usize = 1 << 16;
/// Bins of the histogram for each doubling: 32, so a quantile is 3 % off at most.
const BINS_LOG2: u32 = 5;
/// Ratios below `2^-LOWEST` share the first bin.
const LOWEST: i32 = 64;
const N_BINS: usize = (2 * LOWEST as usize) << BINS_LOG2;
/// Decades at both ends of the report.
const DECADES: std::ops::RangeInclusive<i32> = -6..=6;

/// Puts the report together. At least one element failed.
pub(super) fn diagnose(judge: &Judge<'_>, failed: &FailedElements, n_compared: u64) -> Mismatch {
    let request = judge.request;
    let (mut n_nan, mut n_infinite) = (0, 0);
    let (mut first, mut worst) = (None, (f64::NEG_INFINITY, 0));
    for index in failed.iter() {
        first.get_or_insert(index);
        match judge.wrongly_not_finite(index) {
            Some(true) => n_nan += 1,
            Some(false) => n_infinite += 1,
            None => {}
        }
        let ratio = judge.ratio(index);
        if ratio > worst.0 {
            worst = (ratio, index);
        }
    }
    Mismatch {
        output: request.output.to_owned(),
        dtype: request.dtype,
        axes: request.axes.to_vec(),
        n_mismatched: failed.n,
        n_compared,
        n_elements: request.expected.values.len() as u64,
        n_nan,
        n_infinite,
        tolerance: request.tolerance,
        inputs: request.inputs.cloned(),
        first: judge.element_error(first.unwrap_or_default()),
        worst: judge.element_error(worst.1),
        errors: spread(judge),
        region: region::find(judge, failed, n_compared),
        resembles: resemblance::find(judge, failed, n_compared),
    }
}

struct Histogram {
    n_exact: u64,
    n_infinite: u64,
    max: f64,
    bins: Vec<u64>,
}

impl Histogram {
    fn new() -> Self {
        Self { n_exact: 0, n_infinite: 0, max: 0.0, bins: vec![0; N_BINS] }
    }

    fn add(&mut self, ratio: f64) {
        self.max = self.max.max(ratio);
        if ratio == 0.0 {
            self.n_exact += 1;
        } else if ratio.is_finite() {
            self.bins[bin(ratio)] += 1;
        } else {
            self.n_infinite += 1;
        }
    }

    fn merge(mut self, other: &Self) -> Self {
        self.n_exact += other.n_exact;
        self.n_infinite += other.n_infinite;
        self.max = self.max.max(other.max);
        for (sum, n) in self.bins.iter_mut().zip(&other.bins) {
            *sum += n;
        }
        self
    }

    /// The ratio that this share of the elements does not exceed, from above.
    fn quantile(&self, share: f64) -> f64 {
        let n = self.n_exact + self.n_infinite + self.bins.iter().sum::<u64>();
        let rank = share * n as f64;
        let mut seen = self.n_exact;
        if seen as f64 >= rank {
            return 0.0;
        }
        for (bin, n) in self.bins.iter().enumerate() {
            seen += n;
            if seen as f64 >= rank {
                return lower_edge(bin + 1).min(self.max);
            }
        }
        self.max
    }

    fn decades(&self) -> Vec<ErrorDecade> {
        let (least, most) = (*DECADES.start(), *DECADES.end());
        let mut counts = vec![0; DECADES.count()];
        let mut put = |decade: i32, n: u64| {
            let at = decade.clamp(least, most) - least;
            counts[usize::try_from(at).unwrap_or_default()] += n;
        };
        for (bin, &n) in self.bins.iter().enumerate().filter(|(_, n)| **n > 0) {
            // The middle of the bin stands for all of it, but a bin that begins at 1 is above it.
            let middle = lower_edge(bin).midpoint(lower_edge(bin + 1));
            put(middle.log10().floor() as i32, n);
        }
        put(most, self.n_infinite);
        DECADES
            .zip(counts)
            .filter(|(_, n)| *n > 0)
            .map(|(decade, n)| ErrorDecade { decade, n })
            .collect()
    }
}

/// The upper bits of a positive binary64 are its logarithm, in steps.
fn bin(ratio: f64) -> usize {
    let code = ratio.to_bits() >> (52 - BINS_LOG2);
    let least = ((1023 - LOWEST) as u64) << BINS_LOG2;
    usize::try_from(code.saturating_sub(least)).map_or(N_BINS - 1, |bin| bin.min(N_BINS - 1))
}

fn lower_edge(bin: usize) -> f64 {
    let least = ((1023 - LOWEST) as u64) << BINS_LOG2;
    f64::from_bits((bin as u64 + least) << (52 - BINS_LOG2))
}

fn spread(judge: &Judge<'_>) -> ErrorDistribution {
    let n_elements = judge.request.expected.values.len();
    let histogram = (0..n_elements.div_ceil(TASK))
        .into_par_iter()
        .fold(Histogram::new, |mut histogram, task| {
            for index in task * TASK..((task + 1) * TASK).min(n_elements) {
                if judge.written.contains(index) {
                    histogram.add(judge.ratio(index));
                }
            }
            histogram
        })
        .reduce(Histogram::new, |a, b| a.merge(&b));
    ErrorDistribution {
        n_exact: histogram.n_exact,
        decades: histogram.decades(),
        median: histogram.quantile(0.5),
        p90: histogram.quantile(0.9),
        p99: histogram.quantile(0.99),
        max: histogram.max,
    }
}
