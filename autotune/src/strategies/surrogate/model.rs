//! The model behind the proposals: a process, the pool it looks at, and what a prior explains.

use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;
use ridge_spec::space::LegalSpace;

use super::improvement::expected_improvement;
use super::observed::Observed;
use super::pool::{draw, is_whole, pool};
use super::trust::Sources;
use crate::gaussian::{FeatureMap, Kernel, Posterior};
use crate::history::History;
use crate::prior::Prior;

/// Candidates evaluated before the model is asked, and how many of them a prior decides. No batch is
/// larger than this or the history, so that a large first batch is not all guesses.
const N_FIRST: usize = 6;
const N_PREDICTED: usize = 3;

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

/// What is kept between calls.
pub(super) struct Model {
    features: FeatureMap,
    /// Those that the prior predicts to be fast, fastest first.
    favourites: Vec<usize>,
    sources: Sources,
    kernel: Kernel,
    posterior: Posterior,
    pool: Vec<usize>,
    /// Whether the pool holds whatever is not evaluated yet.
    whole: bool,
    /// The pool's coordinates, axis by axis.
    axes: Vec<Vec<f32>>,
    /// Observations at the last choice of weights; 0 before the first.
    n_fitted: usize,
    /// The candidate whose neighbours were added to the pool last.
    centre: Option<usize>,
    /// See [`crate::strategy::Strategy::expected_gain`].
    pub(super) expected_gain: Option<f64>,
}

/// The history as the model sees it.
struct View<'a> {
    space: &'a LegalSpace,
    history: &'a History,
    observed: &'a Observed,
    /// Targets less what the prior explains and their level.
    targets: Vec<f64>,
    level: f64,
    slopes: Vec<f64>,
    best: f64,
}

impl Model {
    pub(super) fn new(space: &LegalSpace, prior: Option<&Prior>) -> Self {
        let features =
            FeatureMap::new(space, prior.map(|prior| prior.predicted_time_ns.as_slice()), None);
        let kernel = Kernel::new(features.weights());
        let mut favourites = prior.map(Prior::order).unwrap_or_default();
        favourites.retain(|&candidate| candidate < space.len());
        Self {
            sources: Sources::new(prior, space.len()),
            favourites,
            posterior: Posterior::new(kernel.clone(), 0),
            kernel,
            features,
            pool: Vec::new(),
            whole: false,
            axes: Vec::new(),
            n_fitted: 0,
            centre: None,
            expected_gain: None,
        }
    }

