//! Names with rules of their own: kernels, workloads, files.

use std::fmt;

/// Longest name of a kernel or workload, bytes.
const LENGTH_LIMIT: usize = 96;

/// A kernel's name, which can be a Hub name: lower-case letters, digits and single hyphens,
/// beginning with a letter and not ending with a hyphen; 2 to 96 bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KernelName(String);

impl KernelName {
    /// The name, if it is one.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let letter = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let fits = (2..=LENGTH_LIMIT).contains(&bytes.len())
            && bytes.first().is_some_and(u8::is_ascii_lowercase)
            && bytes.last().is_some_and(letter)
            && bytes.iter().all(|b| letter(b) || *b == b'-')
            && !text.contains("--");
        fits.then(|| Self(text.to_owned()))
    }

    /// Stands in for a name that was refused, in a spec that is never handed out.
    pub(super) fn placeholder() -> Self {
        Self(String::new())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KernelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a workload may be named so: letters, digits, `-`, `_` and `.`, beginning with a letter or
/// digit, at most 96 bytes.
pub fn is_workload_name(text: &str) -> bool {
    text.len() <= LENGTH_LIMIT
        && text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// Whether a path stays in the folder it is relative to, on any system: parts of printable
/// characters joined by `/`, none of them empty, `.` or `..`, without `\`, `:` or a leading `~`.
pub fn is_relative_path(path: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part != "." && part != "..";
    path.len() <= 256
        && !path.starts_with('~')
        && path.split('/').all(part)
        && !path.chars().any(|c| c.is_control() || matches!(c, '\\' | ':'))
}

#[cfg(test)]
mod tests {
    use super::{KernelName, is_relative_path};

    #[test]
    fn kernel_names_can_be_hub_names() {
        for (name, expected) in [
            ("rmsnorm", true),
            ("silu-mul", true),
            ("a1", true),
            ("a", false),
            ("", false),
            ("-a", false),
            ("a-", false),
            ("1a", false),
            ("a--b", false),
            ("Abc", false),
            ("a_b", false),
            ("é1", false),
        ] {
            assert_eq!(KernelName::parse(name).is_some(), expected, "{name}");
        }
    }

    #[test]
    fn paths_stay_inside() {
        for (path, expected) in [
            ("a.cu", true),
            ("src/a.cu", true),
            ("..a/b", true),
            ("", false),
            ("/etc/passwd", false),
            ("../a.cu", false),
            ("a/../../b", false),
            ("a//b", false),
            ("./a", false),
            ("a/", false),
            ("C:/a", false),
            ("a\\b", false),
            ("~/a", false),
            ("a\0b", false),
        ] {
            assert_eq!(is_relative_path(path), expected, "{path:?}");
        }
    }
}
