//! The history as a regression problem.

use std::collections::BTreeMap;

use crate::gaussian::targets;
use crate::history::History;

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
}
