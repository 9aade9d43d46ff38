//! Where to look, computed from values that the caller read from the environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The places a toolkit may be, from the most to the least explicit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchPaths {
    /// The explicit setting: a toolkit's root, its library folder, or the library itself. Where
    /// it is set, nothing else is looked at.
    pub setting: Option<PathBuf>,
    /// `CUDA_HOME`, `CUDA_PATH`.
    pub cuda_homes: Vec<PathBuf>,
    /// The loader's folders.
    pub loader_folders: Vec<PathBuf>,
    /// Python site-packages folders.
    pub site_packages: Vec<PathBuf>,
    /// Ridge's cache folder; `None` where there is no home either.
    pub cache_folder: Option<PathBuf>,
}

impl SearchPaths {
    /// Computes the places from environment variables, which `lookup` answers for: `RIDGE_TOOLKIT`,
    /// `CUDA_HOME`, `CUDA_PATH`, `LD_LIBRARY_PATH`, `VIRTUAL_ENV`, `CONDA_PREFIX`, `PYTHONPATH`,
    /// `PATH`, `RIDGE_CACHE`, `XDG_CACHE_HOME`, `HOME`. Empty values count as unset.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> Self {
        let get = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let list = |name: &str| -> Vec<PathBuf> {
            get(name).map(|value| std::env::split_paths(&value).collect()).unwrap_or_default()
        };
        let mut loader_folders = list("LD_LIBRARY_PATH");
        loader_folders.extend(
            ["/usr/local/cuda/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib"]
                .map(PathBuf::from),
        );
        let mut prefixes: Vec<PathBuf> = ["VIRTUAL_ENV", "CONDA_PREFIX"]
            .iter()
            .filter_map(|name| get(name))
            .map(Into::into)
            .collect();
        prefixes.extend(get("HOME").map(|home| Path::new(&home).join(".local")));
        prefixes.extend(list("PATH").iter().filter_map(|folder| python_prefix(folder)));
        let mut site_packages = list("PYTHONPATH");
        site_packages.extend(prefixes.iter().flat_map(|prefix| site_packages_of(prefix)));
        let mut seen = Vec::new();
        site_packages.retain(|folder| {
            let new = !seen.contains(folder);
            if new {
                seen.push(folder.clone());
            }
            new
        });
        Self {
            setting: get("RIDGE_TOOLKIT").map(Into::into),
            cuda_homes: ["CUDA_HOME", "CUDA_PATH"]
                .iter()
                .filter_map(|name| get(name))
                .map(Into::into)
                .collect(),
            loader_folders,
            site_packages,
            cache_folder: default_cache_folder(
                get("RIDGE_CACHE"),
                get("XDG_CACHE_HOME"),
                get("HOME"),
            ),
        }
    }
}

/// Ridge's cache folder: `$RIDGE_CACHE`, else `$XDG_CACHE_HOME/ridge`, else `~/.cache/ridge`.
///
/// Empty values count as unset; so does a relative `XDG_CACHE_HOME`, as its specification asks.
pub fn default_cache_folder(
    ridge_cache: Option<OsString>,
    xdg_cache_home: Option<OsString>,
    home: Option<OsString>,
) -> Option<PathBuf> {
    let set = |value: Option<OsString>| value.filter(|value| !value.is_empty()).map(PathBuf::from);
    set(ridge_cache)
        .or_else(|| {
            set(xdg_cache_home).filter(|path| path.is_absolute()).map(|path| path.join("ridge"))
        })
        .or_else(|| set(home).map(|path| path.join(".cache").join("ridge")))
}

/// The prefix of the Python whose `python3` lies in `folder`; links are followed, so that an
/// environment's own `bin` folder leads to the environment and not to its base.
fn python_prefix(folder: &Path) -> Option<PathBuf> {
    folder.join("python3").exists().then(|| folder.parent().map(Path::to_owned)).flatten()
}

/// `lib/python3*/{site,dist}-packages` below `prefix`, in order of name.
fn site_packages_of(prefix: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(prefix.join("lib")) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("python3"))
        .flat_map(|entry| ["site-packages", "dist-packages"].map(|name| entry.path().join(name)))
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    found
}
