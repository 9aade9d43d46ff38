//! `ridge tune`.

use std::path::Path;

use ridge_pipeline::devices::DeviceChoice;
use ridge_pipeline::folder::KernelFolder;
use ridge_pipeline::setup::Setup;
use ridge_pipeline::target;
use ridge_pipeline::tune::{self, TuneRequest};

use crate::arguments::{Format, TuneArguments};
use crate::draw::paint::Paint;
use crate::progress::Progress;
use crate::{Answer, draw, environment, output};

pub(crate) fn run(setup: &Setup, flags: &TuneArguments, format: Format) -> anyhow::Result<Answer> {
    let folder = KernelFolder::load(&flags.spec)?;
    let device = DeviceChoice::parse(&flags.device)?;
    let on = match (&flags.target, &device) {
        (Some(target), _) => Path::new(target).file_stem().unwrap_or_default().to_string_lossy(),
        (None, DeviceChoice::Emulator) => target::DEFAULT.into(),
        (None, device) => device.to_string().replace(':', "-").into(),
    };
    let kernel = folder.spec.name.as_str();
    let out = flags.out.clone().unwrap_or_else(|| environment::default_out(kernel, &on));
    let request = TuneRequest {
        device,
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
