//! Messages between the pool and a worker.

use ridge_spec::artifact::{Artifact, Manifest};
use ridge_spec::outcome::Rejection;
use serde::{Deserialize, Serialize};

use crate::toolchain::Toolkit;

/// The first line a worker is sent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Setup {
    pub(crate) toolkit: Toolkit,
    /// Address space it may take, bytes; 0 for no limit.
    pub(crate) memory_limit_bytes: u64,
}

/// The first line a worker sends.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "greeting", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Greeting {
    Ready,
    Failed { message: String },
}

/// The answer to one unit.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Answer {
    Artifact {
        manifest: Manifest,
        ptx: String,
        cubin: String,
    },
    Rejected {
        rejection: Rejection,
    },
    /// NVRTC failed in a way that is not the candidate's.
    Failed {
        message: String,
    },
}

impl Answer {
    pub(crate) fn of_artifact(artifact: Artifact) -> Self {
        let Artifact { manifest, ptx, cubin, .. } = artifact;
        Self::Artifact { manifest, ptx, cubin: to_hex(&cubin) }
    }
}

fn to_hex(bytes: &[u8]) -> String {
    let digit =
        |nibble: u8| char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The bytes that hexadecimal digits spell; `None` where they do not.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks_exact(2).map(|pair| Some(value(pair[0])? << 4 | value(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_comes_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(from_hex(&to_hex(&bytes)), Some(bytes));
        assert_eq!(from_hex("0"), None);
        assert_eq!(from_hex("0g"), None);
    }
}
