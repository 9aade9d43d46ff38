//! One question to the Hub: put again while the network or the server has bad luck, and an answer
//! of no in our words.

use std::time::Duration;

use hf_hub::HFError;

use super::error::HubError;
use super::event::{Event, Watcher};
use super::options::{Patience, Token};

/// What a question is about.
#[derive(Clone, Debug)]
pub(super) struct Question {
    /// As a verb with its object: it follows `cannot`.
    action: String,
    creating: bool,
}

impl Question {
    pub(super) fn new(action: impl Into<String>) -> Self {
        Self { action: action.into(), creating: false }
    }

    /// The creation of a repo, which the Hub refuses for its own reasons.
    pub(super) fn creating(action: impl Into<String>) -> Self {
        Self { action: action.into(), creating: true }
    }

    /// An answer that cannot be true.
    pub(super) fn contradicted(&self, reason: String) -> HubError {
        HubError::Answer { action: self.action.clone(), reason }
    }
}

/// A failed question.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: HubError,
    /// Whether the same question may find an answer.
    transient: bool,
    /// What the server asked us to wait.
    wait: Option<Duration>,
}

impl Failure {
    /// The HTTP status, where there was one.
    pub(super) fn status(&self) -> Option<u16> {
        match &self.error {
            HubError::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// Counts attempts and waits between them.
#[derive(Debug)]
pub(super) struct Attempts {
    patience: Patience,
    n_made: u32,
}

impl Attempts {
    pub(super) const fn new(patience: Patience) -> Self {
        Self { patience, n_made: 0 }
    }

    /// Waits before the next attempt.
    ///
    /// # Errors
    /// The failure itself, where another attempt would not help or there were enough.
    pub(super) fn again(&mut self, failure: Failure, watch: &Watcher) -> Result<(), HubError> {
        self.n_made += 1;
        let doubled = self.patience.wait.saturating_mul(1 << (self.n_made - 1).min(20));
        let wait = failure.wait.unwrap_or(doubled).max(doubled);
        let too_long = failure.wait.is_some_and(|asked| asked > self.patience.wait_max);
        if !failure.transient || self.n_made >= self.patience.n_attempts || too_long {
            let asked = failure.wait.filter(|_| too_long);
            return Err(counted(failure.error, self.n_made, asked));
        }
        let wait = wait.min(self.patience.wait_max);
        watch(Event::Waiting { wait, reason: failure.error.to_string() });
        std::thread::sleep(wait);
        Ok(())
    }
}

/// The error with how often was asked, and how long the server wants us to stay away.
fn counted(mut error: HubError, n_made: u32, wait: Option<Duration>) -> HubError {
    if let (HubError::Refused { message, .. }, Some(wait)) = (&mut error, wait) {
        message.push_str(&format!(" (for {} s)", wait.as_secs()));
    }
    if let HubError::Refused { n_attempts, .. } | HubError::Network { n_attempts, .. } = &mut error
    {
        *n_attempts = n_made;
    }
    error
}

/// A failure of the official client in our words.
pub(super) fn failure(question: &Question, error: HFError, token: Option<&Token>) -> Failure {
    let answered = |status: u16, said: String, wait: Option<Duration>| {
        refusal(question, status, &said, wait, token)
    };
    match error {
        HFError::RateLimited { retry_after, context } => {
            let said = said(context.server_message.as_deref(), &context.body);
            answered(context.status.as_u16(), said, retry_after)
        }
        HFError::Http { context }
        | HFError::AuthRequired { context }
        | HFError::Forbidden { context }
        | HFError::Conflict { context } => {
            let said = said(context.server_message.as_deref(), &context.body);
            answered(context.status.as_u16(), said, None)
        }
        HFError::RepoNotFound { context, .. }
        | HFError::RevisionNotFound { context, .. }
        | HFError::EntryNotFound { context, .. } => {
            let said = context.map(|it| said(it.server_message.as_deref(), &it.body));
            answered(404, said.unwrap_or_default(), None)
        }
        HFError::Request { source, .. } if source.is_decode() && !is_cut_short(&source) => {
            let reason = "the answer is not what the Hub's clients expect".to_owned();
            fatal(HubError::Answer { action: question.action.clone(), reason })
        }
        HFError::Request { source, .. } => lost(question, &source, token),
        HFError::Xet { source, .. } => {
            network(question, format!("the upload broke off: {source}"), token)
        }
        HFError::Io(source) => network(question, source.to_string(), token),
        other => fatal(HubError::Answer {
            action: question.action.clone(),
            reason: scrub(token, &other.to_string()),
        }),
    }
}

/// A request that got no answer.
pub(super) fn lost(question: &Question, error: &reqwest::Error, token: Option<&Token>) -> Failure {
    let reason = if error.is_timeout() {
        "the Hub took too long to answer".to_owned()
    } else if error.is_connect() {
        format!("no connection to the Hub ({})", root(error))
    } else {
        format!("the connection broke off ({})", root(error))
    };
    network(question, reason, token)
}

/// An answer whose status is not one of success.
pub(super) fn refusal(
    question: &Question,
    status: u16,
    message: &str,
    wait: Option<Duration>,
    token: Option<&Token>,
) -> Failure {
    let error = HubError::Refused {
        action: question.action.clone(),
        creating: question.creating,
        status,
        message: scrub(token, message),
        n_attempts: 1,
    };
    Failure { error, transient: matches!(status, 408 | 429 | 500 | 502..=504), wait }
}

fn network(question: &Question, reason: String, token: Option<&Token>) -> Failure {
    let reason = scrub(token, &reason);
    let error = HubError::Network { action: question.action.clone(), reason, n_attempts: 1 };
    Failure { error, transient: true, wait: None }
}

const fn fatal(error: HubError) -> Failure {
    Failure { error, transient: false, wait: None }
}

fn scrub(token: Option<&Token>, text: &str) -> String {
    token.map_or_else(|| text.to_owned(), |token| token.scrub(text))
}

/// Whether a body ended before its end, rather than being no JSON.
fn is_cut_short(error: &reqwest::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if inner.downcast_ref::<serde_json::Error>().is_some() {
            return false;
        }
        cause = inner.source();
    }
    true
}

/// The innermost cause, which is the one that says something.
fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// The server's message, or a short body that is no page.
pub(super) fn said(message: Option<&str>, body: &str) -> String {
    let text = message.unwrap_or(body).trim();
    if text.starts_with('<') {
        return String::new();
    }
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut short: String = line.chars().take(300).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short.trim_end_matches('.').to_owned()
}
