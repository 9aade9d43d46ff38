//! What a variant says of itself: `metadata.json`, and its name.

use serde::{Deserialize, Serialize};

/// The part of `metadata.json` (kernels 0.14 and later) that tells whom a variant is for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Metadata {
    pub(super) name: String,
    #[serde(default)]
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) version: Option<u32>,
    #[serde(default)]
    pub(super) license: Option<String>,
    #[serde(default)]
    pub(super) kernels_minver: Option<String>,
    #[serde(default)]
    pub(super) backend: Option<Backend>,
}

/// `metadata.json`, `backend`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Backend {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) archs: Vec<String>,
}

impl Metadata {
    /// Reads it; `None` for what is no metadata.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// What a variant's name says, as `kernels` 0.17 reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VariantName {
    /// `cuda`, `rocm`, `xpu`, `cpu`, …; `universal` for every machine.
    pub backend: String,
    /// The backend's version where the build is bound to one: `12.6`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend_version: Option<String>,
    /// What it is built against where it is bound to it: `torch29-cxx11`, `torch-stable-abi29`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub framework: Option<String>,
    /// Processor and system where it is bound to them: `x86_64-linux`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
}

/// Backends, as they begin a part of a variant's name.
const BACKENDS: &[(&str, &str)] = &[
    ("cuda", "cuda"),
    ("cu", "cuda"),
    ("rocm", "rocm"),
    ("xpu", "xpu"),
    ("cpu", "cpu"),
    ("metal", "metal"),
    ("cann", "cann"),
    ("npu", "npu"),
    ("neuron", "neuron"),
    ("tpu", "tpu"),
    ("universal", "universal"),
];

impl VariantName {
    /// Takes a variant's name apart; `None` for a folder that is no variant.
    ///
    /// `torch-cuda` and its like (Python for every version of torch) have a backend and nothing
    /// else; `torch29-cxx11-cu126-x86_64-linux` is bound to all it names.
    pub fn parse(name: &str) -> Option<Self> {
        let parts: Vec<&str> = name.split('-').collect();
        let (at, backend, digits) = parts.iter().enumerate().skip(1).find_map(|(at, part)| {
            BACKENDS.iter().find_map(|(prefix, backend)| {
                let digits = part.strip_prefix(prefix)?;
                digits.bytes().all(|b| b.is_ascii_digit()).then_some((at, *backend, digits))
            })
        })?;
        let framework = parts.get(..at)?.join("-");
        let platform = parts.get(at + 1..)?.join("-");
        if !framework.starts_with("torch") && !framework.starts_with("tvm-ffi") {
            return None;
        }
        Some(Self {
            backend: backend.to_owned(),
            backend_version: (!digits.is_empty()).then(|| dotted(backend, digits)),
            framework: (framework != "torch").then_some(framework),
            platform: (!platform.is_empty()).then_some(platform),
        })
    }
}

/// `126` is CUDA 12.6, `72` is ROCm 7.2; others keep their digits.
fn dotted(backend: &str, digits: &str) -> String {
    if !matches!(backend, "cuda" | "rocm") || digits.len() < 2 {
        return digits.to_owned();
    }
    let (major, minor) = digits.split_at(digits.len() - 1);
    format!("{major}.{minor}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: Option<&str>) {
        let got = VariantName::parse(name).map(|name| {
            [Some(name.backend), name.backend_version, name.framework, name.platform]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" ")
        });
        assert_eq!(got.as_deref(), expected);
    }

    #[test]
    fn names_of_variants() {
        check("torch-cuda", Some("cuda"));
        check("torch-universal", Some("universal"));
        check("torch29-cxx11-cu126-x86_64-linux", Some("cuda 12.6 torch29-cxx11 x86_64-linux"));
        check(
            "torch-stable-abi29-cu130-x86_64-linux",
            Some("cuda 13.0 torch-stable-abi29 x86_64-linux"),
        );
        check("torch210-metal-aarch64-darwin", Some("metal torch210 aarch64-darwin"));
        check("torch28-cxx11-rocm72-x86_64-linux", Some("rocm 7.2 torch28-cxx11 x86_64-linux"));
        check("torch28-cxx11-xpu20253-x86_64-linux", Some("xpu 20253 torch28-cxx11 x86_64-linux"));
        check("tvm-ffi09-cu130-x86_64-linux", Some("cuda 13.0 tvm-ffi09 x86_64-linux"));
        check("cuda", None);
        check("CARD.md", None);
        check("torch", None);
        check("docs-cuda", None);
    }

    #[test]
    fn metadata_with_unknown_fields_is_read() {
        let metadata = Metadata::parse(
            br#"{"name": "a-b", "id": "_a_b_1", "version": 2, "license": "MIT",
                "kernels-minver": "0.14.0", "backend": {"type": "cuda", "archs": ["9.0a"]},
                "digest": {"algorithm": "sha256"}}"#,
        )
        .unwrap();
        assert_eq!(metadata.version, Some(2));
        assert_eq!(metadata.kernels_minver.as_deref(), Some("0.14.0"));
        assert_eq!(metadata.backend.unwrap().archs, ["9.0a"]);
        assert_eq!(Metadata::parse(b"[]"), None);
    }
}
