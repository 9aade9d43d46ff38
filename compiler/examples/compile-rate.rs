//! Compile rate of the pool: one worker, then one a core, on candidates of `kernels/rmsnorm`.
//!
//! `cargo build --release -p ridge-compiler && cargo run --release -p ridge-compiler --example
//! compile-rate`. Prints compilations per second and how near the pool comes to its worker count.
#![expect(clippy::print_stdout, reason = "it prints its measurements")]

use std::error::Error;
use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use ridge_compiler::cache::Cache;
use ridge_compiler::campaign::Compiler;
use ridge_compiler::cuda::{Sources, Unit};
use ridge_compiler::pool::{CompilePool, PoolConfig, WorkerCommand};
use ridge_compiler::toolchain::{NoProgress, SearchPaths, ensure};
use ridge_spec::target::Architecture;

fn main() -> Result<(), Box<dyn Error>> {
    let toolkit =
        ensure(&SearchPaths::from_lookup(|name| std::env::var_os(name)), &mut NoProgress)?;
    let executable = std::env::current_exe()?;
    let folder = executable.parent().and_then(Path::parent).ok_or("no build folder")?;
    let worker = WorkerCommand { program: folder.join("ridge-compile-worker"), arguments: vec![] };
    let kernel = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kernels/rmsnorm");
    let sources = Arc::new(Sources::load(&kernel, "rmsnorm.cu", &toolkit.include_folders)?);
    let units = candidates(&sources);
    println!("{}, {} candidates of rmsnorm 4096 bf16", toolkit.name(), units.len());

    let n_cores = thread::available_parallelism()?.get();
    let mut rates = Vec::new();
    let mut cpu_before = 0.0;
    for n_workers in [1, n_cores] {
        let config = PoolConfig {
            n_workers: NonZero::new(n_workers).ok_or("no workers")?,
            ..PoolConfig::new(worker.clone(), toolkit.clone())
        };
        let mut pool = CompilePool::new(config);
        // Workers start, load NVRTC and read the headers once.
        for id in 0..n_workers as u64 {
            pool.submit(id, units[0].clone());
        }
        while pool.recv().is_some() {}
        let started = Instant::now();
        for (id, unit) in (0..).zip(&units) {
            pool.submit(id, unit.clone());
        }
        while let Some((_, result)) = pool.recv() {
            result?.map_err(|rejection| rejection.summary())?;
        }
        let rate = units.len() as f64 / started.elapsed().as_secs_f64();
        drop(pool);
        let cpu = cpu_seconds_of_children()?;
        let cpu_each = (cpu - cpu_before) / units.len() as f64 * 1e3;
        cpu_before = cpu;
        println!("{n_workers} workers: {rate:.1} compilations/s, {cpu_each:.1} ms of CPU each");
        rates.push(rate);
    }
    println!("scaling: {:.2} of {n_cores}", rates[1] / rates[0]);

    let cache_folder = tempfile::tempdir()?;
    for state in ["cold", "warm"] {
        let config = PoolConfig::new(worker.clone(), toolkit.clone());
        let mut compiler = Compiler::new(config, Some(Cache::new(cache_folder.path())));
        let started = Instant::now();
        for (id, unit) in (0..).zip(&units) {
            compiler.submit(id, unit.clone());
        }
        while compiler.recv()?.is_some() {}
        println!(
            "{state} cache: {:.3} s for all, {:?}",
            started.elapsed().as_secs_f64(),
            compiler.counts()
        );
    }
    Ok(())
}

/// CPU time of the workers that have ended: on a busy machine it tells contention inside the pool,
/// which makes it grow, from that of other programs, which does not.
fn cpu_seconds_of_children() -> Result<f64, Box<dyn Error>> {
    // Fields 16 and 17 of proc(5)'s stat, in hundredths of a second; the second may hold spaces.
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').ok_or("no name in stat")?;
    let ticks = fields.split_whitespace().skip(13).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / 100.0)
}

/// The candidates that the kernel's constraints allow, by the rules that matter here.
fn candidates(sources: &Arc<Sources>) -> Vec<Unit> {
    let mut units = Vec::new();
    let Some(target) = Architecture::parse("sm_90a") else { return units };
    for threads in [32, 64, 128, 256, 512] {
        for rows in [1, 2, 4, 8] {
            if !(128..=1024).contains(&(threads * rows)) {
                continue;
            }
            for vector in [8, 16] {
                for hold in ["registers", "shared", "reread"] {
                    for weights in ["late", "early", "async"] {
                        if (hold == "registers" && threads < 32)
                            || (weights == "early" && threads < 64)
                        {
                            continue;
                        }
                        let entry = format!(
                            "rmsnorm<__nv_bfloat16, 4096, {threads}, {rows}, {vector}, Hold::{hold}, \
                             Weights::{weights}, Pdl::off, 0>"
                        );
                        let unit = Unit::new(Arc::clone(sources), &entry, &[], &[], target);
                        units.extend(unit);
                    }
                }
            }
        }
    }
    units
}
