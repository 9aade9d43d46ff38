//! Stages on a GPU: images, samples, contests.

use ridge_runtime::cuda::CudaDevice;
use ridge_runtime::device::DeviceError;
use ridge_runtime::measure::{
    Evaluation, Image, Layout, Stage, StageRequest, TensorLayout, TimingDevice, TimingPlan, poison,
};
use ridge_runtime::verify::Launch;
use ridge_spec::dtype::Dtype;
use ridge_spec::launch::LaunchConfig;

use crate::support::{elementwise, has_gpu, in_out, increment, threads, words};

/// Tensors of `n` words in three contents.
pub(crate) fn request(n: u32) -> StageRequest {
    let size_bytes = u64::from(n) * 4;
    let tensor = |name: &str, is_output| TensorLayout {
        name: name.to_owned(),
        dtype: Dtype::U32,
        size_bytes,
        is_output,
    };
    StageRequest {
        tensors: vec![tensor("in", false), tensor("out", true)],
        contents: (0..3).map(|k| vec![words(k * 1_000_000, n).into()]).collect(),
        rotation_bytes: (7 * 2 * size_bytes).min(320 << 20),
        flush_bytes: 256 << 20,
    }
}

/// A short plan.
pub(crate) fn plan() -> TimingPlan {
    TimingPlan {
        warm_up_rounds: 1,
        rounds_min: 5,
        rounds_max: 20,
        relative_error: 0.005,
        lost_above_ns: None,
        replay_ns: 300_000,
        difference: false,
        companions: false,
        images_after: 2,
        seed: 7,
        time_limit_ns: 20_000_000_000,
    }
}

fn part(image: &Image, offset: u64, bytes: u64) -> &[u8] {
    &image.bytes[offset as usize..(offset + bytes) as usize]
}

/// Inputs as staged, outputs as [`increment`] makes them, red zones as they were poisoned.
#[track_caller]
fn check_image(layout: &Layout, image: &Image, n: u32) {
    let from = image.set % 3 * 1_000_000;
    let tensor = |name: &str| {
        let (offset, tensor) = layout.find(name).unwrap();
        part(image, offset, tensor.size_bytes)
    };
    assert_eq!(image.bytes.len() as u64, layout.set_bytes());
    assert!(tensor("in") == words(from, n), "the inputs of set {} changed", image.set);
    assert!(tensor("out") == words(from + 1, n), "the outputs of set {} are wrong", image.set);
    let start = layout.set_bytes() * u64::from(image.set);
    for (offset, bytes, _) in layout.zones() {
        let damage =
            poison::first_damage(part(image, offset, bytes), image.poison_seed, start + offset);
        assert_eq!(damage, None, "the zone at {offset} of set {}", image.set);
    }
}

/// All images of an evaluation.
#[track_caller]
pub(crate) fn check_images(layout: &Layout, evaluation: &Evaluation, n: u32) {
    check_image(layout, &evaluation.first, n);
    assert_eq!(evaluation.first.set, 0);
    assert_eq!(evaluation.again.is_none(), evaluation.timing.lost);
    if let Some(again) = &evaluation.again {
        assert_eq!(again.set, 0);
        assert_ne!(evaluation.first.poison_seed, again.poison_seed);
        check_image(layout, again, n);
    }
    for image in &evaluation.later {
        assert_ne!(image.set, 0);
        check_image(layout, image, n);
    }
}

#[track_caller]
fn evaluate(stage: &mut dyn Stage, config: LaunchConfig, plan: &TimingPlan, n: u32) -> Evaluation {
    let (artifact, arguments) = (increment(), in_out());
    let launch = Launch { artifact: &artifact, config, arguments: &arguments };
    let evaluation = stage.evaluate(&launch, plan).unwrap().unwrap();
    check_images(stage.layout(), &evaluation, n);
    let timing = &evaluation.timing;
    println!(
        "{n} words: {} ns, copy {} ns, hot {:?}, alone {:?}; {} samples of {} launches over {} \
         sets, {} throttled, {:?}, lost: {}, {} ms",
        timing.samples.median_ns(),
        timing.copy.median_ns(),
        timing.hot.as_ref().map(ridge_spec::outcome::Samples::median_ns),
        timing.alone.as_ref().map(ridge_spec::outcome::Samples::median_ns),
        timing.samples.len(),
        timing.launches,
        timing.sets,
        timing.throttled,
        timing.clocks,
        timing.lost,
        evaluation.busy_ns / 1_000_000,
    );
    evaluation
}

