//! The report: one HTML page about a campaign that opens without a network.

mod against;
mod charts;
mod model;
mod page;
mod pairs;
mod svg;

use std::path::{Path, PathBuf};

use crate::error::PipelineError;
use crate::storage;

/// The report's name in a campaign's folder.
pub const REPORT_FILE: &str = "report.html";

/// Draws the records of a campaign's folder and writes the page beside them; answers its path.
///
/// # Errors
/// [`PipelineError::Read`] without a log, [`PipelineError::NoRecords`] for an empty one,
/// [`PipelineError::Write`] where the page cannot be written.
pub fn write(folder: &Path) -> Result<PathBuf, PipelineError> {
    let log = storage::read_records(folder)?;
    let campaign = model::Campaign::from_records(&log.records)
        .ok_or_else(|| PipelineError::NoRecords { folder: folder.to_owned() })?;
    let path = folder.join(REPORT_FILE);
    storage::write_whole(&path, page::render(&campaign).as_bytes())?;
    Ok(path)
}
