//! The manifest against one made again from everything else.

use serde_json::Value;

use super::Inspection;
use crate::folder::CUDA_VARIANT;
use crate::manifest::{self, MANIFEST_FILE};
use crate::publication::{Publication, PublishError};

/// Keys of an entry that decide how its kernel is launched, and where.
const LAUNCH_KEYS: [&str; 4] = ["launch", "legal", "alignment_bytes", "fixed_axes"];

impl Inspection {
    /// Adds what differs between the repo's manifest and the one that its spec, matrix, records and
    /// artifacts make. `publication` is put together from this inspection.
    pub fn compare(&mut self, publication: &Publication<'_>) {
        let place = format!("{CUDA_VARIANT}/{MANIFEST_FILE}");
        if self.spec_digest() != Some(publication.digest) {
            let message = format!(
                "the spec and its files have the digest `{}`, and the manifest names another: they \
                 were edited, or this version of Ridge brings other headers or generates other code",
                publication.digest.short()
            );
            self.add("repo.spec", "kernel", &message);
        }
        let has_reference = self.manifest.get("reference").is_some_and(|own| !own.is_null());
        let expected = match manifest::cuda(publication, has_reference) {
            Ok(expected) => expected,
            Err(PublishError::Entry { entry, reason }) => {
                return self.add("repo.matrix", &entry, &reason);
            }
            Err(error) => return self.add("repo.matrix", &place, &error.to_string()),
        };
        let found = self.manifest.clone();
        let listed = |manifest: &Value| {
            manifest.get("entries").and_then(Value::as_array).cloned().unwrap_or_default()
        };
        let (own, made) = (listed(&found), listed(&expected));
        if own.len() != made.len() {
            let message =
                format!("it has {} entries, and the matrix makes {}", own.len(), made.len());
            self.add("repo.manifest", &place, &message);
        }
        for (place, (own, made)) in own.iter().zip(&made).enumerate() {
            self.compare_entry(place, own, made);
        }
        for key in keys(&found, &expected) {
            let spec = key == "spec" || key == "entries";
            if !spec && found.get(&key) != expected.get(&key) {
                self.add(
                    "repo.manifest",
                    &place,
                    &format!("`{key}` is not what the repo makes it"),
                );
            }
        }
    }

    fn compare_entry(&mut self, place: usize, own: &Value, made: &Value) {
        let label = self
            .entries
            .get(place)
            .map_or_else(|| format!("entry {place}"), |entry| entry.label.clone());
        for key in keys(own, made) {
            if own.get(&key) == made.get(&key) {
                continue;
            }
            let is_launch = LAUNCH_KEYS.contains(&key.as_str());
            let code = if is_launch { "repo.launch" } else { "repo.manifest" };
            self.add(code, &label, &format!("`{key}` is not what the spec and the matrix make it"));
        }
    }
}

/// The keys of either object, sorted.
fn keys(a: &Value, b: &Value) -> Vec<String> {
    let mut keys: Vec<String> = [a, b]
        .into_iter()
        .filter_map(Value::as_object)
        .flat_map(|object| object.keys().cloned())
        .collect();
    keys.sort();
    keys.dedup();
    keys
}
