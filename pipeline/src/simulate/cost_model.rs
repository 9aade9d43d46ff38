//! `ridge simulate --cost-model`: the cost model on recorded campaigns that it has not seen.

use std::path::PathBuf;

use rayon::prelude::*;
pub use ridge_autotune::learned::{CampaignRanking, Evaluation, HeldOut, Ranking};
use ridge_autotune::learned::{evaluate_one, recorded_campaigns};
use ridge_runtime::profiles;
use ridge_spec::diagnostic::Diagnostic;
use ridge_spec::record::TuningRecord;
use serde::Serialize;

use super::{Progress, files};
use crate::error::PipelineError;
use crate::event::{Event, Observer};

/// Campaigns with fewer measured candidates are not judged: their order says little.
const CANDIDATES_LEAST: usize = 50;

/// What to judge the cost model on.
#[derive(Clone, Debug, PartialEq)]
pub struct CostModelRequest {
    /// Logs of records, and folders of them; each may be gzipped.
    pub records: Vec<PathBuf>,
    /// The risk at which candidates are pruned, above 0 and below 0.5.
    pub risk: f64,
    /// Seed of the learned part.
    pub seed: u64,
}

/// What came of it. Names are stable; `schema` is 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CostModelAnswer {
    /// Version of this form.
    pub schema: u32,
    /// The seed.
    pub seed: u64,
    /// Each campaign by a model that has not seen its shape, and by one that has not seen its
    /// kernel; the latter only where there are several kernels.
    pub evaluations: Vec<Evaluation>,
    /// What was left out of the files, and why.
    pub warnings: Vec<Diagnostic>,
}

/// Judges the cost model: analytic alone, with all of the learned correction, and guarded.
/// Deterministic for the request and the files.
///
/// # Errors
/// [`PipelineError::Spec`] with `simulate.none` where no campaign has enough measured candidates of
/// a known device profile, `landscape.*` for files that cannot be read.
pub fn run(
    request: &CostModelRequest,
    observer: &dyn Observer,
) -> Result<CostModelAnswer, PipelineError> {
    observer.notify(Event::Step("reading records"));
    let mut warnings = Vec::new();
    let records = files::load_records(&request.records, &mut warnings)?;
    for warning in &warnings {
        observer.notify(Event::Warning(warning));
    }
    let campaigns = campaigns(&records);
    if campaigns.is_empty() {
        let message = format!(
            "no campaign has {CANDIDATES_LEAST} measured candidates with counters and a known \
             device profile"
        );
        return Err(PipelineError::Spec(vec![
            Diagnostic::new("simulate.none", message)
                .hint("name `records.jsonl` files of `ridge tune --device cuda:N`"),
        ]));
    }
    let several = campaigns.iter().any(|one| one.kernel != campaigns[0].kernel);
    let held_out: &[HeldOut] =
        if several { &[HeldOut::Shape, HeldOut::Kernel] } else { &[HeldOut::Shape] };
    let n_total = campaigns.len() * held_out.len();
    let progress = Progress::new(observer, "campaigns", n_total as u64);
    let evaluations = held_out
        .iter()
        .filter_map(|&held_out| {
            let rankings = (0..campaigns.len()).into_par_iter().filter_map(|place| {
                let found = evaluate_one(&campaigns, place, held_out, request.risk, request.seed);
                progress.step();
                found
            });
            Evaluation::of(held_out, request.risk, rankings.collect())
        })
        .collect();
    Ok(CostModelAnswer { schema: 1, seed: request.seed, evaluations, warnings })
}

/// The campaigns of records for which a built-in profile is known.
pub(crate) fn campaigns(
    records: &[TuningRecord],
) -> Vec<ridge_autotune::learned::RecordedCampaign> {
    recorded_campaigns(records, |name| profiles::find(name).ok(), CANDIDATES_LEAST)
}
