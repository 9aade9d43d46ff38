//! Tuning: a campaign over the workloads of a spec.

mod batch;
mod evaluated;
mod finalists;
mod finals;
mod ledger;
mod priors;
mod proposals;
mod pruning;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use ridge_autotune::cost::Roofline;
use ridge_autotune::history::History;
use ridge_autotune::learned::Learned;
use ridge_autotune::strategies::{self, StrategyEntry};
use ridge_spec::kernel::{KernelSpec, Role, Workload};
use ridge_spec::matrix::Matrix;
use ridge_spec::outcome::Outcome;
use ridge_spec::space::LegalSpace;

use crate::answer::{ANSWER_SCHEMA, FastestAlone, Files, Stopped, TuneAnswer, WorkloadAnswer};
use crate::compilation::Compiler;
use crate::devices::DeviceChoice;
use crate::error::PipelineError;
use crate::evaluate::{Bound, Evaluator, whole_nanoseconds};
use crate::event::{Best, Event, Observer};
use crate::folder::KernelFolder;
use crate::measuring::{Bench, Staging};
use crate::occupation::Occupation;
use crate::setup::Setup;
use crate::{report, storage, target};

use batch::{Proposed, Step, Workplace};
use ledger::Ledger;
pub(crate) use ledger::is_final;
use proposals::Searched;
use pruning::Model;

/// The matrix's name in a campaign's folder.
pub const MATRIX_FILE: &str = "tuned.toml";

/// What to tune, and how.
#[derive(Clone, Debug)]
pub struct TuneRequest {
    /// Where candidates run.
    pub device: DeviceChoice,
    /// The profile of what to compile and predict for, by name or file; `None` for the device's own.
    pub target: Option<String>,
    /// Evaluations for each workload; `None` for the whole space.
    pub budget: Option<usize>,
    /// Wall time for the job.
    pub time: Option<Duration>,
    /// The fraction of the roofline that is enough, above 0 and up to 1.
    pub until: Option<f64>,
    /// An expected improvement that is not worth an evaluation, as a fraction of the best time.
    pub gain: Option<f64>,
    /// What the search begins with.
    pub prior: PriorChoice,
    /// The risk at which candidates are not timed on a GPU because the cost model, trained on the
    /// logs named in `prior`, says that they cannot win; 0 to time everything.
    pub prune_risk: f64,
    /// The strategy; `None` for the default.
    pub strategy: Option<String>,
    /// Seed of the search and of the inputs.
    pub seed: u64,
    /// Workloads to tune; empty for all whose role is `tune`.
    pub workloads: Vec<String>,
    /// Folder of the campaign.
    pub out: PathBuf,
}

/// Where predictions come from before the first evaluation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PriorChoice {
    /// Nowhere: the search begins cold.
    Cold,
    /// The other workloads' records in the campaign's folder; on a GPU, the cost model's predictions
    /// of a sample; and these logs, folders of campaigns and recorded landscapes.
    From(Vec<PathBuf>),
}

/// What all steps of a campaign share.
struct Campaign<'a> {
    folder: &'a KernelFolder,
    setup: &'a Setup,
    /// In the emulator.
    evaluator: Evaluator<'a>,
    /// Where candidates are timed, if they are.
    bench: Option<&'a Bench>,
    /// While something is compiled or a GPU is at work.
    busy: &'a Occupation,
    compiler: Compiler,
    ledger: Ledger,
    observer: &'a dyn Observer,
    request: &'a TuneRequest,
    /// The cost model with what earlier campaigns taught it.
    learned: Option<Learned>,
    started: Instant,
}

/// The search over one workload.
struct Search<'a> {
    bound: &'a Bound,
    /// Small workloads that share the artifacts.
    siblings: &'a [&'a Bound],
    space: &'a LegalSpace,
    roofline: Roofline,
    /// The workload on the GPUs, from the first candidate on.
    staging: OnceLock<Staging<'a>>,
}

