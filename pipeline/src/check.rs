//! Checking candidates: compile, run, verify, on every workload of the spec.

use ridge_spec::diagnostic::Diagnostic;
use ridge_spec::kernel::{Instance, KernelSpec, Workload};
use ridge_spec::space::Candidate;

use crate::answer::{ANSWER_SCHEMA, CandidateCheck, CheckAnswer, Verdict, WorkloadCheck};
use crate::compilation::Compiler;
use crate::devices::DeviceChoice;
use crate::error::PipelineError;
use crate::evaluate::{Bound, Depth, Evaluator};
use crate::event::{Event, Observer};
use crate::folder::KernelFolder;
use crate::measuring::Bench;
use crate::setup::Setup;
use crate::target;
use crate::trials::{self, Pair};
use crate::tune::find_workload;

/// Bytes of the tensors of workloads that are held at once, unless one alone has more: inputs and
/// expected outputs take up to five times that.
const GROUP_BYTES_MAX: u64 = 512 << 20;

/// Which candidates to check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The spec's default.
    Default,
    /// Every candidate that is legal on some workload.
    All,
    /// These, as `name=value,…`; parameters left out have the default's values.
    These(Vec<String>),
}

/// What to check, and how.
#[derive(Clone, Debug)]
pub struct CheckRequest {
    /// Which candidates.
    pub choice: Choice,
    /// On which workloads; empty for all of the spec.
    pub workloads: Vec<String>,
    /// Run every block of large workloads, not a sample of them.
    pub every_block: bool,
    /// Where candidates run.
    pub device: DeviceChoice,
    /// The profile of what to compile and predict for, by name or file; `None` for the device's own.
    pub target: Option<String>,
    /// Seed of the inputs.
    pub seed: u64,
}

/// Checks candidates.
///
/// # Errors
/// Where there is no answer; a candidate that fails is part of the answer.
pub fn run(
    setup: &Setup,
    folder: &KernelFolder,
    request: &CheckRequest,
    observer: &dyn Observer,
) -> Result<CheckAnswer, PipelineError> {
    let spec = &folder.spec;
    let bench = match &request.device {
        DeviceChoice::Emulator => None,
        choice => Some(Bench::open(setup, choice)?),
    };
    let profile = target::resolve(request.target.as_deref(), bench.as_ref().map(Bench::facts))?;
    let emulated = Evaluator::emulated(folder, &profile, request.seed);
    let evaluator = match &bench {
        Some(bench) => emulated.on(bench.device()),
        None => emulated,
    };
    let workloads: Vec<&Workload> = if request.workloads.is_empty() {
        spec.workloads.iter().collect()
    } else {
        request.workloads.iter().map(|name| find_workload(spec, name)).collect::<Result<_, _>>()?
    };
    let instances: Vec<Instance> =
        workloads.iter().map(|workload| evaluator.instance(workload)).collect::<Result<_, _>>()?;
    let candidates = candidates(spec, &request.choice, &instances)?;
    let mut compiler = Compiler::new(setup, folder, profile.architecture, observer)?;
    let depth = if request.every_block { Depth::EveryBlock } else { Depth::Full };
    observer.notify(Event::Step("compiling and running"));
    let mut checks: Vec<Vec<WorkloadCheck>> = vec![Vec::new(); candidates.len()];
    for group in groups(&workloads, &instances) {
        let bounds: Vec<Bound> = group
            .iter()
            .map(|workload| evaluator.bind(folder, workload, setup))
            .collect::<Result<_, _>>()?;
        let pairs = trials::run(&evaluator, &mut compiler, &candidates, &bounds, depth, observer)?;
        for (checks, pairs) in checks.iter_mut().zip(pairs) {
            let rows = bounds.iter().zip(pairs);
            checks.extend(rows.map(|(bound, pair)| workload_check(&evaluator, bound, pair)));
        }
    }
    observer.notify(Event::SearchEnded);
    let candidates: Vec<CandidateCheck> =
        candidates.into_iter().zip(checks).map(candidate_check).collect();
    Ok(CheckAnswer {
        schema: ANSWER_SCHEMA,
        kernel: spec.name.to_string(),
        spec: folder.digest,
        target: profile.name.clone(),
        device: evaluator.device_name().to_owned(),
        passed: candidates.iter().all(|candidate| candidate.passed),
        candidates,
    })
}

