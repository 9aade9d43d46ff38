//! What is published: winners with everything that proves them. And verifying what was published.
//!
//! [`gather`] reads the logs of campaigns and answers values of `spec`; writing the repo is another
//! crate's business.

mod artifacts;
mod defaults;
mod sources;
pub mod verify;

use std::collections::BTreeMap;
use std::path::PathBuf;

use ridge_spec::artifact::Artifact;
use ridge_spec::diagnostic::Diagnostic;
use ridge_spec::digest::Digest;
use ridge_spec::dtype::Dtype;
use ridge_spec::kernel::{Role, Workload};
use ridge_spec::matrix::{DeriveOptions, Entry, Matrix};
use ridge_spec::record::{RecordedWorkload, TuningRecord};
use ridge_spec::space::Candidate;
use ridge_spec::target::{Architecture, DeviceProfile};

use crate::error::PipelineError;
use crate::event::{Event, Observer};
use crate::folder::KernelFolder;
use crate::setup::Setup;
use crate::target;
use crate::tune::is_final;

/// What to gather.
#[derive(Clone, Debug)]
pub struct GatherRequest {
    /// Folders of campaigns, and logs (`.jsonl`, gzipped or not), in the order in which they count:
    /// of two records of one candidate, the later one.
    pub sources: Vec<PathBuf>,
    /// The kernel's folder; `None` to look for it.
    pub spec: Option<PathBuf>,
    /// Whether records of another version of the spec may be used, where each winner still compiles
    /// to the artifact that was measured.
    pub any_version: bool,
}

/// A kernel's winners with everything that proves them.
#[derive(Clone, Debug)]
pub struct Gathered {
    /// The kernel's folder.
    pub folder: KernelFolder,
    /// The text of its spec.
    pub text: String,
    /// The winners among the finalists, in a chain and alone.
    pub matrix: Matrix,
    /// The records that the matrix names, in its order.
    pub records: Vec<TuningRecord>,
    /// What winners and defaults compiled to, sorted by digest.
    pub artifacts: Vec<Artifact>,
    /// The default candidate for each combination of types and specialized axes that has a winner.
    pub defaults: Vec<CompiledDefault>,
    /// The profiles that the records name.
    pub profiles: BTreeMap<String, DeviceProfile>,
}

/// The spec's default candidate, compiled and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct CompiledDefault {
    /// What it is compiled for.
    pub architecture: Architecture,
    /// Name of the device profile.
    pub profile: String,
    /// Extents of the workload that it was compiled for.
    pub axes: BTreeMap<String, i64>,
    /// Its types.
    pub types: BTreeMap<String, Dtype>,
    /// The candidate.
    pub candidate: Candidate,
    /// What it compiled to.
    pub artifact: Digest,
}

/// Gathers a kernel's winners from logs.
///
/// Only finalists count. Artifacts come from the campaigns' folders, or are compiled again and
/// compared with what the records name: what is published is what ran.
///
/// # Errors
/// Where there is nothing to publish, or what there is does not fit together.
pub fn gather(
    setup: &Setup,
    request: &GatherRequest,
    observer: &dyn Observer,
) -> Result<Gathered, PipelineError> {
    observer.notify(Event::Step("reading records"));
    let records = sources::read(&request.sources, observer)?;
    let kernel = kernel(&records, request)?;
    let (folder, text) = sources::find(request.spec.as_deref(), &kernel)?;
    let spec = version(&records, &folder, request, observer)?;
    let profiles = profiles(&records, observer)?;
    let options = DeriveOptions {
        predicted: true,
        spec: Some(spec),
        verified_on: Vec::new(),
        profiles: profiles.clone(),
    };
    let matrix = Matrix::derive(records.iter().filter(|record| is_final(record)), &options);
    let named: BTreeMap<Digest, &TuningRecord> =
        records.iter().map(|record| (record.digest(), record)).collect();
    let digests = matrix.entries().iter().flat_map(Entry::records);
    let proving: Vec<TuningRecord> =
        digests.filter_map(|digest| named.get(&digest).map(|record| (*record).clone())).collect();
    observer.notify(Event::Step("collecting artifacts"));
    let mut store = artifacts::Store::new(setup, &folder, &request.sources, observer);
    for record in &proving {
        store.winner(record, &profiles)?;
    }
    let defaults = defaults::compile(&mut store, &proving, &records, &profiles)?;
    let artifacts = store.finish();
    Ok(Gathered { folder, text, matrix, records: proving, artifacts, defaults, profiles })
}

/// The one kernel that the records are of.
fn kernel(records: &[TuningRecord], request: &GatherRequest) -> Result<String, PipelineError> {
    let mut kernels: Vec<String> = records.iter().map(|record| record.kernel.clone()).collect();
    kernels.sort();
    kernels.dedup();
    match kernels.as_slice() {
        [] => Err(PipelineError::NoRecords {
            folder: request.sources.first().cloned().unwrap_or_default(),
        }),
        [one] => Ok(one.clone()),
        _ => Err(PipelineError::SeveralKernels { kernels }),
    }
}

/// The version of the spec whose records count: the folder's, or where that is asked for, that of
/// the last record.
fn version(
    records: &[TuningRecord],
    folder: &KernelFolder,
    request: &GatherRequest,
    observer: &dyn Observer,
) -> Result<Digest, PipelineError> {
    let others = records.iter().filter(|record| record.spec != folder.digest);
    let (n_others, last) = (others.clone().count(), others.clone().next_back());
    let Some(last) = last else { return Ok(folder.digest) };
    let kernel = folder.spec.name.to_string();
    if n_others < records.len() {
        let message = format!(
            "{n_others} of {} records are of other versions of `{kernel}`, and are left out",
            records.len()
        );
        observer.notify(Event::Warning(&Diagnostic::new("publish.version", message)));
        return Ok(folder.digest);
    }
    if request.any_version {
        let message = format!(
            "the records are of version `{}` of `{kernel}`, the folder is version `{}`: what is \
             published compiles to the artifacts that were measured",
            last.spec.short(),
            folder.digest.short()
        );
        observer.notify(Event::Warning(&Diagnostic::new("publish.version", message)));
        return Ok(last.spec);
    }
    Err(PipelineError::OtherVersion {
        kernel,
        recorded: last.spec,
        folder: folder.root().to_owned(),
        found: folder.digest,
    })
}

/// The profiles that the records name; says where one has changed since.
fn profiles(
    records: &[TuningRecord],
    observer: &dyn Observer,
) -> Result<BTreeMap<String, DeviceProfile>, PipelineError> {
    let mut profiles: BTreeMap<String, DeviceProfile> = BTreeMap::new();
    for record in records.iter().filter(|record| is_final(record)) {
        let environment = &record.environment;
        if profiles.contains_key(&environment.profile) {
            continue;
        }
        let profile = target::resolve(Some(&environment.profile), None)?;
        if profile.digest() != environment.profile_digest {
            let message = format!(
                "the profile `{}` is not the one that the records were made with: fractions of the \
                 roofline are by today's",
                environment.profile
            );
            observer.notify(Event::Warning(&Diagnostic::new("publish.profile", message)));
        }
        profiles.insert(environment.profile.clone(), profile);
    }
    Ok(profiles)
}

/// A workload as a record has it.
pub(crate) fn workload(recorded: &RecordedWorkload) -> Workload {
    Workload {
        name: recorded.name.clone(),
        axes: recorded.axes.clone(),
        types: recorded.types.clone(),
        role: Role::Tune,
        tolerance: None,
        output_tolerances: BTreeMap::new(),
        scalars: recorded.scalars.clone(),
    }
}
