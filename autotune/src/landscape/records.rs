//! Our own log of tuning records as landscapes: one for each kernel, device and workload.

use std::collections::{BTreeMap, BTreeSet};

use ridge_spec::diagnostic::Diagnostic;
use ridge_spec::expression::Value;
use ridge_spec::outcome::Outcome;
use ridge_spec::record::{TuningRecord, read_log};

use super::{Axes, Landscape, Reading, Title, json};
use crate::prior::Place;

/// Reads `records.jsonl`. Lines that are no records, records whose parameters are not those of
/// their landscape's first, and landscapes in which nothing succeeded are warnings.
///
/// # Errors
/// `landscape.empty` where no landscape is left.
pub fn read(file: &str, bytes: &[u8]) -> Result<Reading, Diagnostic> {
    let log = read_log(file, bytes);
    let mut warnings = log.dropped;
    let landscapes = of_records(&log.records, &mut warnings);
    if landscapes.is_empty() {
        let text = String::from_utf8_lossy(bytes);
        let message = format!("`{file}` has no record of a candidate that succeeded");
        return Err(Diagnostic::new("landscape.empty", message).at(json::place(file, &text, 0)));
    }
    Ok(Reading { landscapes, warnings })
}

/// The landscapes of records: one for each kernel, version of the spec, device and workload, in
/// the order in which they first come. Of a candidate with several records the last counts where it
/// was refused, else the first: finalists are timed again in another session, whose times compare
/// with one another and not with the rest (a single row took 0.76 of its screened time, measured).
pub fn of_records(records: &[TuningRecord], warnings: &mut Vec<Diagnostic>) -> Vec<Landscape> {
    let mut places = BTreeMap::new();
    let mut groups: Vec<Vec<&TuningRecord>> = Vec::new();
    for record in records {
        let environment = &record.environment;
        let key = (
            record.spec.to_string(),
            environment.device.clone(),
            environment.profile.clone(),
            record.workload.to_string(),
        );
        let place = *places.entry(key).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[place].push(record);
    }
    let mut landscapes = Vec::new();
    for group in groups {
        match landscape(&group, warnings) {
            Ok(landscape) => landscapes.push(landscape),
            Err(error) => warnings.push(error),
        }
    }
    landscapes
}

fn landscape(
    group: &[&TuningRecord],
    warnings: &mut Vec<Diagnostic>,
) -> Result<Landscape, Diagnostic> {
    let first = group[0];
    let title = Title {
        kernel: first.kernel.clone(),
        place: Place::of(first),
        workload: first.workload.to_string(),
        suspect: None,
    };
    let names: Vec<&str> = first.candidate.iter().map(|(name, _)| name).collect();
    let alike = |record: &&&TuningRecord| {
        record.candidate.len() == names.len()
            && names.iter().all(|name| record.candidate.get(name).is_some())
    };
    let same: Vec<&TuningRecord> = group.iter().filter(alike).copied().collect();
    if same.len() < group.len() {
        let message = format!(
            "{} records of `{}` have other parameters than the first and are left out",
            group.len() - same.len(),
            title.kernel
        );
        warnings.push(Diagnostic::new("landscape.mixed", message));
    }
    let mut axes = Axes::new(names.iter().map(|&name| {
        let values: BTreeSet<Value> =
            same.iter().filter_map(|record| record.candidate.get(name).cloned()).collect();
        (name.to_owned(), values.into_iter().collect())
    }));
    let mut points: Vec<(Vec<u16>, Outcome)> = Vec::with_capacity(same.len());
    // The first of a point counts below, so refusals go first, the latest of them before others.
    let (refused, timed): (Vec<&TuningRecord>, Vec<&TuningRecord>) =
        same.iter().partition(|record| record.outcome.time_ns().is_none());
    for record in refused.into_iter().rev().chain(timed) {
        let indices: Option<Vec<u16>> = names
            .iter()
            .enumerate()
            .map(|(place, name)| axes.index(place, record.candidate.get(name)?.clone()))
            .collect();
        points.extend(indices.map(|indices| (indices, record.outcome.clone())));
    }
    let name = format!("{} on {}", title.kernel, title.place.device);
    Landscape::new(title, axes.finish(), points).map_err(|mut error| {
        error.message = format!("{name}: {}", error.message);
        error
    })
}
