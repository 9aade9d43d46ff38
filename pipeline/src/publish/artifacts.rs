//! The artifacts of winners: kept ones, or compiled again to the same bytes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ridge_compiler::cache;
use ridge_spec::artifact::Artifact;
use ridge_spec::diagnostic::Diagnostic;
use ridge_spec::digest::Digest;
use ridge_spec::kernel::{Instance, Workload};
use ridge_spec::outcome::Rejection;
use ridge_spec::record::TuningRecord;
use ridge_spec::space::Candidate;
use ridge_spec::target::{Architecture, DeviceProfile};

use super::workload;
use crate::compilation::{Compiled, Compiler};
use crate::error::PipelineError;
use crate::event::Observer;
use crate::folder::KernelFolder;
use crate::setup::Setup;

/// Collects artifacts by digest.
pub(super) struct Store<'a> {
    pub(super) setup: &'a Setup,
    pub(super) folder: &'a KernelFolder,
    pub(super) observer: &'a dyn Observer,
    /// Where campaigns keep their winners' artifacts.
    kept: Vec<PathBuf>,
    /// Started by the first that is not kept.
    compilers: BTreeMap<String, Compiler>,
    artifacts: BTreeMap<Digest, Artifact>,
}

impl<'a> Store<'a> {
    pub(super) fn new(
        setup: &'a Setup,
        folder: &'a KernelFolder,
        sources: &[PathBuf],
        observer: &'a dyn Observer,
    ) -> Self {
        let folders = sources.iter().filter(|source| source.is_dir());
        let kept = folders.map(|source| source.join("artifacts")).collect();
        let (compilers, artifacts) = (BTreeMap::new(), BTreeMap::new());
        Self { setup, folder, observer, kept, compilers, artifacts }
    }

    /// The artifacts, sorted by digest.
    pub(super) fn finish(self) -> Vec<Artifact> {
        self.artifacts.into_values().collect()
    }

    pub(super) fn insert(&mut self, artifact: Artifact) {
        self.artifacts.insert(artifact.digest, artifact);
    }

    /// Finds what a record's candidate compiled to, or compiles it to the same.
    pub(super) fn winner(
        &mut self,
        record: &TuningRecord,
        profiles: &BTreeMap<String, DeviceProfile>,
    ) -> Result<(), PipelineError> {
        let Some(recorded) = record.artifact else { return Ok(()) };
        if self.artifacts.contains_key(&recorded) {
            return Ok(());
        }
        // Of another version of the spec, what was kept proves nothing about today's source.
        let kept = self.kept.iter().filter(|_| record.spec == self.folder.digest);
        if let Some(kept) =
            kept.into_iter().find_map(|folder| cache::read_artifact(folder, recorded))
        {
            self.insert(kept);
            return Ok(());
        }
        let Some(profile) = profiles.get(&record.environment.profile) else { return Ok(()) };
        let name = record.workload.name.clone();
        let instance = self.bind(&workload(&record.workload), profile)?;
        let architecture = record.environment.architecture;
        let not_compiled = |rejection: Rejection| PipelineError::NotCompiled {
            workload: name.clone(),
            reason: rejection.summary(),
        };
        let (compiled, toolkit) = self.compile(&instance, &record.candidate, architecture)?;
        let artifact = compiled.map_err(not_compiled)?;
        if artifact.digest != recorded {
            return Err(PipelineError::OtherArtifact {
                workload: name,
                recorded,
                recorded_toolkit: record.environment.toolkit.clone(),
                found: artifact.digest,
                found_toolkit: toolkit,
            });
        }
        self.insert((*artifact).clone());
        Ok(())
    }

    /// Binds a workload.
    pub(super) fn bind(
        &self,
        workload: &Workload,
        profile: &DeviceProfile,
    ) -> Result<Instance, PipelineError> {
        let wrong = |diagnostic: Diagnostic| PipelineError::Spec(vec![diagnostic]);
        self.folder.spec.bind(workload, profile).map_err(wrong)
    }

    /// Compiles a candidate, from the cache where it is there; and names the compiler.
    pub(super) fn compile(
        &mut self,
        instance: &Instance,
        candidate: &Candidate,
        architecture: Architecture,
    ) -> Result<(Compiled, String), PipelineError> {
        let key = architecture.to_string();
        if !self.compilers.contains_key(&key) {
            let compiler = Compiler::new(self.setup, self.folder, architecture, self.observer)?;
            self.compilers.insert(key.clone(), compiler);
        }
        let Some(compiler) = self.compilers.get_mut(&key) else {
            return Err(PipelineError::NoCache);
        };
        let toolkit = compiler.toolkit_name().to_owned();
        let unit = match compiler.unit(&self.folder.spec, instance, candidate) {
            Ok(unit) => unit,
            Err(rejection) => return Ok((Err(rejection), toolkit)),
        };
        let mut result = Err(Rejection::Launch { message: "nothing was compiled".to_owned() });
        compiler.compile(vec![(0, unit)], self.observer, |_, compiled| result = compiled)?;
        Ok((result, toolkit))
    }
}
