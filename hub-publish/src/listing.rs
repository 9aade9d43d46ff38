//! `kernel/files.json`: the digest of every file outside `build/`, whose variants have their own in
//! their metadata.
//!
//! It tells damage from what was published; who means to deceive can write it again, as they can the
//! metadata. The keys are `schema`, `algorithm` and `files`; a digest is written as the metadata's.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use crate::folder;
use crate::inspect::Inspection;
use crate::manifest;
use crate::metadata;
use crate::publication::PublishError;

/// Its path in the repo.
pub(crate) const LISTING_FILE: &str = "kernel/files.json";

#[derive(Deserialize)]
struct Listing {
    schema: u32,
    files: BTreeMap<String, String>,
}

/// The listing of a repo with these files.
pub(crate) fn text(files: &BTreeMap<String, Vec<u8>>) -> String {
    let listed = files.iter().filter(|(path, _)| is_listed(path));
    let digests: BTreeMap<&str, String> =
        listed.map(|(path, bytes)| (path.as_str(), metadata::digest(bytes))).collect();
    manifest::text(&json!({ "schema": 1, "algorithm": "sha256", "files": digests }))
}

/// Whether the listing has to know a file: not the variants', not itself, and nothing that Python,
/// git or the Hub adds.
fn is_listed(path: &str) -> bool {
    let hidden = path.split('/').any(|part| part.starts_with('.') || part == "__pycache__");
    !path.starts_with("build/") && path != LISTING_FILE && path != "README.md" && !hidden
}

/// Compares the files outside `build/` with the listing.
pub(crate) fn check(inspection: &mut Inspection) -> Result<(), PublishError> {
    let root = inspection.root.clone();
    let listing = match std::fs::read(root.join(LISTING_FILE)) {
        Err(_) => {
            inspection.add("repo.missing", LISTING_FILE, "nothing says which files belong here");
            return Ok(());
        }
        Ok(bytes) => match serde_json::from_slice::<Listing>(&bytes) {
            Ok(listing) if listing.schema == 1 => listing,
            Ok(listing) => {
                let message = format!("its schema is {}, and 1 is known", listing.schema);
                inspection.add("repo.digest", LISTING_FILE, &message);
                return Ok(());
            }
            Err(error) => {
                inspection.add("repo.digest", LISTING_FILE, &error.to_string());
                return Ok(());
            }
        },
    };
    let mut paths = Vec::new();
    folder::walk(&root, "", &mut paths)?;
    for path in paths.iter().filter(|path| is_listed(path)) {
        if !listing.files.contains_key(path) {
            inspection.add("repo.foreign", path, "the list of files does not know it");
        }
    }
    for (path, digest) in &listing.files {
        match std::fs::read(root.join(path)) {
            Err(_) if !inspection.is_told(path) => {
                inspection.add("repo.missing", path, "it is not there");
            }
            Ok(bytes) if metadata::digest(&bytes) != *digest && !inspection.is_told(path) => {
                inspection.add("repo.digest", path, "it is not the file that was published");
            }
            _ => {}
        }
    }
    Ok(())
}
