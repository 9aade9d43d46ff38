//! The emulator beside a GPU: the same artifact on the same inputs, outputs and counters.
//!
//! - `outputs FOLDER…`: candidates of each kernel on both devices, one JSON line a run.
//! - `counters FOLDER`: what the emulator counts over the whole grid of one candidate.
//! - `launch FOLDER`: one candidate, once, in this process, for a profiler to look at.
//!
//! `benches/parity/parity.py` runs all three and writes the comparison.

mod differences;

use std::error::Error;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use ridge_compiler::cache::Cache;
use ridge_compiler::campaign::Compiler;
use ridge_compiler::cuda::{Sources, Unit};
use ridge_compiler::pool::{PoolConfig, WorkerCommand};
use ridge_compiler::toolchain::{self, NoProgress, SearchPaths, Toolkit};
use ridge_pipeline::folder::KernelFolder;
use ridge_runtime::cuda::CudaDevice;
use ridge_runtime::device::{
    BlockSelection, Buffer, BufferContent, Device, Execution, ExecutionReport,
};
use ridge_runtime::emulator::Emulator;
use ridge_runtime::profiles;
use ridge_runtime::verify::inputs::{TensorInput, generate};
use ridge_runtime::verify::{Distribution, Problem};
use ridge_runtime::worker::{self, IsolatedDevice};
use ridge_spec::artifact::Artifact;
use ridge_spec::digest::Digest;
use ridge_spec::kernel::{Instance, Language, LaunchPlan, Role};
use ridge_spec::outcome::Rejection;
use ridge_spec::space::Candidate;
use ridge_spec::target::DeviceProfile;
use serde_json::{Value, json};

use differences::{Summary, differences};

const USAGE: &str = "usage: parity outputs FOLDER... [--candidates N] [--medium-bytes N] \
    [--distribution NAME]...\n       parity counters|launch FOLDER [--candidate K=V,...] \
    [--workload NAME]\nflags of all: [--seed N] [--target NAME] [--device NAME] [--cache DIR]";
const COMPILE_WORKER: &str = "--compile-worker";
const DEVICE_WORKER: &str = "--device-worker";
/// Warp instructions one block may issue before it counts as endless.
const INSTRUCTIONS_PER_BLOCK: u64 = 50_000_000;

type Failure = Box<dyn Error>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.first().map(String::as_str) {
        Some(COMPILE_WORKER) => {
            ridge_compiler::worker::serve(io::stdin().lock(), io::stdout().lock())
                .map_err(Failure::from)
        }
        Some(DEVICE_WORKER) => serve_device().map_err(Failure::from),
        _ => Options::parse(&arguments).and_then(|options| options.run()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _unheard = writeln!(io::stderr().lock(), "parity: {error}");
            ExitCode::from(2)
        }
    }
}

fn serve_device() -> io::Result<()> {
    worker::serve_stdio(|name| {
        let ordinal = name.strip_prefix("cuda:").and_then(|ordinal| ordinal.parse().ok());
        let ordinal = ordinal.ok_or_else(|| format!("no device is called `{name}`"))?;
        let device = CudaDevice::open(ordinal).map_err(|error| error.to_string())?;
        Ok(Box::new(device))
    })
}

/// What the command line asks for.
struct Options {
    command: String,
    folders: Vec<String>,
    /// Candidates of each kernel and workload, the default first.
    candidates: usize,
    candidate: Option<String>,
    workload: Option<String>,
    distributions: Vec<Distribution>,
    /// A workload to tune is taken as the medium one where it moves no more than this.
    medium_bytes: u64,
    seed: u64,
    profile: &'static DeviceProfile,
    device: String,
    cache: Option<String>,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self, Failure> {
        let mut words = arguments.iter().cloned();
        let mut options = Self {
            command: words.next().ok_or(USAGE)?,
            folders: Vec::new(),
            candidates: 8,
            candidate: None,
            workload: None,
            distributions: Vec::new(),
            medium_bytes: 36 << 20,
            seed: 1,
            profile: profile("h200")?,
            device: "cuda:0".to_owned(),
            cache: None,
        };
        while let Some(word) = words.next() {
            if !word.starts_with("--") {
                options.folders.push(word);
                continue;
            }
            let value = words.next().ok_or_else(|| format!("`{word}` lacks its value"))?;
            match word.as_str() {
                "--candidates" => options.candidates = value.parse()?,
                "--candidate" => options.candidate = Some(value),
                "--workload" => options.workload = Some(value),
                "--distribution" => {
                    let known = Distribution::parse(&value);
                    options.distributions.push(known.ok_or(format!("no inputs `{value}`"))?);
                }
                "--medium-bytes" => options.medium_bytes = value.parse()?,
                "--seed" => options.seed = value.parse()?,
                "--target" => options.profile = profile(&value)?,
                "--device" => options.device = value,
                "--cache" => options.cache = Some(value),
                _ => return Err(format!("no flag `{word}`\n{USAGE}").into()),
            }
        }
        if options.folders.is_empty() {
            return Err(USAGE.into());
        }
        if options.distributions.is_empty() {
            options.distributions = vec![Distribution::Normal, Distribution::EdgeValues];
        }
        Ok(options)
    }

