//! Kernel Tuner's cache file: one JSON object with `device_name`, `kernel_name`, `problem_size`,
//! `tune_params_keys`, `tune_params` and, last, `cache`: an object from the values joined by
//! commas to one configuration's parameters and times.
//!
//! Times are milliseconds. A configuration that failed has `RuntimeFailedConfig`,
//! `CompilationFailedConfig` or `InvalidConfig` instead of a time, or, in old files, the time
//! 1e20. The writer appends entries and closes the braces when it ends: a file whose end is
//! missing is read up to its last whole entry.

use std::borrow::Cow;

use indexmap::IndexMap;
use ridge_spec::diagnostic::Diagnostic;
use ridge_spec::expression::Value;
use ridge_spec::outcome::Outcome;
use serde::Deserialize;

use super::json::{self, Outline};
use super::{Axes, Landscape, Reading, Title, failure, located, milliseconds, value};

/// Times from which on old files mean a failure, milliseconds.
const FAILED_MS: f64 = 1e20;

#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    device_name: String,
    #[serde(default)]
    kernel_name: String,
    #[serde(default)]
    problem_size: serde_json::Value,
    tune_params_keys: Vec<String>,
    #[serde(default)]
    tune_params: IndexMap<String, serde_json::Value>,
    cache: IndexMap<String, serde_json::Map<String, serde_json::Value>>,
}

/// Reads a cache file.
///
/// # Errors
/// `landscape.syntax` for text that is not of the format, `landscape.row` for an entry without
/// values for all parameters or without a time, `landscape.empty` where nothing succeeded.
pub(super) fn parse(file: &str, text: &str, outline: &Outline) -> Result<Reading, Diagnostic> {
    let (whole, warning) = completed(file, text, outline);
    let wire: Wire =
        serde_json::from_str(&whole).map_err(|error| json::syntax(file, text, &error))?;
    let mut axes = Axes::new(wire.tune_params_keys.iter().map(|name| {
        let declared = wire.tune_params.get(name).and_then(serde_json::Value::as_array);
        (
            name.clone(),
            declared.map(|values| values.iter().map(value).collect()).unwrap_or_default(),
        )
    }));
    let mut points = Vec::with_capacity(wire.cache.len());
    for (key, entry) in &wire.cache {
        let refuse = |what: &str| {
            let at = text.find(&format!("\"{key}\"")).unwrap_or(0);
            Diagnostic::new("landscape.row", format!("entry `{key}` {what}"))
                .at(json::place(file, text, at))
        };
        let indices = indices(&mut axes, &wire.tune_params_keys, key, entry)
            .ok_or_else(|| refuse("lacks a parameter's value"))?;
        let outcome = outcome(entry).ok_or_else(|| refuse("has no time and no failure"))?;
        points.push((indices, outcome));
    }
    let title = Title::foreign(wire.kernel_name, wire.device_name, &wire.problem_size);
    let landscape = Landscape::new(title, axes.finish(), points).map_err(|error| {
        located(error, json::place(file, text, text.find("\"cache\"").unwrap_or(0)))
    })?;
    Ok(Reading { landscapes: vec![landscape], warnings: warning.into_iter().collect() })
}

/// The text with what Python writes and JSON lacks replaced, and closed after its last whole entry
/// where its end is missing; with a warning where it is.
fn completed<'a>(
    file: &str,
    text: &'a str,
    outline: &Outline,
) -> (Cow<'a, str>, Option<Diagnostic>) {
    let (end, warning) = match (outline.closed, outline.last_entry) {
        (false, Some(end)) => {
            let message = "the file ends in the middle: entries up to here are read";
            let place = json::place(file, text, end);
            (end, Some(Diagnostic::new("landscape.torn", message).at(place)))
        }
        _ => (text.len(), None),
    };
    if outline.no_numbers.is_empty() && warning.is_none() {
        return (Cow::Borrowed(text), None);
    }
    let mut whole = String::with_capacity(end + 2);
    let mut from = 0;
    for &(start, past) in outline.no_numbers.iter().filter(|&&(_, past)| past <= end) {
        whole.push_str(&text[from..start]);
        whole.push_str("null");
        from = past;
    }
    whole.push_str(&text[from..end]);
    if warning.is_some() {
        whole.push_str("}}");
    }
    (Cow::Owned(whole), warning)
}

/// The entry's values: by name where it has them, else from its key.
fn indices(
    axes: &mut Axes,
    names: &[String],
    key: &str,
    entry: &serde_json::Map<String, serde_json::Value>,
) -> Option<Vec<u16>> {
    let from_key: Vec<&str> = key.split(',').collect();
    let split = from_key.len() == names.len();
    names
        .iter()
        .enumerate()
        .map(|(place, name)| {
            let found = match entry.get(name) {
                Some(recorded) => value(recorded),
                None => split.then(|| python_text(from_key[place]))?,
            };
            axes.index(place, found)
        })
        .collect()
}

/// A value as Python prints it.
fn python_text(text: &str) -> Value {
    match text {
        "True" => Value::Integer(1),
        "False" => Value::Integer(0),
        _ => text.parse().map_or_else(|_| Value::Text(text.to_owned()), Value::Integer),
    }
}

/// What became of an entry; `None` where it does not say.
fn outcome(entry: &serde_json::Map<String, serde_json::Value>) -> Option<Outcome> {
    if let Some(serde_json::Value::String(word)) = entry.get("__error__") {
        return Some(failure(word));
    }
    let time = match entry.get("time")? {
        serde_json::Value::String(word) => return Some(failure(word)),
        serde_json::Value::Null => return Some(failure("no time")),
        time => time.as_f64()?,
    };
    if time >= FAILED_MS {
        return Some(failure("RuntimeFailedConfig"));
    }
    let times: Option<Vec<f64>> = entry
        .get("times")
        .and_then(serde_json::Value::as_array)
        .map(|times| times.iter().filter_map(serde_json::Value::as_f64).collect());
    let samples = times.and_then(|times| milliseconds(&times));
    samples.or_else(|| milliseconds(&[time])).map(Outcome::Measured)
}
