//! The numbers of whole jobs, each printed with what it is compared with:
//! `cargo bench -p ridge-benches --bench jobs [-- NAME…]`.
//!
//! Names: `emulator`, `pool`, `tune`, `check`, `simulators`. The last compares the emulator with
//! Numba's CUDA simulator and needs a Python with `numba` and `numpy`, named by `RIDGE_NUMBA_PYTHON`.

#![allow(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a bench prints figures of three digits and stops where it cannot go on"
)]

use std::time::{Duration, Instant};

use ridge_benches::{Built, build, h200, kernel, served_as_worker, setup, toolkit, unit};
use ridge_compiler::pool::CompilePool;
use ridge_pipeline::check::{self, CheckRequest, Choice};
use ridge_pipeline::devices::DeviceChoice;
use ridge_pipeline::event::Unobserved;
use ridge_pipeline::tune::{self, PriorChoice, TuneRequest};
use ridge_runtime::device::{BlockSelection, Buffer, BufferContent, Device, Execution};
use ridge_runtime::emulator::{Emulator, EmulatorOptions};
use ridge_spec::counters::Counters;
use ridge_spec::kernel::Role;
use ridge_spec::space::Candidate;

fn main() {
    if served_as_worker() {
        return;
    }
    let asked: Vec<String> =
        std::env::args().skip(1).filter(|name| !name.starts_with("--")).collect();
    let jobs: [(&str, fn()); 5] = [
        ("emulator", emulator),
        ("pool", pool),
        ("tune", tune),
        ("check", check),
        ("simulators", simulators),
    ];
    for (name, job) in jobs {
        if asked.is_empty() || asked.iter().any(|asked| asked == name) {
            println!("\n== {name}");
            job();
        }
    }
}

/// Runs a built candidate on inputs of ones; answers the time and what was counted.
fn execute(built: &Built, blocks: BlockSelection, threads: usize) -> (Duration, Counters) {
    let buffers: Vec<Buffer> = built
        .instance
        .inputs()
        .iter()
        .map(|tensor| (tensor, true))
        .chain(built.instance.outputs().iter().map(|tensor| (tensor, false)))
        .map(|(tensor, input)| Buffer {
            name: tensor.name.clone(),
            dtype: tensor.dtype,
            content: if input {
                // 0x3f80 is 1 in bfloat16 and, twice, close to 1 in single precision.
                let words = tensor.size_bytes() / 2;
                let bytes: Vec<u8> = (0..words).flat_map(|_| 0x3f80u16.to_le_bytes()).collect();
                BufferContent::Input(bytes.into())
            } else {
                BufferContent::Output { size_bytes: tensor.size_bytes() }
            },
            constant: tensor.constant,
        })
        .collect();
    let execution = Execution {
        artifact: &built.artifact,
        launch: built.plan.config,
        arguments: &built.plan.arguments,
        buffers: &buffers,
        blocks,
        instructions_per_block: 100_000_000,
    };
    let emulator = Emulator::with_options(EmulatorOptions { threads: Some(threads) });
    emulator.execute(&execution).unwrap();
    let started = Instant::now();
    let report = emulator.execute(&execution).unwrap();
    let elapsed = started.elapsed();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    (elapsed, report.counters.unwrap())
}

fn emulator() {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    for (path, workload, candidate) in [
        ("kernels/rmsnorm", "qwen3-8b-prefill-4096", ""),
        ("kernels/rmsnorm", "qwen3-8b-prefill-4096", "hold=shared,weights=async"),
        ("kernels/softmax", "square-4096", ""),
        ("kernels/silu-mul", "llama-3-8b-1024", ""),
    ] {
        let folder = kernel(path);
        let candidate = complete(&folder.spec.space.default.clone().unwrap_or_default(), candidate);
        let built = build(&folder, workload, &candidate);
        let (one, counters) = execute(&built, BlockSelection::All, 1);
        let (all, _) = execute(&built, BlockSelection::All, cores);
        let rate =
            |elapsed: Duration| counters.thread_instructions as f64 / elapsed.as_secs_f64() / 1e6;
        println!(
            "{path} {candidate}: {:.0} million lane-instructions; {:.0} M/s on one core, {:.0} M/s on \
             {cores} ({:.2} × one)",
            counters.thread_instructions as f64 / 1e6,
            rate(one),
            rate(all),
            rate(all) / rate(one)
        );
    }
}

fn complete(base: &Candidate, overrides: &str) -> Candidate {
    let given = if overrides.is_empty() {
        Candidate::default()
    } else {
        Candidate::parse(overrides).unwrap()
    };
    Candidate::new(base.iter().chain(given.iter()).map(|(name, value)| (name, value.clone())))
}

