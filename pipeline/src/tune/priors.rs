//! What a search believes of a workload's candidates before it evaluates any.
//!
//! It is made once, from earlier campaigns and the cost model, and kept beside the records: a
//! campaign that resumes begins with the same, whatever has been recorded since. Its file is named
//! by the digest of what the campaign is and was asked.

use std::path::PathBuf;
use std::sync::Mutex;

use ridge_autotune::history::History;
use ridge_autotune::prior::{Campaign as Earlier, Prior, PriorSource, Transfer};
use ridge_autotune::strategies;
use ridge_autotune::strategy::Setup;
use ridge_spec::digest::Digest;
use ridge_spec::outcome::Outcome;
use ridge_spec::record::TuningRecord;
use serde::{Deserialize, Serialize};

use super::batch::{self, Proposed, Step, Workplace};
use super::{Campaign, PriorChoice, Search};
use crate::answer::{PriorAnswer, PriorCampaign};
use crate::error::PipelineError;
use crate::event::Event;
use crate::simulate::files;
use crate::storage;

/// Folder of the files, in the campaign's.
const FOLDER: &str = "priors";

/// Format of the files.
const SCHEMA: u32 = 1;

/// Candidates that the cost model is asked about before the first is timed.
const PREDICTED: usize = 64;

/// Weight of the cost model's predictions beside earlier campaigns', which were measured.
const MODEL_WEIGHT: f64 = 0.3;

/// What a search begins with.
pub(super) struct Believed {
    pub(super) prior: Option<Prior>,
    pub(super) answer: Option<PriorAnswer>,
}

/// A prior as it is kept. Numbers are written so that they are read as they were.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    schema: u32,
    workload: String,
    answer: PriorAnswer,
    /// Predicted times of the legal candidates in their order; empty where there is no prior.
    predicted_time_ns: Vec<Option<f64>>,
    parts: Vec<KeptPart>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptPart {
    share: f64,
    slowdowns: Vec<f64>,
}

impl Kept {
    fn new(workload: String, answer: PriorAnswer, prior: Option<Prior>) -> Self {
        let Prior { predicted_time_ns, sources } = prior.unwrap_or_default();
        let part =
            |source: PriorSource| KeptPart { share: source.share, slowdowns: source.slowdowns };
        let parts = sources.into_iter().map(part).collect();
        Self { schema: SCHEMA, workload, answer, predicted_time_ns, parts }
    }

    fn believed(self) -> Believed {
        let part = |kept: KeptPart| PriorSource { share: kept.share, slowdowns: kept.slowdowns };
        let prior = Prior {
            predicted_time_ns: self.predicted_time_ns,
            sources: self.parts.into_iter().map(part).collect(),
        };
        if prior.predicted_time_ns.is_empty() {
            return Believed { prior: None, answer: None };
        }
        Believed { prior: Some(prior), answer: Some(self.answer) }
    }

    fn is_of(&self, n_candidates: usize) -> bool {
        let fits = |length: usize| length == n_candidates;
        self.schema == SCHEMA
            && (self.predicted_time_ns.is_empty() || fits(self.predicted_time_ns.len()))
            && self.parts.iter().all(|part| fits(part.slowdowns.len()))
    }
}

