//! `ridge check`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ridge_pipeline::check::{self, CheckRequest, Choice};
use ridge_pipeline::devices::DeviceChoice;
use ridge_pipeline::explain;
use ridge_pipeline::folder::KernelFolder;
use ridge_pipeline::setup::Setup;

use crate::draw::paint::Paint;
use crate::flags::Format;
use crate::output::Answer;
use crate::progress::Progress;
use crate::{draw, environment, output};

/// How a graph is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Drawing {
    /// Line by line.
    Text,
    /// For Graphviz.
    Dot,
    /// For a browser.
    Svg,
}

/// Flags of `check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// The kernel's folder, or its `.toml`.
    pub(crate) spec: PathBuf,
    /// Check this candidate: parameters left out have the default's values.
    #[arg(long, value_name = "K=V,…", conflicts_with = "all")]
    pub(crate) candidate: Vec<String>,
    /// Check every legal candidate.
    #[arg(long)]
    pub(crate) all: bool,
    /// Compile nothing: say how the math becomes one kernel, which sweeps over memory it takes and
    /// what they move; as text, or as a drawing for Graphviz or a browser.
    #[arg(long, value_enum, value_name = "FORM", num_args = 0..=1, default_missing_value = "text")]
    pub(crate) explain: Option<Drawing>,
    /// Check these workloads only.
    #[arg(long, value_name = "NAME")]
    pub(crate) workload: Vec<String>,
    /// Run every block of large workloads, not a sample of them.
    #[arg(long)]
    pub(crate) every_block: bool,
    /// Where candidates run: `emulator`, `cuda:N`.
    #[arg(long, default_value = "emulator")]
    pub(crate) device: String,
    /// What to compile for: a name, or a profile's file [default: `h200`, or the device's own].
    #[arg(long)]
    pub(crate) target: Option<String>,
    /// Seed of the inputs.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

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
