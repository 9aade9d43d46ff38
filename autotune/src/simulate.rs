//! Replays of recorded landscapes: how fast a strategy finds good candidates, without a device.

use ridge_spec::outcome::Outcome;
use ridge_spec::space::Candidate;
use serde::Serialize;

use crate::history::History;
use crate::landscape::Landscape;
use crate::prior::Prior;
use crate::strategies::StrategyEntry;
use crate::strategy::Setup;

/// A candidate this close to the optimum counts as found: at least this fraction of its speed.
pub const CLOSE_FRACTION: f64 = 1.0 / 1.05;

/// A candidate this near the optimum is as good as it: at least this fraction of its speed.
pub const SAME_FRACTION: f64 = 1.0 / 1.01;

/// Numbers of evaluations at which strategies are compared.
pub const CHECKPOINTS: [usize; 5] = [10, 25, 50, 100, 200];

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
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
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

/// The score of the autotuning community's methodology, over evaluations instead of seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CommunityScore {
    /// The mean of `(baseline - found) / (baseline - optimum)`: 0 is random search, 1 the optimum
    /// at once.
    pub score: f64,
    /// Evaluations over which it is the mean.
    pub evaluations: usize,
    /// Whether these are all that the methodology asks for: up to where random search is expected
    /// to be 95 % of the way from the median to the optimum. They are fewer where the replay was
    /// shorter.
    pub complete: bool,
}

/// Scores the curves of several seeds; `None` where there are none.
pub fn community_score(landscape: &Landscape, curves: &[Curve]) -> Option<CommunityScore> {
    let longest = curves.iter().map(Vec::len).min()?;
    let baseline = random_baseline(landscape, landscape.space().len());
    let mut times: Vec<u64> = landscape.times_ns().collect();
    times.sort_unstable();
    let median = *times.get(times.len() / 2)? as f64;
    let optimum = landscape.optimum_ns() as f64;
    let target = optimum + 0.05 * (median - optimum);
    let whole = baseline.iter().position(|&time| time <= target)? + 1;
    let evaluations = whole.min(longest);
    let slowest = *times.last()? as f64;
    let mut score = 0.0;
    for (place, &random) in baseline.iter().enumerate().take(evaluations) {
        let found = curves
            .iter()
            .map(|curve| if curve[place] > 0.0 { optimum / curve[place] } else { slowest })
            .sum::<f64>()
            / curves.len() as f64;
        score += if random > optimum { (random - found) / (random - optimum) } else { 0.0 };
    }
    let score = score / evaluations.max(1) as f64;
    Some(CommunityScore { score, evaluations, complete: evaluations == whole })
}

/// What a strategy did on one landscape, or on average over several.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Performance {
    /// What it reached at each of [`CHECKPOINTS`] up to the budget.
    pub reached: Vec<Reached>,
    /// The community's score.
    pub community: Option<CommunityScore>,
    /// The median over seeds, and then over landscapes, of the evaluations until within 1 % of the
    /// optimum; `None` where it is beyond the budget.
    pub to_one_percent: Option<usize>,
    /// The mean over evaluations of the fraction of the optimum: the area under the curve.
    pub area: f64,
    /// The median over seeds of the fraction of the optimum after 1, 2, … evaluations.
    pub curve: Curve,
}

impl Performance {
    /// Summarises the curves of several seeds on one landscape.
    pub fn new(landscape: &Landscape, curves: &[Curve]) -> Self {
        let length = curves.iter().map(Vec::len).min().unwrap_or(0);
        let at = |evaluations| reached(curves, evaluations);
        let curve: Curve = (1..=length).filter_map(at).map(|reached| reached.fraction).collect();
        Self {
            reached: CHECKPOINTS.into_iter().filter_map(at).collect(),
            community: community_score(landscape, curves),
            to_one_percent: median_count(curves.iter().map(|curve| {
                curve.iter().position(|fraction| *fraction >= SAME_FRACTION).map(|at| at + 1)
            })),
            area: curve.iter().sum::<f64>() / length.max(1) as f64,
            curve,
        }
    }

