//! Reading `tuned.toml`.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::derive::key;
use super::{AloneWinner, Compatibility, Entry, EntryTime, MATRIX_SCHEMA, Matrix};
use crate::diagnostic::{Diagnostic, SourceLocation};
use crate::digest::Digest;
use crate::dtype::Dtype;
use crate::space::Candidate;
use crate::target::Architecture;

/// What every version of the file has.
#[derive(Deserialize)]
struct AnySchema {
    schema: Option<Spanned<i64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireMatrix {
    #[serde(rename = "schema")]
    _schema: i64,
    compatibility: WireCompatibility,
    #[serde(default)]
    entry: Vec<Spanned<WireEntry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireCompatibility {
    compute_capabilities: Vec<String>,
    cuda_minimum: String,
    driver_minimum: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireEntry {
    kernel: String,
    spec: Digest,
    device: String,
    architecture: Architecture,
    workload: String,
    axes: BTreeMap<String, i64>,
    types: BTreeMap<String, Dtype>,
    candidate: Candidate,
    artifact: Digest,
    basis: Basis,
    median_ns: u64,
    interval_ns: Option<(u64, u64)>,
    fraction_of_roofline: Option<f64>,
    record: Digest,
    alone: Option<WireAlone>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireAlone {
    candidate: Candidate,
    artifact: Digest,
    median_ns: u64,
    interval_ns: (u64, u64),
    record: Digest,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Basis {
    Measured,
    Predicted,
}

/// Reads and checks the file.
pub(super) fn read(file: &str, text: &str) -> Result<Matrix, Box<Diagnostic>> {
    let report = |code: &str, message: String, span: Option<Range<usize>>| {
        let span = span.unwrap_or(0..0);
        Box::new(Diagnostic::new(code, message).at(SourceLocation::of(file, text, span)))
    };
    let syntax =
        |error: toml::de::Error| report("matrix.syntax", error.message().to_owned(), error.span());
    let any: AnySchema = toml::from_str(text).map_err(syntax)?;
    match any.schema {
        Some(schema) if *schema.get_ref() == i64::from(MATRIX_SCHEMA) => {}
        Some(schema) => {
            let message =
                format!("the schema is {}, this version reads {MATRIX_SCHEMA}", schema.get_ref());
            return Err(report("matrix.schema", message, Some(schema.span())));
        }
        None => return Err(report("matrix.schema", "there is no `schema`".to_owned(), None)),
    }
    let wire: WireMatrix = toml::from_str(text).map_err(syntax)?;
    let mut entries: Vec<Entry> = Vec::with_capacity(wire.entry.len());
    for spanned in wire.entry {
        let span = spanned.span();
        let entry = entry(spanned.into_inner())
            .map_err(|message| report("matrix.entry", message, Some(span.clone())))?;
        if entries.iter().any(|other| key(other) == key(&entry)) {
            let message = format!(
                "a second entry for the workload `{}` on `{}`",
                entry.workload, entry.device
            );
            return Err(report("matrix.duplicate", message, Some(span)));
        }
        entries.push(entry);
    }
    let compatibility = Compatibility {
        compute_capabilities: wire.compatibility.compute_capabilities,
        cuda_minimum: wire.compatibility.cuda_minimum,
        driver_minimum: wire.compatibility.driver_minimum,
    };
    let mut matrix = Matrix { compatibility, entries };
    matrix.sort();
    Ok(matrix)
}

fn entry(wire: WireEntry) -> Result<Entry, String> {
    let time = match (wire.basis, wire.interval_ns) {
        (_, _) if wire.median_ns == 0 => return Err("`median_ns` is 0".to_owned()),
        (Basis::Measured, Some((low, high))) if low <= wire.median_ns && wire.median_ns <= high => {
            EntryTime::Measured { median_ns: wire.median_ns, interval_ns: (low, high) }
        }
        (Basis::Measured, Some(_)) => {
            return Err("`interval_ns` does not hold `median_ns`".to_owned());
        }
        (Basis::Measured, None) => return Err("a measured entry has no `interval_ns`".to_owned()),
        (Basis::Predicted, None) => EntryTime::Predicted { time_ns: wire.median_ns },
        (Basis::Predicted, Some(_)) => {
            return Err("a predicted entry has an `interval_ns`".to_owned());
        }
    };
    if wire.fraction_of_roofline.is_some_and(|fraction| !fraction.is_finite() || fraction < 0.0) {
        return Err("`fraction_of_roofline` is no share".to_owned());
    }
    let alone = wire.alone.map(|own| alone(own, &wire.candidate, &time)).transpose()?;
    Ok(Entry {
        kernel: wire.kernel,
        spec: wire.spec,
        device: wire.device,
        architecture: wire.architecture,
        workload: wire.workload,
        axes: wire.axes,
        types: wire.types,
        candidate: wire.candidate,
        artifact: wire.artifact,
        time,
        fraction_of_roofline: wire.fraction_of_roofline,
        record: wire.record,
        alone,
    })
}

/// The winner alone, beside an entry of `candidate` with `time`.
fn alone(wire: WireAlone, candidate: &Candidate, time: &EntryTime) -> Result<AloneWinner, String> {
    let (low, high) = wire.interval_ns;
    if matches!(time, EntryTime::Predicted { .. }) {
        return Err("a predicted entry has an `alone`".to_owned());
    }
    if wire.candidate == *candidate {
        return Err("`alone` names the entry's own candidate".to_owned());
    }
    if wire.median_ns == 0 {
        return Err("`alone.median_ns` is 0".to_owned());
    }
    if wire.median_ns < low || high < wire.median_ns {
        return Err("`alone.interval_ns` does not hold `alone.median_ns`".to_owned());
    }
    let WireAlone { candidate, artifact, median_ns, interval_ns, record } = wire;
    Ok(AloneWinner { candidate, artifact, median_ns, interval_ns, record })
}
