//! One commit that makes a branch have just the files it should.

use std::collections::BTreeMap;

use hf_hub::HFError;
use hf_hub::progress::{ProgressEvent, ProgressHandler, UploadEvent};
use hf_hub::repository::CommitOperation;

use super::Hub;
use super::ask::{self, Attempts, Question};
use super::error::HubError;
use super::event::{Event, Watcher};
use super::existing::{RemoteFile, Repo, branch_of};
use super::local::LocalFile;
use super::options::RepoId;

/// What a branch should have.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) repo: &'a RepoId,
    pub(super) branch: &'a str,
    /// Title of the commit.
    pub(super) title: &'a str,
    /// Files, by path in the repo.
    pub(super) files: &'a BTreeMap<String, &'a LocalFile>,
    /// Whether a path that is not among them is ours to delete.
    pub(super) is_ours: fn(&str) -> bool,
}

/// What has to happen to a branch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// Files that are new.
    pub(super) added: Vec<String>,
    /// Files whose content changes.
    pub(super) modified: Vec<String>,
    /// Files that go.
    pub(super) deleted: Vec<String>,
    /// Files that stay as they are.
    pub(super) n_unchanged: usize,
}

impl Change {
    /// Between what is wanted and what is there.
    pub(super) fn between(wanted: &Wanted<'_>, there: &BTreeMap<String, RemoteFile>) -> Self {
        let mut change = Self::default();
        for (path, file) in wanted.files {
            match there.get(path) {
                None => change.added.push(path.clone()),
                Some(remote) if file.is_at(remote) => change.n_unchanged += 1,
                Some(_) => change.modified.push(path.clone()),
            }
        }
        let gone = there.keys().filter(|path| !wanted.files.contains_key(*path));
        change.deleted = gone.filter(|path| (wanted.is_ours)(path)).cloned().collect();
        change
    }

    pub(super) fn is_empty(&self) -> bool {
        self.added.is_empty() && self.modified.is_empty() && self.deleted.is_empty()
    }

    /// The part that one commit takes where the Hub refused a larger one: new files come first, and
    /// what points at them (everything else) last, so that no commit between shows a version that
    /// misses something.
    fn part(&self, wanted: &Wanted<'_>, n_bytes_max: u64) -> Self {
        let size = |path: &String| wanted.files.get(path).map_or(0, |file| file.n_bytes());
        let late = |path: &&String| !path.ends_with("/metadata.json");
        let mut part = Self { n_unchanged: self.n_unchanged, ..Self::default() };
        let mut n_bytes = 0;
        for path in self.added.iter().filter(late) {
            n_bytes += size(path);
            if n_bytes > n_bytes_max && !part.added.is_empty() {
                return part;
            }
            part.added.push(path.clone());
        }
        let rest = self.modified.iter().chain(self.added.iter().filter(|path| !late(path)));
        let n_rest: u64 = rest.map(size).sum();
        if n_bytes + n_rest > n_bytes_max && !part.added.is_empty() {
            return part;
        }
        self.clone()
    }

    fn operations(&self, wanted: &Wanted<'_>) -> Vec<CommitOperation> {
        let files = self.added.iter().chain(&self.modified);
        let sent = files.filter_map(|path| {
            let file = wanted.files.get(path)?;
            Some(CommitOperation::add_bytes(path, file.bytes.clone()))
        });
        sent.chain(self.deleted.iter().map(CommitOperation::delete)).collect()
    }

    /// Files to send and their bytes.
    pub(super) fn load(&self, wanted: &Wanted<'_>) -> (usize, u64) {
        let paths = self.added.iter().chain(&self.modified);
        let sizes = paths.filter_map(|path| wanted.files.get(path)).map(|file| file.n_bytes());
        sizes.fold((0, 0), |(n, sum), size| (n + 1, sum + size))
    }

    /// Whether all that is left are files in the large-file storage whose sizes are right: their
    /// pointers may be written in another way than ours.
    fn is_hidden(&self, wanted: &Wanted<'_>, there: &BTreeMap<String, RemoteFile>) -> bool {
        let is_right = |path: &String| match (wanted.files.get(path), there.get(path)) {
            (Some(file), Some(remote)) => remote.is_large && remote.n_bytes == file.n_bytes(),
            _ => false,
        };
        self.added.is_empty() && self.deleted.is_empty() && self.modified.iter().all(is_right)
    }
}

/// A branch that has what it should.
#[derive(Clone, Debug)]
pub(super) struct Reached {
    /// The commit it is at.
    pub(super) commit: String,
    /// What had to happen.
    pub(super) change: Change,
}

