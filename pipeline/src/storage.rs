//! What a campaign keeps on disk: an append-only log of records, and files derived from it.
//!
//! A record is one line, written with one call before the campaign goes on, so that a killed
//! campaign loses at most the line it was writing; a torn last line is cut off when the log is
//! opened again. Derived files are written beside and renamed.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use ridge_spec::diagnostic::Diagnostic;
use ridge_spec::record::{self, TuningRecord};

use crate::error::PipelineError;

/// The log's name in a campaign's folder.
pub const RECORDS_FILE: &str = "records.jsonl";

/// The open log of a campaign. While it is open no other process appends to it.
#[derive(Debug)]
pub struct RecordStore {
    path: PathBuf,
    file: File,
    records: Vec<TuningRecord>,
    dropped: Vec<Diagnostic>,
}

impl RecordStore {
    /// Opens or creates the log in `folder`, reads it, and cuts off a torn last line.
    ///
    /// # Errors
    /// [`PipelineError::Write`] where the folder cannot be made or the file not opened,
    /// [`PipelineError::Busy`] where another campaign holds it.
    pub fn open(folder: &Path) -> Result<Self, PipelineError> {
        let path = folder.join(RECORDS_FILE);
        let error = |source| PipelineError::Write { path: path.clone(), source };
        std::fs::create_dir_all(folder).map_err(error)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(error)?;
        if !file.metadata().map_err(error)?.is_file() {
            return Err(error(std::io::Error::other("it is no regular file")));
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(PipelineError::Busy { folder: folder.to_owned() });
            }
            Err(std::fs::TryLockError::Error(source)) => return Err(error(source)),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(error)?;
        let log = record::read_log(&path.display().to_string(), &bytes);
        if log.torn_tail {
            file.set_len(log.valid_len).map_err(error)?;
        }
        file.seek(SeekFrom::End(0)).map_err(error)?;
        Ok(Self { path, file, records: log.records, dropped: log.dropped })
    }

    /// The records read and appended so far, in order.
    pub fn records(&self) -> &[TuningRecord] {
        &self.records
    }

    /// Lines that are no records; they stay in the file.
    pub fn dropped(&self) -> &[Diagnostic] {
        &self.dropped
    }

    /// Appends a record.
    ///
    /// # Errors
    /// [`PipelineError::Write`]; what was written of the line is cut off again where the disk lets
    /// us, so that earlier records stay whole.
    pub fn append(&mut self, record: TuningRecord) -> Result<(), PipelineError> {
        let error = |source| PipelineError::Write { path: self.path.clone(), source };
        let before = self.file.seek(SeekFrom::End(0)).map_err(error)?;
        let line = record::to_line(&record);
        let written = self.file.write_all(line.as_bytes());
        if let Err(source) = written {
            // A second failure here leaves a torn line, which the next opening cuts off.
            let _torn = self.file.set_len(before);
            return Err(error(source));
        }
        self.records.push(record);
        Ok(())
    }

    /// Waits until the disk has every record.
    ///
    /// # Errors
    /// [`PipelineError::Write`].
    pub fn sync(&self) -> Result<(), PipelineError> {
        self.file
            .sync_data()
            .map_err(|source| PipelineError::Write { path: self.path.clone(), source })
    }
}

/// Reads the records of a campaign's folder, or of a `.jsonl` file, without locking it.
///
/// # Errors
/// [`PipelineError::Read`].
pub fn read_records(path: &Path) -> Result<record::RecordLog, PipelineError> {
    let path = if path.is_dir() { path.join(RECORDS_FILE) } else { path.to_owned() };
    let bytes = std::fs::read(&path)
        .map_err(|source| PipelineError::Read { path: path.clone(), source })?;
    Ok(record::read_log(&path.display().to_string(), &bytes))
}

/// Replaces a file by new content: readers see the old or the new, never a part.
///
/// # Errors
/// [`PipelineError::Write`].
pub fn write_whole(path: &Path, content: &[u8]) -> Result<(), PipelineError> {
    let error = |source| PipelineError::Write { path: path.to_owned(), source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    std::fs::create_dir_all(folder).map_err(error)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(error)?;
    file.write_all(content).map_err(error)?;
    file.as_file().sync_data().map_err(error)?;
    file.persist(path).map_err(|persist| error(persist.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_campaign_in_the_same_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let first = RecordStore::open(folder.path()).unwrap();
        assert!(matches!(RecordStore::open(folder.path()), Err(PipelineError::Busy { .. })));
        drop(first);
        assert!(RecordStore::open(folder.path()).is_ok());
    }

    #[test]
    fn a_torn_last_line_is_cut_off_and_the_rest_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(RECORDS_FILE);
        std::fs::write(&path, "no record\n{\"schema\": 1, \"torn").unwrap();
        let store = RecordStore::open(folder.path()).unwrap();
        assert_eq!(store.dropped().len(), 1);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "no record\n");
    }

    #[test]
    fn a_file_is_replaced_whole_and_its_folder_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/c.txt");
        for content in ["first", "second"] {
            write_whole(&path, content.as_bytes()).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
