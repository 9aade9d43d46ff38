//! Candidates that are not timed, because the cost model says at a stated risk that they cannot win.
//!
//! Only on a GPU, and only with records of earlier campaigns that the model learned from and that
//! say how far it errs. What is not timed is recorded as predicted, with the rule in its protocol.

use std::collections::BTreeMap;

use ridge_autotune::cost::{CostInputs, estimate};
use ridge_autotune::history::{Evaluation, History};
use ridge_autotune::learned::{Learned, PruneRule, RecordedCampaign, Subject, cost_inputs};
use ridge_spec::outcome::{Outcome, Prediction};
use ridge_spec::space::Candidate;
use ridge_spec::target::DeviceProfile;

use super::ledger::Ledger;
use super::{Campaign, PriorChoice, Search};
use crate::answer::PruningAnswer;
use crate::error::PipelineError;
use crate::evaluate::{Bound, Trial, whole_nanoseconds, work};
use crate::event::Event;
use crate::simulate::{cost_model, files};

/// The model's view of one workload.
pub(super) struct Model<'a> {
    pub(super) learned: &'a Learned,
    pub(super) kernel: &'a str,
    pub(super) profile: &'a DeviceProfile,
}

/// What is pruned in one batch: decided by what was known when it began, so that a campaign that
/// resumes prunes the same.
pub(super) struct Pruner<'a> {
    pub(super) model: Model<'a>,
    pub(super) risk: f64,
    /// The least prediction of a candidate that was timed.
    least_ns: f64,
    /// The best measured time.
    best_ns: u64,
}

/// A candidate that is not timed: its outcome, and the rule.
pub(super) struct Spared {
    pub(super) prediction: Prediction,
    pub(super) rule: PruneRule,
}

impl Model<'_> {
    /// The corrected prediction of a candidate, nanoseconds, and the rule for its kind.
    pub(super) fn predict(
        &self,
        bound: &Bound,
        candidate: &Candidate,
        inputs: &CostInputs,
        risk: f64,
    ) -> (f64, Option<PruneRule>) {
        let axes = &bound.instance.workload().axes;
        let subject = Subject { candidate, axes, inputs, profile: self.profile };
        let said = self.learned.predict(self.kernel, &subject, &estimate(inputs, self.profile));
        (said.time_ns, said.pruning.and_then(|pruning| pruning.rule(risk)))
    }
}

/// What the model is told of a candidate that ran in the emulator.
pub(super) fn inputs(
    bound: &Bound,
    resources: ridge_spec::artifact::Resources,
    trial: &Trial,
) -> CostInputs {
    CostInputs {
        resources,
        launch: trial.launch.config,
        counters: trial.counters.unwrap_or_default(),
        work: work(&bound.instance),
    }
}

impl Pruner<'_> {
    /// What is recorded of a screened candidate that need not be timed; `None` where it must be.
    pub(super) fn spares(
        &self,
        bound: &Bound,
        candidate: &Candidate,
        inputs: &CostInputs,
        analytic: &Prediction,
    ) -> Option<Spared> {
        let (predicted_ns, rule) = self.model.predict(bound, candidate, inputs, self.risk);
        let rule = rule.filter(|rule| rule.prunes(predicted_ns, self.least_ns))?;
        // Its level is the measured best's: predictions compare with one another only.
        let time_ns = whole_nanoseconds(self.best_ns as f64 * predicted_ns / self.least_ns);
        Some(Spared { prediction: Prediction { time_ns, ..analytic.clone() }, rule })
    }
}

impl Campaign<'_> {
    /// Trains the model on the logs that the request names, where it is of use.
    pub(super) fn learn(&mut self) -> Result<(), PipelineError> {
        let PriorChoice::From(paths) = &self.request.prior else { return Ok(()) };
        if self.bench.is_none() || paths.is_empty() || self.request.prune_risk <= 0.0 {
            return Ok(());
        }
        self.observer.notify(Event::Step("learning from earlier campaigns"));
        let records = files::load_logs(paths)?;
        let campaigns = cost_model::campaigns(&records);
        let campaigns: Vec<&RecordedCampaign> = campaigns.iter().collect();
        self.learned = Learned::train(&campaigns, self.request.seed);
        Ok(())
    }

    /// What was pruned of a search.
    pub(super) fn pruned(&self, search: &Search<'_>, history: &History) -> Option<PruningAnswer> {
        let learned = self.model()?.learned;
        let workload = search.bound.instance.workload();
        let is_pruned = |index: usize| {
            let candidate = search.space.candidate(index);
            self.ledger.is_pruned(workload, &candidate)
        };
        Some(PruningAnswer {
            risk: self.request.prune_risk,
            n_pruned: history.iter().filter(|one| is_pruned(one.candidate)).count(),
            n_campaigns: learned.n_campaigns(),
            trust: learned.trust(),
        })
    }

    /// The learned model, where there is one.
    pub(super) fn model(&self) -> Option<Model<'_>> {
        let kernel = self.folder.spec.name.as_str();
        let profile = self.evaluator.profile;
        self.learned.as_ref().map(|learned| Model { learned, kernel, profile })
    }
}

/// What a batch that begins now is pruned by; `None` while nothing was timed. `known` keeps the
/// predictions of candidates that were timed, by their place in the space.
pub(super) fn pruner<'m>(
    model: Model<'m>,
    risk: f64,
    ledger: &Ledger,
    search: &Search<'_>,
    history: &History,
    known: &mut BTreeMap<usize, f64>,
) -> Option<Pruner<'m>> {
    let is_timed = |one: &&Evaluation| matches!(one.outcome, Outcome::Measured(_));
    let best_ns = history.iter().filter(is_timed).filter_map(|one| one.time_ns).min()?;
    let workload = search.bound.instance.workload();
    for evaluation in history.iter().filter(is_timed) {
        if known.contains_key(&evaluation.candidate) {
            continue;
        }
        let candidate = search.space.candidate(evaluation.candidate);
        let record = ledger.screened(workload, &candidate);
        if let Some(inputs) = record.and_then(cost_inputs) {
            let inputs = CostInputs { work: work(&search.bound.instance), ..inputs };
            let (predicted_ns, _) = model.predict(search.bound, &candidate, &inputs, risk);
            known.insert(evaluation.candidate, predicted_ns);
        }
    }
    let least_ns = known.values().copied().reduce(f64::min)?;
    Some(Pruner { model, risk, least_ns, best_ns })
}
