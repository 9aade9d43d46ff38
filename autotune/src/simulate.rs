//! Replays of recorded landscapes: how fast a strategy finds good candidates, without a device.

use crate::history::History;
use crate::landscape::Landscape;
use crate::prior::Prior;
use crate::strategies::StrategyEntry;
use crate::strategy::Setup;

/// A candidate this close to the optimum counts as found: at least this fraction of its speed.
pub const CLOSE_FRACTION: f64 = 1.0 / 1.05;

/// How a replay is run.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    /// Evaluations at most.
    pub budget: usize,
    /// Candidates asked for at once; 1 searches with the least evaluations.
    pub batch: usize,
    /// Predictions handed to the strategy.
    pub prior: Option<Prior>,
}

/// The fraction of the optimum that a search reached: `curve[n]` after `n + 1` evaluations, 0
/// while nothing succeeded. Never falls; its length is the budget, whenever the strategy stopped.
pub type Curve = Vec<f64>;

/// Runs one strategy with one seed on a landscape.
pub fn replay(landscape: &Landscape, entry: &StrategyEntry, seed: u64, replay: &Replay) -> Curve {
    let mut strategy = (entry.build)(Setup { seed, prior: replay.prior.clone() });
    let mut history = History::new();
    let mut curve = Curve::with_capacity(replay.budget);
    let mut best = 0.0f64;
    while curve.len() < replay.budget {
        let n_max = replay.batch.max(1).min(replay.budget - curve.len());
        let batch = strategy.propose(landscape.space(), &history, n_max);
        if batch.is_empty() {
            break;
        }
        for candidate in batch.into_iter().take(n_max) {
            let outcome = landscape.outcome(candidate);
            if let Some(time) = outcome.time_ns() {
                best = best.max(landscape.optimum_ns() as f64 / time as f64);
            }
            history.push(candidate, outcome.clone());
            curve.push(best);
        }
    }
    curve.resize(replay.budget, best);
    curve
}

/// What several seeds of one strategy reached on one landscape after some number of evaluations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reached {
    /// Evaluations.
    pub evaluations: usize,
    /// The median over seeds of the fraction of the optimum.
    pub fraction: f64,
    /// The share of seeds within 5 % of the optimum.
    pub close_share: f64,
}

/// Summarises the curves of several seeds after `evaluations` (at least 1); `None` where there
/// are no curves, or they are shorter.
pub fn reached(curves: &[Curve], evaluations: usize) -> Option<Reached> {
    let place = evaluations.checked_sub(1)?;
    let mut fractions: Vec<f64> =
        curves.iter().map(|curve| curve.get(place).copied()).collect::<Option<_>>()?;
    if fractions.is_empty() {
        return None;
    }
    fractions.sort_by(f64::total_cmp);
    let n = fractions.len();
    let close = fractions.iter().filter(|&&fraction| fraction >= CLOSE_FRACTION).count();
    Some(Reached {
        evaluations,
        fraction: (fractions[(n - 1) / 2] + fractions[n / 2]) / 2.0,
        close_share: close as f64 / n as f64,
    })
}

/// The mean over landscapes of what was reached on each.
pub fn mean(over: &[Reached]) -> Option<Reached> {
    let first = over.first()?;
    let n = over.len() as f64;
    Some(Reached {
        evaluations: first.evaluations,
        fraction: over.iter().map(|reached| reached.fraction).sum::<f64>() / n,
        close_share: over.iter().map(|reached| reached.close_share).sum::<f64>() / n,
    })
}

/// The time that random search without replacement is expected to have reached after 1, 2, …
/// `n_max` evaluations, nanoseconds; exact, by order statistics. Failures count as the slowest
/// time.
pub fn random_baseline(landscape: &Landscape, n_max: usize) -> Vec<f64> {
    let slowest = landscape.times_ns().max().unwrap_or(1);
    let mut times: Vec<u64> = (0..landscape.space().len())
        .map(|index| landscape.outcome(index).time_ns().unwrap_or(slowest))
        .collect();
    times.sort_unstable();
    let n = times.len();
    (1..=n_max.min(n))
        .map(|drawn| {
            // P(the fastest drawn is number i) = C(n - 1 - i, drawn - 1) / C(n, drawn).
            let mut probability = drawn as f64 / n as f64;
            let mut expected = 0.0;
            for (place, &time) in times.iter().enumerate().take(n - drawn + 1) {
                expected += probability * time as f64;
                let left = (n - 1 - place) as f64;
                if left > 0.0 {
                    probability *= (left - (drawn - 1) as f64).max(0.0) / left;
                }
            }
            expected
        })
        .collect()
}

