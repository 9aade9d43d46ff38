//! A steady-state genetic search: parents are the fastest candidates so far; a child takes each
//! value from one of two parents, and now and then another one of its own.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use ridge_spec::space::LegalSpace;

use crate::history::History;
use crate::strategy::{Setup, Strategy};

/// Candidates drawn before any has children, and parents at most.
const POPULATION: usize = 20;

/// Contenders for each parent's place: the fastest of them becomes the parent.
const TOURNAMENT: usize = 3;

/// Children tried before a candidate is drawn instead: most are illegal or known already where
/// constraints are tight or the population has converged.
const TRIES: usize = 40;

/// See the module.
pub(super) struct Genetic {
    rng: ChaCha8Rng,
    /// What to begin with, the next last.
    first: Vec<usize>,
}

impl Genetic {
    pub(super) fn new(setup: Setup) -> Self {
        let mut first = setup.prior.map(|prior| prior.order()).unwrap_or_default();
        // The other half is drawn: a population that is all alike has nothing to mix.
        first.truncate(POPULATION / 2);
        first.reverse();
        Self { rng: ChaCha8Rng::seed_from_u64(setup.seed), first }
    }

    fn draw(&mut self, space: &LegalSpace, free: impl Fn(usize) -> bool) -> Option<usize> {
        while let Some(candidate) = self.first.pop() {
            if candidate < space.len() && free(candidate) {
                return Some(candidate);
            }
        }
        let from = self.rng.random_range(0..space.len());
        (from..space.len()).chain(0..from).find(|&candidate| free(candidate))
    }

    fn child(&mut self, space: &LegalSpace, parents: &[usize]) -> Option<usize> {
        let mut tournament =
            || (0..TOURNAMENT).map(|_| self.rng.random_range(0..parents.len())).min().unwrap_or(0);
        let (one, other) = (parents[tournament()], parents[tournament()]);
        let mut child = space.indices(one).to_vec();
        for (value, &alternative) in child.iter_mut().zip(space.indices(other)) {
            if self.rng.random_bool(0.5) {
                *value = alternative;
            }
        }
        // About one value a child is its own; more where both parents are the same.
        let changed = 1.0 / child.len() as f64;
        for (value, parameter) in child.iter_mut().zip(space.parameters()) {
            if one == other || self.rng.random_bool(changed) {
                let n_values = u16::try_from(parameter.values.len()).unwrap_or(u16::MAX);
                if self.rng.random_bool(if one == other { changed.max(0.3) } else { 1.0 }) {
                    *value = self.rng.random_range(0..n_values);
                }
            }
        }
        space.find_indices(&child)
    }
}

impl Strategy for Genetic {
    fn propose(&mut self, space: &LegalSpace, history: &History, n_max: usize) -> Vec<usize> {
        let mut known: Vec<(u64, usize)> = history
            .iter()
            .filter_map(|evaluation| Some((evaluation.time_ns?, evaluation.candidate)))
            .collect();
        known.sort_unstable();
        let parents: Vec<usize> =
            known.iter().take(POPULATION).map(|&(_, candidate)| candidate).collect();
        let mut batch: Vec<usize> = Vec::new();
        while batch.len() < n_max {
            let grown = history.n_candidates() + batch.len() >= POPULATION && parents.len() > 1;
            let mut found = None;
            for _ in 0..if grown { TRIES } else { 0 } {
                found = self
                    .child(space, &parents)
                    .filter(|child| !history.contains(*child) && !batch.contains(child));
                if found.is_some() {
                    break;
                }
            }
            let free = |candidate| !history.contains(candidate) && !batch.contains(&candidate);
            let Some(candidate) = found.or_else(|| self.draw(space, free)) else { break };
            batch.push(candidate);
        }
        batch
    }
}
