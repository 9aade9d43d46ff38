//! The campaign's records: what was evaluated before, and what is appended now.

use std::collections::BTreeMap;
use std::sync::Arc;

use ridge_autotune::learned::PruneRule;
use ridge_autotune::prior::Place;
use ridge_compiler::cache;
use ridge_runtime::measure::PROTOCOL;
use ridge_runtime::verify::Distribution;
use ridge_spec::artifact::Artifact;
use ridge_spec::diagnostic::Diagnostic;
use ridge_spec::digest::Digest;
use ridge_spec::dtype::Dtype;
use ridge_spec::kernel::{Instance, Workload};
use ridge_spec::matrix::{DeriveOptions, Matrix};
use ridge_spec::outcome::{Outcome, Rejection, Samples};
use ridge_spec::record::{
    BlocksVerified, Companions, Environment, PhaseTimes, Protocol, RecordedWorkload, TuningRecord,
    VerificationSummary,
};
use ridge_spec::space::Candidate;
use ridge_spec::target::DeviceProfile;

use super::TuneRequest;
use super::evaluated::Evaluated;
use crate::compilation::Compiler;
use crate::error::PipelineError;
use crate::evaluate::whole_nanoseconds;
use crate::folder::KernelFolder;
use crate::measuring::{Bench, Measured};
use crate::storage::RecordStore;

/// The setting of a record's protocol that only pruned candidates have.
const PRUNED: &str = "pruned_risk_ppm";

/// How screened candidates get their time without a GPU: one run on normal inputs of the workload
/// and of the small ones that share the artifact, counted and predicted.
const SCREEN_PROTOCOL: &str = "emulated-screen-1";

/// How finalists are checked without a GPU: every workload of the spec, every distribution.
const FINAL_PROTOCOL: &str = "emulated-final-1";

/// Endings of a GPU's protocols: many candidates one by one, and a few against each other.
const MEASURED_SCREEN: &str = ".screen";
const MEASURED_FINAL: &str = ".final";

/// Version of this crate, in every record.
const TOOL_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Whether a record is of a finalist: it has passed every workload of its spec, or names the one that
/// refused it.
pub(crate) fn is_final(record: &TuningRecord) -> bool {
    let name = record.protocol.name.as_str();
    name == FINAL_PROTOCOL || name.ends_with(MEASURED_FINAL)
}

/// Workload identity and candidate.
type Key = (String, Candidate);

/// The log of a campaign, and which of its records belong to this very campaign: same kernel,
/// target, tools and seed. The others stay in the log and are not looked at.
pub(super) struct Ledger {
    store: RecordStore,
    spec: Digest,
    kernel: String,
    environment: Environment,
    seed: u64,
    sequence: u64,
    screened: BTreeMap<Key, usize>,
    finals: BTreeMap<Key, usize>,
    artifacts: std::path::PathBuf,
}

impl Ledger {
    /// Opens the log in the request's folder.
    ///
    /// # Errors
    /// As [`RecordStore::open`].
    pub(super) fn open(
        request: &TuneRequest,
        folder: &KernelFolder,
        profile: &DeviceProfile,
        bench: Option<&Bench>,
        compiler: &Compiler,
    ) -> Result<Self, PipelineError> {
        let facts = bench.map(Bench::facts);
        let environment = Environment {
            device: facts.map_or(&profile.device, |facts| &facts.name).clone(),
            architecture: profile.architecture,
            executor: bench.map_or_else(|| "emulator".to_owned(), Bench::executor),
            profile: profile.name.clone(),
            profile_digest: profile.digest(),
            driver: facts.map(|facts| facts.driver.clone()),
            toolkit: compiler.toolkit_name().to_owned(),
            clocks: None,
        };
        let mut ledger = Self {
            store: RecordStore::open(&request.out)?,
            spec: folder.digest,
            kernel: folder.spec.name.to_string(),
            environment,
            seed: request.seed,
            sequence: 0,
            screened: BTreeMap::new(),
            finals: BTreeMap::new(),
            artifacts: request.out.join("artifacts"),
        };
        for place in 0..ledger.store.records().len() {
            ledger.index(place);
        }
        Ok(ledger)
    }

    /// Every record of the log, whichever campaign's.
    pub(super) fn records(&self) -> &[TuningRecord] {
        self.store.records()
    }

    /// What makes a record one of this campaign's, as text.
    pub(super) fn identity(&self) -> String {
        let environment = Environment {
            executor: self.environment.executor.split(':').next().unwrap_or_default().to_owned(),
            ..self.environment.clone()
        };
        format!("{} {} {} {TOOL_VERSION}", self.spec, environment.digest(), self.seed)
    }

    /// Where and on what the campaign runs.
    pub(super) fn place(&self, workload: &Workload) -> Place {
        let dtype = |(name, dtype): (&String, &Dtype)| (name.clone(), dtype.to_string());
        Place {
            version: self.spec.to_string(),
            device: self.environment.device.clone(),
            architecture: self.environment.architecture.to_string(),
            axes: workload.axes.clone(),
            types: workload.types.iter().map(dtype).collect(),
        }
    }

