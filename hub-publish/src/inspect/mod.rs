//! Reading a published repo back, and what is wrong with it.
//!
//! [`open`] needs the folder alone: digests, missing and foreign files, artifacts that are not what
//! their name says. [`Inspection::compare`] then makes the manifest again from the spec, the matrix,
//! the records and the artifacts, and says where the one in the repo differs.
//!
//! | code | what is wrong |
//! | --- | --- |
//! | `repo.metadata` | `metadata.json` is none, or its identifier is not that of the content |
//! | `repo.digest` | a file is not the one that the digest of the metadata, or of `kernel/files.json`, is of |
//! | `repo.missing` | a file is not there |
//! | `repo.foreign` | a file is there that neither of them knows |
//! | `repo.artifact` | PTX and CUBIN are not what was measured |
//! | `repo.matrix` | the matrix cannot be read, or contradicts records or manifest |
//! | `repo.record` | a record cannot be read |
//! | `repo.manifest` | `kernel.json` is not what the rest makes it |
//! | `repo.launch` | an entry is launched otherwise than its spec says |
//! | `repo.spec` | the spec in the repo is not the one that the manifest names |
//! | `repo.source` | the source tree for builders is not the variant's |
//! | `repo.entry` | a kernel fails its check (told by whoever runs it) |

mod compare;
mod variant;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ridge_spec::artifact::Artifact;
use ridge_spec::digest::Digest;
use ridge_spec::dtype::Dtype;
use ridge_spec::matrix::Matrix;
use ridge_spec::record::{self, TuningRecord};
use ridge_spec::space::Candidate;
use ridge_spec::target::Architecture;
use serde::Serialize;
use serde_json::Value;

use crate::folder::{self, CUDA_VARIANT, KERNEL_FOLDER, RECORDS_FILE};
use crate::listing;
use crate::publication::{DefaultEntry, PublishError, PublishOptions};

/// Something wrong with a repo.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// Stable code.
    pub code: &'static str,
    /// The file or entry.
    pub subject: String,
    /// What is wrong with it, as a clause.
    pub message: String,
}

/// An entry of the repo's manifest.
#[derive(Clone, Debug)]
pub struct InspectedEntry {
    /// What reports call it.
    pub label: String,
    /// What it is compiled for.
    pub architecture: Architecture,
    /// Extents of its workload.
    pub axes: BTreeMap<String, i64>,
    /// Its types.
    pub types: BTreeMap<String, Dtype>,
    /// The candidate.
    pub candidate: Candidate,
    /// Digest of its artifact.
    pub artifact: Digest,
    /// Whether it is the default candidate, and not a tuned one.
    pub is_default: bool,
}

/// A published repo, as far as it can be read.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The repo's folder.
    pub root: PathBuf,
    /// The variants it has, such as `torch-cuda`.
    pub variants: Vec<String>,
    /// Files of the variants.
    pub n_files: usize,
    /// The matrix, where it can be read.
    pub matrix: Option<Matrix>,
    /// The records.
    pub records: Vec<TuningRecord>,
    /// The artifacts that are what their digest says.
    pub artifacts: Vec<Artifact>,
    /// The manifest's entries.
    pub entries: Vec<InspectedEntry>,
    /// What the publisher decided.
    pub options: PublishOptions,
    /// What is wrong, in the order of the files.
    pub problems: Vec<Problem>,
    /// The manifest as it stands.
    manifest: Value,
}

/// Reads a repo.
///
/// # Errors
/// [`PublishError::NotARepo`] for a folder without builds; what is wrong inside is no error but a
/// [`Problem`].
pub fn open(path: &Path) -> Result<Inspection, PublishError> {
    let variants = variants(path)?;
    let mut inspection = Inspection {
        root: path.to_owned(),
        variants: variants.clone(),
        n_files: 0,
        matrix: None,
        records: Vec::new(),
        artifacts: Vec::new(),
        entries: Vec::new(),
        options: PublishOptions {
            repo_id: None,
            version: 1,
            license: String::new(),
            allow_predicted: true,
        },
        problems: Vec::new(),
        manifest: Value::Null,
    };
    for variant in &variants {
        variant::check(&mut inspection, &format!("build/{variant}"))?;
    }
    if variants.iter().any(|variant| CUDA_VARIANT.ends_with(variant.as_str())) {
        variant::read(&mut inspection);
    } else {
        inspection.add("repo.missing", CUDA_VARIANT, "the variant with kernels is not there");
    }
    inspection.kernel_folder();
    inspection.source_tree()?;
    listing::check(&mut inspection)?;
    Ok(inspection)
}

