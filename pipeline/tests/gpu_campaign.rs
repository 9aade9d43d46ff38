//! Campaigns that time: worker processes of a device that only rehearses, everything else as on a
//! GPU.

#![allow(
    clippy::unwrap_used,
    clippy::exit,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "a test that cannot go on fails, and says why it is skipped; its tensors are small"
)]

#[path = "../../runtime/tests/isolated_support/mod.rs"]
#[allow(dead_code, reason = "shared with runtime's own tests, which need more of it")]
mod isolated_support;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufReader};
use std::num::NonZero;
use std::path::Path;

use isolated_support::{Emulated, PROTOCOL};
use ridge_pipeline::answer::TuneAnswer;
use ridge_pipeline::check::{self, CheckRequest, Choice};
use ridge_pipeline::devices::DeviceChoice;
use ridge_pipeline::error::PipelineError;
use ridge_pipeline::event::Unobserved;
use ridge_pipeline::folder::KernelFolder;
use ridge_pipeline::setup::{DeviceWorkerCommand, Setup, WorkerCommand};
use ridge_pipeline::storage::read_records;
use ridge_pipeline::tune::{self, PriorChoice, TuneRequest};
use ridge_runtime::measure::TimingDevice;
use ridge_spec::matrix::Matrix;
use ridge_spec::outcome::Outcome;

/// Adds a constant; some candidates take their process down, write past the end or are wrong.
const SOURCE: &str = r#"
template <int kFault>
__global__ void add(const float* x, float* y, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (kFault == 1) asm volatile("// fault: measure-abort");
    if (i < n) y[i] = x[i] + (kFault == 2 ? 2.0f : 1.0f);
}
"#;

const SPEC: &str = r#"
schema = 1
[kernel]
name = "add-one"
description = "Adds one to every element."
language = "cuda"
source = "add.cu"
entry = "add<{fault}>"
[axes]
n = "dynamic"
[inputs]
x = { shape = ["n"], dtype = "f32" }
[outputs]
y = { shape = ["n"], dtype = "f32" }
[reference]
math = "y = x + 1.0"
[tolerance]
absolute = 1e-6
relative = 1e-6
[space]
default = { fault = 0, threads = 128 }
[space.parameters]
fault = [0, 1, 2]
threads = [64, 128, 256]
[launch]
arguments = ["x", "y", "n"]
grid = ["ceil_div(n, threads)"]
block = ["threads"]
[[workloads]]
name = "tuned"
axes = { n = 3000 }
role = "tune"
[[workloads]]
name = "ragged"
axes = { n = 77 }
role = "verify"
"#;

/// This test binary in another role: the harness's own output goes elsewhere.
fn role(name: &str) -> (OsString, Vec<OsString>) {
    let run =
        format!("RIDGE_TEST_ROLE={name} exec \"$0\" --exact acts_as_{name} --nocapture 3>&1 1>&2");
    let program = std::env::current_exe().unwrap();
    ("sh".into(), vec!["-c".into(), run.into(), program.into()])
}

fn is(name: &str) -> bool {
    std::env::var_os("RIDGE_TEST_ROLE").is_some_and(|role| role == name)
}

fn protocol() -> File {
    File::options().write(true).open(PROTOCOL).unwrap()
}

#[test]
fn acts_as_compiler() {
    if is("compiler") {
        let served = ridge_compiler::worker::serve(io::stdin().lock(), protocol());
        std::process::exit(i32::from(served.is_err()));
    }
}

#[test]
fn acts_as_device() {
    if is("device") {
        let open = |name: &str| -> Result<Box<dyn TimingDevice>, String> {
            match name {
                "cuda:0" | "cuda:1" => Ok(Box::new(Emulated::new("NVIDIA H200"))),
                other => Err(format!("there is no `{other}`")),
            }
        };
        let served = ridge_runtime::worker::serve(open, BufReader::new(io::stdin()), protocol());
        std::process::exit(i32::from(served.is_err()));
    }
}

/// A setup whose processes are this test; `None`, with the reason printed, where no compiler can
/// be had.
fn setup() -> Option<Setup> {
    let (program, arguments) = role("compiler");
    let compiler = WorkerCommand { program: program.into(), arguments };
    let (program, arguments) = role("device");
    let device = DeviceWorkerCommand { program: program.into(), arguments };
    let lookup = |name: &str| std::env::var_os(name);
    let threads = NonZero::new(2).unwrap();
    let setup = Setup::new(lookup, None, None, compiler, device, threads);
    match setup.toolkit(&Unobserved) {
        Ok(_) => Some(setup),
        Err(error) => {
            println!("skipped: {error} ({})", error.code());
            None
        }
    }
}

