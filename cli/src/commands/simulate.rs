//! `ridge simulate`.

use std::path::PathBuf;

use clap::Args;
use ridge_pipeline::simulate::cost_model::{self, CostModelRequest};
use ridge_pipeline::simulate::{self, SimulateRequest};

use crate::draw::paint::Paint;
use crate::flags::Format;
use crate::output::Answer;
use crate::progress::Progress;
use crate::{draw, environment, output};

/// Flags of `simulate`.
#[derive(Debug, Args)]
pub(crate) struct SimulateArguments {
    /// Landscapes, or folders of them: recorded JSON, Kernel Tuner's cache files, T4 results, and
    /// the `records.jsonl` of campaigns; each may be gzipped.
    #[arg(required = true)]
    landscapes: Vec<PathBuf>,
    /// Strategies to compare, or `all`; random search is always among them.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', default_value = "all")]
    strategy: Vec<String>,
    /// Evaluations of each replay.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    budget: u32,
    /// Replays of each strategy on each landscape, with the seeds 0, 1, ….
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    seeds: u32,
    /// Candidates asked for at once, as where that many are compiled in parallel.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// Landscapes whose campaigns, of 200 evaluations, are the priors of those of the same kernel
    /// on other devices and workloads; naming LANDSCAPE again leaves out each one's own.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    prior: Vec<PathBuf>,
    /// Turn every prior upside down, to see what one that misleads costs.
    #[arg(long, requires = "prior")]
    mislead: bool,
    /// Draw the convergence curves: one `.svg`, or an `.html` with every landscape.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print every landscape's rows, not only the means.
    #[arg(long)]
    each: bool,
    /// Judge the cost model instead: how it orders recorded campaigns, each by a model that has not
    /// seen its shape, and by one that has not seen its kernel.
    #[arg(long, conflicts_with_all = ["prior", "mislead", "out"])]
    cost_model: bool,
    /// With `--cost-model`, the risk at which candidates are pruned: the share of campaigns in which
    /// the fastest candidate, or one within 1 % of it, may be among them.
    #[arg(long, value_name = "SHARE", default_value_t = 0.01, value_parser = parse_risk)]
    risk: f64,
}

/// Reads a probability above 0 and below 0.5.
pub(crate) fn parse_risk(text: &str) -> Result<f64, String> {
    let risk = text.parse::<f64>().ok().filter(|risk| *risk > 0.0 && *risk < 0.5);
    risk.ok_or_else(|| format!("`{text}` is no risk: use a number above 0 and below 0.5"))
}

pub(crate) fn run(flags: &SimulateArguments, format: Format) -> anyhow::Result<Answer> {
    if flags.cost_model {
        return judge_cost_model(flags, format);
    }
    let request = SimulateRequest {
        landscapes: flags.landscapes.clone(),
        strategies: flags.strategy.clone(),
        budget: flags.budget as usize,
        seeds: u64::from(flags.seeds),
        batch: flags.batch as usize,
        priors: flags.prior.clone(),
        mislead: flags.mislead,
        plot: flags.out.clone(),
    };
    let progress = Progress::new();
    let answer = simulate::run(&request, &progress)?;
    drop(progress);
    match format {
        Format::Json => output::json(&answer)?,
        Format::Text => {
            let paint = Paint::new(environment::stdout_colour());
            output::text(&draw::simulate::answer(&paint, &answer, flags.each));
        }
    }
    Ok(Answer::Yes)
}

fn judge_cost_model(flags: &SimulateArguments, format: Format) -> anyhow::Result<Answer> {
    let request = CostModelRequest { records: flags.landscapes.clone(), risk: flags.risk, seed: 0 };
    let progress = Progress::new();
    let answer = cost_model::run(&request, &progress)?;
    drop(progress);
    match format {
        Format::Json => output::json(&answer)?,
        Format::Text => {
            let paint = Paint::new(environment::stdout_colour());
            output::text(&draw::simulate::cost_model::answer(&paint, &answer));
        }
    }
    Ok(Answer::Yes)
}
