//! The autotuning community's result format, T4: one JSON object with `results`, each with
//! `configuration`, `times`, `invalidity`, `correctness` and `measurements`. Times are
//! milliseconds unless `metadata.timeunit` says otherwise. The format names neither the kernel nor
//! the device: the file's name stands for both.

use indexmap::IndexMap;
use ridge_spec::diagnostic::Diagnostic;
use ridge_spec::outcome::Outcome;
use serde::Deserialize;

use super::{Axes, Landscape, Title, failure, json, located, milliseconds, value};

#[derive(Deserialize)]
struct Wire {
    schema_version: String,
    #[serde(default)]
    metadata: Metadata,
    results: Vec<Row>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    timeunit: Option<String>,
}

#[derive(Deserialize)]
struct Row {
    configuration: IndexMap<String, serde_json::Value>,
    #[serde(default)]
    times: Times,
    invalidity: String,
    #[serde(default)]
    measurements: Vec<Measurement>,
}

#[derive(Default, Deserialize)]
struct Times {
    #[serde(default)]
    runtimes: Vec<f64>,
}

#[derive(Deserialize)]
struct Measurement {
    name: String,
    value: serde_json::Value,
}

/// Reads a result file.
///
/// # Errors
/// `landscape.syntax` for text that is not of the format, `landscape.schema` for another major
/// version or time unit, `landscape.row` for a result without values for all parameters or without
/// a time, `landscape.empty` where nothing succeeded.
pub fn parse(file: &str, text: &str) -> Result<Landscape, Diagnostic> {
    let wire: Wire =
        serde_json::from_str(text).map_err(|error| json::syntax(file, text, &error))?;
    let at_key = |key: &str| json::place(file, text, text.find(key).unwrap_or(0));
    if !wire.schema_version.starts_with("1.") {
        let message = format!("schema version `{}`, this version reads `1`", wire.schema_version);
        return Err(Diagnostic::new("landscape.schema", message).at(at_key("\"schema_version\"")));
    }
    let unit = wire.metadata.timeunit.as_deref().unwrap_or("ms");
    let in_milliseconds = match unit {
        // The published files spell it with one `l`.
        "ms" | "miliseconds" | "milliseconds" => 1.0,
        "s" | "seconds" => 1e3,
        "us" | "microseconds" => 1e-3,
        "ns" | "nanoseconds" => 1e-6,
        other => {
            let message = format!("`{other}` is no unit of time that is known");
            return Err(Diagnostic::new("landscape.schema", message).at(at_key("\"timeunit\"")));
        }
    };
    let names: Vec<String> = wire
        .results
        .first()
        .map(|row| row.configuration.keys().cloned().collect())
        .unwrap_or_default();
    let mut axes = Axes::new(names.iter().map(|name| (name.clone(), Vec::new())));
    let mut points = Vec::with_capacity(wire.results.len());
    for (number, row) in wire.results.iter().enumerate() {
        let refuse = |what: &str| {
            let start = text.match_indices("\"configuration\"").nth(number);
            Diagnostic::new("landscape.row", format!("result {number} {what}")).at(json::place(
                file,
                text,
                start.map_or(0, |(at, _)| at),
            ))
        };
        let indices: Vec<u16> = names
            .iter()
            .enumerate()
            .map(|(place, name)| axes.index(place, value(row.configuration.get(name)?)))
            .collect::<Option<_>>()
            .ok_or_else(|| refuse("lacks a parameter's value"))?;
        let outcome =
            row.outcome(in_milliseconds).ok_or_else(|| refuse("is correct and has no time"))?;
        points.push((indices, outcome));
    }
    let stem = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let stem = stem.split('.').next().unwrap_or(stem).to_owned();
    let title = Title::foreign(stem.clone(), stem, &serde_json::Value::Null);
    Landscape::new(title, axes.finish(), points)
        .map_err(|error| located(error, at_key("\"results\"")))
}

impl Row {
    fn outcome(&self, in_milliseconds: f64) -> Option<Outcome> {
        if self.invalidity != "correct" {
            return Some(failure(&self.invalidity));
        }
        let times: Vec<f64> =
            self.times.runtimes.iter().map(|time| time * in_milliseconds).collect();
        let samples = milliseconds(&times).or_else(|| {
            let time = self.measurements.iter().find(|measurement| measurement.name == "time")?;
            milliseconds(&[time.value.as_f64()? * in_milliseconds])
        });
        samples.map(Outcome::Measured)
    }
}
