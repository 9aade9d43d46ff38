//! The Hub: what is there, and how a folder gets there.
//!
//! Everything goes through `hf-hub`, the Hub's official client, except one question that it does
//! not have: the list of kernel repos ([`Hub::search`]). Whatever only looks is a `GET` or a
//! `HEAD`; a dry run does nothing else.
//!
//! A publication is a sequence of steps, each of which finds out first whether it is done: create
//! the repo, create the branch `v<N>`, one commit with every change, the card on `main`, a tag
//! named after the content. Killed anywhere and started again, it ends where an undisturbed one
//! does. The commit is one piece on the Hub: a reader sees the old version or the new one.

mod ask;
mod commit;
mod error;
mod event;
mod existing;
mod list;
mod local;
mod metadata;
mod options;
mod preflight;
mod publish;

use std::sync::OnceLock;
use std::time::Duration;

use hf_hub::{HFClient, HFClientSync, HFResult, RepoTypeKernel};

use self::ask::{Attempts, Question};
use self::existing::Repo;

pub use self::error::HubError;
pub use self::event::{Event, Watcher, nobody};
pub use self::existing::{Existing, ExistingVariant, ExistingVersion};
pub use self::list::Listing;
pub use self::local::published_version;
pub use self::metadata::VariantName;
pub use self::options::{DEFAULT_ENDPOINT, HubOptions, Patience, RepoId, Target, Token};
pub use self::publish::{Card, Pushed, Tag};

/// What the Hub is told of who asks.
const USER_AGENT: &str = concat!("ridge/", env!("CARGO_PKG_VERSION"));

/// The Hub, as one token sees it.
#[derive(Debug)]
pub struct Hub {
    /// For questions with short answers.
    client: HFClientSync,
    /// For commits, which take longer; made with the first of them.
    committer: OnceLock<HFClientSync>,
    endpoint: String,
    token: Option<Token>,
    patience: Patience,
}

impl Hub {
    /// Prepares to ask; nothing is sent.
    ///
    /// # Errors
    /// [`HubError::Setup`] for an endpoint that is no address, or a token that no header can
    /// carry.
    pub fn connect(options: &HubOptions) -> Result<Self, HubError> {
        let endpoint = options.endpoint.as_deref().unwrap_or(DEFAULT_ENDPOINT);
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        let known = endpoint.starts_with("https://") || endpoint.starts_with("http://");
        if !known || reqwest::Url::parse(&endpoint).is_err() {
            return Err(setup(format!("`{endpoint}` is no address of a server")));
        }
        let (token, patience) = (options.token.clone(), options.patience);
        if token.as_ref().is_some_and(|token| !token.is_sendable()) {
            return Err(setup("the token has characters that no token has"));
        }
        let client = client(&endpoint, token.as_ref(), patience.connect, patience.answer)?;
        Ok(Self { client, committer: OnceLock::new(), endpoint, token, patience })
    }

    /// Root of the Hub's addresses.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    fn repo(&self, id: &RepoId) -> Repo {
        self.client.repository(RepoTypeKernel, id.owner(), id.name())
    }

    /// The same repo, with the patience that a commit takes.
    fn repo_to_commit(&self, id: &RepoId) -> Result<Repo, HubError> {
        let committer = if let Some(committer) = self.committer.get() {
            committer.clone()
        } else {
            let Patience { connect, commit, .. } = self.patience;
            let made = client(&self.endpoint, self.token.as_ref(), connect, commit)?;
            self.committer.get_or_init(|| made).clone()
        };
        Ok(committer.repository(RepoTypeKernel, id.owner(), id.name()))
    }

    /// Puts a question until there is an answer, or reason to give up.
    fn ask<T>(
        &self,
        question: &Question,
        watch: &Watcher,
        mut put: impl FnMut() -> HFResult<T>,
    ) -> Result<T, HubError> {
        let mut attempts = Attempts::new(self.patience);
        loop {
            match put() {
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    let failure = ask::failure(question, error, self.token.as_ref());
                    attempts.again(failure, watch)?;
                }
            }
        }
    }

    /// Whether an error says that something is not there. To somebody without a token the Hub says
    /// 401 of what does not exist, as of what is private.
    fn means_absent(&self, error: &HubError) -> bool {
        match error {
            HubError::Refused { status: 404, .. } => true,
            HubError::Refused { status: 401, .. } => self.token.is_none(),
            _ => false,
        }
    }
}

fn setup(reason: impl ToString) -> HubError {
    HubError::Setup { reason: reason.to_string() }
}

/// The official client, with our time limits: it has none of its own.
fn client(
    endpoint: &str,
    token: Option<&Token>,
    connect: Duration,
    answer: Duration,
) -> Result<HFClientSync, HubError> {
    let http = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(connect)
        .read_timeout(answer)
        .build()
        .map_err(setup)?;
    // Without a token the client would look for one in the environment. No header can carry this
    // one, so none is sent.
    let token = token.map_or("\n", Token::reveal);
    // Repetition is ours: a commit whose answer was lost is looked for before it is repeated, and
    // the server may say how long to wait.
    HFClient::builder()
        .endpoint(endpoint)
        .token(token)
        .client(http)
        .user_agent(USER_AGENT)
        .cache_enabled(false)
        .retry_max_attempts(0)
        .build_sync()
        .map_err(setup)
}