    fn run(&self) -> Result<(), Failure> {
        match self.command.as_str() {
            "outputs" => self.outputs(),
            "counters" => self.counters(),
            "launch" => self.launch(),
            other => Err(format!("no command `{other}`\n{USAGE}").into()),
        }
    }

    fn toolkit(&self) -> Result<(Toolkit, Option<Cache>), Failure> {
        let mut paths = SearchPaths::from_lookup(|name| std::env::var_os(name));
        if let Some(cache) = &self.cache {
            paths.cache_folder = Some(cache.into());
        }
        let cache = paths.cache_folder.as_deref().map(Cache::new);
        Ok((toolchain::ensure(&paths, &mut NoProgress)?, cache))
    }

    /// The device to compare with; `emulator` is for trying this program without a GPU.
    fn other_device(&self) -> Result<Box<dyn Device>, Failure> {
        if self.device == "emulator" {
            return Ok(Box::new(Emulator::new()));
        }
        let program = std::env::current_exe()?;
        let command = worker::WorkerCommand { program, arguments: vec![DEVICE_WORKER.into()] };
        Ok(Box::new(IsolatedDevice::start(command, &self.device)?))
    }

    fn outputs(&self) -> Result<(), Failure> {
        let folders = self.load()?;
        let (toolkit, cache) = self.toolkit()?;
        let mut jobs = Vec::new();
        for folder in &folders {
            for workload in workloads(folder, self)? {
                jobs.extend(self.sample(folder, &workload)?);
            }
        }
        let artifacts = self.compile(&jobs, toolkit, cache)?;
        let (emulator, other) = (Emulator::new(), self.other_device()?);
        let mut summary = Summary::default();
        for (job, artifact) in jobs.iter().zip(&artifacts) {
            for &distribution in &self.distributions {
                let line = match artifact {
                    Ok(artifact) => {
                        let buffers = buffers(job, distribution, self.seed)?;
                        compare(job, artifact, &buffers, &emulator, other.as_ref())?
                    }
                    Err(rejection) => {
                        json!({ "status": "not compiled", "reason": rejection.summary() })
                    }
                };
                let line = job.describe(line, Some(distribution), self.seed);
                summary.add(&line);
                writeln!(io::stdout().lock(), "{line}")?;
            }
        }
        summary.print(other.name())?;
        Ok(())
    }

    fn counters(&self) -> Result<(), Failure> {
        let folders = self.load()?;
        let job = self.one(&folders)?;
        let (artifact, buffers) = self.prepare(&job)?;
        let report = Emulator::new().execute(&execution(&job, &artifact, &buffers))?;
        let answer = json!({
            "entry": artifact.manifest.entry_symbol,
            "launch": job.plan.config,
            "resources": artifact.manifest.resources,
            "toolkit": artifact.manifest.toolkit,
            "approx": approximations(&artifact.ptx),
            "blocks_run": report.blocks_run,
            "findings": report.findings,
            "counters": report.counters,
        });
        let answer = job.describe(answer, None, self.seed);
        writeln!(io::stdout().lock(), "{answer}")?;
        Ok(())
    }

    fn launch(&self) -> Result<(), Failure> {
        let folders = self.load()?;
        let job = self.one(&folders)?;
        let (artifact, buffers) = self.prepare(&job)?;
        let ordinal = self.device.strip_prefix("cuda:").unwrap_or("0").parse()?;
        let device: Box<dyn Device> = match self.device.as_str() {
            "emulator" => Box::new(Emulator::new()),
            _ => Box::new(CudaDevice::open(ordinal)?),
        };
        let report = device.execute(&execution(&job, &artifact, &buffers))?;
        let answer = json!({
            "entry": artifact.manifest.entry_symbol,
            "blocks_run": report.blocks_run,
            "findings": report.findings,
            "refused": report.refused,
        });
        let answer = job.describe(answer, None, self.seed);
        writeln!(io::stdout().lock(), "{answer}")?;
        Ok(())
    }

    fn load(&self) -> Result<Vec<KernelFolder>, Failure> {
        let load = |path: &String| KernelFolder::load(Path::new(path)).map_err(Failure::from);
        self.folders.iter().map(load).collect()
    }