/// The folders of `build/`, sorted.
fn variants(path: &Path) -> Result<Vec<String>, PublishError> {
    let not_a_repo = || PublishError::NotARepo { path: path.to_owned() };
    let mut variants = Vec::new();
    for entry in std::fs::read_dir(path.join("build")).map_err(|_| not_a_repo())? {
        let Ok(entry) = entry else { continue };
        if entry.path().is_dir() {
            variants.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    variants.sort();
    if variants.is_empty() { Err(not_a_repo()) } else { Ok(variants) }
}

impl Inspection {
    /// The digest of the spec that the manifest names.
    pub fn spec_digest(&self) -> Option<Digest> {
        Digest::parse(self.manifest.get("spec")?.as_str()?)
    }

    /// The kernel's name in the manifest; empty where there is none.
    pub fn kernel(&self) -> &str {
        self.manifest.get("kernel").and_then(Value::as_str).unwrap_or_default()
    }

    /// The folder of the spec.
    pub fn kernel_path(&self) -> PathBuf {
        self.root.join(KERNEL_FOLDER)
    }

    /// The entries of the default candidate, for [`crate::publication::Publication`].
    pub fn defaults(&self) -> Vec<DefaultEntry> {
        let profile = |architecture: Architecture| {
            let own = |record: &&TuningRecord| record.environment.architecture == architecture;
            let record = self.records.iter().find(own);
            record.map(|record| record.environment.profile.clone()).unwrap_or_default()
        };
        let defaults = self.entries.iter().filter(|entry| entry.is_default);
        defaults
            .map(|entry| DefaultEntry {
                architecture: entry.architecture,
                profile: profile(entry.architecture),
                axes: entry.axes.clone(),
                types: entry.types.clone(),
                candidate: entry.candidate.clone(),
                artifact: entry.artifact,
            })
            .collect()
    }

    /// Adds a problem, once.
    pub fn add(&mut self, code: &'static str, subject: &str, message: &str) {
        let problem = Problem { code, subject: subject.to_owned(), message: message.to_owned() };
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Whether something was said about a file before.
    pub(crate) fn is_told(&self, path: &str) -> bool {
        self.problems.iter().any(|problem| problem.subject == path)
    }

    /// Reads the records; the spec is read by whoever can bind it.
    fn kernel_folder(&mut self) {
        let spec = format!("{KERNEL_FOLDER}/kernel.toml");
        if !self.root.join(&spec).is_file() {
            self.add("repo.missing", &spec, "without the spec nothing can be compared with");
        }
        let path = format!("{KERNEL_FOLDER}/{RECORDS_FILE}");
        let Ok(bytes) = std::fs::read(self.root.join(&path)) else {
            self.add("repo.missing", &path, "the records that prove the matrix are not there");
            return;
        };
        let log = record::read_log(&path, &bytes);
        for dropped in &log.dropped {
            self.add("repo.record", &path, &dropped.message);
        }
        if log.torn_tail {
            self.add("repo.record", &path, "the last record is cut off");
        }
        self.records = log.records;
    }

    /// Compares the source tree for builders with the variant.
    fn source_tree(&mut self) -> Result<(), PublishError> {
        let function = self.manifest.get("function").and_then(Value::as_str).unwrap_or_default();
        let tree = format!("torch-ext/{function}");
        if function.is_empty() || !self.root.join(&tree).is_dir() {
            return Ok(());
        }
        let mut paths = Vec::new();
        folder::walk(&self.root.join(&tree), "", &mut paths)?;
        let mut different = BTreeSet::new();
        for path in paths {
            let read = |folder: &str| std::fs::read(self.root.join(folder).join(&path)).ok();
            if read(&tree) != read(CUDA_VARIANT) {
                different.insert(path);
            }
        }
        for path in different {
            let told = self.is_told(&format!("{CUDA_VARIANT}/{path}"));
            if !told {
                let subject = format!("{tree}/{path}");
                self.add("repo.source", &subject, "it is not the file of the variant");
            }
        }
        Ok(())
    }
}
