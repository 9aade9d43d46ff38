//! Timing candidates on GPUs: each runs in a worker process of its device, and is judged here.

mod contest;
mod queue;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use ridge_autotune::cost::Roofline;
use ridge_autotune::racing::{Incumbent, Racing};
use ridge_runtime::device::Device;
use ridge_runtime::measure::{
    DeviceFacts, Layout, PROTOCOL, Stage, StageRequest, TensorLayout, Timing, TimingDevice,
    TimingPlan,
};
use ridge_runtime::verify::{Case, Distribution, ReferenceSet};
use ridge_runtime::worker::IsolatedDevice;
use ridge_spec::outcome::Rejection;
use ridge_spec::record::{Companions, Protocol};

use crate::devices::DeviceChoice;
use crate::error::PipelineError;
use crate::evaluate::{Bound, reference_failure, whole_nanoseconds};
use crate::occupation::Occupation;
use crate::setup::Setup;
pub(crate) use contest::{Contender, Contest};
pub(crate) use queue::Job;

/// Sets of tensors together hold this many second-level caches.
const ROTATION_CACHES: u64 = 5;

/// The foreign buffer read before each replay holds this many second-level caches.
const FLUSH_CACHES: u64 = 4;

/// Different inputs among the sets.
const CONTENTS: u64 = 2;

/// Of so many candidates one, at random, has its timed runs checked in full when it is screened;
/// all that reach the finals do there.
const TIMED_RUNS_CHECKED: u32 = 4;

/// Rounds in which every candidate is timed before it may be dropped.
const ROUNDS_MIN: u32 = 5;

/// Wall time a candidate may take on a device.
const TIME_LIMIT_NS: u64 = 20_000_000_000;

/// The GPUs of a campaign.
pub(crate) struct Bench {
    /// At least one.
    devices: Vec<Arc<dyn TimingDevice>>,
}

impl Bench {
    /// Starts a worker process for each device.
    ///
    /// # Errors
    /// [`PipelineError::NoDevice`] where there is none of that name, or the devices differ.
    pub(crate) fn open(setup: &Setup, choice: &DeviceChoice) -> Result<Self, PipelineError> {
        let failed =
            |name: &str, reason: String| PipelineError::NoDevice { name: name.to_owned(), reason };
        let start = |name: String| -> Result<Arc<dyn TimingDevice>, PipelineError> {
            let device = IsolatedDevice::start(setup.device_worker.clone(), &name)
                .map_err(|error| failed(&name, error.to_string()))?;
            Ok(Arc::new(device))
        };
        let mut devices = Vec::new();
        match choice {
            DeviceChoice::Emulator => return Err(failed("emulator", "it cannot time".to_owned())),
            DeviceChoice::Cuda(ordinal) => devices.push(start(format!("cuda:{ordinal}"))?),
            DeviceChoice::AllCuda => {
                devices.push(start("cuda:0".to_owned())?);
                for ordinal in 1.. {
                    match start(format!("cuda:{ordinal}")) {
                        Ok(device) => devices.push(device),
                        Err(_) => break,
                    }
                }
            }
        }
        let boards = devices.iter().map(|device| &device.facts().name);
        if let Some(other) = boards.clone().find(|name| **name != devices[0].facts().name) {
            let reason =
                format!("`{}` and `{other}` are different boards", devices[0].facts().name);
            return Err(failed("cuda:all", reason));
        }
        Ok(Self { devices })
    }

    /// What records call the devices.
    pub(crate) fn executor(&self) -> String {
        let first = self.devices[0].name();
        match (self.devices.len(), first.split(':').next()) {
            (1, _) | (_, None) => first.to_owned(),
            (_, Some(kind)) => format!("{kind}:all"),
        }
    }

    /// The first device, to run single launches on.
    pub(crate) fn device(&self) -> Arc<dyn Device> {
        Arc::clone(&self.devices[0]) as Arc<dyn Device>
    }

