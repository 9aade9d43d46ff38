//! A folder's way to the Hub.

use std::collections::BTreeMap;
use std::path::Path;

use hf_hub::RepoTypeKernel;
use serde::Serialize;

use super::Hub;
use super::ask::Question;
use super::commit::{Change, Wanted};
use super::error::HubError;
use super::event::{Event, Watcher};
use super::existing::{ExistingVersion, Found};
use super::local::{CARD, LocalFile, LocalFolder};
use super::options::{RepoId, Target};

/// The branch of the page that people see.
const MAIN: &str = "main";
/// The page itself.
const README: &str = "README.md";
/// What of a version's branch is ours to delete: everything a published folder can have.
const OURS: &[&str] = &["build/", "benchmarks/", "kernel/", "tests/", "torch-ext/"];
const OUR_FILES: &[&str] = &[CARD, "build.toml", "flake.nix"];

/// What a publication did, or, in a dry run, would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pushed {
    /// The repo.
    pub repo: RepoId,
    /// Its page.
    pub url: String,
    /// The version's branch.
    pub branch: String,
    /// Whether all this is only what would be done.
    pub dry_run: bool,
    /// Whether the repo is new.
    pub repo_created: bool,
    /// Whether the branch is new.
    pub branch_created: bool,
    /// The commit the branch is at; `None` where a dry run cannot know.
    pub commit: Option<String>,
    /// Files that are new or have another content.
    pub changed: Vec<String>,
    /// Files that are gone.
    pub deleted: Vec<String>,
    /// Files that the Hub had already.
    pub n_unchanged: usize,
    /// Bytes of the changed files.
    pub n_bytes_changed: u64,
    /// What became of the card.
    pub card: Card,
    /// The tag of this content.
    pub tag: Tag,
    /// What else is worth knowing.
    pub notes: Vec<String>,
}

impl Pushed {
    /// Whether the Hub had everything already.
    pub fn is_unchanged(&self) -> bool {
        let kept = matches!(self.card, Card::Unchanged | Card::Kept | Card::None);
        let nothing_new = !self.repo_created && !self.branch_created && !self.tag.created;
        nothing_new && kept && self.changed.is_empty() && self.deleted.is_empty()
    }
}

/// What becomes of the page on `main`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Card {
    /// It is written.
    Written,
    /// It is this card already.
    Unchanged,
    /// It is that of a newer version, and stays.
    Kept,
    /// The folder has none.
    None,
}

/// The tag of a publication.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tag {
    /// Named after the content.
    pub name: String,
    /// Whether it is new.
    pub created: bool,
}

/// One publication on its way.
struct Publication<'a> {
    hub: &'a Hub,
    target: &'a Target,
    local: &'a LocalFolder,
    branch: &'a str,
    watch: &'a Watcher,
}

impl Hub {
    /// Brings a folder that `folder::write` made to the Hub: the whole folder to branch `v<N>`, its
    /// `CARD.md` to `main` as the page, and a tag named after the content. What is there already is
    /// not sent, and files of an earlier publication that the folder does not have are deleted.
    /// With `dry_run` nothing is written and only questions are put.
    ///
    /// # Errors
    /// [`HubError`]; see [`HubError::code`]. What was done until then is whole, and the same call
    /// goes on from there.
    pub fn publish(
        &self,
        folder: &Path,
        target: &Target,
        dry_run: bool,
        watch: &Watcher,
    ) -> Result<Pushed, HubError> {
        let local = LocalFolder::read(folder, target)?;
        if self.token.is_none() && !dry_run {
            return Err(HubError::TokenMissing);
        }
        watch(Event::Step("looking at the Hub".to_owned()));
        let branch = target.branch();
        let publication = Publication { hub: self, target, local: &local, branch: &branch, watch };
        let (found, mut notes) = self.find_and_tell(&target.repo, watch)?;
        if local.card_is_of_another(target) {
            notes.push(format!(
                "the card does not name `{0}`: write the folder with `--repo {0}`",
                target.repo
            ));
        }
        if let Some(found) = &found {
            publication.check_ours(found)?;
        }
        let mut pushed =
            if dry_run { publication.plan(found)? } else { publication.carry_out(found)? };
        pushed.notes = notes;
        Ok(pushed)
    }
}

