//! Why the pipeline could not answer. A candidate that fails is not among the reasons.

use std::path::PathBuf;

use ridge_compiler::pool::PoolError;
use ridge_compiler::toolchain::ToolchainError;
use ridge_runtime::device::DeviceError;
use ridge_spec::diagnostic::Diagnostic;
use ridge_spec::digest::Digest;

/// Why the pipeline could not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// The spec, or something on the command line that is checked against it, is wrong.
    #[error("{}", first(.0))]
    Spec(Vec<Diagnostic>),
    /// A file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of the kernel's folder leads out of it.
    #[error("`{}` leads out of the kernel's folder", path.display())]
    OutsideFolder {
        /// The file.
        path: PathBuf,
    },
    /// Something that should be a file is a folder, or too large.
    #[error("`{}` is not a file of at most {limit_bytes} bytes", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// The limit.
        limit_bytes: u64,
    },
    /// A file cannot be written; what was written before is kept.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another campaign writes to the same folder.
    #[error("another campaign is writing to `{}`", folder.display())]
    Busy {
        /// The folder.
        folder: PathBuf,
    },
    /// No workload of that name.
    #[error("the spec has no workload `{name}`")]
    UnknownWorkload {
        /// The name.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// Every workload is there to be checked only.
    #[error("`{kernel}` has no workload whose role is `tune`")]
    NothingToTune {
        /// The kernel.
        kernel: String,
    },
    /// A name that no device can have.
    #[error("no device is called `{name}`")]
    UnknownDevice {
        /// The name.
        name: String,
    },
    /// A device that this machine does not have, or that does not work.
    #[error("device `{name}` cannot be used: {reason}")]
    NoDevice {
        /// The name.
        name: String,
        /// What stands in the way.
        reason: String,
    },
    /// Nothing is known of the board, so nothing can be compiled or predicted for it.
    #[error("no profile describes the board `{board}`")]
    UnknownBoard {
        /// The driver's name of it.
        board: String,
    },
    /// A profile of another architecture than the device's.
    #[error("target `{target}` is for {wanted}, but `{device}` is {found}")]
    WrongTarget {
        /// The profile.
        target: String,
        /// The profile's architecture.
        wanted: String,
        /// The device.
        device: String,
        /// The device's architecture.
        found: String,
    },
    /// No folder for caches is named.
    #[error("there is no folder for the cache")]
    NoCache,
    /// There is no kernel compiler, and none could be installed.
    #[error(transparent)]
    Toolchain(#[from] ToolchainError),
    /// The compile workers cannot work.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The reference of a workload cannot be computed.
    #[error("the reference of workload `{workload}` failed: {message}")]
    Reference {
        /// The workload.
        workload: String,
        /// Stable code of the cause.
        code: String,
        /// What went wrong.
        message: String,
        /// What to try.
        hint: Option<String>,
    },
    /// The device cannot answer.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// Records of several kernels, where one is to be published.
    #[error("the records are of several kernels: {}", .kernels.join(", "))]
    SeveralKernels {
        /// Their names.
        kernels: Vec<String>,
    },
    /// The kernel's folder is not where one would look.
    #[error("the folder of the kernel `{kernel}` is not here")]
    NoSpec {
        /// The kernel.
        kernel: String,
    },
    /// The records were made from another version of the spec or of its files.
    #[error(
        "the records are of version `{}` of `{kernel}`, and `{}` is version `{}`",
        recorded.short(), folder.display(), found.short()
    )]
    OtherVersion {
        /// The kernel.
        kernel: String,
        /// Digest of the spec in the records.
        recorded: Digest,
        /// The kernel's folder.
        folder: PathBuf,
        /// Its digest.
        found: Digest,
    },
    /// Compiling a winner does not give what was measured.
    #[error(
        "the winner of `{workload}` compiles to artifact `{}`, and the record is of `{}`",
        found.short(), recorded.short()
    )]
    OtherArtifact {
        /// The workload.
        workload: String,
        /// What was measured.
        recorded: Digest,
        /// The compiler that made it.
        recorded_toolkit: String,
        /// What the same source compiles to here.
        found: Digest,
        /// The compiler here.
        found_toolkit: String,
    },
    /// A winner cannot be compiled any more.
    #[error("the winner of `{workload}` does not compile: {reason}")]
    NotCompiled {
        /// The workload.
        workload: String,
        /// Why.
        reason: String,
    },
    /// No record to report on.
    #[error("`{}` has no records", folder.display())]
    NoRecords {
        /// The folder.
        folder: PathBuf,
    },
}

