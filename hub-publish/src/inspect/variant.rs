//! One variant: its metadata and digests, and what its manifest says of artifacts and entries.

use std::collections::{BTreeMap, BTreeSet};

use ridge_spec::artifact::{Artifact, MANIFEST_SCHEMA as ARTIFACT_SCHEMA, Manifest};
use ridge_spec::digest::Digest;
use ridge_spec::matrix::Matrix;
use serde::Deserialize;
use serde_json::Value;

use super::{InspectedEntry, Inspection};
use crate::folder::{self, CUDA_VARIANT};
use crate::manifest::{MANIFEST_FILE, MANIFEST_SCHEMA};
use crate::metadata::{self, METADATA_FILE};
use crate::publication::PublishError;

/// The parts of `metadata.json` that are checked here.
#[derive(Deserialize)]
struct Metadata {
    name: String,
    id: String,
    version: u32,
    license: String,
    digest: MetadataDigest,
}

#[derive(Deserialize)]
struct MetadataDigest {
    algorithm: String,
    files: BTreeMap<String, String>,
}

/// Checks a variant's metadata, and every file against its digest.
pub(super) fn check(inspection: &mut Inspection, folder: &str) -> Result<(), PublishError> {
    let root = inspection.root.join(folder);
    let mut paths = Vec::new();
    folder::walk(&root, "", &mut paths)?;
    let paths: Vec<String> = paths.into_iter().filter(|path| metadata::is_covered(path)).collect();
    inspection.n_files += paths.len();
    let place = format!("{folder}/{METADATA_FILE}");
    let metadata: Metadata = match std::fs::read(inspection.root.join(&place)) {
        Err(_) => {
            inspection.add("repo.missing", &place, "the variant has no metadata");
            return Ok(());
        }
        Ok(bytes) => match serde_json::from_slice(&bytes) {
            Ok(metadata) => metadata,
            Err(error) => {
                inspection.add("repo.metadata", &place, &error.to_string());
                return Ok(());
            }
        },
    };
    if metadata.digest.algorithm != "sha256" {
        inspection.add("repo.metadata", &place, "the digests are not SHA-256");
        return Ok(());
    }
    let mut content = BTreeMap::new();
    for path in &paths {
        let subject = format!("{folder}/{path}");
        let Ok(bytes) = std::fs::read(root.join(path)) else {
            inspection.add("repo.missing", &subject, "it cannot be read");
            continue;
        };
        match metadata.digest.files.get(path) {
            None => inspection.add("repo.foreign", &subject, "the metadata does not know it"),
            Some(digest) if *digest != metadata::digest(&bytes) => {
                inspection.add("repo.digest", &subject, "it is not the file that was published");
            }
            Some(_) => {
                content.insert(path.clone(), bytes);
            }
        }
    }
    let found: BTreeSet<&String> = paths.iter().collect();
    for path in metadata.digest.files.keys().filter(|path| !found.contains(path)) {
        inspection.add("repo.missing", &format!("{folder}/{path}"), "it is not there");
    }
    let kind = folder.rsplit('-').next().unwrap_or_default();
    let whole = content.len() == metadata.digest.files.len() && content.len() == paths.len();
    let own = metadata::Variant {
        name: &metadata.name,
        function: &metadata.name.replace('-', "_"),
        kind,
        version: metadata.version,
        license: &metadata.license,
        architectures: &[],
    };
    if whole && metadata::id(&own, &content) != metadata.id {
        inspection.add("repo.metadata", &place, "the identifier is not that of the content");
    }
    if folder == CUDA_VARIANT {
        inspection.options.version = metadata.version;
        inspection.options.license = metadata.license;
    }
    Ok(())
}

/// An artifact as the manifest has it.
#[derive(Deserialize)]
struct WireArtifact {
    symbol: String,
    cubin: BTreeMap<String, String>,
    ptx: WirePtx,
    parameters: Value,
    resources: Value,
    toolkit: String,
    options: Vec<String>,
}

#[derive(Deserialize)]
struct WirePtx {
    file: String,
    target: String,
}

/// Reads manifest, matrix, artifacts and entries of the variant with kernels.
pub(super) fn read(inspection: &mut Inspection) {
    let place = format!("{CUDA_VARIANT}/{MANIFEST_FILE}");
    let manifest = std::fs::read(inspection.root.join(&place)).ok();
    let manifest: Option<Value> = manifest.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let Some(manifest) = manifest else {
        inspection.add("repo.manifest", &place, "it cannot be read");
        return;
    };
    if manifest.get("schema").and_then(Value::as_u64) != Some(u64::from(MANIFEST_SCHEMA)) {
        let message = format!("its schema is not {MANIFEST_SCHEMA}, which this version reads");
        inspection.add("repo.manifest", &place, &message);
        return;
    }
    inspection.manifest = manifest;
    matrix(inspection);
    artifacts(inspection, &place);
    entries(inspection, &place);
}

