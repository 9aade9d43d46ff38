//! A device that takes exactly as long as its figures say, to try the fits on.

use std::collections::BTreeMap;

use ridge_runtime::device::{Device, DeviceError, Execution, ExecutionReport};
use ridge_runtime::measure::{
    Attempt, Contested, DeviceFacts, Evaluation, Image, Layout, Stage, StageRequest, Timing,
    TimingDevice, TimingPlan,
};
use ridge_runtime::verify::Launch;
use ridge_spec::artifact::{Artifact, MANIFEST_SCHEMA, Manifest, Resources};
use ridge_spec::outcome::{Rejection, Samples};
use ridge_spec::target::Architecture;

use super::probes::{CLUSTER_BLOCKS, Mix, Probe, Run};

pub(super) const READ: f64 = 4.4e12;
pub(super) const L2: f64 = 9.0e12;
pub(super) const L2_HOLDS: f64 = 40e6;
pub(super) const LATENCY_NS: f64 = 770.0;

/// What it says of itself.
pub(super) fn facts() -> DeviceFacts {
    DeviceFacts {
        name: "NVIDIA H200".to_owned(),
        architecture: Architecture::parse("sm_90").unwrap(),
        driver: "580.159.04".to_owned(),
        cuda_version: 13_000,
        multiprocessors: 132,
        l2_bytes: 60 << 20,
        memory_bytes: 150 << 30,
    }
}

/// What a launch would take on a device that does exactly what the figures say.
pub(super) fn model_ns(run: &Run) -> f64 {
    let bytes = run.value("n") as f64 * 16.0;
    let count = run.value("count") as f64;
    let blocks = run.config.blocks() as f64;
    let waves = |rows: f64| rows / 132.0;
    let fixed = 2000.0;
    match run.probe {
        Probe::Stream(mix) => {
            let rate = match mix.name().as_str() {
                "read" => READ,
                "write" => 4.6e12,
                "copy" => 4.2e12,
                _ => 4.3e12,
            };
            fixed + bytes * f64::from(mix.arrays()) / rate * 1e9
        }
        Probe::Passes => {
            let share = (L2_HOLDS / bytes).min(1.0);
            fixed + count * bytes * (share / L2 + (1.0 - share) / READ) * 1e9
        }
        Probe::Trips => {
            let in_flight = blocks * run.config.threads_per_block() as f64 * 16.0;
            let moving = in_flight / READ * 1e9;
            fixed + count * (LATENCY_NS.powi(4) + moving.powi(4)).powf(0.25)
        }
        Probe::Chase => {
            let step = if run.value("warm") > 0 { 270.0 } else { 610.0 };
            fixed + run.value("steps") as f64 * step
        }
        Probe::Idle if run.config.programmatic => 424.0,
        Probe::Idle => 484.0 + 0.6 * (blocks - 1.0),
        Probe::Trigger => 368.0 + 1.2 * (blocks - 1.0),
        Probe::OneShot => fixed + 1300.0 * waves(blocks),
        Probe::Persistent => fixed + 900.0 * waves(run.value("items") as f64),
        Probe::Barriers(warps) => fixed + count * (40.0 + f64::from(warps)),
        Probe::Clusters => fixed + count * 200.0,
        Probe::Spin => fixed + run.value("clocks") as f64 / 1.98,
    }
}

/// Artifacts that only know their names.
pub(super) fn artifacts() -> BTreeMap<Probe, Artifact> {
    let manifest = |probe: Probe| Manifest {
        schema: MANIFEST_SCHEMA,
        entry_symbol: probe.entry(),
        target: Architecture::parse("sm_90a").unwrap(),
        toolkit: "none".to_owned(),
        options: Vec::new(),
        resources: Resources::default(),
        parameters: Vec::new(),
        compile_time_ns: 1,
    };
    let all = Probe::all(90).into_iter();
    all.map(|probe| (probe, Artifact::new(manifest(probe), String::new(), Vec::new()))).collect()
}

/// The device. Clusters of its largest size do not fit on it.
pub(super) struct Model {
    pub(super) facts: DeviceFacts,
}

impl Device for Model {
    fn name(&self) -> &str {
        "cuda:0"
    }

    fn execute(&self, _: &Execution<'_>) -> Result<ExecutionReport, DeviceError> {
        Err(DeviceError::Lost { reason: "it only tells times".to_owned() })
    }
}

impl TimingDevice for Model {
    fn facts(&self) -> &DeviceFacts {
        &self.facts
    }