    pub(super) fn propose(
        &mut self,
        space: &LegalSpace,
        history: &History,
        n_max: usize,
        rng: &mut ChaCha8Rng,
    ) -> Vec<usize> {
        self.expected_gain = None;
        let mut batch = Vec::new();
        let n_left = space.len() - history.n_candidates().min(space.len());
        let n_max = n_max.min(n_left).min(history.len().max(N_FIRST));
        let predicted = self.favourites.iter().take(N_PREDICTED);
        batch.extend(predicted.filter(|&&candidate| !history.contains(candidate)).take(n_max));
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
            let slopes = self.sources.slopes(&observed);
            let explained = |candidate| self.sources.explained(&slopes, candidate);
            let pairs = observed.candidates.iter().zip(&observed.targets);
            let mut targets: Vec<f64> =
                pairs.map(|(&candidate, target)| target - explained(candidate)).collect();
            let level = targets.iter().sum::<f64>() / targets.len() as f64;
            targets.iter_mut().for_each(|target| *target -= level);
            let view = View { space, history, observed: &observed, targets, level, slopes, best };
            self.refresh(&view, rng);
            self.improve(&view, n_max, &mut batch, rng);
        }
        batch
    }

    /// Fills the batch with the largest expected improvements.
    fn improve(
        &mut self,
        view: &View<'_>,
        n_max: usize,
        batch: &mut Vec<usize>,
        rng: &mut ChaCha8Rng,
    ) {
        // What is chosen in this batch is observed only here.
        let known = (batch.len() + 1 < n_max || !batch.is_empty()).then(|| self.posterior.clone());
        let mut targets = view.targets.clone();
        for &candidate in batch.iter() {
            self.push(view.space, candidate);
            targets.push(0.0);
        }
        let mut chosen: BTreeSet<usize> = batch.iter().copied().collect();
        while batch.len() < n_max {
            let n_asked = view.observed.candidates.len() + batch.len();
            let by_bound = n_asked.is_multiple_of(BOUND_EVERY);
            let Some((point, expected)) = self.choose(view, &targets, &chosen, by_bound) else {
                // The pool is used up; the space is not, or n_max would be smaller.
                let Some(candidate) = draw(view.space, view.history, batch, rng) else { break };
                chosen.insert(candidate);
                batch.push(candidate);
                continue;
            };
            let candidate = self.pool[point];
            chosen.insert(candidate);
            batch.push(candidate);
            if batch.len() < n_max {
                self.push(view.space, candidate);
                targets.push(expected);
            }
        }
        if let Some(known) = known {
            self.posterior = known;
        }
    }

    /// The point of the pool that is worth most, and the target expected there.
    fn choose(
        &mut self,
        view: &View<'_>,
        targets: &[f64],
        chosen: &BTreeSet<usize>,
        by_bound: bool,
    ) -> Option<(usize, f64)> {
        let (mean, scale) = self.posterior.mean(targets);
        let mut found: Option<(f64, usize)> = None;
        let mut largest = 0.0f64;
        for (point, &candidate) in self.pool.iter().enumerate() {
            if view.history.contains(candidate) || chosen.contains(&candidate) {
                continue;
            }
            let explained = self.sources.explained(&view.slopes, candidate);
            let expected = f64::from(mean[point]) + view.level + explained;
            let deviation = (self.posterior.variance(point) * scale).sqrt();
            let improvement = expected_improvement(expected, deviation, view.best);
            largest = largest.max(improvement);
            let worth =
                if by_bound { BOUND_DEVIATIONS * deviation - expected } else { improvement };
            if found.is_none_or(|(most, _)| worth > most) {
                found = Some((worth, point));
            }
        }
        // A batch gains what its best candidate does.
        let gain = self.expected_gain.map_or(largest, |known| known.max(largest));
        self.expected_gain = Some(gain);
        let (_, point) = found?;
        Some((point, f64::from(mean[point])))
    }

    fn push(&mut self, space: &LegalSpace, candidate: usize) {
        self.posterior.push(self.features.row(space, candidate), &self.axes);
    }

    /// Tells the process what is new, and chooses weights anew where the history has grown enough;
    /// then a sampled pool is drawn anew too.
    fn refresh(&mut self, view: &View<'_>, rng: &mut ChaCha8Rng) {
        let n = view.observed.candidates.len();
        let due = (self.n_fitted as f64 * (1.0 + REFIT_GROWTH)).floor() + 1.0;
        if self.n_fitted == 0 || n as f64 >= due {
            if self.n_fitted == 0 || !self.whole {
                self.whole = is_whole(view.space, view.history);
                self.pool = pool(view.space, view.history, &self.favourites, rng);
                self.axes = self.coordinates(view.space, &self.pool);
                self.centre = None;
            }
            let rows: Vec<Vec<f32>> = view
                .observed
                .candidates
                .iter()
                .map(|&candidate| self.features.row(view.space, candidate))
                .collect();
            let n_steps = N_FIT_STEPS[usize::from(n > FEW_OBSERVATIONS)];
            self.kernel.fit(&rows, &view.targets, &self.features.weights(), n_steps, rng);
            self.posterior = Posterior::new(self.kernel.clone(), self.pool.len());
            self.n_fitted = n;
        }
        for &candidate in &view.observed.candidates[self.posterior.len()..] {
            self.push(view.space, candidate);
        }
        self.look_around_the_best(view);
    }

    /// Adds the neighbours of a new best to a pool that is a sample.
    fn look_around_the_best(&mut self, view: &View<'_>) {
        let best = view.history.best().map(|best| best.candidate);
        if self.centre == best || self.whole {
            return;
        }
        self.centre = best;
        let known: BTreeSet<usize> = self.pool.iter().copied().collect();
        let near = best.map(|best| view.space.neighbours(best)).unwrap_or_default();
        let new: Vec<usize> = near
            .into_iter()
            .filter(|near| !known.contains(near) && !view.history.contains(*near))
            .collect();
        let axes = self.coordinates(view.space, &new);
        self.posterior.extend(&axes, new.len());
        for (all, more) in self.axes.iter_mut().zip(axes) {
            all.extend(more);
        }
        self.pool.extend(new);
    }

    /// The coordinates of candidates, axis by axis.
    fn coordinates(&self, space: &LegalSpace, candidates: &[usize]) -> Vec<Vec<f32>> {
        (0..self.features.len())
            .map(|axis| {
                let at = |&candidate: &usize| self.features.coordinate(axis, space, candidate);
                candidates.iter().map(at).collect()
            })
            .collect()
    }
}
