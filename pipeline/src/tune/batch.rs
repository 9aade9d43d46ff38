//! One batch of candidates: compiled in worker processes, screened in parallel in the emulator,
//! timed where there is a GPU, and committed in the order in which the strategy proposed them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ridge_compiler::cuda::Unit;
use ridge_spec::artifact::Artifact;
use ridge_spec::kernel::LaunchPlan;
use ridge_spec::outcome::{Outcome, Rejection};
use ridge_spec::space::Candidate;

use super::evaluated::Evaluated;
use super::pruning::{self, Pruner};
use crate::compilation::{Compiled, Compiler};
use crate::error::PipelineError;
use crate::evaluate::{Bound, Depth, Evaluator};
use crate::event::Observer;
use crate::measuring::{Job, Measured, Staging};
use crate::occupation::Occupation;

/// A candidate of a batch.
#[derive(Clone, Debug)]
pub(super) struct Proposed {
    pub(super) candidate: Candidate,
    /// What an earlier run recorded of it; it is not evaluated again.
    pub(super) recorded: Option<Outcome>,
}

/// What a candidate of a batch came to.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// It had been recorded.
    Recorded(Outcome),
    /// It was evaluated now.
    Evaluated(Box<Evaluated>),
}

/// Takes the steps of a batch in order.
pub(super) type Commit<'a> = dyn FnMut(usize, Step) -> Result<(), PipelineError> + Send + 'a;

/// Where a batch is evaluated.
pub(super) struct Workplace<'a, 's> {
    pub(super) evaluator: &'a Evaluator<'a>,
    pub(super) bound: &'a Bound,
    /// Small workloads that share the artifact.
    pub(super) siblings: &'a [&'a Bound],
    /// Where candidates are timed, if they are.
    pub(super) staging: Option<&'a Staging<'s>>,
    /// What need not be timed, where that is known.
    pub(super) pruner: Option<&'a Pruner<'a>>,
    /// While candidates are compiled.
    pub(super) busy: &'a Occupation,
    pub(super) observer: &'a dyn Observer,
}

/// Hands results on in the order of their places, however they come.
struct Committer<'a> {
    next: usize,
    waiting: BTreeMap<usize, Step>,
    commit: &'a mut Commit<'a>,
    error: Option<PipelineError>,
}

impl Committer<'_> {
    fn finish(&mut self, place: usize, result: Result<Step, PipelineError>) {
        match result {
            Ok(step) => {
                self.waiting.insert(place, step);
            }
            Err(error) => self.error = self.error.take().or(Some(error)),
        }
        while self.error.is_none()
            && let Some(step) = self.waiting.remove(&self.next)
        {
            self.error = (self.commit)(self.next, step).err();
            self.next += 1;
        }
    }
}

/// A candidate on its way through the queue of the GPU, with its place.
type Tag = (usize, Box<Evaluated>);

/// Evaluates the candidates without a record and hands each to `commit` with its place, in order.
///
/// # Errors
/// The first error of the compiler, the evaluator or `commit`; what was committed stays.
pub(super) fn run<'a>(
    workplace: &Workplace<'_, '_>,
    compiler: &mut Compiler,
    candidates: &[Proposed],
    commit: &'a mut Commit<'a>,
) -> Result<(), PipelineError> {
    let committer =
        Mutex::new(Committer { next: 0, waiting: BTreeMap::new(), commit, error: None });
    let finish = |place: usize, result: Result<Step, PipelineError>| {
        committer.lock().unwrap_or_else(PoisonError::into_inner).finish(place, result);
    };
    let evaluated = |place: usize, evaluated| finish(place, Ok(Step::Evaluated(evaluated)));
    let settled =
        |(place, mut screened): Tag, measured: Result<Measured, PipelineError>| match measured {
            Ok(measured) => {
                screened.settle(measured);
                evaluated(place, screened);
            }
            Err(error) => finish(place, Err(error)),
        };
    let mut units = Vec::new();
    for (place, Proposed { candidate, recorded }) in candidates.iter().enumerate() {
        if let Some(outcome) = recorded {
            finish(place, Ok(Step::Recorded(outcome.clone())));
            continue;
        }
        match unit(workplace, compiler, candidate) {
            Ok(unit) => units.push((place, unit)),
            Err(rejection) => evaluated(place, Evaluated::refused(candidate, None, rejection)),
        }
    }
    let compiled = std::thread::scope(|threads| {
        let queue = workplace.staging.map(|staging| staging.start(threads, &settled));
        let screened = |place: usize, compiled: Compiled| match screen(
            workplace,
            &candidates[place].candidate,
            compiled,
        ) {
            Err(error) => finish(place, Err(error)),
            Ok(screened) => match queue.as_ref().zip(as_job(&screened, workplace)) {
                None => evaluated(place, screened),
                Some((queue, (artifact, plan))) => {
                    let job = Job { tag: (place, screened), artifact, plan };
                    if let Err(unsent) = queue.send(job) {
                        let (place, screened) = unsent.0.tag;
                        evaluated(place, screened);
                    }
                }
            },
        };
        let screened = &screened;
        rayon::in_place_scope(|scope| {
            let _busy = workplace.busy.begin();
            compiler.compile(units, workplace.observer, |place, compiled| {
                scope.spawn(move |_| screened(place, compiled));
            })
        })
    });
    let committer = committer.into_inner().unwrap_or_else(PoisonError::into_inner);
    compiled?;
    committer.error.map_or(Ok(()), Err)
}

