//! Predictions of campaigns by trees that have not seen them.

use std::collections::BTreeSet;

use super::campaigns::RecordedCampaign;
use super::features::Features;
use super::kinship::{Kinship, Seen};
use super::rank::{kendall_tau, middle};
use super::trees::{Rows, Trees};
use super::{CAMPAIGN_WEIGHT, GROWTH};

/// Folds into which shapes, and kernels, are divided at most.
const FOLDS: usize = 6;

/// Campaigns as one table.
pub(super) struct Table<'a> {
    campaigns: Vec<&'a RecordedCampaign>,
    /// The features' names, in the order of the columns.
    pub(super) names: Vec<String>,
    /// Of each campaign, the features of each row.
    features: Vec<Vec<Vec<f64>>>,
    /// Of each campaign, the target of each row.
    targets: Vec<Vec<f64>>,
}

/// A campaign predicted by trees that have not seen it.
#[derive(Clone, Debug)]
pub(super) struct Checked {
    pub(super) kinship: Kinship,
    predicted: Vec<f64>,
    corrections: Vec<f64>,
    pub(super) measured: Vec<f64>,
}

impl Checked {
    pub(super) fn new(
        campaign: &RecordedCampaign,
        corrections: Vec<f64>,
        kinship: Kinship,
    ) -> Self {
        let (predicted, measured) = (campaign.predicted(), campaign.measured());
        Self { kinship, predicted, corrections, measured }
    }

    /// The logarithms of the times that a share of the correction predicts.
    pub(super) fn predictions(&self, share: f64) -> Vec<f64> {
        self.predicted
            .iter()
            .zip(&self.corrections)
            .map(|(time, more)| time + share * more)
            .collect()
    }

    pub(super) fn tau(&self, share: f64) -> f64 {
        kendall_tau(&self.predictions(share), &self.measured)
    }
}

/// Features in the order of `names`.
pub(super) fn row(names: &[String], features: &Features) -> Vec<f64> {
    names.iter().map(|name| features.get(name).copied().unwrap_or(f64::NAN)).collect()
}

impl<'a> Table<'a> {
    pub(super) fn new(campaigns: &[&'a RecordedCampaign]) -> Self {
        let rows = || campaigns.iter().flat_map(|campaign| &campaign.rows);
        let known: BTreeSet<&String> = rows().flat_map(|row| row.features.keys()).collect();
        let names: Vec<String> = known.into_iter().cloned().collect();
        let of = |campaign: &&RecordedCampaign| {
            campaign.rows.iter().map(|one| row(&names, &one.features)).collect()
        };
        let features = campaigns.iter().map(of).collect();
        let targets = campaigns.iter().map(|campaign| targets(campaign)).collect();
        Self { campaigns: campaigns.to_vec(), features, targets, names }
    }

    pub(super) fn n_shapes(&self) -> usize {
        self.groups(|a, b| a.is_same_shape(b)).iter().copied().max().map_or(0, |last| last + 1)
    }

    /// The trees of the campaigns at these places.
    pub(super) fn grow(&self, places: &[usize], seed: u64) -> Trees {
        let mut features: Vec<&[f64]> = Vec::new();
        let mut targets = Vec::new();
        let mut weights = Vec::new();
        for &place in places {
            let n_rows = self.features[place].len();
            features.extend(self.features[place].iter().map(Vec::as_slice));
            targets.extend(&self.targets[place]);
            weights.resize(targets.len(), CAMPAIGN_WEIGHT / n_rows.max(1) as f64);
        }
        let rows = Rows { features: &features, targets: &targets, weights: &weights };
        Trees::grow(&rows, &GROWTH, seed)
    }

    /// What the trees of the campaigns at these places have seen.
    pub(super) fn seen(&self, places: &[usize]) -> Seen {
        let mut seen = Seen::default();
        for &place in places {
            let campaign = self.campaigns[place];
            campaign.rows.iter().take(1).for_each(|row| seen.add(&campaign.kernel, &row.features));
        }
        seen
    }

    /// Every campaign by trees that have not seen its shape.
    pub(super) fn hold_out_shapes(&self, seed: u64) -> Vec<Checked> {
        self.hold_out(&self.groups(|a, b| a.is_same_shape(b)), seed)
    }

    /// Every campaign by trees that have not seen its kernel; none where there is one kernel only.
    pub(super) fn hold_out_kernels(&self, seed: u64) -> Vec<Checked> {
        self.hold_out(&self.groups(|a, b| a.kernel == b.kernel), seed)
    }

    /// The number of each campaign's group, in the order in which they first come.
    fn groups(&self, same: impl Fn(&RecordedCampaign, &RecordedCampaign) -> bool) -> Vec<usize> {
        let mut groups: Vec<usize> = Vec::new();
        let mut n_groups = 0;
        for (place, campaign) in self.campaigns.iter().enumerate() {
            let earlier = (0..place).find(|&at| same(self.campaigns[at], campaign));
            groups.push(earlier.map_or(n_groups, |at| groups[at]));
            n_groups += usize::from(earlier.is_none());
        }
        groups
    }

    fn hold_out(&self, groups: &[usize], seed: u64) -> Vec<Checked> {
        let n_groups = groups.iter().max().map_or(0, |last| last + 1);
        if n_groups < 2 {
            return Vec::new();
        }
        let n_folds = n_groups.min(FOLDS);
        let mut checked = Vec::new();
        for fold in 0..n_folds {
            let (held, seen): (Vec<usize>, Vec<usize>) =
                (0..groups.len()).partition(|&place| groups[place] % n_folds == fold);
            let trees = self.grow(&seen, seed);
            let known = self.seen(&seen);
            for place in held {
                let campaign = self.campaigns[place];
                let corrections =
                    self.features[place].iter().map(|row| trees.predict(row)).collect();
                checked.push(Checked::new(campaign, corrections, campaign.kinship(&known)));
            }
        }
        checked
    }
}

/// The logarithm of measured over predicted time, against the campaign's median.
fn targets(campaign: &RecordedCampaign) -> Vec<f64> {
    let ratios: Vec<f64> = campaign.rows.iter().map(|row| row.measured - row.predicted).collect();
    let level = middle(ratios.clone()).unwrap_or(0.0);
    ratios.into_iter().map(|ratio| ratio - level).collect()
}