/// The score of the autotuning community's methodology, over evaluations instead of seconds: the
/// mean of `(baseline - found) / (baseline - optimum)` up to the number of evaluations at which
/// random search is expected to be 95 % of the way from the median to the optimum. 0 is random
/// search, 1 the optimum at once. `None` where the curves are shorter than that, or random search
/// is there at once.
pub fn community_score(landscape: &Landscape, curves: &[Curve]) -> Option<f64> {
    let longest = curves.iter().map(Vec::len).min()?;
    let baseline = random_baseline(landscape, landscape.space().len());
    let mut times: Vec<u64> = landscape.times_ns().collect();
    times.sort_unstable();
    let median = *times.get(times.len() / 2)? as f64;
    let optimum = landscape.optimum_ns() as f64;
    let target = optimum + 0.05 * (median - optimum);
    let budget = baseline.iter().position(|&time| time <= target)? + 1;
    if budget > longest {
        return None;
    }
    let slowest = *times.last()? as f64;
    let mut score = 0.0;
    for (place, &random) in baseline.iter().enumerate().take(budget) {
        let found = curves
            .iter()
            .map(|curve| if curve[place] > 0.0 { optimum / curve[place] } else { slowest })
            .sum::<f64>()
            / curves.len() as f64;
        score += if random > optimum { (random - found) / (random - optimum) } else { 0.0 };
    }
    Some(score / budget as f64)
}

#[cfg(test)]
mod tests {
    use ridge_spec::expression::Value;
    use ridge_spec::outcome::{Outcome, Samples};
    use ridge_spec::space::Parameter;

    use super::*;
    use crate::landscape::Title;
    use crate::strategies::find;

    fn line(times: &[u64]) -> Landscape {
        let timed = |&ns: &u64| Outcome::Measured(Samples::new(vec![ns]).unwrap());
        let values =
            (0..times.len()).map(|at| Value::Integer(i64::try_from(at).unwrap())).collect();
        let points = times
            .iter()
            .enumerate()
            .map(|(at, time)| (vec![u16::try_from(at).unwrap()], timed(time)))
            .collect();
        let parameters = vec![Parameter { name: "x".to_owned(), values }];
        Landscape::new(Title::default(), parameters, points).unwrap()
    }

    #[test]
    fn a_curve_rises_to_the_optimum() {
        let landscape = line(&[400, 200, 100, 300]);
        let settings = Replay { budget: 6, batch: 2, prior: None };
        let curve = replay(&landscape, find("exhaustive").unwrap(), 0, &settings);
        assert_eq!(curve, [0.25, 0.5, 1.0, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn medians_and_shares_are_over_seeds() {
        let curves = vec![vec![0.5, 1.0], vec![0.7, 0.96], vec![0.6, 0.8]];
        let after = reached(&curves, 2).unwrap();
        assert!((after.fraction - 0.96).abs() < 1e-12);
        assert!((after.close_share - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(reached(&curves, 3), None);
        assert_eq!(reached(&[], 1), None);
    }

    #[test]
    fn the_baseline_is_exact() {
        let baseline = random_baseline(&line(&[10, 20, 40]), 9);
        let expected = [70.0 / 3.0, (10.0 * 2.0 + 20.0) / 3.0, 10.0];
        assert_eq!(baseline.len(), 3);
        for (found, expected) in baseline.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9, "{found} against {expected}");
        }
    }

    #[test]
    fn random_search_scores_about_nothing_and_an_oracle_one() {
        let times: Vec<u64> = (0..200).map(|at| 100 + (at * 37) % 200).collect();
        let landscape = line(&times);
        let settings = Replay { budget: 100, batch: 1, prior: None };
        let curves: Vec<Curve> = (0..200)
            .map(|seed| replay(&landscape, find("random").unwrap(), seed, &settings))
            .collect();
        let score = community_score(&landscape, &curves).unwrap();
        assert!(score.abs() < 0.1, "{score}");
        let oracle = community_score(&landscape, &[vec![1.0; 100]]).unwrap();
        assert!((oracle - 1.0).abs() < 1e-12);
    }
}