fn first(diagnostics: &[Diagnostic]) -> String {
    match diagnostics {
        [] => "the spec is wrong".to_owned(),
        [one] => one.to_string(),
        [one, rest @ ..] => format!("{one} (and {} more)", rest.len()),
    }
}

impl PipelineError {
    /// Stable code.
    pub fn code(&self) -> String {
        match self {
            Self::Spec(diagnostics) => {
                diagnostics.first().map_or_else(|| "spec".to_owned(), |first| first.code.clone())
            }
            Self::Read { .. } => "io.read".to_owned(),
            Self::OutsideFolder { .. } => "spec.path-outside".to_owned(),
            Self::NotAFile { .. } => "io.not-a-file".to_owned(),
            Self::Write { .. } => "io.write".to_owned(),
            Self::Busy { .. } => "campaign.busy".to_owned(),
            Self::UnknownWorkload { .. } => "workload.unknown".to_owned(),
            Self::NothingToTune { .. } => "workload.none-to-tune".to_owned(),
            Self::UnknownDevice { .. } => "device.unknown".to_owned(),
            Self::NoDevice { .. } => "device.none".to_owned(),
            Self::UnknownBoard { .. } => "device.no-profile".to_owned(),
            Self::WrongTarget { .. } => "device.wrong-target".to_owned(),
            Self::Toolchain(error) => error.code().to_owned(),
            Self::NoCache => "cache.none".to_owned(),
            Self::Pool(error) => error.code().to_owned(),
            Self::Reference { code, .. } => code.clone(),
            Self::Device(_) => "device.lost".to_owned(),
            Self::SeveralKernels { .. } => "publish.kernels".to_owned(),
            Self::NoSpec { .. } => "publish.spec".to_owned(),
            Self::OtherVersion { .. } => "publish.version".to_owned(),
            Self::OtherArtifact { .. } => "publish.digest".to_owned(),
            Self::NotCompiled { .. } => "publish.compile".to_owned(),
            Self::NoRecords { .. } => "campaign.no-records".to_owned(),
        }
    }

    /// What to try.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Spec(_) | Self::Device(_) => None,
            Self::Read { .. } => {
                Some("SPEC is a folder with a `kernel.toml`, or a `.toml` file".to_owned())
            }
            Self::OutsideFolder { .. } => {
                Some("copy the file into the kernel's folder".to_owned())
            }
            Self::NotAFile { .. } => None,
            Self::Reference { hint, .. } => hint.clone(),
            Self::Write { .. } => Some(
                "free some space or choose another `--out`; running the same command again goes on \
                 from the last record"
                    .to_owned(),
            ),
            Self::Busy { .. } => Some("wait for it, or choose another `--out`".to_owned()),
            Self::UnknownWorkload { known, .. } => Some(format!("workloads: {}", known.join(", "))),
            Self::NothingToTune { .. } => {
                Some("name a workload with `--workload`, or give one `role = \"tune\"`".to_owned())
            }
            Self::UnknownDevice { .. } => {
                Some("devices: `emulator`, `cuda:0` and so on, `cuda:all`".to_owned())
            }
            Self::NoDevice { .. } => {
                Some("`ridge doctor` says what works here; `--device emulator` needs no GPU".to_owned())
            }
            Self::UnknownBoard { .. } => Some(
                "measure one with `ridge doctor --calibrate`, or name the nearest with `--target`"
                    .to_owned(),
            ),
            Self::WrongTarget { .. } => {
                Some("leave `--target` away: the device's own profile is used".to_owned())
            }
            Self::NoCache => Some("name one with `--cache` or `RIDGE_CACHE`".to_owned()),
            Self::Pool(error) => Some(error.hint().to_owned()),
            Self::Toolchain(error) => Some(error.hint().to_owned()),
            Self::SeveralKernels { .. } => {
                Some("publish one kernel at a time: name its logs only".to_owned())
            }
            Self::NoSpec { .. } => Some("name it with `--spec`".to_owned()),
            Self::OtherVersion { .. } => Some(
                "tune again, or name the version that was measured with `--spec`; `--any-version` \
                 publishes what still compiles to the very artifact that was measured"
                    .to_owned(),
            ),
            Self::OtherArtifact { recorded_toolkit, found_toolkit, .. } => Some(format!(
                "measured with {recorded_toolkit}, compiled here with {found_toolkit}; publish from \
                 the folder of the campaign, which keeps its artifacts, or use that compiler"
            )),
            Self::NotCompiled { .. } => None,
            Self::NoRecords { .. } => Some("run `ridge tune` with `--out` there first".to_owned()),
        }
    }
}
