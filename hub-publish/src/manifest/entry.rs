//! Entries of `kernel.json`: the matrix's, and the default candidates.

use std::collections::BTreeMap;

use ridge_spec::artifact::Artifact;
use ridge_spec::digest::Digest;
use ridge_spec::dtype::Dtype;
use ridge_spec::expression::Scope;
use ridge_spec::kernel::{Instance, KernelSpec, Role, Workload};
use ridge_spec::matrix::{AloneWinner, Entry, EntryTime, Situation};
use ridge_spec::outcome::Outcome;
use ridge_spec::record::TuningRecord;
use ridge_spec::space::Candidate;
use ridge_spec::target::{Architecture, DeviceProfile};
use serde_json::{Value, json};

use super::launch;
use crate::expression;
use crate::publication::{DefaultEntry, Publication, PublishError};

/// Every entry, the tuned ones first.
pub(super) fn all(publication: &Publication<'_>) -> Result<Vec<Value>, PublishError> {
    let mut entries = Vec::new();
    let mut complete = Vec::new();
    for entry in publication.matrix.entries() {
        let mut chain = tuned(publication, entry)?;
        let alone = entry.alone.as_ref();
        let alone = alone.map(|own| tuned_alone(publication, entry, own)).transpose()?;
        if alone.is_some() {
            chain.value["situation"] = json!(Situation::Chain.name());
        }
        for written in [Some(chain), alone].into_iter().flatten() {
            if written.legal.is_empty() {
                complete.push((written.key.clone(), written.candidate.clone()));
            }
            entries.push(written.value);
        }
    }
    for default in publication.defaults {
        let own = default_entry(publication, default)?;
        // A tuned entry of the same candidate that is always legal is the default already.
        if !complete.contains(&(own.key.clone(), default.candidate.clone())) {
            entries.push(own.value);
        }
    }
    Ok(entries)
}

/// What an entry is for: architecture, types and the extents that must be just these.
type Key = (String, BTreeMap<String, Dtype>, BTreeMap<String, i64>);

struct Written {
    value: Value,
    key: Key,
    candidate: Candidate,
    legal: Vec<String>,
}

/// What an entry is made of, whichever kind it is.
struct Parts<'a> {
    name: String,
    architecture: Architecture,
    axes: &'a BTreeMap<String, i64>,
    types: &'a BTreeMap<String, Dtype>,
    scalars: BTreeMap<String, f64>,
    candidate: &'a Candidate,
    artifact: Digest,
    profile: &'a str,
}

fn tuned(publication: &Publication<'_>, entry: &Entry) -> Result<Written, PublishError> {
    let name = format!("{} on {}", entry.workload, entry.device);
    let record = proof(publication, &name, entry.record)?;
    let refuse = |what: &str| refusal(&name, format!("its record has another {what}"));
    agrees(entry, record).map_err(refuse)?;
    let winner = Winner { record, candidate: &entry.candidate, artifact: entry.artifact };
    let mut written = launched(publication, &name, entry, &winner)?;
    let interval = match entry.time {
        EntryTime::Measured { interval_ns: (low, high), .. } => json!([low, high]),
        EntryTime::Predicted { .. } => Value::Null,
    };
    written.value["basis"] = json!(entry.time.basis());
    written.value["median_ns"] = json!(entry.time.median_ns());
    written.value["interval_ns"] = interval;
    Ok(written)
}

/// The second entry of a shape, for calls behind a kernel that triggers nothing.
fn tuned_alone(
    publication: &Publication<'_>,
    entry: &Entry,
    alone: &AloneWinner,
) -> Result<Written, PublishError> {
    let name = format!("{} on {}, alone", entry.workload, entry.device);
    let record = proof(publication, &name, alone.record)?;
    let refuse = |what: &str| refusal(&name, format!("its record has another {what}"));
    agrees_where(entry, record).map_err(refuse)?;
    if AloneWinner::of(record).as_ref() != Some(alone) {
        return Err(refuse("candidate, artifact or time"));
    }
    let chain = AloneWinner::of(proof(publication, &name, entry.record)?);
    if !chain.is_some_and(|chain| alone.is_surely_faster_than(&chain)) {
        let reason = "by the records it is not surely faster alone".to_owned();
        return Err(refusal(&name, reason));
    }
    let winner = Winner { record, candidate: &alone.candidate, artifact: alone.artifact };
    let mut written = launched(publication, &name, entry, &winner)?;
    written.value["situation"] = json!(Situation::Alone.name());
    written.value["basis"] = json!("measured");
    written.value["median_ns"] = json!(alone.median_ns);
    written.value["interval_ns"] = json!(alone.interval_ns);
    Ok(written)
}

