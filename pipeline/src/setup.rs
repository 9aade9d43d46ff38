//! What a job needs of the machine: where tools and caches are, and how many cores to use.

use std::ffi::OsString;
use std::num::NonZero;
use std::path::PathBuf;

use ridge_compiler::cache::Cache;
use ridge_compiler::pool::PoolConfig;
pub use ridge_compiler::pool::WorkerCommand;
use ridge_compiler::toolchain::{self, InstallProgress, SearchPaths, Toolkit};

use ridge_runtime::cuda::CudaDevice;
pub use ridge_runtime::worker::WorkerCommand as DeviceWorkerCommand;

use crate::error::PipelineError;
use crate::event::{Event, Observer};

/// What a job needs of the machine.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Where a toolkit may be.
    pub search_paths: SearchPaths,
    /// What becomes a compile worker: it calls [`serve_compile_worker`].
    pub worker: WorkerCommand,
    /// What becomes a device worker: it calls [`serve_device_worker`].
    pub device_worker: DeviceWorkerCommand,
    /// Compile workers, and threads of the emulator.
    pub threads: NonZero<usize>,
}

impl Setup {
    /// Puts together what flags and environment variables say; `lookup` answers for the latter,
    /// and flags win.
    pub fn new(
        lookup: impl Fn(&str) -> Option<OsString>,
        toolkit: Option<PathBuf>,
        cache: Option<PathBuf>,
        worker: WorkerCommand,
        device_worker: DeviceWorkerCommand,
        threads: NonZero<usize>,
    ) -> Self {
        let mut search_paths = SearchPaths::from_lookup(lookup);
        search_paths.setting = toolkit.or(search_paths.setting);
        search_paths.cache_folder = cache.or(search_paths.cache_folder);
        Self { search_paths, worker, device_worker, threads }
    }

    /// Ridge's cache folder.
    ///
    /// # Errors
    /// [`PipelineError::NoCache`] where neither a flag nor the environment names one.
    pub fn cache_folder(&self) -> Result<&PathBuf, PipelineError> {
        self.search_paths.cache_folder.as_ref().ok_or(PipelineError::NoCache)
    }

    /// The toolkit, installed first where there is none.
    ///
    /// # Errors
    /// [`PipelineError::Toolchain`].
    pub fn toolkit(&self, observer: &dyn Observer) -> Result<Toolkit, PipelineError> {
        Ok(toolchain::ensure(&self.search_paths, &mut Installing { observer })?)
    }

    /// The cache of compiled candidates.
    ///
    /// # Errors
    /// As [`Self::cache_folder`].
    pub fn artifact_cache(&self) -> Result<Cache, PipelineError> {
        Ok(Cache::new(self.cache_folder()?))
    }

    /// How a pool of compile workers is run.
    pub fn pool_config(&self, toolkit: Toolkit) -> PoolConfig {
        let mut config = PoolConfig::new(self.worker.clone(), toolkit);
        config.n_workers = self.threads;
        config
    }
}

/// Tells the observer how an installation goes.
struct Installing<'a> {
    observer: &'a dyn Observer,
}

impl InstallProgress for Installing<'_> {
    fn advance(&mut self, done: u64, total: u64) {
        self.observer.notify(Event::Installing { received: done, expected: total });
    }
}

/// Makes this process run candidates on at most `threads` threads. Only the first call counts, and
/// only before the first job.
pub fn limit_threads(threads: NonZero<usize>) {
    // The one failure is a pool that was there before: a second call.
    let _again = rayon::ThreadPoolBuilder::new().num_threads(threads.get()).build_global();
}

/// Serves compile requests from stdin until it closes: what a worker process does.
///
/// # Errors
/// Where stdin or stdout fail.
pub fn serve_compile_worker() -> std::io::Result<()> {
    ridge_compiler::worker::serve(std::io::stdin().lock(), std::io::stdout().lock())
}

/// Runs candidates on a GPU as stdin asks until it closes: what a device worker does.
///
/// # Errors
/// Where stdin or stdout fail.
pub fn serve_device_worker() -> std::io::Result<()> {
    ridge_runtime::worker::serve_stdio(|name| {
        let ordinal = name.strip_prefix("cuda:").and_then(|ordinal| ordinal.parse().ok());
        let ordinal: u32 = ordinal.ok_or_else(|| format!("no device is called `{name}`"))?;
        let device = CudaDevice::open(ordinal).map_err(|error| error.to_string())?;
        Ok(Box::new(device))
    })
}