fn kernel(folder: &Path, spec: &str, source: &str) -> KernelFolder {
    std::fs::write(folder.join("kernel.toml"), spec).unwrap();
    std::fs::write(folder.join("add.cu"), source).unwrap();
    KernelFolder::load(folder).unwrap()
}

fn tune(setup: &Setup, folder: &Path, device: &str) -> Result<TuneAnswer, PipelineError> {
    tune_kernel(setup, &kernel(folder, SPEC, SOURCE), folder, device)
}

fn tune_kernel(
    setup: &Setup,
    kernel: &KernelFolder,
    folder: &Path,
    device: &str,
) -> Result<TuneAnswer, PipelineError> {
    let request = TuneRequest {
        device: DeviceChoice::parse(device).unwrap(),
        target: None,
        budget: None,
        time: None,
        until: None,
        gain: None,
        prior: PriorChoice::From(Vec::new()),
        prune_risk: 0.01,
        strategy: None,
        seed: 0,
        workloads: Vec::new(),
        out: folder.join("out"),
    };
    tune::run(setup, kernel, &request, &Unobserved)
}

#[test]
fn measured_judged_contested_and_resumed() {
    let Some(setup) = setup() else { return };
    let folder = tempfile::tempdir().unwrap();
    let answer = tune(&setup, folder.path(), "cuda:0").unwrap();
    let workload = &answer.workloads[0];
    assert!(answer.found);
    assert_eq!((workload.n_legal, workload.n_evaluated), (9, 9));
    // Three take their process down, three are wrong; the campaign goes on.
    let rejected: Vec<(&str, usize)> =
        workload.rejected.iter().map(|(code, count)| (code.as_str(), *count)).collect();
    assert_eq!(rejected, [("crash", 3), ("incorrect", 3)]);
    assert_eq!(workload.best.len(), 3);
    let best = &workload.best[0];
    let measurement = best.measurement.as_ref().unwrap();
    assert!(measurement.twin_ns.is_some() || workload.best.len() > 1);
    assert!(best.prediction.is_some());

    let log = read_records(&folder.path().join("out")).unwrap();
    let measured =
        log.records.iter().filter(|record| matches!(record.outcome, Outcome::Measured(_)));
    for record in measured.clone() {
        assert_eq!(record.environment.device, "NVIDIA H200");
        assert_eq!(record.environment.executor, "emulated");
        assert!(record.protocol.settings.contains_key("inputs_seed"));
        assert_eq!(record.companions.as_ref().unwrap().repeatable, Some(true));
        assert!(record.verification.is_some() && record.prediction.is_some());
    }
    assert_eq!(measured.count(), 6, "three screened, three in the finals");
    let matrix = std::fs::read_to_string(folder.path().join("out/tuned.toml")).unwrap();
    assert!(matrix.contains("basis = \"measured\""), "{matrix}");

    let again = tune(&setup, folder.path(), "cuda:0").unwrap();
    assert_eq!(again.workloads[0].n_resumed, 9);
    assert_eq!(read_records(&folder.path().join("out")).unwrap().records.len(), log.records.len());
}

/// Programmatic launches are faster in a chain, plain ones alone; among either, few threads.
const TWO_SITUATIONS: &str = r#"
template <int kEarly, int kThreads>
__global__ void add(const float* x, float* y, int n) {
    if (kEarly) {
        asm volatile("griddepcontrol.wait;" ::: "memory");
        asm volatile("// chain: %0 \n// alone: %1 " :: "n"(1000 + kThreads), "n"(5000 + kThreads));
    } else {
        asm volatile("// chain: %0 \n// alone: %1 " :: "n"(3000 + kThreads), "n"(4000 + kThreads));
    }
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = x[i] + 1.0f;
}
"#;