    /// What the devices say of themselves; they are all of one model.
    pub(crate) fn facts(&self) -> &DeviceFacts {
        self.devices[0].facts()
    }

    /// Puts a workload on every device, with inputs that no one has seen: their seed is drawn now.
    ///
    /// # Errors
    /// Where there is no reference, or a device cannot answer.
    pub(crate) fn stage<'a>(
        &'a self,
        bound: &'a Bound,
        roofline: Roofline,
        busy: &'a Occupation,
    ) -> Result<Staging<'a>, PipelineError> {
        let seed: u64 = rand::random();
        let references = bound.references();
        let cases = (0..CONTENTS)
            .map(|content| references.case(Distribution::Normal, seed.wrapping_add(content)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| reference_failure(bound.instance.workload(), &error.into()))?;
        let request = request(bound, &cases, self.facts());
        let stages = self
            .devices
            .iter()
            .map(|device| Ok(device.stage(request.clone())?))
            .collect::<Result<Vec<Box<dyn Stage + 'a>>, PipelineError>>()?;
        let layout = stages[0].layout().clone();
        Ok(Staging {
            bench: self,
            bound,
            busy,
            references,
            cases,
            stages: stages
                .into_iter()
                .map(|stage| Mutex::new(OnDevice { stage, generation: 0 }))
                .collect(),
            layout,
            seed,
            roofline,
            best_ns: AtomicU64::new(u64::MAX),
        })
    }
}

/// The tensors of a workload, its inputs in every content.
fn request(bound: &Bound, cases: &[Arc<Case>], facts: &DeviceFacts) -> StageRequest {
    let layout = |is_output| {
        move |tensor: &ridge_spec::kernel::TensorSpec| TensorLayout {
            name: tensor.name.clone(),
            dtype: tensor.dtype,
            size_bytes: tensor.size_bytes(),
            is_output,
        }
    };
    let inputs = bound.instance.inputs().iter().map(layout(false));
    let outputs = bound.instance.outputs().iter().map(layout(true));
    StageRequest {
        tensors: inputs.chain(outputs).collect(),
        contents: cases
            .iter()
            .map(|case| case.inputs.iter().map(|input| Arc::clone(&input.bytes)).collect())
            .collect(),
        rotation_bytes: ROTATION_CACHES * facts.l2_bytes,
        flush_bytes: FLUSH_CACHES * facts.l2_bytes,
    }
}

/// A workload on the devices of a bench.
pub(crate) struct Staging<'a> {
    bench: &'a Bench,
    bound: &'a Bound,
    /// While some device works on a candidate.
    busy: &'a Occupation,
    references: &'a ReferenceSet,
    cases: Vec<Arc<Case>>,
    stages: Vec<Mutex<OnDevice<'a>>>,
    /// The same on every device.
    layout: Layout,
    /// What the inputs were made from.
    seed: u64,
    roofline: Roofline,
    /// The best median of a candidate that was right.
    best_ns: AtomicU64,
}

/// The workload on one device.
struct OnDevice<'a> {
    stage: Box<dyn Stage + 'a>,
    /// How often its inputs were restored.
    generation: u64,
}

/// What became of a candidate on a device.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// On which workload.
    pub(crate) workload: String,
    /// Its samples, once it is right.
    pub(crate) result: Result<Timing, Rejection>,
    /// Whether two runs left the same bits.
    pub(crate) repeatable: Option<bool>,
    /// The largest error, as a share of the tolerance.
    pub(crate) worst_error: f64,
    /// Which device measured it.
    pub(crate) executor: String,
    /// How it was timed.
    pub(crate) protocol: Protocol,
    /// Wall time on the device and of the judge, nanoseconds.
    pub(crate) measure_ns: u64,
    pub(crate) judge_ns: u64,
}

