//! `ridge publish`.

use std::path::PathBuf;

use clap::Args;
use ridge_hub_publish::folder::{self, Written};
use ridge_hub_publish::hub::{Pushed, RepoId, published_version};
use ridge_hub_publish::publication::{DefaultEntry, Publication, PublishOptions};
use ridge_pipeline::publish::{self, CompiledDefault, GatherRequest, Gathered};
use ridge_pipeline::setup::Setup;
use ridge_spec::matrix::Entry;
use serde::Serialize;

use crate::commands::push::Sender;
use crate::draw::paint::Paint;
use crate::flags::Format;
use crate::output::Answer;
use crate::progress::Progress;
use crate::{draw, environment, output};

/// Flags of `publish`.
#[derive(Debug, Args)]
pub(crate) struct PublishArguments {
    /// Folders that `tune --out` wrote, and logs of records (`.jsonl`, gzipped or not), all of one
    /// kernel: together they make one matrix. Or, for `--repo`, the one folder that `--to-folder`
    /// wrote.
    #[arg(required = true, value_name = "DIR")]
    pub(crate) sources: Vec<PathBuf>,
    /// Write the repo to this folder, and send nothing; an earlier version there is brought up to
    /// date.
    #[arg(long, value_name = "PATH", required_unless_present = "repo")]
    pub(crate) to_folder: Option<PathBuf>,
    /// The repo on the Hub. Without `--to-folder` it is created or brought up to date there; with
    /// it the card's examples name it.
    #[arg(long, value_name = "ORG/NAME")]
    pub(crate) repo: Option<String>,
    /// Where the repo on the Hub is new: only its owner sees it.
    #[arg(long, conflicts_with = "to_folder")]
    pub(crate) private: bool,
    /// Replace a version on the Hub that was not made by Ridge.
    #[arg(long, conflicts_with = "to_folder")]
    pub(crate) replace: bool,
    /// The kernel's folder [default: where the kernel's name leads, here or in `kernels`].
    #[arg(long, value_name = "SPEC")]
    pub(crate) spec: Option<PathBuf>,
    /// Major version of the repo: branch `v<N>` [default: 1, or that of the published folder].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) version: Option<u32>,
    /// SPDX identifier of the kernel's licence.
    #[arg(long, value_name = "SPDX", default_value = "Apache-2.0", value_parser = parse_license)]
    pub(crate) license: String,
    /// Publish entries that nobody measured too; the card says which.
    #[arg(long)]
    pub(crate) predicted: bool,
    /// Use records of another version of the spec, where every winner still compiles to the very
    /// artifact that was measured.
    #[arg(long)]
    pub(crate) any_version: bool,
    /// Say what would be written, and write nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

impl PublishArguments {
    fn version(&self) -> u32 {
        self.version.unwrap_or(1)
    }
}

/// What was published, or would be.
#[derive(Debug, Serialize)]
pub(crate) struct PublishAnswer {
    pub(crate) schema: u32,
    pub(crate) kernel: String,
    /// Digest of the spec and its files.
    pub(crate) spec: String,
    /// The module's name in Python.
    pub(crate) id: String,
    pub(crate) version: u32,
    /// The folder on disk, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) folder: Option<String>,
    pub(crate) dry_run: bool,
    pub(crate) n_files: usize,
    pub(crate) n_bytes: u64,
    pub(crate) changed: Vec<String>,
    pub(crate) removed: Vec<String>,
    pub(crate) n_artifacts: usize,
    pub(crate) n_defaults: usize,
    pub(crate) n_predicted: usize,
    /// Entries with a second kernel, for calls alone.
    pub(crate) n_alone: usize,
    pub(crate) entries: Vec<AnswerEntry>,
    /// What went to the Hub.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hub: Option<Pushed>,
}

/// An entry of the matrix, in short.
#[derive(Debug, Serialize)]
pub(crate) struct AnswerEntry {
    pub(crate) workload: String,
    pub(crate) device: String,
    pub(crate) basis: &'static str,
    pub(crate) median_ns: u64,
    pub(crate) fraction_of_roofline: Option<f64>,
    pub(crate) candidate: String,
    pub(crate) artifact: String,
    /// The second kernel, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) alone: Option<AnswerAlone>,
}

/// An entry's kernel for calls behind a kernel that triggers nothing.
#[derive(Debug, Serialize)]
pub(crate) struct AnswerAlone {
    pub(crate) median_ns: u64,
    pub(crate) candidate: String,
    pub(crate) artifact: String,
}

/// An identifier such as `Apache-2.0`, in which nothing ends the text it is put in.
fn parse_license(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-.+".contains(c);
    if !text.is_empty() && text.chars().all(allowed) {
        return Ok(text.to_owned());
    }
    Err("a licence is an SPDX identifier like `Apache-2.0`".to_owned())
}

pub(crate) fn run(
    setup: &Setup,
    flags: &PublishArguments,
    format: Format,
) -> anyhow::Result<Answer> {
    let repo = flags.repo.as_deref().map(RepoId::parse).transpose()?;
    let to_hub = repo.clone().filter(|_| flags.to_folder.is_none());
    if let (Some(repo), [source]) = (&to_hub, flags.sources.as_slice())
        && let Some(version) = published_version(source)
    {
        let version = flags.version.unwrap_or(version);
        return Sender::new(repo.clone(), version, flags)?.send_folder(source, format);
    }
    let sender = to_hub.map(|repo| Sender::new(repo, flags.version(), flags)).transpose()?;
    if let Some(sender) = &sender {
        // Before minutes are spent on compiling.
        sender.preflight()?;
    }
    let request = GatherRequest {
        sources: flags.sources.clone(),
        spec: flags.spec.clone(),
        any_version: flags.any_version,
    };
    let progress = Progress::new();
    let gathered = publish::gather(setup, &request, &progress)?;
    drop(progress);
    let options = PublishOptions {
        repo_id: repo.map(|id| id.to_string()),
        version: flags.version(),
        license: flags.license.clone(),
        allow_predicted: flags.predicted,
    };
    let defaults: Vec<DefaultEntry> = gathered.defaults.iter().map(default_entry).collect();
    let publication = publication(&gathered, &defaults, &options);
    let (written, hub) = match (&flags.to_folder, &sender) {
        (Some(folder), _) => (folder::write(&publication, folder, flags.dry_run)?, None),
        (None, Some(sender)) => {
            let folder = tempfile::tempdir()?;
            let written = folder::write(&publication, folder.path(), false)?;
            (written, Some(sender.send(folder.path())?))
        }
        (None, None) => anyhow::bail!("neither `--to-folder` nor `--repo` is given"),
    };
    let mut answer = answer(&gathered, flags, written);
    answer.hub = hub;
    match format {
        Format::Json => output::json(&answer)?,
        Format::Text => {
            let paint = Paint::new(environment::stdout_colour());
            output::text(&draw::publish::answer(&paint, &answer));
        }
    }
    Ok(Answer::Yes)
}

/// What was gathered, as what is published.
pub(crate) fn publication<'a>(
    gathered: &'a Gathered,
    defaults: &'a [DefaultEntry],
    options: &'a PublishOptions,
) -> Publication<'a> {
    Publication {
        spec: &gathered.folder.spec,
        digest: gathered.folder.digest,
        text: &gathered.text,
        files: &gathered.folder.files,
        matrix: &gathered.matrix,
        records: &gathered.records,
        artifacts: &gathered.artifacts,
        defaults,
        profiles: &gathered.profiles,
        options,
    }
}