/// Nine candidates of either kind.
fn two_situations(folder: &Path) -> KernelFolder {
    let spec = SPEC
        .replace("add<{fault}>", "add<{early}, {threads}>")
        .replace("default = { fault = 0", "default = { early = 0")
        .replace("fault = [0, 1, 2]", "early = [0, 1]")
        .replace("[64, 128, 256]", "[32, 64, 96, 128, 160, 192, 224, 256, 288]")
        .replace("block = [\"threads\"]", "block = [\"threads\"]\nprogrammatic = \"early\"");
    kernel(folder, &spec, TWO_SITUATIONS)
}

#[test]
fn plain_launches_reach_the_finals_and_win_alone() {
    let Some(setup) = setup() else { return };
    let folder = tempfile::tempdir().unwrap();
    let kernel = two_situations(folder.path());
    let answer = tune_kernel(&setup, &kernel, folder.path(), "cuda:0").unwrap();
    let workload = &answer.workloads[0];
    let ranked: Vec<String> =
        workload.best.iter().map(|ranked| ranked.candidate.to_string()).collect();
    let early = (1..=8).map(|n| format!("early=1,threads={}", 32 * n));
    let plain = (1..=3).map(|n| format!("early=0,threads={}", 32 * n));
    assert_eq!(ranked, early.chain(plain).collect::<Vec<String>>());
    let alone = workload.alone.as_ref().unwrap();
    assert_eq!(alone.candidate.to_string(), "early=0,threads=32");
    assert_eq!((alone.time_ns, alone.chain_winner_ns), (4032, Some(5032)));

    let out = folder.path().join("out");
    let text = std::fs::read_to_string(out.join("tuned.toml")).unwrap();
    let matrix = Matrix::parse("tuned.toml", &text).unwrap();
    let entry = &matrix.entries()[0];
    assert_eq!(entry.candidate.to_string(), "early=1,threads=32");
    assert_eq!(entry.alone.as_ref().unwrap().candidate, alone.candidate);
    assert_eq!(entry.alone.as_ref().unwrap().artifact, alone.artifact);
    let kept = std::fs::read_dir(out.join("artifacts")).unwrap().count();
    assert_eq!(kept, 11, "every finalist's artifact");

    // A campaign that goes on has the same finalists, and nothing left to do.
    let records = read_records(&out).unwrap().records;
    let again = tune_kernel(&setup, &kernel, folder.path(), "cuda:0").unwrap();
    assert_eq!(again.workloads[0].best.len(), 11);
    assert_eq!(again.workloads[0].alone.as_ref().unwrap().candidate, alone.candidate);
    assert_eq!(read_records(&out).unwrap().records, records);
    assert_eq!(std::fs::read_to_string(out.join("tuned.toml")).unwrap(), text);
}

#[test]
fn every_device_of_the_host_takes_part() {
    let Some(setup) = setup() else { return };
    let folder = tempfile::tempdir().unwrap();
    let answer = tune(&setup, folder.path(), "cuda:all").unwrap();
    assert!(answer.found, "{:?}", answer.workloads);
    assert_eq!(answer.device, "cuda:all");
    let log = read_records(&folder.path().join("out")).unwrap();
    assert_eq!(log.records.len(), 12);
}

#[test]
fn a_device_that_is_not_there_is_no_answer() {
    let Some(setup) = setup() else { return };
    let folder = tempfile::tempdir().unwrap();
    let error = tune(&setup, folder.path(), "cuda:7").unwrap_err();
    assert_eq!(error.code(), "device.none");
    assert!(error.to_string().contains("there is no `cuda:7`"), "{error}");
}

#[test]
fn a_check_runs_on_the_device() {
    let Some(setup) = setup() else { return };
    let folder = tempfile::tempdir().unwrap();
    let request = CheckRequest {
        choice: Choice::These(vec!["fault=0".to_owned(), "fault=2".to_owned()]),
        workloads: Vec::new(),
        every_block: false,
        device: DeviceChoice::Cuda(0),
        target: None,
        seed: 0,
    };
    let answer =
        check::run(&setup, &kernel(folder.path(), SPEC, SOURCE), &request, &Unobserved).unwrap();
    let passed: BTreeSet<(String, bool)> = answer
        .candidates
        .iter()
        .map(|candidate| (candidate.candidate.to_string(), candidate.passed))
        .collect();
    let expected =
        [("fault=0,threads=128".to_owned(), true), ("fault=2,threads=128".to_owned(), false)];
    assert_eq!(passed, BTreeSet::from(expected));
    assert_eq!(answer.device, "emulated");
}
