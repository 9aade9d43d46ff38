//! The process without a search: what evaluations say about the candidates that are not among
//! them.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use ridge_spec::space::LegalSpace;

use super::features::FeatureMap;
use super::observed::targets;
use super::process::{Kernel, Posterior};

/// Steps of the choice of weights; done once for a history, so it may take longer than in a search.
const N_FIT_STEPS: usize = 200;

/// Candidates predicted at once: memory grows with their number times the observations'.
const CHUNK: usize = 4096;

/// Observations used at most, the latest; the cost is quadratic in them.
const OBSERVATIONS_LIMIT: usize = 400;

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
    let skipped = targets.len().saturating_sub(OBSERVATIONS_LIMIT);
    let targets = &targets[skipped..];
    let features = FeatureMap::new(space, None, Some(&observations.known));
    let rows: Vec<Vec<f32>> =
        observations.rows[skipped..].iter().map(|indices| features.row_at(indices)).collect();
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