    /// Lines of the log that are no records.
    pub(super) fn dropped(&self) -> &[Diagnostic] {
        self.store.dropped()
    }

    /// Notes the place of a record of this campaign.
    fn index(&mut self, place: usize) {
        let record = &self.store.records()[place];
        let ours = record.spec == self.spec
            && record.seed == self.seed
            && record.environment.is_interchangeable(&self.environment)
            && record.tool_version == TOOL_VERSION;
        if !ours {
            return;
        }
        let key = (record.workload.to_string(), record.candidate.clone());
        let index = match record.protocol.name.as_str() {
            SCREEN_PROTOCOL => &mut self.screened,
            FINAL_PROTOCOL => &mut self.finals,
            name if name.ends_with(MEASURED_SCREEN) => &mut self.screened,
            name if name.ends_with(MEASURED_FINAL) => &mut self.finals,
            _ => return,
        };
        self.sequence = self.sequence.max(record.sequence + 1);
        index.insert(key, place);
    }

    fn append(&mut self, record: TuningRecord) -> Result<(), PipelineError> {
        self.store.append(record)?;
        self.index(self.store.records().len() - 1);
        Ok(())
    }

    /// What screening said of a candidate before.
    pub(super) fn screened(
        &self,
        workload: &Workload,
        candidate: &Candidate,
    ) -> Option<&TuningRecord> {
        let place = self.screened.get(&(workload.to_string(), candidate.clone()))?;
        self.store.records().get(*place)
    }

    /// Whether screening did not time a candidate because the cost model said that it cannot win.
    pub(super) fn is_pruned(&self, workload: &Workload, candidate: &Candidate) -> bool {
        let record = self.screened(workload, candidate);
        record.is_some_and(|record| record.protocol.settings.contains_key(PRUNED))
    }

    /// What the finals said of a candidate before.
    pub(super) fn final_record(
        &self,
        workload: &Workload,
        candidate: &Candidate,
    ) -> Option<&TuningRecord> {
        let place = self.finals.get(&(workload.to_string(), candidate.clone()))?;
        self.store.records().get(*place)
    }

    /// Appends what screening found.
    ///
    /// # Errors
    /// As [`RecordStore::append`].
    pub(super) fn append_screened(
        &mut self,
        instance: &Instance,
        evaluated: Evaluated,
    ) -> Result<(), PipelineError> {
        let verification = verification(&evaluated);
        let Evaluated {
            candidate,
            outcome,
            prediction,
            artifact,
            trial,
            launch,
            measured,
            pruned,
            verify_ns,
            ..
        } = evaluated;
        let mut environment = self.environment.clone();
        if let Some(measured) = &measured {
            environment.executor.clone_from(&measured.executor);
        }
        self.append(TuningRecord {
            spec: self.spec,
            kernel: self.kernel.clone(),
            workload: RecordedWorkload::from(instance.workload()),
            candidate,
            artifact: artifact.as_ref().map(|artifact| artifact.digest),
            resources: artifact.as_ref().map(|artifact| artifact.manifest.resources),
            counters: trial.as_ref().and_then(|trial| trial.counters),
            launch,
            bytes_min: instance.bytes_min(),
            flops: instance.flops(),
            environment,
            protocol: match &measured {
                Some(measured) => measured.protocol.clone(),
                None => {
                    let settings = pruned.map(|rule| rule_settings(&rule)).unwrap_or_default();
                    Protocol { name: self.screen_protocol(), settings }
                }
            },
            verification,
            prediction,
            companions: measured.as_ref().and_then(Measured::companions),
            outcome,
            refused_on: None,
            seed: self.seed,
            sequence: self.sequence,
            phases: PhaseTimes {
                compile_ns: artifact.map_or(0, |artifact| artifact.manifest.compile_time_ns),
                verify_ns,
                measure_ns: measured.map_or(0, |measured| measured.measure_ns),
                ..PhaseTimes::default()
            },
            tool_version: TOOL_VERSION.to_owned(),
        })
    }

    /// The protocol of a candidate that did not reach a GPU.
    fn screen_protocol(&self) -> String {
        match self.environment.driver {
            Some(_) => format!("{PROTOCOL}{MEASURED_SCREEN}"),
            None => SCREEN_PROTOCOL.to_owned(),
        }
    }

