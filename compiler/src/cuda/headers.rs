//! The toolkit's headers, held in memory.
//!
//! NVRTC is given no folder to search. What a source includes of the toolkit, and all that this
//! includes in turn, is handed over as text. So line information and diagnostics name
//! `cuda_bf16.h` wherever the toolkit lies, and two machines make the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, CString};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

/// One header: without comments, and with the includes that were relative to its own folder
/// spelt as the search path spells them.
pub(crate) struct Header {
    name: CString,
    text: CString,
    includes: Vec<String>,
}

/// Headers read so far. Read once and kept, since every candidate needs the same.
pub(crate) struct Headers {
    include_folders: Vec<PathBuf>,
    loaded: BTreeMap<String, Option<Arc<Header>>>,
}

impl Headers {
    pub(crate) fn new(include_folders: Vec<PathBuf>) -> Self {
        Self { include_folders, loaded: BTreeMap::new() }
    }

    /// The headers named and all that they reach, in order of name. A name that is not there is
    /// left out: NVRTC reports it if it is needed.
    pub(crate) fn closure(&mut self, names: &BTreeSet<String>) -> BTreeMap<String, Arc<Header>> {
        let mut found = BTreeMap::new();
        let mut waiting: Vec<String> = names.iter().cloned().collect();
        while let Some(name) = waiting.pop() {
            if found.contains_key(&name) {
                continue;
            }
            let Some(header) = self.load(&name) else { continue };
            waiting.extend(header.includes.iter().cloned());
            found.insert(name, header);
        }
        found
    }

    fn load(&mut self, name: &str) -> Option<Arc<Header>> {
        if let Some(header) = self.loaded.get(name) {
            return header.clone();
        }
        let header = self.read(name).map(Arc::new);
        self.loaded.insert(name.to_owned(), header.clone());
        header
    }

    fn read(&self, name: &str) -> Option<Header> {
        let path = self
            .include_folders
            .iter()
            .map(|folder| folder.join(name))
            .find(|path| path.is_file())?;
        let bytes = fs::read(path).ok()?;
        let text = strip_comments(&String::from_utf8_lossy(&bytes));
        let mut includes = Vec::new();
        let mut rewritten = String::with_capacity(text.len());
        for line in text.split_inclusive('\n') {
            match self.rewrite_include(name, line) {
                Some((key, line)) => {
                    includes.push(key);
                    rewritten.push_str(&line);
                }
                None => rewritten.push_str(line),
            }
        }
        Some(Header {
            name: CString::new(name).ok()?,
            text: CString::new(rewritten).ok()?,
            includes,
        })
    }

    /// The header that a line includes and the line with its search-path name.
    fn rewrite_include(&self, from: &str, line: &str) -> Option<(String, String)> {
        let rest = line.trim_start().strip_prefix('#')?.trim_start().strip_prefix("include")?;
        let operand = rest.trim_start();
        let (close, angled) = match operand.chars().next()? {
            '"' => ('"', false),
            '<' => ('>', true),
            _ => return None,
        };
        let name = operand[1..].split(close).next()?;
        let beside = match from.rsplit_once('/') {
            Some((folder, _)) if !angled => flatten(&format!("{folder}/{name}")),
            _ => None,
        };
        let exists =
            |name: &String| self.include_folders.iter().any(|folder| folder.join(name).is_file());
        let key = beside.filter(exists).or_else(|| flatten(name).filter(exists))?;
        let line = format!("#include <{key}>\n");
        Some((key, line))
    }
}

impl Header {
    /// Name and text, as NVRTC takes them.
    pub(crate) fn as_pair(&self) -> (&CStr, &CStr) {
        (&self.name, &self.text)
    }
}

/// Resolves `.` and `..` in a name by text; `None` where it climbs out.
fn flatten(name: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// Replaces each comment by a space and keeps every line where it is: three quarters of the big
/// headers are documentation, which NVRTC would read again for each candidate.
///
/// Only for the toolkit's own headers: it knows strings, characters and digit separators, not
/// raw strings, in which no header has a comment's start.
fn strip_comments(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut stripped = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'/', Some(b'/')) => at = skip_line_comment(bytes, at, &mut stripped),
            (b'/', Some(b'*')) => at = skip_block_comment(bytes, at, &mut stripped),
            (b'"', _) => at = copy_quoted(bytes, at, &mut stripped),
            (b'\'', _) if !at.checked_sub(1).is_some_and(|b| bytes[b].is_ascii_alphanumeric()) => {
                at = copy_quoted(bytes, at, &mut stripped);
            }
            (byte, _) => {
                stripped.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&stripped).into_owned()
}

