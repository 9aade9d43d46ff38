//! The search.

use std::fmt;
use std::path::{Path, PathBuf};

use ridge_spec::digest::Digest;

use super::packages::installed_folder;
use super::search::SearchPaths;
use super::version::version_of;
use super::{Origin, ToolchainError, Toolkit};

/// Major version of the oldest NVRTC that is accepted.
const MAJOR_MIN: u32 = 12;

/// A place that was looked at and does not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// Which step of the search.
    pub origin: Origin,
    /// The place.
    pub place: PathBuf,
    /// What is missing there.
    pub why: String,
}

impl fmt::Display for Looked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({}): {}", self.place.display(), self.origin.describe(), self.why)
    }
}

/// Finds a toolkit: the explicit setting, `CUDA_HOME` or `CUDA_PATH`, the loader's path, Python
/// site-packages, Ridge's cache, the first that has all parts. Only files are looked at; nothing
/// is loaded or run.
///
/// # Errors
/// [`ToolchainError::NotFound`], with what was looked at. An explicit setting that does not do is
/// an error even where a later place would.
pub fn discover(paths: &SearchPaths) -> Result<Toolkit, ToolchainError> {
    let mut looked = Vec::new();
    let mut try_place = |origin: Origin, place: &Path, always_say: bool| {
        match probe(place, origin) {
            Ok(toolkit) => return Some(toolkit),
            Err(None) if !always_say => {}
            Err(why) => looked.push(Looked {
                origin,
                place: place.to_owned(),
                why: why.unwrap_or_else(|| "no `libnvrtc.so` there".to_owned()),
            }),
        }
        None
    };
    if let Some(setting) = &paths.setting {
        return try_place(Origin::Setting, setting, true)
            .ok_or(ToolchainError::NotFound { looked });
    }
    let found = paths
        .cuda_homes
        .iter()
        .find_map(|home| try_place(Origin::CudaHome, home, true))
        .or_else(|| {
            paths.loader_folders.iter().find_map(|folder| try_place(Origin::Loader, folder, false))
        })
        .or_else(|| {
            paths.site_packages.iter().find_map(|folder| try_place(Origin::Python, folder, false))
        })
        .or_else(|| {
            let folder = installed_folder(paths.cache_folder.as_deref()?);
            try_place(Origin::Cache, &folder, false)
        });
    found.ok_or(ToolchainError::NotFound { looked })
}

/// Looks for all parts of a toolkit at `place`. `Err(None)`: no NVRTC at all; `Err(Some(why))`:
/// one that is not usable.
pub(super) fn probe(place: &Path, origin: Origin) -> Result<Toolkit, Option<String>> {
    let folders: Vec<PathBuf> = if place.is_file() {
        place.parent().map(Path::to_owned).into_iter().collect()
    } else {
        let relative: &[&str] = match origin {
            Origin::Loader => &[""],
            Origin::Python | Origin::Cache => &["nvidia/cu13/lib", "nvidia/cuda_nvrtc/lib"],
            Origin::Setting | Origin::CudaHome => &[
                "",
                "lib64",
                "lib",
                "targets/x86_64-linux/lib",
                "targets/sbsa-linux/lib",
                "nvidia/cu13/lib",
                "nvidia/cuda_nvrtc/lib",
            ],
        };
        relative.iter().map(|folder| place.join(folder)).collect()
    };
    let mut why_not = None;
    for folder in folders {
        let Some(nvrtc) = newest_library(&folder, "libnvrtc.so") else { continue };
        match complete(nvrtc, &folder, origin) {
            Ok(toolkit) => return Ok(toolkit),
            Err(why) => why_not = why_not.or(Some(why)),
        }
    }
    Err(why_not)
}

fn complete(nvrtc: PathBuf, folder: &Path, origin: Origin) -> Result<Toolkit, String> {
    let builtins = newest_library(folder, "libnvrtc-builtins.so")
        .ok_or_else(|| "no `libnvrtc-builtins.so` beside `libnvrtc.so`".to_owned())?;
    let include_folders = include_folders(folder);
    for header in ["cuda_fp16.h", "nv/target", "crt/host_defines.h"] {
        if !include_folders.iter().any(|folder| folder.join(header).is_file()) {
            return Err(format!("`libnvrtc.so` is there, but no header `{header}`"));
        }
    }
    let version = version_of(&nvrtc)
        .ok_or_else(|| format!("`{}` does not tell its version", nvrtc.display()))?;
    let major = version.split('.').next().and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
    if major < MAJOR_MIN {
        return Err(format!("version {version} is older than {MAJOR_MIN}.0"));
    }
    let headers = digest_of_headers(&include_folders);
    Ok(Toolkit { nvrtc, builtins, include_folders, version, headers, origin })
}

/// The header folders that belong to the library folder `folder`: a toolkit's own, the Python
/// wheels' common one (CUDA 13), or one a wheel (CUDA 12).
fn include_folders(folder: &Path) -> Vec<PathBuf> {
    let real = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let mut candidates = Vec::new();
    for base in [folder, real.as_path()] {
        let Some(root) = base.parent() else { continue };
        candidates.extend([root.join("include"), root.join("include/cccl")]);
        if let Some(wheels) = root.parent() {
            for wheel in ["cuda_runtime", "cuda_cccl", "cuda_nvcc", "cuda_crt"] {
                candidates.push(wheels.join(wheel).join("include"));
            }
        }
    }
    candidates.extend(
        ["/usr/local/cuda/include", "/usr/local/cuda/include/cccl"]
            .map(PathBuf::from)
            .into_iter()
            .filter(|_| real.starts_with("/usr/local")),
    );
    let mut found: Vec<PathBuf> = Vec::new();
    for candidate in candidates {
        if let Ok(path) = candidate.canonicalize()
            && path.is_dir()
            && !found.contains(&path)
        {
            found.push(path);
        }
    }
    found
}

/// Digests names and sizes; reading the contents would take longer than the compilation.
fn digest_of_headers(include_folders: &[PathBuf]) -> Digest {
    let mut listing = String::new();
    for folder in include_folders {
        let mut files = Vec::new();
        list_files(folder, "", &mut files);
        files.sort();
        for (name, size) in files {
            listing.push_str(&format!("{name} {size}\n"));
        }
    }
    Digest::of(listing.as_bytes())
}

fn list_files(folder: &Path, prefix: &str, files: &mut Vec<(String, u64)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        let name = format!("{prefix}/{}", entry.file_name().to_string_lossy());
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => list_files(&entry.path(), &name, files),
            Ok(metadata) => files.push((name, metadata.len())),
            Err(_) => {}
        }
    }
}

/// The library of that base name with the highest version suffix in `folder`.
fn newest_library(folder: &Path, base: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?;
    entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let name = entry.file_name();
            let rest = name.to_str()?.strip_prefix(base)?;
            let version: Vec<u32> = match rest.strip_prefix('.') {
                None if rest.is_empty() => Vec::new(),
                None => return None,
                Some(digits) => digits.split('.').map(str::parse).collect::<Result<_, _>>().ok()?,
            };
            Some((version, entry.path()))
        })
        .max()
        .map(|(_, path)| path)
}

#[cfg(test)]
#[path = "discover_tests.rs"]
mod tests;
