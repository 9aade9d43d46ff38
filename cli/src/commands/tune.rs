//! `ridge tune`.

use ridge_pipeline::folder::KernelFolder;
use ridge_pipeline::setup::Setup;
use ridge_pipeline::tune::{self, TuneRequest};

use crate::arguments::{Format, TuneArguments};
use crate::draw::paint::Paint;
use crate::progress::Progress;
use crate::{Answer, draw, environment, output};

pub(crate) fn run(setup: &Setup, flags: &TuneArguments, format: Format) -> anyhow::Result<Answer> {
    let folder = KernelFolder::load(&flags.spec)?;
    let out = flags
        .out
        .clone()
        .unwrap_or_else(|| environment::default_out(folder.spec.name.as_str(), &flags.target));
    let request = TuneRequest {
        device: flags.device.clone(),
        target: flags.target.clone(),
        budget: flags.budget.map(|budget| budget as usize),
        time: flags.time,
        strategy: flags.strategy.clone(),
        seed: flags.seed,
        workloads: flags.workload.clone(),
        out,
    };
    let answer = tune::run(setup, &folder, &request, &Progress::new())?;
    match format {
        Format::Json => output::json(&answer)?,
        Format::Text => {
            let paint = Paint::new(environment::stdout_colour());
            output::text(&draw::tune::answer(&paint, &answer));
        }
    }
    Ok(if answer.found { Answer::Yes } else { Answer::No })
}
