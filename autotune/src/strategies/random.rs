//! Candidates drawn evenly, none twice: the baseline for every other strategy.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use ridge_spec::space::LegalSpace;

use crate::history::History;
use crate::strategy::{Setup, Strategy};

/// See the module.
pub(super) struct Random {
    rng: ChaCha8Rng,
    /// The candidates not yet drawn; filled at the first call.
    remaining: Option<Vec<usize>>,
}

impl Random {
    pub(super) fn new(setup: Setup) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(setup.seed), remaining: None }
    }
}

impl Strategy for Random {
    fn propose(&mut self, space: &LegalSpace, history: &History, n_max: usize) -> Vec<usize> {
        let remaining = self.remaining.get_or_insert_with(|| (0..space.len()).collect());
        let mut batch = Vec::new();
        while batch.len() < n_max && !remaining.is_empty() {
            let drawn = remaining.swap_remove(self.rng.random_range(0..remaining.len()));
            if !history.contains(drawn) {
                batch.push(drawn);
            }
        }
        batch
    }
}