    /// The mean over landscapes; `None` without any.
    pub fn mean(all: &[Self]) -> Option<Self> {
        let n = all.len() as f64;
        let length = all.iter().map(|one| one.curve.len()).min()?;
        let checkpoints = all.iter().map(|one| one.reached.len()).min()?;
        let over =
            |place: usize| -> Vec<Reached> { all.iter().map(|one| one.reached[place]).collect() };
        let scores: Vec<CommunityScore> = all.iter().filter_map(|one| one.community).collect();
        Some(Self {
            reached: (0..checkpoints).filter_map(|place| mean(&over(place))).collect(),
            community: (!scores.is_empty()).then(|| CommunityScore {
                score: scores.iter().map(|one| one.score).sum::<f64>() / scores.len() as f64,
                evaluations: scores.iter().map(|one| one.evaluations).max().unwrap_or(0),
                complete: scores.iter().all(|one| one.complete),
            }),
            to_one_percent: median_count(all.iter().map(|one| one.to_one_percent)),
            area: all.iter().map(|one| one.area).sum::<f64>() / n,
            curve: (0..length)
                .map(|place| all.iter().map(|one| one.curve[place]).sum::<f64>() / n)
                .collect(),
        })
    }
}

/// The median of counts, the larger of two middle ones; what has none is beyond all others.
fn median_count(counts: impl Iterator<Item = Option<usize>>) -> Option<usize> {
    let mut counts: Vec<usize> = counts.map(|count| count.unwrap_or(usize::MAX)).collect();
    counts.sort_unstable();
    counts.get(counts.len() / 2).copied().filter(|count| *count < usize::MAX)
}

/// The first `n` evaluations of one strategy with one seed, as the log that a campaign there would
/// have left.
pub fn log(
    landscape: &Landscape,
    entry: &StrategyEntry,
    seed: u64,
    n: usize,
) -> Vec<(Candidate, Outcome)> {
    let mut strategy = (entry.build)(Setup { seed, prior: None });
    let mut history = History::new();
    while history.len() < n {
        let batch = strategy.propose(landscape.space(), &history, 1);
        if batch.is_empty() {
            break;
        }
        for candidate in batch {
            history.push(candidate, landscape.outcome(candidate).clone());
        }
    }
    history
        .iter()
        .map(|evaluation| {
            (landscape.space().candidate(evaluation.candidate), evaluation.outcome.clone())
        })
        .collect()
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
    fn what_never_comes_is_beyond_the_median() {
        let median = |counts: &[Option<usize>]| median_count(counts.iter().copied());
        assert_eq!(median(&[Some(3), None, Some(9)]), Some(9));
        assert_eq!(median(&[Some(3), None]), None);
        assert_eq!(median(&[]), None);
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
        let random = community_score(&landscape, &curves).unwrap();
        assert!(random.complete && random.score.abs() < 0.1, "{random:?}");
        let oracle = community_score(&landscape, &[vec![1.0; 100]]).unwrap();
        assert!((oracle.score - 1.0).abs() < 1e-12);
        let short = community_score(&landscape, &[vec![1.0; 3]]).unwrap();
        assert!(!short.complete && short.evaluations == 3);
    }

    #[test]
    fn performances_average_over_landscapes() {
        let landscape = line(&[400, 200, 100, 300]);
        let rising: Curve = (1..=30).map(|at| f64::from(at) / 30.0).collect();
        let one = Performance::new(&landscape, &[rising]);
        let other = Performance::new(&landscape, &[vec![1.0; 25], vec![1.0; 40]]);
        let both = Performance::mean(&[one.clone(), other]).unwrap();
        assert_eq!(one.reached.iter().map(|at| at.evaluations).collect::<Vec<_>>(), [10, 25]);
        assert_eq!((both.reached.len(), both.curve.len()), (2, 25));
        assert!((both.reached[1].fraction - (25.0 / 30.0 + 1.0) / 2.0).abs() < 1e-12);
        assert!((one.area - 31.0 / 60.0).abs() < 1e-12);
        assert_eq!(Performance::mean(&[]), None);
    }

    #[test]
    fn a_log_is_what_the_replay_saw() {
        let landscape = line(&[400, 200, 100, 300]);
        let log = log(&landscape, find("exhaustive").unwrap(), 0, 3);
        let times: Vec<u64> = log.iter().filter_map(|(_, outcome)| outcome.time_ns()).collect();
        assert_eq!(times, [400, 200, 100]);
        assert_eq!(log[2].0.to_string(), "x=2");
        assert_eq!(super::log(&landscape, find("random").unwrap(), 0, 30).len(), 4);
    }
}
