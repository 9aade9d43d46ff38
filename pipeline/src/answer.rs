//! What the jobs answer: the same value is drawn for people and printed as JSON for agents.

use std::collections::BTreeMap;

use ridge_autotune::budget::StopReason;
use ridge_autotune::learned::Trust;
use ridge_spec::artifact::Resources;
use ridge_spec::counters::Counters;
use ridge_spec::diagnostic::Diagnostic;
use ridge_spec::digest::Digest;
use ridge_spec::launch::LaunchConfig;
use ridge_spec::outcome::{Interval, Prediction, Rejection, Samples};
use ridge_spec::record::{Companions, VerificationSummary};
use ridge_spec::space::Candidate;
use serde::{Deserialize, Serialize};

/// Schema number of every answer.
pub const ANSWER_SCHEMA: u32 = 1;

/// What `check` found.
#[derive(Clone, Debug, Serialize)]
pub struct CheckAnswer {
    /// Format of the answer.
    pub schema: u32,
    /// The kernel.
    pub kernel: String,
    /// Digest of its spec and files.
    pub spec: Digest,
    /// Name of the target's profile.
    pub target: String,
    /// Where it ran.
    pub device: String,
    /// Whether every candidate passed on every workload it is legal for.
    pub passed: bool,
    /// One entry for each candidate checked.
    pub candidates: Vec<CandidateCheck>,
}

/// One candidate of a check.
#[derive(Clone, Debug, Serialize)]
pub struct CandidateCheck {
    /// The candidate.
    pub candidate: Candidate,
    /// Whether it passed wherever it is legal, and is legal somewhere.
    pub passed: bool,
    /// One entry for each workload.
    pub workloads: Vec<WorkloadCheck>,
}

/// One candidate on one workload.
#[derive(Clone, Debug, Serialize)]
pub struct WorkloadCheck {
    /// The workload.
    pub workload: String,
    /// How it went.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// What the assembler says it needs, once compiled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// How it was launched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launch: Option<LaunchConfig>,
    /// What was counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counters: Option<Counters>,
    /// What it would take on the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prediction: Option<Prediction>,
    /// The roofline's time over the predicted one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fraction_of_roofline: Option<f64>,
}

/// How one candidate fared on one workload.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// Every check passed.
    Passed {
        /// What was checked.
        verification: VerificationSummary,
    },
    /// Some check failed.
    Rejected {
        /// Which and how.
        rejection: Rejection,
    },
    /// The space's constraints exclude it here.
    Illegal {
        /// Which constraint.
        reason: Diagnostic,
    },
}

/// What `tune` found.
#[derive(Clone, Debug, Serialize)]
pub struct TuneAnswer {
    /// Format of the answer.
    pub schema: u32,
    /// The kernel.
    pub kernel: String,
    /// Digest of its spec and files.
    pub spec: Digest,
    /// Name of the target's profile.
    pub target: String,
    /// Where candidates ran.
    pub device: String,
    /// The seed.
    pub seed: u64,
    /// Whether every workload has a candidate that passed every check.
    pub found: bool,
    /// One entry for each workload tuned.
    pub workloads: Vec<WorkloadAnswer>,
    /// Where things were written.
    pub files: Files,
    /// Wall time of the whole job, nanoseconds.
    pub wall_time_ns: u64,
    /// Of that, while neither a candidate was compiled nor a GPU was at work: the tuner's own share,
    /// checking in the emulator and comparing included.
    pub own_time_ns: u64,
}

/// What a campaign wrote.
#[derive(Clone, Debug, Serialize)]
pub struct Files {
    /// The log of records.
    pub records: String,
    /// The matrix, where there is a winner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matrix: Option<String>,
    /// The report.
    pub report: String,
}

/// The search over one workload.
#[derive(Clone, Debug, Serialize)]
pub struct WorkloadAnswer {
    /// The workload.
    pub workload: String,
    /// The strategy that searched.
    pub strategy: &'static str,
    /// Why the search ended.
    pub stopped_because: Stopped,
    /// What was not timed because it cannot win; absent where everything was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pruning: Option<PruningAnswer>,
    /// What the search began with; absent where it began cold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prior: Option<PriorAnswer>,
    /// Points of the whole product of parameters.
    pub n_product: u64,
    /// Legal candidates.
    pub n_legal: usize,
    /// Evaluations, those of earlier runs included.
    pub n_evaluated: usize,
    /// Of those, taken from an earlier run's records.
    pub n_resumed: usize,
    /// Rejected candidates by code.
    pub rejected: BTreeMap<String, usize>,
    /// The least time that the target's data sheet allows for the workload's bytes, nanoseconds.
    pub roofline_ns: u64,
    /// Screened time of the spec's default candidate, nanoseconds, where it is legal and passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_time_ns: Option<u64>,
    /// The best candidates that passed every check, best first.
    pub best: Vec<Ranked>,
    /// Who is fastest behind a kernel that triggers nothing, where that is surely not the first of
    /// the best.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alone: Option<FastestAlone>,
    /// Finalists that a further workload refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused_finalists: Vec<RefusedFinalist>,
}

