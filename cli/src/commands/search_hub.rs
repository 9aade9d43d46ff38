//! `ridge search-hub`.

use clap::Args;
use ridge_hub_publish::hub::{Hub, Listing};
use serde::Serialize;

use crate::draw::paint::Paint;
use crate::flags::Format;
use crate::output::Answer;
use crate::progress::Progress;
use crate::{draw, environment, output};

/// Flags of `search-hub`.
#[derive(Debug, Args)]
pub(crate) struct SearchHubArguments {
    /// A kernel's name, or part of it; or one repo, as `org/name`.
    name: String,
}

#[derive(Serialize)]
struct SearchHubAnswer<'a> {
    schema: u32,
    endpoint: &'a str,
    #[serde(flatten)]
    listing: &'a Listing,
}

pub(crate) fn run(flags: &SearchHubArguments, format: Format) -> anyhow::Result<Answer> {
    let mut options = environment::hub();
    // Somebody is waiting for the answer, and asking again is cheap.
    options.patience.n_attempts = 3;
    let hub = Hub::connect(&options)?;
    let progress = Progress::shared();
    let listing = hub.search(&flags.name, &progress.watcher())?;
    drop(progress);
    match format {
        Format::Json => {
            let endpoint = hub.endpoint();
            output::json(&SearchHubAnswer { schema: 1, endpoint, listing: &listing })?;
        }
        Format::Text => {
            let paint = Paint::new(environment::stdout_colour());
            output::text(&draw::hub::listing(&paint, &listing));
        }
    }
    Ok(if listing.found.is_empty() { Answer::No } else { Answer::Yes })
}
