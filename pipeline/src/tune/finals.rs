//! Finals: the best candidates on every workload of the spec, before one may enter the matrix.

use std::sync::Arc;

use ridge_autotune::history::History;
use ridge_spec::outcome::{Outcome, Rejection};
use ridge_spec::record::TuningRecord;
use ridge_spec::space::Candidate;

use super::finalists::{self, Round};
use super::ledger::FinalCheck;
use super::{Campaign, Search};
use crate::answer::{Measurement, Ranked, RefusedFinalist};
use crate::error::PipelineError;
use crate::evaluate::{Bound, Depth};
use crate::event::Event;
use crate::measuring::{Contender, Contest};
use crate::trials::{self, Pair};

/// What the finals came to.
pub(super) struct Finals {
    pub(super) ranked: Vec<Ranked>,
    pub(super) refused: Vec<RefusedFinalist>,
}

impl Campaign<'_> {
    /// Checks the best candidates on every workload to verify, round by round until one of the best
    /// passes. On a GPU some launched plainly are among them, for the winner alone.
    pub(super) fn finals(
        &mut self,
        search: &Search<'_>,
        others: &[Bound],
        history: &History,
    ) -> Result<Finals, PipelineError> {
        let mut order: Vec<(u64, Candidate)> = history
            .iter()
            .filter_map(|evaluation| {
                Some((evaluation.time_ns?, search.space.candidate(evaluation.candidate)))
            })
            .collect();
        order.sort();
        let order: Vec<Candidate> = order.into_iter().map(|(_, candidate)| candidate).collect();
        // Without a GPU nobody is timed alone, and nobody need join for that.
        let is_plain = |candidate: &Candidate| {
            self.bench.is_some()
                && self
                    .evaluator
                    .plan(search.bound, candidate)
                    .is_ok_and(|plan| !plan.config.programmatic)
        };
        let rounds = finalists::rounds(&order, is_plain);
        let mut finals = Finals { ranked: Vec::new(), refused: Vec::new() };
        for Round { candidates, n_best } in rounds {
            self.finals_round(search, others, &candidates, &mut finals)?;
            let best = &candidates[..n_best];
            if finals.ranked.iter().any(|ranked| best.contains(&ranked.candidate)) {
                break;
            }
        }
        self.keep_artifacts(search.bound, &finals)?;
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
        search: &Search<'_>,
        others: &[Bound],
        candidates: &[Candidate],
        finals: &mut Finals,
    ) -> Result<(), PipelineError> {
        let workload = search.bound.instance.workload();
        self.observer.notify(Event::FinalsStarted { n_finalists: candidates.len() });
        let open: Vec<Candidate> = candidates
            .iter()
            .filter(|candidate| self.ledger.final_record(workload, candidate).is_none())
            .cloned()
            .collect();
        let mut checks = self.check_everywhere(&open, others)?;
        if self.bench.is_some() {
            self.contest(search, &open, &mut checks)?;
        }
        for (candidate, check) in open.iter().zip(checks) {
            self.ledger.append_final(workload, candidate, check)?;
        }
        self.observer.notify(Event::FinalDone { n_done: candidates.len() });
        for candidate in candidates {
            if let Some(record) = self.ledger.final_record(workload, candidate) {
                self.rank(search, record.clone(), finals);
            }
        }
        finals.ranked.sort_by_key(|ranked| ranked.time_ns);
        self.observer.notify(Event::SearchEnded);
        Ok(())
    }

    /// Runs candidates on every workload to verify: in the emulator, and where there is a GPU, on
    /// that too.
    fn check_everywhere(
        &mut self,
        candidates: &[Candidate],
        others: &[Bound],
    ) -> Result<Vec<FinalCheck>, PipelineError> {
        let pairs = trials::run(
            &self.evaluator,
            &mut self.compiler,
            candidates,
            others,
            Depth::Full,
            self.observer,
        )?;
        let on_gpu = self.bench.map(|bench| self.evaluator.on(bench.device()));
        let mut checks = Vec::new();
        for (candidate, pairs) in candidates.iter().zip(pairs) {
            let mut check = FinalCheck::default();
            for (other, pair) in others.iter().zip(pairs) {
                let artifact = match &pair {
                    Pair::Ran { artifact, .. } => Some(Arc::clone(artifact)),
                    Pair::Illegal(_) | Pair::Unbuilt(_) => None,
                };
                check.take(other, pair, on_gpu.is_some());
                if let (Some(gpu), Some(artifact), None) = (&on_gpu, artifact, &check.refusal) {
                    let plan = gpu.plan(other, candidate);
                    let pair = match plan {
                        Ok(plan) => Pair::Ran {
                            trial: Box::new(gpu.run(other, plan, &artifact, Depth::Full)?),
                            artifact,
                        },
                        Err(rejection) => Pair::Unbuilt(rejection),
                    };
                    check.take(other, pair, false);
                }
            }
            checks.push(check);
        }
        Ok(checks)
    }

    /// Times those that nothing refused against each other.
    fn contest(
        &mut self,
        search: &Search<'_>,
        candidates: &[Candidate],
        checks: &mut [FinalCheck],
    ) -> Result<(), PipelineError> {
        let mut units = Vec::new();
        for (place, candidate) in candidates.iter().enumerate() {
            if checks[place].refusal.is_none() {
                let instance = &search.bound.instance;
                let unit = self.compiler.unit(self.evaluator.spec, instance, candidate);
                units.extend(unit.map(|unit| (place, unit)));
            }
        }
        let mut entries: Vec<(usize, Contender)> = Vec::new();
        let evaluator = &self.evaluator;
        self.compiler.compile(units, self.observer, |place, compiled| {
            if let (Ok(artifact), Ok(plan)) =
                (compiled, evaluator.plan(search.bound, &candidates[place]))
            {
                entries.push((place, Contender { artifact, plan }));
            }
        })?;
        if entries.is_empty() {
            return Ok(());
        }
        entries.sort_by_key(|(place, _)| *place);
        // Inputs that nobody has seen while these candidates were chosen.
        let Some(bench) = self.bench else { return Ok(()) };
        let staging = bench.stage(search.bound, search.roofline, self.busy)?;
        let contenders: Vec<Contender> =
            entries.iter().map(|(_, contender)| contender.clone()).collect();
        let Contest { measured, twin } = staging.contest(&contenders)?;
        let mut twin = twin;
        for ((place, _), measured) in entries.into_iter().zip(measured) {
            checks[place].measured = Some(measured);
            checks[place].twin = twin.take();
        }
        Ok(())
    }

    fn rank(&self, search: &Search<'_>, record: TuningRecord, finals: &mut Finals) {
        let (resources, artifact) = (record.resources, record.artifact);
        if let Outcome::Rejected(rejection) = record.outcome {
            finals.refused.push(RefusedFinalist {
                candidate: record.candidate,
                workload: record.refused_on.unwrap_or_default(),
                rejection,
            });
            return;
        }
        let (Some(time_ns), Some(resources), Some(artifact)) =
            (record.outcome.time_ns(), resources, artifact)
        else {
            return;
        };
        let measurement = match (&record.outcome, &record.companions) {
            (Outcome::Measured(samples), Some(beside)) => Some(Measurement::of(samples, beside)),
            _ => None,
        };
        let prediction = match record.outcome {
            Outcome::Predicted(prediction) => Some(prediction),
            _ => record.prediction,
        };
        finals.ranked.push(Ranked {
            candidate: record.candidate,
            time_ns,
            fraction_of_roofline: search.roofline.fraction(time_ns),
            measurement,
            prediction,
            resources,
            artifact,
        });
    }
}

impl FinalCheck {
    /// Takes what came of the candidate on one workload. What the emulator does not execute is no
    /// refusal where a GPU runs it too.
    fn take(&mut self, workload: &Bound, pair: Pair, gpu_follows: bool) {
        match pair {
            Pair::Illegal(_) => {}
            Pair::Unbuilt(rejection) => self.refuse(workload, rejection),
            Pair::Ran { trial, .. } => {
                self.verify_ns = self.verify_ns.saturating_add(trial.time_ns);
                match trial.result {
                    Ok(summary) => self.passed.push((workload.name().to_owned(), summary)),
                    Err(Rejection::Unsupported(_)) if gpu_follows => {}
                    Err(rejection) => self.refuse(workload, rejection),
                }
            }
        }
    }

    fn refuse(&mut self, workload: &Bound, rejection: Rejection) {
        self.refusal.get_or_insert_with(|| (workload.name().to_owned(), rejection));
    }
}