fn pool() {
    let folder = kernel("kernels/rmsnorm");
    let instance = folder.spec.bind(&folder.spec.workloads[0], h200()).unwrap();
    let space = folder.spec.space.legal(instance.scope()).unwrap();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let stride = (space.len() / 60).max(1);
    let mut rates = Vec::new();
    for workers in [1, cores] {
        let setup = setup(workers, None);
        let toolkit = toolkit(&setup);
        let units: Vec<_> = (0..space.len())
            .step_by(stride)
            .map(|index| unit(&folder, &toolkit, &instance, &space.candidate(index)))
            .collect();
        let n_units = units.len();
        let mut pool = CompilePool::new(setup.pool_config(toolkit));
        for id in 0..workers as u64 {
            pool.submit(id, units[0].clone());
        }
        while pool.recv().is_some() {}
        let started = Instant::now();
        for (id, unit) in units.into_iter().enumerate() {
            pool.submit(id as u64, unit);
        }
        while let Some((_, compilation)) = pool.recv() {
            assert!(matches!(compilation, Ok(Ok(_))), "{compilation:?}");
        }
        let rate = n_units as f64 / started.elapsed().as_secs_f64();
        println!("{workers} workers: {rate:.1} candidates/s ({n_units} candidates)");
        rates.push(rate);
    }
    println!("{:.2} × cores × the single-process rate", rates[1] / rates[0] / cores as f64);
}

fn tune() {
    let cache = tempfile::tempdir().unwrap();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let setup = setup(cores, Some(cache.path()));
    let folder = kernel("kernels/rmsnorm");
    for state in ["cold", "warm"] {
        let out = tempfile::tempdir().unwrap();
        let request = TuneRequest {
            device: DeviceChoice::Emulator,
            target: Some("h200".to_owned()),
            budget: None,
            time: None,
            until: None,
            gain: None,
            prior: PriorChoice::Cold,
            prune_risk: 0.0,
            strategy: None,
            seed: 0,
            workloads: vec!["qwen3-8b-prefill-4096".to_owned()],
            out: out.path().to_owned(),
        };
        let started = Instant::now();
        let answer = tune::run(&setup, &folder, &request, &Unobserved).unwrap();
        let elapsed = started.elapsed().as_secs_f64();
        let workload = &answer.workloads[0];
        println!(
            "{state} artifact cache: {} of {} legal candidates compiled, checked and ranked in \
             {elapsed:.2} s; best {} ns predicted",
            workload.n_evaluated, workload.n_legal, workload.best[0].time_ns
        );
    }
}

fn check() {
    let cache = tempfile::tempdir().unwrap();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let setup = setup(cores, Some(cache.path()));
    for path in ["kernels/rmsnorm", "kernels/softmax", "kernels/silu-mul"] {
        let folder = kernel(path);
        let request = CheckRequest {
            choice: Choice::Default,
            // The first workload to tune and those to verify: the others only differ in size.
            workloads: folder
                .spec
                .workloads
                .iter()
                .enumerate()
                .filter(|(place, workload)| *place == 0 || workload.role == Role::Verify)
                .map(|(_, workload)| workload.name.clone())
                .collect(),
            every_block: false,
            device: DeviceChoice::Emulator,
            target: Some("h200".to_owned()),
            seed: 0,
        };
        let started = Instant::now();
        let answer = check::run(&setup, &folder, &request, &Unobserved).unwrap();
        println!(
            "{path}: {} workloads checked in {:.2} s, passed: {}",
            answer.candidates[0].workloads.len(),
            started.elapsed().as_secs_f64(),
            answer.passed
        );
    }
}

fn simulators() {
    let Ok(python) = std::env::var("RIDGE_NUMBA_PYTHON") else {
        println!("skipped: RIDGE_NUMBA_PYTHON names no Python with numba");
        return;
    };
    let folder = kernel("benches/numba");
    let built = build(&folder, "many-rows", &Candidate::default());
    let (elapsed, _) = execute(&built, BlockSelection::All, 1);
    let ours = (4096.0 * 1024.0) / elapsed.as_secs_f64();
    let output = std::process::Command::new(python)
        .arg(ridge_benches::repository("benches/numba/simulate.py"))
        .args(["8", "1024"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|error| {
        panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr))
    });
    let theirs = answer["elements"].as_f64().unwrap() / answer["seconds"].as_f64().unwrap();
    println!("ridge emulator, one core, all checks: {ours:.0} elements/s");
    println!("numba CUDA simulator, no checks:      {theirs:.0} elements/s");
    println!("ratio: {:.0} ×", ours / theirs);
}
