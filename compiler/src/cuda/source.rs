//! A kernel's source and the headers of its folder, with every include resolved.
//!
//! NVRTC is handed all text in memory and no folder to search, so what a kernel can see is what
//! is resolved here: its folder's files, Ridge's device library and the toolkit's headers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use ridge_spec::diagnostic::{Diagnostic, SourceLocation};
use ridge_spec::outcome::{CompilerMessage, Rejection, Severity};
use serde::{Deserialize, Serialize};

use super::library;
use super::scan::{self, Include};

/// A file larger than this is not a kernel's source.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// More files than this are not one kernel's.
const FILES_MAX: usize = 512;

/// The files of one kernel that reach the compiler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sources {
    /// The source's name, relative to the kernel's folder.
    pub(crate) name: String,
    /// Texts by name: the source and the headers of the folder and the device library that it
    /// reaches. Names in includes are
    /// the keys of this map or the toolkit's.
    pub(crate) files: BTreeMap<String, String>,
    /// Headers of the toolkit that these files include, as the toolkit names them.
    pub(crate) toolkit_headers: BTreeSet<String>,
}

/// The kernel's files cannot be used.
///
/// The diagnostic's codes: `compile.source-unreadable`, `compile.include-outside`,
/// `compile.include-ambiguous`, `compile.include-too-many`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(pub Box<Diagnostic>);

impl SourceError {
    /// The same as a candidate's rejection, for callers that judge one candidate.
    pub fn to_rejection(&self) -> Rejection {
        let Diagnostic { code, message, location, .. } = &*self.0;
        Rejection::Compile {
            diagnostics: vec![CompilerMessage {
                file: location.as_ref().map(|place| place.file.clone()),
                line: location.as_ref().map(|place| place.line),
                column: location.as_ref().map(|place| place.column),
                severity: Severity::Error,
                message: message.clone(),
            }],
            log: format!("error[{code}]: {}\n", self.0),
        }
    }
}

impl Sources {
    /// Reads `source` in the kernel's folder and every header of the folder that it reaches.
    /// `include_folders` are the toolkit's.
    ///
    /// # Errors
    /// [`SourceError`]: a file that cannot be read, an include that could leave the folder.
    pub fn load(
        folder: &Path,
        source: &str,
        include_folders: &[PathBuf],
    ) -> Result<Self, SourceError> {
        let root = folder.canonicalize().map_err(|error| unreadable(source, &error))?;
        let name = normalize(source).ok_or_else(|| {
            failure("compile.include-outside", format!("`{source}` leaves the kernel's folder"))
        })?;
        let text = read(&root, &name)?.ok_or_else(|| {
            failure("compile.source-unreadable", format!("there is no file `{source}`"))
        })?;
        Collector { root: Some(root), include_folders }.collect(name, text)
    }

    /// A source that no folder holds, such as a generated one; it may include the toolkit's
    /// headers and the device library.
    ///
    /// # Errors
    /// As [`Sources::load`].
    pub fn from_text(
        name: &str,
        text: &str,
        include_folders: &[PathBuf],
    ) -> Result<Self, SourceError> {
        let name = normalize(name).ok_or_else(|| {
            failure("compile.include-outside", format!("`{name}` is no relative name"))
        })?;
        Collector { root: None, include_folders }.collect(name, text.to_owned())
    }

    /// Which `RIDGE_…` macros the files mention; `None` where they may build such a name.
    pub(crate) fn macros_mentioned(&self) -> Option<BTreeSet<&str>> {
        let mut mentioned = BTreeSet::new();
        for text in self.files.values() {
            for word in text.split(|c: char| !(c.is_alphanumeric() || c == '_')) {
                if word == "RIDGE_" {
                    return None;
                }
                if word.starts_with("RIDGE_") {
                    mentioned.insert(word);
                }
            }
        }
        Some(mentioned)
    }
}

struct Collector<'a> {
    root: Option<PathBuf>,
    include_folders: &'a [PathBuf],
}

/// What an include means.
enum Meaning {
    Own(String, String),
    Toolkit(String),
    /// Nothing that exists: fine in a branch that is not compiled, an error of NVRTC's otherwise.
    Nothing,
}

