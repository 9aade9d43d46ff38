//! Which candidates need not be timed, at a stated risk.

use serde::Serialize;

use super::held_out::Checked;

/// What is within this of a campaign's fastest time is among its best.
pub const NEAR_BEST: f64 = 0.01;

/// Campaigns below which nothing is pruned: too few to say how far predictions err.
const CAMPAIGNS_LEAST: usize = 6;

/// How far from the predicted fastest candidate the fastest ones were predicted, in campaigns that
/// the model had not seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pruning {
    /// For each campaign, the logarithm of predicted time over the least predicted one, of the one
    /// among its best for which that is largest.
    margins: Vec<f64>,
}

/// Beyond which prediction a candidate is not timed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PruneRule {
    /// The probability that the fastest candidate, or one within 1 % of it, is not timed.
    pub risk: f64,
    /// Predicted time over the least one predicted so far, above which a candidate is not timed.
    pub slower_than: f64,
    /// Campaigns that it was calibrated on.
    pub campaigns: usize,
}

impl Pruning {
    pub(super) fn new(held_out: &[&Checked], share: f64) -> Self {
        let margin = |one: &&Checked| margin(&one.predictions(share), &one.measured);
        Self { margins: held_out.iter().filter_map(margin).collect() }
    }

    /// The rule for a risk; `None` where too few campaigns were seen to state one.
    ///
    /// The next campaign's margin is above the bound with a probability of `risk` if margins are
    /// normally distributed (one-sided prediction interval); the bound is never below the largest
    /// margin seen.
    pub fn rule(&self, risk: f64) -> Option<PruneRule> {
        let n = self.margins.len();
        let sound = risk > 0.0 && risk < 0.5;
        if n < CAMPAIGNS_LEAST || !sound {
            return None;
        }
        let count = n as f64;
        let mean = self.margins.iter().sum::<f64>() / count;
        let variance =
            self.margins.iter().map(|margin| (margin - mean).powi(2)).sum::<f64>() / (count - 1.0);
        let deviation = (variance * (1.0 + 1.0 / count)).sqrt();
        let largest = self.margins.iter().copied().fold(0.0, f64::max);
        let bound = (mean + student_quantile(risk, count - 1.0) * deviation).max(largest);
        Some(PruneRule { risk, slower_than: bound.exp(), campaigns: n })
    }
}

impl PruneRule {
    /// Whether a candidate with this prediction is not timed, where the least prediction so far is
    /// `least_ns`.
    pub fn prunes(&self, predicted_ns: f64, least_ns: f64) -> bool {
        predicted_ns > self.slower_than * least_ns
    }
}

/// The largest distance from the least prediction among the campaign's best; `None` of nothing.
pub(super) fn margin(predictions: &[f64], measured: &[f64]) -> Option<f64> {
    let fastest = measured.iter().copied().reduce(f64::min)?;
    let least = predictions.iter().copied().reduce(f64::min)?;
    let near = NEAR_BEST.ln_1p();
    predictions
        .iter()
        .zip(measured)
        .filter(|&(_, time)| *time <= fastest + near)
        .map(|(prediction, _)| prediction - least)
        .reduce(f64::max)
}

/// The value that Student's t with so many degrees of freedom exceeds with this probability: the
/// expansion about the normal quantile, Abramowitz and Stegun 26.7.5, good to a percent from five
/// degrees on.
fn student_quantile(probability: f64, freedom: f64) -> f64 {
    let x = crate::racing::upper_quantile(probability);
    let g1 = (x.powi(3) + x) / 4.0;
    let g2 = (5.0 * x.powi(5) + 16.0 * x.powi(3) + 3.0 * x) / 96.0;
    let g3 = (3.0 * x.powi(7) + 19.0 * x.powi(5) + 17.0 * x.powi(3) - 15.0 * x) / 384.0;
    x + g1 / freedom + g2 / freedom.powi(2) + g3 / freedom.powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (p, freedom, expected) in [(0.05, 5.0, 2.015), (0.01, 18.0, 2.552), (0.01, 6.0, 3.143)]
        {
            let found = student_quantile(p, freedom);
            assert!((found / expected - 1.0).abs() < 0.01, "{found} against {expected}");
        }
    }

    #[test]
    fn the_margin_is_of_the_worst_predicted_of_the_best() {
        let measured = [100f64, 100.5, 103.0, 200.0].map(f64::ln);
        let found = margin(&[1.0, 1.2, 5.0, 0.9], &measured).unwrap();
        assert!((found - 0.3).abs() < 1e-12, "{found}");
        assert_eq!(margin(&[], &[]), None);
    }

    #[test]
    fn a_rule_needs_campaigns_and_covers_what_was_seen() {
        let few = Pruning { margins: vec![0.1; 5] };
        assert_eq!(few.rule(0.01), None);
        let many = Pruning { margins: vec![0.1, 0.12, 0.08, 0.11, 0.09, 0.1, 0.5] };
        let careful = many.rule(0.001).unwrap();
        let bold = many.rule(0.1).unwrap();
        assert!(careful.slower_than > bold.slower_than && bold.slower_than >= 0.5f64.exp());
        assert!(bold.prunes(200.0, 100.0) && !bold.prunes(150.0, 100.0));
        assert_eq!(many.rule(0.0), None);
    }
}
