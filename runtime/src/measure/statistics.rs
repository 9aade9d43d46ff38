//! When enough samples have been taken.

use ridge_spec::outcome::Samples;

use super::TimingPlan;

/// What to do after a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Take another sample.
    Continue,
    /// The median is known well enough, or no more rounds are allowed.
    Done,
    /// The candidate is surely slower than what there is already.
    Lost,
}

/// Decides after each counted round of one candidate; `samples` are nanoseconds a launch.
pub fn next(samples: &[u64], plan: &TimingPlan) -> Next {
    let rounds = u32::try_from(samples.len()).unwrap_or(u32::MAX);
    if rounds < plan.rounds_min.max(1) {
        return Next::Continue;
    }
    let Ok(taken) = Samples::new(samples.to_vec()) else { return Next::Continue };
    // The fastest sample is above the mark: with three or more samples, a median below it would
    // be an accident of less than one in eight.
    if plan.lost_above_ns.is_some_and(|mark| taken.len() >= 3 && taken.min_ns() > mark) {
        return Next::Lost;
    }
    if rounds >= plan.rounds_max {
        return Next::Done;
    }
    let interval = taken.interval(0.95);
    let half_width = interval.high_ns.saturating_sub(interval.low_ns) as f64 / 2.0;
    let known =
        interval.confidence >= 0.9 && half_width <= plan.relative_error * taken.median_ns() as f64;
    if known { Next::Done } else { Next::Continue }
}

/// Launches of one graph, so that a replay takes about `replay_ns`; at most twice the number of
/// sets, and at least two.
pub fn launches(launch_ns: f64, replay_ns: u64, n_sets: u32) -> u32 {
    let wanted = (replay_ns as f64 / launch_ns.max(100.0)).clamp(2.0, 512.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 512")]
    let wanted = wanted.round() as u32;
    // Whole turns over the sets where there are few: each is then launched as often.
    if wanted > n_sets { wanted / n_sets * n_sets } else { wanted }
}

#[cfg(test)]
mod tests {
    use super::{Next, launches, next};
    use crate::measure::TimingPlan;

    fn plan() -> TimingPlan {
        TimingPlan {
            warm_up_rounds: 1,
            rounds_min: 5,
            rounds_max: 20,
            relative_error: 0.005,
            lost_above_ns: Some(2000),
            replay_ns: 300_000,
            difference: false,
            companions: false,
            images_after: 1,
            seed: 1,
            time_limit_ns: 1_000_000_000,
        }
    }

    #[test]
    fn stops_when_known_lost_or_out_of_rounds() {
        let steady = [1000, 1001, 1000, 999, 1000, 1000, 1001];
        let noisy = [1000, 1100, 900, 1050, 950, 1080, 930];
        let slow = [2100, 2101, 2100, 2100, 2102];
        let mixed = [2100, 1990, 2100, 2100, 2102];
        for (samples, expected) in [
            (&steady[..3], Next::Continue),
            (&steady[..], Next::Done),
            (&noisy[..], Next::Continue),
            (&slow[..], Next::Lost),
            (&mixed[..], Next::Continue),
        ] {
            assert_eq!(next(samples, &plan()), expected, "{samples:?}");
        }
        assert_eq!(next(&[noisy; 3].concat()[..20], &plan()), Next::Done);
    }

    #[test]
    fn graphs_are_long_enough_and_turn_evenly() {
        for (launch_ns, n_sets, expected) in
            [(17_000.0, 5, 15), (65_000.0, 2, 4), (1000.0, 256, 256), (1.0, 2, 512), (1e9, 8, 2)]
        {
            assert_eq!(launches(launch_ns, 300_000, n_sets), expected, "{launch_ns} {n_sets}");
        }
    }
}
