//! The file through which parent and worker pass tensors, binaries and images.
//!
//! It lies on a memory file system and has no name once both have opened it. Both use positioned
//! reads and writes in parallel pieces: a mapping would save a copy, but a process that shortens
//! the file would then kill the other.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use serde::{Deserialize, Serialize};
use tempfile::TempPath;

/// Bytes that one thread copies at a time.
const PIECE: usize = 1 << 20;

/// Pieces that are worth another thread.
const PIECES_PER_THREAD: usize = 4;

/// Threads that a transfer uses at most: more do not copy faster.
const THREADS_MAX: usize = 8;

/// What lies in the file starts at multiples of this: a page.
const ALIGNMENT: u64 = 4096;

/// Free space that a memory file system needs to be chosen, bytes: containers often have 64 MiB.
const FREE_BYTES_MIN: u64 = 2 << 30;

/// Where something lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Region {
    /// Offset, bytes.
    pub(super) offset: u64,
    /// Length, bytes.
    pub(super) bytes: u64,
}

/// An open exchange file.
#[derive(Debug)]
pub(super) struct Exchange {
    file: File,
}

impl Exchange {
    /// Makes a file with a random name that only this user can open. It loses its name when the
    /// path is dropped.
    pub(super) fn create() -> io::Result<(Self, TempPath)> {
        let folder = folder();
        let (file, path) = tempfile::Builder::new()
            .prefix("ridge-exchange-")
            .tempfile_in(&folder)
            .map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", folder.display()))
            })?
            .into_parts();
        Ok((Self { file }, path))
    }

    /// Opens the file that the other process made.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: OpenOptions::new().read(true).write(true).open(path)? })
    }

    /// Makes the file at least that long.
    pub(super) fn reserve(&self, bytes: u64) -> io::Result<()> {
        if self.file.metadata()?.len() < bytes {
            self.file.set_len(bytes)?;
        }
        Ok(())
    }

    /// Writes all of `bytes`.
    pub(super) fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        in_parallel(bytes.chunks(PIECE).enumerate().collect(), |(at, piece)| {
            self.file.write_all_at(piece, offset + (at * PIECE) as u64)
        })
    }

    /// Fills all of `bytes`; an error where the file is too short.
    pub(super) fn read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        in_parallel(bytes.chunks_mut(PIECE).enumerate().collect(), |(at, piece)| {
            self.file.read_exact_at(piece, offset + (at * PIECE) as u64)
        })
    }

    /// Reads a region into memory of its own. The length must be the reader's own, or believed.
    pub(super) fn read_region(&self, region: Region) -> io::Result<Vec<u8>> {
        let length = usize::try_from(region.bytes).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        self.read(region.offset, &mut bytes)?;
        Ok(bytes)
    }
}

/// Copies pieces on several threads. They are not rayon's: whoever waits here holds the device, and
/// one of rayon's threads that waits begins another task, which may want the device as well.
fn in_parallel<P: Send>(
    pieces: Vec<P>,
    copy: impl Fn(P) -> io::Result<()> + Sync,
) -> io::Result<()> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let n_threads = (pieces.len() / PIECES_PER_THREAD).min(cores).min(THREADS_MAX);
    if n_threads < 2 {
        return pieces.into_iter().try_for_each(copy);
    }
    let pieces = Mutex::new(pieces.into_iter());
    let next = || pieces.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || std::iter::from_fn(next).try_for_each(&copy);
    thread::scope(|scope| {
        let others: Vec<_> = (1..n_threads).map(|_| scope.spawn(work)).collect();
        let own = work();
        let joined = others.into_iter().map(|other| match other.join() {
            Ok(copied) => copied,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.fold(own, io::Result::and)
    })
}

/// A folder in memory where there is one with room, or the one for temporary files.
fn folder() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let has_room = rustix::fs::statvfs(&memory)
        .is_ok_and(|found| found.f_bavail.saturating_mul(found.f_frsize) >= FREE_BYTES_MIN);
    if has_room && tempfile::tempfile_in(&memory).is_ok() { memory } else { std::env::temp_dir() }
}

/// Hands out regions one after another.
#[derive(Debug, Default)]
pub(super) struct Regions {
    end: u64,
}

impl Regions {
    /// The next region of that many bytes; `None` beyond the range of offsets.
    pub(super) fn take(&mut self, bytes: u64) -> Option<Region> {
        let offset = self.end;
        self.end = offset.checked_add(bytes)?.checked_next_multiple_of(ALIGNMENT)?;
        // Offsets of a file are signed.
        i64::try_from(self.end).is_ok().then_some(Region { offset, bytes })
    }

    /// Where the last one ends, bytes.
    pub(super) fn end(&self) -> u64 {
        self.end
    }
}

#[cfg(test)]
mod tests {
    use super::{Exchange, Region, Regions};

    #[test]
    fn both_sides_see_the_same_bytes_after_the_name_is_gone() {
        let (parent, path) = Exchange::create().unwrap();
        let worker = Exchange::open(&path).unwrap();
        let name = path.to_path_buf();
        drop(path);
        assert!(!name.exists());
        let bytes: Vec<u8> = (0..3_000_001_u32).map(|at| at.to_le_bytes()[1]).collect();
        parent.reserve(8 << 20).unwrap();
        parent.write(4096, &bytes).unwrap();
        let region = Region { offset: 4096, bytes: bytes.len() as u64 };
        assert!(worker.read_region(region).unwrap() == bytes);
    }

    #[test]
    fn a_file_that_was_shortened_is_an_error() {
        let (parent, path) = Exchange::create().unwrap();
        parent.reserve(1 << 20).unwrap();
        Exchange::open(&path).unwrap().file.set_len(10).unwrap();
        assert!(parent.read_region(Region { offset: 0, bytes: 11 }).is_err());
    }

    #[test]
    fn regions_follow_each_other_and_end_where_offsets_do() {
        let mut regions = Regions::default();
        assert_eq!(regions.take(1), Some(Region { offset: 0, bytes: 1 }));
        assert_eq!(regions.take(0), Some(Region { offset: 4096, bytes: 0 }));
        assert_eq!(regions.take(5000), Some(Region { offset: 4096, bytes: 5000 }));
        assert_eq!(regions.end(), 3 * 4096);
        assert_eq!(regions.take(u64::MAX - 5), None);
        assert_eq!(Regions::default().take(u64::MAX / 2 + 1), None);
    }
}
