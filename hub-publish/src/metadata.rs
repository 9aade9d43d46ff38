//! `metadata.json` of a variant, as `kernels` reads it.
//!
//! Keys, the identifier's shape and the digest are those of Hugging Face's `kernels` 0.17 (its crate
//! `kernels-data`): kebab-case; `digest.files` has the base64 of the SHA-256 of every file of the
//! variant but `metadata.json` itself, `metadata.json.sigstore` and what Python compiles. The crate
//! is not used: it brings a hundred others for these twelve keys.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ridge_spec::digest::Digest;
use ridge_spec::target::Architecture;
use serde_json::{Value, json};

/// Its name in a variant.
pub(crate) const METADATA_FILE: &str = "metadata.json";

/// The oldest `kernels` that loads the repo: the first with repositories of type `kernel`.
const KERNELS_MINIMUM: &str = "0.14.0";

/// Digits of the content's digest in the identifier.
const ID_DIGITS: usize = 7;

/// What a variant is, beside its files.
pub(crate) struct Variant<'a> {
    /// The kernel's name.
    pub(crate) name: &'a str,
    /// Its function's name.
    pub(crate) function: &'a str,
    /// `cuda` or `universal`.
    pub(crate) kind: &'a str,
    pub(crate) version: u32,
    pub(crate) license: &'a str,
    /// What its kernels run on; empty where there are none.
    pub(crate) architectures: &'a [Architecture],
}

/// The module's name in Python: another for other content, the same for the same.
pub(crate) fn id(variant: &Variant<'_>, files: &BTreeMap<String, Vec<u8>>) -> String {
    let content = files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()));
    let digest = Digest::of_parts(content).to_string();
    format!("_{}_{}_{}", variant.function, variant.kind, &digest[..ID_DIGITS])
}

/// The metadata of a variant with these files, by path in it.
pub(crate) fn of(variant: &Variant<'_>, files: &BTreeMap<String, Vec<u8>>) -> Value {
    let digests: BTreeMap<&str, String> =
        files.iter().map(|(path, bytes)| (path.as_str(), digest(bytes))).collect();
    let backend = if variant.architectures.is_empty() {
        json!({ "type": "cpu" })
    } else {
        let mut archs: Vec<String> =
            variant.architectures.iter().map(|own| capability(*own)).collect();
        archs.sort();
        archs.dedup();
        json!({ "type": "cuda", "archs": archs })
    };
    json!({
        "name": variant.name,
        "id": id(variant, files),
        "version": variant.version,
        "license": variant.license,
        "python-depends": [],
        "kernels-minver": KERNELS_MINIMUM,
        "backend": backend,
        "digest": { "algorithm": "sha256", "files": digests },
    })
}

/// The digest of a file as the metadata writes it.
pub(crate) fn digest(bytes: &[u8]) -> String {
    BASE64.encode(Digest::of(bytes).as_bytes())
}

/// Whether the metadata's digest covers a file of the variant.
pub(crate) fn is_covered(path: &str) -> bool {
    let compiled = path.split('/').any(|part| part == "__pycache__") || path.ends_with(".pyc");
    path != METADATA_FILE && path != "metadata.json.sigstore" && !compiled
}

/// What a loader checks a GPU against: `9.0a` fits 9.0 alone, `9.0+PTX` everything from there on.
pub(crate) fn capability(architecture: Architecture) -> String {
    let number = architecture.capability();
    let ending = if architecture.is_specific() { "a" } else { "+PTX" };
    format!("{}.{}{ending}", number / 10, number % 10)
}
