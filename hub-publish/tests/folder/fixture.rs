//! A kernel with two winners and a default, made up: nothing here was compiled or measured.

use std::collections::BTreeMap;

use ridge_hub_publish::publication::{DefaultEntry, Publication, PublishOptions};
use ridge_spec::artifact::{Artifact, MANIFEST_SCHEMA, Manifest, ParameterLayout, Resources};
use ridge_spec::digest::Digest;
use ridge_spec::dtype::Dtype;
use ridge_spec::kernel::{KernelSpec, Workload};
use ridge_spec::matrix::{DeriveOptions, Matrix};
use ridge_spec::outcome::{CostTerm, Outcome, Prediction, Samples};
use ridge_spec::record::{
    BlocksVerified, Clocks, Companions, Environment, PhaseTimes, Protocol, RecordedWorkload,
    TuningRecord, VerificationSummary,
};
use ridge_spec::space::Candidate;
use ridge_spec::target::{Architecture, DeviceProfile};

/// The spec of the kernel.
pub(crate) const SPEC: &str = r#"schema = 1

[kernel]
name = "row-scale"
description = "Rows times a factor."
language = "cuda"
source = "row_scale.cu"
entry = "row_scale<{T}, {cols}, {rows_per_block}>"
tags = ["scale"]

[types]
T = ["bf16", "f32"]

[axes]
rows = "dynamic"
cols = "specialized"

[inputs]
x = { shape = ["rows", "cols"], dtype = "T", description = "What is scaled." }
factor = { dtype = "f32", default = 2.0 }

[outputs]
y = { shape = ["rows", "cols"], dtype = "T" }

[reference]
math = "y = x * factor"

[tolerance]
absolute = 1e-3
relative = 1e-2

[space]
constraints = ["rows_per_block <= rows", "threads * rows_per_block <= device.threads_per_block"]
default = { rows_per_block = 1, threads = 32 }
[space.parameters]
rows_per_block = [1, 2, 4]
threads = [32, 64]

[launch]
arguments = ["x", "y", "rows", "factor"]
grid = ["ceil_div(rows, rows_per_block)"]
block = ["threads", "rows_per_block"]
shared_memory_bytes = "rows_per_block * cols * sizeof(T)"
programmatic = "threads == 64"

[[workloads]]
name = "small"
axes = { rows = 16, cols = 128 }
types = { T = "bf16" }
role = "tune"

[[workloads]]
name = "large"
axes = { rows = 4096, cols = 128 }
types = { T = "bf16" }
role = "tune"

[[workloads]]
name = "one"
axes = { rows = 1, cols = 128 }
types = { T = "bf16" }
role = "verify"
"#;

/// Workload, candidate, place of its artifact, and time in a chain, nanoseconds.
type Finalist = (&'static str, &'static str, usize, u64);

const FINALISTS: [Finalist; 3] = [
    ("small", "rows_per_block=2,threads=32", 0, 2_000),
    ("large", "rows_per_block=4,threads=64", 1, 31_250),
    ("large", "rows_per_block=4,threads=32", 3, 33_000),
];

/// Everything that a publication borrows.
pub(crate) struct Fixture {
    pub(crate) spec: KernelSpec,
    digest: Digest,
    files: BTreeMap<String, Vec<u8>>,
    pub(crate) matrix: Matrix,
    records: Vec<TuningRecord>,
    artifacts: Vec<Artifact>,
    defaults: Vec<DefaultEntry>,
    profiles: BTreeMap<String, DeviceProfile>,
    pub(crate) options: PublishOptions,
}

impl Fixture {
    /// Both workloads measured.
    pub(crate) fn measured() -> Self {
        Self::new(|record| record)
    }

    /// As [`Self::measured`], with records changed before anything is derived from them.
    pub(crate) fn new(change: impl Fn(TuningRecord) -> TuningRecord) -> Self {
        Self::of(&FINALISTS[..2], change)
    }

    /// As [`Self::measured`], and the large workload has a second winner: launched plainly, and
    /// faster alone.
    pub(crate) fn with_second_winner() -> Self {
        Self::of(&FINALISTS, |record| {
            let alone_ns = match record.candidate.to_string().as_str() {
                "rows_per_block=2,threads=32" => 2_900,
                "rows_per_block=4,threads=64" => 32_400,
                _ => 32_050,
            };
            with_alone(record, alone_ns)
        })
    }

    fn of(finalists: &[Finalist], change: impl Fn(TuningRecord) -> TuningRecord) -> Self {
        let spec = KernelSpec::parse("kernel.toml", SPEC).unwrap();
        let source = b"// y = x * factor\n".to_vec();
        let files = BTreeMap::from([("row_scale.cu".to_owned(), source)]);
        let digest = spec.digest(&files);
        let profile = profile();
        let names = ["small", "large", "default", "alone"];
        let n_artifacts = if finalists.len() > 2 { 4 } else { 3 };
        let artifacts: Vec<Artifact> =
            names[..n_artifacts].iter().map(|name| artifact(name)).collect();
        let records: Vec<TuningRecord> = finalists
            .iter()
            .map(|(workload, candidate, place, ns)| {
                let workload = spec.workload(workload).unwrap();
                let artifact = &artifacts[*place];
                change(record(&spec, digest, workload, candidate, artifact, *ns))
            })
            .collect();
        let matrix = Matrix::derive(
            &records,
            &DeriveOptions {
                predicted: true,
                profiles: BTreeMap::from([("h200".to_owned(), profile.clone())]),
                ..DeriveOptions::default()
            },
        );
        let default = DefaultEntry {
            architecture: profile.architecture,
            profile: "h200".to_owned(),
            axes: BTreeMap::from([("rows".to_owned(), 16), ("cols".to_owned(), 128)]),
            types: BTreeMap::from([("T".to_owned(), Dtype::Bf16)]),
            candidate: spec.space.default.clone().unwrap(),
            artifact: artifacts[2].digest,
        };
        Self {
            spec,
            digest,
            files,
            matrix,
            records,
            artifacts,
            defaults: vec![default],
            profiles: BTreeMap::from([("h200".to_owned(), profile)]),
            options: PublishOptions {
                repo_id: Some("some-org/row-scale".to_owned()),
                version: 3,
                license: "Apache-2.0".to_owned(),
                allow_predicted: false,
            },
        }
    }

