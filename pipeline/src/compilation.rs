//! Compiling the candidates of one kernel.

use std::path::PathBuf;
use std::sync::Arc;

use ridge_compiler::cuda::{Sources, Unit};
use ridge_compiler::{campaign, cube};
use ridge_spec::artifact::Artifact;
use ridge_spec::diagnostic::Diagnostic;
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

/// Where a candidate's source comes from.
enum FrontEnd {
    /// From the kernel's folder.
    Cuda(Result<Arc<Sources>, Rejection>),
    /// From the spec's math; the toolkit's headers are in these folders.
    Cube(Vec<PathBuf>),
}

/// Compiles the candidates of one kernel for one architecture.
pub(crate) struct Compiler {
    compiler: campaign::Compiler,
    toolkit_name: String,
    front_end: FrontEnd,
    architecture: Architecture,
    /// Said once: a cache that cannot be written costs time, not results.
    cache_warned: bool,
}

impl Compiler {
    /// Finds the toolkit, installing it where there is none, and reads the kernel's sources.
    ///
    /// # Errors
    /// [`PipelineError::Toolchain`] and [`PipelineError::NoCache`].
    pub(crate) fn new(
        setup: &Setup,
        folder: &KernelFolder,
        architecture: Architecture,
        observer: &dyn Observer,
    ) -> Result<Self, PipelineError> {
        let cache = setup.artifact_cache()?;
        let toolkit = setup.toolkit(observer)?;
        let front_end = match &folder.spec.language {
            Language::Cuda { source, .. } => FrontEnd::Cuda(
                Sources::load(folder.root(), source, &toolkit.include_folders)
                    .map(Arc::new)
                    .map_err(|error| error.to_rejection()),
            ),
            Language::Cube => FrontEnd::Cube(toolkit.include_folders.clone()),
        };
        let toolkit_name = toolkit.name();
        let compiler = campaign::Compiler::new(setup.pool_config(toolkit), Some(cache));
        Ok(Self { compiler, toolkit_name, front_end, architecture, cache_warned: false })
    }

    /// The toolkit's name and version, as records carry it.
    pub(crate) fn toolkit_name(&self) -> &str {
        &self.toolkit_name
    }

    /// Everything the compiler is told for one candidate.
    pub(crate) fn unit(
        &self,
        spec: &KernelSpec,
        instance: &Instance,
        candidate: &Candidate,
    ) -> Result<Unit, Rejection> {
        let target = self.architecture;
        match &self.front_end {
            FrontEnd::Cuda(sources) => {
                Unit::of_candidate(spec, sources.clone()?, instance, candidate, target)
            }
            FrontEnd::Cube(folders) => cube::unit(spec, instance, candidate, folders, target),
        }
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
        for (index, unit) in units {
            self.compiler.submit(index as u64, unit);
        }
        while let Some(finished) = self.compiler.recv()? {
            if let Ok(index) = usize::try_from(finished.id) {
                done(index, finished.result.map(Arc::new));
            }
        }
        if let Some(error) = self.compiler.cache_error()
            && !self.cache_warned
        {
            self.cache_warned = true;
            let warning = Diagnostic::new(error.code(), error.to_string()).hint(error.hint());
            observer.notify(Event::Warning(&warning));
        }
        Ok(())
    }
}
