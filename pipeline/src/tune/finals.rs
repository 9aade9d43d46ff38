//! Finals: the best candidates on every workload of the spec, before one may enter the matrix.

use ridge_autotune::history::History;
use ridge_spec::kernel::Workload;
use ridge_spec::outcome::{Outcome, Rejection};
use ridge_spec::record::TuningRecord;
use ridge_spec::space::{Candidate, LegalSpace};

use super::Campaign;
use crate::answer::{Ranked, RefusedFinalist};
use crate::error::PipelineError;
use crate::evaluate::{Bound, Depth};
use crate::event::Event;
use crate::trials::{self, Pair};

/// Candidates checked in one round.
const ROUND: usize = 8;

/// Rounds, while none of them passes.
const ROUNDS_MAX: usize = 8;

/// What the finals came to.
pub(super) struct Finals {
    pub(super) ranked: Vec<Ranked>,
    pub(super) refused: Vec<RefusedFinalist>,
}

impl Campaign<'_> {
    /// Checks the best candidates on every workload to verify, round by round until one passes.
    pub(super) fn finals(
        &mut self,
        workload: &Workload,
        bound: &Bound,
        others: &[Bound],
        space: &LegalSpace,
        history: &History,
    ) -> Result<Finals, PipelineError> {
        let mut order: Vec<(u64, Candidate)> = history
            .iter()
            .filter_map(|evaluation| {
                Some((evaluation.time_ns?, space.candidate(evaluation.candidate)))
            })
            .collect();
        order.sort();
        let mut finals = Finals { ranked: Vec::new(), refused: Vec::new() };
        for round in order.chunks(ROUND).take(ROUNDS_MAX) {
            let candidates: Vec<Candidate> =
                round.iter().map(|(_, candidate)| candidate.clone()).collect();
            self.finals_round(workload, bound, others, &candidates, &mut finals)?;
            if !finals.ranked.is_empty() {
                break;
            }
        }
        self.keep_artifacts(bound, &finals)?;
        Ok(finals)
    }

    /// Puts the artifacts of those that passed beside the records; they are in the cache.
    fn keep_artifacts(&mut self, bound: &Bound, finals: &Finals) -> Result<(), PipelineError> {
        let mut units = Vec::new();
        for (place, ranked) in finals.ranked.iter().enumerate() {
            let unit = self.compiler.unit(self.evaluator.spec, &bound.instance, &ranked.candidate);
            units.extend(unit.map(|unit| (place, unit)));
        }
        let mut kept = Ok(());
        let ledger = &self.ledger;
        self.compiler.compile(units, self.observer, |_, compiled| {
            if let (Ok(artifact), Ok(())) = (compiled, &kept) {
                kept = ledger.keep_artifact(&artifact);
            }
        })?;
        kept
    }

    fn finals_round(
        &mut self,
        workload: &Workload,
        bound: &Bound,
        others: &[Bound],
        candidates: &[Candidate],
        finals: &mut Finals,
    ) -> Result<(), PipelineError> {
        self.observer.notify(Event::FinalsStarted { n_finalists: candidates.len() });
        let open: Vec<Candidate> = candidates
            .iter()
            .filter(|candidate| self.ledger.final_record(workload, candidate).is_none())
            .cloned()
            .collect();
        let pairs: Vec<Vec<Pair>> = trials::run(
            &self.evaluator,
            &mut self.compiler,
            &open,
            others,
            Depth::Full,
            self.observer,
        )?;
        for (candidate, pairs) in open.iter().zip(pairs) {
            self.record_final(workload, candidate, others, pairs)?;
        }
        self.observer.notify(Event::FinalDone { n_done: candidates.len() });
        for candidate in candidates {
            if let Some(record) = self.ledger.final_record(workload, candidate) {
                self.rank(bound, record.clone(), finals);
            }
        }
        self.observer.notify(Event::SearchEnded);
        Ok(())
    }

    /// Records what the finals say of a candidate: its screened outcome, or why it is refused.
    fn record_final(
        &mut self,
        workload: &Workload,
        candidate: &Candidate,
        others: &[Bound],
        pairs: Vec<Pair>,
    ) -> Result<(), PipelineError> {
        let mut summaries = Vec::new();
        let mut refusal: Option<(String, Rejection)> = None;
        let mut verify_ns = 0u64;
        for (other, pair) in others.iter().zip(pairs) {
            match pair {
                Pair::Illegal(_) => {}
                Pair::Unbuilt(rejection) => {
                    refusal.get_or_insert((other.name().to_owned(), rejection));
                }
                Pair::Ran { trial, .. } => {
                    verify_ns = verify_ns.saturating_add(trial.time_ns);
                    match trial.result {
                        Ok(summary) => summaries.push((other.name().to_owned(), summary)),
                        Err(rejection) => {
                            refusal.get_or_insert((other.name().to_owned(), rejection));
                        }
                    }
                }
            }
        }
        self.ledger.append_final(workload, candidate, summaries, refusal, verify_ns)
    }

    fn rank(&self, bound: &Bound, record: TuningRecord, finals: &mut Finals) {
        match (record.outcome, record.resources, record.artifact) {
            (Outcome::Predicted(prediction), Some(resources), Some(artifact)) => {
                finals.ranked.push(Ranked {
                    candidate: record.candidate,
                    time_ns: prediction.time_ns,
                    fraction_of_roofline: self
                        .evaluator
                        .roofline(bound)
                        .fraction(prediction.time_ns),
                    prediction,
                    resources,
                    artifact,
                });
            }
            (Outcome::Rejected(rejection), _, _) => finals.refused.push(RefusedFinalist {
                candidate: record.candidate,
                workload: record.refused_on.unwrap_or_default(),
                rejection,
            }),
            _ => {}
        }
    }
}