    pub(crate) fn publication(&self) -> Publication<'_> {
        Publication {
            spec: &self.spec,
            digest: self.digest,
            text: SPEC,
            files: &self.files,
            matrix: &self.matrix,
            records: &self.records,
            artifacts: &self.artifacts,
            defaults: &self.defaults,
            profiles: &self.profiles,
            options: &self.options,
        }
    }
}

fn architecture() -> Architecture {
    Architecture::parse("sm_90a").unwrap()
}

fn artifact(name: &str) -> Artifact {
    let layout = |offset_bytes, size_bytes| ParameterLayout {
        offset_bytes,
        size_bytes,
        align_bytes: size_bytes,
    };
    let manifest = Manifest {
        schema: MANIFEST_SCHEMA,
        entry_symbol: format!("row_scale_{name}"),
        target: architecture(),
        toolkit: "nvrtc 13.0.88".to_owned(),
        options: vec!["-lineinfo".to_owned()],
        resources: Resources { registers: 24, ..Resources::default() },
        parameters: vec![layout(0, 8), layout(8, 8), layout(16, 4), layout(20, 4)],
        compile_time_ns: 1,
    };
    let ptx = format!(".version 9.0\n.target sm_90a\n// {name}\n");
    Artifact::new(manifest, ptx, format!("the binary of {name}").into_bytes())
}

fn record(
    spec: &KernelSpec,
    digest: Digest,
    workload: &Workload,
    candidate: &str,
    artifact: &Artifact,
    ns: u64,
) -> TuningRecord {
    let candidate = Candidate::parse(candidate).unwrap();
    let instance = spec.bind(workload, &profile()).unwrap();
    let samples = |ns: u64| Samples::new(vec![ns - 10, ns, ns + 10]).unwrap();
    let clocks = Clocks {
        multiprocessor_min_hz: 1_980_000_000,
        multiprocessor_max_hz: 1_980_000_000,
        memory_hz: 3_201_000_000,
    };
    TuningRecord {
        spec: digest,
        kernel: spec.name.to_string(),
        workload: RecordedWorkload::from(workload),
        artifact: Some(artifact.digest),
        resources: Some(artifact.manifest.resources),
        counters: None,
        launch: Some(spec.launch(&instance, &candidate).unwrap().config),
        candidate,
        bytes_min: instance.bytes_min(),
        flops: instance.flops(),
        environment: Environment {
            device: "NVIDIA H200".to_owned(),
            architecture: architecture(),
            executor: "cuda:0".to_owned(),
            profile: "h200".to_owned(),
            profile_digest: profile().digest(),
            driver: Some("580.159.04".to_owned()),
            toolkit: "nvrtc 13.0.88".to_owned(),
            clocks: None,
        },
        protocol: Protocol { name: "cold-graph-1.final".to_owned(), settings: BTreeMap::new() },
        verification: Some(VerificationSummary {
            workloads: vec![workload.name.clone(), "one".to_owned()],
            distributions: vec!["normal".to_owned(), "wide-range".to_owned()],
            blocks: BlocksVerified::All,
            worst_error: 0.25,
        }),
        outcome: Outcome::Measured(samples(ns)),
        prediction: None,
        companions: Some(Companions {
            copy: samples(ns + ns / 20),
            hot: None,
            alone: None,
            twin: None,
            repeatable: Some(true),
            throttled: 0,
            clocks: Some(clocks),
        }),
        refused_on: None,
        seed: 7,
        sequence: 1,
        phases: PhaseTimes::default(),
        tool_version: "0.1.0".to_owned(),
    }
}

/// The same record with times alone around a median.
pub(crate) fn with_alone(mut record: TuningRecord, median_ns: u64) -> TuningRecord {
    if let Some(companions) = &mut record.companions {
        companions.alone = Samples::new([median_ns - 8, median_ns + 8].repeat(10)).ok();
    }
    record
}

/// The same record with a prediction in place of the measurement.
pub(crate) fn predicted(record: TuningRecord) -> TuningRecord {
    let time_ns = record.outcome.time_ns().unwrap();
    let prediction = Prediction {
        time_ns,
        limiting: CostTerm::DeviceMemory,
        terms: Vec::new(),
        profile: "h200".to_owned(),
    };
    let environment =
        Environment { driver: None, executor: "emulator".to_owned(), ..record.environment };
    let protocol = Protocol { name: "emulated-final-1".to_owned(), settings: BTreeMap::new() };
    TuningRecord {
        outcome: Outcome::Predicted(prediction),
        companions: None,
        environment,
        protocol,
        ..record
    }
}

/// The profile of an H200 that ships.
fn profile() -> DeviceProfile {
    toml::from_str(include_str!("../../../runtime/profiles/h200.toml")).unwrap()
}
