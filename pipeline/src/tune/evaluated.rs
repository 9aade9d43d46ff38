//! What came of one candidate.

use std::sync::Arc;

use ridge_autotune::learned::PruneRule;
use ridge_spec::artifact::Artifact;
use ridge_spec::launch::LaunchConfig;
use ridge_spec::outcome::{Outcome, Prediction, Rejection};
use ridge_spec::space::Candidate;

use crate::evaluate::Trial;
use crate::measuring::Measured;

/// A candidate's evaluation, ready to be recorded.
#[derive(Clone, Debug)]
pub(super) struct Evaluated {
    pub(super) candidate: Candidate,
    pub(super) outcome: Outcome,
    /// What was predicted of it before it was timed.
    pub(super) prediction: Option<Prediction>,
    pub(super) artifact: Option<Arc<Artifact>>,
    /// The run on the workload being tuned, where it came that far.
    pub(super) trial: Option<Trial>,
    /// How it is launched there, where it is.
    pub(super) launch: Option<LaunchConfig>,
    /// Names of the workloads that it passed on.
    pub(super) passed: Vec<String>,
    /// What the GPU made of it, where it came that far.
    pub(super) measured: Option<Measured>,
    /// Why it was not timed, where the cost model said that it cannot win.
    pub(super) pruned: Option<PruneRule>,
    /// Wall time of running and checking, nanoseconds.
    pub(super) verify_ns: u64,
}

impl Evaluated {
    /// A candidate that could not even be run.
    pub(super) fn refused(
        candidate: &Candidate,
        artifact: Option<Arc<Artifact>>,
        rejection: Rejection,
    ) -> Box<Self> {
        Box::new(Self {
            candidate: candidate.clone(),
            outcome: Outcome::Rejected(rejection),
            prediction: None,
            artifact,
            trial: None,
            launch: None,
            passed: Vec::new(),
            measured: None,
            pruned: None,
            verify_ns: 0,
        })
    }

    /// Takes what the GPU made of it for its outcome.
    pub(super) fn settle(&mut self, measured: Measured) {
        self.verify_ns = self.verify_ns.saturating_add(measured.judge_ns);
        let settled = match &measured.result {
            Ok(timing) => Outcome::Measured(timing.samples.clone()),
            Err(rejection) => Outcome::Rejected(rejection.clone()),
        };
        if let Outcome::Predicted(prediction) = std::mem::replace(&mut self.outcome, settled) {
            self.prediction = Some(prediction);
        }
        self.measured = Some(measured);
    }
}