    /// Appends what the finals found of a screened candidate: on which workloads it passed, or on
    /// which it was refused.
    ///
    /// # Errors
    /// As [`RecordStore::append`].
    pub(super) fn append_final(
        &mut self,
        workload: &Workload,
        candidate: &Candidate,
        checked: FinalCheck,
    ) -> Result<(), PipelineError> {
        let Some(screened) = self.screened(workload, candidate) else { return Ok(()) };
        let FinalCheck { passed, refusal, verify_ns, measured, twin } = checked;
        let mut record = screened.clone();
        record.verification = record.verification.map(|summary| merge(summary, passed));
        record.protocol.name = match self.environment.driver {
            Some(_) => format!("{PROTOCOL}{MEASURED_FINAL}"),
            None => FINAL_PROTOCOL.to_owned(),
        };
        record.phases = PhaseTimes { verify_ns, ..PhaseTimes::default() };
        let mut refusal = refusal;
        if let Some(measured) = measured {
            record.protocol = measured.protocol.clone();
            record.environment.executor.clone_from(&measured.executor);
            record.phases.measure_ns = measured.measure_ns;
            let repeatable = record.companions.as_ref().and_then(|earlier| earlier.repeatable);
            record.companions = measured.companions().map(|beside| Companions {
                twin,
                repeatable: beside.repeatable.or(repeatable),
                ..beside
            });
            match measured.result {
                Ok(timing) => record.outcome = Outcome::Measured(timing.samples),
                Err(rejection) => refusal = Some((workload.name.clone(), rejection)),
            }
        }
        if let Some((name, rejection)) = refusal {
            record.outcome = Outcome::Rejected(rejection);
            record.refused_on = Some(name);
            record.verification = None;
            record.companions = None;
        }
        record.sequence = self.sequence;
        self.append(record)
    }

    /// Keeps a winner's artifact beside the records.
    ///
    /// # Errors
    /// [`PipelineError::Write`].
    pub(super) fn keep_artifact(&self, artifact: &Arc<Artifact>) -> Result<(), PipelineError> {
        cache::write_artifact(&self.artifacts, artifact).map(|_| ()).map_err(|error| {
            PipelineError::Write {
                path: self.artifacts.clone(),
                source: std::io::Error::other(error.to_string()),
            }
        })
    }

    /// The matrix of the candidates that went through the finals; `None` where none passed.
    pub(super) fn matrix(&self, profile: &DeviceProfile) -> Option<Matrix> {
        let mut places: Vec<usize> = self.finals.values().copied().collect();
        places.sort_unstable();
        let records = places.iter().filter_map(|place| self.store.records().get(*place));
        let options = DeriveOptions {
            predicted: true,
            spec: Some(self.spec),
            verified_on: Vec::new(),
            profiles: BTreeMap::from([(profile.name.clone(), profile.clone())]),
        };
        let matrix = Matrix::derive(records, &options);
        (!matrix.entries().is_empty()).then_some(matrix)
    }

    /// Waits until the disk has every record.
    ///
    /// # Errors
    /// [`PipelineError::Write`].
    pub(super) fn sync(&self) -> Result<(), PipelineError> {
        self.store.sync()
    }
}

/// A rule by which a candidate was not timed, in parts of a million.
fn rule_settings(rule: &PruneRule) -> BTreeMap<String, u64> {
    let millionths = |value: f64| whole_nanoseconds(value * 1e6);
    BTreeMap::from([
        (PRUNED.to_owned(), millionths(rule.risk)),
        ("pruned_slower_than_ppm".to_owned(), millionths(rule.slower_than)),
        ("pruned_campaigns".to_owned(), rule.campaigns as u64),
    ])
}

/// What the finals found of a candidate.
#[derive(Default)]
pub(super) struct FinalCheck {
    /// Workloads it passed on.
    pub(super) passed: Vec<(String, VerificationSummary)>,
    /// The first workload that refused it.
    pub(super) refusal: Option<(String, Rejection)>,
    pub(super) verify_ns: u64,
    /// Its time against the other finalists', where there is a GPU.
    pub(super) measured: Option<Measured>,
    /// Its time against itself.
    pub(super) twin: Option<Samples>,
}

/// What screening checked of a candidate that passed.
fn verification(evaluated: &Evaluated) -> Option<VerificationSummary> {
    let emulated = evaluated.trial.as_ref().and_then(|trial| trial.result.as_ref().ok()).cloned();
    let Some(measured) = &evaluated.measured else {
        return emulated
            .map(|summary| VerificationSummary { workloads: evaluated.passed.clone(), ..summary });
    };
    measured.result.as_ref().ok()?;
    let worst = emulated.as_ref().map_or(0.0, |summary| summary.worst_error);
    let mut workloads = evaluated.passed.clone();
    if !workloads.contains(&measured.workload) {
        workloads.push(measured.workload.clone());
    }
    Some(VerificationSummary {
        workloads,
        distributions: vec![Distribution::Normal.name().to_owned()],
        blocks: BlocksVerified::All,
        worst_error: worst.max(measured.worst_error),
    })
}

/// One summary for all workloads a candidate passed on.
fn merge(
    mut summary: VerificationSummary,
    passed: Vec<(String, VerificationSummary)>,
) -> VerificationSummary {
    for (name, other) in passed {
        if !summary.workloads.contains(&name) {
            summary.workloads.push(name);
        }
        for distribution in other.distributions {
            if !summary.distributions.contains(&distribution) {
                summary.distributions.push(distribution);
            }
        }
        if let (BlocksVerified::All, sampled @ BlocksVerified::Sampled(_)) =
            (summary.blocks, other.blocks)
        {
            summary.blocks = sampled;
        }
        summary.worst_error = summary.worst_error.max(other.worst_error);
    }
    summary
}
