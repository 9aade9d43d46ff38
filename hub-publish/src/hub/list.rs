//! Which kernels there are of a name.

use hf_hub::HFError;
use serde::{Deserialize, Serialize};

use super::ask::{self, Attempts, Failure, Question};
use super::error::HubError;
use super::event::{Event, Watcher};
use super::existing::Existing;
use super::options::RepoId;
use super::{Hub, USER_AGENT, setup};

/// Repos that are looked into, of those the Hub lists.
const SHOWN_MAX: usize = 20;
/// Repos that the Hub is asked to list.
const LISTED_MAX: usize = 100;
/// Where most kernels are that are no single project's.
const COMMUNITY: &str = "kernels-community";

/// Answer to [`Hub::search`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listing {
    /// What was searched for.
    pub query: String,
    /// Repos of that name first, then those with the name in theirs, the most downloaded first.
    pub found: Vec<Existing>,
    /// Further repos that the Hub listed and that were not looked into.
    pub not_shown: Vec<String>,
    /// What limits the answer.
    pub notes: Vec<String>,
}

/// An element of the Hub's list.
#[derive(Debug, Deserialize)]
struct Listed {
    id: String,
    #[serde(default)]
    downloads: Option<u64>,
}

impl Hub {
    /// Kernel repos whose id contains `name` (or, for `org/name`, that one repo), and what is in
    /// each.
    ///
    /// Asks for `-` and `_` as written and left out: `silu-mul` also finds `silu_mul` and
    /// `silumul`.
    ///
    /// # Errors
    /// [`HubError`], as the network and the server have it. What does not exist is an empty list.
    pub fn search(&self, name: &str, watch: &Watcher) -> Result<Listing, HubError> {
        let mut notes = Vec::new();
        let mut ids = if name.contains('/') {
            vec![RepoId::parse(name)?.to_string()]
        } else {
            RepoId::parse(&format!("x/{name}"))?;
            watch(Event::Step(format!("searching for `{name}`")));
            self.candidates(name, &mut notes, watch)?
        };
        let not_shown = ids.split_off(ids.len().min(SHOWN_MAX));
        let mut found = Vec::new();
        for id in &ids {
            let Ok(id) = RepoId::parse(id) else { continue };
            watch(Event::Step(format!("looking at `{id}`")));
            match self.look(&id, watch) {
                Ok(existing) => found.extend(existing),
                Err(HubError::Refused { status: status @ (401 | 403), .. }) if ids.len() > 1 => {
                    notes.push(format!("`{id}` cannot be looked into ({status})"));
                }
                Err(error) => return Err(error),
            }
        }
        if self.token.is_none() {
            notes.push("asked without a token: private repos are not listed".to_owned());
        }
        Ok(Listing { query: name.to_owned(), found, not_shown, notes })
    }

    /// Ids of the repos of just this name, the most downloaded first.
    pub(super) fn of_this_name(
        &self,
        name: &str,
        watch: &Watcher,
    ) -> Result<Vec<String>, HubError> {
        let mut notes = Vec::new();
        let mut ids = self.candidates(name, &mut notes, watch)?;
        ids.retain(|id| notes.is_empty() && is_name(id, name));
        Ok(ids)
    }

    /// Ids of repos that may be meant, the likeliest first.
    fn candidates(
        &self,
        name: &str,
        notes: &mut Vec<String>,
        watch: &Watcher,
    ) -> Result<Vec<String>, HubError> {
        let mut listed: Vec<Listed> = Vec::new();
        for spelling in spellings(name) {
            let Some(page) = self.list(&spelling, watch)? else {
                notes.push(format!(
                    "this Hub has no list of kernels: only `{COMMUNITY}/{name}` was looked for"
                ));
                return Ok(vec![format!("{COMMUNITY}/{name}")]);
            };
            for one in page {
                if !listed.iter().any(|it| it.id == one.id) {
                    listed.push(one);
                }
            }
        }
        // Ties keep the Hub's order.
        listed.sort_by_key(|it| (!is_name(&it.id, name), std::cmp::Reverse(it.downloads)));
        Ok(listed.into_iter().map(|it| it.id).collect())
    }

    /// `GET /api/kernels?search=`; `None` where the server has no such list.
    fn list(&self, search: &str, watch: &Watcher) -> Result<Option<Vec<Listed>>, HubError> {
        let question = Question::new("search the Hub");
        let http = reqwest::blocking::Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(self.patience.connect)
            .timeout(self.patience.answer)
            .build()
            .map_err(setup)?;
        let mut attempts = Attempts::new(self.patience);
        loop {
            match self.list_once(&http, &question, search) {
                Ok(list) => return Ok(list),
                Err(failure) => attempts.again(failure, watch)?,
            }
        }
    }

    fn list_once(
        &self,
        http: &reqwest::blocking::Client,
        question: &Question,
        search: &str,
    ) -> Result<Option<Vec<Listed>>, Failure> {
        let token = self.token.as_ref();
        let lost = |error: reqwest::Error| ask::lost(question, &error, token);
        let mut request = http
            .get(format!("{}/api/kernels", self.endpoint))
            .query(&[("search", search), ("limit", &LISTED_MAX.to_string())]);
        if let Some(token) = token {
            request = request.bearer_auth(token.reveal());
        }
        let response = request.send().map_err(lost)?;
        let status = response.status();
        if status == reqwest::StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let wait = response
            .headers()
            .get(reqwest::header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(std::time::Duration::from_secs);
        let message = response
            .headers()
            .get("x-error-message")
            .and_then(|value| value.to_str().ok())
            .map(ToOwned::to_owned);
        let body = response.text().map_err(lost)?;
        if !status.is_success() {
            let said = ask::said(message.as_deref(), &body);
            return Err(ask::refusal(question, status.as_u16(), &said, wait, token));
        }
        serde_json::from_str(&body)
            .map(Some)
            .map_err(|error| ask::failure(question, HFError::from(error), token))
    }
}

/// The name as it is, and with the other separator, and without.
fn spellings(name: &str) -> Vec<String> {
    let mut all = vec![name.to_owned(), name.replace('-', "_"), name.replace('_', "-"), bare(name)];
    let mut seen: Vec<String> = Vec::new();
    all.retain(|spelling| {
        let is_new = !spelling.is_empty() && !seen.contains(spelling);
        seen.push(spelling.clone());
        is_new
    });
    all
}

fn bare(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_' | '.')).collect()
}

/// Whether a repo has just this name, however it is spelt.
fn is_name(id: &str, name: &str) -> bool {
    let own = id.split_once('/').map_or(id, |(_, own)| own);
    bare(own).eq_ignore_ascii_case(&bare(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_searched_in_every_spelling() {
        assert_eq!(spellings("rmsnorm"), ["rmsnorm"]);
        assert_eq!(spellings("silu-mul"), ["silu-mul", "silu_mul", "silumul"]);
        assert_eq!(spellings("a_b-c"), ["a_b-c", "a_b_c", "a-b-c", "abc"]);
        assert!(is_name("org/SiLU_mul", "silu-mul"));
        assert!(!is_name("org/silu-mul-2", "silu-mul"));
    }
}
