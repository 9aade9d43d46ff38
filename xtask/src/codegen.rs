//! Documents that are generated from code, so that they cannot disagree with it.

use std::path::Path;

use anyhow::Context as _;

use crate::spec_reference;

/// Whether to write the documents or only to compare them.
#[derive(Clone, Copy)]
pub(crate) enum Mode {
    /// Write what differs.
    Write,
    /// Report what differs.
    Check,
}

/// Every generated document: path and content.
fn documents(root: &Path) -> anyhow::Result<Vec<(&'static str, String)>> {
    Ok(vec![
        ("docs/emulator-ptx.md", ridge_runtime::emulator::supported_ptx_markdown()),
        ("docs/kernel-spec.md", spec_reference::page(root)?),
    ])
}

/// Writes or compares every generated document.
pub(crate) fn run(root: &Path, mode: Mode) -> anyhow::Result<Vec<String>> {
    let mut problems = Vec::new();
    for (path, content) in documents(root)? {
        let full = root.join(path);
        if std::fs::read_to_string(&full).is_ok_and(|present| present == content) {
            continue;
        }
        match mode {
            Mode::Check => {
                problems.push(format!("{path} is out of date: run `cargo xtask codegen`"))
            }
            Mode::Write => {
                if let Some(folder) = full.parent() {
                    std::fs::create_dir_all(folder)
                        .with_context(|| folder.display().to_string())?;
                }
                std::fs::write(&full, content).with_context(|| path.to_owned())?;
            }
        }
    }
    Ok(problems)
}
