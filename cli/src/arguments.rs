//! Flags, and what they mean together.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands::check::CheckArguments;
use crate::commands::doctor::DoctorArguments;
use crate::commands::publish::PublishArguments;
use crate::commands::search_hub::SearchHubArguments;
use crate::commands::simulate::SimulateArguments;
use crate::commands::tune::TuneArguments;
use crate::commands::verify_repo::VerifyRepoArguments;
use crate::flags::Global;

/// Compile, check, tune and publish CUDA kernels, with or without a GPU.
#[derive(Debug, Parser)]
#[command(name = "ridge", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) global: Global,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say what works here, each thing proved by running it; or measure a GPU.
    ///
    /// Exit status 0: everything that is here works; 1: something does not; 2: no answer.
    Doctor(DoctorArguments),
    /// Compile, run and verify candidates; every finding with its line.
    ///
    /// Exit status 0: all passed; 1: some candidate was rejected; 2: no answer.
    Check(CheckArguments),
    /// Search the space for the fastest correct candidate of each workload to tune.
    ///
    /// The same command again goes on from the records in `--out`.
    /// Exit status 0: every workload has a winner; 1: some has none; 2: no answer.
    Tune(TuneArguments),
    /// Draw a campaign's records as one HTML page that opens without a network.
    Report {
        /// Folder of the campaign.
        dir: PathBuf,
    },
    /// Replay recorded landscapes against search strategies, and say which one did best.
    ///
    /// Landscapes are whole tuning spaces that somebody measured. Every strategy searches each of
    /// them several times without a device; the answer is how near the optimum it came after 10,
    /// 25, 50, 100 and 200 evaluations.
    /// Exit status 0: replayed; 2: no answer.
    #[command(after_help = "Examples:
  ridge simulate ridge-out/rmsnorm-h200/records.jsonl
  ridge simulate landscapes/ --strategy portfolio,descent --budget 100 --out curves.html
  ridge simulate landscapes/ --prior landscapes/ --strategy portfolio,surrogate")]
    Simulate(SimulateArguments),
    /// Publish a tuned kernel as a Hugging Face kernel repo, which `kernels.get_kernel` loads: to a
    /// folder, or to the Hub.
    ///
    /// Only what was measured and verified is published, with the records that prove it. The same
    /// command again changes nothing.
    /// Exit status 0: published; 2: no answer.
    #[command(after_help = "Examples:
  ridge publish ridge-out/rmsnorm-cuda-0 --to-folder published/rmsnorm
  ridge publish landscapes/h200/rmsnorm--*.jsonl.gz --spec kernels/rmsnorm --to-folder published/rmsnorm
  ridge publish published/rmsnorm --repo org/rmsnorm --dry-run
  ridge publish ridge-out/rmsnorm-cuda-0 --repo org/rmsnorm")]
    Publish(PublishArguments),
    /// Check a published repo as who uses it should: digests, the matrix and the launches against
    /// spec and records, and every kernel against the reference.
    ///
    /// Exit status 0: all is as published; 1: something is wrong; 2: no answer.
    VerifyRepo(VerifyRepoArguments),
    /// Say what kernels of a name the Hugging Face Hub has: versions, builds, what they run on, and
    /// whether they carry a tuned matrix.
    ///
    /// The token is that of `HF_TOKEN` or of `hf auth login`; without one, what is public is found.
    /// Exit status 0: there are some; 1: there are none; 2: no answer.
    SearchHub(SearchHubArguments),
    /// Compile requests from stdin, one JSON object a line.
    #[command(hide = true)]
    CompileWorker,
    /// Run candidates on a GPU, as asked on stdin.
    #[command(hide = true)]
    DeviceWorker,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Arguments::command().debug_assert();
    }
}
