//! Artifacts on disk, and the compiler's cache of them.
//!
//! One folder an entry, named by a digest: `manifest.json`, `kernel.ptx`, `kernel.cubin`. An
//! entry is written beside its place and renamed into it, so it is there whole or not at all;
//! and its digest is checked on reading, so one that was torn or edited counts as absent.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ridge_spec::artifact::{Artifact, MANIFEST_SCHEMA, Manifest};
use ridge_spec::digest::Digest;
use ridge_spec::outcome::Rejection;
use serde::{Deserialize, Serialize};

/// Schema number of a cache entry.
const ENTRY_SCHEMA: u32 = 1;

/// An entry cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} `{}`", path.display())]
pub struct CacheError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl CacheError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self.source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "cache.disk-full",
            _ => "cache.unusable",
        }
    }

    /// What to try.
    pub fn hint(&self) -> &'static str {
        match self.code() {
            "cache.disk-full" => "free some space; what was compiled before is kept",
            _ => "set `RIDGE_CACHE` to a folder that can be written",
        }
    }
}

/// The compiler's cache: results by [`crate::cuda::Unit::key`].
///
/// Holds artifacts and the rejections that compiling again would repeat (errors of the source,
/// too much shared memory). Timeouts and crashes are not kept.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
}

/// `manifest.json` of an entry: the artifact's manifest, and what proves the files whole.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    schema: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    compiled: Option<Compiled>,
    /// Kept as text with its digest, so that a damaged one is noticed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rejected: Option<Rejected>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Compiled {
    digest: Digest,
    manifest: Manifest,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rejected {
    digest: Digest,
    rejection: String,
}

impl Cache {
    /// The cache in `cache_folder`, Ridge's own. Nothing is created until something is stored.
    pub fn new(cache_folder: &Path) -> Self {
        Self { folder: cache_folder.join("artifacts") }
    }

    /// The result stored under `key`. A damaged entry is `None`: it is compiled again.
    pub fn get(&self, key: Digest) -> Option<Result<Artifact, Rejection>> {
        let folder = self.folder.join(key.to_string());
        let entry: Entry =
            serde_json::from_slice(&fs::read(folder.join("manifest.json")).ok()?).ok()?;
        if entry.schema != ENTRY_SCHEMA {
            return None;
        }
        if let Some(Rejected { digest, rejection }) = entry.rejected {
            if Digest::of(rejection.as_bytes()) != digest {
                return None;
            }
            return serde_json::from_str(&rejection).ok().map(Err);
        }
        let Compiled { digest, manifest } = entry.compiled?;
        read_files(&folder, manifest).filter(|artifact| artifact.digest == digest).map(Ok)
    }

    /// Stores a result under `key`, in place of a damaged one.
    ///
    /// # Errors
    /// [`CacheError`]: the entry could not be written; the others are untouched.
    pub fn put(&self, key: Digest, result: &Result<Artifact, Rejection>) -> Result<(), CacheError> {
        if let Err(Rejection::Timeout { .. } | Rejection::Crash { .. }) = result {
            return Ok(());
        }
        let entry = match result {
            Ok(artifact) => Entry {
                schema: ENTRY_SCHEMA,
                compiled: Some(Compiled {
                    digest: artifact.digest,
                    manifest: artifact.manifest.clone(),
                }),
                rejected: None,
            },
            Err(rejection) => {
                let rejection = serde_json::to_string(rejection).unwrap_or_default();
                let digest = Digest::of(rejection.as_bytes());
                Entry {
                    schema: ENTRY_SCHEMA,
                    compiled: None,
                    rejected: Some(Rejected { digest, rejection }),
                }
            }
        };
        let json = serde_json::to_vec_pretty(&entry).unwrap_or_default();
        write_entry(&self.folder, &key.to_string(), &json, result.as_ref().ok())
    }
}

/// Writes an artifact to `folder/<its digest>/`, whole or not at all; the entry's folder is
/// returned. What is there already is kept, if it is whole.
///
/// # Errors
/// [`CacheError`].
pub fn write_artifact(folder: &Path, artifact: &Artifact) -> Result<PathBuf, CacheError> {
    let name = artifact.digest.to_string();
    let path = folder.join(&name);
    if read_artifact(folder, artifact.digest).is_none() {
        let json = serde_json::to_vec_pretty(&artifact.manifest).unwrap_or_default();
        write_entry(folder, &name, &json, Some(artifact))?;
    }
    Ok(path)
}

/// Reads the artifact that [`write_artifact`] wrote; `None` where it is absent or damaged.
pub fn read_artifact(folder: &Path, digest: Digest) -> Option<Artifact> {
    let path = folder.join(digest.to_string());
    let manifest: Manifest =
        serde_json::from_slice(&fs::read(path.join("manifest.json")).ok()?).ok()?;
    read_files(&path, manifest).filter(|artifact| artifact.digest == digest)
}

fn read_files(folder: &Path, manifest: Manifest) -> Option<Artifact> {
    if manifest.schema != MANIFEST_SCHEMA {
        return None;
    }
    let ptx = fs::read_to_string(folder.join("kernel.ptx")).ok()?;
    let cubin = fs::read(folder.join("kernel.cubin")).ok()?;
    Some(Artifact::new(manifest, ptx, cubin))
}

