//! Judging the model on campaigns that it has not seen.

use serde::Serialize;

use super::campaigns::RecordedCampaign;
use super::held_out::Checked;
use super::kinship::Kinship;
use super::pruning::margin;
use super::{Learned, Ranking};

/// What was left out when a campaign was predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldOut {
    /// Its kernel and workload, on whatever device.
    Shape,
    /// Its kernel.
    Kernel,
}

/// How one campaign was ordered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CampaignRanking {
    /// The kernel.
    pub kernel: String,
    /// The device.
    pub device: String,
    /// The workload, as text.
    pub workload: String,
    /// Measured candidates.
    pub n_candidates: usize,
    /// By the analytic model alone.
    pub analytic: Ranking,
    /// With all of the learned correction.
    pub corrected: Ranking,
    /// With the share of it that the guard allows.
    pub guarded: Ranking,
    /// That share.
    pub share: f64,
    /// Pruning at the risk asked for, where it was calibrated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pruned: Option<Pruned>,
}

/// What pruning would have done.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Pruned {
    /// The share of the candidates that would not have been timed.
    pub share: f64,
    /// Whether the fastest or one within 1 % of it is among them.
    pub lost: bool,
    /// How much slower than the fastest the fastest of the others is; a fraction.
    pub regret: f64,
}

/// The model's ranking of several campaigns.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// What was left out.
    pub held_out: HeldOut,
    /// The campaigns in their order.
    pub campaigns: Vec<CampaignRanking>,
    /// Medians over the campaigns.
    pub analytic: Ranking,
    /// With all of the correction.
    pub corrected: Ranking,
    /// With the share of it that the guard allows.
    pub guarded: Ranking,
    /// Campaigns whose order the guarded model makes worse than the analytic one alone, by more
    /// than 0.02 of Kendall's tau.
    pub n_worse: usize,
    /// The risk at which it prunes.
    pub risk: f64,
    /// Campaigns for which pruning was calibrated, and in how many of them it lost one of the best.
    pub n_pruned: usize,
    /// See [`Evaluation::n_pruned`].
    pub n_lost: usize,
    /// The median share of candidates that pruning spares.
    pub spared: f64,
}

/// Predicts the campaign at `place` by a model trained on the others.
pub fn evaluate_one(
    campaigns: &[RecordedCampaign],
    place: usize,
    held_out: HeldOut,
    risk: f64,
    seed: u64,
) -> Option<CampaignRanking> {
    let target = campaigns.get(place)?;
    let is_left_out = |other: &RecordedCampaign| match held_out {
        HeldOut::Shape => other.is_same_shape(target),
        HeldOut::Kernel => other.kernel == target.kernel,
    };
    let others: Vec<&RecordedCampaign> =
        campaigns.iter().filter(|other| !is_left_out(other)).collect();
    let model = Learned::train(&others, seed);
    let guard = model.as_ref().map(|model| model.guard_of(target));
    let share = guard.as_ref().map_or(0.0, |guard| guard.share);
    let correction = |row: &super::campaigns::Row| {
        model.as_ref().map_or(0.0, |model| model.correction(&row.features))
    };
    let corrections = target.rows.iter().map(correction).collect();
    let checked = Checked::new(target, corrections, Kinship::New);
    let ranking = |share: f64| Ranking::new(&checked.predictions(share), &checked.measured);
    let rule = guard.and_then(|guard| guard.pruning.rule(risk));
    let pruned = rule.and_then(|rule| {
        pruned(&checked.predictions(share), &checked.measured, rule.slower_than.ln())
    });
    Some(CampaignRanking {
        kernel: target.kernel.clone(),
        device: target.device.clone(),
        workload: target.workload.clone(),
        n_candidates: target.len(),
        analytic: ranking(0.0)?,
        corrected: ranking(1.0)?,
        guarded: ranking(share)?,
        share,
        pruned,
    })
}

fn pruned(predictions: &[f64], measured: &[f64], bound: f64) -> Option<Pruned> {
    let least = predictions.iter().copied().reduce(f64::min)?;
    let fastest = measured.iter().copied().reduce(f64::min)?;
    let kept: Vec<f64> = predictions
        .iter()
        .zip(measured)
        .filter(|&(prediction, _)| prediction - least <= bound)
        .map(|(_, time)| *time)
        .collect();
    let best = kept.iter().copied().reduce(f64::min)?;
    Some(Pruned {
        share: 1.0 - kept.len() as f64 / measured.len() as f64,
        lost: margin(predictions, measured)? > bound,
        regret: (best - fastest).exp_m1(),
    })
}

impl Evaluation {
    /// Puts the rankings of campaigns together; `None` without any.
    pub fn of(held_out: HeldOut, risk: f64, campaigns: Vec<CampaignRanking>) -> Option<Self> {
        let median = |ranking: fn(&CampaignRanking) -> Ranking| {
            Ranking::median(&campaigns.iter().map(ranking).collect::<Vec<_>>())
        };
        let pruned = || campaigns.iter().filter_map(|one| one.pruned);
        let spared = super::rank::middle(pruned().map(|one| one.share).collect());
        let worse = |one: &&CampaignRanking| {
            one.guarded.kendall_tau + super::TOLERATED < one.analytic.kendall_tau
        };
        Some(Self {
            held_out,
            analytic: median(|one| one.analytic)?,
            corrected: median(|one| one.corrected)?,
            guarded: median(|one| one.guarded)?,
            n_worse: campaigns.iter().filter(worse).count(),
            risk,
            n_pruned: pruned().count(),
            n_lost: pruned().filter(|one| one.lost).count(),
            spared: spared.unwrap_or(0.0),
            campaigns,
        })
    }
}