impl Search<'_> {
    /// Adds an outcome to the history and tells who watches.
    fn tell(
        &self,
        history: &mut History,
        index: usize,
        outcome: Outcome,
        n_resumed: usize,
        observer: &dyn Observer,
    ) {
        history.push(index, outcome.clone());
        let best = history.best().and_then(|best| Some((best.candidate, best.time_ns?)));
        let best_candidate = best.map(|(index, _)| self.space.candidate(index));
        observer.notify(Event::Evaluated {
            candidate: &self.space.candidate(index),
            outcome: &outcome,
            n_done: history.len(),
            n_resumed,
            best: best_candidate.as_ref().zip(best).map(|(candidate, (_, time_ns))| Best {
                candidate,
                time_ns,
                fraction_of_roofline: self.roofline.fraction(time_ns),
            }),
        });
    }
}

/// Runs a campaign, or goes on with the one in the request's folder.
///
/// # Errors
/// Where the campaign cannot go on: a bad request, no compiler, a disk that is full. What was
/// recorded before is kept. A candidate that fails is an outcome in the log.
pub fn run(
    setup: &Setup,
    folder: &KernelFolder,
    request: &TuneRequest,
    observer: &dyn Observer,
) -> Result<TuneAnswer, PipelineError> {
    let started = Instant::now();
    let bench = match &request.device {
        DeviceChoice::Emulator => None,
        choice => {
            observer.notify(Event::Step("starting the device"));
            Some(Bench::open(setup, choice)?)
        }
    };
    let profile = target::resolve(request.target.as_deref(), bench.as_ref().map(Bench::facts))?;
    let profile = &profile;
    let workloads = workloads(&folder.spec, &request.workloads)?;
    let strategy = request
        .strategy
        .as_deref()
        .map(strategies::find)
        .transpose()
        .map_err(|diagnostic| PipelineError::Spec(vec![diagnostic]))?;
    let evaluator = Evaluator::emulated(folder, profile, request.seed);
    let compiler = Compiler::new(setup, folder, profile.architecture, observer)?;
    let ledger = Ledger::open(request, folder, profile, bench.as_ref(), &compiler)?;
    let busy = Occupation::default();
    for dropped in ledger.dropped() {
        observer.notify(Event::Warning(dropped));
    }
    let mut campaign = Campaign {
        folder,
        setup,
        evaluator,
        bench: bench.as_ref(),
        busy: &busy,
        compiler,
        ledger,
        observer,
        request,
        learned: None,
        started,
    };
    campaign.learn()?;
    let mut answers = Vec::new();
    for workload in workloads {
        answers.push(campaign.tune_workload(workload, strategy)?);
    }
    campaign.answer(answers, profile.name.clone(), started)
}

/// The workloads to tune, by name or by role.
fn workloads<'a>(
    spec: &'a KernelSpec,
    names: &[String],
) -> Result<Vec<&'a Workload>, PipelineError> {
    if names.is_empty() {
        let tuned: Vec<&Workload> =
            spec.workloads.iter().filter(|workload| workload.role == Role::Tune).collect();
        if tuned.is_empty() {
            return Err(PipelineError::NothingToTune { kernel: spec.name.to_string() });
        }
        return Ok(tuned);
    }
    names.iter().map(|name| find_workload(spec, name)).collect()
}

/// The workload of that name.
pub(crate) fn find_workload<'a>(
    spec: &'a KernelSpec,
    name: &str,
) -> Result<&'a Workload, PipelineError> {
    spec.workload(name).ok_or_else(|| PipelineError::UnknownWorkload {
        name: name.to_owned(),
        known: spec.workloads.iter().map(|workload| workload.name.clone()).collect(),
    })
}

