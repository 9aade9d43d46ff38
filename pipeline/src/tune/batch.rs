//! One batch of candidates: compiled in worker processes, evaluated in parallel, committed in the
//! order in which the strategy proposed them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ridge_spec::artifact::Artifact;
use ridge_spec::outcome::{Outcome, Rejection};
use ridge_spec::space::Candidate;

use crate::compilation::{Compiled, Compiler};
use crate::error::PipelineError;
use crate::evaluate::{Bound, Depth, Evaluator, Trial};
use crate::event::Observer;

/// A candidate's evaluation, ready to be recorded.
#[derive(Clone, Debug)]
pub(super) struct Evaluated {
    pub(super) candidate: Candidate,
    pub(super) outcome: Outcome,
    pub(super) artifact: Option<Arc<Artifact>>,
    /// The run on the workload being tuned, where it came that far.
    pub(super) trial: Option<Trial>,
    /// Names of the workloads that it passed on.
    pub(super) passed: Vec<String>,
    /// Wall time of running and checking, nanoseconds.
    pub(super) verify_ns: u64,
}

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
pub(super) struct Workplace<'a> {
    pub(super) evaluator: &'a Evaluator<'a>,
    pub(super) bound: &'a Bound,
    /// Small workloads that share the artifact.
    pub(super) siblings: &'a [&'a Bound],
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

/// Evaluates the candidates without a record and hands each to `commit` with its place, in order.
///
/// # Errors
/// The first error of the compiler, the evaluator or `commit`; what was committed stays.
pub(super) fn run<'a>(
    workplace: &Workplace<'_>,
    compiler: &mut Compiler,
    candidates: &[Proposed],
    commit: &'a mut Commit<'a>,
) -> Result<(), PipelineError> {
    let committer =
        Mutex::new(Committer { next: 0, waiting: BTreeMap::new(), commit, error: None });
    let finish = |place: usize, result: Result<Step, PipelineError>| {
        committer.lock().unwrap_or_else(PoisonError::into_inner).finish(place, result);
    };
    let evaluator = workplace.evaluator;
    let mut units = Vec::new();
    for (place, Proposed { candidate, recorded }) in candidates.iter().enumerate() {
        if let Some(outcome) = recorded {
            finish(place, Ok(Step::Recorded(outcome.clone())));
            continue;
        }
        let unit = evaluator
            .plan(workplace.bound, candidate)
            .and_then(|_| compiler.unit(evaluator.spec, &workplace.bound.instance, candidate));
        match unit {
            Ok(unit) => units.push((place, unit)),
            Err(rejection) => {
                finish(place, Ok(Step::Evaluated(Box::new(refused(candidate, None, rejection)))));
            }
        }
    }
    let finish = &finish;
    let compiled = rayon::in_place_scope(|scope| {
        compiler.compile(units, workplace.observer, |place, compiled| {
            scope.spawn(move |_| {
                let evaluated = evaluate(workplace, &candidates[place].candidate, compiled);
                finish(place, evaluated.map(|evaluated| Step::Evaluated(Box::new(evaluated))));
            });
        })
    });
    let committer = committer.into_inner().unwrap_or_else(PoisonError::into_inner);
    compiled?;
    committer.error.map_or(Ok(()), Err)
}

/// Runs a compiled candidate on the small workloads first, then on the one being tuned.
fn evaluate(
    workplace: &Workplace<'_>,
    candidate: &Candidate,
    compiled: Compiled,
) -> Result<Evaluated, PipelineError> {
    let artifact = match compiled {
        Ok(artifact) => artifact,
        Err(rejection) => return Ok(refused(candidate, None, rejection)),
    };
    let evaluator = workplace.evaluator;
    let mut evaluated = Evaluated {
        candidate: candidate.clone(),
        outcome: Outcome::Rejected(Rejection::Launch { message: String::new() }),
        artifact: Some(Arc::clone(&artifact)),
        trial: None,
        passed: Vec::new(),
        verify_ns: 0,
    };
    for sibling in workplace.siblings {
        if evaluator.legal(sibling, candidate).is_err() {
            continue;
        }
        let trial = match evaluator.plan(sibling, candidate) {
            Ok(plan) => evaluator.run(sibling, plan, &artifact, Depth::Screen)?,
            Err(rejection) => return Ok(refused(candidate, Some(artifact), rejection)),
        };
        evaluated.verify_ns = evaluated.verify_ns.saturating_add(trial.time_ns);
        if let Err(rejection) = trial.result {
            evaluated.outcome = Outcome::Rejected(rejection);
            return Ok(evaluated);
        }
        evaluated.passed.push(sibling.name().to_owned());
    }
    let plan = match evaluator.plan(workplace.bound, candidate) {
        Ok(plan) => plan,
        Err(rejection) => return Ok(refused(candidate, Some(artifact), rejection)),
    };
    let trial = evaluator.run(workplace.bound, plan, &artifact, Depth::Screen)?;
    evaluated.verify_ns = evaluated.verify_ns.saturating_add(trial.time_ns);
    evaluated.outcome = match &trial.result {
        Ok(_) => {
            evaluated.passed.push(workplace.bound.name().to_owned());
            Outcome::Predicted(evaluator.predict(workplace.bound, &artifact, &trial))
        }
        Err(rejection) => Outcome::Rejected(rejection.clone()),
    };
    evaluated.trial = Some(trial);
    Ok(evaluated)
}

fn refused(
    candidate: &Candidate,
    artifact: Option<Arc<Artifact>>,
    rejection: Rejection,
) -> Evaluated {
    Evaluated {
        candidate: candidate.clone(),
        outcome: Outcome::Rejected(rejection),
        artifact,
        trial: None,
        passed: Vec::new(),
        verify_ns: 0,
    }
}
