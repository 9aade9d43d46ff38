//! What a mismatch looks like: how the errors spread, and the report that says so.

use rayon::prelude::*;
use ridge_spec::outcome::{ErrorDecade, ErrorDistribution, Mismatch};

use super::compare::{FailedElements, Judge};
use super::{region, resemblance};

/// Elements of one parallel task.
const TASK: usize = 1 << 14;
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
    let histogram = histogram(judge);
    let (_, worst) = histogram.worst;
    Mismatch {
        output: request.output.to_owned(),
        dtype: request.dtype,
        axes: request.axes.to_vec(),
        n_mismatched: failed.n,
        n_compared,
        n_elements: request.expected.values.len() as u64,
        n_nan: histogram.n_nan,
        n_infinite: histogram.n_wrong_infinite,
        tolerance: request.tolerance,
        inputs: request.inputs.cloned(),
        first: judge.element_error(failed.iter().next().unwrap_or_default()),
        worst: judge.element_error(worst),
        errors: histogram.report(),
        region: region::find(judge, failed, n_compared),
        resembles: resemblance::find(judge, failed, n_compared),
    }
}

struct Histogram {
    n_exact: u64,
    n_infinite: u64,
    /// The largest ratio, and the first element that has it.
    worst: (f64, usize),
    bins: Vec<u64>,
    n_nan: u64,
    n_wrong_infinite: u64,
}

impl Histogram {
    fn new() -> Self {
        Self {
            n_exact: 0,
            n_infinite: 0,
            worst: (0.0, usize::MAX),
            bins: vec![0; N_BINS],
            n_nan: 0,
            n_wrong_infinite: 0,
        }
    }

    fn add(&mut self, judge: &Judge<'_>, index: usize, got: f64) {
        let ratio = judge.ratio(index, got);
        if ratio > self.worst.0 {
            self.worst = (ratio, index);
        }
        if ratio == 0.0 {
            self.n_exact += 1;
        } else if ratio.is_finite() {
            self.bins[bin(ratio)] += 1;
        } else {
            self.n_infinite += 1;
            self.n_nan += u64::from(got.is_nan());
            self.n_wrong_infinite += u64::from(got.is_infinite());
        }
    }

    fn merge(mut self, other: &Self) -> Self {
        self.n_exact += other.n_exact;
        self.n_infinite += other.n_infinite;
        self.n_nan += other.n_nan;
        self.n_wrong_infinite += other.n_wrong_infinite;
        let (ratio, index) = other.worst;
        if ratio > self.worst.0 || ratio == self.worst.0 && index < self.worst.1 {
            self.worst = other.worst;
        }
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
                return lower_edge(bin + 1).min(self.worst.0);
            }
        }
        self.worst.0
    }

    fn report(&self) -> ErrorDistribution {
        ErrorDistribution {
            n_exact: self.n_exact,
            decades: self.decades(),
            median: self.quantile(0.5),
            p90: self.quantile(0.9),
            p99: self.quantile(0.99),
            max: self.worst.0,
        }
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

fn histogram(judge: &Judge<'_>) -> Histogram {
    let n_elements = judge.request.expected.values.len();
    (0..n_elements.div_ceil(TASK))
        .into_par_iter()
        .fold(Histogram::new, |mut histogram, task| {
            let range = task * TASK..((task + 1) * TASK).min(n_elements);
            let got = judge.got_range(range.clone());
            for (index, got) in range.zip(got) {
                if judge.written.contains(index) {
                    histogram.add(judge, index, got);
                }
            }
            histogram
        })
        .reduce(Histogram::new, |a, b| a.merge(&b))
}