impl<'c> Campaign<'c> {
    fn tune_workload(
        &mut self,
        workload: &Workload,
        strategy: Option<&'static StrategyEntry>,
    ) -> Result<WorkloadAnswer, PipelineError> {
        self.observer.notify(Event::Step("enumerating the space"));
        let bound = self.evaluator.bind(self.folder, workload, self.setup)?;
        let others = self.verify_workloads()?;
        let siblings: Vec<&Bound> =
            others.iter().filter(|other| other.shares_artifact(&bound)).collect();
        let space = self
            .folder
            .spec
            .space
            .legal(bound.instance.scope())
            .map_err(|diagnostic| PipelineError::Spec(vec![diagnostic]))?;
        let budget = self.request.budget.unwrap_or(usize::MAX).min(space.len());
        self.observer.notify(Event::SearchStarted {
            workload: &workload.name,
            n_legal: space.len(),
            n_budget: budget,
        });
        let entry = match strategy {
            Some(entry) => entry,
            None => proposals::default_strategy(space.len(), self.request)?,
        };
        let search = Search {
            bound: &bound,
            siblings: &siblings,
            space: &space,
            roofline: self.evaluator.roofline(&bound),
            staging: OnceLock::new(),
        };
        let believed = self.believed(&search)?;
        let seed = self.request.seed;
        let prior = believed.prior;
        let strategy = (entry.build)(ridge_autotune::strategy::Setup { seed, prior });
        let default =
            self.folder.spec.space.default.as_ref().and_then(|default| space.find(default));
        let Searched { history, n_resumed, stopped_because } =
            self.search(&search, default, entry, strategy)?;
        let default_time_ns = history.iter().next().and_then(|first| first.time_ns);
        self.observer.notify(Event::SearchEnded);
        let finals = self.finals(&search, &others, &history)?;
        Ok(WorkloadAnswer {
            workload: workload.name.clone(),
            strategy: entry.name,
            stopped_because: Stopped::from(stopped_because),
            pruning: self.pruned(&search, &history),
            prior: believed.answer,
            n_product: u64::try_from(space.product_size()).unwrap_or(u64::MAX),
            n_legal: space.len(),
            n_evaluated: history.len(),
            n_resumed,
            rejected: rejected_by_code(&history),
            default_time_ns: default.and(default_time_ns),
            roofline_ns: whole_nanoseconds(search.roofline.physical_ns),
            alone: None,
            best: finals.ranked,
            refused_finalists: finals.refused,
        })
    }

    /// The workloads that are there to be checked only, bound once for screening and finals: each
    /// makes its inputs and expected outputs once.
    fn verify_workloads(&self) -> Result<Vec<Bound>, PipelineError> {
        let workloads = self.folder.spec.workloads.iter();
        workloads
            .filter(|workload| workload.role == Role::Verify)
            .map(|workload| self.evaluator.bind(self.folder, workload, self.setup))
            .collect()
    }

