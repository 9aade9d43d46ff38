//! The folder to publish: every file with the identities that git and the Hub give it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use sha1::Digest as _;

use super::error::HubError;
use super::existing::RemoteFile;
use super::metadata::Metadata;
use super::options::Target;

/// The card's name in the folder; on the Hub it is the `README.md` of `main`.
pub(super) const CARD: &str = "CARD.md";

/// The version of a folder that `folder::write` made, as its builds have it; `None` for any other
/// folder.
pub fn published_version(folder: &Path) -> Option<u32> {
    let mut builds: Vec<_> = std::fs::read_dir(folder.join("build")).ok()?.flatten().collect();
    builds.sort_by_key(std::fs::DirEntry::file_name);
    let read = |build: std::fs::DirEntry| std::fs::read(build.path().join("metadata.json")).ok();
    builds.into_iter().filter_map(read).find_map(|bytes| Metadata::parse(&bytes)?.version)
}

/// A file's content, and how it is named by content.
#[derive(Clone, Debug)]
pub(super) struct LocalFile {
    pub(super) bytes: Vec<u8>,
    /// SHA-1 of git's blob: what the Hub lists for a file inside git.
    pub(super) git_oid: String,
    /// SHA-1 of the blob that stands for the content in git where the content itself is in the
    /// large-file storage: what the Hub lists then.
    pub(super) pointer_oid: String,
    /// SHA-256 of the content.
    pub(super) sha256: String,
}

impl LocalFile {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        let sha256 = hex(&sha2::Sha256::digest(&bytes));
        // The canonical pointer of Git LFS, specification v1.
        let pointer = format!(
            "version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {}\n",
            bytes.len()
        );
        Self { git_oid: blob(&bytes), pointer_oid: blob(pointer.as_bytes()), sha256, bytes }
    }

    /// Whether the Hub has this content, inside git or beside it.
    pub(super) fn is_at(&self, remote: &RemoteFile) -> bool {
        let oid = if remote.is_large { &self.pointer_oid } else { &self.git_oid };
        *oid == remote.git_oid
    }

    pub(super) fn n_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// Everything in the folder, by path with `/`.
#[derive(Clone, Debug)]
pub(super) struct LocalFolder {
    pub(super) files: BTreeMap<String, LocalFile>,
    /// The kernel's name, from its metadata.
    pub(super) kernel: String,
}

impl LocalFolder {
    /// Reads the folder, and sees that it is the version `target` asks for.
    ///
    /// # Errors
    /// [`HubError::Folder`] for what cannot be read, is no plain file, has a name that is no
    /// UTF-8, or is no kernel repo of that version.
    pub(super) fn read(folder: &Path, target: &Target) -> Result<Self, HubError> {
        let mut files = BTreeMap::new();
        read_into(folder, "", &mut files)?;
        let kernel = kernel_of(folder, &files, target)?;
        Ok(Self { files, kernel })
    }

    /// The card, where there is one.
    pub(super) fn card(&self) -> Option<&LocalFile> {
        self.files.get(CARD)
    }

    /// Whether there is a card, and it does not name the repo.
    pub(super) fn card_is_of_another(&self, target: &Target) -> bool {
        let id = target.repo.to_string();
        let names = |card: &LocalFile| String::from_utf8_lossy(&card.bytes).contains(&id);
        self.card().is_some_and(|card| !names(card))
    }

    /// A tag that only this content has: `ridge-v1-` and twelve digits of a digest over every path
    /// and content.
    pub(super) fn tag(&self, target: &Target) -> String {
        let mut digest = sha2::Sha256::new();
        for (path, file) in &self.files {
            digest.update(path.as_bytes());
            digest.update(b"\0");
            digest.update(file.sha256.as_bytes());
            digest.update(b"\n");
        }
        let digits = hex(&digest.finalize());
        format!("ridge-{}-{}", target.branch(), digits.get(..12).unwrap_or_default())
    }
}

fn read_into(
    folder: &Path,
    prefix: &str,
    files: &mut BTreeMap<String, LocalFile>,
) -> Result<(), HubError> {
    let wrong = |path: &Path, reason: String| HubError::Folder { path: path.to_owned(), reason };
    let entries = std::fs::read_dir(folder).map_err(|error| wrong(folder, error.to_string()))?;
    for entry in entries {
        let entry = entry.map_err(|error| wrong(folder, error.to_string()))?;
        let path = entry.path();
        let kind = entry.file_type().map_err(|error| wrong(&path, error.to_string()))?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            return Err(wrong(&path, "its name is no UTF-8".to_owned()));
        };
        // What running or looking at the folder leaves behind.
        if matches!(name, "__pycache__" | ".git" | ".DS_Store") || name.ends_with(".pyc") {
            continue;
        }
        let within = format!("{prefix}{name}");
        if kind.is_dir() {
            read_into(&path, &format!("{within}/"), files)?;
        } else if kind.is_file() {
            let bytes = std::fs::read(&path).map_err(|error| wrong(&path, error.to_string()))?;
            files.insert(within, LocalFile::new(bytes));
        } else {
            return Err(wrong(&path, "it is neither a file nor a folder".to_owned()));
        }
    }
    Ok(())
}

