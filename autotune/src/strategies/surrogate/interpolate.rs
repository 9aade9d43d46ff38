//! The process without a search: what a history says about the candidates it does not hold.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use ridge_spec::space::LegalSpace;

use super::features::FeatureMap;
use super::observed::Observed;
use super::process::{Kernel, Posterior};
use crate::history::History;

/// Steps of the choice of weights; done once for a history, so it may take longer than in a search.
const N_FIT_STEPS: usize = 200;

/// Candidates predicted at once: memory grows with their number times the observations'.
const CHUNK: usize = 4096;

/// Observations used at most, the latest; the cost is quadratic in them.
const OBSERVATIONS_LIMIT: usize = 400;

/// The logarithm of each candidate's expected time over the history's best; `None` where nothing
/// in the history succeeded.
pub(crate) fn expected_slowdowns(
    space: &LegalSpace,
    history: &History,
    seed: u64,
) -> Option<Vec<f64>> {
    let observed = Observed::new(history);
    let best = observed.best?;
    let skipped = observed.candidates.len().saturating_sub(OBSERVATIONS_LIMIT);
    let (candidates, targets) = (&observed.candidates[skipped..], &observed.targets[skipped..]);
    let features = FeatureMap::new(space, None);
    let rows: Vec<Vec<f32>> =
        candidates.iter().map(|&candidate| features.row(space, candidate)).collect();
    let level = targets.iter().sum::<f64>() / targets.len() as f64;
    let targets: Vec<f64> = targets.iter().map(|target| target - level).collect();
    let mut kernel = Kernel::new(features.weights());
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    kernel.fit(&rows, &targets, &features.weights(), N_FIT_STEPS, &mut rng);
    let mut expected = Vec::with_capacity(space.len());
    for start in (0..space.len()).step_by(CHUNK) {
        let chunk = start..(start + CHUNK).min(space.len());
        let axes = (0..features.len())
            .map(|axis| chunk.clone().map(|at| features.coordinate(axis, space, at)).collect())
            .collect();
        let mut posterior = Posterior::new(kernel.clone(), axes, chunk.len());
        for row in &rows {
            posterior.push(row.clone());
        }
        let (mean, _) = posterior.mean(&targets);
        expected.extend(mean.into_iter().map(|mean| f64::from(mean) + level - best));
    }
    Some(expected)
}