    /// The candidate and the workload that are named, or the default one on the first.
    fn one<'a>(&self, folders: &'a [KernelFolder]) -> Result<Job<'a>, Failure> {
        let [folder] = folders else { return Err("one folder at a time".into()) };
        let workload = match &self.workload {
            Some(name) => folder.spec.workload(name),
            None => folder.spec.workloads.first(),
        };
        let workload = workload.ok_or("there is no such workload")?;
        let instance = folder.spec.bind(workload, self.profile)?;
        let default = folder.spec.space.default.clone();
        let mut candidate = default.unwrap_or_else(|| Candidate::new::<String>([]));
        if let Some(text) = &self.candidate {
            let given = Candidate::parse(text)?;
            let kept = candidate.iter().filter(|(name, _)| given.get(name).is_none());
            let pairs = kept.chain(given.iter());
            candidate = Candidate::new(pairs.map(|(name, value)| (name.to_owned(), value.clone())));
        }
        folder.spec.space.check(&candidate, instance.scope())?;
        let plan = folder.spec.launch(&instance, &candidate).map_err(|one| one.summary())?;
        Ok(Job { folder, instance, candidate, plan })
    }

    fn prepare(&self, job: &Job<'_>) -> Result<(Artifact, Vec<Buffer>), Failure> {
        let (toolkit, cache) = self.toolkit()?;
        let jobs = std::slice::from_ref(job);
        let artifact = self.compile(jobs, toolkit, cache)?.pop().ok_or("nothing was compiled")?;
        let artifact = artifact.map_err(|rejection| rejection.summary())?;
        Ok((artifact, buffers(job, Distribution::Normal, self.seed)?))
    }

    /// Some candidates of a workload: the default, and those whose names hash lowest with the seed.
    fn sample<'a>(
        &self,
        folder: &'a KernelFolder,
        workload: &str,
    ) -> Result<Vec<Job<'a>>, Failure> {
        let spec = &folder.spec;
        let workload = spec.workload(workload).ok_or("there is no such workload")?;
        let instance = spec.bind(workload, self.profile)?;
        let seed = self.seed.to_le_bytes();
        let key = |candidate: &Candidate| {
            let is_default = Some(candidate) == spec.space.default.as_ref();
            let name = candidate.to_string();
            (!is_default, Digest::of_parts([("seed", &seed[..]), ("candidate", name.as_bytes())]))
        };
        let mut candidates: Vec<Candidate> =
            spec.space.legal(instance.scope())?.candidates().collect();
        candidates.sort_by_cached_key(key);
        let plan = |candidate| {
            let plan = spec.launch(&instance, &candidate).ok()?;
            Some(Job { folder, instance: instance.clone(), candidate, plan })
        };
        Ok(candidates.into_iter().filter_map(plan).take(self.candidates).collect())
    }

    fn compile(
        &self,
        jobs: &[Job<'_>],
        toolkit: Toolkit,
        cache: Option<Cache>,
    ) -> Result<Vec<Result<Artifact, Rejection>>, Failure> {
        let program = std::env::current_exe()?;
        let worker = WorkerCommand { program, arguments: vec![COMPILE_WORKER.into()] };
        let include_folders = toolkit.include_folders.clone();
        let mut compiler = Compiler::new(PoolConfig::new(worker, toolkit), cache);
        let mut results: Vec<Option<Result<Artifact, Rejection>>> = vec![None; jobs.len()];
        for (at, job) in jobs.iter().enumerate() {
            let spec = &job.folder.spec;
            let Language::Cuda { source, .. } = &spec.language else {
                return Err(format!("`{}` is no CUDA kernel", spec.name).into());
            };
            let sources = Arc::new(Sources::load(job.folder.root(), source, &include_folders)?);
            let target = self.profile.architecture;
            match Unit::of_candidate(spec, sources, &job.instance, &job.candidate, target) {
                Ok(unit) => compiler.submit(at as u64, unit),
                Err(rejection) => results[at] = Some(Err(rejection)),
            }
        }
        while let Some(finished) = compiler.recv()? {
            let at = usize::try_from(finished.id)?;
            results[at] = Some(finished.result);
        }
        results
            .into_iter()
            .map(|result| result.ok_or_else(|| "a result is missing".into()))
            .collect()
    }
}

fn profile(name: &str) -> Result<&'static DeviceProfile, Failure> {
    profiles::builtin(name).ok_or_else(|| format!("no profile `{name}`").into())
}

/// One candidate on one workload.
struct Job<'a> {
    folder: &'a KernelFolder,
    instance: Instance,
    candidate: Candidate,
    plan: LaunchPlan,
}