/// Name of the kernel, on which all variants have to agree, as on the version.
fn kernel_of(
    folder: &Path,
    files: &BTreeMap<String, LocalFile>,
    target: &Target,
) -> Result<String, HubError> {
    let wrong = |path: &str, reason: String| HubError::Folder { path: folder.join(path), reason };
    let mut kernel: Option<String> = None;
    for (path, file) in files {
        let Some(variant) = path.strip_prefix("build/").and_then(|rest| rest.split('/').next())
        else {
            continue;
        };
        if *path != format!("build/{variant}/metadata.json") {
            continue;
        }
        let metadata = Metadata::parse(&file.bytes)
            .ok_or_else(|| wrong(path, "it is no metadata of a kernel".to_owned()))?;
        if metadata.version != Some(target.version) {
            let has = metadata.version.map_or_else(|| "none".to_owned(), |v| v.to_string());
            let reason = format!("its version is {has}, not {}", target.version);
            return Err(wrong(path, reason));
        }
        if kernel.as_ref().is_some_and(|kernel| *kernel != metadata.name) {
            return Err(wrong(path, "the variants are of different kernels".to_owned()));
        }
        kernel = Some(metadata.name);
    }
    kernel.ok_or_else(|| wrong("", "it has no `build/VARIANT/metadata.json`".to_owned()))
}

/// Git's name of a blob with this content.
fn blob(bytes: &[u8]) -> String {
    let mut digest = sha1::Sha1::new();
    digest.update(format!("blob {}\0", bytes.len()));
    digest.update(bytes);
    hex(&digest.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a `String` cannot fail.
        let _written = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::options::RepoId;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    fn target(version: u32) -> Target {
        Target::new(RepoId::parse("org/rmsnorm").unwrap(), version)
    }

    const METADATA: &str = r#"{"name": "rmsnorm", "id": "_rmsnorm_1", "version": 1}"#;

    #[track_caller]
    fn check(files: &[(&str, &str)], version: u32, expected: &str) {
        let folder = folder(files);
        let got = match LocalFolder::read(folder.path(), &target(version)) {
            Ok(read) => read.files.into_keys().collect::<Vec<_>>().join(" "),
            Err(error) => error
                .to_string()
                .replace(&folder.path().display().to_string(), "DIR")
                .replace("DIR/`", "DIR`"),
        };
        assert_eq!(got, expected);
    }

    #[test]
    fn what_is_read() {
        check(
            &[
                ("CARD.md", "card"),
                ("build/torch-cuda/metadata.json", METADATA),
                ("build/torch-cuda/__pycache__/a.pyc", "x"),
                ("build/torch-cuda/b.pyc", "x"),
                ("build/torch-cuda/sub/metadata.json", "not looked at"),
            ],
            1,
            "CARD.md build/torch-cuda/metadata.json build/torch-cuda/sub/metadata.json",
        );
    }

    #[test]
    fn what_is_refused() {
        check(&[], 1, "`DIR` cannot be published: it has no `build/VARIANT/metadata.json`");
        let path = "build/torch-cuda/metadata.json";
        check(
            &[(path, METADATA)],
            2,
            "`DIR/build/torch-cuda/metadata.json` cannot be published: its version is 1, not 2",
        );
        check(
            &[(path, "{}")],
            1,
            "`DIR/build/torch-cuda/metadata.json` cannot be published: it is no metadata of a \
             kernel",
        );
        check(
            &[(path, METADATA), ("build/torch-cpu/metadata.json", &METADATA.replace("rms", "x"))],
            1,
            "`DIR/build/torch-cuda/metadata.json` cannot be published: the variants are of \
             different kernels",
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_refused() {
        let folder = folder(&[("build/torch-cuda/metadata.json", METADATA)]);
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("secret")).unwrap();
        let error = LocalFolder::read(folder.path(), &target(1)).unwrap_err();
        assert!(error.to_string().ends_with("it is neither a file nor a folder"), "{error}");
    }

    #[test]
    fn identities_are_those_of_git() {
        // `printf hello | git hash-object --stdin`, `printf hello | sha256sum`
        let file = LocalFile::new(b"hello".to_vec());
        assert_eq!(file.git_oid, "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0");
        assert!(file.sha256.starts_with("2cf24dba5fb0a30e26e83b2ac5b9e29e"));
    }

    #[test]
    fn the_version_of_a_folder() {
        let version = |files: &[(&str, &str)]| published_version(folder(files).path());
        assert_eq!(version(&[("build/torch-cuda/metadata.json", METADATA)]), Some(1));
        assert_eq!(version(&[("build/torch-cuda/metadata.json", "{}"), ("build/x", "")]), None);
        assert_eq!(version(&[("records.jsonl", "")]), None);
    }

    #[test]
    fn the_tag_follows_the_content() {
        let read = |text: &str| {
            let path = "build/torch-cuda/metadata.json";
            let folder = folder(&[(path, METADATA), ("build/torch-cuda/a.py", text)]);
            LocalFolder::read(folder.path(), &target(1)).unwrap().tag(&target(1))
        };
        assert_eq!(read("a"), read("a"));
        assert_ne!(read("a"), read("b"));
        assert!(read("a").starts_with("ridge-v1-"));
        assert_eq!(read("a").len(), "ridge-v1-".len() + 12);
    }
}