/// Hands the client's progress on.
struct Relay(Watcher);

impl ProgressHandler for Relay {
    fn on_progress(&self, event: &ProgressEvent) {
        let ProgressEvent::Upload(UploadEvent::Progress { bytes_completed, total_bytes, .. }) =
            event
        else {
            return;
        };
        (self.0)(Event::Sent { n_bytes: *bytes_completed, n_total: *total_bytes });
    }
}

impl Hub {
    /// What would have to happen to a branch that is at `commit`.
    pub(super) fn change(
        &self,
        wanted: &Wanted<'_>,
        commit: &str,
        watch: &Watcher,
    ) -> Result<Change, HubError> {
        let repo = self.repo(wanted.repo);
        let there = self.tree(&repo, wanted.repo, (commit, None), watch)?;
        Ok(Change::between(wanted, &there))
    }

    /// Makes the branch have what it should.
    ///
    /// The state is read before every attempt, and the commit names the state it was made for: one
    /// whose answer got lost is found to be there, and one that somebody else overtook (412) is
    /// made once more from what is there now. Where the Hub says that a commit is too large (413),
    /// several do.
    pub(super) fn reach(&self, wanted: &Wanted<'_>, watch: &Watcher) -> Result<Reached, HubError> {
        let question = Question::new(format!("commit to `{}`", wanted.repo));
        let mut attempts = Attempts::new(self.patience);
        let mut first: Option<Change> = None;
        let mut n_bytes_max = u64::MAX;
        let mut was_overtaken = false;
        let mut committed = false;
        loop {
            let head = self.head(wanted, watch)?;
            let there = self.tree(&self.repo(wanted.repo), wanted.repo, (&head, None), watch)?;
            let rest = Change::between(wanted, &there);
            let change = first.get_or_insert_with(|| rest.clone()).clone();
            if rest.is_empty() || (committed && rest.is_hidden(wanted, &there)) {
                return Ok(Reached { commit: head, change });
            }
            if committed {
                return Err(contradiction(&question, wanted, &rest));
            }
            let part = rest.part(wanted, n_bytes_max);
            let repo = self.repo_to_commit(wanted.repo)?;
            let Err(error) = commit(&repo, wanted, &part, &head, watch) else {
                committed = part == rest;
                continue;
            };
            let failure = ask::failure(&question, error, self.token.as_ref());
            match failure.status() {
                Some(412) if was_overtaken => {
                    let (repo, branch) = (wanted.repo.to_string(), wanted.branch.to_owned());
                    return Err(HubError::Stale { repo, branch });
                }
                Some(412) => was_overtaken = true,
                Some(413) if part.added.len() > 1 => n_bytes_max = part.load(wanted).1 / 2,
                _ => attempts.again(failure, watch)?,
            }
        }
    }

    /// The commit that the branch is at.
    fn head(&self, wanted: &Wanted<'_>, watch: &Watcher) -> Result<String, HubError> {
        let refs = self.refs(&self.repo(wanted.repo), wanted.repo, watch)?;
        let head = branch_of(&refs, wanted.branch).map(ToOwned::to_owned);
        head.ok_or_else(|| HubError::Answer {
            action: format!("commit to `{}`", wanted.repo),
            reason: format!("its branch `{}` is gone", wanted.branch),
        })
    }
}

fn commit(
    repo: &Repo,
    wanted: &Wanted<'_>,
    change: &Change,
    parent: &str,
    watch: &Watcher,
) -> Result<(), HFError> {
    let (n_files, n_bytes) = change.load(wanted);
    watch(Event::Sending { n_files, n_bytes });
    repo.create_commit()
        .operations(change.operations(wanted))
        .commit_message(wanted.title)
        .revision(wanted.branch)
        .parent_commit(parent)
        .progress(Relay(watch.clone()))
        .send()
        .map(|_info| ())
}

fn contradiction(question: &Question, wanted: &Wanted<'_>, rest: &Change) -> HubError {
    let paths = rest.added.iter().chain(&rest.modified).chain(&rest.deleted);
    let first = paths.map(|path| format!("`{path}`")).next().unwrap_or_default();
    let n_more = rest.added.len() + rest.modified.len() + rest.deleted.len() - 1;
    let more = if n_more == 0 { String::new() } else { format!(" and {n_more} more") };
    question.contradicted(format!(
        "the Hub took the commit, but on `{}` {first}{more} is not what was sent",
        wanted.branch
    ))
}
