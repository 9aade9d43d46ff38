//! `ridge check`.

use ridge_pipeline::check::{self, CheckRequest, Choice};
use ridge_pipeline::devices::DeviceChoice;
use ridge_pipeline::explain;
use ridge_pipeline::folder::KernelFolder;
use ridge_pipeline::setup::Setup;

use crate::arguments::{CheckArguments, Drawing, Format};
use crate::draw::paint::Paint;
use crate::progress::Progress;
use crate::{Answer, draw, environment, output};

pub(crate) fn run(setup: &Setup, flags: &CheckArguments, format: Format) -> anyhow::Result<Answer> {
    let folder = KernelFolder::load(&flags.spec)?;
    if let Some(form) = flags.explain {
        return explain(&folder, flags, form, format);
    }
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

/// Says how the math becomes a kernel; nothing is compiled.
fn explain(
    folder: &KernelFolder,
    flags: &CheckArguments,
    form: Drawing,
    format: Format,
) -> anyhow::Result<Answer> {
    let explanation = explain::run(folder, &flags.workload, flags.target.as_deref())?;
    match (format, form) {
        (Format::Json, _) => output::json(&explanation)?,
        (Format::Text, Drawing::Text) => output::text(&explanation.text()),
        (Format::Text, Drawing::Dot) => output::text(&explanation.dot()),
        (Format::Text, Drawing::Svg) => output::text(&explanation.svg()),
    }
    Ok(Answer::Yes)
}