fn default_entry(own: &CompiledDefault) -> DefaultEntry {
    let CompiledDefault { architecture, profile, axes, types, candidate, artifact } = own.clone();
    DefaultEntry { architecture, profile, axes, types, candidate, artifact }
}

fn answer(gathered: &Gathered, flags: &PublishArguments, written: Written) -> PublishAnswer {
    PublishAnswer {
        schema: 1,
        kernel: gathered.folder.spec.name.to_string(),
        spec: gathered.folder.digest.to_string(),
        id: written.id,
        version: flags.version(),
        folder: flags.to_folder.as_ref().map(|folder| folder.display().to_string()),
        dry_run: flags.dry_run,
        n_files: written.files.len(),
        n_bytes: written.files.values().sum(),
        changed: written.changed,
        removed: written.removed,
        n_artifacts: gathered.artifacts.len(),
        n_defaults: gathered.defaults.len(),
        n_predicted: written.n_predicted,
        n_alone: gathered.matrix.entries().iter().filter(|entry| entry.alone.is_some()).count(),
        entries: gathered.matrix.entries().iter().map(entry).collect(),
        hub: None,
    }
}

fn entry(entry: &Entry) -> AnswerEntry {
    AnswerEntry {
        workload: entry.workload.clone(),
        device: entry.device.clone(),
        basis: entry.time.basis(),
        median_ns: entry.time.median_ns(),
        fraction_of_roofline: entry.fraction_of_roofline,
        candidate: entry.candidate.to_string(),
        artifact: entry.artifact.to_string(),
        alone: entry.alone.as_ref().map(|alone| AnswerAlone {
            median_ns: alone.median_ns,
            candidate: alone.candidate.to_string(),
            artifact: alone.artifact.to_string(),
        }),
    }
}