    /// Evaluates a batch, in parallel, and records it in the order proposed; candidates with a
    /// record of an earlier run keep their outcome. Answers how many those were.
    fn evaluate<'s>(
        &mut self,
        search: &Search<'s>,
        proposed: &[usize],
        history: &mut History,
        n_resumed: usize,
        known: &mut BTreeMap<usize, f64>,
    ) -> Result<usize, PipelineError>
    where
        'c: 's,
    {
        let workload = search.bound.instance.workload();
        let candidates: Vec<Proposed> = proposed
            .iter()
            .map(|&index| {
                let candidate = search.space.candidate(index);
                let recorded = self.ledger.screened(workload, &candidate);
                Proposed { recorded: recorded.map(|record| record.outcome.clone()), candidate }
            })
            .collect();
        let n_recorded = candidates.iter().filter(|proposed| proposed.recorded.is_some()).count();
        self.stage(search, &candidates)?;
        let model = self.learned.as_ref().map(|learned| Model {
            learned,
            kernel: self.folder.spec.name.as_str(),
            profile: self.evaluator.profile,
        });
        let risk = self.request.prune_risk;
        let pruner = model
            .and_then(|model| pruning::pruner(model, risk, &self.ledger, search, history, known));
        let workplace = Workplace {
            evaluator: &self.evaluator,
            bound: search.bound,
            siblings: search.siblings,
            staging: search.staging.get(),
            pruner: pruner.as_ref(),
            busy: self.busy,
            observer: self.observer,
        };
        let ledger = &mut self.ledger;
        batch::run(&workplace, &mut self.compiler, &candidates, &mut |place, step| {
            let outcome = match step {
                Step::Recorded(outcome) => outcome,
                Step::Evaluated(evaluated) => {
                    let outcome = evaluated.outcome.clone();
                    ledger.append_screened(&search.bound.instance, *evaluated)?;
                    outcome
                }
            };
            search.tell(
                history,
                proposed[place],
                outcome,
                n_resumed + n_recorded,
                workplace.observer,
            );
            Ok(())
        })?;
        Ok(n_recorded)
    }

    /// Puts the workload on the GPUs before the first candidate that has to be timed. The seed of
    /// its inputs is drawn once that candidate is compiled.
    fn stage<'s>(
        &mut self,
        search: &Search<'s>,
        candidates: &[Proposed],
    ) -> Result<(), PipelineError>
    where
        'c: 's,
    {
        let open = candidates.iter().find(|proposed| proposed.recorded.is_none());
        let (Some(bench), Some(open), None) = (self.bench, open, search.staging.get()) else {
            return Ok(());
        };
        let instance = &search.bound.instance;
        if let Ok(unit) = self.compiler.unit(self.evaluator.spec, instance, &open.candidate) {
            let _busy = self.busy.begin();
            self.compiler.compile(vec![(0, unit)], self.observer, |_, _| {})?;
        }
        let staging = bench.stage(search.bound, search.roofline, self.busy)?;
        let _new = search.staging.set(staging);
        Ok(())
    }

    /// Writes what is derived from the log and puts the answer together.
    fn answer(
        self,
        mut workloads: Vec<WorkloadAnswer>,
        target: String,
        started: Instant,
    ) -> Result<TuneAnswer, PipelineError> {
        self.ledger.sync()?;
        let out = &self.request.out;
        let found = workloads.iter().all(|workload| !workload.best.is_empty());
        let matrix = self.ledger.matrix(self.evaluator.profile);
        for workload in &mut workloads {
            workload.alone = matrix.as_ref().and_then(|matrix| fastest_alone(matrix, workload));
        }
        let matrix_path = write_matrix(out, matrix.as_ref())?;
        let report = report::write(out)?;
        let wall_time_ns = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Ok(TuneAnswer {
            schema: ANSWER_SCHEMA,
            kernel: self.folder.spec.name.to_string(),
            spec: self.folder.digest,
            target,
            device: self.request.device.to_string(),
            seed: self.request.seed,
            found,
            workloads,
            files: Files {
                records: out.join(storage::RECORDS_FILE).display().to_string(),
                matrix: matrix_path.map(|path| path.display().to_string()),
                report: report.display().to_string(),
            },
            wall_time_ns,
            own_time_ns: wall_time_ns.saturating_sub(self.busy.total_ns()),
        })
    }
}

/// The second winner that the matrix has for a workload.
fn fastest_alone(matrix: &Matrix, workload: &WorkloadAnswer) -> Option<FastestAlone> {
    let entry = matrix.entries().iter().find(|entry| entry.workload == workload.workload)?;
    let alone = entry.alone.as_ref()?;
    let winner = workload.best.iter().find(|ranked| ranked.candidate == entry.candidate);
    Some(FastestAlone {
        candidate: alone.candidate.clone(),
        time_ns: alone.median_ns,
        interval_ns: alone.interval_ns,
        chain_winner_ns: winner.and_then(|ranked| ranked.measurement.as_ref()?.alone_ns),
        artifact: alone.artifact,
    })
}

/// Writes the matrix, or removes an earlier one where no candidate passed.
fn write_matrix(
    out: &std::path::Path,
    matrix: Option<&Matrix>,
) -> Result<Option<PathBuf>, PipelineError> {
    let path = out.join(MATRIX_FILE);
    match matrix {
        Some(matrix) => {
            storage::write_whole(&path, matrix.to_toml().as_bytes())?;
            Ok(Some(path))
        }
        None => match std::fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(PipelineError::Write { path, source })
            }
            _ => Ok(None),
        },
    }
}

fn rejected_by_code(history: &History) -> BTreeMap<String, usize> {
    let mut rejected = BTreeMap::new();
    for evaluation in history.iter() {
        if let Outcome::Rejected(rejection) = &evaluation.outcome {
            *rejected.entry(rejection.code().to_owned()).or_insert(0) += 1;
        }
    }
    rejected
}
