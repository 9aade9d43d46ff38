//! Repos, branches, commits and files.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use serde_json::Value;
use sha1::Digest as _;

use super::http::Response;

/// Type of a repo, as in `/api/kernels/…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Kernel,
    Model,
    Dataset,
    Space,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Kernel, Self::Model, Self::Dataset, Self::Space];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Model => "model",
            Self::Dataset => "dataset",
            Self::Space => "space",
        }
    }
}

/// A file's content, in git or in the large-file storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Blob {
    Git(Vec<u8>),
    Large { sha256: String, size: u64 },
}

impl Blob {
    pub(crate) fn oid(&self) -> String {
        match self {
            Self::Git(bytes) => git_oid(bytes),
            Self::Large { sha256, size } => git_oid(pointer(sha256, *size).as_bytes()),
        }
    }

    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Git(bytes) => bytes.len() as u64,
            Self::Large { size, .. } => *size,
        }
    }
}

/// The pointer that Git LFS keeps in git.
pub(crate) fn pointer(sha256: &str, size: u64) -> String {
    format!("version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n")
}

fn git_oid(bytes: &[u8]) -> String {
    let mut digest = sha1::Sha1::new();
    digest.update(format!("blob {}\0", bytes.len()));
    digest.update(bytes);
    hex(&digest.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

pub(crate) type Tree = BTreeMap<String, Blob>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) tree: Tree,
    pub(crate) parent: Option<String>,
    pub(crate) title: String,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Repo {
    pub(crate) private: bool,
    pub(crate) downloads: u64,
    pub(crate) branches: BTreeMap<String, String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) commits: BTreeMap<String, Commit>,
}

impl Repo {
    /// A repo with what the Hub puts into a new one.
    pub(crate) fn new(private: bool) -> Self {
        let mut repo = Self { private, ..Self::default() };
        let attributes = Blob::Git(b"*.so filter=lfs diff=lfs merge=lfs -text\n".to_vec());
        let tree = BTreeMap::from([(".gitattributes".to_owned(), attributes)]);
        let first = repo.add_commit(tree, None, "initial commit");
        repo.branches.insert("main".to_owned(), first);
        repo
    }

    pub(crate) fn add_commit(&mut self, tree: Tree, parent: Option<String>, title: &str) -> String {
        let mut digest = sha1::Sha1::new();
        digest.update(format!("{parent:?} {title} {}\n", self.commits.len()));
        for (path, blob) in &tree {
            digest.update(format!("{path} {}\n", blob.oid()));
        }
        let oid = hex(&digest.finalize());
        self.commits.insert(oid.clone(), Commit { tree, parent, title: title.to_owned() });
        oid
    }

    /// The commit that a branch, tag or commit is.
    pub(crate) fn resolve(&self, revision: &str) -> Option<&str> {
        let named = self.branches.get(revision).or_else(|| self.tags.get(revision));
        let commit = self.commits.get_key_value(revision).map(|(oid, _)| oid);
        named.or(commit).map(String::as_str)
    }

    pub(crate) fn tree(&self, revision: &str) -> Option<&Tree> {
        Some(&self.commits.get(self.resolve(revision)?)?.tree)
    }

    /// Commits that a branch has, the newest first.
    pub(crate) fn history(&self, branch: &str) -> Vec<&Commit> {
        let mut at = self.branches.get(branch);
        let mut history = Vec::new();
        while let Some(commit) = at.and_then(|oid| self.commits.get(oid)) {
            history.push(commit);
            at = commit.parent.as_ref();
        }
        history
    }

    /// Does what a commit's lines say.
    pub(crate) fn commit(
        &mut self,
        branch: &str,
        lines: &[Value],
        ignores: Option<&str>,
    ) -> Result<String, Response> {
        let Some(head) = self.branches.get(branch).cloned() else {
            return Err(Response::missing("RevisionNotFound", "Invalid rev id"));
        };
        let mut tree = self.tree(&head).cloned().unwrap_or_default();
        let mut title = String::new();
        for line in lines {
            let value = &line["value"];
            let path = value["path"].as_str().unwrap_or_default();
            match line["key"].as_str().unwrap_or_default() {
                "header" => {
                    title = value["summary"].as_str().unwrap_or_default().to_owned();
                    if value["parentCommit"].as_str().is_some_and(|parent| parent != head) {
                        let words = "A commit has happened since. Please refresh and try again.";
                        return Err(Response::refusal(412, words));
                    }
                }
                _ if ignores.is_some_and(|ignored| path.contains(ignored)) => {}
                "file" => {
                    let content = value["content"].as_str().unwrap_or_default();
                    let bytes = base64::engine::general_purpose::STANDARD.decode(content);
                    let Ok(bytes) = bytes else {
                        return Err(Response::refusal(400, "content is no base64"));
                    };
                    tree.insert(path.to_owned(), Blob::Git(bytes));
                }
                "lfsFile" => {
                    let sha256 = value["oid"].as_str().unwrap_or_default().to_owned();
                    let size = value["size"].as_u64().unwrap_or_default();
                    tree.insert(path.to_owned(), Blob::Large { sha256, size });
                }
                "deletedFile" => {
                    if tree.remove(path).is_none() {
                        let words = "A file with this name doesn't exist";
                        return Err(Response::missing("EntryNotFound", words));
                    }
                }
                other => return Err(Response::refusal(400, &format!("unknown key {other}"))),
            }
        }
        let oid = self.add_commit(tree, Some(head), &title);
        self.branches.insert(branch.to_owned(), oid.clone());
        Ok(oid)
    }
}

/// Everything the Hub keeps.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) repos: BTreeMap<(Kind, String), Repo>,
}

impl Store {
    pub(crate) fn kernel(&self, id: &str) -> Option<&Repo> {
        self.repos.get(&(Kind::Kernel, id.to_owned()))
    }

    /// Puts a repo there, with files on branches.
    pub(crate) fn put(&mut self, kind: Kind, id: &str, files: &[(&str, &str, &str)]) {
        let mut repo = Repo::new(false);
        for (branch, path, text) in files {
            let head = repo.branches.get(*branch).or(repo.branches.get("main")).cloned();
            let mut tree =
                head.as_deref().and_then(|it| repo.tree(it)).cloned().unwrap_or_default();
            tree.insert((*path).to_owned(), Blob::Git(text.as_bytes().to_vec()));
            let commit = repo.add_commit(tree, head, path);
            repo.branches.insert((*branch).to_owned(), commit);
        }
        self.repos.insert((kind, id.to_owned()), repo);
    }

    /// Somebody else's commit to the branch that a path `/api/kernels/ID/commit/BRANCH` names.
    pub(crate) fn overtake(&mut self, path: &str) {
        let mut parts = path.split('/').skip(3);
        let id = [parts.next(), parts.next()].map(Option::unwrap_or_default).join("/");
        let branch = parts.nth(1).unwrap_or_default();
        let Some(repo) = self.repos.get_mut(&(Kind::Kernel, id)) else { return };
        let Some(head) = repo.branches.get(branch).cloned() else { return };
        let mut tree = repo.tree(&head).cloned().unwrap_or_default();
        let note = format!("{}", repo.commits.len()).into_bytes();
        tree.insert("build/theirs.txt".to_owned(), Blob::Git(note));
        let commit = repo.add_commit(tree, Some(head), "theirs");
        repo.branches.insert(branch.to_owned(), commit);
    }
}
