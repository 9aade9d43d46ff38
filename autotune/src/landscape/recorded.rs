//! This project's format for recorded landscapes.
//!
//! One JSON object, `schema = 1`: `kernel`, `device`, `problem_size`, `time_unit: "ns"`, `params`
//! (name to values, in order), `columns` and `rows`. A row is `[value indices, status, median, …]`
//! in the order of `columns`; a status other than `ok` is a failure, and a combination without a
//! row broke a constraint. Other keys are ignored.

use indexmap::IndexMap;
use ridge_spec::diagnostic::Diagnostic;
use ridge_spec::outcome::{Outcome, Samples};
use ridge_spec::space::Parameter;
use serde::Deserialize;

use super::{Landscape, Title, failure, json, located, plain, value};

/// Format of the files that this version reads.
pub const LANDSCAPE_SCHEMA: u32 = 1;

#[derive(Deserialize)]
struct Wire {
    schema: u32,
    kernel: String,
    device: String,
    #[serde(default)]
    problem_size: serde_json::Value,
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

/// Reads a landscape from JSON text.
///
/// # Errors
/// `landscape.syntax` for text that is not of the format, `landscape.schema` for another number or
/// time unit, `landscape.row` for a row that is not a point of the space with a positive time,
/// `landscape.empty` where nothing succeeded; `space.*` where the parameters are not sound.
pub fn parse(file: &str, text: &str) -> Result<Landscape, Diagnostic> {
    let wire: Wire =
        serde_json::from_str(text).map_err(|error| json::syntax(file, text, &error))?;
    let at_key = |key: &str| {
        json::place(file, text, text.find(&format!("\"{key}\"")).map_or(0, |quote| quote + 1))
    };
    if wire.schema != LANDSCAPE_SCHEMA || wire.time_unit != "ns" {
        let message = format!(
            "schema {} in `{}`, this version reads schema {LANDSCAPE_SCHEMA} in `ns`",
            wire.schema, wire.time_unit
        );
        let key = if wire.schema == LANDSCAPE_SCHEMA { "time_unit" } else { "schema" };
        return Err(Diagnostic::new("landscape.schema", message).at(at_key(key)));
    }
    let column = |name: &str| {
        wire.columns.iter().position(|column| column == name).ok_or_else(|| {
            Diagnostic::new("landscape.syntax", format!("there is no column `{name}`"))
                .at(at_key("columns"))
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
    for (number, row) in wire.rows.iter().enumerate() {
        let read = read_row(row, &columns, &parameters).ok_or_else(|| {
            let row = serde_json::to_string(row).unwrap_or_default();
            let message = format!("row {number}, `{row}`, is not a point with a time");
            Diagnostic::new("landscape.row", message).at(row_place(file, text, number))
        })?;
        points.push(read);
    }
    let suspect = wire.suspect.filter(|reason| !reason.is_null()).map(|reason| plain(&reason));
    let title = Title { suspect, ..Title::foreign(wire.kernel, wire.device, &wire.problem_size) };
    Landscape::new(title, parameters, points).map_err(|error| located(error, at_key("rows")))
}

/// Where a row begins.
fn row_place(file: &str, text: &str, number: usize) -> ridge_spec::diagnostic::SourceLocation {
    let start = text.find("\"rows\"").unwrap_or(0);
    let mut depth = 0;
    let mut n_rows = 0;
    let mut in_text = false;
    for (at, byte) in text.bytes().enumerate().skip(start + 6) {
        match byte {
            b'"' => in_text = !in_text,
            b'[' if !in_text => {
                depth += 1;
                if depth == 2 {
                    if n_rows == number {
                        return json::place(file, text, at);
                    }
                    n_rows += 1;
                }
            }
            b']' if !in_text => depth -= 1,
            _ => {}
        }
    }
    json::place(file, text, start)
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
        other => failure(other),
    };
    Some((indices, outcome))
}
