//! What a campaign has evaluated so far.

use std::collections::BTreeSet;

use ridge_spec::outcome::Outcome;

/// Evaluated candidates in the order in which they were evaluated.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    entries: Vec<Evaluation>,
    seen: BTreeSet<usize>,
    /// Place in `entries` of the fastest.
    best: Option<usize>,
}

/// One evaluated candidate.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Its index in the legal space.
    pub candidate: usize,
    /// What became of it.
    pub outcome: Outcome,
    /// The median of its samples or its predicted time, nanoseconds; `None` where it was rejected.
    pub time_ns: Option<u64>,
}

impl History {
    /// A history with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an evaluation. A candidate may come again, such as in a final re-measurement; the
    /// fastest of its times counts.
    pub fn push(&mut self, candidate: usize, outcome: Outcome) {
        let time_ns = outcome.time_ns();
        self.entries.push(Evaluation { candidate, outcome, time_ns });
        self.seen.insert(candidate);
        let place = self.entries.len() - 1;
        if let Some(time) = time_ns
            && self.best().and_then(|best| best.time_ns).is_none_or(|least| time < least)
        {
            self.best = Some(place);
        }
    }

    /// Evaluations so far.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing has been evaluated.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Different candidates evaluated so far.
    pub fn n_candidates(&self) -> usize {
        self.seen.len()
    }

    /// Whether a candidate has been evaluated.
    pub fn contains(&self, candidate: usize) -> bool {
        self.seen.contains(&candidate)
    }

    /// The evaluations, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Evaluation> + ExactSizeIterator {
        self.entries.iter()
    }

    /// Evaluations since the fastest; all of them while nothing succeeded.
    pub fn n_since_best(&self) -> usize {
        self.entries.len() - self.best.map_or(0, |place| place + 1)
    }

    /// The fastest evaluation, the earlier of two equal ones; `None` while nothing succeeded.
    pub fn best(&self) -> Option<&Evaluation> {
        self.best.map(|place| &self.entries[place])
    }
}

#[cfg(test)]
mod tests {
    use ridge_spec::outcome::Samples;

    use super::*;

    #[test]
    fn keeps_order_and_the_earliest_best() {
        let timed = |ns| Outcome::Measured(Samples::new(vec![ns]).unwrap());
        let mut history = History::new();
        assert!(history.is_empty() && history.best().is_none());
        for (candidate, ns) in [(4, 30), (2, 10), (9, 10), (4, 20)] {
            history.push(candidate, timed(ns));
        }
        assert_eq!(history.best().map(|best| best.candidate), Some(2));
        assert_eq!((history.len(), history.n_candidates()), (4, 3));
        assert_eq!(history.n_since_best(), 2);
        assert!(history.contains(9) && !history.contains(3));
        assert_eq!(history.iter().map(|entry| entry.candidate).collect::<Vec<_>>(), [4, 2, 9, 4]);
    }
}
