//! Recorded landscapes: whole tuning spaces that somebody measured, to try strategies on.
//!
//! The format is one JSON object, `schema = 1`: `kernel`, `device`, `time_unit: "ns"`, `params`
//! (name to values, in order), `columns` and `rows`. A row is `[value indices, status, median, …]`
//! in the order of `columns`; a status other than `ok` is a failure, and a combination without a
//! row broke a constraint. Other keys are ignored.

use std::fmt;

use indexmap::IndexMap;
use ridge_spec::diagnostic::Diagnostic;
use ridge_spec::expression::Value;
use ridge_spec::outcome::{Outcome, Phase, Rejection, Samples};
use ridge_spec::space::{Candidate, LegalSpace, Parameter};
use serde::Deserialize;

/// Format of the files that this version reads.
pub const LANDSCAPE_SCHEMA: u32 = 1;

/// A measured tuning space.
#[derive(Clone, Debug)]
pub struct Landscape {
    /// The kernel's name.
    pub kernel: String,
    /// The device's name.
    pub device: String,
    /// Why its times are doubted by whoever published them, where they are.
    pub suspect: Option<String>,
    space: LegalSpace,
    /// What became of each point of the space.
    outcomes: Vec<Outcome>,
    optimum_ns: u64,
}

#[derive(Deserialize)]
struct Wire {
    schema: u32,
    kernel: String,
    device: String,
    #[serde(default)]
    suspect: Option<serde_json::Value>,
    time_unit: String,
    params: IndexMap<String, Vec<serde_json::Value>>,
    columns: Vec<String>,
    rows: Vec<Vec<serde_json::Value>>,
}

/// Where in a row its parts are.
struct Columns {
    indices: usize,
    status: usize,
    median: usize,
}

impl Landscape {
    /// Reads a landscape from JSON text (decompressed).
    ///
    /// # Errors
    /// `landscape.syntax` for text that is not of the format, `landscape.schema` for another
    /// number or time unit, `landscape.row` for a row that is not a point of the space with a
    /// positive time, `landscape.empty` where nothing succeeded; `space.*` as
    /// [`LegalSpace::from_points`].
    pub fn parse(text: &[u8]) -> Result<Self, Diagnostic> {
        let wire: Wire = serde_json::from_slice(text)
            .map_err(|error| Diagnostic::new("landscape.syntax", error.to_string()))?;
        if wire.schema != LANDSCAPE_SCHEMA || wire.time_unit != "ns" {
            return Err(Diagnostic::new(
                "landscape.schema",
                format!(
                    "schema {} in `{}`, this version reads schema {LANDSCAPE_SCHEMA} in `ns`",
                    wire.schema, wire.time_unit
                ),
            ));
        }
        let column = |name: &str| {
            wire.columns.iter().position(|column| column == name).ok_or_else(|| {
                Diagnostic::new("landscape.syntax", format!("there is no column `{name}`"))
            })
        };
        let columns = Columns {
            indices: column("value_indices")?,
            status: column("status")?,
            median: column("median")?,
        };
        let parameters: Vec<Parameter> = wire
            .params
            .iter()
            .map(|(name, values)| Parameter {
                name: name.clone(),
                values: values.iter().map(value).collect(),
            })
            .collect();
        let mut points = Vec::with_capacity(wire.rows.len());
        for (place, row) in wire.rows.iter().enumerate() {
            let read = read_row(row, &columns, &parameters).ok_or_else(|| {
                Diagnostic::new(
                    "landscape.row",
                    format!("row `{place}` is not a point with a time"),
                )
            })?;
            points.push(read);
        }
        let suspect = wire.suspect.filter(|reason| !reason.is_null()).map(|reason| match reason {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        });
        Self::new(wire.kernel, wire.device, suspect, parameters, points)
    }

