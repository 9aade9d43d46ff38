//! Candidates on workloads: every pair compiled and run, whatever each comes to.

use std::sync::{Arc, Mutex, PoisonError};

use ridge_spec::artifact::Artifact;
use ridge_spec::diagnostic::Diagnostic;
use ridge_spec::outcome::Rejection;
use ridge_spec::space::Candidate;

use crate::compilation::Compiler;
use crate::error::PipelineError;
use crate::evaluate::{Bound, Depth, Evaluator, Trial};
use crate::event::Observer;

/// What one candidate came to on one workload.
#[derive(Clone, Debug)]
pub(crate) enum Pair {
    /// The constraints exclude it there.
    Illegal(Diagnostic),
    /// It could not be launched or compiled.
    Unbuilt(Rejection),
    /// It ran.
    Ran { artifact: Arc<Artifact>, trial: Box<Trial> },
}

/// Runs every candidate on every workload; the answer is indexed by candidate, then workload. The
/// emulator runs many at once, a GPU one after another.
///
/// # Errors
/// Where there is no reference, or compiler or device cannot answer.
pub(crate) fn run(
    evaluator: &Evaluator<'_>,
    compiler: &mut Compiler,
    candidates: &[Candidate],
    workloads: &[Bound],
    depth: Depth,
    observer: &dyn Observer,
) -> Result<Vec<Vec<Pair>>, PipelineError> {
    let width = workloads.len();
    let pairs: Mutex<Vec<Option<Pair>>> = Mutex::new(vec![None; candidates.len() * width]);
    let failure: Mutex<Option<PipelineError>> = Mutex::new(None);
    let set = |place: usize, pair: Pair| {
        pairs.lock().unwrap_or_else(PoisonError::into_inner)[place] = Some(pair);
    };
    let mut units = Vec::new();
    for place in 0..candidates.len() * width {
        let (candidate, bound) = (&candidates[place / width], &workloads[place % width]);
        if let Err(diagnostic) = evaluator.legal(bound, candidate) {
            set(place, Pair::Illegal(diagnostic));
            continue;
        }
        let unit = evaluator
            .plan(bound, candidate)
            .and_then(|_| compiler.unit(evaluator.spec, &bound.instance, candidate));
        match unit {
            Ok(unit) => units.push((place, unit)),
            Err(rejection) => set(place, Pair::Unbuilt(rejection)),
        }
    }
    let run_one = |place: usize, artifact: Arc<Artifact>| {
        let (candidate, bound) = (&candidates[place / width], &workloads[place % width]);
        let trial = match evaluator.plan(bound, candidate) {
            Ok(plan) => evaluator.run(bound, plan, &artifact, depth),
            Err(rejection) => return set(place, Pair::Unbuilt(rejection)),
        };
        match trial {
            Ok(trial) => set(place, Pair::Ran { artifact, trial: Box::new(trial) }),
            Err(error) => {
                failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            }
        }
    };
    let (run_one, set) = (&run_one, &set);
    let mut waiting = Vec::new();
    rayon::in_place_scope(|scope| {
        compiler.compile(units, observer, |place, compiled| match compiled {
            Ok(artifact) if evaluator.is_parallel() => {
                scope.spawn(move |_| run_one(place, artifact));
            }
            Ok(artifact) => waiting.push((place, artifact)),
            Err(rejection) => set(place, Pair::Unbuilt(rejection)),
        })
    })?;
    for (place, artifact) in waiting {
        run_one(place, artifact);
    }
    if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let pairs = pairs.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut pairs = pairs.into_iter().flatten();
    Ok(candidates.iter().map(|_| pairs.by_ref().take(width).collect()).collect())
}
