//! `ridge doctor`.

use ridge_pipeline::doctor;
use ridge_pipeline::setup::Setup;

use crate::arguments::Format;
use crate::draw::paint::Paint;
use crate::progress::Progress;
use crate::{Answer, environment, output};

pub(crate) fn run(setup: &Setup, format: Format) -> anyhow::Result<Answer> {
    let answer = doctor::run(setup, &Progress::new());
    match format {
        Format::Json => output::json(&answer)?,
        Format::Text => {
            let paint = Paint::new(environment::stdout_colour());
            for check in &answer.checks {
                let mark = if check.works { paint.good("works") } else { paint.bad("fails") };
                output::text(&format!("{mark}  {:<18} {}\n", check.name, check.detail));
                if let Some(hint) = &check.hint {
                    output::text(&format!("       {}: {hint}\n", paint.strong("hint")));
                }
            }
        }
    }
    Ok(if answer.able { Answer::Yes } else { Answer::No })
}
