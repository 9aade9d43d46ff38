//! Prints what isolation and the judge cost: images from a worker process, and their judgement.
//!
//! `cargo run --release -p ridge-runtime --example isolation_rate`
#![expect(clippy::print_stdout, reason = "this program's one purpose")]
#![expect(clippy::unwrap_used, reason = "its inputs are its own")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use ridge_runtime::device::{Device, DeviceError, Execution, ExecutionReport};
use ridge_runtime::measure::{
    Attempt, Contested, DeviceFacts, Evaluation, Image, Layout, Stage, StageRequest, TensorLayout,
    Timing, TimingDevice, TimingPlan, poison,
};
use ridge_runtime::numeric::encode_slice;
use ridge_runtime::verify::reference::{Reference, ReferenceError, ReferenceInputs};
use ridge_runtime::verify::{
    Distribution, ExpectedValues, Launch, Problem, ReferenceSet, TensorShape, judge,
};
use ridge_runtime::worker::{IsolatedDevice, WorkerCommand, serve_stdio};
use ridge_spec::artifact::{Artifact, MANIFEST_SCHEMA, Manifest, Resources};
use ridge_spec::dtype::Dtype;
use ridge_spec::launch::LaunchConfig;
use ridge_spec::outcome::{AxisLength, Samples, ToleranceUsed};
use ridge_spec::target::Architecture;

const SIDE: u64 = 4096;
const ROUNDS: u32 = 12;

fn main() {
    if std::env::args_os().nth(1).is_some() {
        serve_stdio(|_| Ok(Box::new(Copier::new()))).unwrap();
        return;
    }
    images();
    judgements();
}

/// What several rounds took.
struct Rounds {
    best: Duration,
    median: Duration,
    /// Processor time of a round on average, of all threads and both processes.
    processor: Duration,
}

impl std::fmt::Display for Rounds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { best, median, processor } = self;
        write!(f, "best {best:.1?}, median {median:.1?}, processor time {processor:.1?}")
    }
}

/// `worker` is a process that works for this one, or this one again.
fn rounds(worker: u32, mut round: impl FnMut()) -> Rounds {
    let own = std::process::id();
    let used = || {
        processor_time(own) + if worker == own { Duration::ZERO } else { processor_time(worker) }
    };
    let before = used();
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let since = Instant::now();
            round();
            since.elapsed()
        })
        .collect();
    let processor = (used() - before) / ROUNDS;
    times.sort();
    Rounds { best: times[0], median: times[times.len() / 2], processor }
}

