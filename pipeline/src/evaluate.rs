//! Evaluating one compiled candidate: check it, count what it does, predict.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ridge_autotune::cost::{self, CostInputs, Roofline, Work};
use ridge_runtime::device::{BlockSelection, Device};
use ridge_runtime::emulator::Emulator;
use ridge_runtime::verify::reference::ReferenceOptions;
use ridge_runtime::verify::{
    self, Distribution, Launch, ReferenceSet, Verdict, VerifyError, VerifyOptions,
};
use ridge_spec::artifact::Artifact;
use ridge_spec::counters::Counters;
use ridge_spec::diagnostic::Diagnostic;
use ridge_spec::kernel::{Instance, KernelSpec, LaunchPlan, Role, Workload};
use ridge_spec::outcome::{Prediction, Rejection};
use ridge_spec::record::{BlocksVerified, VerificationSummary};
use ridge_spec::space::Candidate;
use ridge_spec::target::DeviceProfile;

use crate::error::PipelineError;
use crate::folder::KernelFolder;
use crate::setup::Setup;

/// Blocks of a large workload that run: enough to see its first, last and inner ones.
const SAMPLED_BLOCKS: u32 = 6;

/// Elements of all tensors above which a workload is sampled rather than run whole.
const WHOLE_ELEMENTS_MAX: u64 = 1 << 20;

/// Warp instructions one block may issue: a thousand times what the largest row kernels need.
const INSTRUCTIONS_PER_BLOCK: u64 = 50_000_000;

/// Memory for the inputs and expected outputs of one workload, bytes.
const REFERENCE_MEMORY_BYTES: u64 = 2 << 30;

/// Longest run of a Python reference on one workload.
const PYTHON_TIME_LIMIT: Duration = Duration::from_secs(600);

/// A workload bound to the target, with its inputs and expected outputs.
pub(crate) struct Bound {
    pub(crate) instance: Instance,
    references: ReferenceSet,
}

impl Bound {
    /// The workload's name.
    pub(crate) fn name(&self) -> &str {
        &self.instance.workload().name
    }

    /// Its inputs and expected outputs.
    pub(crate) fn references(&self) -> &ReferenceSet {
        &self.references
    }

    /// Whether what is compiled for one of the two workloads is what is compiled for the other.
    pub(crate) fn shares_artifact(&self, other: &Self) -> bool {
        self.instance.types() == other.instance.types()
            && self.instance.specialized().eq(other.instance.specialized())
    }
}

/// How much of a workload to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Normal inputs only: to order many candidates.
    Screen,
    /// Every hostile distribution too.
    Full,
    /// As full, and every block however many there are.
    EveryBlock,
}

/// What a candidate did on one workload.
#[derive(Clone, Debug)]
pub(crate) struct Trial {
    pub(crate) result: Result<VerificationSummary, Rejection>,
    pub(crate) launch: LaunchPlan,
    /// Of the first run, on normal inputs.
    pub(crate) counters: Option<Counters>,
    pub(crate) time_ns: u64,
}

/// Everything needed to evaluate candidates of one kernel for one target.
pub(crate) struct Evaluator<'a> {
    pub(crate) spec: &'a KernelSpec,
    pub(crate) profile: &'a DeviceProfile,
    device: Arc<dyn Device>,
    /// Whether several threads may run candidates at once.
    is_parallel: bool,
    seed: u64,
}

impl<'a> Evaluator<'a> {
    /// In the emulator.
    pub(crate) fn emulated(
        folder: &'a KernelFolder,
        profile: &'a DeviceProfile,
        seed: u64,
    ) -> Self {
        let device = Arc::new(Emulator::new());
        Self { spec: &folder.spec, profile, device, is_parallel: true, seed }
    }

    /// The same on a GPU.
    pub(crate) fn on(&self, device: Arc<dyn Device>) -> Self {
        Self { device, is_parallel: false, ..*self }
    }

    /// Whether several threads may run candidates at once.
    pub(crate) fn is_parallel(&self) -> bool {
        self.is_parallel
    }

    /// Name of the device that candidates run on.
    pub(crate) fn device_name(&self) -> &str {
        self.device.name()
    }

    /// A workload bound to the target.
    pub(crate) fn instance(&self, workload: &Workload) -> Result<Instance, PipelineError> {
        self.spec
            .bind(workload, self.profile)
            .map_err(|diagnostic| PipelineError::Spec(vec![diagnostic]))
    }

    /// Binds a workload; inputs and expected outputs are made when they are first needed.
    pub(crate) fn bind(
        &self,
        folder: &KernelFolder,
        workload: &Workload,
        setup: &Setup,
    ) -> Result<Bound, PipelineError> {
        let instance = self.instance(workload)?;
        let options = ReferenceOptions {
            folder: folder.root().to_owned(),
            interpreter: "python3".into(),
            time_limit: PYTHON_TIME_LIMIT,
            cache: setup.cache_folder()?.join("references"),
        };
        let references =
            ReferenceSet::open(&folder.spec, &instance, &options, REFERENCE_MEMORY_BYTES)
                .map_err(|error| reference_failure(workload, &error.into()))?;
        Ok(Bound { instance, references })
    }

    /// Whether the constraints allow a candidate on a workload.
    pub(crate) fn legal(&self, bound: &Bound, candidate: &Candidate) -> Result<(), Diagnostic> {
        self.spec.space.check(candidate, bound.instance.scope())
    }

