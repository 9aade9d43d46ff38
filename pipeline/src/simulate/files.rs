//! Finding and reading landscape files.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use ridge_autotune::landscape::{self, Landscape};
use ridge_autotune::prior::{Campaign, transfer};
use ridge_spec::diagnostic::{Diagnostic, SourceLocation};
use ridge_spec::record::{TuningRecord, read_log};

use crate::error::PipelineError;
use crate::storage;

/// Largest landscape that is read, bytes, decompressed.
const LIMIT: u64 = 2 << 30;

/// How a gzip file begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Ends of the names of a folder's landscapes.
const ENDINGS: [&str; 4] = [".json", ".json.gz", ".jsonl", ".jsonl.gz"];

/// A landscape and the file it is from.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) file: String,
    pub(crate) landscape: Landscape,
}

/// Reads every landscape of files and folders, in their order; a folder's files by name.
///
/// # Errors
/// `landscape.*`, for the first that cannot be read or is none.
pub(crate) fn load(
    paths: &[PathBuf],
    warnings: &mut Vec<Diagnostic>,
) -> Result<Vec<Loaded>, PipelineError> {
    let mut loaded = Vec::new();
    for path in paths {
        for file in files(path).map_err(|error| refuse(path, &error))? {
            let name = file.display().to_string();
            let bytes = read(&file).map_err(|error| refuse(&file, &error))?;
            let reading = landscape::read(&name, &bytes)
                .map_err(|error| PipelineError::Spec(vec![located(error, &name)]))?;
            warnings.extend(reading.warnings);
            let named = |landscape| Loaded { file: name.clone(), landscape };
            loaded.extend(reading.landscapes.into_iter().map(named));
        }
    }
    Ok(loaded)
}

/// Reads every record of logs and folders of them, in their order. A line that is no record is a
/// warning.
///
/// # Errors
/// `landscape.read` for a file that cannot be read, `landscape.empty` for one without a record.
pub(crate) fn load_records(
    paths: &[PathBuf],
    warnings: &mut Vec<Diagnostic>,
) -> Result<Vec<TuningRecord>, PipelineError> {
    let mut records = Vec::new();
    for path in paths {
        for file in files(path).map_err(|error| refuse(path, &error))? {
            let bytes = read(&file).map_err(|error| refuse(&file, &error))?;
            let log = read_log(&file.display().to_string(), &bytes);
            if log.records.is_empty() {
                let message = format!("`{}` has no tuning record", file.display());
                return Err(PipelineError::Spec(vec![Diagnostic::new("landscape.empty", message)]));
            }
            warnings.extend(log.dropped);
            records.extend(log.records);
        }
    }
    Ok(records)
}

/// Reads the records of those files that are logs, and passes over the others.
///
/// # Errors
/// `landscape.read` for a file that cannot be read.
pub(crate) fn load_logs(paths: &[PathBuf]) -> Result<Vec<TuningRecord>, PipelineError> {
    let mut records = Vec::new();
    for path in paths {
        for file in files(path).map_err(|error| refuse(path, &error))? {
            let bytes = read(&file).map_err(|error| refuse(&file, &error))?;
            records.extend(read_log(&file.display().to_string(), &bytes).records);
        }
    }
    Ok(records)
}

/// Reads the campaigns of one kernel from logs of records, folders of them and recorded landscapes.
///
/// # Errors
/// As [`load`].
pub(crate) fn load_campaigns(
    paths: &[PathBuf],
    kernel: &str,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Vec<Campaign>, PipelineError> {
    let mut campaigns = Vec::new();
    for path in paths {
        for file in files(path).map_err(|error| refuse(path, &error))? {
            let name = file.display().to_string();
            let bytes = read(&file).map_err(|error| refuse(&file, &error))?;
            let log = read_log(&name, &bytes);
            if !log.records.is_empty() {
                warnings.extend(log.dropped);
                campaigns.extend(transfer::campaigns(kernel, &log.records));
                continue;
            }
            let reading = landscape::read(&name, &bytes)
                .map_err(|error| PipelineError::Spec(vec![located(error, &name)]))?;
            warnings.extend(reading.warnings);
            let same = reading.landscapes.iter().filter(|landscape| landscape.kernel == kernel);
            campaigns.extend(same.map(Campaign::of));
        }
    }
    Ok(campaigns)
}

/// The file, the log of a campaign's folder, or the landscape files of another folder.
fn files(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !std::fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let log = path.join(storage::RECORDS_FILE);
    if log.is_file() {
        return Ok(vec![log]);
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let file = entry?.path();
        let name = file.to_string_lossy().to_lowercase();
        if ENDINGS.iter().any(|ending| name.ends_with(ending)) && !file.is_dir() {
            found.push(file);
        }
    }
    found.sort();
    Ok(found)
}

/// The bytes of a file, decompressed where it is gzip.
pub(crate) fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut start = Vec::new();
    file.by_ref().take(GZIP.len() as u64).read_to_end(&mut start)?;
    let gzip = start == GZIP;
    let whole = start.as_slice().chain(file);
    let mut bytes = Vec::new();
    if gzip {
        MultiGzDecoder::new(whole).take(LIMIT + 1).read_to_end(&mut bytes)?;
    } else {
        whole.take(LIMIT + 1).read_to_end(&mut bytes)?;
    }
    if bytes.len() as u64 > LIMIT {
        return Err(std::io::Error::other(format!("it has more than {LIMIT} bytes")));
    }
    Ok(bytes)
}

fn refuse(path: &Path, error: &std::io::Error) -> PipelineError {
    let message = format!("cannot read `{}`: {error}", path.display());
    PipelineError::Spec(vec![Diagnostic::new("landscape.read", message)])
}

/// Every error names its file.
fn located(error: Diagnostic, file: &str) -> Diagnostic {
    if error.location.is_some() {
        return error;
    }
    let text = String::new();
    error.at(SourceLocation { file: file.to_owned(), line: 1, column: 1, length: 1, text })
}