/// A candidate that won an entry's shape, and what proves it.
struct Winner<'a> {
    record: &'a TuningRecord,
    candidate: &'a Candidate,
    artifact: Digest,
}

/// A winner's entry but for its times.
fn launched(
    publication: &Publication<'_>,
    name: &str,
    entry: &Entry,
    winner: &Winner<'_>,
) -> Result<Written, PublishError> {
    let record = winner.record;
    let parts = Parts {
        name: name.to_owned(),
        architecture: entry.architecture,
        axes: &entry.axes,
        types: &entry.types,
        scalars: record.workload.scalars.clone(),
        candidate: winner.candidate,
        artifact: winner.artifact,
        profile: &record.environment.profile,
    };
    let (mut written, instance) = assemble(publication, &parts)?;
    let plan = publication.spec.launch(&instance, winner.candidate);
    if record.launch.is_some_and(|launch| plan.is_ok_and(|plan| plan.config != launch)) {
        let reason = "the spec launches it otherwise than its record says".to_owned();
        return Err(refusal(name, reason));
    }
    written.value["rule"] = json!("tuned");
    written.value["workload"] = json!(entry.workload);
    written.value["device"] = json!(entry.device);
    Ok(written)
}

fn refusal(entry: &str, reason: String) -> PublishError {
    PublishError::Entry { entry: entry.to_owned(), reason }
}

/// The record of that digest.
fn proof<'a>(
    publication: &Publication<'a>,
    name: &str,
    digest: Digest,
) -> Result<&'a TuningRecord, PublishError> {
    let record = publication.record(digest);
    record.ok_or_else(|| refusal(name, format!("its record `{}` is not there", digest.short())))
}

/// Whether an entry is of the kernel, device and workload that a record is of; names what is not.
fn agrees_where(entry: &Entry, record: &TuningRecord) -> Result<(), &'static str> {
    first_other([
        ("kernel", entry.kernel == record.kernel),
        ("spec", entry.spec == record.spec),
        ("device", entry.device == record.environment.device),
        ("architecture", entry.architecture == record.environment.architecture),
        ("workload", entry.axes == record.workload.axes && entry.types == record.workload.types),
    ])
}

/// Whether an entry says what its record says; names what does not.
fn agrees(entry: &Entry, record: &TuningRecord) -> Result<(), &'static str> {
    agrees_where(entry, record)?;
    let interval = match (&record.outcome, entry.time) {
        (Outcome::Measured(samples), EntryTime::Measured { interval_ns, .. }) => {
            let interval = samples.interval(0.95);
            interval_ns == (interval.low_ns, interval.high_ns)
        }
        (Outcome::Predicted(_), EntryTime::Predicted { .. }) => true,
        _ => false,
    };
    first_other([
        ("candidate", entry.candidate == record.candidate),
        ("artifact", Some(entry.artifact) == record.artifact),
        ("time", record.outcome.time_ns() == Some(entry.time.median_ns())),
        ("interval", interval),
    ])
}

