//! What to know before anything is written: whose token it is, what the repo has, what else has its
//! name.

use hf_hub::{HFResult, RepoTypeDataset, RepoTypeModel, RepoTypeSpace};

use super::Hub;
use super::ask::Question;
use super::error::HubError;
use super::event::Watcher;
use super::existing::{Existing, ExistingVersion, Found};
use super::options::RepoId;

/// Other kernels of the same name that are named.
const NAMED_MAX: usize = 5;

impl Hub {
    /// Says, in sentences, what to know before publishing to a repo: whose token it is where that
    /// looks wrong, what the repo has already, and, where it is new, what else has its name.
    ///
    /// # Errors
    /// [`HubError`], as the network and the server have it; a token that is not good is one.
    pub fn preflight(&self, id: &RepoId, watch: &Watcher) -> Result<Vec<String>, HubError> {
        Ok(self.find_and_tell(id, watch)?.1)
    }

    pub(super) fn find_and_tell(
        &self,
        id: &RepoId,
        watch: &Watcher,
    ) -> Result<(Option<Found>, Vec<String>), HubError> {
        let mut notes = self.who(id, watch)?;
        let found = self.find(id, watch)?;
        if let Some(found) = &found {
            notes.push(contents(&found.existing));
            return Ok((Some(found.clone()), notes));
        }
        notes.extend(
            self.other_type(id, watch)?.map(|found| {
                format!("`{id}` is also a {found} repo; `kernels` does not look there")
            }),
        );
        // That the Hub cannot list kernels is no reason not to publish one.
        if let Ok(others) = self.of_this_name(id.name(), watch)
            && !others.is_empty()
        {
            let named: Vec<String> =
                others.iter().take(NAMED_MAX).map(|other| format!("`{other}`")).collect();
            let more = if others.len() > NAMED_MAX { " and others" } else { "" };
            notes.push(format!(
                "there are kernels of this name: {}{more}; `ridge search-hub {}` says what they \
                 run on",
                named.join(", "),
                id.name()
            ));
        }
        Ok((None, notes))
    }

    /// Sees that the token is good, and says whom it belongs to where that looks wrong.
    fn who(&self, id: &RepoId, watch: &Watcher) -> Result<Vec<String>, HubError> {
        if self.token.is_none() {
            return Ok(vec!["without a token: private repos cannot be seen".to_owned()]);
        }
        let question = Question::new("find out whose token this is");
        let user = self.ask(&question, watch, || self.client.whoami().send())?;
        let owner = id.owner();
        let orgs = user.orgs.unwrap_or_default();
        let is_member = orgs.iter().any(|org| org.name.as_deref() == Some(owner));
        if user.username == owner || is_member {
            return Ok(Vec::new());
        }
        Ok(vec![format!("the token is of `{}`, who is not a member of `{owner}`", user.username)])
    }

    /// The type of another repo of this id, where there is one.
    pub(super) fn other_type(
        &self,
        id: &RepoId,
        watch: &Watcher,
    ) -> Result<Option<&'static str>, HubError> {
        let question = Question::new(format!("look for `{id}`"));
        let ask = |put: &dyn Fn() -> HFResult<bool>| match self.ask(&question, watch, put) {
            Err(error) if self.means_absent(&error) => Ok(false),
            // Gated, or private and not ours: something is there that we may not see.
            Err(HubError::Refused { status: 401 | 403, .. }) => Ok(true),
            answer => answer,
        };
        let (owner, name) = (id.owner(), id.name());
        let model = self.client.repository(RepoTypeModel, owner, name);
        if ask(&|| model.exists().send())? {
            return Ok(Some("model"));
        }
        let dataset = self.client.repository(RepoTypeDataset, owner, name);
        if ask(&|| dataset.exists().send())? {
            return Ok(Some("dataset"));
        }
        let space = self.client.repository(RepoTypeSpace, owner, name);
        Ok(ask(&|| space.exists().send())?.then_some("space"))
    }
}

/// `` `org/name` has v1 (tuned by Ridge), v2 (3 builds) ``.
fn contents(existing: &Existing) -> String {
    let versions: Vec<String> =
        existing.versions.iter().map(|it| format!("v{} ({})", it.version, kind(it))).collect();
    let versions =
        if versions.is_empty() { "no version yet".to_owned() } else { versions.join(", ") };
    format!("`{}` has {versions}", existing.id)
}

fn kind(version: &ExistingVersion) -> String {
    let builds = &version.variants;
    if builds.iter().any(|build| build.tuned_matrix) {
        return "tuned by Ridge".to_owned();
    }
    if builds.iter().any(|build| build.by_ridge) {
        return "by Ridge".to_owned();
    }
    match builds.as_slice() {
        [] => "empty".to_owned(),
        [build] => build.name.clone(),
        builds => format!("{} builds", builds.len()),
    }
}
