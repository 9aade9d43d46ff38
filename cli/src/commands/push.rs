//! The way to the Hub of `ridge publish --repo`.

use std::path::Path;

use ridge_hub_publish::hub::{Hub, HubError, Pushed, RepoId, Target};
use serde::Serialize;

use crate::commands::publish::PublishArguments;
use crate::draw::paint::Paint;
use crate::flags::Format;
use crate::output::Answer;
use crate::progress::Progress;
use crate::{draw, environment, output};

/// Sends folders to a repo.
#[derive(Debug)]
pub(crate) struct Sender {
    hub: Hub,
    target: Target,
    dry_run: bool,
}

#[derive(Serialize)]
struct PushAnswer {
    schema: u32,
    folder: String,
    hub: Pushed,
}

impl Sender {
    pub(crate) fn new(
        repo: RepoId,
        version: u32,
        flags: &PublishArguments,
    ) -> Result<Self, HubError> {
        let mut target = Target::new(repo, version);
        target.private = flags.private;
        target.replace = flags.replace;
        let options = environment::hub();
        if options.token.is_none() && !flags.dry_run {
            return Err(HubError::TokenMissing);
        }
        Ok(Self { hub: Hub::connect(&options)?, target, dry_run: flags.dry_run })
    }

    /// Asks the Hub before there is anything to send, and says what it says.
    pub(crate) fn preflight(&self) -> Result<(), HubError> {
        let progress = Progress::shared();
        let notes = self.hub.preflight(&self.target.repo, &progress.watcher())?;
        drop(progress);
        let paint = Paint::new(environment::stderr_colour());
        for note in notes {
            output::talk(&format!("{}: {note}\n", paint.faint("note")));
        }
        Ok(())
    }

    /// Sends a folder, with a progress bar.
    pub(crate) fn send(&self, folder: &Path) -> Result<Pushed, HubError> {
        let progress = Progress::shared();
        self.hub.publish(folder, &self.target, self.dry_run, &progress.watcher())
    }

    /// Sends a folder that was published on disk before, and says what went.
    pub(crate) fn send_folder(&self, folder: &Path, format: Format) -> anyhow::Result<Answer> {
        let hub = self.send(folder)?;
        match format {
            Format::Json => {
                let folder = folder.display().to_string();
                output::json(&PushAnswer { schema: 1, folder, hub })?;
            }
            Format::Text => {
                let paint = Paint::new(environment::stdout_colour());
                output::text(&draw::hub::pushed(&paint, &hub));
            }
        }
        Ok(Answer::Yes)
    }
}