fn matrix(inspection: &mut Inspection) {
    let place = format!("{CUDA_VARIANT}/configs/tuned.toml");
    let Ok(text) = std::fs::read_to_string(inspection.root.join(&place)) else {
        inspection.add("repo.matrix", &place, "it cannot be read");
        return;
    };
    match Matrix::parse(&place, &text) {
        Ok(matrix) => {
            for (path, bytes) in folder::configs(&matrix) {
                let subject = format!("{CUDA_VARIANT}/{path}");
                let same =
                    std::fs::read(inspection.root.join(&subject)).is_ok_and(|own| own == bytes);
                if !same && !inspection.is_told(&subject) {
                    inspection.add(
                        "repo.matrix",
                        &subject,
                        "it is not the matrix as Ridge writes it",
                    );
                }
            }
            inspection.matrix = Some(matrix);
        }
        Err(diagnostic) => inspection.add("repo.matrix", &place, &diagnostic.message),
    }
}

fn artifacts(inspection: &mut Inspection, place: &str) {
    let Some(listed) = inspection.manifest.get("artifacts").and_then(Value::as_object).cloned()
    else {
        inspection.add("repo.manifest", place, "it lists no artifacts");
        return;
    };
    for (digest, value) in listed {
        match artifact(inspection, value) {
            Ok(artifact) if artifact.digest.to_string() == digest => {
                inspection.artifacts.push(artifact);
            }
            Ok(artifact) => {
                let subject = format!("artifact {}", &digest[..digest.len().min(12)]);
                let message = format!(
                    "its files have the digest `{}`: they are not what was measured",
                    artifact.digest.short()
                );
                inspection.add("repo.artifact", &subject, &message);
            }
            Err(Unread::Said) => {}
            Err(Unread::Malformed) => {
                inspection.add("repo.manifest", place, "an artifact of it cannot be read");
            }
        }
    }
}

/// Why there is no artifact.
enum Unread {
    /// A problem says so already.
    Said,
    /// The manifest has it in another shape.
    Malformed,
}

fn artifact(inspection: &mut Inspection, value: Value) -> Result<Artifact, Unread> {
    let wire: WireArtifact = serde_json::from_value(value).map_err(|_| Unread::Malformed)?;
    let cubin = wire.cubin.values().next().cloned().unwrap_or_default();
    let mut read = |path: &str| {
        let subject = format!("{CUDA_VARIANT}/{path}");
        // The manifest's paths stay in the variant.
        let inside = !path.split('/').any(|part| part == "..") && !path.starts_with('/');
        let bytes = if inside { std::fs::read(inspection.root.join(&subject)).ok() } else { None };
        if bytes.is_none() && !inspection.is_told(&subject) {
            inspection.add("repo.missing", &subject, "it is not there");
        }
        bytes.ok_or(Unread::Said)
    };
    let (ptx, cubin) = (read(&wire.ptx.file)?, read(&cubin)?);
    let manifest = Manifest {
        schema: ARTIFACT_SCHEMA,
        entry_symbol: wire.symbol,
        target: serde_json::from_value(Value::String(wire.ptx.target))
            .map_err(|_| Unread::Malformed)?,
        toolkit: wire.toolkit,
        options: wire.options,
        resources: serde_json::from_value(wire.resources).map_err(|_| Unread::Malformed)?,
        parameters: serde_json::from_value(wire.parameters).map_err(|_| Unread::Malformed)?,
        compile_time_ns: 0,
    };
    let ptx = String::from_utf8_lossy(&ptx).into_owned();
    Ok(Artifact::new(manifest, ptx, cubin))
}

fn entries(inspection: &mut Inspection, place: &str) {
    let listed = inspection.manifest.get("entries").and_then(Value::as_array).cloned();
    for value in listed.unwrap_or_default() {
        match entry(&value) {
            Some(entry) => inspection.entries.push(entry),
            None => inspection.add("repo.manifest", place, "an entry of it cannot be read"),
        }
    }
}

fn entry(value: &Value) -> Option<InspectedEntry> {
    fn field<T: serde::de::DeserializeOwned>(value: &Value, key: &str) -> Option<T> {
        serde_json::from_value(value.get(key)?.clone()).ok()
    }
    let is_default = match value.get("rule")?.as_str()? {
        "tuned" => false,
        "default" => true,
        _ => return None,
    };
    let axes: BTreeMap<String, i64> = field(value, "axes")?;
    let label = if is_default {
        let axes: Vec<String> = axes.iter().map(|(name, n)| format!("{name}={n}")).collect();
        format!("default at {}", axes.join(","))
    } else {
        let workload = value.get("workload")?.as_str()?;
        let alone = match value.get("situation") {
            None => "",
            Some(own) => match own.as_str()? {
                "chain" => "",
                "alone" => ", alone",
                _ => return None,
            },
        };
        format!("{workload} on {}{alone}", value.get("device")?.as_str()?)
    };
    Some(InspectedEntry {
        label,
        architecture: field(value, "architecture")?,
        axes,
        types: field(value, "types")?,
        candidate: field(value, "candidate")?,
        artifact: Digest::parse(value.get("artifact")?.as_str()?)?,
        is_default,
    })
}
