//! A Gaussian process over the space, and expected improvement.
//!
//! The first candidates are drawn evenly; each later one is where the process expects the largest
//! improvement on the best so far, or now and then the lowest bound. Its length scales are learnt as the history grows. In a batch,
//! what is already chosen counts as observed with the value that the process expects there. With
//! a prior, the process models what the prediction leaves unexplained, as far as predictions and
//! times have been seen to agree; when that brings no improvement, a process that knows nothing of
//! the prior takes its turn.

mod features;
mod improvement;
mod interpolate;
mod observed;
mod process;

use std::collections::BTreeSet;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use ridge_spec::space::LegalSpace;

use crate::history::History;
use crate::prior::Prior;
use crate::strategy::{Setup, Strategy};
use features::FeatureMap;
use improvement::expected_improvement;
pub(crate) use interpolate::{Observations, expected_slowdowns};
use observed::Observed;
use process::{Kernel, Posterior};

/// Candidates evaluated before the model is asked.
const N_FIRST: usize = 6;

/// Candidates that the model looks at: all of a small space; of a large one the neighbours of the
/// best and a sample, drawn anew whenever the weights are.
const POOL_LIMIT: usize = 3000;

/// The fastest candidates whose neighbours are in the pool.
const N_NEIGHBOURHOODS: usize = 10;

/// The history grows by this share between choices of weights.
const REFIT_GROWTH: f64 = 0.05;

/// Every so many candidates, one is chosen by its lower bound, so many deviations below the mean,
/// instead of its expected improvement: it looks where the model knows least among the promising,
/// and frees a search that expects too little of what it has not seen.
const BOUND_EVERY: usize = 4;
const BOUND_DEVIATIONS: f64 = 2.0;

/// Steps of one choice of weights, while there are few observations, and later, when a step costs
/// more and finds less.
const N_FIT_STEPS: [usize; 2] = [60, 30];
const FEW_OBSERVATIONS: usize = 30;

/// Trust in a prior's slope before any candidate is evaluated, and how many evaluations that
/// belief weighs.
const SLOPE_EXPECTED: f64 = 0.5;
const SLOPE_WEIGHT: f64 = 3.0;

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

/// What is kept between calls.
struct Model {
    features: FeatureMap,
    /// The candidates to look at first, fastest predicted last.
    first: Vec<usize>,
    /// Logarithm of each candidate's predicted time less the mean; empty without a prior.
    predicted: Vec<f64>,
    kernel: Kernel,
    pool: Vec<usize>,
    posterior: Posterior,
    /// Observations at the last choice of weights; 0 before the first.
    n_fitted: usize,
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
}

impl Model {
    fn new(space: &LegalSpace, prior: Option<&Prior>) -> Self {
        let features = FeatureMap::new(space, prior, None);
        let kernel = Kernel::new(features.weights());
        let mut first = prior.map(Prior::order).unwrap_or_default();
        first.retain(|&candidate| candidate < space.len());
        first.truncate(N_FIRST.div_ceil(2));
        first.reverse();
        Self {
            features,
            first,
            predicted: prior.map(|prior| logarithms(prior, space.len())).unwrap_or_default(),
            posterior: Posterior::new(kernel.clone(), Vec::new(), 0),
            kernel,
            pool: Vec::new(),
            n_fitted: 0,
        }
    }

    fn propose(
        &mut self,
        space: &LegalSpace,
        history: &History,
        n_max: usize,
        rng: &mut ChaCha8Rng,
    ) -> Vec<usize> {
        let mut batch = Vec::new();
        let n_left = space.len() - history.n_candidates().min(space.len());
        let n_max = n_max.min(n_left);
        while batch.len() < n_max
            && let Some(candidate) = self.first.pop()
        {
            if !history.contains(candidate) {
                batch.push(candidate);
            }
        }
        let observed = Observed::new(history);
        while batch.len() < n_max
            && (observed.candidates.len() + batch.len() < N_FIRST || observed.best.is_none())
        {
            let Some(candidate) = draw(space, history, &batch, rng) else { break };
            batch.push(candidate);
        }
        if batch.len() < n_max
            && let Some(best) = observed.best
        {
            self.improve(space, history, (&observed, best), n_max, &mut batch, rng);
        }
        batch
    }

