//! The model behind the proposals: several processes that differ in what they assume.
//!
//! A single choice of length scales is often wrong and sure of itself; the mean over a few of them
//! is neither. They are chosen anew in turn as the history grows.

use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;
use ridge_spec::space::LegalSpace;

use super::features::FeatureMap;
use super::improvement::expected_improvement;
use super::observed::Observed;
use super::pool::{draw, is_whole, pool};
use super::process::{Kernel, Posterior};
use super::trust::Sources;
use crate::history::History;
use crate::prior::Prior;

/// Candidates evaluated before the model is asked, and how many of them a prior decides.
const N_FIRST: usize = 6;
const N_PREDICTED: usize = 3;

/// Processes whose expectations are averaged.
const N_MEMBERS: usize = 3;

/// The history grows by this share between choices of one member's weights.
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
    /// The candidates to look at first, fastest predicted last.
    first: Vec<usize>,
    /// Those that the prior predicts to be fast, fastest first.
    favourites: Vec<usize>,
    sources: Sources,
    members: Vec<Member>,
    pool: Vec<usize>,
    /// The member whose weights are chosen next.
    next: usize,
    /// Observations at the last choice of weights; 0 before the first.
    n_fitted: usize,
    /// The candidate whose neighbours were added to the pool last.
    centre: Option<usize>,
    /// See [`crate::strategy::Strategy::expected_gain`].
    pub(super) expected_gain: Option<f64>,
}

struct Member {
    kernel: Kernel,
    posterior: Posterior,
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
        let features = FeatureMap::new(space, prior, None);
        let kernel = Kernel::new(features.weights());
        let mut favourites = prior.map(Prior::order).unwrap_or_default();
        favourites.retain(|&candidate| candidate < space.len());
        let mut first = favourites.clone();
        first.truncate(N_PREDICTED);
        first.reverse();
        let member = || {
            let posterior = Posterior::new(kernel.clone(), Vec::new(), 0);
            Member { kernel: kernel.clone(), posterior }
        };
        Self {
            first,
            sources: Sources::new(prior, space.len()),
            favourites,
            members: (0..N_MEMBERS).map(|_| member()).collect(),
            features,
            pool: Vec::new(),
            next: 0,
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
        let known: Option<Vec<Posterior>> = (batch.len() + 1 < n_max || !batch.is_empty())
            .then(|| self.members.iter().map(|member| member.posterior.clone()).collect());
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
        for (member, known) in self.members.iter_mut().zip(known.into_iter().flatten()) {
            member.posterior = known;
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
        let means: Vec<(Vec<f32>, f64)> =
            self.members.iter().map(|member| member.posterior.mean(targets)).collect();
        let mut found: Option<(f64, usize)> = None;
        let mut largest = 0.0f64;
        for (point, &candidate) in self.pool.iter().enumerate() {
            if view.history.contains(candidate) || chosen.contains(&candidate) {
                continue;
            }
            let explained = self.sources.explained(&view.slopes, candidate);
            let (mut bound, mut improvement) = (0.0, 0.0);
            for (member, (mean, scale)) in self.members.iter().zip(&means) {
                let expected = f64::from(mean[point]) + view.level + explained;
                let deviation = (member.posterior.variance(point) * scale).sqrt();
                bound += BOUND_DEVIATIONS * deviation - expected;
                improvement += expected_improvement(expected, deviation, view.best);
            }
            largest = largest.max(improvement);
            let worth = if by_bound { bound } else { improvement };
            if found.is_none_or(|(most, _)| worth > most) {
                found = Some((worth, point));
            }
        }
        let n = self.members.len() as f64;
        // A batch gains what its best candidate does.
        let gain = largest / n;
        self.expected_gain = Some(self.expected_gain.map_or(gain, |known| known.max(gain)));
        let (_, point) = found?;
        let expected = means.iter().map(|(mean, _)| f64::from(mean[point])).sum::<f64>() / n;
        Some((point, expected))
    }

    fn push(&mut self, space: &LegalSpace, candidate: usize) {
        let row = self.features.row(space, candidate);
        for member in &mut self.members {
            member.posterior.push(row.clone());
        }
    }

    /// Tells the members what is new; where the history has grown enough, one of them chooses its
    /// weights anew, all of them at first.
    fn refresh(&mut self, view: &View<'_>, rng: &mut ChaCha8Rng) {
        let n = view.observed.candidates.len();
        let due = (self.n_fitted as f64 * (1.0 + REFIT_GROWTH)).floor() + 1.0;
        if self.n_fitted > 0 && (n as f64) < due {
            for &candidate in &view.observed.candidates[self.n_known()..] {
                self.push(view.space, candidate);
            }
            self.look_around_the_best(view);
            return;
        }
        let rows: Vec<Vec<f32>> = view
            .observed
            .candidates
            .iter()
            .map(|&candidate| self.features.row(view.space, candidate))
            .collect();
        let all = self.n_fitted == 0;
        // A sampled pool is drawn anew, for all, whenever each member has had its turn.
        let redraw = all || (self.next == 0 && !is_whole(view.space, view.history));
        if redraw {
            self.pool = pool(view.space, view.history, &self.favourites, rng);
            self.centre = None;
        }
        let n_steps = N_FIT_STEPS[usize::from(n > FEW_OBSERVATIONS)];
        let expected = self.features.weights();
        let axes = self.axes(view.space, &self.pool);
        for (at, member) in self.members.iter_mut().enumerate() {
            let due = all || at == self.next;
            if due {
                member.kernel.fit(&rows, &view.targets, &expected, n_steps, rng);
            }
            if due || redraw {
                let kernel = member.kernel.clone();
                member.posterior = Posterior::new(kernel, axes.clone(), self.pool.len());
            }
            for row in &rows[member.posterior.len()..] {
                member.posterior.push(row.clone());
            }
        }
        self.n_fitted = n;
        self.next = (self.next + 1) % self.members.len();
        self.look_around_the_best(view);
    }

    /// Adds the neighbours of a new best to a pool that is a sample.
    fn look_around_the_best(&mut self, view: &View<'_>) {
        let best = view.history.best().map(|best| best.candidate);
        if self.centre == best || is_whole(view.space, view.history) {
            return;
        }
        self.centre = best;
        let known: BTreeSet<usize> = self.pool.iter().copied().collect();
        let near = best.map(|best| view.space.neighbours(best)).unwrap_or_default();
        let new: Vec<usize> = near
            .into_iter()
            .filter(|near| !known.contains(near) && !view.history.contains(*near))
            .collect();
        let axes = self.axes(view.space, &new);
        for member in &mut self.members {
            member.posterior.extend(&axes, new.len());
        }
        self.pool.extend(new);
    }

    /// The coordinates of candidates, axis by axis.
    fn axes(&self, space: &LegalSpace, candidates: &[usize]) -> Vec<Vec<f32>> {
        (0..self.features.len())
            .map(|axis| {
                let at = |&candidate: &usize| self.features.coordinate(axis, space, candidate);
                candidates.iter().map(at).collect()
            })
            .collect()
    }

    fn n_known(&self) -> usize {
        self.members.first().map_or(0, |member| member.posterior.len())
    }
}
