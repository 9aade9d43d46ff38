//! A Gaussian process over the space, and expected improvement.
//!
//! The first candidates are drawn evenly; each later one is where the process expects the largest
//! improvement on the best so far, or now and then the lowest bound. Its length scales are learnt as
//! the history grows. In a batch, what is already chosen counts as observed with the value that
//! is expected there. With a prior, the process models what the predictions leave unexplained, as
//! far as predictions and times have been seen to agree; when that brings no improvement, a model
//! that knows nothing of the prior takes its turn.

mod improvement;
mod model;
mod observed;
mod pool;
mod trust;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use ridge_spec::space::LegalSpace;

use crate::history::History;
use crate::prior::Prior;
use crate::strategy::{Setup, Strategy};
use model::Model;

/// Evaluations without an improvement after which the model with the prior and the one without
/// take turns: a prior that misleads must not hold the search for long.
const PATIENCE: usize = 16;

/// See the module.
pub(super) struct Surrogate {
    rng: ChaCha8Rng,
    prior: Option<Prior>,
    /// The models in turn: with the prior where there is one, and without. Made at the first call.
    models: Vec<Model>,
    active: usize,
    /// Length of the history when the active model took over.
    since: usize,
}

impl Surrogate {
    /// A surrogate that ignores the prior.
    pub(super) fn cold(setup: Setup) -> Self {
        Self::new(setup.seed, None)
    }

    /// A surrogate that begins with the predicted fastest and learns how far to trust the prior.
    pub(super) fn with_prior(setup: Setup) -> Self {
        Self::new(setup.seed, setup.prior)
    }

    fn new(seed: u64, prior: Option<Prior>) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Self { rng, prior, models: Vec::new(), active: 0, since: 0 }
    }
}

impl Strategy for Surrogate {
    fn propose(&mut self, space: &LegalSpace, history: &History, n_max: usize) -> Vec<usize> {
        if self.models.is_empty() {
            self.models.extend(self.prior.as_ref().map(|prior| Model::new(space, Some(prior))));
            self.models.push(Model::new(space, None));
        }
        let stuck = history.n_since_best().min(history.len().saturating_sub(self.since));
        if stuck >= PATIENCE {
            self.active = (self.active + 1) % self.models.len();
            self.since = history.len();
        }
        self.models[self.active].propose(space, history, n_max, &mut self.rng)
    }

    fn expected_gain(&self) -> Option<f64> {
        self.models.get(self.active).and_then(|model| model.expected_gain)
    }
}