    /// Fills the batch with the largest expected improvements.
    fn improve(
        &mut self,
        space: &LegalSpace,
        history: &History,
        (observed, best): (&Observed, f64),
        n_max: usize,
        batch: &mut Vec<usize>,
        rng: &mut ChaCha8Rng,
    ) {
        let slope = self.slope(observed);
        let explained = |candidate: usize| self.predicted.get(candidate).map_or(0.0, |p| slope * p);
        let mut targets: Vec<f64> = observed
            .candidates
            .iter()
            .zip(&observed.targets)
            .map(|(&candidate, target)| target - explained(candidate))
            .collect();
        let level = targets.iter().sum::<f64>() / targets.len() as f64;
        for target in &mut targets {
            *target -= level;
        }
        self.refresh(space, history, observed, &targets, rng);
        for &candidate in &observed.candidates[self.posterior.len()..] {
            self.posterior.push(self.features.row(space, candidate));
        }
        // What is chosen in this batch is observed only here.
        let known = (batch.len() + 1 < n_max || !batch.is_empty()).then(|| self.posterior.clone());
        for &candidate in batch.iter() {
            self.posterior.push(self.features.row(space, candidate));
            targets.push(0.0);
        }
        let mut chosen: BTreeSet<usize> = batch.iter().copied().collect();
        while batch.len() < n_max {
            let (mean, scale) = self.posterior.mean(&targets);
            let by_bound = (observed.candidates.len() + batch.len()).is_multiple_of(BOUND_EVERY);
            let mut found: Option<(f64, usize)> = None;
            for (point, &candidate) in self.pool.iter().enumerate() {
                if history.contains(candidate) || chosen.contains(&candidate) {
                    continue;
                }
                let explained = self.predicted.get(candidate).map_or(0.0, |p| slope * p);
                let expected = f64::from(mean[point]) + level + explained;
                let deviation = (self.posterior.variance(point) * scale).sqrt();
                let worth = if by_bound {
                    BOUND_DEVIATIONS * deviation - expected
                } else {
                    expected_improvement(expected, deviation, best)
                };
                if found.is_none_or(|(most, _)| worth > most) {
                    found = Some((worth, point));
                }
            }
            let Some((_, point)) = found else {
                // The pool is used up; the space is not, or n_max would be smaller.
                let Some(candidate) = draw(space, history, batch, rng) else { break };
                chosen.insert(candidate);
                batch.push(candidate);
                continue;
            };
            let candidate = self.pool[point];
            chosen.insert(candidate);
            batch.push(candidate);
            if batch.len() < n_max {
                self.posterior.push(self.features.row(space, candidate));
                targets.push(f64::from(mean[point]));
            }
        }
        if let Some(known) = known {
            self.posterior = known;
        }
    }

    /// Chooses weights and pool anew where the history has grown enough.
    fn refresh(
        &mut self,
        space: &LegalSpace,
        history: &History,
        observed: &Observed,
        targets: &[f64],
        rng: &mut ChaCha8Rng,
    ) {
        let n = observed.candidates.len();
        if self.n_fitted > 0
            && (n as f64) < (self.n_fitted as f64 * (1.0 + REFIT_GROWTH)).floor() + 1.0
        {
            return;
        }
        let known = self.posterior.rows().iter().cloned();
        let rows: Vec<Vec<f32>> = known
            .chain(
                observed.candidates[self.posterior.len()..]
                    .iter()
                    .map(|&candidate| self.features.row(space, candidate)),
            )
            .collect();
        let n_steps = N_FIT_STEPS[usize::from(n > FEW_OBSERVATIONS)];
        self.kernel.fit(&rows, targets, &self.features.weights(), n_steps, rng);
        self.n_fitted = n;
        self.pool = pool(space, history, rng);
        let axes = (0..self.features.len())
            .map(|axis| {
                let at = |&candidate: &usize| self.features.coordinate(axis, space, candidate);
                self.pool.iter().map(at).collect()
            })
            .collect();
        self.posterior = Posterior::new(self.kernel.clone(), axes, self.pool.len());
        for row in rows {
            self.posterior.push(row);
        }
    }