/// A finalist that is surely faster alone than the one that is fastest in a chain.
#[derive(Clone, Debug, Serialize)]
pub struct FastestAlone {
    /// The candidate.
    pub candidate: Candidate,
    /// Median of its launches alone, nanoseconds.
    pub time_ns: u64,
    /// Low and high end of the 95 % interval of that median, nanoseconds.
    pub interval_ns: (u64, u64),
    /// What the one that is fastest in a chain takes alone, nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain_winner_ns: Option<u64>,
    /// The artifact.
    pub artifact: Digest,
}

/// Why a search ended.
#[derive(Clone, Debug, Serialize)]
pub struct Stopped {
    /// The reason's code and numbers.
    #[serde(flatten)]
    pub reason: StopReason,
    /// The reason in words.
    pub summary: String,
}

impl From<StopReason> for Stopped {
    fn from(reason: StopReason) -> Self {
        Self { summary: reason.summary(), reason }
    }
}

/// Candidates that were not timed because the cost model said that they cannot win.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PruningAnswer {
    /// The probability, as calibrated, that the fastest or one within 1 % of it is among them.
    pub risk: f64,
    /// Candidates that were not timed.
    pub n_pruned: usize,
    /// Campaigns that the model learned from.
    pub n_campaigns: usize,
    /// How much of what it learned it applies.
    pub trust: Trust,
}

/// What a search began with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PriorAnswer {
    /// Where it is kept: a campaign that resumes begins with the same.
    pub file: String,
    /// Earlier campaigns and their shares.
    pub campaigns: Vec<PriorCampaign>,
    /// Candidates that the cost model was asked about in the emulator.
    pub n_predicted: usize,
}

/// An earlier campaign that a search began with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PriorCampaign {
    /// Its kernel, device and workload.
    pub name: String,
    /// Its share of the prior, from 0 to 1; 0 where it says nothing of this space.
    pub share: f64,
    /// Evaluations of it that were used.
    pub n_used: usize,
}

/// A candidate in the ranking.
#[derive(Clone, Debug, Serialize)]
pub struct Ranked {
    /// The candidate.
    pub candidate: Candidate,
    /// Median of the finals' samples where there is a GPU, else the predicted time; nanoseconds.
    pub time_ns: u64,
    /// The roofline's time over its own.
    pub fraction_of_roofline: f64,
    /// How it was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measurement: Option<Measurement>,
    /// The prediction's terms; absent where the emulator does not execute the candidate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prediction: Option<Prediction>,
    /// What the assembler says it needs.
    pub resources: Resources,
    /// The artifact.
    pub artifact: Digest,
}

/// A measured time with what stands beside it; nanoseconds a launch.
#[derive(Clone, Debug, Serialize)]
pub struct Measurement {
    /// The 95 % interval of the median.
    pub interval: Interval,
    /// Samples taken.
    pub n_samples: usize,
    /// A copy of as many bytes, in the same rounds.
    pub copy_ns: u64,
    /// With a warm cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hot_ns: Option<u64>,
    /// One launch after a foreign kernel, launch latency included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alone_ns: Option<u64>,
    /// The same artifact timed as another candidate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub twin_ns: Option<u64>,
    /// Whether two runs left the same bits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeatable: Option<bool>,
}

impl Measurement {
    /// What the samples come to.
    pub(crate) fn of(samples: &Samples, beside: &Companions) -> Self {
        let median = |samples: &Option<Samples>| samples.as_ref().map(Samples::median_ns);
        Self {
            interval: samples.interval(0.95),
            n_samples: samples.len(),
            copy_ns: beside.copy.median_ns(),
            hot_ns: median(&beside.hot),
            alone_ns: median(&beside.alone),
            twin_ns: median(&beside.twin),
            repeatable: beside.repeatable,
        }
    }
}

/// A finalist that failed on a workload beside the tuned one.
#[derive(Clone, Debug, Serialize)]
pub struct RefusedFinalist {
    /// The candidate.
    pub candidate: Candidate,
    /// The workload.
    pub workload: String,
    /// How.
    pub rejection: Rejection,
}

/// What `doctor` found.
#[derive(Clone, Debug, Serialize)]
pub struct DoctorAnswer {
    /// Format of the answer.
    pub schema: u32,
    /// Whether the main job can run here.
    pub able: bool,
    /// One entry for each thing looked at.
    pub checks: Vec<DoctorCheck>,
}

/// One thing that `doctor` looked at.
#[derive(Clone, Debug, Serialize)]
pub struct DoctorCheck {
    /// What.
    pub name: String,
    /// Whether it works.
    pub works: bool,
    /// What was seen, or what failed.
    pub detail: String,
    /// What to try where it does not work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}
