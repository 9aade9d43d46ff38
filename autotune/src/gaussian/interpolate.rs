//! The process without a search: what evaluations say about the candidates that are not among
//! them.

use std::collections::BTreeSet;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use ridge_spec::space::LegalSpace;

use super::features::FeatureMap;
use super::process::{Kernel, Posterior};
use super::targets::targets;

/// Steps of the choice of weights; done once for a history, so it may take longer than in a search.
const N_FIT_STEPS: usize = 200;

/// Candidates predicted at once: memory grows with their number times the observations'.
const CHUNK: usize = 4096;

/// Observations used at most; the cost is quadratic in them.
const OBSERVATIONS_LIMIT: usize = 400;

/// Of these, the share that are the fastest; the others are spread evenly over the order in which
/// they came, which is the space's where everything was evaluated.
const FASTEST_SHARE: f64 = 0.25;

/// Evaluations as points of a space, which need not be legal there.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Observations {
    /// The value index of each parameter.
    pub(crate) rows: Vec<Vec<u16>>,
    /// Logarithm of each one's time; `None` where it failed.
    pub(crate) logarithms: Vec<Option<f64>>,
    /// Which parameters the observations speak of; the others make no difference.
    pub(crate) known: Vec<bool>,
}

/// The logarithm of each candidate's expected time over the observations' best; `None` where none
/// of them succeeded.
pub(crate) fn expected_slowdowns(
    space: &LegalSpace,
    observations: &Observations,
    seed: u64,
) -> Option<Vec<f64>> {
    let (targets, best) = targets(&observations.logarithms);
    let best = best?;
    let chosen = chosen(&targets);
    let targets: Vec<f64> = chosen.iter().map(|&at| targets[at]).collect();
    let features = FeatureMap::new(space, None, Some(&observations.known));
    let rows: Vec<Vec<f32>> =
        chosen.iter().map(|&at| features.row_at(&observations.rows[at])).collect();
    let level = targets.iter().sum::<f64>() / targets.len() as f64;
    let targets: Vec<f64> = targets.iter().map(|target| target - level).collect();
    let mut kernel = Kernel::new(features.weights());
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    kernel.fit(&rows, &targets, &features.weights(), N_FIT_STEPS, &mut rng);
    let mut expected = Vec::with_capacity(space.len());
    for start in (0..space.len()).step_by(CHUNK) {
        let chunk = start..(start + CHUNK).min(space.len());
        let axes: Vec<Vec<f32>> = (0..features.len())
            .map(|axis| chunk.clone().map(|at| features.coordinate(axis, space, at)).collect())
            .collect();
        let mut posterior = Posterior::new(kernel.clone(), chunk.len());
        for row in &rows {
            posterior.push(row.clone(), &axes);
        }
        let (mean, _) = posterior.mean(&targets);
        expected.extend(mean.into_iter().map(|mean| f64::from(mean) + level - best));
    }
    Some(expected)
}

/// Which observations are used, in their order: all, or the fastest and an even spread.
fn chosen(targets: &[f64]) -> Vec<usize> {
    let n = targets.len();
    if n <= OBSERVATIONS_LIMIT {
        return (0..n).collect();
    }
    let mut fastest: Vec<usize> = (0..n).collect();
    fastest.sort_by(|&a, &b| targets[a].total_cmp(&targets[b]).then(a.cmp(&b)));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a small constant"
    )]
    let n_fastest = (FASTEST_SHARE * OBSERVATIONS_LIMIT as f64) as usize;
    let mut chosen: BTreeSet<usize> = fastest.into_iter().take(n_fastest).collect();
    let others: Vec<usize> = (0..n).filter(|at| !chosen.contains(at)).collect();
    let n_others = OBSERVATIONS_LIMIT - n_fastest;
    chosen.extend((0..n_others).map(|at| others[at * others.len() / n_others]));
    chosen.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_the_fastest_and_an_even_spread_are_used() {
        let few: Vec<f64> = (0..OBSERVATIONS_LIMIT).map(|at| at as f64).collect();
        assert_eq!(chosen(&few).len(), OBSERVATIONS_LIMIT);
        let many: Vec<f64> = (0..5000).rev().map(f64::from).collect();
        let used = chosen(&many);
        assert_eq!(used.len(), OBSERVATIONS_LIMIT);
        assert!(used.is_sorted() && used[0] == 0 && used[399] == 4999);
        assert_eq!(used.iter().filter(|&&at| at >= 4900).count(), 100);
        assert!(used.windows(2).all(|pair| pair[1] - pair[0] < 20));
    }
}