impl Publication<'_> {
    /// Refuses to write over what others published.
    fn check_ours(&self, found: &Found) -> Result<(), HubError> {
        if self.target.replace {
            return Ok(());
        }
        let repo = self.target.repo.to_string();
        let foreign = |reason: String| Err(HubError::Foreign { repo: repo.clone(), reason });
        let existing = &found.existing;
        let kernel = &self.local.kernel;
        let variants = || existing.versions.iter().flat_map(|it| &it.variants);
        if let Some(other) = variants().filter_map(|it| it.kernel.as_ref()).find(|it| *it != kernel)
        {
            return foreign(format!("the kernel there is `{other}`, this one is `{kernel}`"));
        }
        let is_others = |version: &ExistingVersion| {
            !version.variants.is_empty() && !version.variants.iter().any(|it| it.by_ridge)
        };
        if existing.version(self.target.version).is_some_and(is_others) {
            return foreign(format!("version {} was not made by Ridge", self.target.version));
        }
        let n_built = existing.versions.iter().filter(|it| !it.variants.is_empty()).count();
        if n_built > 0 && existing.versions.iter().filter(|it| is_others(it)).count() == n_built {
            return foreign("no version there was made by Ridge".to_owned());
        }
        Ok(())
    }

    fn files(&self) -> BTreeMap<String, &LocalFile> {
        self.local.files.iter().map(|(path, file)| (path.clone(), file)).collect()
    }

    fn wanted<'a>(&'a self, title: &'a str, files: &'a BTreeMap<String, &LocalFile>) -> Wanted<'a> {
        Wanted { repo: &self.target.repo, branch: self.branch, title, files, is_ours }
    }

    /// The page, as a branch of one file.
    fn page<'a>(&'a self, files: &'a BTreeMap<String, &LocalFile>) -> Wanted<'a> {
        let title = "Card";
        Wanted { repo: &self.target.repo, branch: MAIN, title, files, is_ours: |_| false }
    }

    /// What to do about the card, and the file it is.
    fn card(&self, newest: Option<u32>) -> (Card, BTreeMap<String, &LocalFile>) {
        match self.local.card() {
            None => (Card::None, BTreeMap::new()),
            Some(_) if newest.is_some_and(|newest| newest > self.target.version) => {
                (Card::Kept, BTreeMap::new())
            }
            Some(card) => (Card::Written, BTreeMap::from([(README.to_owned(), card)])),
        }
    }

    fn pushed(&self, change: &Change, wanted: &Wanted<'_>) -> Pushed {
        let mut changed = [change.added.as_slice(), &change.modified].concat();
        changed.sort();
        Pushed {
            repo: self.target.repo.clone(),
            url: format!("{}/kernels/{}", self.hub.endpoint(), self.target.repo),
            branch: self.branch.to_owned(),
            dry_run: false,
            repo_created: false,
            branch_created: false,
            commit: None,
            changed,
            deleted: change.deleted.clone(),
            n_unchanged: change.n_unchanged,
            n_bytes_changed: change.load(wanted).1,
            card: Card::None,
            tag: Tag { name: self.local.tag(self.target), created: false },
            notes: Vec::new(),
        }
    }

    /// What would be done.
    fn plan(&self, found: Option<Found>) -> Result<Pushed, HubError> {
        let files = self.files();
        let wanted = self.wanted("", &files);
        // A new branch begins as `main` does.
        let start = found.as_ref().and_then(|it| it.branch(self.branch).or(it.branch(MAIN)));
        let change = match start {
            Some(commit) => self.hub.change(&wanted, commit, self.watch)?,
            None => Change::between(&wanted, &BTreeMap::new()),
        };
        let mut pushed = self.pushed(&change, &wanted);
        pushed.dry_run = true;
        pushed.repo_created = found.is_none();
        let at = found.as_ref().and_then(|it| it.branch(self.branch)).map(ToOwned::to_owned);
        pushed.branch_created = at.is_none();
        pushed.commit = at.filter(|_| change.is_empty());
        let (card, page) = self.card(found.as_ref().and_then(|it| it.existing.newest()));
        pushed.card = card;
        if card == Card::Written
            && let Some(main) = found.as_ref().and_then(|it| it.branch(MAIN))
            && self.hub.change(&self.page(&page), main, self.watch)?.is_empty()
        {
            pushed.card = Card::Unchanged;
        }
        let tags = found.map(|it| it.existing.tags).unwrap_or_default();
        pushed.tag.created = !tags.contains(&pushed.tag.name);
        Ok(pushed)
    }

    /// Does it.
    fn carry_out(&self, found: Option<Found>) -> Result<Pushed, HubError> {
        let repo_created = found.is_none() && self.create_repo()?;
        let has_branch = found.as_ref().is_some_and(|it| it.branch(self.branch).is_some());
        let branch_created = !has_branch && self.create_branch()?;

        let files = self.files();
        let title = format!("{} {}, by Ridge", self.local.kernel, self.branch);
        let wanted = self.wanted(&title, &files);
        self.watch.as_ref()(Event::Step(format!("{}: comparing", self.target.repo)));
        let reached = self.hub.reach(&wanted, self.watch)?;

        let mut pushed = self.pushed(&reached.change, &wanted);
        let (card, page) = self.card(found.as_ref().and_then(|it| it.existing.newest()));
        pushed.card = card;
        if card == Card::Written {
            self.watch.as_ref()(Event::Step(format!("{}: the card", self.target.repo)));
            let is_same = self.hub.reach(&self.page(&page), self.watch)?.change.is_empty();
            pushed.card = if is_same { Card::Unchanged } else { Card::Written };
        }
        let tags = found.map(|it| it.existing.tags).unwrap_or_default();
        if !tags.contains(&pushed.tag.name) {
            pushed.tag.created = self.create_tag(&pushed.tag.name, &reached.commit)?;
        }
        pushed.repo_created = repo_created;
        pushed.branch_created = branch_created;
        pushed.commit = Some(reached.commit);
        Ok(pushed)
    }

    /// Creates the repo; `false` where somebody else just did.
    fn create_repo(&self) -> Result<bool, HubError> {
        let id = self.target.repo.to_string();
        self.watch.as_ref()(Event::Step(format!("creating `{id}`")));
        let question = Question::creating(format!("create the kernel repo `{id}`"));
        let created = self.hub.ask(&question, self.watch, || {
            self.hub
                .client
                .create_repository()
                .repo_id(&id)
                .repo_type(RepoTypeKernel)
                .private(self.target.private)
                .send()
        });
        match created {
            Ok(_url) => Ok(true),
            Err(HubError::Refused { status: 409, .. })
                if self.hub.find(&self.target.repo, self.watch)?.is_some() =>
            {
                Ok(false)
            }
            Err(error @ HubError::Refused { status: 409, .. }) => {
                match self.hub.other_type(&self.target.repo, self.watch)? {
                    Some(found) => Err(HubError::WrongType { repo: id, found }),
                    None => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Creates the version's branch; `false` where somebody else just did.
    fn create_branch(&self) -> Result<bool, HubError> {
        let id = &self.target.repo;
        let question = Question::new(format!("create branch `{}` of `{id}`", self.branch));
        let repo = self.hub.repo(id);
        let created =
            self.hub.ask(&question, self.watch, || repo.create_branch().branch(self.branch).send());
        existed(created)
    }

    /// Tags the commit; `false` where the tag is there.
    fn create_tag(&self, tag: &str, commit: &str) -> Result<bool, HubError> {
        let question = Question::new(format!("tag `{}`", self.target.repo));
        let repo = self.hub.repo(&self.target.repo);
        let created = self
            .hub
            .ask(&question, self.watch, || repo.create_tag().tag(tag).revision(commit).send());
        existed(created)
    }
}

/// Something that is there already is as good as made.
fn existed(created: Result<(), HubError>) -> Result<bool, HubError> {
    match created {
        Ok(()) => Ok(true),
        Err(HubError::Refused { status: 409, .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether a path on a version's branch is one that a published folder can have.
fn is_ours(path: &str) -> bool {
    OURS.iter().any(|folder| path.starts_with(folder)) || OUR_FILES.contains(&path)
}
