//! Why the Hub could not be asked, or said no.

use std::path::PathBuf;

/// Why the Hub could not be asked, or said no.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// No repo can have this name.
    #[error("`{name}` is no repo: its name {rule}")]
    Name {
        /// What was given.
        name: String,
        /// What the name of a repo is like.
        rule: &'static str,
    },
    /// The endpoint or the token cannot be used.
    #[error("the Hub cannot be asked: {reason}")]
    Setup {
        /// What is wrong with them.
        reason: String,
    },
    /// The folder is not one that can be published.
    #[error("`{}` cannot be published: {reason}", path.display())]
    Folder {
        /// The folder, or the file in it.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Publishing needs a token, and there is none.
    #[error("there is no token to publish with")]
    TokenMissing,
    /// The server answered, and the answer is no.
    #[error("cannot {action}: the Hub answered {status}{}", said(.message))]
    Refused {
        /// What was asked for, as a verb with its object.
        action: String,
        /// Whether it was the creation of the repo.
        creating: bool,
        /// HTTP status.
        status: u16,
        /// The server's own words; may be empty.
        message: String,
        /// How often it was asked.
        n_attempts: u32,
    },
    /// No answer came.
    #[error("cannot {action}: {reason}")]
    Network {
        /// What was asked for, as a verb with its object.
        action: String,
        /// What the network said.
        reason: String,
        /// How often it was asked.
        n_attempts: u32,
    },
    /// An answer that cannot be read, or that contradicts an earlier one.
    #[error("cannot {action}: {reason}")]
    Answer {
        /// What was asked for, as a verb with its object.
        action: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// The id belongs to a repo that is not a kernel repo.
    #[error("`{repo}` is a {found} repo, not a kernel repo")]
    WrongType {
        /// The repo.
        repo: String,
        /// `model`, `dataset` or `space`.
        found: &'static str,
    },
    /// What is there was not published by Ridge, or is another kernel.
    #[error("`{repo}` has something else in it: {reason}")]
    Foreign {
        /// The repo.
        repo: String,
        /// What is there.
        reason: String,
    },
    /// Others commit to the branch at the same time.
    #[error("branch `{branch}` of `{repo}` keeps changing while it is written")]
    Stale {
        /// The repo.
        repo: String,
        /// The branch.
        branch: String,
    },
}

fn times(n_attempts: u32) -> String {
    if n_attempts == 1 { "once".to_owned() } else { format!("{n_attempts} times") }
}

fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

impl HubError {
    /// Stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Name { .. } => "hub.name",
            Self::Setup { .. } => "hub.setup",
            Self::Folder { .. } => "hub.folder",
            Self::TokenMissing => "hub.token-missing",
            Self::Refused { status, .. } => match *status {
                401 => "hub.unauthorized",
                403 => "hub.forbidden",
                404 => "hub.not-found",
                409 => "hub.conflict",
                412 => "hub.stale",
                413 => "hub.too-large",
                429 => "hub.rate-limited",
                500.. => "hub.server",
                _ => "hub.refused",
            },
            Self::Network { .. } => "hub.network",
            Self::Answer { .. } => "hub.answer",
            Self::WrongType { .. } => "hub.wrong-type",
            Self::Foreign { .. } => "hub.foreign",
            Self::Stale { .. } => "hub.stale",
        }
    }

    /// What to try next.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Name { .. } | Self::Setup { .. } | Self::Answer { .. } => return None,
            Self::Folder { .. } => "write it anew with `ridge publish DIR --to-folder PATH`",
            Self::TokenMissing => {
                "set `HF_TOKEN`, or run `hf auth login`; the token must be allowed to write"
            }
            Self::Refused { status, creating, n_attempts, .. } => {
                return refused_hint(*status, *creating, *n_attempts);
            }
            Self::Network { n_attempts, .. } => {
                return Some(format!(
                    "asked {}; look after the network, then give the same command again: it goes \
                     on from there",
                    times(*n_attempts)
                ));
            }
            Self::WrongType { .. } => {
                "choose another name: `kernels` loads kernel repos only, and a repo does not \
                 change its type"
            }
            Self::Foreign { .. } => {
                "choose another name or another version; `--replace` deletes what is there"
            }
            Self::Stale { .. } => "find out who else publishes there, then try again",
        };
        Some(hint.to_owned())
    }
}

fn refused_hint(status: u16, creating: bool, n_attempts: u32) -> Option<String> {
    let hint = match status {
        401 => {
            "the token is wrong or expired: make one that may write at \
             https://huggingface.co/settings/tokens"
        }
        403 if creating => {
            "creating kernel repos needs approval: ask for it on huggingface.co under Settings > \
             Account > Request Kernels Creation, or in a discussion of the Space \
             kernels-community/README; until then `--to-folder` writes the same repo to disk"
        }
        403 => "the token may not do that: check its role, and that you belong to the owner",
        404 => "check the name; a private repo is not there for who may not see it",
        409 => "somebody else changes the repo at the same time: try again",
        412 => "somebody else has committed meanwhile: try again",
        413 => "one file is larger than the Hub takes in a commit",
        429 => {
            return Some(format!("asked {}: try later", times(n_attempts)));
        }
        500.. => {
            return Some(format!(
                "asked {}; see https://status.huggingface.co and try later: the same command goes \
                 on",
                times(n_attempts)
            ));
        }
        _ => return None,
    };
    Some(hint.to_owned())
}
