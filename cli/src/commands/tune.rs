//! `ridge tune`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use ridge_pipeline::devices::DeviceChoice;
use ridge_pipeline::folder::KernelFolder;
use ridge_pipeline::setup::Setup;
use ridge_pipeline::target;
use ridge_pipeline::tune::{self, PriorChoice, TuneRequest};

use crate::commands::simulate::parse_risk;
use crate::draw::paint::Paint;
use crate::flags::Format;
use crate::output::Answer;
use crate::progress::Progress;
use crate::{draw, environment, output};

/// Flags of `tune`.
#[derive(Debug, Args)]
pub(crate) struct TuneArguments {
    /// The kernel's folder, or its `.toml`.
    pub(crate) spec: PathBuf,
    /// Where candidates run: `emulator`, `cuda:N`, or `cuda:all` for every GPU of the host.
    #[arg(long, default_value = "emulator")]
    pub(crate) device: String,
    /// What to compile and predict for: a name, or a profile's file [default: `h200`, or the
    /// device's own].
    #[arg(long)]
    pub(crate) target: Option<String>,
    /// Evaluations for each workload [default: the whole space].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) budget: Option<u32>,
    /// Wall time for the job, such as `60s`, `5m` or `1h`.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) time: Option<Duration>,
    #[command(flatten)]
    pub(crate) search: SearchArguments,
    /// How to search [default: `exhaustive`, or `portfolio` where the search may end before].
    #[arg(long, value_name = "NAME")]
    pub(crate) strategy: Option<String>,
    /// Seed of the search and of the inputs.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Tune these workloads only.
    #[arg(long, value_name = "NAME")]
    pub(crate) workload: Vec<String>,
    /// Folder for records, matrix and report [default: `ridge-out/KERNEL-TARGET`, or
    /// `ridge-out/KERNEL-DEVICE` without `--target`].
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// Flags of `tune` that say how long to search, and with what to begin.
#[derive(Debug, Args)]
pub(crate) struct SearchArguments {
    /// Stop once the best runs at this fraction of the roofline.
    #[arg(long, value_name = "FRACTION", value_parser = parse_fraction)]
    until: Option<f64>,
    /// Stop once the strategy has expected less than this fraction of the best time of 64 proposals
    /// in a row, such as 0.001.
    #[arg(long, value_name = "FRACTION", value_parser = parse_fraction)]
    gain: Option<f64>,
    /// Begin with what these campaigns found: logs, folders of campaigns, recorded landscapes; of
    /// other devices, workloads and versions of the kernel. The other workloads of the same folder
    /// are always looked at.
    #[arg(long, value_name = "PATH", num_args = 1.., conflicts_with = "no_prior")]
    prior: Vec<PathBuf>,
    /// Begin cold.
    #[arg(long)]
    no_prior: bool,
    /// On a GPU and with `--prior` logs of at least six campaigns, do not time what the cost model
    /// says cannot win, at this risk that the fastest, or one within 1 % of it, is among them; 0 to
    /// time everything.
    #[arg(long, value_name = "RISK", default_value_t = 0.01, value_parser = parse_prune_risk)]
    prune_risk: f64,
}

impl SearchArguments {
    fn prior(&self) -> PriorChoice {
        if self.no_prior { PriorChoice::Cold } else { PriorChoice::From(self.prior.clone()) }
    }
}

/// Reads 0, or a risk.
fn parse_prune_risk(text: &str) -> Result<f64, String> {
    if text == "0" { Ok(0.0) } else { parse_risk(text) }
}

/// Reads a number above 0 and up to 1.
fn parse_fraction(text: &str) -> Result<f64, String> {
    let fraction = text.parse::<f64>().ok().filter(|value| *value > 0.0 && *value <= 1.0);
    fraction.ok_or_else(|| format!("`{text}` is no fraction: use a number above 0 and up to 1"))
}

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
        until: flags.search.until,
        gain: flags.search.gain,
        prior: flags.search.prior(),
        prune_risk: flags.search.prune_risk,
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

/// Reads `90`, `90s`, `5m` or `1h`.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let (digits, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
        Some(at) => text.split_at(at),
        None => (text, "s"),
    };
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(format!("`{unit}` is no unit: use `s`, `m` or `h`")),
    };
    digits
        .parse::<u32>()
        .ok()
        .filter(|&count| count > 0)
        .map(|count| Duration::from_secs(u64::from(count) * seconds))
        .ok_or_else(|| format!("`{text}` is no time like `60s`, `5m` or `1h`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<u64, &str>) {
        let got = parse_duration(text);
        assert_eq!(got.as_ref().map(Duration::as_secs).map_err(String::as_str), expected);
    }

    #[test]
    fn durations() {
        check("60s", Ok(60));
        check("90", Ok(90));
        check("5m", Ok(300));
        check("2h", Ok(7200));
        check("0s", Err("`0s` is no time like `60s`, `5m` or `1h`"));
        check("5d", Err("`d` is no unit: use `s`, `m` or `h`"));
        check("-5s", Err("`-5s` is no unit: use `s`, `m` or `h`"));
        check("99999999999s", Err("`99999999999s` is no time like `60s`, `5m` or `1h`"));
    }
}
