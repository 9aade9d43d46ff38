//! The repo as a folder.
//!
//! ```text
//! CARD.md  build.toml  flake.nix  torch-ext/<function>/…  benchmarks/  tests/
//! kernel/                   the spec, its files, the records: enough to verify and to tune again;
//!                           the digests of all that is not in build/
//! build/torch-cuda/         what `kernels` loads where there is an NVIDIA GPU
//! build/torch-universal/    the mathematics in plain torch, where it translates
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ridge_spec::matrix::{EntryTime, Matrix};
use ridge_spec::record;
use ridge_spec::target::Architecture;
use serde_json::Value;

use crate::interface::{self, function_name};
use crate::listing::{self, LISTING_FILE};
use crate::publication::{Publication, PublishError};
use crate::python::Templates;
use crate::{card, manifest, metadata, reference, source};

/// The variant with kernels.
pub const CUDA_VARIANT: &str = "build/torch-cuda";

/// The variant in plain torch.
pub const UNIVERSAL_VARIANT: &str = "build/torch-universal";

/// Where the spec, its files and the records are.
pub const KERNEL_FOLDER: &str = "kernel";

/// The records' name there.
pub const RECORDS_FILE: &str = "records.jsonl";

/// What the repo's root may hold; anything else was not written here.
const ROOT: [&str; 8] =
    ["CARD.md", "build.toml", "flake.nix", "torch-ext", "benchmarks", "tests", "kernel", "build"];

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The variant's identifier, which is the module's name in Python.
    pub id: String,
    /// Every file with its size in bytes, by path in the folder.
    pub files: BTreeMap<String, u64>,
    /// Files that were not there or had other content.
    pub changed: Vec<String>,
    /// Files of an earlier version that are gone.
    pub removed: Vec<String>,
    /// Tuned entries.
    pub n_entries: usize,
    /// Of them, those that nobody measured.
    pub n_predicted: usize,
}

/// Every file of the repo, by path: what [`write`] writes.
///
/// # Errors
/// As [`write`], but for files.
pub fn files(
    publication: &Publication<'_>,
) -> Result<(String, BTreeMap<String, Vec<u8>>), PublishError> {
    check(publication)?;
    let spec = publication.spec;
    let function = function_name(spec);
    let torch = reference::python(spec);
    let templates = Templates::new(spec, publication.matrix, torch.is_some());
    let architectures: Vec<Architecture> =
        publication.artifacts.iter().map(|artifact| artifact.manifest.target).collect();

    let cuda = cuda_variant(publication, &templates, torch.as_deref())?;
    let described = |kind: &'static str, architectures| metadata::Variant {
        name: spec.name.as_str(),
        function: &function,
        kind,
        version: publication.options.version,
        license: &publication.options.license,
        architectures,
    };
    let mut files = source_tree(publication, &function, &cuda, &architectures);
    if torch.is_some() {
        // They compare with the reference in torch.
        for (template, path) in [
            ("benchmark.py", "benchmarks/benchmark.py".to_owned()),
            ("test_kernel.py", format!("tests/test_{function}.py")),
        ] {
            let text = templates.template(template).unwrap_or_default();
            files.insert(path, text.into_bytes());
        }
    }
    let own = described("cuda", architectures.as_slice());
    let id = metadata::id(&own, &cuda);
    place(&mut files, CUDA_VARIANT, &own, cuda);
    if let Some(torch) = &torch {
        let mut universal = templates.variant("universal_init.py");
        universal.insert("reference.py".to_owned(), torch.clone().into_bytes());
        let own_manifest = manifest::universal(spec, publication.digest);
        let text = manifest::text(&own_manifest).into_bytes();
        universal.insert(manifest::MANIFEST_FILE.to_owned(), text);
        place(&mut files, UNIVERSAL_VARIANT, &described("universal", &[]), universal);
    }
    let card = card::write(publication, torch.is_some());
    files.insert("CARD.md".to_owned(), card.into_bytes());
    files.insert(LISTING_FILE.to_owned(), listing::text(&files).into_bytes());
    Ok((id, files))
}

