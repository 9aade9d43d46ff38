//! What is believed of candidates before any is evaluated.

use ridge_spec::space::LegalSpace;

use crate::history::History;
use crate::strategies::expected_slowdowns;

/// A predicted time for candidates of a legal space.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prior {
    /// The predicted time of each candidate of the legal space, nanoseconds, in its order; `None`
    /// where there is no prediction. Only their order and ratios are used.
    pub predicted_time_ns: Vec<Option<f64>>,
}

impl Prior {
    /// What campaigns elsewhere say of this space: on other devices, for other workloads, with
    /// older versions of the kernel.
    ///
    /// Each source is a history over *this* space's candidates; whoever reads records finds them
    /// with [`LegalSpace::find`] and leaves out what is not legal here. Every source is
    /// interpolated by itself, and the logarithms of the slowdowns against each source's best are
    /// averaged, so that slow devices weigh as much as fast ones. The times are relative: 1 µs for
    /// a candidate as fast as every source's best. Without a source that has a success there is no
    /// prior. Deterministic for a seed.
    pub fn from_histories(space: &LegalSpace, sources: &[History], seed: u64) -> Option<Self> {
        let slowdowns: Vec<Vec<f64>> =
            sources.iter().filter_map(|source| expected_slowdowns(space, source, seed)).collect();
        if slowdowns.is_empty() {
            return None;
        }
        let n = slowdowns.len() as f64;
        let predicted_time_ns = (0..space.len())
            .map(|candidate| {
                let mean = slowdowns.iter().map(|source| source[candidate]).sum::<f64>() / n;
                Some(1e3 * mean.exp())
            })
            .collect();
        Some(Self { predicted_time_ns })
    }

    /// The predicted candidates, fastest first, equal ones by index. Predictions that are not
    /// positive and finite are left out.
    pub fn order(&self) -> Vec<usize> {
        let mut order: Vec<(f64, usize)> = self
            .predicted_time_ns
            .iter()
            .enumerate()
            .filter_map(|(index, time)| time.map(|time| (time, index)))
            .filter(|&(time, _)| time.is_finite() && time > 0.0)
            .collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        order.into_iter().map(|(_, index)| index).collect()
    }
}
