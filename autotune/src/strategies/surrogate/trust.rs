//! How far the sources of a prior are to be trusted: learnt from what was predicted and what came.

use super::observed::Observed;
use crate::prior::Prior;

/// Trust in a prior before any candidate is evaluated, as the slope of times on predictions, and
/// how many evaluations that belief weighs.
const SLOPE_EXPECTED: f64 = 0.5;
const SLOPE_WEIGHT: f64 = 3.0;

/// The steepest slope of times on a source's predictions.
const SLOPE_LIMIT: f64 = 1.5;

/// Sweeps over the sources; a handful of correlated numbers settle quickly.
const N_SWEEPS: usize = 30;

/// The sources of a prior, as deviations of logarithms.
pub(super) struct Sources {
    /// Of each source, its share of the prior and, for each candidate, the logarithm of the
    /// predicted time less the mean; 0 where there is none.
    sources: Vec<(f64, Vec<f64>)>,
}

impl Sources {
    pub(super) fn new(prior: Option<&Prior>, n_candidates: usize) -> Self {
        let Some(prior) = prior else { return Self { sources: Vec::new() } };
        let mut sources: Vec<(f64, Vec<f64>)> = prior
            .sources
            .iter()
            .filter(|source| source.share > 0.0 && source.slowdowns.len() == n_candidates)
            .map(|source| {
                (source.share, centred(source.slowdowns.iter().map(|&slowdown| Some(slowdown))))
            })
            .collect();
        if sources.is_empty() {
            let logarithms = (0..n_candidates).map(|candidate| prior.at(candidate).map(f64::ln));
            sources.push((1.0, centred(logarithms)));
        }
        Self { sources }
    }

    /// The slope of each source: the ridge regression of the observed targets on the sources, drawn
    /// towards the expected trust, none below 0 or above [`SLOPE_LIMIT`]. By coordinate descent,
    /// which takes the bounds in its stride.
    pub(super) fn slopes(&self, observed: &Observed) -> Vec<f64> {
        let n = observed.candidates.len().max(1) as f64;
        let mean = |values: &[f64]| values.iter().sum::<f64>() / n;
        let level = mean(&observed.targets);
        let mut left: Vec<f64> = observed.targets.iter().map(|target| target - level).collect();
        let columns: Vec<Vec<f64>> = self
            .sources
            .iter()
            .map(|(_, source)| {
                let column: Vec<f64> =
                    observed.candidates.iter().map(|&candidate| source[candidate]).collect();
                let mean = mean(&column);
                column.into_iter().map(|value| value - mean).collect()
            })
            .collect();
        let expected: Vec<f64> =
            self.sources.iter().map(|(share, _)| SLOPE_EXPECTED * share).collect();
        let belief: Vec<f64> =
            self.sources.iter().map(|(_, source)| SLOPE_WEIGHT * variance(source)).collect();
        let mut slopes = vec![0.0; columns.len()];
        for _ in 0..N_SWEEPS {
            for (at, column) in columns.iter().enumerate() {
                let mut above = belief[at] * expected[at];
                let mut below = belief[at];
                for (value, left) in column.iter().zip(&left) {
                    above += value * (left + slopes[at] * value);
                    below += value * value;
                }
                let slope = if below > 0.0 { (above / below).clamp(0.0, SLOPE_LIMIT) } else { 0.0 };
                let change = slope - slopes[at];
                for (value, left) in column.iter().zip(&mut left) {
                    *left -= change * value;
                }
                slopes[at] = slope;
            }
        }
        slopes
    }

    /// What the sources explain of a candidate's target.
    pub(super) fn explained(&self, slopes: &[f64], candidate: usize) -> f64 {
        self.sources.iter().zip(slopes).map(|((_, source), slope)| slope * source[candidate]).sum()
    }
}

/// The values less their mean; 0 where there is none.
fn centred(values: impl Iterator<Item = Option<f64>>) -> Vec<f64> {
    let known: Vec<Option<f64>> = values.collect();
    let n = known.iter().flatten().count().max(1) as f64;
    let mean = known.iter().flatten().sum::<f64>() / n;
    known.into_iter().map(|value| value.map_or(0.0, |value| value - mean)).collect()
}

fn variance(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>() / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prior::PriorSource;

    #[test]
    fn the_source_that_is_right_is_believed() {
        let n = 40u32;
        let right: Vec<f64> = (0..n).map(|at| f64::from(at * 17 % n) / 20.0).collect();
        let wrong: Vec<f64> = (0..n).map(|at| f64::from(at * 7 % n) / 20.0).collect();
        let source = |slowdowns: &[f64]| PriorSource { share: 0.5, slowdowns: slowdowns.to_vec() };
        let prior = Prior { sources: vec![source(&right), source(&wrong)], ..Prior::default() };
        let sources = Sources::new(Some(&prior), right.len());
        let mut observed = Observed { candidates: vec![], targets: vec![], best: None };
        let before = sources.slopes(&observed);
        assert!(before.iter().all(|slope| (slope - 0.25).abs() < 1e-9), "{before:?}");
        observed.candidates = (0..30).collect();
        observed.targets = (0..30).map(|at| 3.0 + right[at]).collect();
        let after = sources.slopes(&observed);
        assert!(after[0] > 0.8 && after[1] < 0.15, "{after:?}");
    }
}
