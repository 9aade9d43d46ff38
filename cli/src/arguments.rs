//! Flags, and what they mean together.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands::publish::PublishArguments;
use crate::commands::search_hub::SearchHubArguments;
use crate::commands::simulate::SimulateArguments;
use crate::commands::tune::SearchArguments;
use crate::commands::verify_repo::VerifyRepoArguments;

/// Compile, check, tune and publish CUDA kernels, with or without a GPU.
#[derive(Debug, Parser)]
#[command(name = "ridge", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) global: Global,
}

/// Flags of every command.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// How the answer is printed on stdout.
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Folder of the CUDA toolkit or of NVRTC's wheels, instead of looking for one.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) toolkit: Option<PathBuf>,
    /// Folder for the compiler and for compiled candidates [default: $RIDGE_CACHE, or `ridge` in
    /// the user's cache folder].
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    /// Compile workers and emulator threads [default: the machine's cores].
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
}

/// How an answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For agents: one JSON object with stable codes.
    Json,
}

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

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Arguments::command().debug_assert();
    }
}