impl<'c> Campaign<'c> {
    /// What the search begins with: as it was kept, or made and kept now.
    pub(super) fn believed<'s>(&mut self, search: &Search<'s>) -> Result<Believed, PipelineError>
    where
        'c: 's,
    {
        let PriorChoice::From(paths) = &self.request.prior else {
            return Ok(Believed { prior: None, answer: None });
        };
        let workload = search.bound.instance.workload().to_string();
        let path = self.prior_file(&workload, paths);
        let n_candidates = search.space.len();
        let read = std::fs::read(&path).ok();
        let kept = read.and_then(|bytes| serde_json::from_slice::<Kept>(&bytes).ok());
        if let Some(kept) = kept.filter(|kept| kept.is_of(n_candidates)) {
            return Ok(kept.believed());
        }
        self.observer.notify(Event::Step("reading earlier campaigns"));
        let campaigns = self.earlier(search, paths)?;
        let Transfer { prior: transferred, sources } = Transfer::new(
            search.space,
            &self.ledger.place(search.bound.instance.workload()),
            &campaigns,
            self.request.seed,
        );
        let predicted = self.predictions(search)?;
        let modelled = Prior::from_predictions(search.space, &predicted, self.request.seed);
        let prior = match (&transferred, &modelled) {
            (Some(earlier), Some(model)) => Prior::blend(&[(earlier, 1.0), (model, MODEL_WEIGHT)]),
            (one, other) => one.clone().or_else(|| other.clone()),
        };
        let answer = PriorAnswer {
            file: path.display().to_string(),
            campaigns: sources
                .into_iter()
                .map(|source| PriorCampaign {
                    name: source.name,
                    share: source.share,
                    n_used: source.n_used,
                })
                .collect(),
            n_predicted: predicted.len(),
        };
        let kept = Kept::new(workload, answer, prior);
        let text = serde_json::to_vec(&kept).map_err(|error| PipelineError::Write {
            path: path.clone(),
            source: std::io::Error::other(error),
        })?;
        storage::write_whole(&path, &text)?;
        Ok(kept.believed())
    }

    /// The file of this campaign's prior for a workload.
    fn prior_file(&self, workload: &str, paths: &[PathBuf]) -> PathBuf {
        let asked: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        let digest = Digest::of_parts([
            ("campaign", self.ledger.identity().as_bytes()),
            ("workload", workload.as_bytes()),
            ("asked", asked.join("\n").as_bytes()),
        ]);
        self.request.out.join(FOLDER).join(format!("{}.json", digest.short()))
    }

    /// The campaigns of this kernel elsewhere: on the other workloads of this folder, and in what
    /// was named.
    fn earlier(
        &self,
        search: &Search<'_>,
        paths: &[PathBuf],
    ) -> Result<Vec<Earlier>, PipelineError> {
        let here = search.bound.instance.workload().to_string();
        let others: Vec<&TuningRecord> = self
            .ledger
            .records()
            .iter()
            .filter(|record| record.workload.to_string() != here)
            .collect();
        let others: Vec<TuningRecord> = others.into_iter().cloned().collect();
        let kernel = self.folder.spec.name.as_str();
        let mut campaigns = ridge_autotune::prior::transfer::campaigns(kernel, &others);
        let mut warnings = Vec::new();
        campaigns.extend(files::load_campaigns(paths, kernel, &mut warnings)?);
        for warning in &warnings {
            self.observer.notify(Event::Warning(warning));
        }
        Ok(campaigns)
    }

    /// What the cost model says of a sample of the candidates, where a GPU is to time them: each is
    /// compiled and run in the emulator, and is in the compiler's cache when its turn comes.
    fn predictions<'s>(&mut self, search: &Search<'s>) -> Result<Vec<(usize, f64)>, PipelineError>
    where
        'c: 's,
    {
        if self.bench.is_none() {
            return Ok(Vec::new());
        }
        self.observer.notify(Event::Step("predicting a sample of the space"));
        let random = strategies::find("random")
            .map_err(|diagnostic| PipelineError::Spec(vec![diagnostic]))?;
        let mut drawn = (random.build)(Setup { seed: self.request.seed, prior: None });
        let sample = drawn.propose(search.space, &History::new(), PREDICTED);
        let candidates: Vec<Proposed> = sample
            .iter()
            .map(|&index| Proposed { candidate: search.space.candidate(index), recorded: None })
            .collect();
        let workplace = Workplace {
            evaluator: &self.evaluator,
            bound: search.bound,
            siblings: search.siblings,
            staging: None,
            pruner: None,
            busy: self.busy,
            observer: self.observer,
        };
        let predicted = Mutex::new(Vec::new());
        batch::run(&workplace, &mut self.compiler, &candidates, &mut |place, step| {
            if let Step::Evaluated(evaluated) = step
                && let Outcome::Predicted(prediction) = &evaluated.outcome
                && let Ok(mut predicted) = predicted.lock()
            {
                predicted.push((sample[place], prediction.time_ns as f64));
            }
            Ok(())
        })?;
        Ok(predicted.into_inner().unwrap_or_default())
    }
}
