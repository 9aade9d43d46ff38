//! Compiling many candidates: from the cache where it has them, else in the worker pool.

use std::collections::BTreeMap;
use std::sync::Arc;

use ridge_compiler::cache::Cache;
use ridge_compiler::cuda::{Sources, Unit};
use ridge_compiler::pool::CompilePool;
use ridge_compiler::toolchain::Toolkit;
use ridge_spec::artifact::Artifact;
use ridge_spec::diagnostic::Diagnostic;
use ridge_spec::digest::Digest;
use ridge_spec::kernel::{Instance, KernelSpec, Language};
use ridge_spec::outcome::Rejection;
use ridge_spec::space::Candidate;
use ridge_spec::target::Architecture;

use crate::error::PipelineError;
use crate::event::{Event, Observer};
use crate::folder::KernelFolder;
use crate::setup::Setup;

/// What compiling a candidate came to.
pub(crate) type Compiled = Result<Arc<Artifact>, Rejection>;

/// Compiles the candidates of one kernel for one architecture.
pub(crate) struct Compiler {
    cache: Cache,
    pool: CompilePool,
    toolkit: Toolkit,
    sources: Result<Arc<Sources>, Rejection>,
    architecture: Architecture,
    /// Said once: a cache that cannot be written costs time, not results.
    cache_warned: bool,
}

impl Compiler {
    /// Finds the toolkit, installing it where there is none, and reads the kernel's sources.
    ///
    /// # Errors
    /// [`PipelineError::Toolchain`], [`PipelineError::NoCache`], and [`PipelineError::Spec`] for a
    /// language that has no front end.
    pub(crate) fn new(
        setup: &Setup,
        folder: &KernelFolder,
        architecture: Architecture,
        observer: &dyn Observer,
    ) -> Result<Self, PipelineError> {
        let Language::Cuda { source, .. } = &folder.spec.language else {
            return Err(PipelineError::Spec(vec![
                Diagnostic::new("spec.language", "the language `cube` has no front end yet")
                    .hint("write the kernel in CUDA C++: `language = \"cuda\"`"),
            ]));
        };
        let cache = setup.artifact_cache()?;
        let toolkit = setup.toolkit(observer)?;
        let sources = Sources::load(folder.root(), source, &toolkit.include_folders)
            .map(Arc::new)
            .map_err(|error| error.to_rejection());
        let pool = setup.pool(&toolkit);
        Ok(Self { cache, pool, toolkit, sources, architecture, cache_warned: false })
    }

    /// The toolkit's name and version, as records carry it.
    pub(crate) fn toolkit_name(&self) -> String {
        self.toolkit.name()
    }

    /// Everything the compiler is told for one candidate.
    pub(crate) fn unit(
        &self,
        spec: &KernelSpec,
        instance: &Instance,
        candidate: &Candidate,
    ) -> Result<Unit, Rejection> {
        Unit::of_candidate(spec, self.sources.clone()?, instance, candidate, self.architecture)
    }

    /// Compiles every unit and hands each result to `done` as it comes, cached ones first; equal
    /// units are compiled once.
    ///
    /// # Errors
    /// [`PipelineError::Pool`] where no worker can work.
    pub(crate) fn compile(
        &mut self,
        units: Vec<(usize, Unit)>,
        observer: &dyn Observer,
        mut done: impl FnMut(usize, Compiled),
    ) -> Result<(), PipelineError> {
        let toolkit = self.toolkit.clone();
        let mut waiting: BTreeMap<Digest, Vec<usize>> = BTreeMap::new();
        let mut keys: Vec<Digest> = Vec::new();
        for (index, unit) in units {
            let key = unit.key(&toolkit);
            if let Some(others) = waiting.get_mut(&key) {
                others.push(index);
            } else if let Some(result) = self.cache.get(key) {
                done(index, result.map(Arc::new));
            } else {
                self.pool.submit(keys.len() as u64, unit);
                keys.push(key);
                waiting.insert(key, vec![index]);
            }
        }
        while let Some((id, compilation)) = self.pool.recv() {
            let result = compilation?;
            let Some(&key) = usize::try_from(id).ok().and_then(|id| keys.get(id)) else { continue };
            if let Err(error) = self.cache.put(key, &result) {
                self.warn_cache(&error, observer);
            }
            let result = result.map(Arc::new);
            for index in waiting.remove(&key).unwrap_or_default() {
                done(index, result.clone());
            }
        }
        Ok(())
    }

    fn warn_cache(&mut self, error: &ridge_compiler::cache::CacheError, observer: &dyn Observer) {
        if !self.cache_warned {
            self.cache_warned = true;
            let warning = Diagnostic::new(error.code(), error.to_string()).hint(error.hint());
            observer.notify(Event::Warning(&warning));
        }
    }
}