impl Measured {
    /// What was timed beside the candidate.
    pub(crate) fn companions(&self) -> Option<Companions> {
        let timing = self.result.as_ref().ok()?;
        Some(Companions {
            copy: timing.copy.clone(),
            hot: timing.hot.clone(),
            alone: timing.alone.clone(),
            twin: None,
            repeatable: self.repeatable,
            throttled: timing.throttled,
            clocks: timing.clocks,
        })
    }
}

impl Staging<'_> {
    /// Counts a candidate that was right.
    fn note_best(&self, median_ns: u64) {
        self.best_ns.fetch_min(median_ns, Ordering::Relaxed);
    }

    /// What is known of a candidate before it is judged.
    fn unmeasured(&self, device: usize, stage: &str, plan: &TimingPlan) -> Measured {
        Measured {
            workload: self.bound.name().to_owned(),
            result: Err(Rejection::Launch { message: "it was not launched".to_owned() }),
            repeatable: None,
            worst_error: 0.0,
            executor: self.bench.devices[device].name().to_owned(),
            protocol: self.protocol(stage, plan, None),
            measure_ns: 0,
            judge_ns: 0,
        }
    }

    /// How one of many candidates is timed: briefly, and dropped when it has surely lost.
    fn screening_plan(&self) -> TimingPlan {
        let best = self.best_ns.load(Ordering::Relaxed);
        let incumbent = (best < u64::MAX).then(|| Incumbent::known(best));
        TimingPlan {
            warm_up_rounds: 1,
            rounds_min: ROUNDS_MIN,
            rounds_max: 12,
            relative_error: 0.004,
            lost_above_ns: incumbent
                .map(|best| Racing::SCREENING.lost_above_ns(&best, ROUNDS_MIN as usize)),
            replay_ns: 150_000,
            difference: true,
            companions: false,
            images_after: u32::from(rand::random_range(0..TIMED_RUNS_CHECKED) == 0),
            seed: rand::random(),
            time_limit_ns: TIME_LIMIT_NS,
        }
    }

    /// How a few candidates are timed against each other: until the medians are known.
    fn contest_plan(&self) -> TimingPlan {
        TimingPlan {
            warm_up_rounds: 2,
            rounds_min: 20,
            rounds_max: 60,
            relative_error: 0.001,
            lost_above_ns: None,
            replay_ns: 300_000,
            companions: true,
            images_after: 1,
            time_limit_ns: 6 * TIME_LIMIT_NS,
            ..self.screening_plan()
        }
    }

    /// How a time came about, as records say it.
    fn protocol(&self, stage: &str, plan: &TimingPlan, timing: Option<&Timing>) -> Protocol {
        let mut settings = std::collections::BTreeMap::from([
            ("inputs_seed".to_owned(), self.seed),
            ("poison_seed".to_owned(), plan.seed),
            ("rounds_min".to_owned(), u64::from(plan.rounds_min)),
            ("rounds_max".to_owned(), u64::from(plan.rounds_max)),
            ("replay_ns".to_owned(), plan.replay_ns),
            ("difference".to_owned(), u64::from(plan.difference)),
            ("flush_bytes".to_owned(), FLUSH_CACHES * self.bench.facts().l2_bytes),
        ]);
        if let Some(timing) = timing {
            settings.insert("launches".to_owned(), u64::from(timing.launches));
            settings.insert("sets".to_owned(), u64::from(timing.sets));
            settings.insert("lost".to_owned(), u64::from(timing.lost));
        }
        Protocol { name: format!("{PROTOCOL}.{stage}"), settings }
    }

    /// The samples, unless no device can be that fast.
    fn plausible(&self, timing: Timing) -> Result<Timing, Rejection> {
        let time_ns = timing.samples.median_ns();
        if self.roofline.refuses(time_ns) {
            let floor_ns = whole_nanoseconds(self.roofline.physical_ns);
            return Err(Rejection::ImpossibleTime { time_ns, floor_ns });
        }
        Ok(timing)
    }

    /// The case that a set's inputs come from.
    fn case_of(&self, set: u32) -> &Case {
        &self.cases[set as usize % self.cases.len()]
    }
}
