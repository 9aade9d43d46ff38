//! Coordinate descent with restarts: from a point, its neighbours in random order; the first that
//! is faster is the next point. Where none is, it starts again: at the predicted fastest candidate
//! not yet seen while the prior has some, else anywhere.

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use ridge_spec::space::LegalSpace;

use crate::history::History;
use crate::strategy::{Setup, Strategy};

/// Starts that a prior decides; after that its word has been heard.
const N_PREDICTED_STARTS: usize = 5;

/// See the module.
pub(super) struct CoordinateDescent {
    rng: ChaCha8Rng,
    /// Where to start, the next last.
    starts: Vec<usize>,
    /// Time of the point whose neighbours are being tried; `None` at the start of a descent.
    current_ns: Option<u64>,
    /// Neighbours still to try.
    to_try: Vec<usize>,
    /// Evaluations of the history that have been looked at.
    n_seen: usize,
}

impl CoordinateDescent {
    pub(super) fn new(setup: Setup) -> Self {
        let mut starts = setup.prior.map(|prior| prior.order()).unwrap_or_default();
        starts.truncate(N_PREDICTED_STARTS);
        starts.reverse();
        Self {
            rng: ChaCha8Rng::seed_from_u64(setup.seed),
            starts,
            current_ns: None,
            to_try: Vec::new(),
            n_seen: 0,
        }
    }

    /// Moves to the fastest of what was evaluated since the last call, if that is an improvement.
    fn look(&mut self, space: &LegalSpace, history: &History) {
        let news = history.iter().skip(self.n_seen);
        let fastest =
            news.filter_map(|evaluation| Some((evaluation.time_ns?, evaluation.candidate))).min();
        self.n_seen = history.len();
        if let Some((time, candidate)) = fastest
            && self.current_ns.is_none_or(|current| time < current)
        {
            self.current_ns = Some(time);
            self.to_try = space.neighbours(candidate);
            self.to_try.shuffle(&mut self.rng);
        }
    }

    fn start(&mut self, space: &LegalSpace, history: &History) -> Option<usize> {
        while let Some(start) = self.starts.pop() {
            if start < space.len() && !history.contains(start) {
                return Some(start);
            }
        }
        let from = self.rng.random_range(0..space.len());
        (from..space.len()).chain(0..from).find(|&candidate| !history.contains(candidate))
    }
}

impl Strategy for CoordinateDescent {
    fn propose(&mut self, space: &LegalSpace, history: &History, n_max: usize) -> Vec<usize> {
        if n_max == 0 {
            return Vec::new();
        }
        self.look(space, history);
        let mut batch = Vec::new();
        while batch.len() < n_max
            && let Some(candidate) = self.to_try.pop()
        {
            if !history.contains(candidate) {
                batch.push(candidate);
            }
        }
        if batch.is_empty() {
            self.current_ns = None;
            batch.extend(self.start(space, history));
        }
        batch
    }
}
