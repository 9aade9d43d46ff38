//! `ridge verify-repo`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use ridge_hub_publish::inspect::{self, InspectedEntry, Inspection, Problem};
use ridge_hub_publish::publication::Publication;
use ridge_pipeline::devices::DeviceChoice;
use ridge_pipeline::folder::KernelFolder;
use ridge_pipeline::publish::verify::{self, Published, PublishedCheck};
use ridge_pipeline::setup::Setup;
use ridge_pipeline::target;
use ridge_spec::target::DeviceProfile;
use serde::Serialize;

use crate::draw::paint::Paint;
use crate::flags::Format;
use crate::output::Answer;
use crate::progress::Progress;
use crate::{draw, environment, output};

/// Flags of `verify-repo`.
#[derive(Debug, Args)]
pub(crate) struct VerifyRepoArguments {
    /// The repo's folder: what `publish --to-folder` wrote, or a clone of the Hub's.
    pub(crate) path: PathBuf,
    /// Where the kernels run: `emulator`, `cuda:N`.
    #[arg(long, default_value = "emulator")]
    pub(crate) device: String,
    /// Seed of the inputs.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Compare digests, manifest and matrix, and run nothing.
    #[arg(long)]
    pub(crate) no_launch: bool,
}

/// What was found.
#[derive(Debug, Serialize)]
pub(crate) struct VerifyAnswer {
    pub(crate) schema: u32,
    pub(crate) kernel: String,
    pub(crate) folder: String,
    /// Digest of the spec that the manifest names.
    pub(crate) spec: Option<String>,
    pub(crate) device: String,
    pub(crate) variants: Vec<String>,
    pub(crate) n_files: usize,
    pub(crate) n_artifacts: usize,
    pub(crate) passed: bool,
    pub(crate) problems: Vec<Problem>,
    pub(crate) entries: Vec<PublishedCheck>,
}

pub(crate) fn run(
    setup: &Setup,
    flags: &VerifyRepoArguments,
    format: Format,
) -> anyhow::Result<Answer> {
    let device = DeviceChoice::parse(&flags.device)?;
    let mut inspection = inspect::open(&flags.path)?;
    let profiles = profiles(&inspection)?;
    let folder = load(&mut inspection);
    let mut entries = Vec::new();
    if let Some(folder) = &folder {
        compare(&mut inspection, folder, &profiles);
        if !flags.no_launch {
            let progress = Progress::new();
            entries =
                launch(setup, &inspection, folder, &profiles, (&device, flags.seed), &progress)?;
        }
    }
    for check in entries.iter().filter(|check| !check.passed) {
        let rejection = check.workloads.iter().find_map(|own| {
            let rejection = own.rejection.as_ref()?;
            Some(format!("on `{}`: {}: {}", own.workload, rejection.code(), rejection.summary()))
        });
        let message = rejection.unwrap_or_else(|| "it is legal on no workload".to_owned());
        inspection.add("repo.entry", &check.entry, &message);
    }
    let answer = answer(flags, &device, inspection, entries);
    match format {
        Format::Json => output::json(&answer)?,
        Format::Text => {
            let paint = Paint::new(environment::stdout_colour());
            output::text(&draw::verify_repo::answer(&paint, &answer));
        }
    }
    Ok(if answer.passed { Answer::Yes } else { Answer::No })
}

/// The profiles that the records name.
fn profiles(inspection: &Inspection) -> anyhow::Result<BTreeMap<String, DeviceProfile>> {
    let mut profiles = BTreeMap::new();
    for record in &inspection.records {
        let name = &record.environment.profile;
        if !profiles.contains_key(name) {
            profiles.insert(name.clone(), target::resolve(Some(name), None)?);
        }
    }
    Ok(profiles)
}

/// The spec in the repo; where it cannot be read, that is a problem of the repo.
fn load(inspection: &mut Inspection) -> Option<KernelFolder> {
    let path = inspection.kernel_path();
    if !path.join("kernel.toml").is_file() {
        return None;
    }
    match KernelFolder::load(&path) {
        Ok(folder) => Some(folder),
        Err(error) => {
            inspection.add("repo.spec", "kernel", &error.to_string());
            None
        }
    }
}

/// Makes the manifest again and compares.
fn compare(
    inspection: &mut Inspection,
    folder: &KernelFolder,
    profiles: &BTreeMap<String, DeviceProfile>,
) {
    let Some(matrix) = inspection.matrix.clone() else { return };
    let (records, artifacts) = (inspection.records.clone(), inspection.artifacts.clone());
    let (defaults, options) = (inspection.defaults(), inspection.options.clone());
    let publication = Publication {
        spec: &folder.spec,
        digest: folder.digest,
        text: "",
        files: &folder.files,
        matrix: &matrix,
        records: &records,
        artifacts: &artifacts,
        defaults: &defaults,
        profiles,
        options: &options,
    };
    inspection.compare(&publication);
}

/// Runs every entry whose artifact is whole.
fn launch(
    setup: &Setup,
    inspection: &Inspection,
    folder: &KernelFolder,
    profiles: &BTreeMap<String, DeviceProfile>,
    (device, seed): (&DeviceChoice, u64),
    progress: &Progress,
) -> anyhow::Result<Vec<PublishedCheck>> {
    let profile = |entry: &InspectedEntry| {
        let own = |record: &&ridge_spec::record::TuningRecord| {
            record.environment.architecture == entry.architecture
        };
        let record = inspection.records.iter().find(own)?;
        profiles.get(&record.environment.profile)
    };
    let published: Vec<Published<'_>> = inspection
        .entries
        .iter()
        .filter_map(|entry| {
            let artifact = inspection.artifacts.iter().find(|own| own.digest == entry.artifact)?;
            Some(Published {
                label: entry.label.clone(),
                artifact,
                axes: entry.axes.clone(),
                types: entry.types.clone(),
                candidate: entry.candidate.clone(),
                profile: profile(entry)?,
            })
        })
        .collect();
    Ok(verify::run(setup, folder, &published, device, seed, progress)?)
}

fn answer(
    flags: &VerifyRepoArguments,
    device: &DeviceChoice,
    inspection: Inspection,
    entries: Vec<PublishedCheck>,
) -> VerifyAnswer {
    VerifyAnswer {
        schema: 1,
        kernel: inspection.kernel().to_owned(),
        folder: flags.path.display().to_string(),
        spec: inspection.spec_digest().map(|digest| digest.to_string()),
        device: device.to_string(),
        variants: inspection.variants,
        n_files: inspection.n_files,
        n_artifacts: inspection.artifacts.len(),
        passed: inspection.problems.is_empty(),
        problems: inspection.problems,
        entries,
    }
}