    /// How a candidate is launched on a workload where it is legal.
    pub(crate) fn plan(
        &self,
        bound: &Bound,
        candidate: &Candidate,
    ) -> Result<LaunchPlan, Rejection> {
        self.spec.launch(&bound.instance, candidate)
    }

    /// Runs a compiled candidate on a workload and checks everything it did.
    ///
    /// # Errors
    /// Where there is no reference or the device cannot answer.
    pub(crate) fn run(
        &self,
        bound: &Bound,
        launch: LaunchPlan,
        artifact: &Artifact,
        depth: Depth,
    ) -> Result<Trial, PipelineError> {
        let started = Instant::now();
        let options = self.options(bound, &launch, depth);
        let what = Launch::new(artifact, &launch);
        let verdict = verify::verify(&bound.references, &*self.device, &what, &options)
            .map_err(|error| reference_failure(bound.instance.workload(), &error))?;
        let result = match &verdict.rejection {
            Some(rejection) => Err(rejection.clone()),
            None => Ok(summary(&verdict, &options, launch.config.blocks())),
        };
        let time_ns = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Ok(Trial { result, launch, counters: verdict.counters, time_ns })
    }

    fn options(&self, bound: &Bound, launch: &LaunchPlan, depth: Depth) -> VerifyOptions {
        let small = elements(&bound.instance) <= WHOLE_ELEMENTS_MAX;
        let blocks = if small || depth == Depth::EveryBlock {
            BlockSelection::All
        } else {
            BlockSelection::Sampled(SAMPLED_BLOCKS)
        };
        let mut distributions = vec![Distribution::Normal];
        // A large workload to be tuned is there to be counted; the hostile inputs run on the small
        // ones, where every block runs.
        let hostile =
            depth != Depth::Screen && (small || bound.instance.workload().role == Role::Verify);
        if hostile {
            distributions.extend(Distribution::ALL_HOSTILE);
        }
        let whole =
            blocks == BlockSelection::All || launch.config.blocks() <= u64::from(SAMPLED_BLOCKS);
        VerifyOptions {
            distributions,
            seed: self.seed,
            blocks: if whole { BlockSelection::All } else { blocks },
            instructions_per_block: INSTRUCTIONS_PER_BLOCK,
            repeat: false,
            keep_going: false,
        }
    }

    /// The time the target would take, from what the candidate needs and did.
    pub(crate) fn predict(&self, bound: &Bound, artifact: &Artifact, trial: &Trial) -> Prediction {
        let inputs = CostInputs {
            resources: artifact.manifest.resources,
            launch: trial.launch.config,
            counters: trial.counters.unwrap_or_default(),
            work: work(&bound.instance),
        };
        cost::predict(&inputs, self.profile)
    }

    /// The least time that the target allows for a workload.
    pub(crate) fn roofline(&self, bound: &Bound) -> Roofline {
        cost::roofline(&work(&bound.instance), true, self.profile)
    }
}

/// A time in whole nanoseconds; what a workload needs is far from the ends of the range.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped above")]
pub(crate) fn whole_nanoseconds(ns: f64) -> u64 {
    ns.clamp(0.0, 1e18).round() as u64
}

/// What a workload has to move and compute: every input read once and every output written once,
/// scaled to the spec's own count of bytes where it gives one.
pub(crate) fn work(instance: &Instance) -> Work {
    let sum = |tensors: &[ridge_spec::kernel::TensorSpec]| -> u64 {
        tensors.iter().map(ridge_spec::kernel::TensorSpec::size_bytes).sum()
    };
    let (read, written) = (sum(instance.inputs()), sum(instance.outputs()));
    let total = u128::from((read + written).max(1));
    let scaled = |bytes: u64| {
        u64::try_from(u128::from(bytes) * u128::from(instance.bytes_min()) / total)
            .unwrap_or(u64::MAX)
    };
    let read_bytes = scaled(read);
    Work {
        read_bytes,
        written_bytes: instance.bytes_min().saturating_sub(read_bytes),
        flops: instance.flops(),
    }
}

fn elements(instance: &Instance) -> u64 {
    let tensors = instance.inputs().iter().chain(instance.outputs());
    tensors.map(ridge_spec::kernel::TensorSpec::elements).fold(0, u64::saturating_add)
}

fn summary(verdict: &Verdict, options: &VerifyOptions, grid: u64) -> VerificationSummary {
    let worst = verdict.outputs.iter().map(|output| output.worst_ratio).fold(0.0, f64::max);
    let n_cases = usize::try_from(verdict.n_cases).unwrap_or(usize::MAX);
    VerificationSummary {
        workloads: Vec::new(),
        distributions: options
            .distributions
            .iter()
            .take(n_cases)
            .map(|distribution| distribution.name().to_owned())
            .collect(),
        blocks: if verdict.blocks_run < grid {
            BlocksVerified::Sampled(verdict.blocks_run)
        } else {
            BlocksVerified::All
        },
        worst_error: worst,
    }
}

/// Why there is no verdict on a workload.
pub(crate) fn reference_failure(workload: &Workload, error: &VerifyError) -> PipelineError {
    PipelineError::Reference {
        workload: workload.name.clone(),
        code: error.code().to_owned(),
        message: error.to_string(),
        hint: match error {
            VerifyError::Reference(error) => error.hint(),
            _ => None,
        },
    }
}