    /// How far times have followed the predictions: the slope of one on the other, from 0 to 1.5.
    fn slope(&self, observed: &Observed) -> f64 {
        if self.predicted.is_empty() {
            return 0.0;
        }
        let n = observed.candidates.len() as f64;
        let predicted: Vec<f64> =
            observed.candidates.iter().map(|&candidate| self.predicted[candidate]).collect();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / n;
        let (x, y) = (mean(&predicted), mean(&observed.targets));
        let spread = variance(&self.predicted) * SLOPE_WEIGHT;
        let (mut above, mut below) = (SLOPE_EXPECTED * spread, spread);
        for (predicted, target) in predicted.iter().zip(&observed.targets) {
            above += (predicted - x) * (target - y);
            below += (predicted - x) * (predicted - x);
        }
        if below > 0.0 { (above / below).clamp(0.0, 1.5) } else { 0.0 }
    }
}

/// The candidates that the model looks at, sorted; none that the history holds.
fn pool(space: &LegalSpace, history: &History, rng: &mut ChaCha8Rng) -> Vec<usize> {
    if space.len() <= POOL_LIMIT + history.n_candidates() {
        return (0..space.len()).filter(|&candidate| !history.contains(candidate)).collect();
    }
    let mut fastest: Vec<(u64, usize)> = history
        .iter()
        .filter_map(|evaluation| Some((evaluation.time_ns?, evaluation.candidate)))
        .collect();
    fastest.sort_unstable();
    let mut pool = BTreeSet::new();
    for &(_, candidate) in fastest.iter().take(N_NEIGHBOURHOODS) {
        pool.extend(
            space.neighbours(candidate).into_iter().filter(|&near| !history.contains(near)),
        );
    }
    while pool.len() < POOL_LIMIT {
        let drawn = rng.random_range(0..space.len());
        if !history.contains(drawn) {
            pool.insert(drawn);
        }
    }
    pool.into_iter().collect()
}

/// A candidate that is neither in the history nor in the batch; `None` where there is none.
fn draw(
    space: &LegalSpace,
    history: &History,
    batch: &[usize],
    rng: &mut ChaCha8Rng,
) -> Option<usize> {
    let free = |candidate: usize| !history.contains(candidate) && !batch.contains(&candidate);
    let start = rng.random_range(0..space.len());
    if free(start) {
        return Some(start);
    }
    for _ in 0..32 {
        let drawn = rng.random_range(0..space.len());
        if free(drawn) {
            return Some(drawn);
        }
    }
    (start..space.len()).chain(0..start).find(|&candidate| free(candidate))
}

/// Logarithms of the predicted times less their mean; 0 where there is none.
fn logarithms(prior: &Prior, n_candidates: usize) -> Vec<f64> {
    let known: Vec<Option<f64>> = (0..n_candidates)
        .map(|candidate| {
            let time = prior.predicted_time_ns.get(candidate).copied().flatten()?;
            (time.is_finite() && time > 0.0).then(|| time.ln())
        })
        .collect();
    let n = known.iter().flatten().count().max(1) as f64;
    let mean = known.iter().flatten().sum::<f64>() / n;
    known.into_iter().map(|time| time.map_or(0.0, |time| time - mean)).collect()
}

fn variance(values: &[f64]) -> f64 {
    let n = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / n;
    values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / n
}