impl Job<'_> {
    /// Puts what was run in front of what came of it.
    fn describe(&self, answer: Value, distribution: Option<Distribution>, seed: u64) -> Value {
        let mut line = json!({
            "kernel": self.folder.spec.name.as_str(),
            "workload": self.instance.workload().name,
            "candidate": self.candidate.to_string(),
            "seed": seed,
        });
        if let (Some(line), Value::Object(answer)) = (line.as_object_mut(), answer) {
            if let Some(distribution) = distribution {
                line.insert("distribution".to_owned(), distribution.name().into());
            }
            line.extend(answer);
        }
        line
    }
}

/// Every workload to verify, and the largest to tune that is no larger than the medium size.
fn workloads(folder: &KernelFolder, options: &Options) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    let mut medium: Option<(u64, &str)> = None;
    for workload in &folder.spec.workloads {
        if options.workload.as_ref().is_some_and(|name| *name != workload.name) {
            continue;
        }
        let size = folder.spec.bind(workload, options.profile)?.bytes_min();
        if workload.role == Role::Verify || options.workload.is_some() {
            names.push(workload.name.clone());
        } else if size <= options.medium_bytes && medium.is_none_or(|(best, _)| best < size) {
            medium = Some((size, &workload.name));
        }
    }
    names.extend(medium.map(|(_, name)| name.to_owned()));
    Ok(names)
}

fn buffers(job: &Job<'_>, inputs: Distribution, seed: u64) -> Result<Vec<Buffer>, Failure> {
    let problem = Problem::of(&job.folder.spec, &job.instance);
    let mut buffers = Vec::new();
    for input in &problem.inputs {
        let (shape, bounds) = (input.shape(), input.bounds.clone());
        let tensor = TensorInput { name: &input.name, dtype: input.dtype, shape: &shape, bounds };
        let content = BufferContent::Input(generate(&tensor, inputs, seed)?);
        let constant = input.constant;
        buffers.push(Buffer { name: input.name.clone(), dtype: input.dtype, content, constant });
    }
    for output in job.instance.outputs() {
        let content = BufferContent::Output { size_bytes: output.size_bytes() };
        let (name, constant) = (output.name.clone(), false);
        buffers.push(Buffer { name, dtype: output.dtype, content, constant });
    }
    Ok(buffers)
}

fn execution<'a>(job: &'a Job<'_>, artifact: &'a Artifact, buffers: &'a [Buffer]) -> Execution<'a> {
    Execution {
        artifact,
        launch: job.plan.config,
        arguments: &job.plan.arguments,
        buffers,
        blocks: BlockSelection::All,
        instructions_per_block: INSTRUCTIONS_PER_BLOCK,
    }
}

/// The instructions of a PTX text whose results the ISA does not define to the last bit.
fn approximations(ptx: &str) -> Vec<String> {
    let words = ptx.lines().filter_map(|line| {
        let line = line.trim_start();
        let line =
            line.strip_prefix('@').and_then(|line| line.split_once(' ')).map_or(line, |l| l.1);
        line.split_whitespace().next()
    });
    let mut found: Vec<String> =
        words.filter(|word| word.contains(".approx")).map(str::to_owned).collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn compare(
    job: &Job<'_>,
    artifact: &Artifact,
    buffers: &[Buffer],
    emulator: &Emulator,
    other: &dyn Device,
) -> Result<Value, Failure> {
    let execution = execution(job, artifact, buffers);
    let start = Instant::now();
    let expected = emulator.execute(&execution)?;
    let emulator_s = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let found = other.execute(&execution)?;
    let device_s = start.elapsed().as_secs_f64();
    let status = match (clean(&expected), clean(&found)) {
        (true, true) => "compared",
        (false, false) => "both refused",
        (true, false) => "device refused",
        (false, true) => "emulator refused",
    };
    let outputs: Vec<Value> = if status == "compared" {
        let dtype = |name: &str| buffers.iter().find(|one| one.name == name).map(|one| one.dtype);
        let pairs = expected.outputs.iter().zip(&found.outputs);
        pairs
            .filter_map(|(left, right)| {
                Some(differences(&left.name, dtype(&left.name)?, &left.bytes, &right.bytes))
            })
            .collect()
    } else {
        Vec::new()
    };
    Ok(json!({
        "status": status,
        "approx": approximations(&artifact.ptx),
        "emulator_findings": expected.findings,
        "device_findings": found.findings,
        "device_refused": found.refused,
        "outputs": outputs,
        "emulator_s": emulator_s,
        "device_s": device_s,
    }))
}

fn clean(report: &ExecutionReport) -> bool {
    report.findings.is_empty() && report.refused.is_none()
}
