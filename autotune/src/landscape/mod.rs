//! Recorded landscapes: whole tuning spaces that somebody measured, to try strategies on.
//!
//! [`read`] takes four formats and tells them apart by their content: the recorded format of this
//! project ([`recorded`]), Kernel Tuner's cache ([`kernel_tuner`]), the community's result format
//! ([`results`]) and our own log of tuning records ([`records`]).

mod json;
pub mod kernel_tuner;
#[cfg(test)]
pub(crate) mod record_fixture;
pub mod recorded;
pub mod records;
pub mod results;
#[cfg(test)]
mod tests;

use std::fmt;

use ridge_spec::diagnostic::{Diagnostic, SourceLocation};
use ridge_spec::expression::Value;
use ridge_spec::outcome::{Outcome, Phase, Rejection, Samples};
use ridge_spec::space::{Candidate, LegalSpace, Parameter};

use crate::prior::Place;

/// A measured tuning space.
#[derive(Clone, Debug)]
pub struct Landscape {
    /// The kernel's name.
    pub kernel: String,
    /// Where and on what it was measured, as far as the file says.
    pub place: Place,
    /// What it was measured on, as text; empty where the file does not say.
    pub workload: String,
    /// Why its times are doubted by whoever published them, where they are.
    pub suspect: Option<String>,
    space: LegalSpace,
    /// What became of each point of the space.
    outcomes: Vec<Outcome>,
    optimum_ns: u64,
}

/// What a landscape is called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Title {
    /// The kernel's name.
    pub kernel: String,
    /// Where and on what it was measured.
    pub place: Place,
    /// The workload, as text; may be empty.
    pub workload: String,
    /// Why its times are doubted, where they are.
    pub suspect: Option<String>,
}

/// What a file held.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Its landscapes: one, but for a log of records, which has one for each kernel, device and
    /// workload.
    pub landscapes: Vec<Landscape>,
    /// What was left out, and why.
    pub warnings: Vec<Diagnostic>,
}

/// Reads the landscapes of a file (decompressed). `file` names it in diagnostics.
///
/// # Errors
/// `landscape.not-text` and `landscape.unknown-format` for what is none of the formats;
/// `landscape.syntax`, `landscape.schema`, `landscape.row` and `landscape.empty` as the formats'
/// own readers. Each with file and line, where there is one to point at.
pub fn read(file: &str, bytes: &[u8]) -> Result<Reading, Diagnostic> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let message = format!("byte {} of `{file}` is no UTF-8", error.valid_up_to() + 1);
        Diagnostic::new("landscape.not-text", message)
    })?;
    let text = text.trim_start_matches('\u{feff}');
    let outline = json::outline(text);
    let has = |name: &str| outline.keys.iter().any(|key| key == name);
    if has("rows") && has("columns") {
        return recorded::parse(file, text).map(Reading::of);
    }
    if has("cache") {
        return kernel_tuner::parse(file, text, &outline);
    }
    if has("results") {
        return results::parse(file, text).map(Reading::of);
    }
    if has("outcome") && has("candidate") {
        return records::read(file, text.as_bytes());
    }
    let found = match outline.keys.as_slice() {
        [] => "it is no JSON object".to_owned(),
        keys => format!("its keys are `{}`", keys.join("`, `")),
    };
    Err(Diagnostic::new("landscape.unknown-format", format!("`{file}` is no landscape: {found}"))
        .at(json::place(file, text, 0))
        .hint(
            "landscapes are recorded JSON (`rows`, `columns`), Kernel Tuner's cache files \
             (`cache`), T4 results (`results`) and `records.jsonl`; any may be gzipped",
        ))
}

impl Reading {
    fn of(landscape: Landscape) -> Self {
        Self { landscapes: vec![landscape], warnings: Vec::new() }
    }
}

impl Landscape {
    /// A landscape from value indices and what became of each; of a point that comes twice the
    /// first counts.
    ///
    /// # Errors
    /// `landscape.empty` where no point has a time; `space.*` as [`LegalSpace::from_points`].
    pub fn new(
        title: Title,
        parameters: Vec<Parameter>,
        points: Vec<(Vec<u16>, Outcome)>,
    ) -> Result<Self, Diagnostic> {
        let candidates = points.iter().map(|(indices, _)| {
            Candidate::new(parameters.iter().zip(indices).filter_map(|(parameter, &index)| {
                Some((parameter.name.clone(), parameter.values.get(usize::from(index))?.clone()))
            }))
        });
        if points.is_empty() {
            return Err(Diagnostic::new("landscape.empty", "it has no points"));
        }
        let space = LegalSpace::from_points(parameters.clone(), candidates)?;
        let mut outcomes: Vec<Option<Outcome>> = vec![None; space.len()];
        for (indices, outcome) in points {
            if let Some(index) = space.find_indices(&indices) {
                outcomes[index].get_or_insert(outcome);
            }
        }
        // Every point of the space came from a row, so none is left without an outcome.
        let outcomes: Vec<Outcome> = outcomes.into_iter().flatten().collect();
        let optimum_ns = outcomes
            .iter()
            .filter_map(Outcome::time_ns)
            .min()
            .ok_or_else(|| Diagnostic::new("landscape.empty", "no point of it has a time"))?;
        let Title { kernel, place, workload, suspect } = title;
        Ok(Self { kernel, place, workload, suspect, space, outcomes, optimum_ns })
    }

