//! A kernel's folder on disk: the spec, and every file it may use.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ridge_compiler::cube;
use ridge_compiler::cuda::headers_reached;
use ridge_spec::digest::Digest;
use ridge_spec::kernel::{KernelSpec, Language};

use crate::error::PipelineError;

/// Bytes one file of a kernel's folder may have: a folder is sources and small references.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// Extensions of the files that a source may include; they belong to the spec's digest.
const HEADER_EXTENSIONS: &[&str] = &["h", "hh", "hpp", "cuh", "inc", "inl"];

/// A spec with the files of its folder.
#[derive(Clone, Debug)]
pub struct KernelFolder {
    /// The folder.
    pub path: PathBuf,
    /// The spec; of a generated kernel with the space and the launch that were generated.
    pub spec: KernelSpec,
    /// Files the spec names and headers its source may include, by their path in the folder;
    /// headers of the device library by the name they are included by.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Digest of the spec and these files.
    pub digest: Digest,
}

impl KernelFolder {
    /// Reads a spec: a folder with a `kernel.toml`, or a `.toml` file.
    ///
    /// # Errors
    /// [`PipelineError::Read`] for a file that cannot be read, [`PipelineError::Spec`] for a spec
    /// that is not one.
    pub fn load(path: &Path) -> Result<Self, PipelineError> {
        let file = if path.is_dir() { path.join("kernel.toml") } else { path.to_owned() };
        let folder = file.parent().map_or_else(PathBuf::new, Path::to_owned);
        let text = read_text(&file)?;
        let shown = file.display().to_string();
        let spec = KernelSpec::parse(&shown, &text).map_err(PipelineError::Spec)?;

        let mut files = BTreeMap::new();
        for name in spec.files() {
            files.insert(name.to_owned(), read_inside(&folder, name)?);
        }
        let root = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
        collect_headers(root, "", 0, &mut files)?;
        files.extend(headers_reached(&files));
        // The digest is that of what the author wrote: space, launch and source follow from it and
        // from the generator.
        let (digest, spec) = match spec.language {
            Language::Cuda { .. } => (spec.digest(&files), spec),
            Language::Cube => {
                let digest = spec.digest(&with_generator(&files));
                (digest, cube::complete(&spec).map_err(PipelineError::Spec)?)
            }
        };
        Ok(Self { path: folder, spec, files, digest })
    }

    /// How a file is named to people: its path, or `<ridge/….cuh>` for a header of the device library
    /// that the folder does not carry.
    pub fn shown_name(&self, file: &str) -> String {
        let path = self.path.join(file);
        let is_library = file.starts_with("ridge/") && !path.is_file();
        if is_library { format!("<{file}>") } else { path.display().to_string() }
    }

    /// The folder as a path that can be opened: `.` where the spec was named without one.
    pub fn root(&self) -> &Path {
        if self.path.as_os_str().is_empty() { Path::new(".") } else { &self.path }
    }
}

/// The files, and which generator writes the source. No file can have that name.
fn with_generator(files: &BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    let mut files = files.clone();
    files.insert("/cube-generator".to_owned(), cube::GENERATOR.to_string().into_bytes());
    files
}

fn read_text(path: &Path) -> Result<String, PipelineError> {
    let bytes = read_bounded(path)?;
    String::from_utf8(bytes).map_err(|_| PipelineError::Read {
        path: path.to_owned(),
        source: std::io::Error::new(std::io::ErrorKind::InvalidData, "the file is not UTF-8 text"),
    })
}

/// Reads a file that the spec names; symbolic links may not lead out of the folder.
fn read_inside(folder: &Path, name: &str) -> Result<Vec<u8>, PipelineError> {
    let path = folder.join(name);
    let root = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let resolve = |path: &Path| {
        path.canonicalize().map_err(|source| PipelineError::Read { path: path.to_owned(), source })
    };
    if !resolve(&path)?.starts_with(resolve(root)?) {
        return Err(PipelineError::OutsideFolder { path });
    }
    read_bounded(&path)
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, PipelineError> {
    let error = |source| PipelineError::Read { path: path.to_owned(), source };
    let metadata = std::fs::metadata(path).map_err(error)?;
    if metadata.is_dir() || metadata.len() > FILE_BYTES_MAX {
        return Err(PipelineError::NotAFile { path: path.to_owned(), limit_bytes: FILE_BYTES_MAX });
    }
    std::fs::read(path).map_err(error)
}

/// Adds every header of the folder, at most three folders down, in name order.
fn collect_headers(
    root: &Path,
    prefix: &str,
    depth: u32,
    files: &mut BTreeMap<String, Vec<u8>>,
) -> Result<(), PipelineError> {
    let folder = root.join(prefix);
    let error = |source| PipelineError::Read { path: folder.clone(), source };
    for entry in std::fs::read_dir(&folder).map_err(error)? {
        let entry = entry.map_err(error)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let kind = entry.file_type().map_err(error)?;
        let relative = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
        if kind.is_dir() && depth < 3 && !name.starts_with('.') {
            collect_headers(root, &relative, depth + 1, files)?;
        } else if kind.is_file() && !files.contains_key(&relative) {
            let extension = Path::new(&name).extension().and_then(|extension| extension.to_str());
            if extension.is_some_and(|extension| HEADER_EXTENSIONS.contains(&extension)) {
                let bytes = read_bounded(&entry.path())?;
                files.insert(relative, bytes);
            }
        }
    }
    Ok(())
}
