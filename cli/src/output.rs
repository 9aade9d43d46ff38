//! The one place that writes to stdout and stderr.

use std::io::Write as _;
use std::process::ExitCode;

use ridge_hub_publish::hub::HubError;
use ridge_hub_publish::publication::PublishError;
use ridge_pipeline::error::PipelineError;
use ridge_spec::diagnostic::Diagnostic;
use serde::Serialize;

use crate::draw::paint::Paint;
use crate::{draw, environment};

/// What a command's answer amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The answer is yes.
    Yes,
    /// The answer is no: rejected, regressed, nothing found.
    No,
}

/// Prints text on stdout. A reader that went away (`| head`) is no failure.
pub(crate) fn text(text: &str) {
    let _closed = std::io::stdout().lock().write_all(text.as_bytes());
}

/// Prints an answer as one JSON object on stdout.
pub(crate) fn json(answer: &impl Serialize) -> anyhow::Result<()> {
    let mut line = serde_json::to_string_pretty(answer)?;
    line.push('\n');
    text(&line);
    Ok(())
}

/// Prints talk on stderr.
pub(crate) fn talk(text: &str) {
    let _closed = std::io::stderr().lock().write_all(text.as_bytes());
}

/// What an agent reads when there is no answer.
#[derive(Serialize)]
struct Failure<'a> {
    schema: u32,
    error: FailureBody<'a>,
}

#[derive(Serialize)]
struct FailureBody<'a> {
    code: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    diagnostics: &'a [Diagnostic],
}

/// Says why there is no answer: on stderr for people, on stdout as JSON for agents.
pub(crate) fn failure(error: &anyhow::Error, as_json: bool) {
    let (code, hint) = code_and_hint(error);
    let diagnostics = match error.downcast_ref() {
        Some(PipelineError::Spec(diagnostics)) => diagnostics.as_slice(),
        _ => &[],
    };
    if as_json {
        let message = format!("{error:#}");
        let body = FailureBody { code, message, hint, diagnostics };
        // The body is strings: it always has a JSON form.
        let _printed = json(&Failure { schema: 1, error: body });
        return;
    }
    let paint = Paint::new(environment::stderr_colour());
    if diagnostics.is_empty() {
        talk(&draw::diagnostic::message(&paint, &format!("{error:#}"), hint.as_deref(), &code));
    } else {
        for diagnostic in diagnostics {
            talk(&draw::diagnostic::diagnostic(&paint, diagnostic));
        }
    }
}

/// The stable code of an error, and what to try.
fn code_and_hint(error: &anyhow::Error) -> (String, Option<String>) {
    if let Some(own) = error.downcast_ref::<PipelineError>() {
        return (own.code(), own.hint());
    }
    if let Some(own) = error.downcast_ref::<PublishError>() {
        return (own.code().to_owned(), own.hint().map(str::to_owned));
    }
    if let Some(own) = error.downcast_ref::<HubError>() {
        return (own.code().to_owned(), own.hint());
    }
    ("internal".to_owned(), None)
}

/// Prints clap's own words; help and version are answers, everything else is a bad flag.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    let _closed = error.print();
    if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
}
