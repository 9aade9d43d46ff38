//! What a search strategy is.

use ridge_spec::space::LegalSpace;

use crate::history::History;
use crate::prior::Prior;

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

    /// What the last proposal was expected to gain: the largest of its candidates' expected
    /// improvements, as a fraction of the best time. `None` where the strategy does not know, as
    /// before it has seen enough, and always for strategies without a model.
    fn expected_gain(&self) -> Option<f64> {
        None
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
