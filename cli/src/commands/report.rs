//! `ridge report`.

use std::path::Path;

use serde::Serialize;

use crate::flags::Format;
use crate::output;
use crate::output::Answer;

#[derive(Serialize)]
struct ReportAnswer {
    schema: u32,
    report: String,
}

pub(crate) fn run(dir: &Path, format: Format) -> anyhow::Result<Answer> {
    let path = ridge_pipeline::report::write(dir)?;
    match format {
        Format::Json => {
            output::json(&ReportAnswer { schema: 1, report: path.display().to_string() })?;
        }
        Format::Text => output::text(&format!("{}\n", path.display())),
    }
    Ok(Answer::Yes)
}