/// Writes the repo; with `dry_run` only says what would change. A folder that holds an earlier
/// version is brought up to date: what no longer belongs to it is removed.
///
/// # Errors
/// [`PublishError`].
pub fn write(
    publication: &Publication<'_>,
    folder: &Path,
    dry_run: bool,
) -> Result<Written, PublishError> {
    let (id, files) = files(publication)?;
    let present = present(folder)?;
    if let Some(other) = other_kernel(folder, publication.spec.name.as_str()) {
        return Err(PublishError::OtherKernel { folder: folder.to_owned(), other });
    }
    let mut changed = Vec::new();
    for (path, bytes) in &files {
        let place = folder.join(path);
        if present.contains(path) && std::fs::read(&place).is_ok_and(|old| old == *bytes) {
            continue;
        }
        changed.push(path.clone());
        if !dry_run {
            write_file(&place, bytes)?;
        }
    }
    let removed: Vec<String> =
        present.into_iter().filter(|path| !files.contains_key(path)).collect();
    if !dry_run {
        for path in &removed {
            let path = folder.join(path);
            std::fs::remove_file(&path).map_err(|source| PublishError::Write { path, source })?;
        }
    }
    let n_predicted = predicted(publication.matrix);
    Ok(Written {
        id,
        files: files
            .iter()
            .map(|(path, bytes)| (path.clone(), u64::try_from(bytes.len()).unwrap_or(u64::MAX)))
            .collect(),
        changed,
        removed,
        n_entries: publication.matrix.entries().len(),
        n_predicted,
    })
}

fn predicted(matrix: &Matrix) -> usize {
    let is_predicted = |time: &EntryTime| matches!(time, EntryTime::Predicted { .. });
    matrix.entries().iter().filter(|entry| is_predicted(&entry.time)).count()
}

/// What must hold before anything is made.
fn check(publication: &Publication<'_>) -> Result<(), PublishError> {
    let kernel = publication.spec.name.to_string();
    let n_entries = publication.matrix.entries().len();
    if n_entries == 0 {
        return Err(PublishError::Empty { kernel });
    }
    let n_predicted = predicted(publication.matrix);
    if n_predicted > 0 && !publication.options.allow_predicted {
        return Err(PublishError::Predicted { kernel, n_predicted, n_entries });
    }
    interface::check(publication.spec)
}

/// The files of the variant with kernels.
fn cuda_variant(
    publication: &Publication<'_>,
    templates: &Templates<'_>,
    torch: Option<&str>,
) -> Result<BTreeMap<String, Vec<u8>>, PublishError> {
    let mut files = templates.variant("cuda_init.py");
    if let Some(torch) = torch {
        files.insert("reference.py".to_owned(), torch.as_bytes().to_vec());
    }
    let own = manifest::cuda(publication, torch.is_some())?;
    files.insert(manifest::MANIFEST_FILE.to_owned(), manifest::text(&own).into_bytes());
    files.extend(configs(publication.matrix));
    let names = manifest::artifact_names(publication.artifacts);
    for artifact in publication.artifacts {
        let name = names.get(&artifact.digest).cloned().unwrap_or_default();
        files.insert(manifest::cubin_path(&name, artifact), artifact.cubin.clone());
        files.insert(manifest::ptx_path(&name), artifact.ptx.clone().into_bytes());
    }
    Ok(files)
}

/// The matrix as TOML, and the same as JSON for Python 3.10, which reads no TOML.
pub(crate) fn configs(matrix: &Matrix) -> [(String, Vec<u8>); 2] {
    let text = matrix.to_toml();
    // The text was just written: it is TOML.
    let value: Value = toml::from_str(&text).unwrap_or_default();
    [
        ("configs/tuned.toml".to_owned(), text.into_bytes()),
        ("configs/tuned.json".to_owned(), manifest::text(&value).into_bytes()),
    ]
}

