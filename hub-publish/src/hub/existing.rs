//! What a kernel repo on the Hub has in it.

use std::collections::BTreeMap;

use hf_hub::repository::{GitRefs, RepoTreeEntry};
use hf_hub::{HFError, HFRepositorySync, RepoTypeKernel};
use serde::Serialize;

use super::Hub;
use super::ask::Question;
use super::error::HubError;
use super::event::Watcher;
use super::metadata::{Metadata, VariantName};
use super::options::RepoId;

/// A kernel repo on the Hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Existing {
    /// Its id, as `get_kernel` takes it.
    pub id: RepoId,
    /// Its page.
    pub url: String,
    /// Whether only some may see it.
    pub private: bool,
    /// Time of the last commit, as the Hub gives it (ISO 8601).
    pub last_modified: Option<String>,
    /// Downloads the Hub has counted.
    pub downloads: Option<u64>,
    /// Whether `kernels` loads it without `trust_remote_code`.
    pub trusted_publisher: Option<bool>,
    /// Versions, oldest first: branches `v0`, `v1`, …
    pub versions: Vec<ExistingVersion>,
    /// Tags, in the Hub's order.
    pub tags: Vec<String>,
}

/// A version of a kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExistingVersion {
    /// Number, as `get_kernel(…, version=…)` takes it.
    pub version: u32,
    /// The commit its branch is at.
    pub commit: String,
    /// Builds, by name.
    pub variants: Vec<ExistingVariant>,
}

/// A build of a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExistingVariant {
    /// Name of its folder in `build/`.
    pub name: String,
    /// What the name says; `None` where it is no name that `kernels` knows.
    pub made_for: Option<VariantName>,
    /// The kernel's name in `metadata.json`; `None` where the file was not read or is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// The build's id in `metadata.json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_id: Option<String>,
    /// Licence in `metadata.json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// Least version of `kernels` in `metadata.json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernels_minver: Option<String>,
    /// Architectures in `metadata.json`: `9.0a`, `9.0+PTX`; empty where it names none.
    pub architectures: Vec<String>,
    /// Whether Ridge published it.
    pub by_ridge: bool,
    /// Whether it carries a tuned matrix of Ridge's.
    pub tuned_matrix: bool,
}

impl Existing {
    /// The version of that number.
    pub fn version(&self, version: u32) -> Option<&ExistingVersion> {
        self.versions.iter().find(|it| it.version == version)
    }

    /// The highest version.
    pub fn newest(&self) -> Option<u32> {
        self.versions.iter().map(|it| it.version).max()
    }
}

/// A repo's handle in the official client.
pub(super) type Repo = HFRepositorySync<RepoTypeKernel>;

/// A repo as it was found, with what publishing needs to know of it.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) existing: Existing,
    pub(super) refs: GitRefs,
}

impl Found {
    /// The commit that a branch is at.
    pub(super) fn branch(&self, name: &str) -> Option<&str> {
        branch_of(&self.refs, name)
    }
}

/// The commit that a branch is at.
pub(super) fn branch_of<'a>(refs: &'a GitRefs, name: &str) -> Option<&'a str> {
    let branch = refs.branches.iter().find(|branch| branch.name == name)?;
    Some(&branch.target_commit)
}

impl Hub {
    /// What the repo has in it; `None` where there is none, or none that this token may see.
    ///
    /// Questions: one for the repo, one for its branches, one for each version's tree, two for each
    /// `metadata.json` that is read. Those of the variants for one build of torch say the same: of
    /// them only the first is read.
    ///
    /// # Errors
    /// [`HubError`], as the network and the server have it.
    pub fn look(&self, id: &RepoId, watch: &Watcher) -> Result<Option<Existing>, HubError> {
        Ok(self.find(id, watch)?.map(|found| found.existing))
    }

