//! Where the Hub is, who asks, and how patient we are.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::error::HubError;

/// The Hub that is meant where nothing else is said.
pub const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

/// Most characters a repo's id has on the Hub.
const ID_LENGTH_MAX: usize = 96;

/// An access token. It can be sent, and never read: `Debug` and `Display` do not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token, without the white space around it that files have; `None` where nothing is left.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// The token itself, for the one header it is made for.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether a header can carry it.
    pub(super) fn is_sendable(&self) -> bool {
        self.0.bytes().all(|byte| byte.is_ascii_graphic())
    }

    /// `text` without the token in it.
    pub(super) fn scrub(&self, text: &str) -> String {
        text.replace(&self.0, "hf_…")
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Where the Hub is and who asks.
#[derive(Clone, Debug, Default)]
pub struct HubOptions {
    /// Root of the Hub's addresses; [`DEFAULT_ENDPOINT`] where `None`.
    pub endpoint: Option<String>,
    /// Who asks; nobody in particular where `None`.
    pub token: Option<Token>,
    /// How long and how often.
    pub patience: Patience,
}

/// How long is waited for an answer, and how often a question is put again that the network or a
/// busy server left without one.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Questions put in all; at least one is.
    pub n_attempts: u32,
    /// Time before the second one; it doubles from then on.
    pub wait: Duration,
    /// Most that is waited between two, also where the server asks for more.
    pub wait_max: Duration,
    /// Time for a connection.
    pub connect: Duration,
    /// Silence after which a question counts as lost.
    pub answer: Duration,
    /// The same for a commit, which carries every file and which the server has to write.
    pub commit: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            n_attempts: 6,
            wait: Duration::from_secs(1),
            wait_max: Duration::from_secs(300),
            connect: Duration::from_secs(20),
            answer: Duration::from_secs(60),
            commit: Duration::from_secs(900),
        }
    }
}

/// A repo's name on the Hub: `owner/name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(into = "String")]
pub struct RepoId {
    owner: String,
    name: String,
}

impl RepoId {
    /// Reads `owner/name`.
    ///
    /// # Errors
    /// [`HubError::Name`] where the Hub would not take it: each part has letters, digits, `-`, `_`
    /// and `.`, begins and ends with a letter or digit, has no `--` or `..`, does not end in
    /// `.git`, and all is at most 96 characters long (the rule of the official clients).
    pub fn parse(text: &str) -> Result<Self, HubError> {
        let wrong = |rule: &'static str| HubError::Name { name: text.to_owned(), rule };
        let Some((owner, name)) = text.split_once('/') else {
            return Err(wrong("has an owner and a name, as in `org/name`"));
        };
        if text.len() > ID_LENGTH_MAX {
            return Err(wrong("is at most 96 characters long"));
        }
        for part in [owner, name] {
            let solid = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
            if !solid(part.chars().next()) || !solid(part.chars().next_back()) {
                return Err(wrong("begins and ends each part with a letter or a digit"));
            }
            if !part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')) {
                return Err(wrong("has letters, digits, `-`, `_` and `.` only"));
            }
            if part.contains("--") || part.contains("..") || part.ends_with(".git") {
                return Err(wrong("has no `--`, no `..`, and does not end in `.git`"));
            }
        }
        Ok(Self { owner: owner.to_owned(), name: name.to_owned() })
    }

    /// The user or organisation.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The name without its owner.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for RepoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl From<RepoId> for String {
    fn from(id: RepoId) -> Self {
        id.to_string()
    }
}

/// Where a folder is published to.
#[derive(Clone, Debug)]
pub struct Target {
    /// The repo.
    pub repo: RepoId,
    /// The kernel's version: the branch is `v` and this number.
    pub version: u32,
    /// Whether a repo that is created is private.
    pub private: bool,
    /// Whether a version that something else than Ridge published is replaced.
    pub replace: bool,
}

impl Target {
    /// A public repo that replaces nothing of others.
    pub const fn new(repo: RepoId, version: u32) -> Self {
        Self { repo, version, private: false, replace: false }
    }

    /// The branch that holds the version.
    pub fn branch(&self) -> String {
        format!("v{}", self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_never_shown() {
        let token = Token::new(" hf_secret\n").unwrap();
        let options = HubOptions { token: Some(token.clone()), ..HubOptions::default() };
        assert!(!format!("{options:?}{token:?}").contains("secret"));
        assert_eq!(token.scrub("Bearer hf_secret is bad"), "Bearer hf_… is bad");
        assert!(token.is_sendable());
        assert!(!Token::new("hf_a\nb").unwrap().is_sendable());
        assert_eq!(Token::new(" \n"), None);
    }

    #[track_caller]
    fn check(text: &str, rule: Option<&str>) {
        match (RepoId::parse(text), rule) {
            (Ok(id), None) => assert_eq!(id.to_string(), text),
            (Err(HubError::Name { rule: found, .. }), Some(rule)) => {
                assert!(found.contains(rule), "{found}");
            }
            (answer, _) => panic!("`{text}`: {answer:?}"),
        }
    }

    #[test]
    fn names_of_repos() {
        check("org/rmsnorm", None);
        check("Org-1/silu-mul_2.x", None);
        check("rmsnorm", Some("owner"));
        check("org/", Some("begins"));
        check("/x", Some("begins"));
        check("org/-x", Some("begins"));
        check("a/b/c", Some("letters"));
        check("org/a b", Some("letters"));
        check("org/a--b", Some("no `--`"));
        check("org/a..b", Some("no `--`"));
        check("org/a.git", Some("no `--`"));
        check(&format!("org/{}", "a".repeat(93)), Some("96"));
    }
}
