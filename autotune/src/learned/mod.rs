//! The learned part of the cost model: what recorded campaigns say of the analytic model's errors.
//!
//! Boosted trees predict the logarithm of measured over predicted time, each campaign against its
//! own median: which candidates the analytic model wrongs against the others of their campaign.
//! What they say is *guarded*: before it is believed, every campaign is predicted by trees that
//! have not seen its shape, and by trees that have not seen its kernel. The share of the
//! correction that is applied is the largest that makes no held-out campaign's order notably
//! worse than the analytic one alone, and 0 where no share does. A kernel with a parameter that no
//! campaign had, or a workload of quite another size, is left to the analytic model: trees do not
//! extrapolate.
//!
//! The same held-out campaigns say how far from the predicted fastest a candidate can be predicted
//! and still be among the fastest: [`Pruning`].

mod campaigns;
mod evaluation;
mod features;
mod held_out;
mod kinship;
mod pruning;
mod rank;
#[cfg(test)]
mod tests;
mod trees;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cost::Estimate;
pub use campaigns::{RecordedCampaign, cost_inputs, recorded_campaigns};
pub use evaluation::{CampaignRanking, Evaluation, HeldOut, Pruned, evaluate_one};
pub use features::Subject;
use features::{Features, features};
use held_out::{Checked, Table};
use kinship::{Kinship, Seen};
pub use pruning::{NEAR_BEST, PruneRule, Pruning};
pub use rank::{Ranking, kendall_tau};
use trees::{Growth, Trees};

/// How the trees are grown: set on the campaigns of an H200 in `landscapes/`, coarsely.
const GROWTH: Growth =
    Growth { n_trees: 150, rate: 0.08, n_leaves: 24, leaf_weight: 10.0, ridge: 1.0, features: 0.5 };

/// Rows that every campaign counts for, however many it has.
const CAMPAIGN_WEIGHT: f64 = 500.0;

/// Shares of the correction that are tried.
const SHARES: [f64; 6] = [0.0, 0.1, 0.25, 0.5, 0.75, 1.0];

/// A held-out campaign's tau may fall by so much below the analytic model's: less is within the
/// noise of the measurements.
const TOLERATED: f64 = 0.02;

/// Held-out campaigns below which nothing is believed.
const HELD_OUT_LEAST: usize = 6;

/// How much of the correction is applied, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Trust {
    /// On another shape of a kernel that it was trained on.
    pub known_kernel: f64,
    /// On a kernel all of whose parameters it was trained on, and a workload of a size like theirs.
    pub related_kernel: f64,
}

/// What held-out campaigns of one kinship say.
#[derive(Clone, Debug, Default)]
struct Guard {
    share: f64,
    pruning: Pruning,
}

/// The cost model with what was learned from campaigns.
#[derive(Clone, Debug)]
pub struct Learned {
    names: Vec<String>,
    trees: Trees,
    seen: Seen,
    guards: BTreeMap<Kinship, Guard>,
    n_campaigns: usize,
}

impl Learned {
    /// Learns from campaigns; `None` where they are of fewer than two shapes, or say nothing.
    /// Deterministic for a seed.
    pub fn train(campaigns: &[&RecordedCampaign], seed: u64) -> Option<Self> {
        let table = Table::new(campaigns);
        if table.n_shapes() < 2 {
            return None;
        }
        // A shape whose kernel has no other is checked twice, by the same trees or better ones:
        // only what was said of it without its kernel counts.
        let mut checked = table.hold_out_shapes(seed);
        checked.retain(|one| one.kinship == Kinship::Known);
        checked.extend(table.hold_out_kernels(seed));
        let guard = |kinship: Kinship| {
            let held_out: Vec<&Checked> =
                checked.iter().filter(|one| one.kinship == kinship).collect();
            let share = match kinship {
                Kinship::Known | Kinship::Related => trusted_share(&held_out),
                Kinship::New => 0.0,
            };
            Guard { share, pruning: Pruning::new(&held_out, share) }
        };
        let everything: Vec<usize> = (0..campaigns.len()).collect();
        Some(Self {
            guards: Kinship::ALL.into_iter().map(|kinship| (kinship, guard(kinship))).collect(),
            trees: table.grow(&everything, seed),
            seen: table.seen(&everything),
            names: table.names,
            n_campaigns: campaigns.len(),
        })
    }

    /// How much of the correction is applied.
    pub fn trust(&self) -> Trust {
        let share = |kinship| self.guards.get(&kinship).map_or(0.0, |guard| guard.share);
        Trust { known_kernel: share(Kinship::Known), related_kernel: share(Kinship::Related) }
    }

    /// Campaigns that it was trained on.
    pub fn n_campaigns(&self) -> usize {
        self.n_campaigns
    }

    /// What the model says of a subject of that kernel.
    pub fn predict(
        &self,
        kernel: &str,
        subject: &Subject<'_>,
        estimate: &Estimate,
    ) -> Corrected<'_> {
        let features = features(subject, estimate);
        let guard = self.guards.get(&self.seen.kinship(kernel, &features));
        let share = guard.map_or(0.0, |guard| guard.share);
        let correction = if share > 0.0 { self.correction(&features) } else { 0.0 };
        Corrected {
            time_ns: estimate.prediction.time_ns as f64 * (share * correction).exp(),
            share,
            pruning: guard.map(|guard| &guard.pruning),
        }
    }

    fn guard_of(&self, campaign: &RecordedCampaign) -> Guard {
        self.guards.get(&campaign.kinship(&self.seen)).cloned().unwrap_or_default()
    }

    /// The whole correction, as a logarithm.
    fn correction(&self, features: &Features) -> f64 {
        self.trees.predict(&held_out::row(&self.names, features))
    }
}

/// A corrected prediction.
#[derive(Clone, Copy, Debug)]
pub struct Corrected<'a> {
    /// The time, nanoseconds. Times of one kernel, workload and device are to be compared with one
    /// another; their level is the analytic model's.
    pub time_ns: f64,
    /// The share of the correction that was applied.
    pub share: f64,
    /// How far from the predicted fastest a candidate can be and still be wanted.
    pub pruning: Option<&'a Pruning>,
}

/// The share of the correction that orders held-out campaigns best, of those that make none of
/// them notably worse than the analytic model alone.
fn trusted_share(held_out: &[&Checked]) -> f64 {
    if held_out.len() < HELD_OUT_LEAST {
        return 0.0;
    }
    let taus = |share: f64| -> Vec<f64> { held_out.iter().map(|one| one.tau(share)).collect() };
    let analytic = taus(0.0);
    let mut best = (0.0, analytic.iter().sum::<f64>());
    for share in SHARES {
        let found = taus(share);
        let harms = found.iter().zip(&analytic).any(|(tau, alone)| tau + TOLERATED < *alone);
        let sum = found.iter().sum::<f64>();
        if !harms && sum > best.1 {
            best = (share, sum);
        }
    }
    best.0
}
