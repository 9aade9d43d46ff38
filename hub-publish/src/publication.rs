//! What is published, and why it cannot be.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ridge_spec::artifact::Artifact;
use ridge_spec::digest::Digest;
use ridge_spec::dtype::Dtype;
use ridge_spec::kernel::KernelSpec;
use ridge_spec::matrix::Matrix;
use ridge_spec::record::TuningRecord;
use ridge_spec::space::Candidate;
use ridge_spec::target::{Architecture, DeviceProfile};

/// A kernel with everything that proves it, ready to be written as a repo.
#[derive(Clone, Copy, Debug)]
pub struct Publication<'a> {
    /// The spec, with its space and launch (generated ones too).
    pub spec: &'a KernelSpec,
    /// Digest of the spec as its author wrote it, and of its files.
    pub digest: Digest,
    /// The spec's text as its author wrote it.
    pub text: &'a str,
    /// The files that the spec names and headers that they may include, by path in its folder.
    pub files: &'a BTreeMap<String, Vec<u8>>,
    /// The winners; entries of this kernel only.
    pub matrix: &'a Matrix,
    /// The records that the matrix's entries name, for either situation, and no others.
    pub records: &'a [TuningRecord],
    /// Every artifact that an entry or a default names.
    pub artifacts: &'a [Artifact],
    /// The default candidate, compiled for each combination of types and specialized axes.
    pub defaults: &'a [DefaultEntry],
    /// Device profiles by the name under which records and defaults know them.
    pub profiles: &'a BTreeMap<String, DeviceProfile>,
    /// Everything else.
    pub options: &'a PublishOptions,
}

impl<'a> Publication<'a> {
    /// The record of that digest.
    pub(crate) fn record(&self, digest: Digest) -> Option<&'a TuningRecord> {
        self.records.iter().find(|record| record.digest() == digest)
    }
}

/// The spec's default candidate, compiled for a workload's types and specialized axes.
#[derive(Clone, Debug, PartialEq)]
pub struct DefaultEntry {
    /// What it is compiled for.
    pub architecture: Architecture,
    /// Name of the device profile whose limits it was checked against.
    pub profile: String,
    /// Extents of the workload that it was compiled for; the specialized ones count.
    pub axes: BTreeMap<String, i64>,
    /// Its types.
    pub types: BTreeMap<String, Dtype>,
    /// The spec's default.
    pub candidate: Candidate,
    /// What it compiled to.
    pub artifact: Digest,
}

/// What the publisher decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishOptions {
    /// `org/name` on the Hub, where it is known.
    pub repo_id: Option<String>,
    /// The major version: branch `v<version>`.
    pub version: u32,
    /// SPDX identifier of the kernel's licence.
    pub license: String,
    /// Whether entries that nobody measured may be published; the card says so.
    pub allow_predicted: bool,
}

/// Why there is no repo.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The matrix has no entry.
    #[error("there is no winner of `{kernel}` to publish")]
    Empty {
        /// The kernel.
        kernel: String,
    },
    /// An entry was predicted, and that is not asked for.
    #[error("{n_predicted} of {n_entries} entries of `{kernel}` are predicted, not measured")]
    Predicted {
        /// The kernel.
        kernel: String,
        /// Entries that nobody measured.
        n_predicted: usize,
        /// All entries.
        n_entries: usize,
    },
    /// Something that the repo's Python could not call.
    #[error("`{subject}` of `{kernel}` cannot be published: {reason}")]
    Interface {
        /// The kernel.
        kernel: String,
        /// An axis, a type variable or an input.
        subject: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An entry that does not fit the spec, its records or its artifacts.
    #[error("the entry for `{entry}` cannot be published: {reason}")]
    Entry {
        /// The workload, as text.
        entry: String,
        /// What is wrong.
        reason: String,
    },
    /// The folder holds something that is no earlier version of the repo.
    #[error("`{}` holds files that are not of a published kernel, such as `{found}`", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// One of them.
        found: String,
    },
    /// The folder holds another kernel's repo.
    #[error("`{}` holds the published kernel `{other}`", folder.display())]
    OtherKernel {
        /// The folder.
        folder: PathBuf,
        /// The kernel in it.
        other: String,
    },
    /// A folder without builds.
    #[error("`{}` is no kernel repo: there are no builds in it", path.display())]
    NotARepo {
        /// The folder.
        path: PathBuf,
    },
    /// A file cannot be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl PublishError {
    /// Stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty { .. } => "publish.empty",
            Self::Predicted { .. } => "publish.predicted",
            Self::Interface { .. } => "publish.interface",
            Self::Entry { .. } => "publish.entry",
            Self::Folder { .. } | Self::OtherKernel { .. } => "publish.folder",
            Self::NotARepo { .. } => "repo.none",
            Self::Write { .. } => "io.write",
            Self::Read { .. } => "io.read",
        }
    }

    /// What to try.
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Empty { .. } => {
                Some("`ridge tune` makes winners; `ridge report` shows what was rejected")
            }
            Self::Predicted { .. } => Some(
                "measure them with `ridge tune --device cuda:0`, or publish them as predictions with \
                 `--predicted`",
            ),
            Self::Interface { .. } => {
                Some("the published function learns extents and types from its tensors")
            }
            Self::Entry { .. } => None,
            Self::Folder { .. } => Some("name an empty folder, or one that `ridge publish` wrote"),
            Self::OtherKernel { .. } => Some("a kernel has a folder of its own: name another"),
            Self::NotARepo { .. } => {
                Some("name the folder that `ridge publish --to-folder` wrote, with `build` in it")
            }
            Self::Write { .. } => {
                Some("free some space or name another folder, and run the command again")
            }
            Self::Read { .. } => None,
        }
    }
}