fn write_entry(
    folder: &Path,
    name: &str,
    manifest: &[u8],
    artifact: Option<&Artifact>,
) -> Result<(), CacheError> {
    fs::create_dir_all(folder).map_err(error("create the folder", folder))?;
    let scratch = tempfile::Builder::new()
        .prefix(".writing-")
        .tempdir_in(folder)
        .map_err(error("create a folder in", folder))?;
    let write = |file: &str, bytes: &[u8]| {
        let path = scratch.path().join(file);
        fs::write(&path, bytes).map_err(error("write", &path))
    };
    write("manifest.json", manifest)?;
    if let Some(artifact) = artifact {
        write("kernel.ptx", artifact.ptx.as_bytes())?;
        write("kernel.cubin", &artifact.cubin)?;
    }
    let place = folder.join(name);
    let scratch = scratch.keep();
    let moved = fs::rename(&scratch, &place).or_else(|_| {
        // What is in the way is damaged, or somebody else's copy of the same: replace it.
        let _gone = fs::remove_dir_all(&place);
        fs::rename(&scratch, &place)
    });
    moved.map_err(|source| {
        let _gone = fs::remove_dir_all(&scratch);
        error("move an entry to", &place)(source)
    })
}

fn error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CacheError {
    let path = path.to_owned();
    move |source| CacheError { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ridge_spec::artifact::Resources;
    use ridge_spec::outcome::Phase;
    use ridge_spec::target::Architecture;

    fn artifact() -> Artifact {
        let manifest = Manifest {
            schema: MANIFEST_SCHEMA,
            entry_symbol: "k".into(),
            target: Architecture::parse("sm_90a").unwrap(),
            toolkit: "nvrtc 13.0.88".into(),
            options: vec![],
            resources: Resources::default(),
            parameters: vec![],
            compile_time_ns: 1,
        };
        Artifact::new(manifest, ".version 9.0\n".into(), vec![1, 2, 3])
    }

    fn compile_error() -> Rejection {
        Rejection::Compile { diagnostics: vec![], log: "k.cu(1): error: no\n".into() }
    }

    #[test]
    fn keeps_what_would_come_out_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        let key = Digest::of(b"key");
        assert!(cache.get(key).is_none());
        for result in [Ok(artifact()), Err(compile_error())] {
            cache.put(key, &result).unwrap();
            assert_eq!(cache.get(key), Some(result));
        }
        let other = Digest::of(b"other");
        let timeout = Rejection::Timeout { phase: Phase::Compile, limit: None, finding: None };
        cache.put(other, &Err(timeout)).unwrap();
        assert!(cache.get(other).is_none());
    }

    #[test]
    fn takes_a_damaged_entry_for_none_and_replaces_it() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        let key = Digest::of(b"key");
        let path = folder.path().join("artifacts").join(key.to_string());
        for file in ["manifest.json", "kernel.ptx", "kernel.cubin"] {
            for damage in ["torn", "garbage", "gone"] {
                cache.put(key, &Ok(artifact())).unwrap();
                let file = path.join(file);
                match damage {
                    "torn" => {
                        let bytes = fs::read(&file).unwrap();
                        fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
                    }
                    "garbage" => fs::write(&file, [0xff; 30]).unwrap(),
                    _ => fs::remove_file(&file).unwrap(),
                }
                assert!(cache.get(key).is_none(), "{damage} {}", file.display());
            }
        }
        cache.put(key, &Err(compile_error())).unwrap();
        let manifest = path.join("manifest.json");
        let text = fs::read_to_string(&manifest).unwrap().replace("error: no", "error: on");
        fs::write(&manifest, text).unwrap();
        assert!(cache.get(key).is_none());
        cache.put(key, &Ok(artifact())).unwrap();
        assert_eq!(cache.get(key), Some(Ok(artifact())));
        assert_eq!(fs::read_dir(folder.path().join("artifacts")).unwrap().count(), 1);
    }

    #[test]
    fn names_the_cause_of_a_failed_write() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("artifacts"), "a file in the way").unwrap();
        let error = Cache::new(folder.path()).put(Digest::of(b"k"), &Ok(artifact())).unwrap_err();
        assert_eq!(error.code(), "cache.unusable");
        let full = CacheError {
            action: "write",
            path: "x".into(),
            source: io::Error::from(io::ErrorKind::StorageFull),
        };
        assert_eq!(full.code(), "cache.disk-full");
    }

    #[test]
    fn writes_artifacts_by_their_own_digest() {
        let folder = tempfile::tempdir().unwrap();
        let path = write_artifact(folder.path(), &artifact()).unwrap();
        assert_eq!(path, write_artifact(folder.path(), &artifact()).unwrap());
        assert_eq!(read_artifact(folder.path(), artifact().digest), Some(artifact()));
        fs::write(path.join("kernel.ptx"), "torn").unwrap();
        assert_eq!(read_artifact(folder.path(), artifact().digest), None);
        write_artifact(folder.path(), &artifact()).unwrap();
        assert_eq!(read_artifact(folder.path(), artifact().digest), Some(artifact()));
    }
}