/// Splits the workloads, in order, where the tensors of those before would fill the memory: what a
/// workload needs is kept until its last candidate has run.
fn groups<'w>(workloads: &[&'w Workload], instances: &[Instance]) -> Vec<Vec<&'w Workload>> {
    let mut groups: Vec<Vec<&Workload>> = Vec::new();
    let mut bytes = u64::MAX;
    for (workload, instance) in workloads.iter().zip(instances) {
        let more = instance.tensor_bytes();
        bytes = bytes.saturating_add(more);
        match groups.last_mut() {
            Some(group) if bytes <= GROUP_BYTES_MAX => group.push(workload),
            _ => {
                groups.push(vec![workload]);
                bytes = more;
            }
        }
    }
    groups
}

/// The candidates that the choice means, in order and each once.
fn candidates(
    spec: &KernelSpec,
    choice: &Choice,
    instances: &[Instance],
) -> Result<Vec<Candidate>, PipelineError> {
    let wrong = |diagnostic: Diagnostic| PipelineError::Spec(vec![diagnostic]);
    match choice {
        Choice::Default => Ok(vec![complete(spec, Candidate::default(), instances)?]),
        Choice::These(texts) => texts
            .iter()
            .map(|text| {
                let given = Candidate::parse(text).map_err(wrong)?;
                complete(spec, given, instances)
            })
            .collect(),
        Choice::All => {
            let mut all: Vec<Candidate> = Vec::new();
            for instance in instances {
                if let Ok(legal) = spec.space.legal(instance.scope()) {
                    all.extend(legal.candidates());
                }
            }
            all.sort();
            all.dedup();
            if all.is_empty() {
                // Nothing is legal anywhere: the first workload's space says why.
                for instance in instances {
                    spec.space.legal(instance.scope()).map_err(wrong)?;
                }
            }
            Ok(all)
        }
    }
}

/// Fills parameters left out from the default, or from the first legal candidate where the spec
/// has no default; refuses what no parameter can be.
fn complete(
    spec: &KernelSpec,
    given: Candidate,
    instances: &[Instance],
) -> Result<Candidate, PipelineError> {
    let wrong = |diagnostic: Diagnostic| PipelineError::Spec(vec![diagnostic]);
    let base = match (&spec.space.default, instances.first()) {
        (Some(default), _) => default.clone(),
        (None, Some(instance)) if !spec.space.parameters.is_empty() => {
            spec.space.legal(instance.scope()).map_err(wrong)?.candidate(0)
        }
        (None, _) => Candidate::default(),
    };
    let values = base.iter().chain(given.iter()).map(|(name, value)| (name, value.clone()));
    let candidate = Candidate::new(values);
    // What no parameter can be is a bad request; what a constraint excludes is part of the answer.
    if let Some(instance) = instances.first()
        && let Err(diagnostic) = spec.space.check(&candidate, instance.scope())
        && diagnostic.code != "space.constraint"
    {
        return Err(wrong(diagnostic));
    }
    Ok(candidate)
}

fn candidate_check((candidate, workloads): (Candidate, Vec<WorkloadCheck>)) -> CandidateCheck {
    let refused = workloads.iter().any(|w| matches!(w.verdict, Verdict::Rejected { .. }));
    let ran = workloads.iter().any(|w| matches!(w.verdict, Verdict::Passed { .. }));
    CandidateCheck { candidate, passed: ran && !refused, workloads }
}

fn workload_check(evaluator: &Evaluator<'_>, bound: &Bound, pair: Pair) -> WorkloadCheck {
    let workload = bound.name().to_owned();
    let empty = |verdict| WorkloadCheck {
        workload: workload.clone(),
        verdict,
        resources: None,
        launch: None,
        counters: None,
        prediction: None,
        fraction_of_roofline: None,
    };
    let (artifact, trial) = match pair {
        Pair::Illegal(reason) => return empty(Verdict::Illegal { reason }),
        Pair::Unbuilt(rejection) => return empty(Verdict::Rejected { rejection }),
        Pair::Ran { artifact, trial } => (artifact, trial),
    };
    let prediction = evaluator.predict(bound, &artifact, &trial);
    let fraction = evaluator.roofline(bound).fraction(prediction.time_ns);
    let passed = trial.result.is_ok();
    let verdict = match trial.result {
        Ok(verification) => Verdict::Passed { verification },
        Err(rejection) => Verdict::Rejected { rejection },
    };
    WorkloadCheck {
        resources: Some(artifact.manifest.resources),
        launch: Some(trial.launch.config),
        counters: trial.counters,
        prediction: passed.then_some(prediction),
        fraction_of_roofline: passed.then_some(fraction),
        ..empty(verdict)
    }
}
