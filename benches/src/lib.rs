//! What the benches share: the kernel library compiled and ready to run.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ridge_compiler::campaign::Compiler;
use ridge_compiler::cuda::{Sources, Unit};
use ridge_compiler::toolchain::Toolkit;
use ridge_pipeline::event::Unobserved;
use ridge_pipeline::folder::KernelFolder;
use ridge_pipeline::setup::{DeviceWorkerCommand, Setup, WorkerCommand, serve_compile_worker};
use ridge_runtime::profiles;
use ridge_spec::artifact::Artifact;
use ridge_spec::kernel::{Instance, KernelSpec, Language, LaunchPlan};
use ridge_spec::space::Candidate;
use ridge_spec::target::DeviceProfile;

/// The argument that makes a bench's own program a compile worker.
const WORKER_ARGUMENT: &str = "--compile-worker";

/// Serves compile requests where this process was started as a worker, until there are no more;
/// answers whether it was.
///
/// # Panics
/// Where the worker's pipes break.
pub fn served_as_worker() -> bool {
    let is_worker = std::env::args().any(|argument| argument == WORKER_ARGUMENT);
    if is_worker {
        serve_compile_worker().unwrap_or_else(|error| panic!("compile worker: {error}"));
    }
    is_worker
}

/// The machine's setup with `threads` workers; `cache` replaces the artifact cache, the toolkit
/// stays where it is.
///
/// # Panics
/// Where no toolkit is found or installed.
pub fn setup(threads: usize, cache: Option<&Path>) -> Setup {
    let program = std::env::current_exe().unwrap_or_default();
    let worker =
        WorkerCommand { program: program.clone(), arguments: vec![WORKER_ARGUMENT.into()] };
    // Nothing here runs on a GPU: what would be asked of this worker is refused.
    let device = DeviceWorkerCommand { program, arguments: vec![WORKER_ARGUMENT.into()] };
    let threads = NonZero::new(threads).unwrap_or(NonZero::<usize>::MIN);
    let mut setup = Setup::new(|name| std::env::var_os(name), None, None, worker, device, threads);
    if let Some(cache) = cache {
        let toolkit = toolkit(&setup);
        setup.search_paths.setting = Some(toolkit.nvrtc);
        setup.search_paths.cache_folder = Some(cache.to_owned());
    }
    setup
}

/// The toolkit, installed where there is none.
///
/// # Panics
/// Where there is none and none can be installed.
pub fn toolkit(setup: &Setup) -> Toolkit {
    setup.toolkit(&Unobserved).unwrap_or_else(|error| panic!("no toolkit: {error}"))
}

/// A folder of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).join(path)
}

/// A kernel of the repository.
///
/// # Panics
/// Where its spec is wrong.
pub fn kernel(path: &str) -> KernelFolder {
    KernelFolder::load(&repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The H200's profile.
///
/// # Panics
/// Never: it is built in.
pub fn h200() -> &'static DeviceProfile {
    profiles::builtin("h200").unwrap_or_else(|| panic!("no profile `h200`"))
}

/// A candidate on a workload, compiled.
#[derive(Clone, Debug)]
pub struct Built {
    /// The spec on the workload.
    pub instance: Instance,
    /// How it is launched.
    pub plan: LaunchPlan,
    /// What was compiled.
    pub artifact: Arc<Artifact>,
}

/// What the compiler is told for a candidate.
///
/// # Panics
/// Where it cannot be told.
pub fn unit(
    folder: &KernelFolder,
    toolkit: &Toolkit,
    instance: &Instance,
    candidate: &Candidate,
) -> Unit {
    let spec: &KernelSpec = &folder.spec;
    let Language::Cuda { source, .. } = &spec.language else {
        panic!("`{}` is no CUDA kernel", spec.name)
    };
    let sources = Sources::load(folder.root(), source, &toolkit.include_folders)
        .unwrap_or_else(|error| panic!("{error}"));
    Unit::of_candidate(spec, Arc::new(sources), instance, candidate, h200().architecture)
        .unwrap_or_else(|rejection| panic!("{}", rejection.summary()))
}

/// Compiles a candidate for one workload.
///
/// # Panics
/// Where it does not compile.
pub fn build(folder: &KernelFolder, workload: &str, candidate: &Candidate) -> Built {
    let spec = &folder.spec;
    let workload = spec.workload(workload).unwrap_or_else(|| panic!("no workload `{workload}`"));
    let instance = spec.bind(workload, h200()).unwrap_or_else(|error| panic!("{error}"));
    let plan = spec
        .launch(&instance, candidate)
        .unwrap_or_else(|rejection| panic!("{}", rejection.summary()));
    let setup = setup(1, None);
    let toolkit = toolkit(&setup);
    let unit = unit(folder, &toolkit, &instance, candidate);
    let artifact = Compiler::new(setup.pool_config(toolkit), None)
        .compile(unit)
        .unwrap_or_else(|error| panic!("{error}"))
        .unwrap_or_else(|rejection| panic!("{}", rejection.summary()));
    Built { instance, plan, artifact: Arc::new(artifact) }
}