/// A line comment goes on where its line ends in a backslash.
fn skip_line_comment(bytes: &[u8], mut at: usize, stripped: &mut Vec<u8>) -> usize {
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if bytes.get(at + 1) == Some(&b'\n') => {
                stripped.extend(b"\\\n");
                at += 2;
            }
            b'\n' => break,
            _ => at += 1,
        }
    }
    at
}

fn skip_block_comment(bytes: &[u8], at: usize, stripped: &mut Vec<u8>) -> usize {
    stripped.push(b' ');
    let mut at = at + 2;
    while at < bytes.len() {
        if bytes[at] == b'*' && bytes.get(at + 1) == Some(&b'/') {
            return at + 2;
        }
        if bytes[at] == b'\n' {
            // A comment does not end a directive, its line end must not either.
            stripped.extend(if within_directive(stripped) { &b"\\\n"[..] } else { b"\n" });
        }
        at += 1;
    }
    at
}

/// Whether the logical line that `stripped` ends in is a directive.
fn within_directive(stripped: &[u8]) -> bool {
    let ends_line = |at: usize| stripped[at - 1] == b'\n' && !stripped[..at - 1].ends_with(b"\\");
    let start = (1..=stripped.len()).rev().find(|&at| ends_line(at)).unwrap_or(0);
    stripped[start..].trim_ascii_start().starts_with(b"#")
}

/// Copies a string or character literal; one that its line does not close is not one.
fn copy_quoted(bytes: &[u8], start: usize, stripped: &mut Vec<u8>) -> usize {
    let quote = bytes[start];
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != b'\n' {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == quote => {
                stripped.extend(&bytes[start..=at]);
                return at + 1;
            }
            _ => at += 1,
        }
    }
    stripped.push(quote);
    start + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(strip_comments(text), expected);
        assert_eq!(text.matches('\n').count(), expected.matches('\n').count());
    }

    #[test]
    fn strips_comments_and_keeps_lines() {
        check("int a; // x\nint b;\n", "int a; \nint b;\n");
        check("/** x\n * y\n */ int a;\n", " \n\n int a;\n");
        check("#define A 1 /* x\n y */ + 2\nint b;\n", "#define A 1  \\\n + 2\nint b;\n");
        check(
            "#define A(x) \\\n  f(x) /* y \\\n z */ \\\n g\n",
            "#define A(x) \\\n  f(x)  \\\n \\\n g\n",
        );
        check("// x \\\ny\nint a;\n", "\\\n\nint a;\n");
        check("const char* s = \"// \\\" /*\"; // t\n", "const char* s = \"// \\\" /*\"; \n");
        check("char c = '\"'; int n = 1'000; // t\n", "char c = '\"'; int n = 1'000; \n");
        check("#error don't // t\nint a;\n", "#error don't \nint a;\n");
    }

    #[test]
    fn follows_includes_beside_and_on_the_search_path() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            (
                "a/a.h",
                "#include \"b.h\"\n  # include <top.h> // why\n#include \"../c.h\"\n#include <none>\n",
            ),
            ("a/b.h", ""),
            ("c.h", "#include \"a/a.h\"\n"),
            ("top.h", ""),
            ("b.h", "the wrong one"),
        ] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let mut headers = Headers::new(vec![folder.path().to_owned()]);
        let closure = headers.closure(&BTreeSet::from(["a/a.h".to_owned()]));
        assert_eq!(closure.keys().collect::<Vec<_>>(), ["a/a.h", "a/b.h", "c.h", "top.h"]);
        assert_eq!(
            closure["a/a.h"].text.to_str().unwrap(),
            "#include <a/b.h>\n#include <top.h>\n#include <c.h>\n#include <none>\n"
        );
    }
}
