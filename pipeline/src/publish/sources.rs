//! Reading logs, and finding the kernel that they are of.

use std::path::{Path, PathBuf};

use ridge_spec::record::{self, TuningRecord};

use crate::error::PipelineError;
use crate::event::{Event, Observer};
use crate::folder::KernelFolder;
use crate::simulate::files;
use crate::storage::RECORDS_FILE;

/// Folders, from here, in which a kernel of a name is looked for.
const PLACES: [&str; 3] = ["", "kernels", "kernels/cube"];

/// The records of folders and logs, in their order.
pub(super) fn read(
    sources: &[PathBuf],
    observer: &dyn Observer,
) -> Result<Vec<TuningRecord>, PipelineError> {
    let mut records = Vec::new();
    for source in sources {
        let path = if source.is_dir() { source.join(RECORDS_FILE) } else { source.clone() };
        let bytes = files::read(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => PipelineError::NoRecords { folder: source.clone() },
            _ => PipelineError::Read { path: path.clone(), source: error },
        })?;
        let log = record::read_log(&path.display().to_string(), &bytes);
        for dropped in &log.dropped {
            observer.notify(Event::Warning(dropped));
        }
        records.extend(log.records);
    }
    Ok(records)
}

/// The kernel's folder and the text of its spec.
pub(super) fn find(
    named: Option<&Path>,
    kernel: &str,
) -> Result<(KernelFolder, String), PipelineError> {
    if let Some(path) = named {
        let folder = KernelFolder::load(path)?;
        if folder.spec.name.as_str() != kernel {
            let kernels = vec![kernel.to_owned(), folder.spec.name.to_string()];
            return Err(PipelineError::SeveralKernels { kernels });
        }
        let text = text(path)?;
        return Ok((folder, text));
    }
    let names = [kernel, kernel.strip_prefix("cube-").unwrap_or(kernel)];
    for place in PLACES {
        for name in names {
            let path = Path::new(place).join(name);
            if !path.join("kernel.toml").is_file() {
                continue;
            }
            let folder = KernelFolder::load(&path)?;
            if folder.spec.name.as_str() == kernel {
                let text = text(&path)?;
                return Ok((folder, text));
            }
        }
    }
    Err(PipelineError::NoSpec { kernel: kernel.to_owned() })
}

/// The text of the spec that [`KernelFolder::load`] reads for a path.
fn text(path: &Path) -> Result<String, PipelineError> {
    let path = if path.is_dir() { path.join("kernel.toml") } else { path.to_owned() };
    std::fs::read_to_string(&path).map_err(|source| PipelineError::Read { path, source })
}