impl Collector<'_> {
    fn collect(&self, name: String, text: String) -> Result<Sources, SourceError> {
        let mut sources = Sources {
            name: name.clone(),
            files: BTreeMap::new(),
            toolkit_headers: BTreeSet::new(),
        };
        let mut waiting = vec![(name, text)];
        while let Some((name, text)) = waiting.pop() {
            if sources.files.contains_key(&name) {
                continue;
            }
            if sources.files.len() == FILES_MAX {
                return Err(failure(
                    "compile.include-too-many",
                    format!("`{}` reaches more than {FILES_MAX} files", sources.name),
                ));
            }
            let includes = scan::scan(&text).map_err(|refused| {
                let place = line_location(&name, &text, refused.line);
                SourceError(Box::new(
                    Diagnostic::new("compile.include-outside", refused.message).at(place).hint(
                        "a kernel may include the toolkit's headers, `<ridge/….cuh>` and its own folder's files",
                    ),
                ))
            })?;
            let mut rewritten = text.clone();
            for include in includes.iter().rev() {
                match self.meaning(&name, &text, include)? {
                    Meaning::Own(key, content) => {
                        rewritten.replace_range(include.range.clone(), &format!("\"{key}\""));
                        waiting.push((key, content));
                    }
                    Meaning::Toolkit(key) => {
                        rewritten.replace_range(include.range.clone(), &format!("<{key}>"));
                        sources.toolkit_headers.insert(key);
                    }
                    Meaning::Nothing => {}
                }
            }
            sources.files.insert(name, rewritten);
        }
        Ok(sources)
    }

    /// Quotes look beside the including file, in the folder, in the toolkit, then in the device
    /// library; brackets in the toolkit first.
    fn meaning(&self, from: &str, text: &str, include: &Include) -> Result<Meaning, SourceError> {
        let Some(plain) = normalize(&include.name) else { return Ok(Meaning::Nothing) };
        let at = || SourceLocation::of(from, text, include.range.clone());
        let in_toolkit =
            |name: &str| self.include_folders.iter().any(|folder| folder.join(name).is_file());
        if include.angled && in_toolkit(&plain) {
            return Ok(Meaning::Toolkit(plain));
        }
        if let Some(root) = &self.root {
            let beside = match from.rsplit_once('/') {
                Some((folder, _)) => format!("{folder}/{plain}"),
                None => plain.clone(),
            };
            let candidates =
                if include.angled { vec![plain.clone()] } else { vec![beside, plain.clone()] };
            for key in candidates {
                let found = read(root, &key)
                    .map_err(|SourceError(error)| SourceError(Box::new(error.at(at()))))?;
                let Some(content) = found else { continue };
                if in_toolkit(&key) {
                    return Err(SourceError(Box::new(
                        Diagnostic::new(
                            "compile.include-ambiguous",
                            format!("`{key}` is both in the kernel's folder and in the toolkit"),
                        )
                        .at(at())
                        .hint("rename the file in the kernel's folder"),
                    )));
                }
                return Ok(Meaning::Own(key, content));
            }
        }
        Ok(match library::header(&plain) {
            _ if in_toolkit(&plain) => Meaning::Toolkit(plain),
            Some(content) => Meaning::Own(plain, content.to_owned()),
            None => Meaning::Nothing,
        })
    }
}

/// Drops `.` and empty parts; `None` for a name that is not relative and downwards.
fn normalize(name: &str) -> Option<String> {
    scan::check_name(name).ok()?;
    let mut parts = Vec::new();
    for component in Path::new(name).components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// The text of a file of the folder; `None` where there is none. Links are followed, but not out
/// of the folder.
fn read(root: &Path, name: &str) -> Result<Option<String>, SourceError> {
    let Ok(path) = root.join(name).canonicalize() else { return Ok(None) };
    if !path.starts_with(root) {
        return Err(failure(
            "compile.include-outside",
            format!("`{name}` is a link that leaves the kernel's folder"),
        ));
    }
    if !path.is_file() {
        return Ok(None);
    }
    let file = fs::File::open(&path).map_err(|error| unreadable(name, &error))?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(name, &error))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(failure(
            "compile.source-unreadable",
            format!("`{name}` is larger than {} MiB", FILE_BYTES_MAX >> 20),
        ));
    }
    String::from_utf8(bytes).map(Some).map_err(|error| {
        failure(
            "compile.source-unreadable",
            format!("`{name}` is not UTF-8 at byte {}", error.utf8_error().valid_up_to()),
        )
    })
}

fn line_location(file: &str, text: &str, line: u32) -> SourceLocation {
    let index = usize::try_from(line).unwrap_or(1).saturating_sub(1);
    let start: usize = text.split_inclusive('\n').take(index).map(str::len).sum();
    let content = text[start..].lines().next().unwrap_or("");
    let indent = content.len() - content.trim_start().len();
    SourceLocation::of(file, text, start + indent..start + content.trim_end().len())
}

fn failure(code: &str, message: String) -> SourceError {
    SourceError(Box::new(Diagnostic::new(code, message)))
}

fn unreadable(name: &str, error: &std::io::Error) -> SourceError {
    failure("compile.source-unreadable", format!("`{name}` cannot be read: {error}"))
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
