//! What is believed of candidates before any is evaluated.
//!
//! A prior comes from three places: the campaigns of other devices, workloads and versions of the
//! kernel ([`transfer`]), a cost model's predictions for some candidates
//! ([`Prior::from_predictions`]), and both together ([`Prior::blend`]).

mod similarity;
pub mod transfer;

use crate::gaussian::{Observations, expected_slowdowns};
use ridge_spec::space::LegalSpace;

pub use similarity::Place;
pub use transfer::{Campaign, SourceUse, Transfer};

/// A predicted time for candidates of a legal space.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prior {
    /// The predicted time of each candidate of the legal space, nanoseconds, in its order; `None`
    /// where there is no prediction. Only their order and ratios are used.
    pub predicted_time_ns: Vec<Option<f64>>,
    /// What it was made from, where that is several things that may turn out to be right or wrong
    /// each by itself; a search learns which to believe. May be empty.
    pub sources: Vec<PriorSource>,
}

/// One of the things that a prior was made from.
#[derive(Clone, Debug, PartialEq)]
pub struct PriorSource {
    /// Its share of the prior, from 0 to 1.
    pub share: f64,
    /// The logarithm of each candidate's slowdown against its best, in the legal space's order.
    pub slowdowns: Vec<f64>,
}

impl Prior {
    /// What predictions for some candidates say of all: `predicted` are indices into the space and
    /// times in nanoseconds, such as a cost model's for the candidates that are compiled already.
    /// What is predicted stays as it is; the others are interpolated, and are never taken to be
    /// faster than the fastest predicted. Predictions that are not positive and finite, or of no
    /// candidate, are left out; without any there is no prior. Deterministic for a seed.
    pub fn from_predictions(
        space: &LegalSpace,
        predicted: &[(usize, f64)],
        seed: u64,
    ) -> Option<Self> {
        let sound: Vec<(usize, f64)> = predicted
            .iter()
            .copied()
            .filter(|&(index, time)| index < space.len() && time.is_finite() && time > 0.0)
            .collect();
        let fastest = sound.iter().map(|&(_, time)| time).reduce(f64::min)?;
        let observations = Observations {
            rows: sound.iter().map(|&(index, _)| space.indices(index).to_vec()).collect(),
            logarithms: sound.iter().map(|&(_, time)| Some(time.ln())).collect(),
            known: vec![true; space.parameters().len()],
        };
        let slowdowns = expected_slowdowns(space, &observations, seed)?;
        let mut predicted_time_ns: Vec<Option<f64>> =
            slowdowns.into_iter().map(|slowdown| Some(fastest * slowdown.max(0.0).exp())).collect();
        for (index, time) in sound {
            predicted_time_ns[index] = Some(time);
        }
        Some(Self { predicted_time_ns, sources: Vec::new() })
    }

    /// Several priors of one space as one: for each candidate the mean of the logarithms of its
    /// slowdowns against each prior's fastest, by weight, over the priors that predict it. Priors
    /// without a prediction and weights that are not positive are left out; `None` where nothing
    /// is left.
    pub fn blend(priors: &[(&Self, f64)]) -> Option<Self> {
        let usable: Vec<(&Self, f64, f64)> = priors
            .iter()
            .filter(|(_, weight)| weight.is_finite() && *weight > 0.0)
            .filter_map(|&(prior, weight)| Some((prior, weight, prior.fastest()?)))
            .collect();
        let length = usable.iter().map(|(prior, ..)| prior.predicted_time_ns.len()).max()?;
        let predicted_time_ns = (0..length)
            .map(|index| {
                let (mut sum, mut total) = (0.0, 0.0);
                for (prior, weight, fastest) in &usable {
                    if let Some(time) = prior.at(index) {
                        sum += weight * (time / fastest).ln();
                        total += weight;
                    }
                }
                (total > 0.0).then(|| 1e3 * (sum / total).exp())
            })
            .collect();
        let total: f64 = usable.iter().map(|(_, weight, _)| weight).sum();
        let sources = usable
            .iter()
            .flat_map(|(prior, weight, _)| {
                let part = weight / total;
                prior.parts(length).into_iter().map(move |mut source| {
                    source.share *= part;
                    source
                })
            })
            .collect();
        Some(Self { predicted_time_ns, sources })
    }

    /// Its sources, or itself as the only one; what it does not predict is as slow as the mean.
    fn parts(&self, length: usize) -> Vec<PriorSource> {
        if !self.sources.is_empty() {
            return self.sources.clone();
        }
        let logarithms: Vec<Option<f64>> =
            (0..length).map(|index| self.at(index).map(f64::ln)).collect();
        let fastest = logarithms.iter().copied().flatten().fold(f64::INFINITY, f64::min);
        let n = logarithms.iter().flatten().count().max(1) as f64;
        let mean = logarithms.iter().flatten().sum::<f64>() / n;
        let slowdowns = logarithms.into_iter().map(|time| time.unwrap_or(mean) - fastest).collect();
        vec![PriorSource { share: 1.0, slowdowns }]
    }

    /// The prior turned upside down: what it predicts to be fast is slow. To try searches
    /// with: it begins at the wrong end, though a search may still learn from it which candidates
    /// are alike.
    #[must_use]
    pub fn inverted(&self) -> Self {
        let time = |index| self.at(index).map(|time| 1e6 / time);
        let source = |source: &PriorSource| {
            let slowest = source.slowdowns.iter().copied().fold(0.0, f64::max);
            let slowdowns = source.slowdowns.iter().map(|slowdown| slowest - slowdown).collect();
            PriorSource { share: source.share, slowdowns }
        };
        Self {
            predicted_time_ns: (0..self.predicted_time_ns.len()).map(time).collect(),
            sources: self.sources.iter().map(source).collect(),
        }
    }

    /// The predicted candidates, fastest first, equal ones by index. Predictions that are not
    /// positive and finite are left out.
    pub fn order(&self) -> Vec<usize> {
        let mut order: Vec<(f64, usize)> = (0..self.predicted_time_ns.len())
            .filter_map(|index| Some((self.at(index)?, index)))
            .collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        order.into_iter().map(|(_, index)| index).collect()
    }

    /// The prediction for a candidate, where there is one that is positive and finite.
    pub fn at(&self, index: usize) -> Option<f64> {
        let time = self.predicted_time_ns.get(index).copied().flatten()?;
        (time.is_finite() && time > 0.0).then_some(time)
    }

    fn fastest(&self) -> Option<f64> {
        (0..self.predicted_time_ns.len()).filter_map(|index| self.at(index)).reduce(f64::min)
    }
}

#[cfg(test)]
mod tests;
