//! `ridge doctor`.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use ridge_pipeline::calibrate::{self, CalibrateOptions};
use ridge_pipeline::doctor;
use ridge_pipeline::setup::Setup;

use crate::draw::doctor as draw;
use crate::draw::paint::Paint;
use crate::flags::Format;
use crate::output::Answer;
use crate::progress::Progress;
use crate::{environment, output};

/// Flags of `doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    /// Measure a GPU's bandwidths, latencies and fixed costs, and write them as a profile that
    /// `--target` takes.
    #[arg(long)]
    pub(crate) calibrate: bool,
    /// What to calibrate: `cuda:N`; with `emulator`, what would be timed is checked, not timed.
    #[arg(long, default_value = "cuda:0", requires = "calibrate")]
    pub(crate) device: String,
    /// The profile's file; all samples are put beside it, in `.calibration.json` [default:
    /// `TARGET.toml`].
    #[arg(long, value_name = "FILE", requires = "calibrate")]
    pub(crate) out: Option<PathBuf>,
}

pub(crate) fn run(
    setup: &Setup,
    flags: &DoctorArguments,
    format: Format,
) -> anyhow::Result<Answer> {
    if flags.calibrate {
        return calibrate(setup, flags, format);
    }
    let answer = doctor::run(setup, &Progress::new());
    match format {
        Format::Json => output::json(&answer)?,
        Format::Text => {
            output::text(&draw::checks(&Paint::new(environment::stdout_colour()), &answer));
        }
    }
    Ok(if answer.able { Answer::Yes } else { Answer::No })
}

/// The answer is no where some launch gave no times.
fn calibrate(setup: &Setup, flags: &DoctorArguments, format: Format) -> anyhow::Result<Answer> {
    let (device, out) = (flags.device.clone(), flags.out.clone());
    let options = CalibrateOptions { device, out, now_s: now_s() };
    let answer = calibrate::run(setup, &options, &Progress::new())?;
    match format {
        Format::Json => output::json(&answer)?,
        Format::Text => {
            output::text(&draw::calibration(&Paint::new(environment::stdout_colour()), &answer));
        }
    }
    Ok(if answer.missing.is_empty() { Answer::Yes } else { Answer::No })
}

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "a profile says when it was measured")]
fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