/// Everything outside `build/` but the card.
fn source_tree(
    publication: &Publication<'_>,
    function: &str,
    cuda: &BTreeMap<String, Vec<u8>>,
    architectures: &[Architecture],
) -> BTreeMap<String, Vec<u8>> {
    let name = publication.spec.name.as_str();
    let mut files = BTreeMap::new();
    let build = source::build_toml(name, publication.options, architectures);
    files.insert("build.toml".to_owned(), build.into_bytes());
    files.insert("flake.nix".to_owned(), source::flake_nix(name).into_bytes());
    let compat = format!("{function}/__init__.py");
    for (path, bytes) in cuda.iter().filter(|(path, _)| **path != compat) {
        files.insert(format!("torch-ext/{function}/{path}"), bytes.clone());
    }
    let mut add =
        |path: &str, bytes: Vec<u8>| files.insert(format!("{KERNEL_FOLDER}/{path}"), bytes);
    add("kernel.toml", publication.text.as_bytes().to_vec());
    for (path, bytes) in publication.files {
        add(path, bytes.clone());
    }
    let records: String = publication.records.iter().map(record::to_line).collect();
    add(RECORDS_FILE, records.into_bytes());
    files
}

/// Puts a variant's files into the repo, with their metadata.
fn place(
    files: &mut BTreeMap<String, Vec<u8>>,
    folder: &str,
    variant: &metadata::Variant<'_>,
    own: BTreeMap<String, Vec<u8>>,
) {
    let text = manifest::text(&metadata::of(variant, &own));
    files.insert(format!("{folder}/{}", metadata::METADATA_FILE), text.into_bytes());
    for (path, bytes) in own {
        files.insert(format!("{folder}/{path}"), bytes);
    }
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), PublishError> {
    let error = |source| PublishError::Write { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(error)?;
    }
    std::fs::write(path, bytes).map_err(error)
}

/// The kernel that is published in a folder, where it is another than `name`.
fn other_kernel(folder: &Path, name: &str) -> Option<String> {
    let path = folder.join(CUDA_VARIANT).join(manifest::MANIFEST_FILE);
    let found: Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    let other = found.get("kernel")?.as_str()?;
    (other != name).then(|| other.to_owned())
}

/// The files of an earlier version, by path; what Python and git leave behind is not looked at.
fn present(folder: &Path) -> Result<Vec<String>, PublishError> {
    let mut found = Vec::new();
    if folder.exists() {
        walk(folder, "", &mut found)?;
    }
    let foreign = found.iter().find(|path| {
        let first = path.split('/').next().unwrap_or_default();
        !ROOT.contains(&first)
    });
    if let Some(foreign) = foreign {
        let folder = folder.to_owned();
        return Err(PublishError::Folder { folder, found: foreign.clone() });
    }
    if !found.is_empty() && !found.iter().any(|path| path == "build.toml") {
        let folder = folder.to_owned();
        return Err(PublishError::Folder { folder, found: found[0].clone() });
    }
    Ok(found)
}

/// Every file below a folder, by path from `root`, sorted.
pub(crate) fn walk(root: &Path, prefix: &str, found: &mut Vec<String>) -> Result<(), PublishError> {
    let folder: PathBuf = root.join(prefix);
    let error = |source| PublishError::Read { path: folder.clone(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(error)? {
        let entry = entry.map_err(error)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // A cache of the Hub's client is made of links: what they lead to counts.
        let is_folder = std::fs::metadata(entry.path()).is_ok_and(|own| own.is_dir());
        names.push((name, is_folder));
    }
    names.sort();
    for (name, is_folder) in names {
        if name == ".git" || name == "__pycache__" {
            continue;
        }
        let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        if is_folder {
            walk(root, &path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}