/// The first that is not the same.
fn first_other<const N: usize>(same: [(&'static str, bool); N]) -> Result<(), &'static str> {
    same.into_iter().find(|(_, same)| !same).map_or(Ok(()), |(what, _)| Err(what))
}

fn default_entry(
    publication: &Publication<'_>,
    default: &DefaultEntry,
) -> Result<Written, PublishError> {
    let axes = default.axes.iter().map(|(name, value)| format!("{name}={value}"));
    let types = default.types.iter().map(|(name, dtype)| format!("{name}={dtype}"));
    let shape: Vec<String> = axes.chain(types).collect();
    let parts = Parts {
        name: format!("the default candidate at {}", shape.join(",")),
        architecture: default.architecture,
        axes: &default.axes,
        types: &default.types,
        scalars: BTreeMap::new(),
        candidate: &default.candidate,
        artifact: default.artifact,
        profile: &default.profile,
    };
    let (mut written, _) = assemble(publication, &parts)?;
    written.value["rule"] = json!("default");
    for absent in ["workload", "device", "basis", "median_ns", "interval_ns"] {
        written.value[absent] = Value::Null;
    }
    Ok(written)
}

/// What both kinds of entry have.
fn assemble(
    publication: &Publication<'_>,
    parts: &Parts<'_>,
) -> Result<(Written, Instance), PublishError> {
    let spec = publication.spec;
    let refuse = |reason: String| refusal(&parts.name, reason);
    let profile = publication
        .profiles
        .get(parts.profile)
        .ok_or_else(|| refuse(format!("no profile is called `{}`", parts.profile)))?;
    let artifact = publication
        .artifacts
        .iter()
        .find(|artifact| artifact.digest == parts.artifact)
        .ok_or_else(|| refuse(format!("artifact `{}` is not there", parts.artifact.short())))?;
    if artifact.manifest.target != parts.architecture {
        return Err(refuse(format!("its artifact is for {}", artifact.manifest.target)));
    }
    let instance = bind(spec, parts, profile).map_err(|error| refuse(error.message))?;
    spec.space.check(parts.candidate, instance.scope()).map_err(|error| refuse(error.message))?;
    let plan = spec.launch(&instance, parts.candidate).map_err(|why| refuse(why.summary()))?;
    if plan.arguments.len() != artifact.manifest.parameters.len() {
        return Err(refuse(format!(
            "the spec gives {} arguments, and its artifact takes {}",
            plan.arguments.len(),
            artifact.manifest.parameters.len()
        )));
    }
    let scope = fixed_scope(spec, &instance, parts.candidate);
    let legal: Vec<String> = spec
        .space
        .constraints
        .iter()
        .filter(|constraint| constraint.residual(&scope).known().is_none())
        .map(|constraint| expression::python(constraint, &scope))
        .collect();
    let fixed: BTreeMap<String, i64> = parts
        .axes
        .iter()
        .filter(|(axis, _)| spec.is_specialized(axis))
        .map(|(axis, extent)| (axis.clone(), *extent))
        .collect();
    let value = json!({
        "architecture": parts.architecture.to_string(),
        "types": parts.types,
        "axes": parts.axes,
        "fixed_axes": fixed.keys().collect::<Vec<_>>(),
        "candidate": parts.candidate,
        "artifact": parts.artifact.to_string(),
        "alignment_bytes": alignment_bytes(artifact),
        "legal": legal,
        "launch": launch::rule(spec, &instance, &scope).map_err(refuse)?,
    });
    let key = (parts.architecture.to_string(), parts.types.clone(), fixed);
    let candidate = parts.candidate.clone();
    Ok((Written { value, key, candidate, legal }, instance))
}

fn bind(
    spec: &KernelSpec,
    parts: &Parts<'_>,
    profile: &DeviceProfile,
) -> Result<Instance, ridge_spec::diagnostic::Diagnostic> {
    let workload = Workload {
        name: parts.name.clone(),
        axes: parts.axes.clone(),
        types: parts.types.clone(),
        role: Role::Tune,
        tolerance: None,
        output_tolerances: BTreeMap::new(),
        scalars: parts.scalars.clone(),
    };
    spec.bind(&workload, profile)
}

/// The names that the artifact has settled: everything but axes that only the launch knows.
fn fixed_scope(spec: &KernelSpec, instance: &Instance, candidate: &Candidate) -> Scope {
    let is_open = |name: &str| spec.axes.contains_key(name) && !spec.is_specialized(name);
    let fixed = instance.scope().iter().filter(|(name, _)| !is_open(name));
    Scope::new().with(fixed).with(candidate.iter())
}

/// What every tensor's address must be a multiple of: 16 bytes, the widest plain access up to
/// `sm_90`, or more where the PTX has wider ones.
fn alignment_bytes(artifact: &Artifact) -> u32 {
    const WIDE: [&str; 8] =
        [".v8.b32", ".v8.u32", ".v8.s32", ".v8.f32", ".v4.b64", ".v4.u64", ".v4.s64", ".v4.f64"];
    let is_wide = |line: &str| {
        let line = line.trim_start();
        (line.contains("ld.global") || line.contains("st.global"))
            && WIDE.iter().any(|wide| line.contains(wide))
    };
    if artifact.ptx.lines().any(is_wide) { 32 } else { 16 }
}