    /// [`Hub::look`], and the branches.
    pub(super) fn find(&self, id: &RepoId, watch: &Watcher) -> Result<Option<Found>, HubError> {
        let repo = self.repo(id);
        let question = Question::new(format!("look at `{id}`"));
        let info = match self.ask(&question, watch, || repo.info().send()) {
            Ok(info) => info,
            Err(error) if self.means_absent(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let refs = self.refs(&repo, id, watch)?;
        let mut versions = Vec::new();
        for branch in &refs.branches {
            let Some(version) = version_of(&branch.name) else { continue };
            let commit = branch.target_commit.clone();
            let variants = self.variants(&repo, id, &commit, watch)?;
            versions.push(ExistingVersion { version, commit, variants });
        }
        versions.sort_by_key(|it| it.version);
        let existing = Existing {
            id: id.clone(),
            url: format!("{}/kernels/{id}", self.endpoint()),
            private: info.private.unwrap_or(false),
            last_modified: info.last_modified,
            downloads: info.downloads,
            trusted_publisher: info.trusted_publisher,
            versions,
            tags: refs.tags.iter().map(|tag| tag.name.clone()).collect(),
        };
        Ok(Some(Found { existing, refs }))
    }

    /// Branches and tags.
    pub(super) fn refs(
        &self,
        repo: &Repo,
        id: &RepoId,
        watch: &Watcher,
    ) -> Result<GitRefs, HubError> {
        let question = Question::new(format!("list the branches of `{id}`"));
        self.ask(&question, watch, || repo.list_refs().send())
    }

    /// Every file at a commit, or every file under a folder of it; empty where the folder is not
    /// there.
    pub(super) fn tree(
        &self,
        repo: &Repo,
        id: &RepoId,
        (commit, folder): (&str, Option<&str>),
        watch: &Watcher,
    ) -> Result<BTreeMap<String, RemoteFile>, HubError> {
        let question = Question::new(format!("list the files of `{id}`"));
        let folder = folder.map(ToOwned::to_owned);
        let entries = self.ask(&question, watch, || {
            let tree = repo.list_tree().revision(commit).maybe_path_in_repo(folder.clone());
            match tree.recursive(true).send() {
                Err(HFError::Http { context }) if context.status.as_u16() == 404 => Ok(Vec::new()),
                answer => answer,
            }
        })?;
        let files = entries.into_iter().filter_map(|entry| match entry {
            RepoTreeEntry::File { path, oid, size, lfs, .. } => {
                Some((path, RemoteFile { git_oid: oid, is_large: lfs.is_some(), n_bytes: size }))
            }
            RepoTreeEntry::Directory { .. } => None,
        });
        Ok(files.collect())
    }

    fn variants(
        &self,
        repo: &Repo,
        id: &RepoId,
        commit: &str,
        watch: &Watcher,
    ) -> Result<Vec<ExistingVariant>, HubError> {
        let files = self.tree(repo, id, (commit, Some("build")), watch)?;
        let mut variants = Vec::new();
        let mut bound_to_torch_read = false;
        for name in variant_names(&files) {
            let has = |file: &str| files.contains_key(&format!("build/{name}/{file}"));
            let made_for = VariantName::parse(&name);
            let any_torch = made_for.as_ref().is_some_and(|it| it.framework.is_none());
            let metadata = if has("metadata.json") && (any_torch || !bound_to_torch_read) {
                bound_to_torch_read |= !any_torch;
                self.metadata(repo, commit, &format!("build/{name}/metadata.json"), watch)?
            } else {
                None
            };
            let by_ridge = has("kernel.json") && has("_ridge/__init__.py");
            let tuned_matrix = by_ridge && has("configs/tuned.toml");
            variants.push(variant(name, made_for, metadata, (by_ridge, tuned_matrix)));
        }
        Ok(variants)
    }

    fn metadata(
        &self,
        repo: &Repo,
        commit: &str,
        path: &str,
        watch: &Watcher,
    ) -> Result<Option<Metadata>, HubError> {
        let question = Question::new(format!("read `{path}`"));
        let bytes = self.ask(&question, watch, || {
            repo.download_file_to_bytes().filename(path).revision(commit).send()
        })?;
        Ok(Metadata::parse(&bytes))
    }
}

/// A file as the Hub lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RemoteFile {
    /// SHA-1 of git's blob; of the pointer, where the content is in the large-file storage.
    pub(super) git_oid: String,
    /// Whether the content is in the large-file storage. (The Hub gives its SHA-256 too, in a
    /// field that `hf-hub` 1.0 does not read.)
    pub(super) is_large: bool,
    /// Size of the content.
    pub(super) n_bytes: u64,
}

fn variant(
    name: String,
    made_for: Option<VariantName>,
    metadata: Option<Metadata>,
    (by_ridge, tuned_matrix): (bool, bool),
) -> ExistingVariant {
    let Some(metadata) = metadata else {
        return ExistingVariant {
            name,
            made_for,
            kernel: None,
            build_id: None,
            license: None,
            kernels_minver: None,
            architectures: Vec::new(),
            by_ridge,
            tuned_matrix,
        };
    };
    ExistingVariant {
        name,
        made_for,
        kernel: Some(metadata.name),
        build_id: metadata.id,
        license: metadata.license,
        kernels_minver: metadata.kernels_minver,
        architectures: metadata.backend.map(|it| it.archs).unwrap_or_default(),
        by_ridge,
        tuned_matrix,
    }
}

/// Folders in `build/`, each once, in order.
fn variant_names(files: &BTreeMap<String, RemoteFile>) -> Vec<String> {
    let mut names: Vec<String> = files
        .keys()
        .filter_map(|path| path.strip_prefix("build/")?.split_once('/'))
        .map(|(name, _)| name.to_owned())
        .collect();
    names.sort();
    names.dedup();
    names
}

/// The number of a version's branch: `v1` is 1.
fn version_of(branch: &str) -> Option<u32> {
    let digits = branch.strip_prefix('v')?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let plain = digits == "0" || !digits.starts_with('0');
    (is_number && plain).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_that_are_versions() {
        let names = ["v1", "v0", "v12", "main", "v", "v01", "v1.0", "v-1", "1", "v99999999999"];
        let versions: Vec<Option<u32>> = names.into_iter().map(version_of).collect();
        let none = None;
        assert_eq!(
            versions,
            [Some(1), Some(0), Some(12), none, none, none, none, none, none, none]
        );
    }
}