    /// Its legal space.
    pub fn space(&self) -> &LegalSpace {
        &self.space
    }

    /// What became of the candidate with this index in the space.
    ///
    /// # Panics
    /// Where `index` is not below the space's length.
    pub fn outcome(&self, index: usize) -> &Outcome {
        &self.outcomes[index]
    }

    /// The fastest time, nanoseconds.
    pub fn optimum_ns(&self) -> u64 {
        self.optimum_ns
    }

    /// The times of the points that succeeded, in the space's order.
    pub fn times_ns(&self) -> impl Iterator<Item = u64> {
        self.outcomes.iter().filter_map(Outcome::time_ns)
    }
}

impl fmt::Display for Landscape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.kernel, self.place.device)?;
        if !self.workload.is_empty() {
            write!(f, ", {}", self.workload)?;
        }
        Ok(())
    }
}

/// Value names of one parameter while points come in: the values declared, then those found.
struct Axes {
    parameters: Vec<Parameter>,
}

impl Axes {
    fn new(parameters: impl IntoIterator<Item = (String, Vec<Value>)>) -> Self {
        let parameter = |(name, values): (String, Vec<Value>)| {
            let mut distinct: Vec<Value> = Vec::with_capacity(values.len());
            for value in values {
                if !distinct.contains(&value) {
                    distinct.push(value);
                }
            }
            Parameter { name, values: distinct }
        };
        Self { parameters: parameters.into_iter().map(parameter).collect() }
    }

    /// The place of a value of the parameter at `place`, which it is given where it is new;
    /// `None` past the most values a parameter may have.
    fn index(&mut self, place: usize, value: Value) -> Option<u16> {
        let values = &mut self.parameters.get_mut(place)?.values;
        let at = values.iter().position(|known| *known == value).unwrap_or_else(|| {
            values.push(value);
            values.len() - 1
        });
        u16::try_from(at).ok()
    }

    /// The parameters with every value that came.
    fn finish(self) -> Vec<Parameter> {
        self.parameters
    }
}

/// A recorded parameter value: booleans are 0 and 1, what is no integer is its text.
fn value(recorded: &serde_json::Value) -> Value {
    match recorded {
        serde_json::Value::Bool(flag) => Value::Integer(i64::from(*flag)),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(integer) => Value::Integer(integer),
            None => Value::Text(number.to_string()),
        },
        serde_json::Value::String(text) => Value::Text(text.clone()),
        other => Value::Text(other.to_string()),
    }
}

/// A problem size or the like as text.
fn plain(recorded: &serde_json::Value) -> String {
    match recorded {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(" x "),
        other => other.to_string(),
    }
}

impl Title {
    /// The title of a landscape that others recorded: its problem size is one axis a number.
    fn foreign(kernel: String, device: String, problem_size: &serde_json::Value) -> Self {
        let sizes = match problem_size {
            serde_json::Value::Array(sizes) => sizes.as_slice(),
            one => std::slice::from_ref(one),
        };
        let axes = sizes
            .iter()
            .enumerate()
            .filter_map(|(place, size)| Some((format!("size{place}"), size.as_i64()?)))
            .collect();
        let place = Place { device, axes, ..Place::default() };
        Self { kernel, place, workload: plain(problem_size), suspect: None }
    }
}

/// Times in milliseconds as samples; `None` where there is none, or one is no time.
fn milliseconds(times: &[f64]) -> Option<Samples> {
    let nanoseconds = |&time: &f64| {
        let ns = time * 1e6;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked to be positive and far below what 64 bits hold"
        )]
        let ns = (ns.is_finite() && ns > 0.0 && ns < 1e18).then_some(ns.round() as u64);
        ns.map(|ns| ns.max(1))
    };
    Samples::new(times.iter().map(nanoseconds).collect::<Option<Vec<_>>>()?).ok()
}

/// What a failure that others recorded is here.
fn failure(word: &str) -> Outcome {
    let recorded = || format!("recorded as `{word}`");
    let crash = |phase| Rejection::Crash { phase, message: recorded(), finding: None };
    Outcome::Rejected(match word {
        "compile" | "CompilationFailedConfig" => {
            Rejection::Compile { diagnostics: Vec::new(), log: recorded() }
        }
        "runtime" | "RuntimeFailedConfig" => crash(Phase::Measure),
        "correctness" => crash(Phase::Verify),
        "timeout" => Rejection::Timeout { phase: Phase::Measure, limit: None, finding: None },
        _ => Rejection::Launch { message: recorded() },
    })
}

/// Gives an error that has no place one.
fn located(error: Diagnostic, place: SourceLocation) -> Diagnostic {
    if error.location.is_some() { error } else { error.at(place) }
}
