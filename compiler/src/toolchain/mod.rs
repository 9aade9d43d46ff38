//! Finding a CUDA toolkit, and installing one where there is none.
//!
//! Only two parts of a toolkit are used: NVRTC with its built-ins library, and the headers.
//! Nothing here reads the environment: [`SearchPaths`] carries what the caller read.

mod discover;
mod install;
mod packages;
mod search;
mod version;

use std::path::PathBuf;

use ridge_spec::digest::Digest;
use serde::{Deserialize, Serialize};

pub use discover::{Looked, discover};
pub use install::{InstallProgress, NoProgress, ensure, install, installed_bytes};
pub use packages::{PACKAGES, installed_folder};
pub use search::{SearchPaths, default_cache_folder};

/// A usable toolkit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Toolkit {
    /// The NVRTC library.
    pub nvrtc: PathBuf,
    /// Its built-ins library, which has to be loaded before it.
    pub builtins: PathBuf,
    /// Folders of headers, searched in order.
    pub include_folders: Vec<PathBuf>,
    /// NVRTC's version, such as `13.0.88`.
    pub version: String,
    /// Digest of the names and sizes of all headers: the versions of the packages that they come
    /// from are not NVRTC's.
    pub headers: Digest,
    /// Where it was found.
    pub origin: Origin,
}

impl Toolkit {
    /// How records and artifact manifests name it: `nvrtc 13.0.88`.
    pub fn name(&self) -> String {
        format!("nvrtc {}", self.version)
    }
}

/// Where a toolkit was found, in the order of the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The explicit setting.
    Setting,
    /// `CUDA_HOME` or `CUDA_PATH`.
    CudaHome,
    /// The loader's path.
    Loader,
    /// A Python environment's site-packages.
    Python,
    /// Ridge's own cache.
    Cache,
}

impl Origin {
    /// The words used in messages.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Setting => "explicit setting",
            Self::CudaHome => "CUDA_HOME or CUDA_PATH",
            Self::Loader => "loader's path",
            Self::Python => "Python site-packages",
            Self::Cache => "Ridge's cache",
        }
    }
}

/// No toolkit can be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ToolchainError {
    /// Nothing usable where Ridge looks.
    #[error("no CUDA toolkit found{}", describe_looked(looked))]
    NotFound {
        /// What was looked at and why it does not do.
        looked: Vec<Looked>,
    },
    /// No program that installs Python packages.
    #[error("no installer for Python packages found (tried {})", tried.join(", "))]
    NoInstaller {
        /// The commands that do not start.
        tried: Vec<String>,
    },
    /// The installer ran and failed.
    #[error("`{command}` failed: {}", last_line(log))]
    InstallFailed {
        /// The command.
        command: String,
        /// What it said, its end.
        log: String,
        /// What the log points to.
        cause: InstallFailure,
    },
    /// The cache folder cannot be written.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

/// Why an installation failed, as far as the installer's log tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstallFailure {
    /// The registry was not reached.
    Network,
    /// No space left.
    DiskFull,
    /// The installed files are not a toolkit.
    Incomplete,
    /// Something else; the log says.
    Other,
}

impl ToolchainError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "toolchain.not-found",
            Self::NoInstaller { .. } => "toolchain.no-installer",
            Self::InstallFailed { cause, .. } => match cause {
                InstallFailure::Network => "toolchain.no-network",
                InstallFailure::DiskFull => "toolchain.disk-full",
                InstallFailure::Incomplete | InstallFailure::Other => "toolchain.install-failed",
            },
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                "toolchain.disk-full"
            }
            Self::Io { .. } => "toolchain.cache-unwritable",
        }
    }

    /// What to try.
    pub fn hint(&self) -> &'static str {
        match self.code() {
            "toolchain.not-found" => {
                "set `CUDA_HOME` to a CUDA 12 or 13 toolkit, or let Ridge install one from the \
                 Python registry"
            }
            "toolchain.no-installer" => {
                "install `python3` with `pip`, or `uv`, or set `CUDA_HOME` to a CUDA toolkit"
            }
            "toolchain.no-network" => {
                "connect to the network once, or `pip install nvidia-cuda-nvrtc \
                 nvidia-cuda-runtime nvidia-cuda-cccl nvidia-cuda-crt` from a mirror, or set \
                 `CUDA_HOME`"
            }
            "toolchain.disk-full" => {
                "free 600 MB, or set `RIDGE_CACHE` to a folder on another disk"
            }
            "toolchain.cache-unwritable" => "set `RIDGE_CACHE` to a folder that can be written",
            _ => "run the command by hand to see all it says, or set `CUDA_HOME`",
        }
    }
}

fn describe_looked(looked: &[Looked]) -> String {
    let mut text = String::new();
    for (at, place) in looked.iter().enumerate() {
        text.push_str(if at == 0 { ": " } else { "; " });
        text.push_str(&place.to_string());
    }
    text
}

fn last_line(log: &str) -> &str {
    log.lines().rev().find(|line| !line.trim().is_empty()).map_or("it said nothing", str::trim)
}