/// What the compiler is told for a candidate that can be launched.
pub(super) fn unit(
    workplace: &Workplace<'_, '_>,
    compiler: &Compiler,
    candidate: &Candidate,
) -> Result<Unit, Rejection> {
    let evaluator = workplace.evaluator;
    evaluator
        .plan(workplace.bound, candidate)
        .and_then(|_| compiler.unit(evaluator.spec, &workplace.bound.instance, candidate))
}

/// What the GPU is to run, where screening found nothing wrong with it. What the emulator does
/// not execute is for the GPU to judge.
fn as_job(
    evaluated: &Evaluated,
    workplace: &Workplace<'_, '_>,
) -> Option<(Arc<Artifact>, LaunchPlan)> {
    if evaluated.pruned.is_some() {
        return None;
    }
    let is_open = match &evaluated.outcome {
        Outcome::Predicted(_) => true,
        Outcome::Rejected(rejection) => matches!(rejection, Rejection::Unsupported(_)),
        Outcome::Measured(_) => false,
    };
    let plan = workplace.evaluator.plan(workplace.bound, &evaluated.candidate).ok()?;
    evaluated.artifact.clone().filter(|_| is_open).map(|artifact| (artifact, plan))
}

/// Runs a compiled candidate in the emulator: on the small workloads first, then on the one being
/// tuned.
fn screen(
    workplace: &Workplace<'_, '_>,
    candidate: &Candidate,
    compiled: Compiled,
) -> Result<Box<Evaluated>, PipelineError> {
    let artifact = match compiled {
        Ok(artifact) => artifact,
        Err(rejection) => return Ok(Evaluated::refused(candidate, None, rejection)),
    };
    let evaluator = workplace.evaluator;
    let mut evaluated = Evaluated::refused(
        candidate,
        Some(Arc::clone(&artifact)),
        Rejection::Launch { message: "it was not launched".to_owned() },
    );
    evaluated.launch = evaluator.plan(workplace.bound, candidate).ok().map(|plan| plan.config);
    let siblings = workplace.siblings.iter().copied();
    let legal = siblings.filter(|sibling| evaluator.legal(sibling, candidate).is_ok());
    for bound in legal.chain([workplace.bound]) {
        let trial = match evaluator.plan(bound, candidate) {
            Ok(plan) => evaluator.run(bound, plan, &artifact, Depth::Screen)?,
            Err(rejection) => {
                return Ok(Evaluated::refused(candidate, Some(artifact), rejection));
            }
        };
        evaluated.verify_ns = evaluated.verify_ns.saturating_add(trial.time_ns);
        let is_tuned = std::ptr::eq(bound, workplace.bound);
        match &trial.result {
            Ok(_) => evaluated.passed.push(bound.name().to_owned()),
            Err(rejection) => {
                evaluated.outcome = Outcome::Rejected(rejection.clone());
                evaluated.trial = is_tuned.then_some(trial);
                return Ok(evaluated);
            }
        }
        if is_tuned {
            let prediction = evaluator.predict(bound, &artifact, &trial);
            let inputs = pruning::inputs(bound, artifact.manifest.resources, &trial);
            let pruner = workplace.pruner.filter(|_| workplace.staging.is_some());
            let spared =
                pruner.and_then(|pruner| pruner.spares(bound, candidate, &inputs, &prediction));
            evaluated.pruned = spared.as_ref().map(|spared| spared.rule);
            evaluated.outcome =
                Outcome::Predicted(spared.map_or(prediction, |spared| spared.prediction));
            evaluated.trial = Some(trial);
        }
    }
    Ok(evaluated)
}