/// Processor time a process has used, from `/proc`: in ticks of 10 ms.
fn processor_time(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The name, in parentheses, may hold anything; behind it follows field 3.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

fn images() {
    let program = std::env::current_exe().unwrap();
    let command = WorkerCommand { program, arguments: vec!["worker".into()] };
    let since = Instant::now();
    let device = IsolatedDevice::start(command, "copier").unwrap();
    println!("start of a worker: {:.1?}", since.elapsed());
    let bytes: Arc<[u8]> = vec![1; usize::try_from(SIDE * SIDE * 2).unwrap()].into();
    let since = Instant::now();
    let request = StageRequest {
        tensors: tensors(),
        contents: vec![vec![bytes]],
        rotation_bytes: 1,
        flush_bytes: 0,
    };
    let mut stage = device.stage(request).unwrap();
    println!("stage of {} MiB: {:.1?}", (SIDE * SIDE * 2) >> 20, since.elapsed());
    let artifact = artifact();
    let config = LaunchConfig {
        grid: [1; 3],
        block: [1; 3],
        shared_memory_bytes: 0,
        cluster: None,
        programmatic: false,
    };
    let launch = Launch { artifact: &artifact, config, arguments: &[] };
    let megabytes = stage.layout().set_bytes() as f64 / 1e6;
    let mut evaluate = |images_after| {
        let plan = plan(images_after);
        rounds(device.worker_id(), || {
            let evaluation = stage.evaluate(&launch, &plan).unwrap().unwrap();
            device.recycle(evaluation.first);
            evaluation.later.into_iter().for_each(|image| device.recycle(image));
        })
    };
    let (one, three) = (evaluate(0), evaluate(2));
    for (times, n) in [(one, 1.0), (three, 3.0)] {
        let rate = n * megabytes / 1e3 / times.best.as_secs_f64();
        println!("evaluation with {n} images of {megabytes:.0} MB: {times}: {rate:.1} GB/s");
    }
}

fn judgements() {
    let axis = |name: &str| AxisLength { name: name.to_owned(), length: SIDE };
    let shape = |name: &str| TensorShape {
        name: name.to_owned(),
        dtype: Dtype::Bf16,
        axes: vec![axis("rows"), axis("cols")],
        bounds: None,
        constant: false,
        tolerance: None,
    };
    let problem = Problem {
        workload: "large".to_owned(),
        axes: Vec::new(),
        inputs: vec![shape("x")],
        scalars: Vec::new(),
        outputs: vec![shape("y")],
        tolerance: ToleranceUsed { absolute: 1e-2, relative: 1e-2, matched_ratio: 1.0 },
    };
    let references = ReferenceSet::new(problem, Arc::new(Same), u64::MAX);
    let case = references.case(Distribution::Normal, 1).unwrap();
    let layout = Layout::new(tensors(), 1);
    let mut bytes = vec![0; usize::try_from(layout.set_bytes()).unwrap()];
    poison::fill(&mut bytes, 1, 0);
    let place = |name: &str| usize::try_from(layout.find(name).unwrap().0).unwrap();
    let x = &case.inputs[0].bytes;
    let values: Vec<f64> =
        (0..case.expected[0].values.len()).map(|at| case.expected[0].values.get(at)).collect();
    let y = encode_slice(Dtype::Bf16, &values);
    bytes[place("x")..][..x.len()].copy_from_slice(x);
    bytes[place("y")..][..y.len()].copy_from_slice(&y);
    let image = Image { set: 0, poison_seed: 1, bytes };
    let mut wrong = image.clone();
    wrong.bytes[place("y")..][..y.len() / 2].fill(0);
    for (name, image, previous) in [
        ("honest", &image, None),
        ("honest, with repeatability", &image, Some(&image)),
        ("half of it wrong", &wrong, None),
    ] {
        let times = rounds(std::process::id(), || {
            let judgement = judge(&references, &case, &layout, image, previous).unwrap();
            assert_eq!(judgement.rejection.is_some(), name.contains("wrong"));
        });
        println!(
            "judging {} Mi elements of bf16 on {} threads, {name}: {times}",
            (SIDE * SIDE) >> 20,
            rayon::current_num_threads()
        );
    }
}

struct Same;

impl Reference for Same {
    fn evaluate(
        &self,
        _: &Problem,
        inputs: &ReferenceInputs<'_>,
    ) -> Result<Vec<ExpectedValues>, ReferenceError> {
        // A little off, as a kernel's rounding makes it.
        let values = inputs.values(0).iter().map(|value| value * 1.001).collect();
        Ok(vec![ExpectedValues::Real(Arc::new(values))])
    }

    fn is_function(&self) -> bool {
        true
    }
}

fn tensors() -> Vec<TensorLayout> {
    let tensor = |name: &str, is_output| TensorLayout {
        name: name.to_owned(),
        dtype: Dtype::Bf16,
        size_bytes: SIDE * SIDE * 2,
        is_output,
    };
    vec![tensor("x", false), tensor("y", true)]
}

fn plan(images_after: u32) -> TimingPlan {
    TimingPlan {
        warm_up_rounds: 0,
        rounds_min: 1,
        rounds_max: 1,
        relative_error: 1.0,
        lost_above_ns: None,
        replay_ns: 1,
        difference: false,
        companions: false,
        images_after,
        seed: 1,
        time_limit_ns: 1 << 40,
    }
}

fn artifact() -> Artifact {
    let manifest = Manifest {
        schema: MANIFEST_SCHEMA,
        entry_symbol: "k".to_owned(),
        target: Architecture::parse("sm_90").unwrap(),
        toolkit: "none".to_owned(),
        options: Vec::new(),
        resources: Resources::default(),
        parameters: Vec::new(),
        compile_time_ns: 0,
    };
    Artifact::new(manifest, "x".repeat(100 << 10), vec![0; 50 << 10])
}

/// A device that returns the same image always.
struct Copier {
    facts: DeviceFacts,
}

impl Copier {
    fn new() -> Self {
        let facts = DeviceFacts {
            name: "copier".to_owned(),
            architecture: Architecture::parse("sm_90").unwrap(),
            driver: "none".to_owned(),
            cuda_version: 0,
            multiprocessors: 0,
            l2_bytes: 0,
            memory_bytes: 0,
        };
        Self { facts }
    }
}

impl Device for Copier {
    fn name(&self) -> &str {
        "copier"
    }

    fn execute(&self, _: &Execution<'_>) -> Result<ExecutionReport, DeviceError> {
        Err(DeviceError::Lost { reason: "it only copies".to_owned() })
    }
}

impl TimingDevice for Copier {
    fn facts(&self) -> &DeviceFacts {
        &self.facts
    }

    fn stage(&self, request: StageRequest) -> Result<Box<dyn Stage + '_>, DeviceError> {
        let layout = Layout::new(request.tensors, request.rotation_bytes);
        let bytes = vec![3; usize::try_from(layout.set_bytes()).unwrap()];
        Ok(Box::new(CopierStage { layout, image: Image { set: 0, poison_seed: 1, bytes } }))
    }
}

struct CopierStage {
    layout: Layout,
    image: Image,
}

impl Stage for CopierStage {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn evaluate(
        &mut self,
        _: &Launch<'_>,
        plan: &TimingPlan,
    ) -> Result<Attempt<Evaluation>, DeviceError> {
        let samples = || Samples::new(vec![1]).unwrap();
        let timing = Timing {
            samples: samples(),
            copy: samples(),
            hot: None,
            alone: None,
            launches: 1,
            sets: 2,
            throttled: 0,
            clocks: None,
            lost: false,
        };
        // The device's own copies are made again each time, as a real one's are.
        let later = (0..plan.images_after).map(|_| self.image.clone()).collect();
        let first = self.image.clone();
        Ok(Ok(Evaluation { first, again: None, later, timing, busy_ns: 0 }))
    }

    fn contest(
        &mut self,
        _: &[Launch<'_>],
        _: &TimingPlan,
    ) -> Result<Vec<Attempt<Contested>>, DeviceError> {
        Ok(Vec::new())
    }
}
