//! `ridge check`.

use ridge_pipeline::check::{self, CheckRequest, Choice};
use ridge_pipeline::devices::DeviceChoice;
use ridge_pipeline::folder::KernelFolder;
use ridge_pipeline::setup::Setup;

use crate::arguments::{CheckArguments, Format};
use crate::draw::paint::Paint;
use crate::progress::Progress;
use crate::{Answer, draw, environment, output};

pub(crate) fn run(setup: &Setup, flags: &CheckArguments, format: Format) -> anyhow::Result<Answer> {
    let folder = KernelFolder::load(&flags.spec)?;
    let choice = if flags.all {
        Choice::All
    } else if flags.candidate.is_empty() {
        Choice::Default
    } else {
        Choice::These(flags.candidate.clone())
    };
    let request = CheckRequest {
        choice,
        workloads: flags.workload.clone(),
        every_block: flags.every_block,
        device: DeviceChoice::parse(&flags.device)?,
        target: flags.target.clone(),
        seed: flags.seed,
    };
    let answer = check::run(setup, &folder, &request, &Progress::new())?;
    match format {
        Format::Json => output::json(&answer)?,
        Format::Text => {
            let paint = Paint::new(environment::stdout_colour());
            output::text(&draw::check::answer(&paint, &answer, &folder));
        }
    }
    Ok(if answer.passed { Answer::Yes } else { Answer::No })
}
