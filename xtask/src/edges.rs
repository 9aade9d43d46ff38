//! The crate graph, as a table: an edge that is not here does not build in CI.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context as _;

/// Package and the workspace packages that it may depend on, in any dependency section.
pub(crate) const EDGES: &[(&str, &[&str])] = &[
    ("spec", &[]),
    ("compiler", &["spec"]),
    ("runtime", &["spec"]),
    ("autotune", &["spec"]),
    ("pipeline", &["spec", "compiler", "runtime", "autotune"]),
    ("hub-publish", &["spec"]),
    ("cli", &["spec", "pipeline", "hub-publish"]),
    ("benches", &["spec", "compiler", "runtime", "autotune", "pipeline"]),
    ("xtask", &["runtime"]),
];

/// Compares every manifest with the table.
pub(crate) fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let manifest: toml::Table = read(&root.join("Cargo.toml"))?;
    let members: BTreeSet<&str> = manifest
        .get("workspace")
        .and_then(|workspace| workspace.get("members"))
        .and_then(toml::Value::as_array)
        .context("the root manifest has no workspace members")?
        .iter()
        .filter_map(toml::Value::as_str)
        .collect();
    let known: BTreeSet<&str> = EDGES.iter().map(|(folder, _)| *folder).collect();
    let mut problems: Vec<String> = members
        .symmetric_difference(&known)
        .map(|folder| format!("`{folder}` is in the workspace or in the edge table, but not both"))
        .collect();
    for (folder, allowed) in EDGES {
        for dependency in dependencies(&root.join(folder).join("Cargo.toml"))? {
            if !allowed.contains(&dependency.as_str()) {
                problems.push(format!(
                    "`{folder}` depends on `{dependency}`; it may depend on {allowed:?} \
                     (ARCHITECTURE.md says why)"
                ));
            }
        }
    }
    Ok(problems)
}

/// The workspace folders that a manifest names, whatever the section.
fn dependencies(path: &Path) -> anyhow::Result<BTreeSet<String>> {
    let manifest = read(path)?;
    let sections = ["dependencies", "dev-dependencies", "build-dependencies"];
    Ok(sections
        .iter()
        .filter_map(|section| manifest.get(*section).and_then(toml::Value::as_table))
        .flat_map(toml::Table::keys)
        .filter_map(|name| name.strip_prefix("ridge-").map(str::to_owned))
        .collect())
}

fn read(path: &Path) -> anyhow::Result<toml::Table> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    text.parse().with_context(|| path.display().to_string())
}
