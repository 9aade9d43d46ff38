//! The spec's default candidate for each combination of types and specialized axes with a winner:
//! what a call takes that no winner fits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ridge_spec::artifact::Artifact;
use ridge_spec::diagnostic::Diagnostic;
use ridge_spec::kernel::{Instance, Role};
use ridge_spec::outcome::{Outcome, Rejection};
use ridge_spec::record::TuningRecord;
use ridge_spec::space::Candidate;
use ridge_spec::target::DeviceProfile;

use super::artifacts::Store;
use super::{CompiledDefault, workload};
use crate::error::PipelineError;
use crate::evaluate::{Bound, Depth, Evaluator};
use crate::event::Event;

/// Compiles the default where it is legal, and checks it where no record does. One that fails is
/// left out, and said.
pub(super) fn compile(
    store: &mut Store<'_>,
    winners: &[TuningRecord],
    records: &[TuningRecord],
    profiles: &BTreeMap<String, DeviceProfile>,
) -> Result<Vec<CompiledDefault>, PipelineError> {
    let folder = store.folder;
    let Some(default) = &folder.spec.space.default else { return Ok(Vec::new()) };
    let mut seen = BTreeSet::new();
    let mut defaults = Vec::new();
    for winner in winners {
        let Some(profile) = profiles.get(&winner.environment.profile) else { continue };
        let instance = store.bind(&workload(&winner.workload), profile)?;
        if !seen.insert(combination(winner, &instance)) {
            continue;
        }
        let architecture = winner.environment.architecture;
        if let Err(diagnostic) = folder.spec.space.check(default, instance.scope()) {
            warn(store, winner, &diagnostic.message);
            continue;
        }
        let (compiled, _) = store.compile(&instance, default, architecture)?;
        let artifact = match compiled {
            Ok(artifact) => artifact,
            Err(rejection) => {
                warn(store, winner, &rejection.summary());
                continue;
            }
        };
        if !is_proved(records, &artifact, default)
            && let Some(rejection) = check(store, profile, winner, default, &artifact)?
        {
            warn(store, winner, &rejection.summary());
            continue;
        }
        defaults.push(CompiledDefault {
            architecture,
            profile: winner.environment.profile.clone(),
            axes: winner.workload.axes.clone(),
            types: winner.workload.types.clone(),
            candidate: default.clone(),
            artifact: artifact.digest,
        });
        store.insert((*artifact).clone());
    }
    Ok(defaults)
}

fn warn(store: &Store<'_>, winner: &TuningRecord, why: &str) {
    let message = format!("the default candidate is left out at `{}`: {why}", winner.workload);
    store.observer.notify(Event::Warning(&Diagnostic::new("publish.default", message)));
}

/// What an artifact is compiled for, as text.
fn combination(record: &TuningRecord, instance: &Instance) -> String {
    let types: Vec<String> =
        instance.types().iter().map(|(name, dtype)| format!("{name}={dtype}")).collect();
    let fixed: Vec<String> =
        instance.specialized().map(|(name, extent)| format!("{name}={extent}")).collect();
    format!("{} {} {}", record.environment.architecture, types.join(","), fixed.join(","))
}

/// Whether a record says that this very artifact passed.
fn is_proved(records: &[TuningRecord], artifact: &Artifact, candidate: &Candidate) -> bool {
    let own = |record: &&TuningRecord| {
        record.artifact == Some(artifact.digest) && record.candidate == *candidate
    };
    let refused = |record: &TuningRecord| matches!(record.outcome, Outcome::Rejected(_));
    let mut own = records.iter().filter(own).peekable();
    let known = own.peek().is_some();
    known && own.all(|record| !refused(record) && record.verification.is_some())
}

/// Runs it in the emulator on the workloads that share its artifact, or where there is none, on a
/// sample of the winner's.
fn check(
    store: &Store<'_>,
    profile: &DeviceProfile,
    winner: &TuningRecord,
    candidate: &Candidate,
    artifact: &Arc<Artifact>,
) -> Result<Option<Rejection>, PipelineError> {
    let evaluator = Evaluator::emulated(store.folder, profile, 0);
    let own = evaluator.bind(store.folder, &workload(&winner.workload), store.setup)?;
    let mut bounds: Vec<Bound> = Vec::new();
    for other in &store.folder.spec.workloads {
        if other.role == Role::Verify {
            let bound = evaluator.bind(store.folder, other, store.setup)?;
            if bound.shares_artifact(&own) && evaluator.legal(&bound, candidate).is_ok() {
                bounds.push(bound);
            }
        }
    }
    if bounds.is_empty() {
        bounds.push(own);
    }
    for bound in &bounds {
        let plan = match evaluator.plan(bound, candidate) {
            Ok(plan) => plan,
            Err(rejection) => return Ok(Some(rejection)),
        };
        let trial = evaluator.run(bound, plan, artifact, Depth::Full)?;
        if let Err(rejection) = trial.result {
            return Ok(Some(rejection));
        }
    }
    Ok(None)
}
