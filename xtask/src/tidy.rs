//! What the compiler and clippy cannot hold: sizes, names, stray files, the map in ARCHITECTURE.md.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::edges;

/// Lines a source file may have.
const LINES_MAX: usize = 500;
/// Bytes a tracked file may have.
const BYTES_MAX: u64 = 400 * 1024;
/// File names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["base", "common", "helpers", "misc", "util", "utils"];

/// Runs every check over the files that git tracks.
pub(crate) fn run(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut problems = edges::check(root)?;
    for path in tracked_files(root)? {
        problems.extend(check_file(root, &path)?);
    }
    problems.extend(check_architecture(root)?);
    Ok(problems)
}

fn tracked_files(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .context("`git ls-files`")?;
    if !output.status.success() {
        bail!("`git ls-files` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8(output.stdout)?
        .split_terminator('\0')
        .map(PathBuf::from)
        .filter(|path| root.join(path).is_file())
        .collect())
}

fn check_file(root: &Path, path: &Path) -> anyhow::Result<Vec<String>> {
    let shown = path.display();
    let full = root.join(path);
    let mut problems = Vec::new();
    let bytes = full.metadata().with_context(|| shown.to_string())?.len();
    if bytes > BYTES_MAX && path != Path::new("Cargo.lock") {
        problems.push(format!("{shown}: {bytes} bytes; a tracked file has at most {BYTES_MAX}"));
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if name.ends_with(".pending-snap") || name.ends_with(".snap.new") {
        problems.push(format!("{shown}: an unreviewed snapshot"));
    }
    let extension = path.extension().and_then(|extension| extension.to_str());
    if !matches!(extension, Some("rs" | "py" | "cu")) {
        return Ok(problems);
    }
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    if EMPTY_NAMES.contains(&stem.as_str()) {
        problems.push(format!("{shown}: `{stem}` does not name what is inside"));
    }
    let text = std::fs::read_to_string(&full).with_context(|| shown.to_string())?;
    let lines = text.lines().count();
    if lines > LINES_MAX {
        problems.push(format!("{shown}: {lines} lines; a file has at most {LINES_MAX}"));
    }
    // Split so that this file does not find itself.
    for word in [concat!("FIX", "ME"), concat!("TO", "DO"), concat!("XX", "X:")] {
        if let Some(at) = text.lines().position(|line| line.contains(word)) {
            problems.push(format!("{shown}:{}: `{word}` left in the code", at + 1));
        }
    }
    Ok(problems)
}

/// ARCHITECTURE.md is short and names every crate of the edge table.
fn check_architecture(root: &Path) -> anyhow::Result<Vec<String>> {
    let text = std::fs::read_to_string(root.join("ARCHITECTURE.md")).context("ARCHITECTURE.md")?;
    let mut problems: Vec<String> = edges::EDGES
        .iter()
        .filter(|(folder, _)| !text.contains(&format!("`{folder}/`")))
        .map(|(folder, _)| format!("ARCHITECTURE.md does not mention `{folder}/`"))
        .collect();
    let lines = text.lines().count();
    if lines >= 300 {
        problems.push(format!("ARCHITECTURE.md: {lines} lines; it stays under 300"));
    }
    Ok(problems)
}