#[test]
fn evaluations_bring_samples_and_images() {
    if !has_gpu("evaluations") {
        return;
    }
    let device = CudaDevice::open(0).unwrap();
    for n in [64, 4096, 1 << 20, 1 << 23] {
        let mut stage = device.stage(request(n)).unwrap();
        for (difference, companions) in [(false, false), (true, true)] {
            let plan = TimingPlan { difference, companions, ..plan() };
            let evaluation = evaluate(stage.as_mut(), threads(n), &plan, n);
            assert_eq!(evaluation.later.len(), 2.min(stage.layout().n_sets() as usize - 1));
            assert_eq!(evaluation.timing.hot.is_some(), companions);
            assert_eq!(evaluation.timing.alone.is_some(), companions);
            assert!(evaluation.timing.samples.len() >= 5);
        }
        let programmatic = LaunchConfig { programmatic: true, ..threads(n) };
        evaluate(stage.as_mut(), programmatic, &plan(), n);
    }
}

#[test]
fn slow_candidates_are_given_up() {
    if !has_gpu("losing") {
        return;
    }
    let device = CudaDevice::open(0).unwrap();
    let mut stage = device.stage(request(4096)).unwrap();
    let plan = TimingPlan { lost_above_ns: Some(1), ..plan() };
    let evaluation = evaluate(stage.as_mut(), threads(4096), &plan, 4096);
    assert!(evaluation.timing.lost);
    assert!(evaluation.later.is_empty(), "nobody looks at what a lost candidate left");
    // Nor are there images where none are wanted.
    let plan = TimingPlan { lost_above_ns: None, images_after: 0, ..plan };
    let (artifact, arguments) = (increment(), in_out());
    let launch = Launch { artifact: &artifact, config: threads(4096), arguments: &arguments };
    let evaluation = stage.evaluate(&launch, &plan).unwrap().unwrap();
    assert!(evaluation.again.is_none() && evaluation.later.is_empty());
}

#[test]
fn contests_alternate_and_refuse_one_by_one() {
    if !has_gpu("contests") {
        return;
    }
    let n = 1 << 20;
    let device = CudaDevice::open(0).unwrap();
    let mut stage = device.stage(request(n)).unwrap();
    let slower =
        elementwise("add.u32 v, v, 1; st.global.u32 [q], v; st.global.u32 [q], v; membar.gl; ret;");
    let (artifact, arguments) = (increment(), in_out());
    let launch = |artifact, config| Launch { artifact, config, arguments: &arguments };
    let too_large = LaunchConfig { shared_memory_bytes: 300 << 10, ..threads(n) };
    let launches =
        [launch(&artifact, threads(n)), launch(&slower, threads(n)), launch(&artifact, too_large)];
    let plan = TimingPlan { companions: true, ..plan() };
    let contested = stage.contest(&launches, &plan).unwrap();
    for attempt in &contested[..2] {
        let one = attempt.as_ref().unwrap();
        println!("{} ns, copy {} ns", one.timing.samples.median_ns(), one.timing.copy.median_ns());
        assert_eq!(one.later.len(), 2);
        assert!(one.timing.hot.is_some() && one.timing.alone.is_some());
        for image in &one.later {
            check_image(stage.layout(), image, n);
        }
    }
    assert_eq!(contested[2].as_ref().unwrap_err().code(), "launch");
}

/// The same binary against itself, many times: what the noise is.
#[test]
fn a_candidate_is_as_fast_as_itself() {
    if !has_gpu("noise") {
        return;
    }
    let device = CudaDevice::open(0).unwrap();
    for n in [1 << 18, 1 << 22] {
        let mut stage = device.stage(request(n)).unwrap();
        let (artifact, arguments) = (increment(), in_out());
        let launch = Launch { artifact: &artifact, config: threads(n), arguments: &arguments };
        let medians: Vec<u64> = (0..8)
            .map(|seed| {
                let plan = TimingPlan { seed, difference: true, ..plan() };
                let evaluation = stage.evaluate(&launch, &plan).unwrap().unwrap();
                evaluation.timing.samples.median_ns()
            })
            .collect();
        println!("{n} words: medians {medians:?} ns");
        assert!(medians.iter().all(|&ns| ns > 0));
    }
}

#[test]
fn tensors_that_do_not_fit_are_an_answer() {
    if !has_gpu("memory") {
        return;
    }
    let device = CudaDevice::open(0).unwrap();
    let mut request = request(64);
    request.tensors[1].size_bytes = device.facts().memory_bytes;
    match device.stage(request) {
        Err(DeviceError::InvalidExecution { reason, .. }) => println!("{reason}"),
        Err(other) => unreachable!("{other}"),
        Ok(_) => unreachable!("more memory than there is"),
    }
}
