//! Asks the strategy for candidates until the budget says that it is enough.

use std::collections::BTreeMap;

use ridge_autotune::budget::{Budget, GainGoal, RooflineGoal, Spent, StopReason};
use ridge_autotune::history::History;
use ridge_autotune::strategies::{self, StrategyEntry};
use ridge_autotune::strategy::Strategy;

use super::{Campaign, Search, TuneRequest};
use crate::error::PipelineError;

/// Candidates asked of the strategy at once. A constant: the trajectory must not depend on the
/// machine's cores.
const BATCH: usize = 32;

/// As many of a strategy that learns nothing from them: compiling and timing then overlap longer.
const BLIND_BATCH: usize = 256;

/// So many proposals in a row must promise too little.
const LITTLE_FOR: usize = 2 * BATCH;

/// How a search went.
pub(super) struct Searched {
    pub(super) history: History,
    pub(super) n_resumed: usize,
    pub(super) stopped_because: StopReason,
}

/// The strategy that is used where none is named: everything, or the tuner's own choice where the
/// search may end before that.
pub(super) fn default_strategy(
    n_legal: usize,
    request: &TuneRequest,
) -> Result<&'static StrategyEntry, PipelineError> {
    let reaches = request.budget.is_none_or(|budget| budget >= n_legal);
    let to_the_end = reaches && request.until.is_none() && request.gain.is_none();
    let name = if to_the_end { "exhaustive" } else { strategies::DEFAULT };
    strategies::find(name).map_err(|diagnostic| PipelineError::Spec(vec![diagnostic]))
}

impl<'c> Campaign<'c> {
    /// Searches a workload: the author's default first, which the others are measured against, then
    /// what the strategy proposes.
    pub(super) fn search<'s>(
        &mut self,
        search: &Search<'s>,
        default: Option<usize>,
        entry: &StrategyEntry,
        mut strategy: Box<dyn Strategy>,
    ) -> Result<Searched, PipelineError>
    where
        'c: 's,
    {
        let budget = self.budget(search);
        let n_batch = if entry.is_blind { BLIND_BATCH } else { BATCH };
        let mut history = History::new();
        let mut n_resumed = 0;
        let mut spent = Spent::default();
        let mut known = BTreeMap::new();
        if let Some(index) = default {
            n_resumed += self.evaluate(search, &[index], &mut history, 0, &mut known)?;
        }
        let stopped_because = loop {
            spent.evaluations = history.len();
            spent.seconds = self.started.elapsed().as_secs_f64();
            spent.best_ns = history.best().and_then(|best| best.time_ns);
            if let Some(reason) = budget.stop(&spent) {
                break reason;
            }
            let n_max = budget.batch(n_batch, history.len());
            let proposed = strategy.propose(search.space, &history, n_max);
            if proposed.is_empty() {
                break StopReason::Exhausted;
            }
            if let Some(goal) = budget.gain {
                spent.expectations.note(strategy.expected_gain(), proposed.len(), goal);
            }
            n_resumed += self.evaluate(search, &proposed, &mut history, n_resumed, &mut known)?;
        };
        Ok(Searched { history, n_resumed, stopped_because })
    }

    fn budget(&self, search: &Search<'_>) -> Budget {
        let request = self.request;
        let floor_ns = search.roofline.physical_ns;
        Budget {
            evaluations: request.budget,
            seconds: request.time.map(|time| time.as_secs_f64()),
            roofline: request.until.map(|fraction| RooflineGoal { floor_ns, fraction }),
            gain: request.gain.map(|fraction| GainGoal { fraction, proposals: LITTLE_FOR }),
        }
    }
}
