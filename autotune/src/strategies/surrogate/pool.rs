//! Which candidates the model looks at.

use std::collections::BTreeSet;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use ridge_spec::space::LegalSpace;

use crate::history::History;

/// Candidates that the model looks at: all of a small space; of a large one the neighbours of the
/// best and a sample, drawn anew from time to time.
const POOL_LIMIT: usize = 3000;

/// The fastest candidates whose neighbours are in the pool.
const N_NEIGHBOURHOODS: usize = 10;

/// Whether a pool is the whole space.
pub(super) fn is_whole(space: &LegalSpace, history: &History) -> bool {
    space.len() <= POOL_LIMIT + history.n_candidates()
}

/// The candidates that the model looks at, sorted; none that the history holds. `favourites` are
/// among them where the space is large: what a prior predicts to be fast.
pub(super) fn pool(
    space: &LegalSpace,
    history: &History,
    favourites: &[usize],
    rng: &mut ChaCha8Rng,
) -> Vec<usize> {
    if is_whole(space, history) {
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
    let free = |favourite: &&usize| !history.contains(**favourite);
    pool.extend(favourites.iter().filter(free).take(POOL_LIMIT / 4));
    while pool.len() < POOL_LIMIT {
        let drawn = rng.random_range(0..space.len());
        if !history.contains(drawn) {
            pool.insert(drawn);
        }
    }
    pool.into_iter().collect()
}

/// A candidate that is neither in the history nor in the batch; `None` where there is none.
pub(super) fn draw(
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
