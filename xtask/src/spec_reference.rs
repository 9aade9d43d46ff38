//! The reference of the spec format for those who write specs: the documentation of the modules
//! that read it, put together.

use std::path::Path;

use anyhow::Context as _;

/// What stands before the first part.
const HEAD: &str = "\
# Kernel specs

A kernel is a folder with a `kernel.toml` and, unless its mathematics is all there is to it, a CUDA C++ source. This page is the whole format; `kernels/` has examples of everything in it. What is wrong with a spec is said with file, line, column and a stable code, all of it at once: `ridge check FOLDER`.
";

/// A part of the page: its heading, the module whose documentation it is, and from which of that
/// documentation's headings to which; `None` for its beginning and its end.
type Part = (&'static str, &'static str, Option<&'static str>, Option<&'static str>);

const PARTS: [Part; 3] = [
    ("Sections and keys", "spec/src/kernel/mod.rs", Some("# Keys"), None),
    ("Integer expressions", "spec/src/expression/mod.rs", None, None),
    ("Tensor mathematics", "spec/src/math/mod.rs", Some("# The language"), Some("# Inside")),
];

/// The page.
///
/// # Errors
/// Where a module is not there or lost a heading.
pub(crate) fn page(root: &Path) -> anyhow::Result<String> {
    let mut page = HEAD.to_owned();
    for (heading, module, from, to) in PARTS {
        let source = std::fs::read_to_string(root.join(module)).context(module)?;
        let documentation = documentation(&source);
        let part = between(&documentation, from, to)
            .with_context(|| format!("{module} lacks a heading of its documentation"))?;
        page.push_str(&format!("\n## {heading}\n\n{}\n", plain(part).trim()));
    }
    Ok(page)
}

/// The `//!` lines at a module's beginning.
fn documentation(source: &str) -> String {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    lines.map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line))).collect()
}

/// Behind the heading `from`, before the heading `to`.
fn between<'a>(text: &'a str, from: Option<&str>, to: Option<&str>) -> Option<&'a str> {
    let start = match from {
        Some(heading) => text.find(&format!("{heading}\n"))? + heading.len(),
        None => 0,
    };
    let rest = &text[start..];
    match to {
        Some(heading) => rest.find(&format!("\n{heading}\n")).map(|end| &rest[..end]),
        None => Some(rest),
    }
}

/// Without links into the documentation of code, and with headings below the page's.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for line in text.lines() {
        let line = if line.starts_with("# ") { format!("##{line}") } else { without_links(line) };
        plain.push_str(&line);
        plain.push('\n');
    }
    plain
}

/// `[text](path::to)` and [`Name`] as their text; links to files stay.
fn without_links(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(open) = rest.find('[') {
        out.push_str(&rest[..open]);
        let inside = &rest[open + 1..];
        let Some(close) = inside.find(']') else {
            out.push_str(&rest[open..]);
            return out;
        };
        let (text, after) = (&inside[..close], &inside[close + 1..]);
        let target = after.strip_prefix('(').and_then(|after| after.split_once(')'));
        match target {
            Some((target, after)) if target.contains("::") => {
                out.push_str(text);
                rest = after;
            }
            None if text.starts_with('`') && text.ends_with('`') => {
                out.push_str(text);
                rest = after;
            }
            _ => {
                out.push('[');
                rest = inside;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &str) {
        assert_eq!(without_links(line), expected);
    }

    #[test]
    fn links_into_code_are_text() {
        check("are [integer expressions](crate::expression) over", "are integer expressions over");
        check("see [`round_to`] |", "see `round_to` |");
        check("a `[[workloads]]` and `[cost]`", "a `[[workloads]]` and `[cost]`");
        check("item (\"[\" item \"]\")*", "item (\"[\" item \"]\")*");
        check("[a page](emulator-ptx.md)", "[a page](emulator-ptx.md)");
    }

    #[test]
    fn a_part_lies_between_headings() {
        let text = documentation("//! One.\n//!\n//! # A\n//!\n//! Two.\n//!\n//! # B\n\nuse x;\n");
        assert_eq!(between(&text, Some("# A"), Some("# B")), Some("\n\nTwo.\n"));
        assert_eq!(between(&text, Some("# C"), None), None);
    }
}
