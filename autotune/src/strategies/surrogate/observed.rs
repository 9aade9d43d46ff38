//! The history as a regression problem.

use std::collections::BTreeMap;

use crate::history::History;

/// Times slower than the median by more than this many times the way from the best to the median
/// (of logarithms) are compressed: how bad a bad candidate is does not tell where the good ones
/// are, and would cost the model its resolution there.
const COMPRESSED_FROM: f64 = 1.5;
const COMPRESSED_TO: f64 = 0.1;

/// The different candidates of a history, in the order in which they first came.
pub(super) struct Observed {
    pub(super) candidates: Vec<usize>,
    /// Logarithm of the time, compressed; a failure is as slow as the slowest success.
    pub(super) targets: Vec<f64>,
    /// The least target, of a candidate that succeeded; `None` while there is none.
    pub(super) best: Option<f64>,
}

impl Observed {
    pub(super) fn new(history: &History) -> Self {
        let mut place: BTreeMap<usize, usize> = BTreeMap::new();
        let mut candidates = Vec::new();
        let mut times: Vec<Option<f64>> = Vec::new();
        for evaluation in history.iter() {
            let time = evaluation.time_ns.map(|ns| (ns.max(1) as f64).ln());
            let at = *place.entry(evaluation.candidate).or_insert_with(|| {
                candidates.push(evaluation.candidate);
                times.push(None);
                times.len() - 1
            });
            times[at] = match (times[at], time) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        let (targets, best) = targets(&times);
        Self { candidates, targets, best }
    }
}

/// Logarithms of times as targets, and the least of a success: failures are as slow as the slowest
/// success, and what is very slow is compressed.
pub(super) fn targets(times: &[Option<f64>]) -> (Vec<f64>, Option<f64>) {
    let slowest = times.iter().copied().flatten().fold(f64::NEG_INFINITY, f64::max);
    let best = times.iter().copied().flatten().reduce(f64::min);
    let slowest = if best.is_some() { slowest } else { 0.0 };
    let mut targets: Vec<f64> = times.iter().map(|time| time.unwrap_or(slowest)).collect();
    if let Some(best) = best {
        compress(&mut targets, best);
    }
    (targets, best)
}

fn compress(targets: &mut [f64], best: f64) {
    let mut sorted = targets.to_vec();
    sorted.sort_by(f64::total_cmp);
    let median = sorted[(sorted.len() - 1) / 2];
    let from = median + COMPRESSED_FROM * (median - best).max(1e-3);
    for target in targets.iter_mut().filter(|target| **target > from) {
        *target = from + COMPRESSED_TO * (*target - from);
    }
}

#[cfg(test)]
mod tests {
    use ridge_spec::outcome::{Outcome, Rejection, Samples};

    use super::*;

    #[test]
    fn failures_are_slow_and_the_best_of_two_counts() {
        let timed = |ns| Outcome::Measured(Samples::new(vec![ns]).unwrap());
        let failed = || Outcome::Rejected(Rejection::Launch { message: "no".to_owned() });
        let mut history = History::new();
        history.push(3, failed());
        assert_eq!(Observed::new(&history).best, None);
        for (candidate, outcome) in [(5, timed(100)), (7, timed(300)), (5, timed(90))] {
            history.push(candidate, outcome);
        }
        let observed = Observed::new(&history);
        assert_eq!(observed.candidates, [3, 5, 7]);
        let expected = [300f64.ln(), 90f64.ln(), 300f64.ln()];
        for (found, expected) in observed.targets.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12);
        }
        assert_eq!(observed.best, Some(90f64.ln()));
    }

    #[test]
    fn very_slow_ones_are_compressed_in_order() {
        let mut targets = vec![0.0, 1.0, 2.0, 10.0, 20.0];
        compress(&mut targets, 0.0);
        assert_eq!(targets[..3], [0.0, 1.0, 2.0]);
        assert!(targets.is_sorted() && targets[4] < 7.0, "{targets:?}");
    }
}