    /// A landscape from value indices and what became of each; of a point that comes twice the
    /// first counts.
    ///
    /// # Errors
    /// `landscape.empty` where no point has a time; `space.*` as [`LegalSpace::from_points`].
    pub fn new(
        kernel: String,
        device: String,
        suspect: Option<String>,
        parameters: Vec<Parameter>,
        points: Vec<(Vec<u16>, Outcome)>,
    ) -> Result<Self, Diagnostic> {
        let candidates = points.iter().map(|(indices, _)| {
            Candidate::new(parameters.iter().zip(indices).filter_map(|(parameter, &index)| {
                Some((parameter.name.clone(), parameter.values.get(usize::from(index))?.clone()))
            }))
        });
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
        Ok(Self { kernel, device, suspect, space, outcomes, optimum_ns })
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
        write!(f, "{} on {}", self.kernel, self.device)
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

fn read_row(
    row: &[serde_json::Value],
    columns: &Columns,
    parameters: &[Parameter],
) -> Option<(Vec<u16>, Outcome)> {
    let indices: Vec<u16> = row
        .get(columns.indices)?
        .as_array()?
        .iter()
        .map(|index| u16::try_from(index.as_u64()?).ok())
        .collect::<Option<_>>()?;
    let sound = indices.len() == parameters.len()
        && indices
            .iter()
            .zip(parameters)
            .all(|(&at, parameter)| usize::from(at) < parameter.values.len());
    if !sound {
        return None;
    }
    let outcome = match row.get(columns.status)?.as_str()? {
        "ok" => {
            let time = row.get(columns.median)?.as_u64()?;
            Outcome::Measured(Samples::new(vec![time]).ok()?)
        }
        "compile" => Outcome::Rejected(Rejection::Compile {
            diagnostics: Vec::new(),
            log: "recorded as failing to compile".to_owned(),
        }),
        "runtime" => Outcome::Rejected(Rejection::Crash {
            phase: Phase::Measure,
            message: "recorded as failing at run time".to_owned(),
            finding: None,
        }),
        other => Outcome::Rejected(Rejection::Launch { message: format!("recorded as `{other}`") }),
    };
    Some((indices, outcome))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"{"schema": 1, "device": "D", "kernel": "k", "time_unit": "ns",
        "params": {"y": [1, 2], "x": ["a", true]}, "suspect": null,
        "columns": ["value_indices", "status", "median"],
        "rows": [[[1, 0], "ok", 30], [[0, 1], "ok", 20], [[0, 0], "compile", null]]}"#;

    #[test]
    fn reads_points_in_any_order() {
        let landscape = Landscape::parse(SMALL.as_bytes()).unwrap();
        assert_eq!(landscape.to_string(), "k on D");
        assert_eq!(landscape.space().len(), 3);
        assert_eq!(landscape.optimum_ns(), 20);
        let codes: Vec<&str> = (0..3).map(|index| landscape.outcome(index).code()).collect();
        assert_eq!(codes, ["compile", "measured", "measured"]);
        assert_eq!(landscape.space().candidate(2).to_string(), "x=a,y=2");
        assert_eq!(landscape.times_ns().collect::<Vec<_>>(), [20, 30]);
    }

    #[track_caller]
    fn check_refused(from: &str, to: &str, code: &str) {
        let error = Landscape::parse(SMALL.replace(from, to).as_bytes()).unwrap_err();
        assert_eq!(error.code, code, "{error}");
    }

    #[test]
    fn refuses_what_is_no_landscape() {
        check_refused("\"schema\": 1", "\"schema\": 2", "landscape.schema");
        check_refused("\"ns\"", "\"ms\"", "landscape.schema");
        check_refused("\"median\"]", "\"mean\"]", "landscape.syntax");
        check_refused("{\"schema\"", "[\"schema\"", "landscape.syntax");
        check_refused("[[1, 0], \"ok\", 30]", "[[1, 7], \"ok\", 30]", "landscape.row");
        check_refused("[[1, 0], \"ok\", 30]", "[[1], \"ok\", 30]", "landscape.row");
        check_refused("[[1, 0], \"ok\", 30]", "[[1, 0], \"ok\", 0]", "landscape.row");
        let failed = SMALL.replace("\"ok\"", "\"runtime\"");
        assert_eq!(Landscape::parse(failed.as_bytes()).unwrap_err().code, "landscape.empty");
    }
}
