//! What a search strategy is.

use ridge_spec::space::LegalSpace;

use crate::history::History;

/// Chooses which candidates to evaluate next: ask with [`Strategy::propose`], tell by a history
/// that has grown.
///
/// A strategy is deterministic: the same seed, space, histories and `n_max` give the same
/// proposals. A campaign that was killed therefore resumes by driving a fresh strategy through the
/// recorded evaluations, batch by batch, and reaches the same next proposal.
pub trait Strategy: Send {
    /// The candidates to evaluate next, as indices into `space`: at most `n_max`, all different,
    /// none that `history` holds. Empty when the search is over, or `n_max` is 0.
    ///
    /// `space` is the same at every call, and `history` holds the outcome of everything proposed
    /// before; it may hold more.
    fn propose(&mut self, space: &LegalSpace, history: &History, n_max: usize) -> Vec<usize>;
}

/// What is believed of the candidates before any is evaluated.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prior {
    /// The predicted time of each candidate of the legal space, nanoseconds, in its order; `None`
    /// where there is no prediction. Only their order and ratios are used.
    pub predicted_time_ns: Vec<Option<f64>>,
}

impl Prior {
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

/// What a strategy is made with.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Decides every random choice.
    pub seed: u64,
    /// Predictions, where there are any; strategies that have no use for them ignore them.
    pub prior: Option<Prior>,
}