    fn stage(&self, request: StageRequest) -> Result<Box<dyn Stage + '_>, DeviceError> {
        assert!(request.contents.iter().all(Vec::is_empty));
        assert!(request.tensors.iter().all(|tensor| tensor.is_output));
        Ok(Box::new(ModelStage { layout: Layout::new(request.tensors, request.rotation_bytes) }))
    }
}

struct ModelStage {
    layout: Layout,
}

impl ModelStage {
    fn attempt(&self, launch: &Launch<'_>, ticks: &[f64]) -> Attempt<Timing> {
        let entry = &launch.artifact.manifest.entry_symbol;
        let probe = Probe::all(90).into_iter().find(|probe| probe.entry() == *entry).unwrap();
        let run = Run { probe, config: launch.config, arguments: launch.arguments.to_vec() };
        if launch.config.cluster.is_some_and(|sizes| sizes[0] == CLUSTER_BLOCKS[2]) {
            return Err(Box::new(Rejection::Launch { message: "no room".to_owned() }));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time")]
        let sample = |tick: &f64| (model_ns(&run).round() + tick) as u64;
        let samples = Samples::new(ticks.iter().map(sample).collect()).unwrap();
        Ok(Timing {
            copy: samples.clone(),
            samples,
            hot: None,
            alone: None,
            launches: 2,
            sets: self.layout.n_sets(),
            throttled: 0,
            clocks: None,
            lost: false,
        })
    }
}

impl Stage for ModelStage {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn evaluate(
        &mut self,
        launch: &Launch<'_>,
        _: &TimingPlan,
    ) -> Result<Attempt<Evaluation>, DeviceError> {
        // A clock of 32 ns shows as 16 in a graph of two.
        let timing = match self.attempt(launch, &[0.0, 16.0, 48.0, 16.0]) {
            Ok(timing) => timing,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let first = Image { set: 0, poison_seed: 0, bytes: Vec::new() };
        Ok(Ok(Evaluation { first, again: None, later: Vec::new(), timing, busy_ns: 1 }))
    }

    fn contest(
        &mut self,
        launches: &[Launch<'_>],
        _: &TimingPlan,
    ) -> Result<Vec<Attempt<Contested>>, DeviceError> {
        let timed = launches.iter().map(|launch| {
            let timing = self.attempt(launch, &[0.0, 1.0, 0.0, 0.0])?;
            Ok(Contested { timing, later: Vec::new() })
        });
        Ok(timed.collect())
    }
}

#[test]
fn a_calibration_leaves_a_profile_and_all_samples() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("board.toml");
    let device = Model { facts: facts() };
    let base = super::profile::base(&device.facts).unwrap();
    let options = super::CalibrateOptions {
        device: "cuda:0".to_owned(),
        out: Some(path.clone()),
        now_s: 20_780 * 86_400,
    };
    let answer = super::calibrate(
        &device,
        &base,
        &artifacts(),
        &options,
        &crate::event::Unobserved,
        std::time::Instant::now(),
    )
    .unwrap();

    assert_eq!(answer.missing.len(), 2, "{:?}", answer.missing);
    assert!(answer.findings.find("launch.cluster_4_barrier_ns").is_some());
    assert!(answer.findings.find("launch.cluster_8_barrier_ns").is_none());
    let tick = answer.findings.find("clock.event_tick").unwrap();
    assert_eq!(tick.value.to_bits(), 32.0f64.to_bits());

    let target = crate::target::resolve(path.to_str(), Some(&device.facts)).unwrap();
    assert_eq!((target.name.as_str(), target.multiprocessors), ("h200", 132));
    assert!((target.memory.read_bandwidth / READ - 1.0).abs() < 1e-3);
    let source = &target.sources["memory.read_bandwidth"];
    assert!(source.starts_with("measured on NVIDIA H200, 2026-11-23, driver 580.159.04, ridge "));

    let data = std::fs::read(folder.path().join("board.calibration.json")).unwrap();
    let data: serde_json::Value = serde_json::from_slice(&data).unwrap();
    assert_eq!(data["schema"], super::CALIBRATION_SCHEMA);
    assert_eq!(data["facts"]["name"], "NVIDIA H200");
    let series = data["series"].as_array().unwrap();
    assert!(series.len() > 80 && series.iter().all(|one| one["samples_ns"][0].is_u64()));
    // The same copy twice, for each duration.
    let copy = Probe::Stream(Mix::COPY).entry();
    let copies = series.iter().filter(|one| one["launch"].as_str().unwrap().starts_with(&copy));
    assert_eq!(copies.count(), 2 + 2 * super::NOISE_CLASSES_NS.len());
}
